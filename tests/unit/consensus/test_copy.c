/* A data directory restored from a copy is a lost journal: the key has signed more than it says
 * (CONSENSUS 8, S35). The peers' memory of its highest vote shows it, however long ago. */
#include "tests/unit/consensus/world.h"

static void restored_copy(uint64_t age_us, uint64_t down_us)
{
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 8, 20000 * MS));
    world_copy_disk(w, 1);
    world_run(w, age_us);
    world_crash(w, 1, true);
    world_restore_copy(w, 1);
    world_run(w, down_us);
    world_restart(w, 1);
    world_run(w, 400 * MS);
    assert_true(world_view(w, 1).amnesiac);
    /* It observes, is cleared by the rule, and votes again; the oracle saw no second signature. */
    world_run(w, 25000 * MS);
    struct core_view v = world_view(w, 1);
    assert_false(v.amnesiac);
    assert_false(v.stopped);
    assert_true(v.highest_signed + 16 > v.slot);
    world_free(w);
}

static void a_minute_old(void **state)
{
    (void)state;
    restored_copy(60000 * MS, 100 * MS);
}

static void a_slot_old(void **state)
{
    (void)state;
    restored_copy(200 * MS, 100 * MS);
}

static void old_and_long_down(void **state)
{
    (void)state;
    restored_copy(5000 * MS, 20000 * MS);
}

static void an_ordinary_restart_is_none(void **state)
{
    (void)state;
    for (uint64_t k = 0; k < 20; k++) {
        struct world_options o = world_defaults();
        o.seed = k;
        struct world *w = world_new(&o);
        assert_true(world_until_final(w, 8, 20000 * MS));
        world_run(w, k * 13 * MS);
        world_crash(w, 1, true);
        world_run(w, k * 300 * MS);
        world_restart(w, 1);
        world_run(w, 1500 * MS);
        assert_false(world_view(w, 1).amnesiac);
        assert_int_equal(world_alarms(w, ALARM_AMNESIAC), 0);
        world_free(w);
    }
}

static uint64_t votes_of(struct world *w, int a)
{
    uint64_t n = 0;
    for (uint64_t slot = 1; slot < 400; slot++) {
        for (uint8_t kind = VOTE_NOTARIZE; kind <= VOTE_FINALIZE; kind++) {
            n += world_signed(w, a, kind, slot) ? 1 : 0;
        }
    }
    return n;
}

/* A member that stood still may have a copy that lives by now: it asks before it signs again. */
static void a_long_pause_is_a_start(void **state)
{
    (void)state;
    struct world_options o = world_defaults();
    struct world *w = world_new(&o);
    assert_true(world_until_final(w, 8, 20000 * MS));
    world_pause(w, 1, true);
    world_run(w, 3000 * MS);
    uint64_t before = votes_of(w, 1);
    world_isolate(w, 1, true);
    world_pause(w, 1, false);
    world_run(w, 450 * MS);
    assert_int_equal(votes_of(w, 1), before);
    world_isolate(w, 1, false);
    world_run(w, 8000 * MS);
    assert_true(votes_of(w, 1) > before);
    assert_false(world_view(w, 1).stopped);
    assert_false(world_view(w, 1).amnesiac);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_minute_old),
        cmocka_unit_test(a_slot_old),
        cmocka_unit_test(old_and_long_down),
        cmocka_unit_test(an_ordinary_restart_is_none),
        cmocka_unit_test(a_long_pause_is_a_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
