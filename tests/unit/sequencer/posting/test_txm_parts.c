/* Fees, gas and the journal of the transaction manager, each for itself. */
#define _GNU_SOURCE
#include "txm_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/tx.h"
#include "sequencer/l1/txm_file.h"
#include "world.h"

/* ---- fees ---------------------------------------------------------------------------------------- */

/* The thresholds of geth (rounding down, all fields above the old) and of reth (rounding up). */
static void assert_replaces(const struct u256 *fresh, const struct u256 *old, uint64_t percent)
{
    struct u256 need;
    uint64_t rest;
    assert_false(u256_mul_u64(&need, old, percent));
    u256_div_u64(&need, &need, 100, &rest);
    struct u256 one = u256_from_u64(rest > 0 ? 1 : 0);
    assert_false(u256_add(&need, &need, &one));
    assert_true(u256_cmp(fresh, &need) >= 0);
    assert_true(u256_cmp(fresh, old) > 0);
}

static struct u256 random_fee(uint64_t *seed)
{
    return u256_from_u64(world_random(seed) >> (8 + world_below(seed, 50)));
}

/* #6: one wei short of what a pool takes is refused thousands of times. */
static void test_bump_rounds_up(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 20000; i++) {
        struct u256 x = random_fee(&seed);
        struct u256 plain = txm_bump(&x, TXM_CALLDATA);
        struct u256 blob = txm_bump(&x, TXM_BLOB);
        assert_replaces(&plain, &x, 110);
        assert_replaces(&blob, &x, 200);
    }
    struct u256 nothing = u256_from_u64(0);
    struct u256 one = txm_bump(&nothing, TXM_BLOB);
    assert_int_equal(one.v[0], 1);
    struct u256 most;
    memset(&most, 0xff, sizeof most);
    struct u256 still = txm_bump(&most, TXM_BLOB); /* no wrap to a tiny fee */
    assert_int_equal(u256_cmp(&still, &most), 0);
}

static void assert_ladder(const struct txm_fees *f, size_t n, enum txm_kind kind)
{
    uint64_t percent = kind == TXM_BLOB ? 200 : 110;
    for (size_t i = 1; i < n; i++) {
        assert_replaces(&f[i].tip, &f[i - 1].tip, percent);
        assert_replaces(&f[i].cap, &f[i - 1].cap, percent);
        if (kind == TXM_BLOB) {
            assert_replaces(&f[i].blob_cap, &f[i - 1].blob_cap, percent);
        }
    }
}

static void test_ladders(void **state)
{
    (void)state;
    uint64_t seed = 2;
    for (int i = 0; i < 5000; i++) {
        struct txm_fee_rules r = txm_fee_rules_default();
        enum txm_kind kind = world_chance(&seed, 500) ? TXM_BLOB : TXM_CALLDATA;
        struct txm_size s = {kind, 21000 + world_below(&seed, 4000000), kind == TXM_BLOB ? 6 : 0};
        struct txm_market m = {random_fee(&seed), random_fee(&seed), random_fee(&seed)};
        struct txm_fees over = {random_fee(&seed), random_fee(&seed), random_fee(&seed)};
        struct txm_fees f[TXM_LADDER];
        struct u256 budget = u256_from_u64(world_random(&seed));
        bool outbid = world_chance(&seed, 300);
        size_t n = txm_ladder(f, &s, &m, &r, outbid ? &over : NULL, &budget);
        assert_ladder(f, n, kind);
        for (size_t k = 0; k < n; k++) {
            struct u256 cost = txm_cost(&f[k], s.gas, s.blobs);
            assert_true(u256_cmp(&cost, &budget) <= 0);
            assert_true(u256_cmp(&cost, &r.max_cost) <= 0);
            assert_true(u256_cmp(&f[k].tip, &r.min_tip) >= 0);
        }
        if (n > 0 && outbid) {
            assert_replaces(&f[0].tip, &over.tip, kind == TXM_BLOB ? 200 : 110);
        }
    }
}

