/* Sender recoveries a second of one core, by its CPU time: `N a second, M us each`. Beside it what
 * a client pays for the same transfer: to sign it.
 *
 *      bench_recover [transfers] */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "proto/key.h"
#include "proto/tx.h"

enum { RAW_MAX = 160, CHAIN = 901 };

struct signed_tx {
    uint8_t raw[RAW_MAX];
    size_t n;
};

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "bench_recover: %s\n", what);
        exit(1);
    }
}

static double sign_all(struct signed_tx *all, uint32_t n)
{
    const struct secret_key key = {{1, 2, 3}};
    const struct address to = {{0xba}};
    double start = cpu_s();
    for (uint32_t i = 0; i < n; i++) {
        const struct tx_request r = {.chain_id = CHAIN,
                                     .nonce = i,
                                     .max_priority_fee = u256_from_u64(1000000000),
                                     .max_fee = u256_from_u64(20000000000),
                                     .gas = 21000,
                                     .to = to,
                                     .value = u256_from_u64(1)};
        must(tx_sign(all[i].raw, RAW_MAX, &all[i].n, &r, &key) == OK, "cannot sign");
    }
    return cpu_s() - start;
}

/* What a node does with the bytes of a transfer before it looks at any state. */
static double recover_all(const struct signed_tx *all, uint32_t n)
{
    struct tx tx;
    struct address sender;
    double start = cpu_s();
    for (uint32_t i = 0; i < n; i++) {
        must(tx_decode(&tx, bytes_of(all[i].raw, all[i].n)) == TX_OK, "cannot decode");
        must(tx_sender(&sender, &tx) == TX_OK, "cannot recover");
    }
    return cpu_s() - start;
}

int main(int argc, char **argv)
{
    uint32_t n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 20000;
    struct signed_tx *all = calloc(n, sizeof *all);
    must(key_library_init() == OK, "no signature library");
    must(n > 0 && all != NULL, "transfers: a number above 0");
    double sign = sign_all(all, n);
    double recover = recover_all(all, n);
    printf("%.0f recoveries a second on one core, %.1f us each; to sign: %.1f us\n", n / recover,
           recover * 1e6 / n, sign * 1e6 / n);
    free(all);
    return 0;
}
