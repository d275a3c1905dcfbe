/* Every start that CONSENSUS 8 tells apart. */
#define _GNU_SOURCE
#include "room.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

static int setup(void **state)
{
    struct room *r = calloc(1, sizeof *r);
    room_make(r);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct room *r = *state;
    if (r->s != NULL) {
        room_close(r);
    }
    room_remove(r);
    free(r);
    return 0;
}

static void start_is(struct room *r, enum storage_verdict want)
{
    room_open(r, false);
    if (r->verdict != want) {
        print_error("%s\n", r->why);
    }
    assert_int_equal(r->verdict, want);
}

static void write_record(struct room *r, const struct safety_record *record)
{
    struct safety_file f;
    char path[PATH_ROOM];
    room_path(r, "safety", path);
    assert_int_equal(safety_file_create(&f, &io_system, path, record), OK);
    safety_file_close(&f);
}

/* An amnesiac stays so over restarts, signs nothing, and says why. */
static void check_amnesiac(struct room *r)
{
    struct vote v = room_vote(VOTE_SKIP, 1);
    uint64_t epoch = 0;
    uint64_t slot = 0;
    start_is(r, STORAGE_AMNESIAC);
    assert_true(strlen(r->why) > 0);
    uint64_t sequence = storage_sequence(r->s);
    assert_true(sequence > 1000000); /* the wall clock in microseconds */
    struct journal_step step = {.sequence = sequence + 1, .epoch = 3, .vote = &v, .votes = 1};
    assert_int_equal(storage_submit_step(r->s, &step, true), ERR_REFUSED);
    storage_floor(r->s, &epoch, &slot);
    assert_int_equal(epoch, UINT64_MAX);
    assert_int_equal(slot, UINT64_MAX);
    assert_true(room_record(r).amnesiac);
    assert_int_equal(room_record(r).sequence, sequence);
    room_close(r);
    start_is(r, STORAGE_AMNESIAC);
    assert_int_equal(storage_sequence(r->s), sequence);
    step.votes = 0;
    assert_int_equal(storage_submit_step(r->s, &step, true), OK);
    assert_int_equal(room_wait(r->s).err, OK);
    room_close(r);
    start_is(r, STORAGE_AMNESIAC);
    assert_int_equal(storage_sequence(r->s), sequence + 1);
    room_close(r);
}

static void new_member(void **state)
{
    struct room *r = *state;
    assert_int_equal(room_try_open(r, false), ERR_NOT_FOUND);
    assert_non_null(strstr(r->why, "--lost"));
    room_open(r, true);
    assert_int_equal(r->verdict, STORAGE_NEVER_SIGNED);
    assert_int_equal(storage_sequence(r->s), 0);
    room_close(r);
    assert_int_equal(room_try_open(r, true), ERR_REFUSED);
    assert_non_null(strstr(r->why, "database already"));
    start_is(r, STORAGE_NEVER_SIGNED);
    room_steps(r, 1, 3);
    room_close(r);
    start_is(r, STORAGE_CLEAN);
    room_check_journal(r, 1, 3);
    room_steps(r, 4, 5);
    assert_int_equal(room_record(r).highest_notarize, 5);
    assert_false(room_record(r).clean);
    room_close(r);
    assert_true(room_record(r).clean);
}

static void sequences_ascend_by_one(void **state)
{
    struct room *r = *state;
    room_open(r, true);
    assert_int_equal(room_submit(r, 2, true), ERR_INVARIANT);
    assert_int_equal(room_submit(r, 1, true), OK);
    assert_int_equal(room_submit(r, 1, true), ERR_INVARIANT);
    struct vote v[LIMIT_STEP_VOTES + 1];
    struct journal_step many = {.sequence = 2, .epoch = 3, .vote = v};
    many.votes = LIMIT_STEP_VOTES + 1;
    assert_int_equal(storage_submit_step(r->s, &many, true), ERR_TOO_LARGE);
}

