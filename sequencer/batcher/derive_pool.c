#include "sequencer/batcher/derive_pool.h"

#include <stdlib.h>

#include "sequencer/batcher/assembly.h"

static void release(struct pool_item *item)
{
    union {
        const uint8_t *in;
        uint8_t *own;
    } p = {.in = item->bytes.p};
    free(p.own);
}

/* Drops the `k` oldest; returns how many of them were unused. */
static size_t drop(struct derive_pool *p, size_t k)
{
    size_t unused = 0;
    for (size_t i = 0; i < k; i++) {
        unused += p->item[i].used ? 0 : 1;
        p->bytes -= p->item[i].bytes.n;
        release(&p->item[i]);
    }
    p->n -= k;
    memmove(p->item, p->item + k, p->n * sizeof *p->item);
    return unused;
}

void derive_pool_clear(struct derive_pool *p)
{
    drop(p, p->n);
}

size_t derive_pool_enter(struct derive_pool *p, uint64_t l1)
{
    size_t k = 0;
    while (k < p->n && p->item[k].l1 + CHANNEL_TIMEOUT_BLOCKS < l1) {
        k++;
    }
    return drop(p, k);
}

enum err derive_pool_put(struct derive_pool *p, const struct pool_item *item, size_t *crowded)
{
    const struct pool_item *last = p->n > 0 ? &p->item[p->n - 1] : NULL;
    if (last != NULL && last->l1 == item->l1 && last->tx == item->tx) {
        return OK;
    }
    if (item->bytes.n > LIMIT_DERIVE_POOL_BYTES) {
        return ERR_TOO_LARGE;
    }
    uint8_t *copy = malloc(item->bytes.n + 1);
    if (copy == NULL) {
        return ERR_NO_MEMORY;
    }
    while (p->n == LIMIT_DERIVE_POOL || p->bytes + item->bytes.n > LIMIT_DERIVE_POOL_BYTES) {
        *crowded += drop(p, 1);
    }
    if (item->bytes.n > 0) {
        memcpy(copy, item->bytes.p, item->bytes.n);
    }
    p->item[p->n] = *item;
    p->item[p->n].bytes.p = copy;
    p->bytes += item->bytes.n;
    p->n++;
    return OK;
}

struct pool_item *derive_pool_payload(struct derive_pool *p, const struct hash *key)
{
    for (size_t i = 0; i < p->n; i++) {
        if (!p->item[i].envelope && hash_equal(&p->item[i].key, key)) {
            return &p->item[i];
        }
    }
    return NULL;
}

struct pool_item *derive_pool_envelope(struct derive_pool *p, const struct hash *key,
                                       const struct address *from, size_t *at)
{
    /* Two rounds over the items: 0 … n - 1 the sender's own, n … 2 n - 1 everybody else's. */
    while (*at < 2 * p->n) {
        struct pool_item *item = &p->item[*at % p->n];
        bool own_round = *at < p->n;
        (*at)++;
        if (item->envelope && hash_equal(&item->key, key) &&
            address_equal(&item->from, from) == own_round) {
            return item;
        }
    }
    return NULL;
}
