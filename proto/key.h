/* secp256k1 keys: make, sign, recover. Signatures are deterministic (RFC 6979), recoverable and
 * low-s; recovery refuses high s and any v but 27 and 28 (EIP-2).
 *
 * Threads: the context is made once by key_library_init and only read afterwards, so all
 * functions may be called from any thread. A secret lives in memory that is locked and left out
 * of core dumps where the caller obtained it from key_alloc. */
#ifndef PROTO_KEY_H
#define PROTO_KEY_H

#include "proto/bytes.h"
#include "proto/error.h"

struct secret_key {
    uint8_t b[32];
};

/* Call once before anything else here. Errors: ERR_CRYPTO. */
enum err key_library_init(void) MUST_USE;

/* One secret in memory that is mlocked, outside core dumps and wiped in children. Free with
 * key_free, which cleanses it. NULL when the system gives no such memory. */
struct secret_key *key_alloc(void);
void key_free(struct secret_key *key);

enum err key_generate(struct secret_key *out) MUST_USE;
/* ERR_MALFORMED: zero or not below the group order. */
enum err key_check(const struct secret_key *key) MUST_USE;
enum err key_address(struct address *out, const struct secret_key *key) MUST_USE;
enum err key_sign(struct signature *out, const struct secret_key *key, const struct hash *digest) MUST_USE;
/* ERR_BAD_SIGNATURE: no address can have made it. About 42 us. */
enum err key_recover(struct address *out, const struct signature *sig, const struct hash *digest) MUST_USE;

#endif