static void journal_ahead(void **state)
{
    struct room *r = *state;
    room_open(r, true);
    room_steps(r, 1, 2);
    room_crash(r);
    room_keep(r, "safety");
    start_is(r, STORAGE_CLEAN);
    room_steps(r, 3, 7);
    room_close(r);
    room_restore(r, "safety");
    start_is(r, STORAGE_CLEAN);
    assert_int_equal(room_record(r).sequence, 7);
    assert_int_equal(room_record(r).highest_notarize, 7);
    room_check_journal(r, 1, 7);
}

static bool take_votes(void *arg, const struct journal_step *step)
{
    uint32_t *kinds = arg;
    if (step->sequence == 3) {
        for (uint32_t i = 0; i < step->votes; i++) {
            *kinds = *kinds * 10 + step->vote[i].kind;
        }
    }
    return true;
}

static void one_behind(void **state)
{
    struct room *r = *state;
    room_open(r, true);
    room_steps(r, 1, 2);
    room_crash(r);
    struct safety_record ahead = room_record(r);
    ahead.sequence = 3;
    ahead.vote[0] = room_vote(VOTE_FINALIZE, 9);
    ahead.vote[1] = room_vote(VOTE_NOTARIZE, 10);
    ahead.vote[2] = room_vote(VOTE_SKIP, 11);
    ahead.votes = 3;
    write_record(r, &ahead);
    start_is(r, STORAGE_ONE_BEHIND);
    room_check_journal(r, 1, 3);
    uint32_t kinds = 0;
    assert_int_equal(storage_walk_journal(r->s, take_votes, &kinds), OK);
    assert_int_equal(kinds, 12);
    room_steps(r, 4, 4);
    room_close(r);
    start_is(r, STORAGE_CLEAN);
    room_check_journal(r, 1, 4);
}

static void first_step_torn(void **state)
{
    struct room *r = *state;
    room_open(r, true);
    room_crash(r);
    struct safety_record ahead = room_record(r);
    ahead.sequence = 1;
    ahead.epoch = 3;
    ahead.vote[0] = room_vote(VOTE_NOTARIZE, 1);
    ahead.votes = 1;
    write_record(r, &ahead);
    start_is(r, STORAGE_ONE_BEHIND);
    room_check_journal(r, 1, 1);
}

static void two_behind(void **state)
{
    struct room *r = *state;
    room_open(r, true);
    room_steps(r, 1, 2);
    room_crash(r);
    struct safety_record ahead = room_record(r);
    ahead.sequence = 4;
    write_record(r, &ahead);
    check_amnesiac(r);
}

/* It was found while running, and the power went before the second record said so too. */
static void marked_in_the_journal_alone(void **state)
{
    struct room *r = *state;
    struct journal_step step = {.sequence = 3, .epoch = 3, .amnesiac = true};
    room_open(r, true);
    room_steps(r, 1, 2);
    struct safety_record before = room_record(r);
    assert_int_equal(storage_submit_step(r->s, &step, false), OK);
    assert_int_equal(room_wait(r->s).err, OK);
    room_close(r);
    write_record(r, &before);
    start_is(r, STORAGE_AMNESIAC);
}

static void one_behind_a_clean_record(void **state)
{
    struct room *r = *state;
    room_open(r, true);
    room_steps(r, 1, 2);
    room_close(r);
    room_keep(r, "db");
    start_is(r, STORAGE_CLEAN);
    room_steps(r, 3, 3);
    room_close(r);
    room_restore(r, "db");
    check_amnesiac(r);
}

static void older_database_restored(void **state)
{
    struct room *r = *state;
    room_open(r, true);
    room_steps(r, 1, 4);
    room_close(r);
    room_keep(r, "db");
    start_is(r, STORAGE_CLEAN);
    room_steps(r, 5, 9);
    room_crash(r);
    room_restore(r, "db");
    check_amnesiac(r);
}

static void record_missing(void **state)
{
    struct room *r = *state;
    room_open(r, true);
    room_steps(r, 1, 2);
    room_close(r);
    room_shell("rm '%s/safety'", r->dir);
    check_amnesiac(r);
}

