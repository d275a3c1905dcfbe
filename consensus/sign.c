/* Where a vote is decided: all of safety (CONSENSUS 4). The three functions here make every vote
 * of this member and check rules N, S and F themselves, whatever their callers believe. Each vote
 * goes into the step's one write; it is sent and counted only when that write is durable. */
#include "consensus/core.h"

bool sign_allowed(const struct core *c)
{
    return c->config.self >= 0 && !c->stopped && !c->disk_failed && !c->amnesiac && !c->asking &&
           c->step_votes < LIMIT_STEP_VOTES && c->pending_own_n < PENDING_OWN;
}

static bool sign_digest(struct core *c, const struct hash *digest, struct signature *out)
{
    if (c->config.crypto.sign(c->config.crypto.ctx, out, digest)) {
        return true;
    }
    c->stopped = true;
    effect_alarm(c, ALARM_SIGNER, c->cur, c->config.self);
    return false;
}

/* Makes the vote, keeps it, puts it into the step's write. */
static bool make_vote(struct core *c, struct slot_record *r, int kind, const struct hash *block,
                      int reason)
{
    struct vote v = {.kind = (uint8_t)(kind + 1),
                     .signer = (uint8_t)c->config.self,
                     .epoch = c->epoch->epoch,
                     .slot = r->slot};
    if (block != NULL) {
        v.block = *block;
    }
    struct hash digest = vote_digest(c->epoch, v.kind, v.slot, &v.block);
    if (!sign_digest(c, &digest, &v.signature)) {
        return false;
    }
    r->own[kind] = v;
    c->step_reason[c->step_votes] = reason;
    c->step_vote[c->step_votes++] = v;
    c->pending_own[c->pending_own_n++] =
        (struct pending_vote){c->sequence + 1, r->slot, (uint8_t)kind};
    c->highest_signed = max_u64(c->highest_signed, r->slot);
    c->signed_any = true;
    return true;
}

/* N4 at the first slot of a turn. */
static bool parent_justified_first(struct core *c, const struct block_record *b,
                                   const struct block_record *p)
{
    uint64_t s = b->head.header.slot;
    if ((p != block_root(c) && !p->notarized) || !block_executed(c, p) ||
        !chain_gap_void(c, p, s) || !chain_skips_proved(c, b)) {
        return false;
    }
    if (p->head.header.slot < c->highest_final) {
        /* A justified parent below the highest final slot cannot be, unless more than F lie. */
        c->stopped = true;
        effect_alarm(c, ALARM_PARENT_BELOW_FINAL, s, b->head.header.leader);
        return false;
    }
    return true;
}

/* N4 inside a turn. */
static bool parent_justified_inside(struct core *c, const struct block_record *b,
                                    const struct block_record *p)
{
    const struct header *h = &p->head.header;
    if (h->slot != b->head.header.slot - 1 || (h->flags & FLAG_LAST) != 0 ||
        h->attempt != b->head.header.attempt) {
        return false;
    }
    struct slot_record *r = slot_find(c, h->slot);
    bool voted = r != NULL && r->own[NOTARIZE].kind != 0 &&
                 hash_equal(&r->own[NOTARIZE].block, &p->head.hash);
    return voted || p->notarized || p == block_root(c);
}

bool sign_notarize(struct core *c, struct block_record *b)
{
    const struct header *h = &b->head.header;
    uint64_t s = h->slot;
    struct slot_record *r = slot_find(c, s);
    struct block_record *p = block_parent(c, b);
    if (!sign_allowed(c) || p == NULL || s <= c->floor_slot) {
        return false;
    }
    /* N1 */
    if (!b->proposed || b->form != FORM_VALID || !validity_timely(c, b, p)) {
        return false;
    }
    /* N2 */
    if (r->own[NOTARIZE].kind != 0 || r->own[SKIP].kind != 0 || s <= c->highest_final) {
        return false;
    }
    /* N3 */
    if (s < c->cur || s > c->cur + c->epoch->params.depth || turn_of(c, s) != turn_of(c, c->cur)) {
        return false;
    }
    /* N4; N5: body here, hashed, checked */
    bool first = s == turn_first(c, turn_of(c, s));
    if (b->body != BODY_GOOD || block_chain_invalid(c, b) ||
        !(first ? parent_justified_first(c, b, p) : parent_justified_inside(c, b, p))) {
        return false;
    }
    return make_vote(c, r, NOTARIZE, &b->head.hash, -1);
}

/* S2: no own finalize at any slot >= u of u's turn. */
static bool finalized_from(const struct core *c, uint64_t u)
{
    uint64_t last = turn_last(c, turn_of(c, u));
    for (uint32_t i = 0; i < c->slots_used; i++) {
        const struct slot_record *r = &c->slot[c->slot_list[i]];
        if (r->slot >= u && r->slot <= last && r->own[FINALIZE].kind != 0) {
            return true;
        }
    }
    return false;
}

