/* Whose duty it is to post, rule by rule. Member 1 is the one that is asked, of four. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/keccak.h"
#include "sequencer/batcher/duty.h"

enum { SELF = 1, NOW = 1000000, HEAD = 100, SIZE = 8 };

struct bench {
    struct duty *d;
    struct duty_view v;
    struct duty_plan plan;
    struct duty_config cfg;
};

static void open_bench(struct bench *b)
{
    *b = (struct bench){.cfg = duty_config_default(4, SELF)};
    assert_int_equal(duty_new(&b->d, &b->cfg), OK);
    b->v = (struct duty_view){.now_ms = NOW, .l1_ok = true, .head = HEAD, .derived = true,
                              .leader = -1, .able = true, .connected = 0xf};
}

/* Segment `no`: blocks 10 no + 1 to 10 no + 10, sealed at the present head. */
static void add(struct bench *b, uint64_t no, uint8_t proposer)
{
    const struct duty_segment s = {.no = no, .first = 10 * no + 1, .last = 10 * no + 10,
                                   .proposer = proposer, .seal_l1 = b->v.head};
    assert_int_equal(duty_segment_add(b->d, &s), OK);
    duty_tick(b->d, &b->v, &b->plan);
}

static struct buffer intent(uint64_t no, uint8_t member, uint64_t nonce, uint64_t time_ms)
{
    static const uint8_t raw[INTENT_LADDER][SIZE];
    struct post_intent i = {.segment = no, .first = 10 * no + 1, .last = 10 * no + 10,
                            .member = member, .kind = INTENT_CALLDATA, .time_ms = time_ms,
                            .parts = 1};
    struct buffer out;
    i.account.b[0] = member;
    i.part[0].nonce = nonce;
    for (size_t r = 0; r < INTENT_LADDER; r++) {
        i.part[0].raw[i.part[0].rungs++] = bytes_of(raw[r], SIZE);
    }
    buffer_init(&out, LIMIT_INTENT_BYTES);
    assert_int_equal(intent_encode(&out, &i), OK);
    return out;
}

/* True: something better is held here. */
static bool hear(struct bench *b, uint64_t no, uint8_t member, uint64_t nonce, uint64_t time_ms)
{
    struct buffer e = intent(no, member, nonce, time_ms);
    struct bytes rather;
    assert_int_equal(
        duty_intent_add(b->d, buffer_bytes(&e), false, false, b->v.now_ms, &rather), OK);
    buffer_free(&e);
    return rather.n > 0;
}

static const struct duty_action *act(struct bench *b, enum duty_do what)
{
    duty_tick(b->d, &b->v, &b->plan);
    for (size_t i = 0; i < b->plan.n; i++) {
        if (b->plan.action[i].what == what) {
            return &b->plan.action[i];
        }
    }
    return NULL;
}

/* The same, where there has to be one. */
static struct duty_action need(struct bench *b, enum duty_do what)
{
    static const struct duty_action none;
    const struct duty_action *a = act(b, what);
    assert_non_null(a);
    return a != NULL ? *a : none;
}

static bool posts(struct bench *b, uint64_t no)
{
    const struct duty_action *a = act(b, DUTY_POST);
    return a != NULL && a->segment == no;
}

/* ---- who ------------------------------------------------------------------------------------------ */

static void test_proposer_at_once(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b);
    assert_false(posts(&b, 0));
    add(&b, 0, SELF);
    assert_true(posts(&b, 0)); /* whoever leads by now */
    b.v.able = false;
    assert_false(posts(&b, 0));
    duty_free(b.d);
}

static void test_ranks(void **state)
{
    (void)state;
    for (uint8_t proposer = 0; proposer < 4; proposer++) {
        struct bench b;
        open_bench(&b);
        add(&b, 0, proposer);
        uint32_t rank = (SELF + 4u - proposer) % 4;
        for (uint32_t late = 0; late < 12; late++) {
            b.v.head = HEAD + late;
            assert_int_equal(posts(&b, 0), late >= rank * b.cfg.takeover);
        }
        duty_free(b.d);
    }
}

/* A leader without an intent of the old one waits, in case there is one. */
static void test_leader_waits_once(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b);
    add(&b, 0, 2); /* rank 3 */
    b.v.leader = SELF;
    b.v.head = HEAD + 2;
    assert_false(posts(&b, 0));
    b.v.head = HEAD + 3;
    assert_true(posts(&b, 0));
    duty_free(b.d);
}

