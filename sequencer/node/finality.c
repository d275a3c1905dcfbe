#define _GNU_SOURCE
/* Final blocks, in order: to disk at once; then, when executed here, to the execution client, the
 * pool, the tables and to everybody who waits. `latest` moves only at the end of this. */
#include <stdlib.h>
#include <string.h>

#include "sequencer/node/parts.h"

void finality_tip(struct node *n, const struct block_entry *e)
{
    struct finality *f = &n->finality;
    if (e->head.header.slot > f->tip_slot) {
        f->tip_slot = e->head.header.slot;
        f->tip = e->hash;
        n->health.pool_changed = true;
    }
}

void finality_refused(struct node *n, enum err err)
{
    char why[READY_SENTENCE];
    snprintf(why, sizeof why,
             "a final block could not be handed to %.80s (%s): nothing that follows may be; see to "
             "that disk and start again",
             n->config->dir, err_text(err));
    node_end(n, err, why);
}

/* What a descendant's certificate covers is not on its way to disk before that one comes, and
 * nothing that follows from it may be: finality_pump waits for it, a step at the most. */
static void submit(struct node *n, const struct effect *e)
{
    const struct certificate *cert = e->u.final.cert;
    const struct header *h = &e->u.final.head->header;
    bool own = cert != NULL && cert->slot == h->slot && hash_equal(&cert->block, &e->u.final.block);
    struct storage_final f = {
        .hash = e->u.final.block,
        .header = h,
        .cert = own ? cert : NULL,
        .bench = bytes_of(e->u.final.bench, e->u.final.bench_len),
    };
    enum err err = storage_submit_final(n->storage, &f);
    if (err != OK) {
        finality_refused(n, err);
    } else if (own) {
        n->finality.cert = *cert;
        n->finality.covered_slot = h->slot;
    }
}

void finality_final(struct node *n, const struct effect *e)
{
    struct finality *f = &n->finality;
    const struct header *h = &e->u.final.head->header;
    struct block_entry *b = blocks_put_head(n, e->u.final.head);
    struct final_item *item = calloc(1, sizeof *item);
    if (b == NULL || item == NULL) {
        log_write(LOG_ERROR, "node", "out of memory at a final block", NULL);
        abort(); /* to go on would leave a hole in the chain that users see */
    }
    b->final = true;
    if (!b->stored) {
        blocks_store(n, b);
    }
    submit(n, e);
    b->final_us = driver_now();
    f->slot = h->slot;
    f->height = h->height;
    f->seen_us = b->final_us;
    finality_tip(n, b);
    book_final(n, h);
    item->block = b->hash;
    if (f->first == NULL) {
        f->end = &f->first;
    }
    *f->end = item;
    f->end = &item->next;
    f->waiting++;
    finality_pump(n);
}

static void pop(struct node *n)
{
    struct finality *f = &n->finality;
    struct final_item *item = f->first;
    f->first = item->next;
    f->waiting--;
    free(item);
    if (f->first == NULL) {
        f->end = &f->first;
    }
}

static void announce(struct node *n, struct block_entry *e)
{
    struct rpc_block block;
    if (n->rpc == NULL || view_block(n, e, &block) != OK) {
        return;
    }
    rpc_on_final(n->rpc, &block);
    if (rpc_wants_certificates(n->rpc)) {
        struct json_object *doc = documents_certificate(n, e->info.number);
        if (doc != NULL) {
            rpc_on_certificate(n->rpc, doc);
            json_object_put(doc);
        }
    }
}

const struct recent_tx *finality_recent_tx(const struct node *n, const struct hash *tx)
{
    struct recent_tx *t = NULL;
    HASH_FIND(hh, n->finality.recent_tx, tx, sizeof *tx, t);
    return t;
}

static void remember_txs(struct finality *f, const struct block_entry *e)
{
    struct recent_tx *t, *tmp;
    HASH_ITER(hh, f->recent_tx, t, tmp)
    {
        if (t->number + RECENT / 2 > e->head.header.height) {
            break;
        }
        HASH_DEL(f->recent_tx, t);
        free(t);
    }
    for (uint32_t i = 0; i < e->txs; i++) {
        t = calloc(1, sizeof *t);
        if (t == NULL) {
            return; /* found again as soon as the disk has the index */
        }
        t->hash = e->tx_hash[i];
        t->number = e->head.header.height;
        t->index = i;
        HASH_ADD(hh, f->recent_tx, hash, sizeof t->hash, t);
    }
}

static void dropped(void *arg, const struct hash *hash)
{
    struct node *n = arg;
    pool_erase(n, hash, 1);
}

