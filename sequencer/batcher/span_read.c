#include "proto/limits.h"
#include "proto/rlp.h"
#include "sequencer/batcher/span.h"

enum { V_PLAIN = 27, V_PROTECTED = 35, SIGNATURE_BYTES = 64, WORD = 32 };

/* ---- the form, once --------------------------------------------------------------------------- */

static uint64_t ones(struct bytes list, uint64_t n)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < n; i++) {
        count += bits_get(list, i) ? 1 : 0;
    }
    return count;
}

static enum err take_prefix(struct span *s, const struct batch_chain *chain, struct cursor *c)
{
    size_t start = c->at;
    TRY(cursor_uvarint(c, "the first block's time (a uvarint)", &s->first_time));
    if (s->first_time > UINT64_MAX - chain->genesis_time) {
        return cursor_fail(c, ERR_MALFORMED, start, "a time of at most 64 bits");
    }
    s->first_time += chain->genesis_time;
    TRY(cursor_uvarint(c, "the last block's L1 origin (a uvarint)", &s->last_epoch));
    TRY(cursor_take(c, SPAN_CHECK_BYTES, "20 bytes of the parent's hash", &s->parent_check));
    return cursor_take(c, SPAN_CHECK_BYTES, "20 bytes of the L1 origin's hash", &s->epoch_check);
}

static enum err take_blocks(struct span *s, struct cursor *c)
{
    size_t start = c->at;
    TRY(cursor_uvarint(c, "the count of blocks (a uvarint)", &s->blocks));
    if (s->blocks == 0 || s->blocks > LIMIT_SPAN_ELEMENTS) {
        return cursor_fail(c, s->blocks == 0 ? ERR_MALFORMED : ERR_TOO_LARGE, start,
                           "1 to 10,000,000 blocks");
    }
    TRY(cursor_bits(c, s->blocks, "a bit for each block: does its epoch start", &s->epoch_starts));
    uint64_t started = ones(s->epoch_starts, s->blocks) - (bits_get(s->epoch_starts, 0) ? 1 : 0);
    if (started > s->last_epoch) {
        return cursor_fail(c, ERR_MALFORMED, start, "no more epochs than the last one's number");
    }
    s->first_epoch = s->last_epoch - started;
    return OK;
}

static enum err take_counts(struct span *s, struct cursor *c)
{
    size_t start = c->at;
    for (uint64_t i = 0; i < s->blocks; i++) {
        uint64_t count;
        TRY(cursor_uvarint(c, "the count of a block's transactions (a uvarint)", &count));
        if (count > LIMIT_SPAN_ELEMENTS || s->txs + count > LIMIT_SPAN_ELEMENTS) {
            return cursor_fail(c, ERR_TOO_LARGE, start, "at most 10,000,000 transactions");
        }
        s->txs += count;
    }
    s->counts = bytes_of(c->in.p + start, c->at - start);
    return OK;
}

/* A type byte and a list, or a bare list. */
static enum err take_data(struct cursor *c, struct bytes *out)
{
    static const char wanted[] = "a transaction's type and the list of its value, fees and data";
    size_t start = c->at;
    struct bytes list;
    if (cursor_left(c) > 0 && c->in.p[c->at] <= TX_TYPE_MAX) {
        c->at++;
    }
    TRY(cursor_rlp(c, wanted, &list));
    if (list.n > LIMIT_SPAN_ELEMENTS) {
        return cursor_fail(c, ERR_TOO_LARGE, start, "at most 10,000,000 bytes of one transaction");
    }
    *out = bytes_of(c->in.p + start, c->at - start);
    return OK;
}

static enum err take_datas(struct span *s, struct cursor *c)
{
    size_t start = c->at;
    for (uint64_t i = 0; i < s->txs; i++) {
        size_t at = c->at;
        struct bytes data;
        struct tx_parts t;
        TRY(take_data(c, &data));
        enum err e = tx_parts_split_data(&t, data);
        if (e != OK) {
            return cursor_fail(c, e, at, "a transaction of type 0, 1, 2 or 4 in canonical RLP");
        }
        if (t.type == TX_SET_CODE && bits_get(s->creates, i)) {
            return cursor_fail(c, ERR_MALFORMED, at, "a receiver of a set-code transaction");
        }
        s->legacy += t.type == TX_LEGACY ? 1 : 0;
    }
    s->datas = bytes_of(c->in.p + start, c->at - start);
    return OK;
}

static enum err take_numbers(uint64_t n, struct cursor *c, const char *wanted, struct bytes *out)
{
    size_t start = c->at;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t v;
        TRY(cursor_uvarint(c, wanted, &v));
    }
    *out = bytes_of(c->in.p + start, c->at - start);
    return OK;
}

static enum err take_txs(struct span *s, struct cursor *c)
{
    TRY(cursor_bits(c, s->txs, "a bit for each transaction: does it create", &s->creates));
    TRY(cursor_bits(c, s->txs, "a bit for each signature's parity", &s->parity));
    TRY(cursor_take(c, (size_t)s->txs * SIGNATURE_BYTES, "r and s of each transaction",
                    &s->signatures));
    uint64_t receivers = s->txs - ones(s->creates, s->txs);
    TRY(cursor_take(c, (size_t)receivers * sizeof(struct address), "the receivers' addresses",
                    &s->receivers));
    TRY(take_datas(s, c));
    TRY(take_numbers(s->txs, c, "a nonce (a uvarint)", &s->nonces));
    TRY(take_numbers(s->txs, c, "a gas limit (a uvarint)", &s->gases));
    return cursor_bits(c, s->legacy, "a bit for each legacy transaction: is it protected",
                       &s->protection);
}

