#include "p2p/frame.h"

#include <stdlib.h>

/* Buffers up to this size stay with an idle connection. */
enum { SLOT_KEEP = 16384, SLOT_FIRST = 4096, FRAGMENT_WORTH = 64 };

struct frame *frame_new(uint8_t tag, size_t cap)
{
    struct frame *f = malloc(sizeof *f + cap);
    if (f != NULL) {
        f->refs = 1;
        f->tag = tag;
        f->len = cap;
    }
    return f;
}

struct frame *frame_ref(struct frame *f)
{
    f->refs++;
    return f;
}

void frame_unref(struct frame *f)
{
    if (--f->refs == 0) {
        free(f);
    }
}

size_t frame_limit(uint8_t tag)
{
    switch (tag) {
    case LANE_VOTE:
        return LIMIT_FRAME_CONTROL;
    case LANE_PROPOSAL:
        return LIMIT_FRAME_PROPOSAL;
    case LANE_BODY:
        return LIMIT_FRAME_BODY;
    case LANE_TX:
        return LIMIT_FRAME_TXS;
    case LANE_SYNC:
        return LIMIT_FRAME_SYNC;
    case LANE_POST:
        return LIMIT_FRAME_INTENT;
    case FRAME_PING:
    case FRAME_HELLO:
    case FRAME_PROOF:
    case FRAME_RETIRE:
        return LIMIT_FRAME_HELLO;
    default:
        return 0;
    }
}

static void write_head(uint8_t *out, size_t n, uint8_t tag, bool first, bool last)
{
    store_be32(out, (uint32_t)n);
    out[4] = (uint8_t)(FRAGMENT_VERSION << 6 | (first ? FRAGMENT_FIRST : 0) |
                       (last ? FRAGMENT_LAST : 0) | tag);
}

size_t fragment_write(uint8_t *out, size_t cap, const struct frame *f, size_t *sent, bool *done)
{
    size_t left = f->len - *sent;
    bool first = *sent == 0;
    *done = cap >= FRAGMENT_HEAD && left <= cap - FRAGMENT_HEAD;
    if (!*done && cap < FRAGMENT_WORTH) {
        return 0;
    }
    size_t extra = first && !*done ? FRAGMENT_TOTAL : 0;
    size_t n = *done ? left : cap - FRAGMENT_HEAD - extra;
    write_head(out, n + extra, f->tag, first, *done);
    if (extra > 0) {
        store_be32(out + FRAGMENT_HEAD, (uint32_t)f->len);
    }
    memcpy(out + FRAGMENT_HEAD + extra, f->data + *sent, n);
    *sent += n;
    return FRAGMENT_HEAD + extra + n;
}

static struct frame_slot *slot_of(struct frame_reader *r, uint8_t tag)
{
    return &r->slot[tag < LANE_COUNT ? tag : LANE_COUNT];
}

static enum err slot_append(struct frame_slot *s, struct bytes in)
{
    if (s->cap - s->len < in.n) {
        size_t cap = s->cap < SLOT_FIRST ? SLOT_FIRST : s->cap * 2;
        while (cap - s->len < in.n) {
            cap *= 2;
        }
        uint8_t *p = realloc(s->p, cap);
        if (p == NULL) {
            return ERR_NO_MEMORY;
        }
        s->p = p;
        s->cap = cap;
    }
    memcpy(s->p + s->len, in.p, in.n);
    s->len += in.n;
    return OK;
}

static void slot_release(struct frame_slot *s)
{
    s->len = 0;
    s->open = false;
    if (s->cap > SLOT_KEEP) {
        free(s->p);
        s->p = NULL;
        s->cap = 0;
    }
}

/* Opens the slot of a first fragment: its frame's whole length is known now. */
static enum err open_slot(struct frame_reader *r, size_t total)
{
    struct frame_slot *s = slot_of(r, r->tag);
    if (s->open) {
        return ERR_MALFORMED;
    }
    if (total > frame_limit(r->tag)) {
        return ERR_TOO_LARGE;
    }
    s->open = true;
    s->total = total;
    return OK;
}

