/* The head out of what endpoints say: agreement, late ones, liars, reorgs, going back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "sequencer/l1/quorum.h"

/* A block's hash says its branch and number; branches share what is below their root. */
struct branch {
    uint8_t id;
    uint64_t from; /* below it this is the main branch, 0 */
};

static struct hash hash_at(struct branch b, uint64_t number)
{
    struct hash h = {{0}};
    h.b[0] = number < b.from ? 0 : b.id;
    h.b[1] = 1;
    store_be64(h.b + 8, number);
    return h;
}

static struct l1_header block(struct branch b, uint64_t number)
{
    struct l1_header h = {.at = {number, hash_at(b, number)}};
    h.parent = number == 0 ? (struct hash){{0}} : hash_at(b, number - 1);
    return h;
}

static const struct branch main_branch = {0, 0};

/* Asks for parents until nobody wants one, as the client does. */
static bool decide(struct quorum *q, const struct branch *of)
{
    struct quorum_wants wants;
    bool changed = quorum_decide(q, &wants);
    for (int rounds = 0; rounds < 300; rounds++) {
        bool any = false;
        for (uint32_t i = 0; i < q->n; i++) {
            if (wants.any[i]) {
                struct l1_header h = block(of[i], q->e[i].w.h[0].at.number - 1);
                assert_true(hash_equal(&h.at.hash, &wants.parent[i]));
                assert_true(quorum_parent(q, i, &h));
                any = true;
            }
        }
        if (!any) {
            return changed;
        }
        changed = quorum_decide(q, &wants) || changed;
    }
    fail_msg("parents are wanted for ever");
    return false;
}

static void say(struct quorum *q, uint32_t i, struct branch b, uint64_t number)
{
    struct l1_header h = block(b, number);
    (void)quorum_head(q, i, &h);
}

static void assert_head(const struct quorum *q, struct branch b, uint64_t number)
{
    struct hash h = hash_at(b, number);
    assert_true(q->known);
    assert_int_equal(q->head.at.number, number);
    assert_true(hash_equal(&q->head.at.hash, &h));
}

static struct quorum *make(uint32_t n)
{
    struct quorum *q = malloc(sizeof *q);
    assert_non_null(q);
    quorum_init(q, n);
    return q;
}

static const struct branch all_main[LIMIT_L1_ENDPOINTS];

static void needs_a_majority(void **state)
{
    (void)state;
    static const uint32_t needed[] = {0, 1, 2, 2, 3, 3, 4, 4};
    for (uint32_t n = 1; n < 8; n++) {
        struct quorum *q = make(n);
        assert_int_equal(q->needed, needed[n]);
        for (uint32_t i = 0; i < n; i++) {
            say(q, i, main_branch, 7);
            assert_int_equal(decide(q, all_main), i + 1 == needed[n]);
            assert_int_equal(q->known, i + 1 >= needed[n]);
        }
        assert_int_equal(quorum_agreeing(q), n);
        free(q);
    }
}

static void late_ones_hold_nobody_up(void **state)
{
    (void)state;
    struct quorum *q = make(3);
    say(q, 0, main_branch, 105);
    say(q, 1, main_branch, 103);
    say(q, 2, main_branch, 100);
    decide(q, all_main);
    assert_head(q, main_branch, 103); /* asked down from 105 */
    say(q, 1, main_branch, 104);
    decide(q, all_main);
    assert_head(q, main_branch, 104);
    free(q);
}

static void two_branches(void **state)
{
    (void)state;
    struct quorum *q = make(3);
    const struct branch of[3] = {{1, 98}, {2, 98}, {0, 0}};
    say(q, 0, of[0], 100);
    say(q, 1, of[1], 101);
    say(q, 2, of[2], 99);
    decide(q, of);
    assert_head(q, main_branch, 97);
    say(q, 1, of[0], 102); /* changes sides, with a gap */
    const struct branch now[3] = {of[0], of[0], of[2]};
    decide(q, now);
    assert_head(q, of[0], 100);
    free(q);
}

