/* Inside the mempool: entries and accounts. For this folder's files alone. */
#ifndef SEQUENCER_MEMPOOL_POOL_H
#define SEQUENCER_MEMPOOL_POOL_H

#include "proto/limits.h"
#include "sequencer/mempool/mempool.h"

/* Keys are Keccak hashes or ends of them: any four of their bytes are a good hash. */
#define HASH_FUNCTION(key, len, out) ((out) = load_be32((const uint8_t *)(key) + (len) - 4))
#define HASH_NONFATAL_OOM            1
#include <uthash.h>

struct account;

struct entry {
    struct hash hash;
    struct account *account;
    uint64_t nonce;
    uint64_t gas;
    struct u256 max_fee;
    struct u256 max_tip;
    struct u256 cost; /* value + gas * max fee */
    uint64_t added_s;
    uint64_t order; /* of arrival: ties go to the older */
    bool restored; /* accepted before this start, perhaps on a younger state than the chain's */
    UT_hash_handle hh; /* by hash */
    size_t raw_len;
    uint8_t raw[];
};

/* One sender: its entries by ascending nonce. The first `executable` of them have the nonces from
 * `nonce` on without a gap, and cost `spent` together, which the balance covers. */
struct account {
    struct address address;
    uint64_t nonce;      /* final; never falls */
    struct u256 balance; /* final */
    struct entry **entry;
    uint32_t n;
    uint32_t cap;
    uint32_t executable;
    struct u256 spent;
    bool touched;         /* scratch of mempool_final */
    UT_hash_handle hh;    /* by address */
};

struct mempool {
    struct mempool_options o;
    struct entry *entries;
    struct account *accounts;
    struct account *sweep_next;
    uint64_t order;
    struct mempool_stats stats;
    /* Scratch of mempool_select. */
    struct offer *offer;
    uint32_t offer_cap;
};

typedef void (*pool_dropped)(void *arg, const struct hash *hash);

/* account.c */
struct account *pool_account_find(const struct mempool *p, const struct address *a);
/* Finds or makes it, with the chain's values. NULL: no memory. */
struct account *pool_account_touch(struct mempool *p, const struct address *a);
/* Index of the first entry whose nonce is not below. */
uint32_t pool_account_index(const struct account *a, uint64_t nonce);
struct entry *pool_account_entry(const struct account *a, uint64_t nonce);
enum err pool_account_insert(struct mempool *p, struct account *a, struct entry *e) MUST_USE;
/* Takes the entry out of the account, the table and the counts, and frees it. The account stays,
 * perhaps empty; call pool_account_settle when done with it. */
void pool_account_remove(struct mempool *p, struct account *a, uint32_t index);
/* Works out anew which entries are executable. */
void pool_account_recount(struct mempool *p, struct account *a);
/* Only what was added behind them. */
void pool_account_extend(struct mempool *p, struct account *a);
/* Reads the chain, drops what is stale or can never be paid, and counts anew. */
void pool_account_refresh(struct mempool *p, struct account *a, pool_dropped dropped, void *arg);
/* Frees it when nothing is left. */
void pool_account_settle(struct mempool *p, struct account *a);

/* check.c: */
/* True, or the reason in `text`. First what no state can change. */
bool pool_check_static(const struct mempool_options *o, const struct tx *tx,
                       const struct address *sender, char *text, size_t text_len);
bool pool_check_nonce(const struct account *a, const struct tx *tx, char *text, size_t text_len);
bool pool_check_funds(const struct account *a, const struct tx *tx, const struct u256 *cost,
                      const struct entry *old, char *text, size_t text_len);

#endif
