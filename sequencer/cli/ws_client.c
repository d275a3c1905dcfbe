#define _GNU_SOURCE
#include "sequencer/cli/ws_client.h"

#include <netdb.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/limits.h"

enum { READ_CHUNK = 65536, HEAD_MAX = 4096 };
enum opcode {
    OP_CONTINUE = 0,
    OP_TEXT = 1,
    OP_BINARY = 2,
    OP_CLOSE = 8,
    OP_PING = 9,
    OP_PONG = 10
};
enum ws_state { WS_IDLE, WS_CONNECTING, WS_UPGRADING, WS_OPEN, WS_CLOSING };

struct buffer {
    uint8_t *p;
    size_t n;
    size_t cap;
};

struct ws_client {
    uv_loop_t *loop;
    struct ws_handlers handlers;
    struct sockaddr_storage peer;
    char host[128];
    uint16_t port;
    uv_tcp_t tcp;
    uv_connect_t request;
    enum ws_state state;
    bool destroyed;
    struct buffer in;
    struct buffer message; /* fragments of one message */
    char chunk[READ_CHUNK];
};

struct write {
    uv_write_t request;
    uint8_t bytes[];
};

struct frame {
    bool final;
    uint8_t op;
    size_t head;
    size_t len;
};

static bool buffer_append(struct buffer *b, const uint8_t *p, size_t n)
{
    if (b->n + n > LIMIT_CLIENT_ANSWER) {
        return false;
    }
    if (b->n + n > b->cap) {
        size_t cap = (b->n + n) * 2;
        uint8_t *bigger = realloc(b->p, cap);
        if (bigger == NULL) {
            return false;
        }
        b->p = bigger;
        b->cap = cap;
    }
    if (n > 0) {
        memcpy(b->p + b->n, p, n);
    }
    b->n += n;
    return true;
}

static void buffer_drop(struct buffer *b, size_t n)
{
    if (n > 0) {
        memmove(b->p, b->p + n, b->n - n);
        b->n -= n;
    }
}

static void on_closed(uv_handle_t *h)
{
    struct ws_client *c = h->data;
    c->state = WS_IDLE;
    if (c->destroyed) {
        free(c->in.p);
        free(c->message.p);
        free(c);
        return;
    }
    c->handlers.closed(c->handlers.arg);
}

static void shut(struct ws_client *c)
{
    if (c->state != WS_IDLE && c->state != WS_CLOSING) {
        c->state = WS_CLOSING;
        uv_close((uv_handle_t *)&c->tcp, on_closed);
    }
}

static void on_written(uv_write_t *request, int status)
{
    (void)status;
    free(request->data);
}

static void write_bytes(struct ws_client *c, const uint8_t *p, size_t n)
{
    struct write *w = malloc(sizeof *w + n);
    if (w == NULL) {
        shut(c);
        return;
    }
    memcpy(w->bytes, p, n);
    w->request.data = w;
    uv_buf_t buf = uv_buf_init((char *)w->bytes, (unsigned)n);
    if (uv_write(&w->request, (uv_stream_t *)&c->tcp, &buf, 1, on_written) != 0) {
        free(w);
        shut(c);
    }
}

/* A client's frames are masked (RFC 6455, 5.3). */
static void send_frame(struct ws_client *c, uint8_t op, const uint8_t *p, size_t n)
{
    uint8_t mask[4];
    size_t head = n < 126 ? 2 : 4;
    if (n > UINT16_MAX || RAND_bytes(mask, sizeof mask) != 1) {
        return;
    }
    uint8_t *out = malloc(head + 4 + n);
    if (out == NULL) {
        return;
    }
    out[0] = (uint8_t)(0x80 | op);
    out[1] = (uint8_t)(0x80 | (n < 126 ? n : 126));
    if (head == 4) {
        out[2] = (uint8_t)(n >> 8);
        out[3] = (uint8_t)n;
    }
    memcpy(out + head, mask, 4);
    for (size_t i = 0; i < n; i++) {
        out[head + 4 + i] = p[i] ^ mask[i % 4];
    }
    write_bytes(c, out, head + 4 + n);
    free(out);
}

/* False: more bytes are needed. A masked or oversized frame has len SIZE_MAX. */
static bool frame_read(struct frame *f, const struct buffer *in)
{
    if (in->n < 2) {
        return false;
    }
    uint8_t small = in->p[1] & 0x7f;
    size_t extra = small < 126 ? 0 : small == 126 ? 2 : 8;
    f->final = (in->p[0] & 0x80) != 0;
    f->op = in->p[0] & 0x0f;
    f->head = 2 + extra;
    if ((in->p[1] & 0x80) != 0) {
        f->len = SIZE_MAX;
        return true;
    }
    if (in->n < f->head) {
        return false;
    }
    uint64_t len = small;
    for (size_t i = 0; i < extra; i++) {
        len = (i == 0 ? 0 : len << 8) | in->p[2 + i];
    }
    f->len = len > LIMIT_CLIENT_ANSWER ? SIZE_MAX : (size_t)len;
    return f->len == SIZE_MAX || in->n >= f->head + f->len;
}

