/* What outlives a process, and what a member learns of its own clock. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node_kit.h"
#include "sequencer/node/genesis_file.h"
#include "sequencer/node/parts.h"

struct world {
    struct kit_dir dir;
    struct node *n;
};

static void ignore_wake(void *arg)
{
    (void)arg;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct genesis g;
    char why[256];
    enum storage_verdict verdict;
    assert_non_null(w);
    kit_dir_make(&w->dir);
    kit_genesis(&g);
    w->n = calloc(1, sizeof *w->n);
    assert_non_null(w->n);
    assert_int_equal(genesis_epoch_config(&w->n->epoch, &g, why, sizeof why), OK);
    const struct storage_options o = {.dir = w->dir.path,
                                      .genesis = w->n->epoch.genesis,
                                      .member = g.member[0].address,
                                      .create = true,
                                      .wake = ignore_wake};
    assert_int_equal(storage_open(&w->n->storage, &o, &verdict, why, sizeof why), OK);
    genesis_free(&g);
    w->n->metrics = metrics_create();
    w->n->incidents = incidents_create();
    assert_non_null(w->n->metrics);
    assert_non_null(w->n->incidents);
    log_set_level(LOG_ERROR);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    log_set_level(LOG_INFO);
    incidents_destroy(w->n->incidents);
    metrics_destroy(w->n->metrics);
    storage_close(w->n->storage);
    kit_dir_remove(&w->dir);
    free(w->n);
    free(w);
    return 0;
}

/* ---- incidents ------------------------------------------------------------------------------- */

static struct incident incident_of(uint64_t number)
{
    struct incident i = {.number = number,
                         .epoch = 1,
                         .turn = 10 * number + 1,
                         .slot = 80 * number + 3,
                         .from = (uint8_t)(number % 4),
                         .to = (uint8_t)((number + 1) % 4),
                         .started_ms = 1000 + number,
                         .skip_signed_ms = 2000 + number,
                         .certificate_ms = 3000 + number,
                         .proposal_ms = 4000 + number,
                         .final_ms = 5000 + number,
                         .gap_ms = number + 7,
                         .signers = 0x0d};
    snprintf(i.from_name, sizeof i.from_name, "n%u", i.from);
    snprintf(i.to_name, sizeof i.to_name, "n%u", i.to);
    snprintf(i.reason, sizeof i.reason, "silent");
    snprintf(i.own_reason, sizeof i.own_reason, "late");
    return i;
}

/* Stores `count` of them, and starts again with what the disk holds. */
static void store_and_start_again(struct node *n, uint64_t count)
{
    for (uint64_t k = 0; k < count; k++) {
        struct incident i = incident_of(k);
        incident_store(n, &i);
    }
    assert_int_equal(storage_retry(n->storage), OK);
    incidents_destroy(n->incidents);
    n->incidents = incidents_create();
    assert_non_null(n->incidents);
    assert_int_equal(incident_restore(n), OK);
}

static void incidents_outlive_the_process(void **state)
{
    struct world *w = *state;
    store_and_start_again(w->n, 3);
    assert_int_equal(incidents_total(w->n->incidents), 3);
    for (uint64_t k = 0; k < 3; k++) {
        struct incident want = incident_of(k);
        assert_memory_equal(incidents_at(w->n->incidents, k), &want, sizeof want);
    }
    assert_false(w->n->book.open);
}

static void stored_incidents_are_bounded(void **state)
{
    struct world *w = *state;
    uint64_t count = LIMIT_INCIDENTS + 5;
    store_and_start_again(w->n, count);
    assert_int_equal(incidents_total(w->n->incidents), count);
    assert_null(incidents_at(w->n->incidents, 4));
    assert_int_equal(incidents_at(w->n->incidents, 5)->turn, 51);
    assert_int_equal(incidents_at(w->n->incidents, count - 1)->number, count - 1);
}

static void an_incident_that_was_not_over_stays_open(void **state)
{
    struct world *w = *state;
    struct incident i = incident_of(2);
    i.final_ms = 0;
    incident_store(w->n, &i);
    store_and_start_again(w->n, 2);
    assert_true(w->n->book.open);
    assert_int_equal(w->n->book.open_from, 2);
    assert_int_equal(w->n->book.open_to, 2);
}

static void what_cannot_be_read_is_left_out(void **state)
{
    struct world *w = *state;
    static const uint8_t short_value[7] = {1};
    static const char key[] = "incident\0\1";
    const struct storage_put put = {.table = TABLE_MISC,
                                    .key = bytes_of(key, sizeof key - 1),
                                    .value = bytes_of(short_value, sizeof short_value)};
    struct incident i = incident_of(0);
    incident_store(w->n, &i);
    assert_int_equal(storage_submit_puts(w->n->storage, &put, 1, false, 0), OK);
    store_and_start_again(w->n, 0);
    assert_int_equal(incidents_total(w->n->incidents), 1);
}

/* ---- clocks ---------------------------------------------------------------------------------- */

