#include "sequencer/l1/txm_state.h"

enum { PARTS = 2 };

/* What a call to txm_post does to one slot, so that it can be taken back. */
struct change {
    struct txm_slot *slot;
    bool added;
    size_t loads;
    size_t rungs;
};

static bool reusable(const struct txm_slot *s)
{
    /* One load and its rung stay free for a cancellation. */
    return s->obsolete && !s->mined && !s->lost && s->loads + 1 < TXM_LOADS &&
           s->rungs + TXM_LADDER < LIMIT_TXM_RUNGS;
}

static size_t count_open(const struct txm *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->slots; i++) {
        n += !t->slot[i]->mined && !t->slot[i]->lost && !t->slot[i]->obsolete;
    }
    return n;
}

static enum err may_post(struct txm *t, const struct txm_payload *p, size_t n)
{
    if (!t->sendable) {
        return ERR_NOT_READY;
    }
    if (t->stopped || n == 0 || n > PARTS) {
        return ERR_REFUSED;
    }
    for (size_t i = 0; i < n; i++) {
        if (p[i].kind != t->cfg.kind || (p[i].blobs > 0) != (t->cfg.kind == TXM_BLOB)) {
            return ERR_REFUSED;
        }
        /* What was mined and is not derived here counts for nothing: it may be posted anew. */
        int at = txm_find(t, p[i].segment, p[i].part);
        if ((at >= 0 && !t->slot[at]->mined) || p[i].last <= t->view.safe) {
            return ERR_IN_USE;
        }
    }
    if (count_open(t) + n > t->window) {
        t->limited = true;
        return ERR_BUSY;
    }
    return t->slots + n <= LIMIT_TXM_SLOTS ? OK : ERR_BUSY;
}

static bool taken(const struct change *c, size_t n, const struct txm_slot *s)
{
    for (size_t i = 0; i < n; i++) {
        if (c[i].slot == s) {
            return true;
        }
    }
    return false;
}

/* The lowest obsolete nonce, else a new one. */
static enum err choose(struct txm *t, struct change *c, size_t at)
{
    struct change *mine = &c[at];
    for (size_t i = 0; i < t->slots && mine->slot == NULL; i++) {
        if (reusable(t->slot[i]) && !taken(c, at, t->slot[i])) {
            mine->slot = t->slot[i];
        }
    }
    if (mine->slot == NULL) {
        mine->slot = txm_book_add(t, t->next_nonce);
        mine->added = mine->slot != NULL;
        t->next_nonce += mine->added;
    }
    if (mine->slot == NULL) {
        return ERR_NO_MEMORY;
    }
    mine->loads = mine->slot->loads;
    mine->rungs = mine->slot->rungs;
    return OK;
}

static void take_back(struct txm *t, struct change *c, size_t n)
{
    for (size_t i = n; i-- > 0;) {
        if (c[i].slot == NULL) {
            continue;
        }
        if (!c[i].added) {
            txm_book_trim(c[i].slot, c[i].loads, c[i].rungs);
            continue;
        }
        /* The highest nonce of all: nothing stands above it. */
        t->next_nonce = c[i].slot->nonce;
        txm_book_remove(t, t->slots - 1);
    }
}

static enum err sign_and_write(struct txm *t, struct change *c, const struct txm_payload *p,
                               size_t n)
{
    struct txm_group g = {.p = NULL};
    for (size_t i = 0; i < n; i++) {
        enum err e = choose(t, c, i);
        e = e == OK ? txm_sign_ladder(t, c[i].slot, &p[i], TXM_LADDER) : e;
        if (e != OK) {
            txm_group_free(&g);
            return e;
        }
        txm_book_group(&g, c[i].slot, c[i].loads, c[i].rungs);
    }
    return txm_book_write(t, &g);
}

enum err txm_post(struct txm *t, const struct txm_payload *p, size_t n, uint64_t *nonce)
{
    struct change c[PARTS] = {{.slot = NULL}};
    TRY(may_post(t, p, n));
    enum err e = sign_and_write(t, c, p, n);
    if (e != OK) {
        take_back(t, c, n);
        return e;
    }
    for (size_t i = 0; i < n; i++) {
        struct txm_slot *s = c[i].slot;
        t->count.replaced += !c[i].added;
        s->obsolete = false;
        s->released = false;
        s->rebuilt = 0;
        s->due = false;
        nonce[i] = s->nonce;
    }
    return OK;
}

void txm_limit(struct txm *t, uint64_t segment)
{
    t->limit = segment;
}

enum err txm_release(struct txm *t, uint64_t nonce)
{
    struct txm_slot *s = txm_book_find(t, nonce);
    if (s == NULL) {
        return ERR_NOT_FOUND;
    }
    if (s->released) {
        return OK;
    }
    struct txm_group g = {.p = NULL};
    size_t rung = txm_first_rung(s);
    txm_book_release(&g, nonce, rung);
    TRY(txm_book_write(t, &g));
    txm_use_rung(t, s, rung);
    return OK;
}