static void follows_a_reorg(void **state)
{
    (void)state;
    static const uint64_t depth[] = {1, 2, 10, 63, 64};
    for (size_t k = 0; k < sizeof depth / sizeof *depth; k++) {
        struct quorum *q = make(3);
        const struct branch b = {1, 201 - depth[k]};
        const struct branch of[3] = {b, b, main_branch};
        for (uint32_t i = 0; i < 3; i++) {
            for (uint64_t number = 100; number <= 200; number++) {
                say(q, i, main_branch, number);
            }
        }
        decide(q, all_main);
        assert_head(q, main_branch, 200);
        say(q, 0, b, 200);
        decide(q, of);
        assert_head(q, main_branch, 200); /* one alone moves nothing */
        say(q, 1, b, 200);
        decide(q, of);
        assert_head(q, b, 200);
        free(q);
    }
}

static void a_liar_moves_nothing(void **state)
{
    (void)state;
    struct quorum *q = make(3);
    const struct branch lie = {9, 0};
    const struct branch of[3] = {main_branch, main_branch, lie};
    for (uint64_t number = 10; number < 90; number++) {
        say(q, 0, main_branch, number);
        say(q, 1, main_branch, number);
        say(q, 2, lie, number * 1000);
        decide(q, of);
        assert_head(q, main_branch, number);
    }
    quorum_lost(q, 0); /* now one honest and one liar: no quorum, the head stands */
    say(q, 1, main_branch, 95);
    assert_false(decide(q, of));
    assert_head(q, main_branch, 89);
    free(q);
}

static void going_back_far_is_left_out(void **state)
{
    (void)state;
    struct quorum *q = make(3);
    struct l1_header back = block(main_branch, 100 - QUORUM_DEPTH);
    struct l1_header further = block(main_branch, 99 - QUORUM_DEPTH);
    for (uint32_t i = 0; i < 3; i++) {
        say(q, i, main_branch, 100);
    }
    assert_true(quorum_head(q, 0, &back));
    assert_true(quorum_usable(q, 0));
    assert_false(quorum_head(q, 0, &further));
    assert_false(quorum_usable(q, 0));
    say(q, 0, main_branch, 101);
    assert_true(quorum_usable(q, 0)); /* it is back */
    assert_false(quorum_head(q, 0, &further));
    quorum_forgive(q, 0);
    assert_true(quorum_usable(q, 0));
    assert_true(quorum_head(q, 0, &further));
    free(q);
}

static void a_contradiction_lasts_until_another_head(void **state)
{
    (void)state;
    struct quorum *q = make(1);
    say(q, 0, main_branch, 5);
    quorum_contradiction(q, 0);
    say(q, 0, main_branch, 5);
    assert_false(quorum_usable(q, 0));
    say(q, 0, main_branch, 6);
    assert_true(quorum_usable(q, 0));
    free(q);
}

static void parents_must_link(void **state)
{
    (void)state;
    struct quorum *q = make(1);
    const struct branch other = {3, 0};
    struct l1_header wrong_hash = block(other, 4);
    struct l1_header wrong_number = block(main_branch, 3);
    struct l1_header right = block(main_branch, 4);
    assert_false(quorum_parent(q, 0, &right)); /* nothing to link to */
    say(q, 0, main_branch, 5);
    assert_false(quorum_parent(q, 0, &wrong_hash));
    assert_false(quorum_parent(q, 0, &wrong_number));
    wrong_number.at.hash = right.at.hash; /* the right hash at another number */
    assert_false(quorum_parent(q, 0, &wrong_number));
    assert_true(quorum_parent(q, 0, &right));
    assert_non_null(quorum_holds(q, 0, &right.at));
    free(q);
}

static void head_stays_while_somebody_has_it(void **state)
{
    (void)state;
    struct quorum *q = make(3);
    for (uint64_t number = 100; number <= 105; number++) {
        say(q, 0, main_branch, number);
        say(q, 1, main_branch, number);
    }
    say(q, 2, main_branch, 103);
    decide(q, all_main);
    assert_head(q, main_branch, 105);
    quorum_lost(q, 0);
    assert_false(decide(q, all_main));
    assert_head(q, main_branch, 105);
    assert_int_equal(quorum_agreeing(q), 1);
    free(q);
}

static void follows_an_l1_that_goes_back(void **state)
{
    (void)state;
    struct quorum *q = make(3);
    for (uint32_t i = 0; i < 3; i++) {
        for (uint64_t number = 100; number <= 105; number++) {
            say(q, i, main_branch, number);
        }
    }
    decide(q, all_main);
    say(q, 0, main_branch, 101);
    decide(q, all_main);
    assert_head(q, main_branch, 105);
    say(q, 1, main_branch, 101);
    say(q, 2, main_branch, 101);
    decide(q, all_main);
    assert_head(q, main_branch, 101);
    free(q);
}

