#include "sequencer/batcher/segment.h"

#include "proto/keccak.h"
#include "proto/limits.h"
#include "proto/rlp.h"
#include "sequencer/batcher/assembly.h"

/* A frame that leaves a payload of calldata at 120,000 bytes. */
enum { SEGMENT_FRAME = 119999, MS = 1000 };

/* What a segment may be before it is compressed; its last block may pass LIMIT_SEGMENT_BYTES. */
enum { STREAM_MAX = LIMIT_SEGMENT_BYTES + 2 * LIMIT_BODY_BYTES };

struct batch_chain batch_chain_of(const struct genesis *g)
{
    return (struct batch_chain){g->chain_id, g->timestamp_ms / MS, 0};
}

bool segment_add(struct segment_count *c, const struct header *h, uint64_t seal_ms)
{
    if ((h->flags & FLAG_EMPTY) == 0) {
        if (c->blocks == 0) {
            c->first = h->height;
            c->first_ms = h->timestamp_ms;
        }
        c->last = h->height;
        c->bytes += h->body_len;
        c->blocks++;
    }
    bool late = h->timestamp_ms >= c->first_ms && h->timestamp_ms - c->first_ms >= seal_ms;
    return c->blocks > 0 && (late || c->bytes >= LIMIT_SEGMENT_BYTES ||
                             c->blocks >= LIMIT_SEGMENT_BLOCKS || (h->flags & FLAG_CLOSING) != 0);
}

void segment_init(struct segment *s)
{
    *s = (struct segment){.root = {{0}}};
    buffer_init(&s->stream, (size_t)STREAM_MAX + 1);
    buffer_init(&s->content, 2 * (size_t)STREAM_MAX);
    buffer_init(&s->payload, 2 * (size_t)STREAM_MAX);
}

void segment_free(struct segment *s)
{
    buffer_free(&s->stream);
    buffer_free(&s->content);
    buffer_free(&s->payload);
}

static void clear(struct segment *s)
{
    buffer_clear(&s->stream);
    buffer_clear(&s->content);
    buffer_clear(&s->payload);
}

/* ---- making ------------------------------------------------------------------------------------- */

static enum err put_txs(struct span_writer *w, struct bytes body)
{
    struct rlp_in in = {body.p, body.n};
    struct rlp_in list;
    struct bytes tx;
    TRY(rlp_list(&in, &list));
    while (!rlp_at_end(&list)) {
        TRY(rlp_string(&list, &tx));
        TRY(span_writer_tx(w, tx));
    }
    return rlp_at_end(&in) ? OK : ERR_MALFORMED;
}

static enum err put_blocks(struct span_writer *w, const struct segment_block *block, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct batch_block b = {.timestamp = block[i].timestamp_ms / MS};
        TRY(span_writer_block(w, &b));
        TRY(put_txs(w, block[i].body));
    }
    return OK;
}

/* `cut` becomes the places of the batch's columns in the stream. */
static enum err build_stream(struct segment *s, const struct batch_chain *chain,
                             const struct hash *parent, const struct segment_block *block,
                             size_t n, size_t cut[SPAN_CUTS])
{
    static const struct hash no_epoch;
    struct span_writer w;
    struct buffer batch;
    span_writer_init(&w, chain, STREAM_MAX);
    buffer_init(&batch, STREAM_MAX);
    enum err e = put_blocks(&w, block, n);
    if (e == OK) {
        e = span_writer_close(&w, parent, &no_epoch, &batch);
    }
    if (e == OK) {
        batches_put(&s->stream, buffer_bytes(&batch));
        e = s->stream.bad;
    }
    for (size_t i = 0; e == OK && i < SPAN_CUTS; i++) {
        cut[i] = s->stream.n - batch.n + w.cut[i];
    }
    buffer_free(&batch);
    span_writer_free(&w);
    return e;
}

/* Counts and bits, signatures, receivers, data, nonces, gas. Nothing makes signatures smaller; data
 * is where work pays most. */
const int *segment_quality(enum segment_effort effort)
{
    static const int quick[SPAN_CUTS + 1] = {BROTLI_QUALITY, BROTLI_QUALITY, BROTLI_QUALITY,
                                             BROTLI_QUALITY, BROTLI_QUALITY, BROTLI_QUALITY};
    static const int small[SPAN_CUTS + 1] = {BROTLI_QUALITY, BROTLI_QUALITY, 10, 11, 11, 11};
    return effort == SEGMENT_SMALL ? small : quick;
}

