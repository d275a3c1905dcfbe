/* Bytes to JSON, layer by layer: payload, frames, channels, batches, blocks, transactions. */
#include <stdio.h>
#include <stdlib.h>

#include "proto/limits.h"
#include "sequencer/batcher/assembly.h"
#include "sequencer/batcher/batch.h"
#include "sequencer/batcher/blob.h"
#include "sequencer/cli/batch_text.h"
#include "sequencer/cli/doc.h"

enum { FRAME_HEAD = FRAME_OVERHEAD - 1, TX_DEPOSIT = 0x7e };

struct decode {
    const struct batch_chain *chain;
    struct json_object *frames;
    struct json_object *channels;
    struct json_object *ignored;
};

static struct json_object *hex_text(struct bytes b)
{
    char *text = malloc(HEX_SIZE(b.n));
    if (text == NULL) {
        return NULL;
    }
    hex_encode(text, b.p, b.n);
    struct json_object *o = json_object_new_string(text);
    free(text);
    return o;
}

static void ignore(struct decode *d, const char *what, size_t at, const char *reason)
{
    struct json_object *o = json_object_new_object();
    doc_put_text(o, "what", what);
    doc_put_u64(o, "at", at);
    doc_put_text(o, "reason", reason);
    json_object_array_add(d->ignored, o);
}

static void ignore_fault(struct decode *d, const char *what, size_t base, const struct fault *f)
{
    char reason[256];
    snprintf(reason, sizeof reason, "expected %s", f->wanted);
    ignore(d, what, base + f->at, reason);
}

/* ---- batches ------------------------------------------------------------------------------------ */

static void put_number(struct json_object *o, const struct batch_chain *c, uint64_t timestamp)
{
    if (c->block_time == 0 || timestamp < c->genesis_time) {
        doc_put(o, "number", NULL);
    } else {
        doc_put_u64(o, "number", (timestamp - c->genesis_time) / c->block_time);
    }
}

/* A verifier takes no block with such a transaction, and nothing behind it in the channel. */
static bool tx_allowed(struct bytes tx)
{
    return tx.n > 0 && tx.p[0] != TX_DEPOSIT &&
           (tx.p[0] > TX_TYPE_MAX || tx.p[0] <= TX_SET_CODE);
}

/* The transactions of the block; false where one of them spoils it. */
static bool put_txs(struct json_object *block, struct batch *b)
{
    struct json_object *txs = json_object_new_array();
    struct buffer tx;
    bool good = true;
    buffer_init(&tx, LIMIT_CHANNEL_BYTES);
    while (batch_next_tx(b, &tx)) {
        json_object_array_add(txs, hex_text(buffer_bytes(&tx)));
        good = good && tx_allowed(buffer_bytes(&tx));
        buffer_clear(&tx);
    }
    buffer_free(&tx);
    doc_put(block, "txs", txs);
    return good;
}

static struct json_object *block_json(struct decode *d, struct batch *b,
                                      const struct batch_block *from, bool *good)
{
    struct json_object *block = json_object_new_object();
    put_number(block, d->chain, from->timestamp);
    doc_put_u64(block, "timestamp", from->timestamp);
    doc_put_u64(block, "epoch", from->epoch);
    if (b->type == BATCH_SPAN) {
        doc_put(block, "epochStarts", json_object_new_boolean(from->epoch_starts));
    }
    *good = put_txs(block, b) && *good;
    return block;
}

static struct json_object *batch_json(struct decode *d, struct batch *b, bool *good)
{
    struct json_object *batch = json_object_new_object();
    struct json_object *blocks = json_object_new_array();
    size_t known = b->type == BATCH_SPAN ? (size_t)SPAN_CHECK_BYTES : sizeof b->parent.b;
    struct batch_block block;
    doc_put_text(batch, "type", b->type == BATCH_SPAN ? "span" : "singular");
    doc_put(batch, "parentHash", hex_text(bytes_of(b->parent.b, known)));
    doc_put(batch, "epochHash", hex_text(bytes_of(b->epoch_hash.b, known)));
    while (batch_next_block(b, &block)) {
        json_object_array_add(blocks, block_json(d, b, &block, good));
    }
    doc_put(batch, "blocks", blocks);
    return batch;
}

