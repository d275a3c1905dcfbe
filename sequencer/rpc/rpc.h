/* The server that wallets, scripts and operators talk to: JSON-RPC over HTTP/1.1 and WebSocket,
 * the status page, health and metrics (INTERFACE 2, 5).
 *
 * Two listeners. The public one: POST / (JSON-RPC, batches), GET / (WebSocket upgrade, or the
 * status page), /healthz, /readyz, /status.json. The admin one: POST / for the same methods and
 * admin_* (the latter with the bearer token), /metrics, /healthz, /readyz.
 *
 * Everything happens on the loop thread; rendering of large blocks and sender recovery go to the
 * loop's worker pool. All input is bounded by LIMIT_RPC_* before it is held. */
#ifndef SEQUENCER_RPC_RPC_H
#define SEQUENCER_RPC_RPC_H

#include <uv.h>

#include "sequencer/rpc/backend.h"

struct rpc;

struct rpc_options {
    uv_loop_t *loop;
    const char *listen;       /* "127.0.0.1:8545", "[::]:8545"; port 0: chosen by the system */
    const char *admin_listen; /* NULL or "": no admin port */
    const char *token;        /* of admin_*; NULL or "": every admin_ call is refused */
    const char *cors;         /* allowed origins, comma separated, "*" for any; NULL: none */
    const char *hosts;        /* allowed Host names, "*" for any; NULL: "localhost", as geth */
    const char *version;      /* "v0.1.0": web3_clientVersion says Baton/v0.1.0/linux-amd64/c11 */
    const struct rpc_backend *backend; /* lives longer than the server */
    void *ctx;                         /* first argument of every backend call */
};

/* Binds and listens on both. `why` receives one sentence with the remedy on error.
 * ERR_CONFIG: an address that cannot be parsed; ERR_IN_USE: port taken; ERR_IO, ERR_NO_MEMORY. */
enum err rpc_open(struct rpc **out, const struct rpc_options *o, char *why,
                  size_t why_len) MUST_USE;

/* Stops listening, cuts every connection, calls `closed` on the loop when no handle is left.
 * Answers of the backend that come later are dropped. */
void rpc_close(struct rpc *r, void (*closed)(void *arg), void *arg);

/* Ports as bound (useful after port 0); 0 where there is none. */
uint16_t rpc_port(const struct rpc *r);
uint16_t rpc_admin_port(const struct rpc *r);

/* ---- events from the node, loop thread; arguments are lent during the call -------------------
 * Without a server (NULL: not yet open, or closed) they do nothing. */

/* A block became the latest head, in order of height: newHeads, baton "blocks"; releases
 * eth_sendRawTransactionSync. From here on the backend serves the block by number and hash. */
void rpc_on_final(struct rpc *r, const struct rpc_block *b);
/* Notarized and executed, not yet final: baton "accepted". */
void rpc_on_accepted(struct rpc *r, const struct rpc_block *b);
/* Entered the pool as executable: newPendingTransactions. */
void rpc_on_pending_tx(struct rpc *r, const struct hash *hash, struct bytes raw,
                       const struct address *sender);
/* Leader, readiness, stall or reachability changed: baton "status". The document is asked for
 * only when somebody listens. */
void rpc_on_status(struct rpc *r);
/* The record as baton_incidents and baton_getCertificate show it. */
void rpc_on_incident(struct rpc *r, struct json_object *incident);
void rpc_on_certificate(struct rpc *r, struct json_object *certificate);
/* Whether anybody subscribed to it: spares the node from writing documents for nobody. */
bool rpc_wants_certificates(const struct rpc *r);
bool rpc_wants_incidents(const struct rpc *r);

#endif
