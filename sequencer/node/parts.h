/* The parts of one node, seen by the files of sequencer/node/ only. Everything here belongs to the
 * loop thread; work that costs time goes to the loop's workers and comes back.
 *
 * The core is asked through one door (driver_give); what it answers is carried out in order
 * (effects.c). Prefixes say in which file a function stands. */
#ifndef SEQUENCER_NODE_PARTS_H
#define SEQUENCER_NODE_PARTS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* All keys are Keccak hashes: any eight bytes of them are as good as a hash of the whole. */
static inline unsigned parts_hash(const void *key)
{
    uint64_t v;
    memcpy(&v, key, sizeof v);
    return (unsigned)(v * 0x9e3779b97f4a7c15ULL >> 32);
}
#define HASH_FUNCTION(key, len, out) ((out) = parts_hash(key))
#include <uthash.h>
#include <uv.h>

#include "consensus/consensus.h"
#include "p2p/p2p.h"
#include "proto/genesis.h"
#include "proto/tx.h"
#include "sequencer/batcher/pressure.h"
#include "sequencer/builder/builder.h"
#include "sequencer/execution/ledger_service.h"
#include "sequencer/mempool/mempool.h"
#include "sequencer/node/config.h"
#include "sequencer/node/engine_link.h"
#include "sequencer/node/l1_link.h"
#include "sequencer/node/posting_make.h"
#include "sequencer/observe/incidents.h"
#include "sequencer/observe/log.h"
#include "sequencer/observe/metrics.h"
#include "sequencer/rpc/rpc.h"
#include "sequencer/steps/steps.h"
#include "storage/storage.h"

struct node;

enum {
    BUILDS = 8,                 /* payloads asked for or kept */
    SLICE_TXS = 64,             /* sender recoveries of one piece of work: below 3 ms */
    SLICE_HASHES = 1024,        /* so many transactions are hashed on the loop; more by workers */
    LOOP_LATE_US = 5000,        /* a turn of the loop that keeps others waiting */
    INLINE_TXS = 2,             /* so few are recovered on the loop: a worker would take longer */
    ROOT_INLINE_BYTES = 262144, /* larger bodies are hashed on a worker */
    FINAL_QUEUE_SYNC = 128      /* no more ranges are asked for while so many wait for execution */
};

/* ---- driver.c -------------------------------------------------------------------------------- */

struct driver {
    struct steps steps; /* its order, the same as in the simulator */
    struct core *core;
    void *memory;
    struct effects *effects;
    bool closed;   /* stopping: events are dropped */
    bool messages; /* some were given since the last tick */
    int reading;   /* member whose message is being given, -1 */
    bool ban_reading;
    /* driver_store.c */
    bool retrying;
    enum err write_err; /* why a write failed, */
    uint64_t failed_us; /* and when */
    uint64_t waiting_us; /* since when the oldest step is not durable; 0: none waits */
    uv_work_t retry_work;
    enum err retry_err;
    /* driver_time.c */
    uint64_t loop_turns, loop_late, loop_worst_us; /* those above LOOP_LATE_US; the longest */
    int timer_fd;
    uv_poll_t timer;
    uv_check_t check;
    uv_prepare_t prepare;
    uint64_t deadline_us;
    uint64_t turn_started_us, turn_idle_ns;
    int64_t skew_ms;
    FILE *trace;
};

enum err driver_open(struct node *n) MUST_USE;
void driver_close(struct node *n);
uint64_t driver_now(void);                  /* monotonic, us */
uint64_t driver_wall(const struct node *n); /* Unix time, ms, with the skew of a drill */
/* Gives an event to the core; its times are filled in here. An event without a message may be
 * given at any time; while a step is carried out it waits for its turn. */
void driver_give(struct node *n, struct event event);
void driver_tick(struct node *n, uint64_t late_us);

/* The core's steps, without a core yet: what waits for a write can wait. */
enum err driver_steps(struct node *n) MUST_USE;

