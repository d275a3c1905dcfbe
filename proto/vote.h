/* Votes, certificates and the EIP-712 digests of everything that is signed (CONSENSUS 3).
 * Domain {name "Baton", version "1", chainId, verifyingContract = registry}. */
#ifndef PROTO_VOTE_H
#define PROTO_VOTE_H

#include "proto/bytes.h"
#include "proto/error.h"
#include "proto/members.h"
#include "proto/system.h"

enum vote_kind { VOTE_NOTARIZE = 1, VOTE_SKIP = 2, VOTE_FINALIZE = 3 };

struct vote {
    uint8_t kind;      /* enum vote_kind */
    uint8_t signer;    /* member index */
    uint64_t epoch;
    uint64_t slot;
    struct hash block; /* zero for a skip */
    struct signature signature;
};

/* One kind of vote from distinct members of weight >= Q for the same (epoch, slot, block).
 * `signature[k]` belongs to the k-th lowest set bit of `signers`. */
struct certificate {
    uint8_t kind;
    uint64_t epoch;
    uint64_t slot;
    struct hash block;
    uint32_t signers;
    struct signature signature[LIMIT_MEMBERS];
};

/* What a member proves when it connects (p2p/handshake): bound to the TLS channel by `exporter`. */
struct hello {
    uint64_t epoch;
    uint8_t member;            /* index of the sender */
    uint8_t to;                /* index of the addressed member */
    uint8_t instance[16];      /* random, one per process start */
    uint8_t nonce[32];         /* chosen by the sender for this connection */
    uint8_t peer_nonce[32];    /* chosen by the other side */
    struct hash exporter;      /* TLS exporter of the channel (RFC 8446 7.5) */
    uint64_t journal_sequence;
};

/* Vote(uint8 kind,uint64 epoch,uint64 slot,bytes32 block,bytes32 config) */
struct hash vote_digest(const struct epoch_config *c, uint8_t kind, uint64_t slot, const struct hash *block);
/* Propose(uint64 epoch,uint64 slot,uint8 attempt,bytes32 block,bytes32 config) */
struct hash propose_digest(const struct epoch_config *c, uint64_t slot, uint8_t attempt, const struct hash *block);
/* Ready(uint64 epoch,uint8 member,uint64 slot,bytes32 block,bytes32 config) */
struct hash ready_digest(const struct epoch_config *c, const struct ready_notice *r);
/* Leave(uint64 epoch,uint8 member,uint64 fromTurn,bytes32 config) */
struct hash leave_digest(const struct epoch_config *c, const struct leave_notice *l);
/* Hello(uint64 epoch,uint8 member,uint8 to,bytes16 instance,bytes32 nonce,bytes32 peerNonce,
 *       bytes32 exporter,uint64 journal,bytes32 config) */
struct hash hello_digest(const struct epoch_config *c, const struct hello *h);

/* What was signed first, and second, in a pair of `e`'s kinds. */
struct hash evidence_digest(const struct epoch_config *c, const struct evidence *e, bool second);
/* Puts the pair into its one order: lower kind first, of equal kinds the lower block. */
void evidence_sort(struct evidence *e);
/* Everything but signatures and who leads the slot: a known member, a pair that excludes itself,
 * in its one order. ERR_MALFORMED. */
enum err evidence_check_form(const struct epoch_config *c, const struct evidence *e) MUST_USE;

/* Signatures in a certificate. */
uint32_t certificate_count(const struct certificate *cert);

/* Cheap checks only: kind, epoch, signers known, weight >= Q, block zero iff skip. */
enum err certificate_check_form(const struct epoch_config *c, const struct certificate *cert) MUST_USE;
/* Form and every signature. ERR_BAD_CERTIFICATE. About 42 us a signer. */
enum err certificate_verify(const struct epoch_config *c, const struct certificate *cert) MUST_USE;
/* ERR_BAD_SIGNATURE unless `v` was signed by its signer. */
enum err vote_verify(const struct epoch_config *c, const struct vote *v) MUST_USE;

#endif
