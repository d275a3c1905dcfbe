/* The simulated world: what its files share. One thread, virtual time in microseconds, one plan.
 *
 * Each simulated thing has its file: links.c, disk.c, client.c (execution), clock.c, node.c (one
 * process: driver around the real core), users.c, liar*.c. oracle*.c watch and share nothing with
 * the core but the encoders of proto/. run.c plays a plan from the start to the audit. */
#ifndef SIM_H
#define SIM_H

#include "consensus/consensus.h"
#include "proto/record.h"
#include "sequencer/steps/steps.h"
#include "tests/sim/account.h"
#include "tests/sim/dice.h"
#include "tests/sim/media.h"
#include "tests/sim/plan.h"

enum {
    MS = 1000,
    SECOND = 1000000,
    SIM_NODES = SIM_MEMBERS + 2, /* processes: each member's, and second copies */
    SIM_BLOCKS = 8192,
    SIM_SLOTS = 16384,
    SIM_SYSTEM = 4096,
    SIM_BENCH = 4096,
    HEAD_LOG = 64,
    BUILDS = 16
};

#define NO_BLOCK UINT32_MAX

/* Domains of dice.h. */
enum { DICE_PLAN = 1, DICE_LINK, DICE_DISK, DICE_LIAR, DICE_USER, DICE_HARM };

struct frame {
    uint32_t refs;
    bool decoded;
    int kind;
    size_t n, cap;
    uint8_t *bytes;
    uint64_t digest;
    struct message message;
    struct message_arena arena;
    struct frame *next;
};

/* Every block ever made; who holds what is in the nodes. */
struct sim_block {
    struct block_head head;
    uint8_t system[SIM_SYSTEM];
    uint64_t bench; /* digest of the benching state after it, once somebody delivered it */
    bool poison;    /* every honest client calls it INVALID */
};

struct disk_step {
    uint64_t sequence;
    bool proposing, amnesiac, cleared;
    uint64_t proposing_turn, clearing_slot;
    uint32_t votes, certs;
    struct vote *vote;
    struct certificate *cert; /* behind `vote` in one allocation */
};

struct disk_head {
    uint64_t gate; /* the step that makes it durable */
    uint32_t block;
    uint64_t height, slot;
    struct certificate cert;
    size_t bench_len;
    uint8_t bench[SIM_BENCH];
};

struct disk {
    struct storage *room; /* storage/; NULL: the node is down */
    struct media media;
    struct media *copy; /* of the directory */
    bool made, made_anew;   /* the next start makes a new one, for a key that is a member already */
    bool unsure;            /* replaced or flipped since the room was closed */
    bool own_amnesia, copy_amnesia; /* it may find that it has lost its journal */
    bool broken, heard; /* a completion failed; the core was told */
    bool doomed; /* the power fails in the middle of its next write */
    bool poked, told, back; /* a turn is asked for; a write has failed; it writes again */
    uint64_t busy_us, due_us;
    uint64_t tidied; /* the journal was pruned up to this slot */
    struct disk_step *step; /* as the core gave them */
    uint32_t steps, cap;
    uint64_t written; /* sequence last submitted */
    uint64_t journal; /* reported as durable up to */
    uint32_t failing; /* episodes */
    bool amnesiac;
    uint64_t sync_us;
    struct disk_head *head; /* ring of HEAD_LOG */
    uint32_t heads;
    struct dice dice;
};

struct node {
    struct core *core;
    struct steps steps; /* the node's own order of writes and messages (sequencer/steps) */
    struct sim *sim;    /* for what it calls */
    void *memory;
    size_t memory_size;
    int member, index;
    bool up;
    bool puppet;                /* no core: a liar speaks */
    uint64_t life;              /* counts starts */
    uint64_t tick_at, deadline; /* real time of the pending tick; what the core asked for */
    uint32_t downs, pauses, hangs, errors, disagreements, drains, leaves; /* episodes under way */
    bool blackout; /* the next start follows a loss of power */
    uint64_t held_until;
    uint64_t crash_after; /* effects; 0: not armed */
    struct disk disk;
    uint8_t *holds; /* by block: enum holding */
    uint64_t *body_gate;
    struct built_payload built[BUILDS];
    uint64_t execute_us, build_us, slow_client_us;
    uint64_t hung_since;
    uint64_t sync_asked_us;
    uint64_t wall_off_ms; /* two's complement */
    uint64_t mono_real, mono_local;
    int64_t ppm;
    uint64_t peer_final[SIM_NODES];
    uint32_t given_health;
    bool gave_health;
    uint64_t cur; /* its current slot, as it said last */
    uint32_t tip; /* block last notarized and executed here */
};

