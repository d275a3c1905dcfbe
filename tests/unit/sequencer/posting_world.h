/* A final chain on a real disk, block by block, for the tests of posting. */
#ifndef TESTS_UNIT_SEQUENCER_POSTING_WORLD_H
#define TESTS_UNIT_SEQUENCER_POSTING_WORLD_H

#include "node_kit.h"
#include "proto/key.h"
#include "sequencer/batcher/layer_file.h"
#include "sequencer/node/parts.h"

enum { BLOCK_MS = 200, SEAL_MS = 1000, SEGMENT = 6, MEMBERS = 4, ROUNDS = 1000, HELD = 16 };


/* A layer in memory, as one on an L1: it can lose its end. */
struct memory_layer {
    struct posted held[HELD];
    size_t n;
    uint32_t posts;
    enum err refuse;
};

struct world {
    struct kit_dir dir;
    struct genesis genesis;
    struct epoch_config config;
    struct secret_key key[MEMBERS];
    struct storage *storage;
    struct layer_file *files;
    struct memory_layer memory;
    struct posting_maker *maker;
    struct posting_result r;
    /* the tip of the chain */
    struct header tip;
    struct hash tip_hash;
};

/* `w` is zeroed; its storage, genesis and folder are the caller's to close, free and remove. */
void open_world(struct world *w);
/* The next block, EMPTY or not, on the disk with its certificate or without. */
void grow(struct world *w, uint8_t flags, bool certified);
void grow_many(struct world *w, uint32_t blocks);
/* A certificate of the tip. */
void certify(const struct world *w, struct certificate *c);
/* All of it is durable. */
void settle(struct world *w);

#endif
