#include "sequencer/mempool/pool.h"

#include <stdlib.h>

struct account *pool_account_find(const struct mempool *p, const struct address *a)
{
    struct account *found = NULL;
    HASH_FIND(hh, p->accounts, a, sizeof *a, found);
    return found;
}

/* The chain's word; a nonce that was seen final never falls. True if it moved. */
static bool read_chain(const struct mempool *p, struct account *a)
{
    uint64_t nonce = 0;
    struct u256 balance = {{0}};
    p->o.chain.account(p->o.chain.ctx, &a->address, &nonce, &balance);
    if (nonce < a->nonce) {
        nonce = a->nonce;
    }
    bool moved = nonce != a->nonce || u256_cmp(&balance, &a->balance) != 0;
    a->nonce = nonce;
    a->balance = balance;
    return moved;
}

static struct account *account_create(struct mempool *p, const struct address *address)
{
    struct account *a = calloc(1, sizeof *a);
    if (a == NULL) {
        return NULL;
    }
    a->address = *address;
    (void)read_chain(p, a);
    HASH_ADD(hh, p->accounts, address, sizeof a->address, a);
    if (a->hh.tbl == NULL) {
        free(a);
        return NULL;
    }
    return a;
}

struct account *pool_account_touch(struct mempool *p, const struct address *address)
{
    struct account *a = pool_account_find(p, address);
    if (a == NULL) {
        return account_create(p, address);
    }
    if (read_chain(p, a)) {
        pool_account_recount(p, a);
    }
    return a;
}

uint32_t pool_account_index(const struct account *a, uint64_t nonce)
{
    uint32_t lo = 0;
    uint32_t hi = a->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (a->entry[mid]->nonce < nonce) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

struct entry *pool_account_entry(const struct account *a, uint64_t nonce)
{
    uint32_t i = pool_account_index(a, nonce);
    return i < a->n && a->entry[i]->nonce == nonce ? a->entry[i] : NULL;
}

static enum err account_reserve(struct account *a)
{
    if (a->n < a->cap) {
        return OK;
    }
    uint32_t cap = a->cap == 0 ? 2 : 2 * a->cap;
    struct entry **entry = realloc(a->entry, cap * sizeof *entry);
    if (entry == NULL) {
        return ERR_NO_MEMORY;
    }
    a->entry = entry;
    a->cap = cap;
    return OK;
}

enum err pool_account_insert(struct mempool *p, struct account *a, struct entry *e)
{
    TRY(account_reserve(a));
    HASH_ADD(hh, p->entries, hash, sizeof e->hash, e);
    if (e->hh.tbl == NULL) {
        return ERR_NO_MEMORY;
    }
    uint32_t i = pool_account_index(a, e->nonce);
    memmove(a->entry + i + 1, a->entry + i, (a->n - i) * sizeof(struct entry *));
    a->entry[i] = e;
    a->n++;
    e->account = a;
    p->stats.count++;
    p->stats.bytes += e->raw_len;
    pool_account_extend(p, a);
    return OK;
}

/* What stands before the removed entry stays executable; what stands behind it has a gap now. */
static void cut_executable(struct mempool *p, struct account *a, uint32_t index)
{
    while (a->executable > index) {
        a->executable--;
        p->stats.executable--;
        (void)u256_sub(&a->spent, &a->spent, &a->entry[a->executable]->cost);
    }
}

void pool_account_remove(struct mempool *p, struct account *a, uint32_t index)
{
    struct entry *e = a->entry[index];
    cut_executable(p, a, index);
    a->n--;
    memmove(a->entry + index, a->entry + index + 1, (a->n - index) * sizeof(struct entry *));
    HASH_DEL(p->entries, e);
    p->stats.count--;
    p->stats.bytes -= e->raw_len;
    free(e);
}

void pool_account_extend(struct mempool *p, struct account *a)
{
    while (a->executable < a->n) {
        const struct entry *e = a->entry[a->executable];
        struct u256 spent;
        if (e->nonce != a->nonce + a->executable || u256_add(&spent, &a->spent, &e->cost) ||
            u256_cmp(&a->balance, &spent) < 0) {
            return;
        }
        a->spent = spent;
        a->executable++;
        p->stats.executable++;
    }
}

void pool_account_recount(struct mempool *p, struct account *a)
{
    p->stats.executable -= a->executable;
    a->executable = 0;
    a->spent = (struct u256){{0}};
    pool_account_extend(p, a);
}

static void drop(struct mempool *p, struct account *a, uint32_t index, pool_dropped dropped,
                 void *arg)
{
    struct hash hash = a->entry[index]->hash;
    pool_account_remove(p, a, index);
    if (dropped != NULL) {
        dropped(arg, &hash);
    }
}

void pool_account_refresh(struct mempool *p, struct account *a, pool_dropped dropped, void *arg)
{
    bool moved = read_chain(p, a);
    while (a->n > 0 && a->entry[0]->nonce < a->nonce) {
        drop(p, a, 0, dropped, arg);
    }
    for (uint32_t i = a->n; moved && i-- > 0;) {
        if (!a->entry[i]->restored && u256_cmp(&a->balance, &a->entry[i]->cost) < 0) {
            drop(p, a, i, dropped, arg);
        }
    }
    pool_account_recount(p, a);
}

void pool_account_settle(struct mempool *p, struct account *a)
{
    if (a->n > 0) {
        return;
    }
    if (p->sweep_next == a) {
        p->sweep_next = a->hh.next;
    }
    HASH_DEL(p->accounts, a);
    free(a->entry);
    free(a);
}
