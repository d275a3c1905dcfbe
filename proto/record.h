/* What stands in the journal and the block store, as bytes (schemas: proto/store.proto).
 * Canonical and bounded as messages are; a decoded record borrows as in message.h. */
#ifndef PROTO_RECORD_H
#define PROTO_RECORD_H

#include "proto/message.h"

/* One journal step (CONSENSUS 8): everything that one synced write makes durable. */
struct journal_step {
    uint64_t sequence;
    uint64_t epoch;
    bool amnesiac;             /* the first record of a journal made for a known key */
    bool cleared;              /* amnesia ends here (CONSENSUS 8) */
    uint64_t clearing_slot;    /* nothing at or below it is signed again */
    bool proposing;
    uint64_t proposing_turn;
    struct vote *vote;         /* own votes */
    uint32_t votes;
    struct certificate *cert;  /* evidence for finalize votes; skip certificates */
    uint32_t certs;
};

/* At most LIMIT_STEP_VOTES votes and LIMIT_BUNDLE_CERTS certificates. Errors of decoding and
 * encoding as of messages; sizes are upper bounds. */
enum err journal_step_decode(struct journal_step *out, struct message_arena *arena, struct bytes in) MUST_USE;
size_t journal_step_size(const struct journal_step *s);
enum err journal_step_encode(uint8_t *out, size_t cap, size_t *out_n, const struct journal_step *s) MUST_USE;

/* A stored block: head and body. Same form as MSG_BLOCK's payload; borrows from `in` alone. */
enum err stored_block_decode(struct block *out, struct bytes in) MUST_USE;
size_t stored_block_size(const struct block *b);
enum err stored_block_encode(uint8_t *out, size_t cap, size_t *out_n, const struct block *b) MUST_USE;

enum err certificate_decode(struct certificate *out, struct bytes in) MUST_USE;
enum { CERTIFICATE_MAX_BYTES = 128 + LIMIT_MEMBERS * 65 };
enum err certificate_encode(uint8_t *out, size_t cap, size_t *out_n, const struct certificate *c) MUST_USE;

/* The second record (CONSENSUS 8), one 4 KiB slot of the safety file. */
enum { SAFETY_SLOT_BYTES = 4096 };
struct safety_record {
    uint64_t sequence;
    uint64_t epoch;
    uint64_t highest_notarize;
    uint64_t highest_skip;
    uint64_t highest_finalize;
    bool clean;                /* written by a clean stop */
    bool amnesiac;
    struct hash genesis;
    struct address member;
    struct vote vote[LIMIT_STEP_VOTES]; /* the complete votes of the last step */
    uint32_t votes;
};

/* Fills the slot whole; the last 32 bytes are the Keccak-256 of the rest. */
void safety_record_encode(uint8_t out[SAFETY_SLOT_BYTES], const struct safety_record *r);
/* ERR_CORRUPT: checksum; ERR_MALFORMED: checksum right but content not ours. */
enum err safety_record_decode(struct safety_record *out, const uint8_t in[SAFETY_SLOT_BYTES]) MUST_USE;

#endif
