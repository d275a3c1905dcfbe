/* Keccak-256 against known vectors and against a second permutation, that of nettle. */
#include "check.h"

#include <nettle/sha3.h>

#include "proto/keccak.h"
#include "proto/keccak_many.h"

enum { RATE = 136, LENGTH_MAX = 300 };

/* The sponge once more, byte by byte, over nettle's permutation. */
static struct hash reference(const uint8_t *p, size_t n)
{
    struct sha3_state s = {{0}};
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        s.a[at / 8] ^= (uint64_t)p[i] << (8 * (at % 8));
        if (++at == RATE) {
            sha3_permute(&s);
            at = 0;
        }
    }
    s.a[at / 8] ^= (uint64_t)1 << (8 * (at % 8));
    s.a[16] ^= (uint64_t)0x80 << 56;
    sha3_permute(&s);
    struct hash out;
    for (size_t i = 0; i < 32; i++) {
        out.b[i] = (uint8_t)(s.a[i / 8] >> (8 * (i % 8)));
    }
    return out;
}

static void known_vectors(void **state)
{
    (void)state;
    struct hash empty = keccak256("", 0);
    struct hash abc = keccak256("abc", 3);
    struct hash transfer = keccak256("Transfer(address,address,uint256)", 33);
    assert_hash(&empty, "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    assert_hash(&abc, "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
    assert_hash(&transfer, "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
}

static void every_length(void **state)
{
    (void)state;
    uint64_t seed = 1;
    uint8_t data[LENGTH_MAX];
    random_bytes(&seed, data, sizeof data);
    for (size_t n = 0; n <= sizeof data; n++) {
        struct hash got = keccak256(data, n);
        struct hash want = reference(data, n);
        assert_memory_equal(got.b, want.b, sizeof want.b);
    }
}

static void every_split(void **state)
{
    (void)state;
    uint64_t seed = 2;
    uint8_t data[LENGTH_MAX];
    random_bytes(&seed, data, sizeof data);
    struct hash want = reference(data, sizeof data);
    for (size_t first = 0; first <= sizeof data; first++) {
        for (size_t step = 1; step < 20; step += 6) {
            struct keccak k;
            struct hash got;
            keccak_init(&k);
            keccak_update(&k, data, first);
            for (size_t at = first; at < sizeof data; at += step) {
                size_t left = sizeof data - at;
                keccak_update(&k, data + at, left < step ? left : step);
            }
            keccak_final(&k, &got);
            assert_memory_equal(got.b, want.b, sizeof want.b);
        }
    }
}

/* Any number of them, of any lengths beside each other, and nothing where there is none. */
static void many_are_the_same(void **state)
{
    (void)state;
    enum { MOST = 2 * KECCAK_TOGETHER + 3, ROUNDS = 400 };
    uint64_t seed = 3;
    uint8_t data[LENGTH_MAX];
    random_bytes(&seed, data, sizeof data);
    for (int round = 0; round < ROUNDS; round++) {
        struct bytes in[MOST];
        struct hash got[MOST + 1];
        memset(got, 0xee, sizeof got);
        size_t n = random_next(&seed) % (MOST + 1);
        for (size_t i = 0; i < n; i++) {
            size_t from = random_next(&seed) % sizeof data;
            in[i] = bytes_of(data + from, random_next(&seed) % (sizeof data - from + 1));
        }
        keccak256_many(got, in, n);
        for (size_t i = 0; i < n; i++) {
            struct hash want = reference(in[i].p, in[i].n);
            assert_memory_equal(got[i].b, want.b, sizeof want.b);
        }
        assert_int_equal(got[n].b[0], 0xee);
    }
}

/* Where a block ends, and one byte to each side of it, beside each other. */
static void many_at_the_edges(void **state)
{
    (void)state;
    static const size_t length[] = {0, 1, 135, 136, 137, 271, 272, 273, 543, 544};
    enum { LENGTHS = sizeof length / sizeof length[0] };
    uint64_t seed = 4;
    uint8_t data[544];
    random_bytes(&seed, data, sizeof data);
    for (size_t first = 0; first < LENGTHS; first++) {
        struct bytes in[KECCAK_TOGETHER];
        struct hash got[KECCAK_TOGETHER];
        for (size_t i = 0; i < KECCAK_TOGETHER; i++) {
            in[i] = bytes_of(data, length[(first + i) % LENGTHS]);
        }
        keccak256_many(got, in, KECCAK_TOGETHER);
        for (size_t i = 0; i < KECCAK_TOGETHER; i++) {
            struct hash want = reference(in[i].p, in[i].n);
            assert_memory_equal(got[i].b, want.b, sizeof want.b);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_vectors),
        cmocka_unit_test(every_length),
        cmocka_unit_test(every_split),
        cmocka_unit_test(many_are_the_same),
        cmocka_unit_test(many_at_the_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
