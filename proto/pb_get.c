#include "proto/pb.h"

enum err pb_get_fixed(uint8_t *out, size_t n, const ProtobufCBinaryData *in)
{
    if (in->len != n) {
        return ERR_MALFORMED;
    }
    memcpy(out, in->data, n);
    return OK;
}

enum err pb_get_upto(struct bytes *out, size_t max, const ProtobufCBinaryData *in)
{
    if (in->len > max) {
        return ERR_TOO_LARGE;
    }
    *out = bytes_of(in->data, in->len);
    return OK;
}

static enum err get_vote(struct vote *out, const Wire__Vote *in)
{
    if (in->kind < VOTE_NOTARIZE || in->kind > VOTE_FINALIZE || in->signer >= LIMIT_MEMBERS) {
        return ERR_MALFORMED;
    }
    memset(out, 0, sizeof *out);
    out->kind = (uint8_t)in->kind;
    out->signer = (uint8_t)in->signer;
    out->epoch = in->epoch;
    out->slot = in->slot;
    TRY(pb_get_fixed(out->block.b, sizeof out->block.b, &in->block));
    return pb_get_fixed(out->signature.b, sizeof out->signature.b, &in->signature);
}

enum err pb_get_votes(struct message_arena *a, struct vote **out, uint32_t *out_n,
                      Wire__Vote *const *in, size_t n, uint32_t max)
{
    if (n > max) {
        return ERR_TOO_LARGE;
    }
    struct vote *v = pb_arena_take(a, n * sizeof *v);
    if (v == NULL) {
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < n; i++) {
        TRY(get_vote(&v[i], in[i]));
    }
    *out = v;
    *out_n = (uint32_t)n;
    return OK;
}

enum err pb_get_certificate(struct certificate *out, const Wire__Certificate *in)
{
    if (in->kind < VOTE_NOTARIZE || in->kind > VOTE_FINALIZE || in->signers == 0) {
        return ERR_MALFORMED;
    }
    memset(out, 0, sizeof *out);
    out->kind = (uint8_t)in->kind;
    out->epoch = in->epoch;
    out->slot = in->slot;
    out->signers = in->signers;
    TRY(pb_get_fixed(out->block.b, sizeof out->block.b, &in->block));
    size_t bytes = certificate_count(out) * sizeof out->signature[0];
    return pb_get_fixed(out->signature[0].b, bytes, &in->signatures);
}

enum err pb_get_certificates(struct message_arena *a, struct certificate **out, uint32_t *out_n,
                             Wire__Certificate *const *in, size_t n)
{
    if (n > LIMIT_BUNDLE_CERTS) {
        return ERR_TOO_LARGE;
    }
    struct certificate *c = pb_arena_take(a, n * sizeof *c);
    if (c == NULL) {
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < n; i++) {
        TRY(pb_get_certificate(&c[i], in[i]));
    }
    *out = c;
    *out_n = (uint32_t)n;
    return OK;
}

enum err pb_get_head(struct block_head *out, const Wire__Head *in)
{
    if (in == NULL) {
        return ERR_MALFORMED;
    }
    memset(out, 0, sizeof *out);
    TRY(header_decode(&out->header, bytes_of(in->header.data, in->header.len)));
    TRY(pb_get_fixed(out->signature.b, sizeof out->signature.b, &in->signature));
    TRY(pb_get_upto(&out->system, LIMIT_SYSTEM_BYTES, &in->system));
    out->hash = header_hash(&out->header);
    return OK;
}

static enum err get_heads(struct message_arena *a, struct block_head **out, uint32_t *out_n,
                          Wire__Head *const *in, size_t n)
{
    if (n > LIMIT_BUNDLE_HEADERS) {
        return ERR_TOO_LARGE;
    }
    struct block_head *h = pb_arena_take(a, n * sizeof *h);
    if (h == NULL) {
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < n; i++) {
        TRY(pb_get_head(&h[i], in[i]));
    }
    *out = h;
    *out_n = (uint32_t)n;
    return OK;
}

enum err pb_get_bundle(struct message_arena *a, struct bundle *out, const Wire__Bundle *in)
{
    *out = (struct bundle){0};
    if (in == NULL) {
        return OK;
    }
    TRY(pb_get_certificates(a, &out->cert, &out->certs, in->cert, in->n_cert));
    TRY(get_heads(a, &out->head, &out->heads, in->head, in->n_head));
    return pb_get_votes(a, &out->vote, &out->votes, in->vote, in->n_vote, LIMIT_FRAME_VOTES);
}

enum err pb_get_block(struct block *out, const Wire__Block *in)
{
    TRY(pb_get_head(&out->head, in->head));
    return pb_get_upto(&out->body, LIMIT_BODY_BYTES, &in->body);
}

enum err pb_get_blocks(struct message_arena *a, struct block **out, uint32_t *out_n,
                       Wire__Block *const *in, size_t n)
{
    if (n > LIMIT_SYNC_BLOCKS) {
        return ERR_TOO_LARGE;
    }
    struct block *b = pb_arena_take(a, n * sizeof *b);
    if (b == NULL) {
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < n; i++) {
        TRY(pb_get_block(&b[i], in[i]));
    }
    *out = b;
    *out_n = (uint32_t)n;
    return OK;
}
