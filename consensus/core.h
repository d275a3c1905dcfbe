/* The state of the core, seen by the files of consensus/ only.
 *
 * Who writes what:
 *   own votes           sign.c alone (and restore.c, from the journal)
 *   cur                 advance.c alone
 *   root, final records finality.c alone
 *   tallies, certs      tally.c
 *   block records       chain.c
 *
 * Everything lies in one block of memory of fixed size; records are taken from free lists. */
#ifndef CONSENSUS_CORE_H
#define CONSENSUS_CORE_H

#include "consensus/consensus.h"
#include "consensus/index.h"

enum {
    SLOT_BLOCKS = 4,     /* block records a slot may hold: one proposal, others if certified */
    SYSTEM_INLINE = LIMIT_SYSTEM_INSIDE, /* longer system sections go to a spill area */
    SYSTEM_SPILLS = 32,
    PENDING_OWN = 512, /* own votes whose write is not yet durable */
    FETCHES = 32,
    EXECUTION_SAMPLES = 64,
    BENCH_RING = 128,    /* > 2 * LIMIT_MEMBERS + 2 */
    READY_TURNS = 64,    /* how far back a readiness notice may look (CONSENSUS 6) */
    PASSED_RING = READY_TURNS + 1,
    NEAR_SLOTS = 512,    /* above the root: what the next deliveries need */
    NEAR_RECORDS = 1024, /* of each table, kept for these */
    SCRATCH_BYTES = 1048576
};

#define NONE UINT32_MAX /* no record */

/* Votes are counted by kind: index = kind - 1. */
enum { NOTARIZE, SKIP, FINALIZE, KINDS };

enum vote_check { VOTE_ABSENT, VOTE_UNCHECKED, VOTE_GOOD };

struct tally_vote {
    struct hash block;
    struct signature signature;
    uint8_t check; /* enum vote_check */
};

struct slot_record {
    uint64_t slot;
    uint32_t block[SLOT_BLOCKS]; /* indices of block records, NONE where free */
    struct tally_vote vote[KINDS][LIMIT_MEMBERS];
    struct vote own[KINDS];         /* signed by this member; kind 0 where not */
    uint8_t own_durable;            /* bit by kind index */
    uint8_t has_cert;               /* bit by kind index; skip certificates: turn record */
    struct certificate cert[KINDS]; /* [SKIP] unused */
    bool evidence_sent;
    int own_skip_reason;
};

struct turn_record {
    uint64_t turn;
    bool skipped;            /* a skip certificate is held */
    struct certificate skip; /* the one with the lowest slot */
    bool proposing;          /* PROPOSING written or being written by this run */
    uint64_t proposing_seq;
    bool proposing_found; /* found in the journal at the start: propose nothing */
    int own_reason;       /* of the first own skip in this turn, -1 */
};

enum body_state { BODY_ABSENT, BODY_GOOD, BODY_BAD };
enum run_state { RUN_NONE, RUN_ASKED, RUN_VALID, RUN_INVALID };
enum form_state { FORM_UNKNOWN, FORM_VALID, FORM_INVALID };

struct block_record {
    struct block_head head; /* head.system leads into inline_system or a spill */
    uint8_t inline_system[SYSTEM_INLINE];
    uint32_t spill; /* index + 1, 0: inline */
    uint8_t form;   /* N1 without clock: enum form_state */
    uint8_t body;
    uint8_t run;
    bool in_use;
    bool proposed; /* the leader's signature on it was checked */
    bool own;
    bool notarized;      /* directly or by a descendant */
    uint64_t proof_slot; /* slot of the certificate that proves it notarized */
    uint64_t arrival_us; /* proposal first seen here */
    uint64_t ready_us;   /* notarized and executed since; 0: not yet */
    int shown_by;        /* peer that first named it */
};

