/* The definitions of CONSENSUS 6: interval, grace, budgets, delta, who is heard. All durations in
 * microseconds. Nothing here touches safety. */
#include "consensus/core.h"

enum {
    MS = 1000,
    DEFAULT_P50_US = 1 * MS, /* before anything was measured */
    DEFAULT_P99_US = 4 * MS
};

void timing_want(struct core *c, uint64_t at_us)
{
    c->deadline_us = min_u64(c->deadline_us, max_u64(at_us, c->now_us));
}

uint64_t timing_status_every(const struct core *c)
{
    return c->n <= 7 ? 25 * MS : 50 * MS;
}

static uint64_t one_way_p99(const struct core *c, int member)
{
    uint64_t us = c->peer[member].p99_us;
    return us == 0 ? DEFAULT_P99_US : us;
}

static uint64_t one_way_p50(const struct core *c, int member)
{
    uint64_t us = c->peer[member].p50_us;
    return us == 0 ? DEFAULT_P50_US : us;
}

/* The farthest of the nearest members, self included, of weight W - F. */
static int farthest_needed(const struct core *c)
{
    uint32_t weight = c->config.self >= 0 ? c->epoch->member[c->config.self].weight : 0;
    uint32_t taken = c->self_bit;
    int last = -1;
    while (weight < c->epoch->total - c->epoch->faulty) {
        int best = -1;
        for (uint32_t i = 0; i < c->n; i++) {
            if ((taken & 1u << i) == 0 &&
                (best < 0 || one_way_p99(c, (int)i) < one_way_p99(c, best))) {
                best = (int)i;
            }
        }
        taken |= 1u << best;
        weight += c->epoch->member[best].weight;
        last = best;
    }
    return last;
}

static uint64_t clamp_delta(uint64_t us)
{
    return us < 5 * MS ? 5 * MS : us > 500 * MS ? 500 * MS : us;
}

uint64_t timing_delta(const struct core *c)
{
    int far = farthest_needed(c);
    return clamp_delta(far < 0 ? 0 : one_way_p99(c, far) * 3 / 2);
}

uint64_t timing_delta_leader(const struct core *c, int leader)
{
    if (leader == c->config.self) {
        return timing_delta(c);
    }
    return max_u64(timing_delta(c), clamp_delta(one_way_p99(c, leader) * 3 / 2));
}

uint64_t timing_grace(const struct core *c)
{
    uint64_t quarter = (uint64_t)c->epoch->params.block_time_ms * MS / 4;
    uint64_t grace = max_u64(30 * MS, min_u64(quarter, 100 * MS));
    int far = farthest_needed(c);
    if (far >= 0) {
        grace = max_u64(grace, 4 * above_u64(one_way_p99(c, far), one_way_p50(c, far)));
    }
    return min_u64(grace, 1000 * MS);
}

uint64_t timing_build_budget(const struct core *c)
{
    uint64_t us = (uint64_t)c->epoch->params.block_time_ms * MS * 3 / 10;
    return min_u64(max_u64(30 * MS, us), 1000 * MS);
}

uint64_t timing_execution_budget(const struct core *c)
{
    uint64_t worst = 50 * MS;
    for (uint32_t i = 0; i < EXECUTION_SAMPLES && i < c->executions; i++) {
        worst = max_u64(worst, c->execution_us[i]);
    }
    return min_u64(worst, 1000 * MS);
}

uint64_t timing_silent_limit(const struct core *c, int member)
{
    return max_u64(timing_status_every(c) * 7 / 2, 4 * one_way_p50(c, member));
}

uint64_t timing_turns_unfinal(const struct core *c)
{
    uint64_t final_turn = c->highest_final == 0 ? 0 : turn_of(c, c->highest_final);
    uint64_t now = turn_of(c, c->cur);
    return above_u64(now, final_turn);
}

uint64_t timing_factor(const struct core *c)
{
    uint64_t shift = timing_turns_unfinal(c) / c->n;
    return (uint64_t)1 << (shift < 6 ? shift : 6);
}

uint64_t timing_write_late(const struct core *c)
{
    uint64_t took = c->write_us == 0 ? 0 : c->now_us - c->write_us;
    return took > timing_grace(c) / 2 ? took : 0;
}

uint64_t timing_disk_waited(const struct core *c)
{
    return min_u64(c->disk_waited_us + timing_write_late(c), 1000 * MS);
}

static bool unheard(const struct core *c, uint32_t i)
{
    const struct peer_state *p = &c->peer[i];
    return (int)i != c->config.self && (p->reset || p->heard_us == 0 ||
                                        c->now_us >= p->heard_us + timing_silent_limit(c, (int)i));
}

uint32_t timing_unheard(const struct core *c)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        mask |= unheard(c, i) ? 1u << i : 0;
    }
    return mask;
}

bool timing_quorum_heard(const struct core *c)
{
    return c->epoch->total - members_weight(c->epoch, timing_unheard(c)) >= c->epoch->quorum;
}

static uint64_t demand_due(const struct core *c, uint64_t arrival, int leader)
{
    bool own = leader == c->config.self;
    bool pending = own ? c->pending : c->peer[leader].pending;
    uint64_t since = own ? c->pending_us : c->peer[leader].pending_us;
    if (!pending) {
        return arrival + (uint64_t)c->epoch->params.max_interval_ms * MS;
    }
    uint64_t by = since + timing_build_budget(c);
    return max_u64(arrival + (uint64_t)c->epoch->params.block_time_ms * MS, by);
}

/* Arrival of the parent + interval, without the allowance for the leader's distance. After an
 * EMPTY + LAST block no interval runs: its successor is due on entering. */
uint64_t timing_interval_due(struct core *c, uint64_t slot, const struct block_record *parent)
{
    uint64_t arrival = parent->arrival_us;
    uint8_t empty_last = FLAG_EMPTY | FLAG_LAST;
    uint64_t turn = turn_of(c, slot);
    if (slot == turn_first(c, turn) && parent->head.header.slot != 0 &&
        (parent->head.header.flags & empty_last) == empty_last) {
        return c->entered_us;
    }
    if (c->epoch->params.pace == PACE_FIXED) {
        return arrival + (uint64_t)c->epoch->params.block_time_ms * MS;
    }
    return demand_due(c, arrival, rotation_leader(c, turn));
}
