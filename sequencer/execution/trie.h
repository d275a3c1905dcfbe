/* The state trie: Ethereum's secure Merkle-Patricia trie of accounts (Yellow Paper, appendix D;
 * keys are Keccak-256 of addresses, values RLP [nonce, balance, empty root, empty code hash]).
 *
 *            branch                 nodes are counted; a fork shares all of them, and a change
 *           /  |   \                copies the path above it. A node without a hash belongs to
 *      leaf  branch leaf            the one trie under construction and is changed in place.
 *             / \
 *          leaf leaf                extension nodes exist only in the encoding.
 *
 * Accounts are never removed (a transfer cannot empty a nonce). All tries that share nodes belong
 * to one thread. */
#ifndef SEQUENCER_EXECUTION_TRIE_H
#define SEQUENCER_EXECUTION_TRIE_H

#include "sequencer/execution/ledger.h"

struct trie_node;

struct trie {
    struct trie_node *root; /* NULL: no account */
    size_t made;            /* bytes of the nodes made since the fork: what this state costs */
};

typedef void (*trie_visit)(void *arg, const struct ledger_account *a);

/* The empty trie: `(struct trie){0}`. */
void trie_fork(struct trie *out, const struct trie *parent);
void trie_free(struct trie *t);
/* Sets the account. False: no memory; the content is unchanged then. */
bool trie_put(struct trie *t, const struct hash *key, const struct ledger_account *a);
/* NULL: absent. Valid until the next change. */
const struct ledger_account *trie_get(const struct trie *t, const struct hash *key);
/* Hashes whatever changed since the last call. */
struct hash trie_root(const struct trie *t);
void trie_walk(const struct trie *t, trie_visit visit, void *arg);
/* Visits the accounts of `now` that differ from `before`; shared parts cost nothing. */
void trie_diff(const struct trie *before, const struct trie *now, trie_visit visit, void *arg);
/* Form as ledger_proof; for an absent account the nodes that prove absence. */
enum err trie_proof(const struct trie *t, const struct hash *key, uint8_t **out,
                    size_t *out_n) MUST_USE;

#endif
