/* Memory and what liars can do to it (CONSENSUS 10): floods of votes and proposals, long absences,
 * long outages; and what a proposal must prove before it counts (N1, N4). */
#include <string.h>

#include "consensus/core.h"
#include "tests/unit/consensus/world_internal.h"

static uint64_t top_height(struct world *w, int n)
{
    uint64_t top = 0;
    for (int a = 0; a < n; a++) {
        top = world_height(w, a) > top ? world_height(w, a) : top;
    }
    return top;
}

static bool no_proposals(void *arg, int from, int to, const struct message *m)
{
    (void)arg;
    (void)from;
    (void)to;
    return m->kind == MSG_PROPOSAL || m->kind == MSG_BLOCK;
}

/* A set in which nothing is proposed for so many turns: each is skipped at its first slot. */
static struct world *after_an_outage(struct world_options *o, uint64_t turns)
{
    struct world *w = world_new(o);
    assert_true(world_until_final(w, 6, 30000 * MS));
    uint64_t turn = world_view(w, 0).turn;
    world_filter(w, no_proposals, NULL);
    for (uint64_t ms = 0; world_view(w, 0).turn < turn + turns; ms += 100) {
        assert_true(ms < 1000000);
        world_run(w, 100 * MS);
    }
    return w;
}

/* ---- records ------------------------------------------------------------------------------------ */

static void votes_for_passed_turns_take_no_room(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    o.turn_slots = 48;
    struct world *w = after_an_outage(&o, 10);
    int z = 3;
    world_possess(w, z, true);
    uint64_t slot = world_view(w, 0).slot;
    for (uint64_t s = world_view(w, 0).final_slot + 1; s < slot; s++) {
        world_send_vote(w, z, 0, VOTE_SKIP, s, NULL);
    }
    world_run(w, 20 * MS);
    assert_in_range(world_view(w, 0).records, 1, 150);
    world_filter(w, NULL, NULL);
    assert_true(world_until_final(w, top_height(w, 4) + 3, 120000 * MS));
    world_free(w);
}

/* A liar's records far ahead leave room for all that the next deliveries need. */
static void what_is_far_leaves_room_for_what_is_near(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 6, 30000 * MS));
    struct core *c = w->member[0].core;
    uint64_t root = c->block[c->root].head.header.slot;
    uint64_t far = root + NEAR_SLOTS + 1;
    uint64_t taken = 0;
    while (slot_get(c, far + taken) != NULL) {
        taken++;
    }
    assert_in_range(taken, LIMIT_CORE_RECORDS / 2, LIMIT_CORE_RECORDS - NEAR_RECORDS);
    for (uint64_t slot = root + 1; slot <= root + NEAR_SLOTS; slot++) {
        assert_non_null(slot_get(c, slot));
    }
    world_free(w);
}

/* S33: a late joiner catches up by ranges and votes again. */
static void s33_late_joiner_far_behind(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    o.n = 3;
    o.fault_model = FAULT_CRASH;
    o.block_time_ms = o.max_interval_ms = 50;
    o.turn_slots = 16;
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 6, 30000 * MS));
    world_crash(w, 2, true);
    world_run(w, 60000 * MS);
    assert_true(world_height(w, 0) > 700);
    world_restart(w, 2);
    world_run(w, 300 * MS);
    assert_true(world_until_final(w, top_height(w, 3) + 10, 60000 * MS));
    assert_int_equal(world_alarms(w, ALARM_RECORDS_FULL), 0);
    assert_in_range(world_view(w, 2).records, 0, 200);
    world_free(w);
}

static bool no_ranges(void *arg, int from, int to, const struct message *m)
{
    (void)arg;
    (void)from;
    (void)to;
    return m->kind == MSG_BLOCKS;
}

/* As long as ranges do not come, the walk backwards from the live blocks must leave room for them. */
static void s33_ranges_that_come_late(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    o.n = 3;
    o.fault_model = FAULT_CRASH;
    o.block_time_ms = o.max_interval_ms = 50;
    o.turn_slots = 16;
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 6, 30000 * MS));
    world_crash(w, 2, true);
    world_run(w, 230000 * MS);
    assert_true(world_height(w, 0) > LIMIT_CORE_RECORDS);
    world_filter(w, no_ranges, NULL);
    world_restart(w, 2);
    world_run(w, 20000 * MS);
    assert_in_range(world_view(w, 2).blocks, 0, 2500);
    world_filter(w, NULL, NULL);
    assert_true(world_until_final(w, top_height(w, 3) + 10, 60000 * MS));
    world_free(w);
}

