/* The mempool's behaviours, one by one, with the texts that wallets read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "chain_kit.h"
#include "sequencer/mempool/mempool.h"

static const uint64_t ether = 1000000000000000000;
enum { ACCOUNTS = 16, TEXT = 512, GWEI = 1000000000 };

struct world {
    struct mempool *p;
    struct {
        uint64_t nonce;
        uint64_t balance;
    } account[ACCOUNTS];
    uint64_t base_fee;
    uint64_t now_s;
    struct kit_tx tx;
    char text[TEXT];
    uint32_t dropped;
    struct hash taken[64];
    uint32_t taken_n;
};

static void read_account(void *ctx, const struct address *a, uint64_t *nonce, struct u256 *balance)
{
    const struct world *w = ctx;
    uint32_t i = load_be32(a->b + 16) - 1;
    *nonce = i < ACCOUNTS ? w->account[i].nonce : 0;
    /* Beyond the sixteen everybody is rich: for crowds. */
    *balance = u256_from_u64(i < ACCOUNTS ? w->account[i].balance : 10 * ether);
}

static void read_base_fee(void *ctx, struct u256 *out)
{
    const struct world *w = ctx;
    *out = u256_from_u64(w->base_fee);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    struct mempool_options o = {
        .chain_id = KIT_CHAIN,
        .gas_limit = KIT_GAS_LIMIT,
        .min_tip = u256_from_u64(1),
        .transfers_only = true,
        .chain = {w, read_account, read_base_fee},
    };
    for (int i = 0; i < ACCOUNTS; i++) {
        w->account[i].balance = ether;
    }
    w->base_fee = GWEI;
    assert_int_equal(mempool_create(&w->p, &o), OK);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    mempool_destroy(w->p);
    free(w);
    return 0;
}

static enum mempool_verdict add(struct world *w, struct kit_transfer t)
{
    kit_sign(&w->tx, &t);
    memset(w->text, 0, sizeof w->text);
    return mempool_add(w->p, &w->tx.tx, &w->tx.sender, true, w->now_s, w->text, sizeof w->text);
}

static enum mempool_verdict add_request(struct world *w, uint32_t from, const struct tx_request *r)
{
    struct address a = kit_address(from);
    kit_sign_request(&w->tx, &a, r);
    memset(w->text, 0, sizeof w->text);
    return mempool_add(w->p, &w->tx.tx, &a, true, w->now_s, w->text, sizeof w->text);
}

static struct hash last_hash(const struct world *w)
{
    return w->tx.tx.hash;
}

static struct mempool_stats stats(const struct world *w)
{
    struct mempool_stats s;
    mempool_get_stats(w->p, &s);
    return s;
}

static void on_dropped(void *arg, const struct hash *hash)
{
    struct world *w = arg;
    (void)hash;
    w->dropped++;
}

static bool is_taken(void *arg, const struct hash *hash)
{
    const struct world *w = arg;
    for (uint32_t i = 0; i < w->taken_n; i++) {
        if (hash_equal(&w->taken[i], hash)) {
            return true;
        }
    }
    return false;
}

static void test_static_refusals(void **state)
{
    struct world *w = *state;
    const struct tx_request good = {
        .chain_id = KIT_CHAIN,
        .max_priority_fee = u256_from_u64(5),
        .max_fee = u256_from_u64(GWEI),
        .gas = 21000,
        .to = kit_address(1),
    };
    struct tx_request r = good;
    r.chain_id = 1;
    assert_int_equal(add_request(w, 0, &r), POOL_REFUSED);
    assert_string_equal(w->text, "invalid chain id for signer: have 1 want 901");
    r = good;
    r.creates = true;
    r.gas = 100000;
    assert_int_equal(add_request(w, 0, &r), POOL_REFUSED);
    assert_non_null(strstr(w->text, "contract creation"));
    assert_non_null(strstr(w->text, "--el"));
    r = good;
    r.gas = KIT_GAS_LIMIT + 1;
    assert_int_equal(add_request(w, 0, &r), POOL_REFUSED);
    assert_string_equal(w->text, "exceeds block gas limit");
    r = good;
    r.gas = 20999;
    assert_int_equal(add_request(w, 0, &r), POOL_REFUSED);
    assert_string_equal(w->text, "intrinsic gas too low: gas 20999, minimum needed 21000");
    r = good;
    r.max_priority_fee = u256_from_u64(GWEI + 1);
    assert_int_equal(add_request(w, 0, &r), POOL_REFUSED);
    assert_non_null(
        strstr(w->text, "max priority fee per gas higher than max fee per gas: address 0x"));
    assert_non_null(strstr(w->text, "maxPriorityFeePerGas: 1000000001, maxFeePerGas: 1000000000"));
    r = good;
    r.max_priority_fee = u256_from_u64(0);
    assert_int_equal(add_request(w, 0, &r), POOL_REFUSED);
    assert_string_equal(w->text, "transaction underpriced: tip needed 1, tip permitted 0");
    r = good;
    r.nonce = UINT64_MAX;
    assert_int_equal(add_request(w, 0, &r), POOL_REFUSED);
    assert_string_equal(w->text, "nonce has max value");
    assert_int_equal(add_request(w, 0, &good), POOL_ADDED);
    assert_int_equal(stats(w).count, 1);
    assert_int_equal(stats(w).refused, 7);
}

