#define _GNU_SOURCE
#include "storage/internal.h"

#include <stdlib.h>

/* The final chain: by slot, by height, its certificates, and its tip. */

enum { FINAL_FIXED_BYTES = 16 + (int)sizeof(struct hash) };

static bool is_above(uint64_t epoch, uint64_t slot, uint64_t other_epoch, uint64_t other_slot)
{
    return epoch != other_epoch ? epoch > other_epoch : slot > other_slot;
}

static void put_index(struct op *op, const struct storage_final *f)
{
    uint8_t slot[KEY_SLOT_BYTES];
    uint8_t height[KEY_HEIGHT_BYTES];
    struct bytes hash = bytes_of(f->hash.b, sizeof f->hash.b);
    key_slot(slot, INDEX_SLOT, f->header->epoch, f->header->slot);
    op_put(op, FAMILY_CHAIN, bytes_of(slot, sizeof slot), hash);
    if ((f->header->flags & FLAG_EMPTY) == 0) { /* EMPTY repeats its parent's height */
        key_height(height, f->header->height);
        op_put(op, FAMILY_CHAIN, bytes_of(height, sizeof height), hash);
    }
}

static void put_tip(struct op *op, const struct storage_final *f)
{
    uint8_t *at =
        op_put_room(op, FAMILY_META, key_meta(META_FINAL), FINAL_FIXED_BYTES + f->bench.n);
    store_be64(at, f->header->epoch);
    store_be64(at + 8, f->header->slot);
    memcpy(at + 16, f->hash.b, sizeof f->hash.b);
    if (f->bench.n > 0) {
        memcpy(at + FINAL_FIXED_BYTES, f->bench.p, f->bench.n);
    }
}

static enum err put_certificate(struct op *op, const struct certificate *c)
{
    uint8_t key[KEY_SLOT_BYTES];
    uint8_t value[CERTIFICATE_MAX_BYTES];
    size_t n = 0;
    TRY(certificate_encode(value, sizeof value, &n, c));
    key_slot(key, INDEX_CERTIFICATE, c->epoch, c->slot);
    op_put(op, FAMILY_CHAIN, bytes_of(key, sizeof key), bytes_of(value, n));
    return OK;
}

/* `op`, with all that it covers before it; `op` is freed. NULL: out of memory. */
static struct op *covering(const struct op_list *uncovered, struct op *op)
{
    size_t puts = op->puts;
    size_t bytes = op->used;
    for (const struct op *o = uncovered->first; o != NULL; o = o->next) {
        puts += o->puts;
        bytes += o->used;
    }
    struct op *all = op_new(puts, bytes);
    for (const struct op *o = uncovered->first; all != NULL && o != NULL; o = o->next) {
        op_put_all(all, o);
    }
    if (all != NULL) {
        op_put_all(all, op);
        memcpy(all->mark, op->mark, sizeof all->mark);
    }
    op_free(op);
    return all;
}

static enum err hold(struct storage *s, struct op *op)
{
    if (s->uncovered.n == LIMIT_CORE_RECORDS) {
        op_free(op);
        return ERR_BUSY;
    }
    op_list_push(&s->uncovered, op);
    return OK;
}

static enum err hand_over(struct storage *s, struct op *op)
{
    op = s->uncovered.n > 0 ? covering(&s->uncovered, op) : op;
    TRY(op == NULL ? ERR_NO_MEMORY : storage_hand_over(s, op));
    op_list_free(&s->uncovered);
    return OK;
}

enum err storage_submit_final(struct storage *s, const struct storage_final *f)
{
    struct op *op = op_new(4, 256 + CERTIFICATE_MAX_BYTES + FINAL_FIXED_BYTES + f->bench.n);
    if (op == NULL) {
        return ERR_NO_MEMORY;
    }
    bool tip = f->cert != NULL &&
               !is_above(s->final_epoch, s->final_slot, f->header->epoch, f->header->slot);
    enum err e = OK;
    put_index(op, f);
    if (tip) {
        put_tip(op, f);
        op->mark[OP_FINAL] = (struct op_place){f->header->epoch, f->header->slot};
    }
    if (f->cert == NULL) {
        return hold(s, op);
    }
    e = put_certificate(op, f->cert);
    if (e != OK) {
        op_free(op);
        return e;
    }
    TRY(hand_over(s, op));
    if (tip) {
        s->final_epoch = f->header->epoch;
        s->final_slot = f->header->slot;
    }
    return OK;
}

