/* Calls of the node: their own checks, the queue, one request at a time. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "proto/body.h"
#include "proto/trie.h"
#include "sequencer/engine/engine_parts.h"
#include "sequencer/execution/payload.h"

static const char *const not_there[] = {
    [ENGINE_GREETING] = "the client has not answered yet",
    [ENGINE_READY] = "",
    [ENGINE_LOST] = "the client is lost",
    [ENGINE_REFUSED] = "the client is of another chain",
    [ENGINE_TURNED_AWAY] = "the client refuses the token",
    [ENGINE_CLOSED] = "closing",
};

static void refuse(execution_cb cb, void *arg, enum execution_status status, const char *why)
{
    const struct execution_result r = {.status = status, .why = why};
    cb(arg, &r);
}

/* NULL: refused, and `why` says so. */
static struct engine_call *new_call(struct engine *e, enum engine_call_kind kind, size_t bytes,
                                    void *arg, const char **why)
{
    if (e->state != ENGINE_READY) {
        *why = not_there[e->state];
        return NULL;
    }
    if (e->calls_n == LIMIT_ENGINE_CALLS || bytes > LIMIT_ENGINE_BYTES - e->calls_bytes) {
        *why = "too much waits for the client already";
        return NULL;
    }
    struct engine_call *c = calloc(1, sizeof *c);
    uint8_t *body = malloc(bytes + 1);
    if (c == NULL || body == NULL) {
        *why = "out of memory";
        free(c);
        free(body);
        return NULL;
    }
    *c = (struct engine_call){.e = e, .kind = kind, .arg = arg, .body = body, .body_n = bytes};
    c->started_us = uv_hrtime() / 1000;
    return c;
}

static void drop_call(struct engine_call *c)
{
    free(c->body);
    free(c);
}

static void queue(struct engine_call *c)
{
    struct engine *e = c->e;
    DL_APPEND(e->calls, c);
    e->calls_n++;
    e->calls_bytes += c->body_n;
    engine_calls_pump(e);
}

/* The parent is known, or may be: the client's own chain reaches to its height. Else nothing is sent,
 * lest the client goes looking for it at peers that it does not have. */
static bool parent_may_be(struct engine_call *c, enum engine_call_step then, char why[ENGINE_WHY])
{
    struct engine *e = c->e;
    if (engine_known_find(&e->known, &c->p.parent) != NULL) {
        c->step = then;
        return true;
    }
    c->step = STEP_PARENT;
    if (c->p.number <= e->head_number + 1) {
        return true;
    }
    snprintf(why, ENGINE_WHY,
             "the client does not hold the parent of %" PRIu64 ": it wants the blocks from %" PRIu64,
             c->p.number, e->known.best.number + 1);
    return false;
}

/* ---- build -------------------------------------------------------------------------------------- */

static void copy_candidates(struct engine_call *c, const struct bytes *raw, uint32_t n)
{
    body_write(c->body, raw, n);
    c->p.txs = bytes_of(c->body, c->body_n);
    c->p.tx_n = n;
}

/* In given order: the candidates as a body, which is what their attributes are written from. */
static struct engine_call *new_build(struct engine *e, const struct execution_block *b, void *arg,
                                     const char **why)
{
    if (e->o.order != ENGINE_ORDER_GIVEN) {
        return new_call(e, CALL_BUILD, 0, arg, why);
    }
    struct bytes *raw = calloc((size_t)b->txs + 1, sizeof *raw);
    if (raw == NULL) {
        *why = "out of memory";
        return NULL;
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->txs; i++) {
        raw[n] = b->tx[i].raw;
        n += engine_tx_allowed(raw[n]) ? 1 : 0;
    }
    struct engine_call *c = new_call(e, CALL_BUILD, body_size(raw, n), arg, why);
    if (c != NULL) {
        copy_candidates(c, raw, n);
    }
    free(raw);
    return c;
}

void engine_call_build(struct engine *e, const struct execution_block *b, execution_cb cb,
                       void *arg)
{
    const char *why = "";
    char text[ENGINE_WHY];
    struct engine_call *c = new_build(e, b, arg, &why);
    if (c == NULL) {
        refuse(cb, arg, EXECUTION_ERROR, why);
        return;
    }
    c->cb = cb;
    c->timestamp_ms = b->timestamp_ms;
    c->p.parent = b->parent;
    c->p.number = b->height;
    c->p.fee_recipient = b->fee_recipient;
    c->p.prev_randao = engine_randao(&b->parent, b->timestamp_ms);
    if (!parent_may_be(c, STEP_FORKCHOICE, text)) {
        drop_call(c);
        refuse(cb, arg, EXECUTION_ERROR, text);
        return;
    }
    queue(c);
}

