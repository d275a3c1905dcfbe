/* The leader dies, stalls, hangs, is cut off, drains: a standby orders on within about a slot. */
#include "tests/unit/consensus/world.h"

/* Runs to the middle of some turn of its leader, and says who that is. */
static int into_a_turn(struct world *w, uint64_t height)
{
    assert_true(world_until_final(w, height, 60000 * MS));
    return world_view(w, 0).leader;
}

static uint64_t outage_after(struct world *w, uint64_t more)
{
    (void)world_gap(w);
    uint64_t top = 0;
    for (int a = 0; a < 4; a++) {
        top = world_height(w, a) > top ? world_height(w, a) : top;
    }
    assert_true(world_until_final(w, top + more, 30000 * MS));
    return world_gap(w);
}

static void killed_leader(void **state)
{
    (void)state;
    for (uint64_t height = 9; height < 24; height++) {
        struct world_options o = world_defaults();
        struct world *w = world_new(&o);
        int leader = into_a_turn(w, height);
        world_crash(w, leader, false);
        assert_in_range(outage_after(w, 6), 0, 260 * MS);
        world_free(w);
    }
}

static void power_loss_of_the_leader(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    world_crash(w, into_a_turn(w, 10), true);
    assert_in_range(outage_after(w, 6), 0, 300 * MS);
    world_free(w);
}

static void leader_cut_off_and_back(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    int leader = into_a_turn(w, 10);
    world_isolate(w, leader, true);
    (void)world_gap(w);
    world_run(w, 5000 * MS);
    assert_in_range(world_gap(w), 0, 300 * MS);
    uint64_t frozen = world_height(w, leader);
    world_isolate(w, leader, false);
    assert_true(world_until_final(w, frozen + 20, 3000 * MS));
    world_free(w);
}

static void paused_leader(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    int leader = into_a_turn(w, 10);
    world_pause(w, leader, true);
    (void)world_gap(w);
    world_run(w, 3000 * MS);
    assert_in_range(world_gap(w), 0, 300 * MS);
    world_pause(w, leader, false);
    uint64_t height = world_height(w, (leader + 1) % 4);
    assert_true(world_until_final(w, height + 8, 5000 * MS));
    world_free(w);
}

static void client_of_the_leader_hangs(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    int leader = into_a_turn(w, 10);
    world_hang_client(w, leader, true);
    (void)world_gap(w);
    world_run(w, 4000 * MS);
    assert_in_range(world_gap(w), 0, 450 * MS);
    world_hang_client(w, leader, false);
    uint64_t height = world_height(w, (leader + 1) % 4);
    assert_true(world_until_final(w, height + 20, 10000 * MS));
    world_free(w);
}

static void planned_drain_costs_nothing(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    int leader = into_a_turn(w, 10);
    world_drain(w, leader, true);
    assert_in_range(outage_after(w, 8), 0, 230 * MS);
    world_free(w);
}

static void dead_member_costs_nothing_later(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    world_crash(w, into_a_turn(w, 10), false);
    uint64_t top = world_height(w, 0) > world_height(w, 1) ? world_height(w, 0) : world_height(w, 1);
    assert_true(world_until_final(w, top + 40, 20000 * MS));
    (void)world_gap(w);
    assert_true(world_until_final(w, top + 140, 40000 * MS));
    assert_in_range(world_gap(w), 0, 250 * MS);
    world_free(w);
}

static void two_dead_leaders_in_a_row_of_seven(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    o.n = 7;
    struct world *w = world_new(&o);
    int leader = into_a_turn(w, 10);
    uint64_t turn = world_view(w, (leader + 1) % 7).turn;
    world_crash(w, leader, true);
    int next = world_leader(w, turn + 1);
    if (next != leader) {
        world_crash(w, next, true);
    }
    (void)world_gap(w);
    world_run(w, 6000 * MS);
    assert_in_range(world_gap(w), 0, 500 * MS);
    world_free(w);
}

static void returned_member_leads_again(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    int leader = into_a_turn(w, 10);
    world_crash(w, leader, false);
    world_run(w, 20000 * MS);
    world_restart(w, leader);
    world_run(w, 240000 * MS);
    uint64_t led = 0;
    uint64_t top = world_view(w, leader).final_slot;
    for (uint64_t slot = top > 64 ? top - 64 : 1; slot <= top; slot++) {
        struct block_head h;
        led += world_final_at(w, slot, &h) && h.header.leader == leader;
    }
    assert_in_range(led, 8, 64);
    world_free(w);
}

static void crash_mode_with_one_of_three_dead(void **state)
{
    (void)state;
    for (int dead = 0; dead < 3; dead++) {
        struct world_options o = world_defaults();
        o.n = 3;
        o.fault_model = FAULT_CRASH;
        struct world *w = world_new(&o);
        assert_true(world_until_final(w, 7, 10000 * MS));
        world_crash(w, dead, false);
        (void)world_gap(w);
        world_run(w, 10000 * MS);
        assert_in_range(world_gap(w), 0, 400 * MS);
        world_free(w);
    }
}

/* One member's word costs the leader nothing: the turn goes on past its skip. Of blocking weight
 * it ends the turn; each word counts once, and never against oneself. */
static void starving_transactions(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    o.turn_slots = 8;
    struct world *w = world_new(&o);
    int leader = into_a_turn(w, 10);
    uint64_t turn = world_view(w, leader).turn;
    world_starve(w, leader);
    assert_int_equal(world_own_skips(w, SKIP_STARVING), 0);
    world_starve(w, (leader + 1) % 4);
    assert_int_equal(world_own_skips(w, SKIP_STARVING), 1);
    world_run(w, 300 * MS);
    assert_int_equal(world_own_skips(w, SKIP_STARVING), 1);
    assert_int_equal(world_skips(w), 0);
    assert_int_equal(world_view(w, leader).turn, turn);
    world_run(w, 200 * MS);
    world_starve(w, (leader + 1) % 4);
    world_starve(w, (leader + 2) % 4);
    world_run(w, 100 * MS);
    assert_int_equal(world_own_skips(w, SKIP_STARVING), 3);
    assert_int_equal(world_view(w, leader).turn, turn + 1);
    assert_in_range(outage_after(w, 6), 0, 260 * MS);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_leader),
        cmocka_unit_test(power_loss_of_the_leader),
        cmocka_unit_test(leader_cut_off_and_back),
        cmocka_unit_test(paused_leader),
        cmocka_unit_test(client_of_the_leader_hangs),
        cmocka_unit_test(planned_drain_costs_nothing),
        cmocka_unit_test(dead_member_costs_nothing_later),
        cmocka_unit_test(two_dead_leaders_in_a_row_of_seven),
        cmocka_unit_test(returned_member_leads_again),
        cmocka_unit_test(crash_mode_with_one_of_three_dead),
        cmocka_unit_test(starving_transactions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
