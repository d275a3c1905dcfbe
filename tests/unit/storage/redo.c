/* The log in front of the database: what comes back after a stop at any point, through many turns
 * of its two files. The store behind it is RocksDB itself. */
#define _GNU_SOURCE
#include "room.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/kv_redo.h"
#include "storage/redo_file.h"

static const char *const families[] = {"default", "more"};

enum { FAMILIES = 2, VALUE_BYTES = 60000, KEYS = 10 };

static struct kv open_at(const char *path, bool create)
{
    struct kv kv;
    char why[512] = "";
    enum err e = kv_redo_open(&kv, path, create, families, FAMILIES, why, sizeof why);
    if (e != OK) {
        print_error("%s\n", why);
    }
    assert_int_equal(e, OK);
    return kv;
}

static int setup(void **state)
{
    struct room *r = calloc(1, sizeof *r);
    room_make(r);
    room_shell("mkdir -p '%s/db'", r->dir);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    room_remove(*state);
    free(*state);
    return 0;
}

/* Batch number `n`: a large value under one of a few keys, and its number under another. */
static void put_number(struct kv *kv, uint64_t n, size_t bytes, bool sync)
{
    static uint8_t value[LIMIT_STORAGE_LOG];
    uint8_t key[8];
    uint8_t number[8];
    store_be64(key, n % KEYS);
    store_be64(number, n);
    memset(value, (int)(n % 251) + 1, bytes);
    struct kv_put puts[2] = {{1, bytes_of(key, 8), bytes_of(value, bytes), false},
                             {0, bytes_of("n", 1), bytes_of(number, 8), false}};
    assert_int_equal(kv->commit(kv->ctx, puts, 2, sync), OK);
}

static void check_value(struct kv *kv, uint64_t n, size_t bytes)
{
    uint8_t key[8];
    uint8_t *value = NULL;
    size_t got = 0;
    store_be64(key, n % KEYS);
    assert_int_equal(kv->get(kv->ctx, 1, bytes_of(key, 8), &value, &got), OK);
    assert_int_equal(got, bytes);
    assert_int_equal(value[0], n % 251 + 1);
    assert_int_equal(value[bytes - 1], n % 251 + 1);
    free(value);
}

static uint64_t number_in(struct kv *kv)
{
    uint8_t *value = NULL;
    size_t n = 0;
    assert_int_equal(kv->get(kv->ctx, 0, bytes_of("n", 1), &value, &n), OK);
    assert_int_equal(n, 8);
    uint64_t number = load_be64(value);
    free(value);
    return number;
}

/* The directory as it is while the store is open and nothing is flushed: what a kill leaves. */
static void keep_and_close(struct room *r, struct kv *kv)
{
    room_keep(r, "db");
    kv->close(kv->ctx);
    room_restore(r, "db");
}

static int write_and_die(char **word)
{
    uint64_t n = strtoull(word[2], NULL, 10);
    uint64_t last = strtoull(word[3], NULL, 10);
    size_t bytes = strtoull(word[4], NULL, 10);
    struct kv kv = open_at(word[1], n == 0);
    while (n < last) {
        n++;
        put_number(&kv, n, bytes, n == last);
    }
    return raise(SIGKILL);
}

