#include "tests/fuzz/l1_seal.h"

#include <stdlib.h>

#include "proto/keccak.h"
#include "proto/trie.h"
#include "sequencer/l1/tx_json.h"
#include "tests/fuzz/fuzz.h"

enum { WORD = 4096, FIELDS = 21, OPTIONAL = 15 };

/* n: bytes of what stands there in a block that does not say; 0: a number. */
static const struct field {
    const char *key;
    size_t n;
} fields[FIELDS] = {{"parentHash", 32},
                    {"sha3Uncles", 32},
                    {"miner", 20},
                    {"stateRoot", 32},
                    {"transactionsRoot", 32},
                    {"receiptsRoot", 32},
                    {"logsBloom", 256},
                    {"difficulty", 0},
                    {"number", 0},
                    {"gasLimit", 0},
                    {"gasUsed", 0},
                    {"timestamp", 0},
                    {"extraData", 1},
                    {"mixHash", 32},
                    {"nonce", 8},
                    {"baseFeePerGas", 0},
                    {"withdrawalsRoot", 32},
                    {"blobGasUsed", 0},
                    {"excessBlobGas", 0},
                    {"parentBeaconBlockRoot", 32},
                    {"requestsHash", 32}};

/* Zeros for fields that are not named: blocks of a few bytes. */
static void fill_up(struct json_object *o)
{
    static const uint8_t zeros[256];
    char text[HEX_SIZE(sizeof zeros)];
    for (size_t i = 0; i < OPTIONAL; i++) {
        struct json_object *v = NULL;
        if (!json_object_object_get_ex(o, fields[i].key, &v)) {
            hex_encode(text, zeros, fields[i].n);
            const char *value = fields[i].n == 0 ? "0x0" : text;
            DEMAND(json_object_object_add(o, fields[i].key, json_object_new_string(value)) == 0);
        }
    }
}

static void set_hash(struct json_object *o, const char *key, const struct hash *h)
{
    char text[HEX_SIZE(sizeof h->b)];
    hex_encode(text, h->b, sizeof h->b);
    DEMAND(json_object_object_add(o, key, json_object_new_string(text)) == 0);
}

static bool put_field(struct rlp_out *out, struct json_object *v, bool number)
{
    static uint8_t word[WORD];
    const char *text = json_text(v);
    size_t n = 0;
    struct u256 value;
    if (text == NULL || strncmp(text, "0x", 2) != 0) {
        return false;
    }
    if (number) {
        if (!json_u256(v, &value)) {
            return false;
        }
        rlp_put_u256(out, &value);
        return true;
    }
    size_t len = strlen(text);
    if (len > 2 && !hex_decode_upto(word, sizeof word, &n, text, len)) {
        return false;
    }
    rlp_put_string(out, word, n);
    return true;
}

static bool seal_header(struct json_object *o)
{
    static uint8_t room[FIELDS * (WORD + 4)];
    struct rlp_out out = {.p = room, .cap = sizeof room};
    size_t mark = rlp_list_begin(&out);
    for (size_t i = 0; i < FIELDS; i++) {
        struct json_object *v = json_get(o, fields[i].key);
        if ((v != NULL || i < OPTIONAL) && !put_field(&out, v, fields[i].n == 0)) {
            return false;
        }
    }
    rlp_list_end(&out, mark);
    struct hash h = keccak256(room, out.n);
    set_hash(o, "hash", &h);
    return rlp_finish(&out) == OK;
}

/* As it stands in a block; `wrapped`: with its blobs, where they are shown. */
static bool put_tx(struct rlp_out *out, struct json_object *o, uint8_t *scratch, bool wrapped)
{
    struct rlp_out bare = *out;
    if (tx_json_raw(&bare, o, scratch, bare.cap) != OK) {
        return false;
    }
    struct rlp_out behind = {.p = out->p + bare.n, .cap = out->cap - bare.n};
    struct bytes raw = bytes_of(bare.p, bare.n);
    bool shown = wrapped && tx_json_wrapped(&behind, o, raw, scratch, behind.cap);
    *out = shown ? behind : bare;
    return true;
}

static bool seal_list(struct json_object *o, struct json_object *list, size_t room, bool wrapped)
{
    size_t n = json_list(list);
    struct bytes *item = calloc(n + 1, sizeof *item);
    uint8_t *raw = malloc(room);
    uint8_t *scratch = malloc(room);
    size_t used = 0;
    bool good = item != NULL && raw != NULL && scratch != NULL;
    for (size_t i = 0; good && i < n; i++) {
        struct rlp_out out = {.p = raw + used, .cap = room - used};
        good = put_tx(&out, json_at(list, i), scratch, wrapped);
        item[i] = bytes_of(out.p, out.n);
        used = (size_t)(out.p - raw) + out.n;
    }
    if (good) {
        struct hash root = trie_list_root(item, (uint32_t)n);
        set_hash(o, "transactionsRoot", &root);
    }
    free(item);
    free(raw);
    free(scratch);
    return good;
}

bool l1_seal(struct json_object *block, size_t text_n, enum l1_root root)
{
    struct json_object *list = json_get(block, "transactions");
    size_t room = 2 * text_n + 1;
    if (!json_object_is_type(block, json_type_object)) {
        return false;
    }
    fill_up(block);
    bool rooted = root >= L1_ROOT_KEPT || (json_object_is_type(list, json_type_array) &&
                                           seal_list(block, list, room, root == L1_ROOT_WRAPPED));
    return rooted && root != L1_HASH_KEPT && seal_header(block);
}
