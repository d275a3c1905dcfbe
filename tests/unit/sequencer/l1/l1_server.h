/* An endpoint on the test's own loop: an HTTP server that answers JSON-RPC from a made chain, or
 * badly. Headers hash to their hashes as real ones do. */
#ifndef L1_SERVER_H
#define L1_SERVER_H

#include <uv.h>

#include "proto/bytes.h"
#include "sequencer/l1/l1.h"

enum { CHAIN_MAX = 512, HEADER_JSON = 2048, SERVER_PEERS = 64 };

struct chain_block {
    struct l1_ref at;
    char json[HEADER_JSON];
};

struct chain {
    struct chain_block block[CHAIN_MAX]; /* by number */
    size_t n;
    bool rooted; /* headers say that blocks hold no transaction; else their root is zeros */
};

/* Puts a block on top; another salt makes another block. */
void chain_grow(struct chain *c, size_t blocks, uint64_t salt);

enum server_mode {
    SERVER_WELL,
    SERVER_SILENT,    /* takes the request and says nothing */
    SERVER_STATUS,    /* 500 */
    SERVER_BUSY,      /* 429 */
    SERVER_CUTS,      /* the connection ends in the middle */
    SERVER_HTML,
    SERVER_LARGE,     /* says that it will send 1 GB */
    SERVER_FOREIGN_ID
};

struct server {
    uv_tcp_t listener;
    int port;
    const struct chain *chain;
    enum server_mode mode;
    uint64_t chain_id;
    uint64_t finalized;
    size_t height;        /* shows blocks below this one alone; 0: all */
    uint64_t nonce;
    const char *balance;  /* result of eth_getBalance; NULL: as the nonce */
    uint32_t sends;       /* transactions that came */
    const char *send;     /* answer to eth_sendRawTransaction: "result":… or "error":… */
    const char *receipt;  /* result of eth_getTransactionReceipt */
    const char *blobs;    /* a blob for each character, which fills it; NULL: 404 */
    uint32_t requests;
    struct peer *peers;
};

void server_open(struct server *s, uv_loop_t *loop, const struct chain *chain);
void server_close(struct server *s);

#endif
