/* What rpc/ asks of the node, and in which words the node answers.
 *
 * The node fills one const `struct rpc_backend` with functions; rpc/ calls them on the loop thread
 * and includes no header of any other trade. Three kinds of calls:
 *
 *   reads      answer at once and never block (memory, or one point read of the database). What
 *              they lend (bodies, sender lists, texts) is valid until rpc/ makes the next call to
 *              the backend or returns to the loop, whichever comes first.
 *   questions  answer exactly once through their callback, on the loop thread, perhaps before the
 *              call returns, perhaps much later, perhaps after rpc_close: rpc/ keeps what it needs.
 *              Arguments are lent until the call returns; what a callback gets is lent during it,
 *              except a json_object, which the callback takes over.
 *   events     go the other way: rpc_on_* in rpc.h.
 *
 * A read returns OK, ERR_NOT_FOUND ("null" for a wallet) or ERR_NOT_READY: the node is below the
 * heads that it showed before a restart; wallets then get "node is catching up". */
#ifndef SEQUENCER_RPC_BACKEND_H
#define SEQUENCER_RPC_BACKEND_H

#include <json-c/json.h>

#include "proto/bytes.h"
#include "proto/error.h"
#include "proto/u256.h"

/* Heads by their tags (INTERFACE 2). `pending` is latest + 1 and needs no head. */
enum rpc_tag { RPC_EARLIEST, RPC_LATEST, RPC_SAFE, RPC_FINALIZED, RPC_PENDING };

/* A block as wallets see it; `hash` and `parent` are payload hashes. */
struct rpc_block {
    struct hash hash;
    struct hash parent;
    uint64_t number;
    uint64_t timestamp; /* seconds */
    uint64_t timestamp_ms;
    struct address miner; /* fee recipient */
    struct hash state_root;
    struct hash transactions_root;
    struct hash receipts_root;
    uint64_t gas_limit;
    uint64_t gas_used;
    struct u256 base_fee;
    uint64_t slot;
    uint8_t leader; /* member index */
    uint32_t txs;
    struct bytes body;            /* as it travels: proto/body.h; lent */
    const struct address *sender; /* `txs` of them, lent; NULL: rpc/ recovers them on a worker */
    const struct hash *tx_hash;   /* `txs` of them, lent; NULL: rpc/ hashes the raw bytes */
};

/* Where a transaction is. */
enum rpc_tx_state { RPC_TX_PENDING = 1, RPC_TX_INCLUDED };
struct rpc_tx {
    enum rpc_tx_state state;
    struct bytes raw;      /* PENDING: lent */
    struct address sender; /* PENDING */
    uint64_t number;       /* INCLUDED: the block that holds it, */
    uint32_t index;        /* and its place there */
};

struct rpc_fees {
    struct u256 base_fee; /* of the next block, wei */
    struct u256 tip;      /* a tip that gets in now, wei */
};

struct rpc_pool {
    uint64_t pending; /* executable */
    uint64_t queued;  /* nonce ahead of its turn */
};

enum { RPC_REASONS = 16 };
struct rpc_readiness {
    bool ready; /* able to lead: 200 or 503 of /readyz */
    uint32_t reasons;
    const char *reason[RPC_REASONS]; /* static words: "draining", "client", … */
    const char *detail[RPC_REASONS]; /* a sentence to each, lent; NULL: none */
};

/* Answer to an account question. ERR_NOT_FOUND: that state is not held any more; ERR_BUSY. */
struct rpc_account {
    enum err err;
    uint64_t nonce;
    struct u256 balance;
    struct bytes proof; /* RLP nodes from the root, each after its 4-byte length */
};
typedef void (*rpc_account_cb)(void *arg, const struct rpc_account *a);

/* Answer to a submission. `code` 0: acknowledged, durable at members of weight A (INTERFACE 2).
 * Else a JSON-RPC error code, -32000 for geth's refusals, and the text in geth's wording. */
struct rpc_verdict {
    int code;
    const char *message;
    struct hash hash;
};
typedef void (*rpc_submit_cb)(void *arg, const struct rpc_verdict *v);

