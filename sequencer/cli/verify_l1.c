#define _GNU_SOURCE
#include "sequencer/cli/verify_l1.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "proto/limits.h"
#include "proto/tx.h"
#include "sequencer/batcher/derive_memo.h"
#include "sequencer/batcher/kzg.h"
#include "sequencer/batcher/segment.h"
#include "sequencer/cli/doc.h"
#include "sequencer/cli/rpc_client.h"
#include "sequencer/execution/ledger.h"
#include "sequencer/l1/l1_client.h"
#include "sequencer/node/l1_link.h"
#include "sequencer/node/l1_read.h"

enum { BEAT_MS = 500, STILL_BEATS = 120, RPC_MS = 10000, POLL_MS = 500, START = 96 };

struct rebuild {
    const struct verify_l1_source *source;
    struct batches_seen *seen;
    void (*progress)(void *arg, const struct batches_seen *seen);
    void *arg;
    struct ledger *ledger;
    struct derive_memo *memo;
    struct execution_tx *tx;
    struct kzg *kzg;
    uint64_t blocks, txs; /* executed and not yet kept */
    uv_loop_t loop;
    uv_timer_t beat;
    struct l1_client *client;
    struct l1 l1;
    struct l1_read *read;
    uint64_t at; /* L1 block at the last beat, */
    unsigned still; /* and for how many */
    bool done;
    enum err err;
};

/* ---- what derivation asks -------------------------------------------------------------------- */

/* Only the ledger's own failure is no verdict. */
static enum err run_block(void *ctx, const struct derive_content *b, struct derive_executed *out)
{
    struct rebuild *r = ctx;
    struct execution_result result;
    struct payload_info info;
    const struct execution_block block = {.parent = b->parent, .height = b->height,
                                          .timestamp_ms = b->timestamp_ms,
                                          .fee_recipient = b->fee_recipient, .tx = r->tx,
                                          .txs = b->txs};
    for (uint32_t i = 0; i < b->txs; i++) {
        struct tx t;
        r->tx[i].raw = b->tx[i];
        if (tx_decode(&t, b->tx[i]) != TX_OK || tx_sender(&r->tx[i].sender, &t) != TX_OK) {
            return ERR_INVALID_BLOCK;
        }
    }
    ledger_build(r->ledger, &block, &result);
    if (result.status != EXECUTION_VALID || result.txs != b->txs) {
        return result.status == EXECUTION_VALID ? ERR_INVALID_BLOCK : ERR_NO_MEMORY;
    }
    TRY(payload_info_decode(&info, bytes_of(result.info, result.info_len)));
    *out = (struct derive_executed){info.hash, info.state_root};
    r->blocks++;
    r->txs += b->txs;
    return OK;
}

static void run_keep(void *ctx, uint64_t height, const struct hash *hash)
{
    struct rebuild *r = ctx;
    if (ledger_finalize(r->ledger, hash, NULL, NULL) != OK) {
        r->err = ERR_INVARIANT;
    }
    r->seen->head = height;
    r->seen->payload = *hash;
}

static void run_drop(void *ctx)
{
    struct rebuild *r = ctx;
    r->blocks = r->txs = 0;
}

static enum err execute(void *ctx, const struct derive_content *b, struct derive_executed *out)
{
    const struct rebuild *r = ctx;
    return derive_memo_execute(r->memo, b, out);
}

static void keep(void *ctx, const struct safe_row *safe)
{
    struct rebuild *r = ctx;
    (void)safe;
    derive_memo_keep(r->memo);
    r->seen->segments++;
    r->seen->blocks += r->blocks;
    r->seen->txs += r->txs;
    r->blocks = r->txs = 0;
    if (r->progress != NULL) {
        r->progress(r->arg, r->seen);
    }
}

static void drop(void *ctx)
{
    const struct rebuild *r = ctx;
    derive_memo_drop(r->memo);
}

