/* From a seed to a plan: swarm testing. Each seed draws which faults are on at all, so that some
 * see nothing but one kind and some see everything at once. */
#include <string.h>

#include "tests/sim/adversary.h"
#include "tests/sim/dice.h"
#include "tests/sim/sim.h"

static void draw_set(struct plan *p, struct dice *d)
{
    static const uint32_t sizes[] = {3, 4, 4, 4, 4, 7, 5, 4};
    static const uint32_t uneven[5] = {2, 2, 3, 3, 3};
    static const uint32_t four[4] = {3, 3, 2, 2};
    static const uint32_t turns[] = {1, 2, 4, 4, 8, 8};
    uint64_t shape = dice_below(d, 8);
    p->n = sizes[shape];
    p->fault_model = p->n == 3 ? FAULT_CRASH : FAULT_BFT;
    for (uint32_t i = 0; i < p->n; i++) {
        p->weight[i] = shape == 6 ? uneven[i] : shape == 7 ? four[i] : 1;
    }
    p->turn_slots = turns[dice_below(d, 6)];
    p->depth = dice_chance(d, 250) ? 1 + (uint32_t)dice_below(d, 6) : 3;
    p->trusting = p->fault_model == FAULT_CRASH && dice_chance(d, 500);
}

static void draw_pace(struct plan *p, struct dice *d)
{
    static const uint32_t times[] = {50, 100, 200, 200};
    static const uint64_t links[] = {50, 1 * MS, 1 * MS, 5 * MS, 20 * MS};
    p->pace = PACE_FIXED;
    p->block_time_ms = p->max_interval_ms = times[dice_below(d, 4)];
    if (dice_chance(d, 250)) {
        p->pace = PACE_DEMAND;
        p->block_time_ms = 50;
        p->max_interval_ms = 400;
    }
    p->link_us = links[dice_below(d, 5)];
    p->far_us = dice_chance(d, 150) ? p->link_us * 3 : p->link_us;
    p->sync_us = dice_chance(d, 300) ? 8 * MS : 200;
    p->execute_us = 4 * MS;
    p->build_us = 5 * MS;
    p->per_s = dice_chance(d, 500) ? 0 : 5 + (uint32_t)dice_below(d, 40);
}

static uint32_t spare_left(const struct plan *p)
{
    uint32_t spent = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        spent += (p->liars & 1u << i) != 0 ? p->weight[i] : 0;
    }
    return plan_spare(p) > spent ? plan_spare(p) - spent : 0;
}

static void draw_liars(struct plan *p, struct dice *d)
{
    for (int tries = 0; tries < 3; tries++) {
        uint32_t z = (uint32_t)dice_below(d, p->n);
        if ((p->liars & 1u << z) == 0 && p->weight[z] <= spare_left(p) && dice_chance(d, 600)) {
            p->liars |= 1u << z;
            p->twins |= dice_chance(d, 250) ? 1u << z : 0;
        }
    }
    /* Half of the arts are off in each seed; at least one is on. */
    p->arts = (uint32_t)dice_next(d) & ((1u << ARTS) - 1);
    p->arts |= 1u << dice_below(d, ARTS);
    p->rest = dice_chance(d, 500);
}

static int honest(const struct plan *p, struct dice *d)
{
    int a;
    do {
        a = (int)dice_below(d, p->n);
    } while ((p->liars & 1u << a) != 0);
    return a;
}

