#include "proto/pb.h"

/* The generated structs hold their bytes through pointers to non-const; packing only reads. */
ProtobufCBinaryData pb_bytes(const void *p, size_t n)
{
    return (ProtobufCBinaryData){n, (uint8_t *)(uintptr_t)p};
}

static void put_vote(Wire__Vote *out, const struct vote *v)
{
    wire__vote__init(out);
    out->kind = v->kind;
    out->signer = v->signer;
    out->epoch = v->epoch;
    out->slot = v->slot;
    out->block = pb_bytes(v->block.b, sizeof v->block.b);
    out->signature = pb_bytes(v->signature.b, sizeof v->signature.b);
}

enum err pb_put_votes(struct message_arena *s, Wire__Vote ***out, size_t *out_n,
                      const struct vote *v, uint32_t n)
{
    if (n > LIMIT_FRAME_VOTES) {
        return ERR_TOO_LARGE;
    }
    Wire__Vote **list = pb_arena_take(s, n * sizeof *list);
    Wire__Vote *one = pb_arena_take(s, n * sizeof *one);
    if (list == NULL || one == NULL) {
        return ERR_INVARIANT;
    }
    for (uint32_t i = 0; i < n; i++) {
        put_vote(&one[i], &v[i]);
        list[i] = &one[i];
    }
    *out = list;
    *out_n = n;
    return OK;
}

void pb_put_certificate(Wire__Certificate *out, const struct certificate *c)
{
    wire__certificate__init(out);
    out->kind = c->kind;
    out->epoch = c->epoch;
    out->slot = c->slot;
    out->block = pb_bytes(c->block.b, sizeof c->block.b);
    out->signers = c->signers;
    out->signatures = pb_bytes(c->signature, certificate_count(c) * sizeof c->signature[0]);
}

enum err pb_put_certificates(struct message_arena *s, Wire__Certificate ***out, size_t *out_n,
                             const struct certificate *c, uint32_t n)
{
    if (n > LIMIT_BUNDLE_CERTS) {
        return ERR_TOO_LARGE;
    }
    Wire__Certificate **list = pb_arena_take(s, n * sizeof *list);
    Wire__Certificate *one = pb_arena_take(s, n * sizeof *one);
    if (list == NULL || one == NULL) {
        return ERR_INVARIANT;
    }
    for (uint32_t i = 0; i < n; i++) {
        pb_put_certificate(&one[i], &c[i]);
        list[i] = &one[i];
    }
    *out = list;
    *out_n = n;
    return OK;
}

size_t pb_certificates_bytes(const struct certificate *cert, uint32_t n)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < n; i++) {
        bytes += PB_CERTIFICATE_BYTES + certificate_count(&cert[i]) * sizeof cert->signature[0];
    }
    return bytes;
}

enum err pb_put_head(Wire__Head *out, uint8_t header[HEADER_BYTES], const struct block_head *h)
{
    if (h->system.n > LIMIT_SYSTEM_BYTES) {
        return ERR_TOO_LARGE;
    }
    header_encode(header, &h->header);
    wire__head__init(out);
    out->header = pb_bytes(header, HEADER_BYTES);
    out->signature = pb_bytes(h->signature.b, sizeof h->signature.b);
    out->system = pb_bytes(h->system.p, h->system.n);
    return OK;
}

static enum err put_heads(struct message_arena *s, Wire__Head ***out, size_t *out_n,
                          const struct block_head *h, uint32_t n)
{
    if (n > LIMIT_BUNDLE_HEADERS) {
        return ERR_TOO_LARGE;
    }
    Wire__Head **list = pb_arena_take(s, n * sizeof *list);
    Wire__Head *one = pb_arena_take(s, n * sizeof *one);
    uint8_t *header = pb_arena_take(s, (size_t)n * HEADER_BYTES);
    if (list == NULL || one == NULL || header == NULL) {
        return ERR_INVARIANT;
    }
    for (uint32_t i = 0; i < n; i++) {
        TRY(pb_put_head(&one[i], header + (size_t)i * HEADER_BYTES, &h[i]));
        list[i] = &one[i];
    }
    *out = list;
    *out_n = n;
    return OK;
}

enum err pb_put_bundle(struct message_arena *s, Wire__Bundle *out, const struct bundle *b)
{
    wire__bundle__init(out);
    TRY(pb_put_certificates(s, &out->cert, &out->n_cert, b->cert, b->certs));
    TRY(put_heads(s, &out->head, &out->n_head, b->head, b->heads));
    return pb_put_votes(s, &out->vote, &out->n_vote, b->vote, b->votes);
}

enum err pb_put_block(Wire__Block *out, Wire__Head *head, uint8_t header[HEADER_BYTES],
                      const struct block *b)
{
    if (b->body.n > LIMIT_BODY_BYTES) {
        return ERR_TOO_LARGE;
    }
    TRY(pb_put_head(head, header, &b->head));
    wire__block__init(out);
    out->head = head;
    out->body = pb_bytes(b->body.p, b->body.n);
    return OK;
}

enum err pb_put_blocks(struct message_arena *s, Wire__Block ***out, size_t *out_n,
                       const struct block *b, uint32_t n)
{
    if (n > LIMIT_SYNC_BLOCKS) {
        return ERR_TOO_LARGE;
    }
    Wire__Block **list = pb_arena_take(s, n * sizeof *list);
    Wire__Block *one = pb_arena_take(s, n * sizeof *one);
    Wire__Head *head = pb_arena_take(s, n * sizeof *head);
    uint8_t *header = pb_arena_take(s, (size_t)n * HEADER_BYTES);
    if (list == NULL || one == NULL || head == NULL || header == NULL) {
        return ERR_INVARIANT;
    }
    for (uint32_t i = 0; i < n; i++) {
        TRY(pb_put_block(&one[i], &head[i], header + (size_t)i * HEADER_BYTES, &b[i]));
        list[i] = &one[i];
    }
    *out = list;
    *out_n = n;
    return OK;
}
