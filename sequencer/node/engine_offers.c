#define _GNU_SOURCE
/* Transactions into the pool of the own execution client, as many at a time as it takes. */
#include <stdlib.h>

#include "sequencer/node/parts.h"

enum { OLD_S = 2, OLD_MOST = 64 };

void offers_add(struct node *n, const struct hash *tx)
{
    struct engine_link *l = &n->link;
    if (l->engine == NULL || l->offers == LIMIT_POOL_TXS) {
        return;
    }
    if (l->offer_at > 0 && l->offers == l->offer_room) {
        memmove(l->offer, l->offer + l->offer_at, (l->offers - l->offer_at) * sizeof *l->offer);
        l->offers -= l->offer_at;
        l->offer_at = 0;
    }
    if (l->offers == l->offer_room) {
        uint32_t room = l->offer_room == 0 ? 256 : l->offer_room * 2;
        struct hash *bigger = realloc(l->offer, room * sizeof *bigger);
        if (bigger == NULL) {
            return; /* it is among the old ones soon */
        }
        l->offer = bigger;
        l->offer_room = room;
    }
    l->offer[l->offers++] = *tx;
}

static bool add_one(void *arg, const struct mempool_entry *e)
{
    offers_add(arg, &e->hash);
    return true;
}

void offers_add_all(struct node *n)
{
    n->link.offers = n->link.offer_at = 0;
    mempool_walk(n->mempool, add_one, n);
    offers_pump(n);
}

void offers_add_old(struct node *n)
{
    struct mempool_entry old[OLD_MOST];
    uint32_t count = mempool_oldest(n->mempool, driver_wall(n) / 1000 - OLD_S, old, OLD_MOST);
    for (uint32_t i = 0; i < count; i++) {
        offers_add(n, &old[i].hash);
    }
    offers_pump(n);
}

static void on_offered(void *arg, bool taken)
{
    struct node *n = arg;
    (void)taken; /* it stays in the own pool, and is offered again: others' clients may take it */
    if (!n->driver.closed) {
        offers_pump(n);
    }
}

void offers_pump(struct node *n)
{
    struct engine_link *l = &n->link;
    while (l->engine != NULL && l->level && l->offer_at < l->offers) {
        struct mempool_entry e;
        if (mempool_get(n->mempool, &l->offer[l->offer_at], &e) &&
            engine_offer(l->engine, e.raw, on_offered, n) != OK) {
            return;
        }
        l->offer_at++;
    }
    if (l->offer_at == l->offers) {
        l->offer_at = l->offers = 0;
    }
}