bool sign_skip(struct core *c, uint64_t u, int reason)
{
    if (!sign_allowed(c) || u <= c->floor_slot || own_has(c, u, SKIP)) {
        return false;
    }
    /* S1 */
    uint64_t turn = turn_of(c, u);
    uint64_t now = turn_of(c, c->cur);
    if (u != c->cur && !(u == turn_first(c, turn) && turn > now && turn <= now + c->n)) {
        return false;
    }
    /* S2; a slot at or below the highest final one can get no skip certificate any more. */
    if (u <= c->highest_final || finalized_from(c, u)) {
        return false;
    }
    struct slot_record *r = slot_get(c, u);
    if (r == NULL || !make_vote(c, r, SKIP, NULL, reason)) {
        return false;
    }
    r->own_skip_reason = reason;
    struct turn_record *t = turn_get(c, turn);
    if (t != NULL && t->own_reason < 0) {
        t->own_reason = reason;
    }
    return true;
}

/* F3: every own skip u with first(turn(s)) <= u <= s has u <= the highest final slot of this
 * turn. `healed`: an own skip exists that only a finalize certificate excuses. */
static bool gate_open(const struct core *c, uint64_t s, bool *healed)
{
    uint64_t first = turn_first(c, turn_of(c, s));
    for (uint32_t i = 0; i < c->slots_used; i++) {
        const struct slot_record *r = &c->slot[c->slot_list[i]];
        if (r->slot < first || r->slot > s || r->own[SKIP].kind == 0) {
            continue;
        }
        /* highest_final >= u >= first(turn(s)) and F4 s > highest_final: it is of this turn. */
        if (r->slot > c->highest_final) {
            return false;
        }
        *healed = true;
    }
    return true;
}

static const struct certificate *proof_of(struct core *c, const struct block_record *b)
{
    struct slot_record *r = slot_find(c, b->proof_slot);
    if ((r->has_cert & 1u << NOTARIZE) != 0) {
        return &r->cert[NOTARIZE];
    }
    return (r->has_cert & 1u << FINALIZE) != 0 ? &r->cert[FINALIZE] : NULL;
}

/* Bodies of the block and of all its ancestors above the root are here, and so on their way to
 * the disk before this vote (CONSENSUS 8, R2). */
static bool bodies_here(struct core *c, const struct block_record *b)
{
    for (; b != block_root(c); b = block_parent(c, b)) {
        if (b == NULL || b->body != BODY_GOOD || b->form != FORM_VALID) {
            return false;
        }
    }
    return true;
}

bool sign_finalize(struct core *c, struct block_record *b)
{
    uint64_t s = b->head.header.slot;
    struct slot_record *r = slot_find(c, s);
    if (!sign_allowed(c) || r->own[FINALIZE].kind != 0 || s <= c->floor_slot) {
        return false;
    }
    /* F1: the evidence goes into the same write as the vote. */
    const struct certificate *proof = b->notarized ? proof_of(c, b) : NULL;
    if (proof == NULL || !bodies_here(c, b)) {
        return false;
    }
    /* F2 */
    /* `own` is forgotten when a lost block is learned again from others. */
    bool mine = (int)b->head.header.leader == c->config.self;
    bool trusting = c->epoch->params.execute_before_finalize == 0 && !mine;
    if (!trusting && !block_executed(c, b)) {
        return false;
    }
    /* F4, F3. The certificate of s itself may excuse nothing: a skip at s is above it. */
    bool healed = false;
    if (s <= c->highest_final || own_has(c, s, SKIP) || !gate_open(c, s, &healed)) {
        return false;
    }
    if (!make_vote(c, r, FINALIZE, &b->head.hash, -1)) {
        return false;
    }
    step_keep_cert(c, proof);
    if (healed) {
        step_keep_cert(c, &c->final_cert);
    }
    return true;
}

/* Notices bind nobody else and free no vote: they need no write. An amnesiac, and who may not sign,
 * announces nothing (E5). */
bool sign_ready(struct core *c, struct ready_notice *r)
{
    struct hash digest = ready_digest(c->epoch, r);
    return sign_allowed(c) && sign_digest(c, &digest, &r->signature);
}

bool sign_leave(struct core *c, struct leave_notice *l)
{
    struct hash digest = leave_digest(c->epoch, l);
    return sign_allowed(c) && sign_digest(c, &digest, &l->signature);
}

bool sign_proposal(struct core *c, struct block_head *head)
{
    struct hash digest =
        propose_digest(c->epoch, head->header.slot, head->header.attempt, &head->hash);
    return sign_allowed(c) && head->header.slot > c->floor_slot &&
           sign_digest(c, &digest, &head->signature);
}
