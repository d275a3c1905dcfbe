/* What an Ethereum L1 says, and bytes on their way to it: the asynchronous interface that the
 * transaction manager, derivation and their tests share. l1_client.h is the real one; a simulated
 * L1 fills the same table.
 *
 * Facts that no proof comes with (head, account, receipt) are what a quorum of endpoints says,
 * Q = N / 2 + 1. Facts with a proof (headers, blocks) are one endpoint's word, checked here against
 * the hash that was asked for. Reads go by block hash (EIP-1898), so that what is read together
 * belongs together whatever the chain does meanwhile.
 *
 * Calls: OK means that the callback comes exactly once, later, never before the call returned, and
 * never after the client was closed. What a callback gets is lent for its duration. Other results:
 * ERR_BUSY (LIMIT_L1_CALLS are under way), ERR_NO_MEMORY; no callback then. A callback's error:
 *   ERR_UNREACHABLE    nobody gave an answer that can be used, in time
 *   ERR_NOT_READY      answers, but no quorum for any of them: ask again at the next head
 *   ERR_NOT_FOUND      a quorum has no such block (any more: a reorg); no endpoint has the blobs
 *   ERR_INVALID_BLOCK  what came does not hash to what was asked for, from every endpoint
 * Threads: one; calls and callbacks are on the thread of the loop that the client was given. */
#ifndef SEQUENCER_L1_L1_H
#define SEQUENCER_L1_L1_H

#include "proto/bytes.h"
#include "proto/error.h"
#include "proto/limits.h"
#include "proto/u256.h"

struct l1_ref {
    uint64_t number;
    struct hash hash;
};

/* A header whose fields were checked against its hash. */
struct l1_header {
    struct l1_ref at;
    struct hash parent;
    struct hash tx_root;
    uint64_t time_s;
    uint64_t gas_limit;
    uint64_t gas_used;
    struct u256 base_fee;
    bool has_blobs; /* Cancun and later: the two below are set */
    uint64_t blob_gas_used;
    uint64_t excess_blob_gas;
};

/* ---- the head -------------------------------------------------------------------------------- */

struct l1_view {
    bool known;            /* a quorum agreed on a head once; below it is the last one */
    bool down;             /* no new head for the configured time (60 s): no bump, no new work */
    struct l1_header head; /* highest block that Q endpoints agree on */
    bool has_finalized;
    struct l1_ref finalized; /* the L1's own `finalized`, by quorum */
    uint64_t still_ms;       /* since the head last changed */
    uint32_t endpoints;      /* configured */
    uint32_t agreeing;       /* of them, whose chain holds the head now */
};

/* After every change of head, finalized or `down`. The head may move to another branch (its parent
 * is then not the head before) and, where the L1 itself goes back, to a lower number. */
typedef void (*l1_view_cb)(void *arg, const struct l1_view *v);

/* ---- facts by quorum ------------------------------------------------------------------------- */

struct l1_account {
    uint64_t nonce; /* transactions mined up to and with that block */
    struct u256 balance;
};
typedef void (*l1_account_cb)(void *arg, enum err e, const struct l1_account *a);

/* Q endpoints hold it in their canonical chain, in the same block, which is neither above the head
 * nor known to be beside its chain (NOT_READY then). `found` false: Q do not. */
struct l1_receipt {
    bool found;
    bool succeeded;
    struct l1_ref block;
    uint32_t index;
    uint64_t gas_used;
    struct u256 gas_price; /* effective, wei */
    uint64_t blob_gas_used;
    struct u256 blob_gas_price;
};
typedef void (*l1_receipt_cb)(void *arg, enum err e, const struct l1_receipt *r);

/* ---- sending --------------------------------------------------------------------------------- */

/* Best first: the verdict over all endpoints is the first of these that one of them gave. */
enum l1_send {
    L1_SEND_ACCEPTED,  /* it answered our hash. Proves nothing: look with `seen` */
    L1_SEND_PENDING,   /* it had it already */
    L1_SEND_BUMP,      /* fees too low: for its pool, as a replacement, or for the next block */
    L1_SEND_CHECK,     /* nonce too low: mined, or somebody else's */
    L1_SEND_OTHERKIND, /* blob and plain transactions of one account do not mix in its pool */
    L1_SEND_GAP,       /* nonce too high: send the lower ones again */
    L1_SEND_FULL,      /* pool or account limit: wait for inclusion */
    L1_SEND_FUNDS,     /* balance below the cost at full fees */
    L1_SEND_NET,       /* no answer, or none that is known: it may have been accepted */
    L1_SEND_BUG,       /* these bytes will never be taken there */
    L1_SEND_CLASSES
};

struct l1_sent {
    enum l1_send verdict;
    uint8_t said[L1_SEND_CLASSES]; /* endpoints by their class, those heard so far */
    char text[160];                /* an endpoint's own words for the verdict; "" for ACCEPTED */
};
typedef void (*l1_sent_cb)(void *arg, const struct l1_sent *s);

