/* The chain, accounts, and what the built-in ledger says of contracts: that there are none. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "proto/limits.h"
#include "proto/tx.h"
#include "sequencer/rpc/call.h"
#include "sequencer/rpc/params.h"

static const char zero_word[] =
    "\"0x0000000000000000000000000000000000000000000000000000000000000000\"";
static const char empty_code_hash[] =
    "\"0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470\"";
static const char empty_root[] =
    "\"0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421\"";

/* ---- the chain ------------------------------------------------------------------------------ */

void eth_chain_id(struct call *c)
{
    call_quantity(c, call_backend(c)->chain_id(call_ctx(c)));
}

void net_version(struct call *c)
{
    text_format(call_result(c), "\"%llu\"",
                (unsigned long long)call_backend(c)->chain_id(call_ctx(c)));
    call_done(c);
}

void net_listening(struct call *c)
{
    call_raw(c, "true");
}

void web3_client_version(struct call *c)
{
    const char *version = call_rpc(c)->version;
    text_json(call_result(c), version, strlen(version));
    call_done(c);
}

void eth_syncing(struct call *c)
{
    call_raw(c, "false");
}

void eth_accounts(struct call *c)
{
    call_raw(c, "[]");
}

void eth_block_number(struct call *c)
{
    uint64_t number;
    enum err e = call_backend(c)->head(call_ctx(c), RPC_LATEST, &number, NULL);
    if (e != OK) {
        call_read_error(c, e, "header");
        return;
    }
    call_quantity(c, number);
}

void txpool_status(struct call *c)
{
    struct rpc_pool pool;
    call_backend(c)->pool(call_ctx(c), &pool);
    struct text *t = call_result(c);
    TEXT_LITERAL(t, "{");
    text_key_quantity(t, "pending", pool.pending);
    text_key_quantity(t, "queued", pool.queued);
    TEXT_LITERAL(t, "}");
    call_done(c);
}

/* ---- accounts ------------------------------------------------------------------------------- */

enum { WANT_BALANCE, WANT_NONCE, WANT_PENDING, WANT_PROOF };

/* accountProof: the nodes, each after its length. */
static void put_nodes(struct text *t, struct bytes proof)
{
    TEXT_LITERAL(t, "[");
    while (proof.n >= 4) {
        size_t n = load_be32(proof.p);
        if (n > proof.n - 4) {
            break;
        }
        text_item(t);
        text_hex(t, proof.p + 4, n);
        proof = bytes_of(proof.p + 4 + n, proof.n - 4 - n);
    }
    TEXT_LITERAL(t, "]");
}

static void answer_proof(struct call *c, const struct rpc_account *a)
{
    const struct address *address = c->state;
    struct text *t = call_result(c);
    TEXT_LITERAL(t, "{");
    text_key_address(t, "address", address);
    text_key(t, "accountProof");
    put_nodes(t, a->proof);
    text_key_u256(t, "balance", &a->balance);
    text_key_raw(t, "codeHash", empty_code_hash);
    text_key_quantity(t, "nonce", a->nonce);
    text_key_raw(t, "storageHash", empty_root);
    text_key_raw(t, "storageProof", "[]");
    TEXT_LITERAL(t, "}");
    call_done(c);
}

/* The pool knows only of senders that it met: the client's word and its own, whichever is more. */
static void answer_pending(struct call *c, uint64_t nonce)
{
    struct address a;
    uint64_t pooled = params_address(c, 0, &a) ? call_backend(c)->pending_nonce(call_ctx(c), &a) : 0;
    call_quantity(c, pooled > nonce ? pooled : nonce);
}

static void account_answered(void *arg, const struct rpc_account *a)
{
    struct call *c = arg;
    if (call_gone(c)) {
        return;
    }
    if (a->err == ERR_NOT_FOUND) {
        call_error(c, CODE_SERVER, "historical state is not available");
    } else if (a->err != OK) {
        call_read_error(c, a->err, "state");
    } else if (c->choice == WANT_BALANCE) {
        call_u256(c, &a->balance);
    } else if (c->choice == WANT_NONCE) {
        call_quantity(c, a->nonce);
    } else if (c->choice == WANT_PENDING) {
        answer_pending(c, a->nonce);
    } else {
        answer_proof(c, a);
    }
}

