/* A small world for the pure core: n members, virtual time, links, disks and clients that the test
 * controls. Every message goes through the real codec. One thread, one seed, no clock.
 *
 * An oracle that shares nothing with the core but the encodings watches every step: agreement,
 * one vote per kind and slot, no finalize beside a skip, nothing sent before it is durable,
 * heights without gaps (CONSENSUS 12). Its first finding fails the test. */
#ifndef TESTS_UNIT_CONSENSUS_WORLD_H
#define TESTS_UNIT_CONSENSUS_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "consensus/consensus.h"

enum { WORLD_MAX = 13, MS = 1000 };

struct world;

struct world_options {
    uint32_t n;
    uint32_t fault_model;
    uint32_t turn_slots;
    uint32_t block_time_ms;
    uint32_t pace;
    uint32_t max_interval_ms;
    uint32_t depth;
    uint32_t weight[WORLD_MAX];     /* 0: 1 */
    uint64_t link_us;               /* one-way */
    uint64_t sync_us;
    uint64_t execute_us;
    uint64_t build_us;
    uint64_t build_us_per_tx;       /* of the most that the core allows: the pool is always full */
    bool trusting;                  /* execute_before_finalize: false (crash mode) */
    uint64_t seed;
};

/* Four members, K = 4, 200 ms blocks, 1 ms links. */
struct world_options world_defaults(void);
struct world *world_new(const struct world_options *o);
void world_free(struct world *w);

uint64_t world_now(const struct world *w);
/* Runs for so long, or until the condition holds; false: it did not in that time. */
void world_run(struct world *w, uint64_t us);
bool world_until(struct world *w, bool (*done)(struct world *w, void *arg), void *arg, uint64_t limit_us);
/* Until every member that is up has delivered a final block at or above the slot / `more` further blocks. */
bool world_until_final(struct world *w, uint64_t height, uint64_t limit_us);

/* ---- faults ---------------------------------------------------------------------------------- */
void world_cut(struct world *w, int a, int b, bool cut);      /* both ways, silently */
void world_isolate(struct world *w, int a, bool cut);
void world_crash(struct world *w, int a, bool power);         /* power: unsynced writes are lost; no reset is seen */
void world_restart(struct world *w, int a);
void world_pause(struct world *w, int a, bool paused);        /* SIGSTOP: messages wait */
void world_hang_client(struct world *w, int a, bool hung);    /* neither builds nor executes */
void world_fail_disk(struct world *w, int a, bool failing);
void world_copy_disk(struct world *w, int a);                 /* remembers the disk as it is */
void world_restore_copy(struct world *w, int a);              /* puts it back, while the member is down */
/* Drops every step of the journal with nothing above the delivered head, as the driver may. */
void world_prune(struct world *w, int a);
void world_lose_disk(struct world *w, int a);                 /* journal gone: amnesiac at the restart */
void world_invalid(struct world *w, int a, bool calls_invalid); /* its client says INVALID to everything new */
void world_drain(struct world *w, int a, bool draining);
void world_leave(struct world *w, int a, bool leaving);       /* drains for good, and tells the others */
void world_starve(struct world *w, int a);                     /* its driver says that a transaction starves in this turn */
void world_pending(struct world *w, int a, bool pending);
/* Every message is late by up to so much more, is lost or comes twice (out of a thousand). */
void world_noise(struct world *w, uint64_t jitter_us, uint32_t loss, uint32_t twice);
void world_speed(struct world *w, int a, uint64_t execute_us, uint64_t build_us, uint64_t sync_us);
/* Possessed members answer no fetch. */
void world_withhold(struct world *w, bool withholds);
/* Messages for which this returns true vanish. */
void world_filter(struct world *w, bool (*drops)(void *arg, int from, int to, const struct message *m), void *arg);
/* A member that says nothing of its own: the test speaks for it. */
void world_possess(struct world *w, int a, bool possessed);
/* Called with everything that reaches a possessed member. */
void world_listen(struct world *w, void (*hears)(void *arg, int z, int from, const struct message *m), void *arg);

/* ---- speaking for a possessed member ---------------------------------------------------------------- */
void world_send_vote(struct world *w, int from, int to, uint8_t kind, uint64_t slot, const struct hash *block);
void world_send(struct world *w, int from, int to, const struct message *m);
/* A proposal of `from` on a parent; flags as in the header; `twist` makes different blocks. */
struct block_head world_make_block(struct world *w, int from, uint64_t slot, const struct block_head *parent, uint8_t flags, uint8_t twist);
struct block_head world_make_block_over(struct world *w, int from, uint64_t slot, const struct block_head *parent, uint8_t flags,
                                        uint8_t twist, const struct skipped_turn *skipped, size_t skipped_n);
/* … with a system section of the caller's choice. */
struct block_head world_make_block_with(struct world *w, int from, uint64_t slot, const struct block_head *parent, uint8_t flags,
                                        uint8_t twist, const struct system_parts *parts);
/* Notices and evidence with the signatures of the members they name. */
struct ready_notice world_ready(struct world *w, int member, uint64_t slot, const struct hash *block);
struct leave_notice world_leave_notice(struct world *w, int member, uint64_t from_turn);
struct evidence world_evidence_of(struct world *w, int member, uint64_t slot, uint8_t first_kind, uint8_t second_kind,
                                  const struct hash *first, const struct hash *second);
void world_send_proposal(struct world *w, int from, int to, const struct block_head *head, const struct bundle *justification);
/* Another member shows `a` a vote of its own key that it never made: a second copy signs. */
void world_show_foreign_vote(struct world *w, int a, uint64_t slot, const struct hash *block);
struct block_head world_anchor(struct world *w);

/* ---- looking ------------------------------------------------------------------------------------------ */
struct core_view world_view(struct world *w, int a);
int world_leader(struct world *w, uint64_t turn);
uint64_t world_height(struct world *w, int a);                /* delivered final blocks with payload */
bool world_final_at(struct world *w, uint64_t slot, struct block_head *out);
uint64_t world_skips(struct world *w);                         /* turns that any member saw skipped */
uint64_t world_own_skips(struct world *w, int reason);         /* skip votes signed for this reason */
uint64_t world_evidence(struct world *w, int member);
uint64_t world_alarms(struct world *w, enum alarm_kind what);
uint64_t world_bans(struct world *w);
bool world_signed(struct world *w, int a, uint8_t kind, uint64_t slot);
uint64_t world_frames(struct world *w);
uint64_t world_carried(struct world *w, int what);             /* in final blocks: 0 notices, 1 leaves, 2 evidence */
/* Longest time between two deliveries of new heights anywhere, since the last call. */
uint64_t world_gap(struct world *w);
uint32_t world_last_max_txs(struct world *w);                  /* of the last build asked for anywhere */
struct epoch_config *world_epoch(struct world *w);
bool world_up(struct world *w, int a);

#endif
