/* Reading bytes of somebody else: nothing is taken that is not there, and a failure says at which
 * byte what was expected. Views borrow from the bytes that are read. */
#ifndef SEQUENCER_BATCHER_CURSOR_H
#define SEQUENCER_BATCHER_CURSOR_H

#include "proto/bytes.h"
#include "proto/error.h"

/* The first failure: `e` is OK while there was none. `wanted` is a constant text. */
struct fault {
    enum err e;
    size_t at;
    const char *wanted;
};

struct cursor {
    struct bytes in;
    size_t at;
    struct fault fault;
};

void cursor_init(struct cursor *c, struct bytes in);
size_t cursor_left(const struct cursor *c);
/* Remembers the first failure only; returns its error. */
enum err cursor_fail(struct cursor *c, enum err e, size_t at, const char *wanted);

/* Each: ERR_MALFORMED where the bytes end too early. */
enum err cursor_take(struct cursor *c, size_t n, const char *wanted, struct bytes *out) MUST_USE;
enum err cursor_byte(struct cursor *c, const char *wanted, uint8_t *out) MUST_USE;
/* One whole RLP item with its prefix; also ERR_NOT_CANONICAL. */
enum err cursor_rlp(struct cursor *c, const char *wanted, struct bytes *out) MUST_USE;
/* LEB128, at most ten bytes and 64 bits; longer than needed is accepted, as op-node does. */
enum err cursor_uvarint(struct cursor *c, const char *wanted, uint64_t *out) MUST_USE;
/* A list of `n` bits as it stands in a span batch (bits.h); unused bits must be zero. */
enum err cursor_bits(struct cursor *c, uint64_t n, const char *wanted, struct bytes *out) MUST_USE;

#endif
