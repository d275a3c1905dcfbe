#include "sequencer/batcher/duty_state.h"

/* ---- which intents can still land ------------------------------------------------------------------ */

static bool nonce_is_held(const struct duty *d, uint8_t owner, uint64_t nonce)
{
    for (size_t i = 0; i < d->helds; i++) {
        const struct post_intent *p = &d->held[i]->is;
        for (size_t k = 0; p->member == owner && k < p->parts; k++) {
            if (p->part[k].nonce == nonce) {
                return true;
            }
        }
    }
    return false;
}

/* Every nonce from the account's to the intent's is one that we could send. */
static bool reachable(const struct duty *d, const struct held *h, uint64_t nonce)
{
    uint64_t last = 0;
    for (size_t k = 0; k < h->is.parts; k++) {
        last = h->is.part[k].nonce > last ? h->is.part[k].nonce : last;
    }
    if (last - nonce > LIMIT_DUTY_INTENTS) {
        return false;
    }
    for (; nonce <= last; nonce++) {
        if (!nonce_is_held(d, h->is.member, nonce)) {
            return false;
        }
    }
    return true;
}

/* The account is past it, and yet its segment is not derived: it was not what L1 wants. */
static bool consumed(const struct held *h, uint64_t nonce)
{
    for (size_t k = 0; k < h->is.parts; k++) {
        if (h->is.part[k].nonce >= nonce) {
            return false;
        }
    }
    return true;
}

static bool since(uint64_t from, uint64_t head, uint32_t heads)
{
    return from != 0 && head >= from + heads;
}

/* Of another member. What looks wrong only for a moment is given some heads: a reorg, a lower
 * transaction that we were not told of. */
static bool is_dead(const struct duty *d, struct held *h, const struct duty_view *v)
{
    const struct duty_account *a = &v->account[h->is.member];
    if (h->superseded || (a->known && consumed(h, a->nonce))) {
        return true;
    }
    bool gap = a->known && !reachable(d, h, a->nonce);
    h->gap_head = !gap ? 0 : h->gap_head == 0 ? v->head : h->gap_head;
    return since(h->gap_head, v->head, d->cfg.patience) ||
           (h->said_never && since(h->never_head, v->head, d->cfg.patience)) ||
           since(h->foreign_head, v->head, d->cfg.takeover) ||
           since(h->top_push, v->head, d->cfg.patience);
}

/* Our own that was not sent in time is late as well: somebody has taken over meanwhile. */
static bool is_late(const struct duty *d, const struct held *h, const struct duty_view *v)
{
    bool mine = h->is.member == d->cfg.self;
    return mine ? !h->released && v->now_ms > h->is.time_ms + 2 * (uint64_t)d->cfg.ack_most_ms
                : h->late;
}

/* The same for all members that hold the same intents. */
static bool is_better(const struct duty *d, const struct duty_segment *s, const struct held *a,
                      const struct held *b, const struct duty_view *v)
{
    bool a_late = is_late(d, a, v);
    if (a_late != is_late(d, b, v)) {
        return !a_late;
    }
    if (a->is.time_ms != b->is.time_ms) {
        return a->is.time_ms < b->is.time_ms;
    }
    return duty_rank(d, s, a->is.member) < duty_rank(d, s, b->is.member);
}

struct held *duty_best(const struct duty *d, const struct duty_segment *s,
                       const struct duty_view *v)
{
    struct held *found = NULL;
    for (size_t i = 0; i < d->helds; i++) {
        struct held *h = d->held[i];
        bool mine = h->is.member == d->cfg.self;
        if (h->is.segment != s->no || h->superseded || (mine ? !v->able : is_dead(d, h, v))) {
            continue;
        }
        if (found == NULL || is_better(d, s, h, found, v)) {
            found = h;
        }
    }
    return found;
}

/* ---- actions ------------------------------------------------------------------------------------- */

