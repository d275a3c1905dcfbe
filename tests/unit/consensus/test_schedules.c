/* Adversarial schedules of the research (S1–S48, those that need no epoch): A, B, C honest, Z
 * possessed by the test. n = 4, Q = 3, K = 4 unless said. The oracle of the world checks safety at
 * every step; here stands what else must hold. */
#include <string.h>

#include "tests/unit/consensus/world.h"

struct cast {
    struct world *w;
    int z;               /* the possessed member: leader of the turn under test */
    int a, b, c;
    uint64_t turn, first;
    struct block_head parent;
};

/* Runs to the last slot before a turn and possesses its leader at once, so that the test leads. */
static struct cast stage(uint64_t turn, uint32_t turn_slots)
{
    struct world_options o = world_defaults();
    o.turn_slots = turn_slots;
    struct cast s = {.w = world_new(&o), .turn = turn, .first = turn * turn_slots + 1};
    s.z = world_leader(s.w, turn);
    int *other[3] = {&s.a, &s.b, &s.c};
    for (int i = 0, k = 0; i < 4; i++) {
        if (i != s.z) {
            *other[k++] = i;
        }
    }
    while (!world_final_at(s.w, s.first - 1, &s.parent)) {
        world_run(s.w, 1 * MS);
        assert_true(world_now(s.w) < 60000 * MS);
    }
    world_possess(s.w, s.z, true);
    /* Everybody stands in the turn's first slot. */
    world_run(s.w, 20 * MS);
    assert_int_equal(world_view(s.w, s.a).slot, s.first);
    return s;
}

static void propose(struct cast *s, int to, const struct block_head *b)
{
    world_send_proposal(s->w, s->z, to, b, NULL);
}

static void vote(struct cast *s, int to, uint8_t kind, const struct block_head *b)
{
    world_send_vote(s->w, s->z, to, kind, b->header.slot, &b->hash);
}

static void z_skip(struct cast *s, uint64_t slot)
{
    for (int i = 0; i < 4; i++) {
        if (i != s->z) {
            world_send_vote(s->w, s->z, i, VOTE_SKIP, slot, NULL);
        }
    }
}

static bool final_has(struct cast *s, const struct block_head *b)
{
    struct block_head f;
    return world_final_at(s->w, b->header.slot, &f) && hash_equal(&f.hash, &b->hash);
}

/* The chain goes on: so many further heights at A, B and C. */
static void goes_on(struct cast *s, uint64_t more, uint64_t limit_us)
{
    uint64_t top = world_height(s->w, s->a);
    top = world_height(s->w, s->b) > top ? world_height(s->w, s->b) : top;
    top = world_height(s->w, s->c) > top ? world_height(s->w, s->c) : top;
    assert_true(world_until_final(s->w, top + more, limit_us));
}

static struct block_head block_at(struct cast *s, uint64_t slot, const struct block_head *parent, uint8_t flags, uint8_t twist)
{
    return world_make_block(s->w, s->z, slot, parent, flags, twist);
}

/* ---- S1, S2: the leader dies right after its proposal ------------------------------------------------- */

static void s01_dies_after_proposing_to_all(void **state)
{
    (void)state;
    struct cast s = stage(2, 4);
    struct block_head b = block_at(&s, s.first, &s.parent, 0, 0);
    propose(&s, s.a, &b);
    propose(&s, s.b, &b);
    propose(&s, s.c, &b);
    goes_on(&s, 4, 5000 * MS);
    assert_true(final_has(&s, &b));
    world_free(s.w);
}

static void s02_dies_after_proposing_to_one(void **state)
{
    (void)state;
    struct cast s = stage(2, 4);
    struct block_head b = block_at(&s, s.first, &s.parent, 0, 0);
    propose(&s, s.a, &b);
    goes_on(&s, 4, 5000 * MS);
    assert_false(final_has(&s, &b));
    world_free(s.w);
}

