/* Hex and numbers as people and wallets write them. */
#include <stdlib.h>

#include "proto/u256.h"
#include "tests/fuzz/fuzz.h"

static void check_number(const char *text)
{
    struct u256 v;
    struct u256 again;
    char hex[U256_HEX_SIZE];
    char dec[U256_DEC_SIZE];
    if (!u256_parse(&v, text)) {
        return;
    }
    u256_to_hex(hex, &v);
    DEMAND(u256_parse(&again, hex) && u256_cmp(&v, &again) == 0);
    u256_to_dec(dec, &v);
    DEMAND(u256_parse(&again, dec) && u256_cmp(&v, &again) == 0);
    uint8_t be[32];
    u256_to_be(be, &v);
    again = u256_from_be(be, sizeof be);
    DEMAND(u256_cmp(&v, &again) == 0);
    DEMAND(u256_fits_u64(&v) == (u256_byte_len(&v) <= 8));
}

/* Two numbers of the input: what was added comes off again, quotient and remainder add up. */
static void check_arithmetic(struct bytes in)
{
    struct u256 a = u256_from_be(in.p, 32);
    struct u256 b = u256_from_be(in.p + 32, 32);
    struct u256 sum;
    struct u256 back;
    bool over = u256_add(&sum, &a, &b);
    DEMAND(u256_sub(&back, &sum, &b) == over && u256_cmp(&back, &a) == 0);
    uint64_t d = b.v[0] | 1;
    uint64_t rest = 0;
    u256_div_u64(&sum, &a, d, &rest);
    DEMAND(rest < d && !u256_mul_u64(&back, &sum, d));
    struct u256 r = u256_from_u64(rest);
    DEMAND(!u256_add(&sum, &back, &r) && u256_cmp(&sum, &a) == 0);
}

static void check_hex(const char *text, size_t n)
{
    uint8_t raw[128];
    uint8_t fixed[32];
    size_t raw_n = 0;
    char hex[HEX_SIZE(sizeof raw)];
    if (hex_decode_upto(raw, sizeof raw, &raw_n, text, n)) {
        uint8_t again[sizeof raw];
        size_t again_n = 0;
        hex_encode(hex, raw, raw_n);
        DEMAND(hex_decode_upto(again, sizeof again, &again_n, hex, 2 + 2 * raw_n));
        DEMAND(bytes_equal(bytes_of(raw, raw_n), bytes_of(again, again_n)));
    }
    if (hex_decode(fixed, sizeof fixed, text)) {
        DEMAND(hex_decode_upto(raw, sizeof raw, &raw_n, text, strlen(text)));
        DEMAND(bytes_equal(bytes_of(raw, raw_n), bytes_of(fixed, sizeof fixed)));
    }
}

void fuzz_text(struct bytes in)
{
    char *text = malloc(in.n + 1);
    DEMAND(text != NULL);
    if (in.n > 0) {
        memcpy(text, in.p, in.n);
    }
    text[in.n] = '\0';
    check_number(text);
    check_hex(text, in.n);
    if (in.n >= 64) {
        check_arithmetic(in);
    }
    free(text);
}
