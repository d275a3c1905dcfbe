#define _GNU_SOURCE
/* Replicated intake, first half: received, checked by the workers, taken into the pool or refused.
 * A user's transaction is acknowledged when it is durable at members of weight A (CONSENSUS 1). */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <utlist.h>

#include "proto/keccak.h"
#include "proto/keccak_many.h"
#include "sequencer/node/parts.h"

/* Peers' transactions first: someone waits for our copy of each, and paid for its check already. */
enum { SLICE = 32, WORKS_MAX = 8, WORKER_NICE = 5 };

static const char client_away[] = "execution client is not available here, ask another member";

struct intake_work {
    uv_work_t work;
    struct node *node;
    uint32_t n;
    struct intake_tx *tx[SLICE];
};

static void queue_open(struct intake_queue *q)
{
    q->first = NULL;
    q->end = &q->first;
    q->n = 0;
}

void intake_push(struct intake_queue *q, struct intake_tx *t)
{
    t->next = NULL;
    *q->end = t;
    q->end = &t->next;
    q->n++;
}

struct intake_tx *intake_pop(struct intake_queue *q)
{
    struct intake_tx *t = q->first;
    if (t == NULL) {
        return NULL;
    }
    q->first = t->next;
    if (q->first == NULL) {
        q->end = &q->first;
    }
    q->n--;
    return t;
}

void intake_open(struct node *n)
{
    struct intake *in = &n->intake;
    queue_open(&in->peers);
    queue_open(&in->own);
    queue_open(&in->admitted);
    in->batch_end = &in->batch;
    unsigned cores = uv_available_parallelism();
    in->works_most = cores < WORKS_MAX ? cores + 1 : WORKS_MAX;
}

/* ---- received -------------------------------------------------------------------------------- */

static void refuse(rpc_submit_cb cb, void *arg, int code, const char *text)
{
    if (cb != NULL) {
        struct rpc_verdict v = {.code = code, .message = text};
        cb(arg, &v);
    }
}

static struct intake_tx *tx_new(struct bytes raw, const struct hash *hash, int from)
{
    struct intake_tx *t = malloc(sizeof *t + raw.n);
    if (t == NULL) {
        return NULL;
    }
    memset(t, 0, sizeof *t);
    t->from = from;
    t->tx.hash = *hash;
    t->at_us = driver_now();
    t->n = (uint32_t)raw.n;
    memcpy(t->raw, raw.p, raw.n);
    return t;
}

/* NULL, or why none is taken now: said before anything is paid for it. A queue whose oldest has
 * waited long grows for ever: whoever is told so at once asks again later, or elsewhere. */
static const char *overloaded(const struct intake *in)
{
    if (in->unanswered + in->own.n + in->working >= LIMIT_INTAKE_WAITING) {
        return "INTAKE_WAITING";
    }
    uint64_t late_us = LIMIT_INTAKE_LATE_MS * UINT64_C(1000);
    return in->own.n > SLICE && driver_now() - in->own.first->at_us > late_us ? "INTAKE_LATE_MS"
                                                                             : NULL;
}

static void submit(struct node *n, struct bytes raw, rpc_submit_cb cb, void *arg)
{
    struct mempool_entry e;
    const char *limit = overloaded(&n->intake);
    if (limit != NULL) {
        book_limit(n, limit);
        refuse(cb, arg, -32000, "txpool is full");
        return;
    }
    struct hash hash = keccak256(raw.p, raw.n);
    if (mempool_get(n->mempool, &hash, &e)) {
        refuse(cb, arg, -32000, "already known");
        return;
    }
    struct intake_tx *t = tx_new(raw, &hash, -1);
    if (t == NULL) {
        refuse(cb, arg, -32000, "txpool is full");
        return;
    }
    t->cb = cb;
    t->arg = arg;
    intake_push(&n->intake.own, t);
}

