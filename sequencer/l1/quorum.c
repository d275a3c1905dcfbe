#include "sequencer/l1/quorum.h"

void quorum_init(struct quorum *q, uint32_t endpoints)
{
    memset(q, 0, sizeof *q);
    q->n = endpoints;
    q->needed = endpoints / 2 + 1;
}

static const struct l1_header *top(const struct quorum_endpoint *e)
{
    return &e->w.h[e->w.n - 1];
}

/* The window's header of that number, NULL outside it. */
static const struct l1_header *at(const struct quorum_endpoint *e, uint64_t number)
{
    if (e->w.n == 0 || number < e->w.h[0].at.number || number > top(e)->at.number) {
        return NULL;
    }
    return &e->w.h[number - e->w.h[0].at.number];
}

static void push(struct quorum_window *w, const struct l1_header *h)
{
    if (w->n == QUORUM_WINDOW) {
        w->n -= QUORUM_WINDOW / 4;
        memmove(w->h, w->h + QUORUM_WINDOW / 4, w->n * sizeof *w->h);
    }
    w->h[w->n++] = *h;
}

/* Cuts the window down to the header of that number, or empties it where there is none. */
static void cut(struct quorum_endpoint *e, uint64_t number)
{
    const struct l1_header *h = at(e, number);
    e->w.n = h == NULL ? 0 : (uint32_t)(h - e->w.h) + 1;
}

static void take(struct quorum_endpoint *e, const struct l1_header *h)
{
    const struct l1_header *same = at(e, h->at.number);
    if (same != NULL && hash_equal(&same->at.hash, &h->at.hash)) {
        cut(e, h->at.number);
        return;
    }
    const struct l1_header *parent = h->at.number == 0 ? NULL : at(e, h->at.number - 1);
    if (parent != NULL && hash_equal(&parent->at.hash, &h->parent)) {
        cut(e, h->at.number - 1);
    } else {
        e->w.n = 0;
    }
    push(&e->w, h);
}

bool quorum_head(struct quorum *q, uint32_t i, const struct l1_header *h)
{
    struct quorum_endpoint *e = &q->e[i];
    bool new_head = e->w.n == 0 || !hash_equal(&top(e)->at.hash, &h->at.hash);
    e->answers = true;
    e->contradicts = e->contradicts && !new_head;
    take(e, h);
    e->went_back = h->at.number + QUORUM_DEPTH < e->highest;
    if (h->at.number > e->highest) {
        e->highest = h->at.number;
    }
    return !e->went_back;
}

void quorum_says_finalized(struct quorum *q, uint32_t i, const struct l1_ref *r)
{
    struct quorum_endpoint *e = &q->e[i];
    uint32_t last = (e->finalized_n + QUORUM_FINALIZED - 1) % QUORUM_FINALIZED;
    if (e->finalized_n == 0 || !hash_equal(&e->finalized[last].hash, &r->hash)) {
        e->finalized[e->finalized_n++ % QUORUM_FINALIZED] = *r;
    }
}

bool quorum_parent(struct quorum *q, uint32_t i, const struct l1_header *h)
{
    struct quorum_window *w = &q->e[i].w;
    if (w->n == 0 || !hash_equal(&w->h[0].parent, &h->at.hash) ||
        h->at.number + 1 != w->h[0].at.number) {
        return false;
    }
    if (w->n < QUORUM_WINDOW) {
        memmove(w->h + 1, w->h, w->n * sizeof *w->h);
        w->h[0] = *h;
        w->n++;
    }
    return true;
}

void quorum_contradiction(struct quorum *q, uint32_t i)
{
    q->e[i].contradicts = true;
}

void quorum_lost(struct quorum *q, uint32_t i)
{
    q->e[i].answers = false;
}

void quorum_forgive(struct quorum *q, uint32_t i)
{
    struct quorum_endpoint *e = &q->e[i];
    e->went_back = false;
    e->contradicts = false;
    e->highest = e->w.n == 0 ? 0 : top(e)->at.number;
}

bool quorum_usable(const struct quorum *q, uint32_t i)
{
    const struct quorum_endpoint *e = &q->e[i];
    return e->answers && !e->contradicts && !e->went_back && e->w.n > 0;
}

const struct l1_header *quorum_holds(const struct quorum *q, uint32_t i, const struct l1_ref *r)
{
    const struct l1_header *h = at(&q->e[i], r->number);
    return h != NULL && hash_equal(&h->at.hash, &r->hash) ? h : NULL;
}

uint32_t quorum_agreeing(const struct quorum *q)
{
    uint32_t count = 0;
    for (uint32_t i = 0; q->known && i < q->n; i++) {
        count += quorum_usable(q, i) && quorum_holds(q, i, &q->head.at) != NULL;
    }
    return count;
}