/* Takeover counts from when a segment is the next one, not from when it was sealed. */
static void test_time_runs_from_being_next(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b);
    add(&b, 0, 0);
    add(&b, 1, 0);
    assert_false(posts(&b, 0));
    b.v.head = HEAD + 50;
    b.v.safe = 10;
    assert_false(posts(&b, 1));
    b.v.head = HEAD + 52;
    assert_false(posts(&b, 1));
    b.v.head = HEAD + 53;
    assert_true(posts(&b, 1));
    duty_free(b.d);
}

/* ---- intents -------------------------------------------------------------------------------------- */

/* R5: the old poster's own bytes come first, at once for who leads. */
static void test_push(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b);
    add(&b, 0, 0);
    assert_false(hear(&b, 0, 0, 7, NOW));
    b.v.leader = SELF;
    struct duty_action a = need(&b, DUTY_PUSH);
    assert_int_equal(a.owner, 0);
    assert_int_equal(a.rung, 0);
    assert_int_equal(a.intent->part[0].nonce, 7);
    assert_null(act(&b, DUTY_PUSH)); /* once a head */
    for (uint64_t late = 1; late < 16; late++) {
        b.v.head = HEAD + late;
        a = need(&b, DUTY_PUSH);
        assert_int_equal(a.rung, late / 4 < 3 ? late / 4 : 3);
        assert_false(posts(&b, 0));
    }
    b.v.head = HEAD + 16; /* the top rung had its time */
    assert_true(posts(&b, 0));
    duty_free(b.d);
}

/* Whoever is not on duty helps one takeover later, with the lowest rung. */
static void test_help(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b);
    add(&b, 0, 2);
    hear(&b, 0, 2, 7, NOW);
    b.v.head = HEAD + 2;
    assert_null(act(&b, DUTY_PUSH));
    b.v.head = HEAD + 3;
    struct duty_action a = need(&b, DUTY_PUSH);
    assert_int_equal(a.rung, 0);
    duty_free(b.d);
}

static struct bench held_by_0(void)
{
    struct bench b;
    open_bench(&b);
    add(&b, 0, 0);
    hear(&b, 0, 0, 7, NOW);
    b.v.head = HEAD + 3; /* rank 1: on duty */
    assert_false(posts(&b, 0));
    return b;
}

static void test_dead_intents(void **state)
{
    (void)state;
    struct bench b = held_by_0();
    b.v.account[0] = (struct duty_account){true, 7};
    assert_false(posts(&b, 0));
    b.v.account[0].nonce = 8; /* used, and not derived */
    assert_true(posts(&b, 0));
    b.v.account[0].nonce = 7; /* a reorg gives it back */
    assert_false(posts(&b, 0));
    duty_free(b.d);

    b = held_by_0();
    b.v.account[0] = (struct duty_account){true, 5}; /* 5 and 6 are nowhere */
    b.v.head++;
    assert_false(posts(&b, 0));
    b.v.head += b.cfg.patience;
    assert_true(posts(&b, 0));
    duty_free(b.d);

    b = held_by_0();
    duty_sent(b.d, 0, 0, DUTY_SENT_NEVER);
    b.v.head += b.cfg.patience - 1;
    assert_false(posts(&b, 0));
    b.v.head++;
    assert_true(posts(&b, 0));
    duty_free(b.d);

    b = held_by_0();
    duty_sent(b.d, 0, 0, DUTY_SENT_NEVER);
    duty_sent(b.d, 0, 0, DUTY_SENT_FINE); /* it was for a moment */
    b.v.head += b.cfg.patience;
    assert_false(posts(&b, 0));
    duty_free(b.d);
}

/* Its owner used the nonce for something else. */
static void test_superseded(void **state)
{
    (void)state;
    struct bench b = held_by_0();
    add(&b, 1, 0);
    hear(&b, 1, 0, 7, NOW + 1);
    assert_true(posts(&b, 0));
    duty_free(b.d);
}

