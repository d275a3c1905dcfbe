/* Final blocks become posted segments: the half of posting that works, on one worker at a time.
 *
 * It walks the final chain on disk from behind what the data layer says stands there, counts with
 * segment_add, and where a segment ends makes it, its envelope, and posts both. It remembers only
 * what it would read again: any of it may be thrown away. Memory: one segment (LIMIT_SEGMENT_BYTES
 * and one body), its batch and its payload. Nothing here touches the loop or its state. */
#ifndef SEQUENCER_NODE_POSTING_MAKE_H
#define SEQUENCER_NODE_POSTING_MAKE_H

#include "proto/genesis.h"
#include "sequencer/batcher/data_layer.h"
#include "storage/storage.h"

struct posting_maker;

enum { POSTING_WHY = 192 };

/* A head of the chain, as wallets see it. */
struct posting_head {
    uint64_t number;
    struct hash hash;
    uint64_t timestamp_ms; /* 0: the block is not on this disk (yet) */
};

struct posting_result {
    enum err err;          /* what keeps the next segment from standing; OK: nothing does */
    char why[POSTING_WHY]; /* a sentence, where `err` is set */
    bool more;             /* work is left that can be done at once */
    bool level;            /* every final block asked for was read */
    struct posting_head stands; /* the last block in the layer, or the genesis */
    uint64_t segments;     /* in the layer */
    uint64_t oldest_ms;    /* time of the first block behind it, 0: none was read */
    uint64_t held_bytes;   /* of the bodies behind it that were read */
    uint64_t posted_bytes; /* bodies of the segment that this work posted, 0: none, */
    uint64_t payload_bytes; /* and what became of them */
    uint64_t wants_slot;   /* a certificate near this slot, which is not on this disk; 0: none */
};

/* Everything is borrowed and outlives the maker. ERR_NO_MEMORY. */
enum err posting_maker_open(struct posting_maker **out, struct storage *s, const struct genesis *g,
                            const struct epoch_config *c, const struct data_layer *layer) MUST_USE;
void posting_maker_close(struct posting_maker *m);

/* A member's certificate, unproved: taken where it is nearer to the end of the segment than the
 * disk's and proves it. Not during work. */
void posting_maker_give(struct posting_maker *m, const struct certificate *c);

/* One piece of work: reads at most LIMIT_POST_BLOCKS final blocks up to slot `up_to`, and posts at
 * most one segment. What is not on disk yet (blocks, a certificate) is no failure: it is asked
 * again with the next call. Blocks for as long as disk and layer take. */
void posting_maker_work(struct posting_maker *m, uint64_t up_to, struct posting_result *out);

#endif