bool quorum_beside(const struct quorum *q, const struct l1_ref *r)
{
    for (uint32_t i = 0; q->known && i < q->n; i++) {
        const struct l1_header *h = at(&q->e[i], r->number);
        if (h != NULL && quorum_holds(q, i, &q->head.at) != NULL) {
            return r->number > q->head.at.number || !hash_equal(&h->at.hash, &r->hash);
        }
    }
    return !q->known || r->number > q->head.at.number;
}

static bool reaches(const struct quorum *q, uint32_t i, uint64_t number)
{
    return quorum_usable(q, i) && top(&q->e[i])->at.number >= number;
}

static uint32_t reaching(const struct quorum *q, uint64_t number)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < q->n; i++) {
        count += reaches(q, i, number);
    }
    return count;
}

/* The highest number that Q endpoints have reached. */
static bool reached(const struct quorum *q, uint64_t *number)
{
    bool any = false;
    for (uint32_t i = 0; i < q->n; i++) {
        if (!quorum_usable(q, i)) {
            continue;
        }
        uint64_t mine = top(&q->e[i])->at.number;
        if (reaching(q, mine) >= q->needed && (!any || mine > *number)) {
            *number = mine;
            any = true;
        }
    }
    return any;
}

static uint32_t votes_for(const struct quorum *q, const struct l1_ref *r)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < q->n; i++) {
        count += quorum_usable(q, i) && quorum_holds(q, i, r) != NULL;
    }
    return count;
}

static const struct l1_header *agreed(const struct quorum *q, uint64_t number)
{
    for (uint32_t i = 0; i < q->n; i++) {
        const struct l1_header *h = quorum_usable(q, i) ? at(&q->e[i], number) : NULL;
        if (h != NULL && votes_for(q, &h->at) >= q->needed) {
            return h;
        }
    }
    return NULL;
}

/* Asks those down whose window ends above; how many. */
static uint32_t want(const struct quorum *q, uint64_t number, struct quorum_wants *wants)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < q->n; i++) {
        const struct quorum_endpoint *e = &q->e[i];
        if (reaches(q, i, number) && e->w.h[0].at.number > number && e->w.n < QUORUM_WINDOW) {
            wants->any[i] = true;
            wants->parent[i] = e->w.h[0].parent;
            count++;
        }
    }
    return count;
}

static const struct l1_header *find_head(const struct quorum *q, struct quorum_wants *wants)
{
    uint64_t number = 0;
    if (!reached(q, &number)) {
        return NULL;
    }
    for (uint32_t depth = 0; depth <= QUORUM_DEPTH + 1; depth++) {
        const struct l1_header *h = agreed(q, number);
        if (h != NULL || want(q, number, wants) > 0 || number == 0) {
            return h;
        }
        number--;
    }
    return NULL;
}

/* A lower block below the present head is no reason to go back, as long as somebody has it still:
 * those who agreed on it are away, or are asked through a balancer that has late ones behind it. */
static bool stays(const struct quorum *q, const struct l1_header *found)
{
    if (!q->known || found->at.number >= q->head.at.number) {
        return q->known && hash_equal(&found->at.hash, &q->head.at.hash);
    }
    for (uint32_t i = 0; i < q->n; i++) {
        if (quorum_usable(q, i) && quorum_holds(q, i, &q->head.at) != NULL &&
            quorum_holds(q, i, &found->at) != NULL) {
            return true;
        }
    }
    return false;
}

static uint32_t finalized_votes(const struct quorum *q, const struct l1_ref *r)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < q->n; i++) {
        const struct quorum_endpoint *e = &q->e[i];
        for (uint32_t k = 0; k < QUORUM_FINALIZED && k < e->finalized_n; k++) {
            if (hash_equal(&e->finalized[k].hash, &r->hash)) {
                count++;
                break;
            }
        }
    }
    return count;
}

static bool decide_finalized(struct quorum *q)
{
    bool changed = false;
    for (uint32_t i = 0; i < q->n; i++) {
        const struct quorum_endpoint *e = &q->e[i];
        for (uint32_t k = 0; k < QUORUM_FINALIZED && k < e->finalized_n; k++) {
            const struct l1_ref *r = &e->finalized[k];
            if ((!q->has_finalized || r->number > q->finalized.number) &&
                finalized_votes(q, r) >= q->needed) {
                q->finalized = *r;
                q->has_finalized = true;
                changed = true;
            }
        }
    }
    return changed;
}

bool quorum_decide(struct quorum *q, struct quorum_wants *wants)
{
    *wants = (struct quorum_wants){0};
    bool changed = decide_finalized(q);
    const struct l1_header *found = find_head(q, wants);
    if (found == NULL || stays(q, found)) {
        return changed;
    }
    q->head = *found;
    q->known = true;
    return true;
}
