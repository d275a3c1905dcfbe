#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/body.h"
#include "proto/keccak.h"
#include "proto/key.h"
#include "rpc_world_parts.h"

/* ---- the chain ------------------------------------------------------------------------------ */

/* The example of EIP-155: chain id 1, a legacy transaction, sender 0x9d8a…5a4f. */
static const char legacy_hex[] =
    "0xf86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a7640000"
    "8025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"
    "a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83";

static struct secret_key *sender_key(void)
{
    static struct secret_key key;
    memset(key.b, 0x11, sizeof key.b);
    return &key;
}

struct address world_sender(void)
{
    struct address a;
    assert_int_equal(key_address(&a, sender_key()), OK);
    return a;
}

static size_t sign(uint8_t *out, size_t cap, uint64_t nonce)
{
    size_t n = 0;
    struct tx_request r = {
        .chain_id = WORLD_CHAIN_ID,
        .nonce = nonce,
        .max_priority_fee = u256_from_u64(1000 + nonce),
        .max_fee = u256_from_u64(2000000000),
        .gas = 21000,
        .value = u256_from_u64(5),
    };
    memset(r.to.b, 0x22, sizeof r.to.b);
    assert_int_equal(tx_sign(out, cap, &n, &r, sender_key()), OK);
    return n;
}

static struct hash numbered(const char *what, uint64_t n)
{
    char text[64];
    snprintf(text, sizeof text, "%s %llu", what, (unsigned long long)n);
    return keccak256(text, strlen(text));
}

/* Senders and hashes are lent for odd blocks only: the server must do without them, too. */
static void make_block(struct world *w, uint64_t number, struct bytes *raw, uint32_t n)
{
    struct chain_block *c = &w->chain[number];
    struct rpc_block *b = &c->block;
    size_t size = n > 0 ? body_size(raw, n) : 0;
    c->body = malloc(size + 1);
    c->hash = calloc(n + 1, sizeof *c->hash);
    c->sender = calloc(n + 1, sizeof *c->sender);
    assert_true(c->body != NULL && c->hash != NULL && c->sender != NULL);
    if (n > 0) {
        body_write(c->body, raw, n);
    }
    for (uint32_t i = 0; i < n; i++) {
        struct tx tx;
        assert_int_equal(tx_decode(&tx, raw[i]), TX_OK);
        c->hash[i] = tx.hash;
        c->sender[i] = world_sender();
    }
    *b = (struct rpc_block){
        .hash = numbered("block", number),
        .parent = numbered("block", number - 1),
        .number = number,
        .timestamp = 1700000000 + number,
        .timestamp_ms = (1700000000 + number) * 1000,
        .state_root = numbered("state", number),
        .transactions_root = numbered("txs", number),
        .receipts_root = numbered("receipts", number),
        .gas_limit = 30000000 + number,
        .gas_used = 21000 * n,
        .base_fee = u256_from_u64(1000000000 + number),
        .slot = number + 7,
        .leader = (uint8_t)(number % 4),
        .txs = n,
        .body = bytes_of(c->body, size),
    };
    memset(b->miner.b, 0x33, sizeof b->miner.b);
    if (number == 3) {
        b->tx_hash = c->hash;
    }
}

void backend_make_chain(struct world *w)
{
    static uint8_t store[WORLD_BIG_TXS][192];
    static struct bytes raw[WORLD_BIG_TXS];
    uint8_t legacy[256];
    size_t legacy_n = 0;
    assert_true(hex_decode_upto(legacy, sizeof legacy, &legacy_n, legacy_hex, strlen(legacy_hex)));
    make_block(w, 0, NULL, 0);
    raw[0] = bytes_of(store[0], sign(store[0], sizeof store[0], 0));
    raw[1] = bytes_of(store[1], sign(store[1], sizeof store[1], 1));
    raw[2] = bytes_of(legacy, legacy_n);
    make_block(w, 1, raw, 3);
    make_block(w, 2, NULL, 0);
    for (uint32_t i = 0; i < WORLD_BIG_TXS; i++) {
        raw[i] = bytes_of(store[i], sign(store[i], sizeof store[i], 2 + i));
    }
    make_block(w, 3, raw, WORLD_BIG_TXS);
    make_block(w, 4, NULL, 0);
    w->pending_n = sign(w->pending, sizeof w->pending, 2 + WORLD_BIG_TXS);
    hex_encode(w->pending_hex, w->pending, w->pending_n);
    w->pending_hash = keccak256(w->pending, w->pending_n);
    struct bytes last = bytes_of(w->pending, w->pending_n);
    make_block(w, 5, &last, 1);
    w->head = WORLD_HEAD;
}

