/* The stored form of derivation: one form only, whole or not at all; rows and hashes at their
 * limits. */
#include "kit.h"

#include <stdlib.h>

#include "proto/keccak.h"
#include "proto/limits.h"
#include "sequencer/batcher/derive_state.h"

enum { CHAIN = 41197, ROOM = 1 << 20, START = 1000 };

static struct hash genesis;

static struct hash hash_of(uint64_t n)
{
    return keccak256(&n, sizeof n);
}

static void open_state(struct derive_state *s)
{
    struct safe_row base = {0, hash_of(1), {START, hash_of(START)}, 0};
    assert_int_equal(derive_state_init(s, &base), OK);
}

/* `blocks` L1 blocks, every third with two postings of five blocks. */
static void grow(struct derive_state *s, size_t blocks)
{
    for (size_t i = 0; i < blocks; i++) {
        struct derive_ref l1 = {s->at + 1, hash_of(s->at + 1)};
        for (uint32_t k = 0; i % 3 == 0 && k < 2; k++) {
            uint64_t number = derive_state_safe(s)->number + 5;
            struct safe_row row = {number, hash_of(~number), l1, k * 7};
            derive_state_add(s, &row);
        }
        derive_state_advance(s, &l1.hash);
    }
}

static void raise_alarm(struct derive_state *s)
{
    s->alarm = (struct derive_alarm){true, 5, hash_of(8), hash_of(9), {START, hash_of(START)}};
}

static void encode(struct buffer *out, const struct derive_state *s)
{
    buffer_init(out, ROOM);
    derive_state_encode(out, s, CHAIN, &genesis);
    assert_int_equal(out->bad, OK);
}

static void round_trip(void **state)
{
    (void)state;
    for (size_t blocks = 0; blocks < 20; blocks++) {
        struct derive_state s;
        struct derive_state back;
        struct buffer a;
        struct buffer b;
        struct fault fault;
        open_state(&s);
        grow(&s, blocks);
        derive_state_finalize(&s, START + blocks / 2);
        if (blocks % 2 == 1) {
            raise_alarm(&s);
        }
        encode(&a, &s);
        assert_int_equal(derive_state_decode(&back, buffer_bytes(&a), CHAIN, &genesis, &fault), OK);
        encode(&b, &back);
        assert_bytes(buffer_bytes(&b), buffer_bytes(&a));
        assert_int_equal(back.alarm.raised, s.alarm.raised);
        derive_state_free(&s);
        derive_state_free(&back);
        buffer_free(&a);
        buffer_free(&b);
    }
}

/* Cut off anywhere, and one bit of every byte: refused, or another state in its one form. */
static void damaged(void **state)
{
    (void)state;
    struct derive_state s;
    struct derive_state back;
    struct buffer a;
    struct buffer b;
    struct fault fault;
    size_t refused = 0;
    open_state(&s);
    grow(&s, 7);
    raise_alarm(&s);
    encode(&a, &s);
    for (size_t n = 0; n < a.n; n++) {
        assert_int_equal(
            derive_state_decode(&back, bytes_of(a.p, n), CHAIN, &genesis, &fault), ERR_MALFORMED);
        assert_non_null(fault.wanted);
    }
    for (size_t i = 0; i < a.n; i++) {
        a.p[i] ^= (uint8_t)(1u << (i % 8));
        if (derive_state_decode(&back, buffer_bytes(&a), CHAIN, &genesis, &fault) == OK) {
            encode(&b, &back);
            assert_bytes(buffer_bytes(&b), buffer_bytes(&a));
            buffer_free(&b);
            derive_state_free(&back);
        } else {
            refused++;
        }
        a.p[i] ^= (uint8_t)(1u << (i % 8));
    }
    assert_true(refused > 60);
    buffer_put_byte(&a, 0);
    assert_int_equal(derive_state_decode(&back, buffer_bytes(&a), CHAIN, &genesis, &fault),
                     ERR_MALFORMED);
    derive_state_free(&s);
    buffer_free(&a);
}

static void other_chains(void **state)
{
    (void)state;
    struct derive_state s;
    struct buffer a;
    struct fault fault;
    struct hash other = hash_of(3);
    open_state(&s);
    encode(&a, &s);
    derive_state_free(&s);
    struct bytes in = buffer_bytes(&a);
    assert_int_equal(derive_state_decode(&s, in, CHAIN + 1, &genesis, &fault), ERR_WRONG_CHAIN);
    assert_int_equal(derive_state_decode(&s, in, CHAIN, &other, &fault), ERR_WRONG_CHAIN);
    a.p[4] = 2;
    assert_int_equal(derive_state_decode(&s, in, CHAIN, &genesis, &fault), ERR_WRONG_VERSION);
    buffer_free(&a);
}

/* Without a final block on the L1 for very long: bounded, and what is still said is true. */
static void limits(void **state)
{
    (void)state;
    struct derive_state s;
    struct derive_state back;
    struct buffer a;
    struct fault fault;
    open_state(&s);
    grow(&s, 7000);
    assert_int_equal(s.rows, LIMIT_DERIVE_ROWS);
    assert_int_equal(s.hashes, LIMIT_DERIVE_HASHES);
    assert_int_equal(derive_state_safe_at(&s, START + 1)->number, 0); /* forgotten: the final one */
    assert_int_equal(derive_state_safe_at(&s, s.at)->number, 2334 * 10);
    assert_int_equal(derive_state_back(&s, s.at - LIMIT_DERIVE_HASHES), ERR_REFUSED);
    encode(&a, &s);
    assert_int_equal(derive_state_decode(&back, buffer_bytes(&a), CHAIN, &genesis, &fault), OK);
    derive_state_free(&back);
    uint64_t to = s.at - LIMIT_DERIVE_HASHES + 1;
    assert_int_equal(derive_state_back(&s, to), OK);
    assert_int_equal(s.at, to);
    assert_int_equal(s.hashes, 1);
    assert_true(derive_state_safe(&s)->l1.number <= to);
    derive_state_finalize(&s, UINT64_MAX);
    assert_int_equal(s.rows, 1);
    derive_state_free(&s);
    buffer_free(&a);
}

/* A row of a block that was not read to its end is not stored: it will be derived again. */
static void unfinished_block(void **state)
{
    (void)state;
    struct derive_state s;
    struct derive_state back;
    struct buffer a;
    struct fault fault;
    open_state(&s);
    grow(&s, 1);
    struct safe_row row = {99, hash_of(99), {s.at + 1, hash_of(s.at + 1)}, 0};
    derive_state_add(&s, &row);
    assert_non_null(derive_state_row(&s, 99));
    encode(&a, &s);
    assert_int_equal(derive_state_decode(&back, buffer_bytes(&a), CHAIN, &genesis, &fault), OK);
    assert_int_equal(back.rows, 3);
    assert_null(derive_state_row(&back, 99));
    derive_state_free(&back);
    assert_int_equal(derive_state_back(&s, s.at), OK);
    assert_int_equal(s.rows, 3);
    derive_state_free(&s);
    buffer_free(&a);
}

int main(void)
{
    genesis = keccak256("genesis", 7);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),   cmocka_unit_test(damaged),
        cmocka_unit_test(other_chains), cmocka_unit_test(limits),
        cmocka_unit_test(unfinished_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
