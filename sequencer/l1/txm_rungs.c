#include <stdlib.h>

#include "sequencer/l1/txm_state.h"

/* Heads after which an obsolete nonce is cancelled, if no payload has taken it over. */
enum { CANCEL_AFTER = 2 };

/* A blob of zeros has the point at infinity for a commitment; this is its versioned hash. */
static const struct hash zero_blob = {
    {0x01, 0x06, 0x57, 0xf3, 0x75, 0x54, 0xc7, 0x81, 0x40, 0x2a, 0x22, 0x91, 0x7d, 0xee, 0x2f, 0x75,
     0xde, 0xf7, 0xab, 0x96, 0x6d, 0x7b, 0x77, 0x09, 0x05, 0x39, 0x8e, 0xba, 0x3c, 0x44, 0x40, 0x14}};

/* ---- money --------------------------------------------------------------------------------------- */

static struct u256 cost_of(const struct txm_slot *s, size_t rung)
{
    const struct txm_load *l = &s->load[s->rung[rung].load];
    return txm_cost(&s->rung[rung].fees, l->gas, l->is.blobs);
}

struct u256 txm_reserved(const struct txm_slot *s)
{
    struct u256 most = u256_from_u64(0);
    size_t first = txm_first_rung(s);
    for (size_t i = 0; i < s->rungs; i++) {
        struct u256 cost = cost_of(s, i);
        if ((i >= first || i == s->top) && u256_cmp(&cost, &most) > 0) {
            most = cost;
        }
    }
    return most;
}

struct u256 txm_budget(const struct txm *t, const struct txm_slot *but)
{
    struct u256 left = t->view.account.balance;
    for (size_t i = 0; i < t->slots; i++) {
        const struct txm_slot *s = t->slot[i];
        if (s == but || s->mined || s->lost || s->nonce < t->view.account.nonce) {
            continue;
        }
        struct u256 cost = txm_reserved(s);
        if (u256_cmp(&cost, &left) >= 0) {
            return u256_from_u64(0);
        }
        (void)u256_sub(&left, &left, &cost);
    }
    return left;
}

/* Why fees could not be paid: the ceiling, or the account. */
static enum err refuse(struct txm *t, const struct txm_slot *but)
{
    struct u256 budget = txm_budget(t, but);
    if (u256_cmp(&budget, &t->cfg.fees.max_cost) >= 0) {
        t->ceiling = true;
    } else {
        t->funds_short = true;
    }
    return ERR_REFUSED;
}

/* ---- signing ------------------------------------------------------------------------------------- */

