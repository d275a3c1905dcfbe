/* What one member may do before the others see anything of it. Answers are kept: they follow from
 * the local state and what is offered. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/explore/explore.h"

enum { ANSWERS_FIRST = 4096 };

struct answer {
    struct offer offer;
    uint32_t from, n;
    int member;
    struct walk_step *step;
};

struct visit {
    uint32_t local;
    uint32_t before;    /* visit that led here */
    int action;
};

struct walks {
    struct graph *g;
    struct walk_rules rules;
    struct answer *answer; /* open addressing; step NULL: free */
    uint64_t answers, mask;
    /* the walk at work */
    struct visit *visit;
    uint32_t visits, visits_room;
    uint32_t *mark[MEMBERS], marks[MEMBERS], round;
    struct walk_step *found, *kept;
    uint32_t found_n, found_room, kept_room;
    uint32_t at;
    int action;
};

static void *grown(void *p, size_t bytes)
{
    p = realloc(p, bytes);
    if (p == NULL) {
        broken("no memory left");
    }
    return p;
}

struct walks *walks_new(struct graph *g, const struct walk_rules *rules)
{
    struct walks *w = calloc(1, sizeof *w);
    if (w == NULL) {
        broken("no memory left");
    }
    w->g = g;
    w->rules = *rules;
    w->mask = ANSWERS_FIRST - 1;
    w->answer = calloc(ANSWERS_FIRST, sizeof *w->answer);
    w->action = -1;
    if (w->answer == NULL) {
        broken("no memory left");
    }
    return w;
}

void walks_free(struct walks *w)
{
    for (uint64_t i = 0; i <= w->mask; i++) {
        free(w->answer[i].step);
    }
    for (int i = 0; i < MEMBERS; i++) {
        free(w->mark[i]);
    }
    free(w->answer);
    free(w->visit);
    free(w->found);
    free(w->kept);
    free(w);
}

/* ---- one walk --------------------------------------------------------------------------------------- */

/* True at the first sight of this local state in this walk. */
static bool mark(struct walks *w, int member, uint32_t local)
{
    if (local >= w->marks[member]) {
        uint32_t n = 2 * local + 1024;
        w->mark[member] = grown(w->mark[member], n * sizeof *w->mark[member]);
        memset(w->mark[member] + w->marks[member], 0,
               (n - w->marks[member]) * sizeof *w->mark[member]);
        w->marks[member] = n;
    }
    bool fresh = w->mark[member][local] != w->round;
    w->mark[member][local] = w->round;
    return fresh;
}

static void push_visit(struct walks *w, uint32_t local, uint32_t before, int action)
{
    if (w->visits == w->visits_room) {
        w->visits_room = 2 * w->visits_room + 256;
        w->visit = grown(w->visit, w->visits_room * sizeof *w->visit);
    }
    w->visit[w->visits++] = (struct visit){local, before, action};
}

static void push_found(struct walks *w, uint32_t local, uint64_t made)
{
    for (uint32_t i = 0; i < w->found_n; i++) {
        if (w->found[i].local == local && w->found[i].made == made) {
            return;
        }
    }
    if (w->found_n == w->found_room) {
        w->found_room = 2 * w->found_room + 256;
        w->found = grown(w->found, w->found_room * sizeof *w->found);
    }
    w->found[w->found_n++] = (struct walk_step){local, made};
}

static void try_action(struct walks *w, int member, const struct offer *offer, int action)
{
    uint32_t from = w->visit[w->at].local;
    uint64_t made = 0;
    w->action = action;
    uint32_t to = graph_next(w->g, member, from, action, &made);
    const struct local *l = w->g->local[member];
    made &= ~offer->proposals;
    if (made != 0 || l[to].disk.votes != l[from].disk.votes) {
        push_found(w, to, made);
    } else if (mark(w, member, to)) {
        push_visit(w, to, w->at, action);
    }
}

/* Both proposals of a slot are evidence, and evidence goes into blocks: a world of blocks for nothing
 * that votes depend on. So a second one is known by certificates alone, unless asked for. */
static bool shows(const struct walks *w, const struct local *l, int proposal)
{
    const struct scene *s = w->g->scene;
    uint64_t slot = s->block[s->proposal[proposal].block].head.header.slot;
    return w->rules.both || (l->shown >> slot & 1u) == 0;
}

static void try_all(struct walks *w, int member, const struct offer *offer)
{
    const struct local *l = &w->g->local[member][w->visit[w->at].local];
    bool within = l->cur <= w->g->scene->o.slots;
    bool crash = l->disk.crashes < w->rules.crashes;
    if (within) {
        try_action(w, member, offer, ACT_TIMER);
    }
    if (within && w->rules.alone) {
        try_action(w, member, offer, ACT_ALONE);
    }
    if (crash) {
        try_action(w, member, offer, ACT_CRASH);
    }
    for (int k = 0; k < PROPOSALS; k++) {
        l = &w->g->local[member][w->visit[w->at].local];
        if ((offer->proposals >> k & 1) != 0 && shows(w, l, k)) {
            try_action(w, member, offer, ACT_PROPOSAL + k);
        }
    }
    for (int k = 0; k < CERTS; k++) {
        if ((offer->certs >> k & 1) != 0) {
            try_action(w, member, offer, ACT_CERT + k);
        }
    }
    for (int k = 0; w->rules.votes && k < MEMBERS * CERTS; k++) {
        if (k / CERTS != member && (offer->votes[k / CERTS] >> k % CERTS & 1) != 0) {
            try_action(w, member, offer, ACT_VOTE + k);
        }
    }
    w->action = -1;
}

