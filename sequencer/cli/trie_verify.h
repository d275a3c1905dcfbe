/* Checks an inclusion proof of a Merkle-Patricia trie (Ethereum Yellow Paper, appendix D). Pure. */
#ifndef SEQUENCER_CLI_TRIE_VERIFY_H
#define SEQUENCER_CLI_TRIE_VERIFY_H

#include "proto/bytes.h"
#include "proto/error.h"

enum { TRIE_KEY_MAX = 32, TRIE_DEPTH_MAX = 72 };

/* `node`: the RLP of the nodes from the root down, those below 32 bytes inside their parents.
 * ERR_BAD_CERTIFICATE: the proof does not lead from `root` over `key` to `value`. */
enum err trie_verify(const struct hash *root, struct bytes key, struct bytes value,
                     const struct bytes *node, size_t n) MUST_USE;

#endif
