/* What the files of the test world share. */
#ifndef TESTS_UNIT_CONSENSUS_WORLD_INTERNAL_H
#define TESTS_UNIT_CONSENSUS_WORLD_INTERNAL_H

#include <stdlib.h>

#include "proto/keccak.h"
#include "tests/unit/consensus/world.h"

enum { SLOTS = 16384, BLOCKS_MAX = 16384, BENCH_MAX = 4096, SYSTEM_MAX = 4096 };

/* One write of a step, as the journal holds it. */
struct disk_step {
    uint64_t sequence;
    bool proposing;
    uint64_t proposing_turn;
    struct vote vote[LIMIT_STEP_VOTES];
    uint32_t votes;
    struct certificate *cert;
    uint32_t certs;
    bool durable;
};

/* A delivered final block, as written beside the journal. */
struct disk_head {
    uint64_t gate, height, slot;
    uint32_t block;
    struct certificate cert;
    uint8_t bench[BENCH_MAX];
    size_t bench_len;
};

enum { HEAD_LOG = 64 };

struct disk {
    struct disk_step *step;
    uint32_t steps, cap;
    bool lost;
    bool forgot;        /* lost it once */
    bool amnesiac;
    uint64_t floor;
};

/* Every block ever made, shared by the whole world; who holds what is in the members. */
struct world_block {
    struct block_head head;
    uint8_t system[SYSTEM_MAX];
};

struct member_state {
    struct core *core;
    void *memory;
    size_t memory_size;
    bool up, paused, possessed, hung, failing, invalid;
    bool draining, leaving, pending;
    bool lied;              /* possessed once, or its key signed evidence */
    uint64_t incarnation;
    uint64_t tick_at;
    uint64_t busy_until;
    struct disk disk;
    uint8_t *has_body;      /* by world block index */
    uint8_t *stored;        /* head on disk */
    uint64_t *body_gate;    /* the write that makes body and head durable */
    uint8_t *asked;         /* the client, to execute it */
    uint8_t *executed;
    uint64_t head_height;   /* of the last delivered block */
    uint64_t head_slot;
    uint32_t head_block;    /* world block index */
    struct certificate head_cert;
    uint8_t bench[BENCH_MAX];
    size_t bench_len;
    struct disk_head *head_log; /* the last heads, each with the write that makes it durable */
    uint32_t heads;
    struct {
        uint32_t steps;
        uint64_t head_height, head_slot;
        uint32_t head_block;
        struct certificate head_cert;
        uint8_t bench[BENCH_MAX];
        size_t bench_len;
    } copy;
    uint64_t persisted, submitted;
    uint64_t silent_since;
    uint64_t sync_at;
    uint64_t execute_us, build_us, sync_us;
    uint8_t signed_kind[3][SLOTS];
    struct hash signed_block[3][SLOTS];
};

enum world_event_kind { W_DELIVER, W_TICK, W_DURABLE, W_EXECUTED, W_BUILT, W_PEER, W_BODY };

struct world_event {
    uint64_t at, order;
    enum world_event_kind kind;
    int to, from;
    uint64_t incarnation;
    uint8_t *frame;
    size_t frame_len;
    uint64_t value;
    uint32_t block;
    bool flag;
    bool late;              /* waited for a paused member */
    struct built_payload built;
};

struct gated {
    int from, to;
    uint64_t gate, incarnation;
    uint8_t *frame;
    size_t frame_len;
};

struct world {
    struct world_options o;
    struct epoch_config epoch;
    struct header anchor;
    uint64_t now, order, random;
    struct member_state member[WORLD_MAX];
    bool cut[WORLD_MAX][WORLD_MAX];
    struct world_event *heap;
    uint32_t events, heap_cap;
    struct gated *gated;
    uint32_t gated_n, gated_cap;
    struct world_block *block;
    uint32_t blocks;
    bool (*drops)(void *arg, int from, int to, const struct message *m);
    void *drops_arg;
    void (*hears)(void *arg, int z, int from, const struct message *m);
    void *hears_arg;
    uint64_t jitter_us;
    uint32_t loss, twice;
    bool withholds;
    struct effects *effects;
    struct message_arena arena, post_arena;
    /* the oracle's own records */
    uint32_t final_at[SLOTS];          /* world block index + 1 */
    struct certificate *final_cert[SLOTS];
    struct hash final_bench[SLOTS];    /* of the state delivered with it */
    uint64_t carried[3];               /* notices, leaves, evidence in final blocks */
    uint32_t accused;                  /* mask: evidence is final */
    uint64_t top_height, top_at, longest_gap;
    uint64_t skips, evidence[WORLD_MAX], alarms[16], bans, frames;
    uint64_t own_skips[SKIP_REASONS];
    uint32_t last_max_txs;
};

void world_push(struct world *w, struct world_event e);
uint32_t world_block_index(struct world *w, const struct hash *hash);   /* BLOCKS_MAX: unknown */
uint32_t world_block_add(struct world *w, const struct block_head *head);
void world_step(struct world *w, int a, const struct event *ev);
void world_sign(struct signature *out, const struct address *a, const struct hash *digest);
void world_post_all(struct world *w, int from, int to, const uint8_t *frame, size_t n);
void world_run_client(struct world *w, int a, uint32_t i);
void world_health(struct world *w, int a);
void world_boot(struct world *w, int a);
void disk_write(struct world *w, int a, const struct effect *e);
void disk_body(struct world *w, int a, uint32_t block);
void disk_head(struct world *w, int a);
void disk_lose_all(struct world *w, int a);
void disk_lose_unsynced(struct world *w, int a);
void disk_restore(struct world *w, int a);
void oracle_persist(struct world *w, int a, const struct effect *e);
void oracle_send(struct world *w, int a, const struct effect *e);
void oracle_skipped(struct world *w, const struct effect *e);
void oracle_ban(struct world *w, int a, const struct effect *e);
void oracle_final(struct world *w, int a, const struct effect *e);

#endif
