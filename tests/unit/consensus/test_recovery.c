/* Starts and returns: schedules of the research in which members crash together, certificates are
 * lost, journals pruned, members return after false suspicion (S8–S12, S29, S30, S32, S36). */
#include <string.h>

#include "tests/unit/consensus/world.h"

static uint64_t top_height(struct world *w, int n)
{
    uint64_t top = 0;
    for (int a = 0; a < n; a++) {
        top = world_height(w, a) > top ? world_height(w, a) : top;
    }
    return top;
}

static void goes_on(struct world *w, uint64_t more, uint64_t limit_us)
{
    assert_true(world_until_final(w, top_height(w, 4) + more, limit_us));
}

/* ---- a certificate that one member alone holds -------------------------------------------------- */

struct quiet {
    int only;                /* notarize votes at this slot reach this member alone */
    uint64_t slot;
};

static bool notarize_only_to(void *arg, int from, int to, const struct message *m)
{
    const struct quiet *q = arg;
    (void)from;
    const struct bundle *b = m->kind == MSG_VOTES || m->kind == MSG_BUNDLE ? &m->u.bundle : NULL;
    for (uint32_t i = 0; b != NULL && to != q->only && i < b->votes; i++) {
        if (b->vote[i].kind == VOTE_NOTARIZE && b->vote[i].slot == q->slot) {
            return true;
        }
    }
    for (uint32_t i = 0; b != NULL && i < b->certs; i++) {
        if (b->cert[i].slot == q->slot) {
            return true; /* and it tells nobody */
        }
    }
    return false;
}

static struct world *at_slot(uint64_t slot)
{
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    while (world_view(w, 0).slot < slot) {
        world_run(w, 1 * MS);
        assert_true(world_now(w) < 60000 * MS);
    }
    return w;
}

static void s08_lone_holder_loses_it_before_finalizing(void **state)
{
    (void)state;
    for (int holder = 0; holder < 4; holder++) {
        struct world *w = at_slot(9);
        struct quiet q = {holder, 10};
        world_filter(w, notarize_only_to, &q);
        world_hang_client(w, holder, true);     /* so it cannot finalize what it holds */
        world_run(w, 600 * MS);
        world_crash(w, holder, true);
        world_run(w, 300 * MS);
        world_filter(w, NULL, NULL);
        world_hang_client(w, holder == 0 ? 1 : 0, false);
        world_restart(w, holder);
        world_hang_client(w, holder, false);
        goes_on(w, 6, 20000 * MS);
        world_free(w);
    }
}

static void s09_certified_split_in_consecutive_turns(void **state)
{
    (void)state;
    for (int holder = 0; holder < 4; holder++) {
        struct world *w = at_slot(9);
        struct quiet q = {holder, 9};
        for (int k = 0; k < 2; k++) {
            q.only = (holder + k) % 4;
            q.slot = world_view(w, q.only).slot;
            world_filter(w, notarize_only_to, &q);
            uint64_t turn = world_view(w, q.only).turn;
            for (int ms = 0; world_view(w, (q.only + 1) % 4).turn == turn && ms < 2000; ms++) {
                world_run(w, 1 * MS);
            }
        }
        world_filter(w, NULL, NULL);
        goes_on(w, 6, 20000 * MS);
        world_free(w);
    }
}

/* ---- S10: an own skip does not keep a member from following a late certificate --------------------- */

static bool proposals_to(void *arg, int from, int to, const struct message *m)
{
    (void)from;
    return to == *(const int *)arg && m->kind != MSG_STATUS;
}

static void s10_own_skip_then_the_certificate(void **state)
{
    (void)state;
    struct world *w = at_slot(10);
    int late = (world_view(w, 0).leader + 1) % 4;
    world_filter(w, proposals_to, &late);
    while (!world_signed(w, late, VOTE_SKIP, 10) && !world_signed(w, late, VOTE_SKIP, 11)) {
        world_run(w, 1 * MS);
        assert_true(world_now(w) < 60000 * MS);
    }
    world_filter(w, NULL, NULL);
    world_run(w, 400 * MS);
    /* It stands where the others stand, the turn is not lost to them. */
    uint64_t slot = world_view(w, (late + 1) % 4).slot;
    assert_in_range(world_view(w, late).slot, slot - 1, slot + 1);
    goes_on(w, 6, 10000 * MS);
    world_free(w);
}

/* ---- S11, S12: everybody killed at once -------------------------------------------------------------- */

