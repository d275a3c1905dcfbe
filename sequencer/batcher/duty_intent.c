#include "sequencer/batcher/duty_intent.h"

#include <stdlib.h>

#include "proto/eip712.h"
#include "proto/keccak.h"
#include "proto/tx.h"
#include "sequencer/batcher/auth.h"
#include "sequencer/batcher/blob_tx.h"
#include "sequencer/batcher/cursor.h"

enum { VERSION = 1, SIGNATURE = 65 };

static const uint8_t magic[4] = {'B', 'T', 'P', 'I'};

/* ---- writing ------------------------------------------------------------------------------------- */

static void put_u64(struct buffer *out, uint64_t v)
{
    uint8_t b[8];
    store_be64(b, v);
    buffer_put(out, b, sizeof b);
}

static bool part_fits(const struct intent_part *p, uint8_t kind)
{
    for (size_t i = 0; i < p->rungs && i < INTENT_LADDER; i++) {
        if (p->raw[i].n == 0 || p->raw[i].n > LIMIT_TX_BYTES) {
            return false;
        }
    }
    return p->rungs > 0 && p->rungs <= INTENT_LADDER && p->blobs <= LIMIT_TX_BLOBS &&
           (p->blobs > 0) == (kind == INTENT_BLOB);
}

static bool form_is_good(const struct post_intent *i)
{
    bool kind = i->kind == INTENT_BLOB ? i->parts == 1
                                       : i->kind == INTENT_CALLDATA && i->parts > 0 &&
                                             i->parts <= INTENT_PARTS;
    for (size_t p = 0; kind && p < i->parts; p++) {
        kind = part_fits(&i->part[p], i->kind);
    }
    return kind && i->first <= i->last;
}

static void put_part(struct buffer *out, const struct intent_part *p)
{
    put_u64(out, p->nonce);
    buffer_put_byte(out, (uint8_t)p->blobs);
    buffer_put(out, p->versioned, p->blobs * sizeof p->versioned[0]);
    buffer_put_byte(out, (uint8_t)p->rungs);
    for (size_t i = 0; i < p->rungs; i++) {
        uint8_t n[4];
        store_be32(n, (uint32_t)p->raw[i].n);
        buffer_put(out, n, sizeof n);
        buffer_put_bytes(out, p->raw[i]);
    }
}

enum err intent_encode(struct buffer *out, const struct post_intent *i)
{
    const uint64_t number[] = {i->chain_id, i->l1_chain_id, i->time_ms,
                               i->segment,  i->first,       i->last};
    if (!form_is_good(i)) {
        return ERR_REFUSED;
    }
    buffer_put(out, magic, sizeof magic);
    buffer_put_byte(out, VERSION);
    for (size_t k = 0; k < sizeof number / sizeof number[0]; k++) {
        put_u64(out, number[k]);
    }
    buffer_put(out, i->last_hash.b, sizeof i->last_hash.b);
    buffer_put(out, i->root.b, sizeof i->root.b);
    buffer_put(out, i->channel.b, sizeof i->channel.b);
    buffer_put_byte(out, i->member);
    buffer_put_byte(out, i->kind);
    buffer_put(out, i->account.b, sizeof i->account.b);
    buffer_put_byte(out, (uint8_t)i->parts);
    for (size_t p = 0; p < i->parts; p++) {
        put_part(out, &i->part[p]);
    }
    buffer_put(out, i->signature.b, sizeof i->signature.b);
    return out->bad;
}

/* ---- reading ------------------------------------------------------------------------------------- */

static enum err take_fixed(struct cursor *c, void *out, size_t n)
{
    struct bytes b;
    TRY(cursor_take(c, n, "the fields of an intent", &b));
    memcpy(out, b.p, n);
    return OK;
}

static enum err take_u64(struct cursor *c, uint64_t *out)
{
    uint8_t b[8];
    TRY(take_fixed(c, b, sizeof b));
    *out = load_be64(b);
    return OK;
}

static enum err take_count(struct cursor *c, size_t most, size_t *out)
{
    uint8_t n;
    TRY(cursor_byte(c, "a count", &n));
    *out = n;
    return n <= most ? OK : ERR_TOO_LARGE;
}

static enum err take_raw(struct cursor *c, struct bytes *out)
{
    uint8_t n[4];
    TRY(take_fixed(c, n, sizeof n));
    return load_be32(n) <= LIMIT_TX_BYTES
               ? cursor_take(c, load_be32(n), "a signed transaction", out)
               : ERR_TOO_LARGE;
}

