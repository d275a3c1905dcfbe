/* Random faults and lies: each seed is a set, a schedule of crashes, power failures, pauses, cuts,
 * lost, late, doubled and reordered messages, hung clients, slow and lost disks, and a lying member.
 * The oracle of the world is always on; when everything has healed, every honest member must
 * finalize further blocks within a bound.
 *
 * BATON_SEEDS=n runs so many seeds (from BATON_SEED_FROM), else few enough for every build. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/consensus/puppet.h"

enum { SEEDS = 160, STEPS = 36, HEAL_US = 200000 * MS, MORE_BLOCKS = 3 };

struct run {
    struct world *w;
    struct world_options o;
    struct puppet *puppet;
    uint64_t seed, random;
    uint32_t liars;            /* mask */
    uint32_t forgetful;        /* mask: lost their journal */
    uint32_t paused, hung;     /* masks */
    uint32_t leaving;          /* mask */
    uint32_t spare;            /* weight that may still lie or forget */
    uint32_t deaf[WORLD_MAX];  /* [from]: mask of members that do not hear it */
    uint32_t deaf_kinds;       /* for these kinds of messages */
};

static uint64_t roll(struct run *r, uint64_t n)
{
    r->random = r->random * 6364136223846793005u + 1442695040888963407u;
    return (r->random >> 33) % n;
}

static uint32_t weight_of(const struct run *r, int a)
{
    return r->o.weight[a] == 0 ? 1 : r->o.weight[a];
}

/* ---- the set -------------------------------------------------------------------------------------- */

static struct world_options options(struct run *r)
{
    static const uint32_t sizes[] = {3, 4, 4, 4, 7, 5, 4};
    static const uint32_t turns[] = {1, 2, 4, 8};
    static const uint64_t links[] = {50, 1 * MS, 1 * MS, 20 * MS};
    static const uint32_t uneven[5] = {2, 2, 3, 3, 3};
    static const uint32_t four[4] = {3, 3, 2, 2};
    struct world_options o = world_defaults();
    uint64_t shape = roll(r, 7);
    o.n = sizes[shape];
    o.fault_model = o.n == 3 ? FAULT_CRASH : FAULT_BFT;
    for (uint32_t i = 0; i < o.n && shape >= 5; i++) {
        o.weight[i] = shape == 5 ? uneven[i] : four[i];
    }
    o.turn_slots = turns[roll(r, 4)];
    o.block_time_ms = o.max_interval_ms = roll(r, 2) == 0 ? 50 : 200;
    if (roll(r, 4) == 0) {
        o.pace = PACE_DEMAND;
        o.block_time_ms = 50;
        o.max_interval_ms = 400;
    }
    o.link_us = links[roll(r, 4)];
    o.sync_us = roll(r, 3) == 0 ? 8 * MS : 200;
    o.trusting = o.fault_model == FAULT_CRASH && roll(r, 2) == 0;
    o.seed = r->seed;
    return o;
}

static bool drops(void *arg, int from, int to, const struct message *m)
{
    const struct run *r = arg;
    return (r->deaf[from] & 1u << to) != 0 && (r->deaf_kinds & 1u << m->kind) != 0;
}

static uint32_t spare_weight(const struct run *r)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < r->o.n; i++) {
        total += weight_of(r, (int)i);
    }
    return r->o.fault_model == FAULT_CRASH ? 0 : (total - 1) / 3;
}

static void possess_some(struct run *r)
{
    uint32_t style = (uint32_t)roll(r, PUPPET_ALL + 1) | PUPPET_ECHO | (roll(r, 3) == 0 ? 0 : PUPPET_LEAD);
    r->puppet = puppet_new(r->w, r->seed, style);
    world_listen(r->w, puppet_hears, r->puppet);
    for (int tries = 0; tries < 4; tries++) {
        int z = (int)roll(r, r->o.n);
        if ((r->liars & 1u << z) == 0 && weight_of(r, z) <= r->spare && roll(r, 5) != 0) {
            r->liars |= 1u << z;
            r->spare -= weight_of(r, z);
            world_possess(r->w, z, true);
        }
    }
    world_withhold(r->w, roll(r, 3) == 0);
}

/* ---- faults ------------------------------------------------------------------------------------------ */

static int honest(struct run *r)
{
    int a;
    do {
        a = (int)roll(r, r->o.n);
    } while ((r->liars & 1u << a) != 0);
    return a;
}

static void crash(struct run *r, int a, bool power)
{
    if (world_up(r->w, a)) {
        world_crash(r->w, a, power);
        r->paused &= ~(1u << a);
    }
}