enum err span_open(struct span *s, const struct batch_chain *chain, struct cursor *c)
{
    *s = (struct span){.blocks = 0};
    if (chain->chain_id > (UINT64_MAX - V_PROTECTED - 1) / 2) {
        return cursor_fail(c, ERR_REFUSED, c->at, "a chain id that v of EIP-155 can hold");
    }
    TRY(take_prefix(s, chain, c));
    TRY(take_blocks(s, c));
    TRY(take_counts(s, c));
    return take_txs(s, c);
}

/* ---- block by block ----------------------------------------------------------------------------- */

void span_reader_init(struct span_reader *r, const struct span *s, const struct batch_chain *chain)
{
    *r = (struct span_reader){.span = s, .chain = chain, .epoch = s->first_epoch};
    cursor_init(&r->counts, s->counts);
    cursor_init(&r->signatures, s->signatures);
    cursor_init(&r->receivers, s->receivers);
    cursor_init(&r->datas, s->datas);
    cursor_init(&r->nonces, s->nonces);
    cursor_init(&r->gases, s->gases);
}

static void skip_left(struct span_reader *r)
{
    struct buffer nowhere;
    buffer_init(&nowhere, 0);
    while (r->left > 0) {
        span_reader_tx(r, &nowhere);
    }
}

bool span_reader_block(struct span_reader *r, struct batch_block *out)
{
    const struct span *s = r->span;
    skip_left(r);
    if (r->block == s->blocks || cursor_uvarint(&r->counts, "", &r->left) != OK) {
        return false;
    }
    bool starts = bits_get(s->epoch_starts, r->block);
    r->epoch += starts && r->block > 0 ? 1 : 0;
    *out = (struct batch_block){
        .timestamp = s->first_time + r->block * r->chain->block_time,
        .epoch = r->epoch,
        .epoch_starts = starts,
        .txs = r->left,
    };
    r->block++;
    return true;
}

/* Items that the columns hold as numbers, in RLP again. */
struct items {
    struct rlp_out rlp;
    uint8_t bytes[5 * 9 + sizeof(struct address) + 2 * (WORD + 1)];
};

static struct bytes put_number(struct items *to, uint64_t v)
{
    size_t start = to->rlp.n;
    rlp_put_u64(&to->rlp, v);
    return bytes_of(to->bytes + start, to->rlp.n - start);
}

static struct bytes put_word(struct items *to, const uint8_t *word)
{
    size_t start = to->rlp.n;
    struct u256 v = u256_from_be(word, WORD);
    rlp_put_u256(&to->rlp, &v);
    return bytes_of(to->bytes + start, to->rlp.n - start);
}

static enum err put_receiver(struct span_reader *r, struct items *to, struct bytes *out)
{
    struct bytes address = {NULL, 0};
    size_t start = to->rlp.n;
    if (!bits_get(r->span->creates, r->tx)) {
        TRY(cursor_take(&r->receivers, sizeof(struct address), "", &address));
    }
    rlp_put_string(&to->rlp, address.p, address.n);
    *out = bytes_of(to->bytes + start, to->rlp.n - start);
    return OK;
}

static uint64_t v_of(struct span_reader *r, uint8_t type)
{
    uint64_t odd = bits_get(r->span->parity, r->tx) ? 1 : 0;
    if (type != TX_LEGACY) {
        return odd;
    }
    bool protection = bits_get(r->span->protection, r->legacy);
    return odd + (protection ? V_PROTECTED + 2 * r->chain->chain_id : V_PLAIN);
}

static enum err build(struct span_reader *r, struct items *items, struct tx_parts *t)
{
    struct bytes data;
    struct bytes signature;
    uint64_t nonce;
    uint64_t gas;
    TRY(take_data(&r->datas, &data));
    TRY(tx_parts_split_data(t, data));
    TRY(cursor_take(&r->signatures, SIGNATURE_BYTES, "", &signature));
    TRY(cursor_uvarint(&r->nonces, "", &nonce));
    TRY(cursor_uvarint(&r->gases, "", &gas));
    TRY(put_receiver(r, items, &t->item[PART_TO]));
    if (t->type != TX_LEGACY) {
        t->item[PART_CHAIN] = put_number(items, r->chain->chain_id);
    }
    t->item[PART_NONCE] = put_number(items, nonce);
    t->item[PART_GAS] = put_number(items, gas);
    t->item[PART_V] = put_number(items, v_of(r, t->type));
    t->item[PART_R] = put_word(items, signature.p);
    t->item[PART_S] = put_word(items, signature.p + WORD);
    return rlp_finish(&items->rlp);
}

bool span_reader_tx(struct span_reader *r, struct buffer *out)
{
    struct items items;
    struct tx_parts t;
    items.rlp = (struct rlp_out){.p = items.bytes, .cap = sizeof items.bytes};
    if (r->left == 0 || build(r, &items, &t) != OK) {
        r->left = 0;
        return false;
    }
    tx_parts_join(out, &t);
    r->legacy += t.type == TX_LEGACY ? 1 : 0;
    r->tx++;
    r->left--;
    return true;
}
