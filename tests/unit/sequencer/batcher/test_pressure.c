/* Stages of back-pressure: where each is entered and left, and what it asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/limits.h"
#include "sequencer/batcher/pressure.h"

enum { HOUR_MS = 3600000 };

static unsigned after(unsigned stage, uint64_t bytes, uint64_t age_ms, uint64_t window_ms)
{
    const struct pressure_input in = {bytes, age_ms, window_ms};
    return pressure_stage(stage, &in);
}

static void entered_above(void **state)
{
    (void)state;
    static const uint64_t bytes[] = {LIMIT_UNSAFE_SLOW_BYTES, LIMIT_UNSAFE_LEAST_BYTES,
                                     LIMIT_UNSAFE_STOP_BYTES};
    static const uint64_t seconds[] = {LIMIT_UNSAFE_SLOW_S, LIMIT_UNSAFE_LEAST_S,
                                       LIMIT_UNSAFE_STOP_S};
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(after(0, bytes[i], 0, 0), i);
        assert_int_equal(after(0, bytes[i] + 1, 0, 0), i + 1);
        assert_int_equal(after(0, 0, seconds[i] * 1000, 0), i);
        assert_int_equal(after(0, 0, seconds[i] * 1000 + 1, 0), i + 1);
    }
    assert_int_equal(after(0, UINT64_MAX, 0, 0), 3);
    assert_int_equal(after(0, 0, UINT64_MAX, 0), 3); /* no window, no stage 4 */
}

/* At seven tenths of its entry a stage is still held when it was entered, and is not entered. */
static void left_below_seven_tenths(void **state)
{
    (void)state;
    static const uint64_t bytes[] = {LIMIT_UNSAFE_SLOW_BYTES, LIMIT_UNSAFE_LEAST_BYTES,
                                     LIMIT_UNSAFE_STOP_BYTES};
    for (unsigned i = 0; i < 3; i++) {
        uint64_t edge = bytes[i] / 10 * 7;
        assert_int_equal(after(i + 1, edge + 1, 0, 0), i + 1);
        assert_true(after(i + 1, edge, 0, 0) < i + 1);
        assert_int_equal(after(i, edge + 1, 0, 0), i);
    }
    /* one stage at a time, and all of them at once */
    assert_int_equal(after(3, LIMIT_UNSAFE_LEAST_BYTES, 0, 0), 2);
    assert_int_equal(after(3, 0, 0, 0), 0);
    /* either measure holds it */
    assert_int_equal(after(2, 0, (uint64_t)LIMIT_UNSAFE_LEAST_S * 1000 / 10 * 7 + 1, 0), 2);
}

/* Nothing that moves to and fro between the two edges changes the stage. */
static void does_not_flap(void **state)
{
    (void)state;
    unsigned stage = 0;
    unsigned changes = 0;
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t high = LIMIT_UNSAFE_SLOW_BYTES + 1000;
        uint64_t low = LIMIT_UNSAFE_SLOW_BYTES / 10 * 7 + 1000;
        unsigned next = after(stage, i % 2 == 0 ? high : low, 0, 0);
        changes += next != stage;
        stage = next;
    }
    assert_int_equal(changes, 1);
}

static void windows(void **state)
{
    (void)state;
    const uint64_t window = UINT64_C(8) * HOUR_MS;
    assert_int_equal(after(0, 0, 4 * HOUR_MS, window), 2);
    assert_int_equal(after(0, 0, 4 * HOUR_MS + 1, window), 3);
    assert_int_equal(after(0, 0, 7 * HOUR_MS, window), 3);
    assert_int_equal(after(0, 0, 7 * HOUR_MS + 1, window), 4);
    assert_int_equal(after(4, 0, 5 * HOUR_MS, window), 4);
    assert_int_equal(after(4, 0, 4 * HOUR_MS, window), 3);
}

static struct pressure at(unsigned stage, uint64_t bytes, uint64_t age_ms)
{
    const struct pressure_input in = {bytes, age_ms, 0};
    return pressure_at(stage, &in);
}

static void what_they_ask_for(void **state)
{
    (void)state;
    struct pressure p = at(0, 0, 0);
    assert_true(p.block_bytes == UINT32_MAX && p.tx_bytes == UINT32_MAX && !p.refuse);
    p = at(1, LIMIT_UNSAFE_SLOW_BYTES, 0);
    assert_true(p.block_bytes == 130000 && p.tx_bytes == UINT32_MAX && !p.refuse);
    p = at(1, LIMIT_UNSAFE_LEAST_BYTES, 0);
    assert_int_equal(p.block_bytes, 2000);
    p = at(1, (LIMIT_UNSAFE_SLOW_BYTES + LIMIT_UNSAFE_LEAST_BYTES) / 2, 0);
    assert_in_range(p.block_bytes, 33990, 34010); /* half the way, a quarter of the room */
    p = at(1, 0, (uint64_t)LIMIT_UNSAFE_LEAST_S * 1000);
    assert_int_equal(p.block_bytes, 2000);
    p = at(2, LIMIT_UNSAFE_LEAST_BYTES + 1, 0);
    assert_true(p.block_bytes == 2000 && p.tx_bytes == 150 && !p.refuse);
    for (unsigned stage = 3; stage <= 4; stage++) {
        p = at(stage, 0, 0);
        assert_true(p.stage == stage && p.refuse && p.block_bytes == 0);
    }
}

/* More behind never means larger blocks. */
static void falls_steadily(void **state)
{
    (void)state;
    uint32_t before = UINT32_MAX;
    for (uint64_t bytes = 0; bytes < 2 * (uint64_t)LIMIT_UNSAFE_STOP_BYTES; bytes += 99991) {
        struct pressure p = at(after(0, bytes, 0, 0), bytes, 0);
        assert_true(p.block_bytes <= before);
        before = p.block_bytes;
    }
    assert_int_equal(before, 0);
}

static void sentences(void **state)
{
    (void)state;
    const char *ok = pressure_sentence(PRESSURE_LAYER_OK);
    const char *down = pressure_sentence(PRESSURE_LAYER_DOWN);
    const char *congested = pressure_sentence(PRESSURE_LAYER_CONGESTED);
    assert_string_not_equal(ok, down);
    assert_string_not_equal(ok, congested);
    assert_string_not_equal(down, congested);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entered_above),
        cmocka_unit_test(left_below_seven_tenths),
        cmocka_unit_test(does_not_flap),
        cmocka_unit_test(windows),
        cmocka_unit_test(what_they_ask_for),
        cmocka_unit_test(falls_steadily),
        cmocka_unit_test(sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