/* ---- long system sections ---------------------------------------------------------------------------- */

static void junk_sections_do_not_stop_a_long_list_of_skips(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    o.block_time_ms = o.max_interval_ms = 50;
    o.turn_slots = 100;
    o.depth = 16;
    struct world *w = after_an_outage(&o, 60);
    int z = world_leader(w, world_view(w, 0).turn + 2);
    world_possess(w, z, true);
    struct skipped_turn junk[100];
    for (uint64_t i = 0; i < 100; i++) {
        junk[i] = (struct skipped_turn){i + 1, (i + 1) * 100 + 1};
    }
    world_filter(w, NULL, NULL);
    /* Its next turns are admitted: proposals there with sections too long to stand inline. */
    struct block_head anchor = world_anchor(w);
    for (uint64_t turn = world_view(w, 0).turn; turn <= world_view(w, 0).turn + 4; turn++) {
        for (uint64_t k = 0; world_leader(w, turn) == z && k < 33; k++) {
            struct block_head b = world_make_block_over(w, z, turn * 100 + 1 + k, &anchor, 0, 0, junk, 100);
            for (int a = 0; a < 4; a++) {
                if (a != z) {
                    world_send_proposal(w, z, a, &b, NULL);
                }
            }
        }
    }
    assert_true(world_until_final(w, top_height(w, 4) + 3, 200000 * MS));
    world_free(w);
}

/* ---- what a proposal must prove ------------------------------------------------------------------------ */

/* A turn was skipped after its second block; Z lists its first slot, to have its leader benched. */
static void a_listed_skip_must_be_proved(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 13, 30000 * MS));
    while (world_view(w, 0).slot % 4 != 3) {
        world_run(w, 1 * MS);
    }
    uint64_t turn = world_view(w, 0).turn;
    int victim = world_leader(w, turn);
    int z = world_leader(w, turn + 1);
    world_possess(w, z, true);
    world_pause(w, victim, true);
    while (world_view(w, (victim + 1) % 4 == z ? (victim + 2) % 4 : (victim + 1) % 4).turn == turn) {
        for (int a = 0; a < 4; a++) {
            if (a != z) {
                world_send_vote(w, z, a, VOTE_SKIP, turn * 4 + 3, NULL);
            }
        }
        world_run(w, 10 * MS);
    }
    world_pause(w, victim, false);
    struct block_head parent;
    assert_true(world_final_at(w, turn * 4 + 2, &parent));
    struct skipped_turn lie = {turn, turn * 4 + 1};
    struct block_head b = world_make_block_over(w, z, (turn + 1) * 4 + 1, &parent, 0, 0, &lie, 1);
    for (int a = 0; a < 4; a++) {
        if (a != z) {
            world_send_proposal(w, z, a, &b, NULL);
        }
    }
    assert_true(world_until_final(w, top_height(w, 4) + 5, 20000 * MS));
    struct block_head f;
    assert_false(world_final_at(w, b.header.slot, &f) && hash_equal(&f.hash, &b.hash));
    world_free(w);
}

/* More than F lie: a skip certificate of a turn that has final blocks. Nobody signs on. */
static void a_skip_beside_a_final_block_stops_everybody(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 6, 30000 * MS));
    struct core_view v = world_view(w, 0);
    static struct certificate cert;
    cert = (struct certificate){.kind = VOTE_SKIP, .slot = (v.final_slot - 1) / 4 * 4 + 1, .signers = 0xe};
    struct hash digest = vote_digest(&w->epoch, VOTE_SKIP, cert.slot, &cert.block);
    for (int i = 1; i < 4; i++) {
        world_sign(&cert.signature[i - 1], &w->epoch.member[i].address, &digest);
    }
    struct message m = {.kind = MSG_BUNDLE};
    m.u.bundle.cert = &cert;
    m.u.bundle.certs = 1;
    world_send(w, 3, 0, &m);
    world_run(w, 3 * MS);
    assert_int_equal(world_alarms(w, ALARM_CONFLICT), 1);
    assert_true(world_view(w, 0).stopped);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(votes_for_passed_turns_take_no_room),
        cmocka_unit_test(what_is_far_leaves_room_for_what_is_near),
        cmocka_unit_test(s33_late_joiner_far_behind),
        cmocka_unit_test(s33_ranges_that_come_late),
        cmocka_unit_test(junk_sections_do_not_stop_a_long_list_of_skips),
        cmocka_unit_test(a_listed_skip_must_be_proved),
        cmocka_unit_test(a_skip_beside_a_final_block_stops_everybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
