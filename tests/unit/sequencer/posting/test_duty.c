/* Whose duty it is to post, rule by rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "duty_bench.h"

/* ---- who ------------------------------------------------------------------------------------------ */

static void test_proposer_at_once(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    assert_false(bench_posts(&b, 0));
    bench_add(&b, 0, SELF);
    assert_true(bench_posts(&b, 0)); /* whoever leads by now */
    b.v.able = false;
    assert_false(bench_posts(&b, 0));
    duty_free(b.d);
}

static void test_ranks(void **state)
{
    (void)state;
    for (uint8_t proposer = 0; proposer < 4; proposer++) {
        struct bench b;
        bench_open(&b);
        bench_add(&b, 0, proposer);
        uint32_t rank = (SELF + 4u - proposer) % 4;
        for (uint32_t late = 0; late < 12; late++) {
            b.v.head = HEAD + late;
            assert_int_equal(bench_posts(&b, 0), late >= rank * b.cfg.takeover);
        }
        duty_free(b.d);
    }
}

/* A leader without an intent of the old one waits, in case there is one. */
static void test_leader_waits_once(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    bench_add(&b, 0, 2); /* rank 3 */
    b.v.leader = SELF;
    b.v.head = HEAD + 2;
    assert_false(bench_posts(&b, 0));
    b.v.head = HEAD + 3;
    assert_true(bench_posts(&b, 0));
    duty_free(b.d);
}

/* Takeover counts from when a segment is the next one, not from when it was sealed. */
static void test_time_runs_from_being_next(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    bench_add(&b, 0, 0);
    bench_add(&b, 1, 0);
    assert_false(bench_posts(&b, 0));
    b.v.head = HEAD + 50;
    b.v.safe = 10;
    assert_false(bench_posts(&b, 1));
    b.v.head = HEAD + 52;
    assert_false(bench_posts(&b, 1));
    b.v.head = HEAD + 53;
    assert_true(bench_posts(&b, 1));
    duty_free(b.d);
}

/* ---- intents -------------------------------------------------------------------------------------- */

/* R5: the old poster's own bytes come first, at once for who leads. */
static void test_push(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    bench_add(&b, 0, 0);
    assert_false(bench_hear(&b, 0, 0, 7, NOW));
    b.v.leader = SELF;
    assert_null(bench_act(&b, DUTY_PUSH)); /* it is there, and may hear of a better one yet */
    b.v.connected = 0xe;
    struct duty_action a = bench_need(&b, DUTY_PUSH);
    assert_int_equal(a.owner, 0);
    assert_int_equal(a.rung, 0);
    assert_int_equal(a.intent->part[0].nonce, 7);
    assert_null(bench_act(&b, DUTY_PUSH)); /* once a head */
    for (uint64_t late = 1; late < 16; late++) {
        b.v.head = HEAD + late;
        a = bench_need(&b, DUTY_PUSH);
        assert_int_equal(a.rung, late / 4 < 3 ? late / 4 : 3);
        assert_false(bench_posts(&b, 0));
    }
    b.v.head = HEAD + 16; /* the top rung had its time */
    assert_true(bench_posts(&b, 0));
    duty_free(b.d);
}

/* Whoever is not on duty helps one takeover later, with the lowest rung. */
static void test_help(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    bench_add(&b, 0, 2);
    bench_hear(&b, 0, 2, 7, NOW);
    b.v.head = HEAD + 2;
    assert_null(bench_act(&b, DUTY_PUSH));
    b.v.head = HEAD + 3;
    struct duty_action a = bench_need(&b, DUTY_PUSH);
    assert_int_equal(a.rung, 0);
    duty_free(b.d);
}

/* Who is gone sends nothing: helped as soon as it is time. Who is there has as long again. */
static void test_help_the_absent(void **state)
{
    (void)state;
    for (uint32_t there = 0; there < 2; there++) {
        struct bench b;
        bench_open(&b);
        bench_add(&b, 0, 2);
        b.v.head = HEAD + 3;
        assert_null(bench_act(&b, DUTY_PUSH));
        bench_hear(&b, 0, 2, 7, NOW);
        b.v.connected = there != 0 ? 0xf : 0xb;
        assert_int_equal(bench_act(&b, DUTY_PUSH) != NULL, there == 0);
        b.v.head = HEAD + 6;
        assert_non_null(bench_act(&b, DUTY_PUSH));
        duty_free(b.d);
    }
}

