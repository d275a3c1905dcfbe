/* What geth's pool refuses, in geth's words. */
#include "sequencer/mempool/pool.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* Leaves the sentence; false, so that a check can end with it. */
__attribute__((format(printf, 3, 4))) static bool refuse(char *text, size_t text_len,
                                                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, text_len, format, args);
    va_end(args);
    return false;
}

static bool check_kind(const struct mempool_options *o, const struct tx *tx, char *text,
                       size_t text_len)
{
    if (tx->raw.n > LIMIT_TX_BYTES) {
        return refuse(text, text_len, "oversized data: transaction size %zu, limit %d", tx->raw.n,
                      (int)LIMIT_TX_BYTES);
    }
    if (!tx->has_chain_id) {
        return refuse(text, text_len,
                      "only replay-protected (EIP-155) transactions allowed over RPC");
    }
    if (tx->chain_id != o->chain_id) {
        return refuse(text, text_len, "invalid chain id for signer: have %" PRIu64 " want %" PRIu64,
                      tx->chain_id, o->chain_id);
    }
    if (tx->creates && o->transfers_only) {
        return refuse(
            text, text_len,
            "contract creation is not supported by the built-in ledger: start the node with --el "
            "to use an execution client");
    }
    return true;
}

static bool check_fees(const struct tx *tx, const struct address *sender, char *text,
                       size_t text_len)
{
    if (u256_cmp(&tx->max_fee, &tx->max_priority_fee) >= 0) {
        return true;
    }
    char address[HEX_SIZE(20)];
    char tip[U256_DEC_SIZE];
    char fee[U256_DEC_SIZE];
    hex_encode(address, sender->b, sizeof sender->b);
    u256_to_dec(tip, &tx->max_priority_fee);
    u256_to_dec(fee, &tx->max_fee);
    return refuse(text, text_len,
                  "max priority fee per gas higher than max fee per gas: address %s, "
                  "maxPriorityFeePerGas: %s, maxFeePerGas: %s",
                  address, tip, fee);
}

static bool check_tip(const struct mempool_options *o, const struct tx *tx, char *text,
                      size_t text_len)
{
    if (u256_cmp(&tx->max_priority_fee, &o->min_tip) >= 0) {
        return true;
    }
    char needed[U256_DEC_SIZE];
    char given[U256_DEC_SIZE];
    u256_to_dec(needed, &o->min_tip);
    u256_to_dec(given, &tx->max_priority_fee);
    return refuse(text, text_len, "transaction underpriced: tip needed %s, tip permitted %s",
                  needed, given);
}

bool pool_check_static(const struct mempool_options *o, const struct tx *tx,
                       const struct address *sender, char *text, size_t text_len)
{
    if (!check_kind(o, tx, text, text_len)) {
        return false;
    }
    if (tx->gas > o->gas_limit) {
        return refuse(text, text_len, "exceeds block gas limit");
    }
    if (!check_fees(tx, sender, text, text_len)) {
        return false;
    }
    uint64_t intrinsic = tx_intrinsic_gas(tx);
    if (tx->gas < intrinsic) {
        return refuse(text, text_len,
                      "intrinsic gas too low: gas %" PRIu64 ", minimum needed %" PRIu64, tx->gas,
                      intrinsic);
    }
    return check_tip(o, tx, text, text_len);
}

bool pool_check_nonce(const struct account *a, const struct tx *tx, char *text, size_t text_len)
{
    if (tx->nonce < a->nonce) {
        return refuse(text, text_len, "nonce too low: next nonce %" PRIu64 ", tx nonce %" PRIu64,
                      a->nonce, tx->nonce);
    }
    if (tx->nonce == UINT64_MAX) {
        return refuse(text, text_len, "nonce has max value");
    }
    return true;
}

/* `queued`: what the executable ones cost already, named `bumped` or `tx cost` beside it. */
static bool refuse_funds(const struct account *a, const struct u256 *cost,
                         const struct u256 *queued, const char *cost_name, const struct u256 *need,
                         char *text, size_t text_len)
{
    char balance[U256_DEC_SIZE];
    char spent[U256_DEC_SIZE];
    char price[U256_DEC_SIZE];
    char overshot[U256_DEC_SIZE];
    struct u256 over;
    (void)u256_sub(&over, need, &a->balance);
    u256_to_dec(balance, &a->balance);
    u256_to_dec(price, cost);
    u256_to_dec(overshot, &over);
    if (queued == NULL) {
        return refuse(
            text, text_len,
            "insufficient funds for gas * price + value: balance %s, tx cost %s, overshot %s",
            balance, price, overshot);
    }
    u256_to_dec(spent, queued);
    return refuse(text, text_len,
                  "insufficient funds for gas * price + value: balance %s, queued cost %s, %s %s, "
                  "overshot %s",
                  balance, spent, cost_name, price, overshot);
}

bool pool_check_funds(const struct account *a, const struct tx *tx, const struct u256 *cost,
                      const struct entry *old, char *text, size_t text_len)
{
    if (u256_cmp(&a->balance, cost) < 0) {
        return refuse_funds(a, cost, NULL, "", cost, text, text_len);
    }
    struct u256 others = a->spent;
    if (old != NULL && old->nonce < a->nonce + a->executable) {
        (void)u256_sub(&others, &others, &old->cost);
    }
    struct u256 need;
    bool overflow = u256_add(&need, &others, cost);
    if (!overflow && u256_cmp(&a->balance, &need) >= 0) {
        return true;
    }
    if (old == NULL) {
        return refuse_funds(a, cost, &a->spent, "tx cost", &need, text, text_len);
    }
    if (tx->nonce >= a->nonce + a->executable) {
        return true; /* queued: judged when its turn comes */
    }
    struct u256 bump;
    (void)u256_sub(&bump, cost, &old->cost);
    return refuse_funds(a, &bump, &a->spent, "tx bumped", &need, text, text_len);
}
