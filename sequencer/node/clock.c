/* What the other members' clocks say about the own one. Each status carries its sender's clock; the
 * middle of all clocks, by weight, is right while those who lie or are wrong weigh less than half.
 * A clock far from it is told to operators, and makes this member hand over: its blocks would be
 * held back by the others as coming from the future (CONSENSUS 2). */
#define _GNU_SOURCE
#include <stdlib.h>

#include "sequencer/node/parts.h"

enum { WRONG_MS = 1000, RIGHT_MS = 500, TIMES = 2 };

void clock_heard(struct node *n, int member, uint64_t clock_ms)
{
    struct clock_peer *p = &n->clock.peer[member];
    uint64_t way_ms = n->health.latency[member].p50 / 1000;
    /* Waiting makes a message older, never younger: the largest difference is the truest. */
    int64_t ahead = (int64_t)(clock_ms + way_ms) - (int64_t)driver_wall(n);
    if (!p->heard || ahead > p->ahead_ms) {
        p->ahead_ms = ahead;
    }
    p->heard = true;
}

struct reading {
    int64_t ahead_ms;
    uint32_t weight;
};

static int by_value(const void *a, const void *b)
{
    const struct reading *x = a;
    const struct reading *y = b;
    return (x->ahead_ms > y->ahead_ms) - (x->ahead_ms < y->ahead_ms);
}

/* The middle of those heard in the last second, the own clock among them (0); false: no quorum. */
static bool middle(const struct node *n, int64_t *out)
{
    struct reading r[LIMIT_MEMBERS];
    size_t count = 0;
    uint32_t total = 0;
    for (uint32_t i = 0; i < n->epoch.n; i++) {
        bool own = (int)i == n->self;
        if (own || n->clock.peer[i].heard) {
            r[count].ahead_ms = own ? 0 : n->clock.peer[i].ahead_ms;
            r[count].weight = n->epoch.member[i].weight;
            total += r[count++].weight;
        }
    }
    if (total < n->epoch.quorum) {
        return false;
    }
    qsort(r, count, sizeof *r, by_value);
    uint32_t below = 0;
    size_t at = 0;
    while (at + 1 < count && (below += r[at].weight) * 2 < total) {
        at++;
    }
    *out = r[at].ahead_ms;
    return true;
}

static void judge(struct node *n)
{
    struct clock_view *c = &n->clock;
    int64_t off = c->off_ms < 0 ? -c->off_ms : c->off_ms;
    c->times = off > (c->wrong ? RIGHT_MS : WRONG_MS) ? c->times + 1 : 0;
    bool wrong = c->wrong ? c->times > 0 : c->times >= TIMES;
    if (wrong == c->wrong) {
        return;
    }
    c->wrong = wrong;
    if (wrong) {
        char text[READY_SENTENCE];
        clock_say(n, text, sizeof text);
        log_write(LOG_WARN, "node", text, LOG_I64("offsetMs", c->off_ms), NULL);
    } else {
        log_write(LOG_INFO, "node", "this clock agrees with the other members' again",
                  LOG_I64("offsetMs", c->off_ms), NULL);
    }
}

void clock_look(struct node *n)
{
    struct clock_view *c = &n->clock;
    int64_t others = 0;
    if (n->self >= 0 && middle(n, &others)) {
        c->off_ms = -others;
        judge(n);
    }
    for (uint32_t i = 0; i < n->epoch.n; i++) {
        c->peer[i].known = c->peer[i].heard;
        c->peer[i].shown_ms = c->peer[i].ahead_ms;
        c->peer[i].heard = false;
    }
    metrics_set(n->metrics, METRIC_CLOCK_OFFSET, 0, (double)c->off_ms / 1e3);
}

void clock_say(const struct node *n, char *out, size_t size)
{
    int64_t off = n->clock.off_ms;
    snprintf(out, size,
             "this clock is %lld ms %s the other members': check its time synchronisation",
             (long long)(off < 0 ? -off : off), off < 0 ? "behind" : "ahead of");
}