/* effects.c, driver_store.c: what steps.h asks of its world. */
void effects_between(void *node, const struct event *event, const struct effects *out);
bool effects_one(void *node, const struct effect *e);
void effects_after(void *node);
struct bytes effects_body(void *node, const struct block_head *head);
enum err store_submit(void *node, const struct journal_step *step, bool sync) MUST_USE;
bool store_poll(void *node, struct storage_done *done);
void store_failed(void *node, enum err err);

/* driver_store.c. After a failed write nothing is signed until all that waits is durable. */
void store_drain(struct node *n); /* takes completions from storage */
void store_retry(struct node *n); /* after a failure, every second */
/* How long the oldest step has been on its way to the disk; 0: none is. */
uint64_t store_waits_us(const struct node *n);

/* driver_time.c */
enum err time_open(struct node *n) MUST_USE;
void time_close(struct node *n);

/* driver_net.c */
struct p2p_handlers net_handlers(struct node *n);
void net_send(struct node *n, int to, const struct message *m);
void net_flush(struct node *n); /* now, not at the end of the loop's turn */
bool net_up(const struct node *n, int member);

/* trace.c */
void trace_event(struct node *n, const struct event *e);

/* ---- blocks.c, body_check.c ------------------------------------------------------------------ */

enum entry_body {
    ENTRY_NONE,    /* no body here */
    ENTRY_STASHED, /* bytes that came before the header: unchecked */
    ENTRY_LOADED,  /* from own disk: root checked when it was stored, senders not known */
    ENTRY_CHECKING,
    ENTRY_GOOD,
    ENTRY_BAD /* hashes to its root, breaks a stateless check (N5) */
};
enum entry_run { ENTRY_NOT_RUN, ENTRY_WANTED, ENTRY_RUNNING, ENTRY_VALID, ENTRY_INVALID };

/* A block as far as it is here. */
struct block_entry {
    struct hash hash;
    UT_hash_handle hh;
    struct block_entry *prev, *next; /* least recently used first */
    struct node *node;
    bool has_head;
    struct block_head head; /* head.system is owned */
    enum entry_body body_state;
    uint8_t *body;
    size_t body_len;
    bool stored;   /* head and body were handed to storage */
    bool final;    /* by the core */
    bool done;     /* final and executed here: part of `latest` */
    uint32_t pins; /* work under way that points here */
    uint32_t txs;
    struct execution_tx *tx; /* raw views into body, senders */
    struct hash *tx_hash;
    struct address *tx_sender;
    uint64_t *tx_nonce;
    enum entry_run run;
    bool in_queue; /* of execute.c */
    struct block_entry *run_next;
    uint64_t run_started_us, run_retry_us, run_wait_us;
    bool has_info;
    struct payload_info info;
    uint64_t arrival_us;
    uint64_t asked_us;                     /* peers were last asked for it */
    uint64_t final_us;
    size_t weight; /* bytes counted */
    /* body_check.c */
    uint32_t check_left;
    bool check_ok;
};

struct blocks {
    struct block_entry *table;
    struct block_entry *lru;
    size_t bytes;
};

/* NULL: not in memory. */
struct block_entry *blocks_find(struct node *n, const struct hash *hash);
/* In memory or made; NULL: out of memory. */
struct block_entry *blocks_get(struct node *n, const struct hash *hash);
struct block_entry *blocks_put_head(struct node *n, const struct block_head *head);
bool blocks_put_body(struct node *n, struct block_entry *e, struct bytes body,
                     enum entry_body state);
void blocks_drop_body(struct node *n, struct block_entry *e);
/* In memory, or read from disk: the head and, where stored, the body. NULL: not here. */
struct block_entry *blocks_load(struct node *n, const struct hash *hash);
/* Counts the entry anew and lets the oldest go. */
void blocks_weigh(struct node *n, struct block_entry *e);
/* Forgets blocks at or below `slot` that did not become final. */
void blocks_forget_below(struct node *n, uint64_t slot);
void blocks_store(struct node *n, struct block_entry *e);
void blocks_close(struct node *n);
bool blocks_is_empty(const struct header *h);
/* The transactions in a body, in the form of proto/body.h: a body of the built-in ledger is nothing
 * else, one of a client has them inside. No bytes where there are none to be found. */
