/* eth_sendRawTransaction and eth_sendRawTransactionSync: what the server must do for the calls
 * that wait for finality. */
#ifndef SEQUENCER_RPC_SEND_H
#define SEQUENCER_RPC_SEND_H

#include "sequencer/rpc/server.h"

/* Answers those that wait for a transaction of this block. */
void send_final(struct rpc *r, const struct rpc_block *b);
/* Answers those whose time is over. */
void send_tick(struct rpc *r, uint64_t now_ms);
/* The server closes: nobody waits any more. */
void send_forget_all(struct rpc *r);

#endif
