#include "sequencer/cli/trie_verify.h"

#include "proto/keccak.h"
#include "proto/rlp.h"

struct walk {
    uint8_t nibble[2 * TRIE_KEY_MAX];
    size_t n;
    size_t at;
    struct bytes value; /* what the key leads to */
    bool found;
};

struct items {
    struct bytes item[17]; /* raw, with their prefixes */
    size_t n;
};

static enum err split(struct items *out, struct bytes node)
{
    struct rlp_in in = {node.p, node.n};
    struct rlp_in list;
    TRY(rlp_list(&in, &list));
    out->n = 0;
    while (!rlp_at_end(&list)) {
        if (out->n == 17) {
            return ERR_MALFORMED;
        }
        TRY(rlp_item(&list, &out->item[out->n++]));
    }
    return rlp_at_end(&in) && (out->n == 2 || out->n == 17) ? OK : ERR_MALFORMED;
}

static enum err string_of(struct bytes item, struct bytes *out)
{
    struct rlp_in in = {item.p, item.n};
    return rlp_string(&in, out);
}

/* Hex-prefix: the first nibble says leaf (2) and odd length (1). */
static enum err follow_path(struct walk *w, struct bytes path, bool *leaf)
{
    if (path.n == 0) {
        return ERR_MALFORMED;
    }
    *leaf = (path.p[0] >> 4 & 2) != 0;
    size_t skip = (path.p[0] >> 4 & 1) != 0 ? 1 : 2;
    for (size_t i = skip; i < 2 * path.n; i++) {
        uint8_t nibble = i % 2 == 0 ? path.p[i / 2] >> 4 : path.p[i / 2] & 15;
        if (w->at == w->n || w->nibble[w->at] != nibble) {
            return ERR_BAD_CERTIFICATE;
        }
        w->at++;
    }
    return OK;
}

/* One node: the raw item to go on with, or the value. */
static enum err descend(struct walk *w, struct bytes node, struct bytes *next)
{
    struct items items;
    struct bytes path;
    bool leaf = false;
    TRY(split(&items, node));
    if (items.n == 17) {
        w->found = w->at == w->n;
        if (w->found) {
            return string_of(items.item[16], &w->value);
        }
        *next = items.item[w->nibble[w->at++]];
        return OK;
    }
    TRY(string_of(items.item[0], &path));
    TRY(follow_path(w, path, &leaf));
    if (!leaf) {
        *next = items.item[1];
        return OK;
    }
    w->found = w->at == w->n;
    return w->found ? string_of(items.item[1], &w->value) : ERR_BAD_CERTIFICATE;
}

static enum err start(struct walk *w, struct bytes key)
{
    if (key.n > TRIE_KEY_MAX) {
        return ERR_TOO_LARGE;
    }
    *w = (struct walk){.n = 2 * key.n};
    for (size_t i = 0; i < w->n; i++) {
        w->nibble[i] = i % 2 == 0 ? key.p[i / 2] >> 4 : key.p[i / 2] & 15;
    }
    return OK;
}

static bool has_hash(struct bytes node, struct bytes expected)
{
    struct hash h = keccak256(node.p, node.n);
    return expected.n == 32 && memcmp(h.b, expected.p, 32) == 0;
}

enum err trie_verify(const struct hash *root, struct bytes key, struct bytes value,
                     const struct bytes *node, size_t n)
{
    struct walk w;
    struct bytes expected = bytes_of(root->b, 32);
    size_t used = 0;
    TRY(start(&w, key));
    for (int depth = 0; depth < TRIE_DEPTH_MAX && !w.found; depth++) {
        struct bytes here;
        struct bytes next = {NULL, 0};
        if (expected.n == 32) {
            if (used == n || !has_hash(node[used], expected)) {
                return ERR_BAD_CERTIFICATE;
            }
            here = node[used++];
        } else {
            here = expected;
        }
        TRY(descend(&w, here, &next));
        if (!w.found && next.n > 0 && next.p[0] < 0xc0) { /* a hash; else the node itself */
            TRY(string_of(next, &next));
            if (next.n != 32) {
                return ERR_BAD_CERTIFICATE;
            }
        }
        expected = next;
    }
    return w.found && bytes_equal(w.value, value) ? OK : ERR_BAD_CERTIFICATE;
}
