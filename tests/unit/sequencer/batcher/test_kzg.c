/* KZG against v05, which another program computed, and against the known hash of the zero blob;
 * what is no blob, and what belongs to another one. */
#include "kit.h"

#include <pthread.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "sequencer/batcher/kzg.h"

enum { LARGE = 1 << 18 };

/* Loaded once: it takes two seconds. */
static struct kzg *kzg;

struct vector {
    struct json_object *v;
    uint8_t *blob;
    struct buffer commitment;
    struct buffer proof;
    struct hash versioned;
};

static void open_vector(struct vector *x)
{
    struct buffer data;
    x->v = vector_read("v05_blob.json");
    x->blob = malloc(BLOB_BYTES);
    assert_non_null(x->blob);
    buffer_init(&x->commitment, LARGE);
    buffer_init(&x->proof, LARGE);
    buffer_init(&data, LARGE);
    vector_hex(&data, x->v, "data");
    vector_hex(&x->commitment, x->v, "kzg.commitment");
    vector_hex(&x->proof, x->v, "kzg.blob_proof_4844");
    x->versioned = vector_hash(x->v, "kzg.versioned_hash");
    assert_int_equal(blob_encode(x->blob, buffer_bytes(&data)), OK);
    buffer_free(&data);
}

static void close_vector(struct vector *x)
{
    buffer_free(&x->commitment);
    buffer_free(&x->proof);
    free(x->blob);
    json_object_put(x->v);
}

static void expect_hex(struct json_object *v, const char *path, const uint8_t *got, size_t n)
{
    struct buffer want;
    buffer_init(&want, LARGE);
    vector_hex(&want, v, path);
    assert_bytes(bytes_of(got, n), buffer_bytes(&want));
    buffer_free(&want);
}

static void as_another_program_has_it(void **state)
{
    (void)state;
    struct vector x;
    uint8_t point[KZG_BYTES];
    uint8_t *cells = malloc(CELL_PROOFS_BYTES);
    uint8_t digest[32];
    assert_non_null(cells);
    open_vector(&x);
    assert_int_equal(kzg_commit(kzg, point, x.blob), OK);
    assert_memory_equal(point, x.commitment.p, KZG_BYTES);
    assert_int_equal(kzg_prove(kzg, point, x.blob, x.commitment.p), OK);
    assert_memory_equal(point, x.proof.p, KZG_BYTES);
    assert_int_equal(kzg_prove_cells(kzg, cells, x.blob), OK);
    expect_hex(x.v, "kzg.cell_proof_0", cells, KZG_BYTES);
    expect_hex(x.v, "kzg.cell_proof_127", cells + CELL_PROOFS_BYTES - KZG_BYTES, KZG_BYTES);
    assert_int_equal(EVP_Digest(cells, CELL_PROOFS_BYTES, digest, NULL, EVP_sha256(), NULL), 1);
    expect_hex(x.v, "kzg.cell_proofs_sha256", digest, sizeof digest);
    assert_int_equal(kzg_check_cells(kzg, x.blob, x.commitment.p, cells), OK);
    cells[5 * KZG_BYTES + 9] ^= 1;
    assert_int_equal(kzg_check_cells(kzg, x.blob, x.commitment.p, cells), ERR_CORRUPT);
    free(cells);
    close_vector(&x);
}

/* The commitment of nothing is the point at infinity. */
static void zero_blob(void **state)
{
    (void)state;
    uint8_t *blob = calloc(1, BLOB_BYTES);
    uint8_t point[KZG_BYTES];
    uint8_t infinity[KZG_BYTES] = {0xc0};
    struct hash versioned;
    struct hash want;
    assert_non_null(blob);
    assert_int_equal(kzg_commit(kzg, point, blob), OK);
    assert_memory_equal(point, infinity, KZG_BYTES);
    assert_int_equal(blob_versioned_hash(&versioned, point), OK);
    assert_true(hex_decode(want.b, sizeof want.b,
                           "0x010657f37554c781402a22917dee2f75def7ab966d7b770905398eba3c444014"));
    assert_true(hash_equal(&versioned, &want));
    assert_int_equal(kzg_check_blob(kzg, blob, &want), OK);
    free(blob);
}

