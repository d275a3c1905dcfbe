/* Global states: a local state for each member, at the moment at which it last showed something, and
 * the proposals that exist. Breadth first, so that the first way to trouble is a shortest one. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/explore/explore.h"

struct state {
    uint32_t local[MEMBERS];
    uint64_t sent;      /* proposals, by bit */
    uint32_t from;      /* the state before */
    uint16_t depth;
    uint8_t by;         /* the member that led here */
};

struct search {
    struct graph *g;
    struct scene *s;
    struct walks *walks;
    const struct search_options *o;
    struct search_result *r;
    struct state *state;
    uint64_t states, room;
    uint32_t *table;
    uint64_t mask;
    uint64_t at;        /* the state at work */
    int by;             /* the member whose walk is at work, -1: none */
};

static struct search *now; /* for search_print_way */

static bool honest(const struct search *x, int i)
{
    return i != x->s->o.liar;
}

static struct view view_of(const struct search *x, const struct state *s)
{
    struct view v = {.scene = x->s};
    for (int i = 0; i < (int)x->s->o.n; i++) {
        v.l[i] = honest(x, i) ? &x->g->local[i][s->local[i]] : NULL;
    }
    return v;
}

/* Proposals of the liar exist from the start; those of others when they were sent. */
static struct offer offer_of(const struct search *x, const struct state *s)
{
    struct view v = view_of(x, s);
    struct offer offer = {.certs = judge_certs(&v, true), .proposals = s->sent};
    for (int i = 0; x->o->walk.votes && i < (int)x->s->o.n; i++) {
        offer.votes[i] = honest(x, i) ? judge_votes(&v, i) : offer.certs;
    }
    for (int i = 0; i < x->s->proposals; i++) {
        const struct header *h = &x->s->block[x->s->proposal[i].block].head.header;
        offer.proposals |= h->leader == x->s->o.liar ? (uint64_t)1 << i : 0;
    }
    return offer;
}

/* ---- telling ------------------------------------------------------------------------------------ */

static void print_back(const struct search *x, uint64_t at)
{
    const struct state *s = &x->state[at];
    if (at != 0) {
        print_back(x, s->from);
        const struct state *before = &x->state[s->from];
        struct offer offer = offer_of(x, before);
        walks_print(x->walks, s->by, before->local[s->by], &offer, s->local[s->by]);
    }
}

void search_print_way(void)
{
    struct search *x = now;
    now = NULL;
    if (x == NULL) {
        return;
    }
    struct offer none = {.certs = 0};
    if (x->by >= 0) {
        struct walks *last = x->walks;
        x->walks = walks_new(x->g, &x->o->walk);
        print_back(x, x->at);
        walks_print(last, x->by, 0, &none, UINT32_MAX);
        return;
    }
    print_back(x, x->at);
}

/* ---- the set of states -------------------------------------------------------------------------- */

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static bool same(const struct state *a, const struct state *b)
{
    return memcmp(a->local, b->local, sizeof a->local) == 0 && a->sent == b->sent;
}

static void add(struct search *x, const struct state *n)
{
    uint64_t h = mix(n->sent, (uint64_t)n->local[0] << 32 | n->local[1]);
    h = mix(h, (uint64_t)n->local[2] << 32 | n->local[3]);
    uint64_t at = (h ^ h >> 32) & x->mask;
    while (x->table[at] != 0) {
        if (same(&x->state[x->table[at] - 1], n)) {
            return;
        }
        at = (at + 1) & x->mask;
    }
    if (x->states == x->room) {
        x->r->complete = false;
        return;
    }
    x->state[x->states++] = *n;
    x->table[at] = (uint32_t)x->states;
    if (n->depth > x->r->depth) {
        x->r->depth = n->depth;
    }
}

/* ---- healing: nothing is lost any more, the liar is silent ---------------------------------------- */

static struct offer shared(const struct search *x, const struct state *s)
{
    struct view v = view_of(x, s);
    struct offer all = {.certs = judge_certs(&v, false), .proposals = s->sent};
    for (int i = 0; i < (int)x->s->o.n; i++) {
        all.certs |= honest(x, i) ? v.l[i]->holds : 0;
    }
    return all;
}

static void act(struct search *x, struct state *s, int i, int action)
{
    uint64_t made = 0;
    s->local[i] = graph_next(x->g, i, s->local[i], action, &made);
    s->sent |= made;
}

