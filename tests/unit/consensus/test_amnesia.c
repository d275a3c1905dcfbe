/* A lost journal, answer by answer (CONSENSUS 8): which answers count, what M follows from them, and
 * when this member may vote again. Crash mode, four members: answers of two others are enough. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/keccak.h"
#include "tests/fuzz/core_act.h"

enum { MEMBER_3 = 3 << 4, CRASH = 2, OBSERVER = 8, AMNESIAC = 64, ASKING = 128, TURN_SLOTS = 4 };

static struct core_run r;

static void hear(int from, const struct message *m)
{
    struct event e = {.kind = EVENT_MESSAGE, .peer = from, .u.message = m};
    core_run_step(&r, &e);
}

static void begin(uint8_t how)
{
    core_run_start(&r, how);
    for (int i = 0; i < 3; i++) {
        struct event e = {.kind = EVENT_PEER, .peer = i, .u.peer.up = true};
        core_run_step(&r, &e);
    }
}

static struct message answer_of(uint64_t highest)
{
    struct message m = {.kind = MSG_AMNESIA_ANSWER};
    struct hash nonce = keccak256(r.config.instance, sizeof r.config.instance);
    memcpy(m.u.amnesia.nonce, nonce.b, sizeof m.u.amnesia.nonce);
    m.u.amnesia.epoch = m.u.amnesia.highest_epoch = r.config.epoch.epoch;
    m.u.amnesia.clearing_epoch = r.config.epoch.epoch;
    m.u.amnesia.highest_slot = highest;
    return m;
}

static void answer(int from, uint64_t highest)
{
    struct message m = answer_of(highest);
    hear(from, &m);
}

/* A block at the first slot of a turn, on the latest one, becomes final; writes become durable. */
static void final_in_turn(uint64_t turn)
{
    struct block_head *head =
        core_run_block(&r, &r.block[r.blocks - 1].head, turn * TURN_SLOTS + 1, 0, 0);
    struct certificate c = core_run_certificate(&r, VOTE_FINALIZE, head->header.slot, head);
    struct block_head shown = *head;
    struct message m = {.kind = MSG_BUNDLE};
    m.u.bundle = (struct bundle){.cert = &c, .certs = 1, .head = &shown, .heads = 1};
    r.blocks++;
    hear(0, &m);
    struct event body = {.kind = EVENT_BODY, .peer = -1, .u.body = {shown.hash, true}};
    core_run_step(&r, &body);
    if (r.oracle.sequence > r.oracle.persisted) {
        r.oracle.persisted = r.oracle.sequence;
        struct event e = {.kind = EVENT_PERSISTED, .peer = -1, .u.persisted = r.oracle.sequence};
        core_run_step(&r, &e);
    }
}

static bool amnesiac(void)
{
    struct core_view view;
    core_get_view(r.core, &view);
    return view.amnesiac;
}

/* Turns are numbered from -1 for slot 0, so a quiet start needs a final block in a turn > n. */
static void a_quiet_start(void **state)
{
    (void)state;
    begin(MEMBER_3 | CRASH | AMNESIAC);
    answer(0, 0);
    answer(1, 0);
    assert_true(amnesiac()); /* nothing is final yet */
    final_in_turn(4);
    assert_true(amnesiac());
    final_in_turn(5);
    assert_false(amnesiac());
}

/* M is the smallest slot that answers of enough weight lie at or below: not the largest answer. */
static void the_smallest_covering_slot(void **state)
{
    (void)state;
    begin(MEMBER_3 | CRASH | AMNESIAC);
    answer(0, 1000 * TURN_SLOTS);
    answer(1, 1);
    answer(2, TURN_SLOTS + 2); /* turn 1 */
    final_in_turn(6);
    assert_true(amnesiac());
    final_in_turn(7);
    assert_false(amnesiac());
}

/* Answers to another start, second answers and those of a later epoch bring nothing nearer. */
static void answers_that_do_not_count(void **state)
{
    (void)state;
    begin(MEMBER_3 | CRASH | AMNESIAC);
    struct message m = answer_of(0);
    m.u.amnesia.nonce[0] ^= 1;
    hear(0, &m);
    hear(1, &m);
    m = answer_of(0);
    m.u.amnesia.highest_epoch++;
    hear(0, &m);
    answer(0, 0);
    answer(1, 0);
    final_in_turn(9);
    assert_true(amnesiac());
    answer(2, 0);
    final_in_turn(10);
    assert_false(amnesiac());
}

/* Who has no key signs nothing, and follows what is final. */
static void an_observer(void **state)
{
    (void)state;
    struct core_view view;
    begin(OBSERVER);
    final_in_turn(1);
    final_in_turn(2);
    core_get_view(r.core, &view);
    assert_int_equal(view.final_slot, 2 * TURN_SLOTS + 1);
    assert_int_equal(r.oracle.votes, 0);
}

static bool answers_anything(void)
{
    for (uint32_t i = 0; i < r.out.n; i++) {
        const struct effect *e = &r.out.effect[i];
        if (e->kind == EFFECT_SEND && e->u.send.message->kind == MSG_AMNESIA_ANSWER) {
            return true;
        }
    }
    return false;
}

