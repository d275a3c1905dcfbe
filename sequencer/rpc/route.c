/* What a complete HTTP request asks for: who may ask (Host, Origin, token), then the path. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <strings.h>

#include "sequencer/rpc/call.h"
#include "sequencer/rpc/page.h"
#include "sequencer/rpc/ws.h"

static const char plain[] = "text/plain; charset=utf-8";

static void answer_text(struct connection *c, int status, const char *sentence)
{
    struct text body = {0};
    text_str(&body, sentence);
    http_answer(c, status, plain, &body, NULL);
}

/* ---- who may ask ---------------------------------------------------------------------------- */

/* The name in a Host value, without port and brackets. */
static size_t host_name(const char *host, const char **name)
{
    *name = host;
    if (host[0] == '[') {
        *name = host + 1;
        return strcspn(*name, "]");
    }
    return strcspn(host, ":");
}

static bool is_address(const char *name, size_t n)
{
    char text[64];
    unsigned char raw[16];
    if (n >= sizeof text) {
        return false;
    }
    memcpy(text, name, n);
    text[n] = 0;
    return uv_inet_pton(AF_INET, text, raw) == 0 || uv_inet_pton(AF_INET6, text, raw) == 0;
}

/* geth's virtual hosts: a page of another name that resolves to us (DNS rebinding) is refused; a
 * literal address cannot be rebound. */
static bool host_allowed(const struct connection *c)
{
    const char *name;
    size_t n = host_name(c->http.value[HEADER_HOST], &name);
    return n == 0 || is_address(name, n) || server_list_has(c->rpc->hosts, name, n);
}

/* "http://name:port" of the very server that was asked. */
static bool origin_is_self(const struct connection *c)
{
    const char *host = strstr(c->http.value[HEADER_ORIGIN], "://");
    return host != NULL && strcasecmp(host + 3, c->http.value[HEADER_HOST]) == 0;
}

bool http_origin_allowed(const struct connection *c)
{
    const char *origin = c->http.value[HEADER_ORIGIN];
    return origin_is_self(c) || server_list_has(c->rpc->cors, origin, strlen(origin));
}

/* A wrong token is refused at once; without one only the admin_ methods are. */
static bool check_token(struct connection *c)
{
    c->authorized = false;
    if (!c->admin || !c->http.seen[HEADER_AUTHORIZATION]) {
        return true;
    }
    c->authorized = server_token_matches(c->rpc, c->http.value[HEADER_AUTHORIZATION]);
    return c->authorized;
}

/* ---- paths ---------------------------------------------------------------------------------- */

/* geth's rule; it also keeps pages of other origins from posting without asking first (CORS). */
static bool is_json(const char *type)
{
    static const char *const known[] = {"application/json", "application/json-rpc",
                                        "application/jsonrequest"};
    size_t n = strcspn(type, "; ");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strlen(known[i]) == n && strncasecmp(type, known[i], n) == 0) {
            return true;
        }
    }
    return false;
}

static void post(struct connection *c)
{
    if (!is_json(c->http.value[HEADER_CONTENT_TYPE])) {
        answer_text(c, 415, "invalid content type, only application/json is supported\n");
        return;
    }
    struct text body = c->http.body;
    c->http.body = (struct text){0};
    message_start(c, body.p, body.n);
    text_free(&body);
}

static void preflight(struct connection *c)
{
    struct text headers = {0};
    if (http_origin_allowed(c)) {
        TEXT_LITERAL(&headers, "Access-Control-Allow-Methods: GET, POST\r\n"
                               "Access-Control-Max-Age: 600\r\n");
        if (c->http.value[HEADER_ASKED_HEADERS][0] != 0) {
            text_format(&headers, "Access-Control-Allow-Headers: %s\r\n",
                        c->http.value[HEADER_ASKED_HEADERS]);
        }
    }
    text_put(&headers, "", 1);
    http_answer(c, 204, NULL, NULL, headers.failed ? NULL : headers.p);
    text_free(&headers);
}

static void get_page(struct connection *c)
{
    struct text body = {0};
    text_put(&body, page_html, page_html_len);
    http_answer(c, 200, "text/html; charset=utf-8", &body,
                "Cache-Control: no-cache\r\n"
                "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "
                "script-src 'unsafe-inline'; connect-src 'self' ws: wss:; img-src data:\r\n");
}

static void get_health(struct connection *c)
{
    answer_text(c, 200, "ok\n");
}

