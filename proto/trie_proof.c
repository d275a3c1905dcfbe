#include "proto/trie.h"

#include <stdlib.h>

static bool proof_reserve(struct trie_nodes *proof, size_t more)
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

void trie_proof_add(struct trie_nodes *proof, struct bytes head, struct bytes tail)
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

static bool proof_reverse(struct trie_nodes *proof)
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

enum err trie_proof_finish(struct trie_nodes *proof, bool reverse, uint8_t **out, size_t *out_n)
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
