/* Our own transactions, told to others before they are sent; and who gives way to whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "duty_bench.h"
#include "proto/keccak.h"

static void test_shared_before_sent(void **state)
{
    (void)state;
    struct bench b = bench_own(NOW);
    struct duty_action a = bench_need(&b, DUTY_SHARE);
    assert_int_equal(a.to, 0xf & ~(1u << SELF));
    assert_null(bench_act(&b, DUTY_RELEASE));
    duty_ack(b.d, 0, NULL, 0);
    duty_ack(b.d, 0, NULL, 2);
    assert_null(bench_act(&b, DUTY_RELEASE));
    duty_ack(b.d, 0, NULL, 3); /* all that can be reached */
    assert_non_null(bench_act(&b, DUTY_RELEASE));
    duty_released(b.d, 0);
    assert_null(bench_act(&b, DUTY_RELEASE));
    assert_false(bench_posts(&b, 0));
    assert_int_equal(b.plan.upto, 1);
    duty_free(b.d);
}

/* An intent that is a moment younger than the view waits as any; a clock set back is not waited for. */
static void test_made_after_the_view(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    bench_add(&b, 0, SELF);
    struct buffer e = bench_intent(0, SELF, 3, NOW + 5);
    assert_int_equal(
        duty_intent_add(b.d, buffer_bytes(&e), false, false, b.v.now_ms + 5, NULL), OK);
    assert_non_null(bench_act(&b, DUTY_SHARE));
    assert_null(bench_act(&b, DUTY_RELEASE));
    b.v.now_ms -= 3600000;
    assert_non_null(bench_act(&b, DUTY_RELEASE));
    buffer_free(&e);
    duty_free(b.d);
}

/* What was acknowledged is the intent that is held, not one that it took the place of. */
static void test_acknowledged_is_what_is_held(void **state)
{
    (void)state;
    struct bench b = bench_own(NOW);
    struct buffer old = bench_intent(0, SELF, 3, NOW - 1);
    struct buffer now = bench_intent(0, SELF, 3, NOW);
    struct hash of_old = keccak256(old.p, old.n);
    struct hash of_now = keccak256(now.p, now.n);
    assert_true(duty_holds(b.d, buffer_bytes(&now)));
    assert_false(duty_holds(b.d, buffer_bytes(&old)));
    assert_false(duty_ack(b.d, 0, &of_old, 2));
    assert_false(duty_ack(b.d, 0, &of_now, SELF));
    assert_false(duty_ack(b.d, 0, &of_now, 4));
    assert_false(duty_ack(b.d, 7, &of_now, 2));
    assert_int_equal(duty_acks(b.d, 0), 0);
    assert_true(duty_ack(b.d, 0, &of_now, 2));
    assert_false(duty_ack(b.d, 0, &of_now, 3)); /* not the first */
    assert_int_equal(duty_acks(b.d, 0), 0xc);
    buffer_free(&old);
    buffer_free(&now);
    duty_free(b.d);
}

static void test_shared_with_one(void **state)
{
    (void)state;
    struct bench b = bench_own(NOW);
    duty_ack(b.d, 0, NULL, 2);
    assert_null(bench_act(&b, DUTY_RELEASE));
    b.v.now_ms += b.cfg.ack_ms;
    assert_non_null(bench_act(&b, DUTY_RELEASE));
    duty_free(b.d);
}

static void test_nobody_answers(void **state)
{
    (void)state;
    struct bench b = bench_own(NOW);
    b.v.connected = 1u << SELF;
    assert_non_null(bench_act(&b, DUTY_SHARE));
    b.v.now_ms += b.cfg.ack_most_ms - 1;
    assert_null(bench_act(&b, DUTY_RELEASE));
    b.v.now_ms++;
    assert_non_null(bench_act(&b, DUTY_RELEASE));
    duty_free(b.d);
}

/* Two make one at the same time: all prefer the same. */
static void test_crossing(void **state)
{
    (void)state;
    struct bench b = bench_own(NOW);
    assert_true(bench_hear(&b, 0, 3, 9, NOW + 5)); /* made later: it gets ours for an answer */
    for (uint8_t m = 0; m < 4; m++) {
        duty_ack(b.d, 0, NULL, m);
    }
    assert_non_null(bench_act(&b, DUTY_RELEASE));
    duty_free(b.d);
    b = bench_own(NOW);
    bench_hear(&b, 0, 3, 9, NOW - 5);
    for (uint8_t m = 0; m < 4; m++) {
        duty_ack(b.d, 0, NULL, m);
    }
    b.v.connected &= ~(1u << 3);
    assert_non_null(bench_act(&b, DUTY_PUSH)); /* and ours held back */
    assert_null(bench_act(&b, DUTY_RELEASE));
    b.v.account[3] = (struct duty_account){true, 10}; /* the other one is dead */
    assert_non_null(bench_act(&b, DUTY_RELEASE));
    duty_free(b.d);
}

