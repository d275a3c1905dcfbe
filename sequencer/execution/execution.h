/* The execution layer as the node sees it: asynchronous from the first day, because real clients
 * answer later. Implementations: the built-in ledger (ledger.h); Engine API clients.
 *
 * Every call answers exactly once through its callback, on the loop thread, in any order; a
 * callback may come before the call returns. Arguments are borrowed until the call returns.
 * A payload is executed only after its parent was. */
#ifndef SEQUENCER_EXECUTION_EXECUTION_H
#define SEQUENCER_EXECUTION_EXECUTION_H

#include "proto/bytes.h"
#include "proto/error.h"

enum execution_status {
    EXECUTION_VALID = 1,
    EXECUTION_INVALID, /* the block breaks the chain's rules */
    EXECUTION_ERROR    /* no verdict: failed, timed out, syncing; ask again */
};

struct execution_tx {
    struct bytes raw;
    struct address sender; /* recovered already */
};

/* What every block needs whoever built it. */
struct execution_block {
    struct hash parent; /* payload hash of the parent payload */
    uint64_t height;
    uint64_t timestamp_ms;
    struct address fee_recipient;
    struct bytes body;             /* as it travels: see body.h */
    const struct execution_tx *tx; /* decoded from the body, senders recovered */
    uint32_t txs;
};

struct execution_result {
    enum execution_status status;
    struct hash payload; /* hash of the payload (the block hash wallets see) */
    struct hash state_root;
    const uint8_t *body; /* build: the body; valid during the callback */
    size_t body_len;
    uint32_t txs;
    const uint8_t *info; /* VALID: encoded struct payload_info (payload.h), to be stored */
    size_t info_len;
    uint64_t took_us;
    const char *why; /* INVALID, ERROR: one sentence; valid during the callback */
};

typedef void (*execution_cb)(void *arg, const struct execution_result *r);

struct execution {
    void *ctx;
    /* Builds on b->parent from the candidates b->tx in their order (b->body is unused), within the
     * gas limit and LIMIT_BODY_BYTES. A candidate that cannot be executed is left out, and with it
     * whatever follows it by nonce. Always VALID (perhaps with no transaction) or ERROR. */
    void (*build)(void *ctx, const struct execution_block *b, execution_cb cb, void *arg);
    /* Executes a block on its parent; VALID iff payload and state_root equal `expect_*`. */
    void (*execute)(void *ctx, const struct execution_block *b, const struct hash *expect_payload,
                    const struct hash *expect_state, execution_cb cb, void *arg);
    /* This payload is final: nothing beside it will be asked for any more. */
    void (*finalize)(void *ctx, const struct hash *payload, void (*cb)(void *arg, enum err e),
                     void *arg);
    /* Highest payload whose state is held; to it a restart is wound. */
    void (*head)(void *ctx, uint64_t *height, struct hash *payload);
    /* Microseconds since the client last answered anything; 0 for one that cannot hang. */
    uint64_t (*silent_us)(void *ctx);
    void (*close)(void *ctx);
};

#endif
