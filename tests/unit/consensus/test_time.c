/* The chain's time beside the clock (CONSENSUS 2, 7): takeovers that wait for no interval put it
 * ahead; blocks that come a little later bring it back. */
#include "tests/unit/consensus/world.h"

/* How far the highest final block's time is ahead of the clock, in ms. */
static int64_t lead_ms(struct world *w)
{
    struct block_head h;
    uint64_t slot = world_view(w, 0).final_slot;
    while (slot > 0 && !world_final_at(w, slot, &h)) {
        slot--;
    }
    return slot == 0 ? 0 : (int64_t)h.header.timestamp_ms - 1700000000000 - (int64_t)(world_now(w) / MS);
}

/* The leader's client hangs until its turn is over. */
static void stall_once(struct world *w)
{
    int leader = world_view(w, 0).leader;
    uint64_t turn = world_view(w, 0).turn;
    world_hang_client(w, leader, true);
    for (int k = 0; world_view(w, 0).turn == turn; k++) {
        world_run(w, 10 * MS);
        assert_true(k < 1000);
    }
    world_hang_client(w, leader, false);
}

static void fifty_stalls(uint32_t pace, int64_t allowed_ms)
{
    struct world_options o = world_defaults();
    o.turn_slots = 8;
    o.pace = pace;
    struct world *w = world_new(&o);
    world_run(w, 1000 * MS);
    for (int a = 0; a < 4; a++) {
        world_pending(w, a, true);
    }
    assert_true(world_until_final(w, 10, 20000 * MS));
    int64_t worst = 0;
    for (int k = 0; k < 50; k++) {
        stall_once(w);
        world_run(w, 2000 * MS);
        worst = lead_ms(w) > worst ? lead_ms(w) : worst;
    }
    print_message("ahead by %d ms at most, %d ms after fifty stalls\n", (int)worst, (int)lead_ms(w));
    world_run(w, 15000 * MS); /* as fast as blocks may be late: a twelfth of the time */
    assert_in_range(lead_ms(w) + 1000, 1000 - 250, 1000 + allowed_ms);
    assert_int_equal(world_own_skips(w, SKIP_LATE), 0);
    world_free(w);
}

static void fifty_stalls_leave_the_time_right(void **state)
{
    (void)state;
    fifty_stalls(PACE_FIXED, 200);
    fifty_stalls(PACE_DEMAND, 500 + 200); /* it may run ahead by as much, for bursts */
}

/* What walks the time back never costs a turn, at any block time and distance. */
static void walking_back_skips_nobody(void **state)
{
    (void)state;
    static const uint32_t times[] = {50, 200, 1000};
    static const uint64_t links[] = {1 * MS, 20 * MS, 60 * MS};
    for (int t = 0; t < 3; t++) {
        for (int l = 0; l < 3; l++) {
            struct world_options o = world_defaults();
            o.turn_slots = 8;
            o.block_time_ms = o.max_interval_ms = times[t];
            o.link_us = links[l];
            o.depth = 5;
            struct world *w = world_new(&o);
            assert_true(world_until_final(w, 10, 60000 * MS));
            for (int k = 0; k < 3; k++) {
                stall_once(w);
            }
            uint64_t skips = world_skips(w);
            world_run(w, (uint64_t)times[t] * 100 * MS);
            assert_int_equal(world_own_skips(w, SKIP_LATE), 0);
            assert_in_range(world_skips(w) - skips, 0, 3 * 4); /* those benched for their stalls */
            world_free(w);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fifty_stalls_leave_the_time_right),
        cmocka_unit_test(walking_back_skips_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
