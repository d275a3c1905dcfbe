/* The cases of Twins in order: scripted slots, slots a turn, whose key, sides. */
#include "tests/sim/twins.h"

#include <string.h>

#include "tests/sim/sim.h"

enum { TWINS_MEMBERS = 4, TWINS_TURNS = 3 };

static uint64_t cases_of(uint64_t slots)
{
    return (uint64_t)TWINS_MEMBERS * TWINS_TURNS << 4 * slots;
}

uint64_t twins_count(uint64_t slots)
{
    uint64_t count = 0;
    for (uint64_t k = 1; k <= slots; k++) {
        count += cases_of(k);
    }
    return count;
}

void twins_plan(struct plan *p, uint64_t number)
{
    static const uint32_t turns[TWINS_TURNS] = {1, 2, 4};
    uint32_t slots = 1;
    uint64_t at = number;
    while (slots < TWINS_SLOTS && at >= cases_of(slots)) {
        at -= cases_of(slots++);
    }
    memset(p, 0, sizeof *p);
    p->seed = number;
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
    p->scripted = slots;
    p->sides = at & (((uint64_t)1 << 4 * slots) - 1);
    at >>= 4 * slots;
    p->liars = p->twins = 1u << at % TWINS_MEMBERS;
    p->turn_slots = turns[at / TWINS_MEMBERS % TWINS_TURNS];
    p->chaos_us = (uint64_t)slots * 400 * MS;
}
