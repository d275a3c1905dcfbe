#include "sequencer/batcher/blob_tx.h"

#include <openssl/evp.h>

#include "proto/keccak.h"
#include "proto/rlp.h"
#include "sequencer/batcher/tx_parts.h"

enum { HASH_VERSION = 1, V_PLAIN = 27, TX_ROOM = 1024 };

enum err blob_versioned_hash(struct hash *out, const uint8_t commitment[KZG_BYTES])
{
    if (EVP_Digest(commitment, KZG_BYTES, out->b, NULL, EVP_sha256(), NULL) != 1) {
        return ERR_CRYPTO;
    }
    out->b[0] = HASH_VERSION;
    return OK;
}

/* ---- writing ------------------------------------------------------------------------------------ */

static void put_fields(struct rlp_out *out, const struct blob_tx *t)
{
    rlp_put_u64(out, t->chain_id);
    rlp_put_u64(out, t->nonce);
    rlp_put_u256(out, &t->max_priority_fee);
    rlp_put_u256(out, &t->max_fee);
    rlp_put_u64(out, t->gas);
    rlp_put_string(out, t->to.b, sizeof t->to.b);
    rlp_put_u256(out, &t->value);
    rlp_put_string(out, t->data.p, t->data.n);
    rlp_list_end(out, rlp_list_begin(out)); /* no access list */
    rlp_put_u256(out, &t->max_blob_fee);
    size_t hashes = rlp_list_begin(out);
    for (size_t i = 0; i < t->blobs; i++) {
        rlp_put_string(out, t->versioned[i].b, sizeof t->versioned[i].b);
    }
    rlp_list_end(out, hashes);
}

static void put_signature(struct rlp_out *out, const struct signature *s)
{
    struct u256 r = u256_from_be(s->b, 32);
    struct u256 low = u256_from_be(s->b + 32, 32);
    rlp_put_u64(out, s->b[64] - (uint64_t)V_PLAIN);
    rlp_put_u256(out, &r);
    rlp_put_u256(out, &low);
}

static enum err put_tx(struct rlp_out *out, const struct blob_tx *t, const struct signature *s)
{
    static const uint8_t type = TX_BLOB_TYPE;
    rlp_put_raw(out, &type, 1);
    size_t list = rlp_list_begin(out);
    put_fields(out, t);
    if (s != NULL) {
        put_signature(out, s);
    }
    rlp_list_end(out, list);
    return rlp_finish(out);
}

enum err blob_tx_sign(struct buffer *out, const struct blob_tx *t, const struct secret_key *key)
{
    if (t->blobs == 0 || t->blobs > LIMIT_TX_BLOBS) {
        return ERR_REFUSED;
    }
    size_t room = TX_ROOM + t->data.n;
    uint8_t *to = buffer_room(out, room);
    if (to == NULL) {
        return out->bad;
    }
    struct rlp_out bare = {.p = to, .cap = room};
    struct rlp_out whole = {.p = to, .cap = room};
    struct signature signature;
    TRY(put_tx(&bare, t, NULL));
    struct hash digest = keccak256(to, bare.n);
    TRY(key_sign(&signature, key, &digest));
    TRY(put_tx(&whole, t, &signature));
    out->n += whole.n;
    return OK;
}

/* ---- reading ------------------------------------------------------------------------------------ */

static enum err take_hashes(struct rlp_in *in, struct blob_tx *t)
{
    struct rlp_in hashes;
    TRY(rlp_list(in, &hashes));
    while (!rlp_at_end(&hashes)) {
        if (t->blobs == LIMIT_TX_BLOBS) {
            return ERR_TOO_LARGE;
        }
        struct hash *h = &t->versioned[t->blobs++];
        TRY(rlp_fixed(&hashes, h->b, sizeof h->b));
        if (h->b[0] != HASH_VERSION) {
            return ERR_MALFORMED;
        }
    }
    return t->blobs > 0 ? OK : ERR_MALFORMED;
}

