#include "sequencer/l1/txm_journal.h"

#include <stdlib.h>

enum { FIRST_BYTES = 1024, LENGTH = 4 };

/* ---- writing ------------------------------------------------------------------------------------- */

static uint8_t *room(struct txm_group *g, size_t n)
{
    if (g->bad != OK || n > LIMIT_TXM_GROUP - g->n) {
        g->bad = g->bad != OK ? g->bad : ERR_TOO_LARGE;
        return NULL;
    }
    if (n > g->cap - g->n) {
        size_t cap = g->cap + FIRST_BYTES + n > 2 * g->cap ? g->cap + FIRST_BYTES + n : 2 * g->cap;
        uint8_t *p = realloc(g->p, cap);
        if (p == NULL) {
            g->bad = ERR_NO_MEMORY;
            return NULL;
        }
        g->p = p;
        g->cap = cap;
    }
    g->n += n;
    return g->p + g->n - n;
}

static void put(struct txm_group *g, const void *p, size_t n)
{
    uint8_t *to = room(g, n);
    if (to != NULL && n > 0) {
        memcpy(to, p, n);
    }
}

static void put_u8(struct txm_group *g, size_t v)
{
    uint8_t b = (uint8_t)v;
    put(g, &b, 1);
}

static void put_u64(struct txm_group *g, uint64_t v)
{
    uint8_t b[8];
    store_be64(b, v);
    put(g, b, sizeof b);
}

static void put_u256(struct txm_group *g, const struct u256 *v)
{
    uint8_t b[32];
    u256_to_be(b, v);
    put(g, b, sizeof b);
}

static void put_bytes(struct txm_group *g, struct bytes v)
{
    uint8_t b[LENGTH];
    store_be32(b, (uint32_t)v.n);
    put(g, b, sizeof b);
    put(g, v.p, v.n);
}

static void put_payload(struct txm_group *g, const struct txm_payload *p, uint64_t gas)
{
    put_u64(g, p->segment);
    put_u8(g, p->part);
    put_u8(g, p->kind);
    put_u64(g, p->last);
    put(g, p->to.b, sizeof p->to.b);
    put(g, p->id, sizeof p->id);
    put_u64(g, gas);
    put_u8(g, p->blobs);
    put(g, p->versioned, p->blobs * sizeof p->versioned[0]);
    put_bytes(g, p->data);
}

static void put_rung(struct txm_group *g, const struct txm_record *r)
{
    put_u256(g, &r->fees.tip);
    put_u256(g, &r->fees.cap);
    put_u256(g, &r->fees.blob_cap);
    put_bytes(g, r->raw);
}

void txm_group_put(struct txm_group *g, const struct txm_record *r)
{
    size_t at = g->n;
    (void)room(g, LENGTH);
    put_u8(g, r->type);
    put_u64(g, r->nonce);
    if (r->type == TXM_PAYLOAD) {
        put_payload(g, &r->payload, r->gas);
    } else if (r->type == TXM_RUNG) {
        put_rung(g, r);
    } else if (r->type == TXM_RELEASE) {
        put_u8(g, r->rung);
    }
    if (g->bad == OK) {
        store_be32(g->p + at, (uint32_t)(g->n - at - LENGTH));
    }
}

void txm_group_free(struct txm_group *g)
{
    free(g->p);
    *g = (struct txm_group){.p = NULL};
}

/* ---- reading ------------------------------------------------------------------------------------- */

static bool take(struct bytes *in, void *out, size_t n)
{
    if (in->n < n) {
        return false;
    }
    if (n > 0) {
        memcpy(out, in->p, n);
    }
    *in = bytes_of(in->p + n, in->n - n);
    return true;
}

static bool take_u64(struct bytes *in, uint64_t *out)
{
    uint8_t b[8];
    if (!take(in, b, sizeof b)) {
        return false;
    }
    *out = load_be64(b);
    return true;
}

static bool take_u256(struct bytes *in, struct u256 *out)
{
    uint8_t b[32];
    if (!take(in, b, sizeof b)) {
        return false;
    }
    *out = u256_from_be(b, sizeof b);
    return true;
}

static bool take_bytes(struct bytes *in, struct bytes *out)
{
    uint8_t b[LENGTH];
    if (!take(in, b, sizeof b) || load_be32(b) > in->n) {
        return false;
    }
    *out = bytes_of(in->p, load_be32(b));
    *in = bytes_of(in->p + out->n, in->n - out->n);
    return true;
}

static bool take_hashes(struct bytes *in, struct txm_payload *p)
{
    uint8_t blobs;
    if (!take(in, &blobs, 1) || blobs > LIMIT_TX_BLOBS) {
        return false;
    }
    p->blobs = blobs;
    return take(in, p->versioned, blobs * sizeof p->versioned[0]);
}

static bool take_payload(struct bytes *in, struct txm_record *r)
{
    struct txm_payload *p = &r->payload;
    return take_u64(in, &p->segment) && take(in, &p->part, 1) && take(in, &p->kind, 1) &&
           take_u64(in, &p->last) && take(in, p->to.b, sizeof p->to.b) &&
           take(in, p->id, sizeof p->id) && take_u64(in, &r->gas) && take_hashes(in, p) &&
           take_bytes(in, &p->data) && (p->kind == TXM_CALLDATA || p->kind == TXM_BLOB) &&
           (p->kind == TXM_BLOB) == (p->blobs > 0);
}

static bool take_rung(struct bytes *in, struct txm_record *r)
{
    return take_u256(in, &r->fees.tip) && take_u256(in, &r->fees.cap) &&
           take_u256(in, &r->fees.blob_cap) && take_bytes(in, &r->raw);
}

static bool take_record(struct bytes *in, struct txm_record *r)
{
    if (!take(in, &r->type, 1) || !take_u64(in, &r->nonce)) {
        return false;
    }
    if (r->type == TXM_PAYLOAD) {
        return take_payload(in, r) && in->n == 0;
    }
    if (r->type == TXM_RUNG) {
        return take_rung(in, r) && in->n == 0;
    }
    if (r->type == TXM_RELEASE) {
        return take(in, &r->rung, 1) && in->n == 0;
    }
    return r->type == TXM_FLOOR && in->n == 0;
}

bool txm_group_next(struct bytes *group, struct txm_record *out, enum err *e)
{
    struct bytes one;
    *out = (struct txm_record){.type = 0};
    *e = OK;
    if (group->n == 0) {
        return false;
    }
    if (!take_bytes(group, &one) || !take_record(&one, out)) {
        *e = ERR_MALFORMED;
        return false;
    }
    return true;
}
