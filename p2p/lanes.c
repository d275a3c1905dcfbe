#include "p2p/lanes.h"

#include <stdlib.h>

enum { RING_FIRST = 16 };

static struct lane_queue *queue_of(struct lanes *l, const struct frame *f)
{
    return &l->lane[f->tag < LANE_COUNT ? f->tag : LANE_VOTE];
}

static struct frame **at(const struct lane_queue *q, uint32_t i)
{
    return &q->ring[(q->head + i) & (q->cap - 1)];
}

static enum err grow(struct lane_queue *q)
{
    uint32_t cap = q->cap == 0 ? RING_FIRST : q->cap * 2;
    struct frame **ring = malloc(cap * sizeof(struct frame *));
    if (ring == NULL) {
        return ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < q->count; i++) {
        ring[i] = *at(q, i);
    }
    free(q->ring);
    q->ring = ring;
    q->cap = cap;
    q->head = 0;
    return OK;
}

static void pop(struct lane_queue *q)
{
    struct frame *f = *at(q, 0);
    q->bytes -= f->len;
    q->sent = 0;
    q->head = (q->head + 1) & (q->cap - 1);
    q->count--;
    frame_unref(f);
}

/* A head frame that has begun must go on: then the one behind it is the oldest to drop. */
static void drop_oldest(struct lanes *l, struct lane_queue *q)
{
    if (q->sent > 0 && q->count > 1) {
        size_t sent = q->sent;
        struct frame *begun = *at(q, 0);
        struct frame *next = *at(q, 1);
        *at(q, 0) = next;
        *at(q, 1) = begun;
        pop(q);
        q->sent = sent;
    } else {
        pop(q);
    }
    l->dropped++;
}

static bool full(const struct lane_queue *q, const struct frame *f)
{
    return q->count >= LIMIT_LANE_FRAMES || q->bytes + f->len > LIMIT_LANE_BYTES;
}

enum err lanes_push(struct lanes *l, struct frame *f)
{
    struct lane_queue *q = queue_of(l, f);
    while (full(q, f)) {
        if (q != &l->lane[LANE_VOTE] || q->count <= (q->sent > 0 ? 1u : 0u)) {
            l->dropped++;
            return ERR_BUSY;
        }
        drop_oldest(l, q);
    }
    if (q->count == q->cap) {
        TRY(grow(q));
    }
    q->count++;
    *at(q, q->count - 1) = frame_ref(f);
    q->bytes += f->len;
    return OK;
}

static size_t pull_lane(struct lanes *l, struct lane_queue *q, uint8_t *out, size_t cap)
{
    size_t n = 0;
    while (q->count > 0) {
        const struct frame *f = *at(q, 0);
        bool done = false;
        size_t k = fragment_write(out + n, cap - n, f, &q->sent, &done);
        n += k;
        if (!done) {
            break;
        }
        l->frames_out++;
        l->bytes_out += f->len;
        pop(q);
    }
    return n;
}

size_t lanes_pull(struct lanes *l, uint8_t *out, size_t cap)
{
    size_t n = 0;
    for (int i = 0; i < LANE_COUNT; i++) {
        n += pull_lane(l, &l->lane[i], out + n, cap - n);
        if (l->lane[i].count > 0) {
            break;
        }
    }
    return n;
}

void lanes_rewind(struct lanes *l)
{
    for (int i = 0; i < LANE_COUNT; i++) {
        l->lane[i].sent = 0;
    }
}

void lanes_clear(struct lanes *l)
{
    for (int i = 0; i < LANE_COUNT; i++) {
        struct lane_queue *q = &l->lane[i];
        while (q->count > 0) {
            pop(q);
        }
        free(q->ring);
        memset(q, 0, sizeof *q);
    }
}

size_t lanes_bytes(const struct lanes *l)
{
    size_t n = 0;
    for (int i = 0; i < LANE_COUNT; i++) {
        n += l->lane[i].bytes;
    }
    return n;
}
