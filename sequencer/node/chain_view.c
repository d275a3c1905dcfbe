/* The chain as rpc/ reads it: blocks, transactions, accounts, heads. Nothing here is shown before
 * it is final and executed here, nor below what was shown before a restart (CONSENSUS 8). */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "sequencer/node/chain_client.h"
#include "sequencer/node/parts.h"
#include "sequencer/observe/process.h"

enum { SETTLE_US = 2000000 };

/* ---- may `latest` be served? ----------------------------------------------------------------- */

/* The highest slot that members of weight >= A showed as final when first heard; false: too few. */
static bool shown_by_others(const struct node *n, uint64_t *out)
{
    bool any = false;
    *out = 0;
    for (uint32_t i = 0; i < n->epoch.n; i++) {
        uint64_t slot = (int)i == n->self ? n->finality.slot : n->peer[i].first_final;
        if ((int)i != n->self && !n->peer[i].heard) {
            continue;
        }
        uint32_t weight = 0;
        for (uint32_t k = 0; k < n->epoch.n; k++) {
            bool self = (int)k == n->self && n->finality.slot >= slot;
            bool shows = n->peer[k].heard && n->peer[k].first_final >= slot;
            weight += self || shows ? n->epoch.member[k].weight : 0;
        }
        if (weight >= n->epoch.blocking) {
            any = true;
            *out = slot > *out ? slot : *out;
        }
    }
    return any;
}

