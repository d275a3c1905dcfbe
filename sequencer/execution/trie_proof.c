#include "proto/keccak.h"
#include "sequencer/execution/trie_node.h"

#include <stdlib.h>

static bool proof_reserve(struct proof *proof, size_t more)
{
    if (proof->cap - proof->n >= more) {
        return true;
    }
    size_t cap = 2 * proof->cap + more + 2048;
    uint8_t *p = realloc(proof->p, cap);
    if (p == NULL) {
        proof->failed = true;
        return false;
    }
    proof->p = p;
    proof->cap = cap;
    return true;
}

void trie_proof_add(struct proof *proof, struct bytes head, struct bytes tail)
{
    size_t n = head.n + tail.n;
    if (proof->failed || !proof_reserve(proof, 4 + n)) {
        return;
    }
    uint8_t *to = proof->p + proof->n;
    store_be32(to, (uint32_t)n);
    memcpy(to + 4, head.p, head.n);
    if (tail.n > 0) {
        memcpy(to + 4 + head.n, tail.p, tail.n);
    }
    proof->n += 4 + n;
    proof->nodes++;
}

static bool proof_reverse(struct proof *proof)
{
    uint8_t *turned = malloc(proof->n);
    if (turned == NULL) {
        return false;
    }
    size_t end = proof->n;
    for (size_t at = 0; at < proof->n;) {
        size_t n = 4 + (size_t)load_be32(proof->p + at);
        end -= n;
        memcpy(turned + end, proof->p + at, n);
        at += n;
    }
    free(proof->p);
    proof->p = turned;
    return true;
}

enum err trie_proof_finish(struct proof *proof, bool reverse, uint8_t **out, size_t *out_n)
{
    if (!proof->failed && reverse && proof->n > 0 && !proof_reverse(proof)) {
        proof->failed = true;
    }
    if (proof->failed) {
        free(proof->p);
        return ERR_NO_MEMORY;
    }
    *out = proof->p;
    *out_n = proof->n;
    return OK;
}

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
static const struct trie_node *proof_step(struct proof *proof, const struct trie_node *n,
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
    struct proof proof = {0};
    for (const struct trie_node *n = t->root; n != NULL;) {
        n = proof_step(&proof, n, key);
    }
    return trie_proof_finish(&proof, false, out, out_n);
}
