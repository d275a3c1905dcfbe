/* The rounds of Keccak-f[1600] (FIPS 202, 3.2), for one state (keccak.c) or for many side by side
 * (keccak_many.c): `type` is a lane, or a vector of the same lane of several states. For these two
 * files only. */
#ifndef PROTO_KECCAK_ROUNDS_H
#define PROTO_KECCAK_ROUNDS_H

#include "proto/bytes.h"

enum { KECCAK_RATE = 136, KECCAK_ROUNDS = 24 };

static const uint64_t keccak_constant[KECCAK_ROUNDS] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
    0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

#define KECCAK_ROTATE(x, n) ((x) << (n) | (x) >> ((64 - (n)) & 63))

#define KECCAK_COLUMN(a, x) (a[x] ^ a[(x) + 5] ^ a[(x) + 10] ^ a[(x) + 15] ^ a[(x) + 20])

/* One output row: the five lanes that pi sends there, each rotated by rho after theta, then chi.
 * `s` is the column of the first lane; the others follow it. */
#define KECCAK_ROW(type, e, a, row, s, l0, r0, l1, r1, l2, r2, l3, r3, l4, r4)                     \
    do {                                                                                           \
        type t0 = KECCAK_ROTATE(a[l0] ^ d[s], r0);                                                 \
        type t1 = KECCAK_ROTATE(a[l1] ^ d[((s) + 1) % 5], r1);                                     \
        type t2 = KECCAK_ROTATE(a[l2] ^ d[((s) + 2) % 5], r2);                                     \
        type t3 = KECCAK_ROTATE(a[l3] ^ d[((s) + 3) % 5], r3);                                     \
        type t4 = KECCAK_ROTATE(a[l4] ^ d[((s) + 4) % 5], r4);                                     \
        e[row] = t0 ^ (~t1 & t2);                                                                  \
        e[(row) + 1] = t1 ^ (~t2 & t3);                                                            \
        e[(row) + 2] = t2 ^ (~t3 & t4);                                                            \
        e[(row) + 3] = t3 ^ (~t4 & t0);                                                            \
        e[(row) + 4] = t4 ^ (~t0 & t1);                                                            \
    } while (0)

/* One round from state `a` to state `e`; two of them make the ping-pong that saves all copies. */
#define KECCAK_ROUND(type, e, a, constant)                                                         \
    do {                                                                                           \
        type c0 = KECCAK_COLUMN(a, 0);                                                             \
        type c1 = KECCAK_COLUMN(a, 1);                                                             \
        type c2 = KECCAK_COLUMN(a, 2);                                                             \
        type c3 = KECCAK_COLUMN(a, 3);                                                             \
        type c4 = KECCAK_COLUMN(a, 4);                                                             \
        type d[5] = {c4 ^ KECCAK_ROTATE(c1, 1), c0 ^ KECCAK_ROTATE(c2, 1),                         \
                     c1 ^ KECCAK_ROTATE(c3, 1), c2 ^ KECCAK_ROTATE(c4, 1),                         \
                     c3 ^ KECCAK_ROTATE(c0, 1)};                                                   \
        KECCAK_ROW(type, e, a, 0, 0, 0, 0, 6, 44, 12, 43, 18, 21, 24, 14);                         \
        KECCAK_ROW(type, e, a, 5, 3, 3, 28, 9, 20, 10, 3, 16, 45, 22, 61);                         \
        KECCAK_ROW(type, e, a, 10, 1, 1, 1, 7, 6, 13, 25, 19, 8, 20, 18);                          \
        KECCAK_ROW(type, e, a, 15, 4, 4, 27, 5, 36, 11, 10, 17, 15, 23, 56);                       \
        KECCAK_ROW(type, e, a, 20, 2, 2, 62, 8, 55, 14, 39, 15, 41, 21, 2);                        \
        e[0] ^= (constant);                                                                        \
    } while (0)

#endif