/* How many endpoints know a transaction, and what it offers where it waits. */
struct l1_seen {
    uint32_t asked;   /* endpoints that answered */
    uint32_t pending;
    uint32_t mined;
    bool has_fees;    /* of the first that knows it */
    struct u256 max_priority_fee;
    struct u256 max_fee;
    struct u256 max_blob_fee; /* zero but for type 3 */
};
typedef void (*l1_seen_cb)(void *arg, enum err e, const struct l1_seen *s);

/* Medians over the endpoints that answered; for the block after `head`. */
struct l1_fees {
    uint64_t head;
    struct u256 base_fee;
    struct u256 blob_base_fee; /* zero before Cancun */
    struct u256 tip;           /* median over the last blocks of what the 60th percentile paid */
    struct u256 tip_asked;     /* eth_maxPriorityFeePerGas; zero where nobody has it */
    uint32_t blocks;           /* entries below, newest first */
    uint16_t gas_permille[LIMIT_L1_FEE_BLOCKS];  /* how full: 1000 has no room */
    uint16_t blob_permille[LIMIT_L1_FEE_BLOCKS];
};
typedef void (*l1_fees_cb)(void *arg, enum err e, const struct l1_fees *f);

/* ---- reading what was posted ----------------------------------------------------------------- */

/* The way on from what the caller knows. `kept`: which of the caller's blocks is still on the
 * chain, the first of them; all before it are gone, by a reorg. kept == known_n: none of them is,
 * go further back. `header` follow on known[kept] one after the other, at most LIMIT_L1_PATH of
 * them and none above the head: ask again from the last one. n == 0: there is nothing newer. */
struct l1_path {
    size_t kept;
    const struct l1_header *header;
    size_t n;
};
typedef void (*l1_path_cb)(void *arg, enum err e, const struct l1_path *p);

/* A transaction to one of the addresses asked for. */
struct l1_tx {
    uint32_t index; /* in the block */
    uint8_t type;   /* 0, 1, 2 or 3: batches in others do not count (OP) */
    struct hash hash;
    struct address from; /* recovered from the signature */
    struct address to;
    struct bytes input;
    const struct hash *versioned; /* type 3 */
    uint32_t blobs;
    uint32_t first_blob; /* place of its first blob among all blobs of the block */
};

/* A block whose header hashes to its hash and whose transactions to its root. */
struct l1_block {
    struct l1_header header;
    const struct l1_tx *tx; /* in order */
    size_t n;
    uint32_t txs; /* of everybody */
};
typedef void (*l1_block_cb)(void *arg, enum err e, const struct l1_block *b);

/* blob[i], L1_BLOB_BYTES, belongs to versioned[i] of the call as far as the client can check it:
 * with its blob check if it was given one, else by order alone. */
enum { L1_BLOB_BYTES = 131072 };
struct l1_blobs {
    const uint8_t *const *blob;
    size_t n;
};
typedef void (*l1_blobs_cb)(void *arg, enum err e, const struct l1_blobs *b);

/* ---- the table ------------------------------------------------------------------------------- */

struct l1_ops {
    void (*view)(void *ctx, struct l1_view *out);
    /* Nonce and balance after the block `at`. */
    enum err (*account)(void *ctx, const struct l1_ref *at, const struct address *a,
                        l1_account_cb cb, void *arg);
    enum err (*receipt)(void *ctx, const struct hash *tx, l1_receipt_cb cb, void *arg);
    enum err (*seen)(void *ctx, const struct hash *tx, l1_seen_cb cb, void *arg);
    /* `raw` as eth_sendRawTransaction takes it (copied), `tx` its hash. To all endpoints that are
     * not known to be dead, at once; called back at the first ACCEPTED or PENDING, else when all
     * answered or ran out of time. No error: nobody there is NET. */
    enum err (*send)(void *ctx, struct bytes raw, const struct hash *tx, l1_sent_cb cb, void *arg);
    enum err (*fees)(void *ctx, l1_fees_cb cb, void *arg);
    /* `known`: the caller's last blocks, newest first, 1 … LIMIT_L1_REORG of them, without gaps. */
    enum err (*path)(void *ctx, const struct l1_ref *known, size_t known_n, l1_path_cb cb,
                     void *arg);
    /* The block's transactions to one of these addresses, at most L1_WATCHED. */
    enum err (*block)(void *ctx, const struct l1_ref *at, const struct address *to, size_t to_n,
                      l1_block_cb cb, void *arg);
    /* At most LIMIT_L1_BLOBS of that block's blobs. */
    enum err (*blobs)(void *ctx, const struct l1_header *at, const struct hash *versioned,
                      size_t n, l1_blobs_cb cb, void *arg);
};
enum { L1_WATCHED = 4 };

struct l1 {
    const struct l1_ops *ops;
    void *ctx;
};

/* "accepted", "pending", … */
const char *l1_send_name(enum l1_send s);

#endif
