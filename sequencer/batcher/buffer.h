/* Bytes that grow, up to a bound that their owner names. The first failure is remembered and
 * everything after it does nothing, so that a writer checks once, at the end. */
#ifndef SEQUENCER_BATCHER_BUFFER_H
#define SEQUENCER_BATCHER_BUFFER_H

#include "proto/bytes.h"
#include "proto/error.h"

struct buffer {
    uint8_t *p;
    size_t n;
    size_t cap;
    size_t max;   /* more is ERR_TOO_LARGE */
    enum err bad; /* OK, ERR_TOO_LARGE or ERR_NO_MEMORY */
};

/* Allocates nothing yet. buffer_free also after a failure. */
void buffer_init(struct buffer *b, size_t max);
void buffer_free(struct buffer *b);
/* Empty and good again; the memory stays. */
void buffer_clear(struct buffer *b);

void buffer_put(struct buffer *b, const void *p, size_t n);
void buffer_put_byte(struct buffer *b, uint8_t v);
void buffer_put_bytes(struct buffer *b, struct bytes v);
/* Room for `n` bytes behind what is there, or NULL; the writer adds what it used to `b->n`. */
uint8_t *buffer_room(struct buffer *b, size_t n);

/* Never NULL, so that arithmetic on an empty buffer's bytes is defined. */
static inline struct bytes buffer_bytes(const struct buffer *b)
{
    return bytes_of(b->p != NULL ? (const void *)b->p : "", b->n);
}

#endif
