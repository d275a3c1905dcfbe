/* sim: explores seeds, replays one, shrinks a failing one, replays scripts (README.md). */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/sim.h"

struct options {
    uint64_t count, first, seed;
    uint32_t jobs;
    bool one, story, shrink;
};

enum { FAILURES_SHOWN = 20 };

struct worked {
    struct account account;
    uint64_t failing[FAILURES_SHOWN];
    uint32_t failures;
};

static double seconds_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void work(const struct options *o, uint32_t job, struct worked *w)
{
    struct sim *s = sim_new();
    static struct plan p;
    if (s == NULL) {
        abort();
    }
    for (uint64_t i = job; i < o->count; i += o->jobs) {
        plan_draw(&p, o->first + i);
        if (sim_run(s, &p, &w->account, NULL) != SIM_PASS) {
            fprintf(stderr, "FAILED seed %" PRIu64 ": %s\n", p.seed, s->why);
            if (w->failures < FAILURES_SHOWN) {
                w->failing[w->failures++] = p.seed;
            }
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

static int start_job(const struct options *o, uint32_t job)
{
    int ends[2];
    if (pipe(ends) != 0) {
        return -1;
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        static struct worked w;
        close(ends[0]);
        work(o, job, &w);
        _exit(write_all(ends[1], &w, sizeof w) ? 0 : 1);
    }
    close(ends[1]);
    return pid < 0 ? -1 : ends[0];
}

static int explore(const struct options *o)
{
    enum { JOBS = 64 };
    int from[JOBS];
    static struct worked all, one;
    double start = seconds_now();
    for (uint32_t job = 0; job < o->jobs; job++) {
        from[job] = start_job(o, job);
    }
    bool lost = false;
    for (uint32_t job = 0; job < o->jobs; job++) {
        lost |= from[job] < 0 || !read_all(from[job], &one, sizeof one);
        account_add(&all.account, &one.account);
        close(from[job]);
        (void)wait(NULL);
    }
    account_print(&all.account, seconds_now() - start, stdout);
    if (lost) {
        printf("FAILED a process of the simulator died\n");
    }
    return lost || all.account.failed != 0 || all.account.seeds != o->count;
}

static int replay(const struct plan *p, bool story)
{
    struct sim *s = sim_new();
    static struct account account;
    if (s == NULL) {
        abort();
    }
    if (story) {
        plan_write(p, stdout);
    }
    enum sim_end end = sim_run(s, p, &account, story ? stdout : NULL);
    printf("seed %" PRIu64 ": %s%s, %.3f simulated s, %" PRIu64 " steps, digest %016" PRIx64 "\n",
           p->seed, end == SIM_PASS ? "passed" : "FAILED: ", s->why,
           (double)account.simulated_us / 1e6, account.steps, s->digest);
    sim_free(s);
    return (int)end;
}

static bool number(const char *text, uint64_t *out)
{
    char *end;
    *out = strtoull(text, &end, 0);
    return end != text && *end == 0;
}

static bool read_options(struct options *o, int argc, char **argv)
{
    *o = (struct options){.count = 100, .first = 1, .jobs = 2};
    uint64_t jobs = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        const char *v = i + 1 < argc ? argv[i + 1] : "";
        bool two = true;
        bool ok = true;
        if (strcmp(a, "--seeds") == 0) {
            ok = number(v, &o->count);
        } else if (strcmp(a, "--first") == 0) {
            ok = number(v, &o->first);
        } else if (strcmp(a, "--jobs") == 0) {
            ok = number(v, &jobs);
        } else if (strcmp(a, "--seed") == 0) {
            o->one = ok = number(v, &o->seed);
        } else {
            two = false;
            o->story |= strcmp(a, "--story") == 0;
            o->shrink |= strcmp(a, "--shrink") == 0;
            ok = strcmp(a, "--story") == 0 || strcmp(a, "--shrink") == 0;
        }
        if (!ok) {
            return false;
        }
        i += two;
    }
    o->jobs = (uint32_t)(jobs < 1 ? 1 : jobs > 64 ? 64 : jobs);
    return true;
}

int main(int argc, char **argv)
{
    struct options o;
    static struct plan p;
    if (!read_options(&o, argc, argv)) {
        fprintf(stderr, "usage: sim --seeds COUNT [--first SEED] [--jobs N] | --seed N [--story]\n");
        return 2;
    }
    if (o.one) {
        plan_draw(&p, o.seed);
        return replay(&p, o.story);
    }
    return explore(&o);
}
