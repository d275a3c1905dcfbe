#define _GNU_SOURCE
#include "p2p/connection.h"

#include <stdlib.h>

#include <openssl/rand.h>

#include "p2p/socket.h"

enum { RETIRED_MS = 1000 };

struct queued_write {
    uv_write_t req;
    struct connection *c;
    uint8_t data[];
};

static void flush(struct connection *c, bool defer);

uint64_t connection_now_us(void)
{
    return uv_hrtime() / 1000;
}

static uv_stream_t *stream_of(struct connection *c)
{
    return (uv_stream_t *)&c->tcp;
}

static void on_closed(uv_handle_t *handle)
{
    struct connection *c = handle->data;
    c->host->closed(c->host->ctx, c);
    tls_free(c->tls);
    frame_reader_free(&c->reader);
    free(c);
}

void connection_end(struct connection *c, enum connection_cause cause, enum err e, const char *why)
{
    if (c->state == CONNECTION_CLOSED) {
        return;
    }
    if (cause == CAUSE_LOCAL || cause == CAUSE_BAD) { /* an alert or a last frame may wait */
        flush(c, false);
        if (c->state == CONNECTION_CLOSED) {
            return;
        }
    }
    c->state = CONNECTION_CLOSED;
    uv_close((uv_handle_t *)&c->tcp, on_closed);
    c->host->ended(c->host->ctx, c, cause, e, why);
}

static void on_written(uv_write_t *req, int status)
{
    struct queued_write *w = req->data;
    struct connection *c = w->c;
    free(w);
    if (status < 0) {
        connection_end(c, CAUSE_RESET, ERR_UNREACHABLE, "the connection broke");
        return;
    }
    flush(c, false);
    connection_pump(c);
}

static void queue_rest(struct connection *c, const uint8_t *p, size_t n)
{
    struct queued_write *w = malloc(sizeof *w + n);
    if (w == NULL) {
        connection_end(c, CAUSE_RESET, ERR_NO_MEMORY, "out of memory");
        return;
    }
    w->req.data = w;
    w->c = c;
    memcpy(w->data, p, n);
    uv_buf_t buf = uv_buf_init((char *)w->data, (unsigned)n);
    if (uv_write(&w->req, stream_of(c), &buf, 1, on_written) != 0) {
        free(w);
        connection_end(c, CAUSE_RESET, ERR_UNREACHABLE, "the connection broke");
    }
}

/* Writes the ciphertext that waits. `defer`: through the loop, so that other peers have their
 * turn before this one goes on. While a write is queued its completion calls here again. */
static void flush(struct connection *c, bool defer)
{
    uint8_t *out = c->host->cipher_out;
    while (c->state != CONNECTION_CLOSED && c->state != CONNECTION_CONNECTING &&
           tls_pending(c->tls) > 0 && uv_stream_get_write_queue_size(stream_of(c)) == 0) {
        size_t n = tls_take(c->tls, out, CONNECTION_WRITE_BYTES);
        uv_buf_t buf = uv_buf_init((char *)out, (unsigned)n);
        int r = defer ? 0 : uv_try_write(stream_of(c), &buf, 1);
        size_t written = r > 0 ? (size_t)r : 0;
        if (r < 0 && r != UV_EAGAIN) {
            connection_end(c, CAUSE_RESET, ERR_UNREACHABLE, "the connection was reset");
        } else if (written < n) {
            queue_rest(c, out + written, n - written);
            return;
        }
    }
}

static bool may_pull(struct connection *c)
{
    return c->state == CONNECTION_LIVE && c->lanes != NULL &&
           uv_stream_get_write_queue_size(stream_of(c)) == 0;
}

void connection_pump(struct connection *c)
{
    uint8_t *plain = c->host->plain_out;
    size_t total = 0;
    while (may_pull(c)) {
        size_t n = lanes_pull(c->lanes, plain, TLS_RECORD_BYTES);
        if (n == 0) {
            break;
        }
        if (tls_write(c->tls, bytes_of(plain, n)) != OK) {
            connection_end(c, CAUSE_RESET, ERR_CRYPTO, "TLS refused to encrypt");
            return;
        }
        total += n;
        if (total >= LIMIT_PEER_WRITE_BYTES) {
            flush(c, true);
            return;
        }
        if (tls_pending(c->tls) > CONNECTION_WRITE_BYTES - 2 * TLS_RECORD_BYTES) {
            flush(c, false);
        }
    }
    flush(c, false);
}

