#define _GNU_SOURCE
#include "sequencer/rpc/connection.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "proto/limits.h"
#include "sequencer/rpc/call.h"
#include "sequencer/rpc/subscribe.h"
#include "sequencer/rpc/ws.h"

enum { LINGER_MS = 2000, SPARE_CONNECTIONS = 64 };

static void on_closed(uv_handle_t *handle)
{
    struct connection *c = handle->data;
    struct rpc *r = c->rpc;
    http_fini(c);
    ws_free(c);
    free(c);
    server_handle_closed(r);
}

void connection_close(struct connection *c)
{
    if (c->closing) {
        return;
    }
    c->closing = true;
    struct rpc *r = c->rpc;
    message_abandon_all(c);
    subscribe_forget_all(c);
    if (c->prev != NULL) {
        c->prev->next = c->next;
    } else {
        r->connections = c->next;
    }
    if (c->next != NULL) {
        c->next->prev = c->prev;
    }
    r->connections_n--;
    server_count_connections(r);
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

/* ---- output --------------------------------------------------------------------------------- */

struct write {
    uv_write_t req;
    struct text part[2];
};

static void write_free(struct write *w)
{
    text_free(&w->part[0]);
    text_free(&w->part[1]);
    free(w);
}

static void on_written(uv_write_t *req, int status)
{
    struct write *w = req->data;
    struct connection *c = req->handle->data;
    write_free(w);
    if (status == 0) {
        c->moved_ms = uv_now(c->rpc->loop);
    } else {
        connection_close(c);
    }
}

/* What the socket takes at once; the rest of the buffers stays in `bufs`. */
static unsigned write_now(struct connection *c, uv_buf_t bufs[2], unsigned n)
{
    if (uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp) > 0) {
        return n;
    }
    int done = uv_try_write((uv_stream_t *)&c->tcp, bufs, n);
    size_t left = done > 0 ? (size_t)done : 0;
    unsigned kept = 0;
    for (unsigned i = 0; i < n; i++) {
        size_t skip = left < bufs[i].len ? left : bufs[i].len;
        left -= skip;
        if (skip < bufs[i].len) {
            bufs[kept++] = uv_buf_init(bufs[i].base + skip, (unsigned)(bufs[i].len - skip));
        }
    }
    return kept;
}

static void write_later(struct connection *c, struct write *w, uv_buf_t bufs[2], unsigned n)
{
    w->req.data = w;
    if (uv_write(&w->req, (uv_stream_t *)&c->tcp, bufs, n, on_written) != 0) {
        write_free(w);
        connection_close(c);
    }
}

void connection_write(struct connection *c, struct text *head, struct text *body)
{
    struct write *w = calloc(1, sizeof *w);
    struct text none = {0};
    struct text first = *head;
    struct text second = body != NULL ? *body : none;
    *head = none;
    if (body != NULL) {
        *body = none;
    }
    size_t waiting = uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
    if (w == NULL || c->closing || first.failed || second.failed || waiting > LIMIT_RPC_OUT_BYTES) {
        if (waiting > LIMIT_RPC_OUT_BYTES) {
            server_limit_hit(c->rpc, "RPC_OUT_BYTES");
        }
        text_free(&first);
        text_free(&second);
        free(w);
        connection_close(c);
        return;
    }
    w->part[0] = first;
    w->part[1] = second;
    uv_buf_t bufs[2] = {uv_buf_init(first.p, (unsigned)first.n),
                        uv_buf_init(second.p, (unsigned)second.n)};
    unsigned n = write_now(c, bufs, second.n > 0 ? 2 : 1);
    if (n == 0) {
        write_free(w);
        c->moved_ms = uv_now(c->rpc->loop);
        return;
    }
    write_later(c, w, bufs, n);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
    (void)status;
    free(req);
}

void connection_linger(struct connection *c)
{
    if (c->closing || c->mode == CONNECTION_LINGER) {
        return;
    }
    message_abandon_all(c);
    c->mode = CONNECTION_LINGER;
    c->since_ms = uv_now(c->rpc->loop);
    uv_shutdown_t *req = malloc(sizeof *req);
    if (req == NULL || uv_shutdown(req, (uv_stream_t *)&c->tcp, on_shutdown) != 0) {
        free(req);
        connection_close(c);
        return;
    }
    connection_read(c, true);
}