static enum err check_blob(void *ctx, const uint8_t blob[BLOB_BYTES], const struct hash *versioned)
{
    struct rebuild *r = ctx;
    if (r->kzg == NULL) {
        TRY(kzg_load(&r->kzg));
    }
    return kzg_check_blob(r->kzg, blob, versioned);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void finish(struct rebuild *r, enum err e)
{
    r->err = r->err == OK ? e : r->err;
    if (!r->done) {
        r->done = true;
        uv_stop(&r->loop);
    }
}

static void moved(void *arg)
{
    struct rebuild *r = arg;
    struct l1_view v;
    r->l1.ops->view(r->l1.ctx, &v);
    if (v.known && l1_read_is_at(r->read, &v.head.at)) {
        finish(r, OK);
    }
}

static void on_beat(uv_timer_t *timer)
{
    struct rebuild *r = timer->data;
    struct derive_heads heads;
    l1_read_heads(r->read, 0, &heads);
    r->still = heads.l1.number == r->at ? r->still + 1 : 0;
    r->at = heads.l1.number;
    if (r->still > STILL_BEATS || r->err != OK) {
        finish(r, ERR_UNREACHABLE);
        return;
    }
    struct l1_view v;
    r->l1.ops->view(r->l1.ctx, &v);
    if (v.known) {
        l1_read_pump(r->read);
    }
}

/* ---- start ----------------------------------------------------------------------------------- */

static enum err ask(const struct rebuild *r, struct json_object **out, const char *method,
                    struct json_object *params, char *why, size_t why_len)
{
    const struct rpc_target t = {r->source->rpc, NULL, RPC_MS};
    enum err e = rpc_client_call(out, &t, method, params, why, why_len);
    json_object_put(params);
    return e;
}

static enum err read_chain(const struct rebuild *r, uint64_t *out, char *why, size_t why_len)
{
    struct json_object *o = NULL;
    TRY(ask(r, &o, "eth_chainId", NULL, why, why_len));
    *out = o == NULL ? 0 : strtoull(json_object_get_string(o), NULL, 16);
    json_object_put(o);
    return *out != 0 ? OK : ERR_MALFORMED;
}

static enum err read_block(const struct rebuild *r, const char *number, struct json_object **out,
                           char *why, size_t why_len)
{
    struct json_object *params = json_object_new_array();
    json_object_array_add(params, json_object_new_string(number));
    json_object_array_add(params, json_object_new_boolean(0));
    return ask(r, out, "eth_getBlockByNumber", params, why, why_len);
}

/* The L1's own first block; an anvil that was started again has made that one anew, beside the chain
 * that it had kept. */
static enum err read_first(const struct rebuild *r, char start[START], char *why, size_t why_len)
{
    struct json_object *zero = NULL;
    struct json_object *one = NULL;
    if (r->source->start != NULL) {
        snprintf(start, START, "%s", r->source->start);
        return OK;
    }
    TRY(read_block(r, "0x0", &zero, why, why_len));
    enum err e = read_block(r, "0x1", &one, why, why_len);
    const char *hash = doc_text(zero, "hash", "");
    bool linked = strcmp(doc_text(one, "parentHash", hash), hash) == 0;
    snprintf(start, START, "%d:%.66s", linked ? 0 : 1, linked ? hash : doc_text(one, "hash", ""));
    json_object_put(zero);
    json_object_put(one);
    return e;
}

static bool is_blob(void *arg, const uint8_t *blob, const struct hash *versioned)
{
    return check_blob(arg, blob, versioned) == OK;
}

static void say(void *arg, bool bad, const char *endpoint, const char *what)
{
    (void)arg;
    fprintf(stderr, "%s: %s%s\n", endpoint, bad ? "" : "over: ", what);
}

static enum err open_client(struct rebuild *r, char *why, size_t why_len)
{
    const char *rpc[] = {r->source->rpc};
    const char *beacon[] = {r->source->beacon != NULL ? r->source->beacon : r->source->rpc};
    struct l1_options o = {.rpc = rpc, .rpc_n = 1, .beacon = beacon, .beacon_n = 1,
                           .poll_ms = POLL_MS, .blob_check = is_blob, .say = say, .arg = r};
    TRY(read_chain(r, &o.chain_id, why, why_len));
    TRY(l1_client_open(&r->client, &r->loop, &o));
    r->l1 = l1_client_access(r->client);
    r->beat.data = r;
    uv_timer_init(&r->loop, &r->beat);
    uv_timer_start(&r->beat, on_beat, BEAT_MS, BEAT_MS);
    return OK;
}

static enum err open_read(struct rebuild *r, const struct genesis *g, const struct epoch_config *c,
                          char *why, size_t why_len)
{
    char start[START];
    struct derive_ref first;
    struct l1_read_setup s = {.l1 = r->l1, .moved = moved, .arg = r};
    TRY(read_first(r, start, why, why_len));
    TRY(l1_read_start(start, &first, why, why_len));
    s.derive = (struct derive_setup){
        .chain = batch_chain_of(g), .config = c, .inbox = l1_inbox(c), .auth = l1_auth(c),
        .start = {0, r->seen->payload, first, 0}, .ctx = r, .execute = execute, .keep = keep,
        .drop = drop, .check_blob = check_blob};
    return l1_read_open(&r->read, &s, why, why_len);
}

static enum err open_ledger(struct rebuild *r, struct genesis *g)
{
    struct payload_info head;
    const struct derive_forward forward = {r, run_block, run_keep, run_drop};
    r->tx = calloc(LIMIT_BODY_TXS, sizeof *r->tx);
    if (r->tx == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(ledger_create(&r->ledger, g));
    ledger_head(r->ledger, &head);
    r->seen->head = head.number;
    r->seen->payload = head.hash;
    return derive_memo_open(&r->memo, 0, &forward);
}

static void closed(void *arg)
{
    (void)arg;
}

static void close_all(struct rebuild *r)
{
    if (r->client != NULL) {
        uv_close((uv_handle_t *)&r->beat, NULL);
        l1_client_close(r->client, closed, r);
        uv_run(&r->loop, UV_RUN_DEFAULT);
    }
    uv_loop_close(&r->loop);
    l1_read_close(r->read);
    if (r->memo != NULL) {
        derive_memo_close(r->memo);
    }
    if (r->ledger != NULL) {
        ledger_destroy(r->ledger);
    }
    if (r->kzg != NULL) {
        kzg_free(r->kzg);
    }
    free(r->tx);
}

static enum err read_all(struct rebuild *r, char *why, size_t why_len)
{
    uv_run(&r->loop, UV_RUN_DEFAULT);
    if (r->err == ERR_UNREACHABLE) {
        snprintf(why, why_len, "%s: no answer that leads on from L1 block %" PRIu64,
                 r->source->rpc, r->at);
    }
    if (r->err == OK && r->seen->segments == 0) {
        snprintf(why, why_len, "%s: nothing of this chain was posted there", r->source->rpc);
        return ERR_NOT_FOUND;
    }
    return r->err;
}

enum err verify_l1(struct batches_seen *out, const struct verify_l1_source *source,
                   struct genesis *g, const struct epoch_config *c,
                   void (*progress)(void *arg, const struct batches_seen *seen), void *arg,
                   char *why, size_t why_len)
{
    struct rebuild *r = calloc(1, sizeof *r);
    *out = (struct batches_seen){.segments = 0};
    if (r == NULL || uv_loop_init(&r->loop) != 0) {
        free(r);
        return ERR_NO_MEMORY;
    }
    r->source = source;
    r->seen = out;
    r->progress = progress;
    r->arg = arg;
    enum err e = open_ledger(r, g);
    e = e == OK ? open_client(r, why, why_len) : e;
    e = e == OK ? open_read(r, g, c, why, why_len) : e;
    e = e == OK ? read_all(r, why, why_len) : e;
    close_all(r);
    free(r);
    return e;
}
