/* The built-in ledger: balances, nonces, EIP-1559 base fee, a Merkle-Patricia state root that is
 * Ethereum's (secure trie, accounts with empty code and storage), proofs, transfers only.
 *
 * A value object of one thread, without I/O: states of unfinalized blocks share structure
 * (path copying), so that siblings cost only their changes and the last LIMIT_LEDGER_STATES final
 * states stay readable. ledger_service.h runs one on a thread of its own.
 *
 * Rules: sender nonce equal; balance >= value + gas * max fee; base fee burned; tip to the fee
 * recipient; gas used = intrinsic gas; contract creation refused; EIP-1559 base fee with
 * elasticity 2 and denominator 8, minimum 1 gwei / 1000. */
#ifndef SEQUENCER_EXECUTION_LEDGER_H
#define SEQUENCER_EXECUTION_LEDGER_H

#include "proto/genesis.h"
#include "sequencer/execution/execution.h"
#include "sequencer/execution/payload.h"

struct ledger;

struct ledger_account {
    struct address address;
    uint64_t nonce;
    struct u256 balance;
};

/* The state at genesis; also fills g->state_root and g->payload. */
enum err ledger_create(struct ledger **out, struct genesis *g) MUST_USE;
/* From stored accounts (any order) at the given final payload; ERR_CORRUPT if the root differs. */
enum err ledger_restore(struct ledger **out, const struct genesis *g, const struct payload_info *at,
                        bool (*next)(void *arg, struct ledger_account *a), void *arg) MUST_USE;
void ledger_destroy(struct ledger *l);

/* Synchronous forms of struct execution's calls. The result's pointers are valid until the next call. */
void ledger_build(struct ledger *l, const struct execution_block *b, struct execution_result *out);
void ledger_execute(struct ledger *l, const struct execution_block *b, const struct hash *expect_payload,
                    const struct hash *expect_state, struct execution_result *out);
/* Makes `payload` the final head and forgets its siblings. `changed` receives each account that
 * differs from the final state before. ERR_NOT_FOUND: never executed here. */
enum err ledger_finalize(struct ledger *l, const struct hash *payload,
                         void (*changed)(void *arg, const struct ledger_account *a), void *arg) MUST_USE;
void ledger_head(const struct ledger *l, struct payload_info *out);

/* State after `payload` (NULL: final head). False: that state is not held. Absent accounts are zero. */
bool ledger_get(const struct ledger *l, const struct hash *payload, const struct address *a, struct ledger_account *out);
bool ledger_info(const struct ledger *l, const struct hash *payload, struct payload_info *out);
/* eth_getProof's account proof: RLP nodes from the root down, concatenated with 4-byte lengths. */
enum err ledger_proof(const struct ledger *l, const struct hash *payload, const struct address *a, uint8_t **out, size_t *out_n) MUST_USE;
/* Base fee of a child of `payload`. */
bool ledger_next_base_fee(const struct ledger *l, const struct hash *payload, struct u256 *out);
/* Merkle-Patricia root of a list of byte strings keyed by rlp(index): Ethereum's transactionsRoot,
 * and the inclusion proof of one of them (as ledger_proof). */
struct hash trie_list_root(const struct bytes *item, uint32_t n);
enum err trie_list_proof(const struct bytes *item, uint32_t n, uint32_t index, uint8_t **out, size_t *out_n) MUST_USE;

#endif
