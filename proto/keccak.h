/* Keccak-256 with the padding of Ethereum (0x01), not SHA3-256. Pure; no state is shared. */
#ifndef PROTO_KECCAK_H
#define PROTO_KECCAK_H

#include "proto/bytes.h"

struct keccak {
    uint64_t lane[25];
    uint32_t filled; /* bytes of the rate already absorbed, 0 … 135 */
};

void keccak_init(struct keccak *k);
void keccak_update(struct keccak *k, const void *p, size_t n);
void keccak_final(struct keccak *k, struct hash *out);

/* keccak256("") = c5d24601 86f7233c 927e7db2 dcc703c0 e500b653 ca82273b 7bfad804 5d85a470 */
struct hash keccak256(const void *p, size_t n);

#endif
