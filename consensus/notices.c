/* What members announce and what they are caught at: readiness and leave notices of others and the
 * own ones, and evidence; kept here, one of each a member, until an own block carries it (CONSENSUS
 * 2, 6, 7). Liveness only: what counts is decided by the chain, in bench.c.
 *
 * When to announce the own return is this member's own matter. The first time at once; should it be
 * benched again without having led, only after 1, 3, 7 … 63 turns, so that a member that is wrong
 * about itself does not cost a takeover in every rotation. */
#include "consensus/core.h"

enum { MS = 1000, REPEAT_US = 500 * MS, RENEW_TURNS = READY_TURNS / 2 };

static uint32_t bit(int member)
{
    return 1u << member;
}

/* ---- of others ------------------------------------------------------------------------------- */

void notices_take(struct core *c, const struct message *m, int from)
{
    struct notices *n = &c->notices;
    const struct ready_notice *r = &m->u.notices.ready;
    const struct leave_notice *l = &m->u.notices.leave;
    if ((m->u.notices.has_ready && r->member != from) ||
        (m->u.notices.has_leave && l->member != from)) {
        effect_ban(c, from, "a notice that is not its sender's");
        return;
    }
    /* A message says everything that its sender announces now: what it leaves out is withdrawn. */
    n->ready_here &= ~bit(from);
    n->leave_here &= ~bit(from);
    if (m->u.notices.has_ready && r->epoch == c->epoch->epoch) {
        n->ready[from] = *r;
        n->ready_here |= bit(from);
    }
    if (m->u.notices.has_leave && l->epoch == c->epoch->epoch) {
        n->leave[from] = *l;
        n->leave_here |= bit(from);
    }
}

void notices_caught(struct core *c, const struct evidence *e)
{
    struct notices *n = &c->notices;
    struct evidence sorted = *e;
    evidence_sort(&sorted);
    n->told |= bit(e->member);
    if ((n->evidence_here & bit(e->member)) == 0) {
        n->evidence[e->member] = sorted;
        n->evidence_here |= bit(e->member);
    }
}

/* ---- into a block ---------------------------------------------------------------------------- */

static bool ready_good(struct core *c, const struct ready_notice *r)
{
    struct hash digest = ready_digest(c->epoch, r);
    return signature_good(c, &digest, &r->signature, r->member);
}

static bool leave_good(struct core *c, const struct leave_notice *l)
{
    struct hash digest = leave_digest(c->epoch, l);
    return signature_good(c, &digest, &l->signature, l->member);
}

/* Signatures are looked at only now that they would count: one of each a member and block. */
static bool choose_ready(struct core *c, struct bench *b, uint64_t turn, int i)
{
    const struct ready_notice *r = &c->notices.ready[i];
    if ((c->notices.ready_here & bit(i)) == 0) {
        return false;
    }
    struct bench would = *b;
    if (!bench_ready(c, &would, turn, r, false)) {
        return false;
    }
    if (!ready_good(c, r)) {
        c->notices.ready_here &= ~bit(i);
        effect_ban(c, i, "a readiness notice with a bad signature");
        return false;
    }
    *b = would;
    return true;
}

static bool choose_leave(struct core *c, struct bench *b, uint64_t turn, int i)
{
    const struct leave_notice *l = &c->notices.leave[i];
    if ((c->notices.leave_here & bit(i)) == 0) {
        return false;
    }
    struct bench would = *b;
    if (!bench_leave(c, &would, turn, l, false)) {
        return false;
    }
    if (!leave_good(c, l)) {
        c->notices.leave_here &= ~bit(i);
        effect_ban(c, i, "a leave notice with a bad signature");
        return false;
    }
    *b = would;
    return true;
}

/* Evidence was checked when it was kept: both signatures are known to be good. */
static bool choose_evidence(struct core *c, struct bench *b, int i)
{
    return (c->notices.evidence_here & bit(i)) != 0 &&
           bench_evidence(c, b, &c->notices.evidence[i], false);
}

struct chosen {
    struct ready_notice ready[LIMIT_MEMBERS];
    struct leave_notice leave[LIMIT_MEMBERS];
    struct evidence evidence[LIMIT_MEMBERS];
};

void notices_choose(struct core *c, const struct block_head *head,
                    const struct block_record *parent, struct system_parts *parts, size_t room)
{
    const struct notices *n = &c->notices;
    struct system_section s;
    struct bench state;
    if ((n->ready_here | n->leave_here | n->evidence_here) == 0 ||
        system_decode(&s, head->system) != OK || !bench_at(c, &state, parent)) {
        return;
    }
    uint64_t turn = turn_of(c, head->header.slot);
    struct chosen *to = scratch_take(c, sizeof *to);
    if (to == NULL) {
        return; /* they wait for the next block */
    }
    bench_open(c, &state, &head->header, &s);
    for (uint32_t i = 0; i < c->n && room >= NOTICE_BYTES; i++) {
        if (choose_ready(c, &state, turn, (int)i)) {
            to->ready[parts->notices_n++] = n->ready[i];
            room -= NOTICE_BYTES;
        }
    }
    for (uint32_t i = 0; i < c->n && room >= LEAVE_BYTES; i++) {
        if (choose_leave(c, &state, turn, (int)i)) {
            to->leave[parts->leaves_n++] = n->leave[i];
            room -= LEAVE_BYTES;
        }
    }
    for (uint32_t i = 0; i < c->n && room >= EVIDENCE_BYTES; i++) {
        if (choose_evidence(c, &state, (int)i)) {
            to->evidence[parts->evidence_n++] = n->evidence[i];
            room -= EVIDENCE_BYTES;
        }
    }
    parts->notices = to->ready;
    parts->leaves = to->leave;
    parts->evidence = to->evidence;
}