/* One second: the others' clocks stand so far from the own one, in ms; then the look. */
static void second(struct node *n, int64_t one, int64_t two, int64_t three)
{
    const int64_t ahead[4] = {0, one, two, three};
    for (int member = 1; member < 4; member++) {
        clock_heard(n, member, (uint64_t)((int64_t)driver_wall(n) + ahead[member]));
    }
    clock_look(n);
}

static void expect_about(int64_t got, int64_t want)
{
    assert_true(got >= want - 100 && got <= want + 100);
}

static void a_wrong_clock_is_noticed(void **state)
{
    struct world *w = *state;
    second(w->n, -5000, -5000, -5000);
    assert_false(w->n->clock.wrong); /* once may be a pause */
    second(w->n, -5000, -5000, -5000);
    assert_true(w->n->clock.wrong);
    expect_about(w->n->clock.off_ms, 5000);
    char text[READY_SENTENCE];
    clock_say(w->n, text, sizeof text);
    assert_non_null(strstr(text, "ms ahead of the other members'"));
    second(w->n, -700, -700, -700);
    assert_true(w->n->clock.wrong);
    second(w->n, -100, -100, -100);
    assert_false(w->n->clock.wrong);
}

static void a_clock_behind_is_as_wrong(void **state)
{
    struct world *w = *state;
    second(w->n, 2000, 2100, 2200);
    second(w->n, 2000, 2100, 2200);
    assert_true(w->n->clock.wrong);
    assert_true(w->n->clock.off_ms < -1900);
}

static void one_liar_moves_nobody(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 3; i++) {
        second(w->n, 3600000, 0, 10);
        assert_false(w->n->clock.wrong);
        expect_about(w->n->clock.off_ms, 0);
    }
    expect_about(w->n->clock.peer[1].shown_ms, 3600000);
}

static void too_few_prove_nothing(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 3; i++) {
        clock_heard(w->n, 1, driver_wall(w->n) + 9000);
        clock_look(w->n);
    }
    assert_false(w->n->clock.wrong);
    assert_int_equal(w->n->clock.off_ms, 0);
}

/* A message that waited looks as if its sender's clock were behind: the youngest one counts. */
static void old_messages_say_nothing(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 3; i++) {
        for (int member = 1; member < 4; member++) {
            clock_heard(w->n, member, driver_wall(w->n) - 3000);
            clock_heard(w->n, member, driver_wall(w->n));
            clock_heard(w->n, member, driver_wall(w->n) - 2000);
        }
        clock_look(w->n);
    }
    assert_false(w->n->clock.wrong);
    expect_about(w->n->clock.off_ms, 0);
}

/* ---- distances ------------------------------------------------------------------------------- */

/* One way to each of the others, in ms; what they are after a look. */
static bool too_far(struct node *n, uint64_t one, uint64_t two, uint64_t three)
{
    const uint64_t way[4] = {0, one, two, three};
    for (int member = 1; member < 4; member++) {
        n->health.latency[member].p50 = way[member] * 1000;
    }
    distance_look(n);
    return n->health.too_far;
}

static void a_quorum_out_of_reach_is_told(void **state)
{
    struct world *w = *state;
    struct node *n = w->n;
    n->epoch.params.depth = 1;
    n->epoch.params.block_time_ms = 50;
    assert_false(too_far(n, 60, 0, 0)); /* not known yet */
    assert_false(too_far(n, 50, 50, 50));
    assert_false(too_far(n, 1, 50, 500)); /* three of four are enough */
    assert_true(too_far(n, 1, 51, 500));
    assert_true(too_far(n, 1, 40, 500)); /* not told again and again */
    assert_false(too_far(n, 1, 30, 500));
    n->epoch.params.depth = 5;
    assert_false(too_far(n, 120, 120, 120));
    assert_true(too_far(n, 160, 160, 160));
}

/* ---- a disk that hangs ----------------------------------------------------------------------- */

static void a_write_that_does_not_end_is_told(void **state)
{
    struct world *w = *state;
    assert_int_equal(store_waits_us(w->n), 0);
    assert_int_equal(health_not_ready(w->n) & NOT_READY_DISK, 0);
    w->n->driver.waiting_us = driver_now() - 200000;
    assert_int_equal(health_not_ready(w->n) & NOT_READY_DISK, 0);
    w->n->driver.waiting_us = driver_now() - 2000000;
    assert_true(store_waits_us(w->n) >= 2000000);
    assert_int_equal(health_not_ready(w->n) & NOT_READY_DISK, NOT_READY_DISK);
}

#define OBSERVED(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OBSERVED(incidents_outlive_the_process),
        OBSERVED(stored_incidents_are_bounded),
        OBSERVED(an_incident_that_was_not_over_stays_open),
        OBSERVED(what_cannot_be_read_is_left_out),
        OBSERVED(a_wrong_clock_is_noticed),
        OBSERVED(a_clock_behind_is_as_wrong),
        OBSERVED(one_liar_moves_nobody),
        OBSERVED(too_few_prove_nothing),
        OBSERVED(old_messages_say_nothing),
        OBSERVED(a_quorum_out_of_reach_is_told),
        OBSERVED(a_write_that_does_not_end_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
