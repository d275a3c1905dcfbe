/* Random worlds (world.h): whoever dies, pauses or is cut off, at any instruction, and whatever L1
 * does, every segment is derived, once. The invariants I1 to I9 of posting are checked at each send.
 * BATON_WORLDS=N runs N times as many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "world.h"

enum { SEGMENTS = 16, HARMS = 3 };

struct total {
    uint64_t worlds, segments, harmed, twice, early, blocks, gwei, bumps, cancelled, replaced,
        reorged, reorgs, pushes, posts;
};

static void add_up(struct total *t, const struct world_result *r)
{
    t->worlds++;
    t->segments += r->segments;
    t->harmed += r->harmed;
    t->twice += r->twice;
    t->early += r->early;
    t->blocks += r->blocks;
    t->gwei += r->spent_gwei;
    t->bumps += r->bumps;
    t->cancelled += r->cancelled;
    t->replaced += r->replaced;
    t->reorged += r->reorged;
    t->reorgs += r->reorgs;
    t->pushes += r->pushes;
    t->posts += r->posts;
}

static void print(const char *name, const struct total *t)
{
    uint64_t each = t->gwei / t->segments;
    printf("%s: %llu worlds, %llu L1 blocks, %llu reorgs, %llu times harm; %llu segments, all derived; "
           "%llu twice, %llu too early; %llu gwei a segment, duplicates about %llu gwei; %llu posts, "
           "%llu sends of others', %llu bumps, %llu reused nonces, %llu cancelled\n",
           name, (unsigned long long)t->worlds, (unsigned long long)t->blocks,
           (unsigned long long)t->reorgs, (unsigned long long)t->harmed,
           (unsigned long long)t->segments, (unsigned long long)t->twice,
           (unsigned long long)t->early, (unsigned long long)each,
           (unsigned long long)(each * t->twice), (unsigned long long)t->posts,
           (unsigned long long)t->pushes, (unsigned long long)t->bumps,
           (unsigned long long)t->replaced, (unsigned long long)t->cancelled);
}

static struct total run(const char *name, const struct world_plan *plan, uint64_t worlds)
{
    const char *more = getenv("BATON_WORLDS");
    struct total t = {.worlds = 0};
    worlds *= more != NULL ? strtoul(more, NULL, 10) : 1;
    for (uint64_t i = 0; i < worlds; i++) {
        struct world_result r;
        world_run(&r, i * 7919 + 1, plan);
        if (r.wrong[0] != '\0') {
            fail_msg("%s, world %llu: %s", name, (unsigned long long)i, r.wrong);
        }
        /* I9: a takeover costs at most what may be on the way. */
        assert_true(r.twice <= 2 * r.harmed || plan->harm == HARM_NONE || plan->reorg > 0);
        add_up(&t, &r);
    }
    print(name, &t);
    return t;
}

static void test_calm(void **state)
{
    (void)state;
    const struct world_plan plan = {.harm = HARM_NONE, .segments = SEGMENTS};
    struct total t = run("calm", &plan, 40);
    assert_int_equal(t.twice, 0);
    assert_int_equal(t.early, 0);
}

static void test_kills(void **state)
{
    (void)state;
    const struct world_plan plan = {.harm = HARM_KILL, .segments = SEGMENTS, .harms = HARMS};
    struct total t = run("kills", &plan, 144);
    assert_true(t.harmed >= 100);
    assert_true(t.twice * 100 <= t.harmed);
}

static void test_pauses(void **state)
{
    (void)state;
    const struct world_plan plan = {.harm = HARM_PAUSE, .segments = SEGMENTS, .harms = HARMS};
    struct total t = run("pauses", &plan, 144);
    assert_true(t.harmed >= 100);
    assert_true(t.twice * 100 <= t.harmed);
}

/* An L1 of a second: takeover is as fast as members hear of each other. */
static void test_fast_pauses(void **state)
{
    (void)state;
    const struct world_plan plan = {.harm = HARM_PAUSE, .segments = SEGMENTS, .harms = HARMS,
                                    .block_ms = 1000};
    struct total t = run("pauses, fast", &plan, 72);
    assert_true(t.harmed >= 100);
    assert_true(t.twice * 100 <= t.segments);
}

static void test_partitions(void **state)
{
    (void)state;
    const struct world_plan plan = {.harm = HARM_PARTITION, .segments = SEGMENTS, .harms = HARMS};
    struct total t = run("partitions", &plan, 80);
    assert_true(t.twice * 100 <= t.harmed);
}

/* Reorgs take back what was posted by several accounts, and pools bring it back in any order: what
 * comes too early or twice then is theirs, not ours. */
static void test_weather(void **state)
{
    (void)state;
    const struct world_plan plan = {.harm = HARM_NONE,
                                    .segments = SEGMENTS,
                                    .reorg = 30,
                                    .drop = 20,
                                    .swallow = 50,
                                    .spike = 10};
    struct total t = run("weather", &plan, 64);
    assert_true(t.reorgs > 0 && t.reorged > 0);
    assert_true(t.twice * 20 <= t.segments);
}

static void test_outage(void **state)
{
    (void)state;
    const struct world_plan plan = {.harm = HARM_NONE, .segments = SEGMENTS, .l1_down_s = 240};
    struct total t = run("outage", &plan, 40);
    assert_true(t.twice * 100 <= t.segments);
}

static void test_everything(void **state)
{
    (void)state;
    const struct world_plan plan = {.harm = HARM_ALL,
                                    .segments = SEGMENTS,
                                    .harms = HARMS,
                                    .reorg = 30,
                                    .drop = 20,
                                    .swallow = 50,
                                    .spike = 10,
                                    .l1_down_s = 120};
    struct total t = run("everything", &plan, 96);
    assert_true(t.twice * 20 <= t.segments);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calm),       cmocka_unit_test(test_kills),
        cmocka_unit_test(test_pauses),     cmocka_unit_test(test_fast_pauses),
        cmocka_unit_test(test_partitions), cmocka_unit_test(test_weather),
        cmocka_unit_test(test_outage),     cmocka_unit_test(test_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
