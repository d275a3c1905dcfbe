/* What puppets say: votes for everything, old certificates, forged ones, false statuses. */
#include "tests/sim/liar.h"

void liar_send(struct sim *s, struct node *z, int to, const struct message *m)
{
    struct frame *f = frame_of(s, m);
    links_post(s, z, to, f);
    frame_drop(s, f);
}

void liar_vote(struct sim *s, struct node *z, int to, uint8_t kind, uint64_t slot,
               const struct hash *block)
{
    struct vote v = {.kind = kind, .signer = (uint8_t)z->member, .slot = slot};
    if (kind != VOTE_SKIP) {
        v.block = *block;
    }
    if (slot == 0) {
        return;
    }
    struct hash digest = vote_digest(&s->epoch, kind, slot, &v.block);
    keys_sign(&v.signature, &s->epoch.member[z->member].address, &digest);
    struct message m = {.kind = MSG_VOTES};
    m.u.bundle.vote = &v;
    m.u.bundle.votes = 1;
    liar_send(s, z, to, &m);
}

static int someone(struct sim *s, const struct node *z)
{
    int to = (int)liar_roll(s, s->plan->n);
    return to == z->member ? (to + 1) % (int)s->plan->n : to;
}

static void vote_some(struct sim *s, struct node *z, uint8_t kind, uint64_t slot,
                      const struct hash *block)
{
    if (liars_use(s, ART_VICTIM)) {
        liar_vote(s, z, z->member == 0 ? 1 : 0, kind, slot, block);
        return;
    }
    uint64_t mask = liar_roll(s, 1u << s->plan->n);
    for (int to = 0; to < (int)s->plan->n; to++) {
        if (to != z->member && (mask >> to & 1) != 0) {
            liar_vote(s, z, to, kind, slot, block);
        }
    }
}

static void echo(struct sim *s, struct node *z, const struct vote *v)
{
    bool echoes = liars_use(s, ART_ECHO);
    if (echoes && liar_roll(s, 3) != 0) {
        vote_some(s, z, v->kind, v->slot, &v->block);
    }
    if (echoes && v->kind == VOTE_NOTARIZE && liar_roll(s, 3) == 0) {
        vote_some(s, z, VOTE_FINALIZE, v->slot, &v->block);
    }
    if (liars_use(s, ART_SKIP) && liar_roll(s, 4) == 0) {
        vote_some(s, z, VOTE_SKIP, v->slot + liar_roll(s, 3), NULL);
    }
    if (liars_use(s, ART_SPAM) && liar_roll(s, 8) == 0) {
        uint64_t far = liar_roll(s, 2) == 0 ? v->slot + liar_roll(s, 400) : liar_roll(s, v->slot);
        vote_some(s, z, (uint8_t)(1 + liar_roll(s, 3)), far, &v->block);
    }
}

/* ---- certificates -------------------------------------------------------------------------------
 */

static void replay(struct sim *s, struct node *z)
{
    static struct certificate cert[8];
    static struct block_head head[4];
    const struct liars *l = s->liars;
    uint32_t certs = l->certs < LIAR_CERTS ? l->certs : LIAR_CERTS;
    uint32_t heads = l->heads < LIAR_HEADS ? l->heads : LIAR_HEADS;
    struct message m = {.kind = MSG_BUNDLE};
    m.u.bundle.cert = cert;
    m.u.bundle.head = head;
    uint64_t wanted = 1 + liar_roll(s, 8);
    for (uint32_t i = 0; certs > 0 && i < wanted; i++) {
        cert[m.u.bundle.certs++] = l->cert[liar_roll(s, certs)];
    }
    wanted = liar_roll(s, 5);
    for (uint32_t i = 0; heads > 0 && i < wanted; i++) {
        head[m.u.bundle.heads++] = s->block[l->head[liar_roll(s, heads)]].head;
    }
    if (m.u.bundle.certs > 0) {
        liar_send(s, z, someone(s, z), &m);
    }
}

/* Takes a heard set of votes and pretends that it is enough. */
static void forge(struct sim *s, struct node *z)
{
    const struct liars *l = s->liars;
    uint32_t n = l->tallies < LIAR_VOTES ? l->tallies : LIAR_VOTES;
    if (n == 0) {
        return;
    }
    const struct heard_votes *k = &l->votes[liar_roll(s, n)];
    struct certificate cert = {
        .kind = k->kind, .slot = k->slot, .block = k->block, .signers = k->signers};
    uint64_t how = liar_roll(s, 4);
    uint32_t at = 0;
    for (uint32_t i = 0; i < s->plan->n; i++) {
        bool missing = (cert.signers >> i & 1) == 0;
        cert.signers |= missing && how == 0 ? 1u << i : 0;
        if ((cert.signers >> i & 1) != 0) {
            cert.signature[at++] = k->signature[missing ? (uint32_t)z->member : i];
        }
    }
    cert.slot += how == 1 ? 1 + liar_roll(s, 3) : 0; /* votes of another slot */
    cert.kind = how == 2 && k->kind != VOTE_SKIP ? (uint8_t)(4 - k->kind) : cert.kind;
    cert.signers ^= how == 3 ? 1u << liar_roll(s, s->plan->n) : 0;
    struct message m = {.kind = MSG_BUNDLE};
    m.u.bundle.cert = &cert;
    m.u.bundle.certs = 1;
    if (members_weight(&s->epoch, cert.signers) > 0) {
        liar_send(s, z, someone(s, z), &m);
    }
}

static void false_status(struct sim *s, struct node *z)
{
    const struct liars *l = s->liars;
    struct message m = {.kind = MSG_STATUS, .has_status = true};
    uint64_t slot = l->certs == 0 ? 1 : l->cert[(l->certs - 1) % LIAR_CERTS].slot;
    m.status.cur = liar_roll(s, 4) == 0 ? UINT64_MAX - liar_roll(s, 10) : slot + liar_roll(s, 9);
    m.status.final_slot = liar_roll(s, 4) == 0 ? UINT64_MAX : slot > 4 ? slot - liar_roll(s, 4) : 0;
    m.status.highest_signed = liar_roll(s, 2) == 0 ? UINT64_MAX : slot;
    m.status.not_ready = liar_roll(s, 3) == 0 ? 1 : 0;
    m.status.pending = liar_roll(s, 2) == 0;
    liar_send(s, z, someone(s, z), &m);
}

void liar_speak(struct sim *s, struct node *z, const struct message *m)
{
    for (uint32_t i = 0; (m->kind == MSG_BUNDLE || m->kind == MSG_VOTES) && i < m->u.bundle.votes;
         i++) {
        echo(s, z, &m->u.bundle.vote[i]);
    }
    if (m->kind == MSG_PROPOSAL && liars_use(s, ART_ECHO)) {
        vote_some(s, z, VOTE_NOTARIZE, m->u.proposal.head.header.slot, &m->u.proposal.head.hash);
    }
    if (m->has_status && liar_roll(s, 4) == 0) {
        liar_lead(s, z, m->status.cur);
    }
    if (liars_use(s, ART_REPLAY) && liar_roll(s, 12) == 0) {
        replay(s, z);
    }
    if (liars_use(s, ART_FORGE) && liar_roll(s, 12) == 0) {
        forge(s, z);
    }
    if (liars_use(s, ART_FABRICATE) && liar_roll(s, 20) == 0) {
        liar_notices(s, z);
    }
    if (liars_use(s, ART_STATUS) && liar_roll(s, 10) == 0) {
        false_status(s, z);
    }
}
