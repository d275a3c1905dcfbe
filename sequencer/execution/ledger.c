#include "sequencer/execution/ledger_state.h"

#include <stdlib.h>

#include "proto/keccak.h"

enum { TX_GAS = 21000 };

struct state *ledger_find(const struct ledger *l, const struct hash *payload)
{
    struct state *s = NULL;
    HASH_FIND(hh, l->states, payload, sizeof *payload, s);
    return s;
}

struct state *ledger_state_create(const struct state *parent)
{
    struct state *s = calloc(1, sizeof *s);
    if (s != NULL && parent != NULL) {
        trie_fork(&s->trie, &parent->trie);
    }
    return s;
}

void ledger_state_destroy(struct state *s)
{
    trie_free(&s->trie);
    free(s);
}

enum err ledger_enter(struct ledger *l, struct state *s)
{
    HASH_ADD(hh, l->states, info.hash, sizeof s->info.hash, s);
    if (s->hh.tbl == NULL) {
        return ERR_NO_MEMORY;
    }
    l->open += s->final ? 0 : 1;
    return OK;
}

void ledger_forget(struct ledger *l, struct state *s)
{
    HASH_DEL(l->states, s);
    l->open -= s->final ? 0 : 1;
    ledger_state_destroy(s);
}

static enum err ledger_alloc(struct ledger **out, const struct genesis *g)
{
    if (g->params.gas_limit < TX_GAS) {
        return ERR_CONFIG;
    }
    struct ledger *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return ERR_NO_MEMORY;
    }
    l->chain_id = g->chain_id;
    l->gas_limit = g->params.gas_limit;
    enum err e = account_seed_init(&l->view.seed);
    if (e != OK) {
        free(l);
        return e;
    }
    *out = l;
    return OK;
}

/* Accounts one by one into an empty trie. Their sum must fit: then no transfer can overflow. */
struct filling {
    struct trie *trie;
    struct u256 supply;
};

static enum err fill(struct filling *f, const struct ledger_account *a)
{
    if (a->nonce == 0 && u256_is_zero(&a->balance)) {
        return OK;
    }
    if (u256_add(&f->supply, &f->supply, &a->balance)) {
        return ERR_CONFIG;
    }
    struct hash key = keccak256(a->address.b, sizeof a->address.b);
    return trie_put(f->trie, &key, a) ? OK : ERR_NO_MEMORY;
}

static enum err fill_allocs(struct trie *t, const struct genesis *g)
{
    struct filling f = {.trie = t};
    for (uint32_t i = 0; i < g->allocs; i++) {
        struct ledger_account a = {.address = g->alloc[i].address, .balance = g->alloc[i].balance};
        TRY(fill(&f, &a));
    }
    return OK;
}

static struct payload_info genesis_info(const struct genesis *g, const struct trie *t)
{
    struct payload_info info = {
        .timestamp = g->timestamp_ms / 1000,
        .timestamp_ms = g->timestamp_ms,
        .state_root = trie_root(t),
        .transactions_root = trie_list_root(NULL, 0),
        .receipts_root = trie_list_root(NULL, 0),
        .gas_limit = g->params.gas_limit,
        .base_fee = g->base_fee,
    };
    info.hash = payload_hash(&info);
    return info;
}

static enum err enter_head(struct ledger *l, struct state *s, const struct payload_info *info)
{
    s->info = *info;
    s->final = true;
    TRY(ledger_enter(l, s));
    l->head = s;
    return OK;
}

