/* What happens on a stall: every reason to skip, each a row of the table in CONSENSUS 6. The
 * reasons are liveness only; sign_skip checks what is allowed. */
#include "consensus/core.h"

enum { MS = 1000, TIMER_CAP_US = 30000 * MS };

/* The timers of the current slot. */
struct deadlines {
    int leader;
    uint64_t factor;
    bool calm;     /* c < n: suspicion may speak */
    bool proposal; /* a valid proposal with body is here */
    uint64_t proposal_us;
    uint64_t late_us; /* absolute */
    uint64_t stuck_from_us;
    uint64_t stuck_us;      /* absolute */
    uint64_t half_stuck_us; /* absolute */
    struct slot_record *record;
};

/* A proposal at the current slot that could be voted for: N1, justification, body. */
static const struct block_record *valid_proposal(struct core *c)
{
    struct slot_record *r = slot_find(c, c->cur);
    for (int k = 0; r != NULL && k < SLOT_BLOCKS; k++) {
        struct block_record *b = r->block[k] == NONE ? NULL : &c->block[r->block[k]];
        if (b == NULL || b->form != FORM_VALID || b->body != BODY_GOOD ||
            (!b->proposed && !b->notarized)) {
            continue;
        }
        struct block_record *p = block_parent(c, b);
        if (p != NULL && validity_timely(c, b, p) && (b->notarized || chain_justified(c, b, p))) {
            return b;
        }
    }
    return NULL;
}

static uint64_t capped(uint64_t us)
{
    return min_u64(us, TIMER_CAP_US);
}

static void compute(struct core *c, struct deadlines *d)
{
    uint64_t turn = turn_of(c, c->cur);
    bool first = c->cur == turn_first(c, turn);
    d->leader = rotation_leader(c, turn);
    d->factor = timing_factor(c);
    d->calm = timing_turns_unfinal(c) < c->n;
    d->record = slot_find(c, c->cur);
    const struct block_record *proposal = valid_proposal(c);
    d->proposal = proposal != NULL;
    d->proposal_us = proposal != NULL ? proposal->arrival_us : 0;

    uint64_t delta = timing_delta_leader(c, d->leader);
    uint64_t lead_in = first ? 2 * delta + timing_build_budget(c) : 0;
    bool leader_below = d->leader != c->config.self && c->peer[d->leader].cur < c->cur;
    if (first && leader_below) {
        lead_in += 2 * delta + timing_execution_budget(c);
    }
    const struct block_record *parent =
        first ? chain_parent(c, c->cur, false) : chain_notarized_at(c, c->cur - 1);
    uint64_t due = c->entered_us;
    if (parent != NULL) {
        due = timing_interval_due(c, c->cur, parent) +
              (first && d->leader != c->config.self ? 2 * delta : 0);
    }
    uint64_t waited = timing_disk_waited(c);
    d->late_us = max_u64(c->entered_us + capped(d->factor * lead_in), due) +
                 capped(d->factor * timing_grace(c)) + waited;
    bool certified = d->record != NULL && (d->record->has_cert & 1u << NOTARIZE) != 0;
    uint64_t patience =
        capped(d->factor * (2 * delta + timing_execution_budget(c)) * (certified ? 4 : 1));
    d->stuck_from_us = max_u64(d->late_us, d->proposal_us + waited);
    d->stuck_us = d->stuck_from_us + patience;
    d->half_stuck_us = d->stuck_from_us + patience / 2;
}

static bool due(struct core *c, bool act, uint64_t at_us)
{
    if (c->now_us < at_us) {
        timing_want(c, at_us);
        return false;
    }
    if (!act) {
        timing_want(c, c->now_us);
    }
    return act;
}

static bool late(struct core *c, bool act, const struct deadlines *d)
{
    return !d->proposal && due(c, act, d->late_us) && sign_skip(c, c->cur, SKIP_LATE);
}

static bool stuck(struct core *c, bool act, const struct deadlines *d)
{
    return due(c, act, d->stuck_us) && sign_skip(c, c->cur, SKIP_STUCK);
}

