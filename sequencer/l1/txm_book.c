#include <stdlib.h>

#include "proto/keccak.h"
#include "sequencer/l1/txm_state.h"

enum { COMPACT_BYTES = 1 << 22 };

struct txm_slot *txm_book_find(const struct txm *t, uint64_t nonce)
{
    for (size_t i = 0; i < t->slots; i++) {
        if (t->slot[i]->nonce == nonce) {
            return t->slot[i];
        }
    }
    return NULL;
}

static bool grow(struct txm *t)
{
    if (t->slots < t->room) {
        return true;
    }
    size_t room = t->room == 0 ? 16 : 2 * t->room;
    struct txm_slot **slot = realloc(t->slot, room * sizeof *slot);
    if (slot == NULL) {
        return false;
    }
    t->slot = slot;
    t->room = room;
    return true;
}

struct txm_slot *txm_book_add(struct txm *t, uint64_t nonce)
{
    struct txm_slot *s = NULL;
    if (t->slots == LIMIT_TXM_SLOTS || !grow(t) || (s = calloc(1, sizeof *s)) == NULL) {
        return NULL;
    }
    s->nonce = nonce;
    size_t i = t->slots++;
    for (; i > 0 && t->slot[i - 1]->nonce > nonce; i--) {
        t->slot[i] = t->slot[i - 1];
    }
    t->slot[i] = s;
    return s;
}

void txm_book_trim(struct txm_slot *s, size_t loads, size_t rungs)
{
    while (s->rungs > rungs) {
        free((void *)(uintptr_t)s->rung[--s->rungs].raw.p);
    }
    while (s->loads > loads) {
        free((void *)(uintptr_t)s->load[--s->loads].is.data.p);
    }
}

void txm_book_remove(struct txm *t, size_t i)
{
    txm_book_trim(t->slot[i], 0, 0);
    free(t->slot[i]);
    t->slots--;
    for (; i < t->slots; i++) {
        t->slot[i] = t->slot[i + 1];
    }
}

static bool keep(struct bytes *out, struct bytes in)
{
    uint8_t *p = malloc(in.n + 1);
    if (p == NULL) {
        return false;
    }
    if (in.n > 0) {
        memcpy(p, in.p, in.n);
    }
    *out = bytes_of(p, in.n);
    return true;
}

bool txm_book_load(struct txm_slot *s, const struct txm_payload *p, uint64_t gas)
{
    if (s->loads == TXM_LOADS) {
        return false;
    }
    struct txm_load *l = &s->load[s->loads];
    *l = (struct txm_load){.is = *p, .gas = gas};
    if (!keep(&l->is.data, p->data)) {
        return false;
    }
    s->loads++;
    return true;
}

bool txm_book_rung(struct txm_slot *s, const struct txm_fees *fees, struct bytes raw)
{
    if (s->rungs == LIMIT_TXM_RUNGS || s->loads == 0) {
        return false;
    }
    struct txm_rung *r = &s->rung[s->rungs];
    *r = (struct txm_rung){.fees = *fees, .load = (uint8_t)(s->loads - 1)};
    if (!keep(&r->raw, raw)) {
        return false;
    }
    r->hash = keccak256(raw.p, raw.n);
    s->rungs++;
    return true;
}

/* ---- the journal --------------------------------------------------------------------------------- */

static void put_rung(struct txm_group *g, const struct txm_slot *s, size_t i)
{
    struct txm_record r = {.type = TXM_RUNG, .nonce = s->nonce};
    r.fees = s->rung[i].fees;
    r.raw = s->rung[i].raw;
    txm_group_put(g, &r);
}

static void put_load(struct txm_group *g, const struct txm_slot *s, size_t load, size_t rungs)
{
    struct txm_record r = {.type = TXM_PAYLOAD, .nonce = s->nonce};
    r.payload = s->load[load].is;
    r.gas = s->load[load].gas;
    txm_group_put(g, &r);
    for (size_t i = rungs; i < s->rungs; i++) {
        if (s->rung[i].load == load) {
            put_rung(g, s, i);
        }
    }
}

void txm_book_group(struct txm_group *g, const struct txm_slot *s, size_t loads, size_t rungs)
{
    for (size_t i = loads; i < s->loads; i++) {
        put_load(g, s, i, rungs);
    }
    for (size_t i = rungs; loads == s->loads && i < s->rungs; i++) {
        put_rung(g, s, i);
    }
}

void txm_book_release(struct txm_group *g, uint64_t nonce, size_t rung)
{
    struct txm_record r = {.type = TXM_RELEASE, .nonce = nonce, .rung = (uint8_t)rung};
    txm_group_put(g, &r);
}

enum err txm_book_write(struct txm *t, struct txm_group *g)
{
    enum err e = g->bad;
    if (e == OK) {
        e = t->journal.append(t->journal.ctx, bytes_of(g->p, g->n));
        t->journal_grown += g->n;
        t->journal_error = e;
    }
    txm_group_free(g);
    return e;
}

/* After a failure nobody knows what the journal holds, so all that stands is written anew. */
void txm_book_compact(struct txm *t)
{
    if (t->journal_error == OK && t->journal_grown < COMPACT_BYTES) {
        return;
    }
    struct txm_group g = {.p = NULL};
    struct txm_record floor = {.type = TXM_FLOOR, .nonce = t->next_nonce};
    for (size_t i = 0; i < t->slots; i++) {
        const struct txm_slot *s = t->slot[i];
        txm_book_group(&g, s, 0, 0);
        if (s->used > 0) {
            txm_book_release(&g, s->nonce, s->used - 1);
        }
    }
    txm_group_put(&g, &floor);
    enum err e = g.bad;
    if (e == OK) {
        e = t->journal.replace(t->journal.ctx, bytes_of(g.p, g.n));
    }
    txm_group_free(&g);
    t->journal_error = e;
    t->journal_grown = e == OK ? 0 : t->journal_grown;
}
