/* What a start hands to the core before its first step, good and damaged, and what it says of
 * itself (CONSENSUS 8). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "consensus/core.h"
#include "tests/fuzz/core_act.h"

enum { MEMBER_1 = 1 << 4, OBSERVER = 8 };

static struct core_run r;

static int setup(void **state)
{
    (void)state;
    core_run_start(&r, MEMBER_1);
    core_run_again(&r);
    return 0;
}

static const struct block_head *block_at(const struct block_head *parent, uint64_t slot,
                                         uint8_t flags)
{
    const struct block_head *b = core_run_block(&r, parent, slot, flags, 0);
    r.blocks++;
    return b;
}

static void configurations(void **state)
{
    (void)state;
    struct core *core = NULL;
    void *memory = aligned_alloc(64, core_footprint(&r.config));
    struct core_config bad = r.config;
    assert_non_null(memory);
    bad.self = 4;
    assert_int_equal(core_init(&core, memory, &bad), ERR_CONFIG);
    bad = r.config;
    bad.epoch.quorum = 0;
    assert_int_equal(core_init(&core, memory, &bad), ERR_CONFIG);
    bad = r.config;
    bad.anchor.slot = 1;
    assert_int_equal(core_init(&core, memory, &bad), ERR_CONFIG);
    free(memory);
}

/* What ended the turn of another epoch ends none of this one (CONSENSUS 5). */
static void an_anchor_that_was_last(void **state)
{
    (void)state;
    struct core_view view;
    r.config.anchor.flags = FLAG_LAST;
    core_run_again(&r);
    core_start(r.core, r.now_us, &r.out);
    core_get_view(r.core, &view);
    assert_int_equal(view.slot, 1);
}

static void final_block(void **state)
{
    (void)state;
    const struct block_head *one = block_at(&r.block[0].head, 1, 0);
    const struct block_head *two = block_at(one, 2, 0);
    struct certificate cert = core_run_certificate(&r, VOTE_FINALIZE, 2, two);
    struct core_restored_final f = {.head = &r.block[0].head};
    struct core_view v;
    assert_int_equal(core_restore_final(r.core, &f), OK); /* the anchor is final by definition */
    f = (struct core_restored_final){
        .head = one, .cert = &cert, .bench = cert.block.b, .bench_len = 5};
    assert_int_equal(core_restore_final(r.core, &f), ERR_CORRUPT);
    core_run_again(&r);
    f.bench_len = 0;
    assert_int_equal(core_restore_final(r.core, &f), OK);
    core_start(r.core, r.now_us, &r.out);
    core_get_view(r.core, &v);
    assert_int_equal(v.final_slot, 1);
    assert_int_equal(v.notarized_slot, 2); /* certified, its block not yet here */
    core_run_again(&r);
    f.cert = NULL;
    f.executed = true;
    assert_int_equal(core_restore_final(r.core, &f), OK);
    core_start(r.core, r.now_us, &r.out);
    core_get_view(r.core, &v);
    assert_int_equal(v.final_slot, 1);
    assert_int_equal(v.executed_slot, 1);
}

static void blocks(void **state)
{
    (void)state;
    const struct block_head *one = block_at(&r.block[0].head, 1, 0);
    const struct block_head *empty = block_at(one, 2, FLAG_EMPTY);
    struct core_restored_final f = {.head = one};
    struct core_view v;
    assert_int_equal(core_restore_final(r.core, &f), OK);
    assert_int_equal(core_restore_block(r.core, one, true), OK); /* known */
    assert_int_equal(core_restore_block(r.core, empty, false), OK);
    for (uint8_t twist = 1; twist < 4; twist++) {
        assert_int_equal(
            core_restore_block(r.core, core_run_block(&r, one, 2, 0, twist), twist == 1), OK);
    }
    core_get_view(r.core, &v);
    assert_int_equal(v.blocks, 5);
}

