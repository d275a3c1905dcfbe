#include "tests/unit/consensus/puppet.h"

#include "tests/unit/consensus/world_internal.h"

enum { HEADS = 96, CERTS = 64, TALLIES = 192, SYSTEM_KEEP = 1024 };

struct kept_head {
    struct block_head head;
    uint8_t system[SYSTEM_KEEP];
};

struct kept_votes {
    uint8_t kind;
    uint64_t slot;
    struct hash block;
    uint32_t signers;
    struct signature signature[WORLD_MAX];
};

struct puppet {
    struct world *w;
    uint64_t random;
    uint32_t style;
    bool quiet;
    struct kept_head head[HEADS];
    uint32_t heads;                 /* ever kept */
    struct certificate cert[CERTS];
    uint32_t certs;
    struct kept_votes votes[TALLIES];
    uint32_t tallies;
    uint64_t proposed_at;           /* slot last led, and how often */
    uint32_t proposed;
    struct kept_head branch[2];     /* two chains of one turn, one for each side */
    uint64_t branch_turn;
    uint32_t sides;
};

static uint64_t roll(struct puppet *p, uint64_t n)
{
    p->random = p->random * 6364136223846793005u + 1442695040888963407u;
    return (p->random >> 33) % n;
}

struct puppet *puppet_new(struct world *w, uint64_t seed, uint32_t style)
{
    struct puppet *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->w = w;
    p->random = seed * 2654435761u + 97;
    p->style = style;
    return p;
}

void puppet_free(struct puppet *p)
{
    free(p);
}

void puppet_quiet(struct puppet *p, bool quiet)
{
    p->quiet = quiet;
}

/* ---- remembering --------------------------------------------------------------------------------- */

static void keep_head(struct puppet *p, const struct block_head *h)
{
    if (h->system.n > SYSTEM_KEEP || h->header.slot == 0) {
        return;
    }
    for (uint32_t i = 0; i < HEADS && i < p->heads; i++) {
        if (hash_equal(&p->head[i].head.hash, &h->hash)) {
            return;
        }
    }
    struct kept_head *k = &p->head[p->heads++ % HEADS];
    k->head = *h;
    memcpy(k->system, h->system.p, h->system.n);
    k->head.system = bytes_of(k->system, h->system.n);
}

static void keep_cert(struct puppet *p, const struct certificate *cert)
{
    for (uint32_t i = 0; i < CERTS && i < p->certs; i++) {
        if (p->cert[i].kind == cert->kind && p->cert[i].slot == cert->slot) {
            return;
        }
    }
    p->cert[p->certs++ % CERTS] = *cert;
}

static struct kept_votes *votes_for(struct puppet *p, const struct vote *v)
{
    for (uint32_t i = 0; i < TALLIES && i < p->tallies; i++) {
        struct kept_votes *k = &p->votes[i];
        if (k->kind == v->kind && k->slot == v->slot && hash_equal(&k->block, &v->block)) {
            return k;
        }
    }
    struct kept_votes *k = &p->votes[p->tallies++ % TALLIES];
    *k = (struct kept_votes){.kind = v->kind, .slot = v->slot, .block = v->block};
    return k;
}

/* A certificate out of honest votes and its own, which nobody else may be able to form. */
static void try_certificate(struct puppet *p, const struct kept_votes *k)
{
    struct world *w = p->w;
    if (members_weight(&w->epoch, k->signers) < w->epoch.quorum) {
        return;
    }
    struct certificate cert = {.kind = k->kind, .slot = k->slot, .block = k->block, .signers = k->signers};
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->o.n; i++) {
        if ((k->signers & 1u << i) != 0) {
            cert.signature[n++] = k->signature[i];
        }
    }
    keep_cert(p, &cert);
}