/* Asks for the account at the block; `latest` by any of its names is answered from memory. */
static void ask_account(struct call *c, const struct address *a, const struct block_ref *ref,
                        uint32_t want)
{
    const struct rpc_backend *b = call_backend(c);
    struct rpc_block block;
    uint64_t latest = 0;
    c->choice = want;
    enum err e = b->head(call_ctx(c), RPC_LATEST, &latest, NULL);
    bool at_head = ref->kind == REF_TAG && (ref->tag == RPC_LATEST || ref->tag == RPC_PENDING);
    at_head = at_head || (ref->kind == REF_NUMBER && ref->number == latest);
    if (e == OK && !at_head) {
        e = params_read_block(c, ref, &block);
    }
    if (e != OK) {
        call_read_error(c, e, params_block_name(ref));
        return;
    }
    b->account(call_ctx(c), at_head ? NULL : &block.hash, a, want == WANT_PROOF, account_answered,
               c);
}

void eth_get_balance(struct call *c)
{
    struct address a;
    struct block_ref ref;
    if (params_address(c, 0, &a) && params_block(c, 1, &ref)) {
        ask_account(c, &a, &ref, WANT_BALANCE);
    }
}

void eth_get_transaction_count(struct call *c)
{
    struct address a;
    struct block_ref ref;
    if (!params_address(c, 0, &a) || !params_block(c, 1, &ref)) {
        return;
    }
    bool pending = ref.kind == REF_TAG && ref.tag == RPC_PENDING;
    if (pending && call_backend(c)->forward != NULL) {
        ask_account(c, &a, &ref, WANT_PENDING);
        return;
    }
    if (pending) {
        call_quantity(c, call_backend(c)->pending_nonce(call_ctx(c), &a));
        return;
    }
    ask_account(c, &a, &ref, WANT_NONCE);
}

void eth_get_proof(struct call *c)
{
    struct address a;
    struct block_ref ref;
    if (!params_address(c, 0, &a) || !params_block(c, 2, &ref)) {
        return;
    }
    c->state = malloc(sizeof a);
    if (c->state == NULL) {
        call_error(c, CODE_INTERNAL, "%s", err_text(ERR_NO_MEMORY));
        return;
    }
    memcpy(c->state, &a, sizeof a);
    ask_account(c, &a, &ref, WANT_PROOF);
}

/* ---- contracts: none here ------------------------------------------------------------------- */

void eth_get_code(struct call *c)
{
    struct address a;
    struct block_ref ref;
    if (params_address(c, 0, &a) && params_block(c, 1, &ref)) {
        call_raw(c, "\"0x\"");
    }
}

void eth_get_storage_at(struct call *c)
{
    struct address a;
    struct block_ref ref;
    if (params_address(c, 0, &a) && params_block(c, 2, &ref)) {
        call_raw(c, zero_word);
    }
}

void eth_get_logs(struct call *c)
{
    if (json_object_is_type(params_at(c, 0), json_type_object)) {
        call_raw(c, "[]");
        return;
    }
    call_error(c, CODE_PARAMS, "missing value for required argument 0");
}

static bool call_object(struct call *c, struct json_object **out)
{
    struct block_ref ref;
    *out = params_at(c, 0);
    if (!json_object_is_type(*out, json_type_object)) {
        call_error(c, CODE_PARAMS,
                   *out == NULL ? "missing value for required argument 0"
                                : "invalid argument 0: not an object");
        return false;
    }
    return params_block(c, 1, &ref);
}

void eth_call(struct call *c)
{
    struct json_object *o;
    if (call_object(c, &o)) {
        call_raw(c, "\"0x\"");
    }
}

/* ---- eth_estimateGas ------------------------------------------------------------------------ */