struct peer_state {
    bool up;
    bool reset;
    uint64_t heard_us;
    uint64_t p50_us, p99_us; /* one-way */
    bool has_status;
    uint64_t cur, final_slot, final_height;
    uint32_t not_ready;
    bool pending;
    uint64_t pending_us;
    uint64_t lower_us;        /* shows a lower slot since; 0: does not */
    uint64_t bundle_us;       /* last bundle sent */
    struct vote highest_vote; /* with the highest slot it ever showed here; kind 0: none */
    /* answers before the first signature, and of the amnesia rule */
    bool answered;
    uint64_t asked_us;
    bool amnesia_answered;
    uint64_t amnesia_epoch, amnesia_slot;
};

/* What a chain says of its leaders, after one block of it: stored with every final one. */
struct bench {
    uint64_t last_turn; /* of the last block taken in */
    uint64_t filled;    /* snapshots are valid up to this turn */
    bool started;
    uint32_t offended; /* evidence against these is in the chain: out until the epoch ends */
    uint32_t away;     /* these said that they leave, from `away_from` on */
    uint8_t strikes[LIMIT_MEMBERS];
    uint8_t left[LIMIT_MEMBERS];
    uint64_t away_from[LIMIT_MEMBERS];  /* turn; of the last leave, also when that is over */
    uint64_t noticed[LIMIT_MEMBERS];    /* turn of the last readiness notice + 1; 0: none */
    uint64_t passed_slot[PASSED_RING];  /* at turn % PASSED_RING: the highest block of that turn */
    struct hash passed[PASSED_RING];
    uint32_t mask[BENCH_RING]; /* mask[t % RING]: benched by final blocks of turns < t */
};
enum {
    BENCH_FIXED = 25,
    BENCH_BYTES = BENCH_FIXED + (2 + 16) * LIMIT_MEMBERS + 40 * PASSED_RING + 4 * BENCH_RING
};

/* What members announced and what they were caught at, kept for the own next block: one of each a
 * member, signatures of notices unchecked until then. Masks say which are here. */
struct notices {
    uint32_t ready_here, leave_here, evidence_here;
    struct ready_notice ready[LIMIT_MEMBERS];
    struct leave_notice leave[LIMIT_MEMBERS];
    struct evidence evidence[LIMIT_MEMBERS];
    uint32_t told;         /* the operator was told that these were caught */
    bool announced;        /* something was, in the last message */
    uint64_t sent_us;      /* own notices last went out */
    bool was_out;          /* own bench, at the last look */
    uint64_t out_since_us;
    uint32_t returns;      /* own notices in the chain since this member last led */
};

struct cached_signature {
    struct hash key; /* Keccak-256(digest || signature); zero: free */
    struct address signer;
};

struct pending_vote {
    uint64_t seq;
    uint64_t slot;
    uint8_t kind; /* index */
};

struct fetch {
    struct hash block;
    uint64_t asked_us;
    uint32_t tries;
};

/* What the leader of a turn is doing. */
struct lead {
    uint64_t turn;      /* UINT64_MAX: not leading */
    uint64_t proposed;  /* highest slot proposed in it, 0 none */
    bool ended;         /* LAST proposed, or nothing more to propose */
    uint32_t empty_run; /* EMPTY in a row while pending */
    uint64_t build;     /* number of the build asked for, 0 none */
    uint64_t build_slot;      /* where it is to stand */
    struct hash build_on;     /* payload of its parent */
    uint64_t build_asked_us;
    uint64_t build_time_ms; /* timestamp the payload was asked for */
    bool building;          /* `build` is not yet answered */
    bool has_payload;
    struct built_payload payload; /* the freshest one for build_slot on build_on */
    uint64_t payload_time_ms;
};

struct core {
    struct core_config config;
    const struct epoch_config *epoch; /* &config.epoch */
    uint32_t n;
    uint32_t self_bit;
    uint64_t now_us;
    uint64_t wall_ms;
    uint64_t deadline_us;
    uint64_t random; /* jitter only; seeded from the instance id */

