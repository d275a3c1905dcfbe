/* What is missing and whom to ask for it: first who showed the certificate, then its signers, then
 * everybody, another one every two round trips (CONSENSUS 5). */
#include "consensus/core.h"

/* NULL: as many questions as fit are under way. */
static struct fetch *fetch_entry(struct core *c, const struct hash *hash, uint64_t wait)
{
    struct fetch *oldest = &c->fetch[0];
    for (int i = 0; i < FETCHES; i++) {
        if (hash_equal(&c->fetch[i].block, hash)) {
            return &c->fetch[i];
        }
        if (c->fetch[i].asked_us < oldest->asked_us) {
            oldest = &c->fetch[i];
        }
    }
    if (oldest->tries != 0 && c->now_us < oldest->asked_us + wait) {
        timing_want(c, oldest->asked_us + wait);
        return NULL;
    }
    memset(oldest, 0, sizeof *oldest);
    oldest->block = *hash;
    return oldest;
}

/* Peers in the order to be asked: `first`, then those of `signers`, then all. */
static int fetch_peer(const struct core *c, int first, uint32_t signers, uint32_t tries)
{
    if (tries == 0 && first >= 0 && c->peer[first].up) {
        return first;
    }
    /* Every third question goes to anybody: a signer may have lost the body in a crash. */
    uint32_t mask = tries % 3 == 2 || signers == 0 ? UINT32_MAX : signers;
    for (int round = 0; round < 2; round++, mask = UINT32_MAX) {
        for (uint32_t k = 0; k < c->n; k++) {
            uint32_t i = (tries + k) % c->n;
            if ((int)i != c->config.self && c->peer[i].up && (mask & 1u << i) != 0) {
                return (int)i;
            }
        }
    }
    return -1;
}

/* False: no further question fits in this step. */
static bool fetch_ask(struct core *c, const struct hash *hash, int first, uint32_t signers)
{
    uint64_t wait = 4 * timing_delta(c) + 5000;
    struct fetch *f = fetch_entry(c, hash, wait);
    if (f == NULL) {
        return false;
    }
    if (f->tries != 0 && c->now_us < f->asked_us + wait) {
        timing_want(c, f->asked_us + wait);
        return true;
    }
    int peer = fetch_peer(c, first, signers, f->tries);
    struct effect *e = peer < 0 ? NULL : effect_new(c, EFFECT_FETCH);
    if (e == NULL) {
        return true;
    }
    f->tries++;
    f->asked_us = c->now_us;
    e->u.fetch.block = *hash;
    e->u.fetch.peer = peer;
    timing_want(c, c->now_us + wait);
    return true;
}

/* Blocks that certificates or enough votes name at a slot, but whose header is not here. */
static bool fetch_slot(struct core *c, struct slot_record *r)
{
    static const int kinds[2] = {FINALIZE, NOTARIZE};
    for (int k = 0; k < 2; k++) {
        int kind = kinds[k];
        if ((r->has_cert & 1u << kind) != 0 && block_find(c, &r->cert[kind].block) == NULL) {
            return fetch_ask(c, &r->cert[kind].block, -1, r->cert[kind].signers);
        }
    }
    for (uint32_t i = 0; i < c->n; i++) {
        const struct tally_vote *v = &r->vote[NOTARIZE][i];
        if (v->check == VOTE_ABSENT || block_find(c, &v->block) != NULL) {
            continue;
        }
        uint32_t mask = tally_mask(c, r, NOTARIZE, &v->block);
        if (members_weight(c->epoch, mask) >= c->epoch->faulty + 1) {
            return fetch_ask(c, &v->block, (int)i, mask);
        }
    }
    return true;
}

static bool fetch_block(struct core *c, struct block_record *b)
{
    const struct slot_record *r = slot_find(c, b->head.header.slot);
    uint32_t signers = tally_mask(c, r, NOTARIZE, &b->head.hash);
    /* What nobody has certified is worth a question only where it could be voted for. */
    uint64_t slot = b->head.header.slot;
    bool votable = slot >= c->cur && slot <= c->cur + c->epoch->params.depth;
    bool overdue = c->now_us > b->arrival_us + 4 * timing_delta(c);
    if (b->body == BODY_ABSENT && (b->notarized || (votable && overdue))) {
        if (!fetch_ask(c, &b->head.hash, b->shown_by, signers)) {
            return false;
        }
    } else if (b->body == BODY_ABSENT && votable) {
        timing_want(c, b->arrival_us + 4 * timing_delta(c) + 1);
    }
    if (b->notarized && block_parent(c, b) == NULL) {
        return fetch_ask(c, &b->head.header.parent, b->shown_by, signers);
    }
    return true;
}

void chain_fetch(struct core *c)
{
    /* Far behind, ranges of final blocks are synced in order by the driver: a walk backwards ends
     * before it fills the tables. */
    bool room = c->blocks_used < NEAR_RECORDS;
    for (uint32_t i = 0; i < c->slots_used; i++) {
        struct slot_record *r = &c->slot[c->slot_list[i]];
        if ((room || slot_is_near(c, r->slot)) && !fetch_slot(c, r)) {
            return;
        }
    }
    for (uint32_t i = 0; i < c->blocks_used; i++) {
        struct block_record *b = &c->block[c->block_list[i]];
        if (b != block_root(c) && (room || slot_is_near(c, b->head.header.slot)) &&
            !fetch_block(c, b)) {
            return;
        }
    }
}