static struct bench held_by_0(void)
{
    struct bench b;
    bench_open(&b);
    bench_add(&b, 0, 0);
    bench_hear(&b, 0, 0, 7, NOW);
    b.v.head = HEAD + 3; /* rank 1: on duty */
    assert_false(bench_posts(&b, 0));
    return b;
}

static void test_dead_intents(void **state)
{
    (void)state;
    struct bench b = held_by_0();
    b.v.account[0] = (struct duty_account){true, 7};
    assert_false(bench_posts(&b, 0));
    b.v.account[0].nonce = 8; /* used, and not derived */
    assert_true(bench_posts(&b, 0));
    b.v.account[0].nonce = 7; /* a reorg gives it back */
    assert_false(bench_posts(&b, 0));
    duty_free(b.d);

    b = held_by_0();
    b.v.account[0] = (struct duty_account){true, 5}; /* 5 and 6 are nowhere */
    b.v.head++;
    assert_false(bench_posts(&b, 0));
    b.v.head += b.cfg.patience;
    assert_true(bench_posts(&b, 0));
    duty_free(b.d);

    b = held_by_0();
    duty_sent(b.d, 0, 0, DUTY_SENT_NEVER);
    b.v.head += b.cfg.patience - 1;
    assert_false(bench_posts(&b, 0));
    b.v.head++;
    assert_true(bench_posts(&b, 0));
    duty_free(b.d);

    b = held_by_0();
    duty_sent(b.d, 0, 0, DUTY_SENT_NEVER);
    duty_sent(b.d, 0, 0, DUTY_SENT_FINE); /* it was for a moment */
    b.v.head += b.cfg.patience;
    assert_false(bench_posts(&b, 0));
    duty_free(b.d);
}

/* Its owner used the nonce for something else. */
static void test_superseded(void **state)
{
    (void)state;
    struct bench b = held_by_0();
    bench_add(&b, 1, 0);
    bench_hear(&b, 1, 0, 7, NOW + 1);
    assert_true(bench_posts(&b, 0));
    duty_free(b.d);
}

/* A member that signs one intent after the other for a segment takes no room from others. */
static void test_changes_its_mind(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    bench_add(&b, 0, 0);
    bench_hear(&b, 0, 2, 3, NOW);
    for (uint64_t i = 0; i < 2 * LIMIT_DUTY_INTENTS; i++) {
        bench_hear(&b, 0, 0, i, NOW + i);
    }
    assert_true(duty_intents(b.d) <= 5);
    struct buffer e = bench_intent(0, 2, 3, NOW);
    assert_true(duty_holds(b.d, buffer_bytes(&e)));
    buffer_free(&e);
    duty_free(b.d);
}

/* With other compressed bytes only its owner can send it: it is given one takeover more. */
static void test_foreign(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    bench_add(&b, 0, 0);
    struct buffer e = bench_intent(0, 0, 7, NOW);
    assert_int_equal(duty_intent_add(b.d, buffer_bytes(&e), true, false, NOW, NULL), OK);
    buffer_free(&e);
    b.v.head = HEAD + 3;
    assert_null(bench_act(&b, DUTY_PUSH));
    assert_false(bench_posts(&b, 0));
    b.v.head = HEAD + 6;
    assert_true(bench_posts(&b, 0));
    duty_free(b.d);
}

/* ---- more than one on the way ------------------------------------------------------------------------ */

static void test_chain(void **state)
{
    (void)state;
    struct bench b = bench_own(NOW);
    bench_add(&b, 1, 0);
    bench_add(&b, 2, 0);
    assert_null(bench_act(&b, DUTY_POST));
    duty_released(b.d, 0);
    assert_true(bench_posts(&b, 1)); /* our nonces keep the order */
    bench_hear(&b, 1, SELF, 4, NOW);
    duty_released(b.d, 1);
    assert_null(bench_act(&b, DUTY_POST)); /* two on the way */
    assert_int_equal(b.plan.upto, 2);
    b.v.safe = 10;
    assert_true(bench_posts(&b, 2));
    assert_int_equal(duty_backlog(b.d), 2);
    duty_free(b.d);
}