static void on_frame(struct ws_client *c, const struct frame *f)
{
    const uint8_t *p = c->in.p + f->head;
    if (f->op == OP_PING) {
        send_frame(c, OP_PONG, p, f->len);
    } else if (f->op == OP_CLOSE) {
        shut(c);
    } else if (f->op == OP_TEXT || f->op == OP_CONTINUE || f->op == OP_BINARY) {
        if (!buffer_append(&c->message, p, f->len)) {
            shut(c);
        } else if (f->final) {
            c->handlers.text(c->handlers.arg, bytes_of(c->message.p, c->message.n));
            c->message.n = 0;
        }
    }
}

static void read_frames(struct ws_client *c)
{
    struct frame f;
    while (c->state == WS_OPEN && frame_read(&f, &c->in)) {
        if (f.len == SIZE_MAX) {
            shut(c);
            return;
        }
        on_frame(c, &f);
        buffer_drop(&c->in, f.head + f.len);
    }
}

static void read_upgrade(struct ws_client *c)
{
    const uint8_t *end = memmem(c->in.p, c->in.n, "\r\n\r\n", 4);
    if (end == NULL) {
        if (c->in.n > HEAD_MAX) {
            shut(c);
        }
        return;
    }
    if (c->in.n < 12 || memcmp(c->in.p, "HTTP/1.1 101", 12) != 0) {
        shut(c);
        return;
    }
    buffer_drop(&c->in, (size_t)(end - c->in.p) + 4);
    c->state = WS_OPEN;
    c->handlers.open(c->handlers.arg);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct ws_client *c = stream->data;
    if (n < 0 || (n > 0 && !buffer_append(&c->in, (const uint8_t *)buf->base, (size_t)n))) {
        shut(c);
        return;
    }
    if (c->state == WS_UPGRADING) {
        read_upgrade(c);
    }
    if (c->state == WS_OPEN) {
        read_frames(c);
    }
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct ws_client *c = h->data;
    (void)suggested;
    *buf = uv_buf_init(c->chunk, sizeof c->chunk);
}

static void ask_upgrade(struct ws_client *c)
{
    uint8_t nonce[16];
    unsigned char key[32];
    char head[512];
    if (RAND_bytes(nonce, sizeof nonce) != 1) {
        shut(c);
        return;
    }
    EVP_EncodeBlock(key, nonce, sizeof nonce);
    int n = snprintf(head, sizeof head,
                     "GET / HTTP/1.1\r\nHost: %s:%u\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                     "Sec-WebSocket-Version: 13\r\n\r\n",
                     c->host, (unsigned)c->port, (const char *)key);
    write_bytes(c, (const uint8_t *)head, (size_t)n);
}

static void on_connected(uv_connect_t *request, int status)
{
    struct ws_client *c = request->data;
    if (status != 0 || c->state != WS_CONNECTING) {
        shut(c);
        return;
    }
    c->state = WS_UPGRADING;
    uv_tcp_nodelay(&c->tcp, 1);
    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    ask_upgrade(c);
}

void ws_client_connect(struct ws_client *c)
{
    if (c->state != WS_IDLE) {
        return;
    }
    uv_tcp_init(c->loop, &c->tcp);
    c->tcp.data = c;
    c->request.data = c;
    c->in.n = 0;
    c->message.n = 0;
    c->state = WS_CONNECTING;
    const struct sockaddr *peer = (const struct sockaddr *)(const void *)&c->peer;
    if (uv_tcp_connect(&c->request, &c->tcp, peer, on_connected) != 0) {
        shut(c);
    }
}

static bool resolve(struct ws_client *c)
{
    char port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    snprintf(port, sizeof port, "%u", (unsigned)c->port);
    if (getaddrinfo(c->host, port, &hints, &found) != 0 || found == NULL) {
        return false;
    }
    memcpy(&c->peer, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return true;
}

struct ws_client *ws_client_create(uv_loop_t *loop, const char *host, uint16_t port,
                                   const struct ws_handlers *handlers)
{
    struct ws_client *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    c->loop = loop;
    c->port = port;
    c->handlers = *handlers;
    snprintf(c->host, sizeof c->host, "%s", host);
    if (!resolve(c)) {
        free(c);
        return NULL;
    }
    return c;
}

void ws_client_send(struct ws_client *c, const char *text)
{
    if (c->state == WS_OPEN) {
        send_frame(c, OP_TEXT, (const uint8_t *)text, strlen(text));
    }
}

void ws_client_destroy(struct ws_client *c)
{
    c->destroyed = true;
    if (c->state == WS_IDLE) {
        free(c->in.p);
        free(c->message.p);
        free(c);
        return;
    }
    shut(c);
}
