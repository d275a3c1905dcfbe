/* The consensus core: Windowed Simplex (CONSENSUS) as one pure function of events.
 *
 *     event ──> core_step() ──> effects
 *
 * No I/O, no clock (time is in the event), no randomness, no threads, no allocation after
 * core_init. The same object files run in the node, the simulator and the fuzzers.
 *
 * Ownership: an event's pointers are borrowed until core_step returns; the core copies what it
 * keeps. What an effect points to stays valid until the next call of core_step.
 *
 * Order: the driver carries out the effects of a step in their order. At most one EFFECT_PERSIST
 * stands in a step; sends with `gate` != 0 leave only when that write sequence is durable, after
 * which the driver reports EVENT_PERSISTED. A failed write is EVENT_WRITE_FAILED: nothing signed
 * in or after that step ever leaves.
 *
 * Threads: one. All times are microseconds of the driver's monotonic clock unless named wall. */
#ifndef CONSENSUS_CONSENSUS_H
#define CONSENSUS_CONSENSUS_H

#include "proto/message.h"
#include "proto/vote.h"

/* ---- what the core asks of its owner --------------------------------------------------------- */

struct core_crypto {
    void *ctx;
    /* Signs with the member's key. False: the signer refuses; the core signs nothing more. */
    bool (*sign)(void *ctx, struct signature *out, const struct hash *digest);
    bool (*recover)(void *ctx, struct address *out, const struct signature *sig, const struct hash *digest);
};

struct core_config {
    struct epoch_config epoch;
    struct header anchor;          /* slot 0: genesis or the CLOSING block before; final by definition */
    int self;                      /* own member index; -1: observer, signs nothing */
    uint8_t instance[16];
    uint64_t start_us;             /* now */
    uint64_t head_stall_us;        /* configured part of *head stall* (CONSENSUS 6); 0 = 1 s */
    bool observe_until_cleared;    /* amnesiac (CONSENSUS 8) */
    bool ask_before_signing;       /* first signature waits for other members' answers, or 0.5 s */
    bool ask_without_limit;        /* journal was one step behind: waits for the answers alone */
    struct core_crypto crypto;
};

/* ---- events ---------------------------------------------------------------------------------- */

enum verdict { VERDICT_VALID = 1, VERDICT_INVALID = 2 };

enum event_kind {
    EVENT_TICK = 1,      /* time has passed; also after every batch of messages */
    EVENT_MESSAGE,       /* a decoded, consensus-relevant message of an authenticated peer */
    EVENT_PEER,          /* a connection came up, or went (with or without a reset) */
    EVENT_LATENCY,       /* measured one-way latency to a peer */
    EVENT_BODY,          /* body here: hashes to the header's body root, stateless checks passed or not */
    EVENT_EXECUTED,      /* the execution client's verdict on a block */
    EVENT_BUILT,         /* a payload, or its failure, for EFFECT_BUILD */
    EVENT_PERSISTED,     /* every write up to this sequence is durable */
    EVENT_WRITE_FAILED,  /* a write failed: stop signing */
    EVENT_HEALTH,        /* own client, disk, pool; operator's wishes */
    EVENT_OWN_KEY_SEEN,  /* a live second instance of this key was proved (CONSENSUS 8) */
    EVENT_STARVING       /* a transaction durable at weight >= A and executable here has waited
                          * longer than the inclusion limit while blocks of this turn had room; at
                          * most one event a transaction (CONSENSUS 6) */
};

struct built_payload {
    bool ok;                    /* false: the client could not; the core asks again */
    uint64_t build;             /* number of the EFFECT_BUILD answered */
    struct hash payload;
    struct hash state_root;
    struct hash body_root;
    uint32_t body_len;
    uint32_t txs;
};