/* False: whatever follows in the channel is ignored. */
static bool add_batch(struct decode *d, struct json_object *batches, struct bytes in, size_t at)
{
    struct batch b;
    struct fault fault;
    bool good = true;
    if (batch_open(&b, d->chain, in, &fault) != OK) {
        ignore_fault(d, "batch", at, &fault);
        return false;
    }
    if (b.blocks + b.span.txs + b.singular_txs > LIMIT_BATCH_JSON) {
        ignore(d, "batch", at, "it is sound, but has more blocks and transactions than are printed");
        return true;
    }
    struct json_object *o = batch_json(d, &b, &good);
    if (!good) {
        json_object_put(o);
        ignore(d, "batch", at, "a transaction is empty, a deposit, or of an unknown type");
        return false;
    }
    json_object_array_add(batches, o);
    return true;
}

static void add_batches(struct decode *d, struct json_object *channel, struct bytes stream)
{
    struct json_object *batches = json_object_new_array();
    struct cursor c;
    struct bytes one;
    cursor_init(&c, stream);
    doc_put(channel, "batches", batches);
    while (batches_next(&c, &one)) {
        if (!add_batch(d, batches, one, (size_t)(one.p - stream.p))) {
            if (cursor_left(&c) > 0) {
                ignore(d, "batches", c.at, "they follow a batch that ends the channel");
            }
            return;
        }
    }
    if (c.fault.e != OK) {
        ignore_fault(d, "batches", 0, &c.fault);
    }
}

/* ---- channels and frames -------------------------------------------------------------------------- */

static struct json_object *new_channel(struct decode *d, const struct channel_id *id,
                                       const char *compression)
{
    struct json_object *channel = json_object_new_object();
    doc_put(channel, "id", hex_text(bytes_of(id->b, sizeof id->b)));
    doc_put_text(channel, "compression", compression);
    json_object_array_add(d->channels, channel);
    return channel;
}

static enum err add_channel(struct decode *d, const struct channel_id *id, struct bytes content)
{
    struct buffer stream;
    struct fault damage;
    buffer_init(&stream, (size_t)LIMIT_CHANNEL_BYTES + 1);
    enum err e = channel_expand(&stream, content, LIMIT_CHANNEL_BYTES, &damage);
    if (damage.e != OK) {
        ignore_fault(d, "channel", 0, &damage);
    }
    if (e != ERR_NO_MEMORY) {
        struct json_object *channel =
            new_channel(d, id, compression_name(compression_of(content)));
        add_batches(d, channel, buffer_bytes(&stream));
    }
    buffer_free(&stream);
    return e == ERR_NO_MEMORY ? e : OK;
}

static void add_frame(struct decode *d, const struct frame *f)
{
    struct json_object *o = json_object_new_object();
    doc_put(o, "channelId", hex_text(bytes_of(f->id.b, sizeof f->id.b)));
    doc_put_u64(o, "number", f->number);
    doc_put(o, "last", json_object_new_boolean(f->last));
    doc_put(o, "bytes", hex_text(f->data));
    json_object_array_add(d->frames, o);
}

static size_t place(const struct frame *f, struct bytes payload)
{
    return (size_t)(f->data.p - payload.p) - FRAME_HEAD;
}

static enum err assemble(struct decode *d, struct bytes payload, const struct frame *f, size_t n)
{
    struct assembly a;
    enum err e = OK;
    assembly_init(&a);
    for (size_t i = 0; i < n && e == OK; i++) {
        enum assembly_verdict v = assembly_push(&a, 0, &f[i]);
        if (v == ASSEMBLY_COMPLETE) {
            e = add_channel(d, &a.id, buffer_bytes(&a.data));
        } else if (v != ASSEMBLY_TAKEN) {
            ignore(d, "frame", place(&f[i], payload), assembly_verdict_text(v));
        }
    }
    if (a.open) {
        ignore(d, "channel", payload.n, "it is incomplete: no frame here is its last");
    }
    assembly_free(&a);
    return e;
}

