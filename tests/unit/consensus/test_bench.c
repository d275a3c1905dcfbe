/* The state of the leaders as a function of the chain alone (CONSENSUS 6, benching): strikes, the
 * countdown, what a readiness notice, a leave and evidence do, and when each may stand in a block.
 * Blocks are put on by hand; signatures are the world's business (test_notices). */
#include <string.h>

#include "consensus/core.h"
#include "proto/keccak.h"
#include "tests/unit/consensus/world.h"

enum { K = 2, N = 4 };

static struct core c;
static uint8_t table[N] = {0, 1, 2, 3};
static struct hash hash_at[4096]; /* by slot: the block put there */

static void begin(void)
{
    memset(&c, 0, sizeof c);
    struct epoch_config *e = &c.config.epoch;
    e->n = c.n = N;
    e->total = N;
    e->quorum = 3;
    e->params.turn_slots = K;
    for (int i = 0; i < N; i++) {
        e->member[i].weight = 1;
    }
    c.epoch = e;
    c.leaders = table;
    c.leaders_n = N;
}

static struct block_head head_at(uint64_t slot, uint8_t flags, const struct system_parts *parts,
                                 uint8_t raw[2048])
{
    struct block_head h = {.header = {.slot = slot, .flags = flags}};
    size_t n = 0;
    h.header.leader = (uint8_t)rotation_leader(&c, turn_of(&c, slot));
    assert_int_equal(system_encode(raw, 2048, &n, parts), OK);
    h.system = bytes_of(raw, n);
    h.hash = keccak256(&slot, sizeof slot);
    return h;
}

/* Would the block be right? It is put on only where it is. */
static bool put(uint64_t slot, uint8_t flags, const struct system_parts *parts)
{
    uint8_t raw[2048];
    struct block_head h = head_at(slot, flags, parts, raw);
    struct bench would = c.bench;
    if (!bench_block(&c, &would, &h, false)) {
        return false;
    }
    c.bench = would;
    hash_at[slot] = h.hash;
    return true;
}

/* A chain in which `absent` (mask) never leads: whole turns from .. to, each skip at the first slot. */
static void run_turns(uint64_t from, uint64_t to, uint32_t absent)
{
    struct skipped_turn list[64];
    struct system_parts parts = {.skipped = list};
    for (uint64_t t = from; t <= to; t++) {
        if ((absent & 1u << table[t % N]) != 0) {
            list[parts.skipped_n++] = (struct skipped_turn){t, turn_first(&c, t)};
            continue;
        }
        assert_true(put(turn_first(&c, t), 0, &parts));
        parts.skipped_n = 0;
        assert_true(put(turn_last(&c, t), 0, &parts));
    }
}

static struct ready_notice ready_of(uint8_t member, uint64_t slot)
{
    return (struct ready_notice){.member = member, .slot = slot, .block = hash_at[slot]};
}

static bool put_ready(uint64_t slot, const struct ready_notice *r)
{
    struct system_parts parts = {.notices = r, .notices_n = 1};
    return put(slot, 0, &parts);
}

static void strikes_bench_and_run_down(void **state)
{
    (void)state;
    begin();
    run_turns(0, 8, 1u << 3); /* turns 3 and 7 of member 3 are skipped: two strikes */
    assert_int_equal(c.bench.strikes[3], 2);
    assert_int_equal(c.bench.left[3], 4);
    /* Settled n turns ahead: turn 7 was not yet benched by the block of turn 4. */
    assert_false(bench_is(&c, 7));
    run_turns(9, 12, 1u << 3);
    assert_true(bench_is(&c, 15));
    /* Benched turns count down and are no strikes. */
    run_turns(13, 28, 1u << 3);
    assert_int_equal(c.bench.strikes[3], 2);
    assert_in_range(c.bench.left[3], 0, 1);
}

static void a_notice_lifts_the_bench_n_turns_later(void **state)
{
    (void)state;
    begin();
    run_turns(0, 12, 1u << 3);
    assert_true(bench_is(&c, 15));
    struct ready_notice r = ready_of(3, turn_last(&c, 12));
    assert_true(put_ready(turn_first(&c, 13), &r));
    assert_int_equal(c.bench.left[3], 0);
    assert_int_equal(c.bench.strikes[3], 2); /* strikes stay until it leads */
    run_turns(14, 18, 1u << 3);
    assert_true(bench_is(&c, 15)); /* nothing later changes what is settled */
    assert_false(bench_is(&c, 19));
    assert_true(put(turn_first(&c, 19), 0, &(struct system_parts){0}));
    assert_int_equal(c.bench.strikes[3], 0);
}