static enum err send_control(struct connection *c, uint8_t tag, const void *p, size_t n)
{
    struct frame *f = frame_new(tag, n);
    if (f == NULL) {
        return ERR_NO_MEMORY;
    }
    if (n > 0) {
        memcpy(f->data, p, n);
    }
    uint8_t out[FRAGMENT_HEAD + HELLO_BYTES];
    size_t sent = 0;
    bool done = false;
    size_t len = fragment_write(out, sizeof out, f, &sent, &done);
    frame_unref(f);
    return tls_write(c->tls, bytes_of(out, len));
}

static enum err say_hello(struct connection *c)
{
    uint8_t nonce[32];
    uint8_t out[HELLO_BYTES];
    if (RAND_bytes(nonce, sizeof nonce) != 1) {
        return ERR_CRYPTO;
    }
    c->mine = hello_plain_make(c->host->epoch, c->host->self, c->host->instance, nonce);
    hello_plain_encode(out, &c->mine);
    c->state = CONNECTION_HELLO;
    return send_control(c, FRAME_HELLO, out, sizeof out);
}

static enum err take_hello(struct connection *c, struct bytes payload)
{
    TRY(hello_plain_decode(&c->theirs, payload));
    TRY(hello_plain_check(c->host->epoch, &c->theirs, &c->why));
    TRY(c->host->hello(c->host->ctx, c));
    if (c->frozen || c->state == CONNECTION_CLOSED) {
        return OK;
    }
    struct hash exporter;
    uint8_t proof[PROOF_BYTES];
    TRY(tls_exporter(c->tls, &exporter));
    TRY(hello_prove(proof, c->host->epoch, c->host->key, &c->mine, &c->theirs, &exporter,
                    c->host->journal_sequence(c->host->ctx)));
    c->state = CONNECTION_PROOF;
    return send_control(c, FRAME_PROOF, proof, sizeof proof);
}

static enum err take_proof(struct connection *c, struct bytes payload)
{
    struct hash exporter;
    TRY(tls_exporter(c->tls, &exporter));
    c->why = "does not hold the key of the member that it names";
    TRY(hello_verify(c->host->epoch, payload, &c->mine, &c->theirs, &exporter,
                     &c->journal_sequence));
    c->why = NULL;
    c->proved = true;
    c->state = CONNECTION_LIVE;
    connection_heard(c, connection_now_us());
    flush(c, false); /* the own proof must have left before this connection can be retired */
    if (c->state != CONNECTION_CLOSED) {
        c->host->proved(c->host->ctx, c);
    }
    return OK;
}

static enum err on_frame(void *ctx, uint8_t tag, struct bytes payload)
{
    struct connection *c = ctx;
    switch (c->state) {
    case CONNECTION_HELLO:
        return tag == FRAME_HELLO ? take_hello(c, payload) : ERR_MALFORMED;
    case CONNECTION_PROOF:
        return tag == FRAME_PROOF ? take_proof(c, payload) : ERR_MALFORMED;
    case CONNECTION_LIVE:
    case CONNECTION_RETIRED:
        if (tag == FRAME_HELLO || tag == FRAME_PROOF) {
            return ERR_MALFORMED;
        }
        return c->host->frame(c->host->ctx, c, tag, payload);
    case CONNECTION_CLOSED:
        return ERR_UNREACHABLE; /* closed by what an earlier frame led to: hear no more */
    case CONNECTION_CONNECTING:
    case CONNECTION_TLS:
        break;
    }
    return ERR_MALFORMED;
}

static enum err read_plain(struct connection *c)
{
    uint8_t *plain = c->host->plain_in;
    while (c->state != CONNECTION_CLOSED && !c->frozen) {
        size_t n = 0;
        TRY(tls_read(c->tls, plain, TLS_RECORD_BYTES, &n));
        if (n == 0) {
            break;
        }
        TRY(frame_reader_feed(&c->reader, bytes_of(plain, n), on_frame, c));
    }
    return OK;
}

