#include "sequencer/l1/feed.h"

#include <stdlib.h>

#include "proto/keccak.h"

enum {
    FACTS = 128,           /* hashes in one look; the others stay UNKNOWN until there is room */
    GAS_ROOM_PERMILLE = 950,
    BLOB_ROOM_PERMILLE = 700 /* six of a block of 21 */
};

struct fact {
    struct feed *feed;
    struct hash hash;
    struct txm_receipt is;
};

struct feed {
    struct feed_options o;
    struct txm_view view; /* under construction */
    uint64_t now_ms;
    bool looking, again;
    bool has_account, has_final, has_fees;
    uint32_t waiting; /* answers of this look */
    struct fact fact[FACTS];
    size_t facts;
    bool sending;
    struct hash sent;
};

static void look(struct feed *f);

static struct txm_receipt known_receipt(void *ctx, const struct hash *tx)
{
    const struct feed *f = ctx;
    for (size_t i = 0; i < f->facts; i++) {
        if (hash_equal(&f->fact[i].hash, tx)) {
            return f->fact[i].is;
        }
    }
    return (struct txm_receipt){.found = TXM_UNKNOWN};
}

/* ---- sending --------------------------------------------------------------------------------- */

static void on_sent(void *arg, const struct l1_sent *s)
{
    struct feed *f = arg;
    f->sending = false;
    txm_answer(f->o.txm, &f->sent, s->verdict);
    feed_send(f);
}

static enum err send_one(struct feed *f, const struct txm_send *s)
{
    const struct l1 *l1 = &f->o.l1;
    struct bytes raw = s->raw;
    if (f->o.wrap != NULL) {
        TRY(f->o.wrap(f->o.arg, s, &raw));
    }
    return l1->ops->send(l1->ctx, raw, &s->hash, on_sent, f);
}

/* What cannot be sent now is due again after a while, as if nobody had answered. */
void feed_send(struct feed *f)
{
    struct txm_send s;
    if (f->sending || !txm_next_send(f->o.txm, &s)) {
        return;
    }
    f->sent = s.hash;
    f->sending = send_one(f, &s) == OK;
    if (!f->sending) {
        txm_answer(f->o.txm, &f->sent, L1_SEND_NET);
    }
}

/* ---- looking --------------------------------------------------------------------------------- */

static void finish(struct feed *f)
{
    struct txm_view *v = &f->view;
    v->ok = f->has_account && f->has_fees;
    v->has_finalized = v->has_finalized && f->has_final;
    v->derived = v->ok && f->o.derived(f->o.arg, &v->head, &v->safe);
    txm_tick(f->o.txm, v);
    if (f->o.ticked != NULL) {
        f->o.ticked(f->o.arg);
    }
    feed_send(f);
    f->looking = false;
    if (f->again) {
        look(f);
    }
}

static void one_answered(struct feed *f)
{
    if (--f->waiting == 0) {
        finish(f);
    }
}

/* A call that was not made is one that nobody answered. */
static void count(struct feed *f, enum err e)
{
    f->waiting += e == OK;
}

static void on_account(void *arg, enum err e, const struct l1_account *a)
{
    struct feed *f = arg;
    f->has_account = e == OK;
    if (e == OK) {
        f->view.account = *a;
    }
    one_answered(f);
}

static void on_final_account(void *arg, enum err e, const struct l1_account *a)
{
    struct feed *f = arg;
    f->has_final = e == OK;
    f->view.final_nonce = e == OK ? a->nonce : 0;
    one_answered(f);
}

static void on_fees(void *arg, enum err e, const struct l1_fees *fees)
{
    struct feed *f = arg;
    f->has_fees = e == OK;
    if (e == OK) {
        bool any = fees->blocks > 0;
        f->view.market = (struct txm_market){.base_fee = fees->base_fee,
                                             .blob_base_fee = fees->blob_base_fee,
                                             .tip = fees->tip};
        f->view.gas_room = any && fees->gas_permille[0] <= GAS_ROOM_PERMILLE;
        f->view.blob_room = any && fees->blob_permille[0] <= BLOB_ROOM_PERMILLE;
    }
    one_answered(f);
}