/* What a disk gives back damaged is refused, or judged like what a stranger says. */
static void damaged(void **state)
{
    (void)state;
    static uint8_t system[LIMIT_SYSTEM_BYTES + 1];
    static uint8_t bench[BENCH_BYTES];
    const struct block_head *one = block_at(&r.block[0].head, 1, 0);
    struct block_head bad = *one;
    struct core_restored_final f = {.head = &bad, .bench = bench, .bench_len = sizeof bench};
    bad.system = bytes_of(system, sizeof system);
    assert_int_equal(core_restore_final(r.core, &f), ERR_INVARIANT);
    core_run_again(&r);
    assert_int_equal(core_restore_block(r.core, &bad, true), ERR_BUSY);
    core_run_again(&r);
    f.head = one;
    bench[16] = 2; /* neither true nor false */
    assert_int_equal(core_restore_final(r.core, &f), ERR_CORRUPT);
    for (int i = 0; i < 3; i++) {
        core_run_again(&r);
        bad = *one;
        bad.header.epoch += i == 1;
        bad.hash = header_hash(&bad.header);
        bad.system = i == 2 ? bytes_of(system, 8) : one->system;
        assert_int_equal(core_restore_block(r.core, &bad, true), OK);
        core_start(r.core, r.now_us, &r.out);
        assert_int_equal(block_find(r.core, &bad.hash)->form, i == 0 ? FORM_VALID : FORM_INVALID);
    }
}

/* More than the core keeps: the rest stays on the disk, and the start goes on. */
static void too_many(void **state)
{
    (void)state;
    uint64_t slot = 1;
    enum err e = OK;
    for (; e == OK && slot < 3 * LIMIT_CORE_RECORDS; slot++) {
        e = core_restore_block(r.core, core_run_block(&r, &r.block[0].head, slot, 0, 0x80), false);
    }
    assert_int_equal(e, ERR_BUSY);
    assert_true(slot > LIMIT_CORE_RECORDS / 2);
    core_run_again(&r);
    for (slot = 1, e = OK; e == OK && slot < 3 * LIMIT_CORE_RECORDS; slot++) {
        struct vote v = core_run_vote(&r, 1, VOTE_SKIP, slot, NULL);
        e = core_restore_vote(r.core, &v);
    }
    assert_int_equal(e, ERR_BUSY);
    core_run_again(&r);
    for (slot = 1; slot < 3 * LIMIT_CORE_RECORDS; slot++) {
        core_restore_proposing(r.core, slot);
    }
    core_start(r.core, r.now_us, &r.out);
}

static void certificates(void **state)
{
    (void)state;
    const struct block_head *one = block_at(&r.block[0].head, 1, 0);
    struct certificate c = core_run_certificate(&r, VOTE_NOTARIZE, 1, one);
    struct core_view v;
    struct certificate bad = c;
    bad.epoch++;
    assert_int_equal(core_restore_certificate(r.core, &bad),
                     OK); /* of another epoch: not ours to judge */
    bad = c;
    bad.signers = 1;
    assert_int_equal(core_restore_certificate(r.core, &bad), ERR_BAD_CERTIFICATE);
    bad = c;
    bad.signature[1].b[40] ^= 1;
    assert_int_equal(core_restore_certificate(r.core, &bad), ERR_BAD_CERTIFICATE);
    assert_int_equal(core_restore_certificate(r.core, &c), OK);
    c = core_run_certificate(&r, VOTE_FINALIZE, 1, one);
    assert_int_equal(core_restore_certificate(r.core, &c), OK);
    for (uint64_t slot = 7; slot > 4; slot--) { /* the lowest slot counts */
        c = core_run_certificate(&r, VOTE_SKIP, slot, one);
        assert_int_equal(core_restore_certificate(r.core, &c), OK);
    }
    c.slot++;
    core_start(r.core, r.now_us, &r.out);
    core_get_view(r.core, &v);
    assert_int_equal(v.notarized_slot, 1);
    assert_int_equal(v.final_slot, 0); /* its block is not here */
    assert_int_equal(v.slot, 1);
}

