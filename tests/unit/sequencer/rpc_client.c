/* A client on a blocking socket: nothing of the server's code is used, so that both cannot agree
 * on the same mistake. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "rpc_world.h"

void client_open(struct client *c, uint16_t port)
{
    memset(c, 0, sizeof *c);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(c->fd >= 0);
    struct timeval patience = {.tv_sec = 30};
    int one = 1;
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&a, sizeof a), 0);
}

void client_close(struct client *c)
{
    close(c->fd);
    free(c->buf);
    free(c->body);
    memset(c, 0, sizeof *c);
    c->fd = -1;
}

/* A server that refuses may close while we still send: that is no failure of the test. */
void client_send(struct client *c, const void *p, size_t n)
{
    const char *from = p;
    while (n > 0) {
        ssize_t sent = send(c->fd, from, n, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        from += sent;
        n -= (size_t)sent;
    }
}

void client_text(struct client *c, const char *text)
{
    client_send(c, text, strlen(text));
}

static bool fill(struct client *c)
{
    if (c->cap - c->n < 65536) {
        c->cap = c->cap * 2 + 65537;
        c->buf = realloc(c->buf, c->cap + 1);
        assert_non_null(c->buf);
    }
    ssize_t n = recv(c->fd, c->buf + c->n, c->cap - c->n, 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        fail_msg("the server did not answer");
    }
    if (n <= 0) {
        return false;
    }
    c->n += (size_t)n;
    c->buf[c->n] = 0;
    return true;
}

static void use(struct client *c, size_t n)
{
    memmove(c->buf, c->buf + n, c->n - n);
    c->n -= n;
    c->buf[c->n] = 0;
}

static void take_body(struct client *c, size_t n)
{
    free(c->body);
    c->body = malloc(n + 1);
    assert_non_null(c->body);
    memcpy(c->body, c->buf, n);
    c->body[n] = 0;
    c->body_n = n;
    use(c, n);
}

bool client_answer(struct client *c)
{
    char *end = NULL;
    while (c->n == 0 || (end = strstr(c->buf, "\r\n\r\n")) == NULL) {
        if (!fill(c)) {
            return false;
        }
    }
    size_t head_n = (size_t)(end - c->buf) + 4;
    assert_true(head_n < sizeof c->head);
    memcpy(c->head, c->buf, head_n);
    c->head[head_n] = 0;
    use(c, head_n);
    assert_int_equal(sscanf(c->head, "HTTP/1.1 %d", &c->status), 1);
    const char *length = strcasestr(c->head, "\r\nContent-Length: ");
    size_t want = length != NULL ? strtoul(length + 18, NULL, 10) : 0;
    while (c->n < want) {
        assert_true(fill(c));
    }
    take_body(c, want);
    return true;
}

bool client_sees_end(struct client *c)
{
    while (fill(c)) {
        c->n = 0;
    }
    return true;
}

void client_post(struct client *c, const char *body)
{
    char head[256];
    snprintf(head, sizeof head,
             "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
             "Accept-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
             strlen(body));
    client_text(c, head);
    client_text(c, body);
    assert_true(client_answer(c));
}

void client_get(struct client *c, const char *path)
{
    char head[1024];
    snprintf(head, sizeof head, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path);
    client_text(c, head);
    assert_true(client_answer(c));
}

struct json_object *client_call(struct client *c, const char *method, const char *params)
{
    struct json_object *o = NULL;
    char *body = NULL;
    assert_true(asprintf(&body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\"%s%s}", method,
                         params != NULL ? ",\"params\":" : "", params != NULL ? params : "") > 0);
    client_post(c, body);
    free(body);
    assert_int_equal(c->status, 200);
    o = json_tokener_parse(c->body);
    assert_non_null(o);
    assert_string_equal(json_text(o, "jsonrpc"), "2.0");
    assert_int_equal(json_object_get_int(json_member(o, "id")), 1);
    /* Exactly one of both: "error": null beside a result breaks cast and ethers. */
    assert_true(json_object_object_get_ex(o, "result", NULL) !=
                json_object_object_get_ex(o, "error", NULL));
    return o;
}

struct json_object *client_result(struct client *c, const char *method, const char *params)
{
    struct json_object *o = client_call(c, method, params);
    struct json_object *result = NULL;
    if (!json_object_object_get_ex(o, "result", &result)) {
        fail_msg("%s%s: %s", method, params != NULL ? params : "", c->body);
    }
    json_object_get(result);
    json_object_put(o);
    return result;
}

void client_expect_error(struct client *c, const char *method, const char *params, int code,
                         const char *text)
{
    struct json_object *o = client_call(c, method, params);
    struct json_object *error = json_member(o, "error");
    assert_int_equal(json_object_get_int(json_member(error, "code")), code);
    if (text != NULL) {
        assert_string_equal(json_text(error, "message"), text);
    }
    json_object_put(o);
}

/* ---- WebSocket --------------------------------------------------------------------------------
 */

void ws_client_open(struct client *c, uint16_t port)
{
    client_open(c, port);
    client_text(c, "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                   "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    assert_true(client_answer(c));
    assert_int_equal(c->status, 101);
    /* The example of RFC 6455 1.3. */
    assert_non_null(strstr(c->head, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
}

void ws_client_frame(struct client *c, uint8_t first, const void *p, size_t n, bool masked)
{
    uint8_t head[14] = {first};
    size_t h = 2;
    uint8_t mask[4] = {1, 2, 3, 4};
    if (n < 126) {
        head[1] = (uint8_t)n;
    } else if (n < 65536) {
        head[1] = 126;
        head[2] = (uint8_t)(n >> 8);
        head[3] = (uint8_t)n;
        h = 4;
    } else {
        head[1] = 127;
        store_be64(head + 2, n);
        h = 10;
    }
    uint8_t *data = malloc(n + 1);
    assert_non_null(data);
    memcpy(data, p, n);
    if (masked) {
        head[1] |= 0x80;
        memcpy(head + h, mask, 4);
        h += 4;
        for (size_t i = 0; i < n; i++) {
            data[i] ^= mask[i % 4];
        }
    }
    client_send(c, head, h);
    client_send(c, data, n);
    free(data);
}

void ws_client_text(struct client *c, const char *text)
{
    ws_client_frame(c, 0x81, text, strlen(text), true);
}

static bool need(struct client *c, size_t n)
{
    while (c->n < n) {
        if (!fill(c)) {
            return false;
        }
    }
    return true;
}

int ws_client_next(struct client *c)
{
    if (!need(c, 2)) {
        return -1;
    }
    const uint8_t *p = (const uint8_t *)c->buf;
    int opcode = p[0] & 15;
    size_t n = p[1] & 127;
    size_t h = n == 126 ? 4 : n == 127 ? 10 : 2;
    assert_int_equal(p[1] & 0x80, 0); /* a server does not mask */
    if (!need(c, h)) {
        return -1;
    }
    p = (const uint8_t *)c->buf;
    n = n == 126 ? (size_t)(p[2] << 8 | p[3]) : n == 127 ? (size_t)load_be64(p + 2) : n;
    if (!need(c, h + n)) {
        return -1;
    }
    use(c, h);
    take_body(c, n);
    return opcode;
}

struct json_object *ws_client_json(struct client *c)
{
    assert_int_equal(ws_client_next(c), 1);
    struct json_object *o = json_tokener_parse(c->body);
    assert_non_null(o);
    return o;
}

int ws_client_expect_close(struct client *c)
{
    int opcode = ws_client_next(c);
    while (opcode == 1) {
        opcode = ws_client_next(c);
    }
    assert_int_equal(opcode, 8);
    return c->body_n >= 2 ? (uint8_t)c->body[0] << 8 | (uint8_t)c->body[1] : 0;
}

struct json_object *json_member(struct json_object *o, const char *key)
{
    struct json_object *v = NULL;
    if (!json_object_object_get_ex(o, key, &v)) {
        fail_msg("no member %s in %s", key, json_object_to_json_string(o));
    }
    return v;
}

const char *json_text(struct json_object *o, const char *key)
{
    struct json_object *v = json_member(o, key);
    assert_true(json_object_is_type(v, json_type_string));
    return json_object_get_string(v);
}
