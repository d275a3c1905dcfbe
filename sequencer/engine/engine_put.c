#include "sequencer/engine/engine_json.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/rlp.h"

enum { NUMBER_TEXT = 24 };

const char *const engine_method[][ENGINE_METHODS] = {
    [ENGINE_CANCUN] = {"engine_forkchoiceUpdatedV3", "engine_getPayloadV3", "engine_newPayloadV3"},
    [ENGINE_PRAGUE] = {"engine_forkchoiceUpdatedV3", "engine_getPayloadV4", "engine_newPayloadV4"},
    [ENGINE_OSAKA] = {"engine_forkchoiceUpdatedV3", "engine_getPayloadV5", "engine_newPayloadV4"},
};

static void put_name(struct request *r, const char *name)
{
    request_raw(r, "\"");
    request_raw(r, name);
    request_raw(r, "\":");
}

static void put_hex(struct request *r, const char *name, const void *p, size_t n)
{
    put_name(r, name);
    request_raw(r, "\"");
    request_raw_hex(r, p, n);
    request_raw(r, "\"");
}

static void put_u64(struct request *r, const char *name, uint64_t v)
{
    char text[NUMBER_TEXT];
    snprintf(text, sizeof text, "\"0x%" PRIx64 "\"", v);
    put_name(r, name);
    request_raw(r, text);
}

static void put_u256(struct request *r, const char *name, const struct u256 *v)
{
    char text[U256_HEX_SIZE];
    u256_to_hex(text, v);
    put_name(r, name);
    request_raw(r, "\"");
    request_raw(r, text);
    request_raw(r, "\"");
}

static void put_hash(struct request *r, const char *name, const struct hash *h)
{
    put_hex(r, name, h->b, sizeof h->b);
}

/* Strings as a list of hex; the bytes were checked when they came. */
static void put_list(struct request *r, struct rlp_in in)
{
    struct bytes item;
    const char *between = "\"";
    request_raw(r, "[");
    while (!rlp_at_end(&in) && rlp_string(&in, &item) == OK) {
        request_raw(r, between);
        request_raw_hex(r, item.p, item.n);
        request_raw(r, "\"");
        between = ",\"";
    }
    request_raw(r, "]");
}

static void put_txs(struct request *r, struct bytes txs)
{
    struct rlp_in in = {txs.p, txs.n};
    struct rlp_in items = {0};
    put_name(r, "transactions");
    if (txs.n > 0 && rlp_list(&in, &items) != OK) {
        items = (struct rlp_in){0};
    }
    put_list(r, items);
}

void engine_put_capabilities(struct request *r, uint64_t id, enum engine_fork fork)
{
    request_begin(r, id);
    request_call(r, "engine_exchangeCapabilities");
    request_text(r, "[");
    for (int i = 0; i < ENGINE_METHODS; i++) {
        request_raw(r, i == 0 ? "\"" : ",\"");
        request_raw(r, engine_method[fork][i]);
        request_raw(r, "\"");
    }
    request_raw(r, "]");
    request_end(r);
}

static void put_heads(struct request *r, const struct engine_heads *h)
{
    request_text(r, "{");
    put_hash(r, "headBlockHash", &h->head);
    request_raw(r, ",");
    put_hash(r, "safeBlockHash", &h->safe);
    request_raw(r, ",");
    put_hash(r, "finalizedBlockHash", &h->finalized);
    request_raw(r, "}");
}

static void put_attributes(struct request *r, const struct engine_attributes *a)
{
    static const struct hash no_root;
    request_text(r, "{");
    put_u64(r, "timestamp", a->timestamp);
    request_raw(r, ",");
    put_hash(r, "prevRandao", &a->prev_randao);
    request_raw(r, ",");
    put_hex(r, "suggestedFeeRecipient", a->fee_recipient.b, sizeof a->fee_recipient.b);
    request_raw(r, ",\"withdrawals\":[],");
    put_hash(r, "parentBeaconBlockRoot", &no_root);
    if (a->given) {
        request_raw(r, ",\"noTxPool\":true,");
        put_txs(r, a->txs);
    }
    request_raw(r, "}");
}

void engine_put_forkchoice(struct request *r, uint64_t id, const struct engine_heads *h,
                           const struct engine_attributes *a)
{
    request_begin(r, id);
    request_call(r, "engine_forkchoiceUpdatedV3"); /* of every fork so far */
    put_heads(r, h);
    if (a == NULL) {
        request_text(r, "null");
    } else {
        put_attributes(r, a);
    }
    request_end(r);
}

void engine_put_get(struct request *r, uint64_t id, enum engine_fork fork,
                    const struct engine_id *payload)
{
    request_begin(r, id);
    request_call(r, engine_method[fork][ENGINE_GET]);
    request_hex(r, payload->b, sizeof payload->b);
    request_end(r);
}

static void put_payload(struct request *r, const struct engine_payload *p)
{
    request_text(r, "{");
    put_hash(r, "parentHash", &p->parent);
    request_raw(r, ",");
    put_hex(r, "feeRecipient", p->fee_recipient.b, sizeof p->fee_recipient.b);
    request_raw(r, ",");
    put_hash(r, "stateRoot", &p->state_root);
    request_raw(r, ",");
    put_hash(r, "receiptsRoot", &p->receipts_root);
    request_raw(r, ",");
    put_hex(r, "logsBloom", p->logs_bloom, sizeof p->logs_bloom);
    request_raw(r, ",");
    put_hash(r, "prevRandao", &p->prev_randao);
    request_raw(r, ",");
    put_u64(r, "blockNumber", p->number);
    request_raw(r, ",");
    put_u64(r, "gasLimit", p->gas_limit);
    request_raw(r, ",");
    put_u64(r, "gasUsed", p->gas_used);
    request_raw(r, ",");
    put_u64(r, "timestamp", p->timestamp);
    request_raw(r, ",");
    put_hex(r, "extraData", p->extra, p->extra_n);
    request_raw(r, ",");
    put_u256(r, "baseFeePerGas", &p->base_fee);
    request_raw(r, ",");
    put_hash(r, "blockHash", &p->hash);
    request_raw(r, ",\"withdrawals\":[],\"blobGasUsed\":\"0x0\",\"excessBlobGas\":\"0x0\",");
    put_txs(r, p->txs);
    request_raw(r, "}");
}

void engine_put_new(struct request *r, uint64_t id, enum engine_fork fork,
                    const struct engine_payload *p)
{
    static const struct hash no_root;
    request_begin(r, id);
    request_call(r, engine_method[fork][ENGINE_NEW]);
    put_payload(r, p);
    request_text(r, "[]"); /* versioned hashes: no blobs */
    request_hex(r, no_root.b, sizeof no_root.b);
    if (fork != ENGINE_CANCUN) {
        request_text(r, "[");
        for (uint32_t i = 0; i < p->requests; i++) {
            request_raw(r, i == 0 ? "\"" : ",\"");
            request_raw_hex(r, p->request[i].p, p->request[i].n);
            request_raw(r, "\"");
        }
        request_raw(r, "]");
    }
    request_end(r);
}
