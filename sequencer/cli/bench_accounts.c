#define _GNU_SOURCE
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/keccak.h"
#include "sequencer/cli/bench.h"
#include "sequencer/cli/mnemonic.h"
#include "sequencer/cli/rpc_client.h"

enum { TIMEOUT_MS = 3000 };

enum err bench_ask(struct bench *b, struct json_object **result, const char *method,
                   struct json_object *params, char *why, size_t why_len)
{
    enum err e = ERR_UNREACHABLE;
    for (size_t i = 0; i < b->o.urls && e != OK; i++) {
        const struct rpc_target target = {b->o.url[i], NULL, TIMEOUT_MS};
        e = rpc_client_call(result, &target, method, params, why, why_len);
    }
    return e;
}

static struct json_object *address_params(const struct address *a, const char *tag)
{
    struct json_object *params = json_object_new_array();
    char text[HEX_SIZE(20)];
    hex_encode(text, a->b, 20);
    json_object_array_add(params, json_object_new_string(text));
    json_object_array_add(params, json_object_new_string(tag));
    return params;
}

static enum err read_nonce(struct bench_account *a, char *why, size_t why_len)
{
    struct json_object *answer = NULL;
    struct json_object *params = address_params(&a->address, "pending");
    enum err e = bench_ask(a->bench, &answer, "eth_getTransactionCount", params, why, why_len);
    json_object_put(params);
    if (e == OK && !doc_quantity(answer, &a->nonce)) {
        e = ERR_MALFORMED;
    }
    json_object_put(answer);
    return e;
}

static enum err read_balance(struct bench_account *a, struct u256 *out, char *why, size_t why_len)
{
    struct json_object *answer = NULL;
    struct json_object *params = address_params(&a->address, "latest");
    enum err e = bench_ask(a->bench, &answer, "eth_getBalance", params, why, why_len);
    const char *text = json_object_get_string(answer);
    json_object_put(params);
    if (e == OK && (text == NULL || !u256_parse(out, text))) {
        e = ERR_MALFORMED;
    }
    json_object_put(answer);
    return e;
}

static enum err open_funders(struct bench *b, char *why, size_t why_len)
{
    uint8_t seed[64];
    struct u256 balance;
    TRY(mnemonic_seed(seed, MNEMONIC_TEST));
    for (uint32_t i = 0; i < BENCH_FUNDERS; i++) {
        struct bench_account *f = &b->funder[i];
        if (i >= BENCH_RICH) {
            *f = b->funder[i - BENCH_RICH];
            f->nonce++;
            f->to_fund = i;
            continue;
        }
        f->bench = b;
        f->nonce_step = BENCH_FUNDERS / BENCH_RICH;
        f->to_fund = i;
        f->home = i % (uint32_t)b->o.urls;
        TRY(mnemonic_key(&f->key, seed, i));
        TRY(key_address(&f->address, &f->key));
        TRY(read_nonce(f, why, why_len));
    }
    TRY(read_balance(&b->funder[0], &balance, why, why_len));
    if (u256_is_zero(&balance)) {
        snprintf(why, why_len, "the test mnemonic's accounts hold nothing here: this is no devnet");
        return ERR_REFUSED;
    }
    return OK;
}

static enum err make_account(struct bench *b, uint32_t i)
{
    struct bench_account *a = &b->account[i];
    uint8_t text[32] = "baton bench key";
    store_be64(text + 16, b->o.seed);
    store_be64(text + 24, i);
    struct hash h = keccak256(text, sizeof text);
    memcpy(a->key.b, h.b, 32);
    a->bench = b;
    a->nonce_step = 1;
    a->home = i % (uint32_t)b->o.urls;
    return key_address(&a->address, &a->key);
}

/* Four times an account's share of the load, at the most that each transfer may cost: many loads
 * in a row do not empty the ten. */
static void choose_grant(struct bench *b)
{
    uint64_t share = b->o.rate * b->o.for_ms / 1000 / b->o.accounts;
    struct u256 cost = b->max_fee;
    (void)u256_mul_u64(&cost, &b->max_fee, BENCH_TRANSFER_GAS);
    (void)u256_mul_u64(&b->grant, &cost, 4 * share + 16);
}

static enum err read_chain(struct bench *b, char *why, size_t why_len)
{
    struct json_object *answer = NULL;
    uint64_t number = 0;
    uint64_t gas_price = 0;
    TRY(bench_ask(b, &answer, "eth_chainId", NULL, why, why_len));
    bool ok = doc_quantity(answer, &b->chain_id);
    json_object_put(answer);
    TRY(bench_ask(b, &answer, "eth_gasPrice", NULL, why, why_len));
    ok = doc_quantity(answer, &gas_price) && ok;
    json_object_put(answer);
    TRY(bench_ask(b, &answer, "eth_blockNumber", NULL, why, why_len));
    ok = doc_quantity(answer, &number) && ok;
    json_object_put(answer);
    b->first_block = number + 1;
    b->next_block = number + 1;
    b->highest = number;
    b->tip = u256_from_u64(1000000000ull);
    b->max_fee = u256_from_u64(gas_price < 2000000000ull ? 20000000000ull : gas_price * 10);
    return ok ? OK : ERR_MALFORMED;
}

enum err bench_accounts_open(struct bench *b, char *why, size_t why_len)
{
    uint8_t random[8];
    TRY(read_chain(b, why, why_len));
    TRY(open_funders(b, why, why_len));
    bool fresh = b->o.seed == 0;
    if (fresh) {
        if (RAND_bytes(random, sizeof random) != 1) {
            return ERR_CRYPTO;
        }
        b->o.seed = load_be64(random);
    }
    b->account = calloc(b->o.accounts, sizeof *b->account);
    if (b->account == NULL) {
        return ERR_NO_MEMORY;
    }
    choose_grant(b);
    for (uint32_t i = 0; i < b->o.accounts; i++) {
        TRY(make_account(b, i));
        if (!fresh) {
            TRY(read_nonce(&b->account[i], why, why_len));
        }
    }
    return OK;
}

void bench_accounts_close(struct bench *b)
{
    struct bench_tx *tx;
    struct bench_tx *next;
    HASH_ITER(hh, b->txs, tx, next)
    {
        HASH_DEL(b->txs, tx);
        free(tx);
    }
    for (uint64_t i = 0; b->account != NULL && i < b->o.accounts; i++) {
        while ((tx = b->account[i].signed_ahead) != NULL) {
            b->account[i].signed_ahead = tx->next;
            free(tx);
        }
    }
    free(b->account);
    free(b->seen);
}
