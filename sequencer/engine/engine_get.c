#include "sequencer/engine/engine_json.h"

#include <stdlib.h>

#include "proto/body.h"

/* ---- capabilities ------------------------------------------------------------------------------ */

static bool has(struct json_object *list, const char *name)
{
    for (size_t i = 0; i < json_list(list); i++) {
        const char *text = json_text(json_at(list, i));
        if (text != NULL && strcmp(text, name) == 0) {
            return true;
        }
    }
    return false;
}

bool engine_get_capabilities(struct json_object *result, enum engine_fork fork,
                             const char **missing)
{
    for (int i = 0; i < ENGINE_METHODS; i++) {
        if (!has(result, engine_method[fork][i])) {
            *missing = engine_method[fork][i];
            return false;
        }
    }
    return true;
}

/* ---- small answers ----------------------------------------------------------------------------- */

bool engine_get_id(struct json_object *result, struct engine_id *out)
{
    return json_fixed(json_get(result, "payloadId"), out->b, sizeof out->b);
}

bool engine_get_head(struct json_object *result, struct engine_head *out)
{
    return json_fixed(json_get(result, "hash"), out->hash.b, sizeof out->hash.b) &&
           json_u64(json_get(result, "number"), &out->number) &&
           json_u64(json_get(result, "timestamp"), &out->timestamp);
}

/* ---- payloads ---------------------------------------------------------------------------------- */

/* Lists of hex strings, decoded side by side into one piece of memory. */
struct strings {
    struct bytes *item; /* n of them, in `memory` too */
    uint32_t n;
    size_t total; /* bytes of all */
};

/* Counts and measures before anything is allocated. */
static enum err measure(struct strings *s, struct json_object *list, uint32_t most, size_t longest)
{
    if (!json_object_is_type(list, json_type_array)) {
        return ERR_MALFORMED;
    }
    if (json_list(list) > most) {
        return ERR_TOO_LARGE;
    }
    s->n = (uint32_t)json_list(list);
    s->total = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        struct json_object *o = json_at(list, i);
        if (json_text(o) == NULL) {
            return ERR_MALFORMED;
        }
        size_t digits = (size_t)json_object_get_string_len(o);
        if (digits > 2 + 2 * longest) {
            return ERR_TOO_LARGE;
        }
        s->total += digits / 2;
    }
    return s->total > LIMIT_BODY_BYTES ? ERR_TOO_LARGE : OK;
}

static enum err decode(struct strings *s, struct json_object *list, uint8_t *to)
{
    size_t room = s->total;
    for (uint32_t i = 0; i < s->n; i++) {
        size_t n;
        if (!json_data(json_at(list, i), to, room, &n) || n == 0) {
            return ERR_MALFORMED;
        }
        s->item[i] = bytes_of(to, n);
        to += n;
        room -= n;
    }
    return OK;
}

static enum err read_txs(struct engine_built *out, struct json_object *list)
{
    struct strings s = {0};
    TRY(measure(&s, list, LIMIT_BODY_TXS, LIMIT_TX_BYTES));
    uint8_t *raw = malloc(s.total + 1);
    s.item = calloc((size_t)s.n + 1, sizeof *s.item);
    enum err err = raw == NULL || s.item == NULL ? ERR_NO_MEMORY : decode(&s, list, raw);
    for (uint32_t i = 0; err == OK && i < s.n; i++) {
        err = engine_tx_allowed(s.item[i]) ? OK : ERR_INVALID_BLOCK;
    }
    size_t size = err == OK ? body_size(s.item, s.n) : 0;
    if (err == OK && size > LIMIT_BODY_BYTES) {
        err = ERR_TOO_LARGE;
    }
    out->memory = err == OK ? malloc(size) : NULL;
    if (out->memory != NULL) {
        body_write(out->memory, s.item, s.n);
        out->payload.txs = bytes_of(out->memory, size);
        out->payload.tx_n = s.n;
    }
    free(raw);
    free(s.item);
    return err == OK && out->memory == NULL ? ERR_NO_MEMORY : err;
}

/* Behind the transactions, in the same memory. An answer without the list (ethereumjs, when it is
 * asked for one payload twice) is no answer: a block without its requests would be INVALID. */
static enum err read_requests(struct engine_built *out, struct json_object *list)
{
    struct engine_payload *p = &out->payload;
    struct strings s = {.item = p->request};
    TRY(measure(&s, list, LIMIT_ENGINE_REQUESTS, LIMIT_BODY_BYTES));
    uint8_t *all = realloc(out->memory, p->txs.n + s.total + 1);
    if (all == NULL) {
        return ERR_NO_MEMORY;
    }
    out->memory = all;
    p->txs.p = all;
    TRY(decode(&s, list, all + p->txs.n));
    p->requests = s.n;
    return engine_requests_ordered(p->request, p->requests) ? OK : ERR_INVALID_BLOCK;
}

static bool read_hash(struct json_object *o, const char *name, struct hash *out)
{
    return json_fixed(json_get(o, name), out->b, sizeof out->b);
}

static enum err read_fields(struct engine_payload *p, struct json_object *o)
{
    bool good =
        read_hash(o, "parentHash", &p->parent) && read_hash(o, "blockHash", &p->hash) &&
        read_hash(o, "stateRoot", &p->state_root) &&
        read_hash(o, "receiptsRoot", &p->receipts_root) &&
        read_hash(o, "prevRandao", &p->prev_randao) &&
        json_fixed(json_get(o, "feeRecipient"), p->fee_recipient.b, sizeof p->fee_recipient.b) &&
        json_fixed(json_get(o, "logsBloom"), p->logs_bloom, sizeof p->logs_bloom) &&
        json_u64(json_get(o, "blockNumber"), &p->number) &&
        json_u64(json_get(o, "gasLimit"), &p->gas_limit) &&
        json_u64(json_get(o, "gasUsed"), &p->gas_used) &&
        json_u64(json_get(o, "timestamp"), &p->timestamp) &&
        json_data(json_get(o, "extraData"), p->extra, sizeof p->extra, &p->extra_n) &&
        json_u256(json_get(o, "baseFeePerGas"), &p->base_fee);
    return good ? OK : ERR_MALFORMED;
}

/* What this chain's blocks never have. */
static enum err check_absent(struct json_object *o)
{
    struct json_object *withdrawals = json_get(o, "withdrawals");
    uint64_t used;
    uint64_t excess;
    if (!json_object_is_type(withdrawals, json_type_array) ||
        !json_u64(json_get(o, "blobGasUsed"), &used) ||
        !json_u64(json_get(o, "excessBlobGas"), &excess)) {
        return ERR_MALFORMED;
    }
    return json_list(withdrawals) > 0 || used != 0 || excess != 0 ? ERR_INVALID_BLOCK : OK;
}

enum err engine_get_built(struct engine_built *out, enum engine_fork fork,
                          struct json_object *result)
{
    struct json_object *o = json_get(result, "executionPayload");
    memset(out, 0, sizeof *out);
    TRY(read_fields(&out->payload, o));
    TRY(check_absent(o));
    enum err err = read_txs(out, json_get(o, "transactions"));
    if (err == OK && fork != ENGINE_CANCUN) {
        err = read_requests(out, json_get(result, "executionRequests"));
    }
    if (err != OK) {
        free(out->memory);
        out->memory = NULL;
    }
    return err;
}