static void kill_all(struct world *w)
{
    for (int a = 0; a < 4; a++) {
        if (world_up(w, a)) {
            world_crash(w, a, true);
        }
    }
    world_run(w, 50 * MS);
    for (int a = 0; a < 4; a++) {
        world_restart(w, a);
    }
}

static bool all_but_status(void *arg, int from, int to, const struct message *m)
{
    (void)arg;
    (void)from;
    (void)to;
    return m->kind != MSG_STATUS;
}

static void s11_all_killed_with_skips_unheard(void **state)
{
    (void)state;
    struct world *w = at_slot(10);
    world_filter(w, all_but_status, NULL);
    uint64_t slot = world_view(w, 0).slot;
    world_run(w, 1500 * MS);
    assert_true(world_signed(w, 0, VOTE_SKIP, slot) || world_signed(w, 0, VOTE_SKIP, slot + 1));
    kill_all(w);
    world_filter(w, NULL, NULL);
    uint64_t turn = world_view(w, 0).turn;
    world_run(w, 1000 * MS);
    assert_true(world_view(w, 0).turn > turn); /* the re-sent votes made the certificate */
    goes_on(w, 4, 10000 * MS);
    world_free(w);
}

struct cut_kind {
    uint8_t kind;
    uint64_t slot;
};

static bool no_vote_of(void *arg, int from, int to, const struct message *m)
{
    const struct cut_kind *c = arg;
    (void)from;
    (void)to;
    const struct bundle *b = m->kind == MSG_VOTES || m->kind == MSG_BUNDLE ? &m->u.bundle : NULL;
    for (uint32_t i = 0; b != NULL && i < b->votes; i++) {
        if (b->vote[i].kind == c->kind && b->vote[i].slot >= c->slot) {
            return true;
        }
    }
    return false;
}

static void s12_all_killed_between_writing_and_sending(void **state)
{
    (void)state;
    static const uint8_t kinds[] = {VOTE_NOTARIZE, VOTE_FINALIZE};
    for (int k = 0; k < 2; k++) {
        for (uint64_t rounds = 1; rounds <= 3; rounds++) {
            struct world *w = at_slot(10);
            for (uint64_t r = 0; r < rounds; r++) {
                struct cut_kind c = {kinds[k], world_view(w, 0).slot};
                world_filter(w, no_vote_of, &c);
                world_run(w, 250 * MS);
                kill_all(w);
                world_filter(w, NULL, NULL);
                world_run(w, 100 * MS);
            }
            goes_on(w, 4, 20000 * MS);
            assert_int_equal(world_alarms(w, ALARM_AMNESIAC), 0);
            world_free(w);
        }
    }
}

/* ---- S29, S30: absence and return ---------------------------------------------------------------------- */

static void s29_suspected_but_alive(void **state)
{
    (void)state;
    struct world *w = at_slot(9);
    int leader = world_view(w, 0).leader;
    int alone = (leader + 1) % 4;
    /* Three hear nothing of each other for two seconds and skip ahead what they can. */
    for (int a = 0; a < 4; a++) {
        world_isolate(w, a, a != alone);
    }
    world_run(w, 2500 * MS);
    for (int a = 0; a < 4; a++) {
        world_isolate(w, a, false);
    }
    goes_on(w, 12, 15000 * MS);
    assert_int_equal(world_alarms(w, ALARM_PARENT_BELOW_FINAL), 0);
    world_free(w);
}

static void s30_struck_again_and_again(void **state)
{
    (void)state;
    struct world *w = at_slot(9);
    for (int strike = 0; strike < 3; strike++) {
        world_crash(w, 2, false);
        world_run(w, 8000 * MS);
        world_restart(w, 2);
        world_run(w, 3000 * MS);
        goes_on(w, 4, 10000 * MS);
    }
    /* Back for good it leads again, its bench run down. */
    uint64_t from = world_view(w, 0).final_slot;
    world_run(w, 120000 * MS);
    uint64_t led = 0;
    for (uint64_t slot = from; slot < world_view(w, 0).final_slot; slot++) {
        struct block_head h;
        led += world_final_at(w, slot, &h) && h.header.leader == 2;
    }
    assert_true(led > 20);
    world_free(w);
}

/* ---- S32: a partition heals in the middle of a turn, two gates closed ----------------------------------- */