static void walk_on(struct walks *w, int member, uint32_t from, const struct offer *offer)
{
    w->visits = 0;
    w->found_n = 0;
    mark(w, member, from);
    push_visit(w, from, UINT32_MAX, -1);
    for (w->at = 0; w->at < w->visits; w->at++) {
        try_all(w, member, offer);
    }
}

static void walk(struct walks *w, int member, uint32_t from, const struct offer *offer)
{
    w->round++;
    walk_on(w, member, from, offer);
}

/* Of two states that show the same, one that leads to the other unseen will do: what the other can do
 * it can do too, later. The marks of all walks from those that are kept stay together. */
static uint32_t keep_least(struct walks *w, int member, const struct offer *offer)
{
    uint32_t n = w->found_n;
    uint32_t kept = 0;
    if (n > w->kept_room) {
        w->kept_room = 2 * n;
        w->kept = grown(w->kept, w->kept_room * sizeof *w->kept);
    }
    if (n > 0) {
        memcpy(w->kept, w->found, n * sizeof *w->kept);
    }
    for (uint32_t i = 0; i < n; i++) {
        bool same = kept > 0 && w->kept[kept - 1].made == w->kept[i].made;
        w->round += same ? 0 : 1;
        if (same && !mark(w, member, w->kept[i].local)) {
            continue;
        }
        struct offer later = *offer;
        later.proposals |= w->kept[i].made;
        w->kept[kept++] = w->kept[i];
        walk_on(w, member, w->kept[i].local, &later);
    }
    return kept;
}

/* ---- answers -------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static struct answer *find(struct walks *w, int member, uint32_t from, const struct offer *offer)
{
    uint64_t h = mix(mix(mix(offer->certs, offer->proposals), from), (uint64_t)member);
    for (int i = 0; i < MEMBERS; i++) {
        h = mix(h, offer->votes[i]);
    }
    uint64_t at = (h ^ h >> 32) & w->mask;
    for (;; at = (at + 1) & w->mask) {
        struct answer *a = &w->answer[at];
        bool here = a->from == from && a->member == member &&
                    memcmp(&a->offer, offer, sizeof *offer) == 0;
        if (a->step == NULL || here) {
            return a;
        }
    }
}

static void grow(struct walks *w)
{
    struct answer *old = w->answer;
    uint64_t n = w->mask + 1;
    w->mask = 2 * n - 1;
    w->answer = calloc(2 * n, sizeof *w->answer);
    if (w->answer == NULL) {
        broken("no memory left");
    }
    for (uint64_t i = 0; i < n; i++) {
        if (old[i].step != NULL) {
            *find(w, old[i].member, old[i].from, &old[i].offer) = old[i];
        }
    }
    free(old);
}

const struct walk_step *walks_from(struct walks *w, int member, uint32_t from,
                                   const struct offer *offer, uint32_t *n)
{
    struct answer *a = find(w, member, from, offer);
    if (a->step == NULL) {
        if (2 * w->answers++ > w->mask) {
            grow(w);
            a = find(w, member, from, offer);
        }
        walk(w, member, from, offer);
        uint32_t kept = keep_least(w, member, offer);
        *a = (struct answer){.offer = *offer, .from = from, .n = kept, .member = member};
        a->step = malloc((kept + 1) * sizeof *a->step);
        if (a->step == NULL) {
            broken("no memory left");
        }
        if (kept > 0) {
            memcpy(a->step, w->kept, kept * sizeof *a->step);
        }
    }
    *n = a->n;
    return a->step;
}

/* ---- telling -------------------------------------------------------------------------------------- */

static void print_object(const struct scene *s, int action)
{
    static const char *const kinds[KINDS] = {"notarize", "skip", "finalize"};
    if (action >= ACT_CERT) {
        bool vote = action >= ACT_VOTE;
        const struct cert_entry *c =
            &s->cert[vote ? (action - ACT_VOTE) % CERTS : action - ACT_CERT];
        if (vote) {
            fprintf(stderr, "vote of member %d, for a ", (action - ACT_VOTE) / CERTS);
        }
        fprintf(stderr, "certificate: %s slot %llu", kinds[c->kind], (unsigned long long)c->slot);
        fprintf(stderr, c->kind == SKIP ? "\n" : " block %d\n", c->block);
        return;
    }
    int block = s->proposal[action - ACT_PROPOSAL].block;
    const struct header *h = &s->block[block].head.header;
    fprintf(stderr, "proposal: block %d at slot %llu on block %d%s\n", block,
            (unsigned long long)h->slot, s->block[block].parent,
            (h->flags & FLAG_LAST) != 0 ? ", LAST" : "");
}

static void print_step(const struct scene *s, int member, int action)
{
    static const char *const names[] = {"all timers are due",
                                        "all timers are due, nobody is heard",
                                        "crashes and restarts"};
    fprintf(stderr, "  member %d: ", member);
    if (action < ACT_PROPOSAL) {
        fprintf(stderr, "%s\n", names[action]);
    } else {
        print_object(s, action);
    }
}

static void print_visit(const struct walks *w, int member, uint32_t visit)
{
    const struct visit *v = &w->visit[visit];
    if (v->before != UINT32_MAX) {
        print_visit(w, member, v->before);
        print_step(w->g->scene, member, v->action);
    }
}

void walks_print(struct walks *w, int member, uint32_t from, const struct offer *offer,
                 uint32_t to)
{
    if (to == UINT32_MAX && w->action >= 0) {
        print_visit(w, member, w->at);
        print_step(w->g->scene, member, w->action);
        return;
    }
    walk(w, member, from, offer);
    for (uint32_t at = 0; at < w->visits; at++) {
        const struct local *l = &w->g->local[member][w->visit[at].local];
        for (int action = 0; action < ACTIONS; action++) {
            if (l->next[action] == to + 1) {
                print_visit(w, member, at);
                print_step(w->g->scene, member, action);
                return;
            }
        }
    }
}
