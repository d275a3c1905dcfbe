#define _GNU_SOURCE
#include "room.h"

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void room_make(struct room *r)
{
    const char *tmp = getenv("TMPDIR");
    memset(r, 0, sizeof *r);
    snprintf(r->dir, sizeof r->dir, "%s/baton-storage-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(r->dir));
    r->o.dir = r->dir;
    memset(r->o.genesis.b, 0x47, sizeof r->o.genesis.b);
    memset(r->o.member.b, 0x4d, sizeof r->o.member.b);
}

void room_remove(struct room *r)
{
    assert_null(r->s);
    room_shell("rm -rf '%s' '%s'.*", r->dir, r->dir);
}

enum err room_try_open(struct room *r, bool create)
{
    r->o.create = create;
    r->why[0] = '\0';
    enum err e = storage_open(&r->s, &r->o, &r->verdict, r->why, sizeof r->why);
    if (e != OK) {
        r->s = NULL;
    }
    return e;
}

void room_open(struct room *r, bool create)
{
    enum err e = room_try_open(r, create);
    if (e != OK) {
        print_error("%s\n", r->why);
    }
    assert_int_equal(e, OK);
}

void room_close(struct room *r)
{
    storage_close(r->s);
    r->s = NULL;
}

void room_crash(struct room *r)
{
    struct safety_file f;
    char path[PATH_ROOM];
    room_close(r);
    room_path(r, "safety", path);
    assert_int_equal(safety_file_open(&f, &io_system, path), OK);
    struct safety_record record = f.newest;
    record.clean = false;
    assert_int_equal(safety_file_write_both(&f, &record), OK);
    safety_file_close(&f);
}

void room_kill(struct room *r)
{
    room_keep(r, "db");
    room_keep(r, "safety");
    room_close(r);
    room_restore(r, "db");
    room_restore(r, "safety");
}

void room_cut_log(const struct room *r, size_t n)
{
    static uint8_t log[LIMIT_STORAGE_LOG];
    char path[PATH_ROOM];
    room_path(r, "db/redo-0", path);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    size_t end = fread(log, 1, sizeof log, f);
    while (end > 0 && log[end - 1] == 0) {
        end--;
    }
    assert_true(end > n);
    memset(log + end - n, 0, n);
    rewind(f);
    assert_int_equal(fwrite(log, 1, end, f), end);
    assert_int_equal(fclose(f), 0);
}

void room_path(const struct room *r, const char *name, char out[PATH_ROOM])
{
    int n = snprintf(out, PATH_ROOM, "%s/%s", r->dir, name);
    assert_true(n > 0 && n < PATH_ROOM);
}

void room_shell(const char *format, ...)
{
    char command[4 * PATH_ROOM];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(command, sizeof command, format, args);
    va_end(args);
    assert_true(n > 0 && n < (int)sizeof command);
    assert_int_equal(system(command), 0);
}

void room_keep(const struct room *r, const char *name)
{
    room_shell("rm -rf '%s.%s' && cp -a '%s/%s' '%s.%s'", r->dir, name, r->dir, name, r->dir,
               name);
}

void room_restore(const struct room *r, const char *name)
{
    room_shell("rm -rf '%s/%s' && cp -a '%s.%s' '%s/%s'", r->dir, name, r->dir, name, r->dir,
               name);
}

struct vote room_vote(uint8_t kind, uint64_t slot)
{
    struct vote v = {.kind = kind, .signer = 1, .epoch = 3, .slot = slot};
    if (kind != VOTE_SKIP) {
        memset(v.block.b, (int)(slot % 251) + 1, sizeof v.block.b);
    }
    memset(v.signature.b, (int)(slot % 241) + 1, sizeof v.signature.b);
    v.signature.b[64] = 27;
    return v;
}

enum err room_submit(struct room *r, uint64_t sequence, bool sync)
{
    struct vote v = room_vote(VOTE_NOTARIZE, sequence);
    struct journal_step step = {.sequence = sequence, .epoch = 3, .vote = &v, .votes = 1};
    return storage_submit_step(r->s, &step, sync);
}

struct storage_done room_wait(struct storage *s)
{
    struct storage_done done;
    struct timespec pause = {0, 200000};
    for (int i = 0; i < 150000; i++) {
        if (storage_poll(s, &done)) {
            return done;
        }
        nanosleep(&pause, NULL);
    }
    fail_msg("no completion in 30 s");
    return (struct storage_done){0};
}

void room_steps(struct room *r, uint64_t first, uint64_t last)
{
    for (uint64_t n = first; n <= last; n++) {
        assert_int_equal(room_submit(r, n, true), OK);
    }
    for (uint64_t n = first; n <= last; n++) {
        struct storage_done done = room_wait(r->s);
        assert_int_equal(done.what, STORAGE_DONE_STEP);
        assert_int_equal(done.err, OK);
        assert_int_equal(done.value, n);
    }
}

struct journal_check {
    uint64_t next;
};

static bool check_step(void *arg, const struct journal_step *step)
{
    struct journal_check *c = arg;
    assert_int_equal(step->sequence, c->next++);
    for (uint32_t i = 0; i < step->votes; i++) {
        struct vote want = room_vote(step->vote[i].kind, step->vote[i].slot);
        assert_int_equal(step->vote[i].epoch, want.epoch);
        assert_int_equal(step->vote[i].signer, want.signer);
        assert_memory_equal(&step->vote[i].block, &want.block, sizeof want.block);
        assert_memory_equal(&step->vote[i].signature, &want.signature, sizeof want.signature);
    }
    return true;
}

void room_check_journal(struct room *r, uint64_t first, uint64_t last)
{
    struct journal_check c = {first};
    assert_int_equal(storage_walk_journal(r->s, check_step, &c), OK);
    assert_int_equal(c.next, last + 1);
    assert_int_equal(storage_sequence(r->s), last);
}

struct safety_record room_record(const struct room *r)
{
    struct safety_file f;
    char path[PATH_ROOM];
    room_path(r, "safety", path);
    assert_int_equal(safety_file_open(&f, &io_system, path), OK);
    assert_true(f.found);
    struct safety_record record = f.newest;
    safety_file_close(&f);
    return record;
}

void room_final(struct room *r, uint64_t slot)
{
    struct header h = {.epoch = 3, .slot = slot, .height = slot};
    struct certificate c = {.kind = VOTE_FINALIZE, .epoch = 3, .slot = slot, .signers = 1};
    memset(c.block.b, (int)(slot % 251) + 1, sizeof c.block.b);
    memset(c.signature[0].b, 1, sizeof c.signature[0].b);
    c.signature[0].b[64] = 27;
    const struct storage_final f = {c.block, &h, &c, bytes_of(NULL, 0)};
    assert_int_equal(storage_submit_final(r->s, &f), OK);
}

void room_settle(struct room *r)
{
    assert_int_equal(storage_submit_puts(r->s, NULL, 0, true, 77), OK);
    struct storage_done done = room_wait(r->s);
    assert_int_equal(done.what, STORAGE_DONE_TOKEN);
    assert_int_equal(done.value, 77);
    assert_int_equal(done.err, OK);
}
