/* Batches: what can be read can be written, and reads the same again. */
#include "proto/keccak.h"
#include "sequencer/batcher/batch.h"
#include "tests/fuzz/fuzz.h"

enum { ROOM = 1 << 24 };

static const struct batch_chain chain = {1337, 0, 2};

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
    } else {
        read_all(&b, NULL);
    }
}
