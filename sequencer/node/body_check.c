#define _GNU_SOURCE
/* N5: a body is here, hashes to its root and passes the stateless checks; its senders are found.
 * Senders of what was met before are known, by hash (senders.c); the others are recovered by
 * workers. Of a large body the hashes, too, are made there. */
#include <stdlib.h>
#include <string.h>

#include "proto/body.h"
#include "proto/keccak.h"
#include "proto/keccak_many.h"
#include "sequencer/node/parts.h"

struct root_work {
    uv_work_t work;
    struct block_entry *entry;
    struct hash root;
};

/* Transactions from … to-1 of a large body. */
struct hashing {
    uv_work_t work;
    struct block_entry *entry;
    uint32_t from, to;
};

struct slice {
    uv_work_t work;
    struct block_entry *entry;
    uint64_t chain_id;
    uint32_t n;
    uint32_t index[SLICE_TXS];
    bool ok;
};

static void finished(struct node *n, struct block_entry *e, bool ok)
{
    e->body_state = ok ? ENTRY_GOOD : ENTRY_BAD;
    blocks_weigh(n, e);
    if (ok && !e->stored) {
        blocks_store(n, e);
    }
    if (ok) {
        finality_tip(n, e);
    }
    struct event event = {.kind = EVENT_BODY, .peer = -1};
    event.u.body.block = e->hash;
    event.u.body.ok = ok;
    driver_give(n, event);
    execute_pump(n);
    finality_pump(n);
}

/* What would go on with it, the ledger or the disk, may be gone: the body is dropped. */
static bool is_over(const struct block_entry *e, int status)
{
    return status != 0 || e->node->driver.closed;
}

static bool alloc_txs(struct block_entry *e, uint32_t count)
{
    e->tx = calloc(count + 1, sizeof *e->tx);
    e->tx_hash = calloc(count + 1, sizeof *e->tx_hash);
    e->tx_sender = calloc(count + 1, sizeof *e->tx_sender);
    e->tx_nonce = calloc(count + 1, sizeof *e->tx_nonce);
    struct bytes *raw = calloc(count + 1, sizeof *raw);
    bool ok = raw != NULL && e->tx != NULL && e->tx_hash != NULL && e->tx_sender != NULL &&
              e->tx_nonce != NULL;
    if (ok) {
        body_split(body_txs(&e->node->genesis, bytes_of(e->body, e->body_len)), raw, count);
        for (uint32_t i = 0; i < count; i++) {
            e->tx[i].raw = raw[i];
        }
        e->txs = count;
    }
    free(raw);
    return ok;
}

static bool recover_one(struct block_entry *e, uint32_t i, uint64_t chain_id)
{
    struct tx tx;
    if (tx_decode_hashed(&tx, e->tx[i].raw, &e->tx_hash[i]) != TX_OK ||
        (tx.has_chain_id && tx.chain_id != chain_id) ||
        tx_sender(&e->tx_sender[i], &tx) != TX_OK) {
        return false;
    }
    e->tx_nonce[i] = tx.nonce;
    e->tx[i].sender = e->tx_sender[i];
    return true;
}

static void slice_run(uv_work_t *work)
{
    struct slice *s = work->data;
    s->ok = true;
    for (uint32_t i = 0; s->ok && i < s->n; i++) {
        s->ok = recover_one(s->entry, s->index[i], s->chain_id);
    }
}

static void remember(struct block_entry *e, uint32_t i)
{
    senders_put(e->node, &e->tx_hash[i], &e->tx_sender[i], e->tx_nonce[i]);
}

static void slice_done(uv_work_t *work, int status)
{
    struct slice *s = work->data;
    struct block_entry *e = s->entry;
    e->check_ok = e->check_ok && s->ok && status == 0;
    e->check_left--;
    e->pins--;
    for (uint32_t i = 0; s->ok && !is_over(e, status) && i < s->n; i++) {
        remember(e, s->index[i]);
    }
    free(s);
    if (e->check_left == 0) {
        if (is_over(e, status)) {
            blocks_drop_body(e->node, e);
        } else {
            finished(e->node, e, e->check_ok);
        }
    }
}

