#include "sequencer/cli/verify.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/keccak.h"
#include "proto/rlp.h"
#include "proto/vote.h"
#include "sequencer/cli/doc.h"
#include "sequencer/cli/trie_verify.h"

enum { PAYLOAD_MAX = 1024, NODE_MAX = 640, ROOT_FIELD = 4 };

static enum err say(enum err e, char *why, size_t why_len, const char *sentence)
{
    snprintf(why, why_len, "%s", sentence);
    return e;
}

static bool read_hex(const struct json_object *o, const char *key, uint8_t *out, size_t n)
{
    return hex_decode(out, n, doc_text(o, key, ""));
}

static bool read_header(struct header *out, const char *text)
{
    uint8_t raw[HEADER_BYTES];
    return text != NULL && hex_decode(raw, sizeof raw, text) &&
           header_decode(out, bytes_of(raw, sizeof raw)) == OK;
}

static bool read_signers(struct certificate *out, struct json_object *document)
{
    struct json_object *signers = doc_member(document, "signers");
    struct json_object *signatures = doc_member(document, "signatures");
    size_t n = doc_length(signers);
    int last = -1;
    if (n == 0 || n > LIMIT_MEMBERS || doc_length(signatures) != n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t member = LIMIT_MEMBERS;
        const char *text = json_object_get_string(json_object_array_get_idx(signatures, i));
        if (!doc_quantity(json_object_array_get_idx(signers, i), &member) ||
            member >= LIMIT_MEMBERS || (int)member <= last || text == NULL ||
            !hex_decode(out->signature[i].b, 65, text)) {
            return false;
        }
        last = (int)member;
        out->signers |= 1u << member;
    }
    return true;
}

static enum err walk_path(struct header *at, const struct epoch_config *c, struct json_object *path,
                          char *why, size_t why_len)
{
    for (size_t i = 0; i < doc_length(path); i++) {
        struct header below;
        if (!read_header(&below, json_object_get_string(json_object_array_get_idx(path, i)))) {
            return say(ERR_MALFORMED, why, why_len, "path: expected raw headers");
        }
        struct hash hash = header_hash(&below);
        if (!hash_equal(&hash, &at->parent)) {
            return say(ERR_BAD_CERTIFICATE, why, why_len,
                       "path: a header is not its child's parent");
        }
        *at = below;
    }
    if (at->chain_id != c->chain_id || !hash_equal(&at->genesis, &c->genesis)) {
        return say(ERR_WRONG_CHAIN, why, why_len, "the block belongs to another chain");
    }
    return OK;
}

enum err verify_certificate(struct header *target, const struct epoch_config *c,
                            struct json_object *document, char *why, size_t why_len)
{
    struct certificate cert = {0};
    struct hash config;
    cert.kind = (uint8_t)doc_u64(document, "kind", 0);
    cert.epoch = doc_u64(document, "epoch", UINT64_MAX);
    cert.slot = doc_u64(document, "slot", 0);
    if (cert.kind != VOTE_FINALIZE || !read_hex(document, "block", cert.block.b, 32) ||
        !read_hex(document, "config", config.b, 32) || !read_signers(&cert, document) ||
        !read_header(target, doc_text(doc_member(document, "header"), "raw", NULL))) {
        return say(ERR_MALFORMED, why, why_len, "this is no document of baton_getCertificate");
    }
    if (cert.epoch != c->epoch || !hash_equal(&config, &c->hash)) {
        return say(ERR_WRONG_CHAIN, why, why_len,
                   "the certificate belongs to another genesis or epoch than this genesis");
    }
    struct hash hash = header_hash(target);
    if (!hash_equal(&hash, &cert.block) || target->slot != cert.slot) {
        return say(ERR_BAD_CERTIFICATE, why, why_len, "the header is not that of the signed block");
    }
    if (certificate_verify(c, &cert) != OK) {
        return say(ERR_BAD_CERTIFICATE, why, why_len,
                   "no quorum of members signed this block: a signature is wrong or missing");
    }
    return walk_path(target, c, doc_member(document, "path"), why, why_len);
}

