#define _GNU_SOURCE
#include "tests/unit/p2p/cmocka.inc.h"

#include <string.h>

#include "p2p/ban.h"
#include "p2p/dial.h"
#include "p2p/fault.h"
#include "p2p/latency.h"

static void test_latency_window(void **state)
{
    (void)state;
    struct latency l = {0};
    assert_int_equal(latency_rtt(&l), 0);
    for (uint64_t i = 1; i <= 100; i++) {
        latency_add(&l, 1000, 1000 + i * 10 + 500, 500);
    }
    assert_int_equal(latency_rtt(&l), 500);
    assert_int_equal(latency_one_way(&l, 99), 495);
    for (int i = 0; i < LATENCY_SAMPLES; i++) { /* the old ones have left the window */
        latency_add(&l, 1000, 1040, 0);
    }
    assert_int_equal(latency_rtt(&l), 40);
    assert_int_equal(latency_one_way(&l, 99), 20);
}

static void test_latency_lies(void **state)
{
    (void)state;
    struct latency l = {0};
    latency_add(&l, 0, 100, 0);
    latency_add(&l, 200, 100, 0);
    latency_add(&l, 50, 100, 51);
    latency_add(&l, 50, 100, UINT64_MAX);
    latency_add(&l, 1, 2 + (uint64_t)LATENCY_MAX_US, 0);
    assert_int_equal(l.count, 0);
}

static void test_ban_doubles(void **state)
{
    (void)state;
    struct ban b = {0};
    uint64_t now = UINT64_C(100000000000);
    assert_int_equal(ban_strike(&b, now), LIMIT_BAN_MIN_MS);
    assert_true(ban_active(&b, now + LIMIT_BAN_MIN_MS * UINT64_C(1000) - 1));
    assert_false(ban_active(&b, now + LIMIT_BAN_MIN_MS * UINT64_C(1000)));
    assert_int_equal(ban_strike(&b, now), 2 * LIMIT_BAN_MIN_MS);
    for (int i = 0; i < 100; i++) {
        assert_true(ban_strike(&b, now) <= LIMIT_BAN_MAX_MS);
    }
    assert_int_equal(ban_strike(&b, now), LIMIT_BAN_MAX_MS);
    now = b.until_us + LIMIT_BAN_MAX_MS * UINT64_C(1000) + 1;
    assert_int_equal(ban_strike(&b, now), LIMIT_BAN_MIN_MS);
}

static void test_address_is_only_slowed(void **state)
{
    (void)state;
    struct ban_addresses a;
    memset(&a, 0, sizeof a);
    uint8_t bad[16] = {127, 0, 0, 1};
    uint8_t good[16] = {127, 0, 0, 2};
    uint64_t now = 1000000;
    assert_true(ban_address_failed(&a, bad, now));
    for (int i = 1; i < LIMIT_PEER_FAILURES; i++) {
        assert_true(ban_address_allowed(&a, bad, now));
        assert_false(ban_address_failed(&a, bad, now)); /* logged once */
    }
    assert_false(ban_address_allowed(&a, bad, now));
    assert_true(ban_address_allowed(&a, good, now));
    assert_true(ban_address_allowed(&a, bad, now + 1000000));
}

static void test_addresses_bounded(void **state)
{
    (void)state;
    struct ban_addresses a;
    memset(&a, 0, sizeof a);
    for (uint32_t i = 0; i < 10 * LIMIT_PEER_ADDRESSES; i++) {
        uint8_t ip[16] = {10, 0, (uint8_t)(i >> 8), (uint8_t)i};
        ban_address_failed(&a, ip, 1000000 + i);
    }
    uint8_t last[16] = {10, 0, (10 * LIMIT_PEER_ADDRESSES - 1) >> 8,
                        (10 * LIMIT_PEER_ADDRESSES - 1) & 255};
    assert_false(ban_address_failed(&a, last, 2000000));
}

