/* The order of a step, seen from outside (CONSENSUS 8): what the core asks for behind a write leaves
 * when the disk has said that this write is durable, in the order of asking, before the core hears
 * of it; and what it asks for behind none leaves at once. */
#include "tests/sim/oracle.h"

/* Two messages of one kind that differ have different marks, as far as it matters here. */
static uint64_t mark_of(const struct message *m)
{
    const struct bundle *b = &m->u.bundle;
    switch ((int)m->kind) {
    case MSG_PROPOSAL:
        return load_be64(m->u.proposal.head.hash.b);
    case MSG_BODY:
        return load_be64(m->u.body.block.b);
    case MSG_VOTES:
    case MSG_BUNDLE:
        return b->votes == 0 ? b->certs : b->vote[0].slot << 8 | (uint64_t)b->vote[0].kind << 4;
    default:
        return 0;
    }
}

static void await(struct sim *s, struct node *n, const struct awaited *a)
{
    uint32_t count = s->oracle->order[n->index].n;
    if (count == AWAITED) {
        sim_fail(s, SIM_BOUND, "member %d: %u messages wait for its disk", n->member, count);
        return;
    }
    uint32_t at = s->oracle->order[n->index].at + count;
    s->oracle->order[n->index].wait[at % AWAITED] = *a;
    s->oracle->order[n->index].n++;
}

static struct awaited asked(const struct effect *e)
{
    return (struct awaited){.gate = e->u.send.gate,
                            .mark = mark_of(e->u.send.message),
                            .to = e->u.send.to,
                            .kind = (int)e->u.send.message->kind};
}

static void ask(struct sim *s, struct node *n, const struct awaited *a)
{
    if (a->gate > n->disk.journal) {
        await(s, n, a);
    }
}

void oracle_asks(struct sim *s, struct node *n, const struct effect *e)
{
    struct awaited a = asked(e);
    s->oracle->order[n->index].now = e;
    ask(s, n, &a);
}

void oracle_asks_body(struct sim *s, struct node *n, const struct hash *block)
{
    struct awaited a = asked(s->oracle->order[n->index].now);
    a.kind = MSG_BODY;
    a.mark = load_be64(block->b);
    ask(s, n, &a);
}

void oracle_asked(struct sim *s, struct node *n)
{
    s->oracle->order[n->index].now = NULL;
}

static bool is(const struct awaited *a, int to, const struct message *m)
{
    return a->to == to && a->kind == (int)m->kind && a->mark == mark_of(m);
}

/* Is it, or does it follow, what is being carried out just now, and waits for nothing? */
static bool at_once(const struct sim *s, const struct node *n, int to, const struct message *m)
{
    const struct effect *e = s->oracle->order[n->index].now;
    if (e == NULL || e->u.send.gate > n->disk.journal || e->u.send.to != to) {
        return false;
    }
    const struct message *now = e->u.send.message;
    return m == now || (m->kind == MSG_BODY && now->kind == MSG_PROPOSAL &&
                        hash_equal(&m->u.body.block, &now->u.proposal.head.hash));
}

void oracle_sends(struct sim *s, struct node *n, int to, const struct message *m)
{
    if (at_once(s, n, to, m)) {
        return;
    }
    uint32_t at = s->oracle->order[n->index].at;
    const struct awaited *a = &s->oracle->order[n->index].wait[at % AWAITED];
    if (s->oracle->order[n->index].n == 0 || !is(a, to, m)) {
        sim_fail(s, SIM_SAFETY, "member %d: a message of kind %d leaves out of its order",
                 n->member, (int)m->kind);
    } else if (a->gate > n->disk.journal) {
        sim_fail(s, SIM_SAFETY, "member %d: a message leaves before write %llu is durable",
                 n->member, (unsigned long long)a->gate);
    }
    s->oracle->order[n->index].at++;
    s->oracle->order[n->index].n--;
}

void oracle_told(struct sim *s, struct node *n, const struct event *e)
{
    uint32_t at = s->oracle->order[n->index].at;
    n->disk.heard |= e->kind == EVENT_WRITE_FAILED;
    if (e->kind != EVENT_PERSISTED) {
        return;
    }
    if (e->u.persisted > n->disk.journal) {
        sim_fail(s, SIM_SAFETY, "member %d: its core believes in write %llu, which is not durable",
                 n->member, (unsigned long long)e->u.persisted);
    }
    if (s->oracle->order[n->index].n > 0 &&
        s->oracle->order[n->index].wait[at % AWAITED].gate <= e->u.persisted) {
        sim_fail(s, SIM_SAFETY, "member %d: write %llu is durable, what waited for it did not leave",
                 n->member, (unsigned long long)e->u.persisted);
    }
}

void oracle_died(struct sim *s, struct node *n)
{
    s->oracle->order[n->index].n = 0;
    s->oracle->order[n->index].now = NULL;
}
