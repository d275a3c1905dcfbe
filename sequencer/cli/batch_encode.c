/* JSON to bytes: the documents of batch_decode.c, or ones that people wrote. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/limits.h"
#include "sequencer/batcher/batch.h"
#include "sequencer/batcher/blob.h"
#include "sequencer/cli/batch_text.h"
#include "sequencer/cli/doc.h"

struct encode {
    const struct batch_making *making;
    struct batch_chain chain;
    struct buffer scratch; /* of one block's transactions */
    char *why;
    size_t why_len;
};

static enum err say(struct encode *e, enum err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum err say(struct encode *e, enum err err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(e->why, e->why_len, format, args);
    va_end(args);
    return err;
}

/* Hex of any length, appended; false where it is none. */
static bool put_hex(struct buffer *out, struct json_object *value)
{
    if (!json_object_is_type(value, json_type_string)) {
        return false;
    }
    const char *text = json_object_get_string(value);
    size_t n = strlen(text);
    uint8_t *to = buffer_room(out, n / 2 + 1);
    if (to == NULL || !hex_decode_upto(to, n / 2, &n, text, n)) {
        return false;
    }
    out->n += n;
    return true;
}

/* The first bytes of a hash; absent is zero. */
static bool read_hash(struct hash *out, const struct json_object *o, const char *key)
{
    struct buffer raw;
    struct json_object *value = doc_member(o, key);
    *out = (struct hash){{0}};
    if (value == NULL) {
        return true;
    }
    buffer_init(&raw, 2 * sizeof out->b);
    bool good = put_hex(&raw, value) && (raw.n == SPAN_CHECK_BYTES || raw.n == sizeof out->b);
    if (good) {
        memcpy(out->b, raw.p, raw.n);
    }
    buffer_free(&raw);
    return good;
}

static bool read_id(struct channel_id *out, const char *text)
{
    return text != NULL && hex_decode(out->b, sizeof out->b, text);
}

/* ---- batches ---------------------------------------------------------------------------------------- */

struct reading {
    struct encode *e;
    size_t channel;
    size_t batch;
    struct json_object *o; /* the batch */
};

static enum err refuse(const struct reading *r, enum err err, const char *what, size_t block,
                       size_t tx)
{
    return say(r->e, err, "channels[%zu].batches[%zu].blocks[%zu].txs[%zu]: %s (%s)", r->channel,
               r->batch, block, tx, what, err_text(err));
}

static enum err refuse_block(const struct reading *r, enum err err, size_t block, const char *what)
{
    return say(r->e, err, "channels[%zu].batches[%zu].blocks[%zu]: %s", r->channel, r->batch, block,
               what);
}

/* Number and timestamp say the same; the timestamp counts. */
static bool read_time(uint64_t *out, const struct batch_chain *c, const struct json_object *block)
{
    uint64_t number = 0;
    if (doc_quantity(doc_member(block, "timestamp"), out)) {
        return true;
    }
    if (c->block_time == 0 || !doc_quantity(doc_member(block, "number"), &number) ||
        number > (UINT64_MAX - c->genesis_time) / c->block_time) {
        return false;
    }
    *out = c->genesis_time + number * c->block_time;
    return true;
}

static enum err read_block(const struct reading *r, struct json_object *block, size_t i,
                           const struct batch_block *before, struct batch_block *out)
{
    *out = (struct batch_block){.txs = doc_length(doc_member(block, "txs"))};
    if (!read_time(&out->timestamp, &r->e->chain, block)) {
        return refuse_block(r, ERR_MALFORMED, i, "expected a timestamp in seconds, or a number");
    }
    out->epoch = doc_u64(block, "epoch", before != NULL ? before->epoch : 0);
    bool moved = before != NULL && out->epoch != before->epoch;
    out->epoch_starts = doc_truth(block, "epochStarts", moved);
    return OK;
}

static enum err put_span_txs(const struct reading *r, struct span_writer *w, struct json_object *txs,
                             size_t block)
{
    for (size_t i = 0; i < doc_length(txs); i++) {
        buffer_clear(&r->e->scratch);
        if (!put_hex(&r->e->scratch, json_object_array_get_idx(txs, i))) {
            return refuse(r, ERR_MALFORMED, "expected hex", block, i);
        }
        enum err err = span_writer_tx(w, buffer_bytes(&r->e->scratch));
        if (err != OK) {
            return refuse(r, err,
                          err == ERR_WRONG_CHAIN
                              ? "signed for another chain than chain.chainId"
                              : "expected a signed transaction of type 0, 1, 2 or 4",
                          block, i);
        }
    }
    return OK;
}

static enum err put_span_blocks(const struct reading *r, struct span_writer *w)
{
    struct json_object *blocks = doc_member(r->o, "blocks");
    struct batch_block b;
    struct batch_block before;
    for (size_t i = 0; i < doc_length(blocks); i++) {
        struct json_object *block = json_object_array_get_idx(blocks, i);
        TRY(read_block(r, block, i, i > 0 ? &before : NULL, &b));
        if (span_writer_block(w, &b) != OK) {
            return refuse_block(r, ERR_REFUSED, i,
                                "expected one block time after the block before, not before the "
                                "genesis, its epoch the same or the next");
        }
        TRY(put_span_txs(r, w, doc_member(block, "txs"), i));
        before = b;
    }
    return OK;
}

static enum err put_span(const struct reading *r, const struct hash *parent,
                         const struct hash *epoch_hash, struct buffer *out)
{
    struct span_writer w;
    span_writer_init(&w, &r->e->chain, LIMIT_CHANNEL_BYTES);
    enum err err = put_span_blocks(r, &w);
    if (err == OK) {
        err = span_writer_close(&w, parent, epoch_hash, out);
        if (err != OK) {
            say(r->e, err, "channels[%zu].batches[%zu]: expected 1 block or more, and less than "
                "100,000,000 bytes", r->channel, r->batch);
        }
    }
    span_writer_free(&w);
    return err;
}

/* Views of the transactions; all bytes first, since the buffer moves while it grows. */
static enum err gather_txs(const struct reading *r, struct json_object *txs, struct bytes *view)
{
    struct buffer *raw = &r->e->scratch;
    buffer_clear(raw);
    for (size_t i = 0; i < doc_length(txs); i++) {
        size_t start = raw->n;
        if (!put_hex(raw, json_object_array_get_idx(txs, i))) {
            return refuse(r, ERR_MALFORMED, "expected hex", 0, i);
        }
        view[i].n = raw->n - start;
    }
    size_t at = 0;
    for (size_t i = 0; i < doc_length(txs); i++) {
        view[i].p = raw->p + at;
        at += view[i].n;
    }
    return OK;
}

static enum err put_singular(const struct reading *r, const struct hash *parent,
                             const struct hash *epoch_hash, struct buffer *out)
{
    struct json_object *blocks = doc_member(r->o, "blocks");
    struct json_object *block = json_object_array_get_idx(blocks, 0);
    struct batch_block b;
    TRY(read_block(r, block, 0, NULL, &b));
    struct bytes *view = calloc(b.txs + 1, sizeof *view);
    if (view == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err err = gather_txs(r, doc_member(block, "txs"), view);
    if (err == OK) {
        singular_write(out, parent, epoch_hash, &b, view);
        err = out->bad;
    }
    free(view);
    return err;
}

static enum err put_batch(const struct reading *r, struct buffer *out)
{
    struct hash parent;
    struct hash epoch_hash;
    if (!read_hash(&parent, r->o, "parentHash") || !read_hash(&epoch_hash, r->o, "epochHash")) {
        return say(r->e, ERR_MALFORMED,
                   "channels[%zu].batches[%zu]: expected parentHash and epochHash of 20 or 32 bytes",
                   r->channel, r->batch);
    }
    const char *type = doc_text(r->o, "type", "span");
    size_t blocks = doc_length(doc_member(r->o, "blocks"));
    if (strcmp(type, "span") == 0) {
        return put_span(r, &parent, &epoch_hash, out);
    }
    if (strcmp(type, "singular") != 0 || blocks != 1) {
        return say(r->e, ERR_MALFORMED,
                   "channels[%zu].batches[%zu]: expected type span, or singular with one block",
                   r->channel, r->batch);
    }
    return put_singular(r, &parent, &epoch_hash, out);
}

static enum err put_stream(struct encode *e, struct json_object *channel, size_t index,
                           struct buffer *out)
{
    struct json_object *batches = doc_member(channel, "batches");
    struct reading r = {.e = e, .channel = index};
    if (doc_length(batches) == 0) {
        return say(e, ERR_MALFORMED, "channels[%zu]: expected batches", index);
    }
    for (; r.batch < doc_length(batches); r.batch++) {
        struct buffer batch;
        buffer_init(&batch, LIMIT_CHANNEL_BYTES);
        r.o = json_object_array_get_idx(batches, r.batch);
        enum err err = put_batch(&r, &batch);
        if (err == OK) {
            batches_put(out, buffer_bytes(&batch));
            err = out->bad;
        }
        buffer_free(&batch);
        TRY(err);
    }
    return OK;
}

/* ---- channels ----------------------------------------------------------------------------------------- */

static enum err compress_stream(struct encode *e, struct json_object *channel, size_t index,
                                struct bytes stream, struct buffer *out)
{
    enum compression c = e->making->compression;
    if (c == COMPRESSION_UNKNOWN) {
        c = compression_named(doc_text(channel, "compression", "brotli"));
    }
    c = c == COMPRESSION_UNKNOWN ? COMPRESSION_BROTLI : c;
    int quality = e->making->quality;
    if (quality < 0) {
        quality = c == COMPRESSION_ZLIB ? ZLIB_LEVEL : BROTLI_QUALITY;
    }
    enum err err = channel_compress(out, c, quality, stream);
    if (err != OK) {
        say(e, err, "channels[%zu]: %s of quality %d: %s", index, compression_name(c), quality,
            err_text(err));
    }
    return err;
}

static enum err put_content(struct encode *e, struct json_object *channel, size_t index,
                            struct buffer *out)
{
    struct buffer stream;
    buffer_init(&stream, LIMIT_CHANNEL_BYTES);
    enum err err = put_stream(e, channel, index, &stream);
    if (err == OK && e->making->kind == BATCH_KIND_BATCHES) {
        buffer_put_bytes(out, buffer_bytes(&stream));
        err = out->bad;
    } else if (err == OK) {
        err = compress_stream(e, channel, index, buffer_bytes(&stream), out);
    }
    buffer_free(&stream);
    return err;
}

static enum err put_blobs(struct buffer *out, const struct channel_id *id, struct bytes content)
{
    for (size_t i = 0; i < channel_blobs(content.n); i++) {
        struct buffer payload;
        buffer_init(&payload, BLOB_DATA_BYTES);
        enum err e = channel_blob_payload(&payload, id, content, i);
        uint8_t *blob = e == OK ? buffer_room(out, BLOB_BYTES) : NULL;
        if (blob != NULL) {
            e = blob_encode(blob, buffer_bytes(&payload));
            out->n += BLOB_BYTES;
        }
        buffer_free(&payload);
        TRY(e != OK ? e : out->bad);
    }
    return OK;
}

static enum err put_channel(struct encode *e, struct json_object *channel, size_t index,
                            struct buffer *out)
{
    enum batch_kind kind = e->making->kind;
    struct buffer content;
    struct channel_id id;
    buffer_init(&content, LIMIT_CHANNEL_BYTES);
    enum err err = put_content(e, channel, index, &content);
    if (err == OK && (kind == BATCH_KIND_CHANNEL || kind == BATCH_KIND_BATCHES)) {
        buffer_put_bytes(out, buffer_bytes(&content));
        err = out->bad;
    } else if (err == OK) {
        if (!read_id(&id, doc_text(channel, "id", NULL))) {
            id = channel_id_of(e->chain.chain_id, buffer_bytes(&content));
        }
        err = kind == BATCH_KIND_BLOB
                  ? put_blobs(out, &id, buffer_bytes(&content))
                  : frames_put(out, &id, buffer_bytes(&content), e->making->frame_size);
    }
    buffer_free(&content);
    return err;
}

/* ---- frames --------------------------------------------------------------------------------------------- */

static enum err put_frame(struct encode *e, struct json_object *o, size_t index, struct buffer *out)
{
    struct frame f = {.last = doc_truth(o, "last", false)};
    uint64_t number = doc_u64(o, "number", UINT64_MAX);
    buffer_clear(&e->scratch);
    if (!read_id(&f.id, doc_text(o, "channelId", NULL)) || number > UINT16_MAX ||
        !put_hex(&e->scratch, doc_member(o, "bytes")) || e->scratch.n > LIMIT_BATCH_FRAME) {
        return say(e, ERR_MALFORMED,
                   "frames[%zu]: expected channelId of 16 bytes, number up to 65535, and bytes in "
                   "hex, at most 1,000,000",
                   index);
    }
    f.number = (uint16_t)number;
    f.data = buffer_bytes(&e->scratch);
    frame_put(out, &f);
    return out->bad;
}

static enum err put_all(struct encode *e, struct json_object *document, struct buffer *out)
{
    struct json_object *frames = doc_member(document, "frames");
    struct json_object *channels = doc_member(document, "channels");
    bool framed = e->making->kind == BATCH_KIND_PAYLOAD || e->making->kind == BATCH_KIND_FRAMES;
    bool as_it_stands = framed && !e->making->rebuild && doc_length(frames) > 0;
    if (!as_it_stands && doc_length(channels) == 0) {
        return say(e, ERR_MALFORMED, "expected frames or channels, and there are none");
    }
    if (e->making->kind == BATCH_KIND_PAYLOAD) {
        buffer_put_byte(out, PAYLOAD_VERSION);
    }
    for (size_t i = 0; as_it_stands && i < doc_length(frames); i++) {
        TRY(put_frame(e, json_object_array_get_idx(frames, i), i, out));
    }
    for (size_t i = 0; !as_it_stands && i < doc_length(channels); i++) {
        TRY(put_channel(e, json_object_array_get_idx(channels, i), i, out));
    }
    return OK;
}

enum err batch_from_json(struct buffer *out, const struct batch_making *making,
                         struct json_object *document, char *why, size_t why_len)
{
    struct json_object *chain = doc_member(document, "chain");
    struct encode e = {
        .making = making,
        .chain = {doc_u64(chain, "chainId", making->chain.chain_id),
                  doc_u64(chain, "genesisTime", making->chain.genesis_time),
                  doc_u64(chain, "blockTime", making->chain.block_time)},
        .why = why,
        .why_len = why_len,
    };
    buffer_init(&e.scratch, LIMIT_CHANNEL_BYTES);
    enum err err = put_all(&e, document, out);
    buffer_free(&e.scratch);
    return err;
}
