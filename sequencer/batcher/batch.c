#include "sequencer/batcher/batch.h"

#include "proto/limits.h"
#include "proto/rlp.h"

enum { LIST_HEAD = 9 };

/* ---- reading ------------------------------------------------------------------------------------ */

static enum err take_singular(struct batch *b, struct rlp_in *whole)
{
    struct rlp_in list;
    struct rlp_in txs;
    struct bytes tx;
    TRY(rlp_list(whole, &list));
    TRY(rlp_fixed(&list, b->parent.b, sizeof b->parent.b));
    TRY(rlp_u64(&list, &b->epoch));
    TRY(rlp_fixed(&list, b->epoch_hash.b, sizeof b->epoch_hash.b));
    TRY(rlp_u64(&list, &b->timestamp));
    TRY(rlp_list(&list, &txs));
    b->txs = bytes_of(txs.p, txs.n);
    while (!rlp_at_end(&txs)) {
        TRY(rlp_string(&txs, &tx));
        b->singular_txs++;
    }
    return rlp_at_end(&list) ? OK : ERR_MALFORMED;
}

static enum err open_singular(struct batch *b, struct cursor *c)
{
    struct rlp_in in = {c->in.p + c->at, cursor_left(c)};
    enum err e = take_singular(b, &in);
    b->blocks = 1;
    return e == OK ? OK
                   : cursor_fail(c, e, c->at,
                                 "the list of parent, epoch, epoch hash, time and transactions");
}

static enum err open_span(struct batch *b, struct cursor *c)
{
    TRY(span_open(&b->span, b->chain, c));
    memcpy(b->parent.b, b->span.parent_check.p, SPAN_CHECK_BYTES);
    memcpy(b->epoch_hash.b, b->span.epoch_check.p, SPAN_CHECK_BYTES);
    b->blocks = b->span.blocks;
    b->epoch = b->span.last_epoch;
    span_reader_init(&b->walk, &b->span, b->chain);
    return OK;
}

static enum err open_typed(struct batch *b, struct cursor *c)
{
    uint8_t type;
    TRY(cursor_byte(c, "the batch's type", &type));
    if (type > BATCH_SPAN) {
        return cursor_fail(c, ERR_MALFORMED, 0, "a batch of type 0 (singular) or 1 (span)");
    }
    b->type = type == BATCH_SPAN ? BATCH_SPAN : BATCH_SINGULAR;
    return b->type == BATCH_SPAN ? open_span(b, c) : open_singular(b, c);
}

enum err batch_open(struct batch *b, const struct batch_chain *chain, struct bytes in,
                    struct fault *fault)
{
    struct cursor c;
    cursor_init(&c, in);
    *b = (struct batch){.chain = chain};
    enum err e = open_typed(b, &c);
    *fault = c.fault;
    return e;
}

bool batch_next_block(struct batch *b, struct batch_block *out)
{
    if (b->type == BATCH_SPAN) {
        return span_reader_block(&b->walk, out);
    }
    if (b->taken) {
        return false;
    }
    b->taken = true;
    /* Whether the epoch starts here, a singular batch does not say. */
    *out = (struct batch_block){
        .timestamp = b->timestamp, .epoch = b->epoch, .txs = b->singular_txs};
    return true;
}

bool batch_next_tx(struct batch *b, struct buffer *out)
{
    if (b->type == BATCH_SPAN) {
        return span_reader_tx(&b->walk, out);
    }
    struct rlp_in in = {b->txs.p, b->txs.n};
    struct bytes tx;
    if (!b->taken || rlp_string(&in, &tx) != OK) {
        return false;
    }
    b->txs = bytes_of(in.p, in.n);
    buffer_put_bytes(out, tx);
    return true;
}

/* ---- writing ------------------------------------------------------------------------------------ */

static size_t singular_room(const struct bytes *tx, uint64_t n)
{
    size_t room = 2 * (sizeof(struct hash) + LIST_HEAD) + 4 * LIST_HEAD;
    for (uint64_t i = 0; i < n; i++) {
        room += LIST_HEAD + tx[i].n;
    }
    return room;
}

void singular_write(struct buffer *out, const struct hash *parent, const struct hash *epoch_hash,
                    const struct batch_block *block, const struct bytes *tx)
{
    buffer_put_byte(out, BATCH_SINGULAR);
    size_t room = singular_room(tx, block->txs);
    struct rlp_out rlp = {.p = buffer_room(out, room), .cap = room};
    if (rlp.p == NULL) {
        return;
    }
    size_t list = rlp_list_begin(&rlp);
    rlp_put_string(&rlp, parent->b, sizeof parent->b);
    rlp_put_u64(&rlp, block->epoch);
    rlp_put_string(&rlp, epoch_hash->b, sizeof epoch_hash->b);
    rlp_put_u64(&rlp, block->timestamp);
    size_t txs = rlp_list_begin(&rlp);
    for (uint64_t i = 0; i < block->txs; i++) {
        rlp_put_string(&rlp, tx[i].p, tx[i].n);
    }
    rlp_list_end(&rlp, txs);
    rlp_list_end(&rlp, list);
    out->n += rlp.n;
}

/* ---- the stream of a channel ---------------------------------------------------------------------- */

void batches_put(struct buffer *out, struct bytes batch)
{
    size_t room = LIST_HEAD + batch.n;
    struct rlp_out rlp = {.p = buffer_room(out, room), .cap = room};
    if (rlp.p != NULL) {
        rlp_put_string(&rlp, batch.p, batch.n);
        out->n += rlp.n;
    }
}

bool batches_next(struct cursor *c, struct bytes *batch)
{
    struct rlp_in in = {c->in.p + c->at, cursor_left(c)};
    if (rlp_at_end(&in)) {
        return false;
    }
    enum err e = rlp_string(&in, batch);
    if (e != OK) {
        cursor_fail(c, e, c->at, "an RLP string that holds a batch");
        return false;
    }
    c->at = (size_t)(in.p - c->in.p);
    return true;
}
