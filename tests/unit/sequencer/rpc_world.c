#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/key.h"
#include "rpc_world_parts.h"

/* ---- the loop thread ------------------------------------------------------------------------- */

static void on_async(uv_async_t *a)
{
    struct world *w = a->data;
    if (w->fn != NULL) {
        void (*fn)(struct world *, void *) = w->fn;
        w->fn = NULL;
        fn(w, w->arg);
        uv_sem_post(&w->done);
    }
}

static void run_loop(void *arg)
{
    struct world *w = arg;
    uv_run(&w->loop, UV_RUN_DEFAULT);
}

void world_do(struct world *w, void (*fn)(struct world *w, void *arg), void *arg)
{
    w->arg = arg;
    w->fn = fn;
    uv_async_send(&w->async);
    uv_sem_wait(&w->done);
}

struct world *world_open_with(const char *cors, const char *hosts, bool forward)
{
    char why[256] = "";
    assert_int_equal(key_library_init(), OK);
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->ready = true;
    w->safe = true;
    backend_make_chain(w);
    uv_loop_init(&w->loop);
    uv_sem_init(&w->done, 0);
    uv_async_init(&w->loop, &w->async, on_async);
    w->async.data = w;
    w->backend = backend_of(forward);
    struct rpc_options o = {
        .loop = &w->loop,
        .listen = "127.0.0.1:0",
        .admin_listen = "127.0.0.1:0",
        .token = "secret-token",
        .cors = cors,
        .hosts = hosts,
        .backend = &w->backend,
        .ctx = w,
    };
    assert_int_equal(rpc_open(&w->rpc, &o, why, sizeof why), OK);
    assert_string_equal(why, "");
    uv_thread_create(&w->thread, run_loop, w);
    return w;
}

struct world *world_open(void)
{
    return world_open_with(NULL, NULL, false);
}

static void on_server_closed(void *arg)
{
    struct world *w = arg;
    w->closed = true;
}

static void do_close(struct world *w, void *arg)
{
    (void)arg;
    rpc_close(w->rpc, on_server_closed, w);
    uv_close((uv_handle_t *)&w->async, NULL);
}

void world_close(struct world *w)
{
    world_do(w, do_close, NULL);
    uv_thread_join(&w->thread);
    assert_true(w->closed);
    /* Answers that come after the end must be harmless. */
    for (uint32_t i = 0; i < w->held_n; i++) {
        w->held[i].cb(w->held[i].arg, &(struct rpc_verdict){.hash = w->held[i].hash});
    }
    assert_int_equal(uv_loop_close(&w->loop), 0);
    uv_sem_destroy(&w->done);
    for (int i = 0; i < BLOCKS; i++) {
        free(w->chain[i].body);
        free(w->chain[i].hash);
        free(w->chain[i].sender);
    }
    free(w);
}

uint16_t world_port(const struct world *w)
{
    return rpc_port(w->rpc);
}

uint16_t world_admin_port(const struct world *w)
{
    return rpc_admin_port(w->rpc);
}

struct rpc *world_rpc(struct world *w)
{
    return w->rpc;
}

/* ---- orders of the test ---------------------------------------------------------------------- */

struct order {
    enum submit_mode mode;
    int code;
    const char *message;
    bool *flag;
    bool on;
    uint64_t number;
    uint64_t result;
    const char *limit;
};

static void do_mode(struct world *w, void *arg)
{
    struct order *o = arg;
    w->mode = o->mode;
    w->code = o->code;
    snprintf(w->message, sizeof w->message, "%s", o->message != NULL ? o->message : "");
}

void world_set_submit(struct world *w, enum submit_mode mode, int code, const char *message)
{
    world_do(w, do_mode, &(struct order){.mode = mode, .code = code, .message = message});
}

static void do_flag(struct world *w, void *arg)
{
    struct order *o = arg;
    (void)w;
    *o->flag = o->on;
}

void world_set_catching_up(struct world *w, bool on)
{
    world_do(w, do_flag, &(struct order){.flag = &w->catching_up, .on = on});
}

void world_set_ready(struct world *w, bool on)
{
    world_do(w, do_flag, &(struct order){.flag = &w->ready, .on = on});
}

void world_set_safe(struct world *w, bool on)
{
    world_do(w, do_flag, &(struct order){.flag = &w->safe, .on = on});
}

static void do_held(struct world *w, void *arg)
{
    ((struct order *)arg)->result = w->held_n;
}

uint32_t world_held(struct world *w)
{
    struct order o = {0};
    world_do(w, do_held, &o);
    return (uint32_t)o.result;
}

static void do_submitted(struct world *w, void *arg)
{
    ((struct order *)arg)->result = w->submitted;
}

uint64_t world_submitted(struct world *w)
{
    struct order o = {0};
    world_do(w, do_submitted, &o);
    return o.result;
}

static void do_release(struct world *w, void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < w->held_n; i++) {
        w->held[i].cb(w->held[i].arg, &(struct rpc_verdict){.hash = w->held[i].hash});
    }
    w->held_n = 0;
}

void world_release(struct world *w)
{
    world_do(w, do_release, NULL);
}

static void do_hits(struct world *w, void *arg)
{
    struct order *o = arg;
    for (uint32_t i = 0; i < w->hits_n && i < 64; i++) {
        o->result += strcmp(w->hits[i], o->limit) == 0;
    }
}

uint32_t world_limit_hits(struct world *w, const char *limit)
{
    struct order o = {.limit = limit};
    world_do(w, do_hits, &o);
    return (uint32_t)o.result;
}

static void do_connections(struct world *w, void *arg)
{
    ((struct order *)arg)->result = w->connections;
}

uint32_t world_connections(struct world *w)
{
    struct order o = {0};
    world_do(w, do_connections, &o);
    return (uint32_t)o.result;
}

struct query_out {
    int *kind;
    struct rpc_query *out;
    char *text;
    size_t n;
};

static void do_query(struct world *w, void *arg)
{
    struct query_out *o = arg;
    *o->kind = w->last_kind;
    *o->out = w->last;
    snprintf(o->text, o->n, "%s", w->last_text);
}

void world_last_query(struct world *w, int *kind, struct rpc_query *out, char *text, size_t n)
{
    world_do(w, do_query, &(struct query_out){kind, out, text, n});
}

struct hash world_tx_hash(struct world *w, uint64_t number, uint32_t index)
{
    return w->chain[number].hash[index];
}

struct hash world_block_hash(struct world *w, uint64_t number)
{
    return w->chain[number].block.hash;
}

const char *world_pending_raw(struct world *w)
{
    return w->pending_hex;
}

struct hash world_pending_hash(struct world *w)
{
    return w->pending_hash;
}

static void do_announce(struct world *w, void *arg)
{
    rpc_on_final(w->rpc, &w->chain[((struct order *)arg)->number].block);
}

static void do_include(struct world *w, void *arg)
{
    w->head = WORLD_HEAD + 1;
    do_announce(w, arg);
}

void world_include(struct world *w)
{
    world_do(w, do_include, &(struct order){.number = WORLD_HEAD + 1});
}

void world_announce(struct world *w, uint64_t number)
{
    world_do(w, do_announce, &(struct order){.number = number});
}
