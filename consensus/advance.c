/* Moving through slots: M1 before M2 before M3, until nothing changes (CONSENSUS 5). So whoever is
 * in a slot holds what proves a parent and the emptiness of everything between. */
#include "consensus/core.h"

bool turn_skipped(const struct core *c, uint64_t slot)
{
    const struct turn_record *t = turn_find(c, turn_of(c, slot));
    return t != NULL && t->skipped && t->skip.slot <= slot;
}

static uint64_t slot_after(const struct core *c, const struct block_record *b)
{
    const struct header *h = &b->head.header;
    if (h->slot == 0) {
        return 1;
    }
    if ((h->flags & FLAG_LAST) != 0) {
        return turn_last(c, turn_of(c, h->slot)) + 1;
    }
    return h->slot + 1;
}

static void enter(struct core *c, uint64_t slot)
{
    c->cur = slot;
    c->entered_us = c->now_us;
    c->disk_waited_us = 0;
    c->resend_wait_us = 0;
    struct effect *e = effect_new(c, EFFECT_ENTERED);
    if (e != NULL) {
        e->u.entered.slot = slot;
        e->u.entered.turn = turn_of(c, slot);
        e->u.entered.leader = rotation_leader(c, turn_of(c, slot));
    }
}

/* M1: the highest finalization at or above cur whose header is known. */
static struct block_record *final_at_or_above(struct core *c)
{
    struct block_record *root = block_root(c);
    struct block_record *best = root->head.header.slot >= c->cur ? root : NULL;
    for (uint32_t i = 0; i < c->slots_used; i++) {
        struct slot_record *r = &c->slot[c->slot_list[i]];
        if (r->slot < c->cur || (r->has_cert & 1u << FINALIZE) == 0 ||
            (best != NULL && r->slot <= best->head.header.slot)) {
            continue;
        }
        struct block_record *b = block_find(c, &r->cert[FINALIZE].block);
        best = b != NULL ? b : best;
    }
    return best;
}

/* M3: the highest block at or above cur that is notarized and executed here. */
static struct block_record *executed_at_or_above(struct core *c)
{
    struct block_record *best = NULL;
    for (uint32_t i = 0; i < c->blocks_used; i++) {
        struct block_record *b = &c->block[c->block_list[i]];
        if (b->head.header.slot >= c->cur && b->notarized && b->form == FORM_VALID &&
            block_executed(c, b) &&
            (best == NULL || b->head.header.slot > best->head.header.slot)) {
            best = b;
        }
    }
    return best;
}

/* Notes since when each block is notarized and executed (head stall, CONSENSUS 6). */
static void note_ready(struct core *c)
{
    for (uint32_t i = 0; i < c->blocks_used; i++) {
        struct block_record *b = &c->block[c->block_list[i]];
        if (b->ready_us == 0 && b->notarized && b->form == FORM_VALID && b != block_root(c) &&
            block_executed(c, b)) {
            b->ready_us = c->now_us;
            struct effect *e = effect_new(c, EFFECT_NOTARIZED);
            if (e != NULL) {
                e->u.notarized.block = b->head.hash;
                e->u.notarized.header = &b->head.header;
            }
        }
    }
}

bool advance(struct core *c)
{
    bool moved = false;
    note_ready(c);
    for (;;) {
        uint64_t next = c->cur;
        const struct block_record *b = final_at_or_above(c);
        if (b != NULL) {
            next = slot_after(c, b);
        } else if (turn_skipped(c, c->cur)) {
            next = turn_last(c, turn_of(c, c->cur)) + 1;
        } else if ((b = executed_at_or_above(c)) != NULL) {
            next = slot_after(c, b);
        }
        if (next <= c->cur) { /* below: a quorum lies; it never moves back whatever is proved */
            break;
        }
        enter(c, next);
        moved = true;
    }
    /* Only where it stays: of turns walked through nobody needs to hear. */
    if (moved && c->cur == turn_first(c, turn_of(c, c->cur))) {
        bundle_entered(c);
    }
    return moved;
}