void intake_submit(struct node *n, struct bytes raw, rpc_submit_cb cb, void *arg)
{
    if (n->stopping) {
        refuse(cb, arg, -32000, "node is stopping");
    } else if (raw.n > LIMIT_TX_BYTES) {
        refuse(cb, arg, -32000, "oversized data");
    } else if (raw.n == 0) {
        refuse(cb, arg, -32000, "typed transaction too short");
    } else if (!link_is_level(n)) {
        refuse(cb, arg, -32000, client_away);
    } else if (posting_pressure(n).refuse) {
        book_limit(n, "UNSAFE_STOP_BYTES");
        refuse(cb, arg, -32005, pressure_sentence(posting_layer(n)));
    } else {
        submit(n, raw, cb, arg);
    }
}

/* What waits in the pool was checked before, and is repeated because our answer was lost or late:
 * its sender is known, and it is stored and answered once more. */
static void receive(struct node *n, struct bytes raw, const struct hash *hash, int member)
{
    struct mempool_entry e;
    struct intake_tx *t = tx_new(raw, hash, member);
    if (t == NULL) {
        return;
    }
    bool known = mempool_get(n->mempool, hash, &e);
    if (known) {
        t->sender = e.sender;
    }
    intake_push(known ? &n->intake.admitted : &n->intake.peers, t);
}

void intake_from_peer(struct node *n, int member, const struct message *m)
{
    struct intake *in = &n->intake;
    struct hash hash[KECCAK_TOGETHER];
    for (uint32_t i = 0; i < m->u.txs.txs; i++) {
        struct bytes raw = m->u.txs.tx[i];
        uint32_t left = m->u.txs.txs - i;
        if (i % KECCAK_TOGETHER == 0) {
            keccak256_many(hash, &m->u.txs.tx[i], left < KECCAK_TOGETHER ? left : KECCAK_TOGETHER);
        }
        if (in->peers.n + in->working >= LIMIT_INTAKE_WAITING) {
            book_limit(n, "INTAKE_WAITING"); /* not acknowledged: the sender repeats it */
            return;
        }
        if (raw.n > 0 && raw.n <= LIMIT_TX_BYTES) {
            receive(n, raw, &hash[i % KECCAK_TOGETHER], member);
        }
    }
}

/* ---- workers: form and sender ---------------------------------------------------------------- */