/* Decoded and recovered when it came in, by whatever way; or before the start, in the pool. */
static bool is_known(struct node *n, struct block_entry *e, uint32_t i)
{
    struct mempool_entry known;
    if (!senders_get(n, &e->tx_hash[i], &e->tx_sender[i], &e->tx_nonce[i])) {
        if (!mempool_get(n->mempool, &e->tx_hash[i], &known)) {
            return false;
        }
        e->tx_sender[i] = known.sender;
        e->tx_nonce[i] = known.nonce;
    }
    e->tx[i].sender = e->tx_sender[i];
    return true;
}

static struct slice *slice_new(struct node *n, struct block_entry *e)
{
    struct slice *s = calloc(1, sizeof *s);
    if (s != NULL) {
        s->work.data = s;
        s->entry = e;
        s->chain_id = n->epoch.chain_id;
    }
    return s;
}

static void slice_queue(struct node *n, struct slice *s)
{
    s->entry->check_left++;
    s->entry->pins++;
    if (uv_queue_work(&n->loop, &s->work, slice_run, slice_done) != 0) {
        slice_run(&s->work);
        slice_done(&s->work, 0);
    }
}

static void find_senders(struct node *n, struct block_entry *e)
{
    struct slice *s = NULL;
    uint32_t inlined = 0;
    e->check_ok = true;
    e->check_left = 1; /* this function's own share: slices may finish while it runs */
    for (uint32_t i = 0; i < e->txs && e->check_ok; i++) {
        if (is_known(n, e, i)) {
            continue;
        }
        if (inlined < INLINE_TXS) {
            inlined++;
            e->check_ok = recover_one(e, i, n->epoch.chain_id);
            if (e->check_ok) {
                remember(e, i);
            }
            continue;
        }
        if (s == NULL) {
            s = slice_new(n, e);
            e->check_ok = e->check_ok && s != NULL;
        }
        if (s != NULL) {
            s->index[s->n++] = i;
        }
        if (s != NULL && s->n == SLICE_TXS) {
            slice_queue(n, s);
            s = NULL;
        }
    }
    if (s != NULL) {
        slice_queue(n, s);
    }
    if (--e->check_left == 0) {
        finished(n, e, e->check_ok);
    }
}

static void hash_range(struct block_entry *e, uint32_t from, uint32_t to)
{
    struct bytes raw[KECCAK_TOGETHER] = {{0}};
    while (from < to) {
        uint32_t n = 0;
        for (; n < KECCAK_TOGETHER && from + n < to; n++) {
            raw[n] = e->tx[from + n].raw;
        }
        keccak256_many(e->tx_hash + from, raw, n);
        from += n;
    }
}

static void hashing_run(uv_work_t *work)
{
    const struct hashing *h = work->data;
    hash_range(h->entry, h->from, h->to);
}

static void hashing_done(uv_work_t *work, int status)
{
    struct hashing *h = work->data;
    struct block_entry *e = h->entry;
    free(h);
    e->check_ok = e->check_ok && status == 0;
    e->pins--;
    if (--e->check_left > 0) {
        return;
    }
    if (e->check_ok && !is_over(e, status)) {
        find_senders(e->node, e);
    } else {
        blocks_drop_body(e->node, e);
    }
}

/* False: nothing was queued. */
static bool hash_later(struct node *n, struct block_entry *e, uint32_t from, uint32_t to)
{
    struct hashing *h = calloc(1, sizeof *h);
    if (h == NULL) {
        return false;
    }
    *h = (struct hashing){.entry = e, .from = from, .to = to};
    h->work.data = h;
    e->check_left++;
    e->pins++;
    if (uv_queue_work(&n->loop, &h->work, hashing_run, hashing_done) == 0) {
        return true;
    }
    e->check_left--;
    e->pins--;
    free(h);
    return false;
}

