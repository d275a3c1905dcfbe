/* The load tool: a client with many accounts that signs and sends transfers at a rate to several
 * nodes, follows the chain, and audits that everything accepted was confirmed exactly once.
 *
 *   bench_load      options, phases: setup -> fund -> sign -> load -> drain -> audit -> report
 *   bench_accounts  keys, nonces, balances
 *   bench_sign      transfers, most of them before the load begins
 *   bench_send      one unacknowledged transaction an account; retried elsewhere with equal bytes
 *   bench_batch     several transactions in one request to a node, several answers out of one
 *   bench_confirm   heads -> blocks -> confirmations
 *   bench_report    figures
 *
 * An account sends its next transaction when the last one was accepted, to its own node while
 * that answers and else to the next: "already known", or "nonce too low" on a repetition, say that
 * an earlier copy arrived, and count as accepted. A refusal is tried again after a time that
 * doubles, and a node that says "txpool is full" is left alone for a moment by all accounts.
 * One loop thread. */
#ifndef SEQUENCER_CLI_BENCH_H
#define SEQUENCER_CLI_BENCH_H

#include "proto/bytes.h"

/* The keys are Keccak hashes: their first bytes spread well enough. */
#define HASH_FUNCTION(key, len, hashv) ((hashv) = load_be32((const uint8_t *)(key)))

#include <uthash.h>
#include <uv.h>

#include "proto/key.h"
#include "proto/limits.h"
#include "proto/u256.h"
#include "sequencer/cli/head_watch.h"
#include "sequencer/cli/http_client.h"

/* Each of the devnet's rich accounts grants as eight that take its nonces in turn: one alone would
 * wait for an acknowledgement after every grant. */
enum { BENCH_RICH = 10, BENCH_FUNDERS = 8 * BENCH_RICH };
enum { BENCH_ARRIVALS = 4096, BENCH_RAW = 160, BENCH_SENTENCES = 8 };
enum { BENCH_TRANSFER_GAS = 21000 };
/* Retries wait in a ring of lists, each for so many microseconds. */
enum { BENCH_RETRY_SLOTS = 256, BENCH_RETRY_SLOT_US = 10000 };

struct bench_account;
struct bench_batch;

struct bench_tx {
    struct hash hash;
    struct bench_account *account;
    struct bench_tx *next; /* of those signed ahead */
    uint64_t submitted_us; /* first attempt */
    uint64_t accepted_us;  /* 0: not acknowledged */
    uint64_t confirmed_us; /* 0: not seen in a block */
    uint32_t attempts;
    uint32_t held; /* times that no node was fit for an attempt */
    uint32_t node; /* of the last attempt */
    uint32_t found; /* times the audit found it */
    uint16_t raw_len;
    bool load;              /* false: funding */
    uint8_t raw[BENCH_RAW]; /* as sent */
    UT_hash_handle hh;
};

struct bench_account {
    struct bench *bench;
    struct secret_key key;
    struct address address;
    uint64_t nonce;
    uint32_t nonce_step; /* from one transaction to the next: 1 but for funders */
    uint32_t home;       /* node */
    struct bench_tx *tx; /* not yet accepted; NULL: free */
    struct bench_tx *signed_ahead; /* by nonce, the next first */
    bool in_flight;
    bool broken; /* refused for good; not used any more */
    uint32_t to_fund;           /* funders: next account to fund */
    struct bench_account *next; /* queue of free ones, or list of those that wait to retry */
};

enum bench_phase { BENCH_FUND, BENCH_SIGN, BENCH_LOAD, BENCH_DRAIN, BENCH_OVER };

struct bench_options {
    const char *url[LIMIT_MEMBERS];
    size_t urls;
    uint64_t rate;
    uint64_t for_ms;
    uint64_t accounts;
    uint64_t seed; /* 0: another one each time */
    uint64_t drain_ms;
    uint64_t batch; /* transactions of one request */
    bool json;
};

struct bench_sentence {
    char text[96];
    uint64_t n;
};

