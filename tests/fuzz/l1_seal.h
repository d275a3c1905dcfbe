/* Gives a block of an L1, as JSON, the hashes that its content has: by a list of fields and an
 * order of its own, with the writers of proto/ alone. */
#ifndef TESTS_FUZZ_L1_SEAL_H
#define TESTS_FUZZ_L1_SEAL_H

#include "proto/key.h"
#include "proto/tx.h"
#include "sequencer/l1/block.h"

enum l1_root { L1_ROOT_BARE, L1_ROOT_WRAPPED, L1_ROOT_KEPT, L1_HASH_KEPT };

/* Sets transactionsRoot and hash, and what is missing to zeros. WRAPPED: as anvil does, over the
 * sidecars that it shows; KEPT: the root, or both, are what stands there. False: not sealed; the
 * root may be set then. */
bool l1_seal(struct json_object *block, size_t text_n, enum l1_root root);

#endif
