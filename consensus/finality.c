/* A block with a finalize certificate is final, with all its ancestors. Certificates move
 * `highest_final` at once; blocks are delivered parents first as soon as headers and bodies are
 * here, and what lies below the last delivered one is forgotten. */
#include "consensus/core.h"

void finality_learn(struct core *c, const struct certificate *cert)
{
    /* The highest one is kept whatever its slot, also where there is no room for a record. */
    if (cert->slot > c->highest_final) {
        c->highest_final = cert->slot;
        c->final_cert = *cert;
    }
    struct slot_record *r = slot_get(c, cert->slot);
    if (r == NULL) {
        return;
    }
    r->cert[FINALIZE] = *cert;
    r->has_cert |= 1u << FINALIZE;
    c->highest_notarized = max_u64(c->highest_notarized, cert->slot);
    struct block_record *b = block_find(c, &cert->block);
    if (b != NULL) {
        block_mark_notarized(c, b, cert->slot);
    }
}

/* Is everything between this block and the root here? */
static bool path_complete(struct core *c, const struct block_record *b)
{
    while (b != NULL && b != block_root(c)) {
        if (b->body != BODY_GOOD || b->form != FORM_VALID) {
            return false;
        }
        b = block_parent(c, b);
    }
    return b != NULL;
}

/* The highest block above the root that is proved final and complete. */
static struct block_record *deliverable(struct core *c)
{
    struct block_record *best = NULL;
    for (uint32_t i = 0; i < c->slots_used; i++) {
        struct slot_record *r = &c->slot[c->slot_list[i]];
        if ((r->has_cert & 1u << FINALIZE) == 0 ||
            (best != NULL && r->slot < best->head.header.slot)) {
            continue;
        }
        struct block_record *b = block_find(c, &r->cert[FINALIZE].block);
        if (b != NULL && b != block_root(c) && path_complete(c, b)) {
            best = b;
        }
    }
    return best;
}

/* The child of `from` on the way to `to`, which is complete. */
static struct block_record *step_towards(struct core *c, const struct block_record *from,
                                         struct block_record *to)
{
    struct block_record *b = to;
    struct block_record *p = block_parent(c, b);
    for (; p != from; p = block_parent(c, b)) {
        b = p;
    }
    return b;
}

/* The own client called a block INVALID that the set made final (CONSENSUS 7). */
static void check_divergence(struct core *c, const struct block_record *b)
{
    if (b->run == RUN_INVALID && !c->stopped) {
        c->stopped = true;
        effect_alarm(c, ALARM_DIVERGENCE, b->head.header.slot, c->config.self);
    }
}

/* False: no room in this step; nothing has changed then. */
static bool deliver_one(struct core *c, struct block_record *b)
{
    const struct slot_record *r = slot_find(c, b->head.header.slot);
    bool has_cert = (r->has_cert & 1u << FINALIZE) != 0;
    const struct block_head *head = head_copy(c, &b->head);
    uint8_t *bench = scratch_take(c, BENCH_BYTES);
    struct certificate *cert = has_cert ? scratch_take(c, sizeof *cert) : NULL;
    if (head == NULL || bench == NULL || (has_cert && cert == NULL)) {
        return false;
    }
    struct effect *e = effect_new(c, EFFECT_FINAL);
    if (e == NULL) {
        return false;
    }
    check_divergence(c, b);
    bench_block(c, &c->bench, &b->head, false);
    notices_final(c, &b->head);
    bench_encode(&c->bench, bench);
    if (has_cert) {
        *cert = r->cert[FINALIZE];
    }
    e->u.final.block = b->head.hash;
    e->u.final.head = head;
    e->u.final.cert = cert;
    e->u.final.bench = bench;
    e->u.final.bench_len = BENCH_BYTES;
    return true;
}

/* Everything at or below the root that is not the root. */
static void forget_below_root(struct core *c)
{
    struct block_record *root = block_root(c);
    uint64_t slot = root->head.header.slot;
    for (uint32_t i = 0; i < c->blocks_used;) {
        struct block_record *b = &c->block[c->block_list[i]];
        if (b != root && b->head.header.slot <= slot) {
            block_drop(c, b);
        } else {
            i++;
        }
    }
    for (uint32_t i = 0; i < c->slots_used;) {
        struct slot_record *r = &c->slot[c->slot_list[i]];
        if (r->slot <= slot) {
            slot_drop(c, r);
        } else {
            i++;
        }
    }
    uint64_t turn = turn_of(c, slot);
    for (uint32_t i = 0; i < c->turns_used;) {
        struct turn_record *t = &c->turn[c->turn_list[i]];
        if (t->turn < turn) {
            turn_drop(c, t);
        } else {
            i++;
        }
    }
}

/* Room for a run of final blocks in this step's effects and scratch. */
enum { FINALS_A_STEP = 64 };

void finality_deliver(struct core *c)
{
    struct block_record *to = deliverable(c);
    if (to == NULL) {
        return;
    }
    for (int k = 0; k < FINALS_A_STEP && block_root(c) != to; k++) {
        struct block_record *b = step_towards(c, block_root(c), to);
        if (!deliver_one(c, b)) {
            break;
        }
        if (block_executed(c, b)) {
            b->run =
                RUN_VALID; /* an EMPTY block keeps its parent's verdict when that is forgotten */
        }
        c->root = (uint32_t)(b - c->block);
    }
    c->step_more |= block_root(c) != to;
    forget_below_root(c);
}
