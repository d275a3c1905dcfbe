/* Who leads a slot: the vectors of CONSENSUS 2, exact shares, spacing of failure domains. */
#include <stdlib.h>
#include <string.h>

#include "consensus/core.h"
#include "tests/unit/consensus/world.h"

static struct epoch_config set_of(const char *domains, const uint32_t *weights)
{
    struct epoch_config e = {.n = (uint32_t)strlen(domains)};
    for (uint32_t i = 0; i < e.n; i++) {
        e.member[i].weight = weights == NULL ? 1 : weights[i];
        e.member[i].domain.provider[0] = domains[i];
        e.total += e.member[i].weight;
    }
    return e;
}

static void expect_table(const char *domains, const uint32_t *weights, const char *want)
{
    struct epoch_config e = set_of(domains, weights);
    size_t n = rotation_size(&e);
    uint8_t *table = malloc(n);
    assert_non_null(table);
    rotation_fill(table, n, &e);
    assert_int_equal(n, strlen(want));
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(table[i], want[i] - '0');
    }
    free(table);
}

static void vectors(void **state)
{
    (void)state;
    expect_table("aabb", NULL, "0213");
    expect_table("aaab", NULL, "0132");
    expect_table("aaabbcc", NULL, "0351462");
    expect_table("aabb", (const uint32_t[]){3, 3, 2, 2}, "0213012031");
}

static void unlabelled_members_are_their_own_domains(void **state)
{
    (void)state;
    struct epoch_config e = {.n = 5, .total = 5};
    uint8_t table[5];
    for (uint32_t i = 0; i < 5; i++) {
        e.member[i].weight = 1;
    }
    rotation_fill(table, 5, &e);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(table[i], i);
    }
}

static void shares_are_exact(void **state)
{
    (void)state;
    uint64_t random = 7;
    for (int round = 0; round < 2000; round++) {
        struct epoch_config e = {0};
        random = random * 6364136223846793005u + 1442695040888963407u;
        e.n = 3 + (uint32_t)(random >> 40) % 19;
        for (uint32_t i = 0; i < e.n; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            e.member[i].weight = 1 + (uint32_t)(random >> 40) % 3;
            e.member[i].domain.region[0] = (char)('a' + (random >> 50) % 5);
            e.total += e.member[i].weight;
        }
        size_t n = rotation_size(&e);
        uint8_t table[128];
        uint32_t turns[LIMIT_MEMBERS] = {0};
        assert_true(n <= sizeof table);
        rotation_fill(table, n, &e);
        for (size_t t = 0; t < n; t++) {
            turns[table[t]]++;
        }
        for (uint32_t i = 0; i < e.n; i++) {
            assert_int_equal(turns[i], e.member[i].weight * n / e.total);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
        cmocka_unit_test(unlabelled_members_are_their_own_domains),
        cmocka_unit_test(shares_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
