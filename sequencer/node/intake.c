#define _GNU_SOURCE
/* Replicated intake: a user's transaction is acknowledged when it is durable at members of weight
 * A (CONSENSUS 1). Work is gathered per turn of the loop: one write, one frame, however many. */
#include <stdlib.h>
#include <string.h>

#include "sequencer/node/parts.h"

enum { SLICE = 32 };

struct intake_work {
    uv_work_t work;
    struct node *node;
    uint32_t n;
    struct intake_tx *tx[SLICE];
};

void intake_open(struct node *n)
{
    n->intake.end = &n->intake.first;
    n->intake.admitted_end = &n->intake.admitted;
    n->intake.batch_end = &n->intake.batch;
}

static void refuse(rpc_submit_cb cb, void *arg, int code, const char *text)
{
    if (cb != NULL) {
        struct rpc_verdict v = {.code = code, .message = text};
        cb(arg, &v);
    }
}

static bool incoming(struct node *n, struct bytes raw, int from, rpc_submit_cb cb, void *arg)
{
    struct intake *in = &n->intake;
    struct intake_tx *t = malloc(sizeof *t + raw.n);
    if (t == NULL) {
        return false;
    }
    memset(t, 0, sizeof *t);
    t->from = from;
    t->cb = cb;
    t->arg = arg;
    t->at_us = driver_now();
    t->n = (uint32_t)raw.n;
    memcpy(t->raw, raw.p, raw.n);
    *in->end = t;
    in->end = &t->next;
    in->incoming++;
    return true;
}

void intake_submit(struct node *n, struct bytes raw, rpc_submit_cb cb, void *arg)
{
    if (n->stopping) {
        refuse(cb, arg, -32000, "node is stopping");
        return;
    }
    if (raw.n > LIMIT_TX_BYTES) {
        refuse(cb, arg, -32000, "oversized data");
        return;
    }
    if (raw.n == 0) {
        refuse(cb, arg, -32000, "typed transaction too short");
        return;
    }
    uint32_t busy = n->intake.unanswered + n->intake.incoming + n->intake.working;
    if (busy >= LIMIT_INTAKE_WAITING || !incoming(n, raw, -1, cb, arg)) {
        book_limit(n, "INTAKE_WAITING");
        refuse(cb, arg, -32000, "txpool is full");
    }
}

void intake_from_peer(struct node *n, int member, const struct message *m)
{
    for (uint32_t i = 0; i < m->u.txs.txs; i++) {
        struct bytes raw = m->u.txs.tx[i];
        if (n->intake.incoming + n->intake.working >= LIMIT_INTAKE_WAITING) {
            book_limit(n, "INTAKE_WAITING"); /* not acknowledged: the sender repeats it */
            return;
        }
        if (raw.n > 0 && raw.n <= LIMIT_TX_BYTES) {
            incoming(n, raw, member, NULL, NULL);
        }
    }
}

/* ---- workers: form and sender ---------------------------------------------------------------- */

static void recover(struct intake_tx *t, uint64_t chain_id)
{
    t->error = tx_decode(&t->tx, bytes_of(t->raw, t->n));
    if (t->error == TX_OK && t->tx.has_chain_id && t->tx.chain_id != chain_id) {
        t->error = TX_CHAIN_ID;
    }
    if (t->error == TX_OK) {
        t->error = tx_sender(&t->sender, &t->tx);
    }
}

static void answer_error(struct node *n, struct intake_tx *t)
{
    char text[128];
    snprintf(text, sizeof text, "%s", tx_error_text(t->error));
    if (t->error == TX_CHAIN_ID) {
        snprintf(text, sizeof text, "invalid chain id for signer: have %llu want %llu",
                 (unsigned long long)t->tx.chain_id, (unsigned long long)n->epoch.chain_id);
    } else if (t->error == TX_OK) {
        snprintf(text, sizeof text,
                 "only replay-protected (EIP-155) transactions allowed over RPC");
    }
    refuse(t->cb, t->arg, -32000, text);
}

