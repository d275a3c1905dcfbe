#include "sequencer/execution/trie_node.h"

#include <stdlib.h>

static struct trie_leaf *leaf_of(struct trie_node *n)
{
    return (struct trie_leaf *)n;
}

static struct trie_branch *branch_of(struct trie_node *n)
{
    return (struct trie_branch *)n;
}

static size_t branch_size(unsigned children)
{
    return sizeof(struct trie_branch) + children * sizeof(struct trie_node *);
}

static struct trie_node *node_hold(struct trie_node *n)
{
    n->refs++;
    return n;
}

static void node_release(struct trie_node *n)
{
    if (--n->refs > 0) {
        return;
    }
    if (!node_is_leaf(n)) {
        for (unsigned i = 0; i < branch_count(n); i++) {
            node_release(branch_of(n)->child[i]);
        }
    }
    free(n);
}

/* Ours alone, to be changed in place. */
static bool node_is_fresh(const struct trie_node *n)
{
    return hash_is_zero(&n->hash);
}

static struct trie_node *node_alloc(struct trie *t, size_t size, unsigned from, unsigned at)
{
    struct trie_node *n = malloc(size);
    if (n == NULL) {
        return NULL;
    }
    *n = (struct trie_node){.refs = 1, .from = (uint8_t)from, .at = (uint8_t)at};
    t->made += size;
    return n;
}

static struct trie_node *leaf_make(struct trie *t, const struct hash *key, unsigned from,
                                   const struct ledger_account *a)
{
    struct trie_node *n = node_alloc(t, sizeof(struct trie_leaf), from, KEY_NIBBLES);
    if (n != NULL) {
        leaf_of(n)->key = *key;
        leaf_of(n)->account = *a;
    }
    return n;
}

/* A fresh node with the content of `n` that starts at `from`; `n` stays as it is. */
static struct trie_node *node_copy(struct trie *t, const struct trie_node *n, unsigned from)
{
    if (node_is_leaf(n)) {
        return leaf_make(t, &node_leaf(n)->key, from, &node_leaf(n)->account);
    }
    unsigned children = branch_count(n);
    struct trie_node *copy = node_alloc(t, branch_size(children), from, n->at);
    if (copy == NULL) {
        return NULL;
    }
    copy->mask = n->mask;
    for (unsigned i = 0; i < children; i++) {
        branch_of(copy)->child[i] = node_hold(node_branch(n)->child[i]);
    }
    return copy;
}

/* Makes *link fresh and lets it start at `from`. */
static bool link_own(struct trie *t, struct trie_node **link, unsigned from)
{
    if (node_is_fresh(*link)) {
        (*link)->from = (uint8_t)from;
        return true;
    }
    struct trie_node *copy = node_copy(t, *link, from);
    if (copy == NULL) {
        return false;
    }
    node_release(*link);
    *link = copy;
    return true;
}

const struct trie_leaf *trie_any_leaf(const struct trie_node *n)
{
    while (!node_is_leaf(n)) {
        n = node_branch(n)->child[0];
    }
    return node_leaf(n);
}

/* The leaf that shares the longest path with `key`. */
static const struct trie_leaf *nearest(const struct trie_node *n, const struct hash *key)
{
    while (!node_is_leaf(n)) {
        unsigned nib = nibble(key->b, n->at);
        n = node_branch(n)->child[branch_has(n, nib) ? branch_slot(n, nib) : 0];
    }
    return node_leaf(n);
}

static unsigned first_difference(const struct hash *a, const struct hash *b)
{
    unsigned i = 0;
    while (i < sizeof a->b && a->b[i] == b->b[i]) {
        i++;
    }
    if (i == sizeof a->b) {
        return KEY_NIBBLES;
    }
    return 2 * i + ((a->b[i] ^ b->b[i]) < 16 ? 1 : 0);
}

/* Gives the branch at *link one more child; ownership of `leaf` passes only on success. */
static bool branch_add(struct trie *t, struct trie_node **link, unsigned nib,
                       struct trie_node *leaf)
{
    struct trie_node *old = *link;
    unsigned children = branch_count(old);
    unsigned slot = branch_slot(old, nib);
    struct trie_node *wide = node_alloc(t, branch_size(children + 1), old->from, old->at);
    if (wide == NULL) {
        return false;
    }
    bool fresh = node_is_fresh(old);
    wide->mask = (uint16_t)(old->mask | 1U << nib);
    for (unsigned i = 0; i < children; i++) {
        struct trie_node *child = branch_of(old)->child[i];
        branch_of(wide)->child[i < slot ? i : i + 1] = fresh ? child : node_hold(child);
    }
    branch_of(wide)->child[slot] = leaf;
    *link = wide;
    if (fresh) {
        t->made -= branch_size(children);
        free(old);
    } else {
        node_release(old);
    }
    return true;
}