    uint64_t cur;
    uint64_t entered_us;
    uint64_t highest_final;        /* slot of the highest finalize certificate held */
    struct certificate final_cert; /* that certificate; slot 0: none */
    uint32_t root;                 /* block record of the last delivered final block */
    uint64_t highest_notarized;    /* slot of the highest notarize certificate held */
    uint64_t highest_signed;

    bool started;          /* a quorum was connected, or nobody waits for it any more */
    uint32_t last_verdict; /* readiness at the end of the last step */
    bool stopped;          /* signs nothing for good */
    bool disk_failed;      /* until a later write succeeds */
    bool amnesiac;
    bool cleared_pending;
    uint64_t cleared_seq;     /* write that clears the amnesia */
    bool asking;              /* the first signature waits */
    uint64_t quorum_since_us; /* a quorum is connected since; 0: not */
    uint64_t floor_slot;      /* nothing at or below it is signed */
    uint64_t start_root;      /* root at the start: the journal may be pruned up to it */
    uint8_t nonce[32];
    uint64_t amnesia_asked_us;
    bool signed_any; /* in this run, or cleared in it */

    uint32_t driver_not_ready;
    bool pending;
    uint64_t pending_us;
    bool told_pending;         /* what the last status for all said, */
    uint64_t pending_turned_us; /* and since when it has been otherwise, or may have */
    bool draining;
    bool leaving;
    uint64_t client_silent_us;
    uint64_t sent_status_us;
    bool status_due;
    uint64_t resend_us, resend_wait_us;
    uint64_t starving; /* turn + 1 that this step's event is about; 0: none */

    uint64_t sequence; /* last write sequence given out */
    uint64_t persisted;
    uint64_t builds;
    struct lead lead;
    uint32_t build_most;    /* transactions at most in the next payload, 0: no limit */
    uint32_t build_ahead;   /* slots that a payload is asked for ahead: a slow client */
    uint64_t late_build;    /* one that missed its slot, 0: none; asked for when */
    uint64_t late_asked_us;
    struct peer_state peer[LIMIT_MEMBERS];
    struct bench bench;
    struct notices notices;
    uint32_t path[LIMIT_CORE_RECORDS]; /* scratch of bench_at */
    uint64_t execution_us[EXECUTION_SAMPLES];
    uint32_t executions;
    struct pending_vote pending_own[PENDING_OWN];
    uint32_t pending_own_n;
    uint64_t write_us;       /* since when a write is under way, 0: none is */
    uint64_t disk_waited_us; /* in this slot, for writes that took long */
    struct fetch fetch[FETCHES];

    /* collected during one step */
    struct effects *out;
    struct vote step_vote[LIMIT_STEP_VOTES];
    struct message step_message; /* that carries them: never short of scratch */
    int step_reason[LIMIT_STEP_VOTES];
    uint32_t step_votes;
    const struct certificate *step_cert[LIMIT_STEP_VOTES * 2];
    uint32_t step_certs;
    bool step_proposing;
    uint64_t step_proposing_turn;
    bool step_amnesiac, step_cleared;
    bool step_more; /* ended early: go on at the next tick */
    size_t scratch_used;

    /* records */
    struct index slot_index, turn_index, block_index;
    uint32_t slots_used, blocks_used, turns_used;
    uint32_t *slot_free, *block_free, *turn_free; /* stacks */
    uint32_t *slot_list, *block_list, *turn_list; /* in use, unordered */
    uint32_t spill_free[SYSTEM_SPILLS];
    uint32_t spills_free;
    struct slot_record *slot;
    struct block_record *block;
    struct turn_record *turn;
    struct cached_signature *cache;
    uint8_t *spill;
    uint8_t *scratch;
    uint8_t *leaders; /* rotation table */
    uint32_t leaders_n;
};

