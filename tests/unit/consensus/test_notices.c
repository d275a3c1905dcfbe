/* Notices and evidence in a running set: a benched member returns as soon as the rules allow, a
 * leaving one costs nothing, a caught one leads no more; and blocks that carry what they may not are
 * voted for by nobody (N1). */
#include <string.h>

#include "tests/unit/consensus/world_internal.h"

static uint64_t top_height(struct world *w)
{
    uint64_t top = 0;
    for (int a = 0; a < (int)w->o.n; a++) {
        top = world_height(w, a) > top ? world_height(w, a) : top;
    }
    return top;
}

static int other_than(int a)
{
    return a == 0 ? 1 : 0;
}

static bool led_after(struct world *w, int a, uint64_t slot)
{
    struct block_head h;
    for (uint64_t s = slot; s <= world_view(w, other_than(a)).final_slot; s++) {
        if (world_final_at(w, s, &h) && h.header.leader == a) {
            return true;
        }
    }
    return false;
}

/* Turns until this member has led a final block again. */
static uint64_t turns_until_it_leads(struct world *w, int a, uint64_t limit)
{
    uint64_t slot = world_view(w, other_than(a)).slot;
    uint64_t turn = world_view(w, other_than(a)).turn;
    while (!led_after(w, a, slot) && world_view(w, other_than(a)).turn < turn + limit) {
        world_run(w, 50 * MS);
        assert_true(world_now(w) < 600000 * MS);
    }
    return world_view(w, other_than(a)).turn - turn;
}

/* ---- readiness --------------------------------------------------------------------------------- */

static void a_restarted_member_leads_soon(void **state)
{
    (void)state;
    for (int a = 0; a < 4; a++) {
        struct world_options o = world_defaults();
        struct world *w = world_new(&o);
        assert_true(world_until_final(w, 10, 20000 * MS));
        world_crash(w, a, false);
        world_run(w, 30000 * MS); /* several strikes: its bench would last eight own turns and more */
        world_restart(w, a);
        /* A turn until it is ready and one until its notice is final, n until that counts, n until
         * a turn is its own. */
        assert_in_range(turns_until_it_leads(w, a, 40), 4, 11);
        assert_int_equal(world_view(w, 0).benched, 0);
        world_free(w);
    }
}

static void a_hung_client_is_benched_and_back(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 10, 20000 * MS));
    int a = world_view(w, 0).leader;
    world_hang_client(w, a, true);
    for (int k = 0; world_view(w, other_than(a)).benched != 1u << a; k++) {
        world_run(w, 50 * MS);
        assert_true(k < 400);
    }
    world_run(w, 10000 * MS);
    /* It says nothing of a return as long as it is not ready. */
    uint64_t top = world_view(w, other_than(a)).final_slot;
    assert_false(led_after(w, a, top > 40 ? top - 40 : 1));
    world_hang_client(w, a, false);
    assert_in_range(turns_until_it_leads(w, a, 40), 4, 11);
    world_free(w);
}

/* It says that it is ready, and never leads: its returns become rare. */
static bool no_proposal_of_its_own(void *arg, int from, int to, const struct message *m)
{
    (void)to;
    return from == *(int *)arg && m->kind == MSG_PROPOSAL;
}

static void who_is_wrong_about_itself_returns_less_and_less(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    int a = 2;
    assert_true(world_until_final(w, 10, 20000 * MS));
    world_filter(w, no_proposal_of_its_own, &a);
    world_run(w, 60000 * MS);
    uint64_t before = world_own_skips(w, SKIP_LATE);
    world_run(w, 120000 * MS);
    /* 150 turns, 37 of them its own: at most a few cost a takeover, three votes each. */
    assert_in_range(world_own_skips(w, SKIP_LATE) - before, 1, 3 * 10);
    world_filter(w, NULL, NULL);
    assert_in_range(turns_until_it_leads(w, a, 200), 1, 90);
    world_free(w);
}

/* A notice reaches only some leaders: the first of them that leads puts it in. */
static bool notices_to_one(void *arg, int from, int to, const struct message *m)
{
    (void)from;
    return m->kind == MSG_NOTICES && to != *(int *)arg;
}

static void one_leader_that_heard_it_is_enough(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    int hears = 1;
    assert_true(world_until_final(w, 10, 20000 * MS));
    world_crash(w, 3, false);
    world_run(w, 20000 * MS);
    world_filter(w, notices_to_one, &hears);
    world_restart(w, 3);
    assert_in_range(turns_until_it_leads(w, 3, 40), 4, 14);
    world_free(w);
}