static void one_notice_an_own_turn(void **state)
{
    (void)state;
    begin();
    run_turns(0, 12, 1u << 3);
    struct ready_notice r = ready_of(3, turn_last(&c, 12));
    assert_true(put_ready(turn_first(&c, 13), &r));
    c.bench.left[3] = 4; /* whatever benched it again */
    assert_false(put_ready(turn_last(&c, 13), &r));
    struct ready_notice later = ready_of(3, turn_first(&c, 13));
    assert_false(put_ready(turn_first(&c, 14), &later)); /* not the last of its turn, nor an own turn since */
    run_turns(14, 14, 0);
    c.bench.left[3] = 4;
    r = ready_of(3, turn_last(&c, 14));
    struct skipped_turn skipped = {15, turn_first(&c, 15)};
    struct system_parts parts = {.skipped = &skipped, .skipped_n = 1, .notices = &r, .notices_n = 1};
    assert_true(put(turn_first(&c, 16), 0, &parts)); /* turn 15 was its own */
}

static void what_a_notice_may_name(void **state)
{
    (void)state;
    begin();
    run_turns(0, 80, 0);
    c.bench.left[3] = 2;
    struct ready_notice r = ready_of(3, turn_last(&c, 16));
    assert_false(put_ready(turn_first(&c, 81), &r)); /* 65 turns back */
    r = ready_of(3, turn_first(&c, 79));
    assert_false(put_ready(turn_first(&c, 81), &r)); /* another block was the last of its turn */
    r = ready_of(3, turn_last(&c, 79));
    r.block.b[0] ^= 1;
    assert_false(put_ready(turn_first(&c, 81), &r));
    r = ready_of(3, turn_last(&c, 81)); /* not an ancestor */
    assert_false(put_ready(turn_first(&c, 81), &r));
    r = ready_of(3, turn_last(&c, 79));
    r.epoch = 1;
    assert_false(put_ready(turn_first(&c, 81), &r));
    r = ready_of(2, turn_last(&c, 79));
    assert_false(put_ready(turn_first(&c, 81), &r)); /* it is not benched */
    r = ready_of(3, 0);
    assert_false(put_ready(turn_first(&c, 81), &r));
    r.member = N;
    assert_false(put_ready(turn_first(&c, 81), &r));
    r = ready_of(3, turn_last(&c, 17));
    assert_true(put_ready(turn_first(&c, 81), &r)); /* 64 turns back */
}

static bool put_leave(uint64_t slot, uint8_t member, uint64_t from_turn)
{
    struct leave_notice l = {.member = member, .from_turn = from_turn};
    struct system_parts parts = {.leaves = &l, .leaves_n = 1};
    return put(slot, 0, &parts);
}

static void a_leave_benches_without_strikes(void **state)
{
    (void)state;
    begin();
    run_turns(0, 9, 0);
    assert_false(put_leave(turn_first(&c, 10), 3, 10)); /* a turn that runs */
    assert_false(put_leave(turn_first(&c, 10), 3, 75)); /* too far ahead */
    assert_true(put_leave(turn_first(&c, 10), 3, 15));
    assert_false(put_leave(turn_last(&c, 10), 3, 16)); /* it is away already */
    run_turns(11, 14, 0); /* turn 11 it still leads */
    assert_int_equal(c.bench.away, 1u << 3);
    run_turns(15, 30, 1u << 3);
    assert_true(bench_is(&c, 31));
    assert_int_equal(c.bench.strikes[3], 0);
    struct ready_notice r = ready_of(3, turn_last(&c, 30));
    struct skipped_turn skipped = {31, turn_first(&c, 31)};
    struct system_parts parts = {.skipped = &skipped, .skipped_n = 1, .notices = &r, .notices_n = 1};
    assert_true(put(turn_first(&c, 32), 0, &parts));
    assert_int_equal(c.bench.away, 0);
    run_turns(33, 40, 0);
    assert_false(bench_is(&c, 39));
    /* The old leave cannot be shown again, nor one like it. */
    assert_false(put_leave(turn_first(&c, 41), 3, 15));
}

