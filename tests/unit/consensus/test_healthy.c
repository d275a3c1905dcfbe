/* A healthy set: no skip at any block time, pace, size; blocks at pace; every leader leads. */
#include "tests/unit/consensus/world.h"

static void expect_no_skips(const struct world_options *o, uint64_t blocks)
{
    struct world *w = world_new(o);
    uint64_t each = (uint64_t)(o->pace == PACE_FIXED ? o->block_time_ms : o->max_interval_ms) * MS;
    if (o->pace == PACE_FIXED) {
        assert_true(world_until_final(w, blocks, each * (blocks + 10) + 5000 * MS));
    } else {
        world_run(w, each * blocks);
        assert_in_range(world_view(w, 0).final_slot, blocks - 8, blocks + 8);
    }
    assert_int_equal(world_skips(w), 0);
    for (int r = 0; r < SKIP_REASONS; r++) {
        assert_int_equal(world_own_skips(w, r), 0);
    }
    world_free(w);
}

static void four_members(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    expect_no_skips(&o, 200);
}

static void every_size(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 3, 5, 7, 13};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct world_options o = world_defaults();
        o.n = sizes[i];
        o.fault_model = sizes[i] < 4 ? FAULT_CRASH : FAULT_BFT;
        expect_no_skips(&o, 60);
    }
}

static void every_block_time_and_link(void **state)
{
    (void)state;
    static const uint32_t times[] = {50, 100, 500, 1000, 2000};
    static const uint64_t links[] = {50, 1 * MS, 20 * MS, 60 * MS};
    for (size_t t = 0; t < 5; t++) {
        for (size_t l = 0; l < 4; l++) {
            struct world_options o = world_defaults();
            o.block_time_ms = o.max_interval_ms = times[t];
            o.link_us = links[l];
            o.depth = links[l] >= 60 * MS ? 5 : 3;
            expect_no_skips(&o, 40);
        }
    }
}

static void long_turns_and_single_slots(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    o.turn_slots = 1;
    expect_no_skips(&o, 60);
    o.turn_slots = 16;
    expect_no_skips(&o, 80);
}

static void idle_demand(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    o.pace = PACE_DEMAND;
    o.block_time_ms = 50;
    o.max_interval_ms = 1000;
    expect_no_skips(&o, 60);
}

static void blocks_keep_the_pace(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 10, 5000 * MS));
    (void)world_gap(w);
    assert_true(world_until_final(w, 110, 30000 * MS));
    /* A hand-over costs no slot: no gap longer than the interval and a few message delays. */
    assert_in_range(world_gap(w), 190 * MS, 215 * MS);
    world_free(w);
}

static void turns_rotate(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 40, 20000 * MS));
    for (uint64_t slot = 1; slot <= 36; slot++) {
        struct block_head h;
        assert_true(world_final_at(w, slot, &h));
        assert_int_equal(h.header.leader, world_leader(w, (slot - 1) / o.turn_slots));
    }
    world_free(w);
}

/* Four members that were idle for a while, and now have transactions. */
static struct world *demand_pending(void)
{
    struct world_options o = world_defaults();
    o.pace = PACE_DEMAND;
    o.block_time_ms = 50;
    o.max_interval_ms = 2000;
    struct world *w = world_new(&o);
    world_run(w, 5000 * MS);
    for (int a = 0; a < 4; a++) {
        world_pending(w, a, true);
    }
    return w;
}

static void demand_answers_at_once(void **state)
{
    (void)state;
    struct world *w = demand_pending();
    uint64_t before = world_height(w, 0);
    uint64_t t = world_now(w);
    assert_true(world_until_final(w, before + 1, 2000 * MS));
    /* Build, propose, two rounds of votes with their syncs: no waiting for the heartbeat. */
    assert_in_range(world_now(w) - t, 0, 30 * MS);
    world_free(w);
}

/* A few blocks may follow each other at once; the mean keeps the minimum interval. */
static void demand_bursts(void **state)
{
    (void)state;
    struct world *w = demand_pending();
    uint64_t before = world_height(w, 0);
    uint64_t t = world_now(w);
    assert_true(world_until_final(w, before + 3, 2000 * MS));
    assert_in_range(world_now(w) - t, 0, 60 * MS);
    world_run(w, t + 5000 * MS - world_now(w));
    assert_in_range(world_height(w, 0) - before, 90, 106);
    world_free(w);
}

static void slow_disk_costs_no_turn(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    o.sync_us = 20 * MS;
    expect_no_skips(&o, 60);
}

/* What one member says of itself to another in frames of their own. */
struct said {
    int from, to;
    uint32_t statuses, pending;
};

static bool hear(void *arg, int from, int to, const struct message *m)
{
    struct said *s = arg;
    if (from == s->from && to == s->to && m->kind == MSG_STATUS) {
        s->statuses++;
        s->pending += m->status.pending ? 1 : 0;
    }
    return false;
}

static bool said_one(struct world *w, void *arg)
{
    (void)w;
    return ((const struct said *)arg)->statuses > 0;
}

/* An idle world right after a member's status; that member does not lead. */
static struct world *demand_quiet(struct said *said)
{
    struct world_options o = world_defaults();
    o.pace = PACE_DEMAND;
    o.block_time_ms = 50;
    o.max_interval_ms = 2000;
    struct world *w = world_new(&o);
    world_run(w, 5000 * MS);
    int leader = world_view(w, 0).leader;
    *said = (struct said){.from = (leader + 1) % 4, .to = (leader + 2) % 4};
    world_filter(w, hear, said);
    assert_true(world_until(w, said_one, said, 100 * MS));
    said->statuses = said->pending = 0;
    return w;
}

/* Nothing goes out in the next 25 ms but what these say. */
static void pending_is_told_soon(void **state)
{
    (void)state;
    struct said said;
    struct world *w = demand_quiet(&said);
    world_pending(w, said.from, true);
    world_run(w, 4 * MS);
    assert_int_equal(said.statuses, 0);
    world_run(w, 4 * MS);
    assert_int_equal(said.statuses, 1);
    assert_int_equal(said.pending, 1);
    world_free(w);
}

static void pending_that_passes_is_not_told(void **state)
{
    (void)state;
    struct said said;
    struct world *w = demand_quiet(&said);
    world_pending(w, said.from, true);
    world_run(w, 3 * MS);
    world_pending(w, said.from, false);
    world_run(w, 15 * MS);
    assert_int_equal(said.statuses, 0);
    world_run(w, 20 * MS);
    assert_in_range(said.statuses, 1, 2);
    assert_int_equal(said.pending, 0);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_members),         cmocka_unit_test(every_size),
        cmocka_unit_test(every_block_time_and_link), cmocka_unit_test(long_turns_and_single_slots),
        cmocka_unit_test(idle_demand),          cmocka_unit_test(blocks_keep_the_pace),
        cmocka_unit_test(turns_rotate),         cmocka_unit_test(demand_answers_at_once),
        cmocka_unit_test(demand_bursts),        cmocka_unit_test(slow_disk_costs_no_turn),
        cmocka_unit_test(pending_is_told_soon), cmocka_unit_test(pending_that_passes_is_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