/* ---- records.c ------------------------------------------------------------------------------- */
void records_init(struct core *c);
struct slot_record *slot_find(struct core *c, uint64_t slot);
/* NULL: full. */
struct slot_record *slot_get(struct core *c, uint64_t slot);
void slot_drop(struct core *c, struct slot_record *r);
struct turn_record *turn_find(const struct core *c, uint64_t turn);
struct turn_record *turn_get(struct core *c, uint64_t turn);
void turn_drop(struct core *c, struct turn_record *r);
struct block_record *block_find(struct core *c, const struct hash *hash);
struct block_record *block_new(struct core *c, const struct block_head *head);
/* … and in its slot, where a certain number stands at most; NULL: no room. */
struct block_record *block_place(struct core *c, const struct block_head *head);
void block_drop(struct core *c, struct block_record *b);
bool slot_is_near(const struct core *c, uint64_t slot);
void *scratch_take(struct core *c, size_t n); /* zeroed; NULL when used up in this step */
/* A copy that outlives the record until the next step; NULL when there is no room. */
const struct block_head *head_copy(struct core *c, const struct block_head *head);

/* ---- chain.c: block records and what is known of them -----------------------------------------
 */
struct block_record *block_parent(struct core *c, const struct block_record *b);
struct block_record *block_root(struct core *c);
bool block_executed(struct core *c, const struct block_record *b);
bool block_chain_invalid(struct core *c, const struct block_record *b);
/* A head that may be kept: named by certificate or votes, or an ancestor of such a block. */
bool block_wanted(struct core *c, const struct block_head *head);
/* Takes a head in (idempotent); NULL: not kept. */
struct block_record *block_learn(struct core *c, const struct block_head *head, int from);
/* Judges the form (N1) of every block whose parent has become known. */
void chain_judge(struct core *c);
void block_mark_notarized(struct core *c, struct block_record *b, uint64_t proof_slot);
/* Asks for execution of everything that has become executable. */
void chain_execute(struct core *c);
void chain_fetch(struct core *c);
/* Highest justified parent for the first slot `s` of a turn; `executed`: executed here as well. */
struct block_record *chain_parent(struct core *c, uint64_t s, bool executed);
struct block_record *chain_notarized_at(struct core *c, uint64_t slot);
/* N4 but for execution: parent proved, emptiness between proved, as listed. */
bool chain_justified(struct core *c, const struct block_record *b, const struct block_record *p);
/* A certificate is held for each skip that the block lists, at or before the slot it names: else a
 * leader could list the first slot of a turn that was skipped later, and have its leader benched.
 */
bool chain_skips_proved(struct core *c, const struct block_record *b);
/* void(t, p) for every slot strictly between p and s, the first of a later turn (CONSENSUS 3). */
bool chain_gap_void(struct core *c, const struct block_record *p, uint64_t s);

/* ---- validity.c --------------------------------------------------------------------------------
 */
enum form_state validity_check(struct core *c, const struct block_record *b,
                               const struct block_record *parent);
/* The upper bound of the timestamp, by the own wall clock (CONSENSUS 2). */
bool validity_timely(const struct core *c, const struct block_record *b,
                     const struct block_record *parent);

/* ---- tally.c, signature.c -----------------------------------------------------------------------
 */
bool signature_good(struct core *c, const struct hash *digest, const struct signature *sig,
                    int member);
void tally_vote_in(struct core *c, const struct vote *v, int from);
void tally_own(struct core *c, struct slot_record *r, int kind);
void tally_certificate(struct core *c, const struct certificate *cert, int from);
/* Every signature of a certificate whose form is right. */
bool certificate_good(struct core *c, const struct certificate *cert);
uint32_t tally_mask(const struct core *c, const struct slot_record *r, int kind,
                    const struct hash *block);
bool admitted(const struct core *c, uint64_t slot);
bool own_has(const struct core *c, uint64_t slot, int kind);

