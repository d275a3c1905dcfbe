/* Ethereum's Merkle-Patricia tries (Yellow Paper, appendix D), as far as they are hashed once and
 * never kept: lists of transactions and receipts, and whatever has sorted keys. The state trie of
 * the ledger is built of the same nodes. Pure; proofs allocate. */
#ifndef PROTO_TRIE_H
#define PROTO_TRIE_H

#include "proto/bytes.h"
#include "proto/error.h"

/* Merkle-Patricia root of a list of byte strings keyed by rlp(index): Ethereum's transactionsRoot,
 * and the inclusion proof of one of them (ERR_NOT_FOUND: index >= n):
 * RLP nodes from the root down, each after its length in 4 bytes; the caller frees it. */
struct hash trie_list_root(const struct bytes *item, uint32_t n);
enum err trie_list_proof(const struct bytes *item, uint32_t n, uint32_t index, uint8_t **out,
                         size_t *out_n) MUST_USE;

/* Any trie: `n` pairs in ascending order of their keys, made on demand. The bytes returned by
 * `key` and `value` may stand in the given buffer. `leaf` may be NULL; else it gives a place where the hash of pair i's leaf, `depth` nibbles below the root, is
 * kept from trie to trie, and which holds zeros unless that very pair stood there before. */
enum { TRIE_KEY_BUFFER = 32, TRIE_VALUE_BUFFER = 320 };
struct trie_source {
    const void *ctx;
    uint32_t n;
    struct bytes (*key)(const void *ctx, uint32_t i, uint8_t buffer[TRIE_KEY_BUFFER]);
    struct bytes (*value)(const void *ctx, uint32_t i, uint8_t buffer[TRIE_VALUE_BUFFER]);
    struct hash *(*leaf)(const void *ctx, uint32_t i, unsigned depth);
};
struct hash trie_source_root(const struct trie_source *s);

/* The order in which rlp(index) ascends: 1 … 127, 0, 128 … ; and the key itself. */
uint32_t trie_list_index(uint32_t n, uint32_t position);
struct bytes trie_list_key(uint32_t index, uint8_t buffer[TRIE_KEY_BUFFER]);

/* ---- for those who encode nodes themselves --------------------------------------------------- */

enum {
    HEX_PREFIX_MAX = 33,
    NODE_MAX_BYTES = 16 * 33 + 1 + 3 /* a full branch; leaves are smaller */
};

static inline unsigned nibble(const uint8_t *key, unsigned i)
{
    return (i & 1) != 0 ? key[i / 2] & 15U : key[i / 2] >> 4;
}

/* Nibbles from … to-1 of `key` with the flags of appendix C; returns the length. */
size_t trie_hex_prefix(uint8_t out[HEX_PREFIX_MAX], const uint8_t *key, unsigned from, unsigned to,
                       bool leaf);

/* Encoded nodes with 4-byte lengths, growing. */
struct trie_nodes {
    uint8_t *p;
    size_t n;
    size_t cap;
    uint32_t nodes;
    bool failed; /* out of memory */
};
void trie_proof_add(struct trie_nodes *proof, struct bytes head, struct bytes tail);
/* Hands the bytes over, or frees them and reports ERR_NO_MEMORY. `reverse`: nodes were added from
 * the leaf up. */
enum err trie_proof_finish(struct trie_nodes *proof, bool reverse, uint8_t **out,
                           size_t *out_n) MUST_USE;

#endif