static void wait_add(struct node *n, const struct intake_tx *t)
{
    struct intake *in = &n->intake;
    struct intake_wait *w = calloc(1, sizeof *w);
    if (w == NULL) {
        refuse(t->cb, t->arg, -32000, "txpool is full");
        return;
    }
    w->hash = t->tx.hash;
    w->cb = t->cb;
    w->arg = t->arg;
    w->at_us = t->at_us;
    w->sent_us = driver_now();
    HASH_ADD(hh, in->wait, hash, sizeof w->hash, w);
    in->unanswered++;
}

/* Into the pool; true when it is to be stored. */
static bool admit(struct node *n, struct intake_tx *t)
{
    if (t->error != TX_OK || (t->from < 0 && !t->tx.has_chain_id)) {
        answer_error(n, t);
        return false;
    }
    char text[256] = "";
    enum mempool_verdict v = mempool_add(n->mempool, &t->tx, &t->sender, t->from < 0,
                                         driver_wall(n) / 1000, text, sizeof text);
    bool added = v == POOL_ADDED || v == POOL_REPLACED;
    if (added) {
        n->health.pool_changed = true;
    }
    if (t->from >= 0) {
        return added || v == POOL_KNOWN; /* known: it was repeated because the answer was lost */
    }
    if (!added) {
        refuse(t->cb, t->arg, -32000, v == POOL_KNOWN ? "already known" : text);
        return false;
    }
    wait_add(n, t);
    struct mempool_entry e;
    if (n->rpc != NULL && mempool_get(n->mempool, &t->tx.hash, &e) && e.executable) {
        rpc_on_pending_tx(n->rpc, &t->tx.hash, bytes_of(t->raw, t->n), &t->sender);
    }
    return true;
}

static void recovered(struct node *n, struct intake_tx *t)
{
    struct intake *in = &n->intake;
    t->next = NULL;
    if (!admit(n, t)) {
        free(t);
        return;
    }
    *in->admitted_end = t;
    in->admitted_end = &t->next;
    in->admitted_n++;
}

static void work_run(uv_work_t *work)
{
    struct intake_work *w = work->data;
    for (uint32_t i = 0; i < w->n; i++) {
        recover(w->tx[i], w->node->epoch.chain_id);
    }
}

static void work_done(uv_work_t *work, int status)
{
    struct intake_work *w = work->data;
    for (uint32_t i = 0; i < w->n; i++) {
        w->node->intake.working--;
        if (status != 0) {
            refuse(w->tx[i]->cb, w->tx[i]->arg, -32000, "node is stopping");
            free(w->tx[i]);
        } else {
            recovered(w->node, w->tx[i]);
        }
    }
    metrics_set(w->node->metrics, METRIC_VERIFY_QUEUE, 0, w->node->intake.working);
    free(w);
}

static struct intake_tx *take_first(struct intake *in)
{
    struct intake_tx *t = in->first;
    in->first = t->next;
    if (in->first == NULL) {
        in->end = &in->first;
    }
    in->incoming--;
    return t;
}

static void dispatch(struct node *n)
{
    struct intake *in = &n->intake;
    if (in->incoming <= INLINE_TXS) {
        while (in->first != NULL) {
            struct intake_tx *t = take_first(in);
            recover(t, n->epoch.chain_id);
            recovered(n, t);
        }
        return;
    }
    while (in->first != NULL) {
        struct intake_work *w = calloc(1, sizeof *w);
        if (w == NULL) {
            return; /* they wait for the next turn */
        }
        w->work.data = w;
        w->node = n;
        while (in->first != NULL && w->n < SLICE) {
            w->tx[w->n++] = take_first(in);
            in->working++;
        }
        if (uv_queue_work(&n->loop, &w->work, work_run, work_done) != 0) {
            work_run(&w->work);
            work_done(&w->work, 0);
        }
    }
    metrics_set(n->metrics, METRIC_VERIFY_QUEUE, 0, in->working);
}

/* ---- once a turn of the loop: to disk and to the peers --------------------------------------- */

static struct intake_batch *batch_new(struct intake *in, uint32_t cap)
{
    struct intake_batch *b = calloc(1, sizeof *b);
    if (b == NULL) {
        return NULL;
    }
    b->item = calloc(cap, sizeof *b->item);
    if (b->item == NULL) {
        free(b);
        return NULL;
    }
    b->cap = cap;
    b->token = ++in->token;
    return b;
}

