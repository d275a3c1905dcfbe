/* Between the files of the core's world: core_run.c (keys, disk, effects), core_forge.c (what members
 * sign), core_say.c (what peers say), core_act.c (the script). */
#ifndef TESTS_FUZZ_CORE_PARTS_H
#define TESTS_FUZZ_CORE_PARTS_H

#include "tests/fuzz/core_act.h"

enum { MS = 1000, MEMBERS = 4, TURN_SLOTS = 4 };

/* A keyed hash stands for the signature of the member with this address. */
void core_sign_as(struct signature *out, const struct address *a, const struct hash *digest);
/* Its place in `block`, or `blocks`. */
uint32_t core_find_block(const struct core_run *r, const struct hash *hash);

struct ready_notice core_make_ready(struct core_run *r, int member, const struct block_head *b);
struct leave_notice core_make_leave(struct core_run *r, int member, uint64_t turn);

/* Out of the script: a peer, a block that is known, a slot around the current one or anywhere. */
int script_peer(const struct core_run *r, struct bytes *in);
const struct block_head *script_block(const struct core_run *r, struct bytes *in);
uint64_t script_slot(const struct core_run *r, struct bytes *in);

/* One act each. */
void core_act_vote(struct core_run *r, struct bytes *in);
void core_act_bundle(struct core_run *r, struct bytes *in);
void core_act_notice(struct core_run *r, struct bytes *in);
void core_act_propose(struct core_run *r, struct bytes *in);
void core_act_repeat(struct core_run *r, struct bytes *in);
void core_act_status(struct core_run *r, struct bytes *in);
void core_act_amnesia(struct core_run *r, struct bytes *in);
void core_act_bytes(struct core_run *r, struct bytes *in);

#endif
