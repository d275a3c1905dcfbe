/* The transaction manager: what becomes of a member's transactions on L1.
 *
 * One account, one kind, one manager (an account in two processes is the one thing that it cannot
 * repair). Each nonce is a slot that holds a ladder of signed transactions (rungs), all with the
 * same nonce, with rising fees:
 *
 *   JOURNALED → PENDING → MINED → CONFIRMED → FINAL        back to PENDING on a reorg
 *                  └ nonce used, by no transaction that stands in the journal: STOLEN (all stops)
 *
 * - A nonce is 1 + the highest that was journaled, or the account's at the head when that is more;
 *   never what a pool says.
 * - Everything is in the journal, synced, before it leaves. What was sent is sent again, the same
 *   bytes, until it is mined: pools forget.
 * - A payload is worth sending only while its segment is not derived at this very head (txm_view's
 *   `safe`). One that became obsolete gives its nonce to the next payload or to a cancellation,
 *   which is the only way a nonce ever carries two payloads.
 * - Fees rise only when the head has moved, for the lowest pending nonce, one rung a head.
 *
 * A state machine: time and all that L1 says come in with txm_tick; transactions to send are taken
 * out with txm_next_send. Signing and the journal are vtables, and block on a disk: one thread that
 * may wait, never the loop. */
#ifndef SEQUENCER_L1_TXM_H
#define SEQUENCER_L1_TXM_H

#include "sequencer/l1/l1.h"
#include "sequencer/l1/txm_journal.h"

struct txm;

/* ---- what it is made of -------------------------------------------------------------------------- */

struct txm_request {
    enum txm_kind kind;
    uint64_t chain_id;
    uint64_t nonce;
    uint64_t gas;
    struct txm_fees fees;
    const struct txm_payload *payload; /* value 0, no access list */
};

/* The transaction as it is hashed and stands in blocks (type 2, or 3 without its blobs), into
 * `out`, which holds TXM_RAW_ROOM more bytes than the payload's data. */
enum { TXM_RAW_ROOM = 1024 };
struct txm_signer {
    void *ctx;
    enum err (*sign)(void *ctx, const struct txm_request *r, uint8_t *out, size_t cap, size_t *n);
};

struct txm_config {
    uint64_t chain_id; /* of the L1 */
    struct address account;
    enum txm_kind kind;
    struct txm_fee_rules fees;
    uint32_t max_pending;    /* 2: slots that are open at once */
    uint32_t most_pending;   /* as many when there is a backlog and they are being mined */
    uint32_t patience;       /* R, 4: heads with room, and not included: next rung */
    uint32_t confirmations;  /* k, 10 */
    uint32_t doubt;          /* 3: heads after which a nonce used by nobody known is stolen */
    uint32_t resend_ms;      /* 11,000 */
};
struct txm_config txm_config_default(void);

/* ERR_NO_MEMORY. */
enum err txm_new(struct txm **out, const struct txm_config *c, const struct txm_signer *s,
                 const struct txm_journal *j) MUST_USE;
void txm_free(struct txm *t);
/* A group of the journal, in order, before the first tick. ERR_CORRUPT: not what this writes.
 * ERR_NO_MEMORY. */
enum err txm_restore(struct txm *t, struct bytes group) MUST_USE;

/* ---- what L1 says -------------------------------------------------------------------------------- */

enum txm_found {
    TXM_UNKNOWN,  /* no quorum for an answer: nothing is concluded */
    TXM_ABSENT,
    TXM_INCLUDED  /* in a block of the chain of the view's head, by quorum */
};
enum txm_pooled {
    TXM_NOT_ASKED,
    TXM_NOWHERE,  /* no endpoint knows it */
    TXM_POOLED    /* one of them does */
};
struct txm_receipt {
    enum txm_found found;
    struct l1_ref block; /* where INCLUDED */
    struct u256 paid;    /* gas and blob gas at the prices of the block, wei */
    enum txm_pooled pool; /* worth asking for the rung in use (txm_slot) of a PENDING slot */
};

/* Everything for one head; account facts by its hash. */
struct txm_view {
    uint64_t now_ms;      /* any clock that does not go back */
    bool ok;              /* a quorum, and the L1 is not down; else only now_ms counts */
    struct l1_ref head;
    struct l1_account account;
    bool has_finalized;
    uint64_t finalized;   /* number */
    uint64_t final_nonce; /* of the account there */
    struct txm_market market;
    bool gas_room;        /* the head's block had room for a transaction of ours */
    bool blob_room;
    bool derived;         /* derivation has come to this head; without it nothing is sent */
    uint64_t safe;        /* height of the last block derived there */
    void *ctx;
    /* For hashes of txm_hash. */
    struct txm_receipt (*receipt)(void *ctx, const struct hash *tx);
};

/* The hashes that the next tick asks for; false at the end. `i` starts at 0. Slots that are CONFIRMED
 * are asked for too: only FINAL ends it. Of a mined slot it is the one mined, else every rung. */
