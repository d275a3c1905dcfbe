/* Whom to evict when the pool is full. The heap holds every account once, by its last entry: only
 * last entries go, so no eviction tears a hole into a row of nonces. It is made when first
 * needed, kept while the pool is full, and made anew when the base fee has moved. */
#include "sequencer/mempool/pool.h"

#include <stdlib.h>

#define NO_PLACE UINT32_MAX
static const uint64_t highest_tip = (UINT64_C(1) << 62) - 1;

uint64_t pool_tip(const struct entry *e, const struct u256 *base_fee)
{
    struct u256 tip;
    if (u256_sub(&tip, &e->max_fee, base_fee)) {
        return 0;
    }
    if (u256_cmp(&e->max_tip, &tip) < 0) {
        tip = e->max_tip;
    }
    return u256_fits_u64(&tip) && tip.v[0] < highest_tip ? tip.v[0] : highest_tip;
}

/* Queued before executable, then by tip, then peers' before local ones. */
uint64_t pool_evict_price(const struct entry *e, const struct u256 *base_fee, bool executable)
{
    uint64_t tip = pool_tip(e, base_fee);
    return (executable ? UINT64_C(1) << 63 : 0) | tip << 1 | (e->local ? 1 : 0);
}

/* Among equals the newest goes first. */
static bool before(const struct account *a, const struct account *b)
{
    if (a->evict_price != b->evict_price) {
        return a->evict_price < b->evict_price;
    }
    return a->evict_order > b->evict_order;
}

static void place(struct mempool *p, uint32_t i, struct account *a)
{
    p->evict[i] = a;
    a->evict_place = i;
}

static void sift_up(struct mempool *p, uint32_t i)
{
    struct account *a = p->evict[i];
    while (i > 0 && before(a, p->evict[(i - 1) / 2])) {
        place(p, i, p->evict[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(p, i, a);
}

static void sift_down(struct mempool *p, uint32_t i)
{
    struct account *a = p->evict[i];
    for (uint32_t child; (child = 2 * i + 1) < p->evict_n; i = child) {
        if (child + 1 < p->evict_n && before(p->evict[child + 1], p->evict[child])) {
            child++;
        }
        if (!before(p->evict[child], a)) {
            break;
        }
        place(p, i, p->evict[child]);
    }
    place(p, i, a);
}

static void price(const struct mempool *p, struct account *a)
{
    const struct entry *last = a->entry[a->n - 1];
    a->evict_price = pool_evict_price(last, &p->evict_base_fee, a->executable == a->n);
    a->evict_order = last->order;
}

static bool evict_reserve(struct mempool *p, uint32_t n)
{
    if (p->evict_cap >= n) {
        return true;
    }
    uint32_t cap = n + n / 2 + 64;
    struct account **evict = realloc(p->evict, cap * sizeof(struct account *));
    if (evict == NULL) {
        return false;
    }
    p->evict = evict;
    p->evict_cap = cap;
    return true;
}

void pool_evict_update(struct mempool *p, struct account *a)
{
    if (!p->evict_valid) {
        return;
    }
    price(p, a);
    if (a->evict_place == NO_PLACE) {
        if (!evict_reserve(p, p->evict_n + 1)) {
            p->evict_valid = false;
            return;
        }
        place(p, p->evict_n++, a);
    }
    sift_up(p, a->evict_place);
    sift_down(p, a->evict_place);
}

void pool_evict_forget(struct mempool *p, struct account *a)
{
    uint32_t at = a->evict_place;
    a->evict_place = NO_PLACE;
    if (!p->evict_valid || at == NO_PLACE) {
        return;
    }
    struct account *last = p->evict[--p->evict_n];
    if (last == a) {
        return;
    }
    place(p, at, last);
    sift_up(p, at);
    sift_down(p, last->evict_place);
}

static bool evict_make(struct mempool *p)
{
    if (!evict_reserve(p, HASH_COUNT(p->accounts))) {
        return false;
    }
    p->evict_n = 0;
    for (struct account *a = p->accounts; a != NULL; a = a->hh.next) {
        a->evict_place = NO_PLACE;
        if (a->n > 0) {
            price(p, a);
            place(p, p->evict_n++, a);
        }
    }
    for (uint32_t i = p->evict_n / 2; i-- > 0;) {
        sift_down(p, i);
    }
    p->evict_valid = true;
    return true;
}

struct account *pool_evict_cheapest(struct mempool *p)
{
    struct u256 base_fee;
    p->o.chain.base_fee(p->o.chain.ctx, &base_fee);
    if (!p->evict_valid || u256_cmp(&base_fee, &p->evict_base_fee) != 0) {
        p->evict_base_fee = base_fee;
        if (!evict_make(p)) {
            return NULL;
        }
    }
    return p->evict_n > 0 ? p->evict[0] : NULL;
}