/* ---- execute ------------------------------------------------------------------------------------ */

static enum execution_status prepare(struct engine_call *c, const struct execution_block *b,
                                     char why[ENGINE_WHY])
{
    memcpy(c->body, b->body.p, b->body.n);
    enum err err = engine_body_decode(&c->p, c->e->o.fork, bytes_of(c->body, c->body_n));
    if (err != OK) {
        snprintf(why, ENGINE_WHY, "its body is not one: %s", err_text(err));
        return EXECUTION_INVALID;
    }
    c->timestamp_ms = b->timestamp_ms;
    c->p.parent = b->parent;
    c->p.number = b->height;
    c->p.fee_recipient = b->fee_recipient;
    c->p.prev_randao = engine_randao(&b->parent, b->timestamp_ms);
    return parent_may_be(c, STEP_NEW, why) ? EXECUTION_VALID : EXECUTION_ERROR;
}

void engine_call_execute(struct engine *e, const struct execution_block *b,
                         const struct hash *payload, const struct hash *state, execution_cb cb,
                         void *arg)
{
    const char *why = "";
    char text[ENGINE_WHY];
    if (b->body.n == 0 || b->body.n > LIMIT_BODY_BYTES) {
        refuse(cb, arg, EXECUTION_INVALID, "no body, or a body that is too large");
        return;
    }
    struct engine_call *c = new_call(e, CALL_EXECUTE, b->body.n, arg, &why);
    if (c == NULL) {
        refuse(cb, arg, EXECUTION_ERROR, why);
        return;
    }
    c->cb = cb;
    c->p.hash = *payload;
    c->p.state_root = *state;
    enum execution_status status = prepare(c, b, text);
    if (status != EXECUTION_VALID) {
        drop_call(c);
        refuse(cb, arg, status, text);
        return;
    }
    queue(c);
}

/* ---- finalize ----------------------------------------------------------------------------------- */

void engine_call_finalize(struct engine *e, const struct hash *payload,
                          void (*cb)(void *arg, enum err e), void *arg)
{
    const char *why = "";
    struct engine_call *c = new_call(e, CALL_FINALIZE, 0, arg, &why);
    if (c == NULL) {
        cb(arg, ERR_NOT_READY);
        return;
    }
    c->finalized = cb;
    c->p.hash = *payload;
    c->p.parent = *payload; /* what must be there first is this block itself */
    c->step = engine_known_find(&e->known, payload) != NULL ? STEP_FORKCHOICE : STEP_PARENT;
    queue(c);
}

/* ---- the queue ---------------------------------------------------------------------------------- */

static void on_answer(void *arg, const struct engine_answer *a)
{
    struct engine_call *c = arg;
    struct engine *e = c->e;
    e->asking = false;
    engine_step_answer(c, a);
    engine_calls_pump(e);
    engine_arm(e);
}

static void start(struct engine_call *c)
{
    struct engine *e = c->e;
    struct request r;
    if (c->step != STEP_GET && engine_known_find(&e->known, &c->p.parent) == NULL) {
        c->step = STEP_PARENT; /* or so many came meanwhile that it was forgotten */
    }
    if (engine_step_wrong(c)) {
        engine_call_end(c, ENGINE_NO, "its time does not follow from its block's");
        return;
    }
    engine_step_request(c, &r);
    e->asking = true;
    size_t max = c->step == STEP_GET ? LIMIT_WEB_ANSWER : LIMIT_ENGINE_SHORT_ANSWER;
    if (engine_ask(e, &r, max, on_answer, c) != OK) {
        e->asking = false;
        engine_call_end(c, ENGINE_AGAIN, "out of memory");
    }
}

/* The oldest that does not wait for the client to fill its block. */
static struct engine_call *next_call(struct engine *e, uint64_t now)
{
    struct engine_call *c;
    DL_FOREACH(e->calls, c)
    {
        if (c->step == STEP_FILLING && now >= c->fill_until_ms) {
            c->step = STEP_GET;
        }
        if (c->step != STEP_FILLING) {
            return c;
        }
    }
    return NULL;
}

/* Callbacks ask again from within: then this is called from within itself. */
void engine_calls_pump(struct engine *e)
{
    struct engine_call *c;
    e->again = true;
    if (e->pumping) {
        return;
    }
    e->pumping = true;
    while (e->again) {
        e->again = false;
        while (e->state == ENGINE_READY && !e->asking &&
               (c = next_call(e, engine_now_ms())) != NULL) {
            start(c);
        }
    }
    e->pumping = false;
    if (e->state == ENGINE_READY) {
        engine_arm(e);
    }
}

