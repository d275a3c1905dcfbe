#define _GNU_SOURCE
#include "sequencer/rpc/params.h"

#include <stdlib.h>

static bool wrong(struct call *c, uint32_t i, const char *why)
{
    call_error(c, CODE_PARAMS, "invalid argument %u: %s", i, why);
    return false;
}

static bool missing(struct call *c, uint32_t i)
{
    call_error(c, CODE_PARAMS, "missing value for required argument %u", i);
    return false;
}

struct json_object *params_at(struct call *c, uint32_t i)
{
    return i < c->params_n ? json_object_array_get_idx(c->params, i) : NULL;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* What is wrong with a hex string as such; `digits` receives how many stand after 0x. */
static const char *hex_problem(const char *text, size_t *digits)
{
    if (text[0] == 0) {
        return "empty hex string";
    }
    if (text[0] != '0' || (text[1] != 'x' && text[1] != 'X')) {
        return "hex string without 0x prefix";
    }
    size_t n = 0;
    while (is_hex(text[2 + n])) {
        n++;
    }
    *digits = n;
    return text[2 + n] == 0 ? NULL : "invalid hex string";
}

const char *params_quantity(const char *text, uint64_t *out)
{
    size_t digits = 0;
    const char *why = hex_problem(text, &digits);
    if (why != NULL) {
        return why;
    }
    if (digits == 0) {
        return "hex string \"0x\"";
    }
    if (digits > 1 && text[2] == '0') {
        return "hex number with leading zero digits";
    }
    if (digits > 16) {
        return "hex number > 64 bits";
    }
    *out = strtoull(text + 2, NULL, 16);
    return NULL;
}

bool params_text(struct call *c, uint32_t i, const char **out)
{
    struct json_object *v = params_at(c, i);
    if (v == NULL) {
        return missing(c, i);
    }
    if (!json_object_is_type(v, json_type_string)) {
        return wrong(c, i, "json: cannot unmarshal non-string into Go value of type string");
    }
    *out = json_object_get_string(v);
    if (strlen(*out) != (size_t)json_object_get_string_len(v)) {
        return wrong(c, i, "invalid hex string"); /* a zero byte inside */
    }
    return true;
}

/* Exactly `n` bytes. */
static bool fixed(struct call *c, uint32_t i, uint8_t *out, size_t n, const char *type)
{
    const char *text;
    if (!params_text(c, i, &text)) {
        return false;
    }
    size_t digits = 0;
    const char *why = hex_problem(text, &digits);
    if (why != NULL) {
        call_error(c, CODE_PARAMS,
                   "invalid argument %u: json: cannot unmarshal %s into Go value of type %s", i,
                   why, type);
        return false;
    }
    if (digits != 2 * n) {
        call_error(c, CODE_PARAMS,
                   "invalid argument %u: hex string has length %zu, want %zu for %s", i, digits,
                   2 * n, type);
        return false;
    }
    return hex_decode(out, n, text) || wrong(c, i, "invalid hex string");
}

bool params_address(struct call *c, uint32_t i, struct address *out)
{
    return fixed(c, i, out->b, sizeof out->b, "common.Address");
}

bool params_hash(struct call *c, uint32_t i, struct hash *out)
{
    return fixed(c, i, out->b, sizeof out->b, "common.Hash");
}

bool params_u64(struct call *c, uint32_t i, uint64_t *out)
{
    struct json_object *v = params_at(c, i);
    if (json_object_is_type(v, json_type_int) && json_object_get_int64(v) >= 0) {
        *out = json_object_get_uint64(v);
        return true;
    }
    const char *text;
    if (!params_text(c, i, &text)) {
        return false;
    }
    const char *why = params_quantity(text, out);
    return why == NULL || wrong(c, i, why);
}

bool params_u64_or(struct call *c, uint32_t i, uint64_t fallback, uint64_t *out)
{
    if (params_at(c, i) == NULL) {
        *out = fallback;
        return true;
    }
    return params_u64(c, i, out);
}

bool params_bool_or(struct call *c, uint32_t i, bool fallback, bool *out)
{
    struct json_object *v = params_at(c, i);
    *out = fallback;
    if (v == NULL) {
        return true;
    }
    if (!json_object_is_type(v, json_type_boolean)) {
        return wrong(c, i, "json: cannot unmarshal non-boolean into Go value of type bool");
    }
    *out = json_object_get_boolean(v);
    return true;
}

bool params_tag(const char *text, enum rpc_tag *out)
{
    static const char *const name[] = {"earliest", "latest", "safe", "finalized", "pending"};
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        if (strcmp(text, name[i]) == 0) {
            *out = (enum rpc_tag)i;
            return true;
        }
    }
    return false;
}