/* ---- sign.c: the only place that signs ---------------------------------------------------------
 */
bool sign_notarize(struct core *c, struct block_record *b);
bool sign_skip(struct core *c, uint64_t slot, int reason);
bool sign_finalize(struct core *c, struct block_record *b);
bool sign_proposal(struct core *c, struct block_head *head);
bool sign_ready(struct core *c, struct ready_notice *r);
bool sign_leave(struct core *c, struct leave_notice *l);
bool sign_allowed(const struct core *c);

/* ---- advance.c, finality.c ----------------------------------------------------------------------
 */
bool advance(struct core *c);
bool turn_skipped(const struct core *c, uint64_t slot);
void finality_learn(struct core *c, const struct certificate *cert);
void finality_deliver(struct core *c);

/* ---- bench.c: the state of the leaders, moved block by block --------------------------------- */
bool bench_is(const struct core *c, uint64_t turn);
/* Benched or away, and a readiness notice could bring it back. */
bool bench_out(const struct bench *b, int member);
/* Would a readiness notice of this member count in a block of this turn? */
bool bench_may_notice(const struct core *c, const struct bench *b, int member, uint64_t turn);
/* The state after a block whose path from the root is held; false: it is not. */
bool bench_at(struct core *c, struct bench *out, const struct block_record *b);
/* A block's part before its notices; each notice, leave, evidence: false where it may not stand in
 * a block of this turn, and then nothing has changed; the block's end. */
void bench_open(const struct core *c, struct bench *b, const struct header *h,
                const struct system_section *s);
bool bench_ready(struct core *c, struct bench *b, uint64_t turn, const struct ready_notice *r,
                 bool verify);
bool bench_leave(struct core *c, struct bench *b, uint64_t turn, const struct leave_notice *l,
                 bool verify);
bool bench_evidence(struct core *c, struct bench *b, const struct evidence *e, bool verify);
void bench_close(const struct core *c, struct bench *b, const struct block_head *head);
/* The whole block; false: its section holds what may not stand there. */
bool bench_block(struct core *c, struct bench *b, const struct block_head *head, bool verify);
void bench_encode(const struct bench *b, uint8_t out[BENCH_BYTES]);
bool bench_decode(struct bench *b, const uint8_t *in, size_t n);

/* ---- timing.c: definitions of CONSENSUS 6; stall.c: reasons to skip
 * ------------------------------- */
uint64_t timing_interval_due(struct core *c, uint64_t slot, const struct block_record *parent);
uint64_t timing_grace(const struct core *c);
uint64_t timing_build_budget(const struct core *c);
uint64_t timing_execution_budget(const struct core *c);
uint64_t timing_delta(const struct core *c);
uint64_t timing_delta_leader(const struct core *c, int leader);
uint64_t timing_silent_limit(const struct core *c, int member);
uint64_t timing_status_every(const struct core *c);
uint64_t timing_turns_unfinal(const struct core *c); /* c of CONSENSUS 6 */
uint64_t timing_factor(const struct core *c);
/* How long the write that is under way lasts, 0 while that is usual; the same for all of this slot
 * together, a second at most: so long the own disk, not the leader, may be to blame. */
uint64_t timing_write_late(const struct core *c);
uint64_t timing_disk_waited(const struct core *c);
uint32_t timing_unheard(const struct core *c); /* mask */
bool timing_quorum_heard(const struct core *c);
void timing_want(struct core *c, uint64_t at_us);
/* `act` false: only says when it wants to look again. */
bool stall_check(struct core *c, bool act);
/* Since when, and why, the head does not move (for the view); reason -1: it moves. */
void stall_view(struct core *c, struct core_view *v);
void stall_put_off(struct core *c, uint64_t late_us);

