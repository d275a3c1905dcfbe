#include "sequencer/batcher/derive_apply.h"

#include <stdlib.h>

#include "sequencer/batcher/blob.h"

enum { MS = 1000 };

enum err derive_apply_init(struct derive_apply *a, const struct derive_setup *setup)
{
    a->setup = setup;
    segment_init(&a->segment);
    buffer_init(&a->raw, 2 * (size_t)LIMIT_BODY_BYTES);
    buffer_init(&a->blob, (size_t)LIMIT_TX_BLOBS * BLOB_BYTES);
    a->tx = calloc(LIMIT_BODY_TXS, sizeof *a->tx);
    return a->tx != NULL ? OK : ERR_NO_MEMORY;
}

void derive_apply_free(struct derive_apply *a)
{
    segment_free(&a->segment);
    buffer_free(&a->raw);
    buffer_free(&a->blob);
    free(a->tx);
}

/* ---- the envelope ------------------------------------------------------------------------------- */

enum derive_verdict derive_read_envelope(struct derive_apply *a, struct bytes envelope)
{
    struct fault fault;
    if (auth_decode(&a->auth, envelope, &fault) != OK) {
        return DERIVE_ENVELOPE;
    }
    return a->auth.chain_id == a->setup->chain.chain_id ? DERIVE_ACCEPTED : DERIVE_CHAIN;
}

enum derive_verdict derive_judge(const struct derive_apply *a, const struct safe_row *safe)
{
    if (a->auth.last <= safe->number) {
        return DERIVE_PAST;
    }
    if (a->auth.first > safe->number + 1) {
        return DERIVE_GAP;
    }
    /* What begins below the safe head is bound to it by the hash of its last block alone. */
    bool stands = a->auth.first <= safe->number || hash_equal(&a->auth.parent, &safe->hash);
    return stands ? DERIVE_ACCEPTED : DERIVE_PARENT;
}

enum derive_verdict derive_prove(const struct derive_apply *a)
{
    bool stays = hash_equal(&a->auth.next_config, &a->setup->config->hash);
    return stays && auth_verify(&a->auth, a->setup->config) == OK ? DERIVE_ACCEPTED
                                                                  : DERIVE_CERTIFICATE;
}

/* ---- blobs -------------------------------------------------------------------------------------- */

static enum err check_blobs(const struct derive_apply *a, const struct derive_tx *tx)
{
    for (uint32_t i = 0; i < tx->blobs; i++) {
        enum err e = a->setup->check_blob(a->setup->ctx, tx->blob[i], &tx->versioned[i]);
        if (e != OK) {
            return e == ERR_MALFORMED ? ERR_CORRUPT : e;
        }
    }
    return OK;
}

enum err derive_take_blobs(struct derive_apply *a, const struct derive_tx *tx,
                           struct bytes part[LIMIT_TX_BLOBS], enum derive_verdict *v)
{
    size_t end[LIMIT_TX_BLOBS];
    struct fault fault;
    *v = DERIVE_BLOB;
    TRY(check_blobs(a, tx));
    buffer_clear(&a->blob);
    /* Room for all at once: the parts borrow. */
    if (buffer_room(&a->blob, (size_t)tx->blobs * BLOB_BYTES) == NULL) {
        return a->blob.bad;
    }
    for (uint32_t i = 0; i < tx->blobs; i++) {
        enum err e = blob_decode(&a->blob, tx->blob[i], &fault);
        if (e != OK) {
            return e == ERR_MALFORMED ? OK : e;
        }
        end[i] = a->blob.n;
    }
    for (uint32_t i = 0; i < tx->blobs; i++) {
        size_t start = i == 0 ? 0 : end[i - 1];
        part[i] = bytes_of(a->blob.p + start, end[i] - start);
    }
    *v = DERIVE_ACCEPTED;
    return OK;
}

/* ---- the payload -------------------------------------------------------------------------------- */

