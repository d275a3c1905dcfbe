#include "sequencer/batcher/blob.h"

enum {
    ELEMENT = 32,
    PIECE = ELEMENT - 1,          /* whole bytes of an element */
    GROUP = 4 * PIECE + 3,        /* stream bytes that four elements hold */
    GROUP_BYTES = 4 * ELEMENT,
    GROUPS = BLOB_BYTES / GROUP_BYTES,
    HEAD = 4,                     /* version and length */
    STREAM_BYTES = GROUP * GROUPS,
    LOW_SIX = 0x3f,
    HIGH_TWO = 0xc0
};

static void put_group(uint8_t out[GROUP_BYTES], const uint8_t s[GROUP])
{
    uint8_t x = s[PIECE];
    uint8_t y = s[2 * PIECE + 1];
    uint8_t z = s[3 * PIECE + 2];
    const uint8_t first[4] = {
        x & LOW_SIX,
        (uint8_t)((y & 0x0f) | (x & HIGH_TWO) >> 2),
        z & LOW_SIX,
        (uint8_t)((z & HIGH_TWO) >> 2 | (y & 0xf0) >> 4),
    };
    for (size_t i = 0; i < 4; i++) {
        out[i * ELEMENT] = first[i];
        memcpy(out + i * ELEMENT + 1, s + i * ELEMENT, PIECE);
    }
}

static void take_group(uint8_t s[GROUP], const uint8_t in[GROUP_BYTES])
{
    uint8_t a = in[0];
    uint8_t b = in[ELEMENT];
    uint8_t c = in[2 * ELEMENT];
    uint8_t d = in[3 * ELEMENT];
    for (size_t i = 0; i < 4; i++) {
        memcpy(s + i * ELEMENT, in + i * ELEMENT + 1, PIECE);
    }
    s[PIECE] = (uint8_t)((a & LOW_SIX) | (b & 0x30) << 2);
    s[2 * PIECE + 1] = (uint8_t)((b & 0x0f) | (d & 0x0f) << 4);
    s[3 * PIECE + 2] = (uint8_t)((c & LOW_SIX) | (d & 0x30) << 2);
}

/* Bytes of the stream from `at` on, zeros behind its end. */
static void stream_read(uint8_t out[GROUP], struct bytes payload, size_t at)
{
    const uint8_t head[HEAD] = {0, (uint8_t)(payload.n >> 16), (uint8_t)(payload.n >> 8),
                                (uint8_t)payload.n};
    size_t i = 0;
    memset(out, 0, GROUP);
    for (; i < GROUP && at + i < HEAD; i++) {
        out[i] = head[at + i];
    }
    size_t from = at + i - HEAD;
    if (from < payload.n) {
        size_t left = payload.n - from;
        memcpy(out + i, payload.p + from, left < GROUP - i ? left : GROUP - i);
    }
}

enum err blob_encode(uint8_t out[BLOB_BYTES], struct bytes payload)
{
    uint8_t group[GROUP];
    if (payload.n > BLOB_DATA_BYTES) {
        return ERR_TOO_LARGE;
    }
    for (size_t g = 0; g < GROUPS; g++) {
        stream_read(group, payload, g * GROUP);
        put_group(out + g * GROUP_BYTES, group);
    }
    return OK;
}

static enum err fail(struct fault *fault, size_t at, const char *wanted)
{
    *fault = (struct fault){ERR_MALFORMED, at, wanted};
    return ERR_MALFORMED;
}

static enum err check_elements(const uint8_t in[BLOB_BYTES], struct fault *fault)
{
    for (size_t at = ELEMENT; at < BLOB_BYTES; at += ELEMENT) {
        if ((in[at] & HIGH_TWO) != 0) {
            return fail(fault, at, "a field element below 2^254");
        }
    }
    return OK;
}

/* Zeros from `at` of the stream on; the place that is reported is the group's in the blob. */
static enum err check_rest(const uint8_t *stream, size_t at, struct fault *fault)
{
    for (; at < STREAM_BYTES; at++) {
        if (stream[at] != 0) {
            return fail(fault, at / GROUP * GROUP_BYTES, "zeros behind the payload");
        }
    }
    return OK;
}

static enum err check_stream(const uint8_t *stream, size_t *length, struct fault *fault)
{
    *length = (size_t)stream[1] << 16 | (size_t)stream[2] << 8 | stream[3];
    if (stream[0] != 0) {
        return fail(fault, 1, "version 0 of the blob's encoding");
    }
    if (*length > BLOB_DATA_BYTES) {
        return fail(fault, 2, "a payload of at most 130,044 bytes");
    }
    return check_rest(stream, HEAD + *length, fault);
}

enum err blob_decode(struct buffer *out, const uint8_t in[BLOB_BYTES], struct fault *fault)
{
    *fault = (struct fault){.e = OK};
    TRY(check_elements(in, fault));
    uint8_t *stream = buffer_room(out, STREAM_BYTES);
    if (stream == NULL) {
        return out->bad;
    }
    for (size_t g = 0; g < GROUPS; g++) {
        take_group(stream + g * GROUP, in + g * GROUP_BYTES);
    }
    size_t length;
    TRY(check_stream(stream, &length, fault));
    memmove(stream, stream + HEAD, length);
    out->n += length;
    return OK;
}
