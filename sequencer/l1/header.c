#include "sequencer/l1/header.h"

#include "proto/keccak.h"
#include "proto/rlp.h"

enum {
    BLOOM_BYTES = 256,
    EXTRA_MAX = 4096, /* 32 on mainnet; chains with authorities keep lists there */
    HEADER_MAX = EXTRA_MAX + BLOOM_BYTES + 1024
};

enum kind { FIXED, QUANTITY, EXTRA };

/* The header's fields in order (Yellow Paper 4.4; EIP-1559, 4895, 4844, 4788, 7685). Those of
 * later forks are there or not, but none without those before it. */
static const struct field {
    const char *key;
    enum kind kind;
    size_t n;
} fields[] = {
    {"parentHash", FIXED, 32},       {"sha3Uncles", FIXED, 32},
    {"miner", FIXED, 20},            {"stateRoot", FIXED, 32},
    {"transactionsRoot", FIXED, 32}, {"receiptsRoot", FIXED, 32},
    {"logsBloom", FIXED, 256},       {"difficulty", QUANTITY, 0},
    {"number", QUANTITY, 0},         {"gasLimit", QUANTITY, 0},
    {"gasUsed", QUANTITY, 0},        {"timestamp", QUANTITY, 0},
    {"extraData", EXTRA, 0},         {"mixHash", FIXED, 32},
    {"nonce", FIXED, 8},             {"baseFeePerGas", QUANTITY, 0},
    {"withdrawalsRoot", FIXED, 32},  {"blobGasUsed", QUANTITY, 0},
    {"excessBlobGas", QUANTITY, 0},  {"parentBeaconBlockRoot", FIXED, 32},
    {"requestsHash", FIXED, 32},
};
enum { FIELDS = sizeof fields / sizeof *fields, FIRST_OPTIONAL = 15 };

static bool put_field(struct rlp_out *rlp, const struct field *f, struct json_object *v)
{
    uint8_t bytes[EXTRA_MAX];
    struct u256 number;
    size_t n = f->n;
    if (f->kind == QUANTITY) {
        if (!json_u256(v, &number)) {
            return false;
        }
        rlp_put_u256(rlp, &number);
        return true;
    }
    if (f->kind == FIXED ? !json_fixed(v, bytes, n) : !json_data(v, bytes, sizeof bytes, &n)) {
        return false;
    }
    rlp_put_string(rlp, bytes, n);
    return true;
}

static enum err header_hash(struct hash *out, struct json_object *o)
{
    uint8_t encoded[HEADER_MAX];
    struct rlp_out rlp = {.p = encoded, .cap = sizeof encoded};
    size_t mark = rlp_list_begin(&rlp);
    for (size_t i = 0; i < FIELDS; i++) {
        struct json_object *v = json_get(o, fields[i].key);
        if (v == NULL && i >= FIRST_OPTIONAL) {
            continue;
        }
        if (!put_field(&rlp, &fields[i], v)) {
            return ERR_MALFORMED;
        }
    }
    rlp_list_end(&rlp, mark);
    TRY(rlp_finish(&rlp));
    *out = keccak256(encoded, rlp.n);
    return OK;
}

static bool read_fees(struct l1_header *h, struct json_object *o)
{
    struct json_object *base = json_get(o, "baseFeePerGas");
    struct json_object *excess = json_get(o, "excessBlobGas");
    if (base != NULL && !json_u256(base, &h->base_fee)) {
        return false;
    }
    h->has_blobs = excess != NULL;
    return !h->has_blobs || (json_u64(excess, &h->excess_blob_gas) &&
                             json_u64(json_get(o, "blobGasUsed"), &h->blob_gas_used));
}

enum err header_read(struct l1_header *out, struct json_object *o)
{
    struct hash real;
    *out = (struct l1_header){0};
    bool whole = json_fixed(json_get(o, "hash"), out->at.hash.b, sizeof out->at.hash.b) &&
                 json_u64(json_get(o, "number"), &out->at.number) &&
                 json_fixed(json_get(o, "parentHash"), out->parent.b, sizeof out->parent.b) &&
                 json_fixed(json_get(o, "transactionsRoot"), out->tx_root.b,
                            sizeof out->tx_root.b) &&
                 json_u64(json_get(o, "timestamp"), &out->time_s) &&
                 json_u64(json_get(o, "gasLimit"), &out->gas_limit) &&
                 json_u64(json_get(o, "gasUsed"), &out->gas_used) && read_fees(out, o);
    if (!whole) {
        return ERR_MALFORMED;
    }
    TRY(header_hash(&real, o));
    return hash_equal(&real, &out->at.hash) ? OK : ERR_INVALID_BLOCK;
}
