/* Answers made of a block: small ones at once, large ones on a worker thread with a copy of the
 * block, because hashing, decoding and sender recovery of thousands of transactions take longer
 * than the loop may be held. */
#ifndef SEQUENCER_RPC_VIEW_H
#define SEQUENCER_RPC_VIEW_H

#include "sequencer/rpc/call.h"

enum view_kind {
    VIEW_BLOCK, /* transactions as hashes */
    VIEW_BLOCK_FULL,
    VIEW_TX, /* the one at `index` */
    VIEW_RAW_TX,
    VIEW_RECEIPT, /* of the one at `index` */
    VIEW_RECEIPTS /* of all */
};

/* Answers the call; `b` is lent. `index` must be below b->txs where one is asked for. */
void view_answer(struct call *c, const struct rpc_block *b, enum view_kind kind, uint32_t index);

/* Other work on copies of blocks: `run` on a worker, then `done` on the loop unless the caller is
 * gone. `bytes` is accounted against LIMIT_RPC_JOB_BYTES; false: too much is out already, and the
 * call has been answered. `free_state` is called in any case. */
struct view_job {
    struct call *call;
    size_t bytes;
    void *state;
    void (*run)(void *state, struct text *out);
    void (*finish)(void *state, struct rpc *r); /* on the loop, afterwards; may be NULL */
    void (*free_state)(void *state);
};
bool view_queue(const struct view_job *job);

#endif
