/* Steps to disk, and what waits for them: the only place where a gated message is let go. */
#include <stdlib.h>
#include <string.h>

#include "sequencer/steps/steps.h"

/* ---- writes ---------------------------------------------------------------------------------- */

static void write_failed(struct steps *s, enum err err)
{
    s->failed = true;
    s->world.failed(s->world.ctx, err);
    const struct event e = {.kind = EVENT_WRITE_FAILED, .peer = -1};
    steps_give(s, e);
}

/* A gap in the journal cannot be healed by a later write: no signature after it. */
static void step_lost(struct steps *s, enum err err)
{
    s->lost_step = true;
    write_failed(s, err);
}

/* The core hands over pointers to certificates; a record holds them side by side. */
static bool gather_certificates(struct steps *s, const struct effect *e)
{
    uint32_t count = e->u.persist.certs;
    if (count > s->cert_cap) {
        struct certificate *bigger = realloc(s->cert, count * sizeof *bigger);
        if (bigger == NULL) {
            return false;
        }
        s->cert = bigger;
        s->cert_cap = count;
    }
    for (uint32_t i = 0; i < count; i++) {
        s->cert[i] = *e->u.persist.cert[i];
    }
    return true;
}

void steps_persist(struct steps *s, const struct effect *e)
{
    struct journal_step step = {
        .sequence = e->u.persist.sequence,
        .epoch = s->epoch,
        .amnesiac = e->u.persist.amnesiac,
        .cleared = e->u.persist.cleared,
        .clearing_slot = e->u.persist.clearing_slot,
        .proposing = e->u.persist.proposing,
        .proposing_turn = e->u.persist.proposing_turn,
        .votes = e->u.persist.votes,
        .certs = e->u.persist.certs,
    };
    struct vote vote[LIMIT_STEP_VOTES];
    if (step.votes > LIMIT_STEP_VOTES || !gather_certificates(s, e)) {
        step_lost(s, ERR_NO_MEMORY);
        return;
    }
    if (step.votes > 0) {
        memcpy(vote, e->u.persist.vote, step.votes * sizeof *vote);
    }
    step.vote = vote;
    step.cert = s->cert;
    s->submitted = step.sequence;
    enum err err = s->world.submit(s->world.ctx, &step, e->u.persist.sync);
    if (err != OK) {
        step_lost(s, err);
    }
}

/* ---- messages -------------------------------------------------------------------------------- */

static void hold(struct steps *s, int to, uint64_t gate, const struct message *m)
{
    size_t cap = message_size(m);
    struct steps_held *h = malloc(sizeof *h + cap);
    if (h == NULL || message_encode(h->frame, cap, &h->n, m) != OK) {
        s->world.trouble(s->world.ctx, "a message could not be held until its write is durable");
        free(h);
        return;
    }
    h->next = NULL;
    h->gate = gate;
    h->to = to;
    *s->held_end = h;
    s->held_end = &h->next;
}

static void send_one(struct steps *s, int to, uint64_t gate, const struct message *m)
{
    if (gate > s->persisted) {
        hold(s, to, gate, m);
    } else {
        s->world.send(s->world.ctx, to, m);
    }
}

/* A proposal leaves without its body, which follows under the same gate. */
void steps_send(struct steps *s, const struct effect *e)
{
    const struct message *m = e->u.send.message;
    send_one(s, e->u.send.to, e->u.send.gate, m);
    if (m->kind != MSG_PROPOSAL || (int)m->u.proposal.head.header.leader != s->self) {
        return;
    }
    struct message with = {.kind = MSG_BODY};
    with.u.body.block = m->u.proposal.head.hash;
    with.u.body.body = s->world.body(s->world.ctx, &m->u.proposal.head);
    if (with.u.body.body.n > 0) {
        send_one(s, e->u.send.to, e->u.send.gate, &with);
    }
    s->world.flush(s->world.ctx); /* the others check it while this member makes its own vote */
}

static void release(struct steps *s)
{
    while (s->held != NULL && s->held->gate <= s->persisted) {
        struct steps_held *h = s->held;
        s->held = h->next;
        if (s->held == NULL) {
            s->held_end = &s->held;
        }
        struct message m;
        message_arena_reset(&s->arena);
        if (message_decode(&m, &s->arena, bytes_of(h->frame, h->n)) == OK) {
            s->world.send(s->world.ctx, h->to, &m);
        }
        free(h);
    }
}

/* ---- completions ----------------------------------------------------------------------------- */

static void persisted(struct steps *s, uint64_t sequence)
{
    s->persisted = sequence > s->persisted ? sequence : s->persisted;
    if (s->held != NULL) {
        release(s);
        s->world.flush(s->world.ctx);
    }
    const struct event e = {.kind = EVENT_PERSISTED, .peer = -1, .u.persisted = sequence};
    steps_give(s, e);
}

static void completed(struct steps *s, const struct storage_done *done)
{
    bool step = done->what == STORAGE_DONE_STEP;
    if (!step) {
        s->world.stored(s->world.ctx, done->value, done->err);
    }
    if (done->err != OK && !s->failed) {
        write_failed(s, done->err);
    } else if (done->err == OK && step && !s->lost_step) {
        persisted(s, done->value);
    }
}

void steps_drain(struct steps *s)
{
    struct storage_done done;
    while (!s->closed && s->world.poll(s->world.ctx, &done)) {
        completed(s, &done);
    }
}

void steps_back(struct steps *s, uint64_t sequence)
{
    s->failed = false;
    steps_drain(s);
    /* Also where no step had failed: it tells the core that it may sign again. */
    if (!s->closed) {
        persisted(s, sequence);
    }
}