/* Puts a new branch on the edge to *link, at nibble `at`, with the old node and `leaf` below. */
static bool edge_split(struct trie *t, struct trie_node **link, unsigned at, struct trie_node *leaf)
{
    unsigned from = (*link)->from;
    struct trie_node *split = node_alloc(t, branch_size(2), from, at);
    if (split == NULL) {
        return false;
    }
    if (!link_own(t, link, at + 1)) {
        t->made -= branch_size(2);
        free(split);
        return false;
    }
    unsigned old_nib = nibble(trie_any_leaf(*link)->key.b, at);
    unsigned new_nib = nibble(leaf_of(leaf)->key.b, at);
    split->mask = (uint16_t)(1U << old_nib | 1U << new_nib);
    branch_of(split)->child[old_nib < new_nib ? 0 : 1] = *link;
    branch_of(split)->child[old_nib < new_nib ? 1 : 0] = leaf;
    *link = split;
    return true;
}

static bool leaf_set(struct trie *t, struct trie_node **link, const struct ledger_account *a)
{
    if (!link_own(t, link, (*link)->from)) {
        return false;
    }
    leaf_of(*link)->account = *a;
    return true;
}

static bool leaf_insert(struct trie *t, struct trie_node **link, unsigned at,
                        const struct hash *key, const struct ledger_account *a)
{
    struct trie_node *leaf = leaf_make(t, key, at + 1, a);
    if (leaf == NULL) {
        return false;
    }
    bool done = (*link)->at == at ? branch_add(t, link, nibble(key->b, at), leaf)
                                  : edge_split(t, link, at, leaf);
    if (!done) {
        t->made -= sizeof(struct trie_leaf);
        free(leaf);
    }
    return done;
}

bool trie_put(struct trie *t, const struct hash *key, const struct ledger_account *a)
{
    if (t->root == NULL) {
        t->root = leaf_make(t, key, 0, a);
        return t->root != NULL;
    }
    unsigned split = first_difference(&nearest(t->root, key)->key, key);
    struct trie_node **link = &t->root;
    while ((*link)->at < split) {
        if (!link_own(t, link, (*link)->from)) {
            return false;
        }
        struct trie_node *branch = *link;
        link = &branch_of(branch)->child[branch_slot(branch, nibble(key->b, branch->at))];
    }
    return split == KEY_NIBBLES ? leaf_set(t, link, a) : leaf_insert(t, link, split, key, a);
}

const struct ledger_account *trie_get(const struct trie *t, const struct hash *key)
{
    const struct trie_node *n = t->root;
    while (n != NULL && !node_is_leaf(n)) {
        unsigned nib = nibble(key->b, n->at);
        n = branch_has(n, nib) ? node_branch(n)->child[branch_slot(n, nib)] : NULL;
    }
    if (n == NULL || !hash_equal(&node_leaf(n)->key, key)) {
        return NULL;
    }
    return &node_leaf(n)->account;
}

void trie_fork(struct trie *out, const struct trie *parent)
{
    /* A node that is reachable twice must have its hash: else one owner would change it. */
    (void)trie_root(parent);
    out->root = parent->root == NULL ? NULL : node_hold(parent->root);
    out->made = 0;
}

void trie_free(struct trie *t)
{
    if (t->root != NULL) {
        node_release(t->root);
    }
    *t = (struct trie){0};
}

static void node_walk(const struct trie_node *n, trie_visit visit, void *arg)
{
    if (node_is_leaf(n)) {
        visit(arg, &node_leaf(n)->account);
        return;
    }
    for (unsigned i = 0; i < branch_count(n); i++) {
        node_walk(node_branch(n)->child[i], visit, arg);
    }
}

void trie_walk(const struct trie *t, trie_visit visit, void *arg)
{
    if (t->root != NULL) {
        node_walk(t->root, visit, arg);
    }
}

static bool account_equal(const struct ledger_account *a, const struct ledger_account *b)
{
    return a->nonce == b->nonce && u256_cmp(&a->balance, &b->balance) == 0;
}

/* What stood in `before` on the path of `now`'s child `nib`. Keys are never removed, so a branch
 * of before is in now too: before cannot branch earlier than now. */
static const struct trie_node *counterpart(const struct trie_node *before,
                                           const struct trie_node *now, unsigned nib)
{
    if (before == NULL) {
        return NULL;
    }
    if (before->at == now->at) {
        return branch_has(before, nib) ? node_branch(before)->child[branch_slot(before, nib)]
                                       : NULL;
    }
    return nibble(trie_any_leaf(before)->key.b, now->at) == nib ? before : NULL;
}

static void node_diff(const struct trie_node *before, const struct trie_node *now, trie_visit visit,
                      void *arg)
{
    if (before == now) {
        return;
    }
    if (node_is_leaf(now)) {
        if (before == NULL ||
            !account_equal(&node_leaf(before)->account, &node_leaf(now)->account)) {
            visit(arg, &node_leaf(now)->account);
        }
        return;
    }
    for (unsigned nib = 0; nib < 16; nib++) {
        if (branch_has(now, nib)) {
            node_diff(counterpart(before, now, nib), node_branch(now)->child[branch_slot(now, nib)],
                      visit, arg);
        }
    }
}

void trie_diff(const struct trie *before, const struct trie *now, trie_visit visit, void *arg)
{
    if (now->root != NULL) {
        node_diff(before->root, now->root, visit, arg);
    }
}
