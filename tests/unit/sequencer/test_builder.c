/* Halving after a failed block, and setting aside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sequencer/builder/builder.h"

static struct hash tx_hash(uint32_t i)
{
    struct hash h = {{0}};
    store_be32(h.b, i + 1);
    return h;
}

/* One bad transaction among a thousand: found by halving, at most half as many each time. */
static void test_one_bad_is_isolated(void **state)
{
    (void)state;
    struct builder b;
    const struct hash bad = tx_hash(0);
    struct hash block[1000];
    builder_init(&b, 1000);
    uint32_t blocks = 0;
    for (uint32_t n = builder_max_txs(&b); !builder_is_aside(&b, &bad); n = builder_max_txs(&b)) {
        for (uint32_t i = 0; i < n; i++) {
            block[i] = tx_hash(i); /* the bad one has the best price */
        }
        bool alarm = builder_block_failed(&b, block, n);
        assert_int_equal(alarm, n == 1);
        assert_true(n == 1 || builder_max_txs(&b) == n / 2);
        blocks++;
    }
    assert_int_equal(blocks, 10);
    const struct hash good = tx_hash(5);
    assert_false(builder_is_aside(&b, &good));
    for (int i = 0; i < 10; i++) {
        builder_block_ok(&b, builder_max_txs(&b));
    }
    assert_int_equal(builder_max_txs(&b), 1000);
    builder_release(&b, &bad);
    assert_false(builder_is_aside(&b, &bad));
}

static void test_empty_blocks_say_nothing(void **state)
{
    (void)state;
    struct builder b;
    struct hash block[8] = {{{0}}};
    builder_init(&b, 8);
    assert_false(builder_block_failed(&b, block, 0));
    assert_int_equal(builder_max_txs(&b), 8);
    assert_false(builder_block_failed(&b, block, 8));
    assert_int_equal(builder_max_txs(&b), 4);
    builder_block_ok(&b, 0);
    assert_int_equal(builder_max_txs(&b), 4);
}

static void test_memory_is_bounded(void **state)
{
    (void)state;
    struct builder b;
    builder_init(&b, 1);
    for (uint32_t i = 0; i < LIMIT_BUILDER_ASIDE + 1; i++) {
        struct hash h = tx_hash(i);
        assert_true(builder_block_failed(&b, &h, 1));
    }
    struct hash oldest = tx_hash(0);
    struct hash second = tx_hash(1);
    struct hash newest = tx_hash(LIMIT_BUILDER_ASIDE);
    assert_false(builder_is_aside(&b, &oldest));
    assert_true(builder_is_aside(&b, &second));
    assert_true(builder_is_aside(&b, &newest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_bad_is_isolated),
        cmocka_unit_test(test_empty_blocks_say_nothing),
        cmocka_unit_test(test_memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
