/* The hand-laid bytes of members and constants, as the genesis hash and the config hash cover
 * them: numbers big-endian in full width, strings behind one byte of length. Pure. */
#ifndef PROTO_EPOCH_BYTES_H
#define PROTO_EPOCH_BYTES_H

#include "proto/keccak.h"
#include "proto/members.h"

void keccak_put_u32(struct keccak *k, uint32_t v);
void keccak_put_u64(struct keccak *k, uint64_t v);
void keccak_put_params(struct keccak *k, const struct epoch_params *p);
/* The count, then each member whole. */
void keccak_put_members(struct keccak *k, const struct member *m, uint32_t n);

#endif
