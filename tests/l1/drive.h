/* Inside the test program: sequencer/l1 on a loop, driven by lines, answering in lines of JSON. */
#ifndef DRIVE_H
#define DRIVE_H

#include "proto/key.h"
#include "sequencer/l1/l1_client.h"

enum { WORDS = 80, CHAIN = 4096, WATCH = 2 };

struct drive {
    uv_loop_t loop;
    uv_pipe_t in;
    uv_timer_t tick;
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
    struct post *post; /* post.c */
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

/* post.c: the transaction manager on this L1, with anvil's first account. */
void post_open(struct drive *d, uint64_t chain_id);
void post_look(struct drive *d);
void post_segment(struct drive *d, const char *id, uint64_t segment, const char *to);
void post_print(struct drive *d, const char *id);
void post_close(struct drive *d);

/* sign.c: `what` is plain, blob or cells (a blob with proofs of its cells); prints raw bytes and hash. */
void sign_key(struct secret_key *out);
void sign_print(const char *id, const char *what, uint64_t chain, uint64_t nonce, uint64_t gwei,
                const char *to, const char *data);

#endif