/* ---- input ---------------------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct connection *c = handle->data;
    *buf = uv_buf_init(c->rpc->read_buffer, READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct connection *c = stream->data;
    if (n < 0) {
        connection_close(c);
        return;
    }
    if (n == 0 || c->closing) {
        return;
    }
    c->moved_ms = uv_now(c->rpc->loop);
    switch (c->mode) {
    case CONNECTION_HTTP:
        http_feed(c, buf->base, (size_t)n);
        break;
    case CONNECTION_WS:
        ws_feed(c, buf->base, (size_t)n);
        break;
    case CONNECTION_LINGER:
        break;
    }
}

void connection_read(struct connection *c, bool on)
{
    if (c->closing) {
        return;
    }
    if (!on) {
        uv_read_stop((uv_stream_t *)&c->tcp);
        return;
    }
    int status = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    if (status != 0 && status != UV_EALREADY) {
        connection_close(c);
    }
}

/* ---- birth ---------------------------------------------------------------------------------- */

/* IPv4 as the last four bytes, so that one form compares for both. */
static void read_ip(struct connection *c)
{
    struct sockaddr_storage a = {0};
    int len = sizeof a;
    if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&a, &len) != 0) {
        return;
    }
    if (a.ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, &a, sizeof in);
        memcpy(c->ip + 12, &in.sin_addr, 4);
    } else if (a.ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, &a, sizeof in6);
        memcpy(c->ip, &in6.sin6_addr, 16);
    }
}

static uint32_t count_same_ip(const struct connection *c)
{
    uint32_t n = 0;
    for (const struct connection *o = c->rpc->connections; o != NULL; o = o->next) {
        n += memcmp(o->ip, c->ip, sizeof c->ip) == 0;
    }
    return n;
}

static void admit(struct connection *c)
{
    struct rpc *r = c->rpc;
    if (r->connections_n > LIMIT_RPC_CONNECTIONS + SPARE_CONNECTIONS) {
        connection_close(c);
    } else if (r->connections_n > LIMIT_RPC_CONNECTIONS) {
        server_limit_hit(r, "RPC_CONNECTIONS");
        http_refuse(c, 503, "too many connections, try again later");
    } else if (count_same_ip(c) > LIMIT_RPC_CONNECTIONS_PER_IP) {
        server_limit_hit(r, "RPC_CONNECTIONS_PER_IP");
        http_refuse(c, 429, "too many connections from this address");
    } else {
        connection_read(c, true);
    }
}

void connection_accept_client(struct rpc *r, uv_stream_t *listener, bool admin)
{
    struct connection *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return;
    }
    c->rpc = r;
    c->admin = admin;
    if (uv_tcp_init(r->loop, &c->tcp) != 0) {
        free(c);
        return;
    }
    c->tcp.data = c;
    r->handles++;
    c->next = r->connections;
    if (c->next != NULL) {
        c->next->prev = c;
    }
    r->connections = c;
    r->connections_n++;
    c->moved_ms = c->since_ms = uv_now(r->loop);
    http_init(c);
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0) {
        connection_close(c);
        return;
    }
    uv_tcp_nodelay(&c->tcp, 1);
    read_ip(c);
    server_count_connections(r);
    admit(c);
}

/* ---- deadlines ------------------------------------------------------------------------------ */

void connection_tick(struct connection *c, uint64_t now_ms)
{
    uint64_t idle = now_ms - c->moved_ms;
    switch (c->mode) {
    case CONNECTION_LINGER:
        if (now_ms - c->since_ms > LINGER_MS) {
            connection_close(c);
        }
        return;
    case CONNECTION_WS:
        if (idle > LIMIT_RPC_IDLE_MS) {
            connection_close(c);
        } else if (idle > LIMIT_RPC_IDLE_MS / 4 && now_ms - c->since_ms > LIMIT_RPC_IDLE_MS / 8) {
            c->since_ms = now_ms;
            ws_ping(c);
        }
        return;
    case CONNECTION_HTTP:
        if (c->http.begun && now_ms - c->since_ms > LIMIT_RPC_REQUEST_MS) {
            server_limit_hit(c->rpc, "RPC_REQUEST_MS");
            http_refuse(c, 408, "the request took too long to come in");
        } else if (!c->http.busy && idle > LIMIT_RPC_IDLE_MS) {
            connection_close(c);
        }
        return;
    }
}