static void test_unprotected_is_refused(void **state)
{
    struct world *w = *state;
    kit_sign(&w->tx, &(struct kit_transfer){.gas = 21000, .max_fee = GWEI, .tip = 1});
    w->tx.tx.has_chain_id = false;
    assert_int_equal(mempool_add(w->p, &w->tx.tx, &w->tx.sender, false, 0, w->text, sizeof w->text),
                     POOL_REFUSED);
    assert_string_equal(w->text, "only replay-protected (EIP-155) transactions allowed over RPC");
}

static void test_known_and_nonce(void **state)
{
    struct world *w = *state;
    w->account[0].nonce = 5;
    assert_int_equal(add(w, kit_transfer(0, 1, 3, 1)), POOL_REFUSED);
    assert_string_equal(w->text, "nonce too low: next nonce 5, tx nonce 3");
    assert_int_equal(add(w, kit_transfer(0, 1, 5, 1)), POOL_ADDED);
    assert_int_equal(add(w, kit_transfer(0, 1, 5, 1)), POOL_KNOWN);
    assert_string_equal(w->text, "already known");
}

static void test_gap_is_queued_then_closes(void **state)
{
    struct world *w = *state;
    struct address a = kit_address(0);
    struct mempool_entry e;
    assert_int_equal(add(w, kit_transfer(0, 1, 1, 1)), POOL_ADDED);
    struct hash second = last_hash(w);
    assert_true(mempool_get(w->p, &second, &e));
    assert_false(e.executable);
    assert_false(mempool_has_executable(w->p, NULL, NULL));
    assert_int_equal(mempool_pending_nonce(w->p, &a), 0);
    assert_int_equal(add(w, kit_transfer(0, 1, 0, 1)), POOL_ADDED);
    assert_true(mempool_get(w->p, &second, &e));
    assert_true(e.executable);
    assert_int_equal(e.nonce, 1);
    assert_int_equal(mempool_pending_nonce(w->p, &a), 2);
    assert_int_equal(stats(w).executable, 2);
}

static void test_funds(void **state)
{
    struct world *w = *state;
    struct kit_transfer t = kit_transfer(0, 1, 0, 100);
    t.max_fee = 10;
    t.tip = 10;
    w->account[0].balance = 210099;
    assert_int_equal(add(w, t), POOL_REFUSED);
    assert_string_equal(
        w->text,
        "insufficient funds for gas * price + value: balance 210099, tx cost 210100, overshot 1");
    w->account[0].balance = 210100;
    assert_int_equal(add(w, t), POOL_ADDED);
    t.nonce = 1;
    assert_int_equal(add(w, t), POOL_REFUSED);
    assert_string_equal(
        w->text, "insufficient funds for gas * price + value: balance 210100, queued cost 210100, "
                 "tx cost 210100, overshot 210100");
    t.nonce = 0;
    t.max_fee = t.tip = 11;
    t.value = 0;
    assert_int_equal(add(w, t), POOL_REFUSED); /* 231000 alone is too much */
    w->account[0].balance = 500000;
    t.max_fee = t.tip = 10;
    t.nonce = 1;
    assert_int_equal(add(w, t), POOL_ADDED);
    t.nonce = 0;
    t.max_fee = t.tip = 15; /* 315000 fits, but not beside 210000 */
    assert_int_equal(add(w, t), POOL_REFUSED);
    assert_string_equal(
        w->text, "insufficient funds for gas * price + value: balance 500000, queued cost 420100, "
                 "tx bumped 104900, overshot 25000");
}

