/* Clients that need longer the more they are given: a full pool must not keep blocks EMPTY for
 * ever. The world's client builds and executes in proportion to what the core allows it. */
#include "tests/unit/consensus/world.h"

static void blocks_shrink_until_they_fit(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    o.build_us_per_tx = 100; /* 16,384 transactions: 1.6 s, at 200 ms blocks */
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 20, 30000 * MS));
    uint64_t before = world_height(w, 0);
    world_run(w, 10000 * MS);
    /* Payload at most of the slots from then on: one that grew too far costs one slot. */
    assert_in_range(world_height(w, 0) - before, 30, 51);
    world_free(w);
}

static void a_slow_start_is_forgotten(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 8, 20000 * MS));
    for (int a = 0; a < 4; a++) {
        world_hang_client(w, a, true);
    }
    world_run(w, 4000 * MS);
    for (int a = 0; a < 4; a++) {
        world_hang_client(w, a, false);
    }
    uint64_t before = world_height(w, 0);
    world_run(w, 60000 * MS);
    assert_in_range(world_height(w, 0) - before, 200, 310);
    /* The limit has grown away again. */
    assert_int_equal(world_last_max_txs(w), 0);
    world_free(w);
}

/* A client that needs longer than an interval for the smallest block: every other slot has one. */
static void expect_share(const struct world_options *o, uint64_t least)
{
    struct world *w = world_new(o);
    world_run(w, 10000 * MS); /* they learn */
    uint64_t before = world_height(w, 0);
    uint64_t slot = world_view(w, 0).final_slot;
    world_run(w, 20000 * MS);
    uint64_t slots = world_view(w, 0).final_slot - slot;
    assert_in_range(slots, 95, 102);
    assert_in_range((world_height(w, 0) - before) * 100 / slots, least, 100);
    assert_int_equal(world_skips(w), 0);
    world_free(w);
}

static void slower_than_the_interval(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    o.turn_slots = 8;
    o.build_us = 300 * MS;
    expect_share(&o, 40);
    o.build_us = 500 * MS;
    expect_share(&o, 20);
    o.turn_slots = 4;
    o.build_us = 230 * MS;
    expect_share(&o, 40);
}

static void no_slower_than_needed_afterwards(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    o.turn_slots = 8;
    o.build_us = 300 * MS;
    struct world *w = world_new(&o);
    world_run(w, 10000 * MS);
    for (int a = 0; a < 4; a++) {
        world_speed(w, a, o.execute_us, 5 * MS, o.sync_us);
    }
    world_run(w, 8000 * MS);
    uint64_t before = world_height(w, 0);
    world_run(w, 10000 * MS);
    assert_in_range(world_height(w, 0) - before, 48, 51);
    world_free(w);
}

/* One disk under all members stands still for as long as a write takes, at any moment of a turn:
 * nobody blames the leader for it. */
static void a_disk_that_stands_still(void **state)
{
    (void)state;
    static const uint64_t stands_ms[] = {60, 130, 250, 600};
    for (size_t k = 0; k < sizeof stands_ms / sizeof *stands_ms; k++) {
        struct world_options o = world_defaults();
        struct world *w = world_new(&o);
        assert_true(world_until_final(w, 4, 20000 * MS));
        for (int round = 0; round < 12; round++) {
            for (int a = 0; a < 4; a++) {
                world_speed(w, a, o.execute_us, o.build_us, stands_ms[k] * MS);
            }
            world_run(w, 37 * MS + stands_ms[k] * MS); /* one write each, or two */
            for (int a = 0; a < 4; a++) {
                world_speed(w, a, o.execute_us, o.build_us, o.sync_us);
            }
            world_run(w, 1731 * MS);
        }
        assert_int_equal(world_skips(w), 0);
        world_free(w);
    }
}

/* ---- T7 ------------------------------------------------------------------------------------------ */

struct heard {
    int leader;
    uint64_t first, last; /* slots of the turn that it leads */
    bool proposal;
};

static bool hears_proposals(void *arg, int from, int to, const struct message *m)
{
    struct heard *h = arg;
    (void)to;
    if (m->kind == MSG_PROPOSAL && from == h->leader) {
        uint64_t slot = m->u.proposal.head.header.slot;
        h->proposal = h->proposal || (slot >= h->first && slot <= h->last);
    }
    return false;
}

/* A leader that has not got PROPOSING of its turn on disk says nothing of the turn's blocks: after a
 * crash it would not know that it did, and might propose others. */
static void nothing_is_proposed_before_it_is_written(void **state)
{
    (void)state;
    for (int slow = 0; slow < 2; slow++) {
        struct world_options o = world_defaults();
        struct world *w = world_new(&o);
        assert_true(world_until_final(w, 6, 30000 * MS));
        uint64_t turn = world_view(w, 0).turn + 2;
        struct heard h = {.leader = world_leader(w, turn),
                          .first = turn * o.turn_slots + 1,
                          .last = (turn + 1) * o.turn_slots};
        while (world_view(w, h.leader).slot + o.turn_slots < h.first) {
            world_run(w, MS);
        }
        world_filter(w, hears_proposals, &h);
        world_speed(w, h.leader, o.execute_us, o.build_us, slow ? 60000 * MS : o.sync_us);
        world_run(w, 5 * 200 * MS);
        assert_int_equal(h.proposal, !slow);
        world_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_shrink_until_they_fit),
        cmocka_unit_test(a_slow_start_is_forgotten),
        cmocka_unit_test(slower_than_the_interval),
        cmocka_unit_test(a_disk_that_stands_still),
        cmocka_unit_test(no_slower_than_needed_afterwards),
        cmocka_unit_test(nothing_is_proposed_before_it_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
