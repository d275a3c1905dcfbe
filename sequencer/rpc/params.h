/* Reading parameters. Each reader answers the call with -32602 in geth's words and returns false
 * when the parameter is missing or wrong; the handler then just returns. */
#ifndef SEQUENCER_RPC_PARAMS_H
#define SEQUENCER_RPC_PARAMS_H

#include "sequencer/rpc/call.h"

/* A block as callers name it. */
struct block_ref {
    enum { REF_TAG, REF_NUMBER, REF_HASH } kind;
    enum rpc_tag tag;
    uint64_t number;
    struct hash hash;
};

/* The parameter, NULL where it is missing or null. */
struct json_object *params_at(struct call *c, uint32_t i);
bool params_tag(const char *text, enum rpc_tag *out);
bool params_address(struct call *c, uint32_t i, struct address *out);
bool params_hash(struct call *c, uint32_t i, struct hash *out);
/* A quantity: hex string, or a plain number, which scripts like to send. */
bool params_u64(struct call *c, uint32_t i, uint64_t *out);
/* Missing: `fallback`. */
bool params_u64_or(struct call *c, uint32_t i, uint64_t fallback, uint64_t *out);
bool params_bool_or(struct call *c, uint32_t i, bool fallback, bool *out);
bool params_text(struct call *c, uint32_t i, const char **out);
/* Tag, number, hash, or {"blockNumber"|"blockHash": …}; missing: latest. */
bool params_block(struct call *c, uint32_t i, struct block_ref *out);
/* Bytes of a hex string, malloc'ed; at most `max`, more is reported as `max + 1` bytes of nothing:
 * *out is NULL and *out_n the true length. */
bool params_bytes(struct call *c, uint32_t i, size_t max, uint8_t **out, size_t *out_n);

/* NULL, or what is wrong with this hex quantity, in geth's words. */
const char *params_quantity(const char *text, uint64_t *out);
/* Reads the block that `ref` names; PENDING reads latest. */
enum err params_read_block(struct call *c, const struct block_ref *ref, struct rpc_block *out);
/* "finalized block" and the like, for call_read_error. */
const char *params_block_name(const struct block_ref *ref);

#endif
