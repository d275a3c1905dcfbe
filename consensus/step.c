/* The one door: an event comes in, everything that it enables is done, effects go out. */
#include "consensus/core.h"

enum { DRIVE_ROUNDS = 64, PAUSE_US = 1000000 };

/* ---- peers
 * ------------------------------------------------------------------------------------------ */

static void take_status(struct core *c, const struct status *s, int from)
{
    struct peer_state *p = &c->peer[from];
    if (s->epoch != c->epoch->epoch) {
        return;
    }
    p->has_status = true;
    p->cur = s->cur;
    p->final_slot = s->final_slot;
    p->final_height = s->final_height;
    p->not_ready = s->not_ready;
    if (s->pending && !p->pending) {
        p->pending_us = c->now_us;
    }
    p->pending = s->pending;
}

static void report_proposals(struct core *c, const struct block_record *a,
                             const struct block_head *b)
{
    struct slot_record *r = slot_find(c, b->header.slot);
    struct effect *e = r->evidence_sent ? NULL : effect_new(c, EFFECT_EVIDENCE);
    if (e == NULL) {
        return;
    }
    r->evidence_sent = true;
    /* Whose turn it is has signed both, whomever they name as their leader. */
    int leader = rotation_leader(c, turn_of(c, b->header.slot));
    e->u.evidence = (struct evidence){.member = (uint8_t)leader,
                                      .slot = b->header.slot,
                                      .first = a->head.hash,
                                      .second = b->hash,
                                      .first_signature = a->head.signature,
                                      .second_signature = b->signature};
    notices_caught(c, &e->u.evidence);
}

/* The first proposal of this slot that its leader signed. */
static struct block_record *proposed_at(struct core *c, uint64_t slot)
{
    struct slot_record *r = slot_find(c, slot);
    for (int k = 0; r != NULL && k < SLOT_BLOCKS; k++) {
        struct block_record *b = r->block[k] == NONE ? NULL : &c->block[r->block[k]];
        if (b != NULL && b->proposed) {
            return b;
        }
    }
    return NULL;
}

static bool proposal_signed(struct core *c, const struct block_head *head)
{
    const struct header *h = &head->header;
    struct hash digest = propose_digest(c->epoch, h->slot, h->attempt, &head->hash);
    return signature_good(c, &digest, &head->signature, rotation_leader(c, turn_of(c, h->slot)));
}

static void on_proposal(struct core *c, const struct message *m, int from)
{
    const struct block_head *head = &m->u.proposal.head;
    const struct header *h = &head->header;
    bundle_learn(c, &m->u.proposal.justification, from);
    /* Another attempt is no block of this version, and beside one of attempt 0 no evidence. */
    if (h->epoch != c->epoch->epoch || h->slot == 0 || h->attempt != 0) {
        return;
    }
    struct block_record *known = block_find(c, &head->hash);
    bool wanted = block_wanted(c, head);
    if (known != NULL ? known->proposed : (!admitted(c, h->slot) && !wanted)) {
        return;
    }
    /* Inside a turn nothing is listed: what is long there is no block. */
    if (!wanted && head->system.n > SYSTEM_INLINE &&
        h->slot != turn_first(c, turn_of(c, h->slot))) {
        return;
    }
    if (!proposal_signed(c, head)) {
        effect_ban(c, from, "a proposal that its leader did not sign");
        return;
    }
    struct block_record *other = proposed_at(c, h->slot);
    if (other != NULL) {
        report_proposals(c, other, head);
        if (!wanted) {
            return;
        }
    }
    struct block_record *b = block_learn(c, head, from);
    if (b != NULL) {
        b->proposed = true;
        b->head.signature = head->signature;
    }
}

static void on_block(struct core *c, const struct block_head *head, int from)
{
    if (block_wanted(c, head)) {
        struct block_record *b = block_learn(c, head, from);
        if (b != NULL && !b->proposed && proposal_signed(c, head)) {
            b->proposed = true;
            b->head.signature = head->signature;
        }
    }
}

