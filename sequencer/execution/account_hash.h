/* Hash of an address for tables in memory. Keyed: whoever chooses addresses (anybody can send to
 * any) cannot choose collisions. */
#ifndef SEQUENCER_EXECUTION_ACCOUNT_HASH_H
#define SEQUENCER_EXECUTION_ACCOUNT_HASH_H

#include "proto/bytes.h"
#include "proto/error.h"

struct account_seed {
    uint64_t v[2];
};

/* From the system's random source. ERR_CRYPTO. */
enum err account_seed_init(struct account_seed *out) MUST_USE;
uint64_t account_hash(const struct account_seed *seed, const struct address *a);

#endif
