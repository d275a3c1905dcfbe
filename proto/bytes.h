/* Fixed-size byte strings, borrowed byte ranges, big-endian numbers and hex.
 *
 * Everything here is a value or borrows: nothing allocates. A `struct bytes` is valid as long as
 * the memory that it points into; whoever keeps it longer copies it. Thread-safe: no state. */
#ifndef PROTO_BYTES_H
#define PROTO_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct hash {
    uint8_t b[32];
};

struct address {
    uint8_t b[20];
};

/* r (32) || s (32) || v (1), v is 27 or 28, s in the lower half (EIP-2). */
struct signature {
    uint8_t b[65];
};

struct bytes {
    const uint8_t *p;
    size_t n;
};

static inline struct bytes bytes_of(const void *p, size_t n)
{
    return (struct bytes){(const uint8_t *)p, n};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool hash_equal(const struct hash *a, const struct hash *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

static inline bool hash_is_zero(const struct hash *h)
{
    static const struct hash zero;
    return hash_equal(h, &zero);
}

static inline bool address_equal(const struct address *a, const struct address *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

static inline void store_be64(uint8_t out[8], uint64_t v)
{
    for (int i = 7; i >= 0; i--) {
        out[i] = (uint8_t)v;
        v >>= 8;
    }
}

static inline uint64_t load_be64(const uint8_t in[8])
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++) {
        v = v << 8 | in[i];
    }
    return v;
}

static inline void store_be32(uint8_t out[4], uint32_t v)
{
    for (int i = 3; i >= 0; i--) {
        out[i] = (uint8_t)v;
        v >>= 8;
    }
}

static inline uint32_t load_be32(const uint8_t in[4])
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

/* Room for `0x`, two digits a byte and the closing zero. */
#define HEX_SIZE(n) (2 * (n) + 3)

/* Writes `0x` and lower-case digits, zero-terminated; `out` holds HEX_SIZE(n) bytes. */
void hex_encode(char *out, const uint8_t *p, size_t n);

/* Reads exactly `n` bytes from `text` (zero-terminated, `0x` optional, either case). */
bool hex_decode(uint8_t *out, size_t n, const char *text);

/* Reads an even number of digits, at most `max` bytes; the count goes to `out_n`. */
bool hex_decode_upto(uint8_t *out, size_t max, size_t *out_n, const char *text, size_t text_len);

#endif