static bool block_text(struct call *c, uint32_t i, const char *text, struct block_ref *out)
{
    out->kind = REF_TAG;
    if (params_tag(text, &out->tag)) {
        return true;
    }
    if (strlen(text) == 66 && hex_decode(out->hash.b, sizeof out->hash.b, text)) {
        out->kind = REF_HASH;
        return true;
    }
    out->kind = REF_NUMBER;
    const char *why = params_quantity(text, &out->number);
    if (why != NULL) {
        return wrong(c, i, why);
    }
    return out->number <= INT64_MAX || wrong(c, i, "block number larger than int64");
}

/* EIP-1898. */
static bool block_object(struct call *c, uint32_t i, struct json_object *o, struct block_ref *out)
{
    struct json_object *number = NULL;
    struct json_object *hash = NULL;
    (void)json_object_object_get_ex(o, "blockNumber", &number);
    (void)json_object_object_get_ex(o, "blockHash", &hash);
    if (number != NULL && hash != NULL) {
        return wrong(c, i,
                     "cannot specify both BlockHash and BlockNumber, choose one or the other");
    }
    struct json_object *v = number != NULL ? number : hash;
    if (!json_object_is_type(v, json_type_string) ||
        !block_text(c, i, json_object_get_string(v), out)) {
        return v != NULL && json_object_is_type(v, json_type_string)
                   ? false
                   : wrong(c, i, "neither BlockNumber nor BlockHash");
    }
    return true;
}

bool params_block(struct call *c, uint32_t i, struct block_ref *out)
{
    struct json_object *v = params_at(c, i);
    *out = (struct block_ref){.kind = REF_TAG, .tag = RPC_LATEST};
    if (v == NULL) {
        return true;
    }
    if (json_object_is_type(v, json_type_object)) {
        return block_object(c, i, v, out);
    }
    const char *text;
    return params_text(c, i, &text) && block_text(c, i, text, out);
}

bool params_bytes(struct call *c, uint32_t i, size_t max, uint8_t **out, size_t *out_n)
{
    const char *text;
    *out = NULL;
    if (!params_text(c, i, &text)) {
        return false;
    }
    size_t digits = 0;
    const char *why = hex_problem(text, &digits);
    if (why == NULL && digits % 2 != 0) {
        why = "hex string of odd length";
    }
    if (why != NULL) {
        call_error(c, CODE_PARAMS,
                   "invalid argument %u: json: cannot unmarshal %s into Go value of type "
                   "hexutil.Bytes",
                   i, why);
        return false;
    }
    *out_n = digits / 2;
    if (*out_n > max) {
        return true;
    }
    *out = malloc(*out_n + 1);
    if (*out == NULL) {
        call_error(c, CODE_INTERNAL, "%s", err_text(ERR_NO_MEMORY));
        return false;
    }
    if (!hex_decode(*out, *out_n, text)) {
        free(*out);
        *out = NULL;
        return wrong(c, i, "invalid hex string");
    }
    return true;
}

enum err params_read_block(struct call *c, const struct block_ref *ref, struct rpc_block *out)
{
    const struct rpc_backend *b = call_backend(c);
    uint64_t number = ref->number;
    if (ref->kind == REF_HASH) {
        return b->block_by_hash(call_ctx(c), &ref->hash, out);
    }
    if (ref->kind == REF_TAG) {
        enum rpc_tag tag = ref->tag == RPC_PENDING ? RPC_LATEST : ref->tag;
        TRY(b->head(call_ctx(c), tag, &number, NULL));
    }
    return b->block_by_number(call_ctx(c), number, out);
}

const char *params_block_name(const struct block_ref *ref)
{
    if (ref->kind == REF_TAG && (ref->tag == RPC_SAFE || ref->tag == RPC_FINALIZED)) {
        return ref->tag == RPC_SAFE ? "safe block" : "finalized block";
    }
    return "header";
}