static void test_replacement(void **state)
{
    struct world *w = *state;
    struct kit_transfer t = kit_transfer(0, 1, 0, 1);
    t.max_fee = 2000000000;
    t.tip = 1000;
    assert_int_equal(add(w, t), POOL_ADDED);
    struct hash old = last_hash(w);
    t.nonce = 1;
    assert_int_equal(add(w, t), POOL_ADDED);
    t.nonce = 0;
    t.max_fee = 2199999999;
    t.tip = 1100;
    assert_int_equal(add(w, t), POOL_REFUSED);
    assert_string_equal(w->text, "replacement transaction underpriced");
    t.max_fee = 2200000000;
    t.tip = 1099;
    assert_int_equal(add(w, t), POOL_REFUSED);
    assert_string_equal(w->text, "replacement transaction underpriced");
    t.tip = 1100;
    assert_int_equal(add(w, t), POOL_REPLACED);
    struct mempool_entry e;
    assert_false(mempool_get(w->p, &old, &e));
    assert_int_equal(stats(w).count, 2);
    assert_int_equal(stats(w).executable, 2);
    assert_int_equal(stats(w).replaced, 1);
}

static void test_account_limits(void **state)
{
    struct world *w = *state;
    for (uint32_t i = 0; i < LIMIT_POOL_ACCOUNT_QUEUED; i++) {
        assert_int_equal(add(w, kit_transfer(0, 1, 2 + i, 1)), POOL_ADDED);
    }
    assert_int_equal(add(w, kit_transfer(0, 1, 2 + LIMIT_POOL_ACCOUNT_QUEUED, 1)), POOL_REFUSED);
    assert_string_equal(w->text, "account limit exceeded");
    assert_int_equal(add(w, kit_transfer(0, 1, 0, 1)), POOL_ADDED);
    assert_int_equal(add(w, kit_transfer(0, 1, 1, 1)), POOL_ADDED);
    assert_int_equal(stats(w).executable, 2 + LIMIT_POOL_ACCOUNT_QUEUED);
    for (uint32_t i = 0; i < LIMIT_POOL_ACCOUNT_TXS; i++) {
        struct kit_transfer t = kit_transfer(100, 1, i, 1);
        assert_int_equal(add(w, t), POOL_ADDED);
    }
    assert_int_equal(add(w, kit_transfer(100, 1, LIMIT_POOL_ACCOUNT_TXS, 1)), POOL_REFUSED);
    assert_string_equal(w->text, "account limit exceeded");
}

/* A start may find a state younger than the one by which they were accepted. */
static void test_restore(void **state)
{
    struct world *w = *state;
    struct hash first = {{0}};
    w->account[0].balance = 0;
    for (uint32_t i = 1; i <= LIMIT_POOL_ACCOUNT_QUEUED + 2; i++) {
        const struct kit_transfer t = kit_transfer(0, 1, i, 1);
        kit_sign(&w->tx, &t);
        first = i == 1 ? last_hash(w) : first;
        assert_int_equal(
            mempool_restore(w->p, &w->tx.tx, &w->tx.sender, w->now_s, w->text, sizeof w->text),
            POOL_ADDED);
    }
    assert_int_equal(stats(w).executable, 0);
    w->account[0].balance = 1; /* still too little: what was promised is not dropped for it */
    mempool_sweep(w->p, w->now_s, on_dropped, w);
    assert_int_equal(w->dropped, 0);
    assert_int_equal(mempool_restore(w->p, &w->tx.tx, &w->tx.sender, w->now_s, w->text, TEXT),
                     POOL_KNOWN);
    w->account[0].balance = ether;
    assert_int_equal(add(w, kit_transfer(0, 1, 0, 1)), POOL_ADDED);
    assert_int_equal(stats(w).executable, LIMIT_POOL_ACCOUNT_QUEUED + 3);
    w->account[0].nonce = 2;
    mempool_sweep(w->p, w->now_s, on_dropped, w);
    assert_int_equal(w->dropped, 2);
    const struct kit_transfer final = kit_transfer(0, 1, 1, 1);
    kit_sign(&w->tx, &final);
    assert_true(hash_equal(&first, &w->tx.tx.hash));
    assert_int_equal(mempool_restore(w->p, &w->tx.tx, &w->tx.sender, w->now_s, w->text, TEXT),
                     POOL_REFUSED);
    w->account[0].balance = 0;
    mempool_sweep(w->p, w->now_s + LIMIT_POOL_EXPIRY_S + 1, on_dropped, w);
    assert_int_equal(stats(w).count, 0); /* it never became payable */
}

