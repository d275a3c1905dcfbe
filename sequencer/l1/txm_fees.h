/* What a transaction on L1 offers: fees of a first try and of the tries after it, and gas.
 *
 * Cap high, tip low: a cap costs nothing unless it is used, so the first try already survives a
 * run of full blocks (`spare`), and later tries serve to raise the tip. Pools take a replacement
 * only at 110 % of the old one (EIP-1559) or 200 % (blobs) in every field; fees_bump gives the
 * least number that every pool takes, whichever way it rounds. Amounts are wei. Pure. */
#ifndef SEQUENCER_L1_TXM_FEES_H
#define SEQUENCER_L1_TXM_FEES_H

#include "proto/bytes.h"
#include "proto/error.h"
#include "proto/limits.h"
#include "proto/u256.h"

/* One account posts one kind: pools keep an account to the kind that it has pending. */
enum txm_kind { TXM_CALLDATA = 1, TXM_BLOB = 2 };

enum {
    TXM_LADDER = 4,           /* tries that are signed at once */
    TXM_BLOB_GAS = 131072,    /* a blob (EIP-4844) */
    TXM_GAS_MOST = 16777216   /* of one transaction (EIP-7825) */
};

struct txm_fees {
    struct u256 tip;
    struct u256 cap;
    struct u256 blob_cap; /* zero for calldata */
};

/* The L1 as it prices its next block. */
struct txm_market {
    struct u256 base_fee;
    struct u256 blob_base_fee;
    struct u256 tip; /* what others pay (l1_fees.tip) */
};

struct txm_fee_rules {
    struct u256 min_tip;      /* 1 gwei: pools' floor */
    struct u256 min_base_fee; /* 1 gwei; the floor of blob caps too */
    struct u256 max_cost;     /* of one transaction, at its caps: never more */
    struct u256 free_bump;    /* 100 gwei: a bump up to here needs no comparison with the market */
    uint32_t limit_factor;    /* 5: above free_bump at most so many times what the market asks */
    uint32_t spare;           /* 8: first cap in base fees; tried lower where money is short */
    bool floor_7976;          /* the chain's floor is 64 gas a byte of calldata */
};
struct txm_fee_rules txm_fee_rules_default(void);

/* Intrinsic gas of a transaction with this data to an account without code, or the floor of
 * EIP-7623 (EIP-7976) where larger. ERR_TOO_LARGE: above TXM_GAS_MOST. Never an estimate: nodes
 * have accepted what was short of the floor and dropped it later. */
enum err txm_gas(uint64_t *out, struct bytes data, bool floor_7976) MUST_USE;

/* What pools must see in the account for it, value 0: gas * cap + blob gas * blob cap. */
struct u256 txm_cost(const struct txm_fees *f, uint64_t gas, size_t blobs);

/* The least amount that replaces `x`: max(ceil(1.1 x), x + 1), for blobs max(2 x, x + 1). */
struct u256 txm_bump(const struct u256 *x, enum txm_kind kind);

/* The size of one transaction, for which fees are wanted. */
struct txm_size {
    enum txm_kind kind;
    uint64_t gas;
    size_t blobs;
};

/* Rungs x1, x1.25, x1.6, x2 (blob: x1, x2, x4, x8), each a valid replacement of the one before and
 * the first one of `over` where that is not NULL. Caps start at `spare` base fees, at half of it,
 * at a quarter, until the highest rung costs no more than `budget` and max_cost; where even two
 * base fees are too much, the ladder is shorter. Returns the rungs, 0: not one is affordable. */
size_t txm_ladder(struct txm_fees out[TXM_LADDER], const struct txm_size *s,
                  const struct txm_market *m, const struct txm_fee_rules *r,
                  const struct txm_fees *over, const struct u256 *budget);

/* One more rung over `old`, beyond the ladder: at least txm_bump of every field, and what the
 * market asks. ERR_REFUSED: above the limits (ceiling, budget, or so many times the market). */
enum err txm_next_rung(struct txm_fees *out, const struct txm_size *s, const struct txm_fees *old,
                       const struct txm_market *m, const struct txm_fee_rules *r,
                       const struct u256 *budget) MUST_USE;

/* True: the next block cannot take it at these fees, or not with its whole tip. */
bool txm_fees_low(const struct txm_fees *f, enum txm_kind kind, const struct txm_market *m);

#endif
