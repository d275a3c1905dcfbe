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
    assert_int_equal(world_evidence(s.w, s.z), 2);
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

/* ---- S17, S18: pauses and the gate ---------------------------------------------------------------------------------- */

static void s17_paused_member_heals_in_the_turn(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    o.turn_slots = 16;
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 20, 20000 * MS));
    int a = (world_view(w, 0).leader + 1) % 4;
    world_pause(w, a, true);
    world_run(w, 500 * MS);
    world_pause(w, a, false);
    world_run(w, 3000 * MS);
    assert_true(world_view(w, a).highest_signed + 4 >= world_view(w, a).slot);
    uint64_t top = world_height(w, a);
    assert_true(world_until_final(w, top + 10, 5000 * MS));
    world_free(w);
}

static void s18_two_members_paused(void **state)
{
    (void)state;
    for (uint64_t k = 0; k < 20; k++) {
        struct world_options o = world_defaults();
        o.turn_slots = 16;
        o.seed = k;
        struct world *w = world_new(&o);
        assert_true(world_until_final(w, 20, 20000 * MS));
        int leader = world_view(w, 0).leader;
        world_pause(w, (leader + 1) % 4, true);
        world_run(w, k * 30 * MS);
        world_pause(w, (leader + 2) % 4, true);
        world_run(w, 400 * MS);
        world_pause(w, (leader + 1) % 4, false);
        world_run(w, 50 * MS);
        world_pause(w, (leader + 2) % 4, false);
        uint64_t top = world_height(w, leader);
        assert_true(world_until_final(w, top + 12, 20000 * MS));
        world_free(w);
    }
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

/* ---- S26, S27: heartbeats and blocks ------------------------------------------------------------------------------------ */

static bool no_proposals(void *arg, int from, int to, const struct message *m)
{
    (void)to;
    return from == *(int *)arg && (m->kind == MSG_PROPOSAL || m->kind == MSG_BLOCK);
}

static void s26_heartbeats_without_blocks(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 9, 20000 * MS));
    int leader = world_view(w, 0).leader;
    world_filter(w, no_proposals, &leader);
    (void)world_gap(w);
    world_run(w, 3000 * MS);
    assert_in_range(world_gap(w), 0, 320 * MS);
    world_free(w);
}

static bool no_status(void *arg, int from, int to, const struct message *m)
{
    (void)to;
    return from == *(int *)arg && m->kind == MSG_STATUS;
}

static void s27_blocks_without_heartbeats(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 9, 20000 * MS));
    int leader = world_view(w, 0).leader;
    world_filter(w, no_status, &leader);
    uint64_t top = world_height(w, 0);
    assert_true(world_until_final(w, top + 40, 30000 * MS));
    world_free(w);
}

/* ---- S31: partitions ------------------------------------------------------------------------------------------------------ */

static void split(struct world *w, const int side[4], bool cut)
{
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < i; j++) {
            if (side[i] != side[j]) {
                world_cut(w, i, j, cut);
            }
        }
    }
}

static void s31_partitions_heal(void **state)
{
    (void)state;
    static const int sides[][4] = {{0, 0, 1, 1}, {0, 0, 0, 1}, {0, 1, 2, 3}, {0, 1, 0, 1}, {1, 0, 0, 0}};
    static const uint64_t lengths[] = {300 * MS, 5000 * MS, 90000 * MS};
    for (size_t p = 0; p < 5; p++) {
        for (size_t l = 0; l < 3; l++) {
            struct world_options o = world_defaults();
            o.seed = p * 3 + l;
            struct world *w = world_new(&o);
            assert_true(world_until_final(w, 6, 20000 * MS));
            split(w, sides[p], true);
            world_run(w, lengths[l]);
            split(w, sides[p], false);
            uint64_t top = 0;
            for (int a = 0; a < 4; a++) {
                top = world_height(w, a) > top ? world_height(w, a) : top;
            }
            assert_true(world_until_final(w, top + 6, 40000 * MS));
            world_free(w);
        }
    }
}

static void s31_bridge(void **state)
{
    (void)state;
    /* 0 and 1 do not reach 2 and 3 but through 1–2: everybody still hears a quorum's votes in the
     * certificates that the bridge carries. */
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 6, 20000 * MS));
    world_cut(w, 0, 3, true);
    uint64_t top = world_height(w, 1);
    assert_true(world_until_final(w, top + 20, 30000 * MS));
    world_free(w);
}

static bool one_way(void *arg, int from, int to, const struct message *m)
{
    (void)m;
    const int *pair = arg;
    return from == pair[0] && to == pair[1];
}

