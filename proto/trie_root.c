/* Tries that are hashed once: lists of transactions and receipts. Unlike accounts, their nodes may
 * be shorter than 32 bytes and then stand embedded in their parent. */
#include "proto/trie.h"

#include "proto/keccak.h"
#include "proto/rlp.h"

enum { REF_MAX = 33, LENGTH_MAX = 9 };

struct hashing {
    const struct trie_source *source;
    struct trie_nodes *proof; /* NULL: only the root is wanted */
    uint32_t target;          /* position whose path goes into the proof */
};

/* How a parent names a node: its hash, or the node itself where it is short. */
struct ref {
    uint8_t b[REF_MAX];
    size_t n;
};

/* The pairs lo … hi-1, which share their first `depth` nibbles. */
struct range {
    uint32_t lo;
    uint32_t hi;
    unsigned depth;
};

static void range_ref(const struct hashing *h, struct range r, struct ref *out);

static struct bytes key_at(const struct hashing *h, uint32_t i, uint8_t buffer[TRIE_KEY_BUFFER])
{
    return h->source->key(h->source->ctx, i, buffer);
}

size_t trie_hex_prefix(uint8_t out[HEX_PREFIX_MAX], const uint8_t *key, unsigned from, unsigned to,
                       bool leaf)
{
    unsigned odd = (to - from) & 1U;
    size_t n = 0;
    out[n++] = (uint8_t)((leaf ? 0x20U : 0U) | (odd != 0 ? 0x10U | nibble(key, from) : 0U));
    for (unsigned i = from + odd; i < to; i += 2) {
        out[n++] = (uint8_t)(nibble(key, i) << 4 | nibble(key, i + 1));
    }
    return n;
}

/* Prefix of an RLP item of `n` bytes; `base` is 0x80 for strings and 0xc0 for lists. */
static size_t length_prefix(uint8_t out[LENGTH_MAX], size_t n, uint8_t base)
{
    if (n < 56) {
        out[0] = (uint8_t)(base + n);
        return 1;
    }
    uint8_t be[8];
    store_be64(be, n);
    size_t skip = 0;
    while (be[skip] == 0) {
        skip++;
    }
    out[0] = (uint8_t)(base + 55 + (8 - skip));
    memcpy(out + 1, be + skip, 8 - skip);
    return 1 + 8 - skip;
}

static void ref_hash(struct ref *out, struct bytes head, struct bytes tail)
{
    struct keccak k;
    struct hash hash;
    keccak_init(&k);
    keccak_update(&k, head.p, head.n);
    keccak_update(&k, tail.p, tail.n);
    keccak_final(&k, &hash);
    out->b[0] = 0xa0;
    memcpy(out->b + 1, hash.b, 32);
    out->n = REF_MAX;
}

/* Ends a node whose list payload is `items` and then, where given, `value` as a string. Large
 * values are hashed where they stand. */
static void node_seal(const struct hashing *h, struct bytes items, const struct bytes *value,
                      bool shown, struct ref *out)
{
    static const uint8_t none;
    struct bytes tail = value == NULL || value->n == 0 ? bytes_of(&none, 0) : *value;
    uint8_t prefix[LENGTH_MAX];
    size_t prefix_n = 0;
    if (value != NULL && (tail.n != 1 || tail.p[0] >= 0x80)) {
        prefix_n = length_prefix(prefix, tail.n, 0x80);
    }
    uint8_t head[LENGTH_MAX + NODE_MAX_BYTES + LENGTH_MAX];
    size_t n = length_prefix(head, items.n + prefix_n + tail.n, 0xc0);
    memcpy(head + n, items.p, items.n);
    n += items.n;
    memcpy(head + n, prefix, prefix_n);
    n += prefix_n;
    if (n + tail.n >= 32) {
        if (shown) {
            trie_proof_add(h->proof, bytes_of(head, n), tail);
        }
        ref_hash(out, bytes_of(head, n), tail);
        return;
    }
    memcpy(out->b, head, n);
    memcpy(out->b + n, tail.p, tail.n);
    out->n = n + tail.n;
}

static bool shown(const struct hashing *h, struct range r)
{
    return h->proof != NULL && r.lo <= h->target && h->target < r.hi;
}

static void leaf_make(const struct hashing *h, struct range r, struct ref *out)
{
    uint8_t key_buffer[TRIE_KEY_BUFFER];
    uint8_t value_buffer[TRIE_VALUE_BUFFER];
    uint8_t path[HEX_PREFIX_MAX];
    uint8_t items[HEX_PREFIX_MAX + 1];
    struct bytes key = key_at(h, r.lo, key_buffer);
    struct rlp_out rlp = {.p = items, .cap = sizeof items};
    rlp_put_string(&rlp, path, trie_hex_prefix(path, key.p, r.depth, (unsigned)key.n * 2, true));
    struct bytes value = h->source->value(h->source->ctx, r.lo, value_buffer);
    node_seal(h, bytes_of(items, rlp.n), &value, shown(h, r), out);
}

static void leaf_ref(const struct hashing *h, struct range r, struct ref *out)
{
    const struct trie_source *s = h->source;
    struct hash *kept =
        s->leaf != NULL && h->proof == NULL ? s->leaf(s->ctx, r.lo, r.depth) : NULL;
    if (kept == NULL || hash_is_zero(kept)) {
        leaf_make(h, r, out);
        if (kept != NULL && out->n == REF_MAX) {
            memcpy(kept->b, out->b + 1, sizeof kept->b);
        }
        return;
    }
    out->b[0] = 0xa0;
    memcpy(out->b + 1, kept->b, sizeof kept->b);
    out->n = REF_MAX;
}

