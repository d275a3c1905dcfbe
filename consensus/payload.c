/* Payloads of the leader (CONSENSUS 7): when one is asked for, of which time and size, and what
 * becomes of one that comes late.
 *
 * A payload commits to its block's timestamp, and the block after an EMPTY one is later than that:
 * a payload that missed its slot cannot stand in the next (R12). So a client that needs longer than
 * an interval, however little it is given, is asked ahead: for a slot one or more further on, of
 * that slot's time; the slots between are EMPTY and repeat the parent payload, so that it fits. */
#include "consensus/core.h"

enum { MS = 1000, FEW_TXS = 32 };

static uint64_t step_ms(const struct core *c)
{
    return c->epoch->params.block_time_ms;
}

/* The timestamp rule: parent + step, or whole steps later when the wall clock ran ahead. */
static uint64_t timestamp_for(const struct core *c, const struct block_record *parent,
                              uint64_t due_us)
{
    uint64_t step = step_ms(c);
    uint64_t least = parent->head.header.timestamp_ms + step;
    uint64_t wall = c->wall_ms + above_u64(due_us, c->now_us) / MS;
    if (c->epoch->params.pace != PACE_FIXED) {
        return max_u64(least, wall);
    }
    return least + above_u64(wall, least) / step * step;
}

/* Asked for on this parent's payload, for this slot or a later one that its time allows. */
static bool fits(const struct core *c, uint64_t s, const struct block_record *parent)
{
    const struct lead *l = &c->lead;
    const struct header *p = &parent->head.header;
    return l->build != 0 && hash_equal(&l->build_on, &p->payload) &&
           l->build_time_ms >= p->timestamp_ms + step_ms(c) * (l->build_slot - s + 1);
}

bool payload_here(const struct core *c, uint64_t s, const struct block_record *parent)
{
    return c->lead.has_payload && c->lead.build_slot == s && fits(c, s, parent);
}

bool payload_later(const struct core *c, uint64_t s, const struct block_record *parent)
{
    return c->lead.build_slot > s && fits(c, s, parent);
}

uint64_t payload_empty_time(const struct core *c, uint64_t s, const struct block_record *parent)
{
    const struct lead *l = &c->lead;
    uint64_t t = timestamp_for(c, parent, c->now_us);
    if (!payload_later(c, s, parent)) {
        return t;
    }
    return min_u64(t, l->build_time_ms - step_ms(c) * (l->build_slot - s));
}

/* `demand`: what was pending is in an earlier block, nothing is left to hurry for. */
bool payload_gone(const struct core *c, uint64_t s, const struct block_record *parent)
{
    return c->epoch->params.pace == PACE_DEMAND && payload_here(c, s, parent) &&
           c->lead.payload.txs == 0;
}

/* Slots that a payload may be asked ahead: so many EMPTY ones in a row end no turn. */
static uint32_t most_ahead(const struct core *c)
{
    uint32_t run = c->epoch->params.turn_slots / 2;
    run = run < 4 ? run : 4;
    return run == 0 ? 0 : run - 1;
}

static uint32_t ahead_for(const struct core *c, uint64_t took_us)
{
    uint64_t slots = (took_us + timing_grace(c)) / (step_ms(c) * MS);
    return (uint32_t)min_u64(slots, most_ahead(c));
}

static void ask_build(struct core *c, uint64_t s, const struct block_record *parent,
                      uint64_t due_us)
{
    struct lead *l = &c->lead;
    struct effect *e = effect_new(c, EFFECT_BUILD);
    if (e == NULL) {
        return;
    }
    l->build = ++c->builds;
    l->build_slot = s + c->build_ahead;
    l->build_on = parent->head.header.payload;
    l->build_asked_us = c->now_us;
    l->build_time_ms = timestamp_for(c, parent, due_us) + step_ms(c) * c->build_ahead;
    l->building = true;
    const struct header *h = &parent->head.header;
    e->u.build.number = l->build;
    e->u.build.slot = l->build_slot;
    e->u.build.parent = parent->head.hash;
    e->u.build.payload_parent = h->payload;
    e->u.build.parent_state = h->state_root;
    e->u.build.parent_height = h->height;
    e->u.build.timestamp_ms = l->build_time_ms;
    e->u.build.max_txs = c->build_most;
}

