#include "sequencer/l1/tx_json.h"

#include "proto/keccak.h"
#include "proto/key.h"

enum { V_PLAIN = 27, V_REPLAY_PROTECTED = 35, TYPES = 5, ADDRESS = 20, WORD = 32 };

/* Where bytes are decoded on their way into RLP. */
struct room {
    uint8_t *p;
    size_t n;
};

static bool put_number(struct rlp_out *out, struct json_object *o, const char *key)
{
    struct u256 v;
    if (!json_u256(json_get(o, key), &v)) {
        return false;
    }
    rlp_put_u256(out, &v);
    return true;
}

static bool put_fixed(struct rlp_out *out, struct json_object *v, size_t n)
{
    uint8_t bytes[WORD];
    if (!json_fixed(v, bytes, n)) {
        return false;
    }
    rlp_put_string(out, bytes, n);
    return true;
}

static bool put_words(struct rlp_out *out, struct json_object *list)
{
    size_t mark = rlp_list_begin(out);
    for (size_t i = 0; i < json_list(list); i++) {
        if (!put_fixed(out, json_at(list, i), WORD)) {
            return false;
        }
    }
    rlp_list_end(out, mark);
    return true;
}

static bool put_access_list(struct rlp_out *out, struct json_object *o)
{
    struct json_object *list = json_get(o, "accessList");
    size_t mark = rlp_list_begin(out);
    for (size_t i = 0; i < json_list(list); i++) {
        struct json_object *entry = json_at(list, i);
        size_t inner = rlp_list_begin(out);
        if (!put_fixed(out, json_get(entry, "address"), ADDRESS) ||
            !put_words(out, json_get(entry, "storageKeys"))) {
            return false;
        }
        rlp_list_end(out, inner);
    }
    rlp_list_end(out, mark);
    return true;
}

static bool put_authorizations(struct rlp_out *out, struct json_object *o)
{
    struct json_object *list = json_get(o, "authorizationList");
    size_t mark = rlp_list_begin(out);
    for (size_t i = 0; i < json_list(list); i++) {
        struct json_object *entry = json_at(list, i);
        size_t inner = rlp_list_begin(out);
        if (!put_number(out, entry, "chainId") ||
            !put_fixed(out, json_get(entry, "address"), ADDRESS) ||
            !put_number(out, entry, "nonce") || !put_number(out, entry, "yParity") ||
            !put_number(out, entry, "r") || !put_number(out, entry, "s")) {
            return false;
        }
        rlp_list_end(out, inner);
    }
    rlp_list_end(out, mark);
    return true;
}

static bool put_to(struct rlp_out *out, struct json_object *o)
{
    struct json_object *to = json_get(o, "to");
    if (to == NULL) {
        rlp_put_string(out, "", 0);
        return true;
    }
    return put_fixed(out, to, ADDRESS);
}

static bool put_input(struct rlp_out *out, struct json_object *o, struct room room)
{
    struct json_object *input = json_get(o, "input");
    size_t n;
    if (!json_data(input != NULL ? input : json_get(o, "data"), room.p, room.n, &n)) {
        return false;
    }
    rlp_put_string(out, room.p, n);
    return true;
}

static bool put_fees(struct rlp_out *out, struct json_object *o, uint8_t type)
{
    return type <= TX_JSON_LIST ? put_number(out, o, "gasPrice")
                                : put_number(out, o, "maxPriorityFeePerGas") &&
                                      put_number(out, o, "maxFeePerGas");
}

/* What comes after the access list. */
static bool put_rest(struct rlp_out *out, struct json_object *o, uint8_t type)
{
    if (type == TX_JSON_BLOB) {
        return put_number(out, o, "maxFeePerBlobGas") &&
               put_words(out, json_get(o, "blobVersionedHashes"));
    }
    return type != TX_JSON_CODE || put_authorizations(out, o);
}

/* Everything that is signed, without the list around it. */
static bool put_signed(struct rlp_out *out, struct json_object *o, uint8_t type, struct room room)
{
    return (type == TX_JSON_LEGACY || put_number(out, o, "chainId")) &&
           put_number(out, o, "nonce") && put_fees(out, o, type) && put_number(out, o, "gas") &&
           put_to(out, o) && put_number(out, o, "value") && put_input(out, o, room) &&
           (type == TX_JSON_LEGACY || put_access_list(out, o)) && put_rest(out, o, type);
}

static bool read_v(uint64_t *v, struct json_object *o, uint8_t type)
{
    if (type != TX_JSON_LEGACY && json_u64(json_get(o, "yParity"), v)) {
        return true;
    }
    return json_u64(json_get(o, "v"), v);
}

bool tx_json_type(struct json_object *o, uint8_t *type)
{
    uint64_t t = TX_JSON_LEGACY;
    struct json_object *v = json_get(o, "type");
    if (v != NULL && !json_u64(v, &t)) {
        return false;
    }
    *type = (uint8_t)t;
    return t < TYPES;
}

