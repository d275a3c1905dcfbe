/* Rebuilds a chain from a folder of posted segments and the genesis alone, with the built-in
 * ledger: every payload, envelope, certificate, transaction and hash is checked. */
#ifndef SEQUENCER_CLI_VERIFY_BATCHES_H
#define SEQUENCER_CLI_VERIFY_BATCHES_H

#include "proto/genesis.h"

struct batches_seen {
    uint64_t segments;
    uint64_t blocks;
    uint64_t txs;
    uint64_t head;       /* height */
    struct hash payload; /* its hash, as wallets see it */
};

/* `progress` (or NULL) is called after each segment. On failure the first damage with its place
 * stands in `why`, and `out` says what held up to there. ERR_CORRUPT, ERR_WRONG_CHAIN,
 * ERR_BAD_CERTIFICATE, ERR_NOT_FOUND (no such folder), ERR_IO, ERR_NO_MEMORY. */
enum err verify_batches(struct batches_seen *out, const char *dir, struct genesis *g,
                        const struct epoch_config *c,
                        void (*progress)(void *arg, const struct batches_seen *seen), void *arg,
                        char *why, size_t why_len) MUST_USE;

#endif