static void database_missing(void **state)
{
    struct room *r = *state;
    room_open(r, true);
    room_steps(r, 1, 2);
    room_close(r);
    room_shell("rm -rf '%s/db'", r->dir);
    check_amnesiac(r);
}

static void database_made_again_beside_a_used_record(void **state)
{
    struct room *r = *state;
    room_open(r, true);
    room_steps(r, 1, 2);
    room_close(r);
    room_shell("rm -rf '%s/db'", r->dir);
    room_open(r, true);
    assert_int_equal(r->verdict, STORAGE_AMNESIAC);
    room_close(r);
    check_amnesiac(r);
}

static void creation_cut_short(void **state)
{
    struct room *r = *state;
    room_open(r, true);
    room_crash(r);
    room_shell("rm -rf '%s/db'", r->dir); /* the record was there first */
    room_open(r, true);
    assert_int_equal(r->verdict, STORAGE_NEVER_SIGNED);
}

static void flip(struct room *r, off_t at)
{
    char path[PATH_ROOM];
    uint8_t byte = 0;
    room_path(r, "safety", path);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

/* After a clean stop either slot alone carries the whole truth. */
static void one_slot_damaged(void **state)
{
    struct room *r = *state;
    room_open(r, true);
    room_steps(r, 1, 5);
    room_close(r);
    room_keep(r, "safety");
    for (unsigned slot = 0; slot < SAFETY_SLOTS; slot++) {
        for (off_t at = 0; at < SAFETY_SLOT_BYTES; at += 499) {
            struct safety_record record;
            room_restore(r, "safety");
            flip(r, (off_t)slot * SAFETY_SLOT_BYTES + at);
            record = room_record(r);
            assert_int_equal(record.sequence, 5);
            assert_true(record.clean);
        }
        start_is(r, STORAGE_CLEAN);
        room_close(r);
    }
}

static void both_slots_damaged(void **state)
{
    struct room *r = *state;
    room_open(r, true);
    room_steps(r, 1, 5);
    room_close(r);
    flip(r, 100);
    flip(r, SAFETY_SLOT_BYTES + 200);
    check_amnesiac(r);
}

static void record_cut_short(void **state)
{
    struct room *r = *state;
    room_open(r, true);
    room_steps(r, 1, 5);
    room_close(r);
    room_shell("truncate -s 4000 '%s/safety'", r->dir);
    check_amnesiac(r);
}

static void known_key_new_journal(void **state)
{
    struct room *r = *state;
    r->o.create_amnesiac = true;
    room_open(r, true);
    assert_int_equal(r->verdict, STORAGE_AMNESIAC);
    room_close(r);
    check_amnesiac(r);
}

static void clearing(void **state)
{
    struct room *r = *state;
    uint64_t epoch = 0;
    uint64_t slot = 0;
    r->o.create_amnesiac = true;
    room_open(r, true);
    uint64_t n = storage_sequence(r->s);
    struct journal_step step = {.sequence = n + 1, .epoch = 3};
    step.cleared = true;
    step.clearing_slot = 40;
    assert_int_equal(storage_submit_step(r->s, &step, false), OK);
    assert_int_equal(room_wait(r->s).err, OK);
    room_steps(r, n + 2, n + 3);
    room_close(r);
    start_is(r, STORAGE_CLEAN);
    assert_int_equal(storage_sequence(r->s), n + 3);
    storage_floor(r->s, &epoch, &slot);
    assert_int_equal(epoch, 3);
    assert_int_equal(slot, 40);
    step = (struct journal_step){.sequence = n + 400, .epoch = 3, .amnesiac = true};
    assert_int_equal(storage_submit_step(r->s, &step, false), OK); /* found while running */
    assert_int_equal(room_wait(r->s).err, OK);
    assert_int_equal(room_submit(r, n + 401, true), ERR_REFUSED);
    room_close(r);
    start_is(r, STORAGE_AMNESIAC);
    assert_int_equal(storage_sequence(r->s), n + 400);
}

static void vow(void **state)
{
    struct room *r = *state;
    r->o.create_amnesiac = true;
    room_open(r, true);
    uint64_t n = storage_sequence(r->s);
    room_close(r);
    start_is(r, STORAGE_AMNESIAC);
    room_close(r);
    r->o.vow_never_signed = true;
    start_is(r, STORAGE_CLEAN);
    assert_true(storage_sequence(r->s) > n);
    n = storage_sequence(r->s);
    room_steps(r, n + 1, n + 2);
    room_close(r);
    r->o.vow_never_signed = false;
    start_is(r, STORAGE_CLEAN);
    assert_int_equal(storage_sequence(r->s), n + 2);
}

static void foreign_genesis(void **state)
{
    struct room *r = *state;
    room_open(r, true);
    room_close(r);
    r->o.genesis.b[0] = 0xee;
    assert_int_equal(room_try_open(r, false), ERR_WRONG_CHAIN);
    assert_non_null(strstr(r->why, "0xee474747"));
    assert_non_null(strstr(r->why, "0x47474747"));
    room_shell("rm '%s/safety'", r->dir); /* the database tells it as well */
    assert_int_equal(room_try_open(r, false), ERR_WRONG_CHAIN);
    assert_non_null(strstr(r->why, "0xee474747"));
}

static void foreign_member(void **state)
{
    struct room *r = *state;
    room_open(r, true);
    room_close(r);
    r->o.member.b[0] = 0xee;
    assert_int_equal(room_try_open(r, false), ERR_REFUSED);
    assert_non_null(strstr(r->why, "0xee4d4d"));
}

static void observer_becomes_member(void **state)
{
    struct room *r = *state;
    struct address member = r->o.member;
    memset(&r->o.member, 0, sizeof r->o.member);
    room_open(r, true);
    assert_int_equal(r->verdict, STORAGE_NEVER_SIGNED);
    struct journal_step step = {.sequence = 1, .epoch = 3};
    assert_int_equal(storage_submit_step(r->s, &step, true), OK);
    assert_int_equal(room_wait(r->s).err, OK);
    assert_int_equal(room_submit(r, 2, true), ERR_REFUSED);
    room_close(r);
    start_is(r, STORAGE_CLEAN);
    room_close(r);
    assert_int_not_equal(access(r->dir, F_OK), -1);
    r->o.member = member;
    check_amnesiac(r);
}

static void newer_version(void **state)
{
    struct room *r = *state;
    const char *families[] = {"default", "journal", "blocks", "chain", "tables", "pool"};
    char db[PATH_ROOM];
    struct kv kv;
    room_open(r, true);
    room_close(r);
    room_path(r, "db", db);
    assert_int_equal(kv_rocksdb_open(&kv, db, false, families, 6, r->why, sizeof r->why), OK);
    uint8_t three[4] = {0, 0, 0, 3};
    struct kv_put put = {0, bytes_of("version", 7), bytes_of(three, sizeof three), false};
    assert_int_equal(kv.commit(kv.ctx, &put, 1, true), OK);
    kv.close(kv.ctx);
    assert_int_equal(room_try_open(r, false), ERR_WRONG_VERSION);
    assert_non_null(strstr(r->why, "format 3"));
}

static void damaged_database(void **state)
{
    struct room *r = *state;
    room_open(r, true);
    room_steps(r, 1, 5);
    room_close(r);
    room_shell("for f in '%s'/db/MANIFEST-*; do "
               "printf xxxxxxxx | dd of=$f bs=1 seek=20 conv=notrunc status=none; done", r->dir);
    assert_int_equal(room_try_open(r, false), ERR_CORRUPT);
    assert_non_null(strstr(r->why, r->dir));
    assert_non_null(strstr(r->why, "keep the file `safety`"));
}

/* Each step in a commit of its own. */
static void steps_one_by_one(struct room *r, uint64_t last)
{
    for (uint64_t n = 1; n <= last; n++) {
        room_steps(r, n, n);
    }
}

/* The tail of the log is gone as after a power cut on a disk that lied. */
static void log_tail_lost(void **state)
{
    struct room *r = *state;
    room_open(r, true);
    steps_one_by_one(r, 40);
    room_kill(r);
    room_cut_log(r, 1000);
    struct room probe = *r;
    memset(&probe.o.member, 0, sizeof probe.o.member); /* looks on, as an observer */
    room_open(&probe, false);
    assert_in_range(storage_sequence(probe.s), 10, 38);
    room_close(&probe);
    check_amnesiac(r);
}

/* A half-written last record is no damage: that step was never sent. */
static void log_tail_torn(void **state)
{
    struct room *r = *state;
    room_open(r, true);
    steps_one_by_one(r, 40);
    room_kill(r);
    room_cut_log(r, 5);
    start_is(r, STORAGE_ONE_BEHIND);
    room_check_journal(r, 1, 40);
}

/* Nothing but a kill: all is in the log, nothing in the tables. */
static void killed(void **state)
{
    struct room *r = *state;
    room_open(r, true);
    steps_one_by_one(r, 40);
    room_kill(r);
    start_is(r, STORAGE_CLEAN);
    room_check_journal(r, 1, 40);
    room_steps(r, 41, 45); /* in the log from its start again */
    room_kill(r);
    start_is(r, STORAGE_CLEAN);
    room_check_journal(r, 1, 45);
}

static const char *self;

static void in_use(void **state)
{
    struct room *r = *state;
    room_open(r, true);
    struct room second = *r;
    assert_int_equal(room_try_open(&second, false), ERR_IN_USE);
    pid_t pid = fork();
    if (pid == 0) {
        execl(self, self, "open", r->dir, (char *)NULL);
        _exit(99);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), ERR_IN_USE);
    room_close(r);
    start_is(r, STORAGE_NEVER_SIGNED);
}

