/* Whose duty it is to post: posting follows the leader, without an election of its own.
 *
 * Every member runs this over the same segments and its own view of L1 and of the others, and may
 * be wrong about both: what is posted twice costs money and nothing else (research: R8, "being late
 * is never a reason to skip"). The rules that keep it from happening:
 *
 * R1 one segment, one channel, posted at once. R2 the cursor is what was derived at the very head
 * that is acted on, never memory. R3, R4 segments are final blocks, the same for everybody. R5 an
 * intent is shared before it is sent; a standby sends the old poster's own transaction first, and
 * the same nonce cannot land twice. R6 the journal comes first (sequencer/l1/txm.h). R7 each member
 * has an account of its own. R8 the next segment is always the one after the cursor.
 *
 * Who may post segment s, base being the L1 head when it was sealed or became the next one:
 *   rank 0        the member that proposed its last block: at once
 *   rank r        the r-th after it: r * takeover heads after base
 *   the leader    takeover heads after base; and it re-sends what it holds of others at once
 *   the chain     who has the segment before s on the way, at once: its nonces keep the order. For
 *                 all others s waits until the cursor is before it, since L1 ignores what comes
 *                 too early
 * Of several intents for one segment all members prefer the same: the one made first, then the one
 * of the lower rank; but one that was heard of late (its owner had been away) is last. An owner
 * whose own intent is not the preferred one, and not sent yet, holds it back, and whoever hears of
 * an intent while it holds a better one answers with that instead of an acknowledgement.
 *
 * A state machine without I/O or clock; one thread. Times are the members' common clock (UNIX, ms):
 * nothing is unsafe when clocks differ, only the money of a duplicate. A process that stood still for
 * a second or more reads L1 anew and takes in what the others sent before its next tick. */
#ifndef SEQUENCER_BATCHER_DUTY_H
#define SEQUENCER_BATCHER_DUTY_H

#include "sequencer/batcher/duty_intent.h"

struct duty;

struct duty_config {
    uint32_t members;
    uint8_t self;
    uint32_t takeover;    /* 3 L1 blocks */
    uint32_t patience;    /* R, 4: heads a rung of another's is given */
    uint32_t inflight;    /* 2: segments on the way at once; at most DUTY_ACTIONS / 2 */
    uint32_t ack_ms;      /* 500: one backup has it, not all that are there: long enough */
    uint32_t ack_most_ms; /* 3,000: nobody answers: sent all the same; twice that is late */
};
struct duty_config duty_config_default(uint32_t members, uint8_t self);

/* ERR_REFUSED: a configuration that cannot be; ERR_NO_MEMORY. */
enum err duty_new(struct duty **out, const struct duty_config *c) MUST_USE;
void duty_free(struct duty *d);

struct duty_segment {
    uint64_t no;
    uint64_t first;
    uint64_t last;
    uint8_t proposer; /* of its last block */
    uint64_t seal_l1; /* number of the L1 head when it was closed, as seen here */
};

/* In order, each beginning where the one before ended; final blocks only. ERR_BUSY: LIMIT_DUTY_SEGMENTS
 * are held; again when earlier ones are final. ERR_REFUSED: not the next one. ERR_NO_MEMORY. */
enum err duty_segment_add(struct duty *d, const struct duty_segment *s) MUST_USE;
/* Number of the segment to be added next; 0 at the start, where any may come. */
uint64_t duty_segment_next(const struct duty *d);

/* A verified intent of a member, or one's own after txm_post; copied. `released`: own, of before a
 * restart, and may have been sent. Intents are kept on disk by the caller before they are
 * acknowledged. OK also where it is known already. `*rather`, where it is not NULL: the better intent
 * that is held for the segment (borrowed until the next call), or empty. Where the owner itself had
 * sent this one, that goes back to it instead of an acknowledgement; what comes back is not answered.
 * ERR_NOT_FOUND: no such segment here (yet). ERR_REFUSED: made far in the future. ERR_MALFORMED,
 * ERR_NO_MEMORY. */
enum err duty_intent_add(struct duty *d, struct bytes encoded, bool foreign, bool released,
                         uint64_t now_ms, struct bytes *rather) MUST_USE;
/* It is held already, byte for byte. */
bool duty_holds(const struct duty *d, struct bytes encoded);
/* `member` stored our intent for the segment, with this Keccak-256 (NULL: the one that holds). True:
 * it is the first member that did. */
bool duty_ack(struct duty *d, uint64_t segment, const struct hash *intent, uint8_t member);
/* Members that stored it, bits. */
uint32_t duty_acks(const struct duty *d, uint64_t segment);
/* Our own may have been sent from here on. */
void duty_released(struct duty *d, uint64_t segment);

/* How sending another's transaction went. */
enum duty_sent { DUTY_SENT_FINE, DUTY_SENT_NEVER /* no funds, kind blocked, never valid */ };
void duty_sent(struct duty *d, uint64_t segment, uint8_t owner, enum duty_sent how);

struct duty_account {
    bool known;
    uint64_t nonce; /* at the head */
};

struct duty_view {
    uint64_t now_ms;
    bool l1_ok;            /* quorum on the head, not down */
    uint64_t head;         /* number */
    bool derived;          /* derivation has come to this head */
    uint64_t safe;         /* last block derived there */
    uint64_t safe_final;   /* last block derived at the finalized block */
    bool mismatch;         /* derived and certified differ */
    bool window_over;      /* the sequence window of what comes next is past */
    int leader;            /* member, or -1 */
    uint32_t connected;    /* bit i: member i can be reached */
    bool able;             /* our account can post: funds, journal, not stopped */
    struct duty_account account[LIMIT_MEMBERS];
};

enum duty_do {
    DUTY_POST,    /* make, sign, journal and share a transaction of our own for the segment */
    DUTY_SHARE,   /* send our intent to the members of `to` */
    DUTY_RELEASE, /* our intent is shared: txm_release */
    DUTY_PUSH     /* send rung `rung` of each part of another's intent */
};
struct duty_action {
    enum duty_do what;
    uint64_t segment;
    uint8_t owner;
    size_t rung;
    uint32_t to;
    const struct post_intent *intent; /* PUSH, SHARE; borrowed until the next call */
    struct bytes encoded;             /* the same */
};

enum duty_state {
    DUTY_OK,
    DUTY_L1_DOWN,  /* no quorum: nothing is sent */
    DUTY_BEHIND,   /* derivation is not at the head: nothing is sent */
    DUTY_ALARM,    /* derived and certified differ: posting more cannot repair it */
    DUTY_RECOVER   /* what would be posted is invalid already: see research 5.6 */
};
enum { DUTY_ACTIONS = 32 };
struct duty_plan {
    enum duty_state state;
    uint64_t upto; /* only segments below this one may be sent: L1 would ignore others (txm_limit) */
    size_t n;
    struct duty_action action[DUTY_ACTIONS];
};

/* What is to be done now. Once a head and after every event; asks for the same again until it is
 * told that it was done, except PUSH (once a head) and SHARE (once an ack_most_ms). */
void duty_tick(struct duty *d, const struct duty_view *v, struct duty_plan *out);

/* Intents held, and segments not derived at the last tick. */
size_t duty_intents(const struct duty *d);
size_t duty_backlog(const struct duty *d);

#endif
