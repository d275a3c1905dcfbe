/* What proves a block or a transaction to somebody who trusts nobody: certificates with the header
 * path, and inclusion proofs (INTERFACE 2). */
#define _GNU_SOURCE
#include <json-c/json.h>
#include <stdlib.h>

#include "proto/body.h"
#include "sequencer/node/json_put.h"
#include "sequencer/node/parts.h"

static struct json_object *raw_header(const struct header *h)
{
    uint8_t raw[HEADER_BYTES];
    header_encode(raw, h);
    return json_hex(raw, sizeof raw);
}

static struct json_object *header_doc(const struct header *h)
{
    struct json_object *o = json_object_new_object();
    json_put_u64(o, "chainId", h->chain_id);
    json_object_object_add(o, "genesis", json_hash(&h->genesis));
    json_put_u64(o, "epoch", h->epoch);
    json_object_object_add(o, "config", json_hash(&h->config));
    json_put_u64(o, "slot", h->slot);
    json_put_u64(o, "attempt", h->attempt);
    json_put_u64(o, "flags", h->flags);
    json_put_u64(o, "parentSlot", h->parent_slot);
    json_object_object_add(o, "parent", json_hash(&h->parent));
    json_put_u64(o, "height", h->height);
    json_put_u64(o, "timestampMs", h->timestamp_ms);
    json_put_u64(o, "leader", h->leader);
    json_object_object_add(o, "payload", json_hash(&h->payload));
    json_object_object_add(o, "payloadParent", json_hash(&h->payload_parent));
    json_object_object_add(o, "stateRoot", json_hash(&h->state_root));
    json_object_object_add(o, "bodyRoot", json_hash(&h->body_root));
    json_put_u64(o, "bodyLength", h->body_len);
    json_object_object_add(o, "systemRoot", json_hash(&h->system_root));
    json_object_object_add(o, "raw", raw_header(h));
    return o;
}

static void put_signers(struct json_object *o, const struct certificate *c)
{
    struct json_object *signers = json_object_new_array();
    struct json_object *signatures = json_object_new_array();
    uint32_t k = 0;
    for (int i = 0; i < LIMIT_MEMBERS; i++) {
        if ((c->signers & 1u << i) != 0) {
            json_object_array_add(signers, json_object_new_int(i));
            json_object_array_add(signatures,
                                  json_hex(c->signature[k].b, sizeof c->signature[k].b));
            k++;
        }
    }
    json_object_object_add(o, "signers", signers);
    json_object_object_add(o, "signatures", signatures);
}

/* Raw headers from the certified block's parent down to the block asked for. */
static bool put_path(struct node *n, struct json_object *o, struct header at, uint64_t slot)
{
    struct json_object *path = json_object_new_array();
    json_object_object_add(o, "path", path);
    for (int i = 0; at.slot > slot && i < LIMIT_UNFINAL_BLOCKS; i++) {
        struct block_entry *e = blocks_load(n, &at.parent);
        if (e == NULL) {
            return false;
        }
        at = e->head.header;
        json_object_array_add(path, raw_header(&at));
    }
    return at.slot == slot;
}

static bool find_certificate(struct node *n, uint64_t slot, struct certificate *out)
{
    if (storage_certificate(n->storage, n->epoch.epoch, slot, out) == OK) {
        return true;
    }
    *out = n->finality.cert; /* the disk may lag behind by a write */
    return out->slot >= slot && out->slot != 0;
}

struct json_object *documents_certificate(struct node *n, uint64_t number)
{
    struct hash hash;
    struct certificate cert;
    if (view_hash_at(n, number, &hash) != OK) {
        return NULL;
    }
    struct block_entry *e = blocks_load(n, &hash);
    uint64_t slot = e == NULL ? 0 : e->head.header.slot;
    if (e == NULL || !find_certificate(n, slot, &cert)) {
        return NULL;
    }
    struct block_entry *top = blocks_load(n, &cert.block);
    if (top == NULL) {
        return NULL;
    }
    struct json_object *o = json_object_new_object();
    json_put_u64(o, "epoch", cert.epoch);
    json_put_u64(o, "slot", cert.slot);
    json_put_u64(o, "kind", cert.kind);
    json_object_object_add(o, "block", json_hash(&cert.block));
    json_object_object_add(o, "config", json_hash(&n->epoch.hash));
    json_object_object_add(o, "verifyingContract", json_address(&n->epoch.registry));
    json_object_object_add(o, "header", header_doc(&top->head.header));
    put_signers(o, &cert);
    if (!put_path(n, o, top->head.header, slot)) {
        json_object_put(o);
        return NULL;
    }
    return o;
}

/* RLP nodes, each after its 4-byte length. */
static struct json_object *proof_nodes(const uint8_t *proof, size_t len)
{
    struct json_object *list = json_object_new_array();
    for (size_t at = 0; at + 4 <= len;) {
        size_t n = load_be32(proof + at);
        at += 4;
        if (n > len - at) {
            break;
        }
        json_object_array_add(list, json_hex(proof + at, n));
        at += n;
    }
    return list;
}

static struct json_object *inclusion_proof(struct bytes body, uint32_t index,
                                           struct json_object **raw)
{
    uint32_t count = 0;
    uint8_t *proof = NULL;
    size_t len = 0;
    struct json_object *nodes = NULL;
    if (body_count(body, &count) != OK || index >= count) {
        return NULL;
    }
    struct bytes *tx = calloc(count, sizeof *tx);
    if (tx != NULL) {
        body_split(body, tx, count);
        *raw = json_hex(tx[index].p, tx[index].n);
        nodes =
            trie_list_proof(tx, count, index, &proof, &len) == OK ? proof_nodes(proof, len) : NULL;
    }
    free(proof);
    free(tx);
    return nodes;
}

struct json_object *documents_receipt_proof(struct node *n, const struct hash *tx)
{
    uint64_t number = 0;
    uint32_t index = 0;
    struct rpc_block b;
    bool own = n->genesis.execution == EXECUTION_LEDGER; /* a client's header is not all here */
    if (!own || !view_ready(n) || !view_find_tx(n, tx, &number, &index) ||
        chain_backend.block_by_number(n, number, &b) != OK) {
        return NULL;
    }
    struct block_entry *e = view_by_payload(n, &b.hash);
    struct json_object *raw = NULL;
    struct json_object *nodes = e == NULL ? NULL : inclusion_proof(b.body, index, &raw);
    struct json_object *cert = nodes == NULL ? NULL : documents_certificate(n, number);
    if (cert == NULL) {
        json_object_put(nodes);
        json_object_put(raw);
        return NULL;
    }
    uint8_t header[PAYLOAD_HEADER_MAX_BYTES];
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "transactionHash", json_hash(tx));
    json_object_object_add(o, "transaction", raw);
    json_put_u64(o, "transactionIndex", index);
    json_put_u64(o, "blockNumber", number);
    json_object_object_add(o, "blockHash", json_hash(&b.hash));
    json_object_object_add(o, "payloadHeader",
                           json_hex(header, payload_header_encode(header, &e->info)));
    json_object_object_add(o, "proof", nodes);
    json_object_object_add(o, "header", header_doc(&e->head.header));
    json_object_object_add(o, "certificate", cert);
    return o;
}