static void keep_vote(struct puppet *p, const struct vote *v)
{
    struct world *w = p->w;
    struct kept_votes *k = votes_for(p, v);
    k->signers |= 1u << v->signer;
    k->signature[v->signer] = v->signature;
    for (uint32_t i = 0; i < w->o.n; i++) {
        if (w->member[i].possessed && (k->signers & 1u << i) == 0) {
            struct hash digest = vote_digest(&w->epoch, v->kind, v->slot, &v->block);
            world_sign(&k->signature[i], &w->epoch.member[i].address, &digest);
            k->signers |= 1u << i;
        }
    }
    try_certificate(p, k);
}

static void keep_bundle(struct puppet *p, const struct bundle *b)
{
    for (uint32_t i = 0; i < b->certs; i++) {
        keep_cert(p, &b->cert[i]);
    }
    for (uint32_t i = 0; i < b->heads; i++) {
        keep_head(p, &b->head[i]);
    }
    for (uint32_t i = 0; i < b->votes; i++) {
        keep_vote(p, &b->vote[i]);
    }
}

/* ---- speaking --------------------------------------------------------------------------------------- */

static int someone(struct puppet *p, int z)
{
    int to = (int)roll(p, p->w->o.n);
    return to == z ? (to + 1) % (int)p->w->o.n : to;
}

static void vote_to(struct puppet *p, int z, int to, uint8_t kind, uint64_t slot, const struct hash *block)
{
    if (slot != 0) {
        world_send_vote(p->w, z, to, kind, slot, kind == VOTE_SKIP ? NULL : block);
    }
}

static void vote_some(struct puppet *p, int z, uint8_t kind, uint64_t slot, const struct hash *block)
{
    if ((p->style & PUPPET_VICTIM) != 0) {
        vote_to(p, z, z == 0 ? 1 : 0, kind, slot, block);
        return;
    }
    uint64_t mask = roll(p, 1u << p->w->o.n);
    for (int to = 0; to < (int)p->w->o.n; to++) {
        if (to != z && (mask & 1u << to) != 0) {
            vote_to(p, z, to, kind, slot, block);
        }
    }
}

static void echo(struct puppet *p, int z, const struct vote *v)
{
    if ((p->style & PUPPET_ECHO) != 0 && roll(p, 3) != 0) {
        vote_some(p, z, v->kind, v->slot, &v->block);
    }
    if ((p->style & PUPPET_ECHO) != 0 && v->kind == VOTE_NOTARIZE && roll(p, 3) == 0) {
        vote_some(p, z, VOTE_FINALIZE, v->slot, &v->block);
    }
    if ((p->style & PUPPET_SKIP) != 0 && roll(p, 4) == 0) {
        vote_some(p, z, VOTE_SKIP, v->slot + roll(p, 3), NULL);
    }
}

static void replay(struct puppet *p, int z)
{
    static struct certificate cert[8];
    struct block_head head[4];
    uint32_t certs = p->certs < CERTS ? p->certs : CERTS;
    uint32_t heads = p->heads < HEADS ? p->heads : HEADS;
    struct message m = {.kind = MSG_BUNDLE};
    m.u.bundle.cert = cert;
    m.u.bundle.head = head;
    for (uint32_t i = 0; certs > 0 && i < 1 + roll(p, 8); i++) {
        m.u.bundle.certs = i + 1;
        cert[i] = p->cert[roll(p, certs)];
    }
    for (uint32_t i = 0; heads > 0 && i < roll(p, 5) && i < 4; i++) {
        m.u.bundle.heads = i + 1;
        head[i] = p->head[roll(p, heads)].head;
    }
    if (m.u.bundle.certs > 0) {
        world_send(p->w, z, someone(p, z), &m);
    }
}

static void false_status(struct puppet *p, int z)
{
    struct message m = {.kind = MSG_STATUS, .has_status = true};
    uint64_t slot = p->certs == 0 ? 1 : p->cert[(p->certs - 1) % CERTS].slot;
    m.status.cur = roll(p, 4) == 0 ? UINT64_MAX - roll(p, 10) : slot + roll(p, 9);
    m.status.final_slot = roll(p, 4) == 0 ? UINT64_MAX : slot > 4 ? slot - roll(p, 4) : 0;
    m.status.highest_signed = roll(p, 2) == 0 ? UINT64_MAX : slot;
    m.status.not_ready = roll(p, 3) == 0 ? 1 : 0;
    m.status.pending = roll(p, 2) == 0;
    world_send(p->w, z, someone(p, z), &m);
}

