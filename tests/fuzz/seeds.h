/* Seeds: small inputs of each target, made by the encoders of the product. */
#ifndef TESTS_FUZZ_SEEDS_H
#define TESTS_FUZZ_SEEDS_H

#include "proto/bytes.h"

/* Writes CORPUS/target/seed-name. */
void seed_put(const char *target, const char *name, struct bytes content);
/* CORPUS/target/wide-name: a few bytes that stand for many (replay.c). */
void seed_wide(const char *target, const char *name, struct bytes content);
void seed_text(const char *target, const char *name, const char *text);

/* Transactions that no encoder of ours makes: legacy with and without a chain id, with an access
 * list, and one that sets code (EIP-7702). Their number; they stay where they are. */
enum { SEED_TXS = 4 };
size_t seed_txs(struct bytes out[SEED_TXS]);

/* What people and their tools write: HTTP, JSON, YAML, key files (seeds_text.c). */
void seeds_of_text(void);

/* Batches, payloads, envelopes of blocks with this body (seeds_batch.c); `tx` is one of its own. */
void seeds_of_batches(struct bytes body, struct bytes tx);

/* What an L1 answers, what is written down for it, what peers say of it (seeds_l1.c). */
void seeds_of_l1(void);

/* What is larger than it may be (seeds_wide.c). */
void seeds_of_wide(void);

#endif