struct bytes body_txs(const struct genesis *g, struct bytes body);
/* What was executed and is not part of `latest` is executed once more: the client may have lost it. */
void blocks_run_again(struct node *n);

/* Bytes of a body arrived from a peer or the builder. */
void body_arrived(struct node *n, const struct hash *block, struct bytes body);
/* A valid header arrived: a body that waited for it is looked at. */
void body_head_here(struct node *n, struct block_entry *e);
/* Finds the senders of a body that is here; goes on in execute.c and finality.c when done. */
void body_check(struct node *n, struct block_entry *e);

/* ---- execute.c, taken.c, build.c ------------------------------------------------------------- */

struct executes {
    struct block_entry *first; /* wanted, in order of asking */
    uint64_t retry_us;         /* 0: nothing waits for a time */
    uint32_t busy;             /* pumping, or put off */
    bool again;                /* asked for meanwhile */
};

void execute_want(struct node *n, struct block_entry *e);
void execute_pump(struct node *n);
/* Between the two nothing is started: what a step sends and writes goes first. */
void execute_put_off(struct node *n);
void execute_go_on(struct node *n);
/* A final EMPTY block whose ancestors are executed. */
void execute_tell_empty(struct node *n, struct block_entry *e);

/* Which transactions stand in unfinalized ancestors. */
struct taken {
    const struct hash **slot;
    uint32_t mask, used;
    uint64_t seed;
};
void taken_chain(struct node *n, struct taken *t, const struct hash *tip);
bool taken_has(void *taken, const struct hash *hash);
void taken_free(struct taken *t);

struct build {
    struct node *node;
    enum { BUILD_FREE, BUILD_ASKED, BUILD_KEPT } state;
    uint64_t number;
    bool cancelled;
    uint64_t asked_us;
    struct hash body_root;
    uint8_t *body;
    size_t body_len;
};

struct builds {
    struct build build[BUILDS];
    struct mempool_candidate *candidate;
    struct execution_tx *tx;
    struct taken taken;
    struct builder halving; /* how large the next own block may be */
};

void build_ask(struct node *n, const struct effect *e);
void build_cancel(struct node *n, uint64_t number);
/* The body of an own proposal leaves the kept payloads for the cache. */
void build_proposed(struct node *n, const struct block_head *head);
/* An own block with transactions turned out INVALID, or is final. */
void build_verdict(struct node *n, const struct block_entry *e, bool good);
void build_close(struct node *n);

/* ---- finality.c ------------------------------------------------------------------------------ */

struct final_item {
    struct final_item *next;
    struct hash block;
};

/* Where a transaction of a recent block is: the index on disk may lag behind by a write. */
struct recent_tx {
    struct hash hash;
    UT_hash_handle hh;
    uint64_t number;
    uint32_t index;
};

enum { RECENT = 64 };

struct finality {
    struct final_item *first, **end;
    uint32_t waiting;
    bool finalizing;
    bool pumping, again; /* asked for meanwhile */
    uint64_t asked_us;
    bool diverged;
    uint64_t slot, height; /* highest block that the core delivered */
    uint64_t covered_slot; /* the same, with a certificate: up to it the disk was given everything */
    uint64_t seen_us;
    /* `latest`: final and executed here. Number 0 is the genesis. */
    uint64_t latest_slot, latest_number;
    struct hash latest_payload, latest_block;
    uint64_t latest_ms;
    struct hash tip; /* highest block with a good body: what a build follows */
    uint64_t tip_slot;
    struct {
        uint64_t number;
        struct hash block, payload;
    } recent[RECENT];            /* by number % RECENT */
    struct recent_tx *recent_tx; /* of recent blocks, oldest first */
    struct certificate cert;     /* of the highest final block that has one; slot 0: none */
    bool caught_up;              /* view_ready said so once */
};

void finality_final(struct node *n, const struct effect *e);
/* The disk did not take a final block, and a hole in the stored chain would make the next start
 * impossible: the process ends; after a start the others have everything. */
void finality_refused(struct node *n, enum err e);
void finality_pump(struct node *n);
const struct recent_tx *finality_recent_tx(const struct node *n, const struct hash *tx);
void finality_tip(struct node *n, const struct block_entry *e);
void finality_close(struct node *n);

