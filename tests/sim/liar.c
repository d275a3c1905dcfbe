/* Who lies, what they remember, and honest cores whose words are bent on their way out. */
#include "tests/sim/liar.h"

#include <stdlib.h>

enum { HOLD_US = 40 * MS };

struct liars *liars_new(void)
{
    return calloc(1, sizeof(struct liars));
}

void liars_free(struct liars *l)
{
    free(l);
}

uint64_t liar_roll(struct sim *s, uint64_t n)
{
    return dice_below(&s->liars->dice, n);
}

bool liars_use(const struct sim *s, enum art art)
{
    return (s->plan->arts >> art & 1) != 0;
}

bool liars_withhold(const struct sim *s, const struct node *z)
{
    return sim_lies(s, z->member) && !s->liars->quiet && liars_use(s, ART_MUTE);
}

bool liars_careless(const struct sim *s, const struct node *z)
{
    return sim_lies(s, z->member) && !s->liars->quiet && liars_use(s, ART_POISON);
}

static bool is_puppet(const struct sim *s, int member)
{
    uint32_t words = s->plan->arts & ((1u << ART_WITHHOLD) - 1);
    uint32_t bends = s->plan->arts >> ART_WITHHOLD;
    if ((s->plan->liars >> member & 1) == 0 || (s->plan->twins >> member & 1) != 0) {
        return false;
    }
    struct dice d = dice_of(s->plan->seed, DICE_LIAR, (uint64_t)member + 1);
    return bends == 0 || (words != 0 && dice_chance(&d, 700));
}

void liars_reset(struct sim *s)
{
    struct liars *l = s->liars;
    memset(l, 0, sizeof *l);
    l->dice = dice_of(s->plan->seed, DICE_LIAR, 0);
    for (uint32_t i = 0; i < s->nodes; i++) {
        s->node[i].puppet = is_puppet(s, s->node[i].member);
    }
    for (int art = 0; art < ARTS && s->plan->liars != 0; art++) {
        s->account->arts[art] += liars_use(s, (enum art)art);
    }
}

void liars_drop(struct sim *s)
{
    for (uint32_t i = 0; i < LIAR_HELD; i++) {
        frame_drop(s, s->liars->held[i].frame);
        s->liars->held[i].frame = NULL;
    }
}

void liars_quiet(struct sim *s)
{
    s->liars->quiet = true;
}

/* ---- remembering ------------------------------------------------------------------------------
 */

void liar_keep_head(struct sim *s, const struct block_head *h)
{
    struct liars *l = s->liars;
    if (h->header.slot == 0 || h->system.n > SIM_SYSTEM) {
        return;
    }
    uint32_t b = world_add(s, h);
    for (uint32_t i = 0; i < LIAR_HEADS && i < l->heads; i++) {
        if (l->head[i] == b) {
            return;
        }
    }
    l->head[l->heads++ % LIAR_HEADS] = b;
}

static void keep_cert(struct liars *l, const struct certificate *cert)
{
    for (uint32_t i = 0; i < LIAR_CERTS && i < l->certs; i++) {
        if (l->cert[i].kind == cert->kind && l->cert[i].slot == cert->slot) {
            return;
        }
    }
    l->cert[l->certs++ % LIAR_CERTS] = *cert;
}

static struct heard_votes *votes_for(struct liars *l, const struct vote *v)
{
    for (uint32_t i = 0; i < LIAR_VOTES && i < l->tallies; i++) {
        struct heard_votes *k = &l->votes[i];
        if (k->kind == v->kind && k->slot == v->slot && hash_equal(&k->block, &v->block)) {
            return k;
        }
    }
    struct heard_votes *k = &l->votes[l->tallies++ % LIAR_VOTES];
    *k = (struct heard_votes){.kind = v->kind, .slot = v->slot, .block = v->block};
    return k;
}

/* A certificate out of honest votes and their own, which nobody else may be able to form. */
static void try_certificate(struct sim *s, const struct heard_votes *k)
{
    if (members_weight(&s->epoch, k->signers) < s->epoch.quorum) {
        return;
    }
    struct certificate cert = {
        .kind = k->kind, .slot = k->slot, .block = k->block, .signers = k->signers};
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->plan->n; i++) {
        if ((k->signers >> i & 1) != 0) {
            cert.signature[n++] = k->signature[i];
        }
    }
    keep_cert(s->liars, &cert);
}

static void keep_vote(struct sim *s, const struct vote *v)
{
    struct heard_votes *k = votes_for(s->liars, v);
    if (v->signer >= s->plan->n) {
        return;
    }
    k->signers |= 1u << v->signer;
    k->signature[v->signer] = v->signature;
    struct hash digest = vote_digest(&s->epoch, v->kind, v->slot, &v->block);
    for (uint32_t i = 0; i < s->plan->n; i++) {
        if ((s->plan->liars >> i & 1) != 0 && (k->signers >> i & 1) == 0) {
            keys_sign(&k->signature[i], &s->epoch.member[i].address, &digest);
            k->signers |= 1u << i;
        }
    }
    try_certificate(s, k);
}

