#define _GNU_SOURCE
/* Blocks in memory, by hash: the recent ones whole, older ones read from disk again. Bounded by
 * LIMIT_BLOCK_CACHE_BYTES; what is under work is pinned. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "sequencer/engine/engine_body.h"
#include "sequencer/node/parts.h"

bool blocks_is_empty(const struct header *h)
{
    return (h->flags & FLAG_EMPTY) != 0;
}

struct bytes body_txs(const struct genesis *g, struct bytes body)
{
    struct bytes txs = body;
    if (g->execution != EXECUTION_LEDGER && engine_body_txs(body, &txs) != OK) {
        return bytes_of(NULL, 0);
    }
    return txs;
}

static void touch(struct node *n, struct block_entry *e)
{
    DL_DELETE(n->blocks.lru, e);
    DL_APPEND(n->blocks.lru, e);
}

struct block_entry *blocks_find(struct node *n, const struct hash *hash)
{
    struct block_entry *e = NULL;
    HASH_FIND(hh, n->blocks.table, hash, sizeof *hash, e);
    if (e != NULL) {
        touch(n, e);
    }
    return e;
}

static void free_txs(struct block_entry *e)
{
    free(e->tx);
    free(e->tx_hash);
    free(e->tx_sender);
    free(e->tx_nonce);
    e->tx = NULL;
    e->tx_hash = NULL;
    e->tx_sender = NULL;
    e->tx_nonce = NULL;
    e->txs = 0;
}

void blocks_drop_body(struct node *n, struct block_entry *e)
{
    free_txs(e);
    free(e->body);
    e->body = NULL;
    e->body_len = 0;
    e->body_state = ENTRY_NONE;
    blocks_weigh(n, e);
}

static void entry_free(struct node *n, struct block_entry *e)
{
    n->blocks.bytes -= e->weight;
    HASH_DEL(n->blocks.table, e);
    DL_DELETE(n->blocks.lru, e);
    free_txs(e);
    free(e->body);
    free((void *)(uintptr_t)e->head.system.p);
    free(e);
}

static bool pinned(const struct block_entry *e)
{
    return e->pins > 0 || e->in_queue || e->body_state == ENTRY_CHECKING;
}

/* Frees what is held longest: bytes that the disk has too, or that nobody vouches for. */
static void trim(struct node *n)
{
    struct block_entry *e, *next;
    DL_FOREACH_SAFE(n->blocks.lru, e, next)
    {
        if (n->blocks.bytes <= LIMIT_BLOCK_CACHE_BYTES || next == NULL) {
            return;
        }
        if (pinned(e)) {
            continue;
        }
        if (e->done || !e->has_head) {
            entry_free(n, e);
        } else if (e->body != NULL && e->stored) {
            free_txs(e);
            free(e->body);
            e->body = NULL;
            e->body_len = 0;
            e->body_state = ENTRY_NONE;
            n->blocks.bytes -= e->weight;
            e->weight = sizeof *e + e->head.system.n;
            n->blocks.bytes += e->weight;
        }
    }
}

void blocks_weigh(struct node *n, struct block_entry *e)
{
    size_t each = sizeof *e->tx + sizeof *e->tx_hash + sizeof *e->tx_sender + sizeof *e->tx_nonce;
    n->blocks.bytes -= e->weight;
    e->weight = sizeof *e + e->head.system.n + e->body_len + e->txs * each;
    n->blocks.bytes += e->weight;
    if (n->blocks.bytes > LIMIT_BLOCK_CACHE_BYTES) {
        e->pins++;
        trim(n);
        e->pins--;
    }
}

struct block_entry *blocks_get(struct node *n, const struct hash *hash)
{
    struct block_entry *e = blocks_find(n, hash);
    if (e != NULL) {
        return e;
    }
    e = calloc(1, sizeof *e);
    if (e == NULL) {
        return NULL;
    }
    e->hash = *hash;
    e->node = n;
    HASH_ADD(hh, n->blocks.table, hash, sizeof e->hash, e);
    DL_APPEND(n->blocks.lru, e);
    blocks_weigh(n, e);
    return e;
}

