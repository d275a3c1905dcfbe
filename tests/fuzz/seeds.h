/* Seeds: small inputs of each target, made by the encoders of the product. */
#ifndef TESTS_FUZZ_SEEDS_H
#define TESTS_FUZZ_SEEDS_H

#include "proto/bytes.h"

/* Writes CORPUS/target/seed-name. */
void seed_put(const char *target, const char *name, struct bytes content);
void seed_text(const char *target, const char *name, const char *text);

/* What people and their tools write: HTTP, JSON, YAML, key files (seeds_text.c). */
void seeds_of_text(void);

#endif