static void s31_one_way_cut(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 6, 20000 * MS));
    int pair[2] = {1, 3};
    world_filter(w, one_way, pair);
    uint64_t top = world_height(w, 0);
    assert_true(world_until_final(w, top + 30, 40000 * MS));
    world_free(w);
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

/* ---- S41, S42: pauses and disks -------------------------------------------------------------------------------------------------- */

static void s41_long_pauses(void **state)
{
    (void)state;
    for (int k = 0; k < 8; k++) {
        struct world_options o = world_defaults();
        o.seed = (uint64_t)k;
        struct world *w = world_new(&o);
        assert_true(world_until_final(w, 8, 20000 * MS));
        int victim = k % 4;
        world_pause(w, victim, true);
        world_run(w, (uint64_t)(100 << k) * MS);
        world_pause(w, victim, false);
        uint64_t top = world_height(w, (victim + 1) % 4);
        assert_true(world_until_final(w, top + 10, 20000 * MS));
        world_free(w);
    }
}

static void s42_slow_disks(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    o.sync_us = 400 * MS;
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 4, 120000 * MS));
    world_free(w);
}

/* ---- S43: clients disagree ----------------------------------------------------------------------------------------------------------- */

static void s43_one_client_says_invalid(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 8, 20000 * MS));
    int odd = (world_view(w, 0).leader + 1) % 4;
    world_invalid(w, odd, true);
    uint64_t top = world_height(w, odd);
    world_run(w, 8000 * MS);
    assert_true(world_height(w, (odd + 1) % 4) > top + 15);
    assert_true(world_alarms(w, ALARM_DIVERGENCE) >= 1);
    assert_true(world_view(w, odd).stopped);
    world_free(w);
}

static void s43_two_and_two_halt_without_fork(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 8, 20000 * MS));
    world_invalid(w, 0, true);
    world_invalid(w, 1, true);
    world_run(w, 5000 * MS);
    uint64_t top = world_height(w, 2);
    world_run(w, 5000 * MS);
    assert_in_range(world_height(w, 2), top, top + 1);
    world_free(w);
}

/* ---- S44: crash mode; S45: weights ---------------------------------------------------------------------------------------------------- */

static void s44_crash_mode_progress_iff_two_are_up(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    o.n = 3;
    o.fault_model = FAULT_CRASH;
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 6, 20000 * MS));
    world_crash(w, 0, true);
    uint64_t top = world_height(w, 1);
    assert_true(world_until_final(w, top + 10, 20000 * MS));
    world_crash(w, 1, true);
    world_run(w, 3000 * MS);
    top = world_height(w, 2);
    world_run(w, 5000 * MS);
    assert_int_equal(world_height(w, 2), top);
    world_restart(w, 0);
    assert_true(world_until_final(w, top + 5, 40000 * MS));
    world_free(w);
}

static void s45_weights(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    o.n = 4;
    const uint32_t weights[4] = {3, 3, 2, 2};
    memcpy(o.weight, weights, sizeof weights);
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 90, 60000 * MS));
    uint32_t led[4] = {0};
    for (uint64_t slot = 1; slot <= 80; slot++) {
        struct block_head h;
        assert_true(world_final_at(w, slot, &h));
        led[h.header.leader]++;
    }
    assert_int_equal(led[0], 24);
    assert_int_equal(led[2], 16);
    world_crash(w, 0, true);
    uint64_t top = world_height(w, 1);
    assert_true(world_until_final(w, top + 12, 20000 * MS));
    world_free(w);
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
        cmocka_unit_test(s17_paused_member_heals_in_the_turn),
        cmocka_unit_test(s18_two_members_paused),
        cmocka_unit_test(s21_last_and_a_twin_without),
        cmocka_unit_test(s22_last_lost_to_one),
        cmocka_unit_test(s26_heartbeats_without_blocks),
        cmocka_unit_test(s27_blocks_without_heartbeats),
        cmocka_unit_test(s31_partitions_heal),
        cmocka_unit_test(s31_bridge),
        cmocka_unit_test(s31_one_way_cut),
        cmocka_unit_test(s39_wrong_signer_is_banned),
        cmocka_unit_test(s40_far_votes_take_no_room),
        cmocka_unit_test(forged_certificate_is_banned),
        cmocka_unit_test(s41_long_pauses),
        cmocka_unit_test(s42_slow_disks),
        cmocka_unit_test(s43_one_client_says_invalid),
        cmocka_unit_test(s43_two_and_two_halt_without_fork),
        cmocka_unit_test(s44_crash_mode_progress_iff_two_are_up),
        cmocka_unit_test(s45_weights),
        cmocka_unit_test(s46_skips_everything),
        cmocka_unit_test(s47_last_at_the_first_slot_every_time),
        cmocka_unit_test(s48_votes_before_the_proposal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
