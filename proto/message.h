/* What peers say to each other, decoded. Schemas: proto/wire.proto; one frame holds one message.
 *
 * A decoded message borrows: pointers lead into the frame's bytes and into the decoder's arena,
 * and are valid until either is released. Whoever encodes only lends. */
#ifndef PROTO_MESSAGE_H
#define PROTO_MESSAGE_H

#include "proto/bytes.h"
#include "proto/error.h"
#include "proto/header.h"
#include "proto/limits.h"
#include "proto/members.h"
#include "proto/vote.h"

/* Lanes, most urgent first; a frame of a later lane never delays one of an earlier lane. */
enum lane { LANE_VOTE, LANE_PROPOSAL, LANE_BODY, LANE_TX, LANE_SYNC, LANE_POST, LANE_COUNT };

enum message_kind {
    MSG_STATUS = 1,    /* LANE_VOTE */
    MSG_VOTES,         /* LANE_VOTE: votes of the sender itself */
    MSG_BUNDLE,        /* LANE_VOTE: certificates, header path, own stored votes (CONSENSUS 5) */
    MSG_PROPOSAL,      /* LANE_PROPOSAL */
    MSG_BODY,          /* LANE_BODY */
    MSG_FETCH,         /* LANE_VOTE: header and body of a block by hash */
    MSG_BLOCK,         /* LANE_BODY: answer to FETCH */
    MSG_RANGE,         /* LANE_VOTE: ask for final blocks above a slot */
    MSG_BLOCKS,        /* LANE_SYNC: answer to RANGE */
    MSG_TXS,           /* LANE_TX: raw transactions to be stored durably */
    MSG_TX_ACK,        /* LANE_VOTE: hashes durable at the sender */
    MSG_AMNESIA_ASK,   /* LANE_VOTE (CONSENSUS 8) */
    MSG_AMNESIA_ANSWER,/* LANE_VOTE */
    MSG_OWN_VOTES_ASK, /* LANE_VOTE: "which votes of my key do you hold?" (CONSENSUS 8) */
    MSG_OWN_VOTES,     /* LANE_VOTE */
    MSG_NOTICES,       /* LANE_VOTE: the sender's own readiness and leave notice (CONSENSUS 6) */
    MSG_INTENT,        /* LANE_POST: a transaction to the L1, before it is sent there */
    MSG_INTENT_ACK,    /* LANE_VOTE: an intent durable at the sender */
    MSG_KIND_COUNT
};

/* Why a member is not ready to lead: a bit set (CONSENSUS 7). */
enum not_ready {
    NOT_READY_CLIENT = 1,   /* execution client slow, silent or failing */
    NOT_READY_BEHIND = 2,   /* executed head too far below the notarized one */
    NOT_READY_DISK = 4,
    NOT_READY_SYNCING = 8,
    NOT_READY_AMNESIAC = 16,
    NOT_READY_DRAINING = 32,
    NOT_READY_STARTING = 64,
    NOT_READY_STOPPED = 128, /* stopped signing: a second instance, or divergence */
    NOT_READY_CLOCK = 256    /* own wall clock is far from the others' */
};

/* Rides on votes and proposals, or alone (CONSENSUS 6). Channel-authenticated, unsigned. */
struct status {
    uint64_t epoch;
    uint64_t cur;            /* current slot */
    uint64_t highest_signed; /* highest slot with any own signature */
    uint64_t notarized_slot;
    struct hash notarized;
    uint64_t final_slot;
    struct hash final;
    uint64_t final_height;
    uint64_t executed_height;
    uint32_t not_ready;      /* enum not_ready bits; 0 = ready */
    bool pending;            /* holds an executable transaction */
    uint8_t instance[16];
    uint64_t clock_ms;       /* wall clock of the sender */
    uint64_t ping_us;        /* sender's monotonic clock, echoed back as pong */
    uint64_t pong_us;        /* the receiver's last ping_us, 0 where none */
    uint64_t pong_held_us;   /* how long the sender held it before echoing */
};

/* A header with what travels beside it. `signature` is the leader's; zero where unknown. */
struct block_head {
    struct header header;
    struct hash hash;        /* computed at decode */
    struct signature signature;
    struct bytes system;
};

