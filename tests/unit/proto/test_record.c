/* Journal steps, stored blocks, certificates and the safety record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/keccak.h"
#include "sample.h"

static struct sample sample;
static struct message_arena arena;
static uint8_t first[65536];
static uint8_t second[65536];

/* ---- journal steps --------------------------------------------------------------------------- */

static struct journal_step sample_step(void)
{
    struct bundle b = sample_bundle(&sample);
    return (struct journal_step){
        .sequence = sample_number(&sample),
        .epoch = sample_below(&sample, 3),
        .amnesiac = sample_below(&sample, 1) != 0,
        .cleared = sample_below(&sample, 1) != 0,
        .clearing_slot = sample_below(&sample, 1000),
        .proposing = sample_below(&sample, 1) != 0,
        .proposing_turn = sample_below(&sample, 1000),
        .vote = b.vote,
        .votes = b.votes,
        .cert = b.cert,
        .certs = b.certs,
    };
}

static bool same_step(const struct journal_step *a, const struct journal_step *b)
{
    struct bundle one = {.cert = a->cert, .certs = a->certs, .vote = a->vote, .votes = a->votes};
    struct bundle two = {.cert = b->cert, .certs = b->certs, .vote = b->vote, .votes = b->votes};
    return a->sequence == b->sequence && a->epoch == b->epoch && a->amnesiac == b->amnesiac &&
           a->cleared == b->cleared && a->clearing_slot == b->clearing_slot &&
           a->proposing == b->proposing && a->proposing_turn == b->proposing_turn &&
           same_bundle(&one, &two);
}

static size_t encode_step(uint8_t *out, const struct journal_step *s)
{
    size_t n = 0;
    assert_int_equal(journal_step_encode(out, journal_step_size(s), &n, s), OK);
    return n;
}

static void step_round_trip(void **state)
{
    (void)state;
    sample = (struct sample){.seed = 1, .most = 8};
    for (int i = 0; i < 300; i++) {
        struct journal_step s = sample_step();
        struct journal_step back;
        size_t n = encode_step(first, &s);
        assert_int_equal(journal_step_decode(&back, &arena, bytes_of(first, n)), OK);
        assert_true(same_step(&s, &back));
        assert_int_equal(journal_step_encode(second, n - 1, &(size_t){0}, &s), ERR_INVARIANT);
    }
}