static int open_as_other_process(const char *dir)
{
    struct room r;
    memset(&r, 0, sizeof r);
    r.o.dir = dir;
    memset(r.o.genesis.b, 0x47, sizeof r.o.genesis.b);
    memset(r.o.member.b, 0x4d, sizeof r.o.member.b);
    enum err e = room_try_open(&r, false);
    return strstr(r.why, "in use by another process") != NULL ? (int)e : 98;
}

static void safety_on_another_device(void **state)
{
    struct room *r = *state;
    char dir[PATH_ROOM];
    char path[PATH_ROOM + 16];
    snprintf(dir, sizeof dir, "%.*s.other", PATH_ROOM - 16, r->dir);
    r->o.safety_dir = dir;
    room_open(r, true);
    room_steps(r, 1, 2);
    room_close(r);
    snprintf(path, sizeof path, "%s/safety", dir);
    assert_int_equal(access(path, F_OK), 0);
    start_is(r, STORAGE_CLEAN);
    room_close(r);
    r->o.safety_dir = NULL;
    start_is(r, STORAGE_AMNESIAC);
}

#define START(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
    if (argc == 3) {
        return open_as_other_process(argv[2]);
    }
    self = "/proc/self/exe";
    const struct CMUnitTest tests[] = {
        START(new_member), START(sequences_ascend_by_one), START(journal_ahead),
        START(one_behind), START(first_step_torn), START(two_behind), START(marked_in_the_journal_alone),
        START(one_behind_a_clean_record), START(older_database_restored), START(record_missing),
        START(database_missing), START(database_made_again_beside_a_used_record),
        START(creation_cut_short), START(one_slot_damaged), START(both_slots_damaged),
        START(record_cut_short), START(known_key_new_journal), START(clearing), START(vow),
        START(foreign_genesis), START(foreign_member), START(observer_becomes_member),
        START(newer_version), START(damaged_database), START(log_tail_lost), START(log_tail_torn), START(killed),
        START(in_use), START(safety_on_another_device),
    };
    (void)argv;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
