/* One event after the other: to the node that it is for, or to the world. */
#include <stdlib.h>

#include "tests/sim/adversary.h"
#include "tests/sim/users.h"

/* Events at one instant before somebody has to say that time stands still. */
enum { INSTANT_MOST = 200000 };

static bool stale(const struct sim *s, const struct sim_event *e)
{
    const struct node *n = &s->node[e->to];
    return !n->up || n->life != e->life;
}

static void hold_event(struct sim *s, struct sim_event *e)
{
    if (s->held_n == s->held_cap) {
        s->held_cap = s->held_cap == 0 ? 256 : 2 * s->held_cap;
        s->held = realloc(s->held, s->held_cap * sizeof *s->held);
        if (s->held == NULL) {
            abort();
        }
    }
    s->held[s->held_n++] = *e;
    e->frame = NULL;
}

static void peer_event(struct sim *s, struct node *n, const struct sim_event *e)
{
    struct node *from = &s->node[e->from];
    if (e->kind == SIM_PEER_UP) {
        if (from->life == e->value) {
            links_connected(s, n, from);
        }
        return;
    }
    struct event ev = {.kind = EVENT_PEER, .peer = from->member};
    ev.u.peer.reset = true;
    node_step(s, n, &ev);
}

static void node_event(struct sim *s, struct sim_event *e)
{
    struct node *n = &s->node[e->to];
    switch (e->kind) {
    case SIM_FRAME:
        if (s->link[e->from][e->to].life == e->value) {
            node_frame(s, n, &s->node[e->from], e->frame);
        }
        break;
    case SIM_TICK:
        node_tick(s, n, e->at);
        break;
    case SIM_DISK:
        disk_turn(s, n);
        break;
    case SIM_DISK_DONE:
        disk_done(s, n);
        break;
    case SIM_EXECUTED:
        client_executed(s, n, e->block, e->value);
        break;
    case SIM_BUILT:
        client_built(s, n, e->value);
        break;
    case SIM_PEER_UP:
    case SIM_PEER_DOWN:
        peer_event(s, n, e);
        break;
    case SIM_BEAT:
        node_beat(s, n);
        break;
    case SIM_HELD:
        liars_held(s, n, e->value);
        break;
    case SIM_BODY:
        node_body(s, n, e->block);
        break;
    case SIM_DOOM:
        disk_doom(s, n);
        break;
    default:
        break;
    }
}

static void world_event(struct sim *s, const struct sim_event *e)
{
    if (e->kind == SIM_USER) {
        users_beat(s);
    } else if (!s->healing) {
        const struct harm *h = &s->plan->harm[e->value];
        if (e->kind == SIM_HARM) {
            harm_begin(s, h);
        } else {
            harm_end(s, h);
        }
    }
}

/* False: nothing more before the limit. */
bool sim_event(struct sim *s, uint64_t limit)
{
    static uint64_t instant, count;
    struct sim_event e;
    if (s->end != SIM_PASS || !queue_pop(s, limit, &e)) {
        s->now = limit;
        return false;
    }
    s->now = e.at > s->now ? e.at : s->now;
    count = s->now == instant ? count + 1 : 0;
    instant = s->now;
    if (count > INSTANT_MOST) {
        sim_fail(s, SIM_BOUND, "time stands still: steps without end");
    }
    if (e.to < 0) {
        world_event(s, &e);
    } else if (!stale(s, &e)) {
        if (s->node[e.to].pauses > 0) {
            hold_event(s, &e);
        } else {
            sim_trace(s, e.at, (uint64_t)e.kind << 8 | (uint8_t)e.to);
            node_event(s, &e);
        }
    }
    frame_drop(s, e.frame);
    return true;
}
