/* What is left of building once the mempool selects and the ledger executes: how large the next
 * own block may be, and which transactions are kept out of it (CONSENSUS 7, last rule).
 *
 *      failed(n txs): limit = n / 2        limit 1, failed alone: set aside, limit as before
 *      ok:            limit doubles, up to the configured one
 *
 * So a block that cannot be executed is offered again in halves, and one bad transaction is found
 * and isolated in about log2(n) blocks. A plain value; loop thread only; no allocation. */
#ifndef SEQUENCER_BUILDER_BUILDER_H
#define SEQUENCER_BUILDER_BUILDER_H

#include "proto/bytes.h"
#include "proto/limits.h"

struct builder {
    uint32_t most;  /* configured limit of transactions in a block */
    uint32_t limit; /* now; 1 … most */
    uint32_t aside; /* transactions set aside, ever; the last LIMIT_BUILDER_ASIDE are remembered */
    struct hash set_aside[LIMIT_BUILDER_ASIDE];
};

/* `most` >= 1. */
void builder_init(struct builder *b, uint32_t most);
uint32_t builder_max_txs(const struct builder *b);
/* Own block that was notarized, then INVALID or skipped unexecuted. True: it held this one
 * transaction only, which is set aside now; raise an alarm. Nothing to learn from n = 0. */
bool builder_block_failed(struct builder *b, const struct hash *tx, uint32_t n);
/* Own block with `n` transactions that is final. */
void builder_block_ok(struct builder *b, uint32_t n);
bool builder_is_aside(const struct builder *b, const struct hash *tx);
/* An operator's word: offer it again. */
void builder_release(struct builder *b, const struct hash *tx);

#endif