static size_t open_tx(struct rlp_out *out, uint8_t type)
{
    if (type != TX_JSON_LEGACY) {
        rlp_put_raw(out, &type, 1);
    }
    return rlp_list_begin(out);
}

enum err tx_json_raw(struct rlp_out *out, struct json_object *o, uint8_t *scratch, size_t scratch_n)
{
    uint8_t type;
    uint64_t v;
    struct room room = {scratch, scratch_n};
    if (!tx_json_type(o, &type)) {
        return ERR_MALFORMED;
    }
    size_t mark = open_tx(out, type);
    if (!put_signed(out, o, type, room) || !read_v(&v, o, type)) {
        return ERR_MALFORMED;
    }
    rlp_put_u64(out, v);
    if (!put_number(out, o, "r") || !put_number(out, o, "s")) {
        return ERR_MALFORMED;
    }
    rlp_list_end(out, mark);
    return rlp_finish(out);
}

static bool put_strings(struct rlp_out *out, struct json_object *list, struct room room)
{
    size_t mark = rlp_list_begin(out);
    for (size_t i = 0; i < json_list(list); i++) {
        size_t n;
        if (!json_data(json_at(list, i), room.p, room.n, &n)) {
            return false;
        }
        rlp_put_string(out, room.p, n);
    }
    rlp_list_end(out, mark);
    return true;
}

/* EIP-4844's wrapper, or that of EIP-7594, which has a version and more proofs than blobs. */
bool tx_json_wrapped(struct rlp_out *out, struct json_object *o, struct bytes bare,
                     uint8_t *scratch, size_t scratch_n)
{
    struct json_object *blobs = json_get(o, "blobs");
    struct json_object *proofs = json_get(o, "proofs");
    struct json_object *cells = json_get(o, "cellProofs");
    struct room room = {scratch, scratch_n};
    bool cell = cells != NULL || json_list(proofs) > json_list(blobs);
    if (json_list(blobs) == 0 || bare.n == 0 || bare.p[0] != TX_JSON_BLOB) {
        return false;
    }
    size_t mark = open_tx(out, TX_JSON_BLOB);
    rlp_put_raw(out, bare.p + 1, bare.n - 1);
    if (cell) {
        rlp_put_u64(out, 1);
    }
    if (!put_strings(out, blobs, room) || !put_strings(out, json_get(o, "commitments"), room) ||
        !put_strings(out, cells != NULL ? cells : proofs, room)) {
        return false;
    }
    rlp_list_end(out, mark);
    return rlp_finish(out) == OK;
}

static enum err read_signature(struct signature *out, uint64_t *v, struct json_object *o,
                               uint8_t type)
{
    struct u256 r;
    struct u256 s;
    if (!read_v(v, o, type) || !json_u256(json_get(o, "r"), &r) ||
        !json_u256(json_get(o, "s"), &s)) {
        return ERR_MALFORMED;
    }
    u256_to_be(out->b, &r);
    u256_to_be(out->b + WORD, &s);
    uint64_t parity = *v;
    if (type == TX_JSON_LEGACY) {
        parity = *v >= V_REPLAY_PROTECTED ? (*v - V_REPLAY_PROTECTED) % 2 : *v - V_PLAIN;
    }
    out->b[2 * WORD] = (uint8_t)(V_PLAIN + (parity & 1));
    return parity <= 1 ? OK : ERR_BAD_SIGNATURE;
}

enum err tx_json_sender(struct address *sender, struct json_object *o, struct rlp_out *out,
                        uint8_t *scratch, size_t scratch_n)
{
    uint8_t type;
    uint64_t v;
    struct signature signature;
    if (!tx_json_type(o, &type)) {
        return ERR_MALFORMED;
    }
    TRY(read_signature(&signature, &v, o, type));
    out->n = 0;
    size_t mark = open_tx(out, type);
    if (!put_signed(out, o, type, (struct room){scratch, scratch_n})) {
        return ERR_MALFORMED;
    }
    if (type == TX_JSON_LEGACY && v >= V_REPLAY_PROTECTED) {
        rlp_put_u64(out, (v - V_REPLAY_PROTECTED) / 2);
        rlp_put_u64(out, 0);
        rlp_put_u64(out, 0);
    }
    rlp_list_end(out, mark);
    TRY(rlp_finish(out));
    struct hash digest = keccak256(out->p, out->n);
    return key_recover(sender, &signature, &digest);
}

enum err tx_json_input(struct bytes *input, struct bytes raw, uint8_t type)
{
    static const unsigned before[TYPES] = {5, 6, 7, 7, 7};
    size_t skip = type == TX_JSON_LEGACY ? 0 : 1;
    struct rlp_in in = {raw.p + skip, raw.n - skip};
    struct rlp_in list;
    struct bytes passed;
    TRY(rlp_list(&in, &list));
    for (unsigned i = 0; i < before[type]; i++) {
        TRY(rlp_item(&list, &passed));
    }
    return rlp_string(&list, input);
}