static enum err take_fields(struct rlp_in *in, struct blob_tx *t)
{
    TRY(rlp_u64(in, &t->chain_id));
    TRY(rlp_u64(in, &t->nonce));
    TRY(rlp_u256(in, &t->max_priority_fee));
    TRY(rlp_u256(in, &t->max_fee));
    TRY(rlp_u64(in, &t->gas));
    TRY(rlp_fixed(in, t->to.b, sizeof t->to.b));
    TRY(rlp_u256(in, &t->value));
    TRY(rlp_string(in, &t->data));
    TRY(tx_parts_check_access(in));
    TRY(rlp_u256(in, &t->max_blob_fee));
    return take_hashes(in, t);
}

static enum err take_signature(struct rlp_in *in, struct signature *out)
{
    uint64_t odd;
    struct u256 r;
    struct u256 s;
    TRY(rlp_u64(in, &odd));
    TRY(rlp_u256(in, &r));
    TRY(rlp_u256(in, &s));
    u256_to_be(out->b, &r);
    u256_to_be(out->b + 32, &s);
    out->b[64] = (uint8_t)(V_PLAIN + (odd & 1));
    return odd <= 1 && rlp_at_end(in) ? OK : ERR_MALFORMED;
}

/* What was signed: the type and the list without its last three items, under a prefix of its own. */
static enum err signing_hash(struct hash *out, struct bytes fields)
{
    struct buffer bare;
    buffer_init(&bare, LIMIT_TX_BYTES + TX_ROOM);
    size_t room = fields.n + 10;
    struct rlp_out rlp = {.p = buffer_room(&bare, room), .cap = room};
    if (rlp.p == NULL) {
        return bare.bad;
    }
    static const uint8_t type = TX_BLOB_TYPE;
    rlp_put_raw(&rlp, &type, 1);
    size_t list = rlp_list_begin(&rlp);
    rlp_put_raw(&rlp, fields.p, fields.n);
    rlp_list_end(&rlp, list);
    *out = keccak256(rlp.p, rlp.n);
    buffer_free(&bare);
    return rlp_finish(&rlp);
}

enum err blob_tx_read(struct blob_tx *out, struct address *sender, struct bytes raw)
{
    *out = (struct blob_tx){.blobs = 0};
    if (raw.n > LIMIT_TX_BYTES) {
        return ERR_TOO_LARGE;
    }
    if (raw.n == 0 || raw.p[0] != TX_BLOB_TYPE) {
        return ERR_MALFORMED;
    }
    struct rlp_in in = {raw.p + 1, raw.n - 1};
    struct rlp_in list;
    struct signature signature;
    struct hash digest;
    TRY(rlp_list(&in, &list));
    struct bytes fields = bytes_of(list.p, list.n);
    TRY(take_fields(&list, out));
    fields.n -= list.n;
    TRY(take_signature(&list, &signature));
    if (!rlp_at_end(&in)) {
        return ERR_MALFORMED;
    }
    TRY(signing_hash(&digest, fields));
    return key_recover(sender, &signature, &digest);
}

/* ---- with its blobs ------------------------------------------------------------------------------- */

static size_t proofs_of(const struct blob_sidecar *s)
{
    return s->blobs * (s->wrapper == WRAPPER_7594 ? (size_t)CELL_PROOFS : 1);
}

static void put_strings(struct rlp_out *out, const uint8_t *const *p, size_t count, size_t n)
{
    size_t list = rlp_list_begin(out);
    for (size_t i = 0; i < count; i++) {
        rlp_put_string(out, p[i], n);
    }
    rlp_list_end(out, list);
}

static void put_proofs(struct rlp_out *out, struct bytes proofs)
{
    size_t list = rlp_list_begin(out);
    for (size_t at = 0; at < proofs.n; at += KZG_BYTES) {
        rlp_put_string(out, proofs.p + at, KZG_BYTES);
    }
    rlp_list_end(out, list);
}

