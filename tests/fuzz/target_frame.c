/* Frames out of a stream: the first two bytes say how it is cut into pieces; whatever the cut, the
 * same frames come out and the same error ends them (one of the sink: it has enough after a frame
 * of 13 bytes). What came out goes through the writer and the reader once more. */
#include "p2p/frame.h"

#include "proto/keccak.h"
#include "tests/fuzz/fuzz.h"

/* What a reader handed up: a running hash of tags and payloads. */
struct taken {
    struct keccak k;
    uint32_t n;
    bool checked; /* its frames go through writer and reader once more */
    bool patient; /* its sink never has enough */
};

static void note(struct taken *t, uint8_t tag, struct bytes payload)
{
    uint8_t head[5];
    head[0] = tag;
    store_be32(head + 1, (uint32_t)payload.n);
    keccak_update(&t->k, head, sizeof head);
    keccak_update(&t->k, payload.p, payload.n);
    t->n++;
}

static enum err take(void *ctx, uint8_t tag, struct bytes payload);

/* The frame as the writer cuts it, read by a fresh reader. */
static void write_again(uint8_t tag, struct bytes payload)
{
    struct frame_reader r = {0};
    struct taken one = {.patient = true};
    struct taken two = {.patient = true};
    uint8_t piece[300];
    size_t sent = 0;
    bool done = false;
    struct frame *f = frame_new(tag, payload.n);
    DEMAND(f != NULL);
    if (payload.n > 0) {
        memcpy(f->data, payload.p, payload.n);
    }
    keccak_init(&one.k);
    keccak_init(&two.k);
    note(&one, tag, payload);
    size_t cap = tag < LANE_COUNT ? sizeof piece : FRAGMENT_HEAD + payload.n;
    while (!done && cap <= sizeof piece) {
        size_t n = fragment_write(piece, cap, f, &sent, &done);
        DEMAND(n > 0 && frame_reader_feed(&r, bytes_of(piece, n), take, &two) == OK);
    }
    DEMAND(!done || (two.n == 1 && memcmp(&one.k, &two.k, sizeof one.k) == 0));
    frame_reader_free(&r);
    frame_unref(f);
}

static enum err take(void *ctx, uint8_t tag, struct bytes payload)
{
    struct taken *t = ctx;
    DEMAND(payload.n <= frame_limit(tag));
    note(t, tag, payload);
    if (t->checked && payload.n < 4096) {
        write_again(tag, payload);
    }
    return payload.n == 13 && !t->patient ? ERR_BUDGET : OK;
}

static enum err read_all(struct bytes in, size_t piece, struct taken *out)
{
    struct frame_reader r = {0};
    enum err e = OK;
    keccak_init(&out->k);
    while (in.n > 0 && e == OK) {
        struct bytes part = script_bytes(&in, piece);
        e = frame_reader_feed(&r, part, take, out);
    }
    for (int i = 0; i < FRAME_SLOTS; i++) {
        DEMAND(r.slot[i].len <= r.slot[i].cap);
    }
    frame_reader_free(&r);
    return e;
}

void fuzz_frame(struct bytes in)
{
    struct taken whole = {.checked = true};
    struct taken cut = {.checked = false};
    size_t piece = 1 + script_u16(&in) % 700;
    enum err e = read_all(in, SIZE_MAX, &whole);
    DEMAND(read_all(in, piece, &cut) == e);
    DEMAND(whole.n == cut.n && memcmp(&whole.k, &cut.k, sizeof cut.k) == 0);
}
