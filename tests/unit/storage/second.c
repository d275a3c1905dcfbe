/* The record's thread: left out where a write takes less than waking it, and used again as soon as
 * one takes longer. On a clock and a file of the test's own. */
#include "storage/second.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct disk {
    uint64_t now_us, sync_us; /* what a sync takes */
    pthread_t writer;         /* who made the last one */
    int error;
};

static ssize_t disk_write(void *ctx, int fd, const void *p, size_t n, uint64_t at)
{
    (void)ctx;
    (void)fd;
    (void)p;
    (void)at;
    return (ssize_t)n;
}

static int disk_sync(void *ctx, int fd)
{
    struct disk *d = ctx;
    (void)fd;
    d->now_us += d->sync_us;
    d->writer = pthread_self();
    return d->error;
}

static uint64_t disk_now(void *ctx)
{
    const struct disk *d = ctx;
    return d->now_us;
}

struct rig {
    struct disk disk;
    struct io io;
    struct safety_file file;
    struct second second;
};

static void rig_make(struct rig *r)
{
    *r = (struct rig){.io = {.write = disk_write, .sync = disk_sync, .now_us = disk_now}};
    r->io.ctx = &r->disk;
    r->file.io = &r->io;
    assert_int_equal(second_start(&r->second, &r->file), OK);
}

/* Writes once; true: on the thread of whoever asked. */
static bool written_here(struct rig *r, uint64_t sequence, enum err expected)
{
    const struct safety_record record = {.sequence = sequence};
    second_ask(&r->second, &record);
    assert_int_equal(second_wait(&r->second), expected);
    return pthread_equal(r->disk.writer, pthread_self()) != 0;
}

static void quick_writes_need_no_thread(void **state)
{
    (void)state;
    struct rig r;
    rig_make(&r);
    r.disk.sync_us = 5;
    assert_false(written_here(&r, 1, OK)); /* nothing is known yet */
    assert_true(written_here(&r, 2, OK));
    assert_true(written_here(&r, 3, OK));
    assert_int_equal(r.file.newest.sequence, 3);
    second_stop(&r.second);
}

static void slow_writes_have_their_thread(void **state)
{
    (void)state;
    struct rig r;
    rig_make(&r);
    r.disk.sync_us = 5;
    assert_false(written_here(&r, 1, OK));
    r.disk.sync_us = 3000;
    assert_true(written_here(&r, 2, OK)); /* seen to be slow by this one */
    assert_false(written_here(&r, 3, OK));
    assert_false(written_here(&r, 4, OK));
    assert_int_equal(r.file.newest.sequence, 4);
    second_stop(&r.second);
}

static void failures_are_told_either_way(void **state)
{
    (void)state;
    struct rig r;
    rig_make(&r);
    r.disk.error = -1;
    assert_false(written_here(&r, 1, ERR_IO));
    assert_true(written_here(&r, 2, ERR_IO));
    r.disk.error = 0;
    assert_true(written_here(&r, 3, OK));
    assert_int_equal(r.file.newest.sequence, 3);
    second_stop(&r.second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quick_writes_need_no_thread),
        cmocka_unit_test(slow_writes_have_their_thread),
        cmocka_unit_test(failures_are_told_either_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
