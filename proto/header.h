/* The block header: eighteen 32-byte words in the order of CONSENSUS 2 (abi.encode of static
 * types); the block hash is their Keccak-256. Slot 0 is the epoch's anchor. */
#ifndef PROTO_HEADER_H
#define PROTO_HEADER_H

#include "proto/bytes.h"
#include "proto/error.h"

enum { HEADER_WORDS = 18, HEADER_BYTES = HEADER_WORDS * 32 };
enum block_flag { FLAG_LAST = 1, FLAG_EMPTY = 2, FLAG_CLOSING = 4 };

struct header {
    uint64_t chain_id;
    struct hash genesis;
    uint64_t epoch;
    struct hash config;
    uint64_t slot;
    uint8_t attempt;
    uint8_t flags;
    uint64_t parent_slot;
    struct hash parent;          /* block hash of the parent */
    uint64_t height;             /* blocks with payload up to here; EMPTY repeats its parent's */
    uint64_t timestamp_ms;
    uint8_t leader;              /* member index */
    struct hash payload;         /* hash of the execution payload; EMPTY repeats its parent's */
    struct hash payload_parent;  /* payload hash of the parent block */
    struct hash state_root;
    struct hash body_root;       /* Keccak-256 of the body bytes; of "" for EMPTY */
    uint32_t body_len;
    struct hash system_root;     /* Keccak-256 of the system section's bytes */
};

void header_encode(uint8_t out[HEADER_BYTES], const struct header *h);
/* ERR_MALFORMED: wrong length, or a number word with bytes above its type. */
enum err header_decode(struct header *out, struct bytes in) MUST_USE;
struct hash header_hash(const struct header *h);

#endif