/* ---- notices.c: what members announce, what they are caught at ------------------------------- */
void notices_take(struct core *c, const struct message *m, int from);
void notices_caught(struct core *c, const struct evidence *e);
/* Signs, sends, repeats the own ones. */
void notices_drive(struct core *c);
/* A block became final. */
void notices_final(struct core *c, const struct block_head *head);
/* Adds to `parts` what may stand in this block; its section so far is in `head`. */
void notices_choose(struct core *c, const struct block_head *head,
                    const struct block_record *parent, struct system_parts *parts, size_t room);

/* ---- payload.c: what the leader puts into its blocks ----------------------------------------- */
/* Asks for the payload of slot s or, of a slow client, of one further on. */
void payload_ask(struct core *c, uint64_t s, const struct block_record *parent, uint64_t due_us,
                 uint64_t refresh_us);
void payload_built(struct core *c, const struct built_payload *p);
/* Ready for this slot; asked for, to stand in a later one. */
bool payload_here(const struct core *c, uint64_t s, const struct block_record *parent);
bool payload_later(const struct core *c, uint64_t s, const struct block_record *parent);
/* Ready, and nothing in it to hurry for. */
bool payload_gone(const struct core *c, uint64_t s, const struct block_record *parent);
/* Timestamp of an EMPTY block here: so that what is built for later still fits. */
uint64_t payload_empty_time(const struct core *c, uint64_t s, const struct block_record *parent);
void payload_proposed(struct core *c, uint64_t s, const struct block_record *parent, uint8_t flags);
void payload_turn_lost(struct core *c, uint64_t turn);

/* ---- lead.c, bundle.c, amnesia.c
 * ------------------------------------------------------------------ */
bool lead_drive(struct core *c);
void lead_resend(struct core *c, int to);
void lead_prepare(struct core *c);
uint32_t ready_verdict(struct core *c);
bool other_ready(const struct core *c);
/* False: no room in this step. */
bool bundle_fill(struct core *c, struct bundle *b, int to);
void bundle_send(struct core *c, int to);
void bundle_learn(struct core *c, const struct bundle *b, int from);
void bundle_entered(struct core *c);
void bundle_lagging(struct core *c);
void amnesia_message(struct core *c, const struct message *m, int from);
void amnesia_drive(struct core *c);
void amnesia_paused(struct core *c);
void amnesia_found(struct core *c);
void own_signature_seen(struct core *c, uint64_t slot, int kind, const struct hash *block);

/* ---- output.c
 * --------------------------------------------------------------------------------------- */
struct effect *effect_new(struct core *c, enum effect_kind kind);
struct message *message_new(struct core *c, enum message_kind kind);
void effect_send(struct core *c, int to, uint64_t gate, const struct message *m);
void effect_ban(struct core *c, int member, const char *why);
void effect_alarm(struct core *c, enum alarm_kind what, uint64_t slot, int member);
void output_status(struct core *c);
void output_flush(struct core *c);
void step_keep_cert(struct core *c, const struct certificate *cert);

/* ---- slots and turns (rotation.c has the leaders)
 * --------------------------------------------------- */
static inline uint64_t turn_of(const struct core *c, uint64_t slot)
{
    /* Defined for s >= 1 only: the anchor belongs to no turn (CONSENSUS 2). */
    return (slot - 1) / c->epoch->params.turn_slots;
}

static inline uint64_t turn_first(const struct core *c, uint64_t turn)
{
    return turn * c->epoch->params.turn_slots + 1;
}

static inline uint64_t turn_last(const struct core *c, uint64_t turn)
{
    return (turn + 1) * c->epoch->params.turn_slots;
}

static inline uint32_t members_all(const struct core *c)
{
    return UINT32_MAX >> (32 - c->n);
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How much a is above b; 0 where it is not. */
static inline uint64_t above_u64(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

int rotation_leader(const struct core *c, uint64_t turn);
size_t rotation_size(const struct epoch_config *e);
void rotation_fill(uint8_t *table, size_t n, const struct epoch_config *e);

#endif
