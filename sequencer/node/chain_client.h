/* What users ask of a node that only its execution client knows: whole methods, and accounts at a
 * final block. Loop thread; answers come through the callback, also when they are errors. */
#ifndef SEQUENCER_NODE_CHAIN_CLIENT_H
#define SEQUENCER_NODE_CHAIN_CLIENT_H

#include "sequencer/node/parts.h"

/* `ctx`: the node. For struct rpc_backend. */
void chain_forward(void *ctx, const char *method, struct bytes params, rpc_forward_cb cb, void *arg);
void chain_client_account(struct node *n, uint64_t number, const struct address *a,
                          rpc_account_cb cb, void *arg);

#endif
