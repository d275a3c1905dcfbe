/* A small world for tests of the ledger and the mempool: accounts, signed transfers, a genesis,
 * a random stream. Senders are given beside transactions, as the node's workers do: an account's
 * address is its number, not what its key would give. */
#ifndef TESTS_UNIT_SEQUENCER_CHAIN_KIT_H
#define TESTS_UNIT_SEQUENCER_CHAIN_KIT_H

#include "proto/genesis.h"
#include "proto/tx.h"
#include "sequencer/execution/execution.h"

enum { KIT_CHAIN = 901, KIT_GAS_LIMIT = 30000000, KIT_TX_BYTES = 256 };
#define KIT_START_MS UINT64_C(1700000000500)

struct kit_transfer {
    struct address from;
    struct address to;
    uint64_t nonce;
    uint64_t gas;
    uint64_t value;
    uint64_t max_fee;
    uint64_t tip;
};

struct kit_tx {
    uint8_t raw[KIT_TX_BYTES];
    size_t n;
    struct tx tx; /* borrows from raw: do not copy */
    struct address sender;
};

uint64_t kit_random(uint64_t *seed);
struct address kit_address(uint32_t i);
/* A transfer with sensible fees and gas: change what the test is about. */
struct kit_transfer kit_transfer(uint32_t from, uint32_t to, uint64_t nonce, uint64_t value);
void kit_sign(struct kit_tx *out, const struct kit_transfer *t);
/* As kit_sign, with everything that a transaction can have. */
void kit_sign_request(struct kit_tx *out, const struct address *from, const struct tx_request *r);
/* `accounts` accounts with this balance each; free g->alloc. */
void kit_genesis(struct genesis *g, uint32_t accounts, uint64_t balance);
struct execution_tx kit_execution_tx(const struct kit_tx *t);
/* The body of these transactions; free it. */
struct bytes kit_body(const struct execution_tx *tx, uint32_t n);

#endif
