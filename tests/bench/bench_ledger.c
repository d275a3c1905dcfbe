/* Transfers a second that the built-in ledger executes, state root, receipts and header included,
 * beside the signature recoveries a second of the same core: the share of a node's time that
 * execution takes follows from the two.
 *
 *      bench_ledger [blocks] [transfers a block] [accounts] */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "proto/genesis.h"
#include "proto/key.h"
#include "proto/tx.h"
#include "sequencer/execution/ledger.h"

enum { RAW_MAX = 160, RECOVERIES = 5000 };

struct block_input {
    struct execution_tx *tx;
    uint8_t (*raw)[RAW_MAX];
};

/* CPU time of this thread: a busy neighbour does not count. */
static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "bench_ledger: %s\n", what);
        exit(1);
    }
}

static uint64_t next_random(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static struct address account(uint32_t i)
{
    struct address a = {{0xba}};
    store_be32(a.b + 16, i);
    return a;
}

static double recoveries_per_s(const struct secret_key *key)
{
    struct hash digest = {{1}};
    struct signature sig;
    struct address who;
    must(key_sign(&sig, key, &digest) == OK, "cannot sign");
    double start = cpu_s();
    for (int i = 0; i < RECOVERIES; i++) {
        must(key_recover(&who, &sig, &digest) == OK, "cannot recover");
    }
    return RECOVERIES / (cpu_s() - start);
}

static struct genesis make_genesis(uint32_t accounts)
{
    struct genesis g = {.chain_id = 901, .allocs = accounts};
    g.params.gas_limit = UINT64_C(1000000000);
    g.base_fee = u256_from_u64(1000000000);
    g.alloc = calloc(accounts, sizeof *g.alloc);
    must(g.alloc != NULL, "no memory");
    for (uint32_t i = 0; i < accounts; i++) {
        g.alloc[i] = (struct genesis_alloc){account(i), {{0, 1, 0, 0}}};
    }
    return g;
}

/* Senders in turn, receivers at random. The sender is given beside the transaction, so one key
 * signs for all. */
static void fill(struct block_input *in, uint32_t txs, uint64_t *nonce, uint32_t *from,
                 uint32_t accounts, uint64_t *seed, const struct secret_key *key)
{
    for (uint32_t i = 0; i < txs; i++) {
        struct tx_request r = {
            .chain_id = 901,
            .nonce = nonce[*from]++,
            .max_priority_fee = u256_from_u64(1000000),
            .max_fee = u256_from_u64(3000000000),
            .gas = 21000,
            .to = account((uint32_t)(next_random(seed) % accounts)),
            .value = u256_from_u64(1000000000000000 + next_random(seed) % 1000000),
        };
        size_t n;
        must(tx_sign(in->raw[i], RAW_MAX, &n, &r, key) == OK, "cannot sign a transaction");
        in->tx[i] = (struct execution_tx){bytes_of(in->raw[i], n), account(*from)};
        *from = (*from + 1) % accounts;
    }
}

static void count(void *arg, const struct ledger_account *a)
{
    uint64_t *changed = arg;
    (void)a;
    ++*changed;
}

struct times {
    double build;
    double execute;
    double finalize;
    uint64_t changed;
};

static void one_block(struct ledger *leader, struct ledger *follower, struct execution_block *b,
                      struct times *t)
{
    struct execution_result r;
    double start = cpu_s();
    ledger_build(leader, b, &r);
    t->build += cpu_s() - start;
    must(r.status == EXECUTION_VALID && r.txs == b->txs, "the build is not whole");
    struct hash payload = r.payload;
    struct hash state = r.state_root;
    b->body = bytes_of(NULL, r.body_len);
    start = cpu_s();
    ledger_execute(follower, b, &payload, &state, &r);
    t->execute += cpu_s() - start;
    must(r.status == EXECUTION_VALID, "the execution differs from the build");
    start = cpu_s();
    must(ledger_finalize(follower, &payload, count, &t->changed) == OK, "cannot finalize");
    t->finalize += cpu_s() - start;
    must(ledger_finalize(leader, &payload, count, &t->changed) == OK, "cannot finalize");
    b->parent = payload;
}

static void report(const struct times *t, uint32_t blocks, uint32_t txs, uint32_t accounts,
                   double recover)
{
    double all = (double)blocks * txs;
    printf("ledger: %u blocks of %u transfers, %u accounts\n", blocks, txs, accounts);
    printf("execute   %8.0f transfers/s   %6.2f ms a block\n", all / t->execute,
           t->execute * 1e3 / blocks);
    printf("build     %8.0f transfers/s   %6.2f ms a block\n", all / t->build,
           t->build * 1e3 / blocks);
    printf("finalize  %8.0f transfers/s   %6.2f ms a block\n", all / t->finalize,
           t->finalize * 1e3 / blocks);
    printf("changed   %8.1f accounts a block\n", (double)t->changed / 2 / blocks);
    printf("recover   %8.0f signatures/s  (the same core, the same run)\n", recover);
    printf("execute / recover %.1f\n", all / t->execute / recover);
}

int main(int argc, char **argv)
{
    uint32_t blocks = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 50;
    uint32_t txs = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1200;
    uint32_t accounts = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 100000;
    must(blocks > 0 && txs > 0 && accounts > 0, "three positive numbers");
    struct secret_key key;
    must(key_library_init() == OK && key_generate(&key) == OK, "no keys");
    double recover = recoveries_per_s(&key);
    struct genesis g = make_genesis(accounts);
    struct ledger *leader;
    struct ledger *follower;
    must(ledger_create(&leader, &g) == OK && ledger_create(&follower, &g) == OK, "no ledger");
    struct block_input in = {calloc(txs, sizeof *in.tx), calloc(txs, RAW_MAX)};
    uint64_t *nonce = calloc(accounts, sizeof *nonce);
    must(in.tx != NULL && in.raw != NULL && nonce != NULL, "no memory");
    struct times t = {0};
    struct execution_block b = {
        .parent = g.payload, .fee_recipient = account(accounts), .tx = in.tx, .txs = txs};
    uint64_t seed = 1;
    uint32_t from = 0;
    for (uint32_t i = 0; i < blocks; i++) {
        fill(&in, txs, nonce, &from, accounts, &seed, &key);
        b.height = i + 1;
        b.timestamp_ms = 200 * (uint64_t)(i + 1);
        one_block(leader, follower, &b, &t);
    }
    report(&t, blocks, txs, accounts, recover);
    ledger_destroy(leader);
    ledger_destroy(follower);
    free(in.tx);
    free(in.raw);
    free(nonce);
    free(g.alloc);
    return 0;
}
