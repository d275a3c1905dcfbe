/* Inside the transaction manager: slots and what its files do to them. Included by txm_*.c only. */
#ifndef SEQUENCER_L1_TXM_STATE_H
#define SEQUENCER_L1_TXM_STATE_H

#include "sequencer/l1/txm.h"

/* A payload that a nonce has carried; the newest is in force. */
struct txm_load {
    struct txm_payload is; /* data in memory of its own */
    uint64_t gas;
};

struct txm_rung {
    struct txm_fees fees;
    struct hash hash;
    struct bytes raw; /* memory of its own */
    uint8_t load;
};

enum { TXM_LOADS = 4, TXM_REBUILDS = 3 };

struct txm_slot {
    uint64_t nonce;
    struct txm_load load[TXM_LOADS];
    size_t loads;
    struct txm_rung rung[LIMIT_TXM_RUNGS];
    size_t rungs;
    bool released;         /* the payload in force */
    size_t top;            /* the rung in use */
    size_t used;           /* 1 + the highest rung that pools may hold; 0: none */
    bool mined;
    bool lost;             /* the nonce is used by nobody known */
    struct l1_ref block;   /* if mined */
    size_t mined_rung;
    struct u256 paid;
    /* About the rung in use: */
    uint64_t rung_head;    /* head's number when it came into use */
    uint32_t roomy;        /* heads since then that had room */
    bool low;              /* a pool said so */
    bool refused;          /* never valid, says an endpoint */
    uint32_t rebuilt;
    bool due;
    bool sent;             /* by this process */
    uint64_t sent_ms;
    bool accepted;         /* an endpoint answered its hash, at: */
    uint64_t accepted_head;
    uint32_t drops;
    uint64_t wait_head;    /* not before a head above this one; 0: at once */
    uint64_t doubt_head;   /* nonce used by nobody known, first seen there; 0: not */
    bool obsolete;
    uint64_t obsolete_head;
};

struct txm {
    struct txm_config cfg;
    struct txm_signer signer;
    struct txm_journal journal;
    struct txm_slot **slot; /* by nonce */
    size_t slots;
    size_t room;
    uint64_t next_nonce;
    uint64_t limit;         /* segments below it may be sent */
    bool had_journal;       /* a restart that remembers */
    struct txm_view view;   /* the last one that was ok */
    bool seen;              /* there was one */
    bool sendable;          /* the last view was ok and derived */
    bool moved;             /* its head is above the one before */
    bool stopped;
    uint64_t doubt_head;    /* nonces beyond ours are used, since */
    uint64_t hole_head;     /* a nonce below ours is missing, since */
    uint64_t other_head;    /* another kind is pending, said at this head */
    bool other_kind;
    bool funds_short;
    bool ceiling;
    bool limited;           /* txm_post found the window full since the last tick */
    uint32_t window;
    enum err journal_error;
    size_t journal_grown;   /* bytes since it was written anew */
    struct txm_status count;
};

/* ---- txm_book.c: slots, and their way into the journal -------------------------------------------- */

struct txm_slot *txm_book_find(const struct txm *t, uint64_t nonce);
/* In its place by nonce. NULL: LIMIT_TXM_SLOTS, or no memory. */
struct txm_slot *txm_book_add(struct txm *t, uint64_t nonce);
void txm_book_remove(struct txm *t, size_t i);
/* Copies; false: full, or no memory. */
bool txm_book_load(struct txm_slot *s, const struct txm_payload *p, uint64_t gas);
bool txm_book_rung(struct txm_slot *s, const struct txm_fees *fees, struct bytes raw);
/* Loads and rungs above these counts go away: they were never journaled. */
void txm_book_trim(struct txm_slot *s, size_t loads, size_t rungs);
/* Records of what stands above these counts, without a release. */
void txm_book_group(struct txm_group *g, const struct txm_slot *s, size_t loads, size_t rungs);
void txm_book_release(struct txm_group *g, uint64_t nonce, size_t rung);
/* Durable, or the error is kept. Frees the group. */
enum err txm_book_write(struct txm *t, struct txm_group *g);
/* The journal anew, when it has grown or failed. */
void txm_book_compact(struct txm *t);

static inline const struct txm_load *txm_in_force(const struct txm_slot *s)
{
    return &s->load[s->loads - 1];
}

/* Of the payload in force. */
static inline size_t txm_first_rung(const struct txm_slot *s)
{
    size_t i = s->rungs;
    while (i > 0 && s->rung[i - 1].load == s->loads - 1) {
        i--;
    }
    return i;
}

static inline bool txm_is_pending(const struct txm_slot *s)
{
    return s->released && !s->mined && !s->lost;
}

/* ---- txm_rungs.c: signing, bumping, cancelling ----------------------------------------------------- */

/* Highest cost among the rungs that were signed for the payload in force or are in use. */
struct u256 txm_reserved(const struct txm_slot *s);
/* The balance without what the other open slots reserve. */
struct u256 txm_budget(const struct txm *t, const struct txm_slot *but);
/* A new payload with its ladder, over what pools may hold; in memory only. ERR_REFUSED: money. */
enum err txm_sign_ladder(struct txm *t, struct txm_slot *s, const struct txm_payload *p,
                         size_t most_rungs);
/* The rung in use from here on. */
void txm_use_rung(struct txm *t, struct txm_slot *s, size_t rung);
void txm_rungs_tick(struct txm *t);

#endif
