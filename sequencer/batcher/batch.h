/* Batches of the OP Stack: what one says, and how it is read block by block, transaction by
 * transaction, with no memory but one transaction's.
 *
 *   batch = 0x00 ++ rlp([parent hash, epoch, epoch hash, timestamp, [transactions]])   singular
 *         | 0x01 ++ columns of a run of blocks                                         span
 *
 * Pure: no clock, no files, no threads. A reader borrows the bytes that it reads. */
#ifndef SEQUENCER_BATCHER_BATCH_H
#define SEQUENCER_BATCHER_BATCH_H

#include "sequencer/batcher/buffer.h"
#include "sequencer/batcher/cursor.h"
#include "sequencer/batcher/span.h"

enum batch_type { BATCH_SINGULAR = 0, BATCH_SPAN = 1 };

struct batch {
    enum batch_type type;
    struct hash parent;      /* of the first block; a span batch has its first 20 bytes, then zeros */
    struct hash epoch_hash;  /* of the last block's epoch; as above */
    uint64_t blocks;
    uint64_t epoch;          /* of the last block */
    const struct batch_chain *chain;
    struct span span;        /* where it is a span batch */
    struct span_reader walk;
    struct bytes txs;        /* singular: the items of the list of transactions */
    uint64_t timestamp;
    uint64_t singular_txs;
    bool taken;
};

/* Checks the whole form, every transaction of a span batch included. ERR_MALFORMED,
 * ERR_NOT_CANONICAL, ERR_TOO_LARGE (LIMIT_SPAN_ELEMENTS), ERR_NO_MEMORY; `fault->at` counts from the
 * start of `in`. `chain` is borrowed. */
enum err batch_open(struct batch *b, const struct batch_chain *chain, struct bytes in,
                    struct fault *fault) MUST_USE;
/* False after the last block. The transactions of a block that were not taken are passed over. */
bool batch_next_block(struct batch *b, struct batch_block *out);
/* Appends the raw bytes of the next transaction of this block; false after the last one. */
bool batch_next_tx(struct batch *b, struct buffer *out);

/* A whole singular batch, type byte included. `tx` holds raw transactions; they are not looked at.
 */
void singular_write(struct buffer *out, const struct hash *parent, const struct hash *epoch_hash,
                    const struct batch_block *block, const struct bytes *tx);

/* The stream inside a channel: one RLP string a batch, no list around them. */
void batches_put(struct buffer *out, struct bytes batch);
/* False at the end, and where the next item is no string (then with `c->fault`). */
bool batches_next(struct cursor *c, struct bytes *batch);

#endif
