#include "chain_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/body.h"

uint64_t kit_random(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

struct address kit_address(uint32_t i)
{
    struct address a;
    memset(a.b, 0x11, sizeof a.b);
    store_be32(a.b + 16, i + 1);
    store_be32(a.b, i * 2654435761u);
    return a;
}

struct kit_transfer kit_transfer(uint32_t from, uint32_t to, uint64_t nonce, uint64_t value)
{
    return (struct kit_transfer){
        .from = kit_address(from),
        .to = kit_address(to),
        .nonce = nonce,
        .gas = 21000,
        .value = value,
        .max_fee = 2000000000,
        .tip = 1000,
    };
}

/* A key per account, so that equal transfers of two accounts have two hashes. */
static struct secret_key signer(const struct address *from)
{
    static bool ready;
    struct secret_key key = {{0}};
    if (!ready) {
        assert_int_equal(key_library_init(), OK);
        ready = true;
    }
    memcpy(key.b + 12, from->b, sizeof from->b);
    key.b[11] = 1;
    return key;
}

void kit_sign_request(struct kit_tx *out, const struct address *from, const struct tx_request *r)
{
    const struct secret_key key = signer(from);
    assert_int_equal(tx_sign(out->raw, sizeof out->raw, &out->n, r, &key), OK);
    assert_int_equal(tx_decode(&out->tx, bytes_of(out->raw, out->n)), TX_OK);
    out->sender = *from;
}

void kit_sign(struct kit_tx *out, const struct kit_transfer *t)
{
    struct tx_request r = {
        .chain_id = KIT_CHAIN,
        .nonce = t->nonce,
        .max_priority_fee = u256_from_u64(t->tip),
        .max_fee = u256_from_u64(t->max_fee),
        .gas = t->gas,
        .to = t->to,
        .value = u256_from_u64(t->value),
    };
    kit_sign_request(out, &t->from, &r);
}

void kit_genesis(struct genesis *g, uint32_t accounts, uint64_t balance)
{
    *g = (struct genesis){.chain_id = KIT_CHAIN, .timestamp_ms = KIT_START_MS, .allocs = accounts};
    g->params.gas_limit = KIT_GAS_LIMIT;
    g->base_fee = u256_from_u64(1000000000);
    g->alloc = calloc(accounts + 1, sizeof *g->alloc);
    assert_non_null(g->alloc);
    for (uint32_t i = 0; i < accounts; i++) {
        g->alloc[i].address = kit_address(i);
        g->alloc[i].balance = u256_from_u64(balance);
    }
}

struct execution_tx kit_execution_tx(const struct kit_tx *t)
{
    return (struct execution_tx){.raw = bytes_of(t->raw, t->n), .sender = t->sender};
}

struct bytes kit_body(const struct execution_tx *tx, uint32_t n)
{
    struct bytes *raw = calloc(n + 1, sizeof *raw);
    assert_non_null(raw);
    for (uint32_t i = 0; i < n; i++) {
        raw[i] = tx[i].raw;
    }
    size_t size = body_size(raw, n);
    uint8_t *body = malloc(size + 1);
    assert_non_null(body);
    body_write(body, raw, n);
    free(raw);
    return bytes_of(body, size);
}