/* ---- the backend ----------------------------------------------------------------------------- */

static uint64_t b_chain_id(void *ctx)
{
    (void)ctx;
    return WORLD_CHAIN_ID;
}

static enum err b_head(void *ctx, enum rpc_tag tag, uint64_t *number, struct hash *hash)
{
    struct world *w = ctx;
    assert_int_not_equal(tag, RPC_PENDING);
    if (w->catching_up) {
        return ERR_NOT_READY;
    }
    if (!w->safe && (tag == RPC_SAFE || tag == RPC_FINALIZED)) {
        return ERR_NOT_FOUND;
    }
    *number = tag == RPC_LATEST ? w->head : tag == RPC_SAFE ? 3 : tag == RPC_FINALIZED ? 2 : 0;
    if (hash != NULL) {
        *hash = w->chain[*number].block.hash;
    }
    return OK;
}

static enum err b_by_number(void *ctx, uint64_t number, struct rpc_block *out)
{
    struct world *w = ctx;
    if (w->catching_up) {
        return ERR_NOT_READY;
    }
    if (number > w->head) {
        return ERR_NOT_FOUND;
    }
    *out = w->chain[number].block;
    return OK;
}

static enum err b_by_hash(void *ctx, const struct hash *hash, struct rpc_block *out)
{
    struct world *w = ctx;
    for (uint64_t i = 0; i <= w->head; i++) {
        if (hash_equal(&w->chain[i].block.hash, hash)) {
            return b_by_number(ctx, i, out);
        }
    }
    return ERR_NOT_FOUND;
}

static enum err b_tx(void *ctx, const struct hash *hash, struct rpc_tx *out)
{
    struct world *w = ctx;
    for (uint64_t i = 0; i <= w->head; i++) {
        for (uint32_t k = 0; k < w->chain[i].block.txs; k++) {
            if (hash_equal(&w->chain[i].hash[k], hash)) {
                *out = (struct rpc_tx){.state = RPC_TX_INCLUDED, .number = i, .index = k};
                return OK;
            }
        }
    }
    if (w->submitted > 0 && hash_equal(hash, &w->pending_hash)) {
        *out = (struct rpc_tx){.state = RPC_TX_PENDING,
                               .raw = bytes_of(w->pending, w->pending_n),
                               .sender = world_sender()};
        return OK;
    }
    return ERR_NOT_FOUND;
}

static uint64_t b_pending_nonce(void *ctx, const struct address *a)
{
    (void)ctx;
    (void)a;
    return 77;
}

static void b_fees(void *ctx, struct rpc_fees *out)
{
    (void)ctx;
    out->base_fee = u256_from_u64(1000000000);
    out->tip = u256_from_u64(1000);
}

static void b_pool(void *ctx, struct rpc_pool *out)
{
    (void)ctx;
    *out = (struct rpc_pool){.pending = 10, .queued = 7};
}

static void b_readiness(void *ctx, struct rpc_readiness *out)
{
    struct world *w = ctx;
    *out = (struct rpc_readiness){.ready = w->ready};
    if (!w->ready) {
        out->reasons = 2;
        out->reason[0] = "draining";
        out->reason[1] = "client";
        out->detail[0] = "asked to hand over";
    }
}

static char *b_metrics(void *ctx, size_t *n)
{
    (void)ctx;
    char *text = strdup("# TYPE baton_slot gauge\nbaton_slot 7\n");
    *n = strlen(text);
    return text;
}

/* Historical accounts are answered from a later turn of the loop. */
struct later {
    uv_timer_t timer;
    rpc_account_cb cb;
    void *arg;
};

static void later_closed(uv_handle_t *h)
{
    free(h->data);
}

static void later_fire(uv_timer_t *t)
{
    struct later *l = t->data;
    struct rpc_account a = {.err = OK, .nonce = 3, .balance = u256_from_u64(500)};
    l->cb(l->arg, &a);
    uv_close((uv_handle_t *)t, later_closed);
}

