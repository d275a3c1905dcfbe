/* JSON-RPC 2.0: a message (one request or a batch) and its calls.
 *
 * A handler answers its call exactly once, now or later: call_result, one JSON value, call_done;
 * or call_error. When it answers later it asks call_gone first: the client may have left, or the
 * server may be closed; then nothing of either may be touched.
 *
 * A message is answered as a whole when its last call is. Calls that go to a worker run one at a
 * time within a message, so that one batch cannot take the pool or the memory for itself. */
#ifndef SEQUENCER_RPC_CALL_H
#define SEQUENCER_RPC_CALL_H

#include "sequencer/rpc/server.h"

/* Codes of JSON-RPC 2.0, EIP-1474 and geth. */
enum rpc_code {
    CODE_PARSE = -32700,
    CODE_REQUEST = -32600,
    CODE_METHOD = -32601,
    CODE_PARAMS = -32602,
    CODE_INTERNAL = -32603,
    CODE_SERVER = -32000,
    CODE_UNAUTHORIZED = -32001,
    CODE_TOO_LARGE = -32003,
    CODE_BUSY = -32005,
    CODE_SYNC_TIMEOUT = 4
};

enum method_flag {
    METHOD_PUBLIC = 0,
    METHOD_ADMIN = 1, /* admin port and token only */
    METHOD_CLIENT = 2, /* answered by the execution client where there is one */
    /* With METHOD_CLIENT, what is final alone is asked for (forward.c): */
    METHOD_NULL = 4,   /* a block that is not is answered with null, not with an error */
    METHOD_TX = 8,     /* the first parameter is the hash of a transaction */
    METHOD_FILTER = 16 /* the first parameter is the filter of eth_getLogs */
};
/* The parameter that names a block, from 0. */
#define METHOD_BLOCK_AT(i) (((i) + 1u) << 8)

struct call;
struct method {
    const char *name;
    void (*handle)(struct call *c);
    uint32_t params; /* at most so many */
    uint32_t flags;  /* enum method_flag */
};
const struct method *method_find(const char *name);
/* The flags of a method that the execution client alone knows; 0: it is not passed on. */
uint32_t method_of_client(const char *name);

struct call {
    struct message *message;
    struct json_object *id;     /* lent by the message; NULL: notification, or null */
    struct json_object *params; /* array; NULL: none */
    uint32_t params_n;
    uint32_t choice; /* the handler's, to tell its callback what was asked */
    void *state;     /* the handler's, freed with the call */
    struct text out;
    bool silent; /* notification: nothing is answered */
    bool bare;   /* a document without the JSON-RPC envelope */
    bool heavy;  /* on a worker */
};

struct message {
    struct rpc *rpc;
    struct connection *conn; /* NULL: gone */
    struct message *next;
    struct message *prev;
    struct json_object *root;
    uint64_t started_ns;
    size_t bytes; /* answered so far */
    uint32_t n;
    uint32_t started;
    uint32_t open; /* started and not answered */
    bool batch;
    bool heavy; /* one of its calls is on a worker */
    bool running;
    struct call call[];
};

/* Parses and answers one message; `p` is lent. */
void message_start(struct connection *c, const char *p, size_t n);
/* Answers GET /status.json and the like: a document without envelope. */
void message_document(struct connection *c, enum rpc_document kind);
/* Starts further calls, or finishes the message: after every answer. */
void message_run(struct message *m);
/* The connection goes; its messages are told. */
void message_abandon_all(struct connection *c);

struct text *call_result(struct call *c);
void call_done(struct call *c);
void call_error(struct call *c, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* `data` is a JSON value. */
void call_error_data(struct call *c, int code, const char *message, const char *data);
/* True: nobody waits any more, and the call is gone with this. */
bool call_gone(struct call *c);
void call_heavy(struct call *c);

static inline struct rpc *call_rpc(struct call *c)
{
    return c->message->rpc;
}

static inline const struct rpc_backend *call_backend(struct call *c)
{
    return c->message->rpc->backend;
}

static inline void *call_ctx(struct call *c)
{
    return c->message->rpc->ctx;
}

/* Whole answers. */
void call_raw(struct call *c, const char *json);
void call_quantity(struct call *c, uint64_t v);
void call_u256(struct call *c, const struct u256 *v);
/* A failed read of the backend, in geth's words; `what`: "header", "safe block". */
void call_read_error(struct call *c, enum err e, const char *what);

/* An rpc_answer_cb whose arg is the call. */
void call_answer(void *arg, const struct rpc_answer *a);

#define METHOD(name, handler, params, flags) void handler(struct call *c);
#include "sequencer/rpc/methods.def"
#undef METHOD

#endif