enum err segment_build(struct segment *s, const struct batch_chain *chain,
                       const struct hash *parent, const struct segment_block *block, size_t n)
{
    size_t cut[SPAN_CUTS];
    clear(s);
    TRY(build_stream(s, chain, parent, block, n, cut));
    s->root = keccak256(s->stream.p, s->stream.n);
    TRY(channel_compress_cut(&s->content, buffer_bytes(&s->stream), cut, SPAN_CUTS,
                             segment_quality(s->effort)));
    s->id = channel_id_of(chain->chain_id, buffer_bytes(&s->content));
    TRY(channel_payload(&s->payload, &s->id, buffer_bytes(&s->content), SEGMENT_FRAME));
    s->commitment = keccak256(s->payload.p, s->payload.n);
    return OK;
}

/* ---- reading ------------------------------------------------------------------------------------ */

static enum err refuse(struct fault *fault, enum err e, size_t at, const char *wanted)
{
    *fault = (struct fault){e, at, wanted};
    return e;
}

/* What the parts read so far ended with. */
struct joined {
    size_t frames;
    bool ended;
};

/* The frames of one channel, in order, nothing else; their data goes to `content`. */
static enum err join_frames(struct segment *s, struct bytes payload, struct joined *j,
                            struct fault *fault)
{
    struct cursor c;
    struct frame f;
    size_t n;
    TRY(payload_count(payload, &n, fault));
    cursor_init(&c, payload);
    c.at = 1;
    for (size_t i = 0; i < n; i++) {
        size_t at = c.at;
        TRY(frame_take(&c, &f));
        s->id = j->frames == 0 ? f.id : s->id;
        if (memcmp(f.id.b, s->id.b, sizeof f.id.b) != 0 || f.number != j->frames || j->ended) {
            return refuse(fault, ERR_MALFORMED, at, "the frames of one channel, first to last");
        }
        j->frames++;
        j->ended = f.last;
        buffer_put_bytes(&s->content, f.data);
    }
    return s->content.bad;
}

static enum err join_parts(struct segment *s, const struct bytes *part, size_t parts,
                           struct fault *fault)
{
    struct joined j = {.frames = 0};
    for (size_t i = 0; i < parts; i++) {
        TRY(join_frames(s, part[i], &j, fault));
    }
    return j.ended ? OK
                   : refuse(fault, ERR_MALFORMED, parts == 0 ? 0 : part[parts - 1].n,
                            "the channel's last frame");
}

static enum err expand(struct segment *s, struct fault *fault)
{
    struct fault damage;
    enum err e = channel_expand(&s->stream, buffer_bytes(&s->content), STREAM_MAX, &damage);
    if (e != OK || damage.e != OK) {
        return refuse(fault, e != OK ? e : damage.e, 0, damage.wanted);
    }
    return OK;
}

static enum err one_span(const struct segment *s, const struct batch_chain *chain,
                         struct bytes *batch, struct fault *fault)
{
    struct cursor c;
    struct batch b;
    cursor_init(&c, buffer_bytes(&s->stream));
    if (!batches_next(&c, batch) || cursor_left(&c) > 0) {
        return refuse(fault, ERR_MALFORMED, 0, "one batch, and nothing behind it");
    }
    enum err e = batch_open(&b, chain, *batch, fault);
    fault->at = 0;
    if (e == OK && b.type != BATCH_SPAN) {
        return refuse(fault, ERR_MALFORMED, 0, "a span batch");
    }
    return e;
}

enum err segment_open_parts(struct segment *s, const struct batch_chain *chain,
                            const struct bytes *part, size_t parts, struct bytes *batch,
                            struct fault *fault)
{
    clear(s);
    *fault = (struct fault){.e = OK};
    TRY(join_parts(s, part, parts, fault));
    struct channel_id id = channel_id_of(chain->chain_id, buffer_bytes(&s->content));
    if (memcmp(id.b, s->id.b, sizeof id.b) != 0) {
        return refuse(fault, ERR_MALFORMED, 1, "a channel id that is the hash of its content");
    }
    TRY(expand(s, fault));
    TRY(one_span(s, chain, batch, fault));
    s->root = keccak256(s->stream.p, s->stream.n);
    return OK;
}

enum err segment_open(struct segment *s, const struct batch_chain *chain, struct bytes payload,
                      struct bytes *batch, struct fault *fault)
{
    TRY(segment_open_parts(s, chain, &payload, 1, batch, fault));
    s->commitment = keccak256(payload.p, payload.n);
    return OK;
}