static void b_account(void *ctx, const struct hash *block, const struct address *a, bool proof,
                      rpc_account_cb cb, void *arg)
{
    struct world *w = ctx;
    static const uint8_t nodes[] = {0, 0, 0, 2, 0xc0, 0xc1, 0, 0, 0, 1, 0x80};
    (void)a;
    if (block == NULL) {
        struct rpc_account answer = {.err = OK, .nonce = 9, .balance = u256_from_u64(1000)};
        answer.proof = proof ? bytes_of(nodes, sizeof nodes) : bytes_of(NULL, 0);
        cb(arg, &answer);
        return;
    }
    if (hash_equal(block, &w->chain[0].block.hash)) {
        cb(arg, &(struct rpc_account){.err = ERR_NOT_FOUND});
        return;
    }
    struct later *l = calloc(1, sizeof *l);
    assert_non_null(l);
    l->cb = cb;
    l->arg = arg;
    uv_timer_init(&w->loop, &l->timer);
    l->timer.data = l;
    uv_timer_start(&l->timer, later_fire, 0, 0);
}

static void b_submit(void *ctx, struct bytes raw, rpc_submit_cb cb, void *arg)
{
    struct world *w = ctx;
    struct rpc_verdict v = {.hash = keccak256(raw.p, raw.n)};
    w->submitted++;
    if (w->mode == SUBMIT_HOLD) {
        assert_true(w->held_n < HELD);
        w->held[w->held_n++] = (struct held){cb, arg, v.hash};
        return;
    }
    if (w->mode == SUBMIT_REFUSE) {
        v.code = w->code;
        v.message = w->message;
    }
    cb(arg, &v);
}

static void note_query(struct world *w, int kind, const struct rpc_query *q)
{
    w->last_kind = kind;
    w->last = *q;
    w->last.params = NULL;
    snprintf(w->last_text, sizeof w->last_text, "%s", q->text != NULL ? q->text : "");
}

static void b_document(void *ctx, enum rpc_document kind, const struct rpc_query *q,
                       rpc_answer_cb cb, void *arg)
{
    struct world *w = ctx;
    note_query(w, (int)kind, q);
    if (kind == RPC_DOC_EPOCH) {
        cb(arg, &(struct rpc_answer){.err = ERR_NOT_FOUND});
        return;
    }
    if (kind == RPC_DOC_RECEIPT_PROOF) {
        cb(arg, &(struct rpc_answer){.err = ERR_BUSY, .why = "not yet final"});
        return;
    }
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "chainId", json_object_new_int(WORLD_CHAIN_ID));
    json_object_object_add(o, "path", json_object_new_string("a/b"));
    cb(arg, &(struct rpc_answer){.err = OK, .doc = o});
}

static void b_admin(void *ctx, enum rpc_admin_call call, const struct rpc_query *q,
                    rpc_answer_cb cb, void *arg)
{
    struct world *w = ctx;
    note_query(w, (int)call, q);
    cb(arg, &(struct rpc_answer){.err = OK, .doc = json_object_new_boolean(1)});
}

static void b_forward(void *ctx, const char *method, struct bytes params, rpc_forward_cb cb,
                      void *arg)
{
    struct world *w = ctx;
    struct rpc_query q = {.text = ""};
    note_query(w, 0, &q);
    snprintf(w->last_text, sizeof w->last_text, "%s %.*s", method, (int)params.n,
             (const char *)params.p);
    static const char error[] = "{\"code\":3,\"message\":\"execution reverted: no\","
                                "\"data\":\"0x08c379a0\"}";
    static const char result[] = "{\"from\":\"client\"}";
    bool fails = strcmp(method, "eth_call") == 0;
    cb(arg, &(struct rpc_forwarded){.is_error = fails,
                                    .json = fails ? bytes_of(error, sizeof error - 1)
                                                  : bytes_of(result, sizeof result - 1)});
}

static void b_counted(void *ctx, uint32_t requests, double seconds)
{
    struct world *w = ctx;
    assert_true(seconds >= 0);
    w->counted += requests;
}

static void b_connections(void *ctx, uint32_t open)
{
    ((struct world *)ctx)->connections = open;
}

static void b_limit_hit(void *ctx, const char *limit)
{
    struct world *w = ctx;
    snprintf(w->hits[w->hits_n++ % 64], sizeof w->hits[0], "%s", limit);
}

struct rpc_backend backend_of(bool forward)
{
    return (struct rpc_backend){
        .chain_id = b_chain_id,
        .head = b_head,
        .block_by_number = b_by_number,
        .block_by_hash = b_by_hash,
        .tx = b_tx,
        .pending_nonce = b_pending_nonce,
        .fees = b_fees,
        .pool = b_pool,
        .readiness = b_readiness,
        .metrics = b_metrics,
        .account = b_account,
        .submit = b_submit,
        .document = b_document,
        .admin = b_admin,
        .counted = b_counted,
        .connections = b_connections,
        .limit_hit = b_limit_hit,
        .forward = forward ? b_forward : NULL,
    };
}