static void finalized_by_quorum(void **state)
{
    (void)state;
    struct quorum *q = make(3);
    const struct l1_ref low = {32, hash_at(main_branch, 32)};
    const struct l1_ref high = {64, hash_at(main_branch, 64)};
    const struct l1_ref lie = {96, {{7}}};
    quorum_says_finalized(q, 0, &low);
    quorum_says_finalized(q, 2, &lie);
    decide(q, all_main);
    assert_false(q->has_finalized);
    quorum_says_finalized(q, 0, &high); /* one goes on, the other is where it was */
    quorum_says_finalized(q, 1, &low);
    assert_true(decide(q, all_main));
    assert_int_equal(q->finalized.number, 32);
    quorum_says_finalized(q, 1, &high);
    assert_true(decide(q, all_main));
    assert_int_equal(q->finalized.number, 64);
    quorum_says_finalized(q, 0, &low);
    quorum_says_finalized(q, 1, &low);
    assert_false(decide(q, all_main));
    assert_int_equal(q->finalized.number, 64);
    for (uint64_t i = 0; i < 100; i++) { /* a ring that is full forgets, and nothing else */
        const struct l1_ref r = {100 + i, hash_at(main_branch, 100 + i)};
        quorum_says_finalized(q, 0, &r);
        quorum_says_finalized(q, 1, &r);
        decide(q, all_main);
        assert_int_equal(q->finalized.number, 100 + i);
    }
    free(q);
}

static void windows_are_bounded(void **state)
{
    (void)state;
    struct quorum *q = make(1);
    for (uint64_t number = 0; number < 1000; number++) {
        say(q, 0, main_branch, number);
        decide(q, all_main);
        assert_head(q, main_branch, number);
        assert_true(q->e[0].w.n <= QUORUM_WINDOW);
    }
    const struct l1_ref near = {1000 - QUORUM_DEPTH, hash_at(main_branch, 1000 - QUORUM_DEPTH)};
    assert_non_null(quorum_holds(q, 0, &near));
    free(q);
}

static uint64_t random_next(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

/* Five endpoints, two of whom invent; three follow a chain with reorgs, each at its own pace and
 * now and then away. The head is always a block that an honest one showed or built on, and once
 * the honest ones are together it is theirs. */
static void random_worlds(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        uint64_t s = seed * 0x9e3779b97f4a7c15U;
        struct quorum *q = make(5);
        struct branch chain = main_branch;
        struct branch of[5];
        uint64_t tip = 200;
        uint8_t branches = 0;
        for (int step = 0; step < 60; step++) {
            tip++;
            if (random_next(&s) % 8 == 0) {
                chain = (struct branch){(uint8_t)(++branches % 100 + 1), tip - random_next(&s) % 6};
            }
            for (uint32_t i = 0; i < 5; i++) {
                if (random_next(&s) % 4 == 0) {
                    quorum_lost(q, i);
                } else if (i < 3) {
                    of[i] = chain;
                    say(q, i, chain, tip - random_next(&s) % 3);
                } else {
                    of[i] = (struct branch){(uint8_t)(200 + random_next(&s) % 50), 0};
                    say(q, i, of[i], tip + random_next(&s) % 50);
                }
            }
            struct quorum_wants wants;
            (void)quorum_decide(q, &wants);
            assert_true(!q->known || q->head.at.hash.b[0] < 200);
        }
        for (uint32_t i = 0; i < 3; i++) {
            of[i] = chain;
            say(q, i, chain, tip + 1);
        }
        quorum_lost(q, 3);
        quorum_lost(q, 4);
        decide(q, of);
        assert_head(q, chain, tip + 1);
        free(q);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(needs_a_majority),
        cmocka_unit_test(late_ones_hold_nobody_up),
        cmocka_unit_test(two_branches),
        cmocka_unit_test(follows_a_reorg),
        cmocka_unit_test(a_liar_moves_nothing),
        cmocka_unit_test(going_back_far_is_left_out),
        cmocka_unit_test(a_contradiction_lasts_until_another_head),
        cmocka_unit_test(parents_must_link),
        cmocka_unit_test(head_stays_while_somebody_has_it),
        cmocka_unit_test(follows_an_l1_that_goes_back),
        cmocka_unit_test(finalized_by_quorum),
        cmocka_unit_test(windows_are_bounded),
        cmocka_unit_test(random_worlds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
