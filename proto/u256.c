#include "proto/u256.h"

__extension__ typedef unsigned __int128 u128; /* the carry of a 64-bit product */

struct u256 u256_from_u64(uint64_t x)
{
    return (struct u256){{x, 0, 0, 0}};
}

struct u256 u256_from_be(const uint8_t *p, size_t n)
{
    struct u256 out = {{0}};
    if (n == 32) { /* the length of nearly all: hashes and signatures */
        for (size_t i = 0; i < 4; i++) {
            out.v[3 - i] = load_be64(p + 8 * i);
        }
        return out;
    }
    for (size_t i = 0; i < n; i++) {
        size_t place = n - 1 - i; /* 0 is the least significant byte */
        out.v[place / 8] |= (uint64_t)p[i] << (place % 8 * 8);
    }
    return out;
}

void u256_to_be(uint8_t out[32], const struct u256 *a)
{
    for (size_t i = 0; i < 4; i++) {
        store_be64(out + 8 * i, a->v[3 - i]);
    }
}

bool u256_fits_u64(const struct u256 *a)
{
    return (a->v[1] | a->v[2] | a->v[3]) == 0;
}

int u256_cmp(const struct u256 *a, const struct u256 *b)
{
    for (size_t i = 4; i-- > 0;) {
        if (a->v[i] != b->v[i]) {
            return a->v[i] < b->v[i] ? -1 : 1;
        }
    }
    return 0;
}

bool u256_is_zero(const struct u256 *a)
{
    return (a->v[0] | a->v[1] | a->v[2] | a->v[3]) == 0;
}

bool u256_add(struct u256 *out, const struct u256 *a, const struct u256 *b)
{
    u128 carry = 0;
    for (size_t i = 0; i < 4; i++) {
        carry += (u128)a->v[i] + b->v[i];
        out->v[i] = (uint64_t)carry;
        carry >>= 64;
    }
    return carry != 0;
}

bool u256_sub(struct u256 *out, const struct u256 *a, const struct u256 *b)
{
    uint64_t borrow = 0;
    for (size_t i = 0; i < 4; i++) {
        u128 difference = (u128)a->v[i] - b->v[i] - borrow;
        out->v[i] = (uint64_t)difference;
        borrow = (uint64_t)(difference >> 64) & 1;
    }
    return borrow != 0;
}

bool u256_mul_u64(struct u256 *out, const struct u256 *a, uint64_t b)
{
    u128 carry = 0;
    for (size_t i = 0; i < 4; i++) {
        carry += (u128)a->v[i] * b;
        out->v[i] = (uint64_t)carry;
        carry >>= 64;
    }
    return carry != 0;
}

void u256_div_u64(struct u256 *out, const struct u256 *a, uint64_t b, uint64_t *rem)
{
    u128 rest = 0;
    for (size_t i = 4; i-- > 0;) {
        rest = rest << 64 | a->v[i];
        out->v[i] = (uint64_t)(rest / b);
        rest %= b;
    }
    if (rem != NULL) {
        *rem = (uint64_t)rest;
    }
}

unsigned u256_byte_len(const struct u256 *a)
{
    for (unsigned i = 4; i-- > 0;) {
        if (a->v[i] != 0) {
            return 8 * i + 8 - (unsigned)__builtin_clzll(a->v[i]) / 8;
        }
    }
    return 0;
}

void u256_to_hex(char out[U256_HEX_SIZE], const struct u256 *a)
{
    uint8_t be[32];
    char all[HEX_SIZE(32)];
    u256_to_be(be, a);
    hex_encode(all, be, sizeof be);
    size_t first = 2;
    while (first < 65 && all[first] == '0') {
        first++;
    }
    out[0] = '0';
    out[1] = 'x';
    memcpy(out + 2, all + first, sizeof all - first);
}

void u256_to_dec(char out[U256_DEC_SIZE], const struct u256 *a)
{
    char digits[U256_DEC_SIZE];
    size_t n = 0;
    struct u256 rest = *a;
    do {
        uint64_t digit;
        u256_div_u64(&rest, &rest, 10, &digit);
        digits[n++] = (char)('0' + digit);
    } while (!u256_is_zero(&rest));
    for (size_t i = 0; i < n; i++) {
        out[i] = digits[n - 1 - i];
    }
    out[n] = '\0';
}

static bool parse_hex(struct u256 *out, const char *digits)
{
    size_t n = strlen(digits);
    if (n == 0 || n > 64) {
        return false;
    }
    char padded[65];
    uint8_t be[32];
    memset(padded, '0', sizeof padded);
    memcpy(padded + 64 - n, digits, n + 1);
    /* hex_decode takes a prefix; one inside the padding must not pass for digits. */
    if (memchr(digits, 'x', n) != NULL || memchr(digits, 'X', n) != NULL ||
        !hex_decode(be, sizeof be, padded)) {
        return false;
    }
    *out = u256_from_be(be, sizeof be);
    return true;
}

bool u256_parse(struct u256 *out, const char *text)
{
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        return parse_hex(out, text + 2);
    }
    struct u256 value = {{0}};
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        struct u256 digit = u256_from_u64((uint64_t)(*text - '0'));
        if (u256_mul_u64(&value, &value, 10) || u256_add(&value, &value, &digit)) {
            return false;
        }
    }
    *out = value;
    return true;
}
