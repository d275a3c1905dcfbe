/* Batches: what can be read can be written, and reads the same again. */
#include "proto/keccak.h"
#include "sequencer/batcher/batch.h"
#include "tests/fuzz/fuzz.h"

enum { ROOM = 1 << 24 };

static const struct batch_chain chain = {1337, 3, 2};
static const struct batch_chain far_chain = {UINT64_MAX, 3, 2};

/* Everything that a batch says, as one hash; written into `w` where there is one. */
static struct hash read_all(struct batch *b, struct span_writer *w)
{
    struct batch_block block;
    struct buffer tx;
    struct keccak k;
    struct hash out;
    keccak_init(&k);
    buffer_init(&tx, ROOM);
    while (batch_next_block(b, &block)) {
        uint64_t said[] = {block.timestamp, block.epoch, block.epoch_starts, block.txs};
        keccak_update(&k, said, sizeof said);
        DEMAND(w == NULL || span_writer_block(w, &block) == OK);
        for (uint64_t i = 0; i < block.txs; i++) {
            buffer_clear(&tx);
            DEMAND(batch_next_tx(b, &tx) && tx.bad == OK);
            keccak_update(&k, tx.p, tx.n);
            DEMAND(w == NULL || span_writer_tx(w, buffer_bytes(&tx)) == OK);
        }
        DEMAND(!batch_next_tx(b, &tx));
    }
    buffer_free(&tx);
    keccak_final(&k, &out);
    return out;
}

static struct hash rewrite(struct buffer *out, struct bytes in)
{
    struct span_writer w;
    struct batch b;
    struct fault fault;
    span_writer_init(&w, &chain, ROOM);
    DEMAND(batch_open(&b, &chain, in, &fault) == OK);
    struct hash said = read_all(&b, &w);
    DEMAND(span_writer_close(&w, &b.parent, &b.epoch_hash, out) == OK);
    span_writer_free(&w);
    return said;
}

static void rewrite_twice(struct bytes in)
{
    struct buffer once;
    struct buffer twice;
    buffer_init(&once, ROOM);
    buffer_init(&twice, ROOM);
    struct hash first = rewrite(&once, in);
    struct hash second = rewrite(&twice, buffer_bytes(&once));
    DEMAND(hash_equal(&first, &second));
    DEMAND(bytes_equal(buffer_bytes(&once), buffer_bytes(&twice)));
    buffer_free(&once);
    buffer_free(&twice);
}

/* Any bytes may stand where a transaction should: what a span cannot carry is refused. */
static void carry_txs(struct batch *b)
{
    struct batch_block block;
    struct span_writer w;
    struct buffer tx;
    span_writer_init(&w, &chain, ROOM);
    buffer_init(&tx, ROOM);
    DEMAND(!batch_next_tx(b, &tx) && batch_next_block(b, &block));
    block.timestamp = chain.genesis_time;
    DEMAND(span_writer_block(&w, &block) == OK || block.epoch > 0);
    for (enum err e = OK; e == OK && batch_next_tx(b, &tx); buffer_clear(&tx)) {
        e = span_writer_tx(&w, buffer_bytes(&tx));
        DEMAND(e == OK || e == ERR_MALFORMED || e == ERR_NOT_CANONICAL || e == ERR_WRONG_CHAIN);
    }
    DEMAND(!batch_next_block(b, &block));
    buffer_free(&tx);
    span_writer_free(&w);
}

/* Blocks whose transactions nobody reads. */
static void check_blocks(struct bytes in, uint64_t blocks)
{
    struct batch_block block;
    struct batch b;
    struct fault fault;
    DEMAND(batch_open(&b, &far_chain, in, &fault) == ERR_REFUSED);
    DEMAND(batch_open(&b, &chain, in, &fault) == OK);
    for (uint64_t i = 0; i < blocks; i++) {
        DEMAND(batch_next_block(&b, &block));
    }
    DEMAND(!batch_next_block(&b, &block));
}

void fuzz_batch(struct bytes in)
{
    struct batch b;
    struct fault fault;
    if (batch_open(&b, &chain, in, &fault) != OK) {
        DEMAND(fault.e != OK && fault.at <= in.n && fault.wanted != NULL);
        return;
    }
    DEMAND(fault.e == OK);
    if (b.type == BATCH_SPAN) {
        rewrite_twice(in);
        check_blocks(in, b.blocks);
    } else {
        carry_txs(&b);
    }
}
