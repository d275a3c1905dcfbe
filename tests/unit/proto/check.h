/* What all tests of this room share: cmocka, keys that are known by number, a set of members. */
#ifndef TESTS_UNIT_PROTO_CHECK_H
#define TESTS_UNIT_PROTO_CHECK_H

/* cmocka wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/key.h"
#include "proto/members.h"

/* Repeatable numbers (xorshift); never 0 for a seed that is not 0. */
uint64_t random_next(uint64_t *state);
void random_bytes(uint64_t *state, uint8_t *out, size_t n);

struct hash hash_from_hex(const char *hex);
void assert_hash(const struct hash *h, const char *hex);

/* Group setup that every program with keys uses. */
int crypto_setup(void **state);

/* Key number i: 31 zero bytes, then i + 1. */
struct secret_key key_number(uint8_t i);

/* `n` members with these weights (NULL: 1 each), keys by number; everything else is acceptable.
 * Not yet derived. */
struct epoch_config config_of(uint32_t n, const uint32_t *weight, enum fault_model model);
/* Derives; fails the test with the sentence if refused. */
void config_derive(struct epoch_config *c);

#endif