enum holding {
    HOLDS_BODY = 1,
    HOLDS_HEAD = 2,
    HOLDS_ASKED = 4,
    HOLDS_EXECUTED = 8,
    HOLDS_INVALID = 16,
    HOLDS_STASHED = 32 /* body came before its head */
};

struct link {
    uint32_t cuts;
    bool up; /* the connection, as from sees it */
    uint64_t life;
    uint64_t extra_us;
    uint64_t told_us; /* latency last told to `from` */
    uint32_t deaf_kinds;
    struct dice dice;
};

enum sim_event_kind {
    SIM_FRAME = 1,
    SIM_TICK,
    SIM_DISK,
    SIM_DISK_DONE,
    SIM_DOOM,
    SIM_EXECUTED,
    SIM_BUILT,
    SIM_PEER_UP,
    SIM_PEER_DOWN,
    SIM_BEAT,
    SIM_HARM,
    SIM_HARM_END,
    SIM_USER,
    SIM_HELD,
    SIM_BODY
};

struct sim_event {
    uint64_t at, order;
    uint64_t life, value;
    struct frame *frame;
    uint32_t block;
    uint8_t kind;
    int8_t to, from;
};

enum sim_end {
    SIM_PASS = 0,
    SIM_SAFETY = 10,
    SIM_LIVENESS = 11,
    SIM_INVARIANT = 12,
    SIM_DIFFERS = 13,
    SIM_BOUND = 14,
    SIM_HARNESS = 15
};

struct oracle;
struct liars;
struct users;

struct sim {
    const struct plan *plan;
    struct account *account;
    struct epoch_config epoch;
    struct header anchor;
    uint64_t now, order;
    uint64_t digest;
    uint64_t steps;
    uint32_t nodes;
    struct node node[SIM_NODES];
    struct link link[SIM_NODES][SIM_NODES];
    struct sim_event *heap;
    uint32_t events, heap_cap;
    struct sim_event *held; /* of nodes that stand still */
    uint32_t held_n, held_cap;
    struct frame *spare_frames;
    struct sim_block *block;
    uint32_t blocks;
    uint32_t *index; /* open addressing, 2 * SIM_BLOCKS */
    uint32_t asked; /* Twins: mask of scripted slots in which somebody spoke */
    uint64_t jitter_us;
    uint32_t loss, twice;
    uint64_t heal_most_us; /* within so long the set must go on */
    bool healing, healthy; /* everything heals; nothing was ever wrong */
    uint32_t forgiven;     /* members on a restored copy: they count as liars from then on */
    uint32_t forgot;       /* members that lost their journal once */
    uint32_t disagreed;    /* members whose client called blocks invalid */
    struct effects *effects;
    struct oracle *oracle;
    struct liars *liars;
    struct users *users;
    enum sim_end end;
    char why[512];
    FILE *story; /* NULL: nobody reads */
};

enum { HEAL_MOST_US = 60 * SECOND };

/* ---- make.c, events.c, run.c ------------------------------------------------------------------
 */
struct sim *sim_new(void);
void sim_free(struct sim *s);
void sim_reset(struct sim *s, const struct plan *p, struct account *account, FILE *story);
/* Handles the next event; false: nothing more before the limit, or the run has ended. */
bool sim_event(struct sim *s, uint64_t limit);
/* Plays the plan; the same plan gives the same digest everywhere. */
enum sim_end sim_run(struct sim *s, const struct plan *p, struct account *account, FILE *story);
__attribute__((format(printf, 3, 4))) void sim_fail(struct sim *s, enum sim_end end,
                                                    const char *format, ...);