static void restart(struct run *r, int a)
{
    if (!world_up(r->w, a)) {
        world_restart(r->w, a);
    }
}

static void lose_disk(struct run *r, int a)
{
    if ((r->forgetful & 1u << a) == 0 && weight_of(r, a) <= r->spare) {
        r->spare -= weight_of(r, a);
        r->forgetful |= 1u << a;
        crash(r, a, true);
        world_lose_disk(r->w, a);
        if (roll(r, 2) == 0) {
            restart(r, a);
        }
    }
}

static void toggle_pause(struct run *r, int a)
{
    if (world_up(r->w, a)) {
        r->paused ^= 1u << a;
        world_pause(r->w, a, (r->paused & 1u << a) != 0);
    }
}

static void toggle_hang(struct run *r, int a)
{
    if (world_up(r->w, a)) {
        r->hung ^= 1u << a;
        world_hang_client(r->w, a, (r->hung & 1u << a) != 0);
    }
}

static void power_failure(struct run *r)
{
    for (uint32_t i = 0; i < r->o.n; i++) {
        if ((r->liars & 1u << i) == 0) {
            crash(r, (int)i, true);
        }
    }
}

static void split(struct run *r)
{
    uint64_t side = roll(r, 1u << r->o.n);
    for (int i = 0; i < (int)r->o.n; i++) {
        for (int j = 0; j < i; j++) {
            world_cut(r->w, i, j, (side >> i & 1) != (side >> j & 1));
        }
    }
}

static void join(struct run *r)
{
    for (int i = 0; i < (int)r->o.n; i++) {
        world_isolate(r->w, i, false);
        r->deaf[i] = 0;
    }
}

static void deafen(struct run *r)
{
    static const uint32_t kinds[] = {1u << MSG_VOTES, 1u << MSG_PROPOSAL | 1u << MSG_BLOCK, 1u << MSG_BUNDLE,
                                     1u << MSG_VOTES | 1u << MSG_BUNDLE | 1u << MSG_STATUS | 1u << MSG_PROPOSAL};
    r->deaf_kinds = kinds[roll(r, 4)];
    r->deaf[roll(r, r->o.n)] = (uint32_t)roll(r, 1u << r->o.n);
}

static void slow_disk(struct run *r, int a)
{
    world_speed(r->w, a, r->o.execute_us * (1 + roll(r, 10)), r->o.build_us * (1 + roll(r, 4)), roll(r, 120) * MS + 100);
}

static void toggle_pending(struct run *r, int a)
{
    if (world_up(r->w, a)) {
        world_pending(r->w, a, roll(r, 2) == 0);
    }
}

static void toggle_leave(struct run *r, int a)
{
    if (world_up(r->w, a)) {
        r->leaving ^= 1u << a;
        world_leave(r->w, a, (r->leaving & 1u << a) != 0);
    }
}

static void fault(struct run *r)
{
    int a = honest(r);
    switch (roll(r, 19)) {
    case 0: crash(r, a, false); break;
    case 1: crash(r, a, true); break;
    case 2: case 3: case 4: restart(r, a); break;
    case 5: case 6: toggle_pause(r, a); break;
    case 7: world_cut(r->w, a, honest(r), true); break;
    case 8: split(r); break;
    case 9: case 10: join(r); break;
    case 11: deafen(r); break;
    case 12: toggle_hang(r, a); break;
    case 13: slow_disk(r, a); break;
    case 14: world_noise(r->w, roll(r, 40) * MS, (uint32_t)roll(r, 80), (uint32_t)roll(r, 80)); break;
    case 15: toggle_pending(r, a); break;
    case 16:
        if (roll(r, 3) == 0) {
            power_failure(r);
        }
        break;
    case 17: toggle_leave(r, a); break;
    default:
        if (roll(r, 2) == 0) {
            lose_disk(r, a);
        }
        break;
    }
}

/* ---- and the end --------------------------------------------------------------------------------------- */

static void heal(struct run *r)
{
    join(r);
    r->deaf_kinds = 0;
    world_noise(r->w, 0, 0, 0);
    world_withhold(r->w, false);
    for (int a = 0; a < (int)r->o.n; a++) {
        world_speed(r->w, a, r->o.execute_us, r->o.build_us, r->o.sync_us);
        if ((r->liars & 1u << a) != 0) {
            continue;
        }
        restart(r, a);
        if ((r->paused & 1u << a) != 0) {
            world_pause(r->w, a, false);
        }
        if ((r->hung & 1u << a) != 0) {
            world_hang_client(r->w, a, false);
        }
        world_leave(r->w, a, false);
    }
    puppet_quiet(r->puppet, roll(r, 2) == 0);
}