/* ---- senders.c ------------------------------------------------------------------------------- */

/* Of bytes that decode, are of this chain or of none, and hash to `hash`. */
void senders_put(struct node *n, const struct hash *hash, const struct address *sender,
                 uint64_t nonce);
bool senders_get(const struct node *n, const struct hash *hash, struct address *sender,
                 uint64_t *nonce);
void senders_close(struct node *n);

/* ---- intake.c, intake_store.c, intake_acks.c, pool_restore.c --------------------------------- */

/* One raw transaction on its way in. */
struct intake_tx {
    struct intake_tx *next;
    int from; /* member, -1: submitted here */
    rpc_submit_cb cb;
    void *arg;
    uint64_t at_us;
    struct tx tx;
    struct address sender;
    bool replaces; /* this one in the pool: it leaves the disk with the same write */
    struct hash replaced;
    bool known; /* the sender is: it was recovered before */
    enum tx_error error;
    uint32_t n;
    uint8_t raw[];
};

/* Submitted here: waits for its acknowledgement, then for its block. */
struct intake_wait {
    struct hash hash;
    UT_hash_handle hh;
    rpc_submit_cb cb; /* NULL: answered */
    void *arg;
    uint32_t acks;    /* members where it is durable */
    uint32_t repeats; /* each waits twice as long as the last */
    uint64_t at_us, sent_us;
    bool starved;     /* the core was told: once a transaction (CONSENSUS 6) */
    struct intake_wait *prev, *next; /* of the unanswered, oldest first */
};

struct intake_stored {
    struct hash hash;
    int from;
};

struct intake_batch {
    struct intake_batch *next;
    uint64_t token;
    uint32_t n, cap;
    struct intake_stored *item;
};

struct intake_queue {
    struct intake_tx *first, **end;
    uint32_t n;
};

struct intake {
    struct intake_queue peers, own; /* not yet looked at; what others acknowledged goes first */
    uint32_t working, works;        /* transactions and pieces of work at the workers */
    uint32_t works_most;            /* keeps all cores busy, and no more */
    struct intake_wait *wait, *asking; /* by hash; those of them that nobody was told of yet */
    uint32_t unanswered;
    uint32_t retold; /* member that was last told what is old here */
    struct intake_queue admitted; /* to be stored and sent with the next write */
    uint64_t credit_us, credit_at_us; /* of writes; intake_store.c */
    struct intake_batch *batch, **batch_end; /* written, not yet durable */
    uint64_t token;
};

void intake_open(struct node *n);
void intake_submit(struct node *n, struct bytes raw, rpc_submit_cb cb, void *arg);
void intake_from_peer(struct node *n, int member, const struct message *m);
void intake_acked(struct node *n, int member, const struct message *m);
/* Once a loop turn: what arrived goes to the workers, what was admitted to disk and peers. */
void intake_turn(struct node *n);
/* A transaction whose sender was read from the execution client, or could not be. */
void intake_go_on(struct node *n, struct intake_tx *t, bool read);
void intake_push(struct intake_queue *q, struct intake_tx *t);
struct intake_tx *intake_pop(struct intake_queue *q); /* NULL: empty; else owned by the caller */
void intake_flush(struct node *n);
void intake_store_close(struct node *n);
void intake_stored(struct node *n, uint64_t token, enum err e);
void intake_final(struct node *n, const struct hash *tx);
void intake_sweep(struct node *n); /* repeats, gives up */
void intake_retell(struct node *n); /* every second: what is old here, to one member after the other */
void intake_peer_up(struct node *n, int member);
void intake_close(struct node *n);
/* Puts what the disk holds back into the pool. */
enum err pool_restore(struct node *n) MUST_USE;
void pool_erase(struct node *n, const struct hash *tx, uint32_t txs);

/* ---- sync.c ---------------------------------------------------------------------------------- */

struct peer_view {
    bool heard;
    struct status status; /* the last one */
    uint64_t first_final; /* final slot in the first status since the start */
    uint64_t serve_us, serve_at_us; /* of the loop's time it may take so much, as of then */
};

