#include <stdlib.h>

#include "proto/keccak.h"
#include "world.h"

enum { GWEI = 1000000000, REORG_DEPTH = 5 };

uint64_t world_random(uint64_t *seed)
{
    *seed += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *seed;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t world_below(uint64_t *seed, uint64_t n)
{
    return world_random(seed) % n;
}

bool world_chance(uint64_t *seed, uint64_t permille)
{
    return world_below(seed, 1000) < permille;
}

void sim_l1_init(struct sim_l1 *l, uint64_t seed, uint8_t kind)
{
    *l = (struct sim_l1){.seed = seed, .kind = kind, .parts = kind == TXM_BLOB ? 1 : 2};
    l->include = 800;
    l->tx = calloc(MOST_TXS, sizeof *l->tx);
    l->block = calloc(MOST_BLOCKS, sizeof *l->block);
    struct sim_block *first = &l->block[l->blocks++];
    first->parent = -1;
    first->at.number = 1;
    first->at.hash = keccak256(&l->seed, sizeof l->seed);
    first->base_fee = u256_from_u64(GWEI);
    first->blob_fee = u256_from_u64(GWEI);
    for (size_t i = 0; i < MEMBERS; i++) {
        first->balance[i] = u256_from_u64(UINT64_C(10000000000) * GWEI); /* 10 ETH */
        l->spent[i] = u256_from_u64(0);
    }
}

void sim_l1_free(struct sim_l1 *l)
{
    free(l->tx);
    free(l->block);
}

/* Where the hash stands, or the free place for it. */
static int *place_of(struct sim_l1 *l, const struct hash *hash)
{
    size_t at = load_be32(hash->b) % TX_PLACES;
    while (l->place[at] != 0 && !hash_equal(&l->tx[l->place[at] - 1].hash, hash)) {
        at = (at + 1) % TX_PLACES;
    }
    return &l->place[at];
}

struct sim_tx *sim_l1_find(struct sim_l1 *l, const struct hash *hash)
{
    int index = *place_of(l, hash);
    return index != 0 ? &l->tx[index - 1] : NULL;
}

struct sim_tx *sim_l1_register(struct sim_l1 *l, const struct sim_tx *tx)
{
    struct sim_tx *known = sim_l1_find(l, &tx->hash);
    if (known == NULL && l->txs < MOST_TXS) {
        known = &l->tx[l->txs];
        *known = *tx;
        int *place = place_of(l, &tx->hash);
        *place = (int)++l->txs;
    }
    return known;
}

int sim_l1_ancestor(const struct sim_l1 *l, int block, uint64_t number)
{
    while (block >= 0 && l->block[block].at.number > number) {
        block = l->block[block].parent;
    }
    return block;
}

int sim_l1_where(const struct sim_l1 *l, int head, const struct sim_tx *tx)
{
    int index = (int)(tx - l->tx);
    for (int b = head; b >= 0 && l->block[b].nonce[tx->account] > tx->nonce;
         b = l->block[b].parent) {
        for (size_t i = 0; i < l->block[b].txs; i++) {
            if (l->block[b].tx[i] == index) {
                return b;
            }
        }
    }
    return -1;
}

/* ---- the pool, as geth's ------------------------------------------------------------------------- */

static struct sim_tx *pooled_at(struct sim_l1 *l, int account, uint64_t nonce)
{
    for (size_t i = 0; i < l->txs; i++) {
        if (l->tx[i].pooled && l->tx[i].account == account && l->tx[i].nonce == nonce) {
            return &l->tx[i];
        }
    }
    return NULL;
}

/* geth rounds the threshold down, others up; the strictest that is in use stands here. */
static bool replaces(const struct u256 *fresh, const struct u256 *old, bool blob)
{
    struct u256 a;
    struct u256 b;
    (void)u256_mul_u64(&a, fresh, 100);
    (void)u256_mul_u64(&b, old, blob ? 200 : 110);
    return u256_cmp(&a, &b) >= 0 && u256_cmp(fresh, old) > 0;
}

static bool replacement_is_fine(const struct sim_tx *fresh, const struct sim_tx *old)
{
    bool blob = fresh->kind == TXM_BLOB;
    return replaces(&fresh->fees.tip, &old->fees.tip, blob) &&
           replaces(&fresh->fees.cap, &old->fees.cap, blob) &&
           (!blob || replaces(&fresh->fees.blob_cap, &old->fees.blob_cap, blob));
}

static bool is_covered(struct sim_l1 *l, const struct sim_tx *tx)
{
    struct u256 sum = txm_cost(&tx->fees, tx->gas, tx->blobs);
    for (size_t i = 0; i < l->txs; i++) {
        const struct sim_tx *o = &l->tx[i];
        if (o->pooled && o->account == tx->account && o->nonce != tx->nonce) {
            struct u256 cost = txm_cost(&o->fees, o->gas, o->blobs);
            (void)u256_add(&sum, &sum, &cost);
        }
    }
    return u256_cmp(&sum, &l->block[l->head].balance[tx->account]) <= 0;
}

static bool is_gapped(struct sim_l1 *l, const struct sim_tx *tx)
{
    for (uint64_t n = l->block[l->head].nonce[tx->account]; n < tx->nonce; n++) {
        if (pooled_at(l, tx->account, n) == NULL) {
            return true;
        }
    }
    return false;
}

static enum l1_send pool_add(struct sim_l1 *l, struct sim_tx *tx)
{
    struct u256 floor = u256_from_u64(GWEI);
    struct sim_tx *old = pooled_at(l, tx->account, tx->nonce);
    if (tx->pooled) {
        return L1_SEND_PENDING;
    }
    if (tx->nonce < l->block[l->head].nonce[tx->account]) {
        return L1_SEND_CHECK;
    }
    if (u256_cmp(&tx->fees.tip, &floor) < 0 || (old != NULL && !replacement_is_fine(tx, old))) {
        return L1_SEND_BUMP;
    }
    if (is_gapped(l, tx)) {
        return L1_SEND_GAP;
    }
    if (!is_covered(l, tx)) {
        return L1_SEND_FUNDS;
    }
    if (old != NULL) {
        old->pooled = false;
    }
    tx->pooled = true;
    return L1_SEND_ACCEPTED;
}

enum l1_send sim_l1_send(struct sim_l1 *l, const struct hash *hash)
{
    struct sim_tx *tx = sim_l1_find(l, hash);
    if (tx == NULL) {
        return L1_SEND_BUG;
    }
    if (world_chance(&l->seed, l->swallow)) {
        /* Accepted and lost; lost on the way; or taken, and the answer lost. */
        uint64_t how = world_below(&l->seed, 3);
        if (how == 2) {
            (void)pool_add(l, tx);
        }
        return how == 0 ? L1_SEND_ACCEPTED : L1_SEND_NET;
    }
    enum l1_send s = pool_add(l, tx);
    l->refused[s]++;
    return s;
}

/* ---- blocks -------------------------------------------------------------------------------------- */

static struct u256 percent(const struct u256 *a, uint64_t p)
{
    struct u256 out;
    (void)u256_mul_u64(&out, a, p);
    u256_div_u64(&out, &out, 100, NULL);
    return out;
}

static void move_fees(struct sim_l1 *l, struct sim_block *b)
{
    struct u256 floor = u256_from_u64(GWEI / 2);
    if (l->rising == 0 && world_chance(&l->seed, l->spike)) {
        l->rising = 25;
    }
    uint64_t change = l->rising > 0 ? 112 : 90 + world_below(&l->seed, 16);
    l->rising -= l->rising > 0;
    b->base_fee = percent(&b->base_fee, change);
    b->blob_fee = percent(&b->blob_fee, change > 108 ? 108 : change);
    b->base_fee = u256_cmp(&b->base_fee, &floor) < 0 ? floor : b->base_fee;
    b->blob_fee = u256_cmp(&b->blob_fee, &floor) < 0 ? floor : b->blob_fee;
}

static void derive(const struct sim_l1 *l, struct sim_block *b, const struct sim_tx *tx)
{
    if (tx->segment == TXM_NO_SEGMENT) {
        return;
    }
    if (tx->segment != b->next) {
        b->twice += tx->segment < b->next && tx->part == 0;
        b->early += tx->segment > b->next && tx->part == 0;
        return;
    }
    b->twice += (b->parts >> tx->part & 1) != 0;
    b->parts |= UINT32_C(1) << tx->part;
    if (b->parts == (UINT32_C(1) << l->parts) - 1) {
        b->next++;
        b->parts = 0;
    }
}

static void include(struct sim_l1 *l, struct sim_block *b, struct sim_tx *tx)
{
    struct u256 price;
    struct txm_fees paid = {.blob_cap = b->blob_fee};
    (void)u256_add(&price, &b->base_fee, &tx->fees.tip);
    paid.cap = u256_cmp(&price, &tx->fees.cap) < 0 ? price : tx->fees.cap;
    struct u256 cost = txm_cost(&paid, tx->gas, tx->blobs);
    (void)u256_sub(&b->balance[tx->account], &b->balance[tx->account], &cost);
    b->nonce[tx->account] = tx->nonce + 1;
    b->tx[b->txs++] = (int)(tx - l->tx);
    derive(l, b, tx);
}

static bool can_be_included(const struct sim_block *b, const struct sim_tx *tx)
{
    return u256_cmp(&tx->fees.cap, &b->base_fee) >= 0 &&
           (tx->kind != TXM_BLOB || u256_cmp(&tx->fees.blob_cap, &b->blob_fee) >= 0);
}

static void add_block(struct sim_l1 *l)
{
    int index = (int)l->blocks++;
    struct sim_block *b = &l->block[index];
    *b = l->block[l->head];
    b->parent = l->head;
    b->txs = 0;
    b->at.number++;
    uint64_t salt[2] = {world_random(&l->seed), (uint64_t)index};
    b->at.hash = keccak256(salt, sizeof salt);
    uint64_t first = world_below(&l->seed, MEMBERS);
    for (uint64_t k = 0; k < MEMBERS; k++) {
        int account = (int)((first + k) % MEMBERS);
        struct sim_tx *tx;
        while ((tx = pooled_at(l, account, b->nonce[account])) != NULL && b->txs < BLOCK_TXS &&
               can_be_included(b, tx) && world_chance(&l->seed, l->include)) {
            include(l, b, tx);
        }
    }
    move_fees(l, b);
    l->head = index;
}

/* Nobody's pool holds what is mined, or what can never be. */
static void clean_pool(struct sim_l1 *l)
{
    for (size_t i = 0; i < l->txs; i++) {
        struct sim_tx *tx = &l->tx[i];
        if (tx->pooled && (tx->nonce < l->block[l->head].nonce[tx->account] ||
                           world_chance(&l->seed, l->drop))) {
            tx->pooled = false;
        }
    }
}

static void go_back(struct sim_l1 *l)
{
    uint64_t depth = 1 + world_below(&l->seed, REORG_DEPTH);
    for (; depth > 0 && l->block[l->head].at.number > 2; depth--) {
        struct sim_block *b = &l->block[l->head];
        for (size_t i = 0; i < b->txs; i++) {
            l->tx[b->tx[i]].pooled = world_chance(&l->seed, 500);
        }
        l->head = b->parent;
    }
    l->reorgs++;
}

void sim_l1_mine(struct sim_l1 *l)
{
    uint64_t number = l->block[l->head].at.number;
    if (world_chance(&l->seed, l->reorg)) {
        go_back(l);
    }
    while (l->block[l->head].at.number <= number && l->blocks < MOST_BLOCKS) {
        add_block(l);
    }
    clean_pool(l);
}
