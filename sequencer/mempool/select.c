/* Candidates for a block: a heap over accounts by the tip of their next transaction. Making it
 * costs a step per account, taking k transactions k steps of log(accounts). */
#include "sequencer/mempool/pool.h"

#include <stdlib.h>

enum { LEAST_TX_GAS = 21000 };

/* An account's next transaction. */
struct offer {
    uint64_t tip;
    uint64_t order;
    const struct account *account;
    uint32_t at;
};

struct taking {
    bool (*taken)(void *arg, const struct hash *hash);
    void *arg;
    struct u256 base_fee;
};

static const uint64_t highest_tip = (UINT64_C(1) << 62) - 1;

/* Effective tip at this base fee in wei, at most 2^62 - 1; 0 for what lies below the base fee. */
static uint64_t effective_tip(const struct entry *e, const struct u256 *base_fee)
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

/* Skips what unfinalized ancestors hold; false when nothing payable at this base fee is next. */
static bool offer_find(const struct taking *t, struct offer *o)
{
    while (o->at < o->account->executable && t->taken != NULL &&
           t->taken(t->arg, &o->account->entry[o->at]->hash)) {
        o->at++;
    }
    if (o->at == o->account->executable) {
        return false;
    }
    const struct entry *e = o->account->entry[o->at];
    if (u256_cmp(&e->max_fee, &t->base_fee) < 0) {
        return false;
    }
    o->tip = effective_tip(e, &t->base_fee);
    o->order = e->order;
    return true;
}

static bool better(const struct offer *a, const struct offer *b)
{
    return a->tip != b->tip ? a->tip > b->tip : a->order < b->order;
}

static void sift_down(struct offer *heap, uint32_t n, uint32_t i)
{
    struct offer o = heap[i];
    for (uint32_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && better(&heap[child + 1], &heap[child])) {
            child++;
        }
        if (!better(&heap[child], &o)) {
            break;
        }
        heap[i] = heap[child];
    }
    heap[i] = o;
}

static bool offer_reserve(struct mempool *p, uint32_t n)
{
    if (p->offer_cap >= n) {
        return true;
    }
    uint32_t cap = n + n / 2;
    struct offer *offer = realloc(p->offer, cap * sizeof *offer);
    if (offer == NULL) {
        return false;
    }
    p->offer = offer;
    p->offer_cap = cap;
    return true;
}

static uint32_t offers_make(struct mempool *p, const struct taking *t)
{
    uint32_t n = 0;
    for (const struct account *a = p->accounts; a != NULL; a = a->hh.next) {
        struct offer o = {.account = a};
        if (offer_find(t, &o)) {
            p->offer[n++] = o;
        }
    }
    for (uint32_t i = n / 2; i-- > 0;) {
        sift_down(p->offer, n, i);
    }
    return n;
}

static struct taking taking_begin(const struct mempool *p,
                                  bool (*taken)(void *arg, const struct hash *hash), void *arg)
{
    struct taking t = {.taken = taken, .arg = arg};
    p->o.chain.base_fee(p->o.chain.ctx, &t.base_fee);
    return t;
}

static void candidate_write(struct mempool_candidate *out, const struct entry *e)
{
    out->raw = bytes_of(e->raw, e->raw_len);
    out->sender = e->account->address;
    out->hash = e->hash;
}

uint32_t mempool_select(struct mempool *p, struct mempool_candidate *out, uint32_t max,
                        uint64_t max_gas, bool (*taken)(void *arg, const struct hash *hash),
                        void *arg)
{
    struct taking t = taking_begin(p, taken, arg);
    if (!offer_reserve(p, HASH_COUNT(p->accounts))) {
        return 0;
    }
    uint32_t heap = offers_make(p, &t);
    uint32_t n = 0;
    while (heap > 0 && n < max && max_gas >= LEAST_TX_GAS) {
        struct offer *best = &p->offer[0];
        const struct entry *e = best->account->entry[best->at];
        bool fits = e->gas <= max_gas;
        if (fits) {
            candidate_write(&out[n++], e);
            max_gas -= e->gas;
            best->at++;
        }
        /* What does not fit holds back its sender's later ones. */
        if (!fits || !offer_find(&t, best)) {
            *best = p->offer[--heap];
        }
        if (heap > 0) {
            sift_down(p->offer, heap, 0);
        }
    }
    return n;
}

bool mempool_has_executable(struct mempool *p, bool (*taken)(void *arg, const struct hash *hash),
                            void *arg)
{
    if (p->stats.executable == 0) {
        return false;
    }
    struct taking t = taking_begin(p, taken, arg);
    for (const struct account *a = p->accounts; a != NULL; a = a->hh.next) {
        struct offer o = {.account = a};
        if (offer_find(&t, &o)) {
            return true;
        }
    }
    return false;
}
