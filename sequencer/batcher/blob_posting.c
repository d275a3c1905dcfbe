#include "sequencer/batcher/blob_posting.h"

#include <stdlib.h>

#include "proto/keccak.h"

static size_t proofs_bytes(enum blob_wrapper w)
{
    return w == WRAPPER_4844 ? (size_t)KZG_BYTES : (size_t)CELL_PROOFS_BYTES;
}

static enum err cut_one(struct blob_posting *p, const struct channel_id *id, struct bytes content,
                        size_t i)
{
    struct buffer payload;
    buffer_init(&payload, BLOB_DATA_BYTES);
    p->blob[i] = malloc(BLOB_BYTES);
    enum err e = p->blob[i] != NULL ? channel_blob_payload(&payload, id, content, i) : ERR_NO_MEMORY;
    if (e == OK) {
        e = blob_encode(p->blob[i], buffer_bytes(&payload));
    }
    buffer_free(&payload);
    return e;
}

enum err blob_posting_cut(struct blob_posting *p, enum blob_wrapper wrapper,
                          const struct channel_id *id, struct bytes content)
{
    *p = (struct blob_posting){.wrapper = wrapper};
    size_t n = channel_blobs(content.n);
    if (n > LIMIT_TX_BLOBS) {
        return ERR_TOO_LARGE;
    }
    p->blobs = n;
    p->proofs = malloc(n * proofs_bytes(wrapper));
    if (p->proofs == NULL) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        TRY(cut_one(p, id, content, i));
    }
    return OK;
}

void blob_posting_free(struct blob_posting *p)
{
    for (size_t i = 0; i < p->blobs; i++) {
        free(p->blob[i]);
    }
    free(p->proofs);
    *p = (struct blob_posting){.blobs = 0};
}

enum err blob_posting_commit(struct blob_posting *p, const struct kzg *k, size_t i)
{
    TRY(kzg_commit(k, p->commitment[i], p->blob[i]));
    return blob_versioned_hash(&p->versioned[i], p->commitment[i]);
}

enum err blob_posting_prove(struct blob_posting *p, const struct kzg *k, size_t i)
{
    uint8_t *proofs = p->proofs + i * proofs_bytes(p->wrapper);
    TRY(blob_posting_commit(p, k, i));
    return p->wrapper == WRAPPER_4844 ? kzg_prove(k, proofs, p->blob[i], p->commitment[i])
                                      : kzg_prove_cells(k, proofs, p->blob[i]);
}

struct hash blob_hashes_commitment(const struct hash *versioned, size_t n)
{
    struct keccak k;
    struct hash out;
    keccak_init(&k);
    for (size_t i = 0; i < n; i++) {
        keccak_update(&k, versioned[i].b, sizeof versioned[i].b);
    }
    keccak_final(&k, &out);
    return out;
}

struct hash blob_posting_commitment(const struct blob_posting *p)
{
    return blob_hashes_commitment(p->versioned, p->blobs);
}

struct blob_sidecar blob_posting_sidecar(const struct blob_posting *p)
{
    struct blob_sidecar s = {.wrapper = p->wrapper, .blobs = p->blobs,
                             .proofs = bytes_of(p->proofs, p->blobs * proofs_bytes(p->wrapper))};
    for (size_t i = 0; i < p->blobs; i++) {
        s.blob[i] = p->blob[i];
        s.commitment[i] = p->commitment[i];
    }
    return s;
}