/* Who knows of no signatures, its own or because it has none, answers nobody. */
static void who_may_answer(void **state)
{
    (void)state;
    static const uint8_t how[] = {MEMBER_3, MEMBER_3 | AMNESIAC, OBSERVER};
    for (int i = 0; i < 3; i++) {
        begin(how[i]);
        struct message m = answer_of(0);
        m.kind = MSG_AMNESIA_ASK;
        hear(0, &m);
        assert_int_equal(answers_anything(), i == 0);
    }
}

/* A restart brings back no votes at or below its final block, which the journal may have lost by
 * pruning. They were signed all the same: an answer below them lets an amnesiac sign too early. */
static void the_answer_after_a_restart(void **state)
{
    (void)state;
    core_run_start(&r, MEMBER_3);
    const struct block_head *head =
        core_run_block(&r, &r.block[0].head, 9 * TURN_SLOTS + 1, 0, 0);
    struct certificate c = core_run_certificate(&r, VOTE_FINALIZE, head->header.slot, head);
    struct core_restored_final f = {.head = head, .cert = &c, .executed = true};
    core_run_again(&r);
    assert_int_equal(core_restore_final(r.core, &f), OK);
    core_start(r.core, r.now_us, &r.out);
    struct message m = answer_of(0);
    m.kind = MSG_AMNESIA_ASK;
    hear(0, &m);
    for (uint32_t i = 0; i < r.out.n; i++) {
        const struct effect *e = &r.out.effect[i];
        if (e->kind == EFFECT_SEND && e->u.send.message->kind == MSG_AMNESIA_ANSWER) {
            assert_true(e->u.send.message->u.amnesia.highest_slot >= head->header.slot);
            return;
        }
    }
    fail_msg("no answer");
}

/* A pause makes a member ask again before it signs; who signs nothing has nothing to ask. */
static void after_a_pause(void **state)
{
    (void)state;
    static const uint8_t how[] = {MEMBER_3, MEMBER_3 | AMNESIAC, OBSERVER};
    for (int i = 0; i < 3; i++) {
        begin(how[i]);
        r.now_us += 1500000;
        struct event tick = {.kind = EVENT_TICK, .peer = -1};
        core_run_step(&r, &tick);
        uint32_t asked = 0;
        for (uint32_t k = 0; k < r.out.n; k++) {
            const struct effect *e = &r.out.effect[k];
            asked += e->kind == EFFECT_SEND && e->u.send.message->kind == MSG_OWN_VOTES_ASK;
        }
        assert_int_equal(asked, i == 0 ? 3 : 0);
    }
}

/* A peer that was paused shows, after the clearing, a vote from before it. The clearing counts as a
 * signature (E2): the answers of old must not clear a second amnesia that the journal knows of. */
static void a_vote_of_old_after_the_clearing(void **state)
{
    (void)state;
    begin(MEMBER_3 | CRASH | AMNESIAC);
    answer(0, 4);
    answer(1, 4);
    final_in_turn(6);
    assert_false(amnesiac());
    struct vote old = core_run_vote(&r, 3, VOTE_NOTARIZE, 3, &r.block[1].head);
    struct message m = {.kind = MSG_OWN_VOTES};
    m.u.bundle = (struct bundle){.vote = &old, .votes = 1};
    hear(2, &m);
    struct core_view view;
    core_get_view(r.core, &view);
    assert_false(view.amnesiac);
    assert_false(view.stopped);
}

/* One step of the journal behind the second record: no time is long enough, only answers are. */
static void asking_without_limit(void **state)
{
    (void)state;
    core_run_start(&r, MEMBER_3 | ASKING);
    r.config.ask_without_limit = true;
    core_run_again(&r);
    core_start(r.core, r.now_us, &r.out);
    for (int i = 0; i < 3; i++) {
        struct event e = {.kind = EVENT_PEER, .peer = i, .u.peer.up = true};
        core_run_step(&r, &e);
    }
    struct core_view view;
    for (int i = 0; i < 40; i++) {
        r.now_us += 200000;
        struct event tick = {.kind = EVENT_TICK, .peer = -1};
        core_run_step(&r, &tick);
    }
    core_get_view(r.core, &view);
    assert_int_equal(view.highest_signed, 0);
    for (int i = 0; i < 3; i++) {
        struct message m = {.kind = MSG_OWN_VOTES};
        hear(i, &m);
    }
    struct event tick = {.kind = EVENT_TICK, .peer = -1};
    for (int i = 0; i < 40; i++) {
        r.now_us += 200000;
        core_run_step(&r, &tick);
    }
    core_get_view(r.core, &view);
    assert_int_not_equal(view.highest_signed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quiet_start),
        cmocka_unit_test(the_smallest_covering_slot),
        cmocka_unit_test(answers_that_do_not_count),
        cmocka_unit_test(an_observer),
        cmocka_unit_test(who_may_answer),
        cmocka_unit_test(the_answer_after_a_restart),
        cmocka_unit_test(after_a_pause),
        cmocka_unit_test(a_vote_of_old_after_the_clearing),
        cmocka_unit_test(asking_without_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