static void a_leader_that_orders_is_back(void **state)
{
    (void)state;
    begin();
    run_turns(0, 9, 0);
    assert_true(put_leave(turn_first(&c, 10), 3, 15));
    run_turns(11, 15, 0);
    assert_int_equal(c.bench.away, 0);
}

static void evidence_benches_for_good(void **state)
{
    (void)state;
    begin();
    run_turns(0, 9, 0);
    struct evidence e = {.member = 3, .slot = 5, .first_kind = 1, .second_kind = 1};
    e.first.b[0] = 1;
    e.second.b[0] = 2;
    struct system_parts parts = {.evidence = &e, .evidence_n = 1};
    assert_true(put(turn_first(&c, 10), 0, &parts));
    assert_false(put(turn_last(&c, 10), 0, &parts)); /* once */
    e.slot = 6;
    assert_false(put(turn_last(&c, 10), 0, &parts)); /* once a member */
    run_turns(11, 19, 0);
    assert_true(bench_is(&c, 19));
    assert_false(bench_is(&c, 18));
    struct ready_notice r = ready_of(3, turn_last(&c, 18));
    assert_false(put_ready(turn_first(&c, 20), &r)); /* no notice brings it back */
    run_turns(20, 60, 0);
    assert_true(bench_is(&c, 63));
}

static void evidence_of_proposals_is_of_the_leader(void **state)
{
    (void)state;
    begin();
    run_turns(0, 9, 0);
    struct evidence e = {.member = 3, .slot = 5}; /* turn 2: member 2 leads */
    e.first.b[0] = 1;
    e.second.b[0] = 2;
    struct system_parts parts = {.evidence = &e, .evidence_n = 1};
    assert_false(put(turn_first(&c, 10), 0, &parts));
    e.member = 2;
    assert_true(put(turn_first(&c, 10), 0, &parts));
}

static void too_few_left_and_nobody_is_benched(void **state)
{
    (void)state;
    begin();
    run_turns(0, 9, 0);
    assert_true(put_leave(turn_first(&c, 10), 3, 15));
    assert_true(put_leave(turn_last(&c, 10), 2, 15));
    run_turns(11, 14, 0);
    run_turns(15, 24, 0xc);
    assert_false(bench_is(&c, 26));
    assert_false(bench_is(&c, 27));
}

static void stored_and_restored(void **state)
{
    (void)state;
    begin();
    run_turns(0, 12, 1u << 3);
    assert_true(put_leave(turn_first(&c, 13), 2, 20));
    struct evidence e = {.member = 1, .slot = 5, .first_kind = 3, .second_kind = 3};
    e.first.b[0] = 1;
    e.second.b[0] = 2;
    struct ready_notice r = ready_of(3, turn_last(&c, 12));
    struct system_parts parts = {.notices = &r, .notices_n = 1, .evidence = &e, .evidence_n = 1};
    assert_true(put(turn_last(&c, 13), 0, &parts));
    uint8_t bytes[BENCH_BYTES];
    uint8_t again[BENCH_BYTES];
    bench_encode(&c.bench, bytes);
    struct bench other = {0};
    assert_true(bench_decode(&other, bytes, sizeof bytes));
    bench_encode(&other, again);
    assert_memory_equal(bytes, again, sizeof bytes);
    assert_memory_equal(&other.noticed, &c.bench.noticed, sizeof other.noticed);
    assert_memory_equal(&other.passed, &c.bench.passed, sizeof other.passed);
    assert_int_equal(other.offended, 1u << 1);
    assert_int_equal(other.away, 1u << 2);
    assert_false(bench_decode(&other, bytes, sizeof bytes - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strikes_bench_and_run_down),
        cmocka_unit_test(a_notice_lifts_the_bench_n_turns_later),
        cmocka_unit_test(one_notice_an_own_turn),
        cmocka_unit_test(what_a_notice_may_name),
        cmocka_unit_test(a_leave_benches_without_strikes),
        cmocka_unit_test(a_leader_that_orders_is_back),
        cmocka_unit_test(evidence_benches_for_good),
        cmocka_unit_test(evidence_of_proposals_is_of_the_leader),
        cmocka_unit_test(too_few_left_and_nobody_is_benched),
        cmocka_unit_test(stored_and_restored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
