#define _GNU_SOURCE
/* What the next block asks for, as the median of what endpoints say: of three, one may invent. */
#include "sequencer/l1/parts.h"

#include <stdlib.h>

struct fees_ask {
    struct ask ask;
    l1_fees_cb cb;
    void *arg;
    struct l1_fees said[LIMIT_L1_ENDPOINTS];
    struct l1_fees fees;
};

static int compare_u256(const void *a, const void *b)
{
    return u256_cmp(a, b);
}

static struct u256 median(struct u256 *v, size_t n)
{
    qsort(v, n, sizeof *v, compare_u256);
    return v[n / 2];
}

/* A ratio of 0 … 1; nothing else is one. */
static uint16_t permille(struct json_object *o)
{
    double v = json_object_is_type(o, json_type_double) || json_object_is_type(o, json_type_int)
                   ? json_object_get_double(o)
                   : 0.0;
    return v >= 1.0 ? 1000 : v > 0.0 ? (uint16_t)(v * 1000.0) : 0;
}

/* Half of the blocks paid this tip or more at their 60th percentile. */
static void read_tip(struct l1_fees *f, struct json_object *rewards)
{
    struct u256 tip[LIMIT_L1_FEE_BLOCKS];
    size_t n = 0;
    for (size_t i = 0; i < json_list(rewards) && n < LIMIT_L1_FEE_BLOCKS; i++) {
        n += json_u256(json_at(json_at(rewards, i), 0), &tip[n]);
    }
    if (n > 0) {
        f->tip = median(tip, n);
    }
}

static void read_fill(struct l1_fees *f, struct json_object *o)
{
    struct json_object *gas = json_get(o, "gasUsedRatio");
    struct json_object *blob = json_get(o, "blobGasUsedRatio");
    size_t n = json_list(gas);
    f->blocks = (uint32_t)(n < LIMIT_L1_FEE_BLOCKS ? n : LIMIT_L1_FEE_BLOCKS);
    for (size_t i = 0; i < f->blocks; i++) {
        f->gas_permille[i] = permille(json_at(gas, n - 1 - i));
        f->blob_permille[i] = permille(json_at(blob, n - 1 - i));
    }
}

/* The history's base fees have one entry more than blocks: the next one's. */
static bool read_history(struct l1_fees *f, struct json_object *o)
{
    struct json_object *base = json_get(o, "baseFeePerGas");
    struct json_object *blob = json_get(o, "baseFeePerBlobGas");
    size_t n = json_list(base);
    if (n == 0 || !json_u256(json_at(base, n - 1), &f->base_fee) ||
        !json_u64(json_get(o, "oldestBlock"), &f->head)) {
        return false;
    }
    size_t blobs = json_list(blob);
    if (blobs > 0 && !json_u256(json_at(blob, blobs - 1), &f->blob_base_fee)) {
        return false;
    }
    f->head += json_list(json_get(o, "gasUsedRatio")) - 1;
    read_tip(f, json_get(o, "reward"));
    read_fill(f, o);
    return true;
}

static enum heard heard_fees(struct ask *a, struct endpoint *e, struct answers *r)
{
    struct fees_ask *x = (struct fees_ask *)a;
    struct l1_fees f = {0};
    struct u256 direct;
    if (r->at[0].error || !read_history(&f, r->at[0].result)) {
        endpoint_fault(e, r->at[0].error ? WEB_FAULT_ERROR : WEB_FAULT_GARBAGE);
        return HEARD_USELESS;
    }
    (void)json_u256(r->at[1].result, &f.tip_asked); /* not every client has these two */
    if (u256_is_zero(&f.blob_base_fee) && json_u256(r->at[2].result, &direct)) {
        f.blob_base_fee = direct;
    }
    x->said[a->heard_n] = f;
    return HEARD_MORE;
}

#define MEDIAN_OF(x, field, n)                                                                 \
    do {                                                                                       \
        struct u256 v_[LIMIT_L1_ENDPOINTS];                                                    \
        for (size_t i_ = 0; i_ < (n); i_++) {                                                  \
            v_[i_] = (x)->said[i_].field;                                                      \
        }                                                                                      \
        (x)->fees.field = median(v_, (n));                                                     \
    } while (0)

static int compare_head(const void *a, const void *b)
{
    const struct l1_fees *x = a;
    const struct l1_fees *y = b;
    return (x->head > y->head) - (x->head < y->head);
}

static void settle_fees(struct ask *a)
{
    struct fees_ask *x = (struct fees_ask *)a;
    size_t n = a->heard_n;
    if (n < a->c->quorum.needed) {
        return;
    }
    qsort(x->said, n, sizeof *x->said, compare_head);
    x->fees = x->said[n / 2];
    MEDIAN_OF(x, base_fee, n);
    MEDIAN_OF(x, blob_base_fee, n);
    MEDIAN_OF(x, tip, n);
    MEDIAN_OF(x, tip_asked, n);
    a->err = OK;
}

static void tell_fees(struct ask *a)
{
    struct fees_ask *x = (struct fees_ask *)a;
    x->cb(x->arg, a->err, a->err == OK ? &x->fees : NULL);
}

enum err fees_ask(void *ctx, l1_fees_cb cb, void *arg)
{
    struct fees_ask *x = ask_make(ctx, sizeof *x, LIMIT_L1_SHORT_ANSWER);
    if (x == NULL) {
        return ERR_NO_MEMORY;
    }
    struct request *r = &x->ask.request;
    x->cb = cb;
    x->arg = arg;
    x->ask.everybody = true;
    x->ask.heard = heard_fees;
    x->ask.settle = settle_fees;
    x->ask.tell = tell_fees;
    request_call(r, "eth_feeHistory");
    request_quantity(r, LIMIT_L1_FEE_BLOCKS);
    request_text(r, "\"latest\"");
    request_text(r, "[60]");
    request_call(r, "eth_maxPriorityFeePerGas");
    request_call(r, "eth_blobBaseFee");
    return ask_start(&x->ask);
}
