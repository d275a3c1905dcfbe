#define _GNU_SOURCE
#include "sequencer/rpc/send.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/body.h"
#include "proto/keccak.h"
#include "proto/limits.h"
#include "sequencer/rpc/call.h"
#include "sequencer/rpc/params.h"
#include "sequencer/rpc/view.h"

/* geth's times (EIP-7966). */
enum { SYNC_DEFAULT_MS = 20000, SYNC_MAX_MS = 60000 };

/* A call that waits for its transaction to be final, in the chain of its bucket. */
struct waiter {
    struct waiter *next;
    struct call *call;
    struct hash hash;
    uint64_t until_ms;
    uint32_t timeout_ms;
};

/* ---- eth_sendRawTransaction ----------------------------------------------------------------- */

static void submitted(void *arg, const struct rpc_verdict *v)
{
    struct call *c = arg;
    if (call_gone(c)) {
        return;
    }
    if (v->code != 0) {
        call_error(c, v->code, "%s", v->message != NULL ? v->message : "transaction refused");
        return;
    }
    text_hash(call_result(c), &v->hash);
    call_done(c);
}

static void submit(struct call *c, rpc_submit_cb cb)
{
    uint8_t *raw;
    size_t n;
    if (!params_bytes(c, 0, LIMIT_TX_BYTES, &raw, &n)) {
        return;
    }
    if (raw == NULL) {
        call_error(c, CODE_SERVER, "oversized data: transaction size %zu, limit %d", n,
                   LIMIT_TX_BYTES);
        return;
    }
    call_backend(c)->submit(call_ctx(c), bytes_of(raw, n), cb, c);
    free(raw);
}

void eth_send_raw(struct call *c)
{
    submit(c, submitted);
}

/* ---- eth_sendRawTransactionSync ------------------------------------------------------------- */

/* Final before the acknowledgement came, as happens to a fast set. */
static bool answer_if_final(struct call *c, const struct hash *hash)
{
    struct rpc_tx found;
    struct rpc_block b;
    const struct rpc_backend *backend = call_backend(c);
    if (backend->tx(call_ctx(c), hash, &found) != OK || found.state != RPC_TX_INCLUDED ||
        backend->block_by_number(call_ctx(c), found.number, &b) != OK || found.index >= b.txs) {
        return false;
    }
    view_answer(c, &b, VIEW_RECEIPT, found.index);
    return true;
}

/* The odd salt is random, so that nobody can grind transactions into one bucket. */
static struct waiter **bucket(struct rpc *r, const struct hash *hash)
{
    return &r->waiting[load_be64(hash->b) * r->salt >> 54];
}

static void wait_for(struct call *c, const struct hash *hash)
{
    struct rpc *r = call_rpc(c);
    struct waiter *w = r->waiting_n < LIMIT_RPC_WAITING ? malloc(sizeof *w) : NULL;
    if (w == NULL) {
        server_limit_hit(r, "RPC_WAITING");
        call_error(c, CODE_BUSY,
                   "too many calls wait for finality; the transaction was accepted, "
                   "ask for its receipt");
        return;
    }
    struct waiter **at = bucket(r, hash);
    *w = (struct waiter){*at, c, *hash, uv_now(r->loop) + c->choice, c->choice};
    *at = w;
    r->waiting_n++;
}

static void submitted_sync(void *arg, const struct rpc_verdict *v)
{
    struct call *c = arg;
    if (v->code != 0) {
        submitted(arg, v);
        return;
    }
    struct hash hash = v->hash;
    if (!call_gone(c) && !answer_if_final(c, &hash)) {
        wait_for(c, &hash);
    }
}

void eth_send_raw_sync(struct call *c)
{
    uint64_t timeout_ms;
    if (!params_u64_or(c, 1, SYNC_DEFAULT_MS, &timeout_ms)) {
        return;
    }
    if (timeout_ms == 0 || timeout_ms > SYNC_MAX_MS) {
        timeout_ms = timeout_ms == 0 ? SYNC_DEFAULT_MS : SYNC_MAX_MS;
    }
    c->choice = (uint32_t)timeout_ms;
    submit(c, submitted_sync);
}

/* Takes those that wait for this transaction off their bucket. */
static struct waiter *take(struct rpc *r, const struct hash *hash)
{
    struct waiter **at = bucket(r, hash);
    struct waiter *taken = NULL;
    while (*at != NULL) {
        struct waiter *w = *at;
        if (!hash_equal(&w->hash, hash)) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        w->next = taken;
        taken = w;
        r->waiting_n--;
    }
    return taken;
}

static struct hash *hash_all(const struct rpc_block *b)
{
    struct bytes *raw = calloc((size_t)b->txs + 1, sizeof *raw);
    struct hash *hash = calloc((size_t)b->txs + 1, sizeof *hash);
    uint32_t n = 0;
    if (raw == NULL || hash == NULL || body_count(b->body, &n) != OK || n != b->txs) {
        free(raw);
        free(hash);
        return NULL;
    }
    body_split(b->body, raw, n);
    for (uint32_t i = 0; i < n; i++) {
        hash[i] = keccak256(raw[i].p, raw[i].n);
    }
    free(raw);
    return hash;
}

void send_final(struct rpc *r, const struct rpc_block *b)
{
    if (r->waiting_n == 0 || b->txs == 0) {
        return;
    }
    struct hash *own = b->tx_hash == NULL ? hash_all(b) : NULL;
    const struct hash *hash = b->tx_hash != NULL ? b->tx_hash : own;
    for (uint32_t i = 0; hash != NULL && i < b->txs && r->waiting_n > 0; i++) {
        struct waiter *w = take(r, &hash[i]);
        while (w != NULL) {
            struct waiter *next = w->next;
            if (!call_gone(w->call)) {
                view_answer(w->call, b, VIEW_RECEIPT, i);
            }
            free(w);
            w = next;
        }
    }
    free(own);
}

static void answer_timeout(struct waiter *w)
{
    char message[128];
    struct text data = {0};
    if (call_gone(w->call)) {
        return;
    }
    uint32_t ms = w->timeout_ms;
    snprintf(message, sizeof message,
             "The transaction was added to the mempool but wasn't processed in %u%s.",
             ms % 1000 == 0 ? ms / 1000 : ms, ms % 1000 == 0 ? "s" : "ms");
    text_hash(&data, &w->hash);
    text_put(&data, "", 1);
    call_error_data(w->call, CODE_SYNC_TIMEOUT, message, data.failed ? NULL : data.p);
    text_free(&data);
}

/* Those whose time is over or whose client left; with `all`, every one. */
static struct waiter *take_over(struct rpc *r, uint64_t now_ms, bool all)
{
    struct waiter *over = NULL;
    for (size_t i = 0; i < WAITER_BUCKETS && r->waiting_n > 0; i++) {
        struct waiter **at = &r->waiting[i];
        while (*at != NULL) {
            struct waiter *w = *at;
            if (!all && now_ms < w->until_ms && w->call->message->conn != NULL) {
                at = &w->next;
                continue;
            }
            *at = w->next;
            w->next = over;
            over = w;
            r->waiting_n--;
        }
    }
    return over;
}

void send_tick(struct rpc *r, uint64_t now_ms)
{
    struct waiter *w = take_over(r, now_ms, false);
    while (w != NULL) {
        struct waiter *next = w->next;
        answer_timeout(w);
        free(w);
        w = next;
    }
}

void send_forget_all(struct rpc *r)
{
    struct waiter *w = take_over(r, 0, true);
    while (w != NULL) {
        struct waiter *next = w->next;
        (void)call_gone(w->call);
        free(w);
        w = next;
    }
}
