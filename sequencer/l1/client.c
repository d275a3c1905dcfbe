#define _GNU_SOURCE
#include "sequencer/l1/parts.h"

#include <curl/curl.h>
#include <stdlib.h>

enum { TICKS_A_POLL = 8, TICK_MIN_MS = 10, TICK_MAX_MS = 250 };

static void view(void *ctx, struct l1_view *out)
{
    const struct l1_client *c = ctx;
    const struct quorum *q = &c->quorum;
    *out = (struct l1_view){.known = q->known,
                            .down = c->down,
                            .head = q->head,
                            .has_finalized = q->has_finalized,
                            .finalized = q->finalized,
                            .still_ms = client_now(c) - c->moved_ms,
                            .endpoints = q->n,
                            .agreeing = quorum_agreeing(q)};
}

void client_changed(struct l1_client *c)
{
    struct l1_view v;
    view(c, &v);
    if (c->o.on_view != NULL) {
        c->o.on_view(c->o.arg, &v);
    }
}

static void look_if_down(struct l1_client *c)
{
    if (!c->down && client_now(c) - c->moved_ms >= c->o.down_ms) {
        c->down = true;
        client_changed(c);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct l1_client *c = timer->data;
    for (size_t i = 0; i < c->o.rpc_n; i++) {
        poll_tick(&c->rpc[i]);
    }
    /* A callback may put new asks in front; those behind stay. */
    for (struct ask *a = c->asks, *next; a != NULL; a = next) {
        next = a->next;
        ask_tick(a);
    }
    look_if_down(c);
}

static uint32_t or_default(uint32_t given, uint32_t otherwise)
{
    return given != 0 ? given : otherwise;
}

static void set_options(struct l1_options *to, const struct l1_options *o)
{
    *to = *o;
    to->rpc = NULL;
    to->beacon = NULL;
    to->poll_ms = or_default(o->poll_ms, 2000);
    to->down_ms = or_default(o->down_ms, 60000);
    to->connect_ms = or_default(o->connect_ms, 2000);
    to->total_ms = or_default(o->total_ms, 10000);
    to->hedge_ms = or_default(o->hedge_ms, 1500);
    to->grace_ms = or_default(o->grace_ms, 1000);
    to->probe_ms = or_default(o->probe_ms, 15000);
    to->pardon_ms = or_default(o->pardon_ms, 300000);
}

static enum err add_endpoints(struct l1_client *c, struct endpoint *to, const char *const *url,
                              size_t n, bool beacon)
{
    for (size_t i = 0; i < n; i++) {
        struct endpoint *e = &to[i];
        if (strncmp(url[i], "http://", 7) != 0 && strncmp(url[i], "https://", 8) != 0) {
            return ERR_CONFIG;
        }
        e->c = c;
        e->index = (uint32_t)i;
        e->state.beacon = beacon;
        endpoint_name(e->state.name, sizeof e->state.name, url[i]);
        e->url = strdup(url[i]);
        if (e->url == NULL) {
            return ERR_NO_MEMORY;
        }
        size_t last = strlen(e->url) - 1;
        if (beacon && e->url[last] == '/') {
            e->url[last] = '\0'; /* paths are put behind it */
        }
    }
    return OK;
}

static void free_client(struct l1_client *c)
{
    for (size_t i = 0; i < LIMIT_L1_ENDPOINTS; i++) {
        free(c->rpc[i].url);
        free(c->beacon[i].url);
        request_free(&c->rpc[i].poll);
        request_free(&c->rpc[i].fetch);
    }
    free(c);
}

static enum err start(struct l1_client *c, uv_loop_t *loop)
{
    uint32_t tick = c->o.poll_ms / TICKS_A_POLL;
    tick = tick < TICK_MIN_MS ? TICK_MIN_MS : tick > TICK_MAX_MS ? TICK_MAX_MS : tick;
    c->http = http_open(loop);
    if (c->http == NULL) {
        return ERR_NO_MEMORY;
    }
    uv_timer_init(loop, &c->tick);
    uv_timer_init(loop, &c->soon);
    c->tick.data = c;
    c->soon.data = c;
    uv_update_time(loop);
    c->moved_ms = uv_now(loop);
    c->random = uv_hrtime() | 1;
    uv_timer_start(&c->tick, on_tick, 0, tick);
    return OK;
}

enum err l1_client_open(struct l1_client **out, uv_loop_t *loop, const struct l1_options *o)
{
    *out = NULL;
    if (o->rpc_n == 0 || o->rpc_n > LIMIT_L1_ENDPOINTS || o->beacon_n > LIMIT_L1_ENDPOINTS) {
        return ERR_CONFIG;
    }
    struct l1_client *c = calloc(1, sizeof *c);
    if (c == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(c);
        return ERR_NO_MEMORY;
    }
    c->loop = loop;
    set_options(&c->o, o);
    quorum_init(&c->quorum, (uint32_t)o->rpc_n);
    enum err e = add_endpoints(c, c->rpc, o->rpc, o->rpc_n, false);
    e = e == OK ? add_endpoints(c, c->beacon, o->beacon, o->beacon_n, true) : e;
    e = e == OK ? start(c, loop) : e;
    if (e != OK) {
        free_client(c);
        return e;
    }
    *out = c;
    return OK;
}

struct l1 l1_client_access(struct l1_client *c)
{
    static const struct l1_ops ops = {view,         facts_account, facts_receipt,
                                      facts_seen,   sending_send,  fees_ask,
                                      path_ask,     reads_block,   reads_blobs};
    return (struct l1){&ops, c};
}

bool l1_client_endpoint(const struct l1_client *c, size_t i, struct l1_endpoint_state *out)
{
    if (i >= c->o.rpc_n + c->o.beacon_n) {
        return false;
    }
    bool rpc = i < c->o.rpc_n;
    const struct endpoint *e = rpc ? &c->rpc[i] : &c->beacon[i - c->o.rpc_n];
    *out = e->state;
    out->usable = rpc ? !e->dead && quorum_usable(&c->quorum, e->index) : !e->dead;
    return true;
}

static void part_closed(struct l1_client *c)
{
    if (--c->closing == 0) {
        void (*closed)(void *arg) = c->closed;
        void *arg = c->closed_arg;
        free_client(c);
        closed(arg);
    }
}

static void on_http_closed(void *arg)
{
    part_closed(arg);
}

static void on_timer_closed(uv_handle_t *handle)
{
    part_closed(handle->data);
}

void l1_client_close(struct l1_client *c, void (*closed)(void *arg), void *arg)
{
    c->closed = closed;
    c->closed_arg = arg;
    c->closing = 3;
    uv_close((uv_handle_t *)&c->tick, on_timer_closed);
    uv_close((uv_handle_t *)&c->soon, on_timer_closed);
    http_close(c->http, on_http_closed, c);
    while (c->asks != NULL) {
        struct ask *a = c->asks;
        c->asks = a->next;
        ask_drop(a);
    }
}
