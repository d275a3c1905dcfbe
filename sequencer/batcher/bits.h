/* The two compact forms inside a span batch.
 *
 * A list of bits is one big-endian number whose bit i is element i, in as few bytes as the count
 * needs; none for an empty list. A uvarint is LEB128: seven bits a byte, the lowest first. */
#ifndef SEQUENCER_BATCHER_BITS_H
#define SEQUENCER_BATCHER_BITS_H

#include "sequencer/batcher/buffer.h"

/* Grows with the lowest bits first; the order of bytes is turned round when it is written. */
struct bits {
    struct buffer bytes;
    size_t n;
};

void bits_init(struct bits *b, size_t max_bytes);
void bits_free(struct bits *b);
void bits_clear(struct bits *b);
void bits_put(struct bits *b, bool one);
void bits_write(struct buffer *out, const struct bits *b);
/* Element `i` of a written list. */
bool bits_get(struct bytes written, uint64_t i);

enum { UVARINT_MAX_BYTES = 10 };
/* The shortest form. */
void uvarint_put(struct buffer *out, uint64_t v);

#endif
