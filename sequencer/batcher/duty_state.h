/* Inside duty: intents held. Included by duty*.c only. */
#ifndef SEQUENCER_BATCHER_DUTY_STATE_H
#define SEQUENCER_BATCHER_DUTY_STATE_H

#include "sequencer/batcher/duty.h"

struct held {
    uint8_t *bytes;
    size_t n;
    struct hash hash;
    struct post_intent is; /* borrows from them */
    bool foreign;
    bool superseded; /* its owner used the nonce for something else */
    bool late;       /* heard of long after it was made */
    /* Our own: */
    bool released;
    uint32_t acks;
    uint64_t made_ms;
    bool was_shared;
    uint64_t shared_ms;
    /* Another's: heads, 0 for never */
    uint64_t first_push;
    uint64_t last_push;
    uint64_t top_push;
    uint64_t never_head;   /* endpoints say that it cannot be taken, since */
    uint64_t gap_head;     /* its nonce cannot be reached, since */
    uint64_t foreign_head; /* it is our turn and we cannot send it, since */
    bool said_never;
};

struct duty {
    struct duty_config cfg;
    struct duty_segment *segment; /* ascending */
    size_t segments;
    size_t room;
    struct held *held[LIMIT_DUTY_INTENTS];
    size_t helds;
    struct duty_view view; /* of the last tick */
    uint64_t next;      /* the segment after the cursor, and */
    uint64_t next_head; /* the head that it became so at */
    size_t backlog;
};

struct duty_segment *duty_segment_find(const struct duty *d, uint64_t no);
struct held *duty_held_of(const struct duty *d, uint64_t segment, uint8_t owner);
void duty_held_remove(struct duty *d, size_t i);

/* The intent for the segment that members prefer, of those that can still land; NULL: none. Our own
 * counts while we are able to send it. */
struct held *duty_best(const struct duty *d, const struct duty_segment *s,
                       const struct duty_view *v);

static inline uint32_t duty_rank(const struct duty *d, const struct duty_segment *s, uint8_t m)
{
    return (m + d->cfg.members - s->proposer % d->cfg.members) % d->cfg.members;
}

#endif
