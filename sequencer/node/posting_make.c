#include "sequencer/node/posting_make.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "sequencer/batcher/auth.h"
#include "sequencer/batcher/segment.h"
#include "sequencer/engine/engine_body.h"

enum { BODIES_MAX = LIMIT_SEGMENT_BYTES + LIMIT_BODY_BYTES, ENVELOPE_MAX = 1 << 20 };

struct posting_maker {
    struct storage *storage;
    const struct epoch_config *config;
    struct data_layer layer;
    struct batch_chain chain;
    uint64_t seal_ms;
    bool clients; /* bodies hold more than transactions; engine_body.h */
    struct posting_head genesis; /* where nothing stands yet */
    bool placed; /* the three below are known */
    struct posting_head stands;
    uint64_t segments;
    uint64_t slot; /* read up to here */
    /* The segment in the making. */
    struct segment_count count;
    bool ended;
    bool built;
    struct hash parent; /* payload before its first block */
    uint64_t last_slot;
    struct hash last_block;
    struct hash last_payload;
    uint64_t last_ms;
    struct auth_time *time; /* of each block, */
    size_t *body_end;       /* and where its body ends in `bodies` */
    size_t room;
    struct buffer bodies;
    struct segment segment;
    struct buffer envelope;
    struct batch_auth auth;
    bool has_given; /* a certificate that a member sent */
    struct certificate given;
    struct storage_buffer read;
    struct posting_result *out; /* of the call under way */
};

