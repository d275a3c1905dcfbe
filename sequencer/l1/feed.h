/* Between the L1 and the transaction manager: at every head, what the manager asks about, gathered
 * into one view (txm_tick), and its transactions on their way, lowest nonce first, one at a time.
 *
 *   view changed, or some seconds passed → feed_look → account at the head and at the finalized
 *   block, fees, receipts, pools → txm_tick → `ticked` (post here) → txm_next_send … → txm_answer
 *
 * A fact that nobody answers for is UNKNOWN: the manager concludes nothing from it. The manager signs
 * and writes its journal in here: on the L1's loop, which is a thread that may wait. */
#ifndef SEQUENCER_L1_FEED_H
#define SEQUENCER_L1_FEED_H

#include "sequencer/l1/l1.h"
#include "sequencer/l1/txm.h"

struct feed;

struct feed_options {
    struct l1 l1;
    struct txm *txm;        /* the caller's, outlives the feed */
    struct address account;
    /* Derivation: does it stand at this head, and how high is the last block derived there? */
    bool (*derived)(void *arg, const struct l1_ref *head, uint64_t *safe);
    /* The bytes to send: blobs and proofs put to s->raw. Lent until the next call. NULL: s->raw. */
    enum err (*wrap)(void *arg, const struct txm_send *s, struct bytes *out);
    void (*ticked)(void *arg); /* the manager has a new view; may post and release. May be NULL */
    void *arg;
};

/* ERR_NO_MEMORY. */
enum err feed_open(struct feed **out, const struct feed_options *o) MUST_USE;
/* At each l1_view_cb, and every second or so: pools are asked and sends repeated in between. While
 * one look is under way the next waits for its end. `now_ms`: any clock that does not go back. */
void feed_look(struct feed *f, uint64_t now_ms);
/* Something was posted or released outside of `ticked`. */
void feed_send(struct feed *f);
/* After the L1 client was closed: its callbacks come no more. */
void feed_close(struct feed *f);

#endif
