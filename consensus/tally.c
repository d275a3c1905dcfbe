/* Votes are counted here, certificates formed and taken in (CONSENSUS 3). A vote counts only from
 * its signer's own connection; signatures are checked when they could complete a certificate. */
#include "consensus/core.h"

/* Room is kept for the turn of cur and for the beginnings of the next n turns (CONSENSUS 10). */
bool admitted(const struct core *c, uint64_t slot)
{
    if (slot <= c->highest_final) {
        return false;
    }
    uint64_t turn = turn_of(c, slot);
    uint64_t now = turn_of(c, c->cur);
    uint64_t ahead = 2 * (uint64_t)c->epoch->params.depth;
    if (turn < now) {
        /* Of a turn passed without being final only what is already known counts: whoever passed
         * its slots holds the headers that could still become final there. */
        uint32_t at = 0;
        return index_next(&c->slot_index, slot, &at) != UINT32_MAX;
    }
    if (turn == now) {
        return slot <= c->cur + ahead;
    }
    return turn <= now + c->n && slot <= turn_first(c, turn) + ahead;
}

uint32_t tally_mask(const struct core *c, const struct slot_record *r, int kind,
                    const struct hash *block)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        const struct tally_vote *v = &r->vote[kind][i];
        if (v->check != VOTE_ABSENT && (kind == SKIP || hash_equal(&v->block, block))) {
            mask |= 1u << i;
        }
    }
    return mask;
}

static void report_votes(struct core *c, struct slot_record *r, int kind, const struct vote *second)
{
    const struct tally_vote *first = &r->vote[kind][second->signer];
    struct hash d1 = vote_digest(c->epoch, (uint8_t)(kind + 1), r->slot, &first->block);
    struct hash d2 = vote_digest(c->epoch, second->kind, second->slot, &second->block);
    if (r->evidence_sent) {
        return;
    }
    if (!signature_good(c, &d1, &first->signature, second->signer) ||
        !signature_good(c, &d2, &second->signature, second->signer)) {
        effect_ban(c, second->signer, "a vote with a bad signature");
        return;
    }
    struct effect *e = effect_new(c, EFFECT_EVIDENCE);
    if (e == NULL) {
        return;
    }
    r->evidence_sent = true;
    e->u.evidence = (struct evidence){.member = second->signer,
                                      .slot = r->slot,
                                      .first_kind = (uint8_t)(kind + 1),
                                      .second_kind = second->kind,
                                      .first = first->block,
                                      .second = second->block,
                                      .first_signature = first->signature,
                                      .second_signature = second->signature};
    notices_caught(c, &e->u.evidence);
}

/* Checks the unchecked votes of a would-be certificate; bad ones are taken out, their senders
 * banned. The mask of good ones is returned. */
static uint32_t check_votes(struct core *c, struct slot_record *r, int kind,
                            const struct hash *block, uint32_t mask)
{
    struct hash digest = vote_digest(c->epoch, (uint8_t)(kind + 1), r->slot, block);
    uint32_t good = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        struct tally_vote *v = &r->vote[kind][i];
        if ((mask & 1u << i) == 0) {
            continue;
        }
        if (v->check != VOTE_GOOD && !signature_good(c, &digest, &v->signature, (int)i)) {
            v->check = VOTE_ABSENT;
            effect_ban(c, (int)i, "a vote with a bad signature");
            continue;
        }
        v->check = VOTE_GOOD;
        good |= 1u << i;
    }
    return good;
}

static void learn(struct core *c, const struct certificate *cert);

static void try_certificate(struct core *c, struct slot_record *r, int kind,
                            const struct hash *block)
{
    if (kind != SKIP && (r->has_cert & 1u << kind) != 0) {
        return;
    }
    uint32_t mask = tally_mask(c, r, kind, block);
    if (members_weight(c->epoch, mask) < c->epoch->quorum) {
        return;
    }
    mask = check_votes(c, r, kind, block, mask);
    if (members_weight(c->epoch, mask) < c->epoch->quorum) {
        return;
    }
    struct certificate *cert = scratch_take(c, sizeof *cert);
    if (cert == NULL) {
        return;
    }
    *cert = (struct certificate){
        .kind = (uint8_t)(kind + 1), .epoch = c->epoch->epoch, .slot = r->slot, .signers = mask};
    if (kind != SKIP) {
        cert->block = *block;
    }
    uint32_t k = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        if ((mask & 1u << i) != 0) {
            cert->signature[k++] = r->vote[kind][i].signature;
        }
    }
    learn(c, cert);
}