struct syncing {
    int asked; /* member asked, -1 */
    uint64_t asked_us;
    uint64_t above;
    uint32_t next_peer;
    bool active; /* too far behind to lead */
};

void sync_status(struct node *n, int member, const struct status *s);
void sync_check(struct node *n);
void sync_blocks(struct node *n, int member, const struct message *m);
void sync_serve_range(struct node *n, int member, const struct message *m);
void sync_serve_fetch(struct node *n, int member, const struct hash *block);
void sync_fetch(struct node *n, const struct hash *block, int peer);

/* ---- posting.c, posting_l1.c, posting_view.c --------------------------------------------------------------- */

/* Final blocks on their way into the data layer. posting_make.h works on a worker; here is when,
 * what came of it, and what everybody else sees. `safe` and `finalized` move in posting_heads only,
 * which may also move them back: a layer on an L1 can lose what it held. */
struct poster {
    struct layer_file *files;
    struct data_layer layer;
    struct posting_maker *maker; /* the worker's while `working` */
    uv_work_t work;
    bool working, closing;
    uint64_t asked_slot, asked_us;
    struct posting_result result;
    struct { /* posting_ask.c: a certificate that members have and this disk has not */
        uint64_t slot; /* 0: none is lacking */
        uint64_t at_us;
        int member; /* asked; its answer counts alone */
        bool here;
        struct certificate cert;
    } proof;
    struct posting_head safe, finalized;
    uint64_t segments;
    uint64_t oldest_ms; /* time of the first block above `safe`; 0: none */
    /* bodies above `safe`: those read by the maker, and those final since it was level */
    uint64_t held_bytes, final_bytes, asked_bytes, level_bytes;
    uint32_t permille; /* size of the last segment, as it was posted, to its bodies */
    enum err err;      /* why nothing is posted now, */
    char why[POSTING_WHY];
    uint64_t failed_us;  /* since when, */
    uint64_t waiting_us; /* or since when something is not on disk yet; 0: not */
    uint64_t retry_us, wait_us;
    struct l1_link *l1;       /* NULL: files are the only layer */
    struct l1_standing on_l1; /* as of the last turn */
    unsigned stage;     /* of back-pressure (batcher/pressure.h); */
    uint64_t rising_us; /* it should be higher since then, 0: it should not */
};

/* Refuses a folder that is damaged or another chain's, with the remedy. */
enum err posting_open(struct node *n, char *why, size_t why_len) MUST_USE;
void posting_stop(struct node *n); /* counts in n->closing until the worker is done */
void posting_close(struct node *n);
void posting_final(struct node *n, const struct header *h); /* part of `latest` now */
void posting_turn(struct node *n);                          /* every 100 ms */
void posting_heads(struct node *n, const struct posting_head *safe,
                   const struct posting_head *finalized);
/* posting_ask.c: `slot` 0: nothing is lacking. */
void posting_ask_proof(struct node *n, uint64_t slot);
void posting_hear_proof(struct node *n, int member, const struct message *m);
/* posting_l1.c: where there is an L1, the heads are its. */
enum err posting_l1_open(struct node *n, char *why, size_t why_len) MUST_USE;
void posting_l1_turn(struct node *n);
/* What a member says of its or others' transactions to the L1: MSG_INTENT, MSG_INTENT_ACK. */
void posting_l1_hear(struct node *n, int member, const struct message *m);
struct json_object *posting_l1_doc(const struct node *n); /* NULL: none */
/* What the own blocks and the intake must heed now. */
struct pressure posting_pressure(const struct node *n);
enum pressure_layer posting_layer(const struct node *n);
uint64_t posting_unsafe_bytes(const struct node *n); /* compressed, as estimated */
/* A head as users may see it: never above `latest`. */
struct posting_head posting_shown(const struct node *n, const struct posting_head *head);
struct json_object *posting_head_doc(const struct node *n, const struct posting_head *head);
struct json_object *posting_doc(const struct node *n);
void posting_gauges(struct node *n);

/* ---- readiness.c, clock.c, distance.c --------------------------------------------------------- */

