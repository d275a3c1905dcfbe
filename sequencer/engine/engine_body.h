/* The body of a block whose payload an execution client built: everything of an ExecutionPayload
 * (execution-apis, Cancun and later) that the block's header does not say already.
 *
 *   body = rlp([form, timestamp, receipts_root, logs_bloom, gas_limit, gas_used, extra_data,
 *               base_fee, transactions, requests])
 *
 * transactions is a body as proto/body.h has it, whole, so that it is read where it stands:
 * engine_body_txs. form is the version of engine_newPayload that takes it, 3 (Cancun; no requests) or
 * 4 (Prague and Osaka; requests of EIP-7685, ascending by kind). Number, parent, payload hash and
 * state root come from the header, the fee recipient from the leader's record: nothing stands twice,
 * so nothing can contradict itself. prevRandao follows from parent and time (engine_randao).
 *
 * Two rules of this chain: no withdrawals, no blob transactions. So blobGasUsed and excessBlobGas
 * are zero, and there are no versioned hashes. Who breaks a rule here made an INVALID block: the
 * verdict depends on the bytes alone, and every member comes to it without asking a client. */
#ifndef SEQUENCER_ENGINE_ENGINE_BODY_H
#define SEQUENCER_ENGINE_ENGINE_BODY_H

#include "proto/bytes.h"
#include "proto/error.h"
#include "proto/limits.h"
#include "proto/u256.h"

/* What the genesis says about rules; each speaks other versions of the calls. */
enum engine_fork { ENGINE_CANCUN = 1, ENGINE_PRAGUE, ENGINE_OSAKA };

enum { ENGINE_BLOOM_BYTES = 256, ENGINE_EXTRA_BYTES = 32 };

/* A payload; whoever fills it says how long what it borrows stands. */
struct engine_payload {
    /* not in the body */
    struct hash parent;
    struct hash hash;
    struct hash state_root;
    uint64_t number;
    struct address fee_recipient;
    struct hash prev_randao;
    /* the body, in its order */
    uint64_t timestamp; /* s */
    struct hash receipts_root;
    uint8_t logs_bloom[ENGINE_BLOOM_BYTES];
    uint64_t gas_limit;
    uint64_t gas_used;
    uint8_t extra[ENGINE_EXTRA_BYTES];
    size_t extra_n;
    struct u256 base_fee;
    struct bytes txs; /* as body.h; borrowed */
    uint32_t tx_n;
    struct bytes request[LIMIT_ENGINE_REQUESTS]; /* kind and data; borrowed */
    uint32_t requests;
};

uint64_t engine_form(enum engine_fork fork);

/* Fills the fields of the body; leaves the others. Borrows from `body`.
 * ERR_MALFORMED, ERR_NOT_CANONICAL, ERR_TOO_LARGE, ERR_INVALID_BLOCK: another form than the fork's,
 * a blob transaction, requests out of order. */
enum err engine_body_decode(struct engine_payload *out, enum engine_fork fork,
                            struct bytes body) MUST_USE;
/* Allocates; the caller frees. ERR_TOO_LARGE: above LIMIT_BODY_BYTES; ERR_NO_MEMORY. */
enum err engine_body_encode(uint8_t **out, size_t *out_n, const struct engine_payload *p,
                            enum engine_fork fork) MUST_USE;
/* The transactions inside, for whoever wants them alone: the same bytes as a body of the built-in
 * ledger. Nothing else is checked. ERR_MALFORMED. */
enum err engine_body_txs(struct bytes body, struct bytes *txs) MUST_USE;

/* Rules that a list of transactions, and one of requests, must keep. */
bool engine_tx_allowed(struct bytes raw);
bool engine_requests_ordered(const struct bytes *request, uint32_t n);

/* prevRandao = keccak256(parent payload, be64 of the block's time in ms): every member computes it,
 * and builds of other times on one parent are other builds to the client. It is not random. */
struct hash engine_randao(const struct hash *parent, uint64_t timestamp_ms);
/* Seconds of a block on a parent: clients want them to grow (CONSENSUS 2). */
uint64_t engine_seconds(uint64_t timestamp_ms, uint64_t parent_s);

#endif
