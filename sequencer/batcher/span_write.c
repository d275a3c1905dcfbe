#include "proto/limits.h"
#include "proto/rlp.h"
#include "sequencer/batcher/span.h"

enum { SPAN_VERSION = 1, V_PLAIN = 27, V_PROTECTED = 35 };

void span_writer_init(struct span_writer *w, const struct batch_chain *chain, size_t max)
{
    *w = (struct span_writer){.chain = *chain};
    bits_init(&w->epoch_starts, max);
    bits_init(&w->creates, max);
    bits_init(&w->parity, max);
    bits_init(&w->protection, max);
    buffer_init(&w->counts, max);
    buffer_init(&w->signatures, max);
    buffer_init(&w->receivers, max);
    buffer_init(&w->datas, max);
    buffer_init(&w->nonces, max);
    buffer_init(&w->gases, max);
}

void span_writer_free(struct span_writer *w)
{
    bits_free(&w->epoch_starts);
    bits_free(&w->creates);
    bits_free(&w->parity);
    bits_free(&w->protection);
    buffer_free(&w->counts);
    buffer_free(&w->signatures);
    buffer_free(&w->receivers);
    buffer_free(&w->datas);
    buffer_free(&w->nonces);
    buffer_free(&w->gases);
}

/* The first block may stand anywhere; its start bit is not checked against anything. */
static bool follows(const struct span_writer *w, const struct batch_block *b)
{
    if (w->blocks == 0) {
        return b->timestamp >= w->chain.genesis_time;
    }
    bool in_time = w->chain.block_time == 0 ||
                   b->timestamp == w->last.timestamp + w->chain.block_time;
    bool in_epoch = b->epoch == w->last.epoch + (b->epoch_starts ? 1 : 0);
    return in_time && in_epoch;
}

static void end_block(struct span_writer *w)
{
    if (w->blocks > 0) {
        uvarint_put(&w->counts, w->last.txs);
    }
}

enum err span_writer_block(struct span_writer *w, const struct batch_block *b)
{
    if (!follows(w, b)) {
        return ERR_REFUSED;
    }
    if (w->blocks == LIMIT_SPAN_ELEMENTS) {
        return ERR_TOO_LARGE;
    }
    end_block(w);
    w->last = *b;
    w->last.txs = 0;
    if (w->blocks == 0) {
        w->first = w->last;
    }
    w->blocks++;
    bits_put(&w->epoch_starts, b->epoch_starts);
    return OK;
}

static uint64_t number_of(struct bytes item)
{
    struct rlp_in in = {item.p, item.n};
    uint64_t v = 0;
    return rlp_u64(&in, &v) == OK ? v : 0; /* the form was checked by tx_parts */
}

struct sign {
    bool odd;
    bool protection;
};

/* What v says, where a reader will be able to say it again. */
static enum err read_sign(struct sign *out, const struct tx_parts *t, uint64_t chain_id)
{
    uint64_t v = number_of(t->item[PART_V]);
    *out = (struct sign){.protection = true};
    if (t->type != TX_LEGACY) {
        out->odd = v == 1;
        return v > 1                                       ? ERR_MALFORMED
               : number_of(t->item[PART_CHAIN]) != chain_id ? ERR_WRONG_CHAIN
                                                            : OK;
    }
    if (v >= V_PROTECTED) {
        out->odd = (v - V_PROTECTED) % 2 == 1;
        return (v - V_PROTECTED) / 2 == chain_id ? OK : ERR_WRONG_CHAIN;
    }
    *out = (struct sign){.odd = v == V_PLAIN + 1};
    return v == V_PLAIN || v == V_PLAIN + 1 ? OK : ERR_MALFORMED;
}

static void put_word(struct buffer *out, struct bytes item)
{
    struct rlp_in in = {item.p, item.n};
    struct u256 v = {{0}};
    uint8_t word[32];
    if (rlp_u256(&in, &v) == OK) {
        u256_to_be(word, &v);
        buffer_put(out, word, sizeof word);
    }
}

enum err span_writer_tx(struct span_writer *w, struct bytes raw)
{
    struct tx_parts t;
    struct sign sign;
    TRY(tx_parts_split(&t, raw));
    TRY(read_sign(&sign, &t, w->chain.chain_id));
    if (w->blocks == 0 || w->txs == LIMIT_SPAN_ELEMENTS) {
        return ERR_TOO_LARGE;
    }
    bool creates = t.item[PART_TO].n == 1;
    bits_put(&w->creates, creates);
    bits_put(&w->parity, sign.odd);
    if (t.type == TX_LEGACY) {
        bits_put(&w->protection, sign.protection);
    }
    put_word(&w->signatures, t.item[PART_R]);
    put_word(&w->signatures, t.item[PART_S]);
    if (!creates) {
        buffer_put(&w->receivers, t.item[PART_TO].p + 1, sizeof(struct address));
    }
    tx_parts_join_data(&w->datas, &t);
    uvarint_put(&w->nonces, number_of(t.item[PART_NONCE]));
    uvarint_put(&w->gases, number_of(t.item[PART_GAS]));
    w->last.txs++;
    w->txs++;
    return OK;
}

static enum err first_failure(const struct span_writer *w)
{
    const struct buffer *columns[] = {
        &w->epoch_starts.bytes, &w->creates.bytes, &w->parity.bytes, &w->protection.bytes,
        &w->counts,             &w->signatures,    &w->receivers,    &w->datas,
        &w->nonces,             &w->gases};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        TRY(columns[i]->bad);
    }
    return OK;
}

/* The columns whose bytes are of a kind of their own, one behind the other. */
static void put_columns(struct span_writer *w, struct buffer *out, size_t start)
{
    const struct buffer *columns[SPAN_CUTS] = {&w->signatures, &w->receivers, &w->datas,
                                               &w->nonces, &w->gases};
    for (size_t i = 0; i < SPAN_CUTS; i++) {
        w->cut[i] = out->n - start;
        buffer_put_bytes(out, buffer_bytes(columns[i]));
    }
}

enum err span_writer_close(struct span_writer *w, const struct hash *parent,
                           const struct hash *epoch_hash, struct buffer *out)
{
    if (w->blocks == 0) {
        return ERR_REFUSED;
    }
    end_block(w);
    TRY(first_failure(w));
    size_t start = out->n;
    buffer_put_byte(out, SPAN_VERSION);
    uvarint_put(out, w->first.timestamp - w->chain.genesis_time);
    uvarint_put(out, w->last.epoch);
    buffer_put(out, parent->b, SPAN_CHECK_BYTES);
    buffer_put(out, epoch_hash->b, SPAN_CHECK_BYTES);
    uvarint_put(out, w->blocks);
    bits_write(out, &w->epoch_starts);
    buffer_put_bytes(out, buffer_bytes(&w->counts));
    bits_write(out, &w->creates);
    bits_write(out, &w->parity);
    put_columns(w, out, start);
    bits_write(out, &w->protection);
    return out->bad;
}
