/* The leader of a turn: pace, build, propose, hand over early (CONSENSUS 7). */
#include "consensus/core.h"
#include "proto/keccak.h"

enum { MS = 1000, PROPOSING_AHEAD = 2, READY_HEARD_US = 1000 * MS };
/* `demand`: blocks that may follow each other at once; how far the chain's clock may be ahead of
 * the wall's for it; how long before a block is due its payload is asked for once more. */
enum { DEMAND_BURST = 4, DEMAND_AHEAD_MS = 500, REFRESH_US = 2 * MS };

/* ---- readiness ---------------------------------------------------------------------------------
 */

/* More than `depth` blocks known as notarized wait for their header or execution here. A single one
 * always may: certificates often arrive before the own client has answered. How far the delivered
 * final blocks are ahead of the client is the driver's to know. */
static bool behind(struct core *c)
{
    uint32_t waiting = 0;
    for (uint32_t i = 0; i < c->blocks_used; i++) {
        const struct block_record *b = &c->block[c->block_list[i]];
        waiting += b->notarized && !block_executed(c, b);
    }
    struct slot_record *top = slot_find(c, c->highest_notarized);
    bool unknown = top != NULL && (top->has_cert & 1u << NOTARIZE) != 0 &&
                   block_find(c, &top->cert[NOTARIZE].block) == NULL;
    return waiting + (unknown ? 1 : 0) > c->epoch->params.depth;
}

uint32_t ready_verdict(struct core *c)
{
    uint32_t bits = c->driver_not_ready;
    bits |= c->amnesiac || c->asking ? NOT_READY_AMNESIAC : 0;
    bits |= c->stopped ? NOT_READY_STOPPED : 0;
    bits |= c->disk_failed ? NOT_READY_DISK : 0;
    bits |= c->draining ? NOT_READY_DRAINING : 0;
    bits |= behind(c) ? NOT_READY_BEHIND : 0;
    return bits;
}

/* Does another leader of the next n turns say that it is ready? */
bool other_ready(const struct core *c)
{
    uint64_t turn = turn_of(c, c->cur);
    for (uint64_t t = turn + 1; t <= turn + c->n; t++) {
        int leader = rotation_leader(c, t);
        const struct peer_state *p = &c->peer[leader];
        if (leader != c->config.self && p->has_status && p->not_ready == 0 &&
            p->heard_us + READY_HEARD_US > c->now_us) {
            return true;
        }
    }
    return false;
}

/* ---- PROPOSING: once per turn, written ahead (T7)
 * ------------------------------------------------- */

static struct turn_record *announce(struct core *c, uint64_t turn)
{
    struct turn_record *t = turn_get(c, turn);
    if (t == NULL || t->proposing || t->proposing_found || c->step_proposing || !sign_allowed(c)) {
        return t;
    }
    t->proposing = true;
    t->proposing_seq = c->sequence + 1;
    c->step_proposing = true;
    c->step_proposing_turn = turn;
    return t;
}

void lead_prepare(struct core *c)
{
    uint64_t turn = turn_of(c, c->cur);
    if (c->config.self >= 0 && rotation_leader(c, turn + 1) == c->config.self &&
        c->cur + PROPOSING_AHEAD >= turn_last(c, turn)) {
        announce(c, turn + 1);
    }
}

/* ---- what to build on, and when
 * ------------------------------------------------------------------- */

static bool may_propose(struct core *c, uint64_t turn, uint64_t s)
{
    if (c->lead.ended || s > turn_last(c, turn) || s > c->cur + c->epoch->params.depth ||
        turn_skipped(c, s)) {
        return false;
    }
    /* An own skip in this turn that nothing excuses: the rest of the turn is not ours. */
    for (uint64_t u = turn_first(c, turn); u <= s; u++) {
        if (u > c->highest_final && own_has(c, u, SKIP)) {
            return false;
        }
    }
    return true;
}

static bool cannot_finish(struct core *c, uint64_t turn)
{
    uint32_t mask = timing_unheard(c);
    for (uint64_t u = turn_first(c, turn); u <= c->lead.proposed + 1; u++) {
        const struct slot_record *r = u > c->highest_final ? slot_find(c, u) : NULL;
        mask |= r != NULL ? tally_mask(c, r, SKIP, NULL) : 0;
    }
    return c->cur > turn_first(c, turn) &&
           members_weight(c->epoch, mask) > c->epoch->total - c->epoch->quorum;
}

