/* Members of one epoch, their weights and thresholds (CONSENSUS 1), and the constants of the
 * epoch. Plain values: copy freely. */
#ifndef PROTO_MEMBERS_H
#define PROTO_MEMBERS_H

#include "proto/bytes.h"
#include "proto/error.h"
#include "proto/limits.h"

enum fault_model { FAULT_BFT = 1, FAULT_CRASH = 2 };
enum pace { PACE_FIXED = 1, PACE_DEMAND = 2 };

enum { NAME_SIZE = 32, ENDPOINT_SIZE = 64 };

/* Where a member runs; `provider/region` is its failure domain (CONSENSUS 2). Empty strings: no
 * label. All strings are zero-terminated ASCII. */
struct domain {
    char provider[NAME_SIZE];
    char region[NAME_SIZE];
    char operator_name[NAME_SIZE];
};

struct member {
    struct address address;
    uint32_t weight;              /* >= 1 */
    char name[NAME_SIZE];
    char endpoint[ENDPOINT_SIZE]; /* host:port of its peer listener */
    struct domain domain;
};

/* Constants of the epoch: equal for all members, in the config hash. */
struct epoch_params {
    uint32_t fault_model;         /* enum fault_model */
    uint32_t pace;                /* enum pace */
    uint32_t turn_slots;          /* K, 1 … LIMIT_TURN_SLOTS */
    uint32_t depth;               /* pipeline depth, 1 … LIMIT_DEPTH */
    uint32_t block_time_ms;       /* fixed: the interval; demand: the minimum interval. >= 50 */
    uint32_t max_interval_ms;     /* demand: heartbeat of an idle chain; fixed: = block_time_ms */
    uint32_t execute_before_finalize; /* 1, or 0 in crash mode only (CONSENSUS 3) */
    uint64_t gas_limit;           /* of a block */
};

struct epoch_config {
    uint64_t chain_id;
    struct hash genesis;          /* genesis hash */
    uint64_t epoch;
    struct address registry;      /* verifyingContract of every digest; zero where there is none */
    struct epoch_params params;
    uint32_t n;                   /* members, 1 … LIMIT_MEMBERS */
    struct member member[LIMIT_MEMBERS];
    /* Derived by epoch_config_derive: */
    uint32_t total;               /* W */
    uint32_t faulty;              /* F */
    uint32_t quorum;              /* Q */
    uint32_t blocking;            /* A = W - Q + 1 */
    struct hash hash;             /* config hash: over the whole record, genesis hash included */
    struct hash domain_separator; /* EIP-712 domain of this chain */
};

/* Checks every rule of CONSENSUS 1 and fills the derived fields. On ERR_CONFIG a sentence that
 * says what to do stands in `why` (size `why_len`, zero-terminated); a warning may stand there on
 * OK (empty otherwise). */
enum err epoch_config_derive(struct epoch_config *c, char *why, size_t why_len) MUST_USE;

/* Weight of the members whose bits are set in `mask` (bit i = member i). */
uint32_t members_weight(const struct epoch_config *c, uint32_t mask);

/* Index of the member with this address, or -1. */
int members_find(const struct epoch_config *c, const struct address *a);

#endif