static enum err genesis_state(struct ledger *l, const struct genesis *g)
{
    struct state *s = ledger_state_create(NULL);
    if (s == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err e = fill_allocs(&s->trie, g);
    if (e == OK) {
        struct payload_info info = genesis_info(g, &s->trie);
        e = enter_head(l, s, &info);
    }
    if (e != OK) {
        ledger_state_destroy(s);
    }
    return e;
}

enum err ledger_create(struct ledger **out, struct genesis *g)
{
    struct ledger *l;
    TRY(ledger_alloc(&l, g));
    enum err e = genesis_state(l, g);
    if (e != OK) {
        ledger_destroy(l);
        return e;
    }
    g->state_root = l->head->info.state_root;
    g->payload = l->head->info.hash;
    *out = l;
    return OK;
}

static enum err fill_stored(struct trie *t, bool (*next)(void *arg, struct ledger_account *a),
                            void *arg)
{
    struct filling f = {.trie = t};
    struct ledger_account a;
    while (next(arg, &a)) {
        enum err e = fill(&f, &a);
        if (e != OK) {
            return e == ERR_CONFIG ? ERR_CORRUPT : e;
        }
    }
    return OK;
}

static enum err stored_state(struct ledger *l, const struct payload_info *at,
                             bool (*next)(void *arg, struct ledger_account *a), void *arg)
{
    struct hash hash = payload_hash(at);
    if (!hash_equal(&hash, &at->hash)) {
        return ERR_CORRUPT;
    }
    struct state *s = ledger_state_create(NULL);
    if (s == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err e = fill_stored(&s->trie, next, arg);
    if (e == OK) {
        struct hash root = trie_root(&s->trie);
        e = hash_equal(&root, &at->state_root) ? enter_head(l, s, at) : ERR_CORRUPT;
    }
    if (e != OK) {
        ledger_state_destroy(s);
    }
    return e;
}

enum err ledger_restore(struct ledger **out, const struct genesis *g, const struct payload_info *at,
                        bool (*next)(void *arg, struct ledger_account *a), void *arg)
{
    struct ledger *l;
    TRY(ledger_alloc(&l, g));
    enum err e = stored_state(l, at, next, arg);
    if (e != OK) {
        ledger_destroy(l);
        return e;
    }
    *out = l;
    return OK;
}

void ledger_destroy(struct ledger *l)
{
    if (l == NULL) {
        return;
    }
    struct state *s = NULL;
    struct state *next = NULL;
    HASH_ITER(hh, l->states, s, next)
    {
        ledger_forget(l, s);
    }
    ledger_view_free(&l->view);
    free(l->raw);
    free(l->receipt);
    free(l->receipt_leaf);
    free(l->body);
    free(l);
}

void ledger_head(const struct ledger *l, struct payload_info *out)
{
    *out = l->head->info;
}

struct state *ledger_first_open(const struct ledger *l)
{
    struct state *first = NULL;
    struct state *s = ELMT_FROM_HH(l->states->hh.tbl, l->states->hh.tbl->tail);
    for (; s != NULL && !s->final; s = s->hh.prev) {
        first = s;
    }
    return first;
}

void ledger_highest(const struct ledger *l, struct payload_info *out)
{
    const struct state *best = l->head;
    for (const struct state *s = ledger_first_open(l); s != NULL; s = s->hh.next) {
        if (!s->built && s->info.number > best->info.number) {
            best = s;
        }
    }
    *out = best->info;
}

void ledger_walk(const struct ledger *l, void (*each)(void *arg, const struct ledger_account *a),
                 void *arg)
{
    trie_walk(&l->head->trie, each, arg);
}

static const struct state *state_at(const struct ledger *l, const struct hash *payload)
{
    return payload == NULL ? l->head : ledger_find(l, payload);
}

bool ledger_get(const struct ledger *l, const struct hash *payload, const struct address *a,
                struct ledger_account *out)
{
    const struct state *s = state_at(l, payload);
    if (s == NULL) {
        return false;
    }
    struct hash key = keccak256(a->b, sizeof a->b);
    const struct ledger_account *held = trie_get(&s->trie, &key);
    *out = held != NULL ? *held : (struct ledger_account){.address = *a};
    return true;
}

bool ledger_info(const struct ledger *l, const struct hash *payload, struct payload_info *out)
{
    const struct state *s = state_at(l, payload);
    if (s == NULL) {
        return false;
    }
    *out = s->info;
    return true;
}

enum err ledger_proof(const struct ledger *l, const struct hash *payload, const struct address *a,
                      uint8_t **out, size_t *out_n)
{
    const struct state *s = state_at(l, payload);
    if (s == NULL) {
        return ERR_NOT_FOUND;
    }
    struct hash key = keccak256(a->b, sizeof a->b);
    return trie_proof(&s->trie, &key, out, out_n);
}

bool ledger_next_base_fee(const struct ledger *l, const struct hash *payload, struct u256 *out)
{
    const struct state *s = state_at(l, payload);
    if (s == NULL) {
        return false;
    }
    payload_next_base_fee(out, &s->info);
    return true;
}
