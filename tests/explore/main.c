/* explore [options]: searches one configuration and prints what was searched. See README.md. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/explore/explore.h"

_Noreturn void broken(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "BROKEN: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nthe way there:\n");
    va_end(args);
    search_print_way();
    exit(1);
}

static void usage(void)
{
    fprintf(stderr,
            "usage: explore [--members 3|4] [--liar INDEX] [--turn SLOTS] [--slots SLOTS]\n"
            "               [--crashes COUNT] [--states COUNT] [--seconds COUNT] [--heal EVERY]\n"
            "               [--last] [--alone] [--votes] [--both]\n"
            "  3 members: crash mode; 4: bft, one of them a liar (default: the last).\n");
    exit(2);
}

static uint64_t number(const char *text)
{
    char *end = NULL;
    unsigned long long v = text == NULL ? 0 : strtoull(text, &end, 10);
    if (end == NULL || end == text || *end != 0) {
        usage();
    }
    return v;
}

struct request {
    struct scene_options scene;
    struct search_options search;
};

static bool take_option(struct request *r, const char *name, const char *value)
{
    if (strcmp(name, "--members") == 0) {
        r->scene.n = (uint32_t)number(value);
        r->scene.liar = r->scene.n == 4 ? 3 : -1;
    } else if (strcmp(name, "--liar") == 0) {
        r->scene.liar = (int)number(value);
    } else if (strcmp(name, "--turn") == 0) {
        r->scene.turn_slots = (uint32_t)number(value);
    } else if (strcmp(name, "--slots") == 0) {
        r->scene.slots = number(value);
    } else if (strcmp(name, "--crashes") == 0) {
        r->search.walk.crashes = (uint32_t)number(value);
    } else if (strcmp(name, "--states") == 0) {
        r->search.states = number(value);
    } else if (strcmp(name, "--seconds") == 0) {
        r->search.seconds = (double)number(value);
    } else if (strcmp(name, "--heal") == 0) {
        r->search.heal_every = (uint32_t)number(value);
    } else {
        return false;
    }
    return true;
}

static void take_options(struct request *r, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--last") == 0) {
            r->scene.last = true;
        } else if (strcmp(argv[i], "--alone") == 0) {
            r->search.walk.alone = true;
        } else if (strcmp(argv[i], "--votes") == 0) {
            r->search.walk.votes = true;
        } else if (strcmp(argv[i], "--both") == 0) {
            r->search.walk.both = true;
        } else if (i + 1 < argc && take_option(r, argv[i], argv[i + 1])) {
            i++;
        } else {
            usage();
        }
    }
    bool sizes = (r->scene.n == 3 || r->scene.n == 4) && r->scene.slots <= SLOTS_MOST &&
                 r->scene.slots > 0 && r->scene.turn_slots > 0;
    bool liar = r->scene.n == 3 ? r->scene.liar < 0 : r->scene.liar >= 0 && r->scene.liar < 4;
    if (!sizes || !liar) {
        usage();
    }
}

static void print(const struct request *r, const struct graph *g, const struct search_result *x)
{
    uint32_t locals = 0;
    for (int i = 0; i < MEMBERS; i++) {
        locals += g->locals[i];
    }
    printf("members %u, turns of %u, slots %llu, liar %d, crashes at most %u%s\n", r->scene.n,
           r->scene.turn_slots, (unsigned long long)r->scene.slots, r->scene.liar,
           r->search.walk.crashes, r->scene.last ? ", LAST" : "");
    printf("  %s: %llu states, %llu steps, depth %u; %u states of single members, %llu steps of "
           "the core\n",
           x->complete ? "complete" : "up to the bound", (unsigned long long)x->states,
           (unsigned long long)x->steps, x->depth, locals, (unsigned long long)g->asked);
    printf("  healed and went on: %llu states\n", (unsigned long long)x->healed);
    for (int i = 0; i < SEEN_KINDS; i++) {
        printf("  %12llu  %s\n", (unsigned long long)x->seen[i], seen_name(i));
    }
}

int main(int argc, char **argv)
{
    static struct scene scene;
    static struct graph graph;
    struct request r = {.scene = {.n = 4, .liar = 3, .turn_slots = 2, .slots = 4},
                        .search = {.states = 10000000, .seconds = 60, .heal_every = 1}};
    struct search_result result;
    take_options(&r, argc, argv);
    scene_init(&scene, &r.scene);
    graph_init(&graph, &scene, r.search.walk.crashes);
    search_run(&graph, &r.search, &result);
    print(&r, &graph, &result);
    graph_free(&graph);
    return 0;
}
