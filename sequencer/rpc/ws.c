#define _GNU_SOURCE
#include "sequencer/rpc/ws.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <wslay/wslay.h>

#include "proto/limits.h"
#include "sequencer/rpc/call.h"

enum { ACCEPT_SIZE = 32 };

/* wslay does no I/O: it reads from `in` and appends frames to `out`. */
struct ws {
    wslay_event_context_ptr event;
    const char *in;
    size_t in_n;
    struct text out;
    bool working; /* inside of wslay, or composing: flush once, at the end */
};

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *buf, size_t n, int flags, void *arg)
{
    (void)flags;
    struct ws *ws = ((struct connection *)arg)->ws;
    if (ws->in_n == 0) {
        wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    n = n < ws->in_n ? n : ws->in_n;
    memcpy(buf, ws->in, n);
    ws->in += n;
    ws->in_n -= n;
    return (ssize_t)n;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *p, size_t n, int flags,
                       void *arg)
{
    (void)flags;
    struct ws *ws = ((struct connection *)arg)->ws;
    text_put(&ws->out, p, n);
    if (ws->out.failed) {
        wslay_event_set_error(ctx, WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    return (ssize_t)n;
}

static void on_message(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *m,
                       void *arg)
{
    struct connection *c = arg;
    if (c->closing) { /* by what came before, of the same piece */
        return;
    }
    if (m->opcode == WSLAY_TEXT_FRAME) {
        message_start(c, (const char *)m->msg, m->msg_length);
    } else if (m->opcode == WSLAY_BINARY_FRAME) {
        static const char why[] = "text messages only";
        wslay_event_queue_close(ctx, WSLAY_CODE_UNSUPPORTED_DATA, (const uint8_t *)why,
                                sizeof why - 1);
    }
}

/* Frames that wslay has queued go to the socket in one write; a closing handshake that is done, or
 * a protocol error whose close frame is out, ends the connection. */
static void flush(struct connection *c)
{
    struct ws *ws = c->ws;
    ws->working = true;
    int status = wslay_event_send(ws->event);
    ws->working = false;
    if (ws->out.n > 0 && status == 0) {
        connection_write(c, &ws->out, NULL);
    }
    if (c->closing) {
        return;
    }
    if (status != 0) {
        connection_close(c);
    } else if (wslay_event_get_close_sent(ws->event)) {
        connection_linger(c);
    }
}

void ws_feed(struct connection *c, const char *p, size_t n)
{
    struct ws *ws = c->ws;
    ws->in = p;
    ws->in_n = n;
    ws->working = true;
    int status = wslay_event_recv(ws->event);
    ws->working = false;
    ws->in_n = 0;
    if (c->closing) {
        return;
    }
    flush(c);
    if (status != 0 && c->mode == CONNECTION_WS) {
        connection_close(c);
    }
}

void ws_send_bytes(struct connection *c, const char *p, size_t n)
{
    struct wslay_event_msg m = {WSLAY_TEXT_FRAME, (const uint8_t *)p, n};
    if (wslay_event_queue_msg(c->ws->event, &m) != 0) {
        return; /* closing: nothing may follow the close frame */
    }
    if (!c->ws->working) {
        flush(c);
    }
}

void ws_send(struct connection *c, struct text *message)
{
    ws_send_bytes(c, message->p, message->n);
    text_free(message);
}

void ws_ping(struct connection *c)
{
    struct wslay_event_msg m = {WSLAY_PING, NULL, 0};
    if (wslay_event_queue_msg(c->ws->event, &m) == 0) {
        flush(c);
    }
}

void ws_free(struct connection *c)
{
    if (c->ws == NULL) {
        return;
    }
    wslay_event_context_free(c->ws->event);
    text_free(&c->ws->out);
    free(c->ws);
    c->ws = NULL;
}

static bool ws_open(struct connection *c)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = on_recv,
        .send_callback = on_send,
        .on_msg_recv_callback = on_message,
    };
    struct ws *ws = calloc(1, sizeof *ws);
    if (ws == NULL) {
        return false;
    }
    if (wslay_event_context_server_init(&ws->event, &callbacks, c) != 0) {
        free(ws);
        return false;
    }
    wslay_event_config_set_max_recv_msg_length(ws->event, LIMIT_RPC_BODY);
    c->ws = ws;
    return true;
}

/* RFC 6455 4.2.2: proves that we understood the handshake, nothing more. */
static void accept_key(char out[ACCEPT_SIZE], const char *key)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[HEADER_VALUE_SIZE + sizeof guid];
    unsigned char digest[SHA_DIGEST_LENGTH];
    size_t n = strlen(key);
    memcpy(text, key, n);
    memcpy(text + n, guid, sizeof guid - 1);
    SHA1((const unsigned char *)text, n + sizeof guid - 1, digest);
    EVP_EncodeBlock((unsigned char *)out, digest, sizeof digest);
}

void ws_accept(struct connection *c)
{
    char key[ACCEPT_SIZE];
    if (!ws_open(c)) {
        http_refuse(c, 503, "out of memory, try again later");
        return;
    }
    struct text head = {0};
    accept_key(key, c->http.value[HEADER_WS_KEY]);
    text_format(&head,
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                key);
    connection_write(c, &head, NULL);
    if (!c->closing) {
        c->mode = CONNECTION_WS;
        c->http.busy = false;
        text_free(&c->http.body);
    }
}