/* ---- leading ------------------------------------------------------------------------------------------- */

static uint64_t turn_of_slot(const struct puppet *p, uint64_t slot)
{
    return (slot - 1) / p->w->o.turn_slots;
}

/* The skips between parent and slot as far as it holds them; else a lie. */
static size_t list_skips(struct puppet *p, const struct header *parent, uint64_t slot, struct skipped_turn *list, size_t cap)
{
    uint64_t k = p->w->o.turn_slots;
    uint64_t t = parent->slot == 0 ? 0 : turn_of_slot(p, parent->slot);
    if (parent->slot != 0 && ((parent->flags & FLAG_LAST) != 0 || parent->slot % k == 0)) {
        t++;
    }
    size_t n = 0;
    for (; t < turn_of_slot(p, slot) && n < cap; t++) {
        uint64_t lowest = t * k + 1;
        for (uint32_t i = 0; i < CERTS && i < p->certs; i++) {
            const struct certificate *c = &p->cert[i];
            if (c->kind == VOTE_SKIP && turn_of_slot(p, c->slot) == t) {
                lowest = c->slot;
            }
        }
        list[n++] = (struct skipped_turn){t, lowest};
    }
    return n;
}

/* ---- notices and evidence: true ones, old ones, others', forged ones --------------------------- */

static struct ready_notice some_ready(struct puppet *p, int z)
{
    uint32_t heads = p->heads < HEADS ? p->heads : HEADS;
    struct block_head named = world_anchor(p->w);
    uint64_t k = p->w->o.turn_slots;
    for (int tries = 0; tries < 20 && heads > 0; tries++) {
        named = p->head[roll(p, heads)].head;
        if (named.header.slot % k == 0 || roll(p, 8) == 0) {
            break; /* mostly the last of a turn */
        }
    }
    struct ready_notice r = world_ready(p->w, z, named.header.slot, &named.hash);
    if (roll(p, 6) == 0) {
        r.member = (uint8_t)roll(p, p->w->o.n); /* of somebody else: the signature is not */
    }
    return r;
}

static struct leave_notice some_leave(struct puppet *p, int z, uint64_t slot)
{
    struct leave_notice l = world_leave_notice(p->w, z, turn_of_slot(p, slot == 0 ? 1 : slot) + roll(p, 12));
    if (roll(p, 6) == 0) {
        l.member = (uint8_t)roll(p, p->w->o.n);
    }
    return l;
}

/* What it did itself is true, what it says of others is forged. */
static struct evidence some_evidence(struct puppet *p, int z, uint64_t slot)
{
    static const uint8_t pair[4][2] = {{0, 0}, {1, 1}, {2, 3}, {3, 3}};
    const uint8_t *kinds = pair[roll(p, 4)];
    struct hash none = {{0}};
    struct hash one = keccak256("one", 3);
    struct hash two = keccak256("two", 3);
    int of = roll(p, 2) == 0 ? z : (int)roll(p, p->w->o.n);
    struct evidence e = world_evidence_of(p->w, p->w->member[of].possessed ? of : z, slot, kinds[0], kinds[1],
                                          kinds[0] == 2 ? &none : &one, &two);
    e.member = (uint8_t)of;
    return e;
}

static void announce(struct puppet *p, int z, uint64_t slot)
{
    struct message m = {.kind = MSG_NOTICES};
    m.u.notices.has_ready = roll(p, 2) == 0;
    m.u.notices.has_leave = roll(p, 3) == 0;
    m.u.notices.ready = some_ready(p, z);
    m.u.notices.leave = some_leave(p, z, slot);
    world_send(p->w, z, someone(p, z), &m);
}