/* ---- the own ones ---------------------------------------------------------------------------- */

/* The latest final block that is certainly the last of its turn; false: there is none yet. */
static bool latest_passed(const struct core *c, uint64_t *slot, struct hash *hash)
{
    const struct bench *b = &c->bench;
    for (uint64_t back = 1; back <= RENEW_TURNS && back <= b->last_turn; back++) {
        uint64_t turn = b->last_turn - back;
        uint64_t at = b->passed_slot[turn % PASSED_RING];
        if (at != 0 && turn_of(c, at) == turn) {
            *slot = at;
            *hash = b->passed[turn % PASSED_RING];
            return true;
        }
    }
    return false;
}

static uint64_t turn_us(const struct core *c)
{
    const struct epoch_params *p = &c->epoch->params;
    return (uint64_t)p->turn_slots * max_u64(p->block_time_ms, p->max_interval_ms) * MS;
}

/* Since when the own bench lasts, and whether another return may be announced. */
static bool may_return(struct core *c)
{
    struct notices *n = &c->notices;
    bool out = bench_out(&c->bench, c->config.self);
    if (out && !n->was_out) {
        n->out_since_us = c->now_us;
    }
    n->was_out = out;
    if (!out) {
        return false;
    }
    uint64_t turns = ((uint64_t)1 << min_u64(n->returns, 6)) - 1;
    uint64_t at = n->out_since_us + turns * turn_us(c);
    if (c->now_us < at) {
        timing_want(c, at);
        return false;
    }
    return ready_verdict(c) == 0 &&
           bench_may_notice(c, &c->bench, c->config.self, turn_of(c, c->cur));
}

/* The own readiness notice, renewed before it is too old to count; false: none to send. */
static bool own_ready(struct core *c)
{
    struct notices *n = &c->notices;
    int self = c->config.self;
    if (!may_return(c)) {
        n->ready_here &= ~c->self_bit;
        return false;
    }
    const struct ready_notice *held = &n->ready[self];
    if ((n->ready_here & c->self_bit) != 0 &&
        turn_of(c, held->slot) + RENEW_TURNS >= turn_of(c, c->cur)) {
        return true;
    }
    struct ready_notice r = {.epoch = c->epoch->epoch, .member = (uint8_t)self};
    if (!latest_passed(c, &r.slot, &r.block) || !sign_ready(c, &r)) {
        return false;
    }
    n->ready[self] = r;
    n->ready_here |= c->self_bit;
    n->sent_us = 0;
    return true;
}

/* Benching follows a block by n turns, so no sooner turn is worth naming. */
static bool own_leave(struct core *c)
{
    struct notices *n = &c->notices;
    uint64_t turn = turn_of(c, c->cur);
    if (!c->leaving || ((c->bench.away | c->bench.offended) & c->self_bit) != 0) {
        n->leave_here &= ~c->self_bit;
        return false;
    }
    if ((n->leave_here & c->self_bit) != 0 && n->leave[c->config.self].from_turn > turn + 1) {
        return true;
    }
    struct leave_notice l = {.epoch = c->epoch->epoch, .member = (uint8_t)c->config.self};
    l.from_turn = max_u64(turn + c->n + 1, c->bench.away_from[l.member] + 1);
    if (!sign_leave(c, &l)) {
        return false;
    }
    n->leave[l.member] = l;
    n->leave_here |= c->self_bit;
    n->sent_us = 0;
    return true;
}

void notices_drive(struct core *c)
{
    struct notices *n = &c->notices;
    if (c->config.self < 0 || !sign_allowed(c)) {
        return;
    }
    bool ready = own_ready(c);
    bool leave = own_leave(c);
    if (!ready && !leave && !n->announced) {
        return;
    }
    bool changed = n->announced != (ready || leave);
    if (!changed && n->sent_us != 0 && c->now_us < n->sent_us + REPEAT_US) {
        timing_want(c, n->sent_us + REPEAT_US);
        return;
    }
    struct message *m = message_new(c, MSG_NOTICES);
    if (m == NULL) {
        return;
    }
    m->u.notices.has_ready = ready;
    m->u.notices.has_leave = leave;
    m->u.notices.ready = n->ready[c->config.self];
    m->u.notices.leave = n->leave[c->config.self];
    effect_send(c, SEND_ALL, 0, m);
    n->sent_us = c->now_us;
    n->announced = ready || leave;
    timing_want(c, c->now_us + REPEAT_US);
}

/* ---- what became final ----------------------------------------------------------------------- */

/* Whoever did not see it happen hears of it from the chain. */
static void tell(struct core *c, const struct evidence *e)
{
    struct effect *to =
        (c->notices.told & bit(e->member)) != 0 ? NULL : effect_new(c, EFFECT_EVIDENCE);
    if (to == NULL) {
        return;
    }
    c->notices.told |= bit(e->member);
    to->u.evidence = *e;
}

void notices_final(struct core *c, const struct block_head *head)
{
    struct notices *n = &c->notices;
    struct system_section s;
    if (system_decode(&s, head->system) != OK) {
        return;
    }
    struct ready_notice r;
    for (size_t at = 0; system_next_notice(&s, &at, &r);) {
        n->ready_here &= ~bit(r.member);
        n->returns += r.member == c->config.self;
    }
    struct leave_notice l;
    for (size_t at = 0; system_next_leave(&s, &at, &l);) {
        n->leave_here &= ~bit(l.member);
    }
    struct evidence e;
    for (size_t at = 0; system_next_evidence(&s, &at, &e);) {
        tell(c, &e);
    }
    n->evidence_here &= ~c->bench.offended;
    if (c->config.self >= 0 && c->bench.strikes[c->config.self] == 0) {
        n->returns = 0;
    }
}
