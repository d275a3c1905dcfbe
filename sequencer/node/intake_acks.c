#define _GNU_SOURCE
/* The second half of the intake: durable here, durable at others, answered, repeated, given up,
 * and at last final. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "sequencer/node/parts.h"

enum {
    REPEAT_US = 500000,
    GIVE_UP_US = 10000000,
    FORGET_US = 600000000,
    STARVING_LOOK = 256,
    RETELL_S = 5
};

static struct intake_wait *find(struct node *n, const struct hash *hash)
{
    struct intake_wait *w = NULL;
    HASH_FIND(hh, n->intake.wait, hash, sizeof *hash, w);
    return w;
}

static void forget(struct node *n, struct intake_wait *w)
{
    HASH_DEL(n->intake.wait, w);
    free(w);
}

static void answer(struct node *n, struct intake_wait *w, int code, const char *text)
{
    rpc_submit_cb cb = w->cb;
    if (cb == NULL) {
        return;
    }
    w->cb = NULL;
    DL_DELETE(n->intake.asking, w);
    n->intake.unanswered--;
    struct rpc_verdict v = {.code = code, .message = text, .hash = w->hash};
    cb(w->arg, &v);
}

static void acknowledged(struct node *n, const struct hash *hash, int member)
{
    struct intake_wait *w = find(n, hash);
    if (w == NULL || member < 0) {
        return;
    }
    w->acks |= 1u << member;
    if (w->cb != NULL && members_weight(&n->epoch, w->acks) >= n->epoch.blocking) {
        metrics_observe(n->metrics, METRIC_INTAKE_ACK, 0, (double)(driver_now() - w->at_us) / 1e6);
        answer(n, w, 0, NULL);
    }
}

/* Tells each peer which of its transactions are durable here. */
static void tell_peers(struct node *n, const struct intake_batch *b)
{
    struct hash *hash = malloc(((size_t)b->n + 1) * sizeof *hash);
    for (uint32_t peer = 0; hash != NULL && peer < n->epoch.n; peer++) {
        uint32_t count = 0;
        for (uint32_t i = 0; i <= b->n; i++) {
            if (i < b->n && b->item[i].from == (int)peer) {
                hash[count++] = b->item[i].hash;
            }
            if (count == LIMIT_INTAKE_BATCH || (i == b->n && count > 0)) {
                struct message m = {.kind = MSG_TX_ACK};
                m.u.tx_ack.hash = hash;
                m.u.tx_ack.hashes = count;
                net_send(n, (int)peer, &m);
                count = 0;
            }
        }
    }
    free(hash);
}

static void batch_durable(struct node *n, const struct intake_batch *b)
{
    if (n->self >= 0) {
        tell_peers(n, b);
    }
    for (uint32_t i = 0; i < b->n; i++) {
        if (b->item[i].from < 0) {
            acknowledged(n, &b->item[i].hash, n->self);
        }
    }
}

void intake_stored(struct node *n, uint64_t token, enum err err)
{
    struct intake *in = &n->intake;
    for (struct intake_batch **at = &in->batch; *at != NULL; at = &(*at)->next) {
        struct intake_batch *b = *at;
        if (b->token != token) {
            continue;
        }
        *at = b->next;
        if (in->batch == NULL || b->next == NULL) {
            in->batch_end = at;
        }
        if (err == OK) {
            batch_durable(n, b);
        }
        free(b->item);
        free(b);
        return;
    }
}

void intake_acked(struct node *n, int member, const struct message *m)
{
    for (uint32_t i = 0; i < m->u.tx_ack.hashes; i++) {
        acknowledged(n, &m->u.tx_ack.hash[i], member);
    }
}

void intake_final(struct node *n, const struct hash *tx)
{
    struct intake_wait *w = find(n, tx);
    if (w == NULL) {
        return;
    }
    metrics_observe(n->metrics, METRIC_TX_CONFIRM, 0, (double)(driver_now() - w->at_us) / 1e6);
    answer(n, w, 0, NULL); /* final: nothing is more durable */
    forget(n, w);
}

/* Transactions that are sent again, in as few frames as may be. */
struct repeats {
    struct intake_wait *wait[LIMIT_INTAKE_BATCH];
    struct bytes raw[LIMIT_INTAKE_BATCH];
    uint32_t n;
};

static void repeats_add(struct node *n, struct repeats *r, struct intake_wait *w)
{
    struct mempool_entry e;
    if (r->n < LIMIT_INTAKE_BATCH && mempool_get(n->mempool, &w->hash, &e)) {
        r->wait[r->n] = w;
        r->raw[r->n++] = e.raw;
    }
}

static void send_frame(struct node *n, uint32_t peer, struct bytes *tx, uint32_t count)
{
    struct message m = {.kind = MSG_TXS};
    m.u.txs.tx = tx;
    m.u.txs.txs = count;
    if (count > 0) {
        net_send(n, (int)peer, &m);
    }
}

