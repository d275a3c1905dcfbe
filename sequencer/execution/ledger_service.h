/* The ledger as a `struct execution`: it lives on a thread of its own; calls are queued (bounded)
 * and answered on the loop. A block of a few transactions is run on the loop at once, when nothing
 * is queued, and answered before the call returns: the two ways between threads would take longer.
 * For the loop it keeps a mirror of the final accounts, so that balance and nonce at `latest` are
 * read without waiting.
 *
 * Calls are answered in their order. At most LIMIT_LEDGER_QUEUE wait; more are refused at once
 * (ERROR, ERR_BUSY). `silent_us` is the time since the last answer or since the oldest
 * unanswered call, whichever is less; 0 while nothing is asked.
 *
 * For chaos drills the client can be stalled: it then answers nothing until it is released; what
 * was asked meanwhile is answered then. */
#ifndef SEQUENCER_EXECUTION_LEDGER_SERVICE_H
#define SEQUENCER_EXECUTION_LEDGER_SERVICE_H

#include <uv.h>

#include "sequencer/execution/ledger.h"

struct ledger_service;

/* Takes ownership of the ledger on success. Errors: ERR_NO_MEMORY, ERR_CRYPTO, ERR_IO (no thread
 * or no wake-up). `persist` is called on the loop, once per finalize and before
 * its callback, with all changed accounts and the new final payload. */
enum err ledger_service_start(struct ledger_service **out, uv_loop_t *loop, struct ledger *ledger,
                              void (*persist)(void *arg, const struct ledger_account *changed,
                                              size_t n, const struct payload_info *head),
                              void *arg) MUST_USE;
void ledger_service_execution(struct ledger_service *s, struct execution *out);
/* Stops the thread, then on the loop answers what waits with an error and calls `closed` (may be
 * NULL). Nothing may be asked of the service afterwards. */
void ledger_service_close(struct ledger_service *s, void (*closed)(void *arg), void *arg);

/* Loop thread, at the final head, no waiting. Absent accounts are zero. */
void ledger_service_account(const struct ledger_service *s, const struct address *a,
                            struct ledger_account *out);
void ledger_service_base_fee(const struct ledger_service *s,
                             struct u256 *out); /* of the next block */
/* Historical account and proof (eth_getBalance at a number, eth_getProof): answered on the loop.
 * ERR_NOT_FOUND: that state is not held any more. */
void ledger_service_query(struct ledger_service *s, const struct hash *payload,
                          const struct address *a, bool with_proof,
                          void (*cb)(void *arg, enum err e, const struct ledger_account *acc,
                                     const uint8_t *proof, size_t proof_len),
                          void *arg);
/* Releasing answers what waits, before it returns. */
void ledger_service_stall(struct ledger_service *s, bool stalled);

#endif
