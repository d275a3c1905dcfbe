/* One sequencer node: builds every part from a configuration, runs it, stops it in reverse.
 *
 * node_run returns when the node was stopped (SIGINT, SIGTERM: drain, hand over, clean stop) with
 * the process' exit code: 0 done, 1 failed, 2 wrong configuration, 3 refused for safety. */
#ifndef SEQUENCER_NODE_NODE_H
#define SEQUENCER_NODE_NODE_H

#include "sequencer/node/config.h"

#define NODE_VERSION "0.1.0"

int node_run(const struct config *config);

/* Makes the database and the safety record of `config->dir`, empty, at sequence 0 (CONSENSUS 8):
 * what `baton genesis`, `join`, `keys new` and `devnet` do before the first start of a member.
 * Reads the genesis and the key's address; needs no password. `amnesiac`: the key is already a
 * member of a chain that runs, so that it may have signed. ERR_IN_USE: there is one already;
 * otherwise as storage_open and genesis_file_read; one sentence in `why`. */
enum err node_create(const struct config *config, bool amnesiac, char *why,
                     size_t why_len) MUST_USE;

#endif
