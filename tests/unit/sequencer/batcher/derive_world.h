/* A chain with its certificates, an L1 that holds what anybody posted and reorganizes, and verifiers
 * that read it. Executing a block is a hash of its content here; KZG is a hash of the blob. */
#ifndef TESTS_UNIT_SEQUENCER_BATCHER_DERIVE_WORLD_H
#define TESTS_UNIT_SEQUENCER_BATCHER_DERIVE_WORLD_H

#include "kit.h"

#include "proto/key.h"
#include "sequencer/batcher/derive.h"
#include "sequencer/batcher/derive_memo.h"

enum { MEMBERS = 4, SEGMENTS = 24, HEIGHTS = 256, L1_BLOCKS = 600, L1_TXS = 24, L1_FIRST = 7 };

/* One segment as its honest posters would post it. */
struct piece {
    struct segment segment;
    struct batch_auth auth;  /* commitment: of the payload as calldata */
    struct auth_time *time;
    struct buffer envelope;
    struct buffer blob_envelope;
    uint8_t *blob;
    struct hash versioned;
};

/* A transaction on the L1; the world keeps it until its end. */
struct made {
    struct derive_tx tx;
    struct buffer input;
    uint8_t *blob;
    struct hash versioned;
    struct made *next;
};

struct l1_slot {
    struct derive_ref at;
    struct hash parent;
    struct made *tx[L1_TXS];
    size_t n;
};

struct world {
    uint64_t seed;
    struct secret_key key[MEMBERS];
    struct epoch_config config;
    struct batch_chain chain;
    struct piece piece[SEGMENTS];
    struct hash hash[HEIGHTS]; /* certified, by height */
    struct l1_slot l1[L1_BLOCKS]; /* l1[0] is the block before the first that is read */
    size_t l1_n;
    uint64_t branch;
    struct made *made;
};

void world_open(struct world *w, uint64_t seed);
void world_close(struct world *w);
void world_execute(const struct derive_content *b, struct derive_executed *out);
struct address world_inbox(void);
struct address world_auth(void);

/* ---- transactions ---- */

enum half { HALF_PAYLOAD, HALF_ENVELOPE };

/* Of type 2, from an account that `from` numbers. */
struct made *make_tx(struct world *w, const struct address *to, struct bytes input, uint8_t from);
struct made *make_half(struct world *w, size_t piece, enum half half, uint8_t from);
struct made *make_blob(struct world *w, struct bytes envelope, const uint8_t *blob, uint8_t from);
struct made *make_blob_posting(struct world *w, size_t piece, uint8_t from);
/* The certificate of `piece` around other content: what anybody can do who has read the certificate.
 * Payload and envelope fit each other. */
struct forged {
    struct buffer payload;
    struct buffer envelope;
};
enum forgery {
    FORGE_BLOCKS, /* other transactions */
    FORGE_LEADER, /* the true payload, another leader of its first block */
    FORGE_MS,     /* the true payload, a millisecond later at its end */
    FORGE_BOMB,   /* expands to far more than a segment */
    FORGE_NAME,   /* the true payload, another root */
    FORGE_CHAIN,
    FORGE_SIGNER,
    FORGE_PARENT,
    FORGERIES
};
void forge(struct world *w, struct forged *f, size_t piece, enum forgery how);
void forged_free(struct forged *f);

struct hash blob_hash(const uint8_t *blob);

/* ---- the L1 ---- */

/* Adds an empty block, or one with a transaction; `at` counts from the last block back. */
struct l1_slot *l1_mine(struct world *w);
void l1_put(struct l1_slot *slot, struct made *tx);
/* Takes the last `depth` blocks away. */
void l1_reorg(struct world *w, size_t depth);

/* ---- verifiers ---- */

struct verifier {
    struct world *world;
    struct derive_setup setup;
    struct derive *d;
    struct derive_memo *memo; /* NULL: executes whatever is asked for */
    uint64_t stands;          /* memo: executed so far */
    uint64_t kept;
    uint64_t expects;         /* height that a run goes on with; 0: none has begun */
    uint64_t moody;           /* not 0: seed by which things fail for the moment */
    struct hash other;        /* what `certified` says where it is not zero */
};

void verifier_open(struct verifier *v, struct world *w, bool forward_only, uint64_t moody);
/* From a saved state. */
void verifier_resume(struct verifier *v, struct world *w, struct bytes state);
void verifier_close(struct verifier *v);
/* Reads the L1 to its end, reorgs included. */
void verifier_read(struct verifier *v);
uint64_t verifier_safe(const struct verifier *v);
/* Number of the piece that begins after the safe head. */
size_t verifier_next(const struct verifier *v);
/* What is derived is what was certified, and nothing else. */
void verifier_check(const struct verifier *v);
void verifiers_agree(const struct verifier *a, const struct verifier *b);

#endif
