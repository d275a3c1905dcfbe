/* Letters between the node's loop and the thread of the L1: what members say of intents
 * (batcher/duty.h), and what is to be said to them. Two boxes, each with a bound, so that neither
 * thread waits for the other: what does not fit is dropped and counted, and said again by whoever
 * is still waiting for an answer.
 *
 * Threads: any; a box has a lock of its own. */
#ifndef SEQUENCER_NODE_L1_MAIL_H
#define SEQUENCER_NODE_L1_MAIL_H

#include "proto/message.h"

struct l1_letter {
    struct l1_letter *next;
    uint32_t members; /* bits; in: the one who sent it, out: those it goes to */
    bool ack;         /* of an intent that is durable; else the intent itself */
    bool answer;      /* an intent that is not answered */
    uint64_t segment; /* ack */
    struct hash intent;
    size_t n; /* bytes of the encoded intent; 0: ack */
    uint8_t bytes[];
};

struct l1_box;
/* ERR_NO_MEMORY. */
enum err l1_box_open(struct l1_box **out) MUST_USE;
void l1_box_close(struct l1_box *b);

/* A copy. False: LIMIT_INTENT_LETTERS wait, or LIMIT_INTENT_LETTERS / 4 of the same members. */
bool l1_box_put(struct l1_box *b, const struct l1_letter *like, struct bytes intent);
/* The oldest, the caller's to free; NULL: none. */
struct l1_letter *l1_box_take(struct l1_box *b);
uint64_t l1_box_dropped(struct l1_box *b);

#endif
