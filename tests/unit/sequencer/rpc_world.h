/* A real server on a real loop in a thread of its own, before a small chain in memory; the test
 * thread talks to it over sockets, as any client does. */
#ifndef TESTS_RPC_WORLD_H
#define TESTS_RPC_WORLD_H

#include <json-c/json.h>

#include "proto/tx.h"
#include "sequencer/rpc/rpc.h"

enum { WORLD_CHAIN_ID = 41197, WORLD_HEAD = 4, WORLD_BIG_TXS = 1500 };

/* What the chain does with a submission. */
enum submit_mode { SUBMIT_ACCEPT, SUBMIT_REFUSE, SUBMIT_HOLD };

struct world;

struct world *world_open(void);
/* With further options; NULL members take the default of the test. */
struct world *world_open_with(const char *cors, const char *hosts, bool forward);
/* Closes the server with whatever is still open, and checks that the loop empties. */
void world_close(struct world *w);

uint16_t world_port(const struct world *w);
uint16_t world_admin_port(const struct world *w);
/* Runs `fn` on the loop thread and waits for it. */
void world_do(struct world *w, void (*fn)(struct world *w, void *arg), void *arg);
struct rpc *world_rpc(struct world *w);

/* From the test thread: */
void world_set_submit(struct world *w, enum submit_mode mode, int code, const char *message);
void world_set_catching_up(struct world *w, bool on);
void world_set_ready(struct world *w, bool on);
void world_set_safe(struct world *w, bool on);
uint32_t world_held(struct world *w);
uint64_t world_submitted(struct world *w);
void world_release(struct world *w);           /* accepts everything that is held */
uint32_t world_limit_hits(struct world *w, const char *limit);
uint32_t world_connections(struct world *w);
void world_last_query(struct world *w, int *kind, struct rpc_query *out, char *text, size_t n);

/* The chain: block 1 holds three transfers (types 2, 2, 0), block 2 none, block 3 WORLD_BIG_TXS,
 * block 4 the transaction `pending` once world_include was called. */
struct hash world_tx_hash(struct world *w, uint64_t number, uint32_t index);
struct hash world_block_hash(struct world *w, uint64_t number);
const char *world_pending_raw(struct world *w); /* hex of a signed transaction not yet in a block */
struct hash world_pending_hash(struct world *w);
/* The pending transaction becomes final in block WORLD_HEAD + 1, and the server hears of it. */
void world_include(struct world *w);
void world_announce(struct world *w, uint64_t number);
struct address world_sender(void);

/* ---- a client ------------------------------------------------------------------------------- */

struct client {
    int fd;
    char *buf;          /* what was read and not yet used */
    size_t n;
    size_t cap;
    int status;         /* of the last answer */
    char head[4096];    /* its header */
    char *body;         /* zero-terminated */
    size_t body_n;
};

void client_open(struct client *c, uint16_t port);
void client_close(struct client *c);
void client_send(struct client *c, const void *p, size_t n);
void client_text(struct client *c, const char *text);
/* One whole HTTP answer; false when the server closed the connection instead. */
bool client_answer(struct client *c);
/* Whether the other side closes now (reads and drops until then, at most 10 s). */
bool client_sees_end(struct client *c);
/* POST of a body with the usual headers, and its answer. */
void client_post(struct client *c, const char *body);
void client_get(struct client *c, const char *path);

/* Sends {"jsonrpc":"2.0","id":1,"method":…,"params":…} and gives the whole answer; put it. */
struct json_object *client_call(struct client *c, const char *method, const char *params);
/* The same, result only; fails the test on an error. Put it. */
struct json_object *client_result(struct client *c, const char *method, const char *params);
/* Fails unless the answer is this error; `text` NULL: any. */
void client_expect_error(struct client *c, const char *method, const char *params, int code,
                         const char *text);

/* WebSocket. */
void ws_client_open(struct client *c, uint16_t port);
void ws_client_frame(struct client *c, uint8_t first, const void *p, size_t n, bool masked);
void ws_client_text(struct client *c, const char *text);
/* Next frame: its opcode, payload in body; -1 when the connection ended. */
int ws_client_next(struct client *c);
struct json_object *ws_client_json(struct client *c);
/* The status code of the close frame that must come now. */
int ws_client_expect_close(struct client *c);

struct json_object *json_member(struct json_object *o, const char *key);
const char *json_text(struct json_object *o, const char *key);

#endif
