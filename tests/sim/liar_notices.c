/* Notices and evidence of liars: their own, others' again and again, and made-up ones. */
#include "tests/sim/liar.h"

#include "proto/system.h"

void liar_keep_notices(struct sim *s, const struct message *m)
{
    struct liars *l = s->liars;
    if (m->u.notices.has_ready) {
        l->ready[l->readies++ % LIAR_NOTICES] = m->u.notices.ready;
    }
    if (m->u.notices.has_leave) {
        l->leave[l->leaves++ % LIAR_NOTICES] = m->u.notices.leave;
    }
}

/* About itself it signs what it likes; about others it can only repeat, or sign wrongly. */
static struct ready_notice some_ready(struct sim *s, const struct node *z)
{
    const struct liars *l = s->liars;
    uint32_t heard = l->readies < LIAR_NOTICES ? l->readies : LIAR_NOTICES;
    if (heard > 0 && liar_roll(s, 3) == 0) {
        return l->ready[liar_roll(s, heard)];
    }
    uint32_t heads = l->heads < LIAR_HEADS ? l->heads : LIAR_HEADS;
    struct block_head h =
        heads == 0 ? world_anchor(s) : s->block[l->head[liar_roll(s, heads)]].head;
    struct ready_notice r = {.member = (uint8_t)z->member, .slot = h.header.slot, .block = h.hash};
    if (liar_roll(s, 4) == 0) {
        r.member = (uint8_t)liar_roll(s, s->plan->n);
    }
    struct hash digest = ready_digest(&s->epoch, &r);
    keys_sign(&r.signature, &s->epoch.member[z->member].address, &digest);
    return r;
}

static struct leave_notice some_leave(struct sim *s, const struct node *z)
{
    const struct liars *l = s->liars;
    uint32_t heard = l->leaves < LIAR_NOTICES ? l->leaves : LIAR_NOTICES;
    if (heard > 0 && liar_roll(s, 3) == 0) {
        return l->leave[liar_roll(s, heard)];
    }
    uint64_t turn = oracle_top_slot(s) / s->plan->turn_slots;
    struct leave_notice n = {.member = (uint8_t)z->member, .from_turn = turn + liar_roll(s, 6)};
    if (liar_roll(s, 4) == 0) {
        n.member = (uint8_t)liar_roll(s, s->plan->n);
    }
    struct hash digest = leave_digest(&s->epoch, &n);
    keys_sign(&n.signature, &s->epoch.member[z->member].address, &digest);
    return n;
}

/* Two votes that exclude each other; signed with its own key, whomever they accuse. */
static struct evidence some_evidence(struct sim *s, const struct node *z)
{
    struct evidence e = {.member = (uint8_t)z->member,
                         .slot = 1 + liar_roll(s, oracle_top_slot(s) + 4),
                         .first_kind = VOTE_NOTARIZE,
                         .second_kind = VOTE_NOTARIZE};
    if (liar_roll(s, 2) == 0) {
        e.member = (uint8_t)liar_roll(s, s->plan->n);
    }
    e.first.b[0] = 1;
    e.second.b[0] = 2;
    struct hash digest = evidence_digest(&s->epoch, &e, false);
    keys_sign(&e.first_signature, &s->epoch.member[z->member].address, &digest);
    digest = evidence_digest(&s->epoch, &e, true);
    keys_sign(&e.second_signature, &s->epoch.member[z->member].address, &digest);
    evidence_sort(&e);
    return e;
}

void liar_notices(struct sim *s, struct node *z)
{
    struct message m = {.kind = MSG_NOTICES};
    m.u.notices.has_ready = liar_roll(s, 3) != 0;
    m.u.notices.has_leave = liar_roll(s, 3) == 0;
    m.u.notices.ready = some_ready(s, z);
    m.u.notices.leave = some_leave(s, z);
    liar_send(s, z, (int)liar_roll(s, s->plan->n), &m);
}

void liar_parts(struct sim *s, const struct node *z, struct system_parts *parts)
{
    static struct ready_notice ready[2];
    static struct leave_notice leave[2];
    static struct evidence evidence[2];
    parts->notices = ready;
    parts->leaves = leave;
    parts->evidence = evidence;
    for (int i = 0; i < 2; i++) {
        ready[i] = some_ready(s, z);
        leave[i] = some_leave(s, z);
        evidence[i] = some_evidence(s, z);
        parts->notices_n += liar_roll(s, 4) == 0;
        parts->leaves_n += liar_roll(s, 4) == 0;
        parts->evidence_n += liar_roll(s, 4) == 0;
    }
}
