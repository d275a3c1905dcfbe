/* Derivation: which blocks are safe, from what an L1 holds and the genesis alone. Every verifier
 * that has read the L1 up to the same block says the same.
 *
 * L1 blocks come in, one after the other (derive_next says which). A posting is
 *   blobs      a blob transaction to the inbox, its calldata the envelope (auth.h); one blob a frame
 *   calldata   a payload to the inbox and its envelope in another transaction, to the address
 *              `auth`: in any order, by anybody, at most CHANNEL_TIMEOUT_BLOCKS apart
 * and is checked cheapest first: form and chain; blocks that are not safe yet and leave no gap; the
 * commitment; the certificate; only then blobs are asked for; frames of one channel; what they
 * expand to, within a bound; and the blocks, executed. Who sent it does not matter: what a quorum
 * finalized anybody may post. One failure and the posting counts for nothing.
 *
 * L2 blocks hold nothing of the L1: when that reorgs, publication is undone, never a block. A
 * segment that begins below the safe head counts for what lies above it.
 *
 * One epoch, that of the setup: an envelope that names another, or another as the next, proves
 * nothing. A payload of calldata is one transaction; what does not fit is posted in blobs or in
 * smaller segments (any run of blocks that ends with a certified one counts).
 *
 * Pure but for memory and what the setup's functions do. One thread at a time; a push may take as
 * long as executing a segment does: not the loop thread. Errors: enum derive_step. */
#ifndef SEQUENCER_BATCHER_DERIVE_H
#define SEQUENCER_BATCHER_DERIVE_H

#include "proto/members.h"
#include "sequencer/batcher/blob.h"
#include "sequencer/batcher/derive_state.h"
#include "sequencer/batcher/span.h"

/* ---- what goes in ------------------------------------------------------------------------------- */

/* A transaction to the inbox or to `auth`. */
struct derive_tx {
    uint32_t index; /* in its block */
    uint8_t type;
    struct address from;
    struct address to;
    struct bytes input;
    const struct hash *versioned; /* of its blobs */
    uint32_t blobs;
    const uint8_t *const *blob;   /* BLOB_BYTES each; NULL: not fetched (yet) */
};

/* `tx` in the block's order; transactions to other addresses may be left out. */
struct derive_block {
    struct derive_ref at;
    struct hash parent;
    const struct derive_tx *tx;
    size_t n;
};

/* An L2 block as it was posted. */
struct derive_content {
    uint64_t height;
    struct hash parent; /* payload hash */
    uint64_t timestamp_ms;
    uint8_t leader;
    struct address fee_recipient; /* the leader's address */
    const struct bytes *tx; /* raw; their signatures were not looked at */
    uint32_t txs;
};

struct derive_executed {
    struct hash hash;
    struct hash state_root;
};

/* ---- refusals ----------------------------------------------------------------------------------- */

#define DERIVE_REFUSALS(REFUSAL)                                                               \
    REFUSAL(TYPE, "a transaction of a type that does not count there")                         \
    REFUSAL(ENVELOPE, "no envelope")                                                           \
    REFUSAL(CHAIN, "of another chain")                                                         \
    REFUSAL(PAST, "its blocks are safe already")                                               \
    REFUSAL(GAP, "blocks before it are missing")                                               \
    REFUSAL(PARENT, "it does not stand on the safe head")                                      \
    REFUSAL(COMMITMENT, "the envelope belongs to other bytes")                                 \
    REFUSAL(CERTIFICATE, "its certificate proves nothing")                                     \
    REFUSAL(BLOB, "a blob that holds no payload")                                              \
    REFUSAL(FRAMES, "not the frames of one whole channel")                                     \
    REFUSAL(CONTENT, "its content is not what the envelope names")                             \
    REFUSAL(BLOCKS, "its blocks are not the certified ones")                                   \
    REFUSAL(TRIES, "more envelopes for one payload than are tried")                            \
    REFUSAL(LATE, "envelope or payload came too late, or never")                               \
    REFUSAL(CROWDED, "forgotten: too many wait for their other half")

enum derive_verdict {
    DERIVE_ACCEPTED,
#define REFUSAL(name, text) DERIVE_##name,
    DERIVE_REFUSALS(REFUSAL)
#undef REFUSAL
    DERIVE_VERDICTS
};

/* "past", … and the sentence. */
const char *derive_verdict_name(enum derive_verdict v);
const char *derive_verdict_text(enum derive_verdict v);

