/* What derivation knows for good: how far the L1 was read, the hashes of its last blocks, by which
 * a reorg is noticed, and which blocks became safe by which transaction of it. All of it is a
 * function of the L1 up to `at`, but for the alarm. Pure but for memory; one thread.
 *
 * Stored form (canonical; the caller writes it in one transaction with whatever goes by it):
 *   "BDRV" · version 1 · chain id u64 · genesis hash 32 · at u64 · hashes u16 · hash 32 …
 *   · the final row · rows u16 · row …           row = number u64, hash 32, l1 u64, hash 32, tx u32
 *   · alarm u8 (0, or 1 · number u64 · derived 32 · certified 32 · l1 u64 · hash 32)     big-endian */
#ifndef SEQUENCER_BATCHER_DERIVE_STATE_H
#define SEQUENCER_BATCHER_DERIVE_STATE_H

#include "sequencer/batcher/buffer.h"
#include "sequencer/batcher/cursor.h"

/* A block of the L1. */
struct derive_ref {
    uint64_t number;
    struct hash hash;
};

/* The chain up to block `number` is safe since this transaction: the poster's cursor. */
struct safe_row {
    uint64_t number;    /* height, as wallets see it */
    struct hash hash;   /* of its payload */
    struct derive_ref l1;
    uint32_t tx;        /* its index in the L1 block */
};

/* What was derived, proved by a certificate, is not what the members certified at the same height:
 * a broken quorum or a broken program. Nothing is posted any more until a person has looked. */
struct derive_alarm {
    bool raised;
    uint64_t number;
    struct hash derived;
    struct hash certified;
    struct derive_ref l1;
};

struct derive_state {
    uint64_t at;          /* everything up to this L1 block is in here */
    struct hash *hash;    /* of the last L1 blocks, oldest first; the last one is that of `at` */
    size_t hashes;        /* 1 … LIMIT_DERIVE_HASHES */
    struct safe_row *row; /* ascending; row[0] is what everything else stands on */
    size_t rows;          /* 1 … LIMIT_DERIVE_ROWS */
    struct safe_row final; /* the L1 will not take this back; not above row[0] */
    struct derive_alarm alarm;
};

/* Starts with one row, whose `l1` is the block before the first that is to be read: the genesis, or
 * what a trusted state says. ERR_NO_MEMORY. */
enum err derive_state_init(struct derive_state *s, const struct safe_row *base) MUST_USE;
void derive_state_free(struct derive_state *s);

/* The safe head. */
const struct safe_row *derive_state_safe(const struct derive_state *s);
/* The safe head of whoever has read the L1 up to that block only; at least the final row. */
const struct safe_row *derive_state_safe_at(const struct derive_state *s, uint64_t l1);
/* The row whose last block has this height, or NULL. */
const struct safe_row *derive_state_row(const struct derive_state *s, uint64_t number);
/* False: so old a hash is not kept. */
bool derive_state_l1(const struct derive_state *s, uint64_t l1, struct hash *out);

void derive_state_add(struct derive_state *s, const struct safe_row *row);
/* The L1 block after `at` was read to its end; rows of it may have been added before. */
void derive_state_advance(struct derive_state *s, const struct hash *l1);
/* L1 blocks above `l1` are gone, and what was safe by them is not safe any more. ERR_REFUSED: that
 * is further back than is kept, or below what was final. */
enum err derive_state_back(struct derive_state *s, uint64_t l1) MUST_USE;
/* Up to this block the L1 is final: rows that only an older reorg would ask for are forgotten. */
void derive_state_finalize(struct derive_state *s, uint64_t l1);

/* `genesis` is the genesis hash of the chain that is derived. */
void derive_state_encode(struct buffer *out, const struct derive_state *s, uint64_t chain_id,
                         const struct hash *genesis);
/* Makes a whole state, or none. ERR_MALFORMED, ERR_NOT_CANONICAL, ERR_WRONG_VERSION, ERR_TOO_LARGE,
 * ERR_WRONG_CHAIN, ERR_NO_MEMORY. */
enum err derive_state_decode(struct derive_state *s, struct bytes in, uint64_t chain_id,
                             const struct hash *genesis, struct fault *fault) MUST_USE;

#endif