/* ---- leaving ------------------------------------------------------------------------------------- */

static void a_planned_absence_costs_nothing(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    int a = 2;
    assert_true(world_until_final(w, 10, 20000 * MS));
    world_leave(w, a, true);
    world_run(w, 6000 * MS);
    assert_int_equal(world_view(w, 0).away, 1u << a);
    world_crash(w, a, false);
    (void)world_gap(w);
    world_run(w, 30000 * MS);
    assert_in_range(world_gap(w), 0, 230 * MS);
    assert_int_equal(world_own_skips(w, SKIP_LATE), 0);
    assert_int_equal(world_own_skips(w, SKIP_SILENT), 0);
    w->member[a].leaving = w->member[a].draining = false;
    world_restart(w, a);
    assert_in_range(turns_until_it_leads(w, a, 40), 4, 11);
    assert_int_equal(world_view(w, 0).away, 0);
    world_free(w);
}

static void a_drain_that_ends_is_announced_too(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    int a = 1;
    assert_true(world_until_final(w, 10, 20000 * MS));
    world_leave(w, a, true);
    world_run(w, 15000 * MS);
    uint64_t top = world_view(w, 0).final_slot;
    assert_false(led_after(w, a, top - 40));
    world_leave(w, a, false);
    assert_in_range(turns_until_it_leads(w, a, 40), 4, 11);
    assert_int_equal(world_own_skips(w, SKIP_LATE), 0);
    world_free(w);
}

/* ---- evidence --------------------------------------------------------------------------------------- */

static uint32_t offended(struct world *w, int a)
{
    return world_view(w, a).offended;
}

static void a_caught_member_leads_no_more(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 10, 20000 * MS));
    int z = 3;
    world_possess(w, z, true);
    world_crash(w, 2, false);
    /* Two notarizes of one slot, shown to one member alone. */
    uint64_t slot = world_view(w, 0).slot + 1;
    struct hash one = keccak256("one", 3);
    struct hash two = keccak256("two", 3);
    world_send_vote(w, z, 0, VOTE_NOTARIZE, slot, &one);
    world_send_vote(w, z, 0, VOTE_NOTARIZE, slot, &two);
    world_possess(w, z, false); /* and goes on as if nothing had happened */
    world_run(w, 12000 * MS);
    assert_int_equal(world_evidence(w, z), 3); /* one saw it, the other two hear of it from the chain */
    assert_int_equal(offended(w, 0), 1u << z);
    assert_int_equal(offended(w, 1), 1u << z);
    /* Known to whoever was away, and to whoever starts again. */
    world_restart(w, 2);
    world_run(w, 3000 * MS);
    assert_int_equal(offended(w, 2), 1u << z);
    world_crash(w, 1, true);
    world_run(w, 200 * MS);
    world_restart(w, 1);
    assert_int_equal(offended(w, 1), 1u << z);
    world_run(w, 30000 * MS);
    uint64_t from = world_view(w, 0).final_slot;
    (void)world_gap(w);
    world_run(w, 30000 * MS);
    assert_false(led_after(w, z, from));
    assert_in_range(world_gap(w), 0, 250 * MS);
    world_free(w);
}

/* Every kind of evidence goes into a block. */
static void every_kind_counts(void **state)
{
    (void)state;
    static const uint8_t pair[3][2] = {{VOTE_NOTARIZE, VOTE_NOTARIZE}, {VOTE_FINALIZE, VOTE_FINALIZE}, {VOTE_SKIP, VOTE_FINALIZE}};
    struct hash block[2] = {keccak256("one", 3), keccak256("two", 3)};
    for (int k = 0; k < 4; k++) {
        struct world_options o = world_defaults();
        struct world *w = world_new(&o);
        assert_true(world_until_final(w, 10, 20000 * MS));
        while (world_view(w, 0).slot % 4 != 1) {
            world_run(w, 1 * MS);
        }
        int z = world_view(w, 0).leader;
        uint64_t slot = world_view(w, 0).slot;
        world_possess(w, z, true);
        struct block_head parent;
        while (!world_final_at(w, slot - 1, &parent)) {
            world_run(w, 1 * MS);
        }
        for (int i = 0; k == 3 && i < 2; i++) {
            struct block_head b = world_make_block(w, z, slot, &parent, 0, (uint8_t)i);
            world_send_proposal(w, z, other_than(z), &b, NULL);
        }
        for (int i = 0; k < 3 && i < 2; i++) {
            world_send_vote(w, z, other_than(z), pair[k][i], slot + 1, pair[k][i] == VOTE_SKIP ? NULL : &block[i]);
        }
        world_run(w, 12000 * MS);
        assert_int_equal(offended(w, other_than(z)), 1u << z);
        world_free(w);
    }
}

