#include "sequencer/execution/ledger_view.h"

#include <stdlib.h>

#include "proto/keccak.h"

static enum err view_reserve(struct ledger_view *v, uint32_t max, uint32_t slots)
{
    if (v->cap < max) {
        struct view_account *entry = realloc(v->entry, max * sizeof *entry);
        if (entry == NULL) {
            return ERR_NO_MEMORY;
        }
        v->entry = entry;
        v->cap = max;
    }
    if (v->known == NULL && (v->known = calloc(VIEW_KEYS, sizeof *v->known)) == NULL) {
        return ERR_NO_MEMORY;
    }
    if (v->slots_cap < slots) {
        uint32_t *slot = realloc(v->slot, slots * sizeof *slot);
        if (slot == NULL) {
            return ERR_NO_MEMORY;
        }
        v->slot = slot;
        v->slots_cap = slots;
    }
    return OK;
}

enum err ledger_view_open(struct ledger_view *v, const struct trie *base, uint32_t max)
{
    uint32_t slots = 16;
    while (slots < 2 * max) {
        slots *= 2;
    }
    TRY(view_reserve(v, max, slots));
    v->base = base;
    v->n = 0;
    v->slots = slots;
    memset(v->slot, 0, slots * sizeof *v->slot);
    return OK;
}

static const struct hash *key_of(struct ledger_view *v, const struct address *a, uint64_t hash)
{
    struct view_key *k = &v->known[hash >> 32 & (VIEW_KEYS - 1)];
    if (!address_equal(&k->address, a) || hash_is_zero(&k->key)) {
        *k = (struct view_key){*a, keccak256(a->b, sizeof a->b)};
    }
    return &k->key;
}

static struct view_account *view_load(struct ledger_view *v, const struct address *a, uint64_t hash)
{
    struct view_account *e = &v->entry[v->n++];
    e->key = *key_of(v, a, hash);
    e->changed = false;
    const struct ledger_account *held = trie_get(v->base, &e->key);
    e->account = held != NULL ? *held : (struct ledger_account){.address = *a};
    return e;
}

struct view_account *ledger_view_get(struct ledger_view *v, const struct address *a)
{
    uint64_t hash = account_hash(&v->seed, a);
    uint32_t at = (uint32_t)hash & (v->slots - 1);
    while (v->slot[at] != 0) {
        struct view_account *e = &v->entry[v->slot[at] - 1];
        if (address_equal(&e->account.address, a)) {
            return e;
        }
        at = (at + 1) & (v->slots - 1);
    }
    struct view_account *e = view_load(v, a, hash);
    v->slot[at] = v->n;
    return e;
}

enum err ledger_view_commit(const struct ledger_view *v, struct trie *t)
{
    for (uint32_t i = 0; i < v->n; i++) {
        const struct view_account *e = &v->entry[i];
        if (e->changed && !trie_put(t, &e->key, &e->account)) {
            return ERR_NO_MEMORY;
        }
    }
    return OK;
}

void ledger_view_free(struct ledger_view *v)
{
    free(v->entry);
    free(v->known);
    free(v->slot);
    *v = (struct ledger_view){0};
}