static void step_flipped_bits(void **state)
{
    (void)state;
    sample = (struct sample){.seed = 2, .most = 1};
    struct journal_step s = sample_step();
    s.votes = 1;
    s.certs = 1;
    size_t n = encode_step(first, &s);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        struct journal_step back;
        first[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (journal_step_decode(&back, &arena, bytes_of(first, n)) == OK) {
            assert_int_equal(encode_step(second, &back), n);
            assert_memory_equal(first, second, n);
        }
        first[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* A step may end between two fields; then what is left out is missing, and nothing changed. */
static void step_truncated(void **state)
{
    (void)state;
    sample = (struct sample){.seed = 3, .most = 1};
    struct journal_step s = sample_step();
    s.votes = 1;
    s.certs = 1;
    size_t n = encode_step(first, &s);
    int whole = 0;
    for (size_t cut = 0; cut < n; cut++) {
        struct journal_step back;
        if (journal_step_decode(&back, &arena, bytes_of(first, cut)) == OK) {
            assert_int_equal(encode_step(second, &back), cut);
            assert_memory_equal(first, second, cut);
            whole++;
        }
    }
    assert_in_range(whole, 1, 9);
}

static void step_limits(void **state)
{
    (void)state;
    static struct vote vote[LIMIT_STEP_VOTES + 1];
    for (uint32_t i = 0; i < LIMIT_STEP_VOTES + 1; i++) {
        vote[i] = (struct vote){.kind = VOTE_SKIP, .slot = i};
    }
    struct journal_step back;
    struct journal_step s = {.sequence = 1, .vote = vote, .votes = LIMIT_STEP_VOTES};
    size_t n = encode_step(first, &s);
    assert_int_equal(journal_step_decode(&back, &arena, bytes_of(first, n)), OK);
    struct journal_step one = {.vote = vote, .votes = 1}; /* its bytes: one vote more */
    size_t more = encode_step(first + n, &one);
    assert_int_equal(journal_step_decode(&back, &arena, bytes_of(first, n + more)), ERR_TOO_LARGE);
    s.votes++;
    assert_int_equal(journal_step_encode(first, sizeof first, &n, &s), ERR_TOO_LARGE);
}

/* ---- stored blocks --------------------------------------------------------------------------- */

static bool lies_in(struct bytes view, struct bytes in)
{
    return view.n == 0 || (view.p >= in.p && view.p + view.n <= in.p + in.n);
}

static void block_round_trip(void **state)
{
    (void)state;
    sample = (struct sample){.seed = 4};
    for (int i = 0; i < 500; i++) {
        struct block b = sample_block(&sample);
        b.body = sample_bytes(&sample, i % 3 == 0 ? 0 : SAMPLE_BYTES);
        b.head.system = sample_bytes(&sample, i % 5 == 0 ? 0 : 400);
        sample_fill(&sample, sample.bytes, sizeof sample.bytes);
        struct block back;
        size_t n = 0;
        assert_int_equal(stored_block_encode(first, stored_block_size(&b), &n, &b), OK);
        struct bytes in = bytes_of(first, n);
        assert_int_equal(stored_block_decode(&back, in), OK);
        assert_true(same_block(&b, &back));
        assert_true(lies_in(back.body, in) && lies_in(back.head.system, in));
    }
}

static void block_damage(void **state)
{
    (void)state;
    sample = (struct sample){.seed = 5};
    struct block b = sample_block(&sample);
    struct block back;
    size_t n = 0;
    size_t again = 0;
    assert_int_equal(stored_block_encode(first, stored_block_size(&b), &n, &b), OK);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        first[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (stored_block_decode(&back, bytes_of(first, n)) == OK) {
            assert_int_equal(stored_block_encode(second, sizeof second, &again, &back), OK);
            assert_int_equal(again, n);
            assert_memory_equal(first, second, n);
        }
        first[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    size_t body = b.body.n == 0 ? 0 : b.body.n + (b.body.n < 128 ? 2 : 3);
    for (size_t cut = 0; cut < n; cut++) {
        enum err e = stored_block_decode(&back, bytes_of(first, cut));
        assert_int_equal(e == OK, cut == n - body);
    }
}

static void largest_block(void **state)
{
    (void)state;
    sample = (struct sample){.seed = 6};
    uint8_t *body = calloc(1, LIMIT_BODY_BYTES + 1);
    uint8_t *raw = malloc(LIMIT_FRAME_BODY);
    assert_non_null(body);
    assert_non_null(raw);
    struct block b = sample_block(&sample);
    struct block back;
    size_t n = 0;
    b.body = bytes_of(body, LIMIT_BODY_BYTES);
    b.head.system = bytes_of(body, LIMIT_SYSTEM_BYTES);
    assert_int_equal(stored_block_encode(raw, LIMIT_FRAME_BODY, &n, &b), OK);
    assert_int_equal(stored_block_decode(&back, bytes_of(raw, n)), OK);
    assert_true(same_block(&b, &back));
    b.body.n++;
    assert_int_equal(stored_block_encode(raw, LIMIT_FRAME_BODY, &n, &b), ERR_TOO_LARGE);
    free(body);
    free(raw);
}

/* ---- certificates ---------------------------------------------------------------------------- */

static void certificate_round_trip(void **state)
{
    (void)state;
    sample = (struct sample){.seed = 7};
    for (int i = 0; i < 500; i++) {
        struct certificate c = sample_certificate(&sample);
        c.signers = i == 0 ? UINT32_MAX : c.signers;
        struct certificate back;
        size_t n = 0;
        assert_int_equal(certificate_encode(first, CERTIFICATE_MAX_BYTES, &n, &c), OK);
        assert_int_equal(certificate_decode(&back, bytes_of(first, n)), OK);
        assert_true(same_certificate(&c, &back));
    }
}

static void certificate_damage(void **state)
{
    (void)state;
    sample = (struct sample){.seed = 8};
    struct certificate c = sample_certificate(&sample);
    struct certificate back;
    size_t n = 0;
    size_t again = 0;
    c.signers = 7;
    assert_int_equal(certificate_encode(first, CERTIFICATE_MAX_BYTES, &n, &c), OK);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        first[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (certificate_decode(&back, bytes_of(first, n)) == OK) {
            assert_int_equal(certificate_encode(second, sizeof second, &again, &back), OK);
            assert_int_equal(again, n);
            assert_memory_equal(first, second, n);
        }
        first[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < n; cut++) {
        assert_int_not_equal(certificate_decode(&back, bytes_of(first, cut)), OK);
    }
    assert_int_equal(certificate_decode(&back, bytes_of(first, CERTIFICATE_MAX_BYTES + 1)),
                     ERR_TOO_LARGE);
}

/* ---- the safety record ----------------------------------------------------------------------- */

static struct safety_record sample_safety(uint32_t votes)
{
    struct safety_record r = {
        .sequence = sample_number(&sample),
        .epoch = sample_number(&sample),
        .highest_notarize = sample_number(&sample),
        .highest_skip = sample_number(&sample),
        .highest_finalize = sample_number(&sample),
        .clean = sample_below(&sample, 1) != 0,
        .amnesiac = sample_below(&sample, 1) != 0,
        .votes = votes,
    };
    sample_fill(&sample, r.genesis.b, sizeof r.genesis.b);
    sample_fill(&sample, r.member.b, sizeof r.member.b);
    for (uint32_t i = 0; i < votes; i++) {
        r.vote[i] = sample_vote(&sample);
    }
    return r;
}

static bool same_safety(const struct safety_record *a, const struct safety_record *b)
{
    bool same = a->votes == b->votes;
    for (uint32_t i = 0; same && i < a->votes; i++) {
        same = same_vote(&a->vote[i], &b->vote[i]);
    }
    return same && a->sequence == b->sequence && a->epoch == b->epoch &&
           a->highest_notarize == b->highest_notarize && a->highest_skip == b->highest_skip &&
           a->highest_finalize == b->highest_finalize && a->clean == b->clean &&
           a->amnesiac == b->amnesiac && hash_equal(&a->genesis, &b->genesis) &&
           address_equal(&a->member, &b->member);
}

static void safety_round_trip(void **state)
{
    (void)state;
    sample = (struct sample){.seed = 9};
    for (uint32_t votes = 0; votes <= LIMIT_STEP_VOTES; votes++) {
        struct safety_record r = sample_safety(votes);
        struct safety_record back;
        safety_record_encode(first, &r);
        assert_int_equal(safety_record_decode(&back, first), OK);
        assert_true(same_safety(&r, &back));
    }
}

/* Every byte, with a single bit flipped and with all of them. */
static void safety_flipped_bytes(void **state)
{
    (void)state;
    sample = (struct sample){.seed = 10};
    struct safety_record r = sample_safety(3);
    struct safety_record back;
    safety_record_encode(first, &r);
    for (size_t at = 0; at < SAFETY_SLOT_BYTES; at++) {
        const uint8_t flip[] = {(uint8_t)(1u << at % 8), 0xff};
        for (size_t i = 0; i < sizeof flip; i++) {
            first[at] ^= flip[i];
            assert_int_equal(safety_record_decode(&back, first), ERR_CORRUPT);
            first[at] ^= flip[i];
        }
    }
    assert_int_equal(safety_record_decode(&back, first), OK);
}

/* Decodes the record with one byte changed and the checksum made right again. */
static enum err decode_changed(size_t at, uint8_t value)
{
    struct safety_record back;
    memcpy(second, first, SAFETY_SLOT_BYTES);
    second[at] = value;
    struct hash sum = keccak256(second, SAFETY_SLOT_BYTES - 32);
    memcpy(second + SAFETY_SLOT_BYTES - 32, sum.b, sizeof sum.b);
    return safety_record_decode(&back, second);
}

static void safety_content(void **state)
{
    (void)state;
    sample = (struct sample){.seed = 11};
    struct safety_record r = sample_safety(2);
    safety_record_encode(first, &r);
    assert_int_equal(decode_changed(8, 1), OK);
    assert_int_equal(decode_changed(0, 'X'), ERR_MALFORMED);   /* mark */
    assert_int_equal(decode_changed(100, 4), ERR_MALFORMED);   /* flags */
    assert_int_equal(decode_changed(101, 33), ERR_MALFORMED);  /* votes */
    assert_int_equal(decode_changed(101, 1), ERR_MALFORMED);   /* bytes behind the last vote */
    assert_int_equal(decode_changed(101, 3), ERR_MALFORMED);   /* a vote of no kind */
    assert_int_equal(decode_changed(102, 4), ERR_MALFORMED);   /* kind */
    assert_int_equal(decode_changed(103, 32), ERR_MALFORMED);  /* signer */
    assert_int_equal(decode_changed(4063, 1), ERR_MALFORMED);  /* padding */
}

static void safety_zeros(void **state)
{
    (void)state;
    struct safety_record back;
    memset(first, 0, SAFETY_SLOT_BYTES);
    assert_int_equal(safety_record_decode(&back, first), ERR_CORRUPT);
}

static int release(void **state)
{
    (void)state;
    message_arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(step_round_trip),
        cmocka_unit_test(step_flipped_bits),
        cmocka_unit_test(step_truncated),
        cmocka_unit_test(step_limits),
        cmocka_unit_test(block_round_trip),
        cmocka_unit_test(block_damage),
        cmocka_unit_test(largest_block),
        cmocka_unit_test(certificate_round_trip),
        cmocka_unit_test(certificate_damage),
        cmocka_unit_test(safety_round_trip),
        cmocka_unit_test(safety_flipped_bytes),
        cmocka_unit_test(safety_content),
        cmocka_unit_test(safety_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}
