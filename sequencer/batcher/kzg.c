#define _GNU_SOURCE
#include "sequencer/batcher/kzg.h"

#include <ckzg.h>
#include <stdio.h>
#include <stdlib.h>

/* More would be faster (215 ms for the cells with 8) and cost 96 MB: six blobs a minute are less. */
enum { PRECOMPUTE = 0 };

_Static_assert(sizeof(Blob) == BLOB_BYTES && sizeof(KZGProof) == KZG_BYTES, "one size of a blob");
_Static_assert(CELLS_PER_EXT_BLOB == CELL_PROOFS, "one number of cells");

/* kzg_setup.S */
extern const char kzg_setup[];
extern const char kzg_setup_end[];

struct kzg {
    KZGSettings settings;
};

static enum err err_of(C_KZG_RET r, enum err bad_input)
{
    switch (r) {
    case C_KZG_OK:
        return OK;
    case C_KZG_BADARGS:
        return bad_input;
    case C_KZG_MALLOC:
        return ERR_NO_MEMORY;
    case C_KZG_ERROR:
        break;
    }
    return ERR_CRYPTO;
}

/* The library's types are arrays of bytes in a struct: no alignment, no padding. */
static const Blob *as_blob(const uint8_t blob[BLOB_BYTES])
{
    return (const Blob *)(const void *)blob;
}

static const Bytes48 *as_point(const uint8_t *point)
{
    return (const Bytes48 *)(const void *)point;
}

static Bytes48 *as_points(uint8_t *point)
{
    return (Bytes48 *)(void *)point;
}

bool kzg_is_built_in(void)
{
    return true;
}

/* The library reads the set-up as a file, and fmemopen wants memory that it might write to. */
static enum err load(struct kzg *k)
{
    size_t n = (size_t)(kzg_setup_end - kzg_setup);
    char *text = malloc(n);
    if (text == NULL) {
        return ERR_NO_MEMORY;
    }
    memcpy(text, kzg_setup, n);
    FILE *f = fmemopen(text, n, "r");
    enum err e = ERR_NO_MEMORY;
    if (f != NULL) {
        e = err_of(load_trusted_setup_file(&k->settings, f, PRECOMPUTE), ERR_CORRUPT);
        fclose(f);
    }
    free(text);
    return e;
}

enum err kzg_load(struct kzg **out)
{
    struct kzg *k = calloc(1, sizeof *k);
    *out = NULL;
    if (k == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err e = load(k);
    if (e != OK) {
        free(k);
        return e;
    }
    *out = k;
    return OK;
}

void kzg_free(struct kzg *k)
{
    if (k != NULL) {
        free_trusted_setup(&k->settings);
        free(k);
    }
}

/* ---- making ------------------------------------------------------------------------------------- */

enum err kzg_commit(const struct kzg *k, uint8_t out[KZG_BYTES], const uint8_t blob[BLOB_BYTES])
{
    return err_of(blob_to_kzg_commitment(as_points(out), as_blob(blob), &k->settings),
                  ERR_MALFORMED);
}

enum err kzg_prove(const struct kzg *k, uint8_t out[KZG_BYTES], const uint8_t blob[BLOB_BYTES],
                   const uint8_t commitment[KZG_BYTES])
{
    return err_of(compute_blob_kzg_proof(as_points(out), as_blob(blob), as_point(commitment),
                                         &k->settings),
                  ERR_MALFORMED);
}

enum err kzg_prove_cells(const struct kzg *k, uint8_t out[CELL_PROOFS_BYTES],
                         const uint8_t blob[BLOB_BYTES])
{
    return err_of(compute_cells_and_kzg_proofs(NULL, as_points(out), as_blob(blob), &k->settings),
                  ERR_MALFORMED);
}

/* ---- checking ----------------------------------------------------------------------------------- */

static enum err check_hash(const uint8_t commitment[KZG_BYTES], const struct hash *versioned)
{
    struct hash got;
    TRY(blob_versioned_hash(&got, commitment));
    return hash_equal(&got, versioned) ? OK : ERR_CORRUPT;
}

enum err kzg_check_blob(const struct kzg *k, const uint8_t blob[BLOB_BYTES],
                        const struct hash *versioned)
{
    uint8_t commitment[KZG_BYTES];
    TRY(kzg_commit(k, commitment, blob));
    return check_hash(commitment, versioned);
}

enum err kzg_check_proof(const struct kzg *k, const uint8_t blob[BLOB_BYTES],
                         const uint8_t commitment[KZG_BYTES], const uint8_t proof[KZG_BYTES],
                         const struct hash *versioned)
{
    bool ok = false;
    TRY(check_hash(commitment, versioned));
    TRY(err_of(verify_blob_kzg_proof(&ok, as_blob(blob), as_point(commitment), as_point(proof),
                                     &k->settings),
               ERR_CORRUPT));
    return ok ? OK : ERR_CORRUPT;
}

static enum err check_cells(const struct kzg *k, Cell *cell, const Bytes48 *commitment,
                            const Bytes48 *proof)
{
    uint64_t index[CELL_PROOFS];
    Bytes48 same[CELL_PROOFS];
    bool ok = false;
    for (size_t i = 0; i < CELL_PROOFS; i++) {
        index[i] = i;
        same[i] = *commitment;
    }
    TRY(err_of(verify_cell_kzg_proof_batch(&ok, same, index, cell, proof, CELL_PROOFS,
                                           &k->settings),
               ERR_CORRUPT));
    return ok ? OK : ERR_CORRUPT;
}

enum err kzg_check_cells(const struct kzg *k, const uint8_t blob[BLOB_BYTES],
                         const uint8_t commitment[KZG_BYTES],
                         const uint8_t proofs[CELL_PROOFS_BYTES])
{
    Cell *cell = calloc(CELL_PROOFS, sizeof *cell);
    if (cell == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err e = err_of(compute_cells_and_kzg_proofs(cell, NULL, as_blob(blob), &k->settings),
                        ERR_MALFORMED);
    if (e == OK) {
        e = check_cells(k, cell, as_point(commitment), as_point(proofs));
    }
    free(cell);
    return e;
}
