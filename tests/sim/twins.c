/* The cases of Twins: scripted slots, slots a turn, whose key, sides of the first slot (these are a
 * unit: the share of one process), sides of the others. */
#include "tests/sim/twins.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/explore.h"
#include "tests/sim/sim.h"

enum {
    TWINS_MEMBERS = 4,
    TWINS_TURNS = 3,
    FIRST_SIDES = 16,
    UNITS = TWINS_TURNS * TWINS_MEMBERS * FIRST_SIDES, /* of each number of slots */
    REST_MOST = 1 << 4 * (TWINS_SLOTS - 1)
};

struct unit {
    uint32_t slots, turn_slots, key, first;
};

static struct unit unit_of(uint32_t slots, uint32_t number)
{
    static const uint32_t turns[TWINS_TURNS] = {1, 2, 4};
    return (struct unit){.slots = slots,
                         .turn_slots = turns[number / FIRST_SIDES / TWINS_MEMBERS],
                         .key = number / FIRST_SIDES % TWINS_MEMBERS,
                         .first = number % FIRST_SIDES};
}

static void plan_of(struct plan *p, const struct unit *u, uint32_t rest)
{
    memset(p, 0, sizeof *p);
    p->seed = (uint64_t)u->slots << 8 | u->turn_slots << 4 | u->key;
    p->n = TWINS_MEMBERS;
    p->fault_model = FAULT_BFT;
    p->depth = 3;
    p->pace = PACE_FIXED;
    p->block_time_ms = p->max_interval_ms = 50;
    p->link_us = p->far_us = MS;
    p->sync_us = 200;
    p->execute_us = 4 * MS;
    p->build_us = 5 * MS;
    for (uint32_t i = 0; i < TWINS_MEMBERS; i++) {
        p->weight[i] = 1;
    }
    p->scripted = u->slots;
    p->sides = (uint64_t)rest << 4 | u->first;
    p->liars = p->twins = 1u << u->key;
    p->turn_slots = u->turn_slots;
    p->chaos_us = (uint64_t)u->slots * 400 * MS;
}

/* ---- which cases are one ------------------------------------------------------------------------
 */

/* The sides of one slot after the key's two processes, its member's and the last, changed places. */
static uint32_t exchange(uint32_t sides, uint32_t key)
{
    uint32_t all = sides << 1; /* node 0 is on side 0 */
    if ((all >> key & 1) != (all >> TWINS_MEMBERS & 1)) {
        all ^= 1u << key | 1u << TWINS_MEMBERS;
    }
    all ^= (all & 1) != 0 ? 31 : 0;
    return all >> 1;
}

static uint32_t exchange_rest(uint32_t rest, const struct unit *u)
{
    uint32_t out = 0;
    for (uint32_t at = 0; at < 4 * (u->slots - 1); at += 4) {
        out |= exchange(rest >> at & 15, u->key) << at;
    }
    return out;
}

/* Marks what a run that asked for these slots stands for; returns how many are new. */
static uint64_t mark(uint8_t *done, const struct unit *u, uint32_t rest, uint32_t asked)
{
    uint32_t other = exchange(u->first, u->key) == u->first ? exchange_rest(rest, u) : rest;
    uint32_t bits = 0;
    uint64_t count = 0;
    for (uint32_t slot = 1; slot < u->slots; slot++) {
        bits |= (asked >> slot & 1) != 0 ? 15u << 4 * (slot - 1) : 0;
    }
    for (uint32_t i = 0; i < 1u << 4 * (u->slots - 1); i++) {
        if (done[i] == 0 && (((i ^ rest) & bits) == 0 || ((i ^ other) & bits) == 0)) {
            done[i] = 1;
            count++;
        }
    }
    return count;
}

/* ---- running them -------------------------------------------------------------------------------
 */

static void failed(const struct plan *p, const char *why)
{
    fprintf(stderr, "FAILED a case of twins: %s; as a script:\n", why);
    plan_write(p, stderr);
}

static void run_unit(struct sim *s, const struct unit *u, struct account *a)
{
    static uint8_t done[REST_MOST];
    static struct plan p;
    uint32_t twin = exchange(u->first, u->key);
    if (twin < u->first) {
        return; /* that unit stands for this one */
    }
    memset(done, 0, sizeof done);
    for (uint32_t rest = 0; rest < 1u << 4 * (u->slots - 1); rest++) {
        if (done[rest] == 0) {
            plan_of(&p, u, rest);
            if (sim_run(s, &p, a, NULL) != SIM_PASS) {
                failed(&p, s->why);
            }
            a->cases += mark(done, u, rest, s->asked) * (twin == u->first ? 1 : 2);
        }
    }
}

static void play(const struct exploring *o, uint32_t job, struct account *a)
{
    struct sim *s = sim_new();
    if (s == NULL) {
        abort();
    }
    for (uint32_t slots = 1; slots <= o->count; slots++) {
        for (uint32_t i = job; i < UNITS; i += o->jobs) {
            struct unit u = unit_of(slots, i);
            run_unit(s, &u, a);
        }
    }
    sim_free(s);
}

int twins_explore(uint32_t slots, uint32_t jobs)
{
    static struct account a;
    const struct exploring o = {.play = play, .count = slots, .jobs = jobs};
    double seconds;
    uint64_t cases = 0;
    for (uint32_t k = 1; k <= slots; k++) {
        cases += (uint64_t)UNITS << 4 * (k - 1);
    }
    bool ok = explore_all(&o, &a, &seconds) && a.failed == 0 && a.cases == cases;
    printf("twins, up to %" PRIu32 " scripted slots: %" PRIu64 " of %" PRIu64 " cases by %" PRIu64
           " runs, %" PRIu64 " failed, %.1f s\n",
           slots, a.cases, cases, a.seeds, a.failed, seconds);
    printf("simulated %.1f h; %" PRIu64 " slots final, %" PRIu64 " takeovers, %" PRIu64
           " votes, %" PRIu64 " steps\n",
           (double)a.simulated_us / 3.6e9, a.slots_final, a.takeovers, a.votes, a.steps);
    printf("%s twins\n", ok ? "ok" : "FAILED");
    return !ok;
}
