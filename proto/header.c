#include "proto/header.h"

#include "proto/keccak.h"

struct cursor {
    const uint8_t *p;
    bool bad; /* a number did not fit its type */
};

static void put_u64(uint8_t **to, uint64_t v)
{
    memset(*to, 0, 24);
    store_be64(*to + 24, v);
    *to += 32;
}

static void put_hash(uint8_t **to, const struct hash *h)
{
    memcpy(*to, h->b, 32);
    *to += 32;
}

static uint64_t take_number(struct cursor *c, uint64_t max)
{
    static const uint8_t zeros[24];
    uint64_t v = load_be64(c->p + 24);
    if (memcmp(c->p, zeros, sizeof zeros) != 0 || v > max) {
        c->bad = true;
    }
    c->p += 32;
    return v;
}

static void take_hash(struct cursor *c, struct hash *out)
{
    memcpy(out->b, c->p, 32);
    c->p += 32;
}

void header_encode(uint8_t out[HEADER_BYTES], const struct header *h)
{
    put_u64(&out, h->chain_id);
    put_hash(&out, &h->genesis);
    put_u64(&out, h->epoch);
    put_hash(&out, &h->config);
    put_u64(&out, h->slot);
    put_u64(&out, h->attempt);
    put_u64(&out, h->flags);
    put_u64(&out, h->parent_slot);
    put_hash(&out, &h->parent);
    put_u64(&out, h->height);
    put_u64(&out, h->timestamp_ms);
    put_u64(&out, h->leader);
    put_hash(&out, &h->payload);
    put_hash(&out, &h->payload_parent);
    put_hash(&out, &h->state_root);
    put_hash(&out, &h->body_root);
    put_u64(&out, h->body_len);
    put_hash(&out, &h->system_root);
}

enum err header_decode(struct header *out, struct bytes in)
{
    if (in.n != HEADER_BYTES) {
        return ERR_MALFORMED;
    }
    struct cursor c = {in.p, false};
    out->chain_id = take_number(&c, UINT64_MAX);
    take_hash(&c, &out->genesis);
    out->epoch = take_number(&c, UINT64_MAX);
    take_hash(&c, &out->config);
    out->slot = take_number(&c, UINT64_MAX);
    out->attempt = (uint8_t)take_number(&c, UINT8_MAX);
    out->flags = (uint8_t)take_number(&c, UINT8_MAX);
    out->parent_slot = take_number(&c, UINT64_MAX);
    take_hash(&c, &out->parent);
    out->height = take_number(&c, UINT64_MAX);
    out->timestamp_ms = take_number(&c, UINT64_MAX);
    out->leader = (uint8_t)take_number(&c, UINT8_MAX);
    take_hash(&c, &out->payload);
    take_hash(&c, &out->payload_parent);
    take_hash(&c, &out->state_root);
    take_hash(&c, &out->body_root);
    out->body_len = (uint32_t)take_number(&c, UINT32_MAX);
    take_hash(&c, &out->system_root);
    return c.bad ? ERR_MALFORMED : OK;
}

struct hash header_hash(const struct header *h)
{
    uint8_t raw[HEADER_BYTES];
    header_encode(raw, h);
    return keccak256(raw, sizeof raw);
}
