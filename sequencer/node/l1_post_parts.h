/* Inside posting to an L1: included by l1_post*.c only. One thread, that of the L1.
 *
 *   l1_post           opens, closes; a round: look around, duty, actions; how it stands
 *   l1_post_account   the account: key, journal, transaction manager
 *   l1_post_segment   sealed segments by number, and what they look like when they are sent
 *   l1_post_act       duty's actions: post, share, release, push
 *   l1_post_hear      what other members say, and what was stored of it before a restart
 *   l1_post_nonce     nonces of all posters' accounts at a head
 *   l1_intents        intents on disk */
#ifndef SEQUENCER_NODE_L1_POST_PARTS_H
#define SEQUENCER_NODE_L1_POST_PARTS_H

#include "sequencer/batcher/duty.h"
#include "sequencer/l1/feed.h"
#include "sequencer/l1/txm_file.h"
#include "sequencer/node/l1_parts.h"

enum { POST_LOADS = 8, POST_SEGMENTS = LIMIT_DUTY_SEGMENTS, POST_PUSHES = 8, POST_EARLY = 16 };

/* What a transaction carries, kept while it is sent again and again. */
struct kept_load {
    bool used;
    uint64_t segment; /* or TXM_NO_SEGMENT */
    struct l1_load load;
};

struct nonce_of {
    struct l1_post *post;
    bool has; /* an address */
    struct address account;
    struct duty_account is;
};

/* Another's transaction on its way. */
struct push_of {
    struct l1_post *post;
    bool used;
    uint64_t segment;
    uint8_t owner;
};

struct l1_post {
    struct l1_post_setup s;
    bool blobs;    /* else calldata */
    uint8_t parts; /* transactions a segment */
    struct kept_load kept[POST_LOADS];
    size_t kept_next;
    struct buffer wrapped;
    struct secret_key *key; /* the account's */
    struct address account;
    struct txm_file *file;
    struct txm *txm;
    struct duty *duty;
    struct feed *feed;
    bool placed;       /* `next` is known */
    uint64_t next;     /* first block of the segment to be looked for */
    struct l1_segment segment[POST_SEGMENTS]; /* by number */
    uint64_t oldest, newest; /* numbers held: oldest … newest - 1 */
    uint64_t head;     /* of the L1, as of this look */
    uint64_t safe, final; /* last block derived there, and at the finalized block */
    enum duty_state state;
    enum err err;      /* of the last segment that could not be posted */
    struct l1_intents *intents;
    bool restored;     /* those of before the start are in duty */
    struct l1_letter *early[POST_EARLY]; /* about segments that are not sealed here yet */
    size_t earlies;
    struct nonce_of nonce[LIMIT_MEMBERS];
    struct l1_ref nonce_at; /* the head that they are asked for, or known at */
    uint32_t nonces_waiting;
    struct push_of push[POST_PUSHES];
    struct { /* intents taken of each owner within a second */
        uint64_t second;
        uint32_t n;
    } taken[LIMIT_MEMBERS];
    uint64_t looked_ms, busy_ms; /* monotonic time, and work until the last event */
    uint64_t away_until_ms;      /* this process stood still: nothing is sent before then */
    bool acted;                  /* there was a round since */
    struct l1_sharing sharing;
};

/* ---- l1_post.c */
uint64_t post_wall_ms(void);
/* Duty, and all that follows of it, as things stand. */
void post_round(struct l1_post *p);

/* ---- l1_post_account.c */
enum err post_account_open(struct l1_post *p, char *why, size_t why_len) MUST_USE;
/* Why the account posts nothing; "": it does. */
const char *post_account_trouble(const struct txm_status *s);

/* ---- l1_post_segment.c */
/* True: all that is sealed was taken up. */
bool post_segments_learn(struct l1_post *p);
/* NULL: not held. */
const struct l1_segment *post_segment(const struct l1_post *p, uint64_t no);
/* Made again where it was forgotten: the same bytes, for they are a function of the files. For
 * TXM_NO_SEGMENT a blob of zeros. ERR_NOT_FOUND; errors of l1_load_make. */
enum err post_load(struct l1_post *p, uint64_t segment, struct l1_load **out) MUST_USE;
/* Blobs and proofs to a bare transaction that names these hashes. ERR_REFUSED: not ours. `out` is
 * lent until the next call. */
enum err post_wrap(struct l1_post *p, uint64_t segment, struct bytes raw,
                   const struct hash *versioned, size_t blobs, struct bytes *out) MUST_USE;
enum err post_wrap_own(void *post, const struct txm_send *s, struct bytes *out) MUST_USE;

/* ---- l1_post_act.c */
bool post_slot(const struct l1_post *p, uint64_t segment, uint8_t part, struct txm_slot_view *out);
/* True: something changed that duty should look at again. */
bool post_act(struct l1_post *p, const struct duty_view *v);

/* ---- l1_post_hear.c */
/* Every byte of it is unproved. */
void post_take_letter(struct l1_post *p, const struct l1_letter *l);
/* What came before its segment was sealed here, again. */
void post_take_early(struct l1_post *p);
void post_letter(struct l1_post *p, uint32_t members, struct bytes intent, bool answer);
/* Once the segments are known. */
void post_restore(struct l1_post *p);

/* ---- l1_post_nonce.c */
void post_nonce_learn(struct l1_post *p, uint8_t member, const struct address *account);
/* True: known at this head, as far as anybody answered. False: a round follows when they are. */
bool post_nonces_at(struct l1_post *p, const struct l1_ref *head);

/* ---- l1_intents.c: DIR/l1/intents ------------------------------------------------------------- */

/* Records, each with its length and a sum, appended and synced before anybody is told; what a crash
 * cut off at the end was never acknowledged. Written anew without what is final when it is large. */
struct l1_intents;
/* ERR_CORRUPT never: what is damaged ends it, and is told in `torn`. Errors of files, in `why`. */
enum err l1_intents_open(struct l1_intents **out, const char *dir, uint64_t *torn, char *why,
                         size_t why_len) MUST_USE;
void l1_intents_close(struct l1_intents *s);
/* Synced when it returns. ERR_NO_SPACE, ERR_IO: it is not on disk. `safe_final`: those that end
 * at or below this block may be forgotten. */
enum err l1_intents_put(struct l1_intents *s, struct bytes intent, uint64_t safe_final) MUST_USE;
/* Those of before the start, in order; false after the last, and what was read is released. */
bool l1_intents_next(struct l1_intents *s, struct bytes *out);

#endif
