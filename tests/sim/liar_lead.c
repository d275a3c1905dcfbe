/* Puppets that lead: any parent, any flags, two chains at once, bad times, blocks that no client
 * can execute. Listed skips are taken from certificates where they have them, else invented. */
#include "tests/sim/liar.h"

#include "proto/keccak.h"
#include "proto/system.h"

enum { LISTED = 32 };

struct words {
    uint64_t slot;
    struct block_head parent;
    uint8_t flags, twist;
    struct skipped_turn skipped[LISTED];
    size_t listed;
};

static uint64_t turn_of(const struct sim *s, uint64_t slot)
{
    return (slot - 1) / s->plan->turn_slots;
}

static uint64_t lowest_skip(const struct sim *s, uint64_t turn)
{
    const struct liars *l = s->liars;
    for (uint32_t i = 0; i < LIAR_CERTS && i < l->certs; i++) {
        const struct certificate *c = &l->cert[i];
        if (c->kind == VOTE_SKIP && c->slot > 0 && turn_of(s, c->slot) == turn) {
            return c->slot;
        }
    }
    return turn * s->plan->turn_slots + 1;
}

static void list_skips(const struct sim *s, struct words *w)
{
    const struct header *p = &w->parent.header;
    uint64_t t = p->slot == 0 ? 0 : turn_of(s, p->slot);
    bool ends = (p->flags & FLAG_LAST) != 0 || p->slot % s->plan->turn_slots == 0;
    t += p->slot != 0 && ends;
    for (; t < turn_of(s, w->slot) && w->listed < LISTED; t++) {
        w->skipped[w->listed++] = (struct skipped_turn){t, lowest_skip(s, t)};
    }
}

static uint64_t time_of(struct sim *s, const struct header *p)
{
    uint64_t ms = p->timestamp_ms + s->plan->block_time_ms;
    if (liars_use(s, ART_EARLY) && liar_roll(s, 2) == 0) {
        ms += 1500 + liar_roll(s, 1000); /* the bound is 2 s ahead */
    }
    return ms;
}

static void payload_of(struct header *h, const struct header *p, const struct words *w)
{
    uint8_t seed[41] = {0};
    memcpy(seed, h->parent.b, 32);
    store_be64(seed + 32, w->slot);
    seed[40] = w->twist;
    h->height = p->height + 1;
    h->payload = keccak256(seed, sizeof seed);
    h->state_root = keccak256(h->payload.b, 32);
    h->body_root = keccak256(seed, 16);
    h->body_len = 64;
    if ((h->flags & FLAG_EMPTY) != 0) {
        h->height = p->height;
        h->payload = p->payload;
        h->state_root = p->state_root;
        h->body_root = keccak256("", 0);
        h->body_len = 0;
    }
}

/* Another attempt, which this version does not know, or another's name below its own words. */
static void make_odd(struct sim *s, const struct node *z, struct header *h)
{
    uint64_t how = liar_roll(s, 4);
    if (how == 0) {
        h->attempt = (uint8_t)(1 + liar_roll(s, 3));
        account_mark(s->account, MARK_ODD_ATTEMPT);
    } else if (how == 1) {
        h->leader = (uint8_t)(((uint64_t)z->member + 1 + liar_roll(s, s->plan->n)) % s->plan->n);
        s->account->marks[MARK_ODD_LEADER] += (int)h->leader != z->member;
    }
}

static uint32_t make_block(struct sim *s, const struct node *z, struct words *w)
{
    static uint8_t system[SIM_SYSTEM];
    size_t n = 0;
    struct system_parts parts = {.skipped = w->skipped, .skipped_n = w->listed};
    if (liars_use(s, ART_FABRICATE) && liar_roll(s, 2) == 0) {
        liar_parts(s, z, &parts);
    }
    if (system_encode(system, sizeof system, &n, &parts) != OK) {
        return NO_BLOCK;
    }
    const struct header *p = &w->parent.header;
    struct block_head head = {.system = bytes_of(system, n)};
    head.header = (struct header){.chain_id = s->epoch.chain_id,
                                  .genesis = s->epoch.genesis,
                                  .config = s->epoch.hash,
                                  .slot = w->slot,
                                  .flags = w->flags,
                                  .parent_slot = p->slot,
                                  .parent = w->parent.hash,
                                  .timestamp_ms = time_of(s, p),
                                  .leader = (uint8_t)z->member,
                                  .payload_parent = p->payload,
                                  .system_root = keccak256(system, n)};
    payload_of(&head.header, p, w);
    if (liars_use(s, ART_ODD)) {
        make_odd(s, z, &head.header);
    }
    head.hash = header_hash(&head.header);
    struct hash digest = propose_digest(&s->epoch, w->slot, head.header.attempt, &head.hash);
    keys_sign(&head.signature, &s->epoch.member[z->member].address, &digest);
    uint32_t b = world_add(s, &head);
    /* The same block is poisoned whenever it is made. */
    s->block[b].poison = liars_use(s, ART_POISON) && head.hash.b[0] % 3 == 0;
    return b;
}

static void propose_to(struct sim *s, struct node *z, int to, uint32_t b, bool first)
{
    static const uint8_t body[64];
    struct liars *l = s->liars;
    struct message m = {.kind = MSG_PROPOSAL};
    m.u.proposal.head = s->block[b].head;
    if (first) {
        m.u.proposal.justification.cert = l->cert;
        m.u.proposal.justification.certs = l->certs < LIAR_CERTS ? l->certs : LIAR_CERTS;
    }
    liar_send(s, z, to, &m);
    if (!world_empty(&s->block[b])) {
        struct message with = {.kind = MSG_BODY};
        with.u.body.block = s->block[b].head.hash;
        with.u.body.body = bytes_of(body, sizeof body);
        liar_send(s, z, to, &with);
    }
    liar_vote(s, z, to, VOTE_NOTARIZE, s->block[b].head.header.slot, &s->block[b].head.hash);
}

