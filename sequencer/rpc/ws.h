/* WebSocket (RFC 6455) on a connection that was upgraded: the same methods, and subscriptions. */
#ifndef SEQUENCER_RPC_WS_H
#define SEQUENCER_RPC_WS_H

#include "sequencer/rpc/text.h"

struct connection;

/* Answers the upgrade with 101; the connection is WebSocket from then on. */
void ws_accept(struct connection *c);
void ws_feed(struct connection *c, const char *p, size_t n);
/* One text message; takes it over. */
void ws_send(struct connection *c, struct text *message);
/* One text message that stays the caller's. */
void ws_send_bytes(struct connection *c, const char *p, size_t n);
void ws_ping(struct connection *c);
void ws_free(struct connection *c);

#endif
