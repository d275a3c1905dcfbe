#include "sequencer/batcher/buffer.h"

#include <stdlib.h>

enum { FIRST_BYTES = 256 };

void buffer_init(struct buffer *b, size_t max)
{
    *b = (struct buffer){.max = max};
}

void buffer_free(struct buffer *b)
{
    free(b->p);
    *b = (struct buffer){.max = b->max};
}

void buffer_clear(struct buffer *b)
{
    b->n = 0;
    b->bad = OK;
}

/* Doubles, so that n single bytes cost n; never above the bound. */
static size_t next_size(const struct buffer *b, size_t wanted)
{
    size_t cap = b->cap < FIRST_BYTES ? FIRST_BYTES : b->cap;
    while (cap < wanted) {
        cap = cap > b->max / 2 ? b->max : 2 * cap;
    }
    return cap;
}

uint8_t *buffer_room(struct buffer *b, size_t n)
{
    if (b->bad != OK) {
        return NULL;
    }
    if (n > b->max - b->n) {
        b->bad = ERR_TOO_LARGE;
        return NULL;
    }
    if (n > b->cap - b->n || b->p == NULL) {
        size_t cap = next_size(b, b->n + n);
        uint8_t *p = realloc(b->p, cap);
        if (p == NULL) {
            b->bad = ERR_NO_MEMORY;
            return NULL;
        }
        b->p = p;
        b->cap = cap;
    }
    return b->p + b->n;
}

void buffer_put(struct buffer *b, const void *p, size_t n)
{
    uint8_t *to = n > 0 ? buffer_room(b, n) : NULL;
    if (to != NULL) {
        memcpy(to, p, n);
        b->n += n;
    }
}

void buffer_put_byte(struct buffer *b, uint8_t v)
{
    buffer_put(b, &v, 1);
}

void buffer_put_bytes(struct buffer *b, struct bytes v)
{
    buffer_put(b, v.p, v.n);
}