/* A section with at most two of each; now and then the same twice. */
static struct block_head with_notices(struct puppet *p, int z, uint64_t slot, const struct block_head *parent, uint8_t flags,
                                      struct system_parts parts)
{
    struct ready_notice r[2] = {some_ready(p, z), some_ready(p, z)};
    struct leave_notice l[2] = {some_leave(p, z, slot), some_leave(p, z, slot)};
    struct evidence e[2] = {some_evidence(p, z, slot), some_evidence(p, z, slot)};
    r[1] = roll(p, 3) == 0 ? r[0] : r[1];
    parts.notices = r;
    parts.leaves = l;
    parts.evidence = e;
    parts.notices_n = roll(p, 3);
    parts.leaves_n = roll(p, 4) == 0 ? 1 + roll(p, 2) : 0;
    parts.evidence_n = roll(p, 3) == 0 ? 1 + roll(p, 2) : 0;
    return world_make_block_with(p->w, z, slot, parent, flags, (uint8_t)roll(p, 3), &parts);
}

static void propose(struct puppet *p, int z, uint64_t slot)
{
    uint32_t heads = p->heads < HEADS ? p->heads : HEADS;
    struct block_head parent = world_anchor(p->w);
    bool first = (slot - 1) % p->w->o.turn_slots == 0;
    for (int tries = 0; tries < 40 && heads > 0; tries++) {
        const struct kept_head *k = &p->head[roll(p, heads)];
        uint64_t s = k->head.header.slot;
        if (s < slot && (first ? s + 2 * p->w->o.turn_slots >= slot : s + 1 == slot)) {
            parent = k->head;
            break;
        }
    }
    struct skipped_turn list[32];
    size_t n = first ? list_skips(p, &parent.header, slot, list, 32) : 0;
    static const uint8_t flags[] = {0, 0, 0, 0, FLAG_LAST, FLAG_EMPTY, FLAG_EMPTY | FLAG_LAST};
    uint8_t flag = flags[roll(p, 7)];
    struct system_parts parts = {.skipped = list, .skipped_n = n};
    bool notices = (p->style & PUPPET_NOTICE) != 0 && roll(p, 2) == 0;
    struct block_head b = notices ? with_notices(p, z, slot, &parent, flag, parts)
                                  : world_make_block_with(p->w, z, slot, &parent, flag, (uint8_t)roll(p, 3), &parts);
    keep_head(p, &b);
    struct bundle bundle = {.cert = p->cert, .certs = p->certs < CERTS ? p->certs : CERTS};
    uint64_t mask = roll(p, 1u << p->w->o.n);
    for (int to = 0; to < (int)p->w->o.n; to++) {
        if (to != z && (mask & 1u << to) != 0) {
            world_send_proposal(p->w, z, to, &b, first ? &bundle : NULL);
            vote_to(p, z, to, VOTE_NOTARIZE, slot, &b.hash);
        }
    }
}

static void hold(struct kept_head *k, const struct block_head *h)
{
    k->head = *h;
    memcpy(k->system, h->system.p, h->system.n);
    k->head.system = bytes_of(k->system, h->system.n);
}

/* The highest block known below a slot, or now and then a lower one. */
static struct block_head parent_below(struct puppet *p, uint64_t slot)
{
    struct block_head best = world_anchor(p->w);
    uint64_t below = slot - (roll(p, 3) == 0 ? roll(p, slot < 4 ? slot : 4) : 0);
    for (uint32_t i = 0; i < HEADS && i < p->heads; i++) {
        const struct block_head *h = &p->head[i].head;
        if (h->header.slot < below && h->header.slot > best.header.slot && h->system.n <= SYSTEM_KEEP) {
            best = *h;
        }
    }
    return best;
}

/* Goes on with two chains beside each other, each with its side of the set; what follows a LAST
 * follows it all the same. */