static enum err take_part(struct cursor *c, struct intent_part *p)
{
    TRY(take_u64(c, &p->nonce));
    TRY(take_count(c, LIMIT_TX_BLOBS, &p->blobs));
    for (size_t i = 0; i < p->blobs; i++) {
        TRY(take_fixed(c, p->versioned[i].b, sizeof p->versioned[i].b));
    }
    TRY(take_count(c, INTENT_LADDER, &p->rungs));
    for (size_t i = 0; i < p->rungs; i++) {
        TRY(take_raw(c, &p->raw[i]));
    }
    return OK;
}

static enum err take_head(struct cursor *c, struct post_intent *i)
{
    uint64_t *number[] = {&i->chain_id, &i->l1_chain_id, &i->time_ms,
                          &i->segment,  &i->first,       &i->last};
    uint8_t head[sizeof magic + 1];
    TRY(take_fixed(c, head, sizeof head));
    if (memcmp(head, magic, sizeof magic) != 0) {
        return ERR_MALFORMED;
    }
    if (head[sizeof magic] != VERSION) {
        return ERR_WRONG_VERSION;
    }
    for (size_t k = 0; k < sizeof number / sizeof number[0]; k++) {
        TRY(take_u64(c, number[k]));
    }
    return OK;
}

enum err intent_decode(struct post_intent *out, struct bytes in)
{
    struct cursor c;
    *out = (struct post_intent){.parts = 0};
    if (in.n > LIMIT_INTENT_BYTES) {
        return ERR_TOO_LARGE;
    }
    cursor_init(&c, in);
    TRY(take_head(&c, out));
    TRY(take_fixed(&c, out->last_hash.b, sizeof out->last_hash.b));
    TRY(take_fixed(&c, out->root.b, sizeof out->root.b));
    TRY(take_fixed(&c, out->channel.b, sizeof out->channel.b));
    TRY(take_fixed(&c, &out->member, 1));
    TRY(take_fixed(&c, &out->kind, 1));
    TRY(take_fixed(&c, out->account.b, sizeof out->account.b));
    TRY(take_count(&c, INTENT_PARTS, &out->parts));
    for (size_t p = 0; p < out->parts; p++) {
        TRY(take_part(&c, &out->part[p]));
    }
    TRY(take_fixed(&c, out->signature.b, sizeof out->signature.b));
    return cursor_left(&c) == 0 && form_is_good(out) ? OK : ERR_MALFORMED;
}

/* ---- who says it ---------------------------------------------------------------------------------- */

struct hash intent_digest(const struct epoch_config *c, const struct post_intent *i,
                          struct bytes encoded)
{
    struct typed t;
    size_t n = encoded.n > SIGNATURE ? encoded.n - SIGNATURE : 0;
    struct hash content = keccak256(encoded.p, n);
    typed_begin(&t, "PostIntent(uint64 epoch,uint8 member,uint64 segment,bytes32 content,"
                    "bytes32 config)");
    typed_put_u64(&t, c->epoch);
    typed_put_u64(&t, i->member);
    typed_put_u64(&t, i->segment);
    typed_put_hash(&t, &content);
    typed_put_hash(&t, &c->hash);
    return typed_digest(&t, &c->domain_separator);
}

enum err intent_verify(const struct epoch_config *c, const struct post_intent *i,
                       struct bytes encoded)
{
    struct address signer;
    if (i->member >= c->n) {
        return ERR_NOT_MEMBER;
    }
    struct hash digest = intent_digest(c, i, encoded);
    TRY(key_recover(&signer, &i->signature, &digest));
    return address_equal(&signer, &c->member[i->member].address) ? OK : ERR_BAD_SIGNATURE;
}

/* ---- what it promises ------------------------------------------------------------------------------ */

static bool same_hashes(const struct hash *a, size_t a_n, const struct hash *b, size_t b_n)
{
    return a_n == b_n && memcmp(a, b, a_n * sizeof *a) == 0;
}

/* What both types of transaction have, for one comparison. */
struct common {
    uint64_t chain_id;
    uint64_t nonce;
    struct address to;
    struct u256 value;
    struct address sender;
    struct bytes data;
};

