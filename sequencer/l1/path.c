#define _GNU_SOURCE
/* The way on from what the caller knows.
 *
 * The window of an endpoint that holds the quorum's head is a chain down from it: inside it no
 * question is needed. Below, Q endpoints say which block stands at a number; the answers are chained
 * by their parents, and to the caller's block. */
#include <stdlib.h>

#include "sequencer/l1/header.h"
#include "sequencer/l1/parts.h"

/* What the caller gave and gets; goes from question to question. */
struct path {
    l1_path_cb cb;
    void *arg;
    struct l1_ref known[LIMIT_L1_REORG];
    size_t known_n;
    size_t kept;
    struct l1_header header[LIMIT_L1_PATH];
    size_t n;
};

/* Headers at numbers: `kept_asked` of the caller's (all but the first, newest first), or those from
 * the caller's first on. */
struct numbers_ask {
    struct ask ask;
    struct path *path;
    bool back;
    uint32_t n;
    uint64_t number[REQUEST_CALLS];
    /* [number][endpoint]; number 0 hash zero: that endpoint has none there */
    struct l1_header (*said)[LIMIT_L1_ENDPOINTS];
    bool heard[LIMIT_L1_ENDPOINTS];
};

static enum err ask_numbers(struct l1_client *c, struct path *p, bool back);

/* ---- inside the windows ---------------------------------------------------------------------- */

static const struct quorum_window *head_window(const struct quorum *q, uint64_t down_to)
{
    const struct quorum_window *best = NULL;
    for (uint32_t i = 0; q->known && i < q->n; i++) {
        const struct quorum_window *w = &q->e[i].w;
        if (quorum_holds(q, i, &q->head.at) != NULL && w->h[0].at.number <= down_to &&
            (best == NULL || w->n > best->n)) {
            best = w;
        }
    }
    return best;
}

static bool in_window(const struct quorum_window *w, const struct l1_ref *r)
{
    uint64_t first = w->h[0].at.number;
    return r->number >= first && r->number - first < w->n &&
           hash_equal(&w->h[r->number - first].at.hash, &r->hash);
}

/* True: the windows know the answer. */
static bool from_windows(const struct l1_client *c, struct path *p)
{
    const struct quorum *q = &c->quorum;
    for (p->kept = 0; p->kept < p->known_n; p->kept++) {
        const struct l1_ref *r = &p->known[p->kept];
        const struct quorum_window *w = head_window(q, r->number);
        if (w == NULL) {
            return false;
        }
        if (r->number <= q->head.at.number && in_window(w, r)) {
            uint64_t at = r->number - w->h[0].at.number + 1;
            uint64_t end = q->head.at.number - w->h[0].at.number + 1;
            for (p->n = 0; p->n < LIMIT_L1_PATH && at < end; at++) {
                p->header[p->n++] = w->h[at];
            }
            return true;
        }
    }
    return true;
}

/* ---- by number, by quorum -------------------------------------------------------------------- */

static uint32_t votes(const struct numbers_ask *x, uint32_t k, const struct l1_header *h)
{
    uint32_t count = 0;
    for (size_t i = 0; i < x->ask.c->o.rpc_n; i++) {
        count += x->heard[i] && hash_equal(&x->said[k][i].at.hash, &h->at.hash);
    }
    return count;
}

/* What Q endpoints have at that number; a zero hash for nothing there. NULL: they do not agree. */
static const struct l1_header *elected(const struct numbers_ask *x, uint32_t k)
{
    for (size_t i = 0; i < x->ask.c->o.rpc_n; i++) {
        if (x->heard[i] && votes(x, k, &x->said[k][i]) >= x->ask.c->quorum.needed) {
            return &x->said[k][i];
        }
    }
    return NULL;
}

static enum heard heard_numbers(struct ask *a, struct endpoint *e, struct answers *r)
{
    struct numbers_ask *x = (struct numbers_ask *)a;
    bool all = true;
    for (uint32_t k = 0; k < x->n; k++) {
        struct l1_header *h = &x->said[k][e->index];
        struct json_object *o = r->at[k].result;
        enum err err = r->at[k].error ? ERR_MALFORMED : o == NULL ? OK : header_read(h, o);
        if (err != OK || (o != NULL && h->at.number != x->number[k])) {
            bool lie = err == ERR_INVALID_BLOCK || err == OK;
            endpoint_fault(e, lie ? WEB_FAULT_CONTRADICTS : WEB_FAULT_GARBAGE);
            return HEARD_USELESS;
        }
    }
    x->heard[e->index] = true;
    for (uint32_t k = 0; k < x->n; k++) {
        all = all && elected(x, k) != NULL;
    }
    return all ? HEARD_LAST : HEARD_MORE;
}

/* Some numbers may do: those from the first on. */
static void settle_numbers(struct ask *a)
{
    const struct numbers_ask *x = (struct numbers_ask *)a;
    a->err = elected(x, 0) != NULL ? OK : a->err;
}

static void finish(struct path *p, enum err e)
{
    struct l1_path out = {p->kept, p->header, p->n};
    p->cb(p->arg, e, e == OK ? &out : NULL);
    free(p);
}