static void s32_heals_with_two_gates_closed(void **state)
{
    (void)state;
    for (uint64_t ms = 20; ms <= 320; ms += 60) {
        struct world_options o = world_defaults();
        o.turn_slots = 16;
        struct world *w = world_new(&o);
        assert_true(world_until_final(w, 20, 20000 * MS));
        int leader = world_view(w, 0).leader;
        for (int a = 0; a < 4; a++) {
            if (a != leader) {
                world_cut(w, a, leader, a != (leader + 1) % 4);
            }
        }
        world_run(w, 200 * MS + ms * MS);
        world_isolate(w, leader, false);
        uint64_t top = top_height(w, 4);
        assert_true(world_until_final(w, top + 8, 20000 * MS));
        world_free(w);
    }
}

/* ---- pruned journals -------------------------------------------------------------------------------------- */

/* A member that signed nothing for long may have pruned all it ever signed: no amnesia. */
static void a_pruned_journal_is_not_a_lost_one(void **state)
{
    (void)state;
    struct world *w = at_slot(12);
    world_fail_disk(w, 1, true);
    world_run(w, 6000 * MS);
    world_fail_disk(w, 1, false);
    world_prune(w, 1);
    world_crash(w, 1, false);
    world_run(w, 100 * MS);
    world_restart(w, 1);
    world_run(w, 2000 * MS);
    assert_int_equal(world_alarms(w, ALARM_AMNESIAC), 0);
    assert_true(world_view(w, 1).highest_signed + 8 > world_view(w, 1).slot);
    goes_on(w, 4, 5000 * MS);
    world_free(w);
}

/* ---- S36: a second copy of the key ---------------------------------------------------------------------------- */

/* After its first signature a member sees a certificate with a vote of its key that it never made:
 * it stops for good. */
static void s36_a_vote_of_the_own_key_from_elsewhere(void **state)
{
    (void)state;
    struct world *w = at_slot(10);
    int a = (world_view(w, 0).leader + 1) % 4;
    struct block_head parent = {0};
    uint64_t slot = world_view(w, a).slot;
    assert_true(world_final_at(w, slot - 2, &parent));
    world_show_foreign_vote(w, a, slot + 2, &parent.hash);
    world_run(w, 20 * MS);
    assert_true(world_view(w, a).stopped);
    assert_int_equal(world_alarms(w, ALARM_SECOND_INSTANCE), 1);
    world_possess(w, a, true);
    goes_on(w, 4, 5000 * MS);
    world_free(w);
}

/* ---- more skipped turns than a bundle holds ---------------------------------------------------------------- */

static bool proposals(void *arg, int from, int to, const struct message *m)
{
    (void)from;
    (void)to;
    return *(bool *)arg && m->kind == MSG_PROPOSAL;
}

/* Three members skip turn after turn while the fourth is down; then one of the three dies for good, so
 * that nothing is final before the fourth has walked through all that was skipped. */
static void a_member_walks_through_a_long_outage(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    o.turn_slots = 2;
    o.block_time_ms = o.max_interval_ms = 50;
    struct world *w = world_new(&o);
    bool drop = false;
    world_filter(w, proposals, &drop);
    assert_true(world_until_final(w, 6, 20000 * MS));
    world_crash(w, 3, false);
    drop = true;
    uint64_t from = world_view(w, 0).turn;
    while (world_view(w, 0).turn < from + LIMIT_BUNDLE_CERTS + 16) {
        world_run(w, 1000 * MS);
        assert_true(world_now(w) < 40000000 * (uint64_t)MS);
    }
    world_crash(w, 2, false);
    world_restart(w, 3);
    drop = false;
    uint64_t top = world_height(w, 0);
    assert_true(world_until_final(w, top + 3, 600000 * MS));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s08_lone_holder_loses_it_before_finalizing),
        cmocka_unit_test(s09_certified_split_in_consecutive_turns),
        cmocka_unit_test(s10_own_skip_then_the_certificate),
        cmocka_unit_test(s11_all_killed_with_skips_unheard),
        cmocka_unit_test(s12_all_killed_between_writing_and_sending),
        cmocka_unit_test(s29_suspected_but_alive),
        cmocka_unit_test(s30_struck_again_and_again),
        cmocka_unit_test(s32_heals_with_two_gates_closed),
        cmocka_unit_test(a_pruned_journal_is_not_a_lost_one),
        cmocka_unit_test(a_member_walks_through_a_long_outage),
        cmocka_unit_test(s36_a_vote_of_the_own_key_from_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