/* ---- S3–S6: a certificate that one member alone holds ---------------------------------------------------- */

struct quiet {
    int only;            /* notarize votes reach this member alone */
    uint64_t slot;
};

static bool notarize_only_to(void *arg, int from, int to, const struct message *m)
{
    const struct quiet *q = arg;
    (void)from;
    if (m->kind != MSG_VOTES || to == q->only) {
        return false;
    }
    for (uint32_t i = 0; i < m->u.bundle.votes; i++) {
        if (m->u.bundle.vote[i].kind == VOTE_NOTARIZE && m->u.bundle.vote[i].slot == q->slot) {
            return true;
        }
    }
    return false;
}

static void lone_certificate(bool z_skips, bool a_crashes)
{
    struct cast s = stage(2, 4);
    struct quiet q = {s.a, s.first};
    world_filter(s.w, notarize_only_to, &q);
    struct block_head b = block_at(&s, s.first, &s.parent, 0, 0);
    propose(&s, s.a, &b);
    propose(&s, s.b, &b);
    propose(&s, s.c, &b);
    world_run(s.w, 30 * MS);
    assert_true(world_signed(s.w, s.a, VOTE_FINALIZE, s.first));
    world_isolate(s.w, s.a, true);
    if (a_crashes) {
        world_crash(s.w, s.a, true);
    }
    if (z_skips) {
        z_skip(&s, s.first);
    }
    world_run(s.w, 3000 * MS);
    world_filter(s.w, NULL, NULL);
    if (a_crashes) {
        world_restart(s.w, s.a);
    }
    world_isolate(s.w, s.a, false);
    goes_on(&s, 6, 20000 * MS);
    world_free(s.w);
}

static void s03_lone_holder_cut_off(void **state)
{
    (void)state;
    lone_certificate(false, false);
    lone_certificate(true, false);
}

static void s04_lone_holder_crashes_after_finalize(void **state)
{
    (void)state;
    lone_certificate(false, true);
    lone_certificate(true, true);
}

static void s05_z_completes_a_certificate_for_one(void **state)
{
    (void)state;
    struct cast s = stage(2, 4);
    struct block_head b = block_at(&s, s.first, &s.parent, 0, 0);
    propose(&s, s.a, &b);
    world_run(s.w, 3 * MS);
    propose(&s, s.b, &b);
    world_run(s.w, 400 * MS);
    vote(&s, s.a, VOTE_NOTARIZE, &b);
    goes_on(&s, 5, 20000 * MS);
    world_free(s.w);
}

static void s06_finalized_by_one_then_next_slot_skipped(void **state)
{
    (void)state;
    struct cast s = stage(2, 4);
    struct block_head b = block_at(&s, s.first, &s.parent, 0, 0);
    for (int i = 0; i < 4; i++) {
        if (i != s.z) {
            propose(&s, i, &b);
        }
    }
    world_run(s.w, 12 * MS);
    vote(&s, s.a, VOTE_FINALIZE, &b);
    z_skip(&s, s.first + 1);
    goes_on(&s, 5, 20000 * MS);
    assert_true(final_has(&s, &b));
    world_free(s.w);
}

/* ---- S7, S9: certified split, next leader any ------------------------------------------------------------- */

static void s07_certified_split_twice(void **state)
{
    (void)state;
    for (int holder = 0; holder < 3; holder++) {
        struct cast s = stage(2, 4);
        struct quiet q = {holder == 0 ? s.a : holder == 1 ? s.b : s.c, s.first};
        world_filter(s.w, notarize_only_to, &q);
        struct block_head b = block_at(&s, s.first, &s.parent, 0, 0);
        propose(&s, s.a, &b);
        propose(&s, s.b, &b);
        propose(&s, s.c, &b);
        world_run(s.w, 60 * MS);
        z_skip(&s, s.first);
        world_run(s.w, 600 * MS);
        world_filter(s.w, NULL, NULL);
        goes_on(&s, 6, 20000 * MS);
        world_free(s.w);
    }
}