/* Another process writes batches n + 1 … last, the last one synced, and is killed. */
static void killed_after(const char *path, uint64_t n, uint64_t last, size_t bytes)
{
    char word[3][32];
    int status = 0;
    snprintf(word[0], sizeof word[0], "%llu", (unsigned long long)n);
    snprintf(word[1], sizeof word[1], "%llu", (unsigned long long)last);
    snprintf(word[2], sizeof word[2], "%zu", bytes);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/proc/self/exe", "redo", path, word[0], word[1], word[2], (char *)NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void every_turn_of_the_files(void **state)
{
    struct room *r = *state;
    char path[PATH_ROOM];
    room_path(r, "db", path);
    uint64_t n = 0;
    for (uint64_t round = 0; round < 6; round++) {
        uint64_t last = n + 30 + 37 * round; /* up to three turns in one life */
        killed_after(path, n, last, VALUE_BYTES);
        n = last;
        struct kv kv = open_at(path, false);
        assert_int_equal(number_in(&kv), n);
        for (uint64_t k = n - KEYS + 1; k <= n; k++) {
            check_value(&kv, k, VALUE_BYTES);
        }
        kv.close(kv.ctx);
    }
    room_shell("test $(stat -c %%s '%s/redo-0') -le %d", path, LIMIT_STORAGE_LOG);
}

static void larger_than_the_log(void **state)
{
    struct room *r = *state;
    char path[PATH_ROOM];
    room_path(r, "db", path);
    struct kv kv = open_at(path, true);
    put_number(&kv, 1, 100, true);
    put_number(&kv, 2, LIMIT_STORAGE_LOG / 2 + 1, true);
    put_number(&kv, 3, 100, true);
    keep_and_close(r, &kv);
    kv = open_at(path, false);
    assert_int_equal(number_in(&kv), 3);
    check_value(&kv, 1, 100);
    check_value(&kv, 2, LIMIT_STORAGE_LOG / 2 + 1);
    check_value(&kv, 3, 100);
    kv.close(kv.ctx);
}

/* Wherever the log is cut, a prefix of the batches is there, whole. */
static void cut_anywhere(void **state)
{
    struct room *r = *state;
    char path[PATH_ROOM];
    room_path(r, "db", path);
    killed_after(path, 0, 20, 200);
    room_keep(r, "db");
    uint64_t least = 20;
    for (size_t cut = 1; cut < 1200; cut += 97) {
        room_restore(r, "db");
        room_cut_log(r, cut);
        struct kv kv = open_at(path, false);
        uint64_t n = number_in(&kv);
        assert_in_range(n, 20 - cut / 200 - 1, 19);
        check_value(&kv, n, 200);
        least = n < least ? n : least;
        kv.close(kv.ctx);
        killed_after(path, n, n + 1, 300); /* over what was cut */
        kv = open_at(path, false);
        assert_int_equal(number_in(&kv), n + 1);
        kv.close(kv.ctx);
    }
    assert_true(least < 17);
}

/* The log goes on where the tables end: a hole is damage. */
static void records_missing(void **state)
{
    struct room *r = *state;
    char path[PATH_ROOM];
    char why[512] = "";
    room_path(r, "db", path);
    struct kv kv = open_at(path, true);
    put_number(&kv, 1, 100, true);
    put_number(&kv, 2, 100, true);
    keep_and_close(r, &kv);
    struct redo_file f;
    char name[PATH_ROOM];
    room_path(r, "db/redo-0", name);
    assert_int_equal(redo_file_open(&f, &io_system, LIMIT_STORAGE_LOG, name), OK);
    uint8_t record[256];
    struct kv_put put = {0, bytes_of("k", 1), bytes_of("v", 1), false};
    assert_true(redo_record_size(&put, 1) <= sizeof record);
    redo_record_encode(record, UINT64_C(1) << 40, &put, 1);
    assert_int_equal(redo_file_write(&f, 0, record, redo_record_size(&put, 1)), OK);
    redo_file_close(&f);
    assert_int_equal(kv_redo_open(&kv, path, false, families, FAMILIES, why, sizeof why),
                     ERR_CORRUPT);
    assert_true(strlen(why) > 0);
}

static void any_flipped_bit_ends_the_walk(void **state)
{
    (void)state;
    uint8_t file[512] = {0};
    struct kv_put puts[2] = {{0, bytes_of("key", 3), bytes_of("value", 5), false},
                             {1, bytes_of("gone", 4), bytes_of(NULL, 0), true}};
    size_t size = redo_record_size(puts, 2);
    redo_record_encode(file, 9, puts, 2);
    redo_record_encode(file + size, 10, puts, 1);
    struct redo_walk w = {.file = bytes_of(file, sizeof file)};
    struct kv_put *got = NULL;
    size_t n = 0;
    assert_true(redo_walk_next(&w));
    assert_int_equal(redo_walk_puts(&w, &got, &n, 0), OK);
    assert_int_equal(n, 2);
    assert_memory_equal(got[0].value.p, "value", 5);
    assert_true(got[1].erase && got[1].family == 1 && got[1].value.n == 0);
    free(got);
    assert_true(redo_walk_next(&w));
    assert_int_equal(w.sequence, 10);
    assert_false(redo_walk_next(&w));
    for (size_t bit = 0; bit < size * 8; bit++) {
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
        w = (struct redo_walk){.file = bytes_of(file, sizeof file)};
        assert_false(redo_walk_next(&w));
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* `n` bytes of the log at `at` are zeros, as if they had not been written. */
static void tear(const struct room *r, uint64_t at, size_t n)
{
    static const uint8_t zeros[512];
    struct redo_file f;
    char name[PATH_ROOM];
    room_path(r, "db/redo-0", name);
    assert_true(n <= sizeof zeros);
    assert_int_equal(redo_file_open(&f, &io_system, LIMIT_STORAGE_LOG, name), OK);
    assert_int_equal(redo_file_write(&f, at, zeros, n), OK);
    redo_file_close(&f);
}

static bool has(struct kv *kv, const char *key)
{
    uint8_t *value = NULL;
    size_t n = 0;
    enum err e = kv->get(kv->ctx, 0, bytes_of(key, 1), &value, &n);
    free(value);
    assert_true(e == OK || e == ERR_NOT_FOUND);
    return e == OK;
}

/* Power fails between two writes of which the disk did the later first; the process that comes
 * after writes over the torn one up to just there. What was never reported stays away. */
static void stale_record_behind_a_torn_one(void **state)
{
    struct room *r = *state;
    char path[PATH_ROOM];
    room_path(r, "db", path);
    uint8_t value[512] = {0};
    struct kv_put first = {0, bytes_of("a", 1), bytes_of(value, 200), false};
    struct kv_put torn = {0, bytes_of("b", 1), bytes_of(value, 200), false};
    struct kv_put stale = {0, bytes_of("c", 1), bytes_of(value, 200), false};
    size_t size = redo_record_size(&first, 1);
    struct kv kv = open_at(path, true);
    assert_int_equal(kv.commit(kv.ctx, &first, 1, true), OK);
    assert_int_equal(kv.commit(kv.ctx, &torn, 1, true), OK);
    assert_int_equal(kv.commit(kv.ctx, &stale, 1, true), OK);
    keep_and_close(r, &kv);
    tear(r, size, size);
    kv = open_at(path, false);
    assert_true(has(&kv, "a") && !has(&kv, "b") && !has(&kv, "c"));
    struct kv_put longer = {0, bytes_of("d", 1), bytes_of(value, sizeof value), false};
    longer.value.n -= redo_record_size(&longer, 1) - 2 * size;
    assert_int_equal(redo_record_size(&longer, 1), 2 * size);
    assert_int_equal(kv.commit(kv.ctx, &longer, 1, true), OK);
    keep_and_close(r, &kv);
    kv = open_at(path, false);
    assert_true(has(&kv, "a") && has(&kv, "d"));
    assert_false(has(&kv, "b"));
    assert_false(has(&kv, "c"));
    kv.close(kv.ctx);
}

/* ---- names of files -------------------------------------------------------------------------- */

static struct {
    struct io io;
    uint32_t made, named;
} names;

static int making_open(void *ctx, const char *path, bool make)
{
    names.made += access(path, F_OK) != 0 ? 1 : 0;
    return io_system.open(ctx, path, make);
}

static int naming_sync(void *ctx, int fd, const char *path)
{
    names.named++;
    return io_system.sync_entry(ctx, fd, path);
}

/* A file whose name power may take away again holds nothing that is durable. */
static void names_are_durable_before_records(void **state)
{
    struct room *r = *state;
    char path[PATH_ROOM];
    char why[512] = "";
    struct kv kv;
    room_path(r, "db", path);
    names.io = io_system;
    names.io.open = making_open;
    names.io.sync_entry = naming_sync;
    const struct kv_redo_base base = {kv_rocksdb_open_bare, &names.io, LIMIT_STORAGE_LOG, true};
    assert_int_equal(kv_redo_open_on(&kv, &base, path, true, families, FAMILIES, why, sizeof why),
                     OK);
    assert_int_equal(names.made, 2);
    assert_int_equal(names.named, 2);
    put_number(&kv, 1, 100, true);
    kv.close(kv.ctx);
    assert_int_equal(kv_redo_open_on(&kv, &base, path, false, families, FAMILIES, why, sizeof why),
                     OK);
    assert_int_equal(names.made, 2);
    assert_int_equal(number_in(&kv), 1);
    kv.close(kv.ctx);
}

#define REDO(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
    if (argc == 5) {
        return write_and_die(argv);
    }
    const struct CMUnitTest tests[] = {
        REDO(every_turn_of_the_files), REDO(larger_than_the_log), REDO(cut_anywhere),
        REDO(records_missing), REDO(stale_record_behind_a_torn_one),
        REDO(names_are_durable_before_records),
        cmocka_unit_test(any_flipped_bit_ends_the_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