static struct duty_action *act(struct duty_plan *out, enum duty_do what, uint64_t segment)
{
    struct duty_action *a = &out->action[out->n++]; /* at most two a segment (duty_new) */
    *a = (struct duty_action){.what = what, .segment = segment};
    return a;
}

/* An event may be a moment younger than the view. A clock that was set back is not waited for. */
static uint64_t passed(uint64_t from_ms, uint64_t now_ms)
{
    if (now_ms >= from_ms) {
        return now_ms - from_ms;
    }
    return from_ms - now_ms < 1000 ? 0 : UINT64_MAX;
}

static void share(const struct duty *d, struct held *h, const struct duty_view *v,
                  struct duty_plan *out)
{
    uint32_t others = (UINT32_MAX >> (32 - d->cfg.members)) & ~(UINT32_C(1) << d->cfg.self);
    uint32_t missing = others & ~h->acks;
    bool due = !h->was_shared || passed(h->shared_ms, v->now_ms) >= d->cfg.ack_most_ms;
    if (missing == 0 || !due) {
        return;
    }
    struct duty_action *a = act(out, DUTY_SHARE, h->is.segment);
    a->owner = d->cfg.self;
    a->to = missing;
    a->intent = &h->is;
    a->encoded = bytes_of(h->bytes, h->n);
    h->was_shared = true;
    h->shared_ms = v->now_ms;
}

/* R5: with all that can be reached; or with one, after a while; or alone, after a longer one. */
static bool is_shared(const struct duty *d, const struct held *h, const struct duty_view *v)
{
    uint32_t there = v->connected & ~(UINT32_C(1) << d->cfg.self);
    uint64_t age = passed(h->made_ms, v->now_ms);
    bool enough = h->acks != 0 && ((there & ~h->acks) == 0 || age >= d->cfg.ack_ms);
    return d->cfg.members == 1 || enough || age >= d->cfg.ack_most_ms;
}

/* Another's transaction, once a head. Whoever is on duty climbs its ladder, a rung each `patience`
 * heads; whoever only helps stays at the lowest. */
static void push(const struct duty *d, struct held *h, bool on_duty, const struct duty_view *v,
                 struct duty_plan *out)
{
    if (h->foreign) {
        h->foreign_head = on_duty && h->foreign_head == 0 ? v->head : h->foreign_head;
        return;
    }
    if (h->last_push == v->head) {
        return;
    }
    size_t top = h->is.part[0].rungs - 1;
    uint64_t rung = 0;
    if (on_duty) {
        h->first_push = h->first_push == 0 ? v->head : h->first_push;
        rung = v->head < h->first_push ? 0 : (v->head - h->first_push) / d->cfg.patience;
        rung = rung < top ? rung : top;
        h->top_push = rung == top && h->top_push == 0 ? v->head : h->top_push;
    }
    struct duty_action *a = act(out, DUTY_PUSH, h->is.segment);
    a->owner = h->is.member;
    a->rung = (size_t)rung;
    a->intent = &h->is;
    a->encoded = bytes_of(h->bytes, h->n);
    h->last_push = v->head;
}

/* ---- one segment ---------------------------------------------------------------------------------- */

static uint64_t base_of(const struct duty *d, const struct duty_segment *s)
{
    return s->no == d->next && d->next_head > s->seal_l1 ? d->next_head : s->seal_l1;
}

static bool on_duty(const struct duty *d, const struct duty_segment *s, bool chain,
                    const struct held *other, const struct duty_view *v)
{
    uint64_t base = base_of(d, s);
    uint32_t rank = duty_rank(d, s, d->cfg.self);
    bool late = v->head >= base + d->cfg.takeover;
    bool next = s->no == d->next;
    if (chain) {
        return true;
    }
    if (v->leader == d->cfg.self && (other != NULL || (next && late))) {
        return true;
    }
    return next && (rank == 0 || v->head >= base + (uint64_t)rank * d->cfg.takeover);
}

