/* Blocks above the last delivered final one: what is here, what is proved, what was executed. */
#include "consensus/core.h"
#include "proto/keccak.h"

struct block_record *block_root(struct core *c)
{
    return &c->block[c->root];
}

struct block_record *block_parent(struct core *c, const struct block_record *b)
{
    return block_find(c, &b->head.header.parent);
}

/* executed(b): the anchor; VALID by the own client; EMPTY iff its parent is (CONSENSUS 3). The
 * client runs ancestors first, so VALID of a block covers them. */
bool block_executed(struct core *c, const struct block_record *b)
{
    while (b != NULL && (b->head.header.flags & FLAG_EMPTY) != 0 && b->run != RUN_VALID) {
        if (b == block_root(c)) {
            return false;
        }
        b = block_parent(c, b);
    }
    return b != NULL && b->run == RUN_VALID;
}

bool block_chain_invalid(struct core *c, const struct block_record *b)
{
    for (; b != NULL; b = block_parent(c, b)) {
        if (b->run == RUN_INVALID || b->form == FORM_INVALID || b->body == BODY_BAD) {
            return true;
        }
        if (b == block_root(c)) {
            return false;
        }
    }
    return false;
}

static bool votes_name(const struct core *c, const struct slot_record *r, const struct hash *hash)
{
    uint32_t mask = tally_mask(c, r, NOTARIZE, hash) | tally_mask(c, r, FINALIZE, hash);
    return members_weight(c->epoch, mask) >= c->epoch->faulty + 1;
}

static bool certificate_names(const struct slot_record *r, const struct hash *hash)
{
    return ((r->has_cert & 1u << NOTARIZE) != 0 && hash_equal(&r->cert[NOTARIZE].block, hash)) ||
           ((r->has_cert & 1u << FINALIZE) != 0 && hash_equal(&r->cert[FINALIZE].block, hash));
}

bool block_wanted(struct core *c, const struct block_head *head)
{
    uint64_t slot = head->header.slot;
    if (slot <= block_root(c)->head.header.slot) {
        return false;
    }
    struct slot_record *r = slot_find(c, slot);
    if (r != NULL && (certificate_names(r, &head->hash) || votes_name(c, r, &head->hash))) {
        return true;
    }
    for (uint32_t i = 0; i < c->blocks_used; i++) {
        const struct block_record *child = &c->block[c->block_list[i]];
        if (child->notarized && hash_equal(&child->head.header.parent, &head->hash)) {
            return true;
        }
    }
    return false;
}

void block_mark_notarized(struct core *c, struct block_record *b, uint64_t proof_slot)
{
    /* A certificate proves its block and every ancestor whose header path is held. Slots fall along
     * a path: one that rises was signed by more than F liars, and the record of a proof below its
     * block would be forgotten before the block is. */
    uint64_t root_slot = block_root(c)->head.header.slot;
    while (b != NULL && b->head.header.slot > root_slot && b->head.header.slot <= proof_slot) {
        if (b->notarized && b->proof_slot <= proof_slot) {
            return;
        }
        b->notarized = true;
        b->proof_slot = proof_slot;
        b = block_parent(c, b);
    }
}

/* Certificates and notarized children that were here before the header. */
static void apply_known_proofs(struct core *c, struct block_record *b)
{
    struct slot_record *r = slot_find(c, b->head.header.slot);
    if (certificate_names(r, &b->head.hash)) {
        block_mark_notarized(c, b, r->slot);
    }
    for (uint32_t i = 0; i < c->blocks_used && !b->notarized; i++) {
        struct block_record *child = &c->block[c->block_list[i]];
        if (child->notarized && hash_equal(&child->head.header.parent, &b->head.hash)) {
            block_mark_notarized(c, b, child->proof_slot);
        }
    }
}

/* The form of a block can be judged once its parent is known; children wait for it. */
static void judge_form(struct core *c, struct block_record *b)
{
    struct block_record *parent = block_parent(c, b);
    if (parent == NULL ||
        (parent != block_root(c) && parent->form != FORM_VALID)) {
        return;
    }
    enum form_state form = validity_check(c, b, parent);
    if (form != FORM_VALID) {
        b->form = (uint8_t)form;
        return;
    }
    /* No vote for what is not on its way to the disk: without room it stays unjudged. */
    const struct block_head *copy = head_copy(c, &b->head);
    struct effect *e = copy == NULL ? NULL : effect_new(c, EFFECT_STORE);
    if (e != NULL) {
        e->u.store.head = copy;
        b->form = FORM_VALID;
    }
}

void chain_judge(struct core *c)
{
    for (bool more = true; more;) {
        more = false;
        for (uint32_t i = 0; i < c->blocks_used; i++) {
            struct block_record *b = &c->block[c->block_list[i]];
            if (b->form == FORM_UNKNOWN) {
                judge_form(c, b);
                more |= b->form != FORM_UNKNOWN;
            }
        }
    }
}