/* Where money is short the caps start lower before the ladder gets shorter. */
static void test_caps_start_lower(void **state)
{
    (void)state;
    struct txm_fee_rules r = txm_fee_rules_default();
    struct txm_market m = {kit_gwei(1), kit_gwei(1), kit_gwei(1)};
    struct txm_size s = {TXM_CALLDATA, 21000, 0};
    struct txm_fees f[TXM_LADDER];
    static const struct {
        uint64_t gwei;
        size_t rungs;
        uint64_t cap;
    } row[] = {{378000, 4, 9}, {377999, 4, 5}, {210000, 4, 5}, {209999, 4, 3},
               {126000, 4, 3}, {125999, 3, 3}, {62999, 0, 0}};
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct u256 budget = kit_gwei(row[i].gwei);
        size_t n = txm_ladder(f, &s, &m, &r, NULL, &budget);
        assert_int_equal(n, row[i].rungs);
        if (n > 0) {
            assert_int_equal(f[0].cap.v[0], row[i].cap * 1000000000);
        }
    }
}

static void test_next_rung_has_limits(void **state)
{
    (void)state;
    struct txm_fee_rules r = txm_fee_rules_default();
    struct txm_market m = {kit_gwei(10), kit_gwei(1), kit_gwei(1)};
    struct txm_size s = {TXM_CALLDATA, 21000, 0};
    struct u256 budget = kit_gwei(1000000000);
    struct txm_fees old = {kit_gwei(2), kit_gwei(90), kit_gwei(0)};
    struct txm_fees next;
    assert_int_equal(txm_next_rung(&next, &s, &old, &m, &r, &budget), OK);
    assert_int_equal(next.cap.v[0], 99000000000);
    old.cap = kit_gwei(96); /* 105.6: above 100 gwei and five times the market's 21 */
    assert_int_equal(txm_next_rung(&next, &s, &old, &m, &r, &budget), ERR_REFUSED);
    m.base_fee = kit_gwei(11);
    assert_int_equal(txm_next_rung(&next, &s, &old, &m, &r, &budget), OK);
    budget = kit_gwei(1);
    assert_int_equal(txm_next_rung(&next, &s, &old, &m, &r, &budget), ERR_REFUSED);
}

/* #18: both prices of calldata, always the larger. */
static void test_gas(void **state)
{
    (void)state;
    static uint8_t data[200000];
    uint64_t seed = 3;
    uint64_t gas;
    for (int i = 0; i < 300; i++) {
        size_t n = (size_t)world_below(&seed, 60000);
        for (size_t k = 0; k < n; k++) {
            data[k] = world_chance(&seed, 300) ? 0 : (uint8_t)world_random(&seed);
        }
        struct tx tx = {.type = 2, .data = bytes_of(data, n)};
        assert_int_equal(txm_gas(&gas, tx.data, false), OK);
        assert_int_equal(gas, tx_intrinsic_gas(&tx));
        assert_int_equal(txm_gas(&gas, tx.data, true), OK);
        assert_int_equal(gas, 21000 + 64 * n);
    }
    memset(data, 1, sizeof data);
    assert_int_equal(txm_gas(&gas, bytes_of(data, 120000), false), OK);
    assert_int_equal(gas, 21000 + 40 * 120000);
    assert_int_equal(txm_gas(&gas, bytes_of(data, sizeof data), true), OK);
    assert_int_equal(txm_gas(&gas, bytes_of(data, 0), false), OK);
    assert_int_equal(gas, 21000);
}

/* ---- records --------------------------------------------------------------------------------------- */

static void make_group(struct txm_group *g, uint64_t nonce)
{
    struct txm_record p = {.type = TXM_PAYLOAD, .nonce = nonce, .gas = 30000};
    struct txm_record r = {.type = TXM_RUNG, .nonce = nonce, .raw = bytes_of("signed", 6)};
    struct txm_record done = {.type = TXM_RELEASE, .nonce = nonce, .rung = 0};
    struct txm_record floor = {.type = TXM_FLOOR, .nonce = nonce + 1};
    *g = (struct txm_group){.p = NULL};
    p.payload = (struct txm_payload){.segment = 3, .kind = TXM_BLOB, .last = 40, .blobs = 2};
    p.payload.data = bytes_of("envelope", 8);
    r.fees = (struct txm_fees){kit_gwei(1), kit_gwei(9), kit_gwei(8)};
    txm_group_put(g, &p);
    txm_group_put(g, &r);
    txm_group_put(g, &done);
    txm_group_put(g, &floor);
    assert_int_equal(g->bad, OK);
}

