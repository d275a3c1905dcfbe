#define _GNU_SOURCE
#include "tests/fuzz/http_pipe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/key.h"
#include "sequencer/rpc/call.h"
#include "sequencer/rpc/send.h"
#include "sequencer/rpc/subscribe.h"
#include "sequencer/rpc/ws.h"
#include "tests/unit/sequencer/rpc_world_parts.h"

/* These stand in for sequencer/rpc/connection.c, function by function. */

static struct text sent;
static bool reading, slow, gone;

static void put(struct text *from)
{
    if (from != NULL) {
        text_put(&sent, from->p, from->n);
        text_free(from);
    }
}

void connection_write(struct connection *c, struct text *head, struct text *body)
{
    bool failed = head->failed || (body != NULL && body->failed);
    DEMAND(!c->closing && c->mode != CONNECTION_LINGER);
    if (failed || (slow && sent.n > 0)) {
        text_free(head);
        if (body != NULL) {
            text_free(body);
        }
        connection_close(c);
        return;
    }
    put(head);
    put(body);
}

void connection_read(struct connection *c, bool on)
{
    reading = on && !c->closing;
}

void connection_linger(struct connection *c)
{
    if (!c->closing && c->mode != CONNECTION_LINGER) {
        message_abandon_all(c);
        c->mode = CONNECTION_LINGER;
    }
}

void connection_close(struct connection *c)
{
    if (!c->closing) {
        c->closing = true;
        message_abandon_all(c);
        subscribe_forget_all(c);
    }
}

void connection_accept_client(struct rpc *r, uv_stream_t *listener, bool admin)
{
    (void)r;
    (void)listener;
    (void)admin;
    DEMAND(false);
}

void connection_tick(struct connection *c, uint64_t now_ms)
{
    (void)c;
    (void)now_ms;
}

/* ---- the server ------------------------------------------------------------------------------ */

static struct rpc *server(unsigned how)
{
    static struct world world;
    static struct rpc rpc;
    world.ready = world.safe = (how & PIPE_NOT_READY) == 0;
    world.catching_up = (how & PIPE_BEHIND) != 0;
    world.backend = backend_of((how & PIPE_CLIENT) != 0);
    if (rpc.backend != NULL) {
        return &rpc;
    }
    DEMAND(key_library_init() == OK);
    backend_make_chain(&world);
    DEMAND(uv_loop_init(&world.loop) == 0);
    world.rpc = &rpc;
    rpc.loop = &world.loop;
    rpc.ctx = &world;
    rpc.salt = 1;
    snprintf(rpc.token, sizeof rpc.token, "secret-token");
    snprintf(rpc.hosts, sizeof rpc.hosts, "localhost");
    snprintf(rpc.cors, sizeof rpc.cors, "http://good.example");
    snprintf(rpc.version, sizeof rpc.version, "Baton/fuzz");
    rpc.backend = &world.backend;
    return &rpc;
}

static void feed(struct connection *c, struct bytes in)
{
    if (c->closing || c->mode == CONNECTION_LINGER) {
        return;
    }
    if (c->mode == CONNECTION_WS) {
        ws_feed(c, (const char *)in.p, in.n);
    } else {
        http_feed(c, (const char *)in.p, in.n);
    }
}

/* Answers that come from workers. */
static void settle(struct rpc *r)
{
    uv_run(r->loop, UV_RUN_DEFAULT);
}

void http_pipe_feed(struct connection *c, struct bytes in, size_t piece)
{
    while (in.n > 0 && !c->closing) {
        if (!reading && !gone) {
            settle(c->rpc);
        }
        if (!reading) {
            return; /* the answer is still to come: a client waits */
        }
        feed(c, script_bytes(&in, piece));
    }
    if (!gone) {
        settle(c->rpc);
    }
}

struct connection *http_pipe_open(unsigned how)
{
    struct connection *c = calloc(1, sizeof *c);
    DEMAND(c != NULL);
    c->rpc = server(how);
    c->admin = (how & PIPE_ADMIN) != 0;
    reading = true;
    slow = (how & PIPE_SLOW) != 0;
    gone = (how & PIPE_GONE) != 0;
    http_init(c);
    return c;
}

struct text http_pipe_close(struct connection *c)
{
    struct rpc *r = c->rpc;
    connection_close(c);
    send_forget_all(r);
    settle(r);
    http_fini(c);
    ws_free(c);
    free(c);
    struct text out = sent;
    sent = (struct text){0};
    return out;
}

struct text http_pipe(struct bytes before, struct bytes in, size_t piece, unsigned how)
{
    struct connection *c = http_pipe_open(how);
    http_pipe_feed(c, before, SIZE_MAX);
    http_pipe_feed(c, in, piece);
    return http_pipe_close(c);
}