/* ---- S13, S14: equivocation ---------------------------------------------------------------------------------- */

static void s13_equivocating_leader(void **state)
{
    (void)state;
    struct cast s = stage(2, 4);
    struct block_head x = block_at(&s, s.first, &s.parent, 0, 1);
    struct block_head y = block_at(&s, s.first, &s.parent, 0, 2);
    propose(&s, s.a, &x);
    propose(&s, s.b, &x);
    propose(&s, s.c, &y);
    vote(&s, s.a, VOTE_NOTARIZE, &x);
    vote(&s, s.b, VOTE_NOTARIZE, &x);
    vote(&s, s.c, VOTE_NOTARIZE, &y);
    world_run(s.w, 20 * MS);
    propose(&s, s.c, &x);
    propose(&s, s.a, &y);
    goes_on(&s, 5, 10000 * MS);
    assert_false(final_has(&s, &y));
    assert_true(world_evidence(s.w, s.z) > 0);
    world_free(s.w);
}

static void s14_pipelined_children_on_both_sides(void **state)
{
    (void)state;
    struct cast s = stage(2, 4);
    struct block_head x = block_at(&s, s.first, &s.parent, 0, 1);
    struct block_head y = block_at(&s, s.first, &s.parent, 0, 2);
    for (int k = 0; k < 4; k++) {
        propose(&s, s.a, &x);
        propose(&s, s.b, &x);
        propose(&s, s.c, &y);
        x = block_at(&s, s.first + (uint64_t)k + 1 < s.first + 4 ? s.first + (uint64_t)k + 1 : s.first + 3, &x, 0, 1);
        y = block_at(&s, s.first + (uint64_t)k + 1 < s.first + 4 ? s.first + (uint64_t)k + 1 : s.first + 3, &y, 0, 2);
    }
    vote(&s, s.c, VOTE_NOTARIZE, &y);
    goes_on(&s, 5, 15000 * MS);
    world_free(s.w);
}

static void double_votes_are_evidence(void **state)
{
    (void)state;
    struct cast s = stage(2, 4);
    struct block_head x = block_at(&s, s.first, &s.parent, 0, 1);
    struct block_head y = block_at(&s, s.first, &s.parent, 0, 2);
    vote(&s, s.a, VOTE_NOTARIZE, &x);
    vote(&s, s.a, VOTE_NOTARIZE, &y);
    vote(&s, s.b, VOTE_FINALIZE, &x);
    world_send_vote(s.w, s.z, s.b, VOTE_SKIP, s.first, NULL);
    world_run(s.w, 20 * MS);
    assert_in_range(world_evidence(s.w, s.z), 2, 3); /* the third may hear of it from the chain */
    world_free(s.w);
}

/* ---- S15: withheld bodies are fetched; S16: INVALID blocks ------------------------------------------------------ */

static void s15_withheld_from_one(void **state)
{
    (void)state;
    struct cast s = stage(2, 4);
    struct block_head b = block_at(&s, s.first, &s.parent, 0, 0);
    propose(&s, s.a, &b);
    propose(&s, s.b, &b);
    vote(&s, s.a, VOTE_NOTARIZE, &b);
    vote(&s, s.b, VOTE_NOTARIZE, &b);
    vote(&s, s.c, VOTE_NOTARIZE, &b);
    world_run(s.w, 80 * MS);
    vote(&s, s.a, VOTE_FINALIZE, &b);
    vote(&s, s.b, VOTE_FINALIZE, &b);
    vote(&s, s.c, VOTE_FINALIZE, &b);
    world_run(s.w, 80 * MS);
    assert_true(final_has(&s, &b));
    /* C got it from A or B. */
    assert_true(world_view(s.w, s.c).final_slot >= s.first);
    world_free(s.w);
}

