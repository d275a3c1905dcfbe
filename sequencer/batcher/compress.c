#include "sequencer/batcher/compress.h"

#include <brotli/decode.h>
#include <brotli/encode.h>
#include <zlib.h>

/* One turn of a decompressor; a bomb costs at most this beyond what is taken. */
enum { TURN_BYTES = 65536, ZLIB_METHOD_MASK = 0x0f, ZLIB_DEFLATE = 8, ZLIB_DEFLATE_WIDE = 15 };
/* Larger windows gain nothing below 4 MiB. */
enum { BROTLI_WINDOW = 22 };

enum compression compression_of(struct bytes channel)
{
    if (channel.n == 0) {
        return COMPRESSION_UNKNOWN;
    }
    unsigned method = channel.p[0] & ZLIB_METHOD_MASK;
    if (method == ZLIB_DEFLATE || method == ZLIB_DEFLATE_WIDE) {
        return COMPRESSION_ZLIB;
    }
    return channel.p[0] == COMPRESSION_BROTLI_BYTE ? COMPRESSION_BROTLI : COMPRESSION_UNKNOWN;
}

const char *compression_name(enum compression c)
{
    static const char *const names[] = {"zlib", "brotli", "unknown"};
    return names[c];
}

enum compression compression_named(const char *name)
{
    return strcmp(name, "zlib") == 0     ? COMPRESSION_ZLIB
           : strcmp(name, "brotli") == 0 ? COMPRESSION_BROTLI
                                         : COMPRESSION_UNKNOWN;
}

/* ---- compressing -------------------------------------------------------------------------------- */

static enum err deflate_into(struct buffer *out, int level, struct bytes raw)
{
    uLongf n = compressBound((uLong)raw.n);
    uint8_t *to = buffer_room(out, n);
    if (to == NULL) {
        return out->bad;
    }
    if (compress2(to, &n, raw.p, (uLong)raw.n, level) != Z_OK) {
        return ERR_NO_MEMORY;
    }
    out->n += n;
    return OK;
}

static enum err brotli_into(struct buffer *out, int quality, struct bytes raw)
{
    size_t n = BrotliEncoderMaxCompressedSize(raw.n);
    uint8_t *to = buffer_room(out, n + 1);
    if (to == NULL) {
        return out->bad;
    }
    to[0] = COMPRESSION_BROTLI_BYTE;
    if (BrotliEncoderCompress(quality, BROTLI_WINDOW, BROTLI_MODE_GENERIC, raw.n, raw.p, &n,
                              to + 1) != BROTLI_TRUE) {
        return ERR_NO_MEMORY;
    }
    out->n += n + 1;
    return OK;
}

enum err channel_compress(struct buffer *out, enum compression c, int quality, struct bytes raw)
{
    if (c == COMPRESSION_ZLIB && quality >= 0 && quality <= Z_BEST_COMPRESSION) {
        return deflate_into(out, quality, raw);
    }
    if (c == COMPRESSION_BROTLI && quality >= BROTLI_MIN_QUALITY &&
        quality <= BROTLI_MAX_QUALITY) {
        return brotli_into(out, quality, raw);
    }
    return ERR_REFUSED;
}

/* Brotli encoders that write one stream, one after the other. */
struct brotli_chain {
    struct buffer *out;
    BrotliEncoderState *state;
    int quality; /* of `state` */
};

/* An encoder that goes on at byte `at` of the stream. */
static bool chain_open(struct brotli_chain *c, int quality, size_t at, size_t left)
{
    BrotliEncoderDestroyInstance(c->state);
    c->state = BrotliEncoderCreateInstance(NULL, NULL, NULL);
    c->quality = quality;
    const struct {
        BrotliEncoderParameter name;
        size_t value;
    } set[] = {
        {BROTLI_PARAM_QUALITY, (size_t)quality},
        {BROTLI_PARAM_LGWIN, BROTLI_WINDOW},
        {BROTLI_PARAM_SIZE_HINT, left},
        {BROTLI_PARAM_STREAM_OFFSET, at},
    };
    bool good = c->state != NULL;
    for (size_t i = 0; good && i < sizeof set / sizeof set[0]; i++) {
        good = BrotliEncoderSetParameter(c->state, set[i].name, (uint32_t)set[i].value) ==
               BROTLI_TRUE;
    }
    return good;
}

/* One piece: what the encoder holds back is flushed at its end. */
static bool chain_put(struct brotli_chain *c, struct bytes piece, BrotliEncoderOperation end)
{
    const uint8_t *next = piece.p;
    size_t left = piece.n;
    do {
        uint8_t *to = buffer_room(c->out, TURN_BYTES);
        size_t room = TURN_BYTES;
        if (to == NULL || BrotliEncoderCompressStream(c->state, end, &left, &next, &room, &to,
                                                      NULL) != BROTLI_TRUE) {
            return false;
        }
        c->out->n += TURN_BYTES - room;
    } while (left > 0 || BrotliEncoderHasMoreOutput(c->state) == BROTLI_TRUE);
    return true;
}