/* The caller's first block is there: what follows, as far as it links. */
static void take_following(const struct numbers_ask *x, struct path *p)
{
    const struct hash *last = &p->known[p->kept].hash;
    for (uint32_t k = 1; k < x->n && p->n < LIMIT_L1_PATH; k++) {
        const struct l1_header *h = elected(x, k);
        if (h == NULL || hash_is_zero(&h->at.hash) || !hash_equal(&h->parent, last)) {
            return;
        }
        p->header[p->n] = *h;
        last = &p->header[p->n++].at.hash;
    }
}

/* Goes on with another question, or ends. */
static void next_question(struct l1_client *c, struct path *p, bool back)
{
    enum err e = ask_numbers(c, p, back);
    if (e != OK) {
        finish(p, e);
    }
}

static void told_forward(struct numbers_ask *x, struct path *p)
{
    const struct l1_header *h = elected(x, 0);
    if (hash_equal(&h->at.hash, &p->known[p->kept].hash)) {
        take_following(x, p);
        finish(p, OK);
    } else if (p->kept == 0 && p->known_n > 1) {
        next_question(x->ask.c, p, true);
    } else {
        /* All are gone; or the chain moved on between two questions: ask again. */
        enum err e = p->kept == 0 ? OK : ERR_NOT_READY;
        p->kept = p->known_n;
        finish(p, e);
    }
}

static void told_back(struct numbers_ask *x, struct path *p)
{
    for (uint32_t k = 0; k < x->n; k++) {
        const struct l1_header *h = elected(x, k);
        if (h == NULL) {
            finish(p, ERR_NOT_READY);
            return;
        }
        if (hash_equal(&h->at.hash, &p->known[k + 1].hash)) {
            p->kept = k + 1;
            next_question(x->ask.c, p, false);
            return;
        }
    }
    p->kept = p->known_n;
    finish(p, OK);
}

static void tell_numbers(struct ask *a)
{
    struct numbers_ask *x = (struct numbers_ask *)a;
    struct path *p = x->path;
    x->path = NULL;
    if (a->err != OK || x->n == 0) {
        finish(p, a->err);
    } else if (x->back) {
        told_back(x, p);
    } else {
        told_forward(x, p);
    }
}

static void drop_numbers(struct ask *a)
{
    struct numbers_ask *x = (struct numbers_ask *)a;
    free(x->said);
    free(x->path);
}

/* The path is handed over once the question is on its way. */
static struct numbers_ask *make_numbers(struct l1_client *c)
{
    struct numbers_ask *x = ask_make(c, sizeof *x, LIMIT_WEB_ANSWER);
    if (x == NULL) {
        return NULL;
    }
    x->ask.everybody = true;
    x->ask.heard = heard_numbers;
    x->ask.settle = settle_numbers;
    x->ask.tell = tell_numbers;
    x->ask.drop = drop_numbers;
    return x;
}

static void add_number(struct numbers_ask *x, uint64_t number)
{
    x->number[x->n++] = number;
    request_call(&x->ask.request, "eth_getBlockByNumber");
    request_quantity(&x->ask.request, number);
    request_text(&x->ask.request, "false");
}

/* On an error the path is still the caller's. */
static enum err ask_numbers(struct l1_client *c, struct path *p, bool back)
{
    struct numbers_ask *x = make_numbers(c);
    if (x == NULL) {
        return ERR_NO_MEMORY;
    }
    x->back = back;
    uint64_t first = p->known[p->kept].number;
    uint64_t head = c->quorum.head.at.number;
    uint64_t above = head > first ? head - first : 0;
    for (size_t i = 1; back && i < p->known_n; i++) {
        add_number(x, p->known[i].number);
    }
    for (uint64_t i = 0; !back && i <= LIMIT_L1_PATH && i <= above; i++) {
        add_number(x, first + i);
    }
    x->said = calloc(x->n, sizeof *x->said);
    if (x->said == NULL) {
        ask_drop(&x->ask);
        return ERR_NO_MEMORY;
    }
    enum err e = ask_start(&x->ask);
    if (e == OK) {
        x->path = p;
    }
    return e;
}

enum err path_ask(void *ctx, const struct l1_ref *known, size_t known_n, l1_path_cb cb, void *arg)
{
    struct l1_client *c = ctx;
    if (known_n == 0 || known_n > LIMIT_L1_REORG) {
        return ERR_USAGE;
    }
    struct path *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return ERR_NO_MEMORY;
    }
    p->cb = cb;
    p->arg = arg;
    p->known_n = known_n;
    memcpy(p->known, known, known_n * sizeof *known);
    enum err e;
    if (from_windows(c, p)) {
        struct numbers_ask *x = make_numbers(c);
        e = x == NULL ? ERR_NO_MEMORY : ask_known(&x->ask, OK);
        if (e == OK) {
            x->path = p;
        }
    } else {
        p->kept = 0;
        e = ask_numbers(c, p, false);
    }
    if (e != OK) {
        free(p);
    }
    return e;
}
