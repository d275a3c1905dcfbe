/* Links: connections that come up, break and are cut; frames that are late, lost, doubled, out of
 * order. A cut is silent, a reset is seen by both ends. */
#include "tests/sim/sim.h"

enum { DIAL_US = 100 * MS };

static struct link *link_of(struct sim *s, const struct node *from, const struct node *to)
{
    return &s->link[from->index][to->index];
}

void links_reset(struct sim *s)
{
    for (int i = 0; i < SIM_NODES; i++) {
        for (int j = 0; j < SIM_NODES; j++) {
            s->link[i][j] = (struct link){
                .dice = dice_of(s->plan->seed, DICE_LINK, (uint64_t)(i * SIM_NODES + j))};
        }
    }
    s->asked = 0;
    s->jitter_us = 0;
    s->loss = s->twice = 0;
}

static uint64_t base_us(const struct sim *s, const struct node *a, const struct node *b)
{
    int far = (int)s->plan->n - 1;
    return a->member == far || b->member == far ? s->plan->far_us : s->plan->link_us;
}

static void post_once(struct sim *s, struct node *from, struct node *to, struct frame *f)
{
    struct link *l = link_of(s, from, to);
    uint64_t base = base_us(s, from, to);
    uint64_t late = dice_below(&l->dice, base / 20 + 2) + dice_below(&l->dice, s->jitter_us + 1);
    f->refs++;
    s->account->frames++;
    queue_push(s, (struct sim_event){.at = s->now + base + l->extra_us + late,
                                     .kind = SIM_FRAME,
                                     .to = (int8_t)to->index,
                                     .from = (int8_t)from->index,
                                     .life = to->life,
                                     .value = l->life,
                                     .frame = f});
}

/* Twins: what is said in a scripted slot stays on the speaker's side. */
static bool apart(struct sim *s, const struct node *from, const struct node *to)
{
    if (s->healing || from->cur > s->plan->scripted) {
        return false;
    }
    s->asked |= 1u << (from->cur - 1);
    uint64_t sides = (s->plan->sides >> 4 * (from->cur - 1) & 15) << 1;
    return (sides >> from->index & 1) != (sides >> to->index & 1);
}

void links_post_node(struct sim *s, struct node *from, struct node *to, struct frame *f)
{
    struct link *l = link_of(s, from, to);
    if (!l->up || l->cuts > 0 || (s->plan->scripted > 0 && apart(s, from, to)) || !to->up ||
        (l->deaf_kinds & 1u << f->kind) != 0 || (s->loss > 0 && dice_chance(&l->dice, s->loss))) {
        return;
    }
    post_once(s, from, to, f);
    if (s->twice > 0 && dice_chance(&l->dice, s->twice)) {
        post_once(s, from, to, f);
    }
}

void links_post(struct sim *s, struct node *from, int to_member, struct frame *f)
{
    for (uint32_t i = 0; i < s->nodes; i++) {
        struct node *to = &s->node[i];
        if (to->member != from->member && (to_member == SEND_ALL || to->member == to_member)) {
            links_post_node(s, from, to, f);
        }
    }
}

/* ---- connections ------------------------------------------------------------------------------
 */

static void dial(struct sim *s, struct node *to, struct node *from, uint64_t at)
{
    queue_push(s, (struct sim_event){.at = at,
                                     .kind = SIM_PEER_UP,
                                     .to = (int8_t)to->index,
                                     .from = (int8_t)from->index,
                                     .life = to->life,
                                     .value = from->life});
}

void links_connect(struct sim *s, struct node *n)
{
    for (uint32_t i = 0; i < s->nodes; i++) {
        struct node *o = &s->node[i];
        if (o->member != n->member && o->up) {
            uint64_t at = s->now + 3 * base_us(s, n, o);
            dial(s, n, o, at);
            dial(s, o, n, at);
        }
    }
}

void links_latency(struct sim *s, struct node *to, struct node *from)
{
    struct link *l = link_of(s, to, from);
    uint64_t one_way = base_us(s, to, from) + s->link[from->index][to->index].extra_us;
    uint64_t p99 = one_way + one_way / 20 + s->jitter_us;
    if (l->told_us == p99 || to->core == NULL) {
        return;
    }
    l->told_us = p99;
    struct event ev = {.kind = EVENT_LATENCY, .peer = from->member};
    ev.u.latency.one_way_p50_us = one_way + one_way / 40 + s->jitter_us / 2;
    ev.u.latency.one_way_p99_us = p99;
    node_step(s, to, &ev);
}

/* The connection is there, or is tried again. */
void links_connected(struct sim *s, struct node *to, struct node *from)
{
    struct link *l = link_of(s, to, from);
    if (!from->up) {
        return; /* it dials itself when it is back */
    }
    if (l->cuts > 0 || link_of(s, from, to)->cuts > 0) {
        dial(s, to, from, s->now + DIAL_US);
        return;
    }
    l->up = true;
    struct event ev = {.kind = EVENT_PEER, .peer = from->member};
    ev.u.peer.up = true;
    if (to->core != NULL) {
        node_step(s, to, &ev);
        links_latency(s, to, from);
    }
}

static void break_one(struct sim *s, struct node *to, struct node *from, bool back)
{
    struct link *l = link_of(s, to, from);
    uint64_t at = s->now + base_us(s, to, from);
    if (!l->up) {
        return;
    }
    l->up = false;
    l->life++;
    queue_push(s, (struct sim_event){.at = at,
                                     .kind = SIM_PEER_DOWN,
                                     .to = (int8_t)to->index,
                                     .from = (int8_t)from->index,
                                     .life = to->life});
    if (back) {
        dial(s, to, from, at + DIAL_US);
    }
}

/* A process died: its peers see a reset where the wire is whole. */
void links_broken(struct sim *s, struct node *gone)
{
    for (uint32_t i = 0; i < s->nodes; i++) {
        struct node *o = &s->node[i];
        link_of(s, gone, o)->up = false;
        if (o->up && link_of(s, gone, o)->cuts == 0) {
            break_one(s, o, gone, false);
        }
    }
}

void links_break(struct sim *s, struct node *a, struct node *b)
{
    break_one(s, a, b, true);
    break_one(s, b, a, true);
}

static void cut_one(struct sim *s, const struct node *from, const struct node *to, bool begin)
{
    struct link *l = link_of(s, from, to);
    if (begin) {
        l->cuts++;
    } else if (l->cuts > 0) {
        l->cuts--;
    }
}

void links_cut(struct sim *s, int a, int b, bool begin, bool both)
{
    for (uint32_t i = 0; i < s->nodes; i++) {
        for (uint32_t j = 0; j < s->nodes; j++) {
            if (s->node[i].member == a && s->node[j].member == b) {
                cut_one(s, &s->node[i], &s->node[j], begin);
                if (both) {
                    cut_one(s, &s->node[j], &s->node[i], begin);
                }
            }
        }
    }
}
