#define _GNU_SOURCE
/* Replicated intake, in between: what was taken goes to disk and to the peers, in few writes and
 * few frames. One write at a time: what arrives while it is under way goes into the next. A lone
 * transaction waits for nothing; under load no more than one write in WRITE_EVERY_US begins, so
 * that writes, frames and answers become few and large (the beat of health.c is the latest turn of
 * the loop that looks again). */
#include <stdlib.h>
#include <string.h>

#include "sequencer/node/parts.h"

enum { WRITE_EVERY_US = 8000, WRITE_BURST = 8 };

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
    for (struct intake_tx *t = n->intake.admitted.first; t != NULL; t = t->next) {
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

/* Key: transaction hash; value: sender, raw bytes, copied to `at`. */
static struct storage_put record(const struct intake_tx *t, uint8_t *at)
{
    memcpy(at, t->sender.b, sizeof t->sender);
    memcpy(at + sizeof t->sender, t->raw, t->n);
    return (struct storage_put){.table = TABLE_POOL,
                                .key = bytes_of(t->tx.hash.b, sizeof t->tx.hash.b),
                                .value = bytes_of(at, sizeof t->sender + t->n)};
}

/* It may be final or replaced by now: nobody would take its record off the disk again. */
static bool still_waits(const struct node *n, const struct intake_tx *t)
{
    struct mempool_entry e;
    return mempool_get(n->mempool, &t->tx.hash, &e);
}

static enum err submit_batch(struct node *n, struct intake_batch *b)
{
    struct intake *in = &n->intake;
    struct storage_put *put = calloc(2 * (size_t)b->cap, sizeof *put);
    size_t puts = 0;
    size_t size = 0;
    for (struct intake_tx *t = in->admitted.first; t != NULL; t = t->next) {
        size += sizeof t->sender + t->n;
    }
    uint8_t *values = malloc(size + 1);
    enum err err = put == NULL || values == NULL ? ERR_NO_MEMORY : OK;
    uint8_t *at = values;
    for (struct intake_tx *t = in->admitted.first; t != NULL && err == OK; t = t->next) {
        if (t->replaces) {
            struct bytes key = bytes_of(t->replaced.b, sizeof t->replaced.b);
            put[puts++] = (struct storage_put){.table = TABLE_POOL, .key = key, .erase = true};
        }
        if (!still_waits(n, t)) {
            continue;
        }
        put[puts++] = record(t, at);
        at += sizeof t->sender + t->n;
        b->item[b->n].hash = t->tx.hash;
        b->item[b->n].from = t->from;
        b->n++;
    }
    if (err == OK) {
        err = storage_submit_puts(n->storage, put, puts, true, b->token);
    }
    free(values);
    free(put);
    return err;
}

static void flush_admitted(struct node *n)
{
    struct intake *in = &n->intake;
    struct intake_batch *b = batch_new(in, in->admitted.n);
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
    for (struct intake_tx *t; (t = intake_pop(&in->admitted)) != NULL;) {
        free(t);
    }
}

/* A write, a frame to each peer and its answer cost far more than a transaction in them. */
static bool may_write(struct intake *in)
{
    uint64_t now = driver_now();
    in->credit_us += now - in->credit_at_us;
    in->credit_at_us = now;
    if (in->credit_us > (uint64_t)WRITE_EVERY_US * WRITE_BURST) {
        in->credit_us = (uint64_t)WRITE_EVERY_US * WRITE_BURST;
    }
    if (in->credit_us < WRITE_EVERY_US) {
        return false;
    }
    in->credit_us -= WRITE_EVERY_US;
    return true;
}

void intake_flush(struct node *n)
{
    struct intake *in = &n->intake;
    if (in->admitted.n >= LIMIT_INTAKE_BATCH ||
        (in->admitted.n > 0 && in->batch == NULL && may_write(in))) {
        flush_admitted(n);
    }
}

void intake_store_close(struct node *n)
{
    struct intake *in = &n->intake;
    while (in->batch != NULL) {
        struct intake_batch *next = in->batch->next;
        free(in->batch->item);
        free(in->batch);
        in->batch = next;
    }
}