/* Field 4 of an Ethereum header: transactionsRoot. */
static bool transactions_root(struct hash *out, struct bytes payload)
{
    struct rlp_in in = {payload.p, payload.n};
    struct rlp_in list;
    struct bytes skipped;
    if (rlp_list(&in, &list) != OK) {
        return false;
    }
    for (int i = 0; i < ROOT_FIELD; i++) {
        if (rlp_item(&list, &skipped) != OK) {
            return false;
        }
    }
    return rlp_fixed(&list, out->b, sizeof out->b) == OK;
}

struct inclusion {
    struct hash root;
    uint8_t tx[LIMIT_TX_BYTES];
    size_t tx_n;
    uint8_t key[9];
    size_t key_n;
    uint8_t node[TRIE_DEPTH_MAX][NODE_MAX];
    struct bytes nodes[TRIE_DEPTH_MAX];
    size_t n;
    uint8_t last[LIMIT_TX_BYTES + NODE_MAX]; /* a leaf holds the transaction */
};

static bool decode_text(uint8_t *out, size_t max, size_t *n, const char *text)
{
    return text != NULL && hex_decode_upto(out, max, n, text, strlen(text));
}

static bool read_nodes(struct inclusion *in, struct json_object *proof)
{
    in->n = doc_length(proof);
    if (in->n == 0 || in->n > TRIE_DEPTH_MAX) {
        return false;
    }
    for (size_t i = 0; i < in->n; i++) {
        bool last = i + 1 == in->n;
        uint8_t *to = last ? in->last : in->node[i];
        size_t n = 0;
        if (!decode_text(to, last ? sizeof in->last : NODE_MAX, &n,
                         json_object_get_string(json_object_array_get_idx(proof, i)))) {
            return false;
        }
        in->nodes[i] = bytes_of(to, n);
    }
    return true;
}

static bool read_inclusion(struct inclusion *in, struct json_object *document)
{
    struct rlp_out key = {.p = in->key, .cap = sizeof in->key};
    rlp_put_u64(&key, doc_u64(document, "transactionIndex", UINT64_MAX));
    in->key_n = key.n;
    return rlp_finish(&key) == OK &&
           decode_text(in->tx, sizeof in->tx, &in->tx_n, doc_text(document, "transaction", NULL)) &&
           read_nodes(in, doc_member(document, "proof"));
}

static enum err check_inclusion(struct inclusion *in, const struct header *target,
                                struct json_object *document, char *why, size_t why_len)
{
    uint8_t payload[PAYLOAD_MAX];
    size_t n = 0;
    struct hash hash;
    if (!read_inclusion(in, document) || !read_hex(document, "transactionHash", hash.b, 32) ||
        !decode_text(payload, sizeof payload, &n, doc_text(document, "payloadHeader", NULL))) {
        return say(ERR_MALFORMED, why, why_len, "this is no document of baton_getReceiptProof");
    }
    struct hash tx = keccak256(in->tx, in->tx_n);
    struct hash block = keccak256(payload, n);
    if (!hash_equal(&tx, &hash)) {
        return say(ERR_BAD_CERTIFICATE, why, why_len, "the transaction has another hash");
    }
    if (!hash_equal(&block, &target->payload) ||
        !transactions_root(&in->root, bytes_of(payload, n))) {
        return say(ERR_BAD_CERTIFICATE, why, why_len,
                   "the certified block carries another payload than this one");
    }
    if (trie_verify(&in->root, bytes_of(in->key, in->key_n), bytes_of(in->tx, in->tx_n), in->nodes,
                    in->n) != OK) {
        return say(ERR_BAD_CERTIFICATE, why, why_len, "the proof does not lead to the transaction");
    }
    return OK;
}

enum err verify_receipt(struct header *target, const struct epoch_config *c,
                        struct json_object *document, char *why, size_t why_len)
{
    TRY(verify_certificate(target, c, doc_member(document, "certificate"), why, why_len));
    struct inclusion *in = calloc(1, sizeof *in);
    if (in == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err e = check_inclusion(in, target, document, why, why_len);
    free(in);
    return e;
}
