/* What counts as said: signatures stand for the words under them, votes for their epoch, and of two
 * skip certificates the lower one says more (CONSENSUS 3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fuzz/core_act.h"

enum { MEMBER_3 = 3 << 4, SECOND_TURN = 5 };

static struct core_run r;

static int setup(void **state)
{
    (void)state;
    core_run_start(&r, MEMBER_3);
    for (int i = 0; i < 3; i++) {
        struct event e = {.kind = EVENT_PEER, .peer = i, .u.peer.up = true};
        core_run_step(&r, &e);
    }
    return 0;
}

static bool bans(int from, const struct message *m)
{
    struct event e = {.kind = EVENT_MESSAGE, .peer = from, .u.message = m};
    core_run_step(&r, &e);
    for (uint32_t i = 0; i < r.out.n; i++) {
        if (r.out.effect[i].kind == EFFECT_BAN && r.out.effect[i].u.ban.member == from) {
            return true;
        }
    }
    return false;
}

static bool bans_for_certificate(int from, struct certificate c)
{
    struct message m = {.kind = MSG_BUNDLE, .u.bundle = {.cert = &c, .certs = 1}};
    return bans(from, &m);
}

static struct certificate skip_at(uint64_t slot)
{
    return core_run_certificate(&r, VOTE_SKIP, slot, NULL);
}

static uint64_t slot_now(void)
{
    struct core_view view;
    core_get_view(r.core, &view);
    return view.slot;
}

/* Its signature is good, over words of this epoch; it says that it is of another. */
static void a_vote_of_another_epoch(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct vote v = core_run_vote(&r, i, VOTE_SKIP, 1, NULL);
        struct message m = {.kind = MSG_VOTES, .u.bundle = {.vote = &v, .votes = 1}};
        v.epoch += i == 1;
        assert_int_equal(bans(i, &m), i == 1);
    }
    assert_int_equal(slot_now(), 1);
}

/* Who passes it on may not know better: it is no fault, and says nothing. */
static void a_certificate_of_another_epoch(void **state)
{
    (void)state;
    struct certificate c = skip_at(1);
    c.epoch++;
    assert_false(bans_for_certificate(0, c));
    assert_int_equal(slot_now(), 1);
}

/* A signature that was checked once is good for the words under it, and for no others. */
static void signatures_of_other_words(void **state)
{
    (void)state;
    struct certificate c = skip_at(1);
    assert_false(bans_for_certificate(0, c));
    assert_int_equal(slot_now(), SECOND_TURN);
    c.slot = SECOND_TURN;
    assert_true(bans_for_certificate(1, c));
    assert_int_equal(slot_now(), SECOND_TURN);
}

/* Whichever comes first, the turn is over from the lower slot on. */
static void two_skips_of_one_turn(void **state)
{
    assert_false(bans_for_certificate(0, skip_at(3)));
    assert_int_equal(slot_now(), 1);
    assert_false(bans_for_certificate(1, skip_at(1)));
    assert_int_equal(slot_now(), SECOND_TURN);
    assert_int_equal(setup(state), 0);
    assert_false(bans_for_certificate(1, skip_at(1)));
    assert_false(bans_for_certificate(0, skip_at(3)));
    assert_int_equal(slot_now(), SECOND_TURN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_vote_of_another_epoch, setup),
        cmocka_unit_test_setup(a_certificate_of_another_epoch, setup),
        cmocka_unit_test_setup(signatures_of_other_words, setup),
        cmocka_unit_test_setup(two_skips_of_one_turn, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