struct event {
    enum event_kind kind;
    uint64_t now_us;
    uint64_t wall_ms;
    uint64_t late_us;           /* TICK: how late the loop was for the deadline asked for */
    int peer;                   /* member index of the sender, -1 for none */
    union {
        const struct message *message;
        struct {
            bool up;
            bool reset;         /* down by reset, and where RTT <= 40 ms one reconnect failed */
        } peer;
        struct {
            uint64_t one_way_p50_us;
            uint64_t one_way_p99_us;
        } latency;
        struct {
            struct hash block;
            bool ok;            /* false: hashes right but breaks a stateless check (N5) */
        } body;
        struct {
            struct hash block;
            enum verdict verdict;
            uint64_t took_us;
        } executed;
        struct built_payload built;
        uint64_t persisted;     /* write sequence */
        uint64_t starving_turn;
        struct {
            uint32_t not_ready; /* enum not_ready bits that the driver knows of */
            bool pending;       /* the pool holds an executable transaction */
            bool draining;      /* hand over at the next block, lead no more */
            bool leaving;       /* … and for longer than the own turn: tell the others */
            uint64_t client_silent_us; /* nothing at all from the client for so long */
        } health;
    } u;
};

/* ---- effects --------------------------------------------------------------------------------- */

enum effect_kind {
    EFFECT_PERSIST = 1,
    EFFECT_SEND,
    EFFECT_BUILD,        /* ask the builder for a payload on an executed parent */
    EFFECT_CANCEL,       /* the payload asked for is not needed any more */
    EFFECT_EXECUTE,      /* body present: run it after its ancestors; retry errors (50 ms … 2 s) */
    EFFECT_FETCH,        /* get header and body of a block by hash from this peer */
    EFFECT_STORE,        /* a valid header with system section: write it as it arrives, no sync */
    EFFECT_NOTARIZED,    /* notarized and executed here: reversible */
    EFFECT_FINAL,        /* final, body here; one effect a block, parents first; the driver executes
                          * it if it has not yet, and reports that too (EVENT_EXECUTED; for an EMPTY
                          * block as soon as its ancestors are executed) */
    EFFECT_SKIPPED,      /* a skip certificate is held: a turn, or the rest of it, is void */
    EFFECT_ENTERED,      /* the current slot moved */
    EFFECT_BAN,          /* a peer sent bad bytes or a bad own signature: cut and ban it */
    EFFECT_EVIDENCE,     /* a provable fault, seen here or in a final block */
    EFFECT_ALARM         /* operator must look */
};

/* Why a skip was signed (CONSENSUS 6). The order is that of the metric's labels. */
enum skip_reason {
    SKIP_LATE, SKIP_STUCK, SKIP_HEAD_STALL, SKIP_SILENT, SKIP_YIELD, SKIP_STARVING, SKIP_FOLLOW,
    SKIP_INVALID, SKIP_AHEAD, SKIP_PROPOSING, SKIP_NOT_READY, SKIP_REASONS
};

enum alarm_kind {
    ALARM_CONFLICT = 1,     /* two certificates that exclude each other: signing stopped */
    ALARM_PARENT_BELOW_FINAL, /* N4: signing stopped */
    ALARM_DIVERGENCE,       /* own client calls a final block INVALID: signing stopped */
    ALARM_WRITE_FAILED,
    ALARM_SIGNER,
    ALARM_SECOND_INSTANCE,
    ALARM_AMNESIAC,         /* found or cleared */
    ALARM_RECORDS_FULL
};

enum { SEND_ALL = -1 };

struct effect {
    enum effect_kind kind;
    union {
        struct {
            uint64_t sequence;       /* ascending, from 1 above the restored one */
            bool sync;               /* false: may ride with the next synced write */
            bool amnesiac;
            bool cleared;            /* amnesia cleared: record it, with clearing_slot */
            uint64_t clearing_slot;
            bool proposing;
            uint64_t proposing_turn;
            const struct vote *vote;
            const int *reason;       /* of each vote: enum skip_reason, -1 where it is no skip */
            uint32_t votes;
            const struct certificate *const *cert;
            uint32_t certs;
        } persist;
        struct {
            int to;                  /* member index or SEND_ALL */
            uint64_t gate;           /* write sequence, 0: at once */
            const struct message *message;
        } send;
        struct {
            uint64_t number;
            uint64_t slot;
            struct hash parent;      /* block hash */
            struct hash payload_parent;
            struct hash parent_state;
            uint64_t parent_height;
            uint64_t timestamp_ms;   /* of the block */
            uint32_t max_txs;        /* 0: no limit; smaller after a block failed (CONSENSUS 7) */
        } build;
        uint64_t cancel;             /* number */
        struct {
            struct hash block;
            const struct header *header;
        } execute;
        struct {
            struct hash block;
            int peer;
        } fetch;
        struct {
            const struct block_head *head;
        } store;
        struct {
            struct hash block;
            const struct header *header;
        } notarized;
        struct {
            struct hash block;
            const struct block_head *head;
            const struct certificate *cert; /* of this block or of a descendant; last effect of a run: its own */
            const uint8_t *bench;    /* benching state after this block, to be stored with it */
            size_t bench_len;
        } final;
        struct {
            uint64_t turn;
            uint64_t slot;
            int leader;
            const struct certificate *cert;
            int own_reason;          /* enum skip_reason of the own skip in that turn, -1: none */
        } skipped;
        struct {
            uint64_t slot;
            uint64_t turn;
            int leader;
        } entered;
        struct {
            int member;
            const char *why;         /* static */
        } ban;
        struct evidence evidence;
        struct {
            enum alarm_kind what;
            uint64_t slot;
            int member;              /* -1 where none */
        } alarm;
    } u;
};

