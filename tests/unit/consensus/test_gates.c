/* The gate of rule F3, runs of dead leaders, hung clients, lying sources of blocks: schedules S19,
 * S20, S25, S28, S34 of the research. */
#include <string.h>

#include "tests/unit/consensus/world.h"

static uint64_t top_height(struct world *w, int n)
{
    uint64_t top = 0;
    for (int a = 0; a < n; a++) {
        top = world_height(w, a) > top ? world_height(w, a) : top;
    }
    return top;
}

static void run_to_slot(struct world *w, int a, uint64_t slot)
{
    while (world_view(w, a).slot < slot) {
        world_run(w, 1 * MS);
        assert_true(world_now(w) < 120000 * MS);
    }
}

/* ---- S19 ------------------------------------------------------------------------------------------ */

/* A skipped the first slot, the others made it final; healed by that certificate A finalizes the
 * second while everybody else skips it: A's old skip must not help them. */
static void s19_a_healed_member_and_skips_of_another_slot(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    int z = world_leader(w, 2);
    int a = (z + 1) % 4;
    int b = (z + 2) % 4;
    int c = (z + 3) % 4;
    run_to_slot(w, a, 9);
    struct block_head parent;
    world_run(w, 20 * MS);
    assert_true(world_final_at(w, 8, &parent));
    world_possess(w, z, true);
    world_isolate(w, a, true);
    struct block_head one = world_make_block(w, z, 9, &parent, 0, 0);
    struct block_head two = world_make_block(w, z, 10, &one, 0, 0);
    static const uint8_t kinds[] = {VOTE_NOTARIZE, VOTE_FINALIZE};
    world_send_proposal(w, z, b, &one, NULL);
    world_send_proposal(w, z, c, &one, NULL);
    for (int k = 0; k < 2; k++) {
        world_send_vote(w, z, b, kinds[k], 9, &one.hash);
        world_send_vote(w, z, c, kinds[k], 9, &one.hash);
    }
    for (int ms = 0; !world_signed(w, a, VOTE_SKIP, 9) && ms < 1000; ms++) {
        world_run(w, 1 * MS);
    }
    assert_true(world_signed(w, a, VOTE_SKIP, 9));
    assert_true(world_final_at(w, 9, &parent));
    world_isolate(w, a, false);
    world_send_proposal(w, z, a, &two, NULL);
    world_send_proposal(w, z, b, &two, NULL);
    world_send_vote(w, z, a, VOTE_NOTARIZE, 10, &two.hash);
    for (int to = 0; to < 4; to++) {
        if (to != z) {
            world_send_vote(w, z, to, VOTE_SKIP, 10, NULL);
            world_send_vote(w, z, to, VOTE_SKIP, 9, NULL);
        }
    }
    assert_true(world_until_final(w, top_height(w, 4) + 5, 20000 * MS));
    assert_true(world_final_at(w, 9, &parent) && hash_equal(&parent.hash, &one.hash));
    world_free(w);
}

/* ---- S20 ---------------------------------------------------------------------------------------------- */

struct unheard {
    uint64_t from, to;
};

static bool no_finalize_in(void *arg, int from, int to, const struct message *m)
{
    const struct unheard *u = arg;
    (void)from;
    (void)to;
    const struct bundle *b = m->kind == MSG_VOTES || m->kind == MSG_BUNDLE ? &m->u.bundle : NULL;
    for (uint32_t i = 0; b != NULL && i < b->votes; i++) {
        if (b->vote[i].kind == VOTE_FINALIZE && b->vote[i].slot >= u->from && b->vote[i].slot <= u->to) {
            return true;
        }
    }
    return false;
}

