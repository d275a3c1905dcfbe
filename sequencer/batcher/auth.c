#include "sequencer/batcher/auth.h"

#include "sequencer/batcher/bits.h"

static const uint8_t magic[4] = {'L', '2', 'B', 'A'};
enum { AUTH_VERSION = 1, UVARINT_MORE = 0x80 };

/* ---- writing ------------------------------------------------------------------------------------ */

static void put_u64(struct buffer *out, uint64_t v)
{
    uint8_t be[8];
    store_be64(be, v);
    buffer_put(out, be, sizeof be);
}

static void put_hash(struct buffer *out, const struct hash *h)
{
    buffer_put(out, h->b, sizeof h->b);
}

static void put_segment(struct buffer *out, const struct batch_auth *a)
{
    buffer_put(out, magic, sizeof magic);
    buffer_put_byte(out, AUTH_VERSION);
    put_u64(out, a->chain_id);
    put_u64(out, a->segment);
    put_u64(out, a->first);
    put_u64(out, a->last);
    put_hash(out, &a->parent);
    put_hash(out, &a->last_hash);
    buffer_put(out, a->channel.b, sizeof a->channel.b);
    put_hash(out, &a->root);
    put_hash(out, &a->commitment);
}

static void put_certificate(struct buffer *out, const struct batch_auth *a)
{
    uint8_t be[4];
    uint32_t n = certificate_count(&a->cert);
    put_u64(out, a->cert.slot);
    put_hash(out, &a->config);
    put_hash(out, &a->next_config);
    buffer_put_byte(out, (uint8_t)n);
    store_be32(be, a->cert.signers);
    buffer_put(out, be, sizeof be);
    for (uint32_t i = 0; i < n; i++) {
        buffer_put(out, a->cert.signature[i].b, sizeof a->cert.signature[i].b);
    }
    buffer_put_byte(out, (uint8_t)a->headers);
    for (uint32_t i = 0; i < a->headers; i++) {
        uint8_t raw[HEADER_BYTES];
        header_encode(raw, &a->header[i]);
        buffer_put(out, raw, sizeof raw);
    }
}

static bool times_rise(const struct auth_time *time, uint64_t n)
{
    for (uint64_t i = 1; i < n; i++) {
        if (time[i].ms < time[i - 1].ms) {
            return false;
        }
    }
    return true;
}

enum err auth_encode(struct buffer *out, const struct batch_auth *a, const struct auth_time *time)
{
    if (a->last < a->first || a->last - a->first >= LIMIT_SEGMENT_BLOCKS || a->headers == 0 ||
        a->headers > LIMIT_AUTH_HEADERS || !times_rise(time, a->last - a->first + 1)) {
        return ERR_REFUSED;
    }
    put_segment(out, a);
    put_certificate(out, a);
    put_u64(out, time[0].ms);
    for (uint64_t i = 0; i <= a->last - a->first; i++) {
        uvarint_put(out, i == 0 ? 0 : time[i].ms - time[i - 1].ms);
        buffer_put_byte(out, time[i].leader);
    }
    return out->bad;
}

/* ---- reading ------------------------------------------------------------------------------------ */

static enum err take_u64(struct cursor *c, const char *wanted, uint64_t *out)
{
    struct bytes be;
    TRY(cursor_take(c, 8, wanted, &be));
    *out = load_be64(be.p);
    return OK;
}

static enum err take_hash(struct cursor *c, const char *wanted, struct hash *out)
{
    struct bytes raw;
    TRY(cursor_take(c, sizeof out->b, wanted, &raw));
    memcpy(out->b, raw.p, raw.n);
    return OK;
}

static enum err take_magic(struct cursor *c)
{
    struct bytes raw;
    uint8_t version;
    TRY(cursor_take(c, sizeof magic, "the letters L2BA", &raw));
    if (memcmp(raw.p, magic, sizeof magic) != 0) {
        return cursor_fail(c, ERR_MALFORMED, 0, "the letters L2BA");
    }
    TRY(cursor_byte(c, "version 1 of the envelope", &version));
    return version == AUTH_VERSION
               ? OK
               : cursor_fail(c, ERR_WRONG_VERSION, sizeof magic, "version 1 of the envelope");
}

static enum err take_segment(struct cursor *c, struct batch_auth *a)
{
    struct bytes id;
    TRY(take_magic(c));
    TRY(take_u64(c, "the chain id", &a->chain_id));
    TRY(take_u64(c, "the segment's number", &a->segment));
    size_t at = c->at;
    TRY(take_u64(c, "the first block's number", &a->first));
    TRY(take_u64(c, "the last block's number", &a->last));
    if (a->last < a->first || a->last - a->first >= LIMIT_SEGMENT_BLOCKS) {
        return cursor_fail(c, ERR_MALFORMED, at, "1 to 10,000 blocks from first to last");
    }
    TRY(take_hash(c, "the parent's hash", &a->parent));
    TRY(take_hash(c, "the last block's hash", &a->last_hash));
    TRY(cursor_take(c, sizeof a->channel.b, "the channel's id", &id));
    memcpy(a->channel.b, id.p, id.n);
    TRY(take_hash(c, "the segment's root", &a->root));
    return take_hash(c, "the payload's hash", &a->commitment);
}

