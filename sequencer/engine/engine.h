/* An execution client over the Engine API, as a `struct execution`.
 *
 * The session with the client, in e->state; what is asked while it is not READY is answered at once
 * with ERROR, and the node asks again:
 *
 *              ┌────────────── wait, longer each time ◄────────────────┐
 *              ▼                                                       │
 *          GREETING ──► capabilities, chain id, genesis, its head      │
 *              │                             │                         │
 *              │ all as they should be       ├─ other genesis, chain ──┤ REFUSED
 *              ▼                             ├─ 401, 403 ──────────────┤ TURNED_AWAY
 *            READY ── no answer, SYNCING ────┴─────────────────────────┘ LOST
 *
 * A client that comes back may have lost blocks, so its head is read before anything else, and
 * nothing is asked of it whose parent it does not hold: `head` says where to feed it from (a client
 * that is given blocks ahead of its own head may begin to look for peers, and stop executing).
 *
 * A call on its way (engine_calls.c), one request at a time in the order of asking; a build that lets
 * the client fill its block holds up nobody:
 *
 *   BUILD      PARENT? ─► FORKCHOICE with attributes ─► FILLING ─► GET ─► answered
 *   EXECUTE    PARENT? ─► NEW ─► answered
 *   FINALIZE   PARENT? ─► FORKCHOICE ─► answered
 *
 * PARENT? asks by hash for what must be there first (a parent; the block itself that is final), only
 * when this adapter has not seen it executed.
 *
 * All on the loop thread. The process ignores SIGPIPE. */
#ifndef SEQUENCER_ENGINE_ENGINE_H
#define SEQUENCER_ENGINE_ENGINE_H

#include <uv.h>

#include "sequencer/engine/engine_body.h"
#include "sequencer/engine/jwt.h"
#include "sequencer/execution/execution.h"

struct engine;

enum engine_state {
    ENGINE_GREETING,
    ENGINE_READY,
    ENGINE_LOST,        /* no answer, or it lost blocks: greeted again soon */
    ENGINE_REFUSED,     /* another chain, genesis or fork: `why` has both values */
    ENGINE_TURNED_AWAY, /* it refuses our token */
    ENGINE_CLOSED
};

/* Who decides what stands in a block, and in which order. */
enum engine_order {
    ENGINE_ORDER_CLIENT, /* the client builds from its own pool: every stock client */
    ENGINE_ORDER_GIVEN   /* exactly the candidates of `build`: op-geth, op-reth (noTxPool) */
};

struct engine_options {
    const char *url;     /* http(s), copied */
    const char *rpc_url; /* where accounts and other methods are read, copied; NULL: there too */
    struct jwt_secret secret;
    uint64_t chain_id;
    struct hash genesis; /* block hash of number 0 */
    enum engine_fork fork;
    enum engine_order order;
    uint32_t fill_ms; /* between the start of a build and its payload; 0: at once */
    /* 0: the default behind it */
    uint32_t connect_ms;   /* 500 */
    uint32_t total_ms;     /* 8000; one request */
    uint32_t retry_min_ms; /* 100; wait before a lost client is greeted again */
    uint32_t retry_max_ms; /* 2000 */
    /* Each change of the session, with a sentence; may be NULL. Not to close the engine from. */
    void (*on_state)(void *arg, enum engine_state state, const char *why);
    void *arg;
};

/* Copies the options and greets. ERR_NO_MEMORY. */
enum err engine_open(struct engine **out, uv_loop_t *loop, const struct engine_options *o) MUST_USE;

/* The table of execution.h; its `close` is engine_close without a callback.
 * `head` before the first READY: number 0, the genesis. */
void engine_execution(struct engine *e, struct execution *out);
enum engine_state engine_state(const struct engine *e);

/* Payload hashes that the next forkchoiceUpdated tells as safe and finalized: what stands on the L1
 * (unsafe is what `finalize` was called for, or a child of it). Zero: none. */
void engine_set_heads(struct engine *e, const struct hash *safe, const struct hash *finalized);

/* A raw transaction into the client's pool, beside everything else; `taken` says whether it stands
 * there now (also when it did before). `cb` may be NULL. ERR_NOT_READY, ERR_BUSY: not asked. */
enum err engine_offer(struct engine *e, struct bytes raw, void (*cb)(void *arg, bool taken),
                      void *arg) MUST_USE;

/* ---- engine_reads.c: what else a node asks of its client -----------------------------------------
 * At rpc_url, without a token, where that is another place: ethereumjs offers on its Engine API port
 * only the few methods that the specification asks for, and no accounts (engine_read_hash is always
 * asked there). Beside everything else, each answered once and never before the call returns, also at the close.
 * ERR_NOT_READY, ERR_BUSY, ERR_NO_MEMORY: not asked. */

/* Hash of the block that stands at this number in the client's own chain; zero: it has none. */
enum err engine_read_hash(struct engine *e, uint64_t number,
                          void (*cb)(void *arg, enum err e, const struct hash *h),
                          void *arg) MUST_USE;

enum { ENGINE_ACCOUNTS = 48 };

struct engine_account {
    struct address address;
    uint64_t nonce;
    struct u256 balance;
};
struct engine_accounts {
    enum err err; /* OK: all of them were read */
    uint64_t number;
    uint32_t n;
    struct engine_account account[ENGINE_ACCOUNTS];
};
/* After the block of this number. n <= ENGINE_ACCOUNTS. */
enum err engine_read_accounts(struct engine *e, uint64_t number, const struct address *a,
                              uint32_t n,
                              void (*cb)(void *arg, const struct engine_accounts *answer),
                              void *arg) MUST_USE;

/* Any method of the client's eth_ namespace; params is the text of a JSON list. `json`: what stands
 * in the answer as its result or error, lent during the callback. ERR_UNREACHABLE: no answer. */
enum err engine_read(struct engine *e, const char *method, struct bytes params,
                     void (*cb)(void *arg, enum err e, bool is_error, struct bytes json),
                     void *arg) MUST_USE;

/* What is under way is answered with ERROR. The loop must run until `closed` (may be NULL). Not from
 * a callback of the engine's. */
void engine_close(struct engine *e, void (*closed)(void *arg), void *arg);

#endif
