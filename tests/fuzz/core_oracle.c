#include "tests/fuzz/core_oracle.h"

#include "tests/fuzz/fuzz.h"

void oracle_start(struct oracle *o, const struct core_config *config)
{
    o->self = config->self;
    o->turn_slots = config->epoch.params.turn_slots;
    o->sequence = o->persisted = 0;
    o->write_failed = o->silent = false;
    o->votes = 0;
    o->head = header_hash(&config->anchor);
    o->head_slot = o->head_height = 0;
    o->cur = o->highest_final = 0;
}

static uint64_t turn(const struct oracle *o, uint64_t slot)
{
    return (slot - 1) / o->turn_slots;
}

/* One vote a kind and slot; a slot that was skipped is neither notarized (N2) nor finalized (F3,
 * F4); nothing is skipped at or below a slot of its turn that was finalized (S2). */
static void check_pair(const struct oracle *o, const struct vote *old, const struct vote *v)
{
    DEMAND(old->kind != v->kind || old->slot != v->slot);
    if (old->slot == v->slot) {
        DEMAND(!(old->kind == VOTE_SKIP && v->kind != VOTE_SKIP));
    }
    if (old->kind == VOTE_FINALIZE && v->kind == VOTE_SKIP &&
        turn(o, old->slot) == turn(o, v->slot)) {
        DEMAND(v->slot > old->slot);
    }
}

static void on_vote(struct oracle *o, const struct vote *v, uint64_t sequence)
{
    DEMAND(!o->silent && o->self >= 0 && v->signer == o->self && v->slot >= 1);
    DEMAND((v->kind == VOTE_SKIP) == hash_is_zero(&v->block));
    for (uint32_t i = 0; i < o->votes; i++) {
        check_pair(o, &o->vote[i].vote, v);
    }
    DEMAND(o->votes < ORACLE_VOTES);
    o->vote[o->votes++] = (struct oracle_vote){*v, sequence};
}

static void on_persist(struct oracle *o, const struct effect *e)
{
    DEMAND(e->u.persist.sequence == o->sequence + 1);
    DEMAND(e->u.persist.votes <= LIMIT_STEP_VOTES);
    DEMAND(e->u.persist.votes == 0 || e->u.persist.sync);
    o->sequence = e->u.persist.sequence;
    for (uint32_t i = 0; i < e->u.persist.votes; i++) {
        on_vote(o, &e->u.persist.vote[i], o->sequence);
    }
}

/* What is said of an own vote leaves behind the write that holds it. */
static void check_own(const struct oracle *o, const struct vote *v, uint64_t gate)
{
    for (uint32_t i = 0; i < o->votes; i++) {
        const struct oracle_vote *own = &o->vote[i];
        if (own->vote.kind == v->kind && own->vote.slot == v->slot &&
            hash_equal(&own->vote.block, &v->block)) {
            DEMAND(own->sequence <= gate || own->sequence <= o->persisted);
            return;
        }
    }
    fuzz_fail("every own vote that is shown was written", __FILE__, __LINE__);
}

static void check_bundle(const struct oracle *o, const struct bundle *b, uint64_t gate)
{
    for (uint32_t i = 0; i < b->votes; i++) {
        if (b->vote[i].signer == o->self) {
            check_own(o, &b->vote[i], gate);
        }
    }
    for (uint32_t i = 0; i < b->certs; i++) {
        const struct certificate *c = &b->cert[i];
        if (o->self >= 0 && (c->signers & 1u << o->self) != 0) {
            struct vote v = {.kind = c->kind, .slot = c->slot, .block = c->block};
            check_own(o, &v, gate);
        }
    }
}

static void on_send(const struct oracle *o, const struct effect *e)
{
    const struct message *m = e->u.send.message;
    DEMAND(e->u.send.to == SEND_ALL || e->u.send.to != o->self);
    if (m->kind == MSG_VOTES || m->kind == MSG_BUNDLE) {
        check_bundle(o, &m->u.bundle, e->u.send.gate);
    } else if (m->kind == MSG_PROPOSAL) {
        check_bundle(o, &m->u.proposal.justification, e->u.send.gate);
    }
}

/* Each final block stands on the one before. */
static void on_final(struct oracle *o, const struct effect *e)
{
    const struct header *h = &e->u.final.head->header;
    DEMAND(hash_equal(&h->parent, &o->head) && h->parent_slot == o->head_slot);
    DEMAND(h->slot > o->head_slot);
    DEMAND(h->height == o->head_height + ((h->flags & FLAG_EMPTY) == 0));
    o->head = e->u.final.block;
    o->head_slot = h->slot;
    o->head_height = h->height;
}

static void check_view(struct oracle *o, struct core *core)
{
    struct core_view v;
    core_get_view(core, &v);
    DEMAND(v.slot >= o->cur);
    DEMAND(v.final_slot >= o->highest_final);
    DEMAND(v.records <= LIMIT_CORE_RECORDS && v.blocks <= LIMIT_CORE_RECORDS);
    o->cur = v.slot;
    o->highest_final = v.final_slot;
}

void oracle_effects(struct oracle *o, struct core *core, const struct effects *out)
{
    uint32_t writes = 0;
    uint64_t gate = 0;
    DEMAND(out->n <= LIMIT_CORE_EFFECTS);
    for (uint32_t i = 0; i < out->n; i++) {
        const struct effect *e = &out->effect[i];
        if (e->kind == EFFECT_PERSIST) {
            on_persist(o, e);
            writes++;
        } else if (e->kind == EFFECT_SEND) { /* perhaps before the write that it waits for */
            on_send(o, e);
            gate = e->u.send.gate > gate ? e->u.send.gate : gate;
        } else if (e->kind == EFFECT_FINAL) {
            on_final(o, e);
        }
    }
    DEMAND(writes <= 1 && gate <= o->sequence); /* a write that nobody makes opens no gate */
    check_view(o, core);
}
