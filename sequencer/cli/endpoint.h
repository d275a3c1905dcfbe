/* Which node a reading command asks. */
#ifndef SEQUENCER_CLI_ENDPOINT_H
#define SEQUENCER_CLI_ENDPOINT_H

#include <stddef.h>

/* `given`; else a running node of the devnet that started last; else http://127.0.0.1:8545. */
void endpoint_choose(char *out, size_t cap, const char *given);

#endif