static enum err go_on(struct connection *c)
{
    if (c->state == CONNECTION_TLS) {
        bool done = false;
        TRY(tls_handshake(c->tls, &done));
        if (!done) {
            return OK;
        }
        TRY(say_hello(c));
    }
    return read_plain(c);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct connection *c = handle->data;
    *buf = uv_buf_init((char *)c->host->cipher_in, CONNECTION_READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct connection *c = stream->data;
    if (n < 0) {
        connection_end(c, CAUSE_RESET, ERR_UNREACHABLE,
                       n == UV_EOF ? "closed by the other side" : "reset by the other side");
        return;
    }
    if (c->frozen || c->state == CONNECTION_CLOSED) {
        return;
    }
    enum err e = tls_feed(c->tls, bytes_of(buf->base, (size_t)n));
    if (e == OK) {
        e = go_on(c);
    }
    if (e == OK) {
        flush(c, false);
    } else if (e == ERR_UNREACHABLE) {
        connection_end(c, CAUSE_RESET, e, "closed by the other side");
    } else {
        enum connection_cause cause = err_class(e) == ERR_CLASS_PEER ? CAUSE_BAD : CAUSE_LOCAL;
        connection_end(c, cause, e, c->why != NULL ? c->why : err_text(e));
    }
}

static enum err make(struct connection **out, struct connection_host *host, enum tls_side side)
{
    struct connection *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err e = tls_make(&c->tls, host->tls, side);
    if (e == OK && uv_tcp_init(host->loop, &c->tcp) != 0) {
        e = ERR_IO;
    }
    if (e != OK) {
        tls_free(c->tls);
        free(c);
        return e;
    }
    c->tcp.data = c;
    c->host = host;
    c->expected = -1;
    c->deadline_us = connection_now_us() + LIMIT_HANDSHAKE_MS * UINT64_C(1000);
    *out = c;
    return OK;
}

static void begin_tls(struct connection *c)
{
    c->state = CONNECTION_TLS;
    socket_tune(&c->tcp);
    enum err e = go_on(c);
    if (e != OK || uv_read_start(stream_of(c), on_alloc, on_read) != 0) {
        connection_end(c, CAUSE_LOCAL, e == OK ? ERR_IO : e, "cannot begin TLS");
        return;
    }
    flush(c, false);
}

static void on_connected(uv_connect_t *req, int status)
{
    struct connection *c = req->data;
    if (status == 0) {
        begin_tls(c);
    } else {
        connection_end(c, CAUSE_RESET, ERR_UNREACHABLE, "cannot connect");
    }
}

enum err connection_dial(struct connection **out, struct connection_host *host,
                         const struct sockaddr *to, int expected)
{
    struct connection *c = NULL;
    TRY(make(&c, host, TLS_CLIENT));
    c->state = CONNECTION_CONNECTING;
    c->expected = expected;
    c->connecting.data = c;
    socket_address(c->ip, c->address, sizeof c->address, to);
    *out = c;
    if (uv_tcp_connect(&c->connecting, &c->tcp, to, on_connected) != 0) {
        c->state = CONNECTION_CLOSED;
        uv_close((uv_handle_t *)&c->tcp, on_closed);
        return ERR_UNREACHABLE;
    }
    return OK;
}

enum err connection_accept(struct connection **out, struct connection_host *host,
                           uv_stream_t *listener)
{
    struct connection *c = NULL;
    struct sockaddr_storage from;
    int len = sizeof from;
    TRY(make(&c, host, TLS_SERVER));
    *out = c;
    if (uv_accept(listener, stream_of(c)) != 0 ||
        uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&from, &len) != 0) {
        c->state = CONNECTION_CLOSED;
        uv_close((uv_handle_t *)&c->tcp, on_closed);
        return ERR_IO;
    }
    socket_address(c->ip, c->address, sizeof c->address, (const struct sockaddr *)&from);
    begin_tls(c);
    return OK;
}

void connection_freeze(struct connection *c)
{
    c->frozen = true;
}

void connection_retire(struct connection *c)
{
    if (c->state != CONNECTION_LIVE) {
        return;
    }
    c->lanes = NULL;
    c->state = CONNECTION_RETIRED;
    c->deadline_us = connection_now_us() + RETIRED_MS * UINT64_C(1000);
    if (send_control(c, FRAME_RETIRE, NULL, 0) != OK) {
        connection_end(c, CAUSE_LOCAL, ERR_CRYPTO, "TLS refused to encrypt");
        return;
    }
    flush(c, false);
}

void connection_heard(struct connection *c, uint64_t now_us)
{
    c->heard_us = now_us;
    if (c->state == CONNECTION_LIVE) {
        c->deadline_us = now_us + LIMIT_PEER_IDLE_MS * UINT64_C(1000);
    }
}
