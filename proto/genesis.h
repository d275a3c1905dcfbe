/* The genesis of a chain: who the members are, what accounts hold, which constants hold. Its hash
 * is in every signature; two chains with different content have different hashes. */
#ifndef PROTO_GENESIS_H
#define PROTO_GENESIS_H

#include "proto/bytes.h"
#include "proto/error.h"
#include "proto/header.h"
#include "proto/members.h"
#include "proto/u256.h"

enum { GENESIS_ALLOCS = 4096, GENESIS_SEAL_MS = 10000 /* where nobody says otherwise */ };

/* Who executes the blocks of this chain: the built-in ledger, or clients of the Engine API, which
 * apply the rules of this fork from block 0 on. */
enum genesis_execution {
    EXECUTION_LEDGER = 0,
    EXECUTION_CANCUN,
    EXECUTION_PRAGUE,
    EXECUTION_OSAKA,
    EXECUTION_KINDS
};

struct genesis_alloc {
    struct address address;
    struct u256 balance;
};

struct genesis {
    uint64_t chain_id;
    uint64_t timestamp_ms;
    bool devnet;                   /* admin_chaos exists only here */
    struct address registry;
    struct epoch_params params;
    uint32_t n;
    struct member member[LIMIT_MEMBERS];
    uint32_t seal_ms;              /* a segment of batches ends at the latest so long after its first block */
    struct u256 base_fee;          /* of the first block, wei */
    uint32_t allocs;
    struct genesis_alloc *alloc;   /* sorted by address, no duplicates; owned by the maker */
    enum genesis_execution execution;
    struct hash state_root;        /* of the genesis state: the ledger fills both; with clients they */
    struct hash payload;           /* stand in the file, and payload is the hash of their block 0 */
};

/* Keccak-256 over the hand-laid bytes of every field above; state_root and payload only where they
 * do not follow from the others (execution is not the ledger). */
struct hash genesis_hash(const struct genesis *g);

/* The record of epoch 0, derived fields included. Errors as epoch_config_derive. */
enum err genesis_epoch_config(struct epoch_config *out, const struct genesis *g, char *why, size_t why_len) MUST_USE;

/* Header of the anchor (slot 0, height 0) of epoch 0; its payload and state root are the genesis'.
 * It has neither body nor system section: both roots are Keccak-256 of no bytes. */
void genesis_anchor(struct header *out, const struct genesis *g, const struct epoch_config *c);

#endif