static void get_ready(struct connection *c)
{
    struct rpc_readiness ready = {0};
    c->rpc->backend->readiness(c->rpc->ctx, &ready);
    struct text body = {0};
    text_format(&body, "{\"ready\":%s,\"reasons\":[", ready.ready ? "true" : "false");
    for (uint32_t i = 0; i < ready.reasons && i < RPC_REASONS; i++) {
        text_item(&body);
        text_json(&body, ready.reason[i], strlen(ready.reason[i]));
    }
    TEXT_LITERAL(&body, "],\"details\":[");
    for (uint32_t i = 0; i < ready.reasons && i < RPC_REASONS; i++) {
        const char *detail = ready.detail[i] != NULL ? ready.detail[i] : ready.reason[i];
        text_item(&body);
        text_json(&body, detail, strlen(detail));
    }
    TEXT_LITERAL(&body, "]}");
    http_answer(c, ready.ready ? 200 : 503, "application/json", &body, NULL);
}

static void get_status(struct connection *c)
{
    message_document(c, RPC_DOC_STATUS);
}

static void get_metrics(struct connection *c)
{
    struct text body = {0};
    size_t n = 0;
    char *metrics = c->rpc->backend->metrics(c->rpc->ctx, &n);
    text_put(&body, metrics, metrics != NULL ? n : 0);
    free(metrics);
    http_answer(c, 200, "text/plain; version=0.0.4; charset=utf-8", &body, NULL);
}

enum place { PUBLIC = 1, ADMIN = 2 };
static const struct path {
    const char *name;
    void (*get)(struct connection *c);
    int where;
    bool any_host; /* probes and collectors come by whatever name they were given */
} paths[] = {
    {"/", get_page, PUBLIC, false},
    {"/healthz", get_health, PUBLIC | ADMIN, true},
    {"/readyz", get_ready, PUBLIC | ADMIN, true},
    {"/status.json", get_status, PUBLIC | ADMIN, false},
    {"/metrics", get_metrics, ADMIN, true},
};

static const struct path *path_find(const struct connection *c)
{
    size_t n = strcspn(c->http.url, "?#");
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (strlen(paths[i].name) == n && memcmp(paths[i].name, c->http.url, n) == 0 &&
            (paths[i].where & (c->admin ? ADMIN : PUBLIC)) != 0) {
            return &paths[i];
        }
    }
    return NULL;
}

/* A WebSocket is open to pages of our own and of allowed origins, and to all that is no page. */
static void upgrade(struct connection *c)
{
    const struct http *h = &c->http;
    if (h->value[HEADER_ORIGIN][0] != 0 && !http_origin_allowed(c)) {
        answer_text(c, 403, "origin not allowed\n");
        return;
    }
    if (h->value[HEADER_WS_KEY][0] == 0 || strcmp(h->value[HEADER_WS_VERSION], "13") != 0) {
        struct text body = {0};
        TEXT_LITERAL(&body, "WebSocket version 13 with a key is needed\n");
        http_answer(c, 426, plain, &body, "Sec-WebSocket-Version: 13\r\n");
        return;
    }
    ws_accept(c);
}

static void get(struct connection *c, const struct path *path)
{
    if (path == NULL) {
        answer_text(c, 404,
                    c->admin ? "there are POST /, /metrics, /healthz, /readyz here\n"
                             : "there are /, /healthz, /readyz, /status.json here\n");
        return;
    }
    path->get(c);
}

void http_route(struct connection *c)
{
    uint8_t method = llhttp_get_method(&c->http.parser);
    bool reads = method == HTTP_GET || method == HTTP_HEAD;
    const struct path *path = reads ? path_find(c) : NULL;
    if ((path == NULL || !path->any_host) && !host_allowed(c)) {
        answer_text(c, 403, "invalid host specified\n");
    } else if (!check_token(c)) {
        struct text body = {0};
        TEXT_LITERAL(&body, "wrong token\n");
        http_answer(c, 401, plain, &body, "WWW-Authenticate: Bearer\r\n");
    } else if (reads && strcasecmp(c->http.value[HEADER_UPGRADE], "websocket") == 0) {
        upgrade(c);
    } else if (reads) {
        get(c, path);
    } else if (method == HTTP_POST) {
        post(c);
    } else if (method == HTTP_OPTIONS) {
        preflight(c);
    } else {
        struct text body = {0};
        TEXT_LITERAL(&body, "method not allowed\n");
        http_answer(c, 405, plain, &body, "Allow: GET, HEAD, POST, OPTIONS\r\n");
    }
}
