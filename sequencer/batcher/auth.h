/* BatchAuth: the envelope that goes with a payload, so that anyone may post it and nobody can forge
 * it. It names the segment, binds the payload, and carries the certificate of the last block, with
 * what a batch leaves out: times in milliseconds and who led each block.
 *
 *   "L2BA" · version 1 · chain id u64 · segment u64 · first u64 · last u64 · parent hash 32 ·
 *   last hash 32 · channel id 16 · segment root 32 · payload commitment 32 ·
 *   slot u64 · config 32 · next config 32 ·
 *   signatures u8 · signers u32 (bit i: member i) · signature 65 …                finalize votes
 *   headers u8 · header 576 …   from the signed block down to the segment's last
 *   time of the first block u64, ms · per block: ms since the one before (uvarint; 0 for the
 *   first) and its leader u8                                                   all big-endian
 *
 * parent and last hash are payload hashes, as wallets see them. Decoding is canonical. Pure. */
#ifndef SEQUENCER_BATCHER_AUTH_H
#define SEQUENCER_BATCHER_AUTH_H

#include "proto/header.h"
#include "proto/limits.h"
#include "proto/vote.h"
#include "sequencer/batcher/frame.h"

struct batch_auth {
    uint64_t chain_id;
    uint64_t segment; /* number of the segment, from 0 */
    uint64_t first;
    uint64_t last;
    struct hash parent;
    struct hash last_hash;
    struct channel_id channel;
    struct hash root;
    struct hash commitment;
    struct hash config;      /* config hash of the epoch that signed */
    struct hash next_config; /* of the next segment's; the same inside an epoch */
    struct certificate cert; /* of kind finalize; its epoch and block are those of `header[0]` */
    uint32_t headers;        /* 1 … LIMIT_AUTH_HEADERS */
    struct header header[LIMIT_AUTH_HEADERS];
    uint64_t first_ms;
    struct bytes times; /* the rest; read with auth_time */
};

struct auth_time {
    uint64_t ms;
    uint8_t leader;
};

/* `time` has last - first + 1 entries; `a->times` and `a->first_ms` are not looked at.
 * ERR_REFUSED: times that fall, more than LIMIT_SEGMENT_BLOCKS, headers out of bounds. */
enum err auth_encode(struct buffer *out, const struct batch_auth *a, const struct auth_time *time)
    MUST_USE;
/* Form only; ERR_MALFORMED, ERR_NOT_CANONICAL, ERR_WRONG_VERSION, ERR_TOO_LARGE. Borrows. */
enum err auth_decode(struct batch_auth *out, struct bytes in, struct fault *fault) MUST_USE;
/* Takes the next block's time; `*last_ms` starts as first_ms. False after the last block. */
bool auth_next_time(struct bytes *times, uint64_t *last_ms, struct auth_time *out);

/* The certificate and its path: members of `c` made the last block final, and it carries
 * `last_hash`. About 42 us a signature. ERR_WRONG_CHAIN, ERR_BAD_CERTIFICATE. */
enum err auth_verify(const struct batch_auth *a, const struct epoch_config *c) MUST_USE;

#endif