/* ---- making a block
 * --------------------------------------------------------------------------------- */

static bool skips_between(struct core *c, const struct block_record *parent, uint64_t s,
                          struct system_parts *parts)
{
    const struct header *h = &parent->head.header;
    uint64_t turn = turn_of(c, s);
    uint64_t t = h->slot == 0 ? 0 : turn_of(c, h->slot);
    if (h->slot != 0 && ((h->flags & FLAG_LAST) != 0 || h->slot == turn_last(c, t))) {
        t++;
    }
    uint64_t n = turn - t;
    struct skipped_turn *list = scratch_take(c, (size_t)(n + 1) * sizeof *list);
    if (list == NULL) {
        return false;
    }
    for (size_t i = 0; t < turn; t++, i++) {
        list[i] = (struct skipped_turn){t, turn_find(c, t)->skip.slot};
    }
    parts->skipped = list;
    parts->skipped_n = (size_t)n;
    return true;
}

static bool encode_system(struct core *c, struct block_head *head, const struct system_parts *parts)
{
    size_t cap = 64 + parts->skipped_n * SKIPPED_BYTES + parts->notices_n * NOTICE_BYTES +
                 parts->leaves_n * LEAVE_BYTES + parts->evidence_n * EVIDENCE_BYTES;
    uint8_t *out = scratch_take(c, cap);
    size_t n = 0;
    if (out == NULL || system_encode(out, cap, &n, parts) != OK) {
        return false;
    }
    head->system = bytes_of(out, n);
    head->header.system_root = keccak256(out, n);
    return true;
}

/* Skipped turns; then what members announced and were caught at, as far as it fits. */
static bool make_system(struct core *c, struct block_head *head, const struct block_record *parent)
{
    struct system_parts parts = {0};
    uint64_t s = head->header.slot;
    bool first = s == turn_first(c, turn_of(c, s));
    if (first && !skips_between(c, parent, s, &parts)) {
        return false;
    }
    if (!encode_system(c, head, &parts)) {
        return false;
    }
    size_t most = first ? LIMIT_SYSTEM_BYTES : LIMIT_SYSTEM_INSIDE;
    notices_choose(c, head, parent, &parts, above_u64(most, head->system.n + 16));
    if (parts.notices_n + parts.leaves_n + parts.evidence_n == 0) {
        return true;
    }
    return encode_system(c, head, &parts);
}

static void fill_header(struct core *c, struct header *h, uint64_t s,
                        const struct block_record *parent, uint8_t flags)
{
    const struct header *p = &parent->head.header;
    const struct lead *l = &c->lead;
    *h = (struct header){.chain_id = c->epoch->chain_id,
                         .genesis = c->epoch->genesis,
                         .epoch = c->epoch->epoch,
                         .config = c->epoch->hash,
                         .slot = s,
                         .flags = flags,
                         .parent_slot = p->slot,
                         .parent = parent->head.hash,
                         .leader = (uint8_t)c->config.self,
                         .payload_parent = p->payload};
    if ((flags & FLAG_EMPTY) != 0) {
        h->height = p->height;
        h->payload = p->payload;
        h->state_root = p->state_root;
        h->body_root = keccak256("", 0);
        h->timestamp_ms = payload_empty_time(c, s, parent);
        return;
    }
    h->height = p->height + 1;
    h->payload = l->payload.payload;
    h->state_root = l->payload.state_root;
    h->body_root = l->payload.body_root;
    h->body_len = l->payload.body_len;
    h->timestamp_ms = l->payload_time_ms;
}

static void send_proposal(struct core *c, const struct block_record *b, int to)
{
    const struct turn_record *t = turn_find(c, turn_of(c, b->head.header.slot));
    struct message *m = message_new(c, MSG_PROPOSAL);
    if (m == NULL) {
        return;
    }
    m->u.proposal.head = b->head;
    if (b->head.header.slot == turn_first(c, t->turn) &&
        !bundle_fill(c, &m->u.proposal.justification, to)) {
        return; /* sent again when it is missed */
    }
    effect_send(c, to, t->proposing_seq > c->persisted ? t->proposing_seq : 0, m);
}

