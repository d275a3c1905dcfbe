/* The mempool beside a naive one: a flat list, everything worked out anew each time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "chain_kit.h"
#include "sequencer/mempool/mempool.h"

enum { ACCOUNTS = 12, ENTRIES = 512, STEPS = 6000, TEXT = 256 };

struct item {
    struct hash hash;
    uint32_t from;
    uint64_t nonce;
    uint64_t cost;
    uint64_t max_fee;
    uint64_t tip;
    uint64_t order;
    uint64_t added_s;
};

struct world {
    struct mempool *p;
    uint64_t seed;
    uint64_t nonce[ACCOUNTS];
    uint64_t balance[ACCOUNTS];
    uint64_t base_fee;
    uint64_t now_s;
    uint64_t order;
    struct item item[ENTRIES];
    uint32_t n;
    uint32_t dropped;
};

static void read_account(void *ctx, const struct address *a, uint64_t *nonce, struct u256 *balance)
{
    const struct world *w = ctx;
    uint32_t i = load_be32(a->b + 16) - 1;
    *nonce = w->nonce[i];
    *balance = u256_from_u64(w->balance[i]);
}

static void read_base_fee(void *ctx, struct u256 *out)
{
    const struct world *w = ctx;
    *out = u256_from_u64(w->base_fee);
}

static struct item *model_find(struct world *w, uint32_t from, uint64_t nonce)
{
    for (uint32_t i = 0; i < w->n; i++) {
        if (w->item[i].from == from && w->item[i].nonce == nonce) {
            return &w->item[i];
        }
    }
    return NULL;
}

/* How many of an account are executable, and what they cost. */
static uint64_t model_executable(struct world *w, uint32_t from, uint64_t *spent)
{
    uint64_t n = 0;
    *spent = 0;
    for (;; n++) {
        const struct item *it = model_find(w, from, w->nonce[from] + n);
        if (it == NULL || *spent + it->cost > w->balance[from]) {
            return n;
        }
        *spent += it->cost;
    }
}

static uint32_t model_queued(struct world *w, uint32_t from)
{
    uint64_t spent;
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->n; i++) {
        n += w->item[i].from == from ? 1 : 0;
    }
    return n - (uint32_t)model_executable(w, from, &spent);
}

static void model_remove(struct world *w, struct item *it)
{
    *it = w->item[--w->n];
}

static enum mempool_verdict model_add(struct world *w, const struct item *new)
{
    uint64_t spent;
    uint64_t executable = model_executable(w, new->from, &spent);
    struct item *old = model_find(w, new->from, new->nonce);
    if (new->nonce < w->nonce[new->from] || new->cost > w->balance[new->from]) {
        return POOL_REFUSED;
    }
    if (old == NULL) {
        bool next = new->nonce == w->nonce[new->from] + executable;
        if (spent + new->cost > w->balance[new->from] ||
            (!next && model_queued(w, new->from) >= LIMIT_POOL_ACCOUNT_QUEUED)) {
            return POOL_REFUSED;
        }
        w->item[w->n++] = *new;
        return POOL_ADDED;
    }
    bool runs = old->nonce < w->nonce[new->from] + executable;
    if (runs && spent - old->cost + new->cost > w->balance[new->from]) {
        return POOL_REFUSED;
    }
    if (new->max_fee <= old->max_fee || new->max_fee < old->max_fee * 110 / 100 ||
        new->tip <= old->tip || new->tip < old->tip * 110 / 100) {
        return POOL_REFUSED;
    }
    *old = *new;
    return POOL_REPLACED;
}

static void step_add(struct world *w)
{
    uint32_t from = (uint32_t)(kit_random(&w->seed) % ACCOUNTS);
    uint64_t nonce = w->nonce[from] + kit_random(&w->seed) % 12;
    struct kit_transfer t =
        kit_transfer(from, 1, nonce > 2 ? nonce - kit_random(&w->seed) % 3 : nonce,
                     kit_random(&w->seed) % 400000);
    struct kit_tx tx;
    char text[TEXT] = "";
    struct mempool_entry e;
    t.max_fee = 10 + kit_random(&w->seed) % 40;
    t.tip = 1 + kit_random(&w->seed) % t.max_fee;
    kit_sign(&tx, &t);
    if (w->n == ENTRIES || mempool_get(w->p, &tx.tx.hash, &e)) {
        return;
    }
    struct item item = {tx.tx.hash, from,  t.nonce,    t.value + 21000 * t.max_fee,
                        t.max_fee,  t.tip, ++w->order, w->now_s};
    enum mempool_verdict want = model_add(w, &item);
    enum mempool_verdict got =
        mempool_add(w->p, &tx.tx, &tx.sender, w->now_s, NULL, text, sizeof text);
    if (got != want) {
        fail_msg("nonce %llu: wanted %d, got %d: %s", (unsigned long long)t.nonce, (int)want,
                 (int)got, text);
    }
}

static uint64_t model_tip(const struct world *w, const struct item *it)
{
    uint64_t room = it->max_fee - w->base_fee;
    return it->tip < room ? it->tip : room;
}

/* The best next transaction over all accounts, `at` of each being done. */
static struct item *model_best(struct world *w, const uint64_t *at)
{
    struct item *best = NULL;
    for (uint32_t a = 0; a < ACCOUNTS; a++) {
        uint64_t spent;
        if (at[a] >= model_executable(w, a, &spent)) {
            continue;
        }
        struct item *it = model_find(w, a, w->nonce[a] + at[a]);
        if (it->max_fee < w->base_fee) {
            continue;
        }
        if (best == NULL || model_tip(w, it) > model_tip(w, best) ||
            (model_tip(w, it) == model_tip(w, best) && it->order < best->order)) {
            best = it;
        }
    }
    return best;
}

