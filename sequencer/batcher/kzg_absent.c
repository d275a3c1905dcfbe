/* Compiled in kzg.c's place where the program is built without blobs. */
#include "sequencer/batcher/kzg.h"

bool kzg_is_built_in(void)
{
    return false;
}

enum err kzg_load(struct kzg **out)
{
    *out = NULL;
    return ERR_NOT_FOUND;
}

void kzg_free(struct kzg *k)
{
    (void)k;
}

/* Nobody has a set-up to call these with. */

enum err kzg_commit(const struct kzg *k, uint8_t out[KZG_BYTES], const uint8_t blob[BLOB_BYTES])
{
    (void)k, (void)out, (void)blob;
    return ERR_NOT_FOUND;
}

enum err kzg_prove(const struct kzg *k, uint8_t out[KZG_BYTES], const uint8_t blob[BLOB_BYTES],
                   const uint8_t commitment[KZG_BYTES])
{
    (void)k, (void)out, (void)blob, (void)commitment;
    return ERR_NOT_FOUND;
}

enum err kzg_prove_cells(const struct kzg *k, uint8_t out[CELL_PROOFS_BYTES],
                         const uint8_t blob[BLOB_BYTES])
{
    (void)k, (void)out, (void)blob;
    return ERR_NOT_FOUND;
}

enum err kzg_check_blob(const struct kzg *k, const uint8_t blob[BLOB_BYTES],
                        const struct hash *versioned)
{
    (void)k, (void)blob, (void)versioned;
    return ERR_NOT_FOUND;
}

enum err kzg_check_proof(const struct kzg *k, const uint8_t blob[BLOB_BYTES],
                         const uint8_t commitment[KZG_BYTES], const uint8_t proof[KZG_BYTES],
                         const struct hash *versioned)
{
    (void)k, (void)blob, (void)commitment, (void)proof, (void)versioned;
    return ERR_NOT_FOUND;
}

enum err kzg_check_cells(const struct kzg *k, const uint8_t blob[BLOB_BYTES],
                         const uint8_t commitment[KZG_BYTES],
                         const uint8_t proofs[CELL_PROOFS_BYTES])
{
    (void)k, (void)blob, (void)commitment, (void)proofs;
    return ERR_NOT_FOUND;
}
