/* Inside the trie: what a node is and how it is encoded. For trie*.c alone. */
#ifndef SEQUENCER_EXECUTION_TRIE_NODE_H
#define SEQUENCER_EXECUTION_TRIE_NODE_H

#include "proto/trie.h"
#include "sequencer/execution/trie.h"

enum { KEY_NIBBLES = 64 };

/* A node stands on the path of all keys below it from nibble `from` on. A branch decides on
 * nibble `at`; where from < at, an extension of those nibbles stands above it in the encoding. */
struct trie_node {
    _Alignas(8) uint32_t refs;
    uint16_t mask; /* branch: which children exist */
    uint8_t from;
    uint8_t at;       /* KEY_NIBBLES for a leaf */
    struct hash hash; /* of the outermost encoded node (extension, branch or leaf); zero: not yet */
};

struct trie_leaf {
    struct trie_node node;
    struct hash key;
    struct ledger_account account;
};

struct trie_branch {
    struct trie_node node;
    struct trie_node *child[]; /* as many as bits in mask, in order */
};

static inline bool node_is_leaf(const struct trie_node *n)
{
    return n->at == KEY_NIBBLES;
}

static inline const struct trie_leaf *node_leaf(const struct trie_node *n)
{
    return (const struct trie_leaf *)n;
}

static inline const struct trie_branch *node_branch(const struct trie_node *n)
{
    return (const struct trie_branch *)n;
}

static inline unsigned branch_count(const struct trie_node *n)
{
    return (unsigned)__builtin_popcount(n->mask);
}

/* Index of the child for this nibble among those that exist. */
static inline unsigned branch_slot(const struct trie_node *n, unsigned nib)
{
    return (unsigned)__builtin_popcount(n->mask & ((1U << nib) - 1U));
}

static inline bool branch_has(const struct trie_node *n, unsigned nib)
{
    return (n->mask >> nib & 1U) != 0;
}

/* Any leaf below: all share the path down to the node. */
const struct trie_leaf *trie_any_leaf(const struct trie_node *n);

size_t trie_leaf_encode(uint8_t out[NODE_MAX_BYTES], const struct trie_node *n);
/* The branch itself; children must be hashed. */
size_t trie_branch_encode(uint8_t out[NODE_MAX_BYTES], const struct trie_node *n);
size_t trie_extension_encode(uint8_t out[NODE_MAX_BYTES], const struct trie_node *n,
                             const struct hash *below);

#endif
