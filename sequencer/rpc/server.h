/* Inside of the server, shared by the files of this room. Loop thread only.
 *
 * server (rpc.c) -> connection (connection.c) -> http.c or ws.c -> message and its calls
 * (message.c, call.c)
 * -> handler (methods.def) -> backend. Answers travel back the same way. A call outlives its
 * connection when the backend answers late: message->conn is NULL from then on. */
#ifndef SEQUENCER_RPC_SERVER_H
#define SEQUENCER_RPC_SERVER_H

#include "sequencer/rpc/connection.h"
#include "sequencer/rpc/rpc.h"

enum {
    LISTENERS = 2, /* public, admin */
    READ_BYTES = 65536,
    TICK_MS = 250,
    TOKEN_SIZE = 256,
    LIST_SIZE = 512,
    GAS_INDEXES = 16,
    WAITER_BUCKETS = 1024
};

/* Who listens to what; counts over all connections, so that nothing is rendered for nobody. */
enum topic {
    TOPIC_NEW_HEADS,
    TOPIC_LOGS,
    TOPIC_PENDING,
    TOPIC_PENDING_FULL,
    TOPIC_STATUS,
    TOPIC_CERTIFICATES,
    TOPIC_INCIDENTS,
    TOPIC_ACCEPTED,
    TOPIC_BLOCKS,
    TOPIC_COUNT
};

struct waiter;
struct status_question;

/* Gas used up to and with each transaction of a block: receipts of one block are asked for one by
 * one, and each needs the sum over all before it. */
struct gas_index {
    struct hash block;
    uint32_t n;
    uint64_t *upto;
};

struct listener {
    uv_tcp_t tcp;
    struct rpc *rpc;
    bool admin;
    bool open;
    uint16_t port;
};

struct rpc {
    uv_loop_t *loop;
    const struct rpc_backend *backend;
    void *ctx;
    struct listener listener[LISTENERS];
    uv_timer_t tick;
    bool closing;
    uint32_t handles; /* of libuv not yet closed, and jobs on workers */
    void (*closed)(void *arg);
    void *closed_arg;
    struct connection *connections;
    uint32_t connections_n;
    uint32_t subscribers[TOPIC_COUNT];
    struct waiter *waiting[WAITER_BUCKETS]; /* eth_sendRawTransactionSync */
    uint32_t waiting_n;
    uint64_t salt;
    struct status_question *status_question;
    size_t job_bytes; /* lent to workers */
    struct gas_index gas[GAS_INDEXES];
    uint32_t gas_next;
    char token[TOKEN_SIZE];
    char cors[LIST_SIZE];
    char hosts[LIST_SIZE];
    char version[64];
    char read_buffer[READ_BYTES]; /* one for all: it is consumed before the next read */
};

void server_handle_closed(struct rpc *r);
void server_count_connections(struct rpc *r);
void server_limit_hit(struct rpc *r, const char *limit);
/* Whether `item` stands in the comma separated `list`, or the list holds "*". */
bool server_list_has(const char *list, const char *item, size_t n);
bool server_token_matches(const struct rpc *r, const char *authorization);

#endif