static uint32_t select_nonces(struct world *w, uint32_t max, uint64_t max_gas, uint32_t *who,
                              uint64_t *nonce)
{
    struct mempool_candidate c[64];
    uint32_t n = mempool_select(w->p, c, max, max_gas, is_taken, w);
    for (uint32_t i = 0; i < n; i++) {
        struct tx tx;
        assert_int_equal(tx_decode(&tx, c[i].raw), TX_OK);
        assert_true(hash_equal(&tx.hash, &c[i].hash));
        who[i] = load_be32(c[i].sender.b + 16) - 1;
        nonce[i] = tx.nonce;
    }
    return n;
}

static void add_tip(struct world *w, uint32_t from, uint64_t nonce, uint64_t tip, uint64_t max_fee)
{
    struct kit_transfer t = kit_transfer(from, 1, nonce, 1);
    t.tip = tip;
    t.max_fee = max_fee;
    assert_int_equal(add(w, t), POOL_ADDED);
}

static void test_select_order(void **state)
{
    struct world *w = *state;
    uint32_t who[64];
    uint64_t nonce[64];
    add_tip(w, 0, 0, 10, 3000000000);
    add_tip(w, 0, 1, 9000, 3000000000); /* dear, but behind a cheap one */
    add_tip(w, 1, 0, 500, 3000000000);
    add_tip(w, 2, 0, 100000, GWEI + 300); /* worth 300 at this base fee */
    add_tip(w, 3, 0, 7, GWEI - 1 + 0);    /* waits for the base fee to fall */
    add_tip(w, 4, 0, 500, 3000000000);    /* as good as account 1, but younger */
    uint32_t n = select_nonces(w, 64, KIT_GAS_LIMIT, who, nonce);
    assert_int_equal(n, 5);
    const uint32_t want[] = {1, 4, 2, 0, 0};
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(who[i], want[i]);
    }
    assert_int_equal(nonce[4], 1);
    assert_int_equal(select_nonces(w, 2, KIT_GAS_LIMIT, who, nonce), 2);
    assert_int_equal(select_nonces(w, 64, 3 * 21000 + 20999, who, nonce), 3);
    w->base_fee = GWEI - 1;
    assert_int_equal(select_nonces(w, 64, KIT_GAS_LIMIT, who, nonce), 6);
    w->base_fee = GWEI + 250;
    assert_int_equal(select_nonces(w, 64, KIT_GAS_LIMIT, who, nonce), 5);
    assert_int_equal(who[2], 2);
    w->base_fee = GWEI + 295;
    n = select_nonces(w, 64, KIT_GAS_LIMIT, who, nonce);
    assert_int_equal(who[2], 0); /* 5 left for account 2: now last */
    assert_int_equal(who[n - 1], 2);
}

static void test_taken(void **state)
{
    struct world *w = *state;
    uint32_t who[64];
    uint64_t nonce[64];
    for (uint64_t i = 0; i < 4; i++) {
        add_tip(w, 0, i, 100, 3000000000);
        if (i < 2) {
            w->taken[w->taken_n++] = last_hash(w);
        }
    }
    assert_int_equal(select_nonces(w, 64, KIT_GAS_LIMIT, who, nonce), 2);
    assert_int_equal(nonce[0], 2);
    assert_int_equal(nonce[1], 3);
    assert_true(mempool_has_executable(w->p, is_taken, w));
    struct mempool_candidate c[64];
    uint32_t n = mempool_select(w->p, c, 64, KIT_GAS_LIMIT, is_taken, w);
    for (uint32_t i = 0; i < n; i++) {
        w->taken[w->taken_n++] = c[i].hash;
    }
    assert_false(mempool_has_executable(w->p, is_taken, w));
    assert_int_equal(select_nonces(w, 64, KIT_GAS_LIMIT, who, nonce), 0);
    w->taken_n = 0; /* those blocks were skipped: nothing was lost */
    assert_int_equal(select_nonces(w, 64, KIT_GAS_LIMIT, who, nonce), 4);
}

