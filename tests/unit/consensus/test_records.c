/* The index under random use against a plain list. */
#include <stdlib.h>
#include <string.h>

#include "consensus/index.h"
#include "tests/unit/consensus/world.h"

enum { KEYS = 40, RECORDS = 90, CAPACITY = 256 };

static bool index_holds(const struct index *ix, uint64_t key, uint32_t record)
{
    uint32_t at = 0;
    uint32_t r;
    while ((r = index_next(ix, key, &at)) != UINT32_MAX) {
        if (r == record) {
            return true;
        }
    }
    return false;
}

static void random_use(void **state)
{
    (void)state;
    static struct index_entry entry[CAPACITY];
    struct index ix = {entry, CAPACITY - 1};
    uint64_t key_of[RECORDS];
    bool in[RECORDS] = {false};
    uint64_t random = 3;
    for (int round = 0; round < 20000; round++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint32_t record = (uint32_t)(random >> 33) % RECORDS;
        if (in[record]) {
            index_erase(&ix, key_of[record], record);
            in[record] = false;
        } else {
            key_of[record] = (random >> 20) % KEYS;
            index_put(&ix, key_of[record], record);
            in[record] = true;
        }
        for (uint32_t r = 0; r < RECORDS; r++) {
            if (in[r]) {
                assert_true(index_holds(&ix, key_of[r], r));
            }
        }
        assert_false(!in[record] && index_holds(&ix, key_of[record], record));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_use)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