bool view_ready(struct node *n)
{
    struct finality *f = &n->finality;
    if (f->caught_up) {
        return true;
    }
    uint64_t shown = 0;
    bool heard = shown_by_others(n, &shown);
    bool settled = n->health.quorum_us != 0 && driver_now() - n->health.quorum_us > SETTLE_US;
    if (!heard && !settled) {
        return false;
    }
    uint64_t need = n->own_finalized > shown ? n->own_finalized : shown;
    f->caught_up = f->latest_slot >= need;
    return f->caught_up;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static bool load_info(struct node *n, const struct hash *payload, struct payload_info *out)
{
    struct storage_buffer buf = {0};
    bool ok = storage_get(n->storage, TABLE_RECEIPTS, bytes_of(payload->b, sizeof payload->b),
                          &buf) == OK &&
              payload_info_decode(out, bytes_of(buf.p, buf.n)) == OK;
    free(buf.p);
    return ok;
}

static void fill(struct rpc_block *out, const struct payload_info *i)
{
    *out = (struct rpc_block){
        .hash = i->hash,
        .parent = i->parent,
        .number = i->number,
        .timestamp = i->timestamp,
        .timestamp_ms = i->timestamp_ms,
        .miner = i->fee_recipient,
        .state_root = i->state_root,
        .transactions_root = i->transactions_root,
        .receipts_root = i->receipts_root,
        .gas_limit = i->gas_limit,
        .gas_used = i->gas_used,
        .base_fee = i->base_fee,
        .txs = i->txs,
    };
}

enum err view_block(struct node *n, struct block_entry *e, struct rpc_block *out)
{
    if (!e->has_info) {
        e->has_info = load_info(n, &e->head.header.payload, &e->info);
    }
    if (!e->has_info || e->body == NULL) {
        return ERR_NOT_FOUND;
    }
    fill(out, &e->info);
    out->slot = e->head.header.slot;
    out->leader = e->head.header.leader;
    out->body = body_txs(&n->genesis, bytes_of(e->body, e->body_len));
    if (e->body_state == ENTRY_GOOD) {
        out->sender = e->tx_sender;
        out->tx_hash = e->tx_hash;
    }
    return OK;
}

static enum err genesis_block(struct node *n, struct rpc_block *out)
{
    static const uint8_t empty_body[1] = {0xc0};
    struct payload_info info;
    if (!load_info(n, &n->genesis.payload, &info)) {
        return ERR_NOT_FOUND;
    }
    fill(out, &info);
    out->body = bytes_of(empty_body, sizeof empty_body);
    return OK;
}

enum err view_hash_at(struct node *n, uint64_t number, struct hash *out)
{
    const struct finality *f = &n->finality;
    if (number == 0 || number > f->latest_number) {
        return ERR_NOT_FOUND;
    }
    if (f->recent[number % RECENT].number == number) {
        *out = f->recent[number % RECENT].block;
        return OK;
    }
    return storage_hash_by_height(n->storage, number, out);
}

struct block_entry *view_by_payload(struct node *n, const struct hash *payload)
{
    const struct finality *f = &n->finality;
    for (int i = 0; i < RECENT; i++) {
        if (f->recent[i].number != 0 && hash_equal(&f->recent[i].payload, payload)) {
            return blocks_load(n, &f->recent[i].block);
        }
    }
    struct payload_info info;
    struct hash hash;
    if (!load_info(n, payload, &info) || view_hash_at(n, info.number, &hash) != OK) {
        return NULL;
    }
    struct block_entry *e = blocks_load(n, &hash);
    return e != NULL && hash_equal(&e->head.header.payload, payload) ? e : NULL;
}

static enum err block_by_number(void *ctx, uint64_t number, struct rpc_block *out)
{
    struct node *n = ctx;
    struct hash hash;
    if (!view_ready(n)) {
        return ERR_NOT_READY;
    }
    if (number == 0) {
        return genesis_block(n, out);
    }
    TRY(view_hash_at(n, number, &hash));
    struct block_entry *e = blocks_load(n, &hash);
    return e == NULL ? ERR_NOT_FOUND : view_block(n, e, out);
}

static enum err block_by_hash(void *ctx, const struct hash *hash, struct rpc_block *out)
{
    struct node *n = ctx;
    if (!view_ready(n)) {
        return ERR_NOT_READY;
    }
    if (hash_equal(hash, &n->genesis.payload)) {
        return genesis_block(n, out);
    }
    struct block_entry *e = view_by_payload(n, hash);
    return e == NULL ? ERR_NOT_FOUND : view_block(n, e, out);
}

static uint64_t chain_id(void *ctx)
{
    const struct node *n = ctx;
    return n->epoch.chain_id;
}

static enum err head(void *ctx, enum rpc_tag tag, uint64_t *number, struct hash *hash)
{
    struct node *n = ctx;
    struct hash at = n->genesis.payload;
    *number = 0;
    if (tag != RPC_EARLIEST && !view_ready(n)) {
        return ERR_NOT_READY;
    }
    if (tag == RPC_SAFE || tag == RPC_FINALIZED) {
        struct posting_head shown =
            posting_shown(n, tag == RPC_SAFE ? &n->poster.safe : &n->poster.finalized);
        *number = shown.number;
        at = shown.hash;
    } else if (tag == RPC_LATEST) {
        *number = n->finality.latest_number;
        at = n->finality.latest_payload;
    }
    if (hash != NULL) {
        *hash = at;
    }
    return OK;
}

/* ---- transactions ---------------------------------------------------------------------------- */

bool view_find_tx(struct node *n, const struct hash *tx, uint64_t *number, uint32_t *index)
{
    const struct recent_tx *recent = finality_recent_tx(n, tx);
    if (recent != NULL) {
        *number = recent->number;
        *index = recent->index;
        return true;
    }
    struct storage_buffer buf = {0};
    bool found =
        storage_get(n->storage, TABLE_TX_INDEX, bytes_of(tx->b, sizeof tx->b), &buf) == OK &&
        buf.n == 12;
    if (found) {
        *number = load_be64(buf.p);
        *index = load_be32(buf.p + 8);
        found = *number <= n->finality.latest_number;
    }
    free(buf.p);
    return found;
}

static enum err find_tx(void *ctx, const struct hash *hash, struct rpc_tx *out)
{
    struct node *n = ctx;
    memset(out, 0, sizeof *out);
    if (!view_ready(n)) {
        return ERR_NOT_READY;
    }
    if (view_find_tx(n, hash, &out->number, &out->index)) {
        out->state = RPC_TX_INCLUDED;
        return OK;
    }
    struct mempool_entry e;
    if (!mempool_get(n->mempool, hash, &e)) {
        return ERR_NOT_FOUND;
    }
    out->state = RPC_TX_PENDING;
    out->raw = e.raw;
    out->sender = e.sender;
    return OK;
}

static uint64_t pending_nonce(void *ctx, const struct address *a)
{
    struct node *n = ctx;
    return mempool_pending_nonce(n->mempool, a);
}

static void fees(void *ctx, struct rpc_fees *out)
{
    struct node *n = ctx;
    if (n->ledger == NULL) {
        link_base_fee(n, &out->base_fee);
    } else {
        ledger_service_base_fee(n->ledger, &out->base_fee);
    }
    out->tip = u256_from_u64(1000000);
}

static void pool(void *ctx, struct rpc_pool *out)
{
    struct node *n = ctx;
    struct mempool_stats s;
    mempool_get_stats(n->mempool, &s);
    out->pending = s.executable;
    out->queued = s.count - s.executable;
}

static void submit(void *ctx, struct bytes raw, rpc_submit_cb cb, void *arg)
{
    intake_submit(ctx, raw, cb, arg);
}

/* ---- accounts -------------------------------------------------------------------------------- */

struct question {
    rpc_account_cb cb;
    void *arg;
};

static void account_answer(void *arg, enum err e, const struct ledger_account *acc,
                           const uint8_t *proof, size_t proof_len)
{
    struct question *q = arg;
    struct rpc_account a = {.err = e};
    if (e == OK) {
        a.nonce = acc->nonce;
        a.balance = acc->balance;
        a.proof = bytes_of(proof, proof_len);
    }
    q->cb(q->arg, &a);
    free(q);
}

static void account(void *ctx, const struct hash *block, const struct address *a, bool proof,
                    rpc_account_cb cb, void *arg)
{
    struct node *n = ctx;
    const struct hash *payload = block == NULL ? &n->finality.latest_payload : block;
    if (n->ledger == NULL) {
        const struct block_entry *e = block == NULL ? NULL : view_by_payload(n, block);
        chain_client_account(n, e == NULL ? n->finality.latest_number : e->head.header.height, a,
                             cb, arg);
        return;
    }
    if (!proof && hash_equal(payload, &n->finality.latest_payload)) {
        struct ledger_account acc;
        ledger_service_account(n->ledger, a, &acc);
        struct rpc_account answer = {.err = OK, .nonce = acc.nonce, .balance = acc.balance};
        cb(arg, &answer);
        return;
    }
    struct question *q = calloc(1, sizeof *q);
    if (q == NULL) {
        struct rpc_account busy = {.err = ERR_BUSY};
        cb(arg, &busy);
        return;
    }
    q->cb = cb;
    q->arg = arg;
    ledger_service_query(n->ledger, payload, a, proof, account_answer, q);
}

/* ---- readiness, figures ---------------------------------------------------------------------- */

static void readiness(void *ctx, struct rpc_readiness *out)
{
    readiness_look(ctx, out);
}

static char *metrics_page(void *ctx, size_t *len)
{
    struct node *n = ctx;
    book_gauges(n);
    process_metrics(n->metrics);
    return metrics_text(n->metrics, len);
}

static void counted(void *ctx, uint32_t requests, double seconds)
{
    struct node *n = ctx;
    metrics_add(n->metrics, METRIC_RPC_REQUESTS, 0, requests);
    metrics_observe(n->metrics, METRIC_RPC_SECONDS, 0, seconds);
}

static void connections(void *ctx, uint32_t open)
{
    struct node *n = ctx;
    metrics_set(n->metrics, METRIC_RPC_CONNECTIONS, 0, open);
}

static void limit_hit(void *ctx, const char *limit)
{
    book_limit(ctx, limit);
}

/* `forward` is the difference: with the built-in ledger there is nobody to ask. */
#define CHAIN_BACKEND(forward_or_null)                                                          \
    {                                                                                           \
        .chain_id = chain_id,                                                                   \
        .head = head,                                                                           \
        .block_by_number = block_by_number,                                                     \
        .block_by_hash = block_by_hash,                                                         \
        .tx = find_tx,                                                                          \
        .pending_nonce = pending_nonce,                                                         \
        .fees = fees,                                                                           \
        .pool = pool,                                                                           \
        .readiness = readiness,                                                                 \
        .metrics = metrics_page,                                                                \
        .account = account,                                                                     \
        .submit = submit,                                                                       \
        .document = documents_answer,                                                           \
        .admin = admin_answer,                                                                  \
        .forward = (forward_or_null),                                                           \
        .counted = counted,                                                                     \
        .connections = connections,                                                             \
        .limit_hit = limit_hit,                                                                 \
    }

const struct rpc_backend chain_backend = CHAIN_BACKEND(NULL);
const struct rpc_backend chain_client_backend = CHAIN_BACKEND(chain_forward);