static bool chain_pieces(struct brotli_chain *c, struct bytes raw, const size_t *cut, size_t cuts,
                         const int *quality)
{
    size_t at = 0;
    for (size_t i = 0; i <= cuts; i++) {
        size_t end = i < cuts ? cut[i] : raw.n;
        if (end == at && i < cuts) {
            continue; /* nothing: not even an encoder's beginning */
        }
        if ((c->state == NULL || (quality[i] != c->quality && end > at)) &&
            !chain_open(c, quality[i], at, raw.n - at)) {
            return false;
        }
        if (!chain_put(c, bytes_of(raw.p + at, end - at),
                       i < cuts ? BROTLI_OPERATION_FLUSH : BROTLI_OPERATION_FINISH)) {
            return false;
        }
        at = end;
    }
    return true;
}

enum err channel_compress_cut(struct buffer *out, struct bytes raw, const size_t *cut, size_t cuts,
                              const int *quality)
{
    struct brotli_chain c = {.out = out};
    buffer_put_byte(out, COMPRESSION_BROTLI_BYTE);
    bool good = chain_pieces(&c, raw, cut, cuts, quality);
    BrotliEncoderDestroyInstance(c.state);
    return out->bad != OK ? out->bad : good ? OK : ERR_NO_MEMORY;
}

/* ---- expanding ---------------------------------------------------------------------------------- */

/* What a stream may still give: one byte more than the limit shows that there is more. */
static size_t turn_size(const struct buffer *out, size_t start, size_t max)
{
    size_t left = max - (out->n - start);
    return left < TURN_BYTES ? left + 1 : TURN_BYTES;
}

/* Keeps what came, up to the limit; true when the limit was passed. */
static bool keep(struct buffer *out, size_t start, size_t max, size_t got)
{
    size_t left = max - (out->n - start);
    out->n += got < left ? got : left;
    return got > left;
}

static void damaged(struct fault *damage, enum err e, size_t at)
{
    *damage = (struct fault){e, at,
                             e == ERR_TOO_LARGE ? "no more than the limit of a channel's contents"
                                                : "an undamaged compressed stream to its end"};
}

static enum err inflate_all(z_stream *z, struct buffer *out, size_t max, size_t in_n,
                            struct fault *damage)
{
    size_t start = out->n;
    for (;;) {
        size_t turn = turn_size(out, start, max);
        z->next_out = buffer_room(out, turn);
        z->avail_out = (uInt)turn;
        if (z->next_out == NULL) {
            return out->bad;
        }
        int code = inflate(z, Z_NO_FLUSH);
        size_t used = in_n - z->avail_in;
        if (keep(out, start, max, turn - z->avail_out)) {
            damaged(damage, ERR_TOO_LARGE, used);
            return OK;
        }
        if (code == Z_MEM_ERROR) {
            return ERR_NO_MEMORY;
        }
        if (code != Z_OK) {
            if (code != Z_STREAM_END) {
                damaged(damage, ERR_MALFORMED, used);
            }
            return OK;
        }
    }
}

static enum err inflate_into(struct buffer *out, struct bytes in, size_t max, struct fault *damage)
{
    z_stream z = {0};
    if (inflateInit(&z) != Z_OK) {
        return ERR_NO_MEMORY;
    }
    union {
        const uint8_t *in;
        Bytef *zlib; /* zlib 1.2 takes its input without const, and only reads it */
    } input = {.in = in.p};
    z.next_in = input.zlib;
    z.avail_in = (uInt)in.n;
    enum err e = inflate_all(&z, out, max, in.n, damage);
    inflateEnd(&z);
    return e;
}

/* The library's codes for its own allocations are one run. */
static bool out_of_memory(const BrotliDecoderState *state)
{
    BrotliDecoderErrorCode code = BrotliDecoderGetErrorCode(state);
    return code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
           code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES;
}

static enum err unbrotli_all(BrotliDecoderState *state, struct buffer *out, struct bytes in,
                             size_t max, struct fault *damage)
{
    size_t start = out->n;
    const uint8_t *next = in.p;
    size_t left = in.n;
    for (;;) {
        size_t turn = turn_size(out, start, max);
        size_t room = turn;
        uint8_t *to = buffer_room(out, turn);
        if (to == NULL) {
            return out->bad;
        }
        BrotliDecoderResult result =
            BrotliDecoderDecompressStream(state, &left, &next, &room, &to, NULL);
        if (keep(out, start, max, turn - room)) {
            damaged(damage, ERR_TOO_LARGE, 1 + in.n - left);
            return OK;
        }
        if (result == BROTLI_DECODER_RESULT_SUCCESS) {
            return OK;
        }
        if (result != BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT) {
            damaged(damage, ERR_MALFORMED, 1 + in.n - left);
            return out_of_memory(state) ? ERR_NO_MEMORY : OK;
        }
    }
}

static enum err unbrotli_into(struct buffer *out, struct bytes in, size_t max,
                              struct fault *damage)
{
    BrotliDecoderState *state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    if (state == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err e = unbrotli_all(state, out, in, max, damage);
    BrotliDecoderDestroyInstance(state);
    return e;
}

enum err channel_expand(struct buffer *out, struct bytes channel, size_t max, struct fault *damage)
{
    *damage = (struct fault){.e = OK};
    switch (compression_of(channel)) {
    case COMPRESSION_ZLIB:
        return inflate_into(out, channel, max, damage);
    case COMPRESSION_BROTLI:
        return unbrotli_into(out, bytes_of(channel.p + 1, channel.n - 1), max, damage);
    case COMPRESSION_UNKNOWN:
        break;
    }
    *damage = (struct fault){ERR_MALFORMED, 0, "a channel that begins as zlib or as 0x01 (brotli)"};
    return ERR_MALFORMED;
}
