/* Members and thresholds (CONSENSUS 1), and the genesis they come from. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/genesis.h"
#include "proto/keccak.h"

enum { TOTAL_MAX = 2000 };

static void table_of_thresholds(void **state)
{
    (void)state;
    const struct {
        uint32_t n;
        uint32_t bft; /* 0: refused */
        uint32_t crash;
    } row[] = {{3, 0, 2}, {4, 3, 3},  {5, 4, 3},  {6, 4, 4},   {7, 5, 4},
               {9, 6, 5}, {10, 7, 6}, {13, 9, 7}, {21, 14, 11}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        char why[256];
        struct epoch_config bft = config_of(row[i].n, NULL, FAULT_BFT);
        struct epoch_config crash = config_of(row[i].n, NULL, FAULT_CRASH);
        if (row[i].bft == 0) {
            assert_int_equal(epoch_config_derive(&bft, why, sizeof why), ERR_CONFIG);
            assert_non_null(strstr(why, "at least 4 members"));
        } else {
            config_derive(&bft);
            assert_int_equal(bft.quorum, row[i].bft);
            assert_int_equal(bft.faulty, (row[i].n - 1) / 3);
            assert_int_equal(bft.blocking, row[i].n - row[i].bft + 1);
        }
        config_derive(&crash);
        assert_int_equal(crash.quorum, row[i].crash);
        assert_int_equal(crash.faulty, 0);
    }
}

/* Two quorums share more than F, and the honest alone are one, for every total weight. */
static void quorums_intersect(void **state)
{
    (void)state;
    for (uint32_t total = 1; total <= TOTAL_MAX; total++) {
        for (int model = FAULT_BFT; model <= FAULT_CRASH; model++) {
            uint32_t weight[LIMIT_MEMBERS];
            uint32_t n = total < LIMIT_MEMBERS ? total : LIMIT_MEMBERS;
            for (uint32_t i = 0; i < n; i++) {
                weight[i] = total / n + (i < total % n ? 1 : 0);
            }
            if (model == FAULT_BFT && total < 4) {
                continue;
            }
            struct epoch_config c = config_of(n, weight, (enum fault_model)model);
            config_derive(&c);
            assert_int_equal(c.total, total);
            assert_true(2 * c.quorum - total > c.faulty);
            assert_true(total - c.faulty >= c.quorum);
            assert_true(c.blocking >= c.faulty + 1);
            assert_int_equal(c.blocking + c.quorum, total + 1);
        }
    }
}

/* The same, set by set, for weights that differ. */
static void sets_of_members_intersect(void **state)
{
    (void)state;
    const uint32_t weight[7] = {3, 1, 2, 3, 1, 4, 2};
    for (int model = FAULT_BFT; model <= FAULT_CRASH; model++) {
        struct epoch_config c = config_of(7, weight, (enum fault_model)model);
        config_derive(&c);
        for (uint32_t a = 0; a < 128; a++) {
            for (uint32_t b = 0; b < 128; b++) {
                bool both = members_weight(&c, a) >= c.quorum && members_weight(&c, b) >= c.quorum;
                assert_true(!both || members_weight(&c, a & b) > c.faulty);
            }
            /* Without a blocking weight the rest is no quorum. */
            assert_int_equal(members_weight(&c, a) >= c.blocking,
                             members_weight(&c, 127 & ~a) < c.quorum);
        }
    }
}