static void certificates_of_the_past(void **state)
{
    (void)state;
    const struct block_head *b = block_at(&r.block[0].head, 9, 0);
    struct core_restored_final f = {.head = b, .executed = true};
    struct core_view v;
    assert_int_equal(core_restore_final(r.core, &f), OK);
    struct certificate c = core_run_certificate(&r, VOTE_SKIP, 5, b);
    assert_int_equal(core_restore_certificate(r.core, &c), OK);
    c = core_run_certificate(&r, VOTE_FINALIZE, 9, b);
    assert_int_equal(core_restore_certificate(r.core, &c), OK);
    struct vote old = core_run_vote(&r, 1, VOTE_SKIP, 5, NULL);
    assert_int_equal(core_restore_vote(r.core, &old), OK);
    core_restore_proposing(r.core, 1);
    core_start(r.core, r.now_us, &r.out);
    core_get_view(r.core, &v);
    assert_int_equal(v.slot, 10);
    assert_int_equal(v.highest_signed, 5);
}

static void votes(void **state)
{
    (void)state;
    const struct block_head *one = block_at(&r.block[0].head, 1, 0);
    struct core_view v;
    struct vote vote = core_run_vote(&r, 2, VOTE_NOTARIZE, 9, one);
    assert_int_equal(core_restore_vote(r.core, &vote), OK); /* another's */
    vote = core_run_vote(&r, 1, VOTE_NOTARIZE, 8, one);
    vote.epoch++;
    assert_int_equal(core_restore_vote(r.core, &vote), OK);
    core_get_view(r.core, &v);
    assert_int_equal(v.highest_signed, 0);
    for (uint8_t kind = VOTE_NOTARIZE; kind <= VOTE_FINALIZE; kind++) {
        vote = core_run_vote(&r, 1, kind, (uint64_t)(kind + 1), one);
        assert_int_equal(core_restore_vote(r.core, &vote), OK);
    }
    core_start(r.core, r.now_us, &r.out);
    core_get_view(r.core, &v);
    assert_int_equal(v.highest_signed, 4);
}

/* One hash tells states apart. */
static void digests(void **state)
{
    (void)state;
    const struct block_head *one = block_at(&r.block[0].head, 1, 0);
    struct hash before = core_digest(r.core);
    struct hash same = core_digest(r.core);
    assert_memory_equal(&before, &same, sizeof before);
    for (uint8_t kind = VOTE_NOTARIZE; kind <= VOTE_FINALIZE; kind++) {
        struct certificate c = core_run_certificate(&r, kind, 1, one);
        assert_int_equal(core_restore_certificate(r.core, &c), OK);
        struct hash after = core_digest(r.core);
        assert_memory_not_equal(&before, &after, sizeof before);
        before = after;
    }
}

static void names(void **state)
{
    (void)state;
    for (int i = 0; i < SKIP_REASONS; i++) {
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(skip_reason_name(i), skip_reason_name(k));
        }
    }
    assert_string_equal(skip_reason_name(-1), skip_reason_name(SKIP_REASONS));
    for (int i = ALARM_CONFLICT; i <= ALARM_RECORDS_FULL; i++) {
        assert_string_not_equal(alarm_name((enum alarm_kind)i), alarm_name((enum alarm_kind)0));
    }
}

static void an_observer(void **state)
{
    (void)state;
    struct core_view v;
    struct status s;
    core_run_start(&r, OBSERVER);
    core_get_view(r.core, &v);
    core_get_status(r.core, &s);
    assert_int_equal(v.highest_signed, 0);
    assert_int_equal(s.cur, 1);
    for (int i = 0; i < 20; i++) {
        struct event e = {.kind = EVENT_TICK, .peer = -1};
        r.now_us += 100000;
        core_run_step(&r, &e);
        for (uint32_t k = 0; k < r.out.n; k++) {
            assert_int_not_equal(r.out.effect[k].kind, EFFECT_PERSIST);
        }
    }
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(configurations),
        TEST(final_block),
        TEST(blocks),
        TEST(damaged),
        TEST(too_many),
        TEST(certificates),
        TEST(certificates_of_the_past),
        TEST(votes),
        TEST(digests),
        TEST(names),
        TEST(an_observer),
        TEST(an_anchor_that_was_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