static void test_final(void **state)
{
    struct world *w = *state;
    struct hash hash[3];
    struct address sender[3];
    uint64_t nonce[3] = {0, 1, 0};
    struct address a = kit_address(0);
    for (uint32_t i = 0; i < 2; i++) {
        add_tip(w, 0, i, 100, 3000000000);
        hash[i] = last_hash(w);
        sender[i] = w->tx.sender;
    }
    add_tip(w, 0, 2, 100, 3000000000);
    add_tip(w, 1, 0, 100, 3000000000); /* another one of this nonce becomes final */
    add_tip(w, 1, 1, 100, 3000000000);
    memset(&hash[2], 7, sizeof hash[2]);
    sender[2] = kit_address(1);
    w->account[0].nonce = 2;
    w->account[1].nonce = 1;
    mempool_final(w->p, hash, sender, nonce, 3, on_dropped, w);
    assert_int_equal(w->dropped, 1);
    assert_int_equal(stats(w).count, 2);
    assert_int_equal(stats(w).executable, 2);
    assert_int_equal(mempool_pending_nonce(w->p, &a), 3);
    mempool_final(w->p, hash, sender, nonce, 3, on_dropped, w);
    assert_int_equal(stats(w).executable, 2);
}

/* The reader of the chain may be a moment behind the block. */
static void test_final_before_the_chain_says_so(void **state)
{
    struct world *w = *state;
    uint64_t nonce = 0;
    add_tip(w, 0, 0, 100, 3000000000);
    struct hash hash = last_hash(w);
    add_tip(w, 0, 1, 100, 3000000000);
    struct address sender = w->tx.sender;
    mempool_final(w->p, &hash, &sender, &nonce, 1, on_dropped, w);
    assert_int_equal(stats(w).executable, 1);
    assert_int_equal(mempool_pending_nonce(w->p, &sender), 2);
}

static void test_sweep(void **state)
{
    struct world *w = *state;
    struct kit_transfer t = kit_transfer(0, 1, 0, 1);
    assert_int_equal(add(w, t), POOL_ADDED);
    t.nonce = 5;
    assert_int_equal(add(w, t), POOL_ADDED);
    mempool_sweep(w->p, LIMIT_POOL_EXPIRY_S, on_dropped, w);
    assert_int_equal(w->dropped, 0);
    mempool_sweep(w->p, LIMIT_POOL_EXPIRY_S + 1, on_dropped, w);
    assert_int_equal(w->dropped, 1); /* the queued one; the other waits for ever */
    assert_int_equal(stats(w).expired, 1);
    w->account[0].balance = 5;
    mempool_sweep(w->p, 0, on_dropped, w);
    assert_int_equal(w->dropped, 2);
    assert_int_equal(stats(w).count, 0);
    w->account[1].balance = 100000000000000;
    t = kit_transfer(1, 2, 0, 1);
    assert_int_equal(add(w, t), POOL_ADDED);
    t.nonce = 1;
    assert_int_equal(add(w, t), POOL_ADDED);
    w->account[1].balance = 50000000000000; /* for one of them */
    mempool_sweep(w->p, 0, on_dropped, w);
    assert_int_equal(stats(w).executable, 1);
    w->account[1].balance = 100000000000000; /* money came in */
    mempool_sweep(w->p, 0, on_dropped, w);
    assert_int_equal(stats(w).executable, 2);
}

static void test_remove(void **state)
{
    struct world *w = *state;
    add_tip(w, 0, 0, 100, 3000000000);
    struct hash first = last_hash(w);
    add_tip(w, 0, 1, 100, 3000000000);
    mempool_remove(w->p, &first);
    mempool_remove(w->p, &first);
    assert_int_equal(stats(w).count, 1);
    assert_int_equal(stats(w).executable, 0);
}

static bool count_each(void *arg, const struct mempool_entry *e)
{
    struct world *w = arg;
    assert_true(e->raw.n > 0);
    return ++w->dropped < 3;
}

static void test_walk(void **state)
{
    struct world *w = *state;
    for (uint32_t i = 0; i < 5; i++) {
        add_tip(w, i, 0, 100, 3000000000);
    }
    mempool_walk(w->p, count_each, w);
    assert_int_equal(w->dropped, 3); /* it stops when told */
}

