/* Blob transactions (EIP-4844, type 3), as they stand in blocks and as they are sent with their
 * blobs: in the first wrapper, or, since Osaka, in that of EIP-7594 with 128 cell proofs a blob.
 *
 * Commitments and proofs come from outside: KZG is the caller's. Pure but for the signature. */
#ifndef SEQUENCER_BATCHER_BLOB_TX_H
#define SEQUENCER_BATCHER_BLOB_TX_H

#include "proto/key.h"
#include "proto/limits.h"
#include "proto/u256.h"
#include "sequencer/batcher/blob.h"

enum { KZG_BYTES = 48, CELL_PROOFS = 128, TX_BLOB_TYPE = 3 };

/* A batch's transaction: no access list. Data is free for an envelope: verifiers read blobs. */
struct blob_tx {
    uint64_t chain_id;
    uint64_t nonce;
    struct u256 max_priority_fee;
    struct u256 max_fee;
    uint64_t gas;
    struct address to;
    struct u256 value;
    struct bytes data;
    struct u256 max_blob_fee;
    size_t blobs;
    struct hash versioned[LIMIT_TX_BLOBS];
};

/* 0x01 and the last 31 bytes of the commitment's SHA-256. */
enum err blob_versioned_hash(struct hash *out, const uint8_t commitment[KZG_BYTES]) MUST_USE;

/* Appends the signed transaction as it is hashed and stands in blocks.
 * ERR_REFUSED: no blob, or more than LIMIT_TX_BLOBS. */
enum err blob_tx_sign(struct buffer *out, const struct blob_tx *t, const struct secret_key *key)
    MUST_USE;

/* Reads that form; `data` borrows. Costs a recovery (42 us). ERR_MALFORMED (also with an access
 * list entry of wrong form, or a versioned hash of another version), ERR_NOT_CANONICAL,
 * ERR_TOO_LARGE, ERR_BAD_SIGNATURE. The access list is checked and passed over. */
enum err blob_tx_read(struct blob_tx *out, struct address *sender, struct bytes raw) MUST_USE;

enum blob_wrapper { WRAPPER_4844, WRAPPER_7594 };

struct blob_sidecar {
    enum blob_wrapper wrapper;
    size_t blobs;
    const uint8_t *blob[LIMIT_TX_BLOBS];       /* BLOB_BYTES each */
    const uint8_t *commitment[LIMIT_TX_BLOBS]; /* KZG_BYTES each */
    struct bytes proofs; /* one after the other: one a blob, or CELL_PROOFS a blob */
};

/* What eth_sendRawTransaction takes. `raw` as blob_tx_sign made it. ERR_REFUSED: proofs of
 * another number; ERR_MALFORMED: no blob transaction. */
enum err blob_tx_wrap(struct buffer *out, struct bytes raw, const struct blob_sidecar *s) MUST_USE;
/* The other way: the bare transaction and the proofs are appended to buffers, the rest borrows. */
enum err blob_tx_unwrap(struct buffer *raw, struct blob_sidecar *s, struct buffer *proofs,
                        struct bytes wrapped) MUST_USE;

#endif