/* ---- blocks that carry what they may not -------------------------------------------------------------- */

/* Member 0 is dead and benched, a possessed leader is about to propose its first slot. */
struct stage {
    struct world *w;
    int z;
    uint64_t slot;
    struct block_head parent;
    struct skipped_turn skipped[8];
    size_t skipped_n;
};

static struct stage before_a_turn_of_z(void)
{
    struct world_options o = world_defaults();
    o.n = 7;
    struct stage s = {.w = world_new(&o)};
    assert_true(world_until_final(s.w, 10, 20000 * MS));
    world_crash(s.w, 0, false);
    world_run(s.w, 20000 * MS);
    s.z = world_leader(s.w, 2);
    assert_int_not_equal(s.z, 0);
    uint64_t turn = world_view(s.w, s.z).turn + 1;
    while (world_leader(s.w, turn) != s.z) {
        turn++;
    }
    s.slot = turn * 4 + 1;
    while (world_view(s.w, 1).slot < s.slot) {
        world_run(s.w, 1 * MS);
    }
    world_possess(s.w, s.z, true);
    while (world_view(s.w, 1).final_slot < s.slot - 1) {
        world_run(s.w, 1 * MS);
        assert_true(world_now(s.w) < 60000 * MS);
    }
    uint64_t p = world_view(s.w, 1).final_slot;
    assert_true(world_final_at(s.w, p, &s.parent));
    for (uint64_t t = (p - 1) / 4 + 1; t < turn; t++) {
        s.skipped[s.skipped_n++] = (struct skipped_turn){t, t * 4 + 1};
    }
    assert_true(world_view(s.w, 1).benched == 1);
    return s;
}

/* Proposes a block with these parts; is it voted for? */
static bool accepted(struct stage *s, struct system_parts parts)
{
    parts.skipped = s->skipped;
    parts.skipped_n = s->skipped_n;
    struct block_head b = world_make_block_with(s->w, s->z, s->slot, &s->parent, 0, 0, &parts);
    for (int a = 1; a < 7; a++) {
        if (a != s->z) {
            world_send_proposal(s->w, s->z, a, &b, NULL);
        }
    }
    world_run(s->w, 20 * MS);
    bool voted = false;
    for (int a = 1; a < 7; a++) {
        voted |= a != s->z && world_signed(s->w, a, VOTE_NOTARIZE, s->slot);
    }
    /* Whatever it was, the set goes on. */
    world_possess(s->w, s->z, false);
    assert_true(world_until_final(s->w, top_height(s->w) + 3, 20000 * MS));
    world_free(s->w);
    return voted;
}

static struct ready_notice good_notice(struct stage *s)
{
    uint64_t slot = (s->slot - 1) / 4 * 4 - 4; /* last slot of the turn before the one before */
    struct block_head named;
    while (!world_final_at(s->w, slot, &named)) {
        slot -= 4;
    }
    return world_ready(s->w, 0, slot, &named.hash);
}

static void readiness_by_rule(void **state)
{
    (void)state;
    for (int k = 0; k < 6; k++) {
        struct stage s = before_a_turn_of_z();
        struct ready_notice r[2];
        r[0] = r[1] = good_notice(&s);
        size_t n = 1;
        switch (k) {
        case 1:
            r[0].signature.b[40] ^= 1;
            break;
        case 2:
            r[0].block.b[0] ^= 1;
            r[0] = world_ready(s.w, 0, r[0].slot, &r[0].block);
            break;
        case 3:
            r[0] = world_ready(s.w, 1, r[0].slot, &r[0].block); /* not benched */
            break;
        case 4:
            n = 2;
            break;
        case 5:
            r[0] = world_ready(s.w, 0, s.parent.header.slot - 1, &s.parent.header.parent); /* not the last of its turn */
            break;
        default:
            break;
        }
        struct system_parts parts = {.notices = r, .notices_n = n};
        assert_int_equal(accepted(&s, parts), k == 0);
    }
}

