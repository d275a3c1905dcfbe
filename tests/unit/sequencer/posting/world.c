#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    STEP_MS = 20,
    TURN_MS = 1600,
    DETECT_MS = 2000,
    SEAL_MS = 30000,
    SETTLE_BLOCKS = 150,
    L1_DOWN_MS = 60000
};

void world_wrong(struct world *w, const char *format, ...)
{
    if (w->wrong[0] != '\0') {
        return;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(w->wrong, sizeof w->wrong, format, args);
    va_end(args);
}

static bool is_away(const struct world *w, int i)
{
    const struct sim_member *m = &w->member[i];
    return !m->up || m->paused_till > w->now || m->cut_till > w->now;
}

/* The others notice after a while, as consensus would. */
int world_leader(const struct world *w)
{
    uint64_t turn = w->now / TURN_MS;
    for (uint64_t k = 0; k < MEMBERS; k++) {
        int i = (int)((turn + k) % MEMBERS);
        if (!is_away(w, i)) {
            return i;
        }
    }
    return -1;
}

uint64_t world_pause(struct world *w)
{
    return w->block_ms * 5 / 6 + world_below(&w->seed, w->block_ms * 20 / 3);
}

bool world_l1_down(const struct world *w)
{
    return w->now >= w->l1_down_from && w->now < w->l1_down_till;
}

/* ---- what happens --------------------------------------------------------------------------------- */

static void seal(struct world *w)
{
    int proposer = world_leader(w);
    if (proposer < 0 || w->segments == MOST_SEGMENTS) {
        return;
    }
    uint64_t no = w->segments;
    w->segment[no] = (struct duty_segment){.no = no,
                                           .first = no * BLOCKS_A_SEGMENT + 1,
                                           .last = (no + 1) * BLOCKS_A_SEGMENT,
                                           .proposer = (uint8_t)proposer,
                                           .seal_l1 = w->l1.block[w->l1.head].at.number};
    w->segments++;
    for (size_t i = 0; i < MEMBERS; i++) {
        w->member[i].wake = true;
    }
}

static enum harm pick(struct world *w)
{
    return w->harm == HARM_ALL ? (enum harm)(1 + world_below(&w->seed, 3)) : w->harm;
}

/* The victim is the member whose duty the newest segment is; kills and pauses strike at a random
 * one of its next instructions. */
static void do_harm(struct world *w)
{
    uint8_t victim = w->segments > 0 ? w->segment[w->segments - 1].proposer : 0;
    struct sim_member *m = &w->member[victim];
    if (is_away(w, victim)) {
        return;
    }
    w->harmed++;
    switch (pick(w)) {
    case HARM_PARTITION:
        m->cut_till = w->now + world_pause(w);
        break;
    case HARM_PAUSE:
    case HARM_KILL:
    case HARM_ALL:
        m->fuse = 1 + (uint32_t)world_below(&w->seed, 24);
        m->fuse_kills = w->harm == HARM_KILL || (w->harm == HARM_ALL && world_chance(&w->seed, 500));
        break;
    case HARM_NONE:
        break;
    }
}

static void new_head(struct world *w)
{
    sim_l1_mine(&w->l1);
    for (size_t i = 0; i < MEMBERS; i++) {
        w->member[i].head_at = w->now + world_below(&w->seed, w->block_ms / 4);
    }
}

static void run_members(struct world *w)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        struct sim_member *m = &w->member[i];
        if (!m->up && m->up_at <= w->now) {
            sim_member_start(m);
        }
        if (m->up && m->paused_till <= w->now) {
            sim_member_run(m);
        }
    }
}

/* ---- a run ---------------------------------------------------------------------------------------- */

static void begin(struct world *w, uint64_t seed, const struct world_plan *plan)
{
    w->seed = seed;
    w->now = 1000;
    w->harm = plan->harm;
    w->block_ms = plan->block_ms != 0 ? plan->block_ms : BLOCK_MS;
    sim_l1_init(&w->l1, seed ^ 0x51, world_chance(&w->seed, 500) ? TXM_BLOB : TXM_CALLDATA);
    w->l1.reorg = plan->reorg;
    w->l1.drop = plan->drop;
    w->l1.swallow = plan->swallow;
    w->l1.spike = plan->spike;
    for (uint8_t i = 0; i < MEMBERS; i++) {
        w->member[i].w = w;
        w->member[i].index = i;
        sim_member_start(&w->member[i]);
    }
    if (plan->l1_down_s > 0) {
        w->l1_down_from = w->now + 120000;
        w->l1_down_till = w->l1_down_from + UINT64_C(1000) * plan->l1_down_s;
    }
}

static bool all_derived(const struct world *w)
{
    return w->l1.block[w->l1.head].next == w->segments;
}

static void account_for(const struct world *w, struct world_result *out)
{
    const struct sim_block *head = &w->l1.block[w->l1.head];
    *out = (struct world_result){.whole = all_derived(w),
                                 .segments = (uint32_t)w->segments,
                                 .twice = head->twice,
                                 .early = head->early,
                                 .harmed = (uint32_t)w->harmed,
                                 .blocks = head->at.number,
                                 .bumps = w->bumps,
                                 .cancelled = w->cancelled,
                                 .replaced = w->replaced,
                                 .reorged = w->reorged,
                                 .pushes = w->pushes,
                                 .posts = w->posts,
                                 .reorgs = w->l1.reorgs,
                                 .refused = w->l1.refused[L1_SEND_BUMP]};
    for (size_t i = 0; i < MEMBERS; i++) {
        struct u256 spent;
        (void)u256_sub(&spent, &w->l1.block[0].balance[i], &head->balance[i]);
        u256_div_u64(&spent, &spent, 1000000000, NULL);
        out->spent_gwei += spent.v[0];
    }
    memcpy(out->wrong, w->wrong, sizeof out->wrong);
    if (out->wrong[0] == '\0' && !out->whole) {
        snprintf(out->wrong, sizeof out->wrong, "segment %llu of %zu is not derived",
                 (unsigned long long)head->next, w->segments);
    }
}

void world_run(struct world_result *out, uint64_t seed, const struct world_plan *plan)
{
    struct world *w = calloc(1, sizeof *w);
    begin(w, seed, plan);
    uint64_t next_seal = w->now + world_below(&w->seed, SEAL_MS);
    uint64_t next_block = w->now + world_below(&w->seed, w->block_ms);
    uint64_t end = w->now + (uint64_t)plan->segments * SEAL_MS;
    uint64_t next_harm = plan->harms > 0 ? w->now + (end - w->now) / (plan->harms + 1) : UINT64_MAX;
    uint32_t harms = 0;
    uint64_t settle = 0;
    while (settle < SETTLE_BLOCKS && !(w->segments >= plan->segments && all_derived(w) && settle > 20)) {
        w->now += STEP_MS;
        if (w->now >= next_seal && w->segments < plan->segments) {
            seal(w);
            next_seal += SEAL_MS - 5000 + world_below(&w->seed, 10000);
        }
        if (harms < plan->harms && w->now >= next_harm) {
            do_harm(w);
            harms++;
            next_harm += (end - 1000) / (plan->harms + 1);
        }
        if (w->now >= next_block && !world_l1_down(w)) {
            new_head(w);
            next_block = w->now + w->block_ms;
            settle += w->segments >= plan->segments;
        }
        run_members(w);
    }
    for (size_t i = 0; i < MEMBERS; i++) {
        sim_member_free(&w->member[i]);
    }
    account_for(w, out);
    sim_l1_free(&w->l1);
    free(w);
}