static void keep_bundle(struct sim *s, const struct bundle *b)
{
    for (uint32_t i = 0; i < b->certs; i++) {
        keep_cert(s->liars, &b->cert[i]);
    }
    for (uint32_t i = 0; i < b->heads; i++) {
        liar_keep_head(s, &b->head[i]);
    }
    for (uint32_t i = 0; i < b->votes; i++) {
        keep_vote(s, &b->vote[i]);
    }
}

/* Whatever a liar made or heard of it has; another does not answer at all. */
static void answer_fetch(struct sim *s, struct node *z, int from, const struct hash *hash)
{
    uint32_t b = world_find(s, hash);
    static const uint8_t body[64];
    if (b == NO_BLOCK || liars_withhold(s, z)) {
        return;
    }
    struct message m = {.kind = MSG_BLOCK, .u.block = {.head = s->block[b].head}};
    m.u.block.body = bytes_of(body, s->block[b].head.header.body_len);
    liar_send(s, z, s->node[from].member, &m);
}

/* "I hold no votes of your key." A member whose journal was one step behind waits for this without
 * limit (CONSENSUS 8): a liar that never said it would stop it for good. */
static void answer_own_votes(struct sim *s, struct node *z, int from)
{
    struct message m = {.kind = MSG_OWN_VOTES};
    if (s->healing || !liars_use(s, ART_MUTE)) {
        liar_send(s, z, s->node[from].member, &m);
    }
}

void liars_hear(struct sim *s, struct node *z, int from, const struct message *m)
{
    if (sim_lies(s, s->node[from].member)) {
        return; /* they know from each other anyway */
    }
    if (m->kind == MSG_PROPOSAL) {
        liar_keep_head(s, &m->u.proposal.head);
        keep_bundle(s, &m->u.proposal.justification);
    } else if (m->kind == MSG_BUNDLE || m->kind == MSG_VOTES) {
        keep_bundle(s, &m->u.bundle);
    } else if (m->kind == MSG_NOTICES) {
        liar_keep_notices(s, m);
    } else if (m->kind == MSG_FETCH) {
        answer_fetch(s, z, from, &m->u.fetch.block);
    } else if (m->kind == MSG_OWN_VOTES_ASK) {
        answer_own_votes(s, z, from);
    }
    if (!s->liars->quiet) {
        liar_speak(s, z, m);
    }
}

/* ---- honest cores with bent words
 * ----------------------------------------------------------------- */

static struct frame *mangled(struct sim *s, struct frame *f)
{
    struct frame *g = frame_of(s, &f->message);
    uint64_t flips = 1 + liar_roll(s, 3);
    for (uint64_t i = 0; i < flips && g->n > 0; i++) {
        g->bytes[liar_roll(s, g->n)] ^= (uint8_t)(1u << liar_roll(s, 8));
    }
    frame_bytes(g);
    return g;
}

static bool hold_back(struct sim *s, struct node *z, int to, struct frame *f)
{
    for (uint32_t i = 0; i < LIAR_HELD; i++) {
        if (s->liars->held[i].frame == NULL) {
            s->liars->held[i].frame = f;
            s->liars->held[i].to = to;
            f->refs++;
            queue_push(s, (struct sim_event){.at = s->now + HOLD_US + liar_roll(s, 3 * HOLD_US),
                                             .kind = SIM_HELD,
                                             .to = (int8_t)z->index,
                                             .life = z->life,
                                             .value = i});
            return true;
        }
    }
    return false;
}

void liars_held(struct sim *s, struct node *z, uint64_t which)
{
    struct frame *f = s->liars->held[which].frame;
    if (f != NULL) {
        s->liars->held[which].frame = NULL;
        links_post(s, z, s->liars->held[which].to, f);
        frame_drop(s, f);
    }
}

static void send_to_some(struct sim *s, struct node *z, int to, struct frame *f)
{
    struct liars *l = s->liars;
    if (s->now > l->selected_at + (uint64_t)s->plan->block_time_ms * MS) {
        l->selected_at = s->now;
        l->selected = (uint32_t)liar_roll(s, 1u << s->plan->n);
    }
    for (int i = 0; i < (int)s->plan->n; i++) {
        if ((to == SEND_ALL || to == i) && (l->selected >> i & 1) != 0) {
            links_post(s, z, i, f);
        }
    }
}

bool liars_tap(struct sim *s, struct node *z, int to, struct frame *f)
{
    if (s->liars->quiet) {
        return false;
    }
    if (liars_use(s, ART_MANGLE) && liar_roll(s, 6) == 0) {
        struct frame *g = mangled(s, f);
        links_post(s, z, to, g);
        frame_drop(s, g);
        return true;
    }
    if (liars_use(s, ART_WITHHOLD) && liar_roll(s, 4) == 0 && hold_back(s, z, to, f)) {
        return true;
    }
    if (liars_use(s, ART_SELECT)) {
        send_to_some(s, z, to, f);
        return true;
    }
    return false;
}
