#define _GNU_SOURCE
/* Which transactions stand in unfinalized ancestors of a block to be built: a set of hashes made
 * for one question and thrown away. */
#include <stdlib.h>
#include <string.h>

#include "sequencer/node/parts.h"

static uint32_t place(const struct taken *t, const struct hash *h)
{
    return (uint32_t)((load_be64(h->b) ^ t->seed) * 0x9e3779b97f4a7c15ULL >> 32) & t->mask;
}

static void put(struct taken *t, const struct hash *h)
{
    uint32_t at = place(t, h);
    while (t->slot[at] != NULL) {
        if (hash_equal(t->slot[at], h)) {
            return;
        }
        at = (at + 1) & t->mask;
    }
    t->slot[at] = h;
    t->used++;
}

static bool grow(struct taken *t, uint32_t more)
{
    uint32_t want = 2 * (t->used + more) + 64;
    if (t->slot != NULL && want <= t->mask) {
        return true;
    }
    struct taken bigger = {.seed = t->seed, .mask = 1023};
    while (bigger.mask < want) {
        bigger.mask = bigger.mask * 2 + 1;
    }
    bigger.slot = calloc((size_t)bigger.mask + 1, sizeof *bigger.slot);
    if (bigger.slot == NULL) {
        return false;
    }
    for (uint32_t i = 0; t->slot != NULL && i <= t->mask; i++) {
        if (t->slot[i] != NULL) {
            put(&bigger, t->slot[i]);
        }
    }
    free(t->slot);
    *t = bigger;
    return true;
}

void taken_chain(struct node *n, struct taken *t, const struct hash *tip)
{
    if (t->slot != NULL) {
        memset(t->slot, 0, ((size_t)t->mask + 1) * sizeof *t->slot);
    }
    t->used = 0;
    memcpy(&t->seed, n->instance, sizeof t->seed);
    if (!grow(t, 0)) {
        return;
    }
    struct hash at = *tip;
    for (;;) {
        struct block_entry *e = NULL;
        HASH_FIND(hh, n->blocks.table, &at, sizeof at, e);
        /* Blocks in `latest` have left the pool already. */
        if (e == NULL || !e->has_head || e->head.header.slot <= n->finality.latest_slot) {
            return;
        }
        if (e->body_state == ENTRY_GOOD && grow(t, e->txs)) {
            for (uint32_t i = 0; i < e->txs; i++) {
                put(t, &e->tx_hash[i]);
            }
        }
        at = e->head.header.parent;
    }
}

bool taken_has(void *taken, const struct hash *hash)
{
    const struct taken *t = taken;
    if (t->slot == NULL) {
        return false;
    }
    for (uint32_t at = place(t, hash); t->slot[at] != NULL; at = (at + 1) & t->mask) {
        if (hash_equal(t->slot[at], hash)) {
            return true;
        }
    }
    return false;
}

void taken_free(struct taken *t)
{
    free(t->slot);
    memset(t, 0, sizeof *t);
}
