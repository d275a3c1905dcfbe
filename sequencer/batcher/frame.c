#include "sequencer/batcher/frame.h"

#include "proto/limits.h"

void frame_put(struct buffer *out, const struct frame *f)
{
    uint8_t head[CHANNEL_ID_BYTES + 6];
    memcpy(head, f->id.b, CHANNEL_ID_BYTES);
    head[CHANNEL_ID_BYTES] = (uint8_t)(f->number >> 8);
    head[CHANNEL_ID_BYTES + 1] = (uint8_t)f->number;
    store_be32(head + CHANNEL_ID_BYTES + 2, (uint32_t)f->data.n);
    buffer_put(out, head, sizeof head);
    buffer_put_bytes(out, f->data);
    buffer_put_byte(out, f->last ? 1 : 0);
}

enum err frames_put(struct buffer *out, const struct channel_id *id, struct bytes channel,
                    size_t size)
{
    size_t piece = size > FRAME_OVERHEAD ? size - FRAME_OVERHEAD : 0;
    if (piece == 0 || piece > LIMIT_BATCH_FRAME) {
        return ERR_REFUSED;
    }
    if (channel.n > (size_t)(UINT16_MAX + 1) * piece) {
        return ERR_TOO_LARGE;
    }
    struct frame f = {.id = *id};
    size_t at = 0;
    do {
        size_t left = channel.n - at;
        f.data = bytes_of(channel.p + at, left < piece ? left : piece);
        f.last = left <= piece;
        frame_put(out, &f);
        f.number++;
        at += f.data.n;
    } while (!f.last);
    return out->bad;
}

enum err frame_take(struct cursor *c, struct frame *out)
{
    struct bytes head;
    uint8_t last;
    TRY(cursor_take(c, CHANNEL_ID_BYTES, "a channel id of 16 bytes", &head));
    memcpy(out->id.b, head.p, CHANNEL_ID_BYTES);
    TRY(cursor_take(c, 2, "a frame number of 2 bytes", &head));
    out->number = (uint16_t)(head.p[0] << 8 | head.p[1]);
    size_t at = c->at;
    TRY(cursor_take(c, 4, "a frame's length of 4 bytes", &head));
    uint32_t length = load_be32(head.p);
    if (length > LIMIT_BATCH_FRAME) {
        return cursor_fail(c, ERR_TOO_LARGE, at, "a frame's length of at most 1,000,000");
    }
    TRY(cursor_take(c, length, "as much data as the frame's length says", &out->data));
    at = c->at;
    TRY(cursor_byte(c, "the byte that says whether the frame is the last", &last));
    if (last > 1) {
        return cursor_fail(c, ERR_MALFORMED, at, "0 or 1: whether the frame is the last");
    }
    out->last = last == 1;
    return OK;
}

static enum err count(struct cursor *c, size_t *out)
{
    struct frame f;
    uint8_t version;
    TRY(cursor_byte(c, "a version byte", &version));
    if (version != PAYLOAD_VERSION) {
        return cursor_fail(c, ERR_WRONG_VERSION, 0, "version 0 (frames follow)");
    }
    *out = 0;
    do {
        TRY(frame_take(c, &f));
        (*out)++;
    } while (cursor_left(c) > 0);
    return OK;
}

enum err payload_count(struct bytes payload, size_t *out, struct fault *fault)
{
    struct cursor c;
    cursor_init(&c, payload);
    enum err e = count(&c, out);
    *fault = c.fault;
    return e;
}

void payload_split(struct bytes payload, struct frame *out, size_t n)
{
    struct cursor c;
    cursor_init(&c, bytes_of(payload.p + 1, payload.n - 1));
    for (size_t i = 0; i < n; i++) {
        if (frame_take(&c, &out[i]) != OK) {
            return; /* payload_count has read the same bytes */
        }
    }
}

static bool same_channel(const struct frame *a, const struct frame *b)
{
    return memcmp(a->id.b, b->id.b, CHANNEL_ID_BYTES) == 0;
}

static void drop(struct frame *f, size_t *n, size_t i)
{
    memmove(f + i, f + i + 1, (*n - i - 1) * sizeof *f);
    (*n)--;
}

size_t frames_prune(struct frame *f, size_t n)
{
    size_t i = 0;
    while (i + 1 < n) {
        const struct frame *a = &f[i];
        const struct frame *b = &f[i + 1];
        bool same = same_channel(a, b);
        if (same ? a->last || b->number != a->number + 1 : b->number != 0) {
            drop(f, &n, i + 1); /* it continues nothing */
        } else if (!same && !a->last) {
            drop(f, &n, i); /* a new channel starts before the open one ended: that one is lost */
            i -= i > 0 ? 1 : 0;
        } else {
            i++;
        }
    }
    return n;
}