__attribute__((format(printf, 2, 3))) void sim_tell(struct sim *s, const char *format, ...);
void sim_trace(struct sim *s, uint64_t a, uint64_t b);
bool sim_lies(const struct sim *s, int member);
/* Is this node held to the rules, and part of what must go on? */
bool sim_honest(const struct sim *s, const struct node *n);

/* ---- queue.c ----------------------------------------------------------------------------------
 */
void queue_push(struct sim *s, struct sim_event e);
bool queue_pop(struct sim *s, uint64_t limit, struct sim_event *out);
void queue_clear(struct sim *s);
struct frame *frame_of(struct sim *s, const struct message *m);
const struct message *frame_message(struct sim *s, struct frame *f);
void frame_drop(struct sim *s, struct frame *f);
void frame_bytes(struct frame *f); /* after a change of its bytes */

/* ---- blocks.c ---------------------------------------------------------------------------------
 */
uint32_t world_find(const struct sim *s, const struct hash *hash);
uint32_t world_add(struct sim *s, const struct block_head *head);
bool world_empty(const struct sim_block *b);
uint32_t world_parent(const struct sim *s, uint32_t block); /* its parent, NO_BLOCK */
struct block_head world_anchor(const struct sim *s);

/* ---- keys.c -----------------------------------------------------------------------------------
 */
struct core_crypto keys_of(struct sim *s, int member);
void keys_sign(struct signature *out, const struct address *a, const struct hash *digest);
bool keys_good(const struct address *a, const struct signature *sig, const struct hash *digest);
bool keys_certificate(const struct sim *s, const struct certificate *cert);

/* ---- links.c ----------------------------------------------------------------------------------
 */
void links_reset(struct sim *s);
void links_post(struct sim *s, struct node *from, int to_member, struct frame *f);
void links_post_node(struct sim *s, struct node *from, struct node *to, struct frame *f);
void links_connect(struct sim *s, struct node *n);
void links_connected(struct sim *s, struct node *to, struct node *from);
void links_broken(struct sim *s, struct node *gone);
void links_break(struct sim *s, struct node *a, struct node *b);
void links_latency(struct sim *s, struct node *to, struct node *from);
void links_cut(struct sim *s, int a, int b, bool begin, bool both);

/* ---- disk.c -----------------------------------------------------------------------------------
 */
void disk_reset(struct sim *s, struct node *n);
void disk_free(struct node *n);
void disk_begin(struct sim *s, struct node *n); /* something happens to its room now */
void disk_turn(struct sim *s, struct node *n);
void disk_done(struct sim *s, struct node *n);
void disk_doom(struct sim *s, struct node *n);
enum err disk_submit(void *node, const struct journal_step *step, bool sync) MUST_USE;
bool disk_poll(void *node, struct storage_done *done);
void disk_stored(void *node, uint64_t token, enum err err);
void disk_failed(void *node, enum err err);
void disk_block(struct sim *s, struct node *n, uint32_t block);
void disk_body(struct sim *s, struct node *n, uint32_t block);
void disk_final(struct sim *s, struct node *n, const struct effect *e);
/* No bytes: erases it. `token`: users_stored is told of it. */
void disk_pool(struct sim *s, struct node *n, const struct hash *tx, struct bytes raw,
               uint64_t token);
struct disk_head *disk_head(struct node *n); /* a new one, durable with the next step */
const struct disk_head *disk_last_head(const struct node *n);
void disk_free_step(struct disk_step *t);
struct disk_step *disk_append(struct disk *d, uint32_t votes, uint32_t certs);
void disk_fails(struct sim *s, struct node *n, bool begin);
/* crash.c */
enum disk_loss { LOSE_LITTLE, LOSE_UNSYNCED, LOSE_SOME };
void disk_close(struct disk *d);
void disk_stop(struct sim *s, struct node *n, enum disk_loss loss);
void disk_copy(struct sim *s, struct node *n);
void disk_restore_copy(struct sim *s, struct node *n);
void disk_blank(struct sim *s, struct node *n);
void disk_flip(struct sim *s, struct node *n, uint64_t where);
/* found.c: what a start finds takes the place of what was remembered. */
void disk_found(struct sim *s, struct node *n);
/* restart.c */
void disk_verdict(struct sim *s, struct node *n, struct core_config *config);
void disk_restore(struct sim *s, struct node *n);

