/* Transactions to send: anvil's first account pays. A blob is all zeros, so that its commitment and
 * proof are the point at infinity and no KZG is needed. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "drive.h"
#include "proto/keccak.h"
#include "proto/tx.h"
#include "sequencer/batcher/blob_tx.h"

enum { DATA_MAX = 200000, GAS = 8000000 };

static const char *const first_key =
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

void sign_key(struct secret_key *out)
{
    if (!hex_decode(out->b, sizeof out->b, first_key)) {
        abort();
    }
}

static struct u256 gwei(uint64_t n)
{
    return u256_from_u64(n * 1000000000U);
}

static void print(const char *id, struct bytes sent, struct bytes bare)
{
    char *text = malloc(HEX_SIZE(sent.n));
    char hash_text[HEX_SIZE(32)];
    struct hash h = keccak256(bare.p, bare.n);
    hex_encode(text, sent.p, sent.n);
    hex_encode(hash_text, h.b, 32);
    printf("{\"id\":\"%s\",\"err\":\"OK\",\"hash\":\"%s\",\"raw\":\"%s\"}\n", id, hash_text, text);
    fflush(stdout);
    free(text);
}

static void print_plain(const char *id, const struct tx_request *r, const struct secret_key *key)
{
    size_t n = 0;
    uint8_t *raw = malloc(DATA_MAX + 512);
    if (tx_sign(raw, DATA_MAX + 512, &n, r, key) == OK) {
        print(id, bytes_of(raw, n), bytes_of(raw, n));
    }
    free(raw);
}

static void print_blob(const char *id, const struct tx_request *r, const struct secret_key *key,
                       bool cells)
{
    static const uint8_t blob[L1_BLOB_BYTES];
    static uint8_t proofs[CELL_PROOFS * KZG_BYTES];
    static const uint8_t infinity[KZG_BYTES] = {0xc0};
    for (size_t i = 0; i < CELL_PROOFS; i++) {
        proofs[i * KZG_BYTES] = infinity[0];
    }
    struct blob_tx t = {.chain_id = r->chain_id, .nonce = r->nonce, .max_fee = r->max_fee,
                        .max_priority_fee = r->max_priority_fee, .gas = r->gas, .to = r->to,
                        .data = r->data, .max_blob_fee = gwei(10), .blobs = 1};
    struct blob_sidecar s = {.wrapper = cells ? WRAPPER_7594 : WRAPPER_4844, .blobs = 1,
                             .blob = {blob}, .commitment = {infinity},
                             .proofs = {proofs, cells ? sizeof proofs : KZG_BYTES}};
    struct buffer bare;
    struct buffer wrapped;
    buffer_init(&bare, 1 << 20);
    buffer_init(&wrapped, 1 << 20);
    if (blob_versioned_hash(&t.versioned[0], infinity) == OK &&
        blob_tx_sign(&bare, &t, key) == OK &&
        blob_tx_wrap(&wrapped, buffer_bytes(&bare), &s) == OK) {
        print(id, buffer_bytes(&wrapped), buffer_bytes(&bare));
    }
    buffer_free(&bare);
    buffer_free(&wrapped);
}

void sign_print(const char *id, const char *what, uint64_t chain, uint64_t nonce, uint64_t fee,
                const char *to, const char *data)
{
    static uint8_t input[DATA_MAX];
    struct secret_key key;
    struct tx_request r = {.chain_id = chain, .nonce = nonce, .max_fee = gwei(fee),
                           .max_priority_fee = gwei(1), .gas = GAS};
    size_t n = 0;
    sign_key(&key);
    if (!hex_decode(r.to.b, 20, to) ||
        !hex_decode_upto(input, sizeof input, &n, data, strlen(data))) {
        return;
    }
    r.data = bytes_of(input, n);
    if (strcmp(what, "plain") == 0) {
        print_plain(id, &r, &key);
    } else {
        print_blob(id, &r, &key, strcmp(what, "cells") == 0);
    }
}
