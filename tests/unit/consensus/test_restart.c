/* Crashes, restarts, lost disks, failing disks: no second signature, nothing final is lost, the
 * set goes on by itself. (S4, S11, S12, S31, S35, S42 of the research, and CONSENSUS 8.) */
#include "tests/unit/consensus/world.h"

static uint64_t top_height(struct world *w)
{
    uint64_t top = 0;
    for (int a = 0; a < 4; a++) {
        top = world_height(w, a) > top ? world_height(w, a) : top;
    }
    return top;
}

static void one_member_at_every_moment(void **state)
{
    (void)state;
    /* The power fails at 120 different instants of a slot, hand-overs included. */
    for (uint64_t k = 0; k < 120; k++) {
        struct world_options o = world_defaults();
        o.seed = k;
        o.sync_us = 3 * MS;
        struct world *w = world_new(&o);
        assert_true(world_until_final(w, 4, 10000 * MS));
        world_run(w, k * 7 * MS);
        int victim = (int)(k % 4);
        world_crash(w, victim, true);
        world_run(w, 300 * MS);
        world_restart(w, victim);
        assert_true(world_until_final(w, top_height(w) + 6, 15000 * MS));
        assert_int_equal(world_alarms(w, ALARM_AMNESIAC), 0);
        world_free(w);
    }
}

static void everybody_at_once(void **state)
{
    (void)state;
    for (uint64_t k = 0; k < 150; k++) {
        struct world_options o = world_defaults();
        o.seed = 1000 + k;
        o.sync_us = 5 * MS;
        struct world *w = world_new(&o);
        assert_true(world_until_final(w, 5, 10000 * MS));
        world_run(w, k * 5 * MS + k % 3);
        for (int a = 0; a < 4; a++) {
            world_crash(w, a, true);
        }
        world_run(w, 200 * MS);
        for (int a = 0; a < 4; a++) {
            world_restart(w, a);
            world_run(w, (k % 5) * 20 * MS);
        }
        assert_true(world_until_final(w, top_height(w) + 4, 20000 * MS));
        world_free(w);
    }
}

static void everybody_twice_with_a_dead_member(void **state)
{
    (void)state;
    for (uint64_t k = 0; k < 40; k++) {
        struct world_options o = world_defaults();
        o.seed = 5000 + k;
        o.sync_us = 4 * MS;
        struct world *w = world_new(&o);
        assert_true(world_until_final(w, 3, 10000 * MS));
        world_run(w, k * 11 * MS);
        for (int round = 0; round < 2; round++) {
            for (int a = 0; a < 4; a++) {
                if (world_up(w, a)) {
                    world_crash(w, a, true);
                }
            }
            world_run(w, 100 * MS);
            for (int a = 0; a < 3; a++) {
                world_restart(w, a);
            }
            assert_true(world_until_final(w, top_height(w) + 3, 30000 * MS));
        }
        world_free(w);
    }
}

static void a_lost_disk_is_amnesiac_until_cleared(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 12, 20000 * MS));
    world_crash(w, 2, true);
    world_lose_disk(w, 2);
    world_run(w, 500 * MS);
    world_restart(w, 2);
    world_run(w, 1000 * MS);
    struct core_view v = world_view(w, 2);
    assert_true(v.amnesiac);
    /* Cleared by itself once a block far enough above every answer is final. */
    world_run(w, 20000 * MS);
    v = world_view(w, 2);
    assert_false(v.amnesiac);
    assert_true(world_until_final(w, top_height(w) + 8, 10000 * MS));
    assert_true(world_view(w, 2).highest_signed + 16 > world_view(w, 2).slot);
    world_free(w);
}

static void a_failing_disk_signs_nothing(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 8, 20000 * MS));
    int leader = world_view(w, 0).leader;
    world_fail_disk(w, leader, true);
    (void)world_gap(w);
    world_run(w, 4000 * MS);
    assert_in_range(world_gap(w), 0, 500 * MS);
    assert_true(world_view(w, leader).not_ready & NOT_READY_DISK);
    world_free(w);
}

static void late_joiner_is_lifted(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 5, 20000 * MS));
    world_isolate(w, 3, true);
    world_run(w, 8000 * MS);
    world_isolate(w, 3, false);
    assert_true(world_until_final(w, top_height(w) + 4, 8000 * MS));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_member_at_every_moment),
        cmocka_unit_test(everybody_at_once),
        cmocka_unit_test(everybody_twice_with_a_dead_member),
        cmocka_unit_test(a_lost_disk_is_amnesiac_until_cleared),
        cmocka_unit_test(a_failing_disk_signs_nothing),
        cmocka_unit_test(late_joiner_is_lifted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
