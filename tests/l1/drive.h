/* Inside the test program: sequencer/l1 on a loop, driven by lines, answering in lines of JSON. */
#ifndef DRIVE_H
#define DRIVE_H

#include "sequencer/l1/l1_client.h"

enum { WORDS = 80, CHAIN = 4096, WATCH = 2 };

struct drive {
    uv_loop_t loop;
    uv_pipe_t in;
    char *line; /* what was read and is no whole line yet */
    size_t line_n, line_cap;
    struct l1_client *client;
    struct l1 l1;
    /* follow.c: the chain as a reader of it knows it, oldest first */
    struct l1_ref chain[CHAIN];
    size_t chain_n;
    bool following;
    bool again; /* the head moved meanwhile */
    uint64_t kept_least; /* deepest step back so far */
    uint32_t blocks_read, txs_read;
    struct address watch[WATCH];
};

/* A call under way: whose answer it is. */
struct call {
    struct drive *d;
    char id[32];
};

struct call *call_make(struct drive *d, const char *id);
/* Begins the line {"id":…,"err":…; the caller goes on with ,"key":… and ends it with `say_end`. */
void say_begin(struct call *c, enum err e);
void say_end(struct call *c);

void follow_head(struct drive *d, const struct l1_view *v);
void follow_print(struct drive *d, const char *id);

/* sign.c: `what` is plain, blob or cells (a blob with proofs of its cells); prints raw bytes and hash. */
void sign_print(const char *id, const char *what, uint64_t chain, uint64_t nonce, uint64_t gwei,
                const char *to, const char *data);

#endif