/* The block is part of what users see from here on. */
static void latest(struct node *n, struct block_entry *e)
{
    struct finality *f = &n->finality;
    const struct header *h = &e->head.header;
    f->latest_slot = h->slot;
    f->latest_block = e->hash;
    e->done = true;
    if (blocks_is_empty(h)) {
        return;
    }
    f->latest_number = h->height;
    f->latest_payload = h->payload;
    f->recent[h->height % RECENT].number = h->height;
    f->recent[h->height % RECENT].block = e->hash;
    f->recent[h->height % RECENT].payload = h->payload;
    remember_txs(f, e);
    f->latest_ms = h->timestamp_ms;
    posting_final(n, h);
    if (e->arrival_us != 0 && e->final_us > e->arrival_us) {
        metrics_observe(n->metrics, METRIC_FINALITY_SECONDS, 0,
                        (double)(e->final_us - e->arrival_us) / 1e6);
    }
    build_verdict(n, e, true);
    mempool_final(n->mempool, e->tx_hash, e->tx_sender, e->tx_nonce, e->txs, dropped, n);
    n->health.pool_changed = true;
    announce(n, e);
    for (uint32_t i = 0; i < e->txs; i++) {
        intake_final(n, &e->tx_hash[i]);
        accounts_want(n, &e->tx_sender[i]);
    }
}

/* What a final head makes needless: rivals in memory, journal steps below it on disk. */
static void tidy(struct node *n, uint64_t slot)
{
    blocks_forget_below(n, slot);
    enum err err = n->self >= 0 ? storage_prune_journal(n->storage, n->epoch.epoch, slot) : OK;
    if (err != OK) {
        log_write(LOG_WARN, "storage", "the journal could not be pruned",
                  LOG_STR("error", err_text(err)), NULL);
    }
}

static void finalized(void *arg, enum err err)
{
    struct block_entry *e = arg;
    struct node *n = e->node;
    health_client_answered(n);
    n->finality.finalizing = false;
    metrics_observe(n->metrics, METRIC_EXECUTION_SECONDS, n->book.op_label[2],
                    (double)(driver_now() - n->finality.asked_us) / 1e6);
    e->pins--;
    if (err != OK) {
        log_write(LOG_ERROR, "execution", "the client did not take a final block: asked again",
                  LOG_STR("error", err_text(err)), NULL);
        return; /* the health timer pumps again */
    }
    latest(n, e);
    pop(n);
    if (e->head.header.slot % 64 == 0) {
        tidy(n, e->head.header.slot);
    }
    finality_pump(n);
}

/* True when the first of the queue was dealt with at once. */
static bool pump_one(struct node *n)
{
    struct finality *f = &n->finality;
    struct block_entry *e = blocks_load(n, &f->first->block);
    if (e == NULL || e->head.header.slot > f->covered_slot) {
        return false;
    }
    if (blocks_is_empty(&e->head.header)) {
        latest(n, e);
        pop(n);
        execute_tell_empty(n, e);
        return true;
    }
    if (e->run == ENTRY_INVALID) {
        f->diverged = true;
        log_write(LOG_ERROR, "node",
                  "execution divergence: the own client calls a final block INVALID",
                  LOG_HASH("block", &e->hash), NULL);
        return false;
    }
    if (e->body_state == ENTRY_LOADED) {
        body_check(n, e); /* its end pumps again */
        return false;
    }
    if (e->run != ENTRY_VALID) {
        execute_want(n, e);
        return false;
    }
    if (e->body_state != ENTRY_GOOD || !e->has_info || !link_is_level(n)) {
        return false;
    }
    f->finalizing = true;
    f->asked_us = driver_now();
    e->pins++;
    ledger_record_block(n, &e->info, e->tx_hash, e->txs);
    health_client_asked(n);
    n->execution.finalize(n->execution.ctx, &e->head.header.payload, finalized, e);
    return false;
}

/* The client may answer before its call returns: then this is asked for from within itself. */
void finality_pump(struct node *n)
{
    struct finality *f = &n->finality;
    f->again = true;
    if (f->pumping || n->driver.closed) {
        return;
    }
    f->pumping = true;
    while (f->again) {
        f->again = false;
        while (f->first != NULL && !f->finalizing && !f->diverged && pump_one(n)) {
        }
    }
    f->pumping = false;
}

void finality_close(struct node *n)
{
    while (n->finality.first != NULL) {
        pop(n);
    }
    struct recent_tx *t, *tmp;
    HASH_ITER(hh, n->finality.recent_tx, t, tmp)
    {
        HASH_DEL(n->finality.recent_tx, t);
        free(t);
    }
}