struct effects {
    uint32_t n;
    struct effect effect[LIMIT_CORE_EFFECTS];
};

/* ---- the core -------------------------------------------------------------------------------- */

struct core;

/* Bytes of memory that a core of this configuration needs; alignment 64. */
size_t core_footprint(const struct core_config *config);

/* Makes a core in `memory` (core_footprint bytes). ERR_CONFIG: the configuration breaks a rule. */
enum err core_init(struct core **out, void *memory, const struct core_config *config) MUST_USE;

/* Restart (CONSENSUS 8): call between core_init and the first step, in this order. */
struct core_restored_final {
    const struct block_head *head;       /* highest final block with durable certificate */
    const struct certificate *cert;      /* its certificate, or a descendant's above it */
    bool executed;                       /* by the execution client */
    const uint8_t *bench;                /* stored with it */
    size_t bench_len;
};
enum err core_restore_final(struct core *core, const struct core_restored_final *final) MUST_USE;
enum err core_restore_block(struct core *core, const struct block_head *head, bool body_present) MUST_USE;
enum err core_restore_certificate(struct core *core, const struct certificate *cert) MUST_USE;
enum err core_restore_vote(struct core *core, const struct vote *vote) MUST_USE;
void core_restore_proposing(struct core *core, uint64_t turn);
void core_restore_sequence(struct core *core, uint64_t sequence);
/* Nothing at or below this slot is signed any more (the clearing block of an amnesia). */
void core_restore_floor(struct core *core, uint64_t slot);
/* Closes the restart: own votes go back into the tally, the current slot is entered. Call last,
 * also after a first start. `scratch` is used and emptied: what is restored is on disk already. */
void core_start(struct core *core, uint64_t now_us, struct effects *scratch);

/* The one door. Clears `out` first. */
void core_step(struct core *core, const struct event *event, struct effects *out);

/* When the next EVENT_TICK is due; UINT64_MAX: nothing is timed. */
uint64_t core_deadline(const struct core *core);

/* What status pages and statuses say; a copy. */
struct core_view {
    uint64_t epoch, slot, turn, entered_us;
    int leader;
    uint64_t final_slot, final_height, notarized_slot;
    struct hash final;
    uint64_t executed_slot;
    uint64_t highest_signed;
    uint64_t turns_unfinal;            /* c of CONSENSUS 6 */
    uint32_t not_ready;
    bool amnesiac, stopped;
    uint32_t benched;                  /* members benched at their next turn */
    uint32_t away, offended;           /* members that left; that lied, by evidence in the chain */
    uint32_t heard;                    /* members heard within the silent limit, self included */
    uint64_t delta_us, grace_us;
    uint64_t records, blocks;          /* in use */
    uint64_t stall_since_us;           /* 0: none */
    int stall_reason;                  /* enum skip_reason, -1: none */
};
void core_get_view(struct core *core, struct core_view *out);

/* The own status as it would be sent now (without the driver's clocks and pings). */
void core_get_status(const struct core *core, struct status *out);

/* Keccak-256 over the whole state: for replay and audits. */
struct hash core_digest(const struct core *core);

/* Who leads a turn (consensus/rotation.c), and slots <-> turns. */
int core_leader(const struct core *core, uint64_t turn);

const char *skip_reason_name(int reason);
const char *alarm_name(enum alarm_kind what);

#endif
