#define _GNU_SOURCE
#include "sequencer/cli/verify_batches.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/limits.h"
#include "proto/tx.h"
#include "sequencer/batcher/auth.h"
#include "sequencer/batcher/layer_file.h"
#include "sequencer/batcher/segment.h"
#include "sequencer/execution/ledger.h"

enum { MS = 1000, FILE_ROOM = 1 << 26, FIRST_BLOCK = 1 };

struct replay {
    struct ledger *ledger;
    const struct epoch_config *config;
    struct batch_chain chain;
    struct data_layer layer;
    struct layer_file *files;
    struct batches_seen *seen;
    struct payload_info head;
    /* of the segment that is being read */
    struct batch_auth auth;
    struct buffer payload;
    struct buffer envelope;
    struct segment segment;
    struct batch batch;
    /* of the block */
    struct buffer txs;
    struct execution_tx *tx;
    char *why;
    size_t why_len;
};

static enum err say(struct replay *r, enum err e, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum err say(struct replay *r, enum err e, const char *format, ...)
{
    va_list args;
    int n = snprintf(r->why, r->why_len, "segment %012" PRIu64 ": ", r->auth.first);
    va_start(args, format);
    vsnprintf(r->why + n, r->why_len - (size_t)n, format, args);
    va_end(args);
    return e;
}

/* ---- blocks ------------------------------------------------------------------------------------------ */

/* The transactions of the next block into `tx`, senders recovered. */
static enum err take_txs(struct replay *r, uint64_t height, uint64_t n)
{
    size_t end[LIMIT_BODY_TXS];
    if (n > LIMIT_BODY_TXS) {
        return say(r, ERR_CORRUPT, "block %" PRIu64 ": more transactions than a block holds",
                   height);
    }
    buffer_clear(&r->txs);
    for (uint64_t i = 0; i < n && batch_next_tx(&r->batch, &r->txs); i++) {
        end[i] = r->txs.n;
    }
    TRY(r->txs.bad);
    for (uint64_t i = 0; i < n; i++) {
        size_t start = i == 0 ? 0 : end[i - 1];
        struct tx tx;
        r->tx[i].raw = bytes_of(r->txs.p + start, end[i] - start);
        if (tx_decode(&tx, r->tx[i].raw) != TX_OK || tx_sender(&r->tx[i].sender, &tx) != TX_OK) {
            return say(r, ERR_CORRUPT, "block %" PRIu64 ", transaction %" PRIu64
                       ": it has no sender", height, i);
        }
    }
    return OK;
}

/* Runs the block on the head; what the ledger would leave out cannot have been in it. */
static enum err run_block(struct replay *r, uint64_t height, const struct auth_time *time,
                          uint64_t txs)
{
    struct execution_result result;
    const struct execution_block b = {
        .parent = r->head.hash,
        .height = height,
        .timestamp_ms = time->ms,
        .fee_recipient = r->config->member[time->leader].address,
        .tx = r->tx,
        .txs = (uint32_t)txs,
    };
    ledger_build(r->ledger, &b, &result);
    if (result.status != EXECUTION_VALID) {
        return say(r, ERR_CORRUPT, "block %" PRIu64 ": %s", height,
                   result.why != NULL ? result.why : "it cannot be executed");
    }
    if (result.txs != txs) {
        return say(r, ERR_CORRUPT,
                   "block %" PRIu64 ": only %u of its %" PRIu64 " transactions can be executed",
                   height, result.txs, txs);
    }
    if (payload_info_decode(&r->head, bytes_of(result.info, result.info_len)) != OK ||
        ledger_finalize(r->ledger, &r->head.hash, NULL, NULL) != OK) {
        return say(r, ERR_INVARIANT, "block %" PRIu64 ": the ledger lost it", height);
    }
    r->seen->blocks++;
    r->seen->txs += txs;
    r->seen->head = height;
    r->seen->payload = r->head.hash;
    return OK;
}

static enum err take_time(struct replay *r, uint64_t height, const struct batch_block *block,
                          struct bytes *times, uint64_t *ms, struct auth_time *out)
{
    bool stated = height == r->auth.first || r->chain.block_time != 0;
    if (!auth_next_time(times, ms, out) || out->leader >= r->config->n ||
        (stated && block->timestamp != out->ms / MS)) {
        return say(r, ERR_CORRUPT,
                   "block %" PRIu64 ": the envelope's time or leader is not the batch's", height);
    }
    return OK;
}

static enum err run_blocks(struct replay *r)
{
    struct bytes times = r->auth.times;
    uint64_t ms = r->auth.first_ms;
    uint64_t height = r->auth.first;
    struct batch_block block;
    struct auth_time time = {0};
    while (batch_next_block(&r->batch, &block)) {
        TRY(take_time(r, height, &block, &times, &ms, &time));
        TRY(take_txs(r, height, block.txs));
        TRY(run_block(r, height, &time, block.txs));
        height++;
    }
    const struct header *last = &r->auth.header[r->auth.headers - 1];
    if (!hash_equal(&r->head.hash, &r->auth.last_hash) ||
        !hash_equal(&r->head.state_root, &last->state_root)) {
        return say(r, ERR_CORRUPT, "block %" PRIu64 ": its hash is not the certified one",
                   r->auth.last);
    }
    return ms == last->timestamp_ms
               ? OK
               : say(r, ERR_CORRUPT, "the envelope's times do not lead to the certified block's");
}

/* ---- segments ------------------------------------------------------------------------------------------ */

static enum err check_envelope(struct replay *r)
{
    struct fault fault;
    if (auth_decode(&r->auth, buffer_bytes(&r->envelope), &fault) != OK) {
        return say(r, ERR_CORRUPT, ".auth, byte %zu: expected %s", fault.at, fault.wanted);
    }
    if (r->auth.segment != r->seen->segments) {
        return say(r, ERR_CORRUPT, "it calls itself number %" PRIu64 ", and is number %" PRIu64,
                   r->auth.segment, r->seen->segments);
    }
    if (!hash_equal(&r->auth.parent, &r->head.hash)) {
        return say(r, ERR_CORRUPT, "its parent is not block %" PRIu64 " of this chain",
                   r->head.number);
    }
    enum err e = auth_verify(&r->auth, r->config);
    if (e == OK && !hash_equal(&r->auth.next_config, &r->config->hash)) {
        e = ERR_WRONG_CHAIN;
    }
    return e == OK ? OK : say(r, e, "its certificate: %s", err_text(e));
}

static enum err check_payload(struct replay *r)
{
    struct bytes batch;
    struct fault fault;
    enum err e = segment_open(&r->segment, &r->chain, buffer_bytes(&r->payload), &batch, &fault);
    if (e != OK) {
        return say(r, ERR_CORRUPT, ".seg, byte %zu: expected %s", fault.at,
                   fault.wanted != NULL ? fault.wanted : err_text(e));
    }
    if (!hash_equal(&r->segment.root, &r->auth.root) ||
        memcmp(r->segment.id.b, r->auth.channel.b, sizeof r->segment.id.b) != 0) {
        return say(r, ERR_CORRUPT, "its content is not what the envelope names");
    }
    TRY(batch_open(&r->batch, &r->chain, batch, &fault));
    if (r->batch.blocks != r->auth.last - r->auth.first + 1 ||
        memcmp(r->batch.parent.b, r->head.hash.b, SPAN_CHECK_BYTES) != 0) {
        return say(r, ERR_CORRUPT, "its batch holds other blocks than the envelope names");
    }
    return OK;
}

static enum err run_segment(struct replay *r)
{
    buffer_clear(&r->payload);
    buffer_clear(&r->envelope);
    r->auth.first = r->head.number + 1;
    TRY(r->layer.read(r->layer.ctx, r->head.number + 1, &r->payload, &r->envelope, r->why,
                      r->why_len));
    TRY(check_envelope(r));
    TRY(check_payload(r));
    TRY(run_blocks(r));
    r->seen->segments++;
    return OK;
}

/* ---- all of it -------------------------------------------------------------------------------------------- */

static enum err replay_open(struct replay *r, const char *dir, struct genesis *g)
{
    r->chain = batch_chain_of(g);
    segment_init(&r->segment);
    buffer_init(&r->payload, FILE_ROOM);
    buffer_init(&r->envelope, FILE_ROOM);
    buffer_init(&r->txs, 2 * (size_t)LIMIT_BODY_BYTES);
    r->tx = calloc(LIMIT_BODY_TXS, sizeof *r->tx);
    if (r->tx == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(layer_file_open(&r->files, dir, g->chain_id, FIRST_BLOCK, false, r->why, r->why_len));
    r->layer = layer_file_layer(r->files);
    if (g->execution != EXECUTION_LEDGER) {
        snprintf(r->why, r->why_len, "the blocks of this chain are executed by execution clients; "
                                     "only chains of the built-in ledger are rebuilt");
        return ERR_REFUSED;
    }
    TRY(ledger_create(&r->ledger, g));
    ledger_head(r->ledger, &r->head);
    r->seen->head = r->head.number;
    r->seen->payload = r->head.hash;
    return OK;
}

static void replay_close(struct replay *r)
{
    if (r->files != NULL) {
        layer_file_close(r->files);
    }
    if (r->ledger != NULL) {
        ledger_destroy(r->ledger);
    }
    segment_free(&r->segment);
    buffer_free(&r->payload);
    buffer_free(&r->envelope);
    buffer_free(&r->txs);
    free(r->tx);
}

enum err verify_batches(struct batches_seen *out, const char *dir, struct genesis *g,
                        const struct epoch_config *c,
                        void (*progress)(void *arg, const struct batches_seen *seen), void *arg,
                        char *why, size_t why_len)
{
    struct replay *r = calloc(1, sizeof *r);
    *out = (struct batches_seen){.segments = 0};
    if (r == NULL) {
        return ERR_NO_MEMORY;
    }
    r->config = c;
    r->seen = out;
    r->why = why;
    r->why_len = why_len;
    enum err e = replay_open(r, dir, g);
    while (e == OK && out->head < r->layer.end(r->layer.ctx)) {
        e = run_segment(r);
        if (e == OK && progress != NULL) {
            progress(arg, out);
        }
    }
    replay_close(r);
    free(r);
    return e;
}