/* A member that signs one intent after the other for a segment takes no room from others. */
static void test_changes_its_mind(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b);
    add(&b, 0, 0);
    hear(&b, 0, 2, 3, NOW);
    for (uint64_t i = 0; i < 2 * LIMIT_DUTY_INTENTS; i++) {
        hear(&b, 0, 0, i, NOW + i);
    }
    assert_true(duty_intents(b.d) <= 5);
    struct buffer e = intent(0, 2, 3, NOW);
    assert_true(duty_holds(b.d, buffer_bytes(&e)));
    buffer_free(&e);
    duty_free(b.d);
}

/* With other compressed bytes only its owner can send it: it is given one takeover more. */
static void test_foreign(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b);
    add(&b, 0, 0);
    struct buffer e = intent(0, 0, 7, NOW);
    assert_int_equal(duty_intent_add(b.d, buffer_bytes(&e), true, false, NOW, NULL), OK);
    buffer_free(&e);
    b.v.head = HEAD + 3;
    assert_null(act(&b, DUTY_PUSH));
    assert_false(posts(&b, 0));
    b.v.head = HEAD + 6;
    assert_true(posts(&b, 0));
    duty_free(b.d);
}

/* ---- our own ---------------------------------------------------------------------------------------- */

static struct bench own(uint64_t time_ms)
{
    struct bench b;
    open_bench(&b);
    add(&b, 0, SELF);
    assert_true(posts(&b, 0));
    hear(&b, 0, SELF, 3, time_ms);
    return b;
}

static void test_shared_before_sent(void **state)
{
    (void)state;
    struct bench b = own(NOW);
    struct duty_action a = need(&b, DUTY_SHARE);
    assert_int_equal(a.to, 0xf & ~(1u << SELF));
    assert_null(act(&b, DUTY_RELEASE));
    duty_ack(b.d, 0, NULL, 0);
    duty_ack(b.d, 0, NULL, 2);
    assert_null(act(&b, DUTY_RELEASE));
    duty_ack(b.d, 0, NULL, 3); /* all that can be reached */
    assert_non_null(act(&b, DUTY_RELEASE));
    duty_released(b.d, 0);
    assert_null(act(&b, DUTY_RELEASE));
    assert_false(posts(&b, 0));
    assert_int_equal(b.plan.upto, 1);
    duty_free(b.d);
}

/* An intent that is a moment younger than the view waits as any; a clock set back is not waited for. */
static void test_made_after_the_view(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b);
    add(&b, 0, SELF);
    struct buffer e = intent(0, SELF, 3, NOW + 5);
    assert_int_equal(
        duty_intent_add(b.d, buffer_bytes(&e), false, false, b.v.now_ms + 5, NULL), OK);
    assert_non_null(act(&b, DUTY_SHARE));
    assert_null(act(&b, DUTY_RELEASE));
    b.v.now_ms -= 3600000;
    assert_non_null(act(&b, DUTY_RELEASE));
    buffer_free(&e);
    duty_free(b.d);
}

/* What was acknowledged is the intent that is held, not one that it took the place of. */
static void test_acknowledged_is_what_is_held(void **state)
{
    (void)state;
    struct bench b = own(NOW);
    struct buffer old = intent(0, SELF, 3, NOW - 1);
    struct buffer now = intent(0, SELF, 3, NOW);
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
    struct bench b = own(NOW);
    duty_ack(b.d, 0, NULL, 2);
    assert_null(act(&b, DUTY_RELEASE));
    b.v.now_ms += b.cfg.ack_ms;
    assert_non_null(act(&b, DUTY_RELEASE));
    duty_free(b.d);
}

static void test_nobody_answers(void **state)
{
    (void)state;
    struct bench b = own(NOW);
    b.v.connected = 1u << SELF;
    b.v.now_ms += b.cfg.ack_most_ms - 1;
    assert_null(act(&b, DUTY_RELEASE));
    b.v.now_ms++;
    assert_non_null(act(&b, DUTY_RELEASE));
    duty_free(b.d);
}