/* A hex string of the object; NULL where it is missing or no string. */
static const char *member(struct json_object *o, const char *key)
{
    struct json_object *v = NULL;
    return json_object_object_get_ex(o, key, &v) && json_object_is_type(v, json_type_string)
               ? json_object_get_string(v)
               : NULL;
}

static void count_access_list(struct json_object *o, struct tx *tx)
{
    struct json_object *list = NULL;
    struct json_object *keys = NULL;
    if (!json_object_object_get_ex(o, "accessList", &list) ||
        !json_object_is_type(list, json_type_array)) {
        return;
    }
    size_t n = json_object_array_length(list);
    tx->access_addresses = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        struct json_object *entry = json_object_array_get_idx(list, i);
        if (json_object_is_type(entry, json_type_object) &&
            json_object_object_get_ex(entry, "storageKeys", &keys) &&
            json_object_is_type(keys, json_type_array)) {
            tx->access_slots += (uint32_t)json_object_array_length(keys);
        }
    }
}

/* Intrinsic gas is all that a transfer uses. False: the call has been answered. */
static bool estimate(struct call *c, struct json_object *o, uint64_t *gas)
{
    struct tx tx = {.type = 2};
    const char *data = member(o, "input") != NULL ? member(o, "input") : member(o, "data");
    size_t cap = data != NULL ? strlen(data) / 2 : 0;
    size_t n = 0;
    if (cap > LIMIT_TX_BYTES) {
        call_error(c, CODE_SERVER, "oversized data: transaction size %zu, limit %d", cap,
                   LIMIT_TX_BYTES);
        return false;
    }
    uint8_t *bytes = malloc(cap + 1);
    if (bytes == NULL || (data != NULL && !hex_decode_upto(bytes, cap, &n, data, strlen(data)))) {
        free(bytes);
        call_error(c, CODE_PARAMS, "invalid argument 0: invalid hex string");
        return false;
    }
    tx.data = bytes_of(bytes, n);
    count_access_list(o, &tx);
    *gas = tx_intrinsic_gas(&tx);
    free(bytes);
    return true;
}

struct estimate {
    struct address from;
    struct u256 value;
    uint64_t gas;
};

static void estimate_funded(void *arg, const struct rpc_account *a)
{
    struct call *c = arg;
    if (call_gone(c)) {
        return;
    }
    const struct estimate *e = c->state;
    if (a->err != OK || u256_cmp(&a->balance, &e->value) >= 0) {
        call_quantity(c, e->gas);
        return;
    }
    char from[HEX_SIZE(20)];
    char have[U256_DEC_SIZE];
    char want[U256_DEC_SIZE];
    hex_encode(from, e->from.b, sizeof e->from.b);
    u256_to_dec(have, &a->balance);
    u256_to_dec(want, &e->value);
    call_error(c, CODE_SERVER,
               "insufficient funds for gas * price + value: address %s have %s want %s", from, have,
               want);
}

void eth_estimate_gas(struct call *c)
{
    struct json_object *o;
    struct estimate e = {0};
    if (!call_object(c, &o) || !estimate(c, o, &e.gas)) {
        return;
    }
    if (member(o, "to") == NULL) {
        call_error(c, CODE_SERVER,
                   "contract creation is not supported by the built-in ledger: "
                   "start the node with --el and an execution client");
        return;
    }
    const char *from = member(o, "from");
    const char *value = member(o, "value");
    if (from == NULL || value == NULL || !hex_decode(e.from.b, sizeof e.from.b, from) ||
        !u256_parse(&e.value, value) || u256_is_zero(&e.value)) {
        call_quantity(c, e.gas);
        return;
    }
    c->state = malloc(sizeof e);
    if (c->state == NULL) {
        call_error(c, CODE_INTERNAL, "%s", err_text(ERR_NO_MEMORY));
        return;
    }
    memcpy(c->state, &e, sizeof e);
    call_backend(c)->account(call_ctx(c), NULL, &e.from, false, estimate_funded, c);
}
