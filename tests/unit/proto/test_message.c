/* Messages: round trips, truncation, flipped bits, random damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sample.h"

static struct sample sample;
static struct message_arena arena;
static uint8_t first[65536];
static uint8_t second[65536];

static size_t encode(uint8_t *out, const struct message *m)
{
    size_t n = 0;
    size_t bound = message_size(m);
    assert_true(bound <= sizeof first);
    assert_int_equal(message_encode(out, bound, &n, m), OK);
    return n;
}

static void check_round_trip(const struct message *m)
{
    struct message back;
    size_t n = encode(first, m);
    assert_int_equal(message_decode(&back, &arena, bytes_of(first, n)), OK);
    assert_true(same_message(m, &back));
    assert_int_equal(encode(second, &back), n);
    assert_memory_equal(first, second, n);
}

static void round_trip(void **state)
{
    (void)state;
    sample = (struct sample){.seed = 1, .most = 8};
    for (int i = 0; i < 100; i++) {
        for (int kind = MSG_STATUS; kind < MSG_KIND_COUNT; kind++) {
            struct message m = sample_message(&sample, (enum message_kind)kind, i % 2 == 0);
            check_round_trip(&m);
        }
    }
}

static void empty_parts_round_trip(void **state)
{
    (void)state;
    sample = (struct sample){.seed = 2, .most = 0};
    for (int kind = MSG_STATUS; kind < MSG_KIND_COUNT; kind++) {
        struct message m = sample_message(&sample, (enum message_kind)kind, false);
        check_round_trip(&m);
    }
}

/* Zero numbers and hashes everywhere. */
static void zero_content_round_trips(void **state)
{
    (void)state;
    struct hash block_hash = header_hash(&(struct header){0});
    for (int kind = MSG_STATUS; kind < MSG_KIND_COUNT; kind++) {
        struct message m = {.kind = (enum message_kind)kind, .has_status = true};
        if (kind == MSG_PROPOSAL) {
            m.u.proposal.head.hash = block_hash;
        } else if (kind == MSG_BLOCK) {
            m.u.block.head.hash = block_hash;
        }
        check_round_trip(&m);
    }
}

/* The capacity that message_size asks for is never too small, one byte less than needed is. */
static void capacity_is_kept(void **state)
{
    (void)state;
    sample = (struct sample){.seed = 3, .most = 3};
    for (int kind = MSG_STATUS; kind < MSG_KIND_COUNT; kind++) {
        struct message m = sample_message(&sample, (enum message_kind)kind, true);
        size_t n = encode(first, &m);
        size_t out_n = 0;
        uint8_t *exact = malloc(n);
        assert_non_null(exact);
        assert_int_equal(message_encode(exact, n, &out_n, &m), OK);
        assert_memory_equal(exact, first, n);
        assert_int_equal(message_encode(exact, n - 1, &out_n, &m), ERR_INVARIANT);
        free(exact);
    }
}

/* Decodes from memory of exactly `n` bytes, so that a read beyond is seen. */
static enum err decode_exactly(struct message *out, const uint8_t *p, size_t n, uint8_t **copy)
{
    *copy = malloc(n + (n == 0));
    assert_non_null(*copy);
    memcpy(*copy, p, n);
    return message_decode(out, &arena, bytes_of(*copy, n));
}

static void truncation_fails(void **state)
{
    (void)state;
    sample = (struct sample){.seed = 4, .most = 2};
    for (int kind = MSG_STATUS; kind < MSG_KIND_COUNT; kind++) {
        struct message m = sample_message(&sample, (enum message_kind)kind, false);
        size_t n = encode(first, &m);
        for (size_t cut = 0; cut < n; cut++) {
            struct message back;
            uint8_t *copy = NULL;
            assert_int_not_equal(decode_exactly(&back, first, cut, &copy), OK);
            free(copy);
        }
    }
}

/* Behind the status a frame may end: then it is a status, and nothing else. */
static void truncation_behind_status(void **state)
{
    (void)state;
    sample = (struct sample){.seed = 5, .most = 2};
    for (int kind = MSG_VOTES; kind < MSG_KIND_COUNT; kind++) {
        struct message m = sample_message(&sample, (enum message_kind)kind, true);
        struct message alone = {.kind = MSG_STATUS, .has_status = true, .status = m.status};
        size_t status_n = encode(first, &alone);
        size_t n = encode(first, &m);
        for (size_t cut = 0; cut < n; cut++) {
            struct message back;
            enum err e = message_decode(&back, &arena, bytes_of(first, cut));
            assert_int_equal(e == OK, cut == status_n);
            assert_true(e != OK || same_message(&alone, &back));
        }
    }
}

/* Damaged bytes are refused, or they are another message's only form. */
static bool refused_or_canonical(const uint8_t *p, size_t n)
{
    struct message back;
    uint8_t *copy = NULL;
    bool good = true;
    if (decode_exactly(&back, p, n, &copy) == OK) {
        size_t again = encode(second, &back);
        good = again == n && memcmp(second, copy, n) == 0;
    }
    free(copy);
    return good;
}

static void flipped_bits(void **state)
{
    (void)state;
    sample = (struct sample){.seed = 6, .most = 1};
    for (int kind = MSG_STATUS; kind < MSG_KIND_COUNT; kind++) {
        struct message m = sample_message(&sample, (enum message_kind)kind, kind % 2 == 0);
        size_t n = encode(first, &m);
        for (size_t bit = 0; bit < 8 * n; bit++) {
            first[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_true(refused_or_canonical(first, n));
            first[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

/* Several bytes overwritten, bytes cut out, bytes put in. */
static size_t damage(uint8_t *p, size_t n)
{
    for (uint32_t i = sample_below(&sample, 3); i > 0; i--) {
        p[sample_below(&sample, (uint32_t)n - 1)] = (uint8_t)sample_number(&sample);
    }
    size_t at = sample_below(&sample, (uint32_t)n - 1);
    size_t len = sample_below(&sample, 16);
    len = len < n - at ? len : n - at;
    if (sample_below(&sample, 1) == 0) {
        memmove(p + at, p + at + len, n - at - len);
        return n - len;
    }
    memmove(p + at + len, p + at, n - at);
    return n + len;
}

static void random_damage(void **state)
{
    (void)state;
    sample = (struct sample){.seed = 7, .most = 3};
    for (int i = 0; i < 6000; i++) {
        enum message_kind kind = (enum message_kind)(MSG_STATUS + i % (MSG_KIND_COUNT - 1));
        struct message m = sample_message(&sample, kind, sample_below(&sample, 1) == 0);
        size_t n = encode(first, &m);
        assert_true(refused_or_canonical(first, damage(first, n)));
    }
}

static void garbage(void **state)
{
    (void)state;
    sample = (struct sample){.seed = 8};
    for (int i = 0; i < 20000; i++) {
        size_t n = sample_below(&sample, 64);
        sample_fill(&sample, first, n);
        assert_true(refused_or_canonical(first, n));
    }
}

static int release(void **state)
{
    (void)state;
    message_arena_free(&arena);
    assert_null(arena.base);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(empty_parts_round_trip),
        cmocka_unit_test(zero_content_round_trips),
        cmocka_unit_test(capacity_is_kept),
        cmocka_unit_test(truncation_fails),
        cmocka_unit_test(truncation_behind_status),
        cmocka_unit_test(flipped_bits),
        cmocka_unit_test(random_damage),
        cmocka_unit_test(garbage),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}