/* Two make one at the same time: all prefer the same. */
static void test_crossing(void **state)
{
    (void)state;
    struct bench b = own(NOW);
    assert_true(hear(&b, 0, 3, 9, NOW + 5)); /* made later: it gets ours for an answer */
    for (uint8_t m = 0; m < 4; m++) {
        duty_ack(b.d, 0, NULL, m);
    }
    assert_non_null(act(&b, DUTY_RELEASE));
    duty_free(b.d);
    b = own(NOW);
    hear(&b, 0, 3, 9, NOW - 5);
    for (uint8_t m = 0; m < 4; m++) {
        duty_ack(b.d, 0, NULL, m);
    }
    assert_non_null(act(&b, DUTY_PUSH)); /* and ours held back */
    assert_null(act(&b, DUTY_RELEASE));
    b.v.account[3] = (struct duty_account){true, 10}; /* the other one is dead */
    assert_non_null(act(&b, DUTY_RELEASE));
    duty_free(b.d);
}

/* We were away between making it and sending it; somebody took over. */
static void test_late_is_held_back(void **state)
{
    (void)state;
    struct bench b = own(NOW);
    (void)act(&b, DUTY_SHARE);
    b.v.now_ms += 40000;
    b.v.head += 4;
    hear(&b, 0, 2, 9, NOW + 36000);
    for (uint8_t m = 0; m < 4; m++) {
        duty_ack(b.d, 0, NULL, m);
    }
    assert_null(act(&b, DUTY_RELEASE));
    duty_free(b.d);
}

/* Who hears of an intent long after it was made, and holds another, answers with that. */
static void test_rather(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b);
    add(&b, 0, 0);
    b.v.leader = 2;
    assert_null(act(&b, DUTY_POST));
    b.v.now_ms += 40000;
    assert_false(hear(&b, 0, 2, 9, NOW + 39000));
    assert_true(hear(&b, 0, 0, 7, NOW));
    assert_false(hear(&b, 0, 2, 9, NOW + 39000)); /* known, and the better one */
    duty_free(b.d);
}

/* ---- more than one on the way ------------------------------------------------------------------------ */

static void test_chain(void **state)
{
    (void)state;
    struct bench b = own(NOW);
    add(&b, 1, 0);
    add(&b, 2, 0);
    assert_null(act(&b, DUTY_POST));
    duty_released(b.d, 0);
    assert_true(posts(&b, 1)); /* our nonces keep the order */
    hear(&b, 1, SELF, 4, NOW);
    duty_released(b.d, 1);
    assert_null(act(&b, DUTY_POST)); /* two on the way */
    assert_int_equal(b.plan.upto, 2);
    b.v.safe = 10;
    assert_true(posts(&b, 2));
    assert_int_equal(duty_backlog(b.d), 2);
    duty_free(b.d);
}

/* The one before is on its way from another's account: L1 would ignore what came too early. */
static void test_no_chain_across_accounts(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b);
    add(&b, 0, 0);
    add(&b, 1, SELF);
    hear(&b, 0, 0, 7, NOW);
    assert_false(posts(&b, 1));
    b.v.safe = 10;
    assert_true(posts(&b, 1));
    duty_free(b.d);
}

/* Nor is another's sent before its turn, unless the same account has the one before. */
static void test_push_keeps_the_order(void **state)
{
    (void)state;
    for (uint8_t second = 0; second <= 2; second += 2) {
        struct bench b;
        open_bench(&b);
        add(&b, 0, 0);
        add(&b, 1, 2);
        hear(&b, 0, 0, 7, NOW);
        hear(&b, 1, second, second == 0 ? 8 : 3, NOW);
        b.v.leader = SELF;
        struct duty_action a = need(&b, DUTY_PUSH);
        assert_int_equal(a.segment, 0);
        assert_int_equal(b.plan.n, second == 0 ? 2 : 1);
        b.v.safe = 10;
        b.v.head++;
        a = need(&b, DUTY_PUSH);
        assert_int_equal(a.segment, 1);
        duty_free(b.d);
    }
}

/* R8: what landed and was not derived is posted anew. */
static void test_landed_for_nothing(void **state)
{
    (void)state;
    struct bench b = own(NOW);
    duty_released(b.d, 0);
    assert_false(posts(&b, 0));
    b.v.account[SELF] = (struct duty_account){true, 4};
    assert_true(posts(&b, 0));
    duty_free(b.d);
}

/* ---- when nothing may be sent ------------------------------------------------------------------------- */