static bool propose(struct core *c, uint64_t s, const struct block_record *parent, uint8_t flags)
{
    struct block_head head = {0};
    fill_header(c, &head.header, s, parent, flags);
    if (!make_system(c, &head, parent)) {
        return false;
    }
    head.hash = header_hash(&head.header);
    if (!sign_proposal(c, &head)) {
        return false;
    }
    struct block_record *b = block_learn(c, &head, c->config.self);
    if (b == NULL) {
        return false;
    }
    b->proposed = true;
    b->own = true;
    b->body = BODY_GOOD;
    struct lead *l = &c->lead;
    l->proposed = s;
    l->ended = (flags & FLAG_LAST) != 0;
    bool starved = (flags & FLAG_EMPTY) != 0 && c->pending;
    l->empty_run = starved ? l->empty_run + 1 : 0;
    payload_proposed(c, s, parent, flags);
    send_proposal(c, b, SEND_ALL);
    return true;
}

/* The own block at this slot. */
static struct block_record *own_block(struct core *c, uint64_t slot)
{
    for (uint32_t i = 0; i < c->blocks_used; i++) {
        struct block_record *b = &c->block[c->block_list[i]];
        if (b->own && b->head.header.slot == slot) {
            return b;
        }
    }
    return NULL;
}

void lead_resend(struct core *c, int to)
{
    if (c->lead.turn != turn_of(c, c->cur)) {
        return;
    }
    for (uint64_t s = c->cur; s <= c->lead.proposed; s++) {
        const struct block_record *b = own_block(c, s);
        if (b != NULL) {
            send_proposal(c, b, to);
        }
    }
}

/* ---- early hand-over
 * ---------------------------------------------------------------------------------- */

/* Has any of the last n turns of this chain brought a payload? Else nobody can build, and handing
 * over in circles helps nobody. */
static bool payload_lately(struct core *c, const struct block_record *parent)
{
    uint64_t turn = turn_of(c, c->cur);
    const struct block_record *b = parent;
    while (b != NULL && (b->head.header.flags & FLAG_EMPTY) != 0 && b != block_root(c)) {
        b = block_parent(c, b);
    }
    if (b == NULL || b->head.header.slot == 0) {
        return turn < c->n;
    }
    return turn_of(c, b->head.header.slot) + c->n >= turn;
}

static uint8_t empty_flags(struct core *c, const struct block_record *parent)
{
    const struct epoch_params *p = &c->epoch->params;
    uint64_t silence = max_u64((uint64_t)p->block_time_ms * MS * 6 / 10, 100 * MS);
    /* A client that is known to be slow is given its time. */
    silence += c->build_ahead * (uint64_t)p->block_time_ms * MS;
    uint32_t run = p->turn_slots / 2 < 4 ? p->turn_slots / 2 : 4;
    bool hung = c->client_silent_us >= silence;
    bool starved = run > 0 && c->pending && c->lead.empty_run + 1 >= run;
    bool give_up = (hung || starved) && other_ready(c) && payload_lately(c, parent);
    return (uint8_t)(FLAG_EMPTY | (give_up ? FLAG_LAST : 0));
}

/* ---- driving
 * ------------------------------------------------------------------------------------------- */

/* How far `demand` pace lets the chain's clock run ahead, for the sake of bursts. */
static uint64_t burst_ms(const struct core *c)
{
    const struct epoch_params *p = &c->epoch->params;
    return p->pace == PACE_DEMAND ? min_u64(DEMAND_BURST * p->block_time_ms, DEMAND_AHEAD_MS) : 0;
}

/* Hand-overs that wait for no interval (after EMPTY + LAST) and skewed clocks put the chain's time
 * ahead of the wall clock; timestamps cannot go back, so blocks come a little later until the clock
 * has caught up. Never later than a block whose payload is waited for. */
static uint64_t walk_back(const struct core *c, const struct block_record *parent, uint64_t due_us)
{
    const struct header *p = &parent->head.header;
    uint8_t gave_up = FLAG_EMPTY | FLAG_LAST;
    uint64_t least = p->timestamp_ms + c->epoch->params.block_time_ms;
    uint64_t wall = c->wall_ms + above_u64(due_us, c->now_us) / MS;
    wall += burst_ms(c);
    if (least <= wall || (p->flags & gave_up) == gave_up) {
        return 0; /* a takeover waits for nothing */
    }
    return min_u64((least - wall) * MS, timing_grace(c) / 3);
}

