/* What a transaction costs, and what it did cost lately. */
#define _GNU_SOURCE
#include <stdlib.h>

#include "proto/body.h"
#include "proto/limits.h"
#include "sequencer/rpc/call.h"
#include "sequencer/rpc/params.h"
#include "sequencer/rpc/render.h"
#include "sequencer/rpc/view.h"

enum { HISTORY_BLOCKS = 1024, HISTORY_PERCENTILES = 100, HISTORY_BODY_BYTES = 8 << 20 };

void eth_gas_price(struct call *c)
{
    struct rpc_fees fees;
    struct u256 price;
    call_backend(c)->fees(call_ctx(c), &fees);
    if (u256_add(&price, &fees.base_fee, &fees.tip)) {
        price = fees.base_fee;
    }
    call_u256(c, &price);
}

void eth_max_priority_fee(struct call *c)
{
    struct rpc_fees fees;
    call_backend(c)->fees(call_ctx(c), &fees);
    call_u256(c, &fees.tip);
}

/* ---- eth_feeHistory ------------------------------------------------------------------------- */

/* One block of the history; the body is a copy, because the tips are sorted on a worker. */
struct past {
    struct u256 base_fee;
    uint64_t gas_used;
    uint64_t gas_limit;
    uint64_t number;
    uint32_t txs;
    uint8_t *body;
    size_t body_n;
};

struct history {
    struct past *past; /* newest first */
    uint32_t n;
    struct u256 next_fee; /* of the block after the newest */
    double *percentile;
    uint32_t percentiles;
    size_t bytes;
};

struct paid {
    struct u256 tip;
    uint64_t gas;
};

static int by_tip(const void *a, const void *b)
{
    return u256_cmp(&((const struct paid *)a)->tip, &((const struct paid *)b)->tip);
}

/* What the transactions of a block paid, cheapest first; their number in `n`. */
static struct paid *paid_of(const struct past *p, uint32_t *n)
{
    uint32_t count = 0;
    struct bytes body = bytes_of(p->body, p->body_n);
    struct paid *paid = calloc((size_t)p->txs + 1, sizeof *paid);
    struct bytes *raw = calloc((size_t)p->txs + 1, sizeof *raw);
    *n = 0;
    if (paid != NULL && raw != NULL && body_count(body, &count) == OK && count == p->txs) {
        body_split(body, raw, count);
        for (uint32_t i = 0; i < count; i++) {
            struct tx tx;
            if (tx_decode(&tx, raw[i]) == TX_OK) {
                paid[(*n)++] = (struct paid){render_tip(&tx, &p->base_fee), tx_intrinsic_gas(&tx)};
            }
        }
        qsort(paid, *n, sizeof *paid, by_tip);
    }
    free(raw);
    return paid;
}

/* geth's rule: the tip of the transaction at which this share of the gas used is reached. */
static void put_rewards(struct text *t, const struct history *h, const struct past *p)
{
    uint32_t n = 0;
    struct paid *paid = p->txs > 0 ? paid_of(p, &n) : NULL;
    uint32_t at = 0;
    uint64_t sum = n > 0 ? paid[0].gas : 0;
    text_item(t);
    TEXT_LITERAL(t, "[");
    for (uint32_t i = 0; i < h->percentiles; i++) {
        uint64_t threshold = (uint64_t)((double)p->gas_used * h->percentile[i] / 100);
        while (at + 1 < n && sum < threshold) {
            sum += paid[++at].gas;
        }
        struct u256 tip = n > 0 ? paid[at].tip : u256_from_u64(0);
        text_item(t);
        text_quantity_u256(t, &tip);
    }
    TEXT_LITERAL(t, "]");
    free(paid);
}

static void put_ratio(struct text *t, const struct past *p)
{
    text_item(t);
    text_format(t, "%.9g", p->gas_limit > 0 ? (double)p->gas_used / (double)p->gas_limit : 0.0);
}

static void history_render(void *state, struct text *t)
{
    const struct history *h = state;
    TEXT_LITERAL(t, "{");
    text_key_quantity(t, "oldestBlock", h->past[h->n - 1].number);
    if (h->percentiles > 0) {
        text_key(t, "reward");
        TEXT_LITERAL(t, "[");
        for (uint32_t i = h->n; i-- > 0;) {
            put_rewards(t, h, &h->past[i]);
        }
        TEXT_LITERAL(t, "]");
    }
    text_key(t, "baseFeePerGas");
    TEXT_LITERAL(t, "[");
    for (uint32_t i = h->n; i-- > 0;) {
        text_item(t);
        text_quantity_u256(t, &h->past[i].base_fee);
    }
    text_item(t);
    text_quantity_u256(t, &h->next_fee);
    TEXT_LITERAL(t, "]");
    text_key(t, "gasUsedRatio");
    TEXT_LITERAL(t, "[");
    for (uint32_t i = h->n; i-- > 0;) {
        put_ratio(t, &h->past[i]);
    }
    TEXT_LITERAL(t, "]}");
}

static void history_free(void *state)
{
    struct history *h = state;
    for (uint32_t i = 0; i < h->n; i++) {
        free(h->past[i].body);
    }
    free(h->past);
    free(h->percentile);
    free(h);
}

