/* Effects of a step: collected while it runs, closed by one write that gates its votes. */
#include "consensus/core.h"

/* Far below the least time that a leader has for a payload (timing_build_budget). */
enum { PENDING_RIDES_US = 5000 };

struct effect *effect_new(struct core *c, enum effect_kind kind)
{
    /* The last places are kept for what a step must not lose: its write and the votes behind it. */
    bool votes = kind == EFFECT_SEND && c->out->n > 0 &&
                 c->out->effect[c->out->n - 1].kind == EFFECT_PERSIST;
    uint32_t kept = kind == EFFECT_PERSIST || votes ? 0 : 2;
    if (c->out->n + kept >= LIMIT_CORE_EFFECTS) {
        c->step_more = true;
        return NULL;
    }
    struct effect *e = &c->out->effect[c->out->n++];
    memset(e, 0, sizeof *e);
    e->kind = kind;
    return e;
}

static void message_fill(struct core *c, struct message *m, enum message_kind kind)
{
    memset(m, 0, sizeof *m);
    m->kind = kind;
    m->has_status =
        kind == MSG_STATUS || kind == MSG_VOTES || kind == MSG_PROPOSAL || kind == MSG_BUNDLE;
    if (m->has_status) {
        core_get_status(c, &m->status);
    }
}

struct message *message_new(struct core *c, enum message_kind kind)
{
    struct message *m = scratch_take(c, sizeof *m);
    if (m != NULL) {
        message_fill(c, m, kind);
    }
    return m;
}

void effect_send(struct core *c, int to, uint64_t gate, const struct message *m)
{
    struct effect *e = effect_new(c, EFFECT_SEND);
    if (e == NULL) {
        return;
    }
    e->u.send.to = to;
    e->u.send.gate = gate;
    e->u.send.message = m;
    if (to == SEND_ALL && m->has_status) {
        c->told_pending = m->status.pending;
    }
    if (to == SEND_ALL && gate == 0 && m->has_status) {
        c->sent_status_us = c->now_us;
        c->status_due = false;
    }
}

void effect_ban(struct core *c, int member, const char *why)
{
    struct effect *e = member == c->config.self ? NULL : effect_new(c, EFFECT_BAN);
    if (e != NULL) {
        e->u.ban.member = member;
        e->u.ban.why = why;
    }
}

void effect_alarm(struct core *c, enum alarm_kind what, uint64_t slot, int member)
{
    if (c->out == NULL) {
        return; /* still restoring: what does not fit is told to the driver by ERR_BUSY */
    }
    for (uint32_t i = 0; i < c->out->n; i++) {
        if (c->out->effect[i].kind == EFFECT_ALARM && c->out->effect[i].u.alarm.what == what) {
            return;
        }
    }
    struct effect *e = effect_new(c, EFFECT_ALARM);
    if (e != NULL) {
        e->u.alarm.what = what;
        e->u.alarm.slot = slot;
        e->u.alarm.member = member;
    }
}

void step_keep_cert(struct core *c, const struct certificate *cert)
{
    for (uint32_t i = 0; i < c->step_certs; i++) {
        if (c->step_cert[i] == cert) {
            return;
        }
    }
    c->step_cert[c->step_certs++] = cert; /* two for each vote at most */
}

/* A status alone, when nothing else carried one for so long, or at once when something changed.
 * `pending` waits a moment for a proposal or a vote to ride on: a transaction turns it twice within
 * milliseconds, and a frame to everybody for each costs more than all else that it sets going. */
void output_status(struct core *c)
{
    uint64_t at = c->sent_status_us + timing_status_every(c);
    if (c->pending != c->told_pending) {
        at = min_u64(at, c->pending_turned_us + PENDING_RIDES_US);
    }
    if (c->config.self < 0) {
        return;
    }
    if (!c->status_due && c->now_us < at) {
        timing_want(c, at);
        return;
    }
    struct message *m = message_new(c, MSG_STATUS);
    if (m != NULL) {
        effect_send(c, SEND_ALL, 0, m);
    }
    timing_want(c, c->now_us + timing_status_every(c));
}

static void write_step(struct core *c)
{
    struct effect *e = effect_new(c, EFFECT_PERSIST); /* never NULL: a place is kept for it */
    e->u.persist.sequence = ++c->sequence;
    c->write_us = c->write_us == 0 ? c->now_us : c->write_us;
    e->u.persist.sync = true;
    e->u.persist.amnesiac = c->step_amnesiac;
    e->u.persist.cleared = c->step_cleared;
    e->u.persist.clearing_slot = c->floor_slot;
    e->u.persist.proposing = c->step_proposing;
    e->u.persist.proposing_turn = c->step_proposing_turn;
    e->u.persist.vote = c->step_vote;
    e->u.persist.reason = c->step_reason;
    e->u.persist.votes = c->step_votes;
    e->u.persist.cert = c->step_cert;
    e->u.persist.certs = c->step_certs;
}

void output_flush(struct core *c)
{
    if (c->step_votes == 0 && !c->step_proposing && !c->step_amnesiac && !c->step_cleared) {
        return;
    }
    write_step(c);
    if (c->step_votes == 0) {
        return;
    }
    struct message *m = &c->step_message;
    message_fill(c, m, MSG_VOTES);
    m->u.bundle.vote = c->step_vote;
    m->u.bundle.votes = c->step_votes;
    effect_send(c, SEND_ALL, c->sequence, m);
}
