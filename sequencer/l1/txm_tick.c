#include "sequencer/l1/txm_state.h"

/* ---- one slot ------------------------------------------------------------------------------------ */

static void set_mined(struct txm *t, struct txm_slot *s, size_t rung, const struct txm_receipt *r)
{
    if (!s->mined && t->limited && t->window < t->cfg.most_pending) {
        t->window++;
    }
    s->mined = true;
    s->lost = false;
    s->doubt_head = 0;
    s->block = r->block;
    s->paid = r->paid;
    s->mined_rung = rung;
    s->used = rung + 1 > s->used ? rung + 1 : s->used;
    if (s->rung[rung].load == s->loads - 1) {
        s->top = s->released && s->top > rung ? s->top : rung;
        s->released = true;
    }
}

/* A reorg took it back: the same bytes again, at once; higher fees only after the usual patience. */
static void set_unmined(struct txm *t, struct txm_slot *s)
{
    s->mined = false;
    s->rung_head = t->view.head.number;
    s->roomy = 0;
    s->due = true;
    s->wait_head = 0;
    t->window = t->cfg.max_pending;
    t->count.reorged++;
}

/* Its nonce is used, and not by what the journal knows: believed after some heads, not at once,
 * because a reorg under way looks the same. */
static void doubt(struct txm *t, struct txm_slot *s)
{
    if (t->view.account.nonce <= s->nonce) {
        s->doubt_head = 0;
        return;
    }
    if (s->doubt_head == 0) {
        s->doubt_head = t->view.head.number;
    }
    if (t->view.head.number >= s->doubt_head + t->cfg.doubt) {
        s->lost = true;
        t->stopped = true;
    }
}

/* Somebody else may have sent a higher rung that this account had shared. */
static void follow_pool(struct txm_slot *s, size_t rung)
{
    if (s->released && rung > s->top && s->rung[rung].load == s->loads - 1) {
        s->top = rung;
        s->used = rung + 1 > s->used ? rung + 1 : s->used;
        s->accepted = false;
    }
}

/* An answer with our hash proves nothing: some nodes drop what they took (a wrapper of before the
 * fork). Who does not find it anywhere two heads later sends it again. */
static void check_drop(struct txm *t, struct txm_slot *s, enum txm_pooled pool)
{
    if (pool == TXM_POOLED) {
        s->accepted = false;
        s->drops = 0;
    }
    if (s->accepted && pool == TXM_NOWHERE && t->view.head.number >= s->accepted_head + 2) {
        s->accepted = false;
        s->due = true;
        s->drops++;
        t->count.dropped++;
    }
}

static void refresh(struct txm *t, struct txm_slot *s)
{
    bool unknown = false;
    enum txm_pooled pool = TXM_NOT_ASKED;
    for (size_t i = s->mined ? s->mined_rung : 0; i < s->rungs; i++) {
        struct txm_receipt r = t->view.receipt(t->view.ctx, &s->rung[i].hash);
        if (r.found == TXM_INCLUDED && r.block.number <= t->view.head.number) {
            set_mined(t, s, i, &r);
            return;
        }
        unknown = unknown || r.found == TXM_UNKNOWN || r.found == TXM_INCLUDED;
        if (s->mined) {
            break;
        }
        if (r.pool == TXM_POOLED) {
            follow_pool(s, i);
        }
        pool = i == s->top ? r.pool : pool;
    }
    if (unknown) {
        return;
    }
    check_drop(t, s, pool);
    if (s->mined) {
        set_unmined(t, s);
    }
    doubt(t, s);
}

static void mark_obsolete(const struct txm *t, struct txm_slot *s)
{
    bool was = s->obsolete;
    s->obsolete = !s->mined && s->loads > 0 && txm_in_force(s)->is.last <= t->view.safe;
    if (s->obsolete && !was) {
        s->obsolete_head = t->view.head.number;
    }
}

/* ---- the account --------------------------------------------------------------------------------- */

/* Nonces beyond ours that are used: the first view of a manager without a journal takes them over,
 * any other one has met somebody else with the key, or its own copy from a backup. */
static void check_nonces(struct txm *t, bool first)
{
    uint64_t nonce = t->view.account.nonce;
    if (nonce <= t->next_nonce || (first && !t->had_journal)) {
        t->next_nonce = nonce > t->next_nonce ? nonce : t->next_nonce;
        t->doubt_head = 0;
        return;
    }
    if (t->doubt_head == 0) {
        t->doubt_head = t->view.head.number;
    }
    if (t->view.head.number >= t->doubt_head + t->cfg.doubt) {
        t->stopped = true;
    }
}

static void drop_final(struct txm *t)
{
    for (size_t i = t->slots; t->view.has_finalized && i-- > 0;) {
        const struct txm_slot *s = t->slot[i];
        if (s->mined && s->block.number <= t->view.finalized && t->view.final_nonce > s->nonce) {
            (void)u256_add(&t->count.spent, &t->count.spent, &s->paid);
            t->count.finals++;
            txm_book_remove(t, i);
        }
    }
}

/* What pools may hold of ours must be covered; the highest nonces wait where it is not. */
static void check_funds(struct txm *t)
{
    struct u256 sum = u256_from_u64(0);
    t->funds_short = false;
    for (size_t i = 0; i < t->slots; i++) {
        struct txm_slot *s = t->slot[i];
        if (s->mined || s->lost || !s->released || s->nonce < t->view.account.nonce) {
            continue;
        }
        const struct txm_load *l = &s->load[s->rung[s->top].load];
        struct u256 cost = txm_cost(&s->rung[s->top].fees, l->gas, l->is.blobs);
        if (u256_add(&sum, &sum, &cost) || u256_cmp(&sum, &t->view.account.balance) > 0) {
            t->funds_short = true;
            s->wait_head = t->view.head.number;
        }
    }
}

static void take_view(struct txm *t, const struct txm_view *v)
{
    bool first = !t->seen;
    t->moved = first || v->head.number > t->view.head.number;
    t->view = *v;
    t->seen = true;
    t->sendable = v->derived;
    for (size_t i = 0; i < t->slots; i++) {
        refresh(t, t->slot[i]);
        if (v->derived) {
            mark_obsolete(t, t->slot[i]);
        }
    }
    check_nonces(t, first);
    drop_final(t);
    t->view.receipt = NULL;
}

void txm_tick(struct txm *t, const struct txm_view *v)
{
    if (!v->ok) {
        /* After an outage: two at once, then more as they are mined. */
        t->view.now_ms = v->now_ms;
        t->sendable = false;
        t->window = t->cfg.max_pending;
        return;
    }
    take_view(t, v);
    check_funds(t);
    if (t->moved && !t->stopped && t->sendable) {
        txm_rungs_tick(t);
        check_funds(t);
    }
    t->limited = false;
    txm_book_compact(t);
}