/* Errors: no verdict. */
static enum err open_payload(struct derive_apply *a, const struct bytes *part, size_t parts,
                             enum derive_verdict *v)
{
    struct bytes batch;
    struct fault fault;
    enum err e = segment_open_parts(&a->segment, &a->setup->chain, part, parts, &batch, &fault);
    if (e == OK) {
        e = batch_open(&a->batch, &a->setup->chain, batch, &fault);
    }
    if (e != OK) {
        *v = DERIVE_FRAMES;
        return e == ERR_NO_MEMORY ? e : OK;
    }
    bool named = hash_equal(&a->segment.root, &a->auth.root) &&
                 memcmp(a->segment.id.b, a->auth.channel.b, sizeof a->segment.id.b) == 0 &&
                 a->batch.blocks == a->auth.last - a->auth.first + 1 &&
                 memcmp(a->batch.parent.b, a->auth.parent.b, SPAN_CHECK_BYTES) == 0;
    *v = named ? DERIVE_ACCEPTED : DERIVE_CONTENT;
    return OK;
}

/* ---- blocks ------------------------------------------------------------------------------------- */

struct walk {
    struct derive_content content;
    struct derive_executed done;
    struct bytes times;
    uint64_t ms;
};

/* The block's transactions into `tx`. ERR_INVALID_BLOCK: more than a block holds. */
static enum err take_txs(struct derive_apply *a, uint64_t n)
{
    size_t at = 0;
    size_t k = 0;
    buffer_clear(&a->raw);
    if (n > LIMIT_BODY_TXS) {
        return ERR_INVALID_BLOCK;
    }
    while (k < n && batch_next_tx(&a->batch, &a->raw)) {
        a->tx[k++].n = a->raw.n - at;
        at = a->raw.n;
    }
    if (a->raw.bad != OK) {
        return a->raw.bad == ERR_NO_MEMORY ? ERR_NO_MEMORY : ERR_INVALID_BLOCK;
    }
    at = 0;
    for (size_t i = 0; i < k; i++) {
        a->tx[i].p = a->raw.p + at; /* only now do the bytes stay where they are */
        at += a->tx[i].n;
    }
    return k == n ? OK : ERR_INVALID_BLOCK;
}

static enum err take_time(const struct derive_apply *a, struct walk *w,
                          const struct batch_block *block)
{
    struct auth_time time;
    const struct epoch_config *c = a->setup->config;
    bool stated = w->content.height == a->auth.first || a->setup->chain.block_time != 0;
    if (!auth_next_time(&w->times, &w->ms, &time) || time.leader >= c->n ||
        (stated && block->timestamp != time.ms / MS)) {
        return ERR_INVALID_BLOCK;
    }
    w->content.timestamp_ms = time.ms;
    w->content.leader = time.leader;
    w->content.fee_recipient = c->member[time.leader].address;
    return OK;
}

static enum err run_block(struct derive_apply *a, struct walk *w, const struct batch_block *block)
{
    TRY(take_txs(a, block->txs));
    w->content.parent = w->done.hash;
    w->content.tx = a->tx;
    w->content.txs = (uint32_t)block->txs;
    return a->setup->execute(a->setup->ctx, &w->content, &w->done);
}

/* The end is the block that was certified, so everything before it is what its members executed. */
static bool is_certified(const struct derive_apply *a, const struct walk *w)
{
    const struct header *last = &a->auth.header[a->auth.headers - 1];
    return hash_equal(&w->done.hash, &a->auth.last_hash) &&
           hash_equal(&w->done.state_root, &last->state_root) && w->ms == last->timestamp_ms;
}

static enum err run_blocks(struct derive_apply *a, const struct safe_row *safe)
{
    struct walk w = {.content.height = a->auth.first, .times = a->auth.times,
                     .ms = a->auth.first_ms, .done.hash = safe->hash};
    struct batch_block block;
    while (batch_next_block(&a->batch, &block)) {
        TRY(take_time(a, &w, &block));
        if (w.content.height > safe->number) {
            TRY(run_block(a, &w, &block));
        }
        w.content.height++;
    }
    return is_certified(a, &w) ? OK : ERR_INVALID_BLOCK;
}

enum err derive_run(struct derive_apply *a, const struct safe_row *safe, const struct bytes *part,
                    size_t parts, enum derive_verdict *v, struct safe_row *row)
{
    TRY(open_payload(a, part, parts, v));
    if (*v != DERIVE_ACCEPTED) {
        return OK;
    }
    enum err e = run_blocks(a, safe);
    if (e == ERR_INVALID_BLOCK) {
        *v = DERIVE_BLOCKS;
        return OK;
    }
    row->number = a->auth.last;
    row->hash = a->auth.last_hash;
    return e;
}
