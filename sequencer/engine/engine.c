#define _GNU_SOURCE
#include "sequencer/engine/engine.h"

#include <stdlib.h>
#include <string.h>

#include "sequencer/engine/engine_parts.h"

enum { CONNECT_MS = 500, TOTAL_MS = 8000, RETRY_MIN_MS = 100, RETRY_MAX_MS = 2000 };

static uint32_t or_default(uint32_t given, uint32_t otherwise)
{
    return given != 0 ? given : otherwise;
}

static void set_options(struct engine *e, const struct engine_options *o)
{
    e->o = *o;
    e->o.url = e->url;
    e->o.rpc_url = e->rpc_url;
    e->o.connect_ms = or_default(o->connect_ms, CONNECT_MS);
    e->o.total_ms = or_default(o->total_ms, TOTAL_MS);
    e->o.retry_min_ms = or_default(o->retry_min_ms, RETRY_MIN_MS);
    e->o.retry_max_ms = or_default(o->retry_max_ms, RETRY_MAX_MS);
}

enum err engine_open(struct engine **out, uv_loop_t *loop, const struct engine_options *o)
{
    struct engine *e = calloc(1, sizeof *e);
    if (e == NULL) {
        return ERR_NO_MEMORY;
    }
    e->url = strdup(o->url);
    e->rpc_url = strdup(o->rpc_url == NULL ? o->url : o->rpc_url);
    e->http = e->url == NULL || e->rpc_url == NULL ? NULL : http_open(loop);
    if (e->http == NULL) {
        free(e->url);
        free(e->rpc_url);
        free(e);
        return ERR_NO_MEMORY;
    }
    (void)uv_timer_init(loop, &e->timer); /* cannot fail */
    set_options(e, o);
    e->loop = loop;
    e->timer.data = e;
    e->handles = 2; /* http and the timer */
    e->next_id = 1;
    e->answered_us = uv_hrtime() / 1000;
    const struct engine_block genesis = {.hash = o->genesis};
    engine_known_add(&e->known, &genesis);
    *out = e;
    engine_greet(e);
    return OK;
}

/* ---- execution.h ------------------------------------------------------------------------------- */

static void build(void *ctx, const struct execution_block *b, execution_cb cb, void *arg)
{
    engine_call_build(ctx, b, cb, arg);
}

static void execute(void *ctx, const struct execution_block *b, const struct hash *payload,
                    const struct hash *state, execution_cb cb, void *arg)
{
    engine_call_execute(ctx, b, payload, state, cb, arg);
}

static void finalize(void *ctx, const struct hash *payload, void (*cb)(void *arg, enum err e),
                     void *arg)
{
    engine_call_finalize(ctx, payload, cb, arg);
}

static void head(void *ctx, uint64_t *height, struct hash *payload)
{
    const struct engine *e = ctx;
    *height = e->known.best.number;
    *payload = e->known.best.hash;
}

/* A lost client is silent since it last said anything; one that is asked nothing is not. */
static uint64_t silent_us(void *ctx)
{
    const struct engine *e = ctx;
    if (e->state == ENGINE_READY && e->asks == NULL) {
        return 0;
    }
    bool later = e->state == ENGINE_READY && e->busy_us > e->answered_us;
    return uv_hrtime() / 1000 - (later ? e->busy_us : e->answered_us);
}

static void close_table(void *ctx)
{
    engine_close(ctx, NULL, NULL);
}

void engine_execution(struct engine *e, struct execution *out)
{
    *out = (struct execution){.ctx = e,
                              .build = build,
                              .execute = execute,
                              .finalize = finalize,
                              .head = head,
                              .silent_us = silent_us,
                              .close = close_table};
}

enum engine_state engine_state(const struct engine *e)
{
    return e->state;
}

void engine_set_heads(struct engine *e, const struct hash *safe, const struct hash *finalized)
{
    e->heads.safe = *safe;
    e->heads.finalized = *finalized;
}

/* ---- transactions for the client's pool -------------------------------------------------------- */

struct offer {
    struct engine *e;
    void (*cb)(void *arg, bool taken);
    void *arg;
};

/* Every client has its own words for it; none has a code. */
static bool was_there(const char *why)
{
    return strcasestr(why, "already") != NULL;
}

static void on_offered(void *arg, const struct engine_answer *a)
{
    struct offer *o = arg;
    o->e->offers--;
    if (o->cb != NULL) {
        o->cb(o->arg, a->meaning == ENGINE_YES || was_there(a->why));
    }
    free(o);
}

enum err engine_offer(struct engine *e, struct bytes raw, void (*cb)(void *arg, bool taken),
                      void *arg)
{
    if (e->state != ENGINE_READY) {
        return ERR_NOT_READY;
    }
    if (e->offers == LIMIT_ENGINE_OFFERS) {
        return ERR_BUSY;
    }
    struct offer *o = calloc(1, sizeof *o);
    if (o == NULL) {
        return ERR_NO_MEMORY;
    }
    *o = (struct offer){.e = e, .cb = cb, .arg = arg};
    struct request r;
    request_begin(&r, e->next_id++);
    request_call(&r, "eth_sendRawTransaction");
    request_hex(&r, raw.p, raw.n);
    request_end(&r);
    enum err err = engine_ask(e, &r, LIMIT_ENGINE_SHORT_ANSWER, on_offered, o);
    if (err != OK) {
        free(o);
        return err;
    }
    e->offers++;
    return OK;
}

/* ---- the end ----------------------------------------------------------------------------------- */

static void one_less(struct engine *e)
{
    if (--e->handles > 0) {
        return;
    }
    void (*closed)(void *arg) = e->closed;
    void *arg = e->closed_arg;
    jwt_forget(&e->o.secret);
    free(e->url);
    free(e->rpc_url);
    free(e);
    if (closed != NULL) {
        closed(arg);
    }
}

static void on_http_closed(void *arg)
{
    one_less(arg);
}

static void on_timer_closed(uv_handle_t *timer)
{
    one_less(timer->data);
}

/* Offers under way are answered too: their callers wait. */
static void drop_offers(struct engine *e)
{
    const struct engine_answer a = {.meaning = ENGINE_GONE, .why = "closing"};
    for (struct engine_ask *x = e->asks, *next; x != NULL; x = next) {
        next = x->next;
        if (x->cb == on_offered) {
            on_offered(x->arg, &a);
        }
    }
}

void engine_close(struct engine *e, void (*closed)(void *arg), void *arg)
{
    e->closed = closed;
    e->closed_arg = arg;
    e->state = ENGINE_CLOSED;
    http_close(e->http, on_http_closed, e);
    drop_offers(e);
    engine_reads_drop(e);
    engine_asks_drop(e);
    engine_calls_fail(e, ENGINE_GONE, "closing");
    uv_close((uv_handle_t *)&e->timer, on_timer_closed);
}