/* Gas and blob gas at the prices of the block; an amount beyond 2^256 is nobody's. */
static struct u256 paid(const struct l1_receipt *r)
{
    struct u256 gas;
    struct u256 blob;
    struct u256 sum;
    (void)u256_mul_u64(&gas, &r->gas_price, r->gas_used);
    (void)u256_mul_u64(&blob, &r->blob_gas_price, r->blob_gas_used);
    (void)u256_add(&sum, &gas, &blob);
    return sum;
}

static void on_receipt(void *arg, enum err e, const struct l1_receipt *r)
{
    struct fact *fact = arg;
    if (e == OK && r->found) {
        fact->is.found = TXM_INCLUDED;
        fact->is.block = r->block;
        fact->is.paid = paid(r);
    } else if (e == OK) {
        fact->is.found = TXM_ABSENT;
    }
    one_answered(fact->feed);
}

static void on_seen(void *arg, enum err e, const struct l1_seen *s)
{
    struct fact *fact = arg;
    if (e == OK && s->asked > 0) {
        fact->is.pool = s->pending + s->mined > 0 ? TXM_POOLED : TXM_NOWHERE;
    }
    one_answered(fact->feed);
}

static void ask_receipts(struct feed *f)
{
    const struct l1 *l1 = &f->o.l1;
    struct hash h;
    for (size_t i = 0; f->facts < FACTS && txm_hash(f->o.txm, &i, &h);) {
        struct fact *fact = &f->fact[f->facts++];
        *fact = (struct fact){.feed = f, .hash = h, .is = {.found = TXM_UNKNOWN}};
        count(f, l1->ops->receipt(l1->ctx, &h, on_receipt, fact));
    }
}

/* Whether pools still have what was sent last of each slot. */
static void ask_pools(struct feed *f)
{
    const struct l1 *l1 = &f->o.l1;
    for (size_t i = 0; i < txm_slots(f->o.txm); i++) {
        struct txm_slot_view s;
        txm_slot(f->o.txm, i, &s);
        if (s.state != TXM_PENDING || s.rungs == 0) {
            continue;
        }
        struct hash h = keccak256(s.raw[s.rung].p, s.raw[s.rung].n);
        for (size_t k = 0; k < f->facts; k++) {
            if (hash_equal(&f->fact[k].hash, &h)) {
                count(f, l1->ops->seen(l1->ctx, &h, on_seen, &f->fact[k]));
            }
        }
    }
}

static void gather(struct feed *f, const struct l1_view *v)
{
    const struct l1 *l1 = &f->o.l1;
    const struct address *a = &f->o.account;
    f->waiting = 1; /* this one */
    f->facts = 0;
    f->has_account = false;
    f->has_final = false;
    f->has_fees = false;
    count(f, l1->ops->account(l1->ctx, &v->head.at, a, on_account, f));
    if (v->has_finalized) {
        count(f, l1->ops->account(l1->ctx, &v->finalized, a, on_final_account, f));
    }
    count(f, l1->ops->fees(l1->ctx, on_fees, f));
    ask_receipts(f);
    ask_pools(f);
    one_answered(f);
}

static void look(struct feed *f)
{
    struct l1_view v;
    f->again = false;
    f->o.l1.ops->view(f->o.l1.ctx, &v);
    f->view = (struct txm_view){.now_ms = f->now_ms, .head = v.head.at, .ctx = f,
                                .has_finalized = v.has_finalized,
                                .finalized = v.finalized.number, .receipt = known_receipt};
    if (!v.known || v.down) {
        txm_tick(f->o.txm, &f->view);
        return;
    }
    f->looking = true;
    gather(f, &v);
}

void feed_look(struct feed *f, uint64_t now_ms)
{
    f->now_ms = now_ms;
    if (f->looking) {
        f->again = true;
        return;
    }
    look(f);
}

enum err feed_open(struct feed **out, const struct feed_options *o)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL) {
        return ERR_NO_MEMORY;
    }
    (*out)->o = *o;
    return OK;
}

void feed_close(struct feed *f)
{
    free(f);
}
