#define _GNU_SOURCE
/* The stored pool: what was acknowledged before a restart goes back into the pool. The sender
 * stands beside the bytes on the own disk, so nothing is recovered again. */
#include <stdlib.h>
#include <string.h>

#include "sequencer/node/parts.h"

struct stored_tx {
    struct hash hash;
    struct address sender;
    uint64_t nonce;
    bool readable;
    struct bytes raw; /* into `copy` */
    uint8_t *copy;
};

struct restoring {
    struct stored_tx *tx;
    uint32_t n, cap;
    bool no_memory;
};

static bool restoring_room(struct restoring *r)
{
    if (r->n < r->cap) {
        return true;
    }
    uint32_t cap = r->cap == 0 ? 1024 : r->cap * 2;
    struct stored_tx *bigger = realloc(r->tx, cap * sizeof *bigger);
    if (bigger == NULL) {
        r->no_memory = true;
        return false;
    }
    r->tx = bigger;
    r->cap = cap;
    return true;
}

static bool take_one(void *arg, struct bytes key, struct bytes value)
{
    struct restoring *r = arg;
    if (key.n != sizeof(struct hash)) {
        return true;
    }
    uint8_t *copy = malloc(value.n + 1);
    if (copy == NULL || !restoring_room(r)) {
        r->no_memory = true;
        free(copy);
        return false;
    }
    struct stored_tx *t = &r->tx[r->n++];
    memset(t, 0, sizeof *t);
    memcpy(t->hash.b, key.p, sizeof t->hash.b);
    t->copy = copy;
    if (value.n <= sizeof t->sender) {
        return true;
    }
    memcpy(copy, value.p, value.n);
    memcpy(t->sender.b, copy, sizeof t->sender);
    t->raw = bytes_of(copy + sizeof t->sender, value.n - sizeof t->sender);
    struct tx tx;
    t->readable = tx_decode(&tx, t->raw) == TX_OK;
    t->nonce = t->readable ? tx.nonce : 0;
    return true;
}

/* In nonce order: what follows on the one before it is executable at once, and cheaper to place. */
static int by_sender_and_nonce(const void *a, const void *b)
{
    const struct stored_tx *x = a;
    const struct stored_tx *y = b;
    int order = memcmp(x->sender.b, y->sender.b, sizeof x->sender.b);
    if (order != 0) {
        return order;
    }
    return x->nonce < y->nonce ? -1 : x->nonce > y->nonce;
}

static bool restore_one(struct node *n, const struct stored_tx *t)
{
    struct tx tx;
    char text[256];
    if (!t->readable || tx_decode(&tx, t->raw) != TX_OK) {
        return false;
    }
    return mempool_restore(n->mempool, &tx, &t->sender, driver_wall(n) / 1000, text, sizeof text) !=
           POOL_REFUSED;
}

void pool_erase(struct node *n, const struct hash *tx, uint32_t txs)
{
    struct storage_put put[256];
    for (uint32_t done = 0; done < txs;) {
        uint32_t count = 0;
        while (count < 256 && done < txs) {
            put[count++] = (struct storage_put){
                .table = TABLE_POOL, .key = bytes_of(tx[done++].b, sizeof *tx), .erase = true};
        }
        if (storage_submit_puts(n->storage, put, count, false, 0) != OK) {
            return; /* they are refused and erased at the next start */
        }
    }
}

enum err pool_restore(struct node *n)
{
    struct restoring r = {0};
    enum err err = storage_walk(n->storage, TABLE_POOL, bytes_of(NULL, 0), take_one, &r);
    if (r.n > 0) {
        qsort(r.tx, r.n, sizeof *r.tx, by_sender_and_nonce);
    }
    uint32_t restored = 0;
    for (uint32_t i = 0; i < r.n; i++) {
        if (restore_one(n, &r.tx[i])) {
            restored++;
        } else {
            pool_erase(n, &r.tx[i].hash, 1);
        }
        free(r.tx[i].copy);
    }
    free(r.tx);
    if (restored > 0) {
        log_write(LOG_INFO, "node", "transactions restored to the pool", LOG_U64("count", restored),
                  NULL);
    }
    return err != OK ? err : r.no_memory ? ERR_NO_MEMORY : OK;
}