struct bundle {
    struct certificate *cert;  /* `certs` of them */
    uint32_t certs;
    struct block_head *head;   /* header paths, parents before children */
    uint32_t heads;
    struct vote *vote;         /* the sender's own stored votes */
    uint32_t votes;
};

struct block {
    struct block_head head;
    struct bytes body;
};

struct message {
    enum message_kind kind;
    bool has_status;
    struct status status;
    union {
        struct bundle bundle;  /* MSG_BUNDLE; MSG_VOTES and MSG_OWN_VOTES use bundle.vote only */
        struct {
            struct block_head head;
            struct bundle justification; /* first slot of a turn only */
        } proposal;
        struct {
            struct hash block;
            struct bytes body;
        } body;
        struct {
            struct hash block;
        } fetch;
        struct block block;    /* MSG_BLOCK */
        struct {
            uint64_t epoch;
            uint64_t above_slot;
            uint32_t max_blocks;
        } range;
        struct {
            struct block *block; /* in chain order */
            uint32_t blocks;
            struct bundle proof; /* finalize certificate at or above the last, with header path */
        } blocks;
        struct {
            struct bytes *tx;    /* raw transactions */
            uint32_t txs;
        } txs;
        struct {
            struct hash *hash;
            uint32_t hashes;
        } tx_ack;
        struct {
            uint64_t epoch;
            uint8_t nonce[32];
            uint64_t highest_epoch;   /* answer: largest (epoch, slot) among own signatures */
            uint64_t highest_slot;
            uint64_t clearing_epoch;  /* answer: own clearing block, 0 0 where none */
            uint64_t clearing_slot;
        } amnesia;
        struct {
            uint64_t epoch;
            uint64_t above_slot;
        } own_votes_ask;
        struct {
            bool has_ready;        /* what is left out is withdrawn */
            bool has_leave;
            struct ready_notice ready;
            struct leave_notice leave;
        } notices;
        struct {
            struct bytes intent; /* at most LIMIT_INTENT_BYTES; what is in it is the batcher's to say */
            bool answer;         /* not to be answered */
        } intent;
        struct {
            uint64_t segment;
            struct hash intent;
        } intent_ack;
    } u;
};

/* Memory of one decoded message. Zero it once; every decode begins with it empty and recycles it.
 * A decode takes twice the bytes of the frame and a fixed part for the arrays that the counts
 * below allow, whatever the frame claims. */
struct message_arena {
    uint8_t *base;
    size_t size;
    size_t used;
};

enum lane message_lane(enum message_kind kind);
/* Largest frame of this kind in bytes. */
size_t message_limit(enum message_kind kind);

/* Decodes one frame payload. Every count and length is checked before use; unknown fields,
 * trailing bytes and non-canonical forms are refused: what decodes encodes to the same bytes.
 * `out` borrows from `in` and `arena`. Counts: LIMIT_BUNDLE_CERTS, LIMIT_BUNDLE_HEADERS,
 * LIMIT_FRAME_VOTES, LIMIT_SYNC_BLOCKS, LIMIT_INTAKE_BATCH transactions, LIMIT_INTAKE_WAITING
 * hashes; a transaction, body, intent or system section as in limits.h; the frame as
 * message_limit.
 * Errors: ERR_MALFORMED, ERR_TOO_LARGE, ERR_NOT_CANONICAL, ERR_NO_MEMORY. */
enum err message_decode(struct message *out, struct message_arena *arena, struct bytes in) MUST_USE;

/* Upper bound of the encoded size of `m`. */
size_t message_size(const struct message *m);
/* Encodes into `out`, capacity at least message_size(m).
 * Errors: ERR_TOO_LARGE (a count, a length or the frame, see message_decode), ERR_NO_MEMORY,
 * ERR_INVARIANT (cap). */
enum err message_encode(uint8_t *out, size_t cap, size_t *out_n, const struct message *m) MUST_USE;

/* Forgets what was decoded; keeps small blocks for the next message, returns large ones. */
void message_arena_reset(struct message_arena *arena);
void message_arena_free(struct message_arena *arena);

#endif
