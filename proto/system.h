/* The system section of a block (CONSENSUS 2): one canonical RLP list
 *   [ [[turn, slot] …], [notice …], [leave …], [evidence …], record ]
 * with [turn, slot], notice [epoch, member, slot, block, signature], leave [epoch, member, from
 * turn, signature], evidence [member, slot, attempt, first kind, second kind, first block, second
 * block, first signature, second signature]; the record is a byte string, read elsewhere. At most
 * LIMIT_SYSTEM_BYTES. It travels with the header; its Keccak-256 is the system root.
 * A decoded section borrows the bytes it was decoded from. */
#ifndef PROTO_SYSTEM_H
#define PROTO_SYSTEM_H

#include "proto/bytes.h"
#include "proto/error.h"

/* A turn that was skipped between a block and its parent, and the slot of the certificate used. */
struct skipped_turn {
    uint64_t turn;
    uint64_t slot;
};

/* "I can lead again" (CONSENSUS 6, benching): names an ancestor at most 64 turns back, the last
 * block of its turn. */
struct ready_notice {
    uint64_t epoch;
    uint8_t member;
    uint64_t slot;
    struct hash block;
    struct signature signature;
};

/* "I shall be away": a planned absence, from that turn on until the next readiness notice. */
struct leave_notice {
    uint64_t epoch;
    uint8_t member;
    uint64_t from_turn;
    struct signature signature;
};

/* Two objects of one slot that one member signed and that exclude each other (CONSENSUS 2): two
 * proposals of equal attempt, two notarizes, two finalizes, or a skip and a finalize. Which pairs
 * count, and in which order, says evidence_check_form in proto/vote.h. */
struct evidence {
    uint8_t member;
    uint64_t slot;
    uint8_t attempt;         /* of two proposals; else 0 */
    uint8_t first_kind;      /* 0: proposal, else enum vote_kind */
    uint8_t second_kind;
    struct hash first;       /* block; zero for a skip */
    struct hash second;
    struct signature first_signature;
    struct signature second_signature;
};

struct system_section {
    struct bytes raw;        /* the whole section */
    struct bytes skipped;    /* payloads of the inner lists, walked by the functions below */
    struct bytes notices;
    struct bytes leaves;
    struct bytes evidence;
    struct bytes record;     /* next epoch's record, empty where none */
    uint32_t skipped_n;
    uint32_t notices_n;
    uint32_t leaves_n;
    uint32_t evidence_n;
};

/* Validates the whole form (every entry decodes canonically), so that the walks cannot fail. */
enum err system_decode(struct system_section *out, struct bytes in) MUST_USE;

/* Walks: start with `*at` = 0; true and the entry while there is one. */
bool system_next_skipped(const struct system_section *s, size_t *at, struct skipped_turn *out);
bool system_next_notice(const struct system_section *s, size_t *at, struct ready_notice *out);
bool system_next_leave(const struct system_section *s, size_t *at, struct leave_notice *out);
bool system_next_evidence(const struct system_section *s, size_t *at, struct evidence *out);

/* Most that one entry takes. */
enum { SKIPPED_BYTES = 24, NOTICE_BYTES = 128, LEAVE_BYTES = 96, EVIDENCE_BYTES = 228 };

struct system_parts {
    const struct skipped_turn *skipped;
    size_t skipped_n;
    const struct ready_notice *notices;
    size_t notices_n;
    const struct leave_notice *leaves;
    size_t leaves_n;
    const struct evidence *evidence;
    size_t evidence_n;
};

/* Encodes into `out` (capacity `cap`); the record is empty here.
 * ERR_TOO_LARGE: does not fit or exceeds LIMIT_SYSTEM_BYTES. */
enum err system_encode(uint8_t *out, size_t cap, size_t *out_n, const struct system_parts *parts) MUST_USE;

#endif