bool txm_hash(const struct txm *t, size_t *i, struct hash *out);

/* Takes the view in: what was mined, what a reorg took back, what is final; rungs that are due are
 * signed and journaled. A failure of signer or journal is kept (txm_status) and tried again at the
 * next head. */
void txm_tick(struct txm *t, const struct txm_view *v);

/* ---- posting ------------------------------------------------------------------------------------- */

/* Signs and journals ladders for `n` payloads (1 or 2, together). Takes the nonces of obsolete
 * slots first. Nothing may be sent before txm_release. `nonce[i]` belongs to payload i.
 * ERR_NOT_READY: no view, not derived at the head, or the slots of before a restart are not judged
 * yet. ERR_BUSY: the window of open slots is full, or LIMIT_TXM_SLOTS wait for finality.
 * ERR_IN_USE: a slot that is not mined carries it, or it is derived. ERR_REFUSED: stopped, or the account cannot pay the least rung, or
 * the ceiling forbids it (txm_status says which). ERR_TOO_LARGE. ERR_NO_SPACE, ERR_IO,
 * ERR_NO_MEMORY, ERR_CRYPTO: nothing of it will be sent. */
enum err txm_post(struct txm *t, const struct txm_payload *p, size_t n, uint64_t *nonce) MUST_USE;

/* The intent is with a backup, or nobody answers: it may be sent. Journaled. ERR_NOT_FOUND. */
enum err txm_release(struct txm *t, uint64_t nonce) MUST_USE;

/* Only segments below this one are sent, released or not: L1 ignores what comes before its turn
 * (after a reorg, say). No limit until it is called; 0: none. Cancellations are always sent. */
void txm_limit(struct txm *t, uint64_t segment);

enum txm_state { TXM_JOURNALED, TXM_PENDING, TXM_MINED, TXM_CONFIRMED };

/* An open or not yet final slot, as it is. */
struct txm_slot_view {
    uint64_t nonce;
    enum txm_state state;
    bool obsolete;             /* its segment is derived, through somebody else */
    bool refused;              /* endpoints say that the bytes will never do */
    const struct txm_payload *payload; /* in force, or mined */
    size_t rungs;              /* signed for the payload in force */
    struct bytes raw[LIMIT_TXM_RUNGS]; /* lowest first; borrowed until the next call */
    size_t rung;               /* of them, the highest that was sent */
    struct l1_ref block;       /* where MINED or CONFIRMED */
};
size_t txm_slots(const struct txm *t);
void txm_slot(const struct txm *t, size_t i, struct txm_slot_view *out);
/* A slot for this segment and part that is not obsolete, rather one that is not mined; -1: none. */
int txm_find(const struct txm *t, uint64_t segment, uint8_t part);

/* ---- sending ------------------------------------------------------------------------------------- */

struct txm_send {
    uint64_t nonce;
    struct hash hash;
    struct bytes raw; /* without blobs; borrowed until the next call */
    const struct txm_payload *payload; /* a cancellation of a blob account has one blob of zeros */
};
/* The next transaction that is due, lowest nonce first. False: none, or nothing may be sent now. */
bool txm_next_send(struct txm *t, struct txm_send *out);
/* How that went (l1.h). */
void txm_answer(struct txm *t, const struct hash *hash, enum l1_send verdict);

/* ---- how it stands ------------------------------------------------------------------------------- */

enum txm_alarm {
    TXM_ALARM_STOLEN = 1,  /* somebody else uses the key: stopped until txm_adopt */
    TXM_ALARM_FUNDS = 2,   /* the balance does not cover what is open, or the next one */
    TXM_ALARM_CEILING = 4, /* the market asks more than max_cost */
    TXM_ALARM_KIND = 8,    /* another kind of the account's is pending: somebody else's */
    TXM_ALARM_REFUSED = 16, /* rebuilt three times, and refused as never valid */
    TXM_ALARM_JOURNAL = 32, /* the journal cannot be written: nothing new is sent */
    TXM_ALARM_DROPPED = 64  /* accepted, and nobody knows it: three times in a row */
};
struct txm_status {
    uint32_t alarms; /* enum txm_alarm, those that hold now */
    enum err journal;
    uint64_t next_nonce;
    uint32_t open;        /* not mined */
    uint32_t unfinal;     /* all slots */
    uint32_t window;      /* slots that may be open now */
    struct u256 in_flight; /* cost of the open ones at the rungs that were signed or sent */
    struct u256 spent;     /* by what became final since the start */
    uint64_t sends, bumps, reorged, dropped, cancelled, replaced, finals;
};
void txm_status(const struct txm *t, struct txm_status *out);

/* The operator's word after STOLEN: nonces below the head's are given up, posting goes on.
 * ERR_NOT_READY: no view. Journal errors. */
enum err txm_adopt(struct txm *t) MUST_USE;

#endif
