/* What the files of the users share. */
#ifndef USERS_INSIDE_H
#define USERS_INSIDE_H

#include "sequencer/mempool/mempool.h"
#include "tests/sim/users.h"

enum { USERS = 6, USER_TXS = 2048, BODIES = 16384, BODY_MOST = 16, AGAIN_US = 500 * MS, RETELL_S = 5, RAW = 16 };

struct user_tx {
    struct hash hash;
    uint8_t raw[RAW];
    uint32_t user;
    uint64_t nonce;
    uint32_t durable; /* mask of members whose disk has it */
    uint32_t acks;    /* what the member it was sent to has heard */
    int to;           /* that member's node */
    uint64_t to_life, sent_us;
    bool acknowledged, given_up;
    uint32_t final_block; /* + 1 */
    uint32_t taken;       /* stamp of the last look at ancestors */
};

struct user_body {
    uint64_t key;
    uint32_t txs;
    uint32_t tx[BODY_MOST];
};

/* Nonces after a block. */
struct user_state {
    bool known;
    bool valid; /* neither its body nor an ancestor's holds a wrong nonce */
    uint64_t nonce[USERS];
};

struct users {
    struct dice dice;
    uint32_t txs, stamp;
    struct user_tx tx[USER_TXS];
    uint64_t next_nonce[USERS], final_nonce[USERS];
    struct user_body *body;
    uint32_t bodies[BODIES]; /* places used, to clear them */
    uint32_t used;
    struct address address[USERS];
    uint64_t due_us;
    struct user_state state[SIM_BLOCKS];
    struct {
        struct sim *s;
        struct mempool *pool;
        uint64_t nonce[USERS];
        uint64_t retold_us; /* when it last told what is old there, */
        uint32_t retold;    /* and to which node */
    } node[SIM_NODES];
};

/* The body with this root; `make`: entered if it is new. */
struct user_body *users_body(struct users *u, const struct hash *root, bool make);
/* After this block; NO_BLOCK: at genesis. */
const struct user_state *users_state(struct sim *s, uint32_t block);
/* Leaves those that run one after the other on this parent: how many. */
uint32_t users_runnable(struct sim *s, uint32_t parent, struct mempool_candidate *c,
                        uint32_t count);

#endif