/* ---- the setup ---------------------------------------------------------------------------------- */

struct derive_setup {
    struct batch_chain chain;
    const struct epoch_config *config; /* outlives the derivation */
    struct address inbox;
    struct address auth;
    struct safe_row start; /* genesis: height 0, its payload hash; l1: the block before the first */
    void *ctx;             /* of the functions below */
    /* Executes on b->parent. ERR_INVALID_BLOCK: not every transaction of it can be. Must depend on
     * nothing but parent and content, and is asked for the same heights again after a reorg of the
     * L1, down to the safe head there (derive_memo.h helps who cannot go back). Any other error: no
     * verdict, DERIVE_AGAIN. */
    enum err (*execute)(void *ctx, const struct derive_content *b, struct derive_executed *out);
    /* Every block that was executed since the last of these two calls: safe; or it never was. */
    void (*keep)(void *ctx, const struct safe_row *safe);
    void (*drop)(void *ctx);
    /* ERR_CORRUPT or ERR_MALFORMED: not the blob of that hash. Any other error: no verdict. */
    enum err (*check_blob)(void *ctx, const uint8_t blob[BLOB_BYTES], const struct hash *versioned);
    /* The payload hash that the members certified at this height; false: not known here. May be
     * NULL: nothing to compare with. */
    bool (*certified)(void *ctx, uint64_t height, struct hash *out);
    /* Every verdict, for a line in the log; may be NULL. */
    void (*told)(void *ctx, enum derive_verdict v, const struct derive_ref *l1, uint32_t tx);
};

/* ---- use ---------------------------------------------------------------------------------------- */

struct derive;

/* ERR_NO_MEMORY. The setup is copied. */
enum err derive_open(struct derive **out, const struct derive_setup *setup) MUST_USE;
void derive_close(struct derive *d);

/* The L1 block to push next. After opening a stored state and after a reorg up to
 * CHANNEL_TIMEOUT_BLOCKS blocks are asked for again, in which halves of postings may stand. */
uint64_t derive_next(const struct derive *d);

enum derive_step {
    DERIVE_TAKEN,
    DERIVE_BLOBS,    /* fetch the blobs of transaction tx[derive_waits], push the block again */
    DERIVE_BAD_BLOB, /* those that came for it are not the ones; fetch them from somebody else */
    DERIVE_FORK,     /* its parent is not the block pushed before: find what is left of the L1
                        (derive_known), derive_back, go on with derive_next */
    DERIVE_ORDER,    /* not derive_next */
    DERIVE_AGAIN     /* no memory, or no verdict from `execute`; push the block again */
};

enum derive_step derive_push(struct derive *d, const struct derive_block *b) MUST_USE;
size_t derive_waits(const struct derive *d);

/* L1 blocks that were read, newest first, without gaps; returns how many of at most `max`. */
size_t derive_known(const struct derive *d, struct derive_ref *out, size_t max);
/* L1 blocks above `l1` are gone. ERR_REFUSED: so far back nothing is known; open anew from the
 * start (the L1 took back what it called final, or LIMIT_DERIVE_HASHES blocks). */
enum err derive_back(struct derive *d, uint64_t l1) MUST_USE;

struct derive_heads {
    struct derive_ref l1;   /* read up to here */
    struct safe_row latest; /* the poster's cursor */
    struct safe_row conf;   /* as of `conf` L1 blocks ago */
    struct safe_row final;  /* as of the L1's final block */
};

/* `l1_final`: number of the L1's final block; a lower one than before changes nothing. */
void derive_heads(struct derive *d, uint64_t conf, uint64_t l1_final, struct derive_heads *out);

/* A block became certified here: is it what was derived? */
void derive_compare(struct derive *d, uint64_t height, const struct hash *certified);
/* While it is raised nothing may be posted. Stays until a state without it is opened. */
const struct derive_alarm *derive_alarm(const struct derive *d);
/* How often since opening. */
uint64_t derive_count(const struct derive *d, enum derive_verdict v);
const struct derive_state *derive_state_of(const struct derive *d);

/* The state as it stands between two L1 blocks. */
void derive_save(const struct derive *d, struct buffer *out);
/* Goes on from a stored state; of `start` only the number of the L1 block is looked at. Errors:
 * derive_state_decode. */
enum err derive_restore(struct derive **out, const struct derive_setup *setup, struct bytes state,
                        struct fault *fault) MUST_USE;

#endif
