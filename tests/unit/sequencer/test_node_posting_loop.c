/* The half of posting that decides: when the worker works, what its results mean for the heads, for
 * the pressure and for who reads the log. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "posting_world.h"
#include "sequencer/node/genesis_file.h"
#include "sequencer/observe/metrics.h"

/* A node that has nothing but a disk, a chain and a loop. */
struct loop_world {
    struct world w;
    struct config config;
    struct node *n;
};

static int loop_setup(void **state)
{
    struct loop_world *l = calloc(1, sizeof *l);
    assert_non_null(l);
    open_world(&l->w);
    l->n = calloc(1, sizeof *l->n);
    assert_non_null(l->n);
    struct node *n = l->n;
    snprintf(l->config.dir, sizeof l->config.dir, "%s", l->w.dir.path);
    n->config = &l->config;
    n->storage = l->w.storage;
    n->genesis = l->w.genesis;
    n->epoch = l->w.config;
    n->metrics = metrics_create();
    assert_non_null(n->metrics);
    assert_int_equal(uv_loop_init(&n->loop), 0);
    *state = l;
    return 0;
}

static void close_posting(struct loop_world *l)
{
    struct node *n = l->n;
    posting_stop(n);
    while (n->closing > 0) {
        uv_run(&n->loop, UV_RUN_ONCE);
    }
    posting_close(n);
    memset(&n->poster, 0, sizeof n->poster);
}

static int loop_teardown(void **state)
{
    struct loop_world *l = *state;
    close_posting(l);
    assert_int_equal(uv_loop_close(&l->n->loop), 0);
    blocks_close(l->n);
    metrics_destroy(l->n->metrics);
    storage_close(l->w.storage);
    genesis_free(&l->w.genesis);
    kit_dir_remove(&l->w.dir);
    free(l->n);
    free(l);
    return 0;
}

static enum err open_posting(struct loop_world *l)
{
    return posting_open(l->n, l->n->end_why, sizeof l->n->end_why);
}

/* Everything on the disk is part of `latest`. */
static void show_all(struct loop_world *l)
{
    struct finality *f = &l->n->finality;
    settle(&l->w);
    f->latest_slot = l->w.tip.slot;
    f->latest_number = l->w.tip.height;
    f->latest_payload = l->w.tip.payload;
    f->latest_ms = l->w.tip.timestamp_ms;
}

static void turn(struct loop_world *l)
{
    posting_turn(l->n);
    while (l->n->poster.working) {
        uv_run(&l->n->loop, UV_RUN_ONCE);
    }
}

static void posted_in_turns(void **state)
{
    struct loop_world *l = *state;
    struct poster *p = &l->n->poster;
    assert_int_equal(open_posting(l), OK);
    assert_true(hash_equal(&p->safe.hash, &l->w.genesis.payload));
    grow_many(&l->w, 2 * SEGMENT + 1);
    show_all(l);
    turn(l);
    assert_int_equal(p->safe.number, 2 * SEGMENT);
    assert_int_equal(p->finalized.number, 2 * SEGMENT);
    assert_int_equal(p->segments, 2);
    turn(l);
    assert_false(p->working); /* nothing new: nothing to do */
    close_posting(l);
    assert_int_equal(open_posting(l), OK);
    assert_int_equal(p->safe.number, 2 * SEGMENT);
    assert_int_equal(p->safe.timestamp_ms,
                     l->w.genesis.timestamp_ms + (uint64_t)(2 * SEGMENT) * BLOCK_MS);
}

static void failures_are_told_once(void **state)
{
    struct loop_world *l = *state;
    struct poster *p = &l->n->poster;
    assert_int_equal(open_posting(l), OK);
    grow_many(&l->w, SEGMENT);
    show_all(l);
    for (uint32_t i = 0; i < 3; i++) {
        layer_file_fail_after(p->files, 0);
        p->retry_us = p->retry_us != 0 ? 1 : 0; /* it is time */
        turn(l);
        assert_int_equal(p->err, ERR_IO);
        assert_int_equal(p->safe.number, 0);
        assert_true(p->retry_us > 1);
        turn(l); /* too early: not tried */
        assert_int_equal(p->err, ERR_IO);
    }
    assert_true(metrics_get(l->n->metrics, METRIC_BATCH_FAILURES, 0) < 1.5);
    assert_int_equal(posting_layer(l->n), PRESSURE_LAYER_DOWN);
    p->retry_us = 1;
    turn(l);
    assert_int_equal(p->err, OK);
    assert_int_equal(p->safe.number, SEGMENT);
    assert_int_equal(posting_layer(l->n), PRESSURE_LAYER_OK);
}