static void another_blob_is_found_out(void **state)
{
    (void)state;
    struct vector x;
    open_vector(&x);
    assert_int_equal(kzg_check_blob(kzg, x.blob, &x.versioned), OK);
    assert_int_equal(
        kzg_check_proof(kzg, x.blob, x.commitment.p, x.proof.p, &x.versioned), OK);
    x.blob[BLOB_BYTES - 1] ^= 1;
    assert_int_equal(kzg_check_blob(kzg, x.blob, &x.versioned), ERR_CORRUPT);
    assert_int_equal(
        kzg_check_proof(kzg, x.blob, x.commitment.p, x.proof.p, &x.versioned), ERR_CORRUPT);
    x.blob[BLOB_BYTES - 1] ^= 1;
    x.versioned.b[31] ^= 1;
    assert_int_equal(kzg_check_blob(kzg, x.blob, &x.versioned), ERR_CORRUPT);
    assert_int_equal(
        kzg_check_proof(kzg, x.blob, x.commitment.p, x.proof.p, &x.versioned), ERR_CORRUPT);
    x.versioned.b[31] ^= 1;
    x.proof.p[0] ^= 0x80; /* no longer a compressed point */
    assert_int_equal(
        kzg_check_proof(kzg, x.blob, x.commitment.p, x.proof.p, &x.versioned), ERR_CORRUPT);
    close_vector(&x);
}

/* A number that the field does not have: 2^255 and more. */
static void no_blob(void **state)
{
    (void)state;
    struct vector x;
    uint8_t point[KZG_BYTES];
    uint8_t *cells = malloc(CELL_PROOFS_BYTES);
    assert_non_null(cells);
    open_vector(&x);
    x.blob[64] = 0x80;
    assert_int_equal(kzg_commit(kzg, point, x.blob), ERR_MALFORMED);
    assert_int_equal(kzg_prove(kzg, point, x.blob, x.commitment.p), ERR_MALFORMED);
    assert_int_equal(kzg_prove_cells(kzg, cells, x.blob), ERR_MALFORMED);
    assert_int_equal(kzg_check_blob(kzg, x.blob, &x.versioned), ERR_MALFORMED);
    assert_int_equal(kzg_check_cells(kzg, x.blob, x.commitment.p, cells), ERR_MALFORMED);
    free(cells);
    close_vector(&x);
}

/* One set-up, several threads. */
struct job {
    const uint8_t *blob;
    uint8_t commitment[KZG_BYTES];
    uint8_t proof[KZG_BYTES];
    enum err e;
};

static void *work(void *arg)
{
    struct job *j = arg;
    j->e = kzg_commit(kzg, j->commitment, j->blob);
    if (j->e == OK) {
        j->e = kzg_prove(kzg, j->proof, j->blob, j->commitment);
    }
    return NULL;
}

static void on_threads(void **state)
{
    (void)state;
    struct vector x;
    pthread_t thread[3];
    struct job job[3];
    open_vector(&x);
    for (size_t i = 0; i < 3; i++) {
        job[i].blob = x.blob;
        assert_int_equal(pthread_create(&thread[i], NULL, work, &job[i]), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_int_equal(job[i].e, OK);
        assert_memory_equal(job[i].commitment, x.commitment.p, KZG_BYTES);
        assert_memory_equal(job[i].proof, x.proof.p, KZG_BYTES);
    }
    close_vector(&x);
}

static int load_once(void **state)
{
    (void)state;
    return kzg_load(&kzg) == OK ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    kzg_free(kzg);
    kzg_free(NULL);
    return 0;
}

/* Without blobs there is nothing to load, and it is said. */
static void not_built_in(void **state)
{
    (void)state;
    assert_int_equal(kzg_load(&kzg), ERR_NOT_FOUND);
    assert_null(kzg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_another_program_has_it),
        cmocka_unit_test(zero_blob),
        cmocka_unit_test(another_blob_is_found_out),
        cmocka_unit_test(no_blob),
        cmocka_unit_test(on_threads),
    };
    const struct CMUnitTest without[] = {cmocka_unit_test(not_built_in)};
    return kzg_is_built_in() ? cmocka_run_group_tests(tests, load_once, unload)
                             : cmocka_run_group_tests(without, NULL, NULL);
}