/* A key that ends at this branch leaves its value in it; being shortest, it is the first. */
static void branch_ref(const struct hashing *h, struct range r, struct ref *out)
{
    uint8_t key_buffer[TRIE_KEY_BUFFER];
    uint8_t value_buffer[TRIE_VALUE_BUFFER];
    uint8_t items[NODE_MAX_BYTES];
    size_t n = 0;
    struct bytes value = {NULL, 0};
    uint32_t at = r.lo;
    if (key_at(h, at, key_buffer).n * 2 == r.depth) {
        value = h->source->value(h->source->ctx, at++, value_buffer);
    }
    for (unsigned nib = 0; nib < 16; nib++) {
        uint32_t end = at;
        while (end < r.hi && nibble(key_at(h, end, key_buffer).p, r.depth) == nib) {
            end++;
        }
        if (end == at) {
            items[n++] = 0x80;
            continue;
        }
        struct ref child;
        range_ref(h, (struct range){at, end, r.depth + 1}, &child);
        memcpy(items + n, child.b, child.n);
        n += child.n;
        at = end;
    }
    node_seal(h, bytes_of(items, n), &value, shown(h, r), out);
}

/* Keys ascend: what the first and the last have in common, all have. */
static unsigned shared_nibbles(const struct hashing *h, struct range r)
{
    uint8_t first_buffer[TRIE_KEY_BUFFER];
    uint8_t last_buffer[TRIE_KEY_BUFFER];
    struct bytes first = key_at(h, r.lo, first_buffer);
    struct bytes last = key_at(h, r.hi - 1, last_buffer);
    unsigned end = (unsigned)(first.n < last.n ? first.n : last.n) * 2;
    unsigned i = r.depth;
    while (i < end && nibble(first.p, i) == nibble(last.p, i)) {
        i++;
    }
    return i;
}

static void extension_ref(const struct hashing *h, struct range r, unsigned to, struct ref *out)
{
    uint8_t key_buffer[TRIE_KEY_BUFFER];
    uint8_t path[HEX_PREFIX_MAX];
    uint8_t items[HEX_PREFIX_MAX + 1 + REF_MAX];
    struct ref below;
    branch_ref(h, (struct range){r.lo, r.hi, to}, &below);
    struct rlp_out rlp = {.p = items, .cap = sizeof items};
    rlp_put_string(&rlp, path,
                   trie_hex_prefix(path, key_at(h, r.lo, key_buffer).p, r.depth, to, false));
    rlp_put_raw(&rlp, below.b, below.n);
    node_seal(h, bytes_of(items, rlp.n), NULL, shown(h, r), out);
}

static void range_ref(const struct hashing *h, struct range r, struct ref *out)
{
    if (r.hi - r.lo == 1) {
        leaf_ref(h, r, out);
        return;
    }
    unsigned branch = shared_nibbles(h, r);
    if (branch > r.depth) {
        extension_ref(h, r, branch, out);
        return;
    }
    branch_ref(h, r, out);
}

/* The root has a hash however short it is. */
static struct hash source_hash(const struct hashing *h)
{
    static const uint8_t empty = 0x80;
    struct ref root;
    struct hash hash;
    if (h->source->n == 0) {
        return keccak256(&empty, 1);
    }
    range_ref(h, (struct range){0, h->source->n, 0}, &root);
    if (root.n < REF_MAX) {
        if (h->proof != NULL) {
            trie_proof_add(h->proof, bytes_of(root.b, root.n), (struct bytes){0});
        }
        return keccak256(root.b, root.n);
    }
    memcpy(hash.b, root.b + 1, sizeof hash.b);
    return hash;
}

struct hash trie_source_root(const struct trie_source *s)
{
    struct hashing h = {.source = s};
    return source_hash(&h);
}

static uint32_t zero_position(uint32_t n)
{
    return (n < 128 ? n : 128) - 1;
}

uint32_t trie_list_index(uint32_t n, uint32_t position)
{
    uint32_t zero = zero_position(n);
    if (position < zero) {
        return position + 1;
    }
    return position == zero ? 0 : position;
}

struct bytes trie_list_key(uint32_t index, uint8_t buffer[TRIE_KEY_BUFFER])
{
    struct rlp_out rlp = {.p = buffer, .cap = TRIE_KEY_BUFFER};
    rlp_put_u64(&rlp, index);
    return bytes_of(buffer, rlp.n);
}

struct list {
    const struct bytes *item;
    uint32_t n;
};

static struct bytes list_key(const void *ctx, uint32_t i, uint8_t buffer[TRIE_KEY_BUFFER])
{
    const struct list *list = ctx;
    return trie_list_key(trie_list_index(list->n, i), buffer);
}

static struct bytes list_value(const void *ctx, uint32_t i, uint8_t buffer[TRIE_VALUE_BUFFER])
{
    const struct list *list = ctx;
    (void)buffer;
    return list->item[trie_list_index(list->n, i)];
}

struct hash trie_list_root(const struct bytes *item, uint32_t n)
{
    const struct list list = {item, n};
    const struct trie_source source = {&list, n, list_key, list_value, NULL};
    return trie_source_root(&source);
}

enum err trie_list_proof(const struct bytes *item, uint32_t n, uint32_t index, uint8_t **out,
                         size_t *out_n)
{
    if (index >= n) {
        return ERR_NOT_FOUND;
    }
    const struct list list = {item, n};
    const struct trie_source source = {&list, n, list_key, list_value, NULL};
    struct trie_nodes proof = {0};
    struct hashing h = {.source = &source, .proof = &proof};
    while (trie_list_index(n, h.target) != index) {
        h.target++;
    }
    (void)source_hash(&h);
    return trie_proof_finish(&proof, true, out, out_n);
}
