#define _GNU_SOURCE
/* What derivation asks, answered from the own chain. What it asks to be executed this member has
 * executed already: final blocks stand on its disk, so the same content has the result that stands
 * there, and other content at the same height is no block of this chain. */
#include <stdlib.h>

#include "proto/body.h"
#include "sequencer/batcher/segment.h"
#include "sequencer/node/l1_parts.h"
#include "sequencer/observe/log.h"

struct l1_own {
    const struct l1_link_setup *s;
    struct storage_buffer buf;
    uint8_t *body;
    struct l1_kzg *kzg;
};

static enum err own_block(struct l1_own *o, uint64_t height, struct block *b)
{
    struct hash hash;
    TRY(storage_hash_by_height(o->s->storage, height, &hash));
    return storage_get_block(o->s->storage, &hash, &o->buf, b);
}

static bool same_body(struct l1_own *o, const struct derive_content *c, struct bytes body)
{
    if (c->txs > LIMIT_BODY_TXS || body_size(c->tx, c->txs) != body.n ||
        body.n > LIMIT_BODY_BYTES) {
        return false;
    }
    body_write(o->body, c->tx, c->txs);
    return memcmp(o->body, body.p, body.n) == 0;
}

static enum err execute(void *ctx, const struct derive_content *c, struct derive_executed *out)
{
    struct l1_own *o = ctx;
    struct block b;
    TRY(own_block(o, c->height, &b));
    const struct header *h = &b.head.header;
    if (b.body.n != h->body_len) {
        return ERR_NOT_FOUND; /* the body is on its way: asked again */
    }
    if (h->timestamp_ms != c->timestamp_ms || h->leader != c->leader ||
        !hash_equal(&h->payload_parent, &c->parent) || !same_body(o, c, b.body)) {
        return ERR_INVALID_BLOCK;
    }
    *out = (struct derive_executed){h->payload, h->state_root};
    return OK;
}

static void keep(void *ctx, const struct safe_row *safe)
{
    (void)ctx;
    (void)safe;
}

static void drop(void *ctx)
{
    (void)ctx;
}

enum err l1_own_kzg(struct l1_own *o, const struct kzg **out)
{
    return l1_kzg_get(o->kzg, out);
}

static enum err check_blob(void *ctx, const uint8_t blob[BLOB_BYTES], const struct hash *versioned)
{
    const struct kzg *kzg;
    TRY(l1_own_kzg(ctx, &kzg));
    return kzg_check_blob(kzg, blob, versioned);
}

static bool certified(void *ctx, uint64_t height, struct hash *out)
{
    struct l1_own *o = ctx;
    struct block b;
    if (own_block(o, height, &b) != OK) {
        return false;
    }
    *out = b.head.header.payload;
    return true;
}

static void told(void *ctx, enum derive_verdict v, const struct derive_ref *l1, uint32_t tx)
{
    (void)ctx;
    log_write(v == DERIVE_ACCEPTED || v == DERIVE_PAST ? LOG_DEBUG : LOG_WARN, "l1",
              "a posting was read", LOG_STR("verdict", derive_verdict_text(v)),
              LOG_U64("l1Block", l1->number), LOG_U64("index", tx), NULL);
}

struct posting_head l1_own_head(struct l1_own *o, const struct safe_row *row)
{
    struct block b;
    struct posting_head h = {row->number, row->hash, 0};
    if (row->number == 0) {
        h.timestamp_ms = o->s->genesis->timestamp_ms;
    } else if (own_block(o, row->number, &b) == OK) {
        h.timestamp_ms = b.head.header.timestamp_ms;
    }
    return h;
}

struct derive_setup l1_own_setup(struct l1_own *o, const struct derive_ref *start)
{
    const struct l1_link_setup *s = o->s;
    return (struct derive_setup){
        .chain = batch_chain_of(s->genesis),
        .config = s->epoch,
        .inbox = l1_inbox(s->epoch),
        .auth = l1_auth(s->epoch),
        .start = {0, s->genesis->payload, *start, 0},
        .ctx = o,
        .execute = execute,
        .keep = keep,
        .drop = drop,
        .check_blob = check_blob,
        .certified = certified,
        .told = told,
    };
}

enum err l1_own_open(struct l1_own **out, const struct l1_link_setup *s)
{
    struct l1_own *o = calloc(1, sizeof *o);
    if (o == NULL) {
        return ERR_NO_MEMORY;
    }
    o->s = s;
    o->body = malloc(LIMIT_BODY_BYTES);
    enum err e = o->body == NULL ? ERR_NO_MEMORY : l1_kzg_open(&o->kzg);
    if (e != OK) {
        l1_own_close(o);
        return e;
    }
    *out = o;
    return OK;
}

void l1_own_close(struct l1_own *o)
{
    if (o == NULL) {
        return;
    }
    l1_kzg_close(o->kzg);
    free(o->buf.p);
    free(o->body);
    free(o);
}
