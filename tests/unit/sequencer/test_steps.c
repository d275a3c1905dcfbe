/* What the disk completed at once: said to the core once, and let go in one go; a failure comes
 * after what was durable before it. Without a core: only the door is looked at. */
#include "sequencer/steps/steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { SAID = 64, SELF = 1 };

/* What the world was told, a letter each: s sends, f flush, t a completion that is no step's, ! the
 * failure. */
struct world {
    struct steps steps;
    const struct storage_done *done;
    size_t left;
    char said[SAID];
    size_t n;
};

static void say(void *ctx, char what)
{
    struct world *w = ctx;
    assert_true(w->n + 1 < SAID);
    w->said[w->n++] = what;
}

static void world_send(void *ctx, int to, const struct message *m)
{
    (void)to;
    assert_int_equal(m->kind, MSG_STATUS);
    say(ctx, 's');
}

static void world_flush(void *ctx)
{
    say(ctx, 'f');
}

static bool world_poll(void *ctx, struct storage_done *done)
{
    struct world *w = ctx;
    if (w->left == 0) {
        return false;
    }
    *done = *w->done++;
    w->left--;
    return true;
}

static void world_stored(void *ctx, uint64_t token, enum err err)
{
    (void)token;
    (void)err;
    say(ctx, 't');
}

static void world_failed(void *ctx, enum err err)
{
    (void)err;
    say(ctx, '!');
}

static void make(struct world *w)
{
    memset(w, 0, sizeof *w);
    const struct steps_world world = {
        .ctx = w,
        .send = world_send,
        .flush = world_flush,
        .poll = world_poll,
        .stored = world_stored,
        .failed = world_failed,
    };
    assert_int_equal(steps_open(&w->steps, &world, NULL, 1, SELF, 0), OK);
}

static void send_behind(struct world *w, uint64_t gate)
{
    const struct message m = {.kind = MSG_STATUS, .has_status = true};
    struct effect e = {.kind = EFFECT_SEND};
    e.u.send.to = SEND_ALL;
    e.u.send.gate = gate;
    e.u.send.message = &m;
    steps_send(&w->steps, &e);
}

static void expect(struct world *w, const struct storage_done *done, size_t n, const char *said)
{
    w->done = done;
    w->left = n;
    w->n = 0;
    memset(w->said, 0, sizeof w->said);
    steps_drain(&w->steps);
    assert_string_equal(w->said, said);
}

static void one_write_lets_go_once(void **state)
{
    (void)state;
    struct world w;
    make(&w);
    send_behind(&w, 1);
    send_behind(&w, 2);
    send_behind(&w, 3);
    const struct storage_done done[] = {
        {.what = STORAGE_DONE_TOKEN, .value = 9},
        {.what = STORAGE_DONE_STEP, .value = 1},
        {.what = STORAGE_DONE_TOKEN, .value = 10},
        {.what = STORAGE_DONE_STEP, .value = 2},
    };
    expect(&w, done, 4, "ttssf");
    assert_int_equal(w.steps.persisted, 2);
    const struct storage_done last = {.what = STORAGE_DONE_STEP, .value = 3};
    expect(&w, &last, 1, "sf");
    expect(&w, NULL, 0, "");
    steps_close(&w.steps);
}

static void what_was_durable_comes_before_the_failure(void **state)
{
    (void)state;
    struct world w;
    make(&w);
    send_behind(&w, 1);
    send_behind(&w, 2);
    const struct storage_done done[] = {
        {.what = STORAGE_DONE_STEP, .value = 1},
        {.what = STORAGE_DONE_STEP, .value = 2, .err = ERR_IO},
    };
    expect(&w, done, 2, "sf!");
    assert_true(w.steps.failed);
    assert_int_equal(w.steps.persisted, 1);
    steps_close(&w.steps);
}

static void a_failed_table_write_lets_nothing_more_go(void **state)
{
    (void)state;
    struct world w;
    make(&w);
    send_behind(&w, 1);
    const struct storage_done done[] = {
        {.what = STORAGE_DONE_TOKEN, .value = 9, .err = ERR_NO_SPACE},
        {.what = STORAGE_DONE_STEP, .value = 1, .err = ERR_NO_SPACE},
    };
    expect(&w, done, 2, "t!");
    assert_int_equal(w.steps.persisted, 0);
    steps_close(&w.steps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_write_lets_go_once),
        cmocka_unit_test(what_was_durable_comes_before_the_failure),
        cmocka_unit_test(a_failed_table_write_lets_nothing_more_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