enum {
    /* Known here and not told to the others: beside the bits of enum not_ready. */
    READY_NO_QUORUM = 1 << 16,
    READY_OBSERVER = 1 << 17,
    READY_SENTENCE = 256
};

/* Members heard within the last second, self included. */
uint32_t readiness_reachable(const struct node *n);
uint32_t readiness_bits(struct node *n); /* 0: able to lead */
void readiness_look(struct node *n, struct rpc_readiness *out);
const char *readiness_word(uint32_t bit);
void readiness_log(struct node *n, uint32_t bits);

/* Differences to the own clock, in ms; above 0: theirs is ahead. */
struct clock_view {
    struct clock_peer {
        bool heard; /* since the last look */
        int64_t ahead_ms;
        bool known; /* at the last look */
        int64_t shown_ms;
    } peer[LIMIT_MEMBERS];
    int64_t off_ms; /* of the own clock to the middle of all */
    uint32_t times; /* looks in a row that found it wrong */
    bool wrong;
};

void clock_heard(struct node *n, int member, uint64_t clock_ms);
void clock_look(struct node *n); /* every second */
void clock_say(const struct node *n, char *out, size_t size);
/* Every second: a quorum too far away for the depth of the genesis is told to operators. */
void distance_look(struct node *n);

/* ---- health.c -------------------------------------------------------------------------------- */

struct health {
    uv_timer_t timer;
    uint64_t beats;
    /* calls to the execution client */
    uint32_t outstanding;
    uint64_t idle_end_us, answered_us;
    bool dry_running;
    uint64_t dry_asked_us, dry_ok_us;
    uint32_t sent_not_ready;
    bool sent_pending, sent_draining, sent_any;
    bool pool_changed; /* look at `pending` again in this loop turn */
    bool pool_grew;    /* only if nothing is pending: one more cannot change that */
    bool pending;
    uint64_t draining_until_us; /* 0: not; UINT64_MAX: for good */
    bool hand_over;             /* draining until the own turn ended */
    struct {
        uint64_t p50, p99;
    } latency[LIMIT_MEMBERS];
    bool too_far; /* distance.c */
    uint64_t quorum_us; /* a quorum is connected since, 0: never was */
    int shown_leader;
    uint32_t shown_not_ready;
    char sentence[4][READY_SENTENCE]; /* readiness.c: what it lends */
};

void health_first_look(struct node *n);
void health_open(struct node *n);
void health_close(struct node *n);
void health_client_asked(struct node *n);
void health_client_answered(struct node *n);
void health_turn(struct node *n); /* end of a loop turn: `pending` */
uint32_t health_not_ready(struct node *n);
uint64_t health_client_silent(const struct node *n);

/* ---- incident_book.c: effects into incidents, metrics, alarms; incident_store.c --------------- */

enum { OWN_SKIPS = 64 };

struct own_skip {
    uint64_t turn, at_ms;
    int reason;
};

struct book {
    uint64_t turn; /* entered last */
    struct own_skip own_skip[OWN_SKIPS]; /* ring */
    uint32_t own_skips;
    uint64_t votes_made;
    char stopped[READY_SENTENCE]; /* why nothing is signed any more, "" while it is */
    bool open;
    uint64_t open_from, open_to; /* numbers of incidents not yet over */
    uint64_t last_final_ms, last_final_us;
    uint64_t gap_from_us; /* last final block before the first open one; 0: not known */
    int reason_label[SKIP_REASONS];
    int kind_label[4];
    int peer_label[LIMIT_MEMBERS];
    int head_label[3];
    int op_label[3];
    int when_label[3]; /* passed, current, ahead */
    int stranger_label[2]; /* failed, refused */
};

void book_open(struct node *n);
void book_entered(struct node *n, uint64_t turn);
void book_skipped(struct node *n, const struct effect *e);
void book_final(struct node *n, const struct header *h);
void book_proposal(struct node *n, const struct header *h);
void book_votes(struct node *n, const struct effect *e);
void book_evidence(struct node *n, const struct effect *e);
void book_alarm(struct node *n, const struct effect *e);
void book_gauges(struct node *n);
void book_limit(struct node *n, const char *limit);
/* To disk with the next synced write; back into the ring at a start, after book_open. */
void incident_store(struct node *n, const struct incident *i);
enum err incident_restore(struct node *n) MUST_USE;