/* We were away between making it and sending it; somebody took over. */
static void test_late_is_held_back(void **state)
{
    (void)state;
    struct bench b = bench_own(NOW);
    (void)bench_act(&b, DUTY_SHARE);
    b.v.now_ms += 40000;
    b.v.head += 4;
    bench_hear(&b, 0, 2, 9, NOW + 36000);
    for (uint8_t m = 0; m < 4; m++) {
        duty_ack(b.d, 0, NULL, m);
    }
    assert_null(bench_act(&b, DUTY_RELEASE));
    duty_free(b.d);
}

/* Away for a moment only, but long enough for somebody else. */
static void test_who_was_away_holds_back(void **state)
{
    (void)state;
    struct bench b = bench_own(NOW);
    b.v.now_ms += 3500;
    duty_was_away(b.d);
    bench_hear(&b, 0, 2, 9, NOW + 3000);
    for (uint8_t m = 0; m < 4; m++) {
        duty_ack(b.d, 0, NULL, m);
    }
    b.v.now_ms += 2 * b.cfg.ack_ms;
    assert_non_null(bench_act(&b, DUTY_PUSH)); /* the other one */
    assert_null(bench_act(&b, DUTY_RELEASE));
    b.v.account[2] = (struct duty_account){true, 10}; /* which landed, for nothing */
    assert_non_null(bench_act(&b, DUTY_RELEASE));
    duty_free(b.d);
}

/* What was told late is waited with as if it had been made then: others may know better. */
static void test_age_counts_from_the_first_word(void **state)
{
    (void)state;
    struct bench b = bench_own(NOW);
    b.v.now_ms += 60000; /* stopped between making it and telling it */
    assert_non_null(bench_act(&b, DUTY_SHARE));
    duty_ack(b.d, 0, NULL, 3);
    assert_null(bench_act(&b, DUTY_RELEASE));
    b.v.now_ms += b.cfg.ack_ms;
    assert_non_null(bench_act(&b, DUTY_RELEASE));
    duty_free(b.d);
}

/* Another answered with its own for the better one: it must have sent that. */
static void test_answered_is_held_back(void **state)
{
    (void)state;
    struct bench b = bench_own(NOW);
    (void)bench_act(&b, DUTY_SHARE);
    bench_hear(&b, 0, 2, 9, NOW + 100);
    assert_true(duty_answered(b.d, 0, 3, 2));
    assert_false(duty_answered(b.d, 0, 3, 2)); /* the others were told */
    assert_false(duty_answered(b.d, 7, 3, 2));
    for (uint8_t m = 0; m < 4; m++) {
        duty_ack(b.d, 0, NULL, m);
    }
    assert_null(bench_act(&b, DUTY_RELEASE));
    duty_free(b.d);
    b = bench_own(NOW);
    duty_released(b.d, 0);
    bench_hear(&b, 0, 2, 9, NOW + 100);
    assert_false(duty_answered(b.d, 0, 3, 2)); /* ours is sent, and stays so */
    assert_null(bench_act(&b, DUTY_PUSH));
    duty_free(b.d);
}

/* What must have been sent by now is not given up for one that was made earlier and told later. */
static void test_sent_is_better(void **state)
{
    (void)state;
    struct bench b = bench_own(NOW);
    duty_released(b.d, 0);
    assert_true(bench_hear(&b, 0, 0, 7, NOW - 100));
    duty_free(b.d);
    for (uint32_t heard = 0; heard < 2; heard++) {
        bench_open(&b);
        bench_add(&b, 0, 0);
        bench_hear(&b, 0, 2, 9, NOW);
        b.v.now_ms += 2 * b.cfg.ack_ms - 1 + heard;
        assert_int_equal(bench_hear(&b, 0, 0, 7, NOW - 100), heard == 1);
        duty_free(b.d);
    }
}

/* Who hears of an intent long after it was made, and holds another, answers with that. */
static void test_rather(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    bench_add(&b, 0, 0);
    b.v.leader = 2;
    assert_null(bench_act(&b, DUTY_POST));
    b.v.now_ms += 40000;
    assert_false(bench_hear(&b, 0, 2, 9, NOW + 39000));
    assert_true(bench_hear(&b, 0, 0, 7, NOW));
    assert_false(bench_hear(&b, 0, 2, 9, NOW + 39000)); /* known, and the better one */
    duty_free(b.d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_before_sent),
        cmocka_unit_test(test_made_after_the_view),
        cmocka_unit_test(test_acknowledged_is_what_is_held),
        cmocka_unit_test(test_shared_with_one),
        cmocka_unit_test(test_nobody_answers),
        cmocka_unit_test(test_crossing),
        cmocka_unit_test(test_late_is_held_back),
        cmocka_unit_test(test_who_was_away_holds_back),
        cmocka_unit_test(test_age_counts_from_the_first_word),
        cmocka_unit_test(test_answered_is_held_back),
        cmocka_unit_test(test_sent_is_better),
        cmocka_unit_test(test_rather),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
