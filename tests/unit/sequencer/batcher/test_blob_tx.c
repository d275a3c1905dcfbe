/* Blob transactions against v05, in both wrappers; what is refused. */
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/keccak.h"
#include "proto/limits.h"
#include "sequencer/batcher/blob_tx.h"

enum { LARGE = 1 << 22 };

struct vector {
    struct json_object *v;
    struct buffer raw;
    struct buffer commitment;
    struct buffer proof;
    uint8_t *blob;
};

static void open_vector(struct vector *x)
{
    struct buffer data;
    x->v = vector_read("v05_blob.json");
    x->blob = malloc(BLOB_BYTES);
    buffer_init(&x->raw, LARGE);
    buffer_init(&x->commitment, LARGE);
    buffer_init(&x->proof, LARGE);
    buffer_init(&data, LARGE);
    vector_hex(&x->raw, x->v, "l1_blob_tx.raw");
    vector_hex(&x->commitment, x->v, "kzg.commitment");
    vector_hex(&x->proof, x->v, "kzg.blob_proof_4844");
    vector_hex(&data, x->v, "data");
    assert_int_equal(blob_encode(x->blob, buffer_bytes(&data)), OK);
    buffer_free(&data);
}

static void close_vector(struct vector *x)
{
    buffer_free(&x->raw);
    buffer_free(&x->commitment);
    buffer_free(&x->proof);
    free(x->blob);
    json_object_put(x->v);
}

/* The signer's key is the vector's; signatures are deterministic, so the bytes are too. */
static void sign_and_read(void **state)
{
    (void)state;
    struct vector x;
    struct blob_tx t;
    struct address sender;
    struct address want;
    struct secret_key key;
    struct hash versioned;
    struct hash hash;
    struct hash wanted;
    struct buffer again;
    open_vector(&x);
    assert_int_equal(blob_tx_read(&t, &sender, buffer_bytes(&x.raw)), OK);
    assert_true(hex_decode(want.b, 20, json_object_get_string(vector_at(x.v, "l1_blob_tx.from"))));
    assert_true(address_equal(&sender, &want));
    hash = keccak256(x.raw.p, x.raw.n);
    wanted = vector_hash(x.v, "l1_blob_tx.hash");
    assert_true(hash_equal(&hash, &wanted));
    assert_int_equal(t.blobs, 1);
    assert_int_equal(t.chain_id, vector_u64(x.v, "chain.l1_chain_id"));
    assert_int_equal(blob_versioned_hash(&versioned, x.commitment.p), OK);
    wanted = vector_hash(x.v, "kzg.versioned_hash");
    assert_true(hash_equal(&versioned, &wanted) && hash_equal(&versioned, &t.versioned[0]));
    char text[80];
    snprintf(text, 67, "%s",
             json_object_get_string(vector_at(x.v, "chain.batcher_private_key")));
    assert_true(hex_decode(key.b, sizeof key.b, text));
    buffer_init(&again, LARGE);
    assert_int_equal(blob_tx_sign(&again, &t, &key), OK);
    assert_bytes(buffer_bytes(&again), buffer_bytes(&x.raw));
    t.blobs = 0;
    assert_int_equal(blob_tx_sign(&again, &t, &key), ERR_REFUSED);
    t.blobs = LIMIT_TX_BLOBS + 1;
    assert_int_equal(blob_tx_sign(&again, &t, &key), ERR_REFUSED);
    buffer_free(&again);
    close_vector(&x);
}

/* What was wrapped comes out again. */
static void check_unwrapped(const struct vector *x, const struct blob_sidecar *s,
                            struct bytes wrapped)
{
    struct buffer raw;
    struct buffer proofs;
    struct blob_sidecar got;
    buffer_init(&raw, LARGE);
    buffer_init(&proofs, LARGE);
    assert_int_equal(blob_tx_unwrap(&raw, &got, &proofs, wrapped), OK);
    assert_bytes(buffer_bytes(&raw), buffer_bytes(&x->raw));
    assert_int_equal(got.wrapper, s->wrapper);
    assert_int_equal(got.blobs, 1);
    assert_memory_equal(got.blob[0], x->blob, BLOB_BYTES);
    assert_memory_equal(got.commitment[0], x->commitment.p, KZG_BYTES);
    assert_bytes(got.proofs, s->proofs);
    buffer_free(&raw);
    buffer_free(&proofs);
}