/* ---- restart.c, ledger_start.c --------------------------------------------------------------- */

enum err restart_core(struct node *n, char *why, size_t why_len) MUST_USE;
/* The ledger at the final head, from stored accounts and final blocks above them. */
enum err ledger_start(struct node *n, char *why, size_t why_len) MUST_USE;
void ledger_persist(void *node, const struct ledger_account *changed, size_t count,
                    const struct payload_info *head);
/* What a final block adds to the tables: payload, transaction index; its transactions leave the
 * stored pool. */
void ledger_record_block(struct node *n, const struct payload_info *info, const struct hash *tx,
                         uint32_t txs);

/* ---- chain_view.c, chain_documents.c, admin.c ------------------------------------------------ */
extern const struct rpc_backend chain_backend, chain_client_backend; /* the other: with a client */
/* False while the node is below the heads that it may have shown before (CONSENSUS 8). */
bool view_ready(struct node *n);
enum err view_block(struct node *n, struct block_entry *e, struct rpc_block *out);
/* Block hash of a final number, of a payload hash; the entry with its body. NULL: not here. */
enum err view_hash_at(struct node *n, uint64_t number, struct hash *out);
struct block_entry *view_by_payload(struct node *n, const struct hash *payload);
bool view_find_tx(struct node *n, const struct hash *tx, uint64_t *number, uint32_t *index);
void documents_answer(void *node, enum rpc_document kind, const struct rpc_query *q,
                      rpc_answer_cb cb, void *arg);
/* NULL: none (yet). The caller owns the object. chain_proofs.c. */
struct json_object *documents_certificate(struct node *n, uint64_t number);
struct json_object *documents_receipt_proof(struct node *n, const struct hash *tx);
struct json_object *documents_status(struct node *n);
struct json_object *documents_members(struct node *n);
struct json_object *documents_schedule(struct node *n, uint64_t count);
struct json_object *documents_epoch(struct node *n);
void admin_answer(void *node, enum rpc_admin_call call, const struct rpc_query *q, rpc_answer_cb cb,
                  void *arg);

struct chaos {
    uint32_t cut; /* members, bit i = member i */
    uint32_t slow_ms, drop_percent;
    bool stall;
};

/* ---- the node -------------------------------------------------------------------------------- */

struct node {
    const struct config *config;
    struct genesis genesis;
    struct epoch_config epoch;
    struct header anchor;
    struct hash anchor_hash;
    struct secret_key *key;
    struct address address;
    int self; /* member index, -1: observer */
    uint8_t instance[16];
    uv_loop_t loop;
    struct storage *storage;
    enum storage_verdict verdict;
    uv_async_t storage_wake;
    struct ledger *ledger_object; /* until the service takes it */
    struct ledger_service *ledger; /* NULL: a client executes, link */
    struct engine_link link;
    struct execution execution;
    struct mempool *mempool;
    struct p2p *p2p;
    struct rpc *rpc;
    struct metrics *metrics;
    struct incidents *incidents;
    struct driver driver;
    struct blocks blocks;
    struct executes executes;
    struct builds builds;
    struct finality finality;
    struct intake intake;
    struct sender_known *senders; /* NULL: none was recovered yet */
    struct poster poster;
    struct syncing syncing;
    struct peer_view peer[LIMIT_MEMBERS];
    struct health health;
    struct clock_view clock;
    struct book book;
    struct chaos chaos;
    char *admin_token;
    uint64_t started_us;
    uint64_t own_finalized; /* highest slot with an own finalize vote at the start */
    bool stopping;
    uint64_t stop_at_us;
    enum err end;         /* not OK: why it ended itself, */
    char end_why[READY_SENTENCE]; /* in a sentence with the remedy */
    uint32_t closing; /* parts that still close */
};

int node_exit_code(enum err e);
/* Ends the process by itself: what it must say, and the exit code by `e`. */
void node_end(struct node *n, enum err e, const char *why);

#endif