/* Blocks appear but the unsafe head does not move. */
static bool head_stall(struct core *c, bool act)
{
    uint64_t limit =
        capped(timing_factor(c) * max_u64(24 * timing_delta(c), max_u64(1000 * MS, c->config.head_stall_us)));
    uint64_t turn = turn_of(c, c->cur);
    for (uint32_t i = 0; i < c->blocks_used; i++) {
        const struct block_record *b = &c->block[c->block_list[i]];
        uint64_t slot = b->head.header.slot;
        if (b->ready_us != 0 && slot > c->highest_final && turn_of(c, slot) == turn &&
            due(c, act, b->ready_us + limit) && sign_skip(c, c->cur, SKIP_HEAD_STALL)) {
            return true;
        }
    }
    return false;
}

static bool silent(struct core *c, bool act, const struct deadlines *d)
{
    const struct peer_state *p = &c->peer[d->leader];
    if (!d->calm || d->leader == c->config.self || d->proposal) {
        return false;
    }
    uint64_t limit = capped(d->factor * timing_silent_limit(c, d->leader));
    uint64_t at = p->reset ? c->now_us : max_u64(p->heard_us, c->config.start_us) + limit;
    return due(c, act, at) && timing_quorum_heard(c) && sign_skip(c, c->cur, SKIP_SILENT);
}

static bool signed_skip(struct core *c, uint64_t slot, int member)
{
    const struct slot_record *r = slot_find(c, slot);
    return r != NULL && r->vote[SKIP][member].check != VOTE_ABSENT;
}

static bool yield(struct core *c, const struct deadlines *d)
{
    if (!d->calm) {
        return false;
    }
    bool changed = signed_skip(c, c->cur, d->leader) && sign_skip(c, c->cur, SKIP_YIELD);
    uint64_t turn = turn_of(c, c->cur);
    for (uint64_t t = turn + 1; t <= turn + c->n; t++) {
        uint64_t first = turn_first(c, t);
        int leader = rotation_leader(c, t);
        if (leader != c->config.self && signed_skip(c, first, leader)) {
            changed |= sign_skip(c, first, SKIP_YIELD);
        }
    }
    return changed;
}

/* A transaction waits while this turn's blocks have room: one skip, and no other for it. */
static bool starving(struct core *c, const struct deadlines *d)
{
    if (c->starving != turn_of(c, c->cur) + 1 || !d->calm || d->leader == c->config.self) {
        return false;
    }
    c->starving = 0;
    return sign_skip(c, c->cur, SKIP_STARVING);
}

static bool follow(struct core *c, bool act, const struct deadlines *d)
{
    if (d->record == NULL) {
        return false;
    }
    uint32_t others = tally_mask(c, d->record, SKIP, NULL) & ~c->self_bit;
    uint32_t counted = others | (own_has(c, c->cur, SKIP) ? c->self_bit : 0);
    /* Who is unheard is known only after all that waits has been read: in a tick. */
    uint32_t with_unheard = d->calm ? counted | timing_unheard(c) : counted;
    if (others == 0 || members_weight(c->epoch, with_unheard) < c->epoch->blocking) {
        return false;
    }
    if (members_weight(c->epoch, counted) < c->epoch->blocking && !due(c, act, c->now_us)) {
        return false;
    }
    if (d->proposal && !due(c, act, d->half_stuck_us)) {
        return false;
    }
    return sign_skip(c, c->cur, SKIP_FOLLOW);
}

static bool invalid(struct core *c)
{
    const struct block_record *b = chain_notarized_at(c, c->cur);
    return b != NULL && block_chain_invalid(c, b) && sign_skip(c, c->cur, SKIP_INVALID);
}

/* Is this leader so silent, or known to be absent, that its turn may be skipped ahead? */
static bool absent_ahead(struct core *c, bool act, uint64_t turn, int leader)
{
    if (bench_is(c, turn) || signed_skip(c, turn_first(c, turn), leader)) {
        return true;
    }
    const struct peer_state *p = &c->peer[leader];
    bool near_end = c->cur + 1 >= turn_last(c, turn_of(c, c->cur)) || own_has(c, c->cur, SKIP);
    if (!near_end) {
        return false;
    }
    return due(c, act, max_u64(p->heard_us, c->config.start_us) + 1000 * MS);
}

static bool ahead_of_time(struct core *c, bool act, const struct deadlines *d)
{
    if (!d->calm) {
        return false;
    }
    bool changed = false;
    uint64_t turn = turn_of(c, c->cur);
    for (uint64_t t = turn + 1; t <= turn + c->n; t++) {
        int leader = rotation_leader(c, t);
        if (leader == c->config.self || !absent_ahead(c, act, t, leader)) {
            break;
        }
        changed |= sign_skip(c, turn_first(c, t), SKIP_AHEAD);
    }
    return changed;
}

