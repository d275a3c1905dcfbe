/* Subscriptions of WebSocket connections. */
#ifndef SEQUENCER_RPC_SUBSCRIBE_H
#define SEQUENCER_RPC_SUBSCRIBE_H

struct connection;
struct rpc;

void subscribe_forget_all(struct connection *c);
/* The server closes: an answer that is still to come finds nobody. */
void subscribe_forget_question(struct rpc *r);

#endif