static void find_hashes(struct node *n, struct block_entry *e)
{
    uint32_t from = 0;
    e->check_ok = true;
    e->check_left = 0;
    while (e->txs > SLICE_HASHES && from < e->txs) {
        uint32_t to = e->txs - from > SLICE_HASHES ? from + SLICE_HASHES : e->txs;
        if (!hash_later(n, e, from, to)) {
            break;
        }
        from = to;
    }
    hash_range(e, from, e->txs);
    if (e->check_left == 0) {
        find_senders(n, e);
    }
}

static void root_good(struct node *n, struct block_entry *e)
{
    uint32_t count = 0;
    e->body_state = ENTRY_CHECKING;
    if (body_count(body_txs(&n->genesis, bytes_of(e->body, e->body_len)), &count) != OK) {
        finished(n, e, false);
    } else if (!alloc_txs(e, count)) {
        blocks_drop_body(n, e);
    } else {
        find_hashes(n, e);
    }
}

static void root_known(struct node *n, struct block_entry *e, const struct hash *root)
{
    if (!hash_equal(root, &e->head.header.body_root)) {
        log_write(LOG_WARN, "node", "a body does not hash to its block's root: dropped",
                  LOG_HASH("block", &e->hash), NULL);
        blocks_drop_body(n, e);
        return;
    }
    root_good(n, e);
}

static void root_run(uv_work_t *work)
{
    struct root_work *r = work->data;
    r->root = keccak256(r->entry->body, r->entry->body_len);
}

static void root_done(uv_work_t *work, int status)
{
    struct root_work *r = work->data;
    struct block_entry *e = r->entry;
    struct hash root = r->root;
    e->pins--;
    free(r);
    if (is_over(e, status)) {
        blocks_drop_body(e->node, e);
    } else {
        root_known(e->node, e, &root);
    }
}

static void check_root(struct node *n, struct block_entry *e)
{
    struct root_work *r = e->body_len > ROOT_INLINE_BYTES ? calloc(1, sizeof *r) : NULL;
    e->body_state = ENTRY_CHECKING;
    if (r != NULL) {
        r->work.data = r;
        r->entry = e;
        e->pins++;
        if (uv_queue_work(&n->loop, &r->work, root_run, root_done) == 0) {
            return;
        }
        e->pins--;
        free(r);
    }
    struct hash root = keccak256(e->body, e->body_len);
    root_known(n, e, &root);
}

void body_check(struct node *n, struct block_entry *e)
{
    if (e->body_state == ENTRY_LOADED) {
        root_good(n, e);
    } else if (e->body_state == ENTRY_STASHED && e->has_head) {
        if (e->body_len != e->head.header.body_len) {
            blocks_drop_body(n, e);
            return;
        }
        check_root(n, e);
    }
}

void body_arrived(struct node *n, const struct hash *block, struct bytes body)
{
    struct block_entry *e = blocks_get(n, block);
    if (e == NULL || body.n == 0 || body.n > LIMIT_BODY_BYTES || e->done) {
        return;
    }
    if (e->body_state != ENTRY_NONE || !blocks_put_body(n, e, body, ENTRY_STASHED)) {
        return;
    }
    body_check(n, e);
}

void body_head_here(struct node *n, struct block_entry *e)
{
    if (e->body_state == ENTRY_STASHED || e->body_state == ENTRY_LOADED) {
        body_check(n, e);
    } else if (e->body_state == ENTRY_GOOD || e->body_state == ENTRY_BAD) {
        struct event event = {.kind = EVENT_BODY, .peer = -1};
        event.u.body.block = e->hash;
        event.u.body.ok = e->body_state == ENTRY_GOOD;
        driver_give(n, event);
    }
}