static enum err begin_first(struct frame_reader *r)
{
    if (r->last) {
        return open_slot(r, r->left);
    }
    if (r->tag >= LANE_COUNT || r->left <= FRAGMENT_TOTAL) {
        return ERR_MALFORMED;
    }
    r->left -= FRAGMENT_TOTAL;
    size_t total = load_be32(r->head + FRAGMENT_HEAD);
    return total <= r->left ? ERR_MALFORMED : open_slot(r, total);
}

static enum err begin_next(struct frame_reader *r)
{
    struct frame_slot *s = slot_of(r, r->tag);
    if (!s->open || r->left == 0 || r->left > s->total - s->len) {
        return ERR_MALFORMED;
    }
    return r->last == (r->left == s->total - s->len) ? OK : ERR_MALFORMED;
}

/* Bytes of head that are needed: the total follows only in the first of several fragments. */
static size_t head_need(const struct frame_reader *r)
{
    if (r->head_len < FRAGMENT_HEAD) {
        return FRAGMENT_HEAD;
    }
    bool several = (r->head[4] & (FRAGMENT_FIRST | FRAGMENT_LAST)) == FRAGMENT_FIRST;
    return several ? FRAGMENT_HEAD + FRAGMENT_TOTAL : FRAGMENT_HEAD;
}

static enum err take_head(struct frame_reader *r)
{
    uint8_t tag = r->head[4];
    if (tag >> 6 != FRAGMENT_VERSION) {
        return ERR_WRONG_VERSION;
    }
    r->tag = tag & 0x0f;
    r->last = (tag & FRAGMENT_LAST) != 0;
    r->left = load_be32(r->head);
    r->head_len = 0;
    r->in_body = true;
    if (frame_limit(r->tag) == 0) {
        return ERR_MALFORMED;
    }
    return (tag & FRAGMENT_FIRST) != 0 ? begin_first(r) : begin_next(r);
}

static enum err read_head(struct frame_reader *r, struct bytes *in)
{
    while (in->n > 0 && r->head_len < head_need(r)) {
        size_t n = head_need(r) - r->head_len;
        n = n < in->n ? n : in->n;
        memcpy(r->head + r->head_len, in->p, n);
        r->head_len += n;
        *in = bytes_of(in->p + n, in->n - n);
    }
    return r->head_len == head_need(r) ? take_head(r) : OK;
}

static enum err deliver(struct frame_reader *r, struct bytes payload, frame_sink *sink, void *ctx)
{
    enum err e = sink(ctx, r->tag, payload);
    slot_release(slot_of(r, r->tag));
    return e;
}

static enum err read_body(struct frame_reader *r, struct bytes *in, frame_sink *sink, void *ctx)
{
    struct frame_slot *s = slot_of(r, r->tag);
    struct bytes part = bytes_of(in->p, in->n < r->left ? in->n : r->left);
    *in = bytes_of(in->p + part.n, in->n - part.n);
    r->left -= part.n;
    if (r->left == 0) {
        r->in_body = false;
    }
    if (part.n == s->total) { /* whole frames are handed on from where they lie */
        return deliver(r, part, sink, ctx);
    }
    TRY(slot_append(s, part));
    return s->len == s->total ? deliver(r, bytes_of(s->p, s->len), sink, ctx) : OK;
}

enum err frame_reader_feed(struct frame_reader *r, struct bytes in, frame_sink *sink, void *ctx)
{
    while (in.n > 0) {
        TRY(r->in_body ? read_body(r, &in, sink, ctx) : read_head(r, &in));
        if (r->in_body && r->left == 0) {
            TRY(read_body(r, &in, sink, ctx));
        }
    }
    return OK;
}

void frame_reader_free(struct frame_reader *r)
{
    for (int i = 0; i < FRAME_SLOTS; i++) {
        free(r->slot[i].p);
    }
    memset(r, 0, sizeof *r);
}
