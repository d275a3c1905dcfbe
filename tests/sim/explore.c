/* Many seeds, shared out among processes; each gives back its account through a pipe. */
#define _GNU_SOURCE
#include "tests/sim/explore.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/sim.h"

enum { LONG_RUN = 5000 }; /* seeds */

static double seconds_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A line for each twentieth of a long run, by the first job: the others are about as far. */
static void say_progress(const struct exploring *o, uint64_t done, double since)
{
    uint64_t step = o->count / 20;
    if (o->count >= LONG_RUN && done / step != (done - o->jobs) / step) {
        fprintf(stderr, "%" PRIu64 " of %" PRIu64 " seeds, %.0f s\n", done / step * step, o->count,
                seconds_now() - since);
    }
}

static void play_seeds(const struct exploring *o, uint32_t job, struct account *a)
{
    struct sim *s = sim_new();
    static struct plan p;
    double start = seconds_now();
    if (s == NULL) {
        abort();
    }
    for (uint64_t i = job; i < o->count; i += o->jobs) {
        plan_draw(&p, o->first + i);
        if (sim_run(s, &p, a, NULL) != SIM_PASS) {
            fprintf(stderr, "FAILED seed %" PRIu64 ": %s\n", p.seed, s->why);
        }
        if (job == 0) {
            say_progress(o, i + o->jobs, start);
        }
    }
    sim_free(s);
}

static bool write_all(int fd, const void *p, size_t n)
{
    const char *at = p;
    while (n > 0) {
        ssize_t k = write(fd, at, n);
        if (k <= 0) {
            return false;
        }
        at += k;
        n -= (size_t)k;
    }
    return true;
}

static bool read_all(int fd, void *p, size_t n)
{
    char *at = p;
    while (n > 0) {
        ssize_t k = read(fd, at, n);
        if (k <= 0) {
            return false;
        }
        at += k;
        n -= (size_t)k;
    }
    return true;
}

static int start_job(const struct exploring *o, uint32_t job)
{
    int ends[2];
    if (pipe(ends) != 0) {
        return -1;
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        static struct account a;
        close(ends[0]);
        o->play(o, job, &a);
        _exit(write_all(ends[1], &a, sizeof a) ? 0 : 1);
    }
    close(ends[1]);
    return pid < 0 ? -1 : ends[0];
}

bool explore_all(const struct exploring *o, struct account *all, double *seconds)
{
    enum { JOBS = 64 };
    int from[JOBS];
    static struct account one;
    double start = seconds_now();
    for (uint32_t job = 0; job < o->jobs; job++) {
        from[job] = start_job(o, job);
    }
    bool lost = false;
    for (uint32_t job = 0; job < o->jobs; job++) {
        lost |= from[job] < 0 || !read_all(from[job], &one, sizeof one);
        account_add(all, &one);
        close(from[job]);
        (void)wait(NULL);
    }
    *seconds = seconds_now() - start;
    if (lost) {
        printf("FAILED a process of the simulator died\n");
    }
    return !lost;
}

int explore(uint64_t first, uint64_t count, uint32_t jobs)
{
    const struct exploring o = {.play = play_seeds, .count = count, .first = first, .jobs = jobs};
    static struct account all;
    double seconds;
    bool whole = explore_all(&o, &all, &seconds);
    account_print(&all, seconds, stdout);
    if (whole && all.failed == 0) {
        printf("ok seeds %" PRIu64 " to %" PRIu64 "\n", first, first + count - 1);
    }
    return !whole || all.failed != 0 || all.seeds != count;
}
