#define _GNU_SOURCE
#include "sequencer/rpc/http.h"

#include <stdio.h>
#include <strings.h>

#include "proto/limits.h"
#include "sequencer/rpc/server.h"
#include "sequencer/rpc/ws.h"

static const char *const header_name[HEADER_COUNT] = {
    [HEADER_HOST] = "host",
    [HEADER_ORIGIN] = "origin",
    [HEADER_AUTHORIZATION] = "authorization",
    [HEADER_CONTENT_TYPE] = "content-type",
    [HEADER_UPGRADE] = "upgrade",
    [HEADER_EXPECT] = "expect",
    [HEADER_WS_KEY] = "sec-websocket-key",
    [HEADER_WS_VERSION] = "sec-websocket-version",
    [HEADER_ASKED_HEADERS] = "access-control-request-headers",
};

static struct connection *conn_of(llhttp_t *p)
{
    return p->data;
}

/* ---- parser callbacks ------------------------------------------------------------------------ */

static int on_begin(llhttp_t *p)
{
    struct connection *c = conn_of(p);
    struct http *h = &c->http;
    h->url[0] = 0;
    for (int i = 0; i < HEADER_COUNT; i++) {
        h->value[i][0] = 0;
        h->seen[i] = false;
    }
    h->head_bytes = 0;
    h->field_n = 0;
    h->header = -1;
    h->refuse = 400;
    h->begun = true;
    c->since_ms = uv_now(c->rpc->loop);
    text_clear(&h->body);
    return 0;
}

/* Counts the bytes of the head; over the bound the request is refused whatever it holds. */
static bool head_fits(struct http *h, size_t n)
{
    h->head_bytes += n;
    if (h->head_bytes > LIMIT_RPC_HEADER) {
        h->refuse = 431;
        return false;
    }
    return true;
}

static int on_url(llhttp_t *p, const char *at, size_t n)
{
    struct http *h = &conn_of(p)->http;
    size_t have = strlen(h->url);
    h->head_bytes += n;
    if (have + n >= URL_SIZE) { /* long before it is more than a head may be */
        h->refuse = 414;
        return HPE_USER;
    }
    memcpy(h->url + have, at, n);
    h->url[have + n] = 0;
    return 0;
}

static int on_field(llhttp_t *p, const char *at, size_t n)
{
    struct http *h = &conn_of(p)->http;
    if (!head_fits(h, n)) {
        return HPE_USER;
    }
    size_t room = FIELD_SIZE - 1 - h->field_n;
    size_t take = n < room ? n : room; /* none of ours is as long as the buffer */
    memcpy(h->field + h->field_n, at, take);
    h->field_n += take;
    return 0;
}

static int on_field_end(llhttp_t *p)
{
    struct http *h = &conn_of(p)->http;
    h->field[h->field_n] = 0;
    h->field_n = 0;
    h->value_n = 0;
    h->header = -1;
    for (int i = 0; i < HEADER_COUNT; i++) {
        if (strcasecmp(h->field, header_name[i]) == 0) {
            h->header = i;
        }
    }
    if (h->header < 0) {
        return 0;
    }
    /* Two hosts, two tokens: whoever sits in between may have read the other one. */
    bool twice = h->seen[h->header];
    h->seen[h->header] = true;
    return twice ? HPE_USER : 0;
}

static int on_value(llhttp_t *p, const char *at, size_t n)
{
    struct http *h = &conn_of(p)->http;
    if (!head_fits(h, n)) {
        return HPE_USER;
    }
    if (h->header < 0) {
        return 0;
    }
    if (h->value_n + n >= HEADER_VALUE_SIZE) {
        h->refuse = 431;
        return HPE_USER;
    }
    char *value = h->value[h->header];
    memcpy(value + h->value_n, at, n);
    h->value_n += n;
    value[h->value_n] = 0;
    return 0;
}

static int on_head(llhttp_t *p)
{
    struct connection *c = conn_of(p);
    struct http *h = &c->http;
    if (p->http_major != 1) {
        return -1; /* llhttp takes the requests of HTTP/0.9, too */
    }
    if ((p->flags & F_CONTENT_LENGTH) != 0 && p->content_length > LIMIT_RPC_BODY) {
        h->refuse = 413;
        return -1;
    }
    /* The pause after each request is all that an upgrade needs; a request for one that is refused
     * (h2c, another version of WebSocket) is answered in HTTP, and the connection stays HTTP. */
    p->upgrade = 0;
    bool has_body = (p->flags & F_CHUNKED) != 0 || p->content_length > 0;
    if (has_body && strcasecmp(h->value[HEADER_EXPECT], "100-continue") == 0) {
        struct text go = {0};
        TEXT_LITERAL(&go, "HTTP/1.1 100 Continue\r\n\r\n");
        connection_write(c, &go, NULL);
    }
    return 0;
}

static int on_body(llhttp_t *p, const char *at, size_t n)
{
    struct http *h = &conn_of(p)->http;
    if (h->body.n + n > LIMIT_RPC_BODY) {
        h->refuse = 413;
        return HPE_USER;
    }
    text_put(&h->body, at, n);
    if (h->body.failed) {
        h->refuse = 503;
        return HPE_USER;
    }
    return 0;
}