/* ERR_NOT_FOUND is kept for what is not on disk yet. */
static enum err say(struct posting_maker *m, enum err e, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum err say(struct posting_maker *m, enum err e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(m->out->why, sizeof m->out->why, format, args);
    va_end(args);
    return e;
}

static void forget_segment(struct posting_maker *m)
{
    m->count = (struct segment_count){.blocks = 0};
    m->ended = false;
    m->built = false;
    buffer_clear(&m->bodies);
}

/* ---- where to begin -------------------------------------------------------------------------- */

/* Behind what the layer says: nothing else is believed. */
static enum err find_place(struct posting_maker *m)
{
    struct posted last;
    struct hash hash;
    struct block b;
    forget_segment(m);
    m->segments = 0;
    m->slot = 0;
    m->stands = m->genesis;
    if (!m->layer.last(m->layer.ctx, &last)) {
        m->placed = true;
        return OK;
    }
    m->segments = last.number + 1;
    m->stands = (struct posting_head){.number = last.last, .hash = last.hash};
    say(m, ERR_NOT_FOUND, "posted up to block %" PRIu64 ", which is not on this disk yet",
        last.last);
    TRY(storage_hash_by_height(m->storage, last.last, &hash));
    TRY(storage_get_block(m->storage, &hash, &m->read, &b));
    if (!hash_equal(&b.head.header.payload, &last.hash)) {
        return say(m, ERR_CORRUPT, "the last posted block, %" PRIu64 ", is not this chain's",
                   last.last);
    }
    m->slot = b.head.header.slot;
    m->stands.timestamp_ms = b.head.header.timestamp_ms;
    m->placed = true;
    return OK;
}

/* ---- reading --------------------------------------------------------------------------------- */

static enum err make_room(struct posting_maker *m)
{
    if (m->count.blocks < m->room) {
        return OK;
    }
    size_t room = m->room == 0 ? 64 : 2 * m->room;
    struct auth_time *time = realloc(m->time, room * sizeof *time);
    m->time = time != NULL ? time : m->time;
    size_t *end = realloc(m->body_end, room * sizeof *end);
    m->body_end = end != NULL ? end : m->body_end;
    if (time == NULL || end == NULL) {
        return ERR_NO_MEMORY;
    }
    m->room = room;
    return OK;
}

static enum err keep_block(struct posting_maker *m, const struct block *b, const struct hash *hash)
{
    const struct header *h = &b->head.header;
    uint64_t height = m->count.blocks == 0 ? m->stands.number + 1 : m->count.last + 1;
    if (h->height != height) {
        return say(m, ERR_CORRUPT, "final block %" PRIu64 " is missing on this disk", height);
    }
    if (b->body.n != h->body_len) {
        return say(m, ERR_NOT_FOUND, "the body of block %" PRIu64 " is not on disk yet", height);
    }
    struct bytes txs = b->body;
    if (m->clients) {
        TRY(engine_body_txs(b->body, &txs));
    }
    TRY(make_room(m));
    buffer_put_bytes(&m->bodies, txs);
    if (m->bodies.bad != OK) {
        m->placed = false; /* the next try begins the segment anew */
        return m->bodies.bad;
    }
    if (m->count.blocks == 0) {
        m->parent = h->payload_parent;
    }
    m->time[m->count.blocks] = (struct auth_time){h->timestamp_ms, h->leader};
    m->body_end[m->count.blocks] = m->bodies.n;
    m->last_slot = h->slot;
    m->last_block = *hash;
    m->last_payload = h->payload;
    m->last_ms = h->timestamp_ms;
    return OK;
}

/* ERR_NOT_FOUND: the chain on disk ends here. */
static enum err take_block(struct posting_maker *m, uint64_t up_to)
{
    uint64_t slot;
    struct hash hash;
    struct block b;
    TRY(storage_final_above(m->storage, m->config->epoch, m->slot, &slot, &hash));
    if (slot > up_to) {
        return ERR_NOT_FOUND;
    }
    TRY(storage_get_block(m->storage, &hash, &m->read, &b));
    if ((b.head.header.flags & FLAG_EMPTY) == 0) {
        TRY(keep_block(m, &b, &hash));
    }
    m->ended = segment_add(&m->count, &b.head.header, m->seal_ms);
    m->slot = slot;
    return OK;
}

static enum err read_on(struct posting_maker *m, uint64_t up_to)
{
    for (uint32_t i = 0; i < LIMIT_POST_BLOCKS && !m->ended; i++) {
        enum err e = take_block(m, up_to);
        if (e == ERR_NOT_FOUND) {
            m->out->level = m->slot >= up_to;
            return OK;
        }
        TRY(e);
    }
    m->out->more = true;
    return OK;
}

/* ---- making ---------------------------------------------------------------------------------- */

static enum err build(struct posting_maker *m)
{
    struct segment_block *block = calloc(m->count.blocks, sizeof *block);
    if (block == NULL) {
        return ERR_NO_MEMORY;
    }
    for (uint64_t i = 0; i < m->count.blocks; i++) {
        size_t start = i == 0 ? 0 : m->body_end[i - 1];
        block[i].timestamp_ms = m->time[i].ms;
        block[i].body = bytes_of(m->bodies.p + start, m->body_end[i] - start);
    }
    enum err e = segment_build(&m->segment, &m->chain, &m->parent, block, m->count.blocks);
    free(block);
    m->built = e == OK;
    return e == OK ? OK
                   : say(m, e, "blocks %" PRIu64 " to %" PRIu64 " make no segment (%s)",
                         m->count.first, m->count.last, err_text(e));
}

/* Headers from the certified block down to the segment's last. */
static enum err put_path(struct posting_maker *m, struct batch_auth *a)
{
    struct hash at = a->cert.block;
    for (a->headers = 0; a->headers < LIMIT_AUTH_HEADERS;) {
        struct block b;
        TRY(storage_get_block(m->storage, &at, &m->read, &b));
        a->header[a->headers++] = b.head.header;
        if (hash_equal(&at, &m->last_block)) {
            return OK;
        }
        at = b.head.header.parent;
    }
    m->out->wants_slot = m->last_slot;
    return say(m, ERR_NOT_FOUND, "block %" PRIu64 " has no certificate within %d headers on this "
               "disk: members are asked for one", m->count.last, (int)LIMIT_AUTH_HEADERS);
}

/* The nearest that there is, and its path. */
static enum err put_proof(struct posting_maker *m, struct batch_auth *a)
{
    const struct certificate own = a->cert;
    bool nearer = m->has_given && m->given.slot >= m->last_slot && m->given.slot < own.slot;
    if (nearer) {
        a->cert = m->given;
        if (put_path(m, a) == OK && auth_verify(a, m->config) == OK) {
            return OK;
        }
        m->has_given = false; /* it proves nothing: asked for again, of another */
        a->cert = own;
    }
    TRY(put_path(m, a));
    return auth_verify(a, m->config);
}

static enum err seal(struct posting_maker *m)
{
    struct batch_auth *a = &m->auth;
    *a = (struct batch_auth){.chain_id = m->config->chain_id,
                             .segment = m->segments,
                             .first = m->count.first,
                             .last = m->count.last,
                             .parent = m->parent,
                             .last_hash = m->last_payload,
                             .channel = m->segment.id,
                             .root = m->segment.root,
                             .commitment = m->segment.commitment,
                             .config = m->config->hash,
                             .next_config = m->config->hash};
    say(m, ERR_NOT_FOUND, "the certificate of block %" PRIu64 " is not on this disk yet",
        m->count.last);
    TRY(storage_certificate(m->storage, m->config->epoch, m->last_slot, &a->cert));
    enum err e = put_proof(m, a);
    if (e != OK && e != ERR_NOT_FOUND) {
        return say(m, e, "the certificate of block %" PRIu64 " on this disk proves nothing (%s)",
                   m->count.last, err_text(e));
    }
    TRY(e);
    buffer_clear(&m->envelope);
    return auth_encode(&m->envelope, a, m->time);
}

static enum err post(struct posting_maker *m)
{
    const struct posting p = {m->count.first, m->count.last, buffer_bytes(&m->segment.payload),
                              buffer_bytes(&m->envelope)};
    enum err e = m->layer.post(m->layer.ctx, &p);
    if (e == OK) {
        m->out->posted_bytes = m->count.bytes;
        m->out->payload_bytes = m->segment.payload.n;
        m->stands = (struct posting_head){m->count.last, m->last_payload, m->last_ms};
        m->segments++;
        forget_segment(m);
        return OK;
    }
    m->placed = e != ERR_REFUSED; /* it holds something else than we thought: look again */
    return say(m, e, "blocks %" PRIu64 " to %" PRIu64 " cannot be posted (%s)", m->count.first,
               m->count.last, err_text(e));
}

static enum err finish(struct posting_maker *m)
{
    if (!m->built) {
        TRY(build(m));
    }
    TRY(seal(m));
    return post(m);
}

/* ---- one piece of work ----------------------------------------------------------------------- */

static enum err work(struct posting_maker *m, uint64_t up_to)
{
    if (!m->placed || m->layer.end(m->layer.ctx) != m->stands.number) {
        m->placed = false;
        TRY(find_place(m));
    }
    if (!m->ended) {
        TRY(read_on(m, up_to));
    }
    if (m->ended) {
        m->out->more = true;
        enum err e = finish(m);
        m->out->more = e == OK;
        return e;
    }
    return OK;
}

void posting_maker_give(struct posting_maker *m, const struct certificate *c)
{
    m->given = *c;
    m->has_given = true;
}

void posting_maker_work(struct posting_maker *m, uint64_t up_to, struct posting_result *out)
{
    *out = (struct posting_result){.err = OK};
    m->out = out;
    enum err e = work(m, up_to);
    if (e != OK && e != ERR_NOT_FOUND) {
        out->err = e;
        if (out->why[0] == '\0') {
            say(m, e, "final blocks cannot be read for posting (%s)", err_text(e));
        }
    }
    out->stands = m->stands;
    out->segments = m->segments;
    out->oldest_ms = m->count.blocks > 0 ? m->count.first_ms : 0;
    out->held_bytes = m->count.bytes;
    m->out = NULL;
}

enum err posting_maker_open(struct posting_maker **out, struct storage *s, const struct genesis *g,
                            const struct epoch_config *c, const struct data_layer *layer)
{
    struct posting_maker *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return ERR_NO_MEMORY;
    }
    m->storage = s;
    m->config = c;
    m->layer = *layer;
    m->chain = batch_chain_of(g);
    m->seal_ms = g->seal_ms;
    m->clients = g->execution != EXECUTION_LEDGER;
    m->genesis = (struct posting_head){.hash = g->payload, .timestamp_ms = g->timestamp_ms};
    segment_init(&m->segment);
    buffer_init(&m->bodies, BODIES_MAX);
    buffer_init(&m->envelope, ENVELOPE_MAX);
    *out = m;
    return OK;
}

void posting_maker_close(struct posting_maker *m)
{
    if (m == NULL) {
        return;
    }
    segment_free(&m->segment);
    buffer_free(&m->bodies);
    buffer_free(&m->envelope);
    free(m->time);
    free(m->body_end);
    free(m->read.p);
    free(m);
}
