/* A life of the storage room in which the k-th allocation, write, sync, commit or read fails, for
 * every k until none is left to fail: whatever was reported durable is there afterwards, nothing
 * that failed was reported durable, and a start without failures works. */
#define _GNU_SOURCE
#include "../storage/room.h"

#include <time.h>
#include <unistd.h>

#include "memory_kv.h"
#include "wrap.h"

enum { STEPS = 4, K_MOST = 2000 };

/* What one life saw. */
struct life {
    bool opened;
    uint64_t accepted; /* steps that were taken */
    uint64_t durable;  /* the last step reported OK */
    bool failed;       /* a completion was not OK */
    bool struck;       /* the failure came after the start, and before the close (which may lose
                        * no more than CLEAN) */
    bool survived;     /* it came in a start that succeeded all the same */
};

static void take_done(struct life *l, struct storage *s, uint64_t *open)
{
    struct storage_done done = room_wait(s);
    (*open)--;
    if (done.err != OK) {
        l->failed = true;
        return;
    }
    if (l->failed) {
        fail_msg("%llu is reported durable after a failure", (unsigned long long)done.value);
    }
    if (done.what == STORAGE_DONE_STEP) {
        assert_int_equal(done.value, l->durable + 1);
        l->durable = done.value;
    }
}

static void write_some(struct life *l, struct room *r)
{
    static const uint8_t body[100];
    struct block b = {.body = bytes_of(body, sizeof body)};
    struct hash hash = {{7}};
    struct storage_put put = {TABLE_MISC, bytes_of("key", 3), bytes_of("value", 5), false};
    uint64_t open = 0;
    for (uint64_t n = 1; n <= STEPS; n++) {
        bool taken = n == l->accepted + 1 && room_submit(r, n, n % 2 == 0) == OK;
        l->accepted += taken;
        open += taken;
        (void)!storage_submit_block(r->s, &hash, &b);
        if (n % 2 == 0 && storage_submit_puts(r->s, &put, 1, true, 1000 + n) == OK) {
            open++;
        }
        while (n % 2 == 0 && open > 0) {
            take_done(l, r->s, &open);
        }
    }
    while (open > 0) {
        take_done(l, r->s, &open);
    }
}

static void read_some(struct room *r)
{
    struct storage_buffer buf = {0};
    struct hash hash = {{7}};
    struct block b;
    enum err e = storage_get_block(r->s, &hash, &buf, &b);
    assert_true(e != OK || b.body.n == 100);
    buf.n = 0;
    (void)!storage_get(r->s, TABLE_MISC, bytes_of("key", 3), &buf);
    free(buf.p);
}

static struct life live(struct room *r, bool create)
{
    struct life l = {.opened = false};
    if (room_try_open(r, create) != OK) {
        return l;
    }
    l.opened = true;
    l.survived = fault_has_struck();
    write_some(&l, r);
    l.struck = !l.survived && fault_has_struck();
    read_some(r);
    room_close(r);
    return l;
}

/* A start without failures: everything durable is there, each step with its own vote. */
static void check_after(struct room *r, const struct life *l)
{
    enum err e = room_try_open(r, false);
    if (e == ERR_NOT_FOUND && !l->opened) {
        e = room_try_open(r, true);
    }
    if (e != OK) {
        fail_msg("the next start fails: %s: %s", err_name(e), r->why);
    }
    if (l->opened && r->verdict == STORAGE_AMNESIAC) {
        fail_msg("a lost journal after %llu durable steps: %s", (unsigned long long)l->durable,
                 r->why);
    }
    uint64_t n = storage_sequence(r->s);
    if (r->verdict == STORAGE_AMNESIAC) { /* its making failed half-way: its numbers jump */
        room_close(r);
        return;
    }
    if (n < l->durable || n > l->accepted) {
        fail_msg("%llu steps of %llu durable ones", (unsigned long long)n,
                 (unsigned long long)l->durable);
    }
    room_check_journal(r, 1, n);
    room_close(r);
}

/* True while there was a k-th call to fail. */
static bool run(enum fault_kind kind, uint64_t k, bool lasting)
{
    struct room r;
    memory_kv_erase();
    room_make(&r);
    r.o.open_kv = memory_kv_open;
    fault_arm(kind, k, lasting);
    struct life l = live(&r, true);
    bool struck = fault_disarm();
    /* A start needs every write but that of the process' number into the lock. */
    bool lock = kind == FAULT_WRITE && k == 1;
    assert_true(!l.survived || lock || kind == FAULT_MEMORY || kind == FAULT_READ);
    if (l.struck && kind != FAULT_MEMORY && kind != FAULT_READ && !l.failed) {
        fail_msg("failure %llu on the way to the disk was told to nobody", (unsigned long long)k);
    }
    if (!struck) {
        assert_true(l.opened && !l.failed);
        assert_int_equal(l.durable, STEPS);
    }
    check_after(&r, &l);
    room_remove(&r);
    return struck;
}

static void fail_each(enum fault_kind kind, uint64_t least)
{
    for (int lasting = 0; lasting < 2; lasting++) {
        uint64_t k = 1;
        while (run(kind, k, lasting != 0)) {
            k++;
            assert_true(k < K_MOST);
        }
        print_message("%llu calls failed, each in its turn%s\n", (unsigned long long)(k - 1),
                      lasting != 0 ? ", and all after it" : "");
        assert_true(k > least);
    }
}

static void memory(void **state)
{
    (void)state;
    fail_each(FAULT_MEMORY, 15);
}

static void writes(void **state)
{
    (void)state;
    fail_each(FAULT_WRITE, 4);
}

static void syncs(void **state)
{
    (void)state;
    fail_each(FAULT_SYNC, 4);
}

static void commits(void **state)
{
    (void)state;
    fail_each(FAULT_COMMIT, 3);
}

static void reads(void **state)
{
    (void)state;
    fail_each(FAULT_READ, 4);
}

/* A disk that was full for one write and has room again: storage_retry brings everything that was
 * taken, in order. */
static void retry(void **state)
{
    (void)state;
    static const enum fault_kind kinds[] = {FAULT_WRITE, FAULT_SYNC, FAULT_COMMIT, FAULT_MEMORY};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        for (uint64_t k = 1; k < 12; k++) {
            struct room r;
            struct life l = {.opened = true};
            memory_kv_erase();
            room_make(&r);
            r.o.open_kv = memory_kv_open;
            room_open(&r, true);
            fault_arm(kinds[i], k, false);
            write_some(&l, &r);
            fault_disarm();
            assert_int_equal(storage_retry(r.s), OK);
            assert_int_equal(storage_sequence(r.s), l.accepted);
            room_check_journal(&r, 1, l.accepted);
            room_close(&r);
            room_remove(&r);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory),  cmocka_unit_test(writes), cmocka_unit_test(syncs),
        cmocka_unit_test(commits), cmocka_unit_test(reads),  cmocka_unit_test(retry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
