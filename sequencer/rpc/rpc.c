#define _GNU_SOURCE
#include "sequencer/rpc/rpc.h"

#include <netinet/in.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "sequencer/rpc/send.h"
#include "sequencer/rpc/server.h"
#include "sequencer/rpc/subscribe.h"

enum { BACKLOG = 511, HOST_SIZE = 64 };

/* ---- small services ------------------------------------------------------------------------- */

void server_limit_hit(struct rpc *r, const char *limit)
{
    if (r->backend->limit_hit != NULL) {
        r->backend->limit_hit(r->ctx, limit);
    }
}

void server_count_connections(struct rpc *r)
{
    if (r->backend->connections != NULL && !r->closing) {
        r->backend->connections(r->ctx, r->connections_n);
    }
}

bool server_list_has(const char *list, const char *item, size_t n)
{
    while (*list != 0) {
        list += strspn(list, ", ");
        size_t len = strcspn(list, ", ");
        if ((len == 1 && list[0] == '*') || (len == n && strncasecmp(list, item, n) == 0)) {
            return true;
        }
        list += len;
    }
    return false;
}

bool server_token_matches(const struct rpc *r, const char *authorization)
{
    static const char scheme[] = "Bearer ";
    size_t want = strlen(r->token);
    if (want == 0 || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0) {
        return false;
    }
    const char *token = authorization + sizeof scheme - 1;
    return strlen(token) == want && CRYPTO_memcmp(token, r->token, want) == 0;
}

/* ---- listening ------------------------------------------------------------------------------ */

static void on_connection(uv_stream_t *stream, int status)
{
    struct listener *l = stream->data;
    if (status == 0 && !l->rpc->closing) {
        connection_accept_client(l->rpc, stream, l->admin);
    }
}

/* "host:port", "[v6]:port", ":port"; names other than localhost are not looked up: a listener
 * whose address depends on a resolver is a surprise. */
static bool parse_address(struct sockaddr_storage *out, const char *text)
{
    char host[HOST_SIZE];
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon[1] == 0) {
        return false;
    }
    char *end = NULL;
    unsigned long port = strtoul(colon + 1, &end, 10);
    bool v6 = text[0] == '[' && colon > text && colon[-1] == ']';
    const char *from = v6 ? text + 1 : text;
    size_t n = (size_t)(colon - from) - (v6 ? 1 : 0);
    if (*end != 0 || port > 65535 || n >= sizeof host) {
        return false;
    }
    memcpy(host, from, n);
    host[n] = 0;
    const char *ip = n == 0 ? "0.0.0.0" : strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    memset(out, 0, sizeof *out);
    return (v6 ? uv_ip6_addr(ip, (int)port, (struct sockaddr_in6 *)out)
               : uv_ip4_addr(ip, (int)port, (struct sockaddr_in *)out)) == 0;
}

static uint16_t bound_port(const uv_tcp_t *tcp)
{
    struct sockaddr_storage a = {0};
    int len = sizeof a;
    if (uv_tcp_getsockname(tcp, (struct sockaddr *)&a, &len) != 0) {
        return 0;
    }
    struct sockaddr_in in; /* the port stands at the same place in both families */
    memcpy(&in, &a, sizeof in);
    return ntohs(in.sin_port);
}

static enum err listen_on(struct rpc *r, int which, const char *text, char *why, size_t why_len)
{
    struct listener *l = &r->listener[which];
    struct sockaddr_storage address;
    if (!parse_address(&address, text)) {
        snprintf(why, why_len, "%s is no address to listen on: give it as 127.0.0.1:8545", text);
        return ERR_CONFIG;
    }
    l->rpc = r;
    l->admin = which == 1;
    if (uv_tcp_init(r->loop, &l->tcp) != 0) {
        return ERR_NO_MEMORY;
    }
    l->tcp.data = l;
    l->open = true;
    r->handles++;
    int status = uv_tcp_bind(&l->tcp, (struct sockaddr *)&address, 0);
    if (status == 0) {
        status = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection);
    }
    if (status != 0) {
        snprintf(why, why_len, "cannot listen on %s: %s; give another port or stop what uses it",
                 text, uv_strerror(status));
        return status == UV_EADDRINUSE ? ERR_IN_USE : ERR_IO;
    }
    l->port = bound_port(&l->tcp);
    return OK;
}