void tally_vote_in(struct core *c, const struct vote *v, int from)
{
    if (v->signer != from || v->epoch != c->epoch->epoch || v->kind < VOTE_NOTARIZE ||
        v->kind > VOTE_FINALIZE) {
        effect_ban(c, from, "a vote that is not its sender's");
        return;
    }
    if ((v->kind == VOTE_SKIP) != hash_is_zero(&v->block)) {
        effect_ban(c, from, "a vote with the wrong block");
        return;
    }
    if (v->slot >= c->peer[from].highest_vote.slot) {
        c->peer[from].highest_vote = *v;
    }
    /* Passed turns keep what stands there already; votes alone make no new records for them. */
    bool passed = v->slot != 0 && turn_of(c, v->slot) < turn_of(c, c->cur);
    struct slot_record *r = !admitted(c, v->slot) ? NULL
                            : passed              ? slot_find(c, v->slot)
                                                  : slot_get(c, v->slot);
    if (r == NULL) {
        return;
    }
    int kind = v->kind - 1;
    struct tally_vote *t = &r->vote[kind][v->signer];
    if (t->check != VOTE_ABSENT) {
        if (!hash_equal(&t->block, &v->block)) {
            report_votes(c, r, kind, v);
        }
        return;
    }
    /* skip(s) and finalize(s) exclude each other too (CONSENSUS 2, evidence). */
    int other = kind == SKIP ? FINALIZE : SKIP;
    if (kind != NOTARIZE && r->vote[other][v->signer].check != VOTE_ABSENT) {
        report_votes(c, r, other, v);
    }
    t->block = v->block;
    t->signature = v->signature;
    t->check = VOTE_UNCHECKED;
    try_certificate(c, r, kind, &v->block);
}

/* An own vote enters the own tally only now that its write is durable (T1). */
void tally_own(struct core *c, struct slot_record *r, int kind)
{
    struct tally_vote *t = &r->vote[kind][c->config.self];
    t->block = r->own[kind].block;
    t->signature = r->own[kind].signature;
    t->check = VOTE_GOOD;
    r->own_durable |= (uint8_t)(1u << kind);
    try_certificate(c, r, kind, &t->block);
}

/* Own signatures inside others' certificates must be in the journal: else a second copy of the
 * key signs somewhere, or this journal lost votes (CONSENSUS 8). */
static void look_for_own(struct core *c, const struct certificate *cert)
{
    if (c->config.self < 0 || (cert->signers & c->self_bit) == 0) {
        return;
    }
    own_signature_seen(c, cert->slot, cert->kind - 1, &cert->block);
}

static void learn_notarized(struct core *c, const struct certificate *cert)
{
    struct slot_record *r = slot_get(c, cert->slot);
    if (r == NULL) {
        return;
    }
    r->cert[NOTARIZE] = *cert;
    r->has_cert |= 1u << NOTARIZE;
    c->highest_notarized = max_u64(c->highest_notarized, cert->slot);
    struct block_record *b = block_find(c, &cert->block);
    if (b != NULL) {
        block_mark_notarized(c, b, cert->slot);
    }
}

static void learn_skip(struct core *c, const struct certificate *cert)
{
    uint64_t turn = turn_of(c, cert->slot);
    struct turn_record *t = turn_get(c, turn);
    if (t == NULL || (t->skipped && t->skip.slot <= cert->slot)) {
        return;
    }
    bool first = !t->skipped;
    if (first) {
        payload_turn_lost(c, turn);
    }
    t->skipped = true;
    t->skip = *cert;
    /* A copy: the turn may be final, and its record another's, before the step ends. */
    struct certificate *copy = first ? scratch_take(c, sizeof *copy) : NULL;
    struct effect *e = copy == NULL ? NULL : effect_new(c, EFFECT_SKIPPED);
    if (e != NULL) {
        *copy = *cert;
        e->u.skipped.turn = turn;
        e->u.skipped.slot = cert->slot;
        e->u.skipped.leader = rotation_leader(c, turn);
        e->u.skipped.cert = copy;
        e->u.skipped.own_reason = t->own_reason;
    }
}

