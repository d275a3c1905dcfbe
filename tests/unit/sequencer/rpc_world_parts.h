/* Inside of the world: what its chain and backend (rpc_backend.c) share with its loop and the
 * orders of a test (rpc_world.c). All of it belongs to the loop thread once that runs. */
#ifndef TESTS_RPC_WORLD_PARTS_H
#define TESTS_RPC_WORLD_PARTS_H

#include "rpc_world.h"

enum { HELD = 4096, BLOCKS = WORLD_HEAD + 2, QUERY_TEXT = 256 };

struct chain_block {
    struct rpc_block block;
    uint8_t *body;
    struct bytes *raw;
    struct hash *hash;
    struct address *sender;
};

struct held {
    rpc_submit_cb cb;
    void *arg;
    struct hash hash;
};

struct world {
    uv_loop_t loop;
    uv_thread_t thread;
    uv_async_t async;
    uv_sem_t done;
    void (*fn)(struct world *w, void *arg);
    void *arg;
    struct rpc *rpc;
    struct rpc_backend backend;
    bool closed;
    struct chain_block chain[BLOCKS];
    uint64_t head;
    uint8_t pending[512];
    size_t pending_n;
    char pending_hex[HEX_SIZE(512)];
    struct hash pending_hash;
    enum submit_mode mode;
    int code;
    char message[128];
    bool catching_up;
    bool ready;
    bool safe;
    struct held held[HELD];
    uint32_t held_n;
    uint64_t submitted;
    char hits[64][32];
    uint32_t hits_n;
    uint32_t connections;
    int last_kind;
    struct rpc_query last;
    char last_text[QUERY_TEXT];
    uint64_t counted;
};

/* Builds the chain of rpc_world.h; its blocks are freed with the world. */
void backend_make_chain(struct world *w);
/* The backend before that chain; `forward`: with an execution client behind it. */
struct rpc_backend backend_of(bool forward);

#endif