/* Oldest first, those that can run, up to a second and a number. */
static void test_oldest(void **state)
{
    struct world *w = *state;
    struct mempool_entry old[4];
    struct hash hash[4];
    for (uint32_t i = 0; i < 4; i++) {
        w->now_s = 10 + i;
        add_tip(w, i, i == 1 ? 7 : 0, 100 + i, 3000000000); /* the second one waits for others */
        hash[i] = last_hash(w);
    }
    assert_int_equal(mempool_oldest(w->p, 9, old, 4), 0);
    assert_int_equal(mempool_oldest(w->p, 12, old, 4), 2);
    assert_true(hash_equal(&old[0].hash, &hash[0]));
    assert_true(hash_equal(&old[1].hash, &hash[2]));
    assert_true(old[1].executable && old[1].raw.n > 0);
    assert_int_equal(mempool_oldest(w->p, 13, old, 4), 3);
    assert_int_equal(mempool_oldest(w->p, 13, old, 1), 1);
    mempool_remove(w->p, &hash[0]);
    assert_int_equal(mempool_oldest(w->p, 13, old, 1), 1);
    assert_true(hash_equal(&old[0].hash, &hash[2]));
}

/* Bytes fill the pool before numbers do: 512 transactions of 128 KiB. */
static void test_full_pool(void **state)
{
    struct world *w = *state;
    static uint8_t raw[LIMIT_TX_BYTES];
    struct kit_transfer t = kit_transfer(0, 1, 0, 1);
    uint32_t fits = LIMIT_POOL_BYTES / LIMIT_TX_BYTES;
    for (uint32_t i = 0; i <= fits + 2; i++) {
        t.from = kit_address(100 + i);
        t.tip = 1000 + i;
        if (i == fits) {
            t.tip = 999; /* cheaper than all */
        }
        kit_sign(&w->tx, &t);
        struct tx tx = w->tx.tx;
        tx.raw = bytes_of(raw, sizeof raw); /* large calldata, as far as the pool can see */
        if (i == fits + 1) {
            tx.nonce = 1; /* queued: pushes out nobody who can be executed */
        }
        enum mempool_verdict v =
            mempool_add(w->p, &tx, &w->tx.sender, false, 0, w->text, sizeof w->text);
        assert_int_equal(v, i == fits || i == fits + 1 ? POOL_REFUSED : POOL_ADDED);
        if (i == fits) {
            assert_string_equal(w->text, "transaction underpriced");
        } else if (i == fits + 1) {
            assert_string_equal(w->text, "txpool is full");
        }
    }
    t.tip = 1001; /* as much as the cheapest, which a peer sent; this one came from here */
    t.from = kit_address(50);
    kit_sign(&w->tx, &t);
    struct tx equal = w->tx.tx;
    equal.raw = bytes_of(raw, sizeof raw);
    assert_int_equal(mempool_add(w->p, &equal, &w->tx.sender, true, 0, w->text, sizeof w->text),
                     POOL_REFUSED);
    assert_string_equal(w->text, "transaction underpriced");
    assert_int_equal(stats(w).evicted, 1);
    assert_int_equal(stats(w).count, fits);
    assert_true(stats(w).bytes <= LIMIT_POOL_BYTES);
    struct address cheapest = kit_address(100);
    struct address next = kit_address(101);
    assert_int_equal(mempool_pending_nonce(w->p, &cheapest), 0);
    assert_int_equal(mempool_pending_nonce(w->p, &next), 1);
    struct tx tx = w->tx.tx;
    tx.raw = bytes_of(raw, (size_t)LIMIT_TX_BYTES + 1);
    tx.hash.b[0] ^= 1;
    assert_int_equal(mempool_add(w->p, &tx, &w->tx.sender, false, 0, w->text, sizeof w->text),
                     POOL_REFUSED);
    assert_string_equal(w->text, "oversized data: transaction size 131073, limit 131072");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_static_refusals),
        TEST(test_unprotected_is_refused),
        TEST(test_known_and_nonce),
        TEST(test_gap_is_queued_then_closes),
        TEST(test_funds),
        TEST(test_replacement),
        TEST(test_account_limits),
        TEST(test_restore),
        TEST(test_select_order),
        TEST(test_taken),
        TEST(test_final),
        TEST(test_final_before_the_chain_says_so),
        TEST(test_sweep),
        TEST(test_remove),
        TEST(test_walk),
        TEST(test_oldest),
        TEST(test_full_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
