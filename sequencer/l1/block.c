#include "sequencer/l1/block.h"

#include <stdlib.h>

#include "proto/keccak.h"
#include "proto/trie.h"
#include "sequencer/l1/header.h"
#include "sequencer/l1/tx_json.h"

enum { BLOB_HASH_VERSION = 1 };

/* Transactions and blobs in front of the one that is read. */
struct reading {
    struct block_read *b;
    const struct block_watch *watch;
    size_t raw_n;
    size_t versioned_n;
    uint32_t blobs;
};

static bool watched(const struct block_watch *w, struct json_object *o, struct address *to)
{
    if (!json_fixed(json_get(o, "to"), to->b, sizeof to->b)) {
        return false;
    }
    for (size_t i = 0; i < w->n; i++) {
        if (address_equal(&w->to[i], to)) {
            return true;
        }
    }
    return false;
}

static enum err read_raw(struct reading *r, struct json_object *o, struct bytes *raw)
{
    struct block_read *b = r->b;
    struct rlp_out out = {.p = b->raw + r->raw_n, .cap = b->room - r->raw_n};
    TRY(tx_json_raw(&out, o, b->scratch, b->room));
    *raw = bytes_of(out.p, out.n);
    r->raw_n += out.n;
    return OK;
}

static enum err read_versioned(struct reading *r, struct json_object *o, struct l1_tx *tx)
{
    struct json_object *list = json_get(o, "blobVersionedHashes");
    tx->versioned = r->b->versioned + r->versioned_n;
    tx->blobs = (uint32_t)json_list(list);
    for (size_t i = 0; i < tx->blobs; i++) {
        struct hash *h = &r->b->versioned[r->versioned_n++];
        if (!json_fixed(json_at(list, i), h->b, sizeof h->b) || h->b[0] != BLOB_HASH_VERSION) {
            return ERR_MALFORMED;
        }
    }
    return OK;
}

/* Type 4 and those not known here carry no batch; everything else to a watched address is kept. */
static enum err keep(struct reading *r, struct json_object *o, uint32_t index, struct bytes raw)
{
    struct block_read *b = r->b;
    struct l1_tx tx = {.index = index, .first_blob = r->blobs};
    if (!tx_json_type(o, &tx.type) || tx.type > TX_JSON_BLOB || !watched(r->watch, o, &tx.to)) {
        return OK;
    }
    struct rlp_out work = {.p = b->work, .cap = b->room};
    TRY(tx_json_sender(&tx.from, o, &work, b->scratch, b->room));
    TRY(tx_json_input(&tx.input, raw, tx.type));
    if (tx.type == TX_JSON_BLOB) {
        TRY(read_versioned(r, o, &tx));
    }
    tx.hash = keccak256(raw.p, raw.n);
    b->tx[b->block.n++] = tx;
    return OK;
}

static enum err read_txs(struct reading *r, struct json_object *list)
{
    struct l1_block *block = &r->b->block;
    block->txs = (uint32_t)json_list(list);
    for (uint32_t i = 0; i < block->txs; i++) {
        struct json_object *o = json_at(list, i);
        TRY(read_raw(r, o, &r->b->item[i]));
        TRY(keep(r, o, i, r->b->item[i]));
        r->blobs += (uint32_t)json_list(json_get(o, "blobVersionedHashes"));
    }
    return OK;
}

/* The root that anvil makes: over blob transactions with their sidecars. */
static bool wrapped_root(struct reading *r, struct json_object *list)
{
    struct block_read *b = r->b;
    bool any = false;
    for (uint32_t i = 0; i < b->block.txs; i++) {
        struct rlp_out out = {.p = b->raw + r->raw_n, .cap = b->room - r->raw_n};
        if (tx_json_wrapped(&out, json_at(list, i), b->item[i], b->scratch, b->room)) {
            b->item[i] = bytes_of(out.p, out.n);
            r->raw_n += out.n;
            any = true;
        }
    }
    struct hash root = trie_list_root(b->item, any ? b->block.txs : 0);
    return any && hash_equal(&root, &b->block.header.tx_root);
}

static enum err allocate(struct block_read *b, size_t txs, size_t text_n)
{
    /* RLP is shorter than the JSON it came from, and a hash's JSON longer than the hash. */
    b->room = text_n + 1;
    b->raw = malloc(b->room);
    b->work = malloc(b->room);
    b->scratch = malloc(b->room);
    b->tx = calloc(txs + 1, sizeof *b->tx);
    b->item = calloc(txs + 1, sizeof *b->item);
    b->versioned = malloc(text_n / 2 + sizeof *b->versioned);
    bool all = b->raw != NULL && b->work != NULL && b->scratch != NULL && b->tx != NULL &&
               b->item != NULL && b->versioned != NULL;
    return all ? OK : ERR_NO_MEMORY;
}

enum err block_read(struct block_read *out, struct json_object *o, size_t text_n,
                    const struct block_watch *watch)
{
    *out = (struct block_read){0};
    struct json_object *list = json_get(o, "transactions");
    struct reading r = {.b = out, .watch = watch};
    TRY(header_read(&out->block.header, o));
    if (!json_object_is_type(list, json_type_array)) {
        return ERR_MALFORMED;
    }
    TRY(allocate(out, json_list(list), text_n));
    TRY(read_txs(&r, list));
    out->block.tx = out->tx;
    struct hash root = trie_list_root(out->item, out->block.txs);
    bool whole = hash_equal(&root, &out->block.header.tx_root) || wrapped_root(&r, list);
    return whole ? OK : ERR_INVALID_BLOCK;
}

void block_release(struct block_read *b)
{
    free(b->raw);
    free(b->work);
    free(b->scratch);
    free(b->tx);
    free(b->item);
    free(b->versioned);
    *b = (struct block_read){0};
}