/* Half of what waits, so that it comes to an end. */
static void test_a_backlog(void **state)
{
    (void)state;
    struct bench b = bench_own(NOW);
    duty_released(b.d, 0);
    uint64_t sent = 1;
    for (uint64_t no = 1; no < 30; no++) {
        bench_add(&b, no, 0);
    }
    for (; bench_posts(&b, sent); sent++) {
        bench_hear(&b, sent, SELF, 3 + sent, NOW);
        duty_released(b.d, sent);
    }
    assert_int_equal(sent, LIMIT_DUTY_INFLIGHT);
    assert_int_equal(b.plan.upto, LIMIT_DUTY_INFLIGHT);
    b.v.safe = 240; /* six wait: three of them */
    assert_true(bench_act(&b, DUTY_POST) == NULL || b.plan.action[0].segment == 24);
    assert_int_equal(duty_backlog(b.d), 6);
    b.v.head++;
    for (sent = 24; sent < 30; sent++) {
        bench_hear(&b, sent, SELF, 3 + sent, NOW);
        duty_released(b.d, sent);
    }
    assert_null(bench_act(&b, DUTY_POST));
    assert_int_equal(b.plan.upto, 27);
    duty_free(b.d);
}

/* The one before is on its way from another's account: L1 would ignore what came too early. */
static void test_no_chain_across_accounts(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    bench_add(&b, 0, 0);
    bench_add(&b, 1, SELF);
    bench_hear(&b, 0, 0, 7, NOW);
    assert_false(bench_posts(&b, 1));
    b.v.safe = 10;
    assert_true(bench_posts(&b, 1));
    duty_free(b.d);
}

/* Nor is another's sent before its turn, unless the same account has the one before. */
static void test_push_keeps_the_order(void **state)
{
    (void)state;
    for (uint8_t second = 0; second <= 2; second += 2) {
        struct bench b;
        bench_open(&b);
        bench_add(&b, 0, 0);
        bench_add(&b, 1, 2);
        bench_hear(&b, 0, 0, 7, NOW);
        bench_hear(&b, 1, second, second == 0 ? 8 : 3, NOW);
        b.v.leader = SELF;
        b.v.now_ms += 2 * b.cfg.ack_ms;
        struct duty_action a = bench_need(&b, DUTY_PUSH);
        assert_int_equal(a.segment, 0);
        assert_int_equal(b.plan.n, second == 0 ? 2 : 1);
        b.v.safe = 10;
        b.v.head++;
        a = bench_need(&b, DUTY_PUSH);
        assert_int_equal(a.segment, 1);
        duty_free(b.d);
    }
}

/* R8: what landed and was not derived is posted anew. */
static void test_landed_for_nothing(void **state)
{
    (void)state;
    struct bench b = bench_own(NOW);
    duty_released(b.d, 0);
    assert_false(bench_posts(&b, 0));
    b.v.account[SELF] = (struct duty_account){true, 4};
    assert_true(bench_posts(&b, 0));
    duty_free(b.d);
}

/* ---- when nothing may be sent ------------------------------------------------------------------------- */

static void test_states(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    bench_add(&b, 0, SELF);
    struct duty_view good = b.v;
    b.v.derived = false;
    assert_null(bench_act(&b, DUTY_POST));
    assert_int_equal(b.plan.state, DUTY_BEHIND);
    b.v = good;
    b.v.l1_ok = false;
    assert_null(bench_act(&b, DUTY_POST));
    assert_int_equal(b.plan.state, DUTY_L1_DOWN);
    b.v = good;
    b.v.mismatch = true;
    assert_null(bench_act(&b, DUTY_POST));
    assert_int_equal(b.plan.state, DUTY_ALARM);
    assert_int_equal(b.plan.upto, 0);
    b.v = good;
    assert_true(bench_posts(&b, 0));
    duty_free(b.d);
}

/* L1 takes back what it called final: what is held here comes after that, and would be paid for and
 * ignored. It goes on where that stands there again. */
static void test_final_is_undone(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    bench_add(&b, 0, 0);
    bench_add(&b, 1, SELF);
    b.v.safe = b.v.safe_final = 10;
    assert_true(bench_posts(&b, 1));
    b.v.safe = b.v.safe_final = 4;
    b.v.derived = false; /* L1 is being read */
    assert_null(bench_act(&b, DUTY_POST));
    assert_int_equal(b.plan.state, DUTY_BEHIND);
    b.v.derived = true;
    for (int i = 0; i < 100; i++) {
        b.v.head++;
        assert_null(bench_act(&b, DUTY_POST));
        assert_int_equal(b.plan.state, DUTY_UNDONE);
        assert_int_equal(b.plan.upto, 0);
    }
    b.v.safe = 10;
    assert_true(bench_posts(&b, 1));
    duty_free(b.d);
}