static void learn(struct core *c, const struct certificate *cert)
{
    if (cert->kind == VOTE_NOTARIZE) {
        learn_notarized(c, cert);
    } else if (cert->kind == VOTE_SKIP) {
        learn_skip(c, cert);
    } else {
        finality_learn(c, cert);
    }
}

/* Is there anything to learn from it? Cheap checks come before signatures. */
static bool certificate_new(struct core *c, const struct certificate *cert)
{
    if (cert->kind == VOTE_SKIP) {
        const struct turn_record *t = turn_find(c, turn_of(c, cert->slot));
        return turn_last(c, turn_of(c, cert->slot)) > block_root(c)->head.header.slot &&
               (t == NULL || !t->skipped || t->skip.slot > cert->slot);
    }
    if (cert->slot <= block_root(c)->head.header.slot) {
        return false;
    }
    const struct slot_record *r = slot_find(c, cert->slot);
    return r == NULL || (r->has_cert & 1u << (cert->kind - 1)) == 0;
}

bool certificate_good(struct core *c, const struct certificate *cert)
{
    struct hash digest = vote_digest(c->epoch, cert->kind, cert->slot, &cert->block);
    uint32_t k = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        if ((cert->signers & 1u << i) != 0 &&
            !signature_good(c, &digest, &cert->signature[k++], (int)i)) {
            return false;
        }
    }
    return true;
}

/* A finalize certificate at or after the slot of a skip certificate of the same turn. A block that
 * only a later turn's certificate made final excludes nothing: its turn may be skipped below it. */
static bool skip_beside_final(const struct core *c, uint64_t skip, uint64_t last)
{
    if (skip <= c->final_cert.slot && c->final_cert.slot <= last) {
        return true;
    }
    for (uint32_t i = 0; i < c->slots_used; i++) {
        const struct slot_record *r = &c->slot[c->slot_list[i]];
        if (r->slot >= skip && r->slot <= last && (r->has_cert & 1u << FINALIZE) != 0) {
            return true;
        }
    }
    return false;
}

/* Certificates that exclude each other: two of one kind for different blocks of a slot, or a final
 * slot with a skip at or before it in its turn. More than F members lie. */
static bool certificate_conflicts(struct core *c, const struct certificate *cert)
{
    uint64_t turn = turn_of(c, cert->slot);
    if (cert->kind == VOTE_SKIP) {
        return skip_beside_final(c, cert->slot, turn_last(c, turn));
    }
    const struct turn_record *t = turn_find(c, turn);
    if (cert->kind == VOTE_FINALIZE && t != NULL && t->skipped && t->skip.slot <= cert->slot) {
        return true;
    }
    const struct slot_record *r = slot_find(c, cert->slot);
    return r != NULL && (r->has_cert & 1u << (cert->kind - 1)) != 0 &&
           !hash_equal(&r->cert[cert->kind - 1].block, &cert->block);
}

void tally_certificate(struct core *c, const struct certificate *cert, int from)
{
    if (cert->epoch != c->epoch->epoch || cert->slot == 0) {
        return;
    }
    if (certificate_check_form(c->epoch, cert) != OK) {
        effect_ban(c, from, "a certificate without quorum");
        return;
    }
    bool conflict = certificate_conflicts(c, cert);
    if (!conflict && !certificate_new(c, cert)) {
        return;
    }
    if (!certificate_good(c, cert)) {
        effect_ban(c, from, "a certificate with a bad signature");
        return;
    }
    if (conflict) {
        c->stopped = true;
        effect_alarm(c, ALARM_CONFLICT, cert->slot, -1);
        return;
    }
    look_for_own(c, cert);
    learn(c, cert);
}

bool own_has(const struct core *c, uint64_t slot, int kind)
{
    uint32_t at = 0;
    uint32_t i = index_next(&c->slot_index, slot, &at);
    return i != UINT32_MAX && c->slot[i].own[kind].kind != 0;
}
