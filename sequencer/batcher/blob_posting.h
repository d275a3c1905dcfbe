/* A channel as blobs, ready to be sent: one frame a blob, as op-node reads it, with commitments and
 * proofs. A fee bump sends the same again: only the signature changes. */
#ifndef SEQUENCER_BATCHER_BLOB_POSTING_H
#define SEQUENCER_BATCHER_BLOB_POSTING_H

#include "sequencer/batcher/channel.h"
#include "sequencer/batcher/kzg.h"

struct blob_posting {
    enum blob_wrapper wrapper;
    size_t blobs;
    uint8_t *blob[LIMIT_TX_BLOBS];
    uint8_t commitment[LIMIT_TX_BLOBS][KZG_BYTES];
    struct hash versioned[LIMIT_TX_BLOBS];
    uint8_t *proofs;      /* blob_posting_proofs: one blob's after the other's */
};

/* Cuts the content into blobs; commitments and proofs follow. ERR_TOO_LARGE: more than
 * LIMIT_TX_BLOBS. blob_posting_free also after a failure. */
enum err blob_posting_cut(struct blob_posting *p, enum blob_wrapper wrapper,
                          const struct channel_id *id, struct bytes content) MUST_USE;
void blob_posting_free(struct blob_posting *p);

/* Commitment and hash of the i-th blob: all that an envelope needs. Errors of kzg.h. */
enum err blob_posting_commit(struct blob_posting *p, const struct kzg *k, size_t i) MUST_USE;
/* These and its proofs: 0.4 s in the second wrapper. Different blobs may be proved by different
 * threads at the same time. */
enum err blob_posting_prove(struct blob_posting *p, const struct kzg *k, size_t i) MUST_USE;

/* Once all are committed to, what an envelope commits to; once proved, what blob_tx_wrap takes
 * (borrows). */
struct hash blob_posting_commitment(const struct blob_posting *p);
struct blob_sidecar blob_posting_sidecar(const struct blob_posting *p);

/* Keccak-256 over the versioned hashes, one after the other. */
struct hash blob_hashes_commitment(const struct hash *versioned, size_t n);

#endif
