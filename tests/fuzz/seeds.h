/* Seeds: small inputs of each target, made by the encoders of the product. */
#ifndef TESTS_FUZZ_SEEDS_H
#define TESTS_FUZZ_SEEDS_H

#include "proto/bytes.h"

/* Writes CORPUS/target/seed-name. */
void seed_put(const char *target, const char *name, struct bytes content);
void seed_text(const char *target, const char *name, const char *text);

/* What people and their tools write: HTTP, JSON, YAML, key files (seeds_text.c). */
void seeds_of_text(void);

/* Batches, payloads, envelopes of blocks with this body (seeds_batch.c); `tx` is one of its own. */
void seeds_of_batches(struct bytes body, struct bytes tx);

#endif
