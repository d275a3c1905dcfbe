/* A WebSocket client (RFC 6455) for text messages: connects, tells, reads, answers pings.
 *
 * Life: created -> connecting -> open -> closed, and ws_client_connect again. Every end of a
 * connection, a failed attempt too, is told once by `closed`. Handlers run on the loop thread; text
 * is lent during the call. Messages above LIMIT_CLIENT_ANSWER bytes end the connection. */
#ifndef SEQUENCER_CLI_WS_CLIENT_H
#define SEQUENCER_CLI_WS_CLIENT_H

#include <uv.h>

#include "proto/bytes.h"
#include "proto/error.h"

struct ws_client;

struct ws_handlers {
    void *arg;
    void (*open)(void *arg);
    void (*text)(void *arg, struct bytes text);
    void (*closed)(void *arg);
};

/* `host` is a numeric IPv4 address or a name, resolved when created. NULL: cannot be resolved. */
struct ws_client *ws_client_create(uv_loop_t *loop, const char *host, uint16_t port,
                                   const struct ws_handlers *handlers);
void ws_client_connect(struct ws_client *c);
/* Ignored unless open. */
void ws_client_send(struct ws_client *c, const char *text);
/* No handler is called from here on; freed by the loop. */
void ws_client_destroy(struct ws_client *c);

#endif
