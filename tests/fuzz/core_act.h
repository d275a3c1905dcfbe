/* One core under the orders of a script: its peers, its disk and its client say what the script
 * wants, with signatures that hold wherever the script does not want them broken. */
#ifndef TESTS_FUZZ_CORE_ACT_H
#define TESTS_FUZZ_CORE_ACT_H

#include "tests/fuzz/core_oracle.h"
#include "tests/fuzz/fuzz.h"

enum { CORE_BLOCKS = 96, CORE_SYSTEM = 512 };

struct core_block {
    struct block_head head;
    uint8_t system[CORE_SYSTEM];
};

struct core_run {
    struct core *core;
    struct core_config config;
    struct effects out;
    struct oracle oracle;
    struct message_arena arena;
    uint64_t now_us, wall_ms;
    uint64_t build; /* number of the last build asked for */
    uint64_t signatures, writes,
        answers; /* so far: asked of the signer, of the disk, of the client */
    uint64_t fail_signature, fail_write, fail_answer; /* the one that fails; 0: none */
    uint32_t blocks;                                  /* [0] is the anchor */
    struct core_block block[CORE_BLOCKS];
};

/* A core of `how`: observer or member, amnesiac, asking, pace, fault model. */
void core_run_start(struct core_run *r, uint8_t how);
/* One act of the script. */
void core_run_act(struct core_run *r, struct bytes *script);
void core_run_end(struct core_run *r);

/* For tests that write their own script. */

/* A fresh core of the same configuration, before core_start: to restore into. */
void core_run_again(struct core_run *r);
/* Stamps the time on an event, gives it to the core, and has the oracle look at what comes. */
void core_run_step(struct core_run *r, struct event *e);
struct vote core_run_vote(struct core_run *r, int signer, uint8_t kind, uint64_t slot,
                          const struct block_head *b);
/* By everybody but the core's member. */
struct certificate core_run_certificate(struct core_run *r, uint8_t kind, uint64_t slot,
                                        const struct block_head *b);
/* The next of `block`, not yet counted in `blocks`, by the leader of its slot. `flags`: of the
 * header; `twist`: makes others of the same place; 0x80 lists no skipped turns, 0x10 and 0x20 put a
 * notice in, 0x40 a later timestamp. */
struct block_head *core_run_block(struct core_run *r, const struct block_head *parent,
                                  uint64_t slot, uint8_t flags, uint8_t twist);
/* Hash and signature of a header that was changed: by whose turn it is, whomever it names. */
void core_run_seal(struct core_run *r, struct block_head *head);

#endif