static void test_records(void **state)
{
    (void)state;
    struct txm_group g;
    struct txm_record r;
    enum err e;
    make_group(&g, 7);
    struct bytes left = bytes_of(g.p, g.n);
    assert_true(txm_group_next(&left, &r, &e));
    assert_int_equal(r.payload.blobs, 2);
    assert_int_equal(r.payload.data.n, 8);
    assert_int_equal(r.gas, 30000);
    assert_true(txm_group_next(&left, &r, &e));
    assert_int_equal(r.fees.cap.v[0], 9000000000);
    assert_true(txm_group_next(&left, &r, &e));
    assert_int_equal(r.type, TXM_RELEASE);
    assert_true(txm_group_next(&left, &r, &e));
    assert_int_equal(r.nonce, 8);
    assert_false(txm_group_next(&left, &r, &e));
    assert_int_equal(e, OK);
    txm_group_free(&g);
}

/* Whatever bytes come: an end, a record, or ERR_MALFORMED; never a byte beyond. */
static void test_records_damaged(void **state)
{
    (void)state;
    uint64_t seed = 4;
    struct txm_group g;
    make_group(&g, 7);
    for (int i = 0; i < 20000; i++) {
        size_t n = (size_t)world_below(&seed, g.n + 1);
        uint8_t *copy = malloc(n + 1);
        struct txm_record r;
        enum err e;
        memcpy(copy, g.p, n);
        for (uint64_t k = world_below(&seed, 4); k > 0 && n > 0; k--) {
            copy[world_below(&seed, n)] = (uint8_t)world_random(&seed);
        }
        struct bytes left = bytes_of(copy, n);
        while (txm_group_next(&left, &r, &e)) {
            assert_true(r.type >= TXM_PAYLOAD && r.type <= TXM_FLOOR);
        }
        free(copy);
    }
    txm_group_free(&g);
}

/* ---- the file ---------------------------------------------------------------------------------------- */

struct disk {
    char dir[64];
    char path[96];
    struct address account;
    char why[256];
};

static void disk_open(struct disk *d)
{
    *d = (struct disk){.dir = "/tmp/baton-txm-XXXXXX"};
    assert_non_null(mkdtemp(d->dir));
    snprintf(d->path, sizeof d->path, "%s/txm", d->dir);
}

static void disk_close(struct disk *d)
{
    char path[128];
    snprintf(path, sizeof path, "%s.new", d->path);
    unlink(path);
    unlink(d->path);
    assert_int_equal(rmdir(d->dir), 0);
}

static enum err reopen(struct disk *d, struct txm_file **f)
{
    *f = NULL;
    return txm_file_open(f, d->path, L1_CHAIN, &d->account, d->why, sizeof d->why);
}

static void write_groups(struct disk *d, uint64_t from, uint64_t n)
{
    struct txm_file *f;
    assert_int_equal(reopen(d, &f), OK);
    struct txm_journal j = txm_file_journal(f);
    for (uint64_t i = 0; i < n; i++) {
        struct txm_group g;
        make_group(&g, from + i);
        assert_int_equal(j.append(j.ctx, bytes_of(g.p, g.n)), OK);
        txm_group_free(&g);
    }
    txm_file_close(f);
}

/* Groups that can be read; the first nonce of the last one. */
static size_t count(struct txm_file *f, uint64_t *last)
{
    struct bytes group;
    size_t n = 0;
    for (; txm_file_next(f, &group); n++) {
        struct txm_record r;
        enum err e;
        assert_true(txm_group_next(&group, &r, &e));
        *last = r.nonce;
    }
    return n;
}

static size_t read_file(const struct disk *d, uint8_t *out, size_t cap)
{
    FILE *f = fopen(d->path, "rb");
    assert_non_null(f);
    size_t n = fread(out, 1, cap, f);
    fclose(f);
    return n;
}