static int on_complete(llhttp_t *p)
{
    struct http *h = &conn_of(p)->http;
    h->keep_alive = llhttp_should_keep_alive(p) != 0;
    h->head_only = llhttp_get_method(p) == HTTP_HEAD;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_message_begin = on_begin,
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_field_complete = on_field_end,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

void http_init(struct connection *c)
{
    llhttp_init(&c->http.parser, HTTP_REQUEST, &settings);
    c->http.parser.data = c;
    c->http.begun = true; /* a connection that never speaks is a request that never comes */
}

void http_fini(struct connection *c)
{
    text_free(&c->http.body);
    text_free(&c->http.rest);
}

/* ---- input ---------------------------------------------------------------------------------- */

static const char *refusal(int status)
{
    switch (status) {
    case 413:
        return "request body too large";
    case 414:
        return "request path too long";
    case 431:
        return "request header too large";
    case 503:
        return "out of memory, try again later";
    default:
        return "bad request";
    }
}

/* One request at a time: what comes after it waits, unread beyond what was read already. */
static void keep_rest(struct connection *c, const char *p, size_t n)
{
    text_put(&c->http.rest, p, n);
    connection_read(c, false);
    if (c->http.rest.failed) {
        connection_close(c);
    }
}

void http_feed(struct connection *c, const char *p, size_t n)
{
    struct http *h = &c->http;
    h->feeding = true;
    while (n > 0 && !h->busy && c->mode == CONNECTION_HTTP && !c->closing) {
        llhttp_errno_t e = llhttp_execute(&h->parser, p, n);
        if (e == HPE_OK) {
            n = 0;
            break;
        }
        if (e != HPE_PAUSED) {
            if (h->refuse == 413 || h->refuse == 431) {
                server_limit_hit(c->rpc, h->refuse == 413 ? "RPC_BODY" : "RPC_HEADER");
            }
            http_refuse(c, h->refuse, refusal(h->refuse));
            break;
        }
        const char *next = llhttp_get_error_pos(&h->parser);
        n -= (size_t)(next - p);
        p = next;
        llhttp_resume(&h->parser);
        h->begun = false;
        h->busy = true;
        http_route(c);
    }
    h->feeding = false;
    if (n == 0 || c->closing) {
        return;
    }
    if (c->mode == CONNECTION_WS) {
        ws_feed(c, p, n);
    } else if (c->mode == CONNECTION_HTTP) {
        keep_rest(c, p, n);
    }
}

/* ---- output --------------------------------------------------------------------------------- */

static const char *status_text(int status)
{
    switch (status) {
#define STATUS(number, name, text)                                                                 \
    case number:                                                                                   \
        return #text;
        HTTP_STATUS_MAP(STATUS)
#undef STATUS
    default:
        return "";
    }
}

static void put_cors(struct text *t, const struct connection *c)
{
    const char *origin = c->http.value[HEADER_ORIGIN];
    if (origin[0] != 0 && http_origin_allowed(c)) {
        text_format(t, "Access-Control-Allow-Origin: %s\r\nVary: Origin\r\n", origin);
    }
}

static void write_answer(struct connection *c, int status, const char *type, struct text *body,
                         const char *headers)
{
    struct http *h = &c->http;
    struct text head = {0};
    text_format(&head, "HTTP/1.1 %d %s\r\n", status, status_text(status));
    if (type != NULL) {
        text_format(&head, "Content-Type: %s\r\nX-Content-Type-Options: nosniff\r\n", type);
    }
    put_cors(&head, c);
    text_str(&head, headers != NULL ? headers : "");
    text_format(&head, "Content-Length: %zu\r\n%s\r\n", body != NULL ? body->n : 0,
                h->keep_alive ? "" : "Connection: close\r\n");
    if (body != NULL && h->head_only) {
        text_free(body);
    }
    connection_write(c, &head, body);
}

/* After the answer: the rest of the input, which may hold further requests. */
static void go_on(struct connection *c)
{
    struct http *h = &c->http;
    if (h->feeding) {
        return; /* http_feed is below us on the stack and goes on by itself */
    }
    struct text rest = h->rest;
    h->rest = (struct text){0};
    connection_read(c, true);
    if (rest.n > 0) {
        http_feed(c, rest.p, rest.n);
    }
    text_free(&rest);
}

void http_answer(struct connection *c, int status, const char *type, struct text *body,
                 const char *headers)
{
    struct http *h = &c->http;
    write_answer(c, status, type, body, headers);
    h->busy = false;
    text_clear(&h->body);
    if (c->closing) {
        return;
    }
    if (!h->keep_alive) {
        connection_linger(c);
        return;
    }
    go_on(c);
}

void http_refuse(struct connection *c, int status, const char *sentence)
{
    struct text body = {0};
    text_str(&body, sentence);
    TEXT_LITERAL(&body, "\n");
    c->http.keep_alive = false;
    c->http.begun = false;
    write_answer(c, status, "text/plain; charset=utf-8", &body,
                 status == 429 || status == 503 ? "Retry-After: 1\r\n" : NULL);
    connection_linger(c);
}