static enum err check_common(const struct common *t, const struct post_intent *i, size_t part,
                             const struct intent_wanted *w)
{
    if (t->chain_id != w->l1_chain_id) {
        return ERR_WRONG_CHAIN;
    }
    if (t->nonce != i->part[part].nonce || !u256_is_zero(&t->value) ||
        !address_equal(&t->to, &w->to[part])) {
        return ERR_MALFORMED;
    }
    return address_equal(&t->sender, &i->account) ? OK : ERR_BAD_SIGNATURE;
}

static enum err same_posting(const struct batch_auth *a, const struct batch_auth *b, bool foreign)
{
    bool same = a->chain_id == b->chain_id && a->segment == b->segment && a->first == b->first &&
                a->last == b->last && hash_equal(&a->last_hash, &b->last_hash) &&
                hash_equal(&a->root, &b->root) &&
                (foreign || hash_equal(&a->commitment, &b->commitment));
    return same ? OK : ERR_REFUSED;
}

/* Members hear of different quorums: their envelopes carry other signatures, and prove the same. */
static enum err check_envelope(struct bytes got, struct bytes ours, const struct intent_wanted *w,
                               bool foreign)
{
    struct fault fault;
    if (bytes_equal(got, ours)) {
        return OK;
    }
    struct batch_auth *a = w->epoch == NULL ? NULL : malloc(2 * sizeof *a);
    if (a == NULL) {
        return w->epoch == NULL ? ERR_REFUSED : ERR_NO_MEMORY;
    }
    enum err e = auth_decode(&a[0], got, &fault);
    e = e == OK ? auth_decode(&a[1], ours, &fault) : e;
    e = e == OK ? same_posting(&a[0], &a[1], foreign) : e;
    e = e == OK ? auth_verify(&a[0], w->epoch) : e;
    free(a);
    return e;
}

static enum err check_plain(const struct post_intent *i, size_t part, struct bytes raw,
                            const struct intent_wanted *w, bool *foreign)
{
    struct tx tx;
    struct address sender;
    if (tx_decode(&tx, raw) != TX_OK || tx.type != 2 || tx.creates || tx.access_list.n > 0) {
        return ERR_MALFORMED;
    }
    if (tx_sender(&sender, &tx) != TX_OK) {
        return ERR_BAD_SIGNATURE;
    }
    struct common t = {.chain_id = tx.chain_id,
                       .nonce = tx.nonce,
                       .to = tx.to,
                       .value = tx.value,
                       .sender = sender,
                       .data = tx.data};
    TRY(check_common(&t, i, part, w));
    if (part > 0) {
        return check_envelope(tx.data, w->data[part], w, *foreign);
    }
    *foreign = *foreign || !bytes_equal(tx.data, w->data[part]);
    return OK;
}

static enum err check_blob(const struct post_intent *i, size_t part, struct bytes raw,
                           const struct intent_wanted *w, bool *foreign)
{
    struct blob_tx tx;
    struct address sender;
    const struct intent_part *p = &i->part[part];
    TRY(blob_tx_read(&tx, &sender, raw));
    struct common t = {.chain_id = tx.chain_id,
                       .nonce = tx.nonce,
                       .to = tx.to,
                       .value = tx.value,
                       .sender = sender,
                       .data = tx.data};
    if (!same_hashes(tx.versioned, tx.blobs, p->versioned, p->blobs)) {
        return ERR_MALFORMED;
    }
    *foreign = *foreign || !same_hashes(p->versioned, p->blobs, w->versioned, w->blobs);
    TRY(check_common(&t, i, part, w));
    return check_envelope(tx.data, w->data[part], w, *foreign);
}

static enum err check_segment(const struct post_intent *i, const struct intent_wanted *w)
{
    if (i->chain_id != w->chain_id || i->l1_chain_id != w->l1_chain_id) {
        return ERR_WRONG_CHAIN;
    }
    bool same = i->kind == w->kind && i->segment == w->segment && i->first == w->first &&
                i->last == w->last && hash_equal(&i->last_hash, &w->last_hash) &&
                hash_equal(&i->root, &w->root);
    return same ? OK : ERR_REFUSED;
}

enum err intent_check(const struct post_intent *i, const struct intent_wanted *w, bool *foreign)
{
    *foreign = false;
    TRY(check_segment(i, w));
    for (size_t p = 0; p < i->parts; p++) {
        for (size_t r = 0; r < i->part[p].rungs; r++) {
            struct bytes raw = i->part[p].raw[r];
            TRY(i->kind == INTENT_BLOB ? check_blob(i, p, raw, w, foreign)
                                       : check_plain(i, p, raw, w, foreign));
        }
    }
    return OK;
}