static enum err take_signatures(struct cursor *c, struct certificate *cert)
{
    struct bytes raw;
    size_t at = c->at;
    uint8_t n;
    TRY(cursor_byte(c, "the count of signatures", &n));
    TRY(cursor_take(c, 4, "who signed", &raw));
    cert->kind = VOTE_FINALIZE;
    cert->signers = load_be32(raw.p);
    if (n == 0 || n > LIMIT_MEMBERS || certificate_count(cert) != n) {
        return cursor_fail(c, ERR_MALFORMED, at, "as many signatures as signers, 1 to 32");
    }
    for (uint8_t i = 0; i < n; i++) {
        TRY(cursor_take(c, sizeof cert->signature[i].b, "a signature of 65 bytes", &raw));
        memcpy(cert->signature[i].b, raw.p, raw.n);
    }
    return OK;
}

static enum err take_headers(struct cursor *c, struct batch_auth *a)
{
    size_t at = c->at;
    uint8_t n;
    TRY(cursor_byte(c, "the count of headers", &n));
    if (n == 0 || n > LIMIT_AUTH_HEADERS) {
        return cursor_fail(c, ERR_MALFORMED, at, "1 to 192 headers");
    }
    a->headers = n;
    for (uint8_t i = 0; i < n; i++) {
        struct bytes raw;
        at = c->at;
        TRY(cursor_take(c, HEADER_BYTES, "a header of 576 bytes", &raw));
        enum err e = header_decode(&a->header[i], raw);
        if (e != OK) {
            return cursor_fail(c, e, at, "a header whose numbers fit their types");
        }
    }
    a->cert.epoch = a->header[0].epoch;
    a->cert.block = header_hash(&a->header[0]);
    return OK;
}

/* A uvarint of the shortest form, so that an envelope has one form only. */
static enum err take_gap(struct cursor *c, uint64_t *gap)
{
    size_t at = c->at;
    TRY(cursor_uvarint(c, "a block's time (a uvarint)", gap));
    bool padded = c->at - at > 1 && c->in.p[c->at - 1] == 0;
    return padded ? cursor_fail(c, ERR_NOT_CANONICAL, at, "a uvarint of the shortest form") : OK;
}

static enum err take_times(struct cursor *c, struct batch_auth *a)
{
    TRY(take_u64(c, "the first block's time", &a->first_ms));
    size_t start = c->at;
    uint64_t ms = a->first_ms;
    for (uint64_t i = 0; i <= a->last - a->first; i++) {
        size_t at = c->at;
        uint64_t gap;
        uint8_t leader;
        TRY(take_gap(c, &gap));
        TRY(cursor_byte(c, "a block's leader", &leader));
        if (gap > UINT64_MAX - ms || (i == 0 && gap != 0) || leader >= LIMIT_MEMBERS) {
            return cursor_fail(c, ERR_MALFORMED, at, "a time of 64 bits and a member's index");
        }
        ms += gap;
    }
    a->times = bytes_of(c->in.p + start, c->at - start);
    return cursor_left(c) == 0
               ? OK
               : cursor_fail(c, ERR_MALFORMED, c->at, "the end of the envelope");
}

static enum err take_all(struct cursor *c, struct batch_auth *a)
{
    TRY(take_segment(c, a));
    TRY(take_u64(c, "the certificate's slot", &a->cert.slot));
    TRY(take_hash(c, "the config hash", &a->config));
    TRY(take_hash(c, "the next config hash", &a->next_config));
    TRY(take_signatures(c, &a->cert));
    TRY(take_headers(c, a));
    return take_times(c, a);
}

enum err auth_decode(struct batch_auth *out, struct bytes in, struct fault *fault)
{
    struct cursor c;
    cursor_init(&c, in);
    memset(out, 0, sizeof *out);
    enum err e = take_all(&c, out);
    *fault = c.fault;
    return e;
}

bool auth_next_time(struct bytes *times, uint64_t *last_ms, struct auth_time *out)
{
    struct cursor c;
    uint64_t gap;
    cursor_init(&c, *times);
    if (cursor_left(&c) == 0 || cursor_uvarint(&c, "", &gap) != OK ||
        cursor_byte(&c, "", &out->leader) != OK) {
        return false;
    }
    *last_ms += gap;
    out->ms = *last_ms;
    *times = bytes_of(times->p + c.at, times->n - c.at);
    return true;
}

/* ---- what it proves ------------------------------------------------------------------------------- */

enum err auth_verify(const struct batch_auth *a, const struct epoch_config *c)
{
    const struct header *signed_block = &a->header[0];
    const struct header *last = &a->header[a->headers - 1];
    if (a->chain_id != c->chain_id || !hash_equal(&a->config, &c->hash) ||
        signed_block->chain_id != c->chain_id || !hash_equal(&signed_block->genesis, &c->genesis)) {
        return ERR_WRONG_CHAIN;
    }
    for (uint32_t i = 1; i < a->headers; i++) {
        struct hash below = header_hash(&a->header[i]);
        if (!hash_equal(&below, &a->header[i - 1].parent)) {
            return ERR_BAD_CERTIFICATE;
        }
    }
    if (a->cert.slot != signed_block->slot || last->height != a->last ||
        !hash_equal(&last->payload, &a->last_hash)) {
        return ERR_BAD_CERTIFICATE;
    }
    return certificate_verify(c, &a->cert);
}
