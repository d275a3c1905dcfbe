#include "sequencer/mempool/pool.h"

#include <stdio.h>
#include <stdlib.h>

enum { PRICE_BUMP_PERCENT = 10, SWEEP_ACCOUNTS = 16384 };

enum origin { FROM_PEER, FROM_USER, FROM_DISK };

enum err mempool_create(struct mempool **out, const struct mempool_options *o)
{
    struct mempool *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return ERR_NO_MEMORY;
    }
    p->o = *o;
    *out = p;
    return OK;
}

void mempool_destroy(struct mempool *p)
{
    if (p == NULL) {
        return;
    }
    p->evict_valid = false;
    struct account *a = NULL;
    struct account *next = NULL;
    HASH_ITER(hh, p->accounts, a, next)
    {
        while (a->n > 0) {
            pool_account_remove(p, a, a->n - 1);
        }
        pool_account_settle(p, a);
    }
    free(p->evict);
    free(p->offer);
    free(p);
}

static enum mempool_verdict refused(struct mempool *p, char *text, size_t text_len, const char *why)
{
    if (why != NULL) {
        (void)snprintf(text, text_len, "%s", why);
    }
    p->stats.refused++;
    return POOL_REFUSED;
}

static struct entry *find(const struct mempool *p, const struct hash *hash)
{
    struct entry *e = NULL;
    HASH_FIND(hh, p->entries, hash, sizeof *hash, e);
    return e;
}

static struct entry *entry_create(struct mempool *p, const struct tx *tx, const struct u256 *cost,
                                  enum origin from, uint64_t now_s)
{
    struct entry *e = calloc(1, sizeof *e + tx->raw.n);
    if (e == NULL) {
        return NULL;
    }
    e->hash = tx->hash;
    e->nonce = tx->nonce;
    e->gas = tx->gas;
    e->max_fee = tx->max_fee;
    e->max_tip = tx->max_priority_fee;
    e->cost = *cost;
    e->added_s = now_s;
    e->order = ++p->order;
    e->local = from != FROM_PEER;
    e->restored = from == FROM_DISK;
    e->raw_len = tx->raw.n;
    memcpy(e->raw, tx->raw.p, tx->raw.n);
    return e;
}

/* At least 10 % above, and above. */
static bool outbids(const struct u256 *now, const struct u256 *old)
{
    struct u256 threshold;
    if (u256_mul_u64(&threshold, old, 100 + PRICE_BUMP_PERCENT)) {
        return false;
    }
    u256_div_u64(&threshold, &threshold, 100, NULL);
    return u256_cmp(now, old) > 0 && u256_cmp(now, &threshold) >= 0;
}

static bool is_full(const struct mempool *p, size_t more)
{
    return p->stats.count + 1 > LIMIT_POOL_TXS || p->stats.bytes + more > LIMIT_POOL_BYTES;
}

/* NULL, or why there is no room for one more of this sender. */
static const char *check_room(const struct account *a, const struct tx *tx)
{
    if (tx->nonce == a->nonce + a->executable) {
        return a->executable >= LIMIT_POOL_ACCOUNT_TXS ? "account limit exceeded" : NULL;
    }
    return a->n - a->executable >= LIMIT_POOL_ACCOUNT_QUEUED ? "account limit exceeded" : NULL;
}

/* Where it came from decides only who goes first among equals: if it let one in, two full nodes
 * would throw out what each had acknowledged to the other. */
static bool pays_more(uint64_t price, const struct account *cheapest)
{
    return price >> 1 > cheapest->evict_price >> 1;
}

/* Evicts cheaper ones until `e` fits. NULL, or why it does not. */
static const char *make_room(struct mempool *p, const struct account *a, const struct entry *e)
{
    bool executable = e->nonce == a->nonce + a->executable;
    while (is_full(p, e->raw_len)) {
        struct account *cheapest = pool_evict_cheapest(p);
        if (cheapest == NULL) {
            return "txpool is full";
        }
        if (!pays_more(pool_evict_price(e, &p->evict_base_fee, executable), cheapest)) {
            return executable ? "transaction underpriced" : "txpool is full";
        }
        if (cheapest == a) {
            return "txpool is full"; /* it would push out what it builds on */
        }
        pool_account_remove(p, cheapest, cheapest->n - 1);
        pool_account_settle(p, cheapest);
        p->stats.evicted++;
    }
    return NULL;
}