static void check_select(struct world *w)
{
    struct mempool_candidate c[ENTRIES];
    uint64_t at[ACCOUNTS] = {0};
    uint32_t max = (uint32_t)(kit_random(&w->seed) % 80);
    uint32_t n = mempool_select(w->p, c, max, UINT64_C(30000000), NULL, NULL);
    for (uint32_t i = 0; i < n; i++) {
        struct item *best = model_best(w, at);
        assert_non_null(best);
        assert_true(hash_equal(&best->hash, &c[i].hash));
        at[best->from]++;
    }
    assert_true(n == max || model_best(w, at) == NULL);
}

static void check_counts(struct world *w)
{
    struct mempool_stats s;
    uint64_t executable = 0;
    uint64_t spent;
    for (uint32_t a = 0; a < ACCOUNTS; a++) {
        struct address address = kit_address(a);
        uint64_t n = model_executable(w, a, &spent);
        executable += n;
        assert_int_equal(mempool_pending_nonce(w->p, &address), w->nonce[a] + n);
    }
    mempool_get_stats(w->p, &s);
    assert_int_equal(s.count, w->n);
    assert_int_equal(s.executable, executable);
    for (uint32_t i = 0; i < w->n; i++) {
        struct mempool_entry e;
        assert_true(mempool_get(w->p, &w->item[i].hash, &e));
        assert_int_equal(e.executable,
                         w->item[i].nonce < w->nonce[w->item[i].from] +
                                                model_executable(w, w->item[i].from, &spent));
    }
}

static void on_dropped(void *arg, const struct hash *hash)
{
    struct world *w = arg;
    (void)hash;
    w->dropped++;
}

/* What is stale or can never be paid leaves the model too, of accounts that are looked at. */
static uint32_t model_clean(struct world *w, uint32_t account, bool expire)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->n;) {
        struct item *it = &w->item[i];
        bool stale = it->nonce < w->nonce[it->from] || it->cost > w->balance[it->from];
        if (it->from == account && stale) {
            model_remove(w, it);
            n++;
        } else {
            i++;
        }
    }
    uint64_t spent;
    uint64_t runs = w->nonce[account] + model_executable(w, account, &spent);
    for (uint32_t i = 0; expire && i < w->n;) {
        struct item *it = &w->item[i];
        if (it->from == account && it->nonce >= runs &&
            it->added_s + LIMIT_POOL_EXPIRY_S < w->now_s) {
            model_remove(w, it);
            n++;
        } else {
            i++;
        }
    }
    return n;
}

/* A block of what select gives becomes final; balances fall and rise. */
static void step_final(struct world *w)
{
    struct mempool_candidate c[16];
    struct hash hash[16];
    struct address sender[16];
    uint64_t nonce[16];
    bool touched[ACCOUNTS] = {false};
    uint32_t n = mempool_select(w->p, c, 16, UINT64_C(30000000), NULL, NULL);
    uint32_t gone = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t from = load_be32(c[i].sender.b + 16) - 1;
        hash[i] = c[i].hash;
        sender[i] = c[i].sender;
        nonce[i] = w->nonce[from]++;
        struct item *it = model_find(w, from, nonce[i]);
        w->balance[from] -= it->cost;
        model_remove(w, it);
        touched[from] = true;
    }
    for (uint32_t a = 0; a < ACCOUNTS; a++) {
        gone += touched[a] ? model_clean(w, a, false) : 0;
    }
    w->dropped = 0;
    mempool_final(w->p, hash, sender, nonce, n, on_dropped, w);
    assert_int_equal(w->dropped, gone);
}

static void step_sweep(struct world *w)
{
    uint32_t gone = 0;
    for (uint32_t a = 0; a < ACCOUNTS; a++) {
        w->balance[a] = kit_random(&w->seed) % 20000000;
        gone += model_clean(w, a, true);
    }
    w->dropped = 0;
    mempool_sweep(w->p, w->now_s, on_dropped, w);
    assert_int_equal(w->dropped, gone);
}

static void step_remove(struct world *w)
{
    if (w->n > 0) {
        struct item *it = &w->item[kit_random(&w->seed) % w->n];
        struct hash hash = it->hash;
        model_remove(w, it);
        mempool_remove(w->p, &hash);
    }
}

static void run(uint64_t seed)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->seed = seed;
    struct mempool_options o = {.chain_id = KIT_CHAIN,
                                .gas_limit = KIT_GAS_LIMIT,
                                .chain = {w, read_account, read_base_fee}};
    assert_int_equal(mempool_create(&w->p, &o), OK);
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        w->balance[i] = 20000000;
    }
    for (uint32_t i = 0; i < STEPS; i++) {
        uint64_t dice = kit_random(&w->seed) % 100;
        w->now_s += kit_random(&w->seed) % 40;
        if (dice < 90) {
            step_add(w);
        } else if (dice < 94) {
            w->base_fee = kit_random(&w->seed) % 30;
            check_select(w);
        } else if (dice < 96) {
            step_final(w);
        } else if (dice < 97) {
            step_sweep(w);
        } else {
            step_remove(w);
        }
        if (i % 16 == 0) {
            check_counts(w);
        }
    }
    mempool_destroy(w->p);
    free(w);
}

static void test_random_life(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        printf("seed %llu\n", (unsigned long long)seed);
        run(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_life)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
