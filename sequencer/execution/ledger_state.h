/* Inside the ledger: the states it holds and the scratch memory of one execution. For ledger*.c. */
#ifndef SEQUENCER_EXECUTION_LEDGER_STATE_H
#define SEQUENCER_EXECUTION_LEDGER_STATE_H

#include "sequencer/execution/ledger_view.h"

/* Keys are Keccak hashes: any four of their bytes are a good hash. */
#define HASH_FUNCTION(key, len, out) ((out) = load_be32((const uint8_t *)(key) + (len) - 4))
#define HASH_NONFATAL_OOM            1
#include <uthash.h>

/* The state after one payload. Parents are entered before their children, so the table's order
 * of insertion is an order of ancestry. */
struct state {
    struct payload_info info;
    struct trie trie;
    struct state *parent; /* NULL for a final state */
    bool final;
    bool built;        /* built here; not executed, nothing executed or built on it */
    bool marked;       /* scratch of ledger_finalize */
    UT_hash_handle hh; /* by info.hash */
};

struct receipt {
    uint64_t cumulative_gas;
    uint8_t type;
};

/* The leaf of the last receipt that stood at an index. Blocks of plain transfers have the same
 * receipts again and again, and a receipt, with its empty bloom, is the largest thing hashed. */
struct receipt_leaf {
    struct receipt receipt;
    unsigned depth;
    struct hash hash; /* zero: none */
};

struct ledger {
    uint64_t chain_id;
    uint64_t gas_limit;
    struct state *states;
    struct state *head;                    /* the final head */
    uint32_t open;                         /* states above it */
    size_t history;                        /* bytes of the final states after the oldest */
    struct hash built[LIMIT_LEDGER_BUILT]; /* the last builds, a ring */
    uint32_t built_next;
    /* One execution's scratch; results borrow from it until the next call. */
    struct ledger_view view;
    struct bytes *raw; /* of the transactions included */
    struct receipt *receipt;
    struct receipt_leaf *receipt_leaf; /* by index; kept from block to block */
    uint32_t txs_cap;
    uint8_t *body;
    size_t body_cap;
    uint8_t info[PAYLOAD_INFO_MAX_BYTES];
    char why[256];
};

struct state *ledger_find(const struct ledger *l, const struct hash *payload);
/* The states above the final head stand behind all final ones in the table's order: parents are
 * entered before their children, and what is not above the head is forgotten. NULL: none is. */
struct state *ledger_first_open(const struct ledger *l);
/* A state without content above `parent` (NULL: none). NULL: no memory. */
struct state *ledger_state_create(const struct state *parent);
void ledger_state_destroy(struct state *s);
/* Takes `s` on success. ERR_NO_MEMORY. */
enum err ledger_enter(struct ledger *l, struct state *s) MUST_USE;
/* Out of the table, and destroyed. */
void ledger_forget(struct ledger *l, struct state *s);

#endif
