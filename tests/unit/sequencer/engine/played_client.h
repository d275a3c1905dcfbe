/* An execution client that a test plays, on the test's own loop: a chain of made-up blocks, and at
 * any step of the cycle any of the things that clients and what stands before them do wrong. */
#ifndef TESTS_ENGINE_PLAYED_CLIENT_H
#define TESTS_ENGINE_PLAYED_CLIENT_H

#include <uv.h>

#include "proto/bytes.h"

enum play {
    PLAY_WELL,
    PLAY_DENIED,     /* 401 and plain text */
    PLAY_HTML,       /* 200, HTML */
    PLAY_500,
    PLAY_429,
    PLAY_HALF,       /* half of the answer, then the connection ends */
    PLAY_CUT,        /* no answer, the connection ends */
    PLAY_HANGS,
    PLAY_FOREIGN_ID,
    PLAY_EMPTY_OBJECT, /* "result": {} */
    PLAY_NULL,
    PLAY_INTERNAL,   /* -32603 */
    PLAY_PARAMETERS, /* -32602 */
    PLAY_UNKNOWN,    /* -38001 */
    PLAY_SYNCING,
    PLAY_ACCEPTED,
    PLAY_OTHER_VALID, /* VALID of another block */
    PLAY_INVALID,
    PLAY_OTHER_PAYLOAD, /* fees to somebody else */
    PLAY_OWN_FAULT,  /* INVALID: missing trie node */
    PLAYS
};

enum { PLAYED_BLOCKS = 64 };

struct played_block {
    struct hash hash, parent;
    uint64_t number, timestamp;
};

struct played_client {
    uv_tcp_t listener;
    int port;
    struct played_block block[PLAYED_BLOCKS];
    size_t n;
    size_t head; /* index of eth's latest */
    uint64_t chain_id;
    const char *at; /* method that is played with, a beginning of its name */
    enum play play;
    uint32_t requests, played;
    char asked[64]; /* last method */
    char finalized[70], safe[70], headed[70];
    bool seen_list; /* attributes had noTxPool and transactions */
    struct peer *peers;
    /* of the build under way */
    struct played_block building;
    char randao[70], fee[44];
};

struct hash played_hash(uint64_t salt);
void played_open(struct played_client *c, uv_loop_t *loop);
/* Every block but the genesis is forgotten, connections are cut: another life. */
void played_restart(struct played_client *c, size_t blocks);
void played_close(struct played_client *c);

#endif