static void assert_refused(const struct epoch_config *c, const char *words)
{
    char why[256];
    struct epoch_config copy = *c;
    assert_int_equal(epoch_config_derive(&copy, why, sizeof why), ERR_CONFIG);
    if (strstr(why, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", why, words);
    }
}

static void members_refused(void **state)
{
    (void)state;
    const struct epoch_config good = config_of(4, NULL, FAULT_BFT);
    struct epoch_config c = good;
    c.member[2].weight = 3;
    assert_refused(&c, "more than the 1 that may fail");
    c.member[2].weight = 0;
    assert_refused(&c, "give it a weight between 1");
    c = good;
    c.member[3].weight = LIMIT_TOTAL_WEIGHT;
    assert_refused(&c, "make them smaller");
    c = good;
    c.member[3].address = c.member[1].address;
    assert_refused(&c, "members 1 and 3 have the same address");
    memset(&c.member[3].address, 0, sizeof c.member[3].address);
    assert_refused(&c, "has no address");
    c = good;
    memset(c.member[1].name, 'x', NAME_SIZE);
    assert_refused(&c, "member 1: write its name");
    c = good;
    c.member[0].endpoint[2] = '\n';
    assert_refused(&c, "member 0: write its endpoint");
    c = good;
    c.n = 0;
    assert_refused(&c, "list between 1 and 32");
    c.n = LIMIT_MEMBERS + 1;
    assert_refused(&c, "list between 1 and 32");
    c = good;
    c.chain_id = 0;
    assert_refused(&c, "chain id");
}

static void params_refused(void **state)
{
    (void)state;
    const struct epoch_config good = config_of(4, NULL, FAULT_BFT);
    struct epoch_config c = good;
    c.params.fault_model = 3;
    assert_refused(&c, "choose bft or crash");
    c = good;
    c.params.pace = 0;
    assert_refused(&c, "choose fixed or demand");
    c = good;
    c.params.turn_slots = 0;
    assert_refused(&c, "choose between 1 and 4096");
    c.params.turn_slots = 4097;
    assert_refused(&c, "choose between 1 and 4096");
    c.params.turn_slots = 51; /* times 200 ms: 10.2 s */
    assert_refused(&c, "lasts longer than 10000 ms");
    c.params.turn_slots = 50;
    config_derive(&c);
    c = good;
    c.params.depth = 17;
    assert_refused(&c, "between 1 and 16");
    c = good;
    c.params.block_time_ms = c.params.max_interval_ms = 49;
    assert_refused(&c, "at least 50 ms");
    c = good;
    c.params.max_interval_ms = 201;
    assert_refused(&c, "set it to the block time");
    c.params.pace = PACE_DEMAND;
    config_derive(&c);
    c = good;
    c.params.execute_before_finalize = 0;
    assert_refused(&c, "crash mode only");
    c.params.fault_model = FAULT_CRASH;
    config_derive(&c);
    c = good;
    c.params.gas_limit = 20999;
    assert_refused(&c, "gas limit");
}

/* K (n + 1) cannot be reached within the 10 s of a turn at 50 ms, but is checked all the same. */
static void too_far_ahead(void **state)
{
    (void)state;
    struct epoch_config c = config_of(32, NULL, FAULT_CRASH);
    c.params.turn_slots = 2000;
    assert_refused(&c, "at most 1985 slots a turn");
}

static void heavy_member_in_crash_mode_is_a_warning(void **state)
{
    (void)state;
    const uint32_t weight[3] = {1, 5, 1};
    char why[256];
    struct epoch_config c = config_of(3, weight, FAULT_CRASH);
    assert_int_equal(epoch_config_derive(&c, why, sizeof why), OK);
    assert_non_null(strstr(why, "member 1 (m1) weighs 5"));
    c = config_of(3, NULL, FAULT_CRASH);
    assert_int_equal(epoch_config_derive(&c, why, sizeof why), OK);
    assert_string_equal(why, "");
}

static void find(void **state)
{
    (void)state;
    struct epoch_config c = config_of(4, NULL, FAULT_BFT);
    struct address other = {{1}};
    config_derive(&c);
    assert_int_equal(members_find(&c, &c.member[3].address), 3);
    assert_int_equal(members_find(&c, &other), -1);
    assert_int_equal(members_weight(&c, UINT32_MAX), 4);
}

/* Changes one thing, derives, and the hash must be new. */
static void assert_new_hash(struct epoch_config changed, const struct hash *old)
{
    config_derive(&changed);
    assert_false(hash_equal(&changed.hash, old));
}

static void config_hash_covers_all(void **state)
{
    (void)state;
    struct epoch_config c = config_of(4, NULL, FAULT_CRASH);
    config_derive(&c);
#define CHANGED(statement)                                                                         \
    do {                                                                                           \
        struct epoch_config d = c;                                                                 \
        statement;                                                                                 \
        assert_new_hash(d, &c.hash);                                                               \
    } while (0)
    CHANGED(d.chain_id++);
    CHANGED(d.genesis.b[31]++);
    CHANGED(d.epoch++);
    CHANGED(d.registry.b[0]++);
    CHANGED(d.params.fault_model = FAULT_BFT);
    CHANGED(d.params.pace = PACE_DEMAND);
    CHANGED(d.params.turn_slots++);
    CHANGED(d.params.depth++);
    CHANGED(d.params.block_time_ms = d.params.max_interval_ms = 201);
    CHANGED(d.params.execute_before_finalize = 0);
    CHANGED(d.params.gas_limit++);
    CHANGED(d.n = 3);
    CHANGED(d.member[3].address.b[19]++);
    CHANGED(d.member[3].weight++);
    CHANGED(d.member[3].name[1]++);
    CHANGED(d.member[3].endpoint[0]++);
    CHANGED(d.member[3].domain.provider[0] = 'p');
    CHANGED(d.member[3].domain.region[0] = 'p');
    CHANGED(d.member[3].domain.operator_name[0] = 'p');
#undef CHANGED
    struct epoch_config same = c;
    same.member[3].name[NAME_SIZE - 2] = 'x'; /* behind the closing zero */
    config_derive(&same);
    assert_true(hash_equal(&same.hash, &c.hash));
}

static struct genesis genesis_of(struct genesis_alloc *alloc)
{
    struct epoch_config c = config_of(4, NULL, FAULT_BFT);
    struct genesis g = {.chain_id = c.chain_id,
                        .timestamp_ms = 1700000000000,
                        .registry = c.registry,
                        .params = c.params,
                        .n = 4,
                        .base_fee = u256_from_u64(1000000000),
                        .allocs = 1,
                        .alloc = alloc};
    memcpy(g.member, c.member, sizeof g.member);
    return g;
}

static void genesis(void **state)
{
    (void)state;
    struct genesis_alloc alloc = {.address = {{7}}, .balance = {{0, 0, 0, 1}}};
    struct genesis g = genesis_of(&alloc);
    struct epoch_config c;
    struct header anchor;
    char why[256];
    struct hash h = genesis_hash(&g);
    memset(g.state_root.b, 0x57, 32);
    memset(g.payload.b, 0x70, 32);
    struct hash same = genesis_hash(&g);
    assert_true(hash_equal(&h, &same));
    assert_int_equal(genesis_epoch_config(&c, &g, why, sizeof why), OK);
    assert_true(hash_equal(&c.genesis, &h));
    assert_int_equal(c.epoch, 0);
    assert_int_equal(c.quorum, 3);
    genesis_anchor(&anchor, &g, &c);
    assert_true(anchor.slot == 0 && anchor.height == 0 && anchor.flags == 0);
    assert_int_equal(anchor.timestamp_ms, g.timestamp_ms);
    assert_true(hash_equal(&anchor.state_root, &g.state_root));
    assert_true(hash_equal(&anchor.payload, &g.payload));
    assert_true(hash_equal(&anchor.config, &c.hash));
    g.params.depth = 0;
    assert_int_equal(genesis_epoch_config(&c, &g, why, sizeof why), ERR_CONFIG);
}

static void genesis_hash_covers_all(void **state)
{
    (void)state;
    struct genesis_alloc alloc = {.address = {{7}}, .balance = {{0, 0, 0, 1}}};
    struct genesis_alloc other = alloc;
    struct genesis g = genesis_of(&alloc);
    struct hash h = genesis_hash(&g);
    struct genesis changed[8];
    for (size_t i = 0; i < 8; i++) {
        changed[i] = g;
    }
    changed[0].chain_id++;
    changed[1].timestamp_ms++;
    changed[2].devnet = true;
    changed[3].base_fee.v[3]++;
    changed[4].allocs = 0;
    changed[5].alloc = &other;
    other.balance.v[0]++;
    changed[6].registry.b[19]++;
    changed[7].seal_ms++;
    for (size_t i = 0; i < 8; i++) {
        struct hash now = genesis_hash(&changed[i]);
        assert_false(hash_equal(&now, &h));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_of_thresholds),
        cmocka_unit_test(quorums_intersect),
        cmocka_unit_test(sets_of_members_intersect),
        cmocka_unit_test(members_refused),
        cmocka_unit_test(params_refused),
        cmocka_unit_test(too_far_ahead),
        cmocka_unit_test(heavy_member_in_crash_mode_is_a_warning),
        cmocka_unit_test(find),
        cmocka_unit_test(config_hash_covers_all),
        cmocka_unit_test(genesis),
        cmocka_unit_test(genesis_hash_covers_all),
    };
    return cmocka_run_group_tests(tests, crypto_setup, NULL);
}