static void on_message(struct core *c, const struct message *m, int from)
{
    struct peer_state *p = &c->peer[from];
    p->heard_us = c->now_us;
    p->reset = false;
    if (m->has_status) {
        take_status(c, &m->status, from);
    }
    switch (m->kind) {
    case MSG_VOTES:
    case MSG_BUNDLE:
        bundle_learn(c, &m->u.bundle, from);
        break;
    case MSG_PROPOSAL:
        on_proposal(c, m, from);
        break;
    case MSG_BLOCK:
        on_block(c, &m->u.block.head, from);
        break;
    case MSG_BLOCKS:
        bundle_learn(c, &m->u.blocks.proof, from);
        for (uint32_t i = m->u.blocks.blocks; i-- > 0;) {
            on_block(c, &m->u.blocks.block[i].head, from);
        }
        break;
    case MSG_AMNESIA_ASK:
    case MSG_AMNESIA_ANSWER:
    case MSG_OWN_VOTES_ASK:
    case MSG_OWN_VOTES:
        amnesia_message(c, m, from);
        break;
    case MSG_NOTICES:
        notices_take(c, m, from);
        break;
    case MSG_STATUS:
    case MSG_BODY:
    case MSG_FETCH:
    case MSG_RANGE:
    case MSG_TXS:
    case MSG_TX_ACK:
    case MSG_INTENT:
    case MSG_INTENT_ACK:
    case MSG_KIND_COUNT:
        break;
    }
}

static void on_peer(struct core *c, int peer, bool up, bool reset)
{
    struct peer_state *p = &c->peer[peer];
    p->up = up;
    p->reset = !up && reset;
    if (up) {
        p->heard_us = c->now_us;
        p->has_status = false;
        p->cur = 0;
        p->final_slot = 0;
        p->bundle_us = 0;
        p->lower_us = 0;
        p->asked_us = 0;
        /* What it missed, and the own proposals that wait for votes. */
        bundle_send(c, peer);
        lead_resend(c, peer);
    }
}

/* ---- the own machine
 * ----------------------------------------------------------------------------------- */

static void on_body(struct core *c, const struct hash *hash, bool ok)
{
    struct block_record *b = block_find(c, hash);
    if (b != NULL && b->body == BODY_ABSENT) {
        b->body = ok ? BODY_GOOD : BODY_BAD;
    }
}

static void on_executed(struct core *c, const struct hash *hash, enum verdict verdict,
                        uint64_t took_us)
{
    c->execution_us[c->executions++ % EXECUTION_SAMPLES] = took_us;
    struct block_record *b = block_find(c, hash);
    if (b == NULL) {
        return;
    }
    b->run = verdict == VERDICT_VALID ? RUN_VALID : RUN_INVALID;
    if (b == block_root(c) && b->run == RUN_INVALID) {
        c->stopped = true;
        effect_alarm(c, ALARM_DIVERGENCE, b->head.header.slot, c->config.self);
    }
}

static void count_durable(struct core *c, const struct pending_vote *p)
{
    struct slot_record *r = slot_find(c, p->slot);
    if (r != NULL) {
        tally_own(c, r, p->kind);
    }
}

static void on_persisted(struct core *c, uint64_t sequence)
{
    c->disk_waited_us += timing_write_late(c);
    c->persisted = max_u64(c->persisted, sequence);
    c->write_us = c->persisted < c->sequence ? c->now_us : 0;
    c->disk_failed = false;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < c->pending_own_n; i++) {
        if (c->pending_own[i].seq <= sequence) {
            count_durable(c, &c->pending_own[i]);
        } else {
            c->pending_own[kept++] = c->pending_own[i];
        }
    }
    c->pending_own_n = kept;
    if (c->cleared_pending && sequence >= c->cleared_seq) {
        c->amnesiac = false;
        c->cleared_pending = false;
        effect_alarm(c, ALARM_AMNESIAC, c->cur, c->config.self);
    }
}

static void on_health(struct core *c, const struct event *ev)
{
    bool changed = c->pending != ev->u.health.pending ||
                   c->driver_not_ready != ev->u.health.not_ready ||
                   c->draining != ev->u.health.draining;
    if (ev->u.health.pending && !c->pending) {
        c->pending_us = c->now_us;
    }
    c->pending = ev->u.health.pending;
    c->driver_not_ready = ev->u.health.not_ready;
    c->draining = ev->u.health.draining;
    c->leaving = ev->u.health.leaving;
    c->client_silent_us = ev->u.health.client_silent_us;
    c->status_due |= changed;
}

