/* What a seed means: the set, who lies and how, and a list of faults. A plan is drawn from a seed,
 * or read from a script; the run is a function of the plan alone. */
#ifndef PLAN_H
#define PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { SIM_MEMBERS = 7, PLAN_HARMS = 96 };

enum harm_kind {
#define HARM(name, word, what) HARM_##name,
#include "tests/sim/harms.def"
#undef HARM
    HARM_KINDS
};

struct harm {
    uint64_t at_us; /* since the start */
    uint64_t length_us;
    enum harm_kind kind;
    uint32_t a, b;
    uint64_t value;
};

struct plan {
    uint64_t seed;
    uint32_t n, fault_model, turn_slots, depth;
    uint32_t block_time_ms, max_interval_ms, pace;
    uint32_t trusting; /* execute_before_finalize: false (crash mode) */
    uint32_t weight[SIM_MEMBERS];
    uint64_t link_us, far_us; /* one way; of the last member, that may be far away */
    uint64_t sync_us, execute_us, build_us;
    uint64_t chaos_us;
    uint32_t liars, twins; /* masks: members that lie; of these, those with two live copies */
    uint32_t arts;         /* mask of adversary.h: how they lie */
    uint32_t rest;         /* 1: liars fall silent when everything heals */
    uint32_t scripted;     /* Twins: so many slots have partitions of their own … */
    uint64_t sides;        /* … 4 bits a slot: the sides of nodes 1 to 4; node 0 is on side 0 */
    uint32_t per_s;        /* transactions that users submit */
    uint32_t harms;
    struct harm harm[PLAN_HARMS];
};

void plan_draw(struct plan *p, uint64_t seed);

/* The script form: one `key value…` or `at US for US kind a b value` a line. */
void plan_write(const struct plan *p, FILE *out);
/* False: not a script; the line stands in `line`. */
bool plan_read(struct plan *p, FILE *in, uint32_t *line);

uint32_t plan_total(const struct plan *p);
uint32_t plan_spare(const struct plan *p); /* weight that may lie: F of CONSENSUS 1 */
/* Does the depth suffice for the farthest member to keep the pace of its turns, if nothing is wrong
 * (consensus/README.md)? Else others may call it late. */
bool plan_deep_enough(const struct plan *p);
const char *harm_word(enum harm_kind kind);
const char *harm_text(enum harm_kind kind);

#endif