/* A benched member's return that is not signed: the next leader looks, and bans who sent it. */
static void a_forged_return(void **state)
{
    (void)state;
    struct stage s = before_a_turn_of_z();
    struct message m = {.kind = MSG_NOTICES, .u.notices = {.has_ready = true}};
    uint64_t bans = world_bans(s.w);
    uint64_t carried = world_carried(s.w, 0);
    world_possess(s.w, s.z, false);
    world_possess(s.w, 0, true);
    m.u.notices.ready = good_notice(&s);
    m.u.notices.ready.signature.b[40] ^= 1;
    for (int a = 1; a < 7; a++) {
        world_send(s.w, 0, a, &m);
    }
    world_run(s.w, 3000 * MS);
    assert_true(world_bans(s.w) > bans);
    assert_int_equal(world_carried(s.w, 0), carried);
    assert_int_equal(world_view(s.w, 1).benched & 1, 1);
    world_free(s.w);
}

static void leaves_by_rule(void **state)
{
    (void)state;
    for (int k = 0; k < 4; k++) {
        struct stage s = before_a_turn_of_z();
        uint64_t turn = (s.slot - 1) / 4;
        struct leave_notice l = world_leave_notice(s.w, 1, k == 1 ? turn : k == 2 ? turn + 65 : turn + 6);
        l.signature.b[40] ^= k == 3 ? 1 : 0;
        struct system_parts parts = {.leaves = &l, .leaves_n = 1};
        assert_int_equal(accepted(&s, parts), k == 0);
    }
}

static void evidence_by_rule(void **state)
{
    (void)state;
    struct hash one = keccak256("one", 3);
    struct hash two = keccak256("two", 3);
    for (int k = 0; k < 6; k++) {
        struct stage s = before_a_turn_of_z();
        struct evidence e[2];
        e[0] = e[1] = world_evidence_of(s.w, 0, 7, VOTE_NOTARIZE, VOTE_NOTARIZE, &one, &two);
        size_t n = 1;
        switch (k) {
        case 1:
            e[0].second_signature.b[40] ^= 1;
            break;
        case 2:
            e[0] = world_evidence_of(s.w, 0, 7, VOTE_SKIP, VOTE_NOTARIZE, &(struct hash){{0}}, &two); /* may stand beside each other */
            break;
        case 3:
            n = 2;
            break;
        case 4:
            e[0].member = 1; /* whose signatures these are not */
            break;
        case 5:
            e[0] = world_evidence_of(s.w, world_leader(s.w, 1) == 1 ? 2 : 1, 5, 0, 0, &one, &two); /* not its turn */
            break;
        default:
            break;
        }
        struct system_parts parts = {.evidence = e, .evidence_n = n};
        assert_int_equal(accepted(&s, parts), k == 0);
    }
}

/* ---- messages ------------------------------------------------------------------------------------------- */

static void anothers_notice_is_refused(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 10, 20000 * MS));
    world_possess(w, 3, true);
    struct message m = {.kind = MSG_NOTICES, .u.notices = {.has_leave = true}};
    m.u.notices.leave = world_leave_notice(w, 2, world_view(w, 0).turn + 5);
    world_send(w, 3, 0, &m);
    world_run(w, 5 * MS);
    assert_int_equal(world_bans(w), 1);
    /* A signature is looked at when it would count, and then costs the sender its connection. */
    m.u.notices.leave = world_leave_notice(w, 3, world_view(w, 0).turn + 40);
    m.u.notices.leave.signature.b[50] ^= 1;
    world_send(w, 3, 0, &m);
    world_run(w, 8000 * MS);
    assert_int_equal(world_view(w, 0).away, 0);
    assert_in_range(world_bans(w), 2, 3);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_restarted_member_leads_soon),
        cmocka_unit_test(a_hung_client_is_benched_and_back),
        cmocka_unit_test(who_is_wrong_about_itself_returns_less_and_less),
        cmocka_unit_test(one_leader_that_heard_it_is_enough),
        cmocka_unit_test(a_planned_absence_costs_nothing),
        cmocka_unit_test(a_drain_that_ends_is_announced_too),
        cmocka_unit_test(a_caught_member_leads_no_more),
        cmocka_unit_test(every_kind_counts),
        cmocka_unit_test(readiness_by_rule),
        cmocka_unit_test(a_forged_return),
        cmocka_unit_test(leaves_by_rule),
        cmocka_unit_test(evidence_by_rule),
        cmocka_unit_test(anothers_notice_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