static void test_states(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b);
    add(&b, 0, SELF);
    struct duty_view good = b.v;
    b.v.derived = false;
    assert_null(act(&b, DUTY_POST));
    assert_int_equal(b.plan.state, DUTY_BEHIND);
    b.v = good;
    b.v.l1_ok = false;
    assert_null(act(&b, DUTY_POST));
    assert_int_equal(b.plan.state, DUTY_L1_DOWN);
    b.v = good;
    b.v.mismatch = true;
    assert_null(act(&b, DUTY_POST));
    assert_int_equal(b.plan.state, DUTY_ALARM);
    assert_int_equal(b.plan.upto, 0);
    b.v = good;
    b.v.window_over = true; /* what is invalid already is not paid for again and again */
    assert_null(act(&b, DUTY_POST));
    assert_int_equal(b.plan.state, DUTY_RECOVER);
    b.v = good;
    assert_true(posts(&b, 0));
    duty_free(b.d);
}

static void test_a_reorg_brings_it_back(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b);
    add(&b, 0, SELF);
    b.v.safe = 10;
    assert_null(act(&b, DUTY_POST));
    b.v.safe = 0;
    b.v.head--; /* the head may go back */
    assert_true(posts(&b, 0));
    b.v.safe = b.v.safe_final = 10;
    add(&b, 1, 0);
    assert_null(act(&b, DUTY_POST));
    assert_int_equal(duty_segment_next(b.d), 2);
    assert_int_equal(duty_backlog(b.d), 1);
    duty_free(b.d);
}

/* The start of a segment may be derived through somebody else: the whole of it is posted. */
static void test_inside_a_segment(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b);
    add(&b, 0, SELF);
    b.v.safe = 4;
    assert_true(posts(&b, 0));
    duty_free(b.d);
}

static void test_alone(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b);
    duty_free(b.d);
    b.cfg = duty_config_default(1, 0);
    assert_int_equal(duty_new(&b.d, &b.cfg), OK);
    add(&b, 0, 0);
    assert_true(posts(&b, 0));
    hear(&b, 0, 0, 3, NOW);
    assert_non_null(act(&b, DUTY_RELEASE));
    duty_free(b.d);
}

/* ---- bounds ------------------------------------------------------------------------------------------ */

static void test_bounds(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b);
    struct duty_config c = b.cfg;
    struct duty *none;
    c.self = 4;
    assert_int_equal(duty_new(&none, &c), ERR_REFUSED);
    add(&b, 5, 0); /* the first may be any */
    const struct duty_segment gap = {.no = 7, .first = 71, .last = 80};
    assert_int_equal(duty_segment_add(b.d, &gap), ERR_REFUSED);
    for (uint64_t no = 6; no < 5 + LIMIT_DUTY_SEGMENTS; no++) {
        add(&b, no, 0);
    }
    const struct duty_segment more = {.no = 5 + LIMIT_DUTY_SEGMENTS,
                                      .first = 10 * (5 + LIMIT_DUTY_SEGMENTS) + 1,
                                      .last = 10 * (5 + LIMIT_DUTY_SEGMENTS) + 10};
    assert_int_equal(duty_segment_add(b.d, &more), ERR_BUSY);
    for (uint64_t no = 400; no > 5; no--) { /* far ones give way to near ones */
        hear(&b, no, 0, no, NOW);
    }
    assert_int_equal(duty_intents(b.d), LIMIT_DUTY_INTENTS);
    struct buffer e = intent(4, 0, 1, NOW);
    assert_int_equal(duty_intent_add(b.d, buffer_bytes(&e), false, false, NOW, NULL), ERR_NOT_FOUND);
    buffer_free(&e);
    e = intent(6, 0, 1, NOW + 3600000);
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
        cmocka_unit_test(test_dead_intents),
        cmocka_unit_test(test_superseded),
        cmocka_unit_test(test_changes_its_mind),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_shared_before_sent),
        cmocka_unit_test(test_made_after_the_view),
        cmocka_unit_test(test_acknowledged_is_what_is_held),
        cmocka_unit_test(test_shared_with_one),
        cmocka_unit_test(test_nobody_answers),
        cmocka_unit_test(test_crossing),
        cmocka_unit_test(test_late_is_held_back),
        cmocka_unit_test(test_rather),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_no_chain_across_accounts),
        cmocka_unit_test(test_push_keeps_the_order),
        cmocka_unit_test(test_landed_for_nothing),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_a_reorg_brings_it_back),
        cmocka_unit_test(test_inside_a_segment),
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
