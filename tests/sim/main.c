/* sim: explores seeds, replays one, shrinks a failing one, replays scripts (README.md). */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/sim/explore.h"
#include "tests/sim/shrink.h"
#include "tests/sim/twins.h"

struct options {
    uint64_t count, first, twins, seed, jobs;
    bool one, story, shrink;
    const char *save;
    char **scripts; /* rest of the command line */
};

static const char usage[] =
    "usage: sim --seeds COUNT [--first SEED] [--jobs N]      explores\n"
    "       sim --twins SLOTS [--jobs N]                     every case of Twins, n = 4\n"
    "       sim --seed N [--story] [--shrink] [--save FILE]  replays one\n"
    "       sim [--story] SCRIPT…                            replays scripts\n"
    "       sim --shrink [--save FILE] SCRIPT                shrinks one\n";

/* ---- one plan ---------------------------------------------------------------------------------
 */

static bool save(const struct plan *p, const char *path, const char *why)
{
    FILE *out = fopen(path, "we");
    if (out == NULL) {
        fprintf(stderr, "%s cannot be written\n", path);
        return false;
    }
    fprintf(out, "# %.200s\n", why); /* a line that plan_read takes whole */
    plan_write(p, out);
    return fclose(out) == 0;
}

static int replay(const struct options *o, struct plan *p)
{
    static struct account account;
    struct sim *s = sim_new();
    if (s == NULL) {
        abort();
    }
    bool shrunk = o->shrink && shrink(s, p) != SIM_PASS;
    bool story = o->story || shrunk;
    if (story) {
        plan_write(p, stdout);
    }
    enum sim_end end = sim_run(s, p, &account, story ? stdout : NULL);
    printf("seed %" PRIu64 ": %s%s, %.3f simulated s, %" PRIu64 " steps, digest %016" PRIx64 "\n",
           p->seed, end == SIM_PASS ? "passed" : "FAILED: ", s->why,
           (double)account.simulated_us / 1e6, account.steps, s->digest);
    bool saved = o->save == NULL || save(p, o->save, end == SIM_PASS ? "passes" : s->why);
    sim_free(s);
    return saved ? (int)end : 2;
}

/* ---- scripts ----------------------------------------------------------------------------------
 */

static const char *base_name(const char *path)
{
    return strrchr(path, '/') == NULL ? path : strrchr(path, '/') + 1;
}

static bool read_script(struct plan *p, const char *path)
{
    uint32_t line = 0;
    FILE *in = fopen(path, "re");
    bool ok = in != NULL && plan_read(p, in, &line);
    if (in != NULL) {
        (void)fclose(in);
    }
    if (!ok) {
        printf("FAILED %s: line %" PRIu32 " is not of a script\n", base_name(path), line);
    }
    return ok;
}

static bool script(struct sim *s, const char *path, FILE *story)
{
    static struct plan p;
    static struct account account;
    const char *name = base_name(path);
    if (!read_script(&p, path)) {
        return false;
    }
    if (sim_run(s, &p, &account, story) != SIM_PASS) {
        printf("FAILED %s: %s\n", name, s->why);
        return false;
    }
    printf("ok %s digest %016" PRIx64 "\n", name, s->digest);
    return true;
}

static int scripts(const struct options *o)
{
    struct sim *s = sim_new();
    int failed = 0;
    if (s == NULL) {
        abort();
    }
    for (char **path = o->scripts; *path != NULL; path++) {
        failed += !script(s, *path, o->story ? stdout : NULL);
    }
    sim_free(s);
    return failed != 0;
}

/* ---- options ----------------------------------------------------------------------------------
 */

static bool number(const char *text, uint64_t *out)
{
    char *end;
    *out = text == NULL ? 0 : strtoull(text, &end, 0);
    return text != NULL && end != text && *end == 0;
}

static bool read_value(struct options *o, const char *a, const char *v)
{
    if (strcmp(a, "--seeds") == 0) {
        return number(v, &o->count);
    }
    if (strcmp(a, "--twins") == 0) {
        return number(v, &o->twins) && o->twins <= TWINS_SLOTS;
    }
    if (strcmp(a, "--first") == 0) {
        return number(v, &o->first);
    }
    if (strcmp(a, "--jobs") == 0) {
        return number(v, &o->jobs);
    }
    if (strcmp(a, "--seed") == 0) {
        o->one = number(v, &o->seed);
        return o->one;
    }
    o->save = v;
    return strcmp(a, "--save") == 0 && v != NULL;
}

static bool read_options(struct options *o, char **argv)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    *o = (struct options){.first = 1, .jobs = cores < 1 ? 1 : (uint64_t)cores};
    for (argv++; *argv != NULL; argv++) {
        if (strcmp(*argv, "--story") == 0) {
            o->story = true;
        } else if (strcmp(*argv, "--shrink") == 0) {
            o->shrink = true;
        } else if (strncmp(*argv, "--", 2) != 0) {
            o->scripts = argv;
            return true;
        } else if (!read_value(o, argv[0], argv[1])) {
            return false;
        } else {
            argv++;
        }
    }
    return o->one || o->count > 0 || o->twins > 0;
}

int main(int argc, char **argv)
{
    struct options o;
    static struct plan p;
    (void)argc;
    if (!read_options(&o, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    if (o.scripts != NULL && o.shrink) {
        return read_script(&p, o.scripts[0]) ? replay(&o, &p) : 2;
    }
    if (o.scripts != NULL) {
        return scripts(&o);
    }
    if (o.one) {
        plan_draw(&p, o.seed);
        return replay(&o, &p);
    }
    uint32_t jobs = (uint32_t)(o.jobs < 1 ? 1 : o.jobs > 64 ? 64 : o.jobs);
    return o.twins > 0 ? twins_explore((uint32_t)o.twins, jobs)
                       : explore(o.first, o.count, jobs);
}
