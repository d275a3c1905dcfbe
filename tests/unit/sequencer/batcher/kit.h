/* What the tests of the batcher share: vectors as JSON, random transactions and blocks. */
#ifndef TESTS_UNIT_SEQUENCER_BATCHER_KIT_H
#define TESTS_UNIT_SEQUENCER_BATCHER_KIT_H

/* cmocka wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "sequencer/batcher/auth.h"
#include "sequencer/batcher/batch.h"
#include "sequencer/batcher/segment.h"

/* ---- vectors ---- */

/* The file of tests/vectors; the caller puts it. Fails the test where it cannot be read. */
struct json_object *vector_read(const char *name);
/* The member at a path such as "layers.frames.0.bytes"; fails the test where there is none. */
struct json_object *vector_at(struct json_object *o, const char *path);
uint64_t vector_u64(struct json_object *o, const char *path);
/* Hex at a path, appended to `out`. */
void vector_hex(struct buffer *out, struct json_object *o, const char *path);
struct hash vector_hash(struct json_object *o, const char *path);
struct batch_chain vector_chain(struct json_object *o);

void assert_bytes(struct bytes got, struct bytes want);
void assert_fault(const struct fault *f, enum err e, size_t at);

/* ---- random content ---- */

uint64_t random_next(uint64_t *state);
uint64_t random_below(uint64_t *state, uint64_t n);
void random_bytes(uint64_t *state, uint8_t *out, size_t n);
/* A number of random magnitude, so that every length of it occurs. */
uint64_t random_magnitude(uint64_t *state);
/* Appends a well-formed signed transaction of a random type; its signature belongs to nobody. */
void random_tx(uint64_t *seed, uint64_t chain_id, struct buffer *out);

/* Blocks with their transactions, all memory in here. */
struct run {
    struct batch_chain chain;
    struct hash parent;
    struct hash epoch_hash;
    struct batch_block *block;
    size_t blocks;
    struct buffer bytes;
    struct bytes *tx;
    size_t txs;
};

void run_random(struct run *r, uint64_t *seed, size_t blocks, size_t most_txs);
void run_free(struct run *r);
/* One span batch of it all. */
void run_write(const struct run *r, struct buffer *out);

/* ---- segments ---- */

/* `blocks` blocks from `first` on, 1 s apart, and the segment of them after `parent`. */
struct sample {
    struct segment segment;
    struct batch_auth auth; /* its certificate is signed by nobody */
    struct auth_time *time;
    struct buffer envelope;
};

void sample_make(struct sample *s, uint64_t *seed, uint64_t chain_id, uint64_t first,
                 size_t blocks, const struct hash *parent);
void sample_free(struct sample *s);

#endif