/* A block that it knows of, not far below; now and then a wrong one. */
static struct block_head some_parent(struct sim *s, uint64_t slot, bool first)
{
    const struct liars *l = s->liars;
    uint32_t heads = l->heads < LIAR_HEADS ? l->heads : LIAR_HEADS;
    for (int tries = 0; tries < 40 && heads > 0; tries++) {
        const struct block_head *h = &s->block[l->head[liar_roll(s, heads)]].head;
        uint64_t at = h->header.slot;
        if (at < slot && (first ? at + 2 * s->plan->turn_slots >= slot : at + 1 == slot)) {
            return *h;
        }
    }
    return world_anchor(s);
}

static void propose(struct sim *s, struct node *z, uint64_t slot)
{
    static const uint8_t flags[] = {0, 0, 0, 0, FLAG_LAST, FLAG_EMPTY, FLAG_EMPTY | FLAG_LAST};
    bool first = (slot - 1) % s->plan->turn_slots == 0;
    struct words w = {.slot = slot,
                      .parent = some_parent(s, slot, first),
                      .flags = flags[liar_roll(s, 7)],
                      .twist = (uint8_t)liar_roll(s, 3)};
    if (first) {
        list_skips(s, &w);
    }
    uint32_t b = make_block(s, z, &w);
    if (b == NO_BLOCK || s->end != SIM_PASS) {
        return;
    }
    liar_keep_head(s, &s->block[b].head);
    uint64_t mask = liar_roll(s, 1u << s->plan->n);
    for (int to = 0; to < (int)s->plan->n; to++) {
        if (to != z->member && (mask >> to & 1) != 0) {
            propose_to(s, z, to, b, first);
        }
    }
}

/* The highest block known below a slot, or now and then a lower one. */
static struct block_head parent_below(struct sim *s, uint64_t slot)
{
    const struct liars *l = s->liars;
    struct block_head best = world_anchor(s);
    uint64_t below = slot - (liar_roll(s, 3) == 0 ? liar_roll(s, slot < 4 ? slot : 4) : 0);
    for (uint32_t i = 0; i < LIAR_HEADS && i < l->heads; i++) {
        const struct block_head *h = &s->block[l->head[i]].head;
        if (h->header.slot < below && h->header.slot > best.header.slot) {
            best = *h;
        }
    }
    return best;
}

static void lead_side(struct sim *s, struct node *z, uint64_t first, uint32_t side, bool begin)
{
    struct liars *l = s->liars;
    struct words w = {.parent = begin ? parent_below(s, first) : s->block[l->branch[side]].head};
    w.slot = begin ? first : w.parent.header.slot + 1;
    w.flags = liar_roll(s, 4) == 0 ? FLAG_LAST : liar_roll(s, 6) == 0 ? FLAG_EMPTY : 0;
    w.twist = (uint8_t)(side + 1);
    if (w.slot > first + s->plan->turn_slots - 1) {
        return;
    }
    if (begin) {
        list_skips(s, &w);
    }
    uint32_t b = make_block(s, z, &w);
    if (b == NO_BLOCK || s->end != SIM_PASS) {
        return;
    }
    l->branch[side] = b;
    for (int to = 0; to < (int)s->plan->n; to++) {
        if (to != z->member && ((l->sides >> to & 1) == side || liar_roll(s, 12) == 0)) {
            propose_to(s, z, to, b, begin);
        }
    }
}

/* Two chains beside each other, each for its side; what follows a LAST follows it all the same. */
static void lead_branches(struct sim *s, struct node *z, uint64_t cur)
{
    struct liars *l = s->liars;
    uint64_t turn = turn_of(s, cur);
    bool begin = l->branch_turn != turn + 1;
    if (begin) {
        l->branch_turn = turn + 1;
        l->sides = (uint32_t)liar_roll(s, 1u << s->plan->n);
    }
    lead_side(s, z, turn * s->plan->turn_slots + 1, 0, begin);
    lead_side(s, z, turn * s->plan->turn_slots + 1, 1, begin);
}

static int leader_of(const struct sim *s, uint64_t turn)
{
    for (uint32_t i = 0; i < s->nodes; i++) {
        if (s->node[i].core != NULL) {
            return core_leader(s->node[i].core, turn);
        }
    }
    return -1;
}

static bool may_lead(struct sim *s, const struct node *z, uint64_t cur)
{
    if (leader_of(s, turn_of(s, cur)) == z->member) {
        return true;
    }
    bool odd = liars_use(s, ART_ODD) && liar_roll(s, 40) == 0;
    s->account->marks[MARK_ODD_TURN] += odd;
    return odd;
}

void liar_lead(struct sim *s, struct node *z, uint64_t cur)
{
    struct liars *l = s->liars;
    bool leads = liars_use(s, ART_LEAD) || liars_use(s, ART_FABRICATE) ||
                 liars_use(s, ART_POISON) || liars_use(s, ART_EARLY) || liars_use(s, ART_ODD);
    if (cur == 0 || cur > SIM_SLOTS / 2 || !may_lead(s, z, cur)) {
        return;
    }
    if (liars_use(s, ART_BRANCH) && (!leads || liar_roll(s, 2) == 0)) {
        if (liar_roll(s, 3) == 0) {
            lead_branches(s, z, cur);
        }
        return;
    }
    if (l->proposed_at != cur) {
        l->proposed_at = cur;
        l->proposed = 0;
    }
    if (leads && l->proposed++ < 6) {
        propose(s, z, cur + (liar_roll(s, 2) == 0 ? 0 : liar_roll(s, 2 + s->plan->depth)));
    }
}