static void write_file(const struct disk *d, const uint8_t *p, size_t n)
{
    FILE *f = fopen(d->path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void test_file(void **state)
{
    (void)state;
    struct disk d;
    struct txm_file *f;
    struct txm_file *second;
    uint64_t last = 0;
    disk_open(&d);
    write_groups(&d, 5, 3);
    write_groups(&d, 8, 2);
    assert_int_equal(reopen(&d, &f), OK);
    assert_int_equal(count(f, &last), 5);
    assert_int_equal(last, 9);
    assert_int_equal(txm_file_torn(f), 0);
    /* One account, one process. */
    assert_int_equal(reopen(&d, &second), ERR_IN_USE);
    txm_file_close(f);
    d.account.b[3] = 1;
    assert_int_equal(reopen(&d, &f), ERR_REFUSED);
    disk_close(&d);
}

static void test_file_anew(void **state)
{
    (void)state;
    struct disk d;
    struct txm_file *f;
    struct txm_file *second;
    struct txm_group g;
    uint64_t last = 0;
    disk_open(&d);
    write_groups(&d, 5, 3);
    assert_int_equal(reopen(&d, &f), OK);
    struct txm_journal j = txm_file_journal(f);
    make_group(&g, 70);
    assert_int_equal(j.replace(j.ctx, bytes_of(g.p, g.n)), OK);
    assert_int_equal(j.append(j.ctx, bytes_of(g.p, g.n)), OK);
    assert_int_equal(reopen(&d, &second), ERR_IN_USE); /* the new file is locked as well */
    txm_file_close(f);
    txm_group_free(&g);
    assert_int_equal(reopen(&d, &f), OK);
    assert_int_equal(count(f, &last), 2);
    assert_int_equal(last, 70);
    txm_file_forget(f);
    struct bytes group;
    assert_false(txm_file_next(f, &group));
    txm_file_close(f);
    disk_close(&d);
}

/* A write that a crash cut off: at every length, with the rest missing or full of zeros. */
static void test_file_torn(void **state)
{
    (void)state;
    static uint8_t whole[1 << 16];
    struct disk d;
    struct txm_file *f;
    uint64_t last = 0;
    disk_open(&d);
    write_groups(&d, 5, 1);
    size_t first = read_file(&d, whole, sizeof whole);
    write_groups(&d, 6, 1);
    size_t n = read_file(&d, whole, sizeof whole);
    for (size_t cut = first + 1; cut < n; cut += 3) {
        write_file(&d, whole, cut);
        assert_int_equal(reopen(&d, &f), OK);
        assert_int_equal(count(f, &last), 1);
        assert_int_equal(txm_file_torn(f), cut - first);
        txm_file_close(f);
        /* It is gone, and what is appended next stands. */
        write_groups(&d, 60, 1);
        assert_int_equal(reopen(&d, &f), OK);
        assert_int_equal(count(f, &last), 2);
        assert_int_equal(last, 60);
        txm_file_close(f);
    }
    uint8_t zeros[4096] = {0};
    write_file(&d, whole, first);
    FILE *file = fopen(d.path, "ab");
    assert_int_equal(fwrite(zeros, 1, sizeof zeros, file), sizeof zeros);
    fclose(file);
    assert_int_equal(reopen(&d, &f), OK);
    assert_int_equal(count(f, &last), 1);
    txm_file_close(f);
    for (size_t cut = 0; cut < 64; cut++) { /* the head itself: a file of before the first group */
        write_file(&d, whole, cut);
        assert_int_equal(reopen(&d, &f), OK);
        assert_int_equal(count(f, &last), 0);
        txm_file_close(f);
    }
    disk_close(&d);
}

/* One bit anywhere: refused with the place. What was synced is never taken for torn. */
static void test_file_damaged(void **state)
{
    (void)state;
    static uint8_t whole[1 << 16];
    struct disk d;
    struct txm_file *f;
    disk_open(&d);
    write_groups(&d, 5, 3);
    size_t n = read_file(&d, whole, sizeof whole);
    for (size_t at = 0; at < n; at++) {
        uint8_t bit = (uint8_t)(1u << at % 8);
        whole[at] ^= bit;
        write_file(&d, whole, n);
        enum err e = reopen(&d, &f);
        assert_true(e == ERR_CORRUPT);
        assert_true(d.why[0] != '\0');
        whole[at] ^= bit;
    }
    disk_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bump_rounds_up),    cmocka_unit_test(test_ladders),
        cmocka_unit_test(test_caps_start_lower),  cmocka_unit_test(test_next_rung_has_limits),
        cmocka_unit_test(test_gas),               cmocka_unit_test(test_records),
        cmocka_unit_test(test_records_damaged),   cmocka_unit_test(test_file),
        cmocka_unit_test(test_file_anew),         cmocka_unit_test(test_file_torn),
        cmocka_unit_test(test_file_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