static void s16_invalid_block_with_children(void **state)
{
    (void)state;
    struct cast s = stage(2, 4);
    world_invalid(s.w, s.a, true);
    world_invalid(s.w, s.b, true);
    world_invalid(s.w, s.c, true);
    struct block_head b = block_at(&s, s.first, &s.parent, 0, 0);
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < 4; i++) {
            if (i != s.z) {
                propose(&s, i, &b);
            }
        }
        struct block_head child = block_at(&s, b.header.slot + 1, &b, 0, 0);
        b = child;
    }
    world_run(s.w, 40 * MS);
    world_invalid(s.w, s.a, false);
    world_invalid(s.w, s.b, false);
    world_invalid(s.w, s.c, false);
    goes_on(&s, 4, 10000 * MS);
    struct block_head f;
    assert_false(world_final_at(s.w, s.first, &f));
    world_free(s.w);
}

/* ---- S21, S22, S47: LAST -------------------------------------------------------------------------------------------- */

static void s21_last_and_a_twin_without(void **state)
{
    (void)state;
    struct cast s = stage(2, 4);
    struct block_head last = block_at(&s, s.first, &s.parent, FLAG_LAST, 0);
    struct block_head twin = block_at(&s, s.first, &s.parent, 0, 0);
    struct block_head child = block_at(&s, s.first + 1, &twin, 0, 0);
    struct block_head beside = block_at(&s, s.first + 1, &last, 0, 7);
    propose(&s, s.a, &last);
    propose(&s, s.b, &last);
    propose(&s, s.c, &twin);
    propose(&s, s.c, &child);
    propose(&s, s.a, &beside);
    propose(&s, s.b, &beside);
    vote(&s, s.a, VOTE_NOTARIZE, &last);
    vote(&s, s.b, VOTE_NOTARIZE, &last);
    goes_on(&s, 5, 10000 * MS);
    assert_false(final_has(&s, &beside));
    world_free(s.w);
}

static void s47_last_at_the_first_slot_every_time(void **state)
{
    (void)state;
    struct cast s = stage(2, 4);
    struct block_head b = block_at(&s, s.first, &s.parent, FLAG_LAST, 0);
    for (int i = 0; i < 4; i++) {
        if (i != s.z) {
            propose(&s, i, &b);
        }
    }
    goes_on(&s, 5, 3000 * MS);
    assert_true(final_has(&s, &b));
    /* The rest of the turn is void without a vote. */
    assert_false(world_signed(s.w, s.a, VOTE_SKIP, s.first + 1));
    world_free(s.w);
}

static void s22_last_lost_to_one(void **state)
{
    (void)state;
    struct cast s = stage(2, 4);
    struct block_head b = block_at(&s, s.first, &s.parent, FLAG_LAST, 0);
    propose(&s, s.a, &b);
    propose(&s, s.b, &b);
    vote(&s, s.a, VOTE_NOTARIZE, &b);
    vote(&s, s.b, VOTE_NOTARIZE, &b);
    goes_on(&s, 5, 5000 * MS);
    world_free(s.w);
}

/* ---- S39, S40: replays and floods -------------------------------------------------------------------------------------------- */

static void s40_far_votes_take_no_room(void **state)
{
    (void)state;
    struct cast s = stage(2, 4);
    struct hash h = s.parent.hash;
    for (uint64_t k = 0; k < 3000; k++) {
        world_send_vote(s.w, s.z, s.a, VOTE_NOTARIZE, s.first + 100 + k * 7, &h);
        world_send_vote(s.w, s.z, s.a, VOTE_SKIP, s.first + 1 + k % 4096, NULL);
    }
    world_run(s.w, 50 * MS);
    assert_in_range(world_view(s.w, s.a).records, 0, 120);
    goes_on(&s, 5, 10000 * MS);
    world_free(s.w);
}