/* In as few frames as their limits allow. */
static void send_frames(struct node *n, uint32_t peer, struct bytes *tx, uint32_t count)
{
    uint32_t from = 0;
    size_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (size + tx[i].n + 64 > LIMIT_FRAME_TXS / 2) {
            send_frame(n, peer, tx + from, i - from);
            from = i;
            size = 0;
        }
        size += tx[i].n + 16;
    }
    send_frame(n, peer, tx + from, count - from);
}

/* Those that this peer has not acknowledged. */
static void repeats_send(struct node *n, const struct repeats *r, uint32_t peer)
{
    struct bytes tx[LIMIT_INTAKE_BATCH];
    uint32_t count = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        if ((r->wait[i]->acks & 1u << peer) == 0) {
            tx[count++] = r->raw[i];
        }
    }
    send_frames(n, peer, tx, count);
}

/* Twice as long after each: who is slow to answer is not helped by hearing it more often. */
static bool is_due(const struct intake_wait *w, uint64_t now)
{
    uint32_t doublings = w->repeats < 4 ? w->repeats : 4;
    return now - w->sent_us > (uint64_t)REPEAT_US << doublings;
}

/* Durable at weight >= A, executable, and not in a block that was proposed after the limit and had
 * room for it? */
static bool starves(const struct node *n, const struct intake_wait *w, const struct block_entry *e)
{
    uint64_t limit = n->config->inclusion_limit_ms * 1000;
    struct mempool_entry in_pool;
    struct tx tx;
    return !w->starved && e->arrival_us > w->at_us + limit &&
           members_weight(&n->epoch, w->acks) >= n->epoch.blocking &&
           mempool_get(n->mempool, &w->hash, &in_pool) && in_pool.executable &&
           tx_decode(&tx, in_pool.raw) == TX_OK &&
           tx.gas <= n->epoch.params.gas_limit - e->info.gas_used;
}

/* The reason *starving* of CONSENSUS 6, off unless a limit is configured: by the last final block. */
static void look_for_starving(struct node *n)
{
    const struct block_entry *e = blocks_find(n, &n->finality.latest_block);
    if (e == NULL || n->config->inclusion_limit_ms == 0 || n->self < 0 || !e->has_info ||
        blocks_is_empty(&e->head.header) || e->info.gas_used > n->epoch.params.gas_limit) {
        return;
    }
    uint32_t looked = 0;
    struct intake_wait *w, *tmp;
    HASH_ITER(hh, n->intake.wait, w, tmp)
    {
        if (looked++ == STARVING_LOOK) {
            return;
        }
        if (starves(n, w, e)) {
            w->starved = true;
            struct event event = {.kind = EVENT_STARVING, .peer = -1};
            event.u.starving_turn = (e->head.header.slot - 1) / n->epoch.params.turn_slots;
            driver_give(n, event);
            return;
        }
    }
}

void intake_sweep(struct node *n)
{
    uint64_t now = driver_now();
    look_for_starving(n);
    struct repeats r = {.n = 0};
    struct intake_wait *w, *tmp;
    while (n->intake.wait != NULL && now - n->intake.wait->at_us > FORGET_US) {
        forget(n, n->intake.wait); /* the oldest, answered long ago */
    }
    DL_FOREACH_SAFE(n->intake.asking, w, tmp)
    {
        if (now - w->at_us > GIVE_UP_US) {
            answer(n, w, -32000, "not enough members reachable to store the transaction");
        } else if (r.n < LIMIT_INTAKE_BATCH && is_due(w, now)) {
            w->sent_us = now;
            w->repeats++;
            repeats_add(n, &r, w);
        }
    }
    for (uint32_t peer = 0; r.n > 0 && peer < n->epoch.n; peer++) {
        if (net_up(n, (int)peer)) {
            repeats_send(n, &r, peer);
        }
    }
}

void intake_peer_up(struct node *n, int member)
{
    struct repeats r = {.n = 0};
    struct intake_wait *w;
    DL_FOREACH(n->intake.asking, w)
    {
        repeats_add(n, &r, w);
    }
    repeats_send(n, &r, (uint32_t)member);
}

/* The next member after the one last told that is connected; -1: none. */
static int retell_whom(struct node *n)
{
    for (uint32_t k = 1; k <= n->epoch.n; k++) {
        uint32_t member = (n->intake.retold + k) % n->epoch.n;
        if (net_up(n, (int)member)) {
            return (int)member;
        }
    }
    return -1;
}

/* What is here for seconds and in no block: perhaps the others that held it lost their disks, and
 * this member is too far away for its own blocks to come in time. So whoever has it passes it on. */
void intake_retell(struct node *n)
{
    struct mempool_entry old[LIMIT_INTAKE_RETOLD];
    struct bytes tx[LIMIT_INTAKE_RETOLD];
    int member = retell_whom(n);
    uint64_t now_s = driver_wall(n) / 1000;
    if (member < 0 || now_s < RETELL_S) {
        return;
    }
    uint32_t count = mempool_oldest(n->mempool, now_s - RETELL_S, old, LIMIT_INTAKE_RETOLD);
    for (uint32_t i = 0; i < count; i++) {
        tx[i] = old[i].raw;
    }
    n->intake.retold = (uint32_t)member;
    send_frames(n, (uint32_t)member, tx, count);
}
