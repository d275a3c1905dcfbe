/* The k-th signature, write and answer of the execution client fails, for every k of scripted lives
 * of one member among three others. The oracle of the fuzzers (tests/fuzz/core_oracle.h) looks at
 * every step: after a signer or a disk that failed no vote is made any more, and nothing leaves
 * that is not durable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/fuzz/core_act.h"

enum { ROUNDS = 12, SCRIPT = 2048 };

enum call { SIGNATURE, WRITE, ANSWER };

static struct core_run r;

/* Peers come up; then, round after round: a payload is built, somebody proposes, the body comes and
 * is executed, writes become durable, certificates of the others come, time goes on. */
static size_t make_script(uint8_t out[SCRIPT])
{
    static const uint8_t up[] = {8, 1, 1, 8, 2, 1, 8, 3, 1, 9, 2, 0, 1, 0};
    static const uint8_t round[] = {6, 0,                      /* built */
                                    1, 1, 0, 0, 0,             /* proposal on the latest block */
                                    2, 0, 0, 3, 0, 0, 7, 0,    /* body, executed, durable */
                                    5, 1, 0, 0, 0, 0, 7, 0,    /* notarized */
                                    5, 1, 0, 2, 0, 0, 0, 1, 0, /* finalized; to the deadline */
                                    6, 0, 0, 1, 0, 3, 0, 0, 7, 0};
    size_t n = sizeof up;
    memcpy(out, up, sizeof up);
    for (int i = 0; i < ROUNDS; i++) {
        memcpy(out + n, round, sizeof round);
        n += sizeof round;
    }
    return n;
}

static void run(uint8_t how, enum call call, uint64_t k)
{
    uint8_t raw[SCRIPT];
    struct bytes script = bytes_of(raw, make_script(raw));
    r.fail_signature = call == SIGNATURE ? k : 0;
    r.fail_write = call == WRITE ? k : 0;
    r.fail_answer = call == ANSWER ? k : 0;
    core_run_start(&r, how);
    while (script.n > 0) {
        core_run_act(&r, &script);
    }
    core_run_end(&r);
}

/* Member 0 … 3, both paces. */
static uint8_t how_of(int i)
{
    return (uint8_t)((i & 3) << 4 | (i >> 2 & 1));
}

static uint64_t calls(enum call call)
{
    return call == SIGNATURE ? r.signatures : call == WRITE ? r.writes : r.answers;
}

static void fail_each(enum call call, uint64_t least)
{
    uint64_t failed = 0;
    for (int i = 0; i < 8; i++) {
        run(how_of(i), call, 0);
        uint64_t n = calls(call);
        uint32_t votes = r.oracle.votes;
        for (uint64_t k = 1; k <= n; k++) {
            run(how_of(i), call, k);
            assert_true(calls(call) >= k);
            assert_true(call == ANSWER || r.oracle.votes <= votes);
            failed++;
        }
    }
    print_message("%llu failures, each in a life of its own\n", (unsigned long long)failed);
    assert_true(failed >= least);
}

static void signatures(void **state)
{
    (void)state;
    fail_each(SIGNATURE, 80);
}

static void writes(void **state)
{
    (void)state;
    fail_each(WRITE, 40);
}

static void answers(void **state)
{
    (void)state;
    fail_each(ANSWER, 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures),
        cmocka_unit_test(writes),
        cmocka_unit_test(answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