/* ---- client.c: the execution client -----------------------------------------------------------
 */
void client_build(struct sim *s, struct node *n, const struct effect *e);
void client_built(struct sim *s, struct node *n, uint64_t number);
void client_execute(struct sim *s, struct node *n, uint32_t block, uint32_t tries);
void client_executed(struct sim *s, struct node *n, uint32_t block, uint64_t tries);
void client_hang(struct sim *s, struct node *n, bool begin);

/* ---- clock.c ----------------------------------------------------------------------------------
 */
void clock_reset(struct sim *s, struct node *n);
uint64_t clock_local(const struct sim *s, const struct node *n);
uint64_t clock_real(const struct sim *s, const struct node *n, uint64_t local);
uint64_t clock_wall_ms(const struct sim *s, const struct node *n);
void clock_drift(struct sim *s, struct node *n, int64_t ppm);

/* ---- node.c: one process; node_net.c: its messages --------------------------------------------
 */
void node_boot(struct sim *s, struct node *n);
void node_crash(struct sim *s, struct node *n, enum disk_loss loss);
void node_step(struct sim *s, struct node *n, const struct event *ev);
void node_tick(struct sim *s, struct node *n, uint64_t at);
void node_health(struct sim *s, struct node *n);
void node_beat(struct sim *s, struct node *n);
void node_resume(struct sim *s, struct node *n);
void node_body(struct sim *s, struct node *n, uint32_t block);
void node_frame(struct sim *s, struct node *n, struct node *from, struct frame *f);
void node_send(void *node, int to, const struct message *m);
struct bytes node_own_body(void *node, const struct block_head *head);
void node_sync(struct sim *s, struct node *n);
void node_fetch(struct sim *s, struct node *n, const struct effect *e);

/* ---- harm.c -----------------------------------------------------------------------------------
 */
void harm_begin(struct sim *s, const struct harm *h);
void harm_end(struct sim *s, const struct harm *h);

/* ---- oracle.c, oracle_votes.c, oracle_order.c ---------------------------------------------------
 */
struct oracle *oracle_new(void);
void oracle_free(struct oracle *o);
void oracle_reset(struct sim *s);
void oracle_written(struct sim *s, struct node *n, const struct vote *vote, uint32_t votes,
                    const int *reason);
void oracle_forget(struct sim *s, struct node *n, const struct vote *v);
void oracle_durable(struct sim *s, struct node *n, const struct vote *v, bool durable);
void oracle_leaves(struct sim *s, struct node *n, const struct message *m);
/* What the core asks for, in its order; a body that follows a proposal; what really happens. */
void oracle_asks(struct sim *s, struct node *n, const struct effect *e);
void oracle_asks_body(struct sim *s, struct node *n, const struct hash *block);
void oracle_asked(struct sim *s, struct node *n); /* the step is over */
void oracle_sends(struct sim *s, struct node *n, int to, const struct message *m);
void oracle_told(struct sim *s, struct node *n, const struct event *e);
void oracle_died(struct sim *s, struct node *n);
void oracle_final(struct sim *s, struct node *n, const struct effect *e);
void oracle_skipped(struct sim *s, struct node *n, const struct effect *e);
void oracle_blames(struct sim *s, struct node *n, int member, const char *what);
void oracle_alarm(struct sim *s, struct node *n, enum alarm_kind what);
void oracle_look(struct sim *s, struct node *n);
void oracle_restarted(struct sim *s, struct node *n);
uint64_t oracle_height(const struct sim *s); /* of the highest final block anywhere */
uint32_t oracle_final_at(const struct sim *s, uint64_t slot); /* block, NO_BLOCK */
const struct certificate *oracle_certificate(const struct sim *s, uint64_t slot);
uint64_t oracle_top_slot(const struct sim *s);

#endif
