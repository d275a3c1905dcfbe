/* Schedules of the research that need no lying member: pauses, cuts, slow disks, clients that
 * disagree, weights. (S17, S18, S26, S27, S31, S41–S45.) */
#include <string.h>

#include "tests/unit/consensus/world.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s17_paused_member_heals_in_the_turn),
        cmocka_unit_test(s18_two_members_paused),
        cmocka_unit_test(s26_heartbeats_without_blocks),
        cmocka_unit_test(s27_blocks_without_heartbeats),
        cmocka_unit_test(s31_partitions_heal),
        cmocka_unit_test(s31_bridge),
        cmocka_unit_test(s31_one_way_cut),
        cmocka_unit_test(s41_long_pauses),
        cmocka_unit_test(s42_slow_disks),
        cmocka_unit_test(s43_one_client_says_invalid),
        cmocka_unit_test(s43_two_and_two_halt_without_fork),
        cmocka_unit_test(s44_crash_mode_progress_iff_two_are_up),
        cmocka_unit_test(s45_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
