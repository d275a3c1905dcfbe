#define _GNU_SOURCE
#include <stdlib.h>

#include "proto/keccak.h"
#include "proto/tx.h"
#include "sequencer/cli/bench.h"

/* So many stay below 64 MiB; the rest is signed when its turn comes. */
enum { AHEAD_MAX = 200000, SLICE = 200 };

struct bench_tx *bench_sign(struct bench_account *a, uint64_t nonce, const struct address *to,
                            const struct u256 *value)
{
    const struct bench *b = a->bench;
    struct bench_tx *tx = calloc(1, sizeof *tx);
    size_t n = 0;
    if (tx == NULL) {
        return NULL;
    }
    const struct tx_request r = {.chain_id = b->chain_id,
                                 .nonce = nonce,
                                 .max_priority_fee = b->tip,
                                 .max_fee = b->max_fee,
                                 .gas = BENCH_TRANSFER_GAS,
                                 .to = *to,
                                 .value = *value};
    if (tx_sign(tx->raw, sizeof tx->raw, &n, &r, &a->key) != OK) {
        free(tx);
        return NULL;
    }
    tx->raw_len = (uint16_t)n;
    tx->hash = keccak256(tx->raw, n);
    tx->account = a;
    return tx;
}

/* Each account pays its neighbour. */
static struct bench_tx *sign_transfer(struct bench_account *a, uint64_t nonce)
{
    struct bench *b = a->bench;
    struct u256 value = u256_from_u64(1);
    size_t to = (size_t)(a - b->account + 1) % b->o.accounts;
    return bench_sign(a, nonce, &b->account[to].address, &value);
}

bool bench_sign_some(struct bench *b)
{
    uint64_t all = b->o.rate * b->o.for_ms / 1000;
    uint64_t end = all < AHEAD_MAX ? all : AHEAD_MAX;
    for (int i = 0; i < SLICE && b->sign_next < end; i++) {
        struct bench_account *a = &b->account[b->sign_next % b->o.accounts];
        struct bench_tx *tx = sign_transfer(a, a->nonce + b->sign_next / b->o.accounts);
        if (tx == NULL) {
            return false;
        }
        struct bench_tx **last = &a->signed_ahead;
        while (*last != NULL) {
            last = &(*last)->next;
        }
        *last = tx;
        b->sign_next++;
    }
    return b->sign_next < end;
}

struct bench_tx *bench_next_transfer(struct bench_account *a)
{
    struct bench_tx *tx = a->signed_ahead;
    if (tx == NULL) {
        return sign_transfer(a, a->nonce);
    }
    a->signed_ahead = tx->next;
    tx->next = NULL;
    return tx;
}
