/* One sequencer node: builds every part from a configuration, runs it, stops it in reverse.
 *
 * node_run returns when the node was stopped (SIGINT, SIGTERM: drain, hand over, clean stop) with
 * the process' exit code: 0 done, 1 failed, 2 wrong configuration, 3 refused for safety. */
#ifndef SEQUENCER_NODE_NODE_H
#define SEQUENCER_NODE_NODE_H

#include "sequencer/node/config.h"

#define NODE_VERSION "0.1.0"

int node_run(const struct config *config);

#endif
