/* What wallets see of a block of the built-in ledger: an Ethereum header and receipts.
 *
 * The payload hash is the Keccak-256 of the RLP of an Ethereum header (the fields of London plus
 * withdrawalsRoot of an empty list), so that any Ethereum tool can check it: parentHash, number,
 * timestamp (timestamp_ms / 1000; equal seconds in parent and child are fine), transactionsRoot
 * and receiptsRoot as Ethereum's tries, mixHash and nonce zero, extraData empty.
 *
 * The hash holds seconds, so two blocks that differ in their milliseconds alone have one payload.
 */
#ifndef SEQUENCER_EXECUTION_PAYLOAD_H
#define SEQUENCER_EXECUTION_PAYLOAD_H

#include "proto/bytes.h"
#include "proto/error.h"
#include "proto/u256.h"

struct payload_info {
    struct hash hash;
    struct hash parent;
    uint64_t number;
    uint64_t timestamp; /* seconds, as wallets see it */
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

enum {
    PAYLOAD_INFO_MAX_BYTES = 512,
    PAYLOAD_HEADER_MAX_BYTES = 640,
    PAYLOAD_BLOOM_BYTES = 256,
    PAYLOAD_RECEIPT_MAX_BYTES = PAYLOAD_BLOOM_BYTES + 32,
    PAYLOAD_ELASTICITY = 2,          /* EIP-1559: gas limit / gas target */
    PAYLOAD_BASE_FEE_DENOMINATOR = 8 /* EIP-1559: the base fee moves by at most 1/8 a block */
};

/* The form in storage; fixed length, one form only. Decode: ERR_MALFORMED. */
size_t payload_info_encode(uint8_t out[PAYLOAD_INFO_MAX_BYTES], const struct payload_info *p);
enum err payload_info_decode(struct payload_info *out, struct bytes in) MUST_USE;

/* The Ethereum header of these fields (`hash`, `timestamp_ms`, `txs` and `body_len` are not in
 * it), and its Keccak-256: what `hash` must be. */
size_t payload_header_encode(uint8_t out[PAYLOAD_HEADER_MAX_BYTES], const struct payload_info *p);
struct hash payload_hash(const struct payload_info *p);

/* Receipt of an executed transfer as it stands in the receipts trie (EIP-2718): status 1, no logs.
 */
size_t payload_receipt_encode(uint8_t out[PAYLOAD_RECEIPT_MAX_BYTES], uint8_t type,
                              uint64_t cumulative_gas);

/* Base fee of a child (EIP-1559). */
void payload_next_base_fee(struct u256 *out, const struct payload_info *parent);

#endif