static bool share(struct search *x, struct state *s, int i)
{
    uint32_t before = s->local[i];
    struct offer all = shared(x, s);
    for (int k = 0; k < CERTS; k++) {
        if ((all.certs >> k & 1) != 0) {
            act(x, s, i, ACT_CERT + k);
        }
    }
    for (int k = 0; k < PROPOSALS; k++) {
        const struct local *l = &x->g->local[i][s->local[i]];
        uint64_t slot = x->s->block[x->s->proposal[k].block].head.header.slot;
        if ((all.proposals >> k & 1) != 0 && (l->shown >> slot & 1u) == 0) {
            act(x, s, i, ACT_PROPOSAL + k);
        }
    }
    return s->local[i] != before;
}

static void share_all(struct search *x, struct state *s)
{
    for (bool more = true; more;) {
        more = false;
        for (int i = 0; i < (int)x->s->o.n; i++) {
            more |= honest(x, i) && share(x, s, i);
        }
    }
}

/* All timers of all that are not through are due; false: there is none. */
static bool timers(struct search *x, struct state *s)
{
    bool some = false;
    for (int i = 0; i < (int)x->s->o.n; i++) {
        if (honest(x, i) && x->g->local[i][s->local[i]].cur <= x->s->o.slots) {
            act(x, s, i, ACT_TIMER);
            some = true;
        }
    }
    return some;
}

/* Nobody has used up its crashes: their disks are as they would be. */
static bool may_crash(const struct search *x, const struct state *s)
{
    for (int i = 0; i < (int)x->s->o.n; i++) {
        if (honest(x, i) && x->g->local[i][s->local[i]].disk.crashes >= x->o->walk.crashes) {
            return false;
        }
    }
    return true;
}

/* Everybody hears everything, then timers; until all are past the last slot. */
static void heal(struct search *x, bool power_failure)
{
    struct state s = x->state[x->at];
    for (int i = 0; power_failure && i < (int)x->s->o.n; i++) {
        if (honest(x, i)) {
            act(x, &s, i, ACT_CRASH);
        }
    }
    for (uint64_t round = 0; round < 4 * x->s->o.slots; round++) {
        share_all(x, &s);
        if (!timers(x, &s)) {
            x->r->healed++;
            return;
        }
    }
    broken("the network is whole again%s and nobody moves",
           power_failure ? " after a power failure of all" : "");
}

/* ---- all ------------------------------------------------------------------------------------------ */

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void try_member(struct search *x, int i, const struct offer *offer)
{
    const struct state s = x->state[x->at];
    uint32_t steps = 0;
    x->by = i;
    const struct walk_step *step = walks_from(x->walks, i, s.local[i], offer, &steps);
    x->by = -1;
    for (uint32_t k = 0; k < steps; k++) {
        struct state n = s;
        n.local[i] = step[k].local;
        n.sent |= step[k].made;
        n.from = (uint32_t)x->at;
        n.depth++;
        n.by = (uint8_t)i;
        add(x, &n);
    }
    x->r->steps += steps;
}

static void expand(struct search *x)
{
    const struct state s = x->state[x->at];
    struct view v = view_of(x, &s);
    struct offer offer = offer_of(x, &s);
    judge_all(&v, offer.certs, x->r->seen);
    if (x->o->heal_every != 0 && x->at % x->o->heal_every == 0) {
        heal(x, false);
        if (may_crash(x, &s)) {
            heal(x, true);
        }
    }
    for (int i = 0; i < (int)x->s->o.n; i++) {
        if (honest(x, i)) {
            try_member(x, i, &offer);
        }
    }
}

static void prepare(struct search *x)
{
    uint64_t size = 1024;
    while (size < 2 * x->o->states) {
        size *= 2;
    }
    x->mask = size - 1;
    x->room = x->o->states;
    x->state = calloc(x->room, sizeof *x->state);
    x->table = calloc(size, sizeof *x->table);
    if (x->state == NULL || x->table == NULL) {
        broken("no memory left");
    }
}

void search_run(struct graph *g, const struct search_options *o, struct search_result *out)
{
    struct search x = {.g = g, .s = g->scene, .o = o, .r = out, .by = -1};
    double end = seconds_now() + o->seconds;
    memset(out, 0, sizeof *out);
    out->complete = true;
    x.walks = walks_new(g, &o->walk);
    prepare(&x);
    now = &x;
    add(&x, &(struct state){.by = 0});
    for (; x.at < x.states; x.at++) {
        if (seconds_now() > end) {
            out->complete = false;
            break;
        }
        expand(&x);
    }
    out->states = x.at;
    now = NULL;
    walks_free(x.walks);
    free(x.state);
    free(x.table);
}