static enum mempool_verdict add_new(struct mempool *p, struct account *a, const struct tx *tx,
                                    struct entry *e, char *text, size_t text_len)
{
    const char *why = e->restored ? NULL : check_room(a, tx);
    if (why == NULL) {
        why = make_room(p, a, e);
    }
    if (why == NULL && pool_account_insert(p, a, e) != OK) {
        why = "txpool is full";
    }
    if (why != NULL) {
        free(e);
        return refused(p, text, text_len, why);
    }
    p->stats.added++;
    return POOL_ADDED;
}

static enum mempool_verdict replace(struct mempool *p, struct account *a, struct entry *old,
                                    struct entry *e, char *text, size_t text_len)
{
    const char *why = NULL;
    if (!outbids(&e->max_fee, &old->max_fee) || !outbids(&e->max_tip, &old->max_tip)) {
        why = "replacement transaction underpriced";
    } else if (p->stats.bytes - old->raw_len + e->raw_len > LIMIT_POOL_BYTES) {
        why = "txpool is full";
    } else {
        /* The old one makes room in the account's row, so only the table can fail. */
        pool_account_remove(p, a, pool_account_index(a, old->nonce));
        why = pool_account_insert(p, a, e) == OK ? NULL : "txpool is full";
    }
    if (why != NULL) {
        free(e);
        return refused(p, text, text_len, why);
    }
    p->stats.replaced++;
    return POOL_REPLACED;
}

static enum mempool_verdict add_to(struct mempool *p, struct account *a, const struct tx *tx,
                                   enum origin from, uint64_t now_s, char *text, size_t text_len)
{
    struct u256 cost;
    bool overflow = u256_mul_u64(&cost, &tx->max_fee, tx->gas);
    overflow = u256_add(&cost, &cost, &tx->value) || overflow;
    if (overflow) {
        memset(&cost, 0xff, sizeof cost);
    }
    struct entry *old = pool_account_entry(a, tx->nonce);
    if (!pool_check_nonce(a, tx, text, text_len) ||
        (from != FROM_DISK && !pool_check_funds(a, tx, &cost, old, text, text_len))) {
        return refused(p, text, text_len, NULL);
    }
    struct entry *e = entry_create(p, tx, &cost, from, now_s);
    if (e == NULL) {
        return refused(p, text, text_len, "txpool is full");
    }
    return old != NULL ? replace(p, a, old, e, text, text_len)
                       : add_new(p, a, tx, e, text, text_len);
}

static enum mempool_verdict add(struct mempool *p, const struct tx *tx,
                                const struct address *sender, enum origin from, uint64_t now_s,
                                char *text, size_t text_len)
{
    if (find(p, &tx->hash) != NULL) {
        (void)snprintf(text, text_len, "already known");
        return POOL_KNOWN;
    }
    if (!pool_check_static(&p->o, tx, sender, text, text_len)) {
        return refused(p, text, text_len, NULL);
    }
    struct account *a = pool_account_touch(p, sender);
    if (a == NULL) {
        return refused(p, text, text_len, "txpool is full");
    }
    enum mempool_verdict v = add_to(p, a, tx, from, now_s, text, text_len);
    pool_account_settle(p, a);
    return v;
}

enum mempool_verdict mempool_add(struct mempool *p, const struct tx *tx,
                                 const struct address *sender, bool local, uint64_t now_s,
                                 char *text, size_t text_len)
{
    return add(p, tx, sender, local ? FROM_USER : FROM_PEER, now_s, text, text_len);
}

enum mempool_verdict mempool_restore(struct mempool *p, const struct tx *tx,
                                     const struct address *sender, uint64_t now_s, char *text,
                                     size_t text_len)
{
    return add(p, tx, sender, FROM_DISK, now_s, text, text_len);
}