/* What landed and was not derived counts for nothing: to be posted anew. */
static struct held *own_of(const struct duty *d, const struct duty_segment *s,
                           const struct duty_view *v)
{
    struct held *own = duty_held_of(d, s->no, d->cfg.self);
    const struct duty_account *a = &v->account[d->cfg.self];
    if (own != NULL && a->known && consumed(own, a->nonce)) {
        own->superseded = true;
        own = NULL;
    }
    return own;
}

/* From whose account the segment before is on its way, and this one is after consider; or NOBODY. */
enum { NOBODY = -1 };

static int consider(const struct duty *d, const struct duty_segment *s, int before,
                    const struct duty_view *v, struct duty_plan *out)
{
    struct held *own = own_of(d, s, v);
    struct held *it = duty_best(d, s, v);
    if (own != NULL && own->released) {
        share(d, own, v, out);
        return d->cfg.self;
    }
    if (own != NULL && it == own) {
        share(d, own, v, out);
        if (is_shared(d, own, v)) {
            act(out, DUTY_RELEASE, s->no)->owner = d->cfg.self;
        }
        return NOBODY; /* not sent yet: nothing may follow it */
    }
    /* After somebody else's, another account's transaction would come too early. */
    bool ordered = s->no == d->next || (it != NULL && it->is.member == before);
    if (it != NULL && !ordered) {
        return NOBODY;
    }
    if (on_duty(d, s, before == d->cfg.self, it, v)) {
        if (it != NULL) {
            push(d, it, true, v, out);
        } else if (v->able && own == NULL) {
            act(out, DUTY_POST, s->no)->owner = d->cfg.self;
        }
    } else if (it != NULL && v->head >= base_of(d, s) + d->cfg.takeover) {
        push(d, it, false, v, out);
    }
    return it != NULL ? it->is.member : NOBODY;
}

/* ---- the tick ------------------------------------------------------------------------------------ */

static void forget_final(struct duty *d, uint64_t safe_final)
{
    size_t gone = 0;
    /* The last one stays: it says which comes next. */
    while (gone + 1 < d->segments && d->segment[gone].last <= safe_final) {
        gone++;
    }
    d->segments -= gone;
    for (size_t i = 0; gone > 0 && i < d->segments; i++) {
        d->segment[i] = d->segment[i + gone];
    }
    for (size_t i = d->helds; i-- > 0;) {
        if (d->held[i]->is.last <= safe_final) {
            duty_held_remove(d, i);
        }
    }
}

static enum duty_state state_of(const struct duty_view *v)
{
    if (v->mismatch) {
        return DUTY_ALARM;
    }
    if (!v->l1_ok) {
        return DUTY_L1_DOWN;
    }
    if (v->window_over) {
        return DUTY_RECOVER;
    }
    return v->derived ? DUTY_OK : DUTY_BEHIND;
}

static size_t first_unsafe(const struct duty *d, uint64_t safe)
{
    size_t i = 0;
    while (i < d->segments && d->segment[i].last <= safe) {
        i++;
    }
    return i;
}

void duty_tick(struct duty *d, const struct duty_view *v, struct duty_plan *out)
{
    *out = (struct duty_plan){.state = state_of(v)};
    if (out->state != DUTY_OK) {
        return;
    }
    d->view = *v;
    forget_final(d, v->safe_final);
    size_t i = first_unsafe(d, v->safe);
    d->backlog = d->segments - i;
    if (i < d->segments && d->segment[i].no != d->next) {
        d->next = d->segment[i].no;
        d->next_head = v->head;
    }
    int before = NOBODY;
    bool unbroken = true;
    for (size_t n = 0; i < d->segments && n < d->cfg.inflight; i++, n++) {
        out->upto = unbroken ? d->segment[i].no + 1 : out->upto;
        before = consider(d, &d->segment[i], before, v, out);
        unbroken = unbroken && before == d->cfg.self;
    }
}