enum err blob_tx_wrap(struct buffer *out, struct bytes raw, const struct blob_sidecar *s)
{
    if (s->blobs == 0 || s->blobs > LIMIT_TX_BLOBS || s->proofs.n != proofs_of(s) * KZG_BYTES) {
        return ERR_REFUSED;
    }
    if (raw.n == 0 || raw.p[0] != TX_BLOB_TYPE) {
        return ERR_MALFORMED;
    }
    size_t room = raw.n + s->blobs * (BLOB_BYTES + 2 * KZG_BYTES) + 2 * s->proofs.n + TX_ROOM;
    struct rlp_out rlp = {.p = buffer_room(out, room), .cap = room};
    if (rlp.p == NULL) {
        return out->bad;
    }
    rlp_put_raw(&rlp, raw.p, 1);
    size_t list = rlp_list_begin(&rlp);
    rlp_put_raw(&rlp, raw.p + 1, raw.n - 1);
    if (s->wrapper == WRAPPER_7594) {
        rlp_put_u64(&rlp, 1);
    }
    put_strings(&rlp, s->blob, s->blobs, BLOB_BYTES);
    put_strings(&rlp, s->commitment, s->blobs, KZG_BYTES);
    put_proofs(&rlp, s->proofs);
    rlp_list_end(&rlp, list);
    TRY(rlp_finish(&rlp));
    out->n += rlp.n;
    return OK;
}

static enum err take_strings(struct rlp_in *in, const uint8_t **p, size_t *count, size_t n)
{
    struct rlp_in list;
    struct bytes one;
    TRY(rlp_list(in, &list));
    for (*count = 0; !rlp_at_end(&list); (*count)++) {
        if (*count == LIMIT_TX_BLOBS) {
            return ERR_TOO_LARGE;
        }
        TRY(rlp_string(&list, &one));
        if (one.n != n) {
            return ERR_MALFORMED;
        }
        p[*count] = one.p;
    }
    return OK;
}

static enum err take_proofs(struct rlp_in *in, const struct blob_sidecar *s, struct buffer *out)
{
    struct rlp_in list;
    uint8_t proof[KZG_BYTES];
    size_t n = 0;
    TRY(rlp_list(in, &list));
    for (; !rlp_at_end(&list) && n < proofs_of(s); n++) {
        TRY(rlp_fixed(&list, proof, sizeof proof));
        buffer_put(out, proof, sizeof proof);
    }
    return rlp_at_end(&list) && n == proofs_of(s) ? out->bad : ERR_MALFORMED;
}

static enum err take_wrapper(struct rlp_in *in, struct blob_sidecar *s)
{
    uint64_t version = 0;
    s->wrapper = rlp_next_is_list(in) ? WRAPPER_4844 : WRAPPER_7594;
    if (s->wrapper == WRAPPER_7594) {
        TRY(rlp_u64(in, &version));
        return version == 1 ? OK : ERR_WRONG_VERSION;
    }
    return OK;
}

enum err blob_tx_unwrap(struct buffer *raw, struct blob_sidecar *s, struct buffer *proofs,
                        struct bytes wrapped)
{
    if (wrapped.n == 0 || wrapped.p[0] != TX_BLOB_TYPE) {
        return ERR_MALFORMED;
    }
    struct rlp_in in = {wrapped.p + 1, wrapped.n - 1};
    struct rlp_in list;
    struct bytes tx;
    size_t commitments = 0;
    size_t start = proofs->n;
    TRY(rlp_list(&in, &list));
    TRY(rlp_item(&list, &tx));
    TRY(take_wrapper(&list, s));
    TRY(take_strings(&list, s->blob, &s->blobs, BLOB_BYTES));
    TRY(take_strings(&list, s->commitment, &commitments, KZG_BYTES));
    TRY(take_proofs(&list, s, proofs));
    if (!rlp_at_end(&list) || !rlp_at_end(&in) || commitments != s->blobs) {
        return ERR_MALFORMED;
    }
    s->proofs = bytes_of(proofs->p + start, proofs->n - start);
    buffer_put_byte(raw, TX_BLOB_TYPE);
    buffer_put_bytes(raw, tx);
    return raw->bad;
}