struct block_entry *blocks_put_head(struct node *n, const struct block_head *head)
{
    struct block_entry *e = blocks_get(n, &head->hash);
    if (e == NULL || e->has_head) {
        return e;
    }
    uint8_t *system = NULL;
    if (head->system.n > 0) {
        system = malloc(head->system.n);
        if (system == NULL) {
            return NULL;
        }
        memcpy(system, head->system.p, head->system.n);
    }
    e->head = *head;
    e->head.system = bytes_of(system, head->system.n);
    e->has_head = true;
    blocks_weigh(n, e);
    return e;
}

bool blocks_put_body(struct node *n, struct block_entry *e, struct bytes body,
                     enum entry_body state)
{
    uint8_t *copy = malloc(body.n > 0 ? body.n : 1);
    if (copy == NULL) {
        return false;
    }
    if (body.n > 0) {
        memcpy(copy, body.p, body.n);
    }
    free_txs(e);
    free(e->body);
    e->body = copy;
    e->body_len = body.n;
    e->body_state = state;
    blocks_weigh(n, e);
    return true;
}

/* Reads into the entry what the disk has and memory lacks. */
static void fill_from_disk(struct node *n, struct block_entry *e)
{
    struct storage_buffer buf = {0};
    struct block b;
    if (storage_get_block(n->storage, &e->hash, &buf, &b) != OK) {
        free(buf.p);
        return;
    }
    struct block_entry *same = blocks_put_head(n, &b.head);
    bool whole =
        !blocks_is_empty(&b.head.header) && b.body.n == b.head.header.body_len && b.body.n > 0;
    if (same == e && e->has_head && e->body == NULL && whole) {
        blocks_put_body(n, e, b.body, ENTRY_LOADED);
        e->stored = true;
    }
    free(buf.p);
}

struct block_entry *blocks_load(struct node *n, const struct hash *hash)
{
    struct block_entry *e = blocks_get(n, hash);
    if (e == NULL) {
        return NULL;
    }
    bool complete =
        e->has_head && (blocks_is_empty(&e->head.header) || e->body_state != ENTRY_NONE);
    if (!complete && (!e->has_head || e->stored || e->final)) {
        fill_from_disk(n, e);
    }
    if (!e->has_head) {
        if (e->body == NULL && !pinned(e)) {
            entry_free(n, e);
        }
        return NULL;
    }
    if (e->head.header.slot <= n->finality.latest_slot && e->head.header.epoch == n->epoch.epoch) {
        e->done = e->done || e->run == ENTRY_NOT_RUN;
    }
    return e;
}

void blocks_store(struct node *n, struct block_entry *e)
{
    struct block b = {.head = e->head};
    bool whole = blocks_is_empty(&e->head.header);
    if (e->body_state == ENTRY_GOOD || e->body_state == ENTRY_CHECKING ||
        e->body_state == ENTRY_LOADED) {
        b.body = bytes_of(e->body, e->body_len);
        whole = true;
    }
    enum err err = storage_submit_block(n->storage, &e->hash, &b);
    if (err == OK) {
        e->stored = e->stored || whole;
    } else if (e->final) { /* others are handed over again when they become final */
        finality_refused(n, err);
    }
}

void blocks_forget_below(struct node *n, uint64_t slot)
{
    struct block_entry *e, *next;
    DL_FOREACH_SAFE(n->blocks.lru, e, next)
    {
        if (e->has_head && e->head.header.slot <= slot && !e->final && !e->done && e->pins == 0 &&
            e->body_state != ENTRY_CHECKING) {
            if (e->in_queue) {
                continue;
            }
            entry_free(n, e);
        }
    }
}

/* Nothing is started before all are marked: a child does not go before its parent. */
void blocks_run_again(struct node *n)
{
    struct block_entry *e;
    execute_put_off(n);
    DL_FOREACH(n->blocks.lru, e)
    {
        bool again = e->run == ENTRY_VALID && !e->done && e->has_head;
        if (again && !blocks_is_empty(&e->head.header)) {
            e->run = ENTRY_NOT_RUN;
        }
        e->run_retry_us = 0;
        e->run_wait_us = 0;
    }
    DL_FOREACH(n->blocks.lru, e)
    {
        if (e->run == ENTRY_NOT_RUN && e->has_info && !e->done) {
            execute_want(n, e);
        }
    }
    n->executes.again = true;
    execute_go_on(n);
}

void blocks_close(struct node *n)
{
    struct block_entry *e, *next;
    DL_FOREACH_SAFE(n->blocks.lru, e, next)
    {
        entry_free(n, e);
    }
}