/* ---- reads ----------------------------------------------------------------------------------- */

enum err storage_hash_by_height(struct storage *s, uint64_t height, struct hash *out)
{
    uint8_t key[KEY_HEIGHT_BYTES];
    size_t n = 0;
    key_height(key, height);
    TRY(storage_read_small(s, FAMILY_CHAIN, bytes_of(key, sizeof key), out->b, sizeof out->b, &n));
    return n == sizeof out->b ? OK : ERR_CORRUPT;
}

/* The first entry of an index at or above (epoch, slot) in the same epoch, copied out. */
static enum err first_at(struct storage *s, enum chain_index index, uint64_t epoch, uint64_t slot,
                         uint64_t *out_slot, uint8_t *out, size_t cap, size_t *out_n)
{
    uint8_t from[KEY_SLOT_BYTES];
    struct bytes key;
    struct bytes value;
    key_slot(from, index, epoch, slot);
    TRY(storage_read_begin(s));
    struct kv_iter *it = s->kv.seek(s->kv.ctx, FAMILY_CHAIN, bytes_of(from, sizeof from));
    enum err e = it == NULL ? ERR_NO_MEMORY : ERR_NOT_FOUND;
    if (it != NULL && s->kv.valid(it, &key, &value) && key.n == sizeof from &&
        memcmp(key.p, from, 9) == 0) {
        e = value.n <= cap ? OK : ERR_CORRUPT;
        *out_slot = load_be64(key.p + 9);
        *out_n = value.n <= cap ? value.n : 0;
        memcpy(out, value.p, *out_n);
    }
    enum err closed = it == NULL ? OK : s->kv.done(it);
    storage_read_end(s);
    return closed != OK ? closed : e;
}

enum err storage_final_above(struct storage *s, uint64_t epoch, uint64_t slot, uint64_t *out_slot,
                             struct hash *out)
{
    size_t n = 0;
    if (slot == UINT64_MAX) {
        return ERR_NOT_FOUND;
    }
    TRY(first_at(s, INDEX_SLOT, epoch, slot + 1, out_slot, out->b, sizeof out->b, &n));
    return n == sizeof out->b ? OK : ERR_CORRUPT;
}

enum err storage_certificate(struct storage *s, uint64_t epoch, uint64_t slot,
                             struct certificate *out)
{
    uint8_t raw[CERTIFICATE_MAX_BYTES];
    uint64_t at = 0;
    size_t n = 0;
    TRY(first_at(s, INDEX_CERTIFICATE, epoch, slot, &at, raw, sizeof raw, &n));
    return certificate_decode(out, bytes_of(raw, n)) == OK ? OK : ERR_CORRUPT;
}

enum err storage_highest_final(struct storage *s, uint64_t *epoch, uint64_t *slot,
                               struct hash *hash, struct storage_buffer *bench)
{
    struct storage_buffer buf = {0};
    enum err e = storage_read_append(s, FAMILY_META, key_meta(META_FINAL), &buf);
    if (e == OK && buf.n < FINAL_FIXED_BYTES) {
        e = ERR_CORRUPT;
    }
    if (e != OK) {
        free(buf.p);
        return e;
    }
    *epoch = load_be64(buf.p);
    *slot = load_be64(buf.p + 8);
    memcpy(hash->b, buf.p + 16, sizeof hash->b);
    if (bench == NULL) {
        free(buf.p);
        return OK;
    }
    buf.n -= FINAL_FIXED_BYTES;
    memmove(buf.p, buf.p + FINAL_FIXED_BYTES, buf.n);
    free(bench->p);
    *bench = buf;
    return OK;
}
