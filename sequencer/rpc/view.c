#define _GNU_SOURCE
#include "sequencer/rpc/view.h"

#include <stdlib.h>

#include "proto/body.h"
#include "proto/keccak.h"
#include "proto/limits.h"
#include "sequencer/rpc/render.h"

/* What one loop iteration may spend on an answer: decoding costs about 3 us a transaction,
 * recovery 42, rendering 2. */
enum { INLINE_TXS = 256, INLINE_RECOVERIES = 16 };

/* ---- jobs ----------------------------------------------------------------------------------- */

struct job {
    uv_work_t work;
    struct view_job job;
    struct rpc *rpc; /* stays while the job runs: counted as a handle */
    struct text out;
};

static void job_run(uv_work_t *work)
{
    struct job *j = work->data;
    j->job.run(j->job.state, &j->out);
}

static void job_answer(struct job *j, int status)
{
    struct call *c = j->job.call;
    if (call_gone(c)) {
        return;
    }
    if (status != 0 || j->out.failed) {
        call_error(c, CODE_INTERNAL, "%s", err_text(ERR_NO_MEMORY));
        return;
    }
    text_put(call_result(c), j->out.p, j->out.n);
    call_done(c);
}

static void job_done(uv_work_t *work, int status)
{
    struct job *j = work->data;
    struct rpc *r = j->rpc;
    if (j->job.finish != NULL && status == 0) {
        j->job.finish(j->job.state, r);
    }
    j->job.free_state(j->job.state);
    r->job_bytes -= j->job.bytes;
    job_answer(j, status);
    text_free(&j->out);
    free(j);
    server_handle_closed(r);
}

bool view_queue(const struct view_job *job)
{
    struct rpc *r = call_rpc(job->call);
    struct job *j = calloc(1, sizeof *j);
    bool fits = r->job_bytes + job->bytes <= LIMIT_RPC_JOB_BYTES;
    if (j == NULL || !fits) {
        free(j);
        job->free_state(job->state);
        if (!fits) {
            server_limit_hit(r, "RPC_JOB_BYTES");
        }
        call_error(job->call, CODE_BUSY, "too many large answers are being made, try again later");
        return false;
    }
    j->job = *job;
    j->work.data = j;
    j->rpc = r;
    r->handles++;
    r->job_bytes += job->bytes;
    call_heavy(job->call);
    if (uv_queue_work(r->loop, &j->work, job_run, job_done) != 0) {
        job_done(&j->work, UV_ENOMEM);
        return false;
    }
    return true;
}

/* ---- rendering of a block ------------------------------------------------------------------- */

struct view {
    struct rpc_block block;
    enum view_kind kind;
    uint32_t index;
    struct bytes *raw; /* the transactions */
    uint8_t *body;     /* copies, where on a worker */
    struct address *sender;
    struct hash *hash;
    const uint64_t *gas_upto; /* lent from the cache, or the next */
    uint64_t *gas_made;
};

static bool view_split(struct view *v)
{
    const struct rpc_block *b = &v->block;
    uint32_t n = 0;
    v->raw = calloc((size_t)b->txs + 1, sizeof *v->raw);
    if (v->raw != NULL && b->txs == 0) {
        return true; /* whatever bytes stand for an empty body */
    }
    if (v->raw == NULL || body_count(b->body, &n) != OK || n != b->txs) {
        return false;
    }
    body_split(b->body, v->raw, n);
    return true;
}

static void view_tx(struct view *v, struct text *t, uint32_t i, bool receipt, uint64_t gas_upto)
{
    struct tx tx;
    struct address from = {0};
    if (tx_decode(&tx, v->raw[i]) != TX_OK) {
        TEXT_LITERAL(t, "null");
        return;
    }
    if (v->block.sender != NULL) {
        from = v->block.sender[i];
    } else if (tx_sender(&from, &tx) != TX_OK) {
        from = (struct address){0};
    }
    if (receipt) {
        render_receipt(t, &tx, &from, &v->block, i, gas_upto);
    } else {
        render_tx(t, &tx, &from, &v->block, i);
    }
}

static uint64_t gas_of(struct bytes raw)
{
    struct tx tx;
    return tx_decode(&tx, raw) == TX_OK ? tx_intrinsic_gas(&tx) : 0;
}

/* Walks the block once; its other receipts, asked for next, then cost nothing. */
static void view_sum_gas(struct view *v)
{
    uint64_t gas = 0;
    v->gas_made = calloc(v->block.txs, sizeof *v->gas_made);
    for (uint32_t i = 0; v->gas_made != NULL && i < v->block.txs; i++) {
        gas += gas_of(v->raw[i]);
        v->gas_made[i] = gas;
    }
    v->gas_upto = v->gas_made;
}

static void view_receipt(struct view *v, struct text *t)
{
    if (v->gas_upto == NULL) {
        view_sum_gas(v);
    }
    if (v->gas_upto == NULL) {
        t->failed = true;
        return;
    }
    view_tx(v, t, v->index, true, v->gas_upto[v->index]);
}

static void view_receipts(struct view *v, struct text *t)
{
    uint64_t gas = 0;
    TEXT_LITERAL(t, "[");
    for (uint32_t i = 0; i < v->block.txs; i++) {
        gas += gas_of(v->raw[i]);
        text_item(t);
        view_tx(v, t, i, true, gas);
    }
    TEXT_LITERAL(t, "]");
}