static uint64_t top_height(struct run *r)
{
    uint64_t top = 0;
    for (int a = 0; a < (int)r->o.n; a++) {
        top = world_height(r->w, a) > top ? world_height(r->w, a) : top;
    }
    return top;
}

static void expect_no_alarm(struct run *r)
{
    assert_int_equal(world_alarms(r->w, ALARM_CONFLICT), 0);
    assert_int_equal(world_alarms(r->w, ALARM_PARENT_BELOW_FINAL), 0);
    assert_int_equal(world_alarms(r->w, ALARM_SECOND_INSTANCE), 0);
    assert_int_equal(world_alarms(r->w, ALARM_RECORDS_FULL), 0);
    assert_int_equal(world_alarms(r->w, ALARM_DIVERGENCE), 0);
    if (r->forgetful == 0) {
        assert_int_equal(world_alarms(r->w, ALARM_AMNESIAC), 0);
    }
}

static void describe(struct run *r)
{
    fprintf(stderr, "seed %llu: n %u K %u pace %u link %llu us, liars %x style, forgetful %x\n", (unsigned long long)r->seed,
            r->o.n, r->o.turn_slots, r->o.pace, (unsigned long long)r->o.link_us, r->liars, r->forgetful);
    for (int a = 0; a < (int)r->o.n; a++) {
        struct core_view v = {0};
        if (world_up(r->w, a)) {
            v = world_view(r->w, a);
        }
        fprintf(stderr, "  %d: slot %llu turn %llu leader %d final %llu notarized %llu signed %llu executed %llu c %llu%s%s"
                " not ready %x heard %x records %llu blocks %llu stall %s\n", a, (unsigned long long)v.slot,
                (unsigned long long)v.turn, v.leader, (unsigned long long)v.final_slot, (unsigned long long)v.notarized_slot,
                (unsigned long long)v.highest_signed, (unsigned long long)v.executed_slot, (unsigned long long)v.turns_unfinal,
                v.amnesiac ? " amnesiac" : "", v.stopped ? " stopped" : "", v.not_ready, v.heard,
                (unsigned long long)v.records, (unsigned long long)v.blocks, skip_reason_name(v.stall_reason));
    }
}

static uint64_t carried[3]; /* by all seeds: notices, leaves, evidence */

static void run_seed(uint64_t seed)
{
    static struct run r;
    r = (struct run){.seed = seed, .random = seed * 0x9e3779b97f4a7c15u + 1};
    r.o = options(&r);
    r.w = world_new(&r.o);
    r.spare = spare_weight(&r);
    world_filter(r.w, drops, &r);
    possess_some(&r);
    world_run(r.w, roll(&r, 1500) * MS);
    for (int k = 0; k < STEPS; k++) {
        fault(&r);
        world_run(r.w, roll(&r, roll(&r, 6) == 0 ? 1500 : 120) * MS + roll(&r, 1000));
    }
    heal(&r);
    /* Not everybody's pool is empty when it must be seen that the chain goes on. */
    for (int a = 0; a < (int)r.o.n; a++) {
        world_pending(r.w, a, true);
    }
    if (!world_until_final(r.w, top_height(&r) + MORE_BLOCKS, HEAL_US)) {
        describe(&r);
        fail_msg("seed %llu: no progress after everything healed", (unsigned long long)seed);
    }
    expect_no_alarm(&r);
    for (int k = 0; k < 3; k++) {
        carried[k] += world_carried(r.w, k);
    }
    world_free(r.w);
    puppet_free(r.puppet);
}

static uint64_t number(const char *name, uint64_t otherwise)
{
    const char *s = getenv(name);
    return s == NULL ? otherwise : strtoull(s, NULL, 10);
}

static void seeds(void **state)
{
    (void)state;
    uint64_t from = number("BATON_SEED_FROM", 1);
    uint64_t to = from + number("BATON_SEEDS", SEEDS);
    for (uint64_t seed = from; seed < to; seed++) {
        if (getenv("BATON_SEED_SHOW") != NULL) {
            fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        }
        run_seed(seed);
    }
    /* Else they would prove nothing. */
    bool enough = to - from >= SEEDS;
    print_message("final blocks carried %llu notices, %llu leaves, %llu pieces of evidence\n", (unsigned long long)carried[0],
                  (unsigned long long)carried[1], (unsigned long long)carried[2]);
    assert_true(!enough || (carried[0] > 20 && carried[1] > 20 && carried[2] > 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