static enum err sign_rung(struct txm *t, struct txm_slot *s, const struct txm_fees *fees)
{
    const struct txm_load *l = txm_in_force(s);
    struct txm_request r = {.kind = t->cfg.kind,
                            .chain_id = t->cfg.chain_id,
                            .nonce = s->nonce,
                            .gas = l->gas,
                            .fees = *fees,
                            .payload = &l->is};
    size_t cap = l->is.data.n + TXM_RAW_ROOM;
    size_t n = 0;
    uint8_t *raw = malloc(cap);
    if (raw == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err e = t->signer.sign(t->signer.ctx, &r, raw, cap, &n);
    if (e == OK && !txm_book_rung(s, fees, bytes_of(raw, n))) {
        e = s->rungs == LIMIT_TXM_RUNGS ? ERR_TOO_LARGE : ERR_NO_MEMORY;
    }
    free(raw);
    return e;
}

static enum err sign_all(struct txm *t, struct txm_slot *s, const struct txm_payload *p,
                         uint64_t gas, const struct txm_fees *fees, size_t n)
{
    if (!txm_book_load(s, p, gas)) {
        return s->loads == TXM_LOADS ? ERR_TOO_LARGE : ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        TRY(sign_rung(t, s, &fees[i]));
    }
    return OK;
}

enum err txm_sign_ladder(struct txm *t, struct txm_slot *s, const struct txm_payload *p,
                         size_t most_rungs)
{
    struct txm_size size = {.kind = t->cfg.kind, .blobs = p->blobs};
    struct txm_fees fees[TXM_LADDER];
    struct u256 budget = txm_budget(t, s);
    size_t loads = s->loads;
    size_t rungs = s->rungs;
    TRY(txm_gas(&size.gas, p->data, t->cfg.fees.floor_7976));
    const struct txm_fees *over = s->used > 0 ? &s->rung[s->used - 1].fees : NULL;
    size_t n = txm_ladder(fees, &size, &t->view.market, &t->cfg.fees, over, &budget);
    if (n == 0) {
        return refuse(t, s);
    }
    enum err e = sign_all(t, s, p, size.gas, fees, n < most_rungs ? n : most_rungs);
    if (e != OK) {
        txm_book_trim(s, loads, rungs);
    }
    return e;
}

void txm_use_rung(struct txm *t, struct txm_slot *s, size_t rung)
{
    s->top = rung;
    s->used = rung + 1 > s->used ? rung + 1 : s->used;
    s->released = true;
    s->rung_head = t->view.head.number;
    s->roomy = 0;
    s->low = false;
    s->refused = false;
    s->due = true;
    s->accepted = false;
    s->drops = 0;
    s->wait_head = 0;
}

/* What was signed above the counts becomes durable and the rung comes into use, or neither. */
static void put_in_use(struct txm *t, struct txm_slot *s, size_t loads, size_t rungs, size_t rung)
{
    struct txm_group g = {.p = NULL};
    txm_book_group(&g, s, loads, rungs);
    txm_book_release(&g, s->nonce, rung);
    if (txm_book_write(t, &g) != OK) {
        txm_book_trim(s, loads, rungs);
        return;
    }
    txm_use_rung(t, s, rung);
}

/* ---- the next rung ------------------------------------------------------------------------------- */

/* Of the signed ladder the first rung that the next block can take, else its last; 0: none left. */
static size_t next_signed(const struct txm *t, const struct txm_slot *s, const struct u256 *budget)
{
    size_t found = 0;
    for (size_t i = s->top + 1; i < s->rungs; i++) {
        struct u256 cost = cost_of(s, i);
        if (s->rung[i].load != s->loads - 1 || u256_cmp(&cost, budget) > 0) {
            continue;
        }
        found = i;
        if (!txm_fees_low(&s->rung[i].fees, t->cfg.kind, &t->view.market)) {
            break;
        }
    }
    return found;
}

static void bump(struct txm *t, struct txm_slot *s)
{
    struct u256 budget = txm_budget(t, s);
    size_t next = next_signed(t, s, &budget);
    if (next > 0) {
        put_in_use(t, s, s->loads, s->rungs, next);
        t->count.bumps++;
        return;
    }
    const struct txm_load *l = txm_in_force(s);
    struct txm_size size = {.kind = t->cfg.kind, .gas = l->gas, .blobs = l->is.blobs};
    struct txm_fees fees;
    if (txm_next_rung(&fees, &size, &s->rung[s->rungs - 1].fees, &t->view.market, &t->cfg.fees,
                      &budget) != OK) {
        (void)refuse(t, s);
        return;
    }
    size_t rungs = s->rungs;
    if (sign_rung(t, s, &fees) == OK) {
        put_in_use(t, s, s->loads, rungs, rungs);
        t->count.bumps++;
    }
}

static void consider_bump(struct txm *t, struct txm_slot *s)
{
    const struct txm_fees *f = &s->rung[s->top].fees;
    bool room = t->cfg.kind == TXM_BLOB ? t->view.blob_room : t->view.gas_room;
    s->roomy += room;
    bool low = s->low || txm_fees_low(f, t->cfg.kind, &t->view.market);
    bool rebuild = s->refused && s->rebuilt < TXM_REBUILDS;
    if (s->refused && !rebuild) {
        return;
    }
    s->rebuilt += rebuild;
    if (low || rebuild || s->roomy >= t->cfg.patience) {
        bump(t, s);
    }
}

/* ---- cancelling ---------------------------------------------------------------------------------- */

static void cancel(struct txm *t, struct txm_slot *s)
{
    struct txm_payload p = {.segment = TXM_NO_SEGMENT,
                            .kind = (uint8_t)t->cfg.kind,
                            .last = UINT64_MAX,
                            .to = t->cfg.account,
                            .data = bytes_of("", 0)};
    if (t->cfg.kind == TXM_BLOB) {
        p.blobs = 1;
        p.versioned[0] = zero_blob;
    }
    size_t loads = s->loads;
    size_t rungs = s->rungs;
    if (txm_sign_ladder(t, s, &p, 1) != OK) {
        return;
    }
    put_in_use(t, s, loads, rungs, rungs);
    if (s->loads == loads) {
        return;
    }
    s->obsolete = false;
    s->rebuilt = 0;
    t->count.cancelled++;
}

static bool blocks_others(const struct txm *t, size_t i)
{
    for (size_t k = i + 1; k < t->slots; k++) {
        if (txm_is_pending(t->slot[k]) && !t->slot[k]->obsolete) {
            return true;
        }
    }
    return false;
}

static void cancel_obsolete(struct txm *t)
{
    for (size_t i = 0; i < t->slots; i++) {
        struct txm_slot *s = t->slot[i];
        bool waited = t->view.head.number >= s->obsolete_head + CANCEL_AFTER;
        if (s->obsolete && !s->mined && !s->lost && waited &&
            (s->used > 0 || blocks_others(t, i))) {
            cancel(t, s);
        }
    }
}

/* A nonce below ours that nobody holds: a reorg took back what had been final. */
static void fill_hole(struct txm *t)
{
    uint64_t nonce = t->view.account.nonce;
    if (nonce >= t->next_nonce || txm_book_find(t, nonce) != NULL) {
        t->hole_head = 0;
        return;
    }
    if (t->hole_head == 0) {
        t->hole_head = t->view.head.number;
    }
    if (t->view.head.number < t->hole_head + t->cfg.doubt) {
        return;
    }
    bool ours_above = t->slots > 0 && t->slot[t->slots - 1]->nonce > nonce;
    struct txm_slot *s = ours_above ? txm_book_add(t, nonce) : NULL;
    if (!ours_above) {
        t->next_nonce = nonce;
    } else if (s != NULL) {
        cancel(t, s);
        if (s->loads == 0) {
            for (size_t i = t->slots; i-- > 0;) {
                if (t->slot[i] == s) {
                    txm_book_remove(t, i);
                    return;
                }
            }
        }
    }
}

/* Only the lowest: those above it cannot be mined before it. */
static struct txm_slot *lowest_pending(const struct txm *t)
{
    for (size_t i = 0; i < t->slots; i++) {
        struct txm_slot *s = t->slot[i];
        if (!s->mined && !s->lost && s->nonce >= t->view.account.nonce) {
            return s->released && !s->obsolete ? s : NULL;
        }
    }
    return NULL;
}

void txm_rungs_tick(struct txm *t)
{
    t->ceiling = false;
    struct txm_slot *s = lowest_pending(t);
    if (s != NULL) {
        consider_bump(t, s);
    }
    cancel_obsolete(t);
    fill_hole(t);
}
