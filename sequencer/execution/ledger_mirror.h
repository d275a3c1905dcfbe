/* The final accounts once more, in a flat table for the loop thread: balance and nonce at
 * `latest` without asking the ledger's thread. */
#ifndef SEQUENCER_EXECUTION_LEDGER_MIRROR_H
#define SEQUENCER_EXECUTION_LEDGER_MIRROR_H

#include "sequencer/execution/account_hash.h"
#include "sequencer/execution/ledger.h"

struct ledger_mirror {
    struct account_seed seed;
    struct ledger_account *slot; /* a power of two of them; nonce and balance zero: free */
    uint32_t slots;
    uint32_t n;
};

/* ERR_NO_MEMORY, ERR_CRYPTO. */
enum err ledger_mirror_init(struct ledger_mirror *m) MUST_USE;
/* Sets accounts that exist (nonce or balance not zero). ERR_NO_MEMORY: not set. */
enum err ledger_mirror_set(struct ledger_mirror *m, const struct ledger_account *a) MUST_USE;
/* Absent accounts are zero. */
void ledger_mirror_get(const struct ledger_mirror *m, const struct address *a,
                       struct ledger_account *out);
void ledger_mirror_free(struct ledger_mirror *m);

#endif
