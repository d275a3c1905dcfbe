#define _GNU_SOURCE
#include "sequencer/cli/head_watch.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "sequencer/cli/doc.h"
#include "sequencer/cli/ws_client.h"

enum { REDIAL_MS = 100 };

#define SUBSCRIBE(id, method, what)                                                                \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\",\"params\":[\"" what "\"]}"
#define NEW_HEADS SUBSCRIBE("1", "eth_subscribe", "newHeads")
#define BLOCKS    SUBSCRIBE("1", "baton_subscribe", "blocks")
#define INCIDENTS SUBSCRIBE("2", "baton_subscribe", "incidents")

struct watched_node {
    struct head_watch *watch;
    struct ws_client *ws; /* NULL: address cannot be resolved */
    int index;
    bool up;
    bool redial;
};

struct head_watch {
    struct head_handlers handlers;
    uv_timer_t timer;
    size_t n;
    struct watched_node node[LIMIT_MEMBERS];
};

bool url_split(const char *url, char host[128], uint16_t *port)
{
    char *name = NULL;
    char *digits = NULL;
    CURLU *u = curl_url();
    bool ok = u != NULL &&
              curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
              curl_url_get(u, CURLUPART_HOST, &name, 0) == CURLUE_OK && strlen(name) < 128 &&
              curl_url_get(u, CURLUPART_PORT, &digits, 0) == CURLUE_OK;
    if (ok) {
        snprintf(host, 128, "%s", name);
        *port = (uint16_t)strtoul(digits, NULL, 10);
    }
    curl_free(name);
    curl_free(digits);
    curl_url_cleanup(u);
    return ok;
}

static void on_open(void *arg)
{
    struct watched_node *node = arg;
    const struct head_handlers *h = &node->watch->handlers;
    node->up = true;
    ws_client_send(node->ws, h->blocks ? BLOCKS : NEW_HEADS);
    if (h->incident != NULL) {
        ws_client_send(node->ws, INCIDENTS);
    }
    if (h->link != NULL) {
        h->link(h->arg, node->index, true);
    }
}

static void on_head(struct watched_node *node, struct json_object *o)
{
    struct head head = {.at_us = uv_hrtime() / 1000, .node = node->index};
    if (!doc_quantity(doc_member(o, "number"), &head.number) ||
        !hex_decode(head.hash.b, 32, doc_text(o, "hash", ""))) {
        return;
    }
    uint64_t leader = doc_u64(o, "leader", UINT64_MAX);
    head.leader = leader < LIMIT_MEMBERS ? (int)leader : -1;
    head.timestamp_ms = doc_u64(o, "timestampMs", doc_u64(o, "timestamp", 0) * 1000);
    node->watch->handlers.head(node->watch->handlers.arg, &head);
}

static void on_text(void *arg, struct bytes text)
{
    struct watched_node *node = arg;
    struct json_object *o = doc_parse(text);
    struct json_object *result = doc_member(doc_member(o, "params"), "result");
    if (doc_member(result, "number") != NULL && doc_member(result, "hash") != NULL) {
        on_head(node, result);
    } else if (doc_member(result, "turn") != NULL && node->watch->handlers.incident != NULL) {
        node->watch->handlers.incident(node->watch->handlers.arg, node->index, result);
    }
    json_object_put(o);
}

static void on_closed(void *arg)
{
    struct watched_node *node = arg;
    const struct head_handlers *h = &node->watch->handlers;
    bool was_up = node->up;
    node->up = false;
    node->redial = true;
    if (was_up && h->link != NULL) {
        h->link(h->arg, node->index, false);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct head_watch *w = timer->data;
    for (size_t i = 0; i < w->n; i++) {
        if (w->node[i].redial) {
            w->node[i].redial = false;
            ws_client_connect(w->node[i].ws);
        }
    }
}

static void start_node(struct head_watch *w, uv_loop_t *loop, size_t i, const char *url)
{
    struct watched_node *node = &w->node[i];
    char host[128];
    uint16_t port = 0;
    *node = (struct watched_node){.watch = w, .index = (int)i};
    const struct ws_handlers handlers = {node, on_open, on_text, on_closed};
    if (url_split(url, host, &port)) {
        node->ws = ws_client_create(loop, host, port, &handlers);
    }
    if (node->ws != NULL) {
        ws_client_connect(node->ws);
    }
}

struct head_watch *head_watch_create(uv_loop_t *loop, const char *const *url, size_t n,
                                     const struct head_handlers *handlers)
{
    struct head_watch *w = calloc(1, sizeof *w);
    if (w == NULL || n > LIMIT_MEMBERS) {
        free(w);
        return NULL;
    }
    w->handlers = *handlers;
    w->n = n;
    uv_timer_init(loop, &w->timer);
    w->timer.data = w;
    for (size_t i = 0; i < n; i++) {
        start_node(w, loop, i, url[i]);
    }
    uv_timer_start(&w->timer, on_tick, REDIAL_MS, REDIAL_MS);
    return w;
}

bool head_watch_up(const struct head_watch *w, int node)
{
    return node >= 0 && (size_t)node < w->n && w->node[node].up;
}

size_t head_watch_count_up(const struct head_watch *w)
{
    size_t up = 0;
    for (size_t i = 0; i < w->n; i++) {
        up += w->node[i].up ? 1 : 0;
    }
    return up;
}

static void on_timer_closed(uv_handle_t *h)
{
    free(h->data);
}

void head_watch_destroy(struct head_watch *w)
{
    for (size_t i = 0; i < w->n; i++) {
        if (w->node[i].ws != NULL) {
            ws_client_destroy(w->node[i].ws);
        }
    }
    uv_close((uv_handle_t *)&w->timer, on_timer_closed);
}
