/* 256-bit numbers against GMP, hex against the bytes. */
#include "check.h"

#include <gmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/u256.h"

enum { RUNS = 20000 };

/* Numbers of every size: a random value shifted right by a random amount. */
static struct u256 any(uint64_t *seed)
{
    uint8_t be[32];
    random_bytes(seed, be, sizeof be);
    size_t n = random_next(seed) % 33;
    if (random_next(seed) % 4 == 0) {
        memset(be, 0xff, sizeof be);
    }
    return u256_from_be(be, n);
}

static void to_gmp(mpz_t out, const struct u256 *a)
{
    uint8_t be[32];
    u256_to_be(be, a);
    mpz_import(out, sizeof be, 1, 1, 1, 0, be);
}

/* `a` equals `want` modulo 2^256, and `over` says whether `want` lies outside the range. */
static void assert_same(const struct u256 *a, bool over, mpz_t want)
{
    mpz_t got;
    mpz_t modulus;
    mpz_init(got);
    mpz_init_set_ui(modulus, 1);
    mpz_mul_2exp(modulus, modulus, 256);
    assert_int_equal(over, mpz_sgn(want) < 0 || mpz_cmp(want, modulus) >= 0);
    mpz_mod(want, want, modulus);
    to_gmp(got, a);
    assert_int_equal(mpz_cmp(got, want), 0);
    mpz_clears(got, modulus, NULL);
}

static void arithmetic(void **state)
{
    (void)state;
    uint64_t seed = 3;
    mpz_t x, y, z, limb;
    mpz_inits(x, y, z, limb, NULL);
    for (int i = 0; i < RUNS; i++) {
        struct u256 a = any(&seed);
        struct u256 b = any(&seed);
        struct u256 small = u256_from_u64(random_next(&seed) >> (random_next(&seed) % 64));
        struct u256 out;
        uint64_t rem;
        to_gmp(x, &a);
        to_gmp(y, &b);
        to_gmp(limb, &small);
        mpz_add(z, x, y);
        bool over = u256_add(&out, &a, &b);
        assert_same(&out, over, z);
        mpz_sub(z, x, y);
        over = u256_sub(&out, &a, &b);
        assert_same(&out, over, z);
        mpz_mul(z, x, limb);
        over = u256_mul_u64(&out, &a, small.v[0]);
        assert_same(&out, over, z);
        if (small.v[0] != 0) {
            u256_div_u64(&out, &a, small.v[0], &rem);
            mpz_tdiv_q(z, x, limb);
            assert_same(&out, false, z);
            mpz_tdiv_r(z, x, limb);
            assert_int_equal(mpz_get_ui(z), rem);
        }
        int order = mpz_cmp(x, y);
        assert_int_equal(u256_cmp(&a, &b), (order > 0) - (order < 0));
        assert_int_equal(u256_byte_len(&a), mpz_sgn(x) == 0 ? 0 : (mpz_sizeinbase(x, 2) + 7) / 8);
        assert_int_equal(u256_fits_u64(&a), mpz_sizeinbase(x, 2) <= 64);
        assert_int_equal(u256_is_zero(&a), mpz_sgn(x) == 0);
    }
    mpz_clears(x, y, z, limb, NULL);
}

static void text(void **state)
{
    (void)state;
    uint64_t seed = 4;
    mpz_t x;
    mpz_init(x);
    for (int i = 0; i < RUNS / 10; i++) {
        struct u256 a = any(&seed);
        struct u256 back;
        char hex[U256_HEX_SIZE];
        char dec[U256_DEC_SIZE];
        char want[100];
        to_gmp(x, &a);
        u256_to_hex(hex, &a);
        gmp_snprintf(want, sizeof want, "0x%Zx", x);
        assert_string_equal(hex, want);
        u256_to_dec(dec, &a);
        gmp_snprintf(want, sizeof want, "%Zd", x);
        assert_string_equal(dec, want);
        assert_true(u256_parse(&back, hex) && u256_cmp(&a, &back) == 0);
        assert_true(u256_parse(&back, dec) && u256_cmp(&a, &back) == 0);
    }
    mpz_clear(x);
}

static void text_refused(void **state)
{
    (void)state;
    const char *bad[] = {
        "",
        "0x",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1e18",
        "0xg",
        "0x0x1",
        "12a",
        "0x-1",
        "115792089237316195423570985008687907853269984665640564039457584007913129639936",
        "0x10000000000000000000000000000000000000000000000000000000000000000"};
    struct u256 out;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(u256_parse(&out, bad[i]));
    }
    assert_true(u256_parse(
        &out, "115792089237316195423570985008687907853269984665640564039457584007913129639935"));
    assert_int_equal(u256_byte_len(&out), 32);
}

static void hex(void **state)
{
    (void)state;
    uint8_t raw[4] = {0x00, 0x9f, 0xA0, 0xff};
    uint8_t back[4];
    char out[HEX_SIZE(4)];
    size_t n;
    hex_encode(out, raw, sizeof raw);
    assert_string_equal(out, "0x009fa0ff");
    assert_true(hex_decode(back, 4, "0x009fA0fF"));
    assert_memory_equal(back, raw, 4);
    assert_true(hex_decode(back, 4, "009FA0FF"));
    assert_false(hex_decode(back, 4, "0x009fa0f"));
    assert_false(hex_decode(back, 4, "0x009fa0"));
    assert_false(hex_decode(back, 4, "0x009fa0ff00"));
    assert_false(hex_decode(back, 4, "0x009fa0fz"));
    assert_true(hex_decode_upto(back, 4, &n, "0x", 2) && n == 0);
    assert_true(hex_decode_upto(back, 4, &n, "aabbcc", 4) && n == 2);
    assert_false(hex_decode_upto(back, 4, &n, "0x1", 3));
    assert_false(hex_decode_upto(back, 1, &n, "aabb", 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic),
        cmocka_unit_test(text),
        cmocka_unit_test(text_refused),
        cmocka_unit_test(hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