static void test_a_reorg_brings_it_back(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    bench_add(&b, 0, SELF);
    b.v.safe = 10;
    assert_null(bench_act(&b, DUTY_POST));
    b.v.safe = 0;
    b.v.head--; /* the head may go back */
    assert_true(bench_posts(&b, 0));
    b.v.safe = b.v.safe_final = 10;
    bench_add(&b, 1, 0);
    assert_null(bench_act(&b, DUTY_POST));
    assert_int_equal(duty_segment_next(b.d), 2);
    assert_int_equal(duty_backlog(b.d), 1);
    duty_free(b.d);
}

/* The start of a segment may be derived through somebody else: the whole of it is posted. */
static void test_inside_a_segment(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    bench_add(&b, 0, SELF);
    b.v.safe = 4;
    assert_true(bench_posts(&b, 0));
    duty_free(b.d);
}

static void test_alone(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    duty_free(b.d);
    b.cfg = duty_config_default(1, 0);
    assert_int_equal(duty_new(&b.d, &b.cfg), OK);
    bench_add(&b, 0, 0);
    assert_true(bench_posts(&b, 0));
    bench_hear(&b, 0, 0, 3, NOW);
    assert_non_null(bench_act(&b, DUTY_RELEASE));
    duty_free(b.d);
}

/* ---- bounds ------------------------------------------------------------------------------------------ */

static void test_bounds(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    struct duty_config c = b.cfg;
    struct duty *none;
    c.self = 4;
    assert_int_equal(duty_new(&none, &c), ERR_REFUSED);
    c = b.cfg;
    c.inflight_most = LIMIT_DUTY_INFLIGHT + 1;
    assert_int_equal(duty_new(&none, &c), ERR_REFUSED);
    c = b.cfg;
    c.inflight = c.inflight_most + 1;
    assert_int_equal(duty_new(&none, &c), ERR_REFUSED);
    bench_add(&b, 5, 0); /* the first may be any */
    const struct duty_segment gap = {.no = 7, .first = 71, .last = 80};
    assert_int_equal(duty_segment_add(b.d, &gap), ERR_REFUSED);
    for (uint64_t no = 6; no < 5 + LIMIT_DUTY_SEGMENTS; no++) {
        bench_add(&b, no, 0);
    }
    const struct duty_segment more = {.no = 5 + LIMIT_DUTY_SEGMENTS,
                                      .first = 10 * (5 + LIMIT_DUTY_SEGMENTS) + 1,
                                      .last = 10 * (5 + LIMIT_DUTY_SEGMENTS) + 10};
    assert_int_equal(duty_segment_add(b.d, &more), ERR_BUSY);
    for (uint64_t no = 400; no > 5; no--) { /* far ones give way to near ones */
        bench_hear(&b, no, 0, no, NOW);
    }
    assert_int_equal(duty_intents(b.d), LIMIT_DUTY_INTENTS);
    struct buffer e = bench_intent(4, 0, 1, NOW);
    assert_int_equal(duty_intent_add(b.d, buffer_bytes(&e), false, false, NOW, NULL), ERR_NOT_FOUND);
    buffer_free(&e);
    e = bench_intent(6, 0, 1, NOW + 3600000);
    assert_int_equal(duty_intent_add(b.d, buffer_bytes(&e), false, false, NOW, NULL), ERR_REFUSED);
    buffer_free(&e);
    duty_free(b.d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_proposer_at_once),
        cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_leader_waits_once),
        cmocka_unit_test(test_time_runs_from_being_next),
        cmocka_unit_test(test_push),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_help_the_absent),
        cmocka_unit_test(test_dead_intents),
        cmocka_unit_test(test_superseded),
        cmocka_unit_test(test_changes_its_mind),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_a_backlog),
        cmocka_unit_test(test_no_chain_across_accounts),
        cmocka_unit_test(test_push_keeps_the_order),
        cmocka_unit_test(test_landed_for_nothing),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_final_is_undone),
        cmocka_unit_test(test_a_reorg_brings_it_back),
        cmocka_unit_test(test_inside_a_segment),
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
