/* What wallets see of a block of the built-in ledger: an Ethereum header and receipts.
 *
 * The payload hash is the Keccak-256 of the RLP of an Ethereum header (the fields of London plus
 * withdrawalsRoot of an empty list), so that any Ethereum tool can check it: parentHash, number,
 * timestamp (seconds: max(parent's + 1, ms / 1000) is NOT required here, equal seconds are fine),
 * transactionsRoot and receiptsRoot as Ethereum's tries, mixHash and nonce zero, extraData empty. */
#ifndef SEQUENCER_EXECUTION_PAYLOAD_H
#define SEQUENCER_EXECUTION_PAYLOAD_H

#include "proto/bytes.h"
#include "proto/error.h"
#include "proto/u256.h"

struct payload_info {
    struct hash hash;
    struct hash parent;
    uint64_t number;
    uint64_t timestamp;          /* seconds, as wallets see it */
    uint64_t timestamp_ms;
    struct address fee_recipient;
    struct hash state_root;
    struct hash transactions_root;
    struct hash receipts_root;
    uint64_t gas_limit;
    uint64_t gas_used;
    struct u256 base_fee;
    uint32_t txs;
    uint64_t body_len;
    /* Every transaction of the ledger that is included succeeds; its gas used is its intrinsic gas.
     * gas_used of transaction i = tx_intrinsic_gas. */
};

enum { PAYLOAD_INFO_MAX_BYTES = 512 };
size_t payload_info_encode(uint8_t out[PAYLOAD_INFO_MAX_BYTES], const struct payload_info *p);
enum err payload_info_decode(struct payload_info *out, struct bytes in) MUST_USE;

#endif