/* ---- life ----------------------------------------------------------------------------------- */

static void on_tick(uv_timer_t *timer)
{
    struct rpc *r = timer->data;
    uint64_t now = uv_now(r->loop);
    send_tick(r, now);
    struct connection *next;
    for (struct connection *c = r->connections; c != NULL; c = next) {
        next = c->next;
        connection_tick(c, now);
    }
}

void server_handle_closed(struct rpc *r)
{
    if (--r->handles > 0 || !r->closing) {
        return;
    }
    for (int i = 0; i < GAS_INDEXES; i++) {
        free(r->gas[i].upto);
    }
    OPENSSL_cleanse(r->token, sizeof r->token);
    void (*closed)(void *arg) = r->closed;
    void *arg = r->closed_arg;
    free(r);
    if (closed != NULL) {
        closed(arg);
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;
    server_handle_closed(l->rpc);
}

static void on_timer_closed(uv_handle_t *handle)
{
    server_handle_closed(handle->data);
}

void rpc_close(struct rpc *r, void (*closed)(void *arg), void *arg)
{
    r->closing = true;
    r->closed = closed;
    r->closed_arg = arg;
    while (r->connections != NULL) {
        connection_close(r->connections);
    }
    send_forget_all(r);
    subscribe_forget_question(r);
    for (int i = 0; i < LISTENERS; i++) {
        if (r->listener[i].open) {
            uv_close((uv_handle_t *)&r->listener[i].tcp, on_handle_closed);
        }
    }
    uv_close((uv_handle_t *)&r->tick, on_timer_closed);
}

static enum err take_options(struct rpc *r, const struct rpc_options *o, char *why, size_t why_len)
{
    const char *hosts = o->hosts != NULL ? o->hosts : "localhost";
    const char *cors = o->cors != NULL ? o->cors : "";
    const char *token = o->token != NULL ? o->token : "";
    if (strlen(hosts) >= LIST_SIZE || strlen(cors) >= LIST_SIZE || strlen(token) >= TOKEN_SIZE) {
        snprintf(why, why_len, "hosts, cors or token is too long: at most %d, %d and %d characters",
                 LIST_SIZE - 1, LIST_SIZE - 1, TOKEN_SIZE - 1);
        return ERR_CONFIG;
    }
    snprintf(r->hosts, sizeof r->hosts, "%s", hosts);
    snprintf(r->cors, sizeof r->cors, "%s", cors);
    snprintf(r->token, sizeof r->token, "%s", token);
    snprintf(r->version, sizeof r->version, "Baton/%s/linux-amd64/c11",
             o->version != NULL ? o->version : "v0.1.0");
    r->loop = o->loop;
    r->backend = o->backend;
    r->ctx = o->ctx;
    return OK;
}

enum err rpc_open(struct rpc **out, const struct rpc_options *o, char *why, size_t why_len)
{
    struct rpc *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err e = take_options(r, o, why, why_len);
    if (e != OK || uv_timer_init(o->loop, &r->tick) != 0) {
        free(r);
        return e != OK ? e : ERR_NO_MEMORY;
    }
    if (RAND_bytes((unsigned char *)&r->salt, sizeof r->salt) != 1) {
        r->salt = uv_hrtime();
    }
    r->salt |= 1;
    r->tick.data = r;
    r->handles = 1;
    uv_timer_start(&r->tick, on_tick, TICK_MS, TICK_MS);
    e = listen_on(r, 0, o->listen, why, why_len);
    if (e == OK && o->admin_listen != NULL && o->admin_listen[0] != 0) {
        e = listen_on(r, 1, o->admin_listen, why, why_len);
    }
    if (e != OK) {
        rpc_close(r, NULL, NULL); /* its memory goes with its handles, when the loop runs */
        return e;
    }
    *out = r;
    return OK;
}

uint16_t rpc_port(const struct rpc *r)
{
    return r->listener[0].port;
}

uint16_t rpc_admin_port(const struct rpc *r)
{
    return r->listener[1].port;
}