struct block_record *block_learn(struct core *c, const struct block_head *head, int from)
{
    struct block_record *b = block_find(c, &head->hash);
    if (b != NULL) {
        return b;
    }
    if (head->header.epoch != c->epoch->epoch) {
        return NULL;
    }
    /* The section is not in the block's hash, its root is: with another one beside the header the
     * block would be judged invalid here for good, whoever made it. */
    struct hash root = keccak256(head->system.p, head->system.n);
    if (!hash_equal(&root, &head->header.system_root)) {
        effect_ban(c, from, "a block with a system section that is not its own");
        return NULL;
    }
    b = block_place(c, head);
    if (b == NULL) {
        return NULL;
    }
    b->arrival_us = c->now_us;
    b->shown_by = from;
    if ((head->header.flags & FLAG_EMPTY) != 0) {
        b->body = BODY_GOOD;
    }
    apply_known_proofs(c, b);
    chain_judge(c);
    return b;
}

void chain_execute(struct core *c)
{
    for (uint32_t i = 0; i < c->blocks_used; i++) {
        struct block_record *b = &c->block[c->block_list[i]];
        if (b == block_root(c) || b->run != RUN_NONE || b->form != FORM_VALID ||
            b->body != BODY_GOOD || (b->head.header.flags & FLAG_EMPTY) != 0) {
            continue;
        }
        struct effect *e = effect_new(c, EFFECT_EXECUTE);
        if (e == NULL) {
            return;
        }
        b->run = RUN_ASKED;
        e->u.execute.block = b->head.hash;
        e->u.execute.header = &b->head.header;
    }
}

/* First slot of the parent's turn that LAST does not void; 0: nothing is left of the turn. */
static uint64_t rest_unvoided(const struct core *c, const struct header *p)
{
    bool ends = (p->flags & FLAG_LAST) != 0 || p->slot == turn_last(c, turn_of(c, p->slot));
    return ends ? 0 : p->slot + 1;
}

bool chain_gap_void(struct core *c, const struct block_record *p, uint64_t s)
{
    const struct header *h = &p->head.header;
    uint64_t turn = turn_of(c, s);
    uint64_t t = 0;
    if (h->slot != 0) {
        t = turn_of(c, h->slot);
        uint64_t rest = rest_unvoided(c, h);
        const struct turn_record *r = rest == 0 ? NULL : turn_find(c, t);
        if (rest != 0 && (r == NULL || !r->skipped || r->skip.slot > rest)) {
            return false;
        }
        t++;
    }
    for (; t < turn; t++) {
        const struct turn_record *r = turn_find(c, t);
        if (r == NULL || !r->skipped || r->skip.slot != turn_first(c, t)) {
            return false;
        }
    }
    return true;
}

bool chain_justified(struct core *c, const struct block_record *b, const struct block_record *p)
{
    uint64_t s = b->head.header.slot;
    bool proved = p == block_root(c) || p->notarized;
    if (s != turn_first(c, turn_of(c, s))) {
        return proved; /* at s - 1: else the block's form is not right */
    }
    return proved && chain_gap_void(c, p, s) && chain_skips_proved(c, b);
}

bool chain_skips_proved(struct core *c, const struct block_record *b)
{
    struct system_section s;
    struct skipped_turn e;
    size_t at = 0;
    if (system_decode(&s, b->head.system) != OK) {
        return false;
    }
    while (system_next_skipped(&s, &at, &e)) {
        if (!turn_skipped(c, e.slot)) {
            return false;
        }
    }
    return true;
}

struct block_record *chain_notarized_at(struct core *c, uint64_t slot)
{
    if (slot == block_root(c)->head.header.slot) {
        return block_root(c);
    }
    struct slot_record *r = slot_find(c, slot);
    for (int k = 0; r != NULL && k < SLOT_BLOCKS; k++) {
        if (r->block[k] != NONE && c->block[r->block[k]].notarized) {
            return &c->block[r->block[k]];
        }
    }
    return NULL;
}

struct block_record *chain_parent(struct core *c, uint64_t s, bool executed)
{
    struct block_record *best = NULL;
    struct block_record *root = block_root(c);
    for (uint32_t i = 0; i < c->blocks_used; i++) {
        struct block_record *b = &c->block[c->block_list[i]];
        uint64_t slot = b->head.header.slot;
        if ((b != root && (!b->notarized || b->form != FORM_VALID)) || slot >= s ||
            (best != NULL && slot <= best->head.header.slot) ||
            (executed && !block_executed(c, b)) || !chain_gap_void(c, b, s)) {
            continue;
        }
        best = b;
    }
    return best;
}
