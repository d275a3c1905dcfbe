/* One client connection: bytes in and out, bounds, its death. What the bytes mean is HTTP's
 * (http.c) at first and WebSocket's (ws.c) after an upgrade.
 *
 *   HTTP --upgrade--> WS
 *    |                 |
 *    +--refuse--> LINGER (the last answer is out; input is read and dropped until the other side
 *                         has seen it and closes, or LINGER_MS)
 *
 * The memory goes in the close callback of libuv; nobody keeps a pointer over a return to the loop
 * but messages, which are told. */
#ifndef SEQUENCER_RPC_CONNECTION_H
#define SEQUENCER_RPC_CONNECTION_H

#include <uv.h>

#include "sequencer/rpc/http.h"
#include "sequencer/rpc/text.h"

struct rpc;
struct message;
struct subscription;
struct ws;

enum connection_mode { CONNECTION_HTTP, CONNECTION_WS, CONNECTION_LINGER };

struct connection {
    uv_tcp_t tcp;
    struct rpc *rpc;
    struct connection *next;
    struct connection *prev;
    enum connection_mode mode;
    bool admin;      /* came in by the admin port */
    bool authorized; /* showed the token, for this request or at the upgrade */
    bool closing;
    uint8_t ip[16];
    uint64_t moved_ms;        /* bytes last moved, either way */
    uint64_t since_ms;        /* request or lingering began */
    struct message *messages; /* being answered */
    uint32_t calls;           /* in them */
    struct http http;
    struct ws *ws;
    struct subscription *subscriptions;
    uint32_t subscriptions_n;
};

/* Takes a connection off a listener's queue, or refuses it with 429 or 503. */
void connection_accept_client(struct rpc *r, uv_stream_t *listener, bool admin);
/* Sends both texts (the second may be NULL) and takes them over. A reader so slow that more than
 * LIMIT_RPC_OUT_BYTES wait already is cut. */
void connection_write(struct connection *c, struct text *head, struct text *body);
void connection_read(struct connection *c, bool on);
/* No more requests: what was written goes out, then the connection ends. */
void connection_linger(struct connection *c);
void connection_close(struct connection *c);
/* Deadlines; every TICK_MS. */
void connection_tick(struct connection *c, uint64_t now_ms);

#endif
