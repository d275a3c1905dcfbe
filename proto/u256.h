/* Unsigned 256-bit numbers: what amounts of wei need, no more. Limb 0 is the least significant. */
#ifndef PROTO_U256_H
#define PROTO_U256_H

#include "proto/bytes.h"

struct u256 {
    uint64_t v[4];
};

struct u256 u256_from_u64(uint64_t x);
struct u256 u256_from_be(const uint8_t *p, size_t n); /* n <= 32 */
void u256_to_be(uint8_t out[32], const struct u256 *a);
bool u256_fits_u64(const struct u256 *a);
int u256_cmp(const struct u256 *a, const struct u256 *b); /* -1, 0, 1 */
bool u256_is_zero(const struct u256 *a);
/* True on overflow (below zero for sub); `out` then holds the value modulo 2^256. */
bool u256_add(struct u256 *out, const struct u256 *a, const struct u256 *b);
bool u256_sub(struct u256 *out, const struct u256 *a, const struct u256 *b);
bool u256_mul_u64(struct u256 *out, const struct u256 *a, uint64_t b);
/* a / b for b > 0; the remainder goes to `rem` where not NULL. */
void u256_div_u64(struct u256 *out, const struct u256 *a, uint64_t b, uint64_t *rem);
unsigned u256_byte_len(const struct u256 *a);
/* `0x…` without leading zeros ("0x0" for zero); 67 bytes are enough. */
enum { U256_HEX_SIZE = 67, U256_DEC_SIZE = 79 };
void u256_to_hex(char out[U256_HEX_SIZE], const struct u256 *a);
void u256_to_dec(char out[U256_DEC_SIZE], const struct u256 *a);
/* Decimal or 0x-hex. False: not a number or above 2^256 - 1. */
bool u256_parse(struct u256 *out, const char *text);

#endif