static void recover(struct intake_tx *t, uint64_t chain_id)
{
    struct hash hash = t->tx.hash;
    if (t->known) {
        t->error = tx_read(&t->tx, bytes_of(t->raw, t->n));
        t->tx.hash = hash;
        return;
    }
    t->error = tx_decode_hashed(&t->tx, bytes_of(t->raw, t->n), &hash);
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
    DL_APPEND(in->asking, w);
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
    enum mempool_verdict v = mempool_add(n->mempool, &t->tx, &t->sender, driver_wall(n) / 1000,
                                         &t->replaced, text, sizeof text);
    bool added = v == POOL_ADDED || v == POOL_REPLACED;
    t->replaces = v == POOL_REPLACED;
    if (added) {
        n->health.pool_grew = true;
        offers_add(n, &t->tx.hash);
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

void intake_go_on(struct node *n, struct intake_tx *t, bool read)
{
    if (!read) {
        refuse(t->cb, t->arg, -32000, n->stopping ? "node is stopping" : client_away);
        free(t);
    } else if (admit(n, t)) {
        intake_push(&n->intake.admitted, t);
    } else {
        free(t);
    }
}

static void recovered(struct node *n, struct intake_tx *t)
{
    if (t->error == TX_OK && !t->known) {
        senders_put(n, &t->tx.hash, &t->sender, t->tx.nonce);
    }
    if (!accounts_park(n, t)) {
        intake_go_on(n, t, true);
    }
}

/* Where cores are scarce, blocks and votes go before new transactions: else a node accepts more
 * and more and confirms less and less. Linux keeps the priority of each thread by itself. */
static void step_back(void)
{
    static _Thread_local bool done;
    if (!done) {
        done = true;
        (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + WORKER_NICE);
    }
}

static void work_run(uv_work_t *work)
{
    struct intake_work *w = work->data;
    step_back();
    for (uint32_t i = 0; i < w->n; i++) {
        recover(w->tx[i], w->node->epoch.chain_id);
    }
}

/* Whoever asked is told, and what waits for the answer is freed. */
static void give_back(struct intake_tx *t)
{
    refuse(t->cb, t->arg, -32000, "node is stopping");
    free(t);
}

/* When the node closes, the ledger and the disk that it would be admitted by may be gone. */
static void work_done(uv_work_t *work, int status)
{
    struct intake_work *w = work->data;
    struct intake *in = &w->node->intake;
    bool over = status != 0 || w->node->driver.closed;
    in->works--;
    in->working -= w->n;
    for (uint32_t i = 0; i < w->n; i++) {
        if (over) {
            give_back(w->tx[i]);
        } else {
            recovered(w->node, w->tx[i]);
        }
    }
    metrics_set(w->node->metrics, METRIC_VERIFY_QUEUE, 0, in->working);
    free(w);
}

static struct intake_tx *next_tx(struct node *n)
{
    struct intake *in = &n->intake;
    struct intake_tx *t = intake_pop(in->peers.n > 0 ? &in->peers : &in->own);
    uint64_t nonce = 0;
    if (t != NULL) {
        t->known = senders_get(n, &t->tx.hash, &t->sender, &nonce);
    }
    return t;
}

static void recover_here(struct node *n)
{
    for (struct intake_tx *t; (t = next_tx(n)) != NULL;) {
        recover(t, n->epoch.chain_id);
        recovered(n, t);
    }
}

static void start_work(struct node *n, struct intake_work *w)
{
    struct intake *in = &n->intake;
    w->work.data = w;
    w->node = n;
    while (w->n < SLICE && (in->peers.n > 0 || in->own.n > 0)) {
        w->tx[w->n++] = next_tx(n);
    }
    in->works++;
    in->working += w->n;
    if (uv_queue_work(&n->loop, &w->work, work_run, work_done) != 0) {
        work_run(&w->work);
        work_done(&w->work, 0);
    }
}

/* Only as much as keeps the workers busy: the senders of a block must not wait behind thousands,
 * and what waits here can still be overtaken and counted. */
static void dispatch(struct node *n)
{
    struct intake *in = &n->intake;
    if (in->peers.n + in->own.n <= INLINE_TXS && in->works == 0) {
        recover_here(n);
        return;
    }
    while (in->works < in->works_most && (in->peers.n > 0 || in->own.n > 0)) {
        struct intake_work *w = calloc(1, sizeof *w);
        if (w == NULL) {
            return; /* they wait for the next turn */
        }
        start_work(n, w);
    }
    metrics_set(n->metrics, METRIC_VERIFY_QUEUE, 0, in->working);
}

void intake_turn(struct node *n)
{
    dispatch(n);
    offers_pump(n);
    intake_flush(n);
}

static void drop_all(struct intake_queue *q)
{
    for (struct intake_tx *t; (t = intake_pop(q)) != NULL;) {
        give_back(t);
    }
}

void intake_close(struct node *n)
{
    struct intake *in = &n->intake;
    drop_all(&in->peers);
    drop_all(&in->own);
    for (struct intake_tx *t; (t = intake_pop(&in->admitted)) != NULL;) {
        free(t); /* its answer is owed by what waits below */
    }
    intake_store_close(n);
    senders_close(n);
    struct intake_wait *w, *tmp;
    HASH_ITER(hh, in->wait, w, tmp)
    {
        HASH_DEL(in->wait, w);
        refuse(w->cb, w->arg, -32000, "node is stopping");
        free(w);
    }
}