static void wrapped_4844(void **state)
{
    (void)state;
    struct vector x;
    struct buffer out;
    open_vector(&x);
    struct blob_sidecar s = {.wrapper = WRAPPER_4844, .blobs = 1, .blob = {x.blob},
                             .commitment = {x.commitment.p}, .proofs = buffer_bytes(&x.proof)};
    buffer_init(&out, LARGE);
    assert_int_equal(blob_tx_wrap(&out, buffer_bytes(&x.raw), &s), OK);
    assert_int_equal(out.n, vector_u64(x.v, "network_form.v0_len"));
    struct hash hash = keccak256(out.p, out.n);
    struct hash want = vector_hash(x.v, "network_form.v0_keccak256");
    assert_true(hash_equal(&hash, &want));
    check_unwrapped(&x, &s, buffer_bytes(&out));
    s.wrapper = WRAPPER_7594;
    assert_int_equal(blob_tx_wrap(&out, buffer_bytes(&x.raw), &s), ERR_REFUSED);
    buffer_free(&out);
    close_vector(&x);
}

/* The vector has the first and the last of the 128 cell proofs: form and length are compared. */
static void wrapped_7594(void **state)
{
    (void)state;
    struct vector x;
    struct buffer out;
    struct buffer first;
    struct buffer proofs;
    open_vector(&x);
    buffer_init(&out, LARGE);
    buffer_init(&first, LARGE);
    buffer_init(&proofs, LARGE);
    assert_non_null(buffer_room(&proofs, CELL_PROOFS * KZG_BYTES + 200)); /* it stays in place */
    vector_hex(&proofs, x.v, "kzg.cell_proof_0");
    for (int i = 1; i + 1 < CELL_PROOFS; i++) {
        buffer_put(&proofs, proofs.p, KZG_BYTES);
    }
    vector_hex(&proofs, x.v, "kzg.cell_proof_127");
    struct blob_sidecar s = {.wrapper = WRAPPER_7594, .blobs = 1, .blob = {x.blob},
                             .commitment = {x.commitment.p}, .proofs = buffer_bytes(&proofs)};
    assert_int_equal(blob_tx_wrap(&out, buffer_bytes(&x.raw), &s), OK);
    assert_int_equal(out.n, vector_u64(x.v, "network_form.v1_len"));
    vector_hex(&first, x.v, "network_form.v1_first_bytes");
    assert_bytes(bytes_of(out.p, first.n), buffer_bytes(&first));
    check_unwrapped(&x, &s, buffer_bytes(&out));
    buffer_free(&out);
    buffer_free(&first);
    buffer_free(&proofs);
    close_vector(&x);
}

/* Cut off anywhere it is refused; a flipped bit is refused or belongs to another sender. */
static void hostile(void **state)
{
    (void)state;
    struct vector x;
    struct blob_tx t;
    struct address sender;
    struct address other;
    open_vector(&x);
    assert_int_equal(blob_tx_read(&t, &sender, buffer_bytes(&x.raw)), OK);
    for (size_t n = 0; n < x.raw.n; n++) {
        uint8_t *cut = malloc(n > 0 ? n : 1);
        memcpy(cut, x.raw.p, n);
        assert_true(blob_tx_read(&t, &other, bytes_of(cut, n)) != OK);
        free(cut);
    }
    for (size_t bit = 0; bit < 8 * x.raw.n; bit++) {
        x.raw.p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        if (blob_tx_read(&t, &other, buffer_bytes(&x.raw)) == OK) {
            assert_false(address_equal(&sender, &other));
        }
        x.raw.p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    close_vector(&x);
}

static int set_up(void **state)
{
    (void)state;
    return key_library_init() == OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sign_and_read),
        cmocka_unit_test(wrapped_4844),
        cmocka_unit_test(wrapped_7594),
        cmocka_unit_test(hostile),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