/* PROPOSING found after a restart: propose nothing in that turn, skip it (CONSENSUS 8). */
static bool proposing_found(struct core *c, const struct deadlines *d)
{
    const struct turn_record *t = turn_find(c, turn_of(c, c->cur));
    return d->leader == c->config.self && t != NULL && t->proposing_found &&
           sign_skip(c, c->cur, SKIP_PROPOSING);
}

/* Not ready, while another leader of the next n turns is: give the own turns away in time. */
static bool not_ready(struct core *c)
{
    if (timing_turns_unfinal(c) >= c->n || ready_verdict(c) == 0 || !other_ready(c)) {
        return false;
    }
    bool changed = false;
    uint64_t turn = turn_of(c, c->cur);
    for (uint64_t t = turn + 1; t <= turn + c->n; t++) {
        if (rotation_leader(c, t) == c->config.self) {
            changed |= sign_skip(c, turn_first(c, t), SKIP_NOT_READY);
        }
    }
    return changed;
}

/* Past the late limit a member sends its stored votes and the bundle again; nothing is signed. */
static void resend(struct core *c, bool act, const struct deadlines *d)
{
    if (c->now_us < d->late_us) {
        c->resend_wait_us = 0;
        return;
    }
    uint64_t base = max_u64(4 * timing_delta(c), 200 * MS);
    if (c->resend_wait_us == 0) {
        c->resend_wait_us = base;
        c->random = c->random * 6364136223846793005u + 1442695040888963407u;
        c->resend_us = c->now_us + base + (c->random >> 33) % (base / 5 + 1);
    }
    if (!due(c, act, c->resend_us)) {
        return;
    }
    c->resend_wait_us = min_u64(2 * c->resend_wait_us, 2000 * MS);
    c->random = c->random * 6364136223846793005u + 1442695040888963407u;
    c->resend_us = c->now_us + c->resend_wait_us + (c->random >> 33) % (c->resend_wait_us / 5 + 1);
    timing_want(c, c->resend_us);
    bundle_send(c, SEND_ALL);
    lead_resend(c, SEND_ALL);
}

bool stall_check(struct core *c, bool act)
{
    struct deadlines d;
    compute(c, &d);
    bool changed = proposing_found(c, &d);
    changed |= late(c, act, &d);
    changed |= stuck(c, act, &d);
    changed |= head_stall(c, act);
    changed |= silent(c, act, &d);
    changed |= yield(c, &d);
    changed |= starving(c, &d);
    changed |= follow(c, act, &d);
    changed |= invalid(c);
    changed |= ahead_of_time(c, act, &d);
    changed |= not_ready(c);
    resend(c, act, &d);
    return changed;
}

/* The loop was late: what waited for it is put off by as much. */
void stall_put_off(struct core *c, uint64_t late_us)
{
    if (late_us <= timing_grace(c) / 2) {
        return;
    }
    c->entered_us = min_u64(c->entered_us + late_us, c->now_us);
    c->resend_us += late_us;
    for (uint32_t i = 0; i < c->n; i++) {
        if (c->peer[i].heard_us != 0) {
            c->peer[i].heard_us = min_u64(c->peer[i].heard_us + late_us, c->now_us);
        }
    }
    for (uint32_t i = 0; i < c->blocks_used; i++) {
        struct block_record *b = &c->block[c->block_list[i]];
        b->arrival_us = min_u64(b->arrival_us + late_us, c->now_us);
        if (b->ready_us != 0) {
            b->ready_us = min_u64(b->ready_us + late_us, c->now_us);
        }
    }
}

void stall_view(struct core *c, struct core_view *v)
{
    struct deadlines d;
    uint64_t deadline = c->deadline_us;
    compute(c, &d);
    c->deadline_us = deadline;
    v->stall_reason = -1;
    v->stall_since_us = 0;
    if (c->now_us > d.late_us) {
        v->stall_since_us = d.late_us;
        v->stall_reason = d.proposal ? SKIP_STUCK : SKIP_LATE;
    }
    const struct slot_record *r = slot_find(c, c->cur);
    if (r != NULL && r->own_skip_reason >= 0) {
        v->stall_reason = r->own_skip_reason;
        v->stall_since_us = v->stall_since_us == 0 ? c->now_us : v->stall_since_us;
    }
}
