/* What one member's core may do, whatever it is told: knows the rules from CONSENSUS, and shares
 * nothing with the core but the encoders. */
#ifndef TESTS_FUZZ_CORE_ORACLE_H
#define TESTS_FUZZ_CORE_ORACLE_H

#include "consensus/consensus.h"

enum { ORACLE_VOTES = 8192 };

struct oracle_vote {
    struct vote vote;
    uint64_t sequence; /* of the write that holds it */
};

struct oracle {
    int self;
    uint32_t turn_slots;
    uint64_t sequence;  /* of the last write */
    uint64_t persisted; /* of the last write that is durable */
    bool write_failed;  /* since then nothing is durable */
    bool silent;        /* signer or disk failed: no vote may follow */
    uint32_t votes;
    struct oracle_vote vote[ORACLE_VOTES];
    struct hash head; /* the last final block */
    uint64_t head_slot, head_height;
    uint64_t cur, highest_final;
};

void oracle_start(struct oracle *o, const struct core_config *config);
/* Looks at everything that a step gave. */
void oracle_effects(struct oracle *o, struct core *core, const struct effects *out);

#endif
