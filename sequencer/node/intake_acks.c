#define _GNU_SOURCE
/* The second half of the intake: durable here, durable at others, answered, repeated, given up,
 * and at last final. */
#include <stdlib.h>
#include <string.h>

#include "sequencer/node/parts.h"

enum { REPEAT_US = 500000, GIVE_UP_US = 10000000, FORGET_US = 600000000 };

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

static void repeat(struct node *n, struct intake_wait *w, int only)
{
    struct mempool_entry e;
    if (!mempool_get(n->mempool, &w->hash, &e)) {
        return;
    }
    struct bytes raw = e.raw;
    struct message m = {.kind = MSG_TXS};
    m.u.txs.tx = &raw;
    m.u.txs.txs = 1;
    for (uint32_t peer = 0; peer < n->epoch.n; peer++) {
        bool wanted = only < 0 || (int)peer == only;
        if (wanted && (w->acks & 1u << peer) == 0 && net_up(n, (int)peer)) {
            net_send(n, (int)peer, &m);
        }
    }
    w->sent_us = driver_now();
}

void intake_sweep(struct node *n)
{
    uint64_t now = driver_now();
    uint32_t repeated = 0;
    struct intake_wait *w, *tmp;
    HASH_ITER(hh, n->intake.wait, w, tmp)
    {
        if (w->cb == NULL) {
            if (now - w->at_us > FORGET_US) {
                forget(n, w);
            }
        } else if (now - w->at_us > GIVE_UP_US) {
            answer(n, w, -32000, "not enough members reachable to store the transaction");
        } else if (now - w->sent_us > REPEAT_US && repeated++ < LIMIT_INTAKE_BATCH) {
            repeat(n, w, -1);
        }
    }
}

void intake_peer_up(struct node *n, int member)
{
    uint32_t repeated = 0;
    struct intake_wait *w, *tmp;
    HASH_ITER(hh, n->intake.wait, w, tmp)
    {
        if (w->cb != NULL && repeated++ < LIMIT_INTAKE_BATCH) {
            repeat(n, w, member);
        }
    }
}