static void s39_wrong_signer_is_banned(void **state)
{
    (void)state;
    struct cast s = stage(2, 4);
    struct vote v = {.kind = VOTE_NOTARIZE, .signer = (uint8_t)s.b, .slot = s.first, .block = s.parent.hash};
    struct message m = {.kind = MSG_VOTES};
    m.u.bundle.vote = &v;
    m.u.bundle.votes = 1;
    world_send(s.w, s.z, s.a, &m);
    world_run(s.w, 5 * MS);
    assert_int_equal(world_bans(s.w), 1);
    world_free(s.w);
}

static void forged_certificate_is_banned(void **state)
{
    (void)state;
    struct cast s = stage(2, 4);
    static struct certificate cert;
    cert = (struct certificate){.kind = VOTE_FINALIZE, .slot = s.first, .block = s.parent.hash, .signers = 7};
    struct message m = {.kind = MSG_BUNDLE};
    m.u.bundle.cert = &cert;
    m.u.bundle.certs = 1;
    world_send(s.w, s.z, s.a, &m);
    world_run(s.w, 5 * MS);
    assert_int_equal(world_bans(s.w), 1);
    assert_int_equal(world_alarms(s.w, ALARM_CONFLICT), 0);
    goes_on(&s, 4, 10000 * MS);
    world_free(s.w);
}

/* ---- S46: a member that skips everything --------------------------------------------------------------------------------------------------- */

static void s46_skips_everything(void **state)
{
    (void)state;
    struct cast s = stage(2, 4);
    for (int k = 0; k < 200; k++) {
        for (uint64_t slot = world_view(s.w, s.a).slot; slot < world_view(s.w, s.a).slot + 2; slot++) {
            z_skip(&s, slot);
        }
        world_run(s.w, 50 * MS);
    }
    goes_on(&s, 8, 10000 * MS);
    world_free(s.w);
}

/* ---- S48: everything out of order ------------------------------------------------------------------------------------------------------------- */

static void s48_votes_before_the_proposal(void **state)
{
    (void)state;
    struct cast s = stage(2, 4);
    struct block_head b = block_at(&s, s.first, &s.parent, 0, 0);
    struct block_head child = block_at(&s, s.first + 1, &b, 0, 0);
    for (int i = 0; i < 4; i++) {
        if (i == s.z) {
            continue;
        }
        vote(&s, i, VOTE_FINALIZE, &b);
        vote(&s, i, VOTE_NOTARIZE, &b);
        propose(&s, i, &child);
    }
    world_run(s.w, 5 * MS);
    propose(&s, s.a, &b);
    propose(&s, s.b, &b);
    propose(&s, s.c, &b);
    world_run(s.w, 60 * MS);
    assert_true(final_has(&s, &b));
    goes_on(&s, 4, 10000 * MS);
    world_free(s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s01_dies_after_proposing_to_all),
        cmocka_unit_test(s02_dies_after_proposing_to_one),
        cmocka_unit_test(s03_lone_holder_cut_off),
        cmocka_unit_test(s04_lone_holder_crashes_after_finalize),
        cmocka_unit_test(s05_z_completes_a_certificate_for_one),
        cmocka_unit_test(s06_finalized_by_one_then_next_slot_skipped),
        cmocka_unit_test(s07_certified_split_twice),
        cmocka_unit_test(s13_equivocating_leader),
        cmocka_unit_test(s14_pipelined_children_on_both_sides),
        cmocka_unit_test(double_votes_are_evidence),
        cmocka_unit_test(s15_withheld_from_one),
        cmocka_unit_test(s16_invalid_block_with_children),
        cmocka_unit_test(s21_last_and_a_twin_without),
        cmocka_unit_test(s22_last_lost_to_one),
        cmocka_unit_test(s39_wrong_signer_is_banned),
        cmocka_unit_test(s40_far_votes_take_no_room),
        cmocka_unit_test(forged_certificate_is_banned),
        cmocka_unit_test(s46_skips_everything),
        cmocka_unit_test(s47_last_at_the_first_slot_every_time),
        cmocka_unit_test(s48_votes_before_the_proposal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
