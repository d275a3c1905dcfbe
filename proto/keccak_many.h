/* Keccak-256 of several byte strings at once: the same hashes as keccak256 gives, eight side by
 * side where the processor has AVX-512 (there two already take less time than one after the other).
 * For lists: transactions of a frame or a body, the children of a branch. Pure. */
#ifndef PROTO_KECCAK_MANY_H
#define PROTO_KECCAK_MANY_H

#include "proto/bytes.h"

/* So many are hashed together: whoever gathers need gather no more. */
enum { KECCAK_TOGETHER = 8 };

void keccak256_many(struct hash *out, const struct bytes *in, size_t n);

#endif
