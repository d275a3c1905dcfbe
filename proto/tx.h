/* Ethereum transactions of type 0 (legacy, EIP-155), 1 (EIP-2930) and 2 (EIP-1559).
 *
 * Decoding is canonical: the same bytes come out again. A decoded transaction borrows from the
 * raw bytes. Sender recovery costs about 42 us and belongs on a worker thread. */
#ifndef PROTO_TX_H
#define PROTO_TX_H

#include "proto/bytes.h"
#include "proto/error.h"
#include "proto/key.h"
#include "proto/u256.h"

struct tx {
    uint8_t type;
    bool has_chain_id;            /* false: legacy without replay protection */
    bool creates;                 /* no `to` */
    uint64_t chain_id;
    uint64_t nonce;
    struct u256 max_priority_fee; /* gas price for types 0 and 1 */
    struct u256 max_fee;          /* gas price for types 0 and 1 */
    uint64_t gas;
    struct address to;
    struct u256 value;
    struct bytes data;
    struct bytes access_list;     /* RLP payload of the list, empty where none */
    uint32_t access_addresses;
    uint32_t access_slots;
    struct signature signature;   /* v normalised to 27 or 28 */
    struct hash signing_hash;
    struct hash hash;
    struct bytes raw;
};

/* Why a transaction was refused; the texts are geth's (core/txpool, core/types). */
enum tx_error {
    TX_OK,
    TX_MALFORMED,        /* "rlp: …" */
    TX_TYPE,             /* "transaction type not supported" */
    TX_TOO_LARGE,        /* "oversized data" */
    TX_SIGNATURE,        /* "invalid sender" / "invalid transaction v, r, s values" */
    TX_CHAIN_ID          /* "invalid chain id for signer: have X want Y" */
};

enum tx_error tx_decode(struct tx *out, struct bytes raw) MUST_USE;
/* The same for bytes that were hashed before. */
enum tx_error tx_decode_hashed(struct tx *out, struct bytes raw,
                               const struct hash *hash) MUST_USE;
/* The same without any hash: both stay zero. For bytes whose sender is known. */
enum tx_error tx_read(struct tx *out, struct bytes raw) MUST_USE;
enum tx_error tx_sender(struct address *out, const struct tx *tx) MUST_USE;
const char *tx_error_text(enum tx_error e);

/* Intrinsic gas: 21000, calldata 4 and 16 a byte (EIP-2028), access list 2400 and 1900
 * (EIP-2930), creation 32000 and 2 a word (EIP-3860); the floor of EIP-7623 where larger. */
uint64_t tx_intrinsic_gas(const struct tx *tx);

/* Signs an EIP-1559 transaction and writes its raw form. For the load tool, devnet and tests. */
struct tx_request {
    uint64_t chain_id;
    uint64_t nonce;
    struct u256 max_priority_fee;
    struct u256 max_fee;
    uint64_t gas;
    bool creates;
    struct address to;
    struct u256 value;
    struct bytes data;
};
enum err tx_sign(uint8_t *out, size_t cap, size_t *out_n, const struct tx_request *r, const struct secret_key *key) MUST_USE;

#endif