/* Frames that the pruning left out: the others kept their order. */
static void note_pruned(struct decode *d, struct bytes payload, const struct frame *all, size_t n,
                        const struct frame *kept, size_t kept_n)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (k < kept_n && all[i].data.p == kept[k].data.p) {
            k++;
        } else {
            ignore(d, "frame", place(&all[i], payload),
                   "it continues no channel, or its channel is cut off by another's start");
        }
    }
}

static enum err add_payload(struct decode *d, struct bytes payload, struct fault *fault)
{
    size_t n = 0;
    TRY(payload_count(payload, &n, fault));
    struct frame *all = calloc(2 * n, sizeof *all);
    if (all == NULL) {
        return ERR_NO_MEMORY;
    }
    struct frame *kept = all + n;
    payload_split(payload, all, n);
    memcpy(kept, all, n * sizeof *all);
    for (size_t i = 0; i < n; i++) {
        add_frame(d, &all[i]);
    }
    size_t kept_n = frames_prune(kept, n);
    note_pruned(d, payload, all, n, kept, kept_n);
    enum err e = assemble(d, payload, kept, kept_n);
    free(all);
    return e;
}

/* ---- kinds -------------------------------------------------------------------------------------------- */

/* With a version byte before them; places count from the frames. */
static enum err add_frames(struct decode *d, struct bytes in, struct fault *fault)
{
    struct buffer payload;
    buffer_init(&payload, in.n + 1);
    buffer_put_byte(&payload, PAYLOAD_VERSION);
    buffer_put_bytes(&payload, in);
    enum err e = payload.bad != OK ? payload.bad : add_payload(d, buffer_bytes(&payload), fault);
    fault->at -= fault->at > 0 ? 1 : 0;
    buffer_free(&payload);
    return e;
}

static enum err add_blob(struct decode *d, struct bytes in, struct fault *fault)
{
    struct buffer payload;
    if (in.n != BLOB_BYTES) {
        *fault = (struct fault){ERR_MALFORMED, in.n, "131,072 bytes of a blob"};
        return ERR_MALFORMED;
    }
    buffer_init(&payload, 2 * BLOB_BYTES);
    enum err e = blob_decode(&payload, in.p, fault);
    if (e == OK) {
        e = add_payload(d, buffer_bytes(&payload), fault);
    }
    buffer_free(&payload);
    return e;
}

static enum err add_any(struct decode *d, enum batch_kind kind, struct bytes in,
                        struct fault *fault)
{
    struct channel_id id = channel_id_of(d->chain->chain_id, in);
    switch (kind) {
    case BATCH_KIND_PAYLOAD:
        return add_payload(d, in, fault);
    case BATCH_KIND_FRAMES:
        return add_frames(d, in, fault);
    case BATCH_KIND_CHANNEL:
        return add_channel(d, &id, in);
    case BATCH_KIND_BATCHES:
        add_batches(d, new_channel(d, &id, "none"), in);
        return OK;
    case BATCH_KIND_BLOB:
        return add_blob(d, in, fault);
    }
    return ERR_USAGE;
}

static struct json_object *chain_json(const struct batch_chain *c)
{
    struct json_object *chain = json_object_new_object();
    doc_put_u64(chain, "chainId", c->chain_id);
    doc_put_u64(chain, "genesisTime", c->genesis_time);
    doc_put_u64(chain, "blockTime", c->block_time);
    return chain;
}

enum err batch_to_json(struct json_object **out, const struct batch_chain *chain,
                       enum batch_kind kind, struct bytes in, struct fault *fault)
{
    struct decode d = {chain, json_object_new_array(), json_object_new_array(),
                       json_object_new_array()};
    struct json_object *o = json_object_new_object();
    doc_put(o, "chain", chain_json(chain));
    doc_put(o, "frames", d.frames);
    doc_put(o, "channels", d.channels);
    doc_put(o, "ignored", d.ignored);
    *fault = (struct fault){.e = OK};
    enum err e = add_any(&d, kind, in, fault);
    if (e != OK) {
        json_object_put(o);
        return e;
    }
    *out = o;
    return OK;
}