/* The value that a kind of fault wants, and how long it lasts at most. */
static void draw_value(const struct plan *p, struct harm *h, struct dice *d)
{
    uint64_t interval = (uint64_t)p->block_time_ms * MS;
    h->length_us = dice_below(d, 6 * interval);
    if (dice_chance(d, 200)) {
        h->length_us = dice_below(d, 30 * interval);
    }
    switch ((int)h->kind) {
    case HARM_CRASH_AT:
        h->value = 1 + dice_below(d, 400);
        break;
    case HARM_SPLIT:
    case HARM_BRIDGE:
    case HARM_DEAF:
        h->value = dice_below(d, 1u << p->n);
        break;
    case HARM_DELAY:
    case HARM_JITTER:
        h->value = dice_below(d, dice_chance(d, 100) ? 400 * MS : 40 * MS);
        break;
    case HARM_LOSS:
        h->value = 1 + dice_below(d, dice_chance(d, 200) ? 300 : 80);
        break;
    case HARM_TWICE:
        h->value = 1 + dice_below(d, 300);
        break;
    case HARM_FLIP:
        h->value = dice_next(d) >> 1;
        break;
    case HARM_SLOW_DISK:
        h->value = 100 + dice_below(d, 120 * MS);
        break;
    case HARM_SLOW_CLIENT:
        h->value = dice_below(d, 60 * MS);
        break;
    case HARM_CLOCK_JUMP:
        h->value = ((uint64_t)1 << 32) + dice_below(d, 20000) - 10000;
        break;
    case HARM_DRIFT:
        h->value = ((uint64_t)1 << 20) + dice_below(d, 20000) - 10000;
        break;
    default:
        break;
    }
}

/* Kinds that cost weight of those who may lie: forgotten votes, a client that lies. */
static bool costs(enum harm_kind kind)
{
    return kind == HARM_NEW_DISK || kind == HARM_STALE_COPY || kind == HARM_FLIP ||
           kind == HARM_DISAGREES;
}

static void draw_harms(struct plan *p, struct dice *d)
{
    uint32_t weight[HARM_KINDS];
    uint32_t total = 0;
    for (int k = 0; k < HARM_KINDS; k++) {
        weight[k] = dice_chance(d, 500) ? 1 + (uint32_t)dice_below(d, 100) : 0;
        weight[k] = k == HARM_BLACKOUT ? weight[k] / 8 : weight[k];
        total += weight[k];
    }
    uint32_t spent = 0; /* mask of members whose weight is spent */
    uint32_t spare = spare_left(p);
    uint64_t count = total == 0 ? 0 : 4 + dice_below(d, 72);
    uint64_t at = dice_below(d, SECOND / 2);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t r = dice_below(d, total);
        int kind = 0;
        while (r >= weight[kind]) {
            r -= weight[kind++];
        }
        struct harm h = {.at_us = at, .kind = (enum harm_kind)kind, .a = (uint32_t)honest(p, d)};
        h.b = (uint32_t)(h.a + 1 + dice_below(d, p->n - 1)) % p->n;
        draw_value(p, &h, d);
        at += dice_below(d, (dice_chance(d, 150) ? 8u : 2u) * p->block_time_ms * MS);
        if (costs(h.kind)) {
            if ((spent & 1u << h.a) == 0 && p->weight[h.a] > spare) {
                continue;
            }
            spare -= (spent & 1u << h.a) != 0 ? 0 : p->weight[h.a];
            spent |= 1u << h.a;
        }
        p->harm[p->harms++] = h;
    }
    p->chaos_us = at + dice_below(d, SECOND);
}

void plan_draw(struct plan *p, uint64_t seed)
{
    struct dice d = dice_of(seed, DICE_PLAN, 0);
    memset(p, 0, sizeof *p);
    p->seed = seed;
    draw_set(p, &d);
    draw_pace(p, &d);
    if (dice_chance(&d, 40)) {
        /* Nothing goes wrong at all: then nothing may be skipped. */
        p->chaos_us = 3 * SECOND;
        p->arts = 1;
        return;
    }
    if (dice_chance(&d, 600)) {
        draw_liars(p, &d);
    }
    draw_harms(p, &d);
}

uint32_t plan_total(const struct plan *p)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        total += p->weight[i];
    }
    return total;
}

uint32_t plan_spare(const struct plan *p)
{
    return p->fault_model == FAULT_CRASH ? 0 : (plan_total(p) - 1) / 3;
}

/* A block is proposed when the votes for the one depth + 1 before it are back: a way there, its
 * execution, a write (at most 3/2 of what a sync takes, media.c), the way back. */
bool plan_deep_enough(const struct plan *p)
{
    uint64_t votes_us = 2 * p->far_us + p->execute_us + p->sync_us * 3 / 2;
    return votes_us <= (p->depth + 1) * (uint64_t)p->block_time_ms * MS;
}
