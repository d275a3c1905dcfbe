/* The body of a block as it travels: one RLP list of raw transactions (byte strings, each as
 * eth_sendRawTransaction takes it); 0xc0 where a block has none. EMPTY blocks have no body. */
#ifndef PROTO_BODY_H
#define PROTO_BODY_H

#include "proto/bytes.h"
#include "proto/error.h"

/* Checks the whole form and counts.
 * ERR_MALFORMED, ERR_NOT_CANONICAL, ERR_TOO_LARGE (LIMIT_TX_BYTES, LIMIT_BODY_TXS, LIMIT_BODY_BYTES). */
enum err body_count(struct bytes body, uint32_t *out_n) MUST_USE;
/* Fills `out` with `n` views, n as body_count said. */
void body_split(struct bytes body, struct bytes *out, uint32_t n);
/* Size of the body of these transactions, and the bytes themselves. */
size_t body_size(const struct bytes *tx, uint32_t n);
void body_write(uint8_t *out, const struct bytes *tx, uint32_t n);

#endif
