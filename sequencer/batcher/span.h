/* Span batches: many blocks as columns, so that like stands beside like and compresses well.
 *
 * Times are seconds. A span batch states the first block's time alone; the others follow at the
 * chain's block time. Where that does not hold (other paces), the envelope carries the times, and
 * `block_time` is 0 here: then they are neither checked nor computed. */
#ifndef SEQUENCER_BATCHER_SPAN_H
#define SEQUENCER_BATCHER_SPAN_H

#include "sequencer/batcher/bits.h"
#include "sequencer/batcher/cursor.h"
#include "sequencer/batcher/tx_parts.h"

/* What a batch leaves out, because all of its readers know it. */
struct batch_chain {
    uint64_t chain_id;
    uint64_t genesis_time; /* s */
    uint64_t block_time;   /* s, or 0 */
};

struct batch_block {
    uint64_t timestamp;  /* s */
    uint64_t epoch;      /* number of the L1 block that it refers to */
    bool epoch_starts;   /* it is the first block of its epoch */
    uint64_t txs;
};

enum { SPAN_CHECK_BYTES = 20, SPAN_CUTS = 5 };

/* Appends to columns; a transaction is taken apart once and nothing is ever moved again. */
struct span_writer {
    struct batch_chain chain;
    uint64_t blocks;
    uint64_t txs;
    struct batch_block first;
    struct batch_block last;
    struct bits epoch_starts, creates, parity, protection;
    struct buffer counts, signatures, receivers, datas, nonces, gases;
    size_t cut[SPAN_CUTS]; /* after closing: where in the batch the large columns begin */
};

/* `max` bounds each column, in bytes. */
void span_writer_init(struct span_writer *w, const struct batch_chain *chain, size_t max);
void span_writer_free(struct span_writer *w);
/* Starts a block; its `txs` is ignored: they are counted as they come.
 * ERR_REFUSED: before the chain's genesis, or not one block time after the block before; an epoch
 * that is neither the one before nor the next, or whose start is not marked. */
enum err span_writer_block(struct span_writer *w, const struct batch_block *b) MUST_USE;
/* ERR_MALFORMED, ERR_NOT_CANONICAL: no signed transaction of a type that a span batch can carry.
 * ERR_WRONG_CHAIN: protected for another chain, so that it could not be built again. */
enum err span_writer_tx(struct span_writer *w, struct bytes raw) MUST_USE;
/* The whole batch, type byte included. ERR_REFUSED without a block; ERR_TOO_LARGE, ERR_NO_MEMORY
 * where a column failed. `epoch_hash` is that of the last block's epoch. */
enum err span_writer_close(struct span_writer *w, const struct hash *parent,
                           const struct hash *epoch_hash, struct buffer *out) MUST_USE;

/* The columns as they stand in the bytes. */
struct span {
    uint64_t first_time; /* s */
    uint64_t last_epoch;
    uint64_t first_epoch;
    struct bytes parent_check;
    struct bytes epoch_check;
    uint64_t blocks;
    uint64_t txs;
    uint64_t legacy;
    struct bytes epoch_starts, creates, parity, protection;
    struct bytes counts, signatures, receivers, datas, nonces, gases;
};

/* Checks the whole form; `at` is where the columns begin in the bytes that faults count from. */
enum err span_open(struct span *s, const struct batch_chain *chain, struct cursor *c) MUST_USE;

struct span_reader {
    const struct span *span;
    const struct batch_chain *chain;
    uint64_t block; /* the next one */
    uint64_t tx;
    uint64_t legacy;
    uint64_t epoch;
    uint64_t left; /* transactions of this block not yet read */
    struct cursor counts, signatures, receivers, datas, nonces, gases;
};

void span_reader_init(struct span_reader *r, const struct span *s, const struct batch_chain *chain);
bool span_reader_block(struct span_reader *r, struct batch_block *out);
bool span_reader_tx(struct span_reader *r, struct buffer *out);

#endif
