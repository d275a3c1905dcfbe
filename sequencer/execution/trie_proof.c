#include "proto/keccak.h"
#include "sequencer/execution/trie_node.h"

static bool on_path(const struct trie_node *n, const struct hash *key)
{
    const uint8_t *mine = trie_any_leaf(n)->key.b;
    for (unsigned i = n->from; i < n->at; i++) {
        if (nibble(mine, i) != nibble(key->b, i)) {
            return false;
        }
    }
    return true;
}

/* Adds the encoded nodes that `n` stands for and steps down; NULL at the end of the path. */
static const struct trie_node *proof_step(struct trie_nodes *proof, const struct trie_node *n,
                                          const struct hash *key)
{
    uint8_t encoded[NODE_MAX_BYTES];
    const struct bytes nothing = {0};
    if (node_is_leaf(n)) {
        trie_proof_add(proof, bytes_of(encoded, trie_leaf_encode(encoded, n)), nothing);
        return NULL;
    }
    size_t branch_n = trie_branch_encode(encoded, n);
    if (n->from < n->at) {
        uint8_t extension[NODE_MAX_BYTES];
        struct hash branch = keccak256(encoded, branch_n);
        trie_proof_add(proof, bytes_of(extension, trie_extension_encode(extension, n, &branch)),
                       nothing);
        if (!on_path(n, key)) {
            return NULL;
        }
    }
    trie_proof_add(proof, bytes_of(encoded, branch_n), nothing);
    unsigned nib = nibble(key->b, n->at);
    return branch_has(n, nib) ? node_branch(n)->child[branch_slot(n, nib)] : NULL;
}

enum err trie_proof(const struct trie *t, const struct hash *key, uint8_t **out, size_t *out_n)
{
    (void)trie_root(t);
    struct trie_nodes proof = {0};
    for (const struct trie_node *n = t->root; n != NULL;) {
        n = proof_step(&proof, n, key);
    }
    return trie_proof_finish(&proof, false, out, out_n);
}
