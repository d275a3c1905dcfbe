/* RLP (Ethereum Yellow Paper, appendix B): canonical only, bounded, no recursion, no allocation.
 *
 * Reading: a cursor over borrowed bytes. Writing: into the caller's buffer; an overflow is
 * remembered and reported once, by rlp_finish. */
#ifndef PROTO_RLP_H
#define PROTO_RLP_H

#include "proto/bytes.h"
#include "proto/error.h"
#include "proto/u256.h"

struct rlp_in {
    const uint8_t *p;
    size_t n;
};

bool rlp_at_end(const struct rlp_in *in);
bool rlp_next_is_list(const struct rlp_in *in);
enum err rlp_string(struct rlp_in *in, struct bytes *out) MUST_USE;
enum err rlp_list(struct rlp_in *in, struct rlp_in *out) MUST_USE;
/* Exactly `n` bytes. */
enum err rlp_fixed(struct rlp_in *in, uint8_t *out, size_t n) MUST_USE;
/* No leading zeros, as all of Ethereum's integers. */
enum err rlp_u64(struct rlp_in *in, uint64_t *out) MUST_USE;
enum err rlp_u256(struct rlp_in *in, struct u256 *out) MUST_USE;
/* The next item whole, with its prefix. */
enum err rlp_item(struct rlp_in *in, struct bytes *out) MUST_USE;

struct rlp_out {
    uint8_t *p;
    size_t cap;
    size_t n;
    bool overflow;
};

void rlp_put_string(struct rlp_out *out, const void *p, size_t n);
void rlp_put_u64(struct rlp_out *out, uint64_t v);
void rlp_put_u256(struct rlp_out *out, const struct u256 *v);
void rlp_put_raw(struct rlp_out *out, const void *p, size_t n);
/* A list: remember the mark, put the items, close it with the mark. */
size_t rlp_list_begin(const struct rlp_out *out);
void rlp_list_end(struct rlp_out *out, size_t mark);
/* ERR_TOO_LARGE when something did not fit. */
enum err rlp_finish(const struct rlp_out *out) MUST_USE;

#endif
