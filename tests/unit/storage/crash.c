/* A process that writes steps is killed at a random point, again and again, in one directory:
 * what it reported as complete is there, and an ordinary crash never looks like a lost journal. */
#define _GNU_SOURCE
#include "room.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KILLS = 100 };

static uint64_t next_random(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

/* ---- the writing process --------------------------------------------------------------------- */

static void options_for(struct room *r, const char *dir)
{
    memset(r, 0, sizeof *r);
    snprintf(r->dir, sizeof r->dir, "%s", dir);
    r->o.dir = r->dir;
    memset(r->o.genesis.b, 0x47, sizeof r->o.genesis.b);
    memset(r->o.member.b, 0x4d, sizeof r->o.member.b);
}

static void report_done(struct room *r, uint64_t *reported)
{
    struct storage_done done;
    while (storage_poll(r->s, &done)) {
        *reported = done.value;
        if (done.err != OK || write(STDOUT_FILENO, &done.value, sizeof done.value) !=
                                  (ssize_t)sizeof done.value) {
            _exit(3);
        }
    }
}

/* Bursts, so that steps share commits; with bodies in between, so that the log turns over. */
static int write_for_ever(const char *dir, uint64_t seed)
{
    static struct room r;
    static uint8_t body[30000];
    options_for(&r, dir);
    if (room_try_open(&r, false) != OK) {
        return 2;
    }
    uint64_t n = storage_sequence(r.s);
    uint64_t reported = n;
    while (true) {
        uint64_t burst = 1 + next_random(&seed) % 6;
        for (uint64_t i = 0; i < burst; i++) {
            if (room_submit(&r, n + 1, next_random(&seed) % 3 != 0) == OK) {
                n++;
            }
        }
        struct block b = {.body = bytes_of(body, next_random(&seed) % sizeof body)};
        struct hash hash = {{0}};
        store_be64(hash.b, n);
        if (storage_submit_block(r.s, &hash, &b) != OK) {
            return 4;
        }
        do {
            report_done(&r, &reported);
        } while (n - reported > 8);
    }
}

/* ---- the killer ------------------------------------------------------------------------------ */

static pid_t start_writer(const char *dir, uint64_t seed, int *from)
{
    int ends[2];
    char text[32];
    assert_int_equal(pipe(ends), 0);
    snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl("/proc/self/exe", "crash", dir, text, (char *)NULL);
        _exit(99);
    }
    close(ends[1]);
    *from = ends[0];
    return pid;
}

static bool read_one(int fd, uint64_t *out)
{
    uint64_t value = 0;
    if (read(fd, &value, sizeof value) != (ssize_t)sizeof value) {
        return false;
    }
    assert_int_equal(value, *out + 1); /* completions come in order, none left out */
    *out = value;
    return true;
}

/* Returns the last step that was reported; `before`: that of the run before. */
static uint64_t run_and_kill(const char *dir, uint64_t before, uint64_t *seed)
{
    int from = -1;
    int status = 0;
    uint64_t last = before;
    pid_t pid = start_writer(dir, next_random(seed) | 1, &from);
    uint64_t reports = next_random(seed) % 60;
    for (uint64_t i = 0; i < reports && read_one(from, &last); i++) {
    }
    struct timespec moment = {0, (long)(next_random(seed) % 300000)};
    nanosleep(&moment, NULL);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    while (read_one(from, &last)) {
    }
    close(from);
    return last;
}

static void killed_again_and_again(void **state)
{
    struct room r;
    uint64_t seed = 88172645463325252ULL;
    uint64_t present = 0;
    int behind = 0;
    (void)state;
    room_make(&r);
    room_open(&r, true);
    room_close(&r);
    for (int i = 0; i < KILLS; i++) {
        uint64_t reported = run_and_kill(r.dir, present, &seed);
        room_open(&r, false);
        if (r.verdict == STORAGE_AMNESIAC) {
            fail_msg("kill %d: %s", i, r.why);
        }
        behind += r.verdict == STORAGE_ONE_BEHIND ? 1 : 0;
        present = storage_sequence(r.s);
        assert_true(present >= reported);
        room_check_journal(&r, 1, present);
        room_crash(&r);
    }
    print_message("%d kills, %llu steps, %d times one behind\n", KILLS,
                  (unsigned long long)present, behind);
    assert_true(present > KILLS);
    room_remove(&r);
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        return write_for_ever(argv[1], strtoull(argv[2], NULL, 10));
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_again_and_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
