/* A small world for posting: one simulated L1 with a pool by geth's rules, members that each run
 * the transaction manager and duty, messages between them, and harm: kills and pauses between any
 * two instructions, partitions, reorgs, dropped and swallowed transactions, fee spikes. Everything
 * follows from the seed. Times are milliseconds of the world. */
#ifndef TESTS_UNIT_SEQUENCER_POSTING_WORLD_H
#define TESTS_UNIT_SEQUENCER_POSTING_WORLD_H

#include "sequencer/batcher/duty.h"
#include "sequencer/l1/txm.h"

enum {
    MEMBERS = 4,
    BLOCK_MS = 12000,
    MOST_TXS = 8192,
    TX_PLACES = 4 * MOST_TXS,
    MOST_BLOCKS = 1024,
    MOST_SEGMENTS = 256,
    BLOCKS_A_SEGMENT = 10,
    BLOCK_TXS = 64,
    FINAL_DEPTH = 12
};

uint64_t world_random(uint64_t *seed);
uint64_t world_below(uint64_t *seed, uint64_t n);
/* True in `permille` of the calls. */
bool world_chance(uint64_t *seed, uint64_t permille);

/* ---- L1 (world_l1.c) ------------------------------------------------------------------------------ */

struct sim_tx {
    struct hash hash;
    struct hash content; /* the first bytes of what was signed */
    int account; /* the member's */
    uint64_t nonce;
    uint8_t kind;
    struct txm_fees fees;
    uint64_t gas;
    size_t blobs;
    uint64_t segment;
    uint8_t part;
    bool pooled;
};

struct sim_block {
    struct l1_ref at;
    int parent; /* index, -1 for the first */
    int tx[BLOCK_TXS];
    size_t txs;
    uint64_t nonce[MEMBERS]; /* after it */
    struct u256 balance[MEMBERS];
    struct u256 base_fee; /* of the next block */
    struct u256 blob_fee;
    uint64_t next;  /* the segment that derivation waits for */
    uint32_t parts; /* of it, those that are there */
    uint32_t twice; /* transactions whose segment was derived before */
    uint32_t early; /* whose segment came too early */
};

struct sim_l1 {
    uint64_t seed;
    uint8_t kind;
    uint32_t parts; /* of a segment */
    struct sim_tx *tx;
    size_t txs;
    int place[TX_PLACES]; /* 1 + index, by the first bytes of the hash */
    struct sim_block *block;
    size_t blocks;
    int head; /* index */
    /* Harm, in permille. */
    uint32_t include;
    uint32_t drop;
    uint32_t reorg;
    uint32_t swallow;
    uint32_t spike;
    int rising; /* blocks for which fees still rise */
    struct u256 spent[MEMBERS];
    uint64_t refused[L1_SEND_CLASSES];
    uint64_t reorgs;
};

void sim_l1_init(struct sim_l1 *l, uint64_t seed, uint8_t kind);
void sim_l1_free(struct sim_l1 *l);
/* What signers made is known by its hash; nothing else can be sent. */
struct sim_tx *sim_l1_register(struct sim_l1 *l, const struct sim_tx *tx);
struct sim_tx *sim_l1_find(struct sim_l1 *l, const struct hash *hash);
enum l1_send sim_l1_send(struct sim_l1 *l, const struct hash *hash);
/* The next block, or a reorg and the blocks after it. */
void sim_l1_mine(struct sim_l1 *l);
/* The block of the chain below `head` that holds it, or -1. */
int sim_l1_where(const struct sim_l1 *l, int head, const struct sim_tx *tx);
int sim_l1_ancestor(const struct sim_l1 *l, int block, uint64_t number);

/* ---- members (world_member.c) ------------------------------------------------------------------------ */

struct world;

struct letter {
    uint64_t at; /* arrives */
    uint8_t from;
    bool ack;
    bool answer; /* what is not answered */
    uint64_t segment;
    uint8_t *p; /* an intent */
    size_t n;
};

/* What a paused process has called for already. */
struct stuck {
    struct hash hash;
    bool own;
    uint64_t segment;
    uint8_t owner;
};

enum { MOST_LETTERS = 1024, MOST_GROUPS = 4096, MOST_STORED = 512, MOST_STUCK = 64 };

struct blob_of_bytes {
    uint8_t *p;
    size_t n;
};

struct sim_member {
    struct world *w;
    uint8_t index;
    bool up;
    uint64_t up_at;       /* restarts, if down */
    uint64_t paused_till; /* 0: runs */
    uint64_t cut_till;    /* partitioned; 0: not */
    uint32_t fuse;        /* instructions until harm; 0: none */
    bool fuse_kills;
    bool killed;          /* in the middle of what it does now */
    struct txm *txm;
    struct duty *duty;
    struct blob_of_bytes group[MOST_GROUPS]; /* the journal */
    size_t groups;
    struct blob_of_bytes stored[MOST_STORED]; /* intents on disk */
    size_t stores;
    struct letter letter[MOST_LETTERS];
    size_t letters;
    uint64_t last_at[MEMBERS]; /* of each sender: a connection keeps the order */
    struct stuck stuck[MOST_STUCK];
    size_t stucks;
    uint64_t ticked_ms;
    int head; /* the L1 block that it sees */
    uint64_t head_at; /* when it will see the L1's own */
    bool wake;
};

void sim_member_start(struct sim_member *m);
void sim_member_stop(struct sim_member *m);
void sim_member_free(struct sim_member *m);
/* Messages, a new head, its timers: whatever is due. */
void sim_member_run(struct sim_member *m);

/* ---- the world (world.c) ------------------------------------------------------------------------------ */

enum harm { HARM_NONE, HARM_KILL, HARM_PAUSE, HARM_PARTITION, HARM_ALL };

struct world {
    uint64_t seed;
    uint64_t now;
    uint64_t block_ms;
    enum harm harm;
    struct sim_l1 l1;
    struct sim_member member[MEMBERS];
    struct duty_segment segment[MOST_SEGMENTS];
    size_t segments;
    uint64_t l1_down_from;
    uint64_t l1_down_till;
    /* What it saw. */
    uint64_t harmed;
    uint64_t bumps, cancelled, replaced, reorged, pushes, posts;
    uint64_t stolen;
    char wrong[256]; /* the first broken invariant; empty: none */
};

struct world_plan {
    enum harm harm;
    uint32_t segments;
    uint32_t harms;  /* how often */
    uint32_t reorg;  /* permille a block */
    uint32_t drop;
    uint32_t swallow;
    uint32_t spike;
    uint32_t l1_down_s;
    uint32_t block_ms; /* 0: BLOCK_MS; pauses are as long in blocks */
};

struct world_result {
    bool whole;        /* every segment derived, in time */
    uint32_t segments;
    uint32_t twice;
    uint32_t early;
    uint32_t harmed;
    uint64_t spent_gwei;
    uint64_t blocks;
    char wrong[256];
    uint64_t bumps, cancelled, replaced, reorged, pushes, posts, reorgs, refused;
};

void world_run(struct world_result *out, uint64_t seed, const struct world_plan *plan);
/* Remembers the first. */
void world_wrong(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The member that leads now, of those that can. */
int world_leader(const struct world *w);
bool world_l1_down(const struct world *w);
/* How long somebody is away, ms. */
uint64_t world_pause(struct world *w);

#endif