/* Big documents of the baton_ namespace: the backend writes them, rpc/ only passes them on. */
enum rpc_document {
    RPC_DOC_STATUS,   /* baton_status, /status.json */
    RPC_DOC_SCHEDULE, /* count */
    RPC_DOC_MEMBERS,
    RPC_DOC_INCIDENTS,     /* from, count */
    RPC_DOC_CERTIFICATE,   /* by_hash ? hash : from */
    RPC_DOC_RECEIPT_PROOF, /* hash of the transaction */
    RPC_DOC_EPOCH          /* from */
};

enum rpc_admin_call {
    RPC_ADMIN_DRAIN, /* count = seconds */
    RPC_ADMIN_HAND_OVER,
    RPC_ADMIN_JOIN,
    RPC_ADMIN_LEAVE,
    RPC_ADMIN_SET_LOG_LEVEL, /* text: error, warn, info, debug */
    RPC_ADMIN_PEERS,
    RPC_ADMIN_CHAOS /* text: the action; params: everything the caller passed */
};

struct rpc_query {
    uint64_t from; /* INCIDENTS: UINT64_MAX = the latest `count` */
    uint64_t count;
    bool by_hash;
    struct hash hash;
    const char *text;           /* "" where none */
    struct json_object *params; /* the array that was passed, lent; NULL where none */
};

/* OK: `doc` (may be NULL: null), taken over by the callback. ERR_NOT_FOUND: null for the wallet.
 * Anything else: error `code` (0: rpc/ chooses by the class) with the sentence `why` (NULL:
 * err_text). `why` with OK is ignored. */
struct rpc_answer {
    enum err err;
    int code;
    const char *why;
    struct json_object *doc;
};
typedef void (*rpc_answer_cb)(void *arg, const struct rpc_answer *a);

/* Answer of an execution client to a forwarded call: the text of its "result" or of its "error"
 * member, unchanged. err != OK: it did not answer; then -32603 with err_text. */
struct rpc_forwarded {
    enum err err;
    bool is_error;
    struct bytes json;
};
typedef void (*rpc_forward_cb)(void *arg, const struct rpc_forwarded *f);

struct rpc_backend {
    /* ---- reads ------------------------------------------------------------------------------ */
    uint64_t (*chain_id)(void *ctx);
    /* Number and hash of a head; RPC_PENDING is never asked. `hash` may be NULL. SAFE, FINALIZED:
     * ERR_NOT_FOUND while there is none. */
    enum err (*head)(void *ctx, enum rpc_tag tag, uint64_t *number, struct hash *hash);
    enum err (*block_by_number)(void *ctx, uint64_t number, struct rpc_block *out);
    enum err (*block_by_hash)(void *ctx, const struct hash *hash, struct rpc_block *out);
    /* Final ones before pending ones. */
    enum err (*tx)(void *ctx, const struct hash *hash, struct rpc_tx *out);
    uint64_t (*pending_nonce)(void *ctx, const struct address *a);
    void (*fees)(void *ctx, struct rpc_fees *out);
    void (*pool)(void *ctx, struct rpc_pool *out);
    void (*readiness)(void *ctx, struct rpc_readiness *out);
    /* Text format 0.0.4, malloc'ed; rpc/ frees it. */
    char *(*metrics)(void *ctx, size_t *n);

    /* ---- questions -------------------------------------------------------------------------- */
    /* State after the block with this hash; NULL: at the latest head, answered at once. */
    void (*account)(void *ctx, const struct hash *block, const struct address *a, bool proof,
                    rpc_account_cb cb, void *arg);
    /* At most LIMIT_TX_BYTES bytes. */
    void (*submit)(void *ctx, struct bytes raw, rpc_submit_cb cb, void *arg);
    void (*document)(void *ctx, enum rpc_document kind, const struct rpc_query *q, rpc_answer_cb cb,
                     void *arg);
    void (*admin)(void *ctx, enum rpc_admin_call call, const struct rpc_query *q, rpc_answer_cb cb,
                  void *arg);
    /* With an execution client: asks it what the node does not answer itself. `params` is the JSON
     * text of the array. NULL for the built-in ledger. */
    void (*forward)(void *ctx, const char *method, struct bytes params, rpc_forward_cb cb,
                    void *arg);

    /* ---- counts (each may be NULL) ---------------------------------------------------------- */
    void (*counted)(void *ctx, uint32_t requests, double seconds); /* requests answered together */
    void (*connections)(void *ctx, uint32_t open);
    void (*limit_hit)(void *ctx, const char *limit); /* its name in proto/limits.h */
};

#endif
