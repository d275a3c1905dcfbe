/* KZG for blobs, EIP-4844 and EIP-7594: c-kzg behind a few calls, with the set-up of the mainnet
 * ceremony, which the program carries in itself.
 *
 * All calls are long (figures: one core of a small server): on a worker, never on the loop thread.
 * A loaded set-up is never changed again; any number of threads may use one at the same time. A
 * program that was built without blobs (WITH_BLOBS=OFF) says ERR_NOT_FOUND when it is to load. */
#ifndef SEQUENCER_BATCHER_KZG_H
#define SEQUENCER_BATCHER_KZG_H

#include "sequencer/batcher/blob_tx.h"

enum { CELL_PROOFS_BYTES = CELL_PROOFS * KZG_BYTES };

struct kzg;

/* True where this program can work with blobs. */
bool kzg_is_built_in(void);

/* About 2 s, 7 MB. ERR_NOT_FOUND, ERR_NO_MEMORY; ERR_CORRUPT: not the set-up. */
enum err kzg_load(struct kzg **out) MUST_USE;
void kzg_free(struct kzg *k);

/* Below, ERR_MALFORMED: a number of the blob is none of the field (blob_encode makes none such);
 * ERR_NO_MEMORY. */

/* 55 ms. */
enum err kzg_commit(const struct kzg *k, uint8_t out[KZG_BYTES], const uint8_t blob[BLOB_BYTES])
    MUST_USE;
/* The proof of the first wrapper. 60 ms. */
enum err kzg_prove(const struct kzg *k, uint8_t out[KZG_BYTES], const uint8_t blob[BLOB_BYTES],
                   const uint8_t commitment[KZG_BYTES]) MUST_USE;
/* The proofs of the second, one after the other. 350 ms. */
enum err kzg_prove_cells(const struct kzg *k, uint8_t out[CELL_PROOFS_BYTES],
                         const uint8_t blob[BLOB_BYTES]) MUST_USE;

/* OK: this is the blob of that hash, whoever brought it. ERR_CORRUPT: it is not. */
enum err kzg_check_blob(const struct kzg *k, const uint8_t blob[BLOB_BYTES],
                        const struct hash *versioned) MUST_USE;
/* The same, 25 times faster, for whoever has commitment and proof of the first wrapper beside the
 * blob: 2 ms. ERR_CORRUPT also where one of them is no point of the curve. */
enum err kzg_check_proof(const struct kzg *k, const uint8_t blob[BLOB_BYTES],
                         const uint8_t commitment[KZG_BYTES], const uint8_t proof[KZG_BYTES],
                         const struct hash *versioned) MUST_USE;
/* All cell proofs of one blob, as an L1 checks those of the second wrapper. */
enum err kzg_check_cells(const struct kzg *k, const uint8_t blob[BLOB_BYTES],
                         const uint8_t commitment[KZG_BYTES],
                         const uint8_t proofs[CELL_PROOFS_BYTES]) MUST_USE;

#endif