uint64_t engine_calls_due(const struct engine *e)
{
    uint64_t due = UINT64_MAX;
    const struct engine_call *c;
    DL_FOREACH(e->calls, c)
    {
        if (c->step == STEP_FILLING && c->fill_until_ms < due) {
            due = c->fill_until_ms;
        }
    }
    return due;
}

static enum err error_of(enum engine_meaning m)
{
    static const enum err of[ENGINE_MEANINGS_N] = {
        [ENGINE_YES] = OK,
        [ENGINE_NO] = ERR_INVARIANT, /* a final block */
        [ENGINE_BEHIND] = ERR_NOT_READY,
        [ENGINE_AGAIN] = ERR_NOT_READY,
        [ENGINE_GONE] = ERR_UNREACHABLE,
        [ENGINE_DENIED] = ERR_REFUSED,
        [ENGINE_MISFIT] = ERR_CONFIG,
        [ENGINE_NONSENSE] = ERR_MALFORMED,
    };
    return of[m];
}

static void unqueue(struct engine_call *c)
{
    struct engine *e = c->e;
    DL_DELETE(e->calls, c);
    e->calls_n--;
    e->calls_bytes -= c->body_n;
}

void engine_call_end(struct engine_call *c, enum engine_meaning m, const char *why)
{
    struct execution_result r = {.status = engine_verdict(m), .why = why};
    unqueue(c);
    /* A build is never INVALID: what the client says of its own parent is about the client. */
    if (c->kind == CALL_BUILD && r.status == EXECUTION_INVALID) {
        r.status = EXECUTION_ERROR;
    }
    r.took_us = uv_hrtime() / 1000 - c->started_us;
    if (c->kind == CALL_FINALIZE) {
        c->finalized(c->arg, error_of(m));
    } else {
        c->cb(c->arg, &r);
    }
    drop_call(c);
}

void engine_calls_fail(struct engine *e, enum engine_meaning m, const char *why)
{
    while (e->calls != NULL) {
        engine_call_end(e->calls, m == ENGINE_NO ? ENGINE_AGAIN : m, why);
    }
}

/* ---- calls that went well ----------------------------------------------------------------------- */

static struct hash transactions_root(const struct engine_payload *p)
{
    struct bytes *raw = calloc((size_t)p->tx_n + 1, sizeof *raw);
    struct hash root = {{0}};
    if (raw != NULL) {
        body_split(p->txs, raw, p->tx_n);
        root = trie_list_root(raw, p->tx_n);
    }
    free(raw);
    return root;
}

static struct payload_info info_of(const struct engine_payload *p, uint64_t ms, size_t body_n)
{
    return (struct payload_info){
        .hash = p->hash,
        .parent = p->parent,
        .number = p->number,
        .timestamp = p->timestamp,
        .timestamp_ms = ms,
        .fee_recipient = p->fee_recipient,
        .state_root = p->state_root,
        .transactions_root = transactions_root(p),
        .receipts_root = p->receipts_root,
        .gas_limit = p->gas_limit,
        .gas_used = p->gas_used,
        .base_fee = p->base_fee,
        .txs = p->tx_n,
        .body_len = body_n,
    };
}

static void answer_valid(struct engine_call *c, const struct engine_payload *p,
                         const uint8_t *body, size_t body_n)
{
    uint8_t info[PAYLOAD_INFO_MAX_BYTES];
    const struct payload_info fields = info_of(p, c->timestamp_ms, body_n);
    const struct execution_result r = {
        .status = EXECUTION_VALID,
        .payload = p->hash,
        .state_root = p->state_root,
        .body = c->kind == CALL_BUILD ? body : NULL,
        .body_len = c->kind == CALL_BUILD ? body_n : 0,
        .txs = p->tx_n,
        .info = info,
        .info_len = payload_info_encode(info, &fields),
        .took_us = uv_hrtime() / 1000 - c->started_us,
    };
    unqueue(c);
    c->e->wait_ms = 0;
    c->cb(c->arg, &r);
    drop_call(c);
}

void engine_call_built(struct engine_call *c, const struct engine_built *b)
{
    uint8_t *body = NULL;
    size_t n = 0;
    enum err err = engine_body_encode(&body, &n, &b->payload, c->e->o.fork);
    if (err != OK) {
        engine_call_end(c, ENGINE_AGAIN, err_text(err));
        return;
    }
    answer_valid(c, &b->payload, body, n);
    free(body);
}

void engine_call_executed(struct engine_call *c)
{
    const struct engine_block b = {.hash = c->p.hash,
                                   .parent = c->p.parent,
                                   .number = c->p.number,
                                   .timestamp = c->p.timestamp};
    engine_known_add(&c->e->known, &b);
    answer_valid(c, &c->p, c->body, c->body_n);
}
