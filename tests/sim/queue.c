/* What is to happen, in order of time and then of its making; and the frames on their way. */
#include <stdlib.h>

#include "tests/sim/sim.h"

static bool earlier(const struct sim_event *a, const struct sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void queue_push(struct sim *s, struct sim_event e)
{
    if (s->events == s->heap_cap) {
        s->heap_cap = s->heap_cap == 0 ? 4096 : 2 * s->heap_cap;
        s->heap = realloc(s->heap, s->heap_cap * sizeof *s->heap);
        if (s->heap == NULL) {
            abort();
        }
    }
    e.order = s->order++;
    uint32_t i = s->events++;
    while (i > 0 && earlier(&e, &s->heap[(i - 1) / 2])) {
        s->heap[i] = s->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    s->heap[i] = e;
}

bool queue_pop(struct sim *s, uint64_t limit, struct sim_event *out)
{
    if (s->events == 0 || s->heap[0].at > limit) {
        return false;
    }
    *out = s->heap[0];
    struct sim_event last = s->heap[--s->events];
    uint32_t i = 0;
    for (;;) {
        uint32_t c = 2 * i + 1;
        if (c >= s->events) {
            break;
        }
        if (c + 1 < s->events && earlier(&s->heap[c + 1], &s->heap[c])) {
            c++;
        }
        if (!earlier(&s->heap[c], &last)) {
            break;
        }
        s->heap[i] = s->heap[c];
        i = c;
    }
    s->heap[i] = last;
    return true;
}

void queue_clear(struct sim *s)
{
    for (uint32_t i = 0; i < s->events; i++) {
        frame_drop(s, s->heap[i].frame);
    }
    s->events = 0;
}

/* ---- frames: encoded once, decoded once, whoever gets them ------------------------------------
 */

void frame_bytes(struct frame *f)
{
    uint64_t x = f->n;
    for (size_t i = 0; i + 8 <= f->n; i += 8) {
        x = dice_mix(x ^ load_be64(f->bytes + i));
    }
    for (size_t i = f->n & ~(size_t)7; i < f->n; i++) {
        x = x * 1099511628211u ^ f->bytes[i];
    }
    f->digest = x;
}

struct frame *frame_of(struct sim *s, const struct message *m)
{
    size_t cap = message_size(m);
    struct frame *f = s->spare_frames;
    if (f != NULL) {
        s->spare_frames = f->next;
    } else {
        f = calloc(1, sizeof *f);
    }
    if (f != NULL && f->cap < cap) {
        free(f->bytes);
        f->bytes = malloc(cap);
        f->cap = cap;
    }
    if (f == NULL || f->bytes == NULL) {
        abort();
    }
    f->refs = 1;
    f->decoded = false;
    f->kind = (int)m->kind;
    if (message_encode(f->bytes, f->cap, &f->n, m) != OK) {
        sim_fail(s, SIM_INVARIANT, "a message of kind %d could not be encoded", (int)m->kind);
        f->n = 0;
    }
    frame_bytes(f);
    return f;
}

/* NULL: the decoder refuses it. */
const struct message *frame_message(struct sim *s, struct frame *f)
{
    (void)s;
    if (!f->decoded) {
        if (message_decode(&f->message, &f->arena, bytes_of(f->bytes, f->n)) != OK) {
            return NULL;
        }
        f->decoded = true;
    }
    return &f->message;
}

void frame_drop(struct sim *s, struct frame *f)
{
    if (f == NULL || --f->refs > 0) {
        return;
    }
    if (f->decoded) {
        message_arena_reset(&f->arena);
    }
    f->next = s->spare_frames;
    s->spare_frames = f;
}