/* A build is asked for as soon as the parent is executed: that shows early whether the client
 * lives. When it answered, the payload is asked for once more at the build budget before it is
 * due, so that what arrived in between is in it. */
void payload_ask(struct core *c, uint64_t s, const struct block_record *parent, uint64_t due_us,
                 uint64_t refresh_us)
{
    const struct lead *l = &c->lead;
    bool asked = fits(c, s, parent);
    bool refresh =
        asked && c->build_ahead == 0 && !l->building && l->build_asked_us < refresh_us;
    bool stale = payload_gone(c, s, parent) && c->pending_us > l->build_asked_us;
    if (!block_executed(c, parent) || (asked && !refresh && !stale)) {
        return;
    }
    if (asked && !stale && c->now_us < refresh_us) {
        timing_want(c, refresh_us);
        return;
    }
    if (s + c->build_ahead > turn_last(c, turn_of(c, s))) {
        return; /* it would come when the turn is another's */
    }
    if (!asked) {
        c->lead.has_payload = false;
    }
    ask_build(c, s, parent, due_us);
}

/* The answer to a build that missed its slot says how long the client takes: where there was little
 * to build, smaller blocks are no help. */
static void learn_slow(struct core *c, const struct built_payload *p)
{
    uint64_t took = c->now_us - c->late_asked_us;
    c->late_build = 0;
    if (p->ok && p->txs <= FEW_TXS) {
        c->build_ahead = ahead_for(c, took) > c->build_ahead ? ahead_for(c, took) : c->build_ahead;
    }
}

void payload_built(struct core *c, const struct built_payload *p)
{
    struct lead *l = &c->lead;
    if (c->late_build != 0 && p->build == c->late_build) {
        learn_slow(c, p);
    }
    if (l->build == 0 || p->build != l->build) {
        return;
    }
    l->building = false;
    if (p->ok) {
        uint32_t ahead = ahead_for(c, c->now_us - l->build_asked_us);
        c->build_ahead = ahead < c->build_ahead ? ahead : c->build_ahead;
        l->has_payload = true;
        l->payload = *p;
        l->payload_time_ms = l->build_time_ms;
    }
}

static void halve(struct core *c)
{
    uint32_t most = c->build_most == 0 ? LIMIT_BODY_TXS : c->build_most;
    c->build_most = (uint32_t)max_u64(most / 2, 1);
}

/* A payload that was not there in time was too much work for this machine: the next one is half as
 * large. What was in time may grow again. So a slow client falls back to blocks that it can build
 * and execute, and a full pool never keeps blocks EMPTY for ever. */
static void adapt_size(struct core *c, uint8_t flags)
{
    uint32_t most = c->build_most == 0 ? LIMIT_BODY_TXS : c->build_most;
    bool wanted = c->epoch->params.pace == PACE_FIXED || c->pending;
    if ((flags & FLAG_EMPTY) == 0) {
        most += most / 4 + 16;
        c->build_most = most >= LIMIT_BODY_TXS ? 0 : most;
    } else if (wanted && (c->lead.building || (c->lead.build == 0 && c->build_ahead == 0))) {
        halve(c);
    }
}

void payload_proposed(struct core *c, uint64_t s, const struct block_record *parent, uint8_t flags)
{
    struct lead *l = &c->lead;
    if ((flags & FLAG_EMPTY) != 0 && payload_later(c, s, parent)) {
        return; /* as planned: it is kept for its slot */
    }
    adapt_size(c, flags);
    if ((flags & FLAG_EMPTY) != 0 && l->building && l->build_slot == s) {
        c->late_build = l->build;
        c->late_asked_us = l->build_asked_us;
    }
    l->build = 0;
    l->building = false;
    l->has_payload = false;
}

/* The own turn was skipped: its blocks were too much for the others, or came too late. */
void payload_turn_lost(struct core *c, uint64_t turn)
{
    if (c->lead.turn == turn && c->lead.proposed > c->highest_final) {
        halve(c);
    }
}
