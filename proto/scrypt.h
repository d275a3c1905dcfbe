/* scrypt (RFC 7914) without that document's bound N < 2^(16 r), which OpenSSL enforces: the key
 * files of Python's eth-keyfile, and the example of the Web3 Secret Storage definition, have
 * r = 1 and N = 2^18. The keystore uses it for those alone. */
#ifndef PROTO_SCRYPT_H
#define PROTO_SCRYPT_H

#include "proto/bytes.h"
#include "proto/error.h"

struct scrypt_cost {
    uint64_t n; /* power of two, >= 2 */
    uint32_t r;
    uint32_t p;
};

/* Derives `out_n` bytes; takes 128 r (n + p + 2) bytes of memory, wiped before it is freed. The
 * caller has bounded the cost. ERR_NO_MEMORY, ERR_CRYPTO. */
enum err scrypt_derive(uint8_t *out, size_t out_n, struct bytes password, struct bytes salt,
                       const struct scrypt_cost *cost) MUST_USE;

#endif
