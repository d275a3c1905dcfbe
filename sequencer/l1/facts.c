#define _GNU_SOURCE
/* Facts that come without a proof: what a quorum says. */
#include "sequencer/l1/parts.h"

#include <stdio.h>

enum { NO_STATE = 0xff };

/* ---- nonce and balance ----------------------------------------------------------------------- */

struct account_ask {
    struct ask ask;
    l1_account_cb cb;
    void *arg;
    struct l1_account account;
};

static bool no_such_block(const struct answers *r)
{
    return r->at[0].error && r->at[1].error;
}

static enum heard heard_account(struct ask *a, struct endpoint *e, struct answers *r)
{
    struct account_ask *x = (struct account_ask *)a;
    uint8_t vote[40] = {NO_STATE};
    struct l1_account account;
    if (no_such_block(r)) {
        e->state.faults[WEB_FAULT_ERROR]++;
        bool all = ask_vote(a, e, vote, sizeof vote);
        a->failing = all ? ERR_NOT_FOUND : a->failing;
        return HEARD_MORE;
    }
    if (!json_u64(r->at[0].result, &account.nonce) ||
        !json_u256(r->at[1].result, &account.balance)) {
        endpoint_fault(e, WEB_FAULT_GARBAGE);
        return HEARD_USELESS;
    }
    store_be64(vote, account.nonce);
    u256_to_be(vote + 8, &account.balance);
    x->account = account;
    return ask_vote(a, e, vote, sizeof vote) ? HEARD_LAST : HEARD_MORE;
}

static void settle_account(struct ask *a)
{
    a->err = a->failing == ERR_NOT_FOUND ? ERR_NOT_FOUND : a->err;
}

static void tell_account(struct ask *a)
{
    struct account_ask *x = (struct account_ask *)a;
    x->cb(x->arg, a->err, a->err == OK ? &x->account : NULL);
}

/* EIP-1898 */
static void put_block(struct request *r, const struct l1_ref *at)
{
    char hash[HEX_SIZE(32)];
    char text[HEX_SIZE(32) + 64];
    hex_encode(hash, at->hash.b, sizeof at->hash.b);
    snprintf(text, sizeof text, "{\"blockHash\":\"%s\",\"requireCanonical\":true}", hash);
    request_text(r, text);
}

enum err facts_account(void *ctx, const struct l1_ref *at, const struct address *address,
                       l1_account_cb cb, void *arg)
{
    struct account_ask *x = ask_make(ctx, sizeof *x, LIMIT_L1_SHORT_ANSWER);
    if (x == NULL) {
        return ERR_NO_MEMORY;
    }
    struct request *r = &x->ask.request;
    x->cb = cb;
    x->arg = arg;
    x->ask.everybody = true;
    x->ask.heard = heard_account;
    x->ask.settle = settle_account;
    x->ask.tell = tell_account;
    request_call(r, "eth_getTransactionCount");
    request_hex(r, address->b, sizeof address->b);
    put_block(r, at);
    request_call(r, "eth_getBalance");
    request_hex(r, address->b, sizeof address->b);
    put_block(r, at);
    return ask_start(&x->ask);
}

/* ---- receipts -------------------------------------------------------------------------------- */

struct receipt_ask {
    struct ask ask;
    l1_receipt_cb cb;
    void *arg;
    struct hash tx;
    struct l1_receipt receipt;
};

/* Absent: zero. Present and of another form: false. */
static bool optional_u64(struct json_object *o, const char *key, uint64_t *out)
{
    struct json_object *v = json_get(o, key);
    return v == NULL || json_u64(v, out);
}

static bool optional_u256(struct json_object *o, const char *key, struct u256 *out)
{
    struct json_object *v = json_get(o, key);
    return v == NULL || json_u256(v, out);
}

static bool read_receipt(struct l1_receipt *out, struct json_object *o, const struct hash *tx)
{
    uint64_t status = 0;
    uint64_t index = 0;
    struct hash mine;
    *out = (struct l1_receipt){.found = true};
    bool whole = json_fixed(json_get(o, "transactionHash"), mine.b, sizeof mine.b) &&
                 hash_equal(&mine, tx) && json_u64(json_get(o, "status"), &status) &&
                 json_fixed(json_get(o, "blockHash"), out->block.hash.b, 32) &&
                 json_u64(json_get(o, "blockNumber"), &out->block.number) &&
                 json_u64(json_get(o, "transactionIndex"), &index) && index <= UINT32_MAX &&
                 json_u64(json_get(o, "gasUsed"), &out->gas_used) &&
                 json_u256(json_get(o, "effectiveGasPrice"), &out->gas_price) &&
                 optional_u64(o, "blobGasUsed", &out->blob_gas_used) &&
                 optional_u256(o, "blobGasPrice", &out->blob_gas_price);
    out->succeeded = status == 1;
    out->index = (uint32_t)index;
    return whole;
}

