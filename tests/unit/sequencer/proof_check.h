/* Checks Merkle-Patricia proofs as a wallet would: with hashes and RLP alone, sharing no code with
 * the trie. */
#ifndef TESTS_UNIT_SEQUENCER_PROOF_CHECK_H
#define TESTS_UNIT_SEQUENCER_PROOF_CHECK_H

#include "proto/bytes.h"

enum proof_says { PROOF_BROKEN, PROOF_PRESENT, PROOF_ABSENT };

/* Walks from `root` along `key` (whole bytes); PRESENT: `value` points into the proof. */
enum proof_says proof_check(struct bytes proof, const struct hash *root, struct bytes key,
                            struct bytes *value);

#endif
