/* What is durable when, in which order, and what a failing disk does. A gate before the real
 * store's commit lets a test look at the moment in between. */
#define _GNU_SOURCE
#include "room.h"

#include "storage/internal.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int passes;            /* that many commits may go on */
    int entered;
    int synced;
    size_t puts;           /* of the last commit */
    struct kv inner;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static enum err gate_commit(void *ctx, const struct kv_put *puts, size_t n, bool sync)
{
    pthread_mutex_lock(&gate.lock);
    int number = ++gate.entered;
    gate.synced += sync ? 1 : 0;
    gate.puts = n;
    pthread_cond_broadcast(&gate.changed);
    while (number > gate.passes) {
        pthread_cond_wait(&gate.changed, &gate.lock);
    }
    pthread_mutex_unlock(&gate.lock);
    return gate.inner.commit(ctx, puts, n, sync);
}

static enum err gate_open(struct kv *out, const char *path, bool create,
                          const char *const *families, size_t n, char *why, size_t why_len)
{
    enum err e = kv_rocksdb_open(&gate.inner, path, create, families, n, why, why_len);
    *out = gate.inner;
    out->commit = gate_commit;
    return e;
}

static void gate_let(int passes)
{
    pthread_mutex_lock(&gate.lock);
    gate.passes = passes;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

static void gate_wait(int entered)
{
    pthread_mutex_lock(&gate.lock);
    while (gate.entered < entered) {
        pthread_cond_wait(&gate.changed, &gate.lock);
    }
    pthread_mutex_unlock(&gate.lock);
}

static int setup(void **state)
{
    struct room *r = calloc(1, sizeof *r);
    room_make(r);
    r->o.open_kv = gate_open;
    gate.passes = INT_MAX;
    room_open(r, true);
    gate.entered = gate.synced = 0;
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct room *r = *state;
    gate_let(INT_MAX);
    if (r->s != NULL) {
        room_close(r);
    }
    room_remove(r);
    free(r);
    return 0;
}

static void expect_done(struct room *r, uint64_t value, enum err e)
{
    struct storage_done done = room_wait(r->s);
    assert_int_equal(done.value, value);
    assert_int_equal(done.err, e);
}

static void expect_nothing(struct room *r)
{
    struct storage_done done;
    assert_false(storage_poll(r->s, &done));
}

/* Waits until the record on disk is that of `sequence`. */
static void wait_record(const struct room *r, uint64_t sequence)
{
    struct timespec pause = {0, 200000};
    for (int i = 0; i < 50000 && room_record(r).sequence != sequence; i++) {
        nanosleep(&pause, NULL);
    }
    assert_int_equal(room_record(r).sequence, sequence);
}

static void complete_when_durable(void **state)
{
    struct room *r = *state;
    gate_let(0);
    assert_int_equal(room_submit(r, 1, true), OK);
    gate_wait(1);
    wait_record(r, 1); /* in parallel: the record is down, the journal is not */
    expect_nothing(r);
    assert_int_equal(storage_sequence(r->s), 0);
    gate_let(INT_MAX);
    expect_done(r, 1, OK);
    assert_int_equal(storage_sequence(r->s), 1);
}

static void group_commit(void **state)
{
    struct room *r = *state;
    gate_let(0);
    assert_int_equal(room_submit(r, 1, true), OK);
    gate_wait(1);
    for (uint64_t n = 2; n <= 20; n++) {
        struct storage_put p = {TABLE_MISC, bytes_of("k", 1), bytes_of("v", 1), false};
        assert_int_equal(storage_submit_puts(r->s, &p, 1, false, 100 + n), OK);
        assert_int_equal(room_submit(r, n, n % 2 == 0), OK);
    }
    gate_let(INT_MAX);
    expect_done(r, 1, OK);
    for (uint64_t n = 2; n <= 20; n++) {
        expect_done(r, 100 + n, OK);
        expect_done(r, n, OK);
    }
    assert_int_equal(gate.entered, 2);
    assert_int_equal(gate.puts, 38);
    assert_int_equal(room_record(r).sequence, 20);
    room_check_journal(r, 1, 20);
}

/* However many steps share a commit, the record is never ahead of the journal by two. */
static void record_leads_a_group_by_one(void **state)
{
    struct room *r = *state;
    gate_let(0);
    assert_int_equal(room_submit(r, 1, false), OK);
    gate_wait(1);
    for (uint64_t n = 2; n <= 9; n++) {
        assert_int_equal(room_submit(r, n, false), OK);
    }
    assert_int_equal(room_submit(r, 10, true), OK);
    gate_let(1);
    gate_wait(2); /* step 1 is committed, not durable; all of them go into the synced batch */
    wait_record(r, 1);
    expect_nothing(r);
    gate_let(INT_MAX);
    for (uint64_t n = 1; n <= 10; n++) {
        expect_done(r, n, OK);
    }
    assert_int_equal(room_record(r).sequence, 10);
}

static void unsynced_step_rides_along(void **state)
{
    struct room *r = *state;
    gate_let(0);
    assert_int_equal(room_submit(r, 1, false), OK);
    gate_wait(1);
    assert_int_equal(gate.synced, 0);
    assert_int_equal(room_submit(r, 2, true), OK);
    gate_let(INT_MAX);
    expect_done(r, 1, OK);
    expect_done(r, 2, OK);
    assert_int_equal(gate.entered, 2);
    assert_int_equal(gate.synced, 1);
    assert_int_equal(room_submit(r, 3, false), OK); /* alone: synced after a while */
    expect_done(r, 3, OK);
    assert_int_equal(gate.synced, 2);
    assert_int_equal(room_record(r).sequence, 3);
}

static atomic_int wakes;

static void count_wake(void *arg)
{
    atomic_int *n = arg;
    atomic_fetch_add(n, 1);
}

static void owner_is_woken(void **state)
{
    struct room *r = *state;
    room_close(r);
    r->o.wake = count_wake;
    r->o.wake_arg = &wakes;
    atomic_store(&wakes, 0);
    room_open(r, false);
    assert_int_equal(room_submit(r, 1, true), OK);
    struct timespec pause = {0, 200000};
    for (int i = 0; i < 50000 && atomic_load(&wakes) == 0; i++) {
        nanosleep(&pause, NULL);
    }
    assert_int_equal(atomic_load(&wakes), 1);
    expect_done(r, 1, OK); /* it was there when the wake came */
}

static void nothing_completes_after_a_failure(void **state)
{
    struct room *r = *state;
    room_steps(r, 1, 2);
    storage_set_fault(r->s, 1, 0);
    assert_int_equal(room_submit(r, 3, true), OK);
    expect_done(r, 3, ERR_NO_SPACE);
    assert_int_equal(room_submit(r, 4, true), OK); /* the disk is well again, yet: */
    assert_int_equal(storage_submit_puts(r->s, NULL, 0, true, 9), OK);
    expect_done(r, 4, ERR_NO_SPACE);
    expect_done(r, 9, ERR_NO_SPACE);
    assert_int_equal(storage_sequence(r->s), 2);
    assert_int_equal(room_record(r).sequence, 2);
    assert_int_equal(storage_retry(r->s), OK);
    expect_nothing(r);
    room_check_journal(r, 1, 4);
    room_steps(r, 5, 6);
    room_close(r);
    room_open(r, false);
    assert_int_equal(r->verdict, STORAGE_CLEAN);
    room_check_journal(r, 1, 6);
}

static void failure_that_stays(void **state)
{
    struct room *r = *state;
    room_steps(r, 1, 2);
    storage_set_fault(r->s, UINT32_MAX, 0);
    assert_int_equal(room_submit(r, 3, true), OK);
    expect_done(r, 3, ERR_NO_SPACE);
    assert_int_equal(storage_retry(r->s), ERR_NO_SPACE);
    assert_int_equal(storage_retry(r->s), ERR_NO_SPACE);
    room_close(r);
    assert_false(room_record(r).clean);
    room_open(r, false);
    assert_int_equal(r->verdict, STORAGE_CLEAN);
    room_check_journal(r, 1, 2);
}

static void retry_without_a_failure_flushes(void **state)
{
    struct room *r = *state;
    assert_int_equal(room_submit(r, 1, false), OK);
    assert_int_equal(storage_retry(r->s), OK);
    struct storage_done done;
    assert_true(storage_poll(r->s, &done));
    assert_int_equal(done.err, OK);
    assert_int_equal(storage_sequence(r->s), 1);
}

/* The owner hears of it while there is still room for what it cannot take back. */
static void crowded_before_full(void **state)
{
    struct room *r = *state;
    storage_set_fault(r->s, UINT32_MAX, 0);
    uint64_t taken = 0;
    while (!storage_crowded(r->s)) {
        assert_int_equal(storage_submit_puts(r->s, NULL, 0, true, ++taken), OK);
        assert_true(taken <= LIMIT_STORAGE_QUEUE / 2 + 1);
    }
    assert_int_equal(room_submit(r, 1, true), OK);
    storage_set_fault(r->s, 0, 0);
    assert_int_equal(storage_retry(r->s), OK);
    assert_false(storage_crowded(r->s));
}

static void slow_disk(void **state)
{
    struct room *r = *state;
    storage_set_fault(r->s, 0, 30);
    assert_int_equal(room_submit(r, 1, true), OK);
    struct storage_done done = room_wait(r->s);
    assert_int_equal(done.err, OK);
    assert_true(done.took_us >= 30000);
}

static void queue_is_bounded(void **state)
{
    struct room *r = *state;
    gate_let(0);
    uint64_t taken = 0;
    while (storage_submit_puts(r->s, NULL, 0, true, taken + 1) == OK) {
        taken++;
        assert_true(taken <= LIMIT_STORAGE_QUEUE);
    }
    assert_int_equal(taken, LIMIT_STORAGE_QUEUE);
    assert_int_equal(room_submit(r, 1, true), ERR_BUSY);
    gate_let(INT_MAX);
    for (uint64_t n = 1; n <= taken; n++) {
        expect_done(r, n, OK);
    }
    room_steps(r, 1, 1);
}

static void queue_is_bounded_in_bytes(void **state)
{
    struct room *r = *state;
    gate_let(0);
    uint8_t *body = calloc(1, LIMIT_BODY_BYTES);
    struct block b = {.body = bytes_of(body, LIMIT_BODY_BYTES)};
    struct hash hash = {{1}};
    size_t taken = 0;
    while (storage_submit_block(r->s, &hash, &b) == OK) {
        hash.b[0]++;
        taken++;
        assert_true(taken <= LIMIT_STORAGE_BYTES / LIMIT_BODY_BYTES);
    }
    assert_int_equal(taken, LIMIT_STORAGE_BYTES / LIMIT_BODY_BYTES - 1);
    gate_let(INT_MAX);
    assert_int_equal(storage_retry(r->s), OK);
    assert_int_equal(storage_submit_block(r->s, &hash, &b), OK);
    free(body);
}

/* What is final here may be lost with power as long as it waits: its votes stay as long. */
static void the_journal_is_pruned_by_what_is_durable(void **state)
{
    struct room *r = *state;
    room_steps(r, 1, 300);
    gate_let(gate.entered);
    room_final(r, 200);
    assert_int_equal(storage_prune_journal(r->s, 3, 200), OK);
    assert_int_equal(storage_prune_journal(r->s, 3, 200), OK);
    room_check_journal(r, 1, 300);
    gate_let(INT_MAX);
    room_settle(r);
    assert_int_equal(storage_prune_journal(r->s, 3, 200), OK);
    room_check_journal(r, 1, 300); /* now the floor is on its way */
    room_settle(r);
    assert_int_equal(storage_prune_journal(r->s, 3, 200), OK);
    room_check_journal(r, 201, 300);
}

/* ---- an end while somebody waits for a flush -------------------------------------------------- */

struct caller {
    struct storage *s;
    enum err e;
};

static void *call_retry(void *arg)
{
    struct caller *c = arg;
    c->e = storage_retry(c->s);
    return NULL;
}

static void *call_close(void *arg)
{
    struct caller *c = arg;
    storage_close(c->s);
    return NULL;
}

static void wait_for_flag(struct writer *w, const bool *flag)
{
    struct timespec pause = {0, 200000};
    bool set = false;
    for (int i = 0; i < 100000 && !set; i++) {
        pthread_mutex_lock(&w->lock);
        set = *flag;
        pthread_mutex_unlock(&w->lock);
        nanosleep(&pause, NULL);
    }
    assert_true(set);
}

static void join_within(pthread_t thread, time_t seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    assert_int_equal(pthread_timedjoin_np(thread, NULL, &until), 0);
}

/* The writer is in a write while both come, and finds nothing more to do than to answer. */
static void an_end_answers_a_flush(void **state)
{
    struct room *r = *state;
    struct caller retry = {r->s, ERR_INVARIANT};
    struct caller end = {r->s, OK};
    pthread_t flusher;
    pthread_t closer;
    gate_let(0);
    assert_int_equal(room_submit(r, 1, true), OK);
    gate_wait(1);
    assert_int_equal(pthread_create(&flusher, NULL, call_retry, &retry), 0);
    wait_for_flag(&r->s->writer, &r->s->writer.flush_asked);
    assert_int_equal(pthread_create(&closer, NULL, call_close, &end), 0);
    wait_for_flag(&r->s->writer, &r->s->writer.stop);
    gate_let(INT_MAX);
    join_within(flusher, 60);
    join_within(closer, 60);
    assert_int_equal(retry.e, OK);
    r->s = NULL;
    room_open(r, false);
    assert_int_equal(r->verdict, STORAGE_CLEAN);
    room_check_journal(r, 1, 1);
}

/* ---- a disk that is really full -------------------------------------------------------------- */

enum { CHILD_OK = 17 };

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static uint64_t write_until_full(struct room *r)
{
    for (uint64_t n = 1; n < 100000; n++) {
        assert_int_equal(room_submit(r, n, true), OK);
        struct storage_done done = room_wait(r->s);
        if (done.err != OK) {
            return n;
        }
        assert_int_equal(done.value, n);
    }
    return 0;
}

static void fill_the_disk(void **state)
{
    struct room *r = *state;
    signal(SIGXFSZ, SIG_IGN);
    room_open(r, true);
    limit_files(65536);
    uint64_t failed = write_until_full(r);
    assert_true(failed > 10);
    assert_int_equal(room_submit(r, failed + 1, true), OK);
    assert_int_not_equal(room_wait(r->s).err, OK);
    assert_int_equal(storage_sequence(r->s), failed - 1);
    char why[256];
    storage_explain(r->s, why, sizeof why);
    assert_non_null(strstr(why, "redo-0"));
    assert_int_not_equal(storage_retry(r->s), OK);
    room_check_journal(r, 1, failed - 1); /* without room nothing is closed: it still reads */
    limit_files(RLIM_INFINITY);
    assert_int_equal(storage_retry(r->s), OK);
    expect_nothing(r);
    room_steps(r, failed + 2, failed + 50);
    room_check_journal(r, 1, failed + 50);
    room_close(r);
    room_open(r, false);
    assert_int_equal(r->verdict, STORAGE_CLEAN);
    room_check_journal(r, 1, failed + 50);
    room_close(r);
}

static int fill_as_other_process(const char *dir)
{
    static struct room r;
    void *state = &r;
    snprintf(r.dir, sizeof r.dir, "%s", dir);
    r.o.dir = r.dir;
    memset(r.o.genesis.b, 0x47, sizeof r.o.genesis.b);
    memset(r.o.member.b, 0x4d, sizeof r.o.member.b);
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(fill_the_disk, state)};
    return cmocka_run_group_tests(tests, NULL, NULL) == 0 ? CHILD_OK : 1;
}

static void full_disk(void **state)
{
    struct room *r = *state;
    char dir[PATH_ROOM];
    int status = 0;
    snprintf(dir, sizeof dir, "%.*s.full", PATH_ROOM - 16, r->dir);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/proc/self/exe", "writer", "full", dir, (char *)NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), CHILD_OK);
}

#define WRITER(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
    if (argc == 3) {
        return fill_as_other_process(argv[2]);
    }
    const struct CMUnitTest tests[] = {
        WRITER(complete_when_durable), WRITER(group_commit), WRITER(record_leads_a_group_by_one),
        WRITER(unsynced_step_rides_along), WRITER(owner_is_woken),
        WRITER(nothing_completes_after_a_failure), WRITER(failure_that_stays),
        WRITER(retry_without_a_failure_flushes), WRITER(crowded_before_full), WRITER(slow_disk),
        WRITER(queue_is_bounded),
        WRITER(queue_is_bounded_in_bytes), WRITER(an_end_answers_a_flush),
        WRITER(the_journal_is_pruned_by_what_is_durable), WRITER(full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