static void lead_twins(struct puppet *p, int z, uint64_t cur)
{
    struct world *w = p->w;
    uint64_t turn = turn_of_slot(p, cur);
    uint64_t first = turn * w->o.turn_slots + 1;
    bool begin = p->branch_turn != turn + 1;
    if (begin) {
        p->branch_turn = turn + 1;
        p->sides = (uint32_t)roll(p, 1u << w->o.n);
    }
    struct bundle bundle = {.cert = p->cert, .certs = p->certs < CERTS ? p->certs : CERTS};
    for (uint32_t side = 0; side < 2; side++) {
        struct block_head parent = begin ? parent_below(p, first) : p->branch[side].head;
        uint64_t slot = begin ? first : parent.header.slot + 1;
        if (slot > first + w->o.turn_slots - 1) {
            continue;
        }
        struct skipped_turn list[32];
        size_t n = begin ? list_skips(p, &parent.header, slot, list, 32) : 0;
        uint8_t flags = roll(p, 4) == 0 ? FLAG_LAST : roll(p, 6) == 0 ? FLAG_EMPTY : 0;
        struct block_head b = world_make_block_over(w, z, slot, &parent, flags, (uint8_t)(side + 1), list, n);
        hold(&p->branch[side], &b);
        for (int to = 0; to < (int)w->o.n; to++) {
            if (to != z && ((p->sides >> to & 1) == side || roll(p, 12) == 0)) {
                world_send_proposal(w, z, to, &p->branch[side].head, begin ? &bundle : NULL);
                vote_to(p, z, to, VOTE_NOTARIZE, slot, &b.hash);
            }
        }
    }
}

static void lead(struct puppet *p, int z, uint64_t cur)
{
    struct world *w = p->w;
    if (cur == 0 || cur > SLOTS / 2 || world_leader(w, turn_of_slot(p, cur)) != z) {
        return;
    }
    if ((p->style & PUPPET_TWINS) != 0) {
        if (roll(p, 3) == 0) {
            lead_twins(p, z, cur);
        }
        return;
    }
    if (p->proposed_at != cur) {
        p->proposed_at = cur;
        p->proposed = 0;
    }
    if (p->proposed++ < 6) {
        propose(p, z, cur + (roll(p, 2) == 0 ? 0 : roll(p, 2 + w->o.depth)));
    }
}

void puppet_hears(void *arg, int z, int from, const struct message *m)
{
    struct puppet *p = arg;
    if (p->w->member[from].possessed) {
        return; /* two of a kind need not tell each other */
    }
    if (m->kind == MSG_PROPOSAL) {
        keep_head(p, &m->u.proposal.head);
        keep_bundle(p, &m->u.proposal.justification);
    } else if (m->kind == MSG_BUNDLE || m->kind == MSG_VOTES) {
        keep_bundle(p, &m->u.bundle);
    }
    if (p->quiet) {
        return;
    }
    for (uint32_t i = 0; (m->kind == MSG_BUNDLE || m->kind == MSG_VOTES) && i < m->u.bundle.votes; i++) {
        echo(p, z, &m->u.bundle.vote[i]);
    }
    if (m->kind == MSG_PROPOSAL && (p->style & PUPPET_ECHO) != 0) {
        vote_some(p, z, VOTE_NOTARIZE, m->u.proposal.head.header.slot, &m->u.proposal.head.hash);
    }
    if ((p->style & PUPPET_LEAD) != 0 && m->has_status && roll(p, 4) == 0) {
        lead(p, z, m->status.cur);
    }
    if ((p->style & PUPPET_REPLAY) != 0 && roll(p, 12) == 0) {
        replay(p, z);
    }
    if ((p->style & PUPPET_NOTICE) != 0 && m->has_status && roll(p, 30) == 0) {
        announce(p, z, m->status.cur);
    }
    if ((p->style & PUPPET_STATUS) != 0 && roll(p, 10) == 0) {
        false_status(p, z);
    }
}