static void send_frame(struct node *n, int to, struct bytes *tx, uint32_t count)
{
    struct message m = {.kind = MSG_TXS};
    m.u.txs.tx = tx;
    m.u.txs.txs = count;
    if (count > 0) {
        net_send(n, to, &m);
    }
}

/* Those submitted here, in as few frames as their limits allow. */
static void send_admitted(struct node *n, int to)
{
    struct bytes tx[LIMIT_INTAKE_BATCH];
    uint32_t count = 0;
    size_t size = 0;
    for (struct intake_tx *t = n->intake.admitted; t != NULL; t = t->next) {
        if (t->from >= 0) {
            continue;
        }
        if (count == LIMIT_INTAKE_BATCH || size + t->n + 64 > LIMIT_FRAME_TXS / 2) {
            send_frame(n, to, tx, count);
            count = 0;
            size = 0;
        }
        tx[count++] = bytes_of(t->raw, t->n);
        size += t->n + 16;
    }
    send_frame(n, to, tx, count);
}

/* Key: transaction hash; value: sender, raw bytes. */
static enum err submit_batch(struct node *n, struct intake_batch *b)
{
    struct intake *in = &n->intake;
    struct storage_put *put = calloc(b->cap, sizeof *put);
    size_t size = 0;
    for (struct intake_tx *t = in->admitted; t != NULL; t = t->next) {
        size += sizeof t->sender + t->n;
    }
    uint8_t *values = malloc(size + 1);
    enum err err = put == NULL || values == NULL ? ERR_NO_MEMORY : OK;
    uint8_t *at = values;
    for (struct intake_tx *t = in->admitted; t != NULL && err == OK; t = t->next) {
        put[b->n].table = TABLE_POOL;
        put[b->n].key = bytes_of(t->tx.hash.b, sizeof t->tx.hash.b);
        put[b->n].value = bytes_of(at, sizeof t->sender + t->n);
        memcpy(at, t->sender.b, sizeof t->sender);
        memcpy(at + sizeof t->sender, t->raw, t->n);
        at += sizeof t->sender + t->n;
        b->item[b->n].hash = t->tx.hash;
        b->item[b->n].from = t->from;
        b->n++;
    }
    if (err == OK) {
        err = storage_submit_puts(n->storage, put, b->n, true, b->token);
    }
    free(values);
    free(put);
    return err;
}

static void flush_admitted(struct node *n)
{
    struct intake *in = &n->intake;
    struct intake_batch *b = batch_new(in, in->admitted_n);
    if (b == NULL || submit_batch(n, b) != OK) {
        /* Not durable here: nobody is told; the sweep answers with an error. */
        if (b != NULL) {
            free(b->item);
            free(b);
        }
    } else {
        *in->batch_end = b;
        in->batch_end = &b->next;
    }
    send_admitted(n, SEND_ALL);
    while (in->admitted != NULL) {
        struct intake_tx *next = in->admitted->next;
        free(in->admitted);
        in->admitted = next;
    }
    in->admitted_end = &in->admitted;
    in->admitted_n = 0;
}

/* One write at a time: what arrives while it is under way goes into the next. A lone transaction
 * waits for nothing; under load the writes, frames and answers become few and large. */
void intake_turn(struct node *n)
{
    struct intake *in = &n->intake;
    if (in->first != NULL) {
        dispatch(n);
    }
    if (in->admitted != NULL && (in->batch == NULL || in->admitted_n >= LIMIT_INTAKE_BATCH)) {
        flush_admitted(n);
    }
}

void intake_close(struct node *n)
{
    struct intake *in = &n->intake;
    while (in->first != NULL) {
        free(take_first(in));
    }
    while (in->admitted != NULL) {
        struct intake_tx *next = in->admitted->next;
        free(in->admitted);
        in->admitted = next;
    }
    while (in->batch != NULL) {
        struct intake_batch *next = in->batch->next;
        free(in->batch->item);
        free(in->batch);
        in->batch = next;
    }
    struct intake_wait *w, *tmp;
    HASH_ITER(hh, in->wait, w, tmp)
    {
        HASH_DEL(in->wait, w);
        free(w);
    }
}
