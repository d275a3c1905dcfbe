#define _GNU_SOURCE
#include "sequencer/engine/engine_parts.h"

void engine_known_clear(struct engine_known *k)
{
    k->n = 0;
    k->at = 0;
    k->best = (struct engine_block){0};
}

const struct engine_block *engine_known_find(const struct engine_known *k, const struct hash *h)
{
    for (uint32_t i = 1; i <= k->n; i++) {
        const struct engine_block *b =
            &k->block[(k->at + LIMIT_ENGINE_KNOWN - i) % LIMIT_ENGINE_KNOWN];
        if (hash_equal(&b->hash, h)) {
            return b;
        }
    }
    return NULL;
}

void engine_known_add(struct engine_known *k, const struct engine_block *b)
{
    if (k->n == 0 || b->number >= k->best.number) {
        k->best = *b;
    }
    if (engine_known_find(k, &b->hash) != NULL) {
        return;
    }
    k->block[k->at] = *b;
    k->at = (k->at + 1) % LIMIT_ENGINE_KNOWN;
    k->n += k->n < LIMIT_ENGINE_KNOWN ? 1 : 0;
}

struct hash engine_known_above(const struct engine_known *k, const struct hash *h)
{
    const struct engine_block *from = engine_known_find(k, h);
    const struct engine_block *b = &k->best;
    while (from != NULL && b != NULL && b->number > from->number) {
        if (hash_equal(&b->parent, h)) {
            return k->best.hash;
        }
        b = engine_known_find(k, &b->parent);
    }
    return *h;
}
