/* Transactions that wait: per account in nonce order, accounts by price.
 *
 * A transaction stays until it is final, replaced, evicted, expired or unpayable; blocks that are
 * proposed and then skipped therefore need no re-insertion. Executable: nonces contiguous from
 * the account's final nonce on, and payable one by one; others are queued, as in geth.
 *
 * Loop thread only. Copies what it keeps. Bounds: LIMIT_POOL_*. */
#ifndef SEQUENCER_MEMPOOL_MEMPOOL_H
#define SEQUENCER_MEMPOOL_MEMPOOL_H

#include "proto/tx.h"

struct mempool;

/* Reads of the final state. */
struct mempool_chain {
    void *ctx;
    void (*account)(void *ctx, const struct address *a, uint64_t *nonce, struct u256 *balance);
    void (*base_fee)(void *ctx, struct u256 *out);
};

struct mempool_options {
    uint64_t chain_id;
    uint64_t gas_limit;  /* of a block */
    struct u256 min_tip; /* wei; below: "transaction underpriced" */
    bool transfers_only; /* built-in ledger: contract creation refused */
    struct mempool_chain chain;
};

/* Refusals with geth's texts and codes (-32000 unless the text is mapped otherwise by rpc). */
enum mempool_verdict {
    POOL_ADDED,
    POOL_REPLACED, /* another of the same sender and nonce gave way (+10 % on both fees) */
    POOL_KNOWN,    /* "already known" */
    POOL_REFUSED   /* the text says why */
    /* As in geth, a transaction below the base fee is taken and waits. */
};

enum err mempool_create(struct mempool **out, const struct mempool_options *o) MUST_USE;
void mempool_destroy(struct mempool *p);

/* `text` receives a static sentence in geth's wording, details included where geth has them
 * ("nonce too low: next nonce 5, tx nonce 3", "insufficient funds for gas * price + value: …"),
 * at most text_len bytes. `local`: submitted here rather than by a peer. The transaction must have
 * been decoded and its sender recovered. When the pool is full the cheapest last transaction of an
 * account goes for one that pays more, queued ones before executable ones, a peer's before a local
 * one of equal price. */
enum mempool_verdict mempool_add(struct mempool *p, const struct tx *tx,
                                 const struct address *sender, bool local, uint64_t now_s,
                                 char *text, size_t text_len);

/* What the own disk holds of an earlier life: accepted then, perhaps promised to a user, and judged
 * by a state that may have been younger than the one a start finds. So neither the limits of one
 * sender nor its balance refuse it, a gap before it does not either, and being unpayable takes it
 * out only when it expires. What is final already, and what a full pool evicts, is refused. */
enum mempool_verdict mempool_restore(struct mempool *p, const struct tx *tx,
                                     const struct address *sender, uint64_t now_s, char *text,
                                     size_t text_len);

struct mempool_entry {
    struct hash hash;
    struct address sender;
    uint64_t nonce;
    struct bytes raw;
    bool executable;
};
/* Valid until the next change of the pool. */
bool mempool_get(const struct mempool *p, const struct hash *hash, struct mempool_entry *out);
/* Removes it whatever it is (set aside after a failed block). */
void mempool_remove(struct mempool *p, const struct hash *hash);

/* A block is final, and `chain` reads its state: its transactions leave; the senders' accounts are
 * looked at again (those that received are at the next sweep).
 * `dropped` is called for every transaction that left for another reason (stale nonce). */
void mempool_final(struct mempool *p, const struct hash *tx, const struct address *sender,
                   const uint64_t *nonce, uint32_t n,
                   void (*dropped)(void *arg, const struct hash *hash), void *arg);
/* Queued ones past LIMIT_POOL_EXPIRY_S leave, and accounts whose balance fell or rose are looked
 * at again: at most 16,384 accounts a call, in turn. Call every few seconds. */
void mempool_sweep(struct mempool *p, uint64_t now_s,
                   void (*dropped)(void *arg, const struct hash *hash), void *arg);

/* Candidates for a block at the current base fee (what lies below it waits), best effective tip
 * first, nonce order within a sender, at most `max` and `max_gas`. `taken` tells which hashes stand
 * in unfinalized ancestors of the block to be built: these count as executed and are left out.
 * Views are valid until the next change. */
struct mempool_candidate {
    struct bytes raw;
    struct address sender;
    struct hash hash;
};
uint32_t mempool_select(struct mempool *p, struct mempool_candidate *out, uint32_t max,
                        uint64_t max_gas, bool (*taken)(void *arg, const struct hash *hash),
                        void *arg);

/* Next nonce of an account counting its executable transactions (eth_getTransactionCount pending).
 */
uint64_t mempool_pending_nonce(const struct mempool *p, const struct address *a);
/* Is anything executable left that `taken` does not cover? (`pending` of CONSENSUS 6) */
bool mempool_has_executable(struct mempool *p, bool (*taken)(void *arg, const struct hash *hash),
                            void *arg);

/* Executable ones that came at or before this second, oldest first: at most `max`, looked for among
 * the MEMPOOL_OLDEST that came first. Valid until the next change of the pool. */
enum { MEMPOOL_OLDEST = 4096 };
uint32_t mempool_oldest(const struct mempool *p, uint64_t until_s, struct mempool_entry *out,
                        uint32_t max);

struct mempool_stats {
    uint64_t count, executable, bytes, added, replaced, refused, evicted, expired;
};
void mempool_get_stats(const struct mempool *p, struct mempool_stats *out);
/* Every entry, in no order; for restoring, txpool_content and tests. */
void mempool_walk(const struct mempool *p, bool (*each)(void *arg, const struct mempool_entry *e),
                  void *arg);

#endif
