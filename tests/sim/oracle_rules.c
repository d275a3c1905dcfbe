/* Rules N, S and F of one vote, from what is on record (CONSENSUS 4). */
#include "tests/sim/oracle.h"

static void breaks(struct sim *s, struct node *n, const struct vote *v, const char *rule)
{
    sim_fail(s, SIM_SAFETY, "member %d breaks %s at slot %llu", n->member, rule,
             (unsigned long long)v->slot);
}

static uint64_t own(const struct sim *s, const struct node *n, int kind, uint64_t slot)
{
    return s->oracle->tag[kind][n->member][slot];
}

/* The block, or a descendant of it, can be notarized. */
static bool proved(struct sim *s, uint32_t b)
{
    const struct block_head *head = &s->block[b].head;
    uint64_t slot = head->header.slot;
    if (oracle_notarizable(s, slot, oracle_tag(VOTE_NOTARIZE, &head->hash)) ||
        oracle_final_at(s, slot) == b) {
        return true;
    }
    for (uint32_t i = s->blocks; i-- > 0 && i + 1024 > s->blocks;) {
        const struct block_head *d = &s->block[i].head;
        if (d->header.slot <= slot ||
            !oracle_notarizable(s, d->header.slot, oracle_tag(VOTE_NOTARIZE, &d->hash))) {
            continue;
        }
        uint32_t up = i;
        while (up != NO_BLOCK && s->block[up].head.header.slot > slot) {
            up = world_parent(s, up);
        }
        if (up == b) {
            return true;
        }
    }
    return false;
}

/* Every slot strictly between is void. */
static bool gap_void(struct sim *s, const struct header *p, uint64_t slot)
{
    uint64_t k = s->plan->turn_slots;
    uint64_t t = p->slot + 1;
    bool last = p->slot != 0 && (p->flags & FLAG_LAST) != 0;
    if (p->slot != 0 && (p->slot % k == 0 || last)) {
        t = oracle_first(s, p->slot) + k;
    }
    for (; t < slot; t = oracle_first(s, t) + k) {
        bool skipped = false;
        for (uint64_t u = oracle_first(s, t); u <= t; u++) {
            skipped |= oracle_skippable(s, u);
        }
        if (!skipped) {
            return false;
        }
    }
    return true;
}

static bool parent_right(struct sim *s, struct node *n, const struct header *h)
{
    uint32_t p = world_find(s, &h->parent);
    if (h->parent_slot == 0) {
        struct block_head anchor = world_anchor(s);
        return hash_equal(&h->parent, &anchor.hash) && gap_void(s, &anchor.header, h->slot);
    }
    if (p == NO_BLOCK) {
        return false;
    }
    const struct block_head *ph = &s->block[p].head;
    if (h->slot == oracle_first(s, h->slot)) {
        return proved(s, p) && gap_void(s, &ph->header, h->slot);
    }
    bool voted = own(s, n, ORACLE_NOTARIZE, h->slot - 1) == oracle_tag(VOTE_NOTARIZE, &ph->hash);
    return ph->header.slot == h->slot - 1 && (ph->header.flags & FLAG_LAST) == 0 &&
           (voted || proved(s, p));
}

static void notarizes(struct sim *s, struct node *n, const struct vote *v)
{
    uint32_t b = world_find(s, &v->block);
    if (own(s, n, ORACLE_NOTARIZE, v->slot) != 0 || own(s, n, ORACLE_SKIP, v->slot) != 0) {
        breaks(s, n, v, "N2: it voted there before");
        return;
    }
    if (b == NO_BLOCK || s->block[b].head.header.slot != v->slot) {
        breaks(s, n, v, "N1: there is no such block");
        return;
    }
    const struct header *h = &s->block[b].head.header;
    struct hash digest = propose_digest(&s->epoch, v->slot, 0, &v->block);
    if (h->leader != core_leader(n->core, (v->slot - 1) / s->plan->turn_slots)) {
        breaks(s, n, v, "N1: another member leads there");
    } else if (!keys_good(&s->epoch.member[h->leader].address, &s->block[b].head.signature, &digest)) {
        breaks(s, n, v, "N1: its leader did not sign the block");
    } else if (!world_empty(&s->block[b]) && (n->holds[b] & HOLDS_BODY) == 0) {
        breaks(s, n, v, "N5: the body is not there");
    } else if (!parent_right(s, n, h)) {
        breaks(s, n, v, "N4: the parent is not justified");
    }
}

static void skips(struct sim *s, struct node *n, const struct vote *v)
{
    uint64_t end = oracle_first(s, v->slot) + s->plan->turn_slots;
    if (own(s, n, ORACLE_SKIP, v->slot) != 0) {
        breaks(s, n, v, "S: it skipped there before");
    }
    for (uint64_t u = v->slot; u < end; u++) {
        if (own(s, n, ORACLE_FINALIZE, u) != 0) {
            breaks(s, n, v, "S2: it finalized at or above");
            return;
        }
    }
}

/* The nearest block at or above with a payload of its own was executed here, or is delivered. */
static bool executed(struct sim *s, const struct node *n, uint32_t b)
{
    uint64_t head = s->oracle->node[n->index].slot;
    while (b != NO_BLOCK && world_empty(&s->block[b]) && s->block[b].head.header.slot > head) {
        b = world_parent(s, b);
    }
    return b == NO_BLOCK || s->block[b].head.header.slot <= head ||
           (n->holds[b] & (HOLDS_EXECUTED | HOLDS_INVALID)) == HOLDS_EXECUTED;
}

/* F3: an own skip at or before is excused by a final slot of this turn above it. */
static bool gate_open(struct sim *s, struct node *n, uint64_t slot)
{
    for (uint64_t u = oracle_first(s, slot); u <= slot; u++) {
        if (own(s, n, ORACLE_SKIP, u) == 0) {
            continue;
        }
        bool excused = false;
        for (uint64_t x = u; x < slot; x++) {
            excused |= oracle_finalizable(s, x);
        }
        if (!excused) {
            return false;
        }
    }
    return true;
}

static void finalizes(struct sim *s, struct node *n, const struct vote *v)
{
    uint32_t b = world_find(s, &v->block);
    bool trusting =
        s->plan->trusting && b != NO_BLOCK && s->block[b].head.header.leader != n->member;
    if (own(s, n, ORACLE_FINALIZE, v->slot) != 0 || own(s, n, ORACLE_SKIP, v->slot) != 0) {
        breaks(s, n, v, "F: it voted there before");
    } else if (b == NO_BLOCK || !proved(s, b)) {
        breaks(s, n, v, "F1: the block is not notarized");
    } else if (!trusting && !executed(s, n, b)) {
        breaks(s, n, v, "F2: the block is not executed");
    } else if (!gate_open(s, n, v->slot)) {
        breaks(s, n, v, "F3: an own skip stands before it");
    } else if (v->slot <= s->oracle->node[n->index].slot) {
        breaks(s, n, v, "F4: it is final here already");
    }
}

void oracle_rules(struct sim *s, struct node *n, const struct vote *v)
{
    if (v->kind == VOTE_NOTARIZE) {
        notarizes(s, n, v);
    } else if (v->kind == VOTE_SKIP) {
        skips(s, n, v);
    } else {
        finalizes(s, n, v);
    }
}