static void on_event(struct core *c, const struct event *ev)
{
    bool from_peer = ev->peer >= 0 && (uint32_t)ev->peer < c->n && ev->peer != c->config.self;
    switch (ev->kind) {
    case EVENT_TICK:
        stall_put_off(c, ev->late_us);
        break;
    case EVENT_MESSAGE:
        if (from_peer) {
            on_message(c, ev->u.message, ev->peer);
        }
        break;
    case EVENT_PEER:
        if (from_peer) {
            on_peer(c, ev->peer, ev->u.peer.up, ev->u.peer.reset);
        }
        break;
    case EVENT_LATENCY:
        if (from_peer) {
            c->peer[ev->peer].p50_us = ev->u.latency.one_way_p50_us;
            c->peer[ev->peer].p99_us = ev->u.latency.one_way_p99_us;
        }
        break;
    case EVENT_BODY:
        on_body(c, &ev->u.body.block, ev->u.body.ok);
        break;
    case EVENT_EXECUTED:
        on_executed(c, &ev->u.executed.block, ev->u.executed.verdict, ev->u.executed.took_us);
        break;
    case EVENT_BUILT:
        payload_built(c, &ev->u.built);
        break;
    case EVENT_PERSISTED:
        on_persisted(c, ev->u.persisted);
        break;
    case EVENT_WRITE_FAILED:
        c->disk_failed = true;
        effect_alarm(c, ALARM_WRITE_FAILED, c->cur, c->config.self);
        break;
    case EVENT_HEALTH:
        on_health(c, ev);
        break;
    case EVENT_OWN_KEY_SEEN:
        c->stopped = true;
        effect_alarm(c, ALARM_SECOND_INSTANCE, c->cur, c->config.self);
        break;
    case EVENT_STARVING:
        c->starving = ev->u.starving_turn + 1;
        break;
    }
}

/* ---- driving
 * ---------------------------------------------------------------------------------------------- */

static bool finalize_all(struct core *c)
{
    bool signed_one = false;
    for (uint32_t i = 0; i < c->blocks_used; i++) {
        struct block_record *b = &c->block[c->block_list[i]];
        if (b->notarized && b != block_root(c)) {
            signed_one |= sign_finalize(c, b);
        }
    }
    return signed_one;
}

static bool notarize_slot(struct core *c, uint64_t slot)
{
    struct slot_record *r = slot_find(c, slot);
    for (int k = 0; r != NULL && k < SLOT_BLOCKS; k++) {
        if (r->block[k] != NONE && sign_notarize(c, &c->block[r->block[k]])) {
            return true;
        }
    }
    return false;
}

static bool notarize_all(struct core *c)
{
    bool signed_one = false;
    uint64_t last = min_u64(c->cur + c->epoch->params.depth, turn_last(c, turn_of(c, c->cur)));
    for (uint64_t s = c->cur; s <= last; s++) {
        signed_one |= notarize_slot(c, s);
    }
    return signed_one;
}

/* At the very start nobody is late: the interval begins when a quorum is connected, or after 2 s.
 */
static void hold_start(struct core *c)
{
    uint32_t weight = c->self_bit == 0 ? 0 : c->epoch->member[c->config.self].weight;
    for (uint32_t i = 0; i < c->n; i++) {
        weight += c->peer[i].up ? c->epoch->member[i].weight : 0;
    }
    if (c->started || weight >= c->epoch->quorum || c->now_us > c->config.start_us + 2000000) {
        c->started = true;
        return;
    }
    c->entered_us = c->now_us;
    block_root(c)->arrival_us = c->now_us;
}

static void drive(struct core *c, bool act)
{
    hold_start(c);
    chain_judge(c);
    finality_deliver(c);
    amnesia_drive(c);
    for (int round = 0; round < DRIVE_ROUNDS; round++) {
        chain_execute(c);
        bool changed = advance(c);
        changed |= finalize_all(c);
        changed |= notarize_all(c);
        changed |= lead_drive(c);
        changed |= c->started && stall_check(c, act);
        if (!changed) {
            break;
        }
    }
    lead_prepare(c);
    notices_drive(c);
    chain_fetch(c);
    bundle_lagging(c);
}

void core_step(struct core *core, const struct event *event, struct effects *out)
{
    struct core *c = core;
    out->n = 0;
    c->out = out;
    if (event->now_us > c->now_us + PAUSE_US) {
        amnesia_paused(c);
    }
    c->now_us = max_u64(c->now_us, event->now_us);
    c->wall_ms = event->wall_ms;
    c->deadline_us = UINT64_MAX;
    c->scratch_used = 0;
    c->step_votes = 0;
    c->step_certs = 0;
    c->step_proposing = false;
    c->step_amnesiac = false;
    c->step_cleared = false;
    c->step_more = false;
    c->starving = 0;
    uint32_t ready_before = c->last_verdict;
    on_event(c, event);
    drive(c, event->kind == EVENT_TICK);
    c->last_verdict = ready_verdict(c);
    c->status_due |= (ready_before == 0) != (c->last_verdict == 0);
    output_flush(c);
    output_status(c);
    if (c->step_more) {
        c->deadline_us = c->now_us;
    }
}

uint64_t core_deadline(const struct core *core)
{
    return core->deadline_us;
}
