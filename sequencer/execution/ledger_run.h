/* One execution under way: transactions one by one on a parent's state, then the header. One way
 * for build and execute, so that both give the same payload. For ledger*.c. */
#ifndef SEQUENCER_EXECUTION_LEDGER_RUN_H
#define SEQUENCER_EXECUTION_LEDGER_RUN_H

#include "sequencer/execution/ledger_state.h"

struct run {
    struct ledger *l;
    const struct execution_block *b;
    struct state *parent;
    struct view_account *recipient; /* of the fees */
    struct u256 base_fee;
    uint64_t gas_used;
    uint64_t body_len;
    uint32_t txs;
};

/* Room for the raw forms and receipts of `n` transactions. False: no memory. */
bool ledger_run_reserve(struct ledger *l, uint32_t n);
/* Starts on r->parent with r->l and r->b given. ERR_NO_MEMORY. */
enum err ledger_run_open(struct run *r) MUST_USE;
/* NULL when done; else why the transaction cannot be executed, and nothing has changed. */
const char *ledger_run_tx(struct run *r, const struct execution_tx *in);
/* The state and its header; hashing happens here, once for all that changed. NULL: no memory. */
struct state *ledger_run_seal(struct run *r);

#endif
