#include "proof_check.h"

#include "proto/keccak.h"
#include "proto/rlp.h"

static unsigned digit(struct bytes key, size_t i)
{
    return i % 2 == 0 ? key.p[i / 2] >> 4 : key.p[i / 2] & 15u;
}

struct walk {
    struct bytes proof;
    struct bytes key;
    size_t at;         /* digits of the key that are used up */
    struct bytes next; /* reference to the next node: 32 bytes of hash, or the node itself */
};

/* The referenced node's items; false when the proof does not hold it. */
static bool open_node(struct walk *w, struct rlp_in *items)
{
    struct bytes node = w->next;
    if (node.n == 32) {
        if (w->proof.n < 4 || load_be32(w->proof.p) > w->proof.n - 4) {
            return false;
        }
        size_t n = load_be32(w->proof.p);
        node = bytes_of(w->proof.p + 4, n);
        w->proof = bytes_of(w->proof.p + 4 + n, w->proof.n - 4 - n);
        struct hash hash = keccak256(node.p, node.n);
        if (memcmp(hash.b, w->next.p, 32) != 0) {
            return false;
        }
    }
    struct rlp_in in = {node.p, node.n};
    return rlp_list(&in, items) == OK && rlp_at_end(&in);
}

/* A reference is a string of 32 bytes, or a list that is the node. */
static bool take_ref(struct rlp_in *items, struct bytes *out)
{
    return rlp_next_is_list(items) ? rlp_item(items, out) == OK : rlp_string(items, out) == OK;
}

static enum proof_says step_short(struct walk *w, struct bytes path, struct bytes last)
{
    bool leaf = (path.p[0] & 0x20) != 0;
    size_t n = 2 * path.n;
    for (size_t i = (path.p[0] & 0x10) != 0 ? 1 : 2; i < n; i++) {
        if (w->at == 2 * w->key.n || digit(path, i) != digit(w->key, w->at)) {
            return PROOF_ABSENT;
        }
        w->at++;
    }
    w->next = last;
    if (!leaf) {
        return PROOF_BROKEN; /* go on */
    }
    return w->at == 2 * w->key.n ? PROOF_PRESENT : PROOF_ABSENT;
}

static enum proof_says step(struct walk *w, const struct bytes *item, unsigned n)
{
    if (n == 2) {
        return step_short(w, item[0], item[1]);
    }
    bool ends = w->at == 2 * w->key.n;
    w->next = item[ends ? 16 : digit(w->key, w->at)];
    w->at++;
    if (w->next.n == 0) {
        return PROOF_ABSENT;
    }
    return ends ? PROOF_PRESENT : PROOF_BROKEN;
}

enum proof_says proof_check(struct bytes proof, const struct hash *root, struct bytes key,
                            struct bytes *value)
{
    struct walk w = {.proof = proof, .key = key, .next = bytes_of(root->b, 32)};
    enum proof_says says = PROOF_BROKEN;
    while (says == PROOF_BROKEN) {
        struct rlp_in items;
        struct bytes item[17];
        unsigned n = 0;
        if (!open_node(&w, &items)) {
            return PROOF_BROKEN;
        }
        while (n < 17 && !rlp_at_end(&items)) {
            if (!take_ref(&items, &item[n++])) {
                return PROOF_BROKEN;
            }
        }
        if ((n != 2 && n != 17) || !rlp_at_end(&items)) {
            return PROOF_BROKEN;
        }
        says = step(&w, item, n);
    }
    *value = w.next;
    return w.proof.n == 0 ? says : PROOF_BROKEN;
}