/* Under `demand` pace the minimum interval is that of the chain's clock, whose validity rule keeps
 * the mean. While that clock is less than some blocks ahead of the wall's, a block leaves at once,
 * so that a transaction shortly after another one waits for nothing. */
static uint64_t demand_send_us(const struct core *c, const struct block_record *parent)
{
    uint64_t step = c->epoch->params.block_time_ms;
    uint64_t latest = c->wall_ms + burst_ms(c);
    uint64_t next = parent->head.header.timestamp_ms + step;
    uint64_t wait_us = above_u64(next, latest) * MS;
    return min_u64(c->now_us + wait_us, parent->arrival_us + step * MS);
}

struct schedule {
    uint64_t due_us;   /* the interval has passed */
    uint64_t send_us;  /* not before, when a payload is ready */
    uint64_t empty_us; /* no payload by then: EMPTY */
    uint64_t build_us; /* ask for the last payload then */
    bool payload;      /* a payload is wanted at all */
};

static struct schedule schedule_of(struct core *c, uint64_t s, const struct block_record *parent)
{
    const struct epoch_params *p = &c->epoch->params;
    bool first = s == turn_first(c, turn_of(c, s));
    struct schedule x = {0};
    x.due_us = timing_interval_due(c, s, parent);
    uint64_t walk = walk_back(c, parent, x.due_us);
    x.send_us = x.due_us + walk;
    x.payload = (p->pace == PACE_FIXED || c->pending) && c->blocks_used < LIMIT_UNFINAL_BLOCKS;
    if (p->pace == PACE_DEMAND && x.payload) {
        uint64_t soonest = demand_send_us(c, parent);
        /* At the interval already: the clock is brought back as under `fixed` pace. */
        bool paced = soonest == parent->arrival_us + (uint64_t)p->block_time_ms * MS;
        x.send_us = min_u64(x.due_us, soonest) + (paced ? walk : 0);
        x.build_us = x.send_us > c->now_us + REFRESH_US ? x.send_us - REFRESH_US : 0;
    } else {
        x.build_us = above_u64(x.due_us, timing_build_budget(c));
    }
    x.empty_us = x.payload ? x.due_us + timing_grace(c) / 3 : x.send_us;
    if (x.payload && first && c->entered_us > x.due_us) {
        x.empty_us = c->entered_us + timing_build_budget(c);
    }
    return x;
}

static bool propose_next(struct core *c, uint64_t s, const struct block_record *parent)
{
    struct schedule x = schedule_of(c, s, parent);
    if (x.payload) {
        payload_ask(c, s, parent, x.due_us, x.build_us);
    }
    uint8_t flags = c->draining || cannot_finish(c, turn_of(c, s)) ? FLAG_LAST : 0;
    bool payload = x.payload && payload_here(c, s, parent);
    /* The fresher payload is worth a short wait; then the older one will do. What is built for a
     * later slot is waited for there. */
    uint64_t send_us = payload && c->lead.building ? x.empty_us : x.send_us;
    send_us = payload_gone(c, s, parent) ? x.due_us : send_us;
    uint64_t empty_us = payload_later(c, s, parent) ? x.send_us : x.empty_us;
    if (payload && c->now_us >= send_us) {
        return propose(c, s, parent, flags);
    }
    if (payload || c->now_us < empty_us) {
        timing_want(c, payload ? send_us : empty_us);
        return false;
    }
    uint8_t empty = x.payload ? empty_flags(c, parent) : FLAG_EMPTY;
    return propose(c, s, parent, (uint8_t)(flags | empty));
}

static void begin_turn(struct core *c, uint64_t turn)
{
    c->lead = (struct lead){.turn = turn};
}

bool lead_drive(struct core *c)
{
    uint64_t turn = turn_of(c, c->cur);
    if (c->config.self < 0 || rotation_leader(c, turn) != c->config.self || !sign_allowed(c)) {
        return false;
    }
    if (c->lead.turn != turn) {
        begin_turn(c, turn);
    }
    struct turn_record *t = announce(c, turn);
    if (t == NULL || !t->proposing) {
        return false;
    }
    bool first = c->lead.proposed == 0;
    uint64_t s = first ? turn_first(c, turn) : c->lead.proposed + 1;
    if ((first && c->cur != s) || !may_propose(c, turn, s)) {
        return false;
    }
    const struct block_record *parent = first ? chain_parent(c, s, true) : own_block(c, s - 1);
    return parent != NULL && propose_next(c, s, parent);
}
