/* genesis.json on disk <-> struct genesis. Read strictly: unknown keys, wrong types, duplicates are
 * errors with the place. Owned: genesis_free frees the allocs. */
#ifndef SEQUENCER_NODE_GENESIS_FILE_H
#define SEQUENCER_NODE_GENESIS_FILE_H

#include "proto/genesis.h"

/* On success state_root and payload are filled too (through the ledger, or from the record
 * `executionGenesis`: hash, stateRoot, fork) and the epoch rules hold. With that record `alloc` is
 * only what it was made from. */
enum err genesis_file_read(struct genesis *out, const char *path, char *why,
                           size_t why_len) MUST_USE;
enum err genesis_file_write(const struct genesis *g, const char *path, char *why,
                            size_t why_len) MUST_USE;
/* The allocs in the order of their addresses, as proto/genesis.h wants them. */
void genesis_sort(struct genesis *g);
void genesis_free(struct genesis *g);

#endif
