/* EIP-712 digests of typed data made of static types only: hash of the type string, then one
 * 32-byte word a field. Pure. */
#ifndef PROTO_EIP712_H
#define PROTO_EIP712_H

#include "proto/bytes.h"

enum { TYPED_WORDS = 10 }; /* type hash and at most nine fields */

/* A struct under construction: typed_begin, one typed_put… a field in the type's order. */
struct typed {
    uint8_t word[TYPED_WORDS][32];
    size_t n;
};

/* `type` is the EIP-712 type string, e.g. "Mail(address to,uint64 nonce)". */
void typed_begin(struct typed *t, const char *type);
void typed_put_u64(struct typed *t, uint64_t v);                  /* uint8 … uint64 */
void typed_put_hash(struct typed *t, const struct hash *h);       /* bytes32 */
void typed_put_address(struct typed *t, const struct address *a); /* address */
void typed_put_bytes16(struct typed *t, const uint8_t b[16]);     /* bytes16: left-aligned */

/* hashStruct of what was put. */
struct hash typed_hash(const struct typed *t);
/* What is signed: Keccak-256(0x19 0x01 ‖ domain separator ‖ hashStruct). */
struct hash typed_digest(const struct typed *t, const struct hash *domain_separator);

/* Domain {name "Baton", version "1", chainId, verifyingContract} (CONSENSUS 3). */
struct hash domain_separator(uint64_t chain_id, const struct address *contract);

#endif