enum { OLD_MS = 7 * 3600000, LASTING_US = 11000000 };

/* The chain is hours ahead of what waits: the stage rises when that lasts, and falls when it is
 * posted. */
static void pressure_rises_when_it_lasts(void **state)
{
    struct loop_world *l = *state;
    struct poster *p = &l->n->poster;
    assert_int_equal(open_posting(l), OK);
    grow_many(&l->w, 2);
    show_all(l);
    l->n->finality.latest_ms += OLD_MS;
    turn(l);
    turn(l);
    assert_int_equal(p->stage, 0);
    p->rising_us -= LASTING_US;
    turn(l);
    assert_int_equal(p->stage, 3);
    assert_true(posting_pressure(l->n).refuse);
    grow_many(&l->w, SEGMENT - 2);
    show_all(l);
    turn(l);
    turn(l);
    assert_int_equal(p->safe.number, SEGMENT);
    assert_int_equal(p->stage, 0);
}

/* Its blocks are of years ago, and none of them is late. */
static void who_catches_up_is_not_late(void **state)
{
    struct loop_world *l = *state;
    struct poster *p = &l->n->poster;
    assert_int_equal(open_posting(l), OK);
    grow_many(&l->w, 2);
    show_all(l);
    turn(l);
    turn(l);
    assert_int_equal(p->rising_us, 0);
    assert_int_equal(p->stage, 0);
}

/* Nothing can be posted: late from then on, though no block says since when. */
static void a_failure_has_an_age(void **state)
{
    struct loop_world *l = *state;
    struct poster *p = &l->n->poster;
    assert_int_equal(open_posting(l), OK);
    grow_many(&l->w, SEGMENT);
    show_all(l);
    layer_file_fail_after(p->files, 0);
    turn(l);
    assert_int_equal(p->err, ERR_IO);
    p->oldest_ms = 0;
    p->failed_us -= UINT64_C(1000000) * (LIMIT_UNSAFE_SLOW_S + 1);
    turn(l);
    p->rising_us -= LASTING_US;
    turn(l);
    assert_int_equal(p->stage, 1);
}

/* The L1 is followed from far behind: what was posted long ago is not known to be. */
static void who_reads_the_l1_from_far_behind_is_not_late(void **state)
{
    struct loop_world *l = *state;
    struct poster *p = &l->n->poster;
    assert_int_equal(open_posting(l), OK);
    grow_many(&l->w, 2);
    show_all(l);
    l->n->finality.latest_ms += OLD_MS;
    p->on_l1.behind = true;
    turn(l);
    turn(l);
    assert_int_equal(p->rising_us, 0);
    p->on_l1.behind = false;
    turn(l);
    assert_int_not_equal(p->rising_us, 0);
}

static void heads_go_back_and_are_never_shown_above_latest(void **state)
{
    struct loop_world *l = *state;
    struct node *n = l->n;
    const struct posting_head high = {20, {{20}}, 2};
    const struct posting_head low = {7, {{7}}, 1};
    n->finality.latest_number = 10;
    n->finality.latest_payload = (struct hash){{10}};
    posting_heads(n, &high, &low);
    assert_int_equal(posting_shown(n, &n->poster.safe).number, 10);
    assert_int_equal(posting_shown(n, &n->poster.safe).hash.b[0], 10);
    assert_int_equal(posting_shown(n, &n->poster.finalized).number, 7);
    posting_heads(n, &low, &low);
    assert_int_equal(posting_shown(n, &n->poster.safe).number, 7);
}

/* What stands in the folder must be what the own database has at that height. */
static void another_history_is_refused(void **state)
{
    struct loop_world *l = *state;
    assert_int_equal(open_posting(l), OK);
    grow_many(&l->w, SEGMENT);
    show_all(l);
    turn(l);
    close_posting(l);
    l->n->epoch.hash.b[0] ^= 1;
    assert_int_equal(open_posting(l), ERR_WRONG_CHAIN);
    assert_non_null(strstr(l->n->end_why, "is not certified by this chain; move that folder away"));
    assert_int_equal(node_exit_code(ERR_WRONG_CHAIN), 3);
    l->n->epoch.hash.b[0] ^= 1;
    close_posting(l);
    assert_int_equal(open_posting(l), OK);
    assert_int_equal(l->n->poster.safe.number, SEGMENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, loop_setup, loop_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(posted_in_turns),
        TEST(failures_are_told_once),
        TEST(pressure_rises_when_it_lasts),
        TEST(who_catches_up_is_not_late),
        TEST(a_failure_has_an_age),
        TEST(who_reads_the_l1_from_far_behind_is_not_late),
        TEST(heads_go_back_and_are_never_shown_above_latest),
        TEST(another_history_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
