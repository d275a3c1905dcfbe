/* How nodes are encoded, and the root. */
#include "proto/keccak.h"
#include "proto/rlp.h"
#include "sequencer/execution/trie_node.h"

static const struct hash empty_root = {{0x56, 0xe8, 0x1f, 0x17, 0x1b, 0xcc, 0x55, 0xa6,
                                        0xff, 0x83, 0x45, 0xe6, 0x92, 0xc0, 0xf8, 0x6e,
                                        0x5b, 0x48, 0xe0, 0x1b, 0x99, 0x6c, 0xad, 0xc0,
                                        0x01, 0x62, 0x2f, 0xb5, 0xe3, 0x63, 0xb4, 0x21}};
static const struct hash empty_code = {{0xc5, 0xd2, 0x46, 0x01, 0x86, 0xf7, 0x23, 0x3c,
                                        0x92, 0x7e, 0x7d, 0xb2, 0xdc, 0xc7, 0x03, 0xc0,
                                        0xe5, 0x00, 0xb6, 0x53, 0xca, 0x82, 0x27, 0x3b,
                                        0x7b, 0xfa, 0xd8, 0x04, 0x5d, 0x85, 0xa4, 0x70}};

enum { ACCOUNT_MAX_BYTES = 2 + 9 + 33 + 33 + 33 };

static size_t account_encode(uint8_t out[ACCOUNT_MAX_BYTES], const struct ledger_account *a)
{
    struct rlp_out rlp = {.p = out, .cap = ACCOUNT_MAX_BYTES};
    size_t mark = rlp_list_begin(&rlp);
    rlp_put_u64(&rlp, a->nonce);
    rlp_put_u256(&rlp, &a->balance);
    rlp_put_string(&rlp, empty_root.b, sizeof empty_root.b);
    rlp_put_string(&rlp, empty_code.b, sizeof empty_code.b);
    rlp_list_end(&rlp, mark);
    return rlp.n;
}

size_t trie_leaf_encode(uint8_t out[NODE_MAX_BYTES], const struct trie_node *n)
{
    uint8_t path[HEX_PREFIX_MAX];
    uint8_t account[ACCOUNT_MAX_BYTES];
    size_t path_n = trie_hex_prefix(path, node_leaf(n)->key.b, n->from, KEY_NIBBLES, true);
    size_t account_n = account_encode(account, &node_leaf(n)->account);
    struct rlp_out rlp = {.p = out, .cap = NODE_MAX_BYTES};
    size_t mark = rlp_list_begin(&rlp);
    rlp_put_string(&rlp, path, path_n);
    rlp_put_string(&rlp, account, account_n);
    rlp_list_end(&rlp, mark);
    return rlp.n;
}

size_t trie_extension_encode(uint8_t out[NODE_MAX_BYTES], const struct trie_node *n,
                             const struct hash *below)
{
    uint8_t path[HEX_PREFIX_MAX];
    size_t path_n = trie_hex_prefix(path, trie_any_leaf(n)->key.b, n->from, n->at, false);
    struct rlp_out rlp = {.p = out, .cap = NODE_MAX_BYTES};
    size_t mark = rlp_list_begin(&rlp);
    rlp_put_string(&rlp, path, path_n);
    rlp_put_string(&rlp, below->b, sizeof below->b);
    rlp_list_end(&rlp, mark);
    return rlp.n;
}

/* A branch's length is known beforehand, so that its children are written in place. */
size_t trie_branch_encode(uint8_t out[NODE_MAX_BYTES], const struct trie_node *n)
{
    size_t payload = 17 + 32 * (size_t)branch_count(n);
    size_t at = 0;
    if (payload < 256) {
        out[at++] = 0xf8;
    } else {
        out[at++] = 0xf9;
        out[at++] = (uint8_t)(payload >> 8);
    }
    out[at++] = (uint8_t)payload;
    struct trie_node *const *child = node_branch(n)->child;
    for (unsigned nib = 0; nib < 16; nib++) {
        if (!branch_has(n, nib)) {
            out[at++] = 0x80;
            continue;
        }
        out[at++] = 0xa0;
        memcpy(out + at, (*child)->hash.b, 32);
        at += 32;
        child++;
    }
    out[at++] = 0x80;
    return at;
}

/* Every account leaf is longer than 31 bytes, so no node is ever embedded in its parent. */
static void node_hash(struct trie_node *n)
{
    if (!hash_is_zero(&n->hash)) {
        return;
    }
    uint8_t encoded[NODE_MAX_BYTES];
    if (node_is_leaf(n)) {
        n->hash = keccak256(encoded, trie_leaf_encode(encoded, n));
        return;
    }
    unsigned children = branch_count(n);
    for (unsigned i = 0; i < children; i++) {
        __builtin_prefetch(node_branch(n)->child[i]); /* they lie anywhere in memory */
    }
    for (unsigned i = 0; i < children; i++) {
        node_hash(node_branch(n)->child[i]);
    }
    struct hash hash = keccak256(encoded, trie_branch_encode(encoded, n));
    if (n->from < n->at) {
        hash = keccak256(encoded, trie_extension_encode(encoded, n, &hash));
    }
    n->hash = hash;
}

struct hash trie_root(const struct trie *t)
{
    if (t->root == NULL) {
        return empty_root;
    }
    node_hash(t->root);
    return t->root->hash;
}