struct bench {
    struct bench_options o;
    uv_loop_t loop;
    uv_timer_t timer;
    struct http_client *http;
    struct head_watch *watch;
    enum bench_phase phase;
    uint64_t phase_us;
    uint64_t chain_id;
    struct u256 max_fee;
    struct u256 tip;
    struct u256 grant; /* for each account */

    struct bench_account funder[BENCH_FUNDERS];
    struct bench_account *account;
    struct bench_account *idle_head;
    struct bench_account *idle_tail;
    struct bench_account *waiting[BENCH_RETRY_SLOTS]; /* for their retry, by time */
    uint64_t retry_at; /* slot of time that comes next */
    uint64_t sign_next; /* transfer that is signed next, of all accounts in turn */
    uint64_t down_until_us[LIMIT_MEMBERS];
    uint64_t full_until_us[LIMIT_MEMBERS]; /* it refused because it has too much to do */
    struct bench_batch *gathering[LIMIT_MEMBERS]; /* for each node; NULL: nothing */

    struct bench_tx *txs; /* by hash */
    uint64_t sent;        /* of the load */
    uint64_t accepted;
    uint64_t confirmed;
    uint64_t open;        /* sent and neither accepted, confirmed nor refused */
    uint64_t unconfirmed; /* accepted and not yet confirmed */
    uint64_t retries;
    uint64_t refused;
    uint64_t load_us;                                /* length of the load phase */
    uint64_t load_wall_ms;                           /* when it began, Unix time */
    uint64_t cpu_us; /* of this process, from there to the last confirmation */
    struct bench_sentence sentence[BENCH_SENTENCES]; /* what nodes said against it */

    uint64_t first_block;
    uint64_t next_block; /* the next to read */
    uint64_t highest;    /* announced */
    int announcer;
    bool reading;
    uint64_t arrival_us[BENCH_ARRIVALS]; /* ring by number */
    struct hash *seen;                   /* hash of number first_block + i */
    size_t seen_cap;
};

/* bench_accounts.c */
enum err bench_accounts_open(struct bench *b, char *why, size_t why_len) MUST_USE;
void bench_accounts_close(struct bench *b);
/* Asks any node; `*result` owned by the caller. */
enum err bench_ask(struct bench *b, struct json_object **result, const char *method,
                   struct json_object *params, char *why, size_t why_len) MUST_USE;

/* bench_sign.c */
/* NULL: out of memory. The caller owns it. */
struct bench_tx *bench_sign(struct bench_account *a, uint64_t nonce, const struct address *to,
                            const struct u256 *value);
/* Signs some of the load's transfers ahead, so that a client on the nodes' own machine takes less
 * from them; false when all are signed, or as many as are kept. */
bool bench_sign_some(struct bench *b);
/* The account's next transfer of the load. */
struct bench_tx *bench_next_transfer(struct bench_account *a);

/* bench_send.c */
/* Takes `tx` over and sends it. */
void bench_send(struct bench_account *a, struct bench_tx *tx, bool load);
void bench_idle_push(struct bench *b, struct bench_account *a);
struct bench_account *bench_idle_pop(struct bench *b);
void bench_retry_due(struct bench *b);
/* It stands in a block: it needs no more sending. */
void bench_settle(struct bench *b, struct bench_tx *tx);

/* One transaction's answer, once for each bench_enqueue that took it. */
enum bench_answer { BENCH_NO_ANSWER, BENCH_ACCEPTED, BENCH_REFUSED };
void bench_answered(struct bench_tx *tx, enum bench_answer answer, const char *why);
/* Nobody answers there: others are preferred for a while. */
void bench_node_failed(struct bench *b, uint32_t node);

/* bench_batch.c */
/* Goes out with the next request to that node; false: out of memory. */
bool bench_enqueue(struct bench_tx *tx, uint32_t node);
/* Sends what has waited long enough; on every tick. */
void bench_batch_due(struct bench *b);
void bench_batch_close(struct bench *b);

/* bench_confirm.c */
void bench_on_head(void *arg, const struct head *h);
void bench_read_next(struct bench *b);

/* bench_report.c: prints, returns the exit code. */
int bench_report(struct bench *b);

#endif
