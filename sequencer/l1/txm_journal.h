/* What the transaction manager writes down before it acts, and where.
 *
 * A group of records goes to the journal as one piece: after a crash it is there whole or not at
 * all, and after `append` returned OK it is there. Everything that is ever sent stands in the
 * journal first, so a member that restarts sends no byte that it cannot know of.
 *
 * A record, big-endian: type u8, nonce u64, then
 *   PAYLOAD  segment u64, part u8, kind u8, last block u64, to 20, channel id 16, gas u64,
 *            blobs u8, versioned hash 32 each, data u32 and bytes
 *   RUNG     tip 32, cap 32, blob cap 32, raw u32 and bytes: of the nonce's newest payload
 *   RELEASE  rung u8: it and those below may have been sent, counted over all of the nonce
 *   FLOOR    new slots begin at this nonce or above
 * In a group each stands behind its length u32. Pure but for the vtable. */
#ifndef SEQUENCER_L1_TXM_JOURNAL_H
#define SEQUENCER_L1_TXM_JOURNAL_H

#include "sequencer/l1/txm_fees.h"

/* Calls block until the disk has it: never on the loop thread. */
struct txm_journal {
    void *ctx;
    /* ERR_IO, ERR_NO_SPACE: nothing may rest on the group; whether it is there is not known. */
    enum err (*append)(void *ctx, struct bytes group);
    /* All that is there gives way to this one group, or stays. */
    enum err (*replace)(void *ctx, struct bytes group);
};

enum { TXM_ID_BYTES = 16 };
#define TXM_NO_SEGMENT UINT64_MAX

/* What a transaction carries. */
struct txm_payload {
    uint64_t segment;     /* number, or TXM_NO_SEGMENT: a cancellation */
    uint8_t part;         /* 0; 1 for the second transaction of a segment (its envelope) */
    uint8_t kind;         /* enum txm_kind */
    uint64_t last;        /* height of the segment's last block */
    struct address to;
    uint8_t id[TXM_ID_BYTES]; /* the channel's; not looked at here */
    struct bytes data;
    size_t blobs;
    struct hash versioned[LIMIT_TX_BLOBS];
};

enum txm_record_type { TXM_PAYLOAD = 1, TXM_RUNG, TXM_RELEASE, TXM_FLOOR };

struct txm_record {
    uint8_t type;
    uint64_t nonce;
    struct txm_payload payload; /* PAYLOAD; data borrows */
    uint64_t gas;               /* PAYLOAD */
    struct txm_fees fees;       /* RUNG */
    struct bytes raw;           /* RUNG; borrows */
    uint8_t rung;               /* RELEASE */
};

/* A group under construction; grows up to LIMIT_TXM_GROUP. The first failure is remembered. */
struct txm_group {
    uint8_t *p;
    size_t n;
    size_t cap;
    enum err bad;
};
void txm_group_put(struct txm_group *g, const struct txm_record *r);
void txm_group_free(struct txm_group *g);

/* Takes the next record off a group. False at its end and where it has no such form (`*e`). */
bool txm_group_next(struct bytes *group, struct txm_record *out, enum err *e);

#endif