static void view_block(struct view *v, struct text *t)
{
    const struct rpc_block *b = &v->block;
    render_header(t, b);
    text_key(t, "transactions");
    TEXT_LITERAL(t, "[");
    for (uint32_t i = 0; i < b->txs; i++) {
        text_item(t);
        if (v->kind == VIEW_BLOCK_FULL) {
            view_tx(v, t, i, false, 0);
            continue;
        }
        struct hash h = b->tx_hash != NULL ? b->tx_hash[i] : keccak256(v->raw[i].p, v->raw[i].n);
        text_hash(t, &h);
    }
    TEXT_LITERAL(t, "],\"uncles\":[],\"withdrawals\":[]}");
}

static void view_render(void *state, struct text *t)
{
    struct view *v = state;
    if (!view_split(v)) {
        t->failed = true;
        return;
    }
    switch (v->kind) {
    case VIEW_BLOCK:
    case VIEW_BLOCK_FULL:
        view_block(v, t);
        break;
    case VIEW_TX:
        view_tx(v, t, v->index, false, 0);
        break;
    case VIEW_RAW_TX:
        text_hex(t, v->raw[v->index].p, v->raw[v->index].n);
        break;
    case VIEW_RECEIPT:
        view_receipt(v, t);
        break;
    case VIEW_RECEIPTS:
        view_receipts(v, t);
        break;
    }
}

static void view_free(void *state)
{
    struct view *v = state;
    free(v->raw);
    free(v->body);
    free(v->sender);
    free(v->hash);
    free(v->gas_made);
    free(v);
}

/* ---- gas sums -------------------------------------------------------------------------------- */

static const uint64_t *gas_find(const struct rpc *r, const struct rpc_block *b)
{
    for (int i = 0; i < GAS_INDEXES; i++) {
        if (r->gas[i].upto != NULL && hash_equal(&r->gas[i].block, &b->hash)) {
            return r->gas[i].n == b->txs ? r->gas[i].upto : NULL;
        }
    }
    return NULL;
}

/* Moves the sums that a view made into the cache. */
static void gas_keep(void *state, struct rpc *r)
{
    struct view *v = state;
    if (v->gas_made == NULL) {
        return;
    }
    struct gas_index *g = &r->gas[r->gas_next++ % GAS_INDEXES];
    free(g->upto);
    *g = (struct gas_index){v->block.hash, v->block.txs, v->gas_made};
    v->gas_made = NULL;
}

/* ---- where the work is done ------------------------------------------------------------------ */

static bool is_small(const struct rpc *r, const struct rpc_block *b, enum view_kind kind)
{
    switch (kind) {
    case VIEW_BLOCK:
        return b->tx_hash != NULL ? b->txs <= 8 * INLINE_TXS : b->txs <= INLINE_TXS;
    case VIEW_BLOCK_FULL:
    case VIEW_RECEIPTS:
        return b->body.n <= READ_BYTES &&
               b->txs <= (b->sender != NULL ? INLINE_TXS : INLINE_RECOVERIES);
    case VIEW_RECEIPT:
        return b->txs <= 4 * INLINE_TXS || gas_find(r, b) != NULL;
    case VIEW_TX:
    case VIEW_RAW_TX:
        return true;
    }
    return true;
}

static void *copy_of(const void *p, size_t n)
{
    void *out = malloc(n + 1);
    if (out != NULL && n > 0) {
        memcpy(out, p, n);
    }
    return out;
}

/* What the block lends, copied for the worker. */
static bool view_own(struct view *v)
{
    struct rpc_block *b = &v->block;
    v->body = copy_of(b->body.p, b->body.n);
    if (b->sender != NULL) {
        v->sender = copy_of(b->sender, b->txs * sizeof *b->sender);
        b->sender = v->sender;
    }
    if (b->tx_hash != NULL) {
        v->hash = copy_of(b->tx_hash, b->txs * sizeof *b->tx_hash);
        b->tx_hash = v->hash;
    }
    b->body = bytes_of(v->body, b->body.n);
    return v->body != NULL;
}

static void answer_now(struct call *c, const struct rpc_block *b, enum view_kind kind,
                       uint32_t index)
{
    struct view v = {.block = *b, .kind = kind, .index = index};
    struct text t = {0};
    if (kind == VIEW_RECEIPT) {
        v.gas_upto = gas_find(call_rpc(c), b);
    }
    view_render(&v, &t);
    gas_keep(&v, call_rpc(c));
    free(v.raw);
    if (t.failed) {
        call_error(c, CODE_INTERNAL, "%s", err_text(ERR_CORRUPT));
    } else {
        text_put(call_result(c), t.p, t.n);
        call_done(c);
    }
    text_free(&t);
}

void view_answer(struct call *c, const struct rpc_block *b, enum view_kind kind, uint32_t index)
{
    if (is_small(call_rpc(c), b, kind)) {
        answer_now(c, b, kind, index);
        return;
    }
    struct view *v = calloc(1, sizeof *v);
    if (v != NULL) {
        v->block = *b;
        v->kind = kind;
        v->index = index;
    }
    if (v == NULL || !view_own(v)) {
        if (v != NULL) {
            view_free(v);
        }
        call_error(c, CODE_INTERNAL, "%s", err_text(ERR_NO_MEMORY));
        return;
    }
    struct view_job job = {c, b->body.n + b->txs * 52u, v, view_render, gas_keep, view_free};
    (void)view_queue(&job);
}
