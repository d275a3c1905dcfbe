/* The built-in ledger: balances, nonces, EIP-1559 base fee, a Merkle-Patricia state root that is
 * Ethereum's (secure trie, accounts with empty code and storage), proofs, transfers only.
 *
 * A value object of one thread, without I/O: states of unfinalized blocks share structure
 * (path copying), so that siblings cost only their changes and the last LIMIT_LEDGER_STATES final
 * states stay readable. ledger_service.h runs one on a thread of its own.
 *
 * Rules: the transaction is replay-protected (EIP-155) and of this chain; sender nonce equal;
 * max fee >= base fee and >= max tip; balance >= value + gas * max fee; gas >= intrinsic gas and
 * within what is left of the block's; base fee burned; tip to the fee recipient; gas used =
 * intrinsic gas; contract creation refused; calldata is paid for and has no effect. EIP-1559 base
 * fee with elasticity 2 and denominator 8, without a minimum of its own: its integer division
 * stops falling at 7 wei. As in Ethereum the genesis' base fee is that of block 0. An account
 * without nonce and balance does not exist (EIP-161).
 *
 * Kept: the final head, up to LIMIT_LEDGER_STATES final states before it while these cost less
 * than LIMIT_LEDGER_HISTORY_BYTES, and all states above the final head. A payload that was built
 * here and neither executed nor built upon is forgotten after LIMIT_LEDGER_BUILT further builds. */
#ifndef SEQUENCER_EXECUTION_LEDGER_H
#define SEQUENCER_EXECUTION_LEDGER_H

#include "proto/genesis.h"
#include "proto/trie.h"
#include "sequencer/execution/execution.h"
#include "sequencer/execution/payload.h"

struct ledger;

struct ledger_account {
    struct address address;
    uint64_t nonce;
    struct u256 balance;
};

/* The state at genesis; also fills g->state_root and g->payload. ERR_CONFIG: gas limit below
 * 21,000, or allocs that together exceed 2^256 - 1; ERR_NO_MEMORY. */
enum err ledger_create(struct ledger **out, struct genesis *g) MUST_USE;
/* From stored accounts (any order) at the given final payload; ERR_CORRUPT if the root differs or
 * `at` does not hash to itself. */
enum err ledger_restore(struct ledger **out, const struct genesis *g, const struct payload_info *at,
                        bool (*next)(void *arg, struct ledger_account *a), void *arg) MUST_USE;
void ledger_destroy(struct ledger *l);

/* Synchronous forms of struct execution's calls. The result's pointers are valid until the next
 * call. */
void ledger_build(struct ledger *l, const struct execution_block *b, struct execution_result *out);
void ledger_execute(struct ledger *l, const struct execution_block *b,
                    const struct hash *expect_payload, const struct hash *expect_state,
                    struct execution_result *out);
/* Makes `payload` the final head and forgets its siblings. `changed` receives each account that
 * differs from the final state before. ERR_NOT_FOUND: never executed here. */
enum err ledger_finalize(struct ledger *l, const struct hash *payload,
                         void (*changed)(void *arg, const struct ledger_account *a),
                         void *arg) MUST_USE;
/* Would this finalize touch no more than a block of `txs` transactions: a child of the final head,
 * with an old state to be forgotten that is no larger? */
bool ledger_finalize_is_small(const struct ledger *l, const struct hash *payload, uint32_t txs);
void ledger_head(const struct ledger *l, struct payload_info *out);
/* The highest payload held that was executed, or built and built upon; at least the final head. */
void ledger_highest(const struct ledger *l, struct payload_info *out);
/* Every account at the final head, in no order. */
void ledger_walk(const struct ledger *l, void (*each)(void *arg, const struct ledger_account *a),
                 void *arg);

/* State after `payload` (NULL: final head). False: that state is not held. Absent accounts are
 * zero. */
bool ledger_get(const struct ledger *l, const struct hash *payload, const struct address *a,
                struct ledger_account *out);
bool ledger_info(const struct ledger *l, const struct hash *payload, struct payload_info *out);
/* eth_getProof's account proof: RLP nodes from the root down, each after its length in 4 bytes
 * (big-endian); empty in an empty trie. The caller frees `out`. ERR_NOT_FOUND: state not held. */
enum err ledger_proof(const struct ledger *l, const struct hash *payload, const struct address *a,
                      uint8_t **out, size_t *out_n) MUST_USE;
/* Base fee of a child of `payload`. */
bool ledger_next_base_fee(const struct ledger *l, const struct hash *payload, struct u256 *out);

#endif