static bool vote_receipt(struct ask *a, struct endpoint *e, const struct l1_receipt *r)
{
    uint8_t vote[VOTE_BYTES] = {0};
    vote[0] = r->found;
    vote[1] = r->succeeded;
    store_be64(vote + 8, r->block.number);
    memcpy(vote + 16, r->block.hash.b, 32);
    store_be64(vote + 48, r->index);
    store_be64(vote + 56, r->gas_used);
    u256_to_be(vote + 64, &r->gas_price);
    store_be64(vote + 96, r->blob_gas_used);
    u256_to_be(vote + 104, &r->blob_gas_price);
    return ask_vote(a, e, vote, sizeof vote);
}

static enum heard heard_receipt(struct ask *a, struct endpoint *e, struct answers *r)
{
    struct receipt_ask *x = (struct receipt_ask *)a;
    struct l1_receipt receipt = {0};
    if (r->at[0].error) {
        endpoint_fault(e, WEB_FAULT_ERROR);
        return HEARD_USELESS;
    }
    if (r->at[0].result != NULL && !read_receipt(&receipt, r->at[0].result, &x->tx)) {
        endpoint_fault(e, WEB_FAULT_GARBAGE);
        return HEARD_USELESS;
    }
    x->receipt = receipt;
    return vote_receipt(a, e, &receipt) ? HEARD_LAST : HEARD_MORE;
}

static void tell_receipt(struct ask *a)
{
    struct receipt_ask *x = (struct receipt_ask *)a;
    if (a->err == OK && x->receipt.found && quorum_beside(&a->c->quorum, &x->receipt.block)) {
        a->err = ERR_NOT_READY; /* the chain moves */
    }
    x->cb(x->arg, a->err, a->err == OK ? &x->receipt : NULL);
}

enum err facts_receipt(void *ctx, const struct hash *tx, l1_receipt_cb cb, void *arg)
{
    struct receipt_ask *x = ask_make(ctx, sizeof *x, LIMIT_L1_SHORT_ANSWER);
    if (x == NULL) {
        return ERR_NO_MEMORY;
    }
    x->cb = cb;
    x->arg = arg;
    x->tx = *tx;
    x->ask.everybody = true;
    x->ask.heard = heard_receipt;
    x->ask.tell = tell_receipt;
    request_call(&x->ask.request, "eth_getTransactionReceipt");
    request_hex(&x->ask.request, tx->b, sizeof tx->b);
    return ask_start(&x->ask);
}

/* ---- who knows a transaction ----------------------------------------------------------------- */

struct seen_ask {
    struct ask ask;
    l1_seen_cb cb;
    void *arg;
    struct hash tx;
    struct l1_seen seen;
};

static void take_fees(struct l1_seen *s, struct json_object *o)
{
    struct json_object *price = json_get(o, "gasPrice");
    struct json_object *tip = json_get(o, "maxPriorityFeePerGas");
    struct json_object *fee = json_get(o, "maxFeePerGas");
    struct l1_seen read = *s;
    read.has_fees = json_u256(tip != NULL ? tip : price, &read.max_priority_fee) &&
                    json_u256(fee != NULL ? fee : price, &read.max_fee) &&
                    optional_u256(o, "maxFeePerBlobGas", &read.max_blob_fee);
    if (read.has_fees) {
        *s = read;
    }
}

static enum heard heard_seen(struct ask *a, struct endpoint *e, struct answers *r)
{
    struct seen_ask *x = (struct seen_ask *)a;
    struct json_object *o = r->at[0].result;
    struct hash mine;
    if (r->at[0].error) {
        endpoint_fault(e, WEB_FAULT_ERROR);
        return HEARD_USELESS;
    }
    if (o != NULL && (!json_fixed(json_get(o, "hash"), mine.b, sizeof mine.b) ||
                      !hash_equal(&mine, &x->tx))) {
        endpoint_fault(e, WEB_FAULT_GARBAGE);
        return HEARD_USELESS;
    }
    bool mined = json_get(o, "blockHash") != NULL;
    x->seen.asked++;
    x->seen.mined += o != NULL && mined;
    x->seen.pending += o != NULL && !mined;
    if (o != NULL && !x->seen.has_fees) {
        take_fees(&x->seen, o);
    }
    return HEARD_MORE;
}

static void settle_seen(struct ask *a)
{
    a->err = a->heard_n > 0 ? OK : ERR_UNREACHABLE;
}

static void tell_seen(struct ask *a)
{
    struct seen_ask *x = (struct seen_ask *)a;
    x->cb(x->arg, a->err, a->err == OK ? &x->seen : NULL);
}

enum err facts_seen(void *ctx, const struct hash *tx, l1_seen_cb cb, void *arg)
{
    struct seen_ask *x = ask_make(ctx, sizeof *x, LIMIT_WEB_ANSWER);
    if (x == NULL) {
        return ERR_NO_MEMORY;
    }
    x->cb = cb;
    x->arg = arg;
    x->tx = *tx;
    x->ask.everybody = true;
    x->ask.heard = heard_seen;
    x->ask.settle = settle_seen;
    x->ask.tell = tell_seen;
    request_call(&x->ask.request, "eth_getTransactionByHash");
    request_hex(&x->ask.request, tx->b, sizeof tx->b);
    return ask_start(&x->ask);
}