static void describe(const struct entry *e, struct mempool_entry *out)
{
    *out = (struct mempool_entry){
        .hash = e->hash,
        .sender = e->account->address,
        .nonce = e->nonce,
        .raw = bytes_of(e->raw, e->raw_len),
        .executable = pool_account_index(e->account, e->nonce) < e->account->executable,
    };
}

bool mempool_get(const struct mempool *p, const struct hash *hash, struct mempool_entry *out)
{
    const struct entry *e = find(p, hash);
    if (e == NULL) {
        return false;
    }
    describe(e, out);
    return true;
}

void mempool_walk(const struct mempool *p, bool (*each)(void *arg, const struct mempool_entry *e),
                  void *arg)
{
    struct mempool_entry out;
    for (const struct entry *e = p->entries; e != NULL; e = e->hh.next) {
        describe(e, &out);
        if (!each(arg, &out)) {
            return;
        }
    }
}

/* The table keeps what it holds in the order of arrival. */
uint32_t mempool_oldest(const struct mempool *p, uint64_t until_s, struct mempool_entry *out,
                        uint32_t max)
{
    uint32_t n = 0;
    uint32_t looked = 0;
    for (const struct entry *e = p->entries;
         e != NULL && n < max && looked++ < MEMPOOL_OLDEST && e->added_s <= until_s;
         e = e->hh.next) {
        describe(e, &out[n]);
        n += out[n].executable ? 1 : 0;
    }
    return n;
}

static struct account *take_out(struct mempool *p, const struct hash *hash)
{
    struct entry *e = find(p, hash);
    if (e == NULL) {
        return NULL;
    }
    struct account *a = e->account;
    pool_account_remove(p, a, pool_account_index(a, e->nonce));
    return a;
}

void mempool_remove(struct mempool *p, const struct hash *hash)
{
    struct account *a = take_out(p, hash);
    if (a != NULL) {
        pool_account_recount(p, a);
        pool_account_settle(p, a);
    }
}

void mempool_final(struct mempool *p, const struct hash *tx, const struct address *sender,
                   const uint64_t *nonce, uint32_t n, pool_dropped dropped, void *arg)
{
    for (uint32_t i = 0; i < n; i++) {
        (void)take_out(p, &tx[i]);
        struct account *a = pool_account_find(p, &sender[i]);
        if (a != NULL) {
            a->touched = true;
            a->nonce = a->nonce > nonce[i] ? a->nonce : nonce[i] + 1;
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        struct account *a = pool_account_find(p, &sender[i]);
        if (a != NULL && a->touched) {
            a->touched = false;
            pool_account_refresh(p, a, dropped, arg);
            pool_account_settle(p, a);
        }
    }
}

static void expire(struct mempool *p, struct account *a, uint64_t now_s, pool_dropped dropped,
                   void *arg)
{
    for (uint32_t i = a->n; i-- > a->executable;) {
        if (a->entry[i]->added_s + LIMIT_POOL_EXPIRY_S < now_s) {
            struct hash hash = a->entry[i]->hash;
            pool_account_remove(p, a, i);
            p->stats.expired++;
            if (dropped != NULL) {
                dropped(arg, &hash);
            }
        }
    }
}

void mempool_sweep(struct mempool *p, uint64_t now_s, pool_dropped dropped, void *arg)
{
    uint32_t left = SWEEP_ACCOUNTS;
    struct account *a = p->sweep_next != NULL ? p->sweep_next : p->accounts;
    for (; a != NULL && left > 0; left--) {
        struct account *next = a->hh.next;
        pool_account_refresh(p, a, dropped, arg);
        expire(p, a, now_s, dropped, arg);
        pool_account_settle(p, a);
        a = next;
    }
    p->sweep_next = a;
}

uint64_t mempool_pending_nonce(const struct mempool *p, const struct address *address)
{
    const struct account *a = pool_account_find(p, address);
    uint64_t nonce = 0;
    struct u256 balance;
    p->o.chain.account(p->o.chain.ctx, address, &nonce, &balance);
    if (a == NULL) {
        return nonce;
    }
    uint64_t next = a->nonce + a->executable;
    return next > nonce ? next : nonce;
}

void mempool_get_stats(const struct mempool *p, struct mempool_stats *out)
{
    *out = p->stats;
}