/* Percentiles between 0 and 100, ascending. */
static bool read_percentiles(struct call *c, struct history *h)
{
    struct json_object *list = params_at(c, 2);
    if (list == NULL) {
        return true;
    }
    size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    if (!json_object_is_type(list, json_type_array) || n > HISTORY_PERCENTILES) {
        call_error(c, n > 0 ? CODE_SERVER : CODE_PARAMS,
                   n > 0 ? "request exceeds maximum number of percentiles"
                         : "invalid argument 2: not an array");
        return false;
    }
    h->percentile = calloc(n + 1, sizeof *h->percentile);
    for (size_t i = 0; i < n && h->percentile != NULL; i++) {
        double p = json_object_get_double(json_object_array_get_idx(list, i));
        if (!(p >= 0 && p <= 100)) {
            call_error(c, CODE_SERVER, "invalid reward percentile: %f", p);
            return false;
        }
        if (i > 0 && p <= h->percentile[i - 1]) {
            call_error(c, CODE_SERVER, "invalid reward percentile: #%zu:%f >= #%zu:%f", i - 1,
                       h->percentile[i - 1], i, p);
            return false;
        }
        h->percentile[i] = p;
    }
    h->percentiles = h->percentile != NULL ? (uint32_t)n : 0;
    return true;
}

/* One block; false when the history ends here: no such block, or enough bytes were copied. */
static bool add_past(struct call *c, struct history *h, uint64_t number)
{
    struct rpc_block b;
    bool bodies = h->percentiles > 0;
    if (call_backend(c)->block_by_number(call_ctx(c), number, &b) != OK ||
        (bodies && h->n > 0 && h->bytes + b.body.n > HISTORY_BODY_BYTES)) {
        return false;
    }
    struct past *p = &h->past[h->n];
    *p = (struct past){b.base_fee, b.gas_used, b.gas_limit, number, b.txs, NULL, b.body.n};
    if (bodies && b.body.n > 0) {
        p->body = malloc(b.body.n);
        if (p->body == NULL) {
            return false;
        }
        memcpy(p->body, b.body.p, b.body.n);
        h->bytes += b.body.n;
    }
    h->n++;
    return true;
}

/* Base fee of the block after the newest of the history. */
static void find_next_fee(struct call *c, struct history *h, uint64_t after)
{
    struct rpc_block b;
    struct rpc_fees fees;
    if (call_backend(c)->block_by_number(call_ctx(c), after, &b) == OK) {
        h->next_fee = b.base_fee;
        return;
    }
    call_backend(c)->fees(call_ctx(c), &fees);
    h->next_fee = fees.base_fee;
}

/* The newest block as a number within the head; false: answered. */
static bool find_newest(struct call *c, uint64_t *out)
{
    struct block_ref ref;
    uint64_t head;
    if (!params_block(c, 1, &ref)) {
        return false;
    }
    enum err e = call_backend(c)->head(call_ctx(c), RPC_LATEST, &head, NULL);
    *out = ref.kind == REF_NUMBER ? ref.number : head;
    if (e == OK && ref.kind == REF_TAG && ref.tag != RPC_LATEST && ref.tag != RPC_PENDING) {
        e = call_backend(c)->head(call_ctx(c), ref.tag, out, NULL);
    }
    if (e != OK) {
        call_read_error(c, e, params_block_name(&ref));
        return false;
    }
    if (*out > head) {
        call_error(c, CODE_SERVER, "request beyond head block: requested %llu, head %llu",
                   (unsigned long long)*out, (unsigned long long)head);
        return false;
    }
    return true;
}

static void answer_history(struct call *c, struct history *h, uint64_t count, uint64_t newest)
{
    while (h->n < count && h->n <= newest && add_past(c, h, newest - h->n)) {
    }
    if (h->n == 0) {
        history_free(h);
        call_error(c, CODE_SERVER, "header not found");
        return;
    }
    find_next_fee(c, h, newest + 1);
    if (h->percentiles > 0 && h->bytes > READ_BYTES) {
        struct view_job job = {c, h->bytes, h, history_render, NULL, history_free};
        (void)view_queue(&job);
        return;
    }
    history_render(h, call_result(c));
    history_free(h);
    call_done(c);
}

void eth_fee_history(struct call *c)
{
    uint64_t count;
    uint64_t newest;
    if (!params_u64(c, 0, &count) || !find_newest(c, &newest)) {
        return;
    }
    if (count == 0) {
        call_raw(c, "{\"oldestBlock\":\"0x0\",\"gasUsedRatio\":null}");
        return;
    }
    count = count > HISTORY_BLOCKS ? HISTORY_BLOCKS : count;
    struct history *h = calloc(1, sizeof *h);
    if (h != NULL) {
        h->past = calloc(count, sizeof *h->past);
    }
    if (h == NULL || h->past == NULL) {
        free(h);
        call_error(c, CODE_INTERNAL, "%s", err_text(ERR_NO_MEMORY));
    } else if (!read_percentiles(c, h)) {
        history_free(h);
    } else {
        answer_history(c, h, count, newest);
    }
}