static void test_dial_backs_off(void **state)
{
    (void)state;
    struct dial d = {0};
    dial_start(&d, true, 5000, 1);
    assert_int_equal(d.next_us, 5000);
    uint64_t longest = 0;
    for (uint32_t i = 0; i < 20; i++) {
        uint64_t now = d.next_us;
        dial_failed(&d, now, i * UINT64_C(0x9e3779b97f4a7c15));
        uint64_t wait = d.next_us - now;
        assert_true(wait >= LIMIT_DIAL_MIN_MS * 500 && wait <= LIMIT_DIAL_MAX_MS * 1000);
        longest = wait > longest ? wait : longest;
    }
    assert_true(longest >= LIMIT_DIAL_MAX_MS * 500);
    dial_lost(&d, 77, 3);
    assert_int_equal(d.next_us, 77);
}

static void test_dial_higher_waits(void **state)
{
    (void)state;
    struct dial d = {0};
    dial_start(&d, false, 0, 12345);
    assert_in_range(d.next_us, DIAL_HIGHER_START_MS * 1000, 2 * DIAL_HIGHER_START_MS * 1000);
    dial_lost(&d, 0, 999);
    assert_in_range(d.next_us, LIMIT_DIAL_MAX_MS * 500, LIMIT_DIAL_MAX_MS * 1000);
}

static void test_dial_split(void **state)
{
    (void)state;
    char host[16];
    uint16_t port = 0;
    struct sockaddr_storage at;
    assert_true(dial_split("127.0.0.1:9000", host, sizeof host, &port));
    assert_string_equal(host, "127.0.0.1");
    assert_int_equal(port, 9000);
    assert_true(dial_number(&at, host, port));
    assert_true(dial_split("[::1]:65535", host, sizeof host, &port));
    assert_string_equal(host, "::1");
    assert_true(dial_number(&at, host, port));
    assert_true(dial_split("node-1:1", host, sizeof host, &port));
    assert_false(dial_number(&at, host, port));
    static const char *bad[] = {
        "", "host", ":1", "h:", "h:-1", "h:1x", "h:65536", "h: 1", "a-name-that-is-too-long:1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(dial_split(bad[i], host, sizeof host, &port));
    }
}

static void test_fault_keeps_order(void **state)
{
    (void)state;
    struct fault l = {.delay_ms = 10};
    struct frame *f = frame_new(LANE_VOTE, 1);
    struct frame *g = frame_new(LANE_VOTE, 1);
    assert_int_equal(fault_take(&l, f, 1000, 0), FAULT_HELD);
    l.delay_ms = 0; /* undone, but one still waits: the next stays behind it */
    assert_int_equal(fault_take(&l, g, 2000, 0), FAULT_HELD);
    assert_int_equal(fault_next_us(&l), 11000);
    assert_null(fault_due(&l, 10999));
    assert_ptr_equal(fault_due(&l, 11000), f);
    assert_ptr_equal(fault_due(&l, 11000), g);
    assert_int_equal(fault_take(&l, g, 12000, 0), FAULT_PASS);
    frame_unref(f);
    frame_unref(f);
    frame_unref(g);
    frame_unref(g);
    fault_clear(&l);
}

static void test_fault_bounded(void **state)
{
    (void)state;
    struct fault l = {.delay_ms = 1000};
    struct frame *f = frame_new(LANE_VOTE, 1);
    for (int i = 0; i < LIMIT_LANE_FRAMES; i++) {
        assert_int_equal(fault_take(&l, f, 0, 0), FAULT_HELD);
    }
    assert_int_equal(fault_take(&l, f, 0, 0), FAULT_DROPPED);
    fault_clear(&l);
    assert_int_equal(f->refs, 1);
    l.drop_percent = 30;
    assert_int_equal(fault_take(&l, f, 0, 29), FAULT_DROPPED);
    l.delay_ms = 0;
    assert_int_equal(fault_take(&l, f, 0, 30), FAULT_PASS);
    l.cut = true;
    assert_int_equal(fault_take(&l, f, 0, 99), FAULT_DROPPED);
    frame_unref(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_latency_window),    cmocka_unit_test(test_latency_lies),
        cmocka_unit_test(test_ban_doubles),       cmocka_unit_test(test_address_is_only_slowed),
        cmocka_unit_test(test_addresses_bounded), cmocka_unit_test(test_dial_backs_off),
        cmocka_unit_test(test_dial_higher_waits), cmocka_unit_test(test_dial_split),
        cmocka_unit_test(test_fault_keeps_order), cmocka_unit_test(test_fault_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