static void s20_no_later_turn_opens_a_gate(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    o.turn_slots = 8;
    struct world *w = world_new(&o);
    run_to_slot(w, 0, 18);
    struct unheard u = {17, 24};
    world_filter(w, no_finalize_in, &u);
    int a = (world_leader(w, 2) + 1) % 4;
    world_pause(w, a, true);
    run_to_slot(w, (a + 1) % 4, 20);
    world_pause(w, a, false);
    world_isolate(w, a, true);
    uint64_t skipped = 0;
    for (int ms = 0; skipped == 0 && ms < 2000; ms++) {
        world_run(w, 1 * MS);
        for (uint64_t s = 17; s <= 24; s++) {
            skipped = skipped == 0 && world_signed(w, a, VOTE_SKIP, s) ? s : skipped;
        }
    }
    assert_true(skipped != 0);
    world_isolate(w, a, false);
    assert_true(world_until_final(w, top_height(w, 4) + 12, 20000 * MS));
    for (uint64_t s = skipped; s <= 24; s++) {
        assert_false(world_signed(w, a, VOTE_FINALIZE, s));
    }
    world_free(w);
}

/* ---- S25, S28: hung clients, runs of dead leaders -------------------------------------------------------- */

static void s25_client_of_the_leader_hangs_in_every_slot(void **state)
{
    (void)state;
    for (uint64_t k = 0; k < 4; k++) {
        struct world_options o = world_defaults();
        struct world *w = world_new(&o);
        for (int a = 0; a < 4; a++) {
            world_pending(w, a, true);
        }
        run_to_slot(w, 0, 13 + k);
        int leader = world_view(w, 0).leader;
        world_hang_client(w, leader, true);
        (void)world_gap(w);
        assert_true(world_until_final(w, top_height(w, 4), 5000 * MS));
        world_run(w, 2000 * MS);
        assert_in_range(world_gap(w), 0, 420 * MS);
        world_free(w);
    }
}

static void dead_in_a_row(uint32_t n, uint32_t dead)
{
    struct world_options o = world_defaults();
    o.n = n;
    struct world *w = world_new(&o);
    run_to_slot(w, 0, 6);
    int live = world_leader(w, 1);
    (void)world_gap(w);
    for (uint64_t t = 2; t < 2 + dead; t++) {
        world_crash(w, world_leader(w, t), false);
    }
    run_to_slot(w, live, 9);
    world_run(w, 6000 * MS);
    assert_in_range(world_gap(w), 0, 450 * MS);
    world_free(w);
}

static void s28_dead_leaders_in_a_row(void **state)
{
    (void)state;
    dead_in_a_row(7, 2);
    dead_in_a_row(13, 4);
}

/* ---- S34: a source that lies --------------------------------------------------------------------------------- */

static bool answers_nothing(void *arg, int from, int to, const struct message *m)
{
    (void)to;
    return from == *(const int *)arg && (m->kind == MSG_BLOCK || m->kind == MSG_BLOCKS);
}

/* Whoever shows the certificates answers no question; what it says besides is old or wrong. */
static void s34_a_source_that_answers_nothing(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    run_to_slot(w, 0, 10);
    int z = world_leader(w, 4);
    int behind = (z + 1) % 4;
    world_filter(w, answers_nothing, &z);
    world_isolate(w, behind, true);
    world_run(w, 3000 * MS);
    struct block_head old;
    assert_true(world_final_at(w, 6, &old));
    world_isolate(w, behind, false);
    struct message m = {.kind = MSG_BLOCK, .u.block = {.head = old}};
    m.u.block.head.header.state_root = m.u.block.head.header.payload;
    m.u.block.head.hash = header_hash(&m.u.block.head.header);
    static const uint8_t body[64];
    m.u.block.body = bytes_of(body, old.header.body_len);
    uint64_t records = world_view(w, behind).blocks;
    for (int k = 0; k < 50; k++) {
        world_send(w, z, behind, &m);
    }
    world_run(w, 3 * MS);
    assert_in_range(world_view(w, behind).blocks, 0, records + 40);
    assert_true(world_until_final(w, top_height(w, 4) + 4, 6000 * MS));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s19_a_healed_member_and_skips_of_another_slot),
        cmocka_unit_test(s20_no_later_turn_opens_a_gate),
        cmocka_unit_test(s25_client_of_the_leader_hangs_in_every_slot),
        cmocka_unit_test(s28_dead_leaders_in_a_row),
        cmocka_unit_test(s34_a_source_that_answers_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
