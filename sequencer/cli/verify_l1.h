/* Rebuilds a chain from what was posted to an L1 and the genesis alone, with the built-in ledger:
 * the same derivation as the nodes', over everything from the start up to the L1's head. */
#ifndef SEQUENCER_CLI_VERIFY_L1_H
#define SEQUENCER_CLI_VERIFY_L1_H

#include "sequencer/cli/verify_batches.h"

/* Where to read. What a URL says of an L1 block is believed when it hashes to its hash. */
struct verify_l1_source {
    const char *rpc;    /* http(s) URL */
    const char *beacon; /* for blobs; NULL: the same URL */
    const char *start;  /* NUMBER:HASH of a block before the first batch; NULL: block 0 */
};

/* As verify_batches. ERR_UNREACHABLE: no answer, or no progress for a minute. */
enum err verify_l1(struct batches_seen *out, const struct verify_l1_source *source,
                   struct genesis *g, const struct epoch_config *c,
                   void (*progress)(void *arg, const struct batches_seen *seen), void *arg,
                   char *why, size_t why_len) MUST_USE;

#endif
