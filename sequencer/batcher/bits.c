#include "sequencer/batcher/bits.h"

void bits_init(struct bits *b, size_t max_bytes)
{
    buffer_init(&b->bytes, max_bytes);
    b->n = 0;
}

void bits_free(struct bits *b)
{
    buffer_free(&b->bytes);
    b->n = 0;
}

void bits_clear(struct bits *b)
{
    buffer_clear(&b->bytes);
    b->n = 0;
}

void bits_put(struct bits *b, bool one)
{
    if (b->n % 8 == 0) {
        buffer_put_byte(&b->bytes, 0);
    }
    if (b->bytes.bad != OK) {
        return;
    }
    if (one) {
        b->bytes.p[b->n / 8] |= (uint8_t)(1u << (b->n % 8));
    }
    b->n++;
}

void bits_write(struct buffer *out, const struct bits *b)
{
    for (size_t i = b->bytes.n; i > 0; i--) {
        buffer_put_byte(out, b->bytes.p[i - 1]);
    }
}

bool bits_get(struct bytes written, uint64_t i)
{
    return (written.p[written.n - 1 - (size_t)(i / 8)] >> (i % 8) & 1) != 0;
}

void uvarint_put(struct buffer *out, uint64_t v)
{
    uint8_t group[UVARINT_MAX_BYTES];
    size_t n = 0;
    while (v > 0x7f) {
        group[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    group[n++] = (uint8_t)v;
    buffer_put(out, group, n);
}
