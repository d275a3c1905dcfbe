/* Messages: every limit at its edge, unknown fields, second forms, memory taken by a decode.
 * Frames are put together by hand here: the encoder would refuse to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sample.h"

enum { ROOM = LIMIT_FRAME_SYNC + 4096 };

/* Field tags as they stand on the wire: number << 3 | 2 for what has a length. */
enum {
    TAG_STATUS = 0x0a,
    TAG_VOTES = 0x12,
    TAG_BUNDLE = 0x1a,
    TAG_PROPOSAL = 0x22,
    TAG_BODY = 0x2a,
    TAG_BLOCK = 0x3a,
    TAG_BLOCKS = 0x4a,
    TAG_TXS = 0x52,
    TAG_TX_ACK = 0x5a,
    TAG_1 = 0x0a,
    TAG_2 = 0x12,
    TAG_3 = 0x1a
};

/* A growing run of bytes. */
struct run {
    uint8_t *p;
    size_t n;
};

static struct sample sample;
static struct message_arena arena;
static struct run part;
static struct run inner;
static struct run frame;

static void add(struct run *r, const void *p, size_t n)
{
    assert_true(r->n + n <= ROOM);
    if (n > 0) {
        memcpy(r->p + r->n, p, n);
    }
    r->n += n;
}

static void add_number(struct run *r, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) {
        add(r, &(uint8_t){(uint8_t)(v | 0x80)}, 1);
    }
    add(r, &(uint8_t){(uint8_t)v}, 1);
}

static void add_field(struct run *r, uint8_t tag, const void *p, size_t n)
{
    add(r, &tag, 1);
    add_number(r, n);
    add(r, p, n);
}

static enum err decode(const struct run *r)
{
    struct message back;
    message_arena_reset(&arena);
    return message_decode(&back, &arena, bytes_of(r->p, r->n));
}

/* Decodes a frame of one kind with this content. */
static enum err decode_kind(uint8_t tag, const struct run *content)
{
    frame.n = 0;
    add_field(&frame, tag, content->p, content->n);
    return decode(&frame);
}

/* `part` becomes a vote, certificate or head: what `encode` leaves of it without tag and length. */
static void take_vote(void)
{
    uint8_t raw[256];
    struct vote v = {.kind = VOTE_NOTARIZE, .epoch = 1, .slot = 1};
    struct message m = {.kind = MSG_VOTES, .u.bundle = {.vote = &v, .votes = 1}};
    size_t n = 0;
    assert_int_equal(message_encode(raw, sizeof raw, &n, &m), OK);
    part.n = 0;
    add(&part, raw + 4, n - 4); /* tags and one-byte lengths of Frame.votes and Votes.vote */
}

static void take_certificate(void)
{
    uint8_t raw[CERTIFICATE_MAX_BYTES];
    struct certificate c = {.kind = VOTE_SKIP, .slot = 1, .signers = 2};
    part.n = 0;
    assert_int_equal(certificate_encode(raw, sizeof raw, &part.n, &c), OK);
    memcpy(part.p, raw, part.n);
}

static void take_head(size_t system)
{
    struct header h = {.slot = 1};
    uint8_t raw[HEADER_BYTES];
    uint8_t signature[65] = {0};
    header_encode(raw, &h);
    part.n = 0;
    add_field(&part, TAG_1, raw, sizeof raw);
    add_field(&part, TAG_2, signature, sizeof signature);
    if (system > 0) {
        add_field(&part, TAG_3, frame.p, system);
    }
}

static enum err decode_many(uint8_t kind, uint8_t tag, uint32_t count)
{
    inner.n = 0;
    for (uint32_t i = 0; i < count; i++) {
        add_field(&inner, tag, part.p, part.n);
    }
    return decode_kind(kind, &inner);
}

static void counts(void **state)
{
    (void)state;
    take_vote();
    assert_int_equal(decode_many(TAG_VOTES, TAG_1, LIMIT_FRAME_VOTES), OK);
    assert_int_equal(decode_many(TAG_VOTES, TAG_1, LIMIT_FRAME_VOTES + 1), ERR_TOO_LARGE);
    assert_int_equal(decode_many(TAG_BUNDLE, TAG_3, LIMIT_FRAME_VOTES), OK);
    assert_int_equal(decode_many(TAG_BUNDLE, TAG_3, LIMIT_FRAME_VOTES + 1), ERR_TOO_LARGE);
    take_certificate();
    assert_int_equal(decode_many(TAG_BUNDLE, TAG_1, LIMIT_BUNDLE_CERTS), OK);
    assert_int_equal(decode_many(TAG_BUNDLE, TAG_1, LIMIT_BUNDLE_CERTS + 1), ERR_TOO_LARGE);
    take_head(0);
    assert_int_equal(decode_many(TAG_BUNDLE, TAG_2, LIMIT_BUNDLE_HEADERS), OK);
    assert_int_equal(decode_many(TAG_BUNDLE, TAG_2, LIMIT_BUNDLE_HEADERS + 1), ERR_TOO_LARGE);
    part.n = 1;
    assert_int_equal(decode_many(TAG_TXS, TAG_1, LIMIT_INTAKE_BATCH), OK);
    assert_int_equal(decode_many(TAG_TXS, TAG_1, LIMIT_INTAKE_BATCH + 1), ERR_TOO_LARGE);
}

static void count_of_blocks(void **state)
{
    (void)state;
    take_head(0);
    inner.n = 0;
    add_field(&inner, TAG_1, part.p, part.n);
    part.n = 0;
    add(&part, inner.p, inner.n);
    assert_int_equal(decode_many(TAG_BLOCKS, TAG_1, LIMIT_SYNC_BLOCKS), OK);
    assert_int_equal(decode_many(TAG_BLOCKS, TAG_1, LIMIT_SYNC_BLOCKS + 1), ERR_TOO_LARGE);
}

static enum err decode_body(size_t n)
{
    uint8_t block[32] = {0};
    inner.n = 0;
    add_field(&inner, TAG_1, block, sizeof block);
    add_field(&inner, TAG_2, part.p, n);
    return decode_kind(TAG_BODY, &inner);
}

static enum err decode_block(size_t system, size_t body)
{
    take_head(system);
    inner.n = 0;
    add_field(&inner, TAG_1, part.p, part.n);
    add_field(&inner, TAG_2, part.p, body);
    return decode_kind(TAG_BLOCK, &inner);
}

static enum err decode_tx(size_t n)
{
    part.n = n;
    return decode_many(TAG_TXS, TAG_1, 1);
}

static void lengths(void **state)
{
    (void)state;
    assert_int_equal(decode_body(LIMIT_BODY_BYTES), OK);
    assert_int_equal(decode_body(LIMIT_BODY_BYTES + 1), ERR_TOO_LARGE);
    assert_int_equal(decode_block(LIMIT_SYSTEM_BYTES, LIMIT_BODY_BYTES), OK);
    assert_int_equal(decode_block(LIMIT_SYSTEM_BYTES, LIMIT_BODY_BYTES + 1), ERR_TOO_LARGE);
    assert_int_equal(decode_block(LIMIT_SYSTEM_BYTES + 1, 1), ERR_TOO_LARGE);
    assert_int_equal(decode_tx(LIMIT_TX_BYTES), OK);
    assert_int_equal(decode_tx(LIMIT_TX_BYTES + 1), ERR_TOO_LARGE);
}

static void frames(void **state)
{
    (void)state;
    memset(part.p, 7, ROOM);
    part.n = 32 * 16000;
    inner.n = 0;
    add_field(&inner, TAG_1, part.p, part.n);
    assert_int_equal(decode_kind(TAG_TX_ACK, &inner), OK);
    inner.n = 0;
    add_field(&inner, TAG_1, part.p, 32 * LIMIT_INTAKE_WAITING);
    assert_int_equal(decode_kind(TAG_TX_ACK, &inner), ERR_TOO_LARGE);
    part.n = LIMIT_TX_BYTES;
    assert_int_equal(decode_many(TAG_TXS, TAG_1, 7), OK);
    assert_int_equal(decode_many(TAG_TXS, TAG_1, 8), ERR_TOO_LARGE);
    frame.n = LIMIT_FRAME_SYNC + 1;
    assert_int_equal(decode(&frame), ERR_TOO_LARGE);
}

static void encoder_keeps_counts(void **state)
{
    (void)state;
    static struct vote vote[LIMIT_FRAME_VOTES + 1];
    static struct hash hash[LIMIT_INTAKE_WAITING + 1];
    struct message m = {.kind = MSG_VOTES,
                        .u.bundle = {.vote = vote, .votes = LIMIT_FRAME_VOTES + 1}};
    assert_int_equal(message_encode(frame.p, ROOM, &frame.n, &m), ERR_TOO_LARGE);
    m = (struct message){.kind = MSG_TX_ACK,
                         .u.tx_ack = {.hash = hash, .hashes = LIMIT_INTAKE_WAITING + 1}};
    assert_int_equal(message_encode(frame.p, ROOM, &frame.n, &m), ERR_TOO_LARGE);
    m.u.tx_ack.hashes = LIMIT_INTAKE_WAITING; /* with tags and lengths beyond the frame */
    assert_int_equal(message_encode(frame.p, ROOM, &frame.n, &m), ERR_TOO_LARGE);
    m = (struct message){.kind = MSG_BODY, .u.body.body = bytes_of(part.p, LIMIT_BODY_BYTES + 1)};
    assert_int_equal(message_encode(frame.p, ROOM, &frame.n, &m), ERR_TOO_LARGE);
    m = (struct message){.kind = MSG_KIND_COUNT, .has_status = true};
    assert_int_equal(message_encode(frame.p, ROOM, &frame.n, &m), ERR_INVARIANT);
    m = (struct message){.kind = MSG_STATUS};
    assert_int_equal(message_encode(frame.p, ROOM, &frame.n, &m), ERR_INVARIANT);
}

/* Largest bundle that fits: all signatures of all certificates of a full set. */
static void large_bundle_round_trips(void **state)
{
    (void)state;
    static struct certificate cert[LIMIT_BUNDLE_CERTS];
    static struct block_head head[LIMIT_BUNDLE_HEADERS];
    static struct vote vote[LIMIT_FRAME_VOTES];
    sample = (struct sample){.seed = 9, .most = 1};
    struct message m = {.kind = MSG_BUNDLE, .u.bundle = {cert, LIMIT_BUNDLE_CERTS, head,
                                                         LIMIT_BUNDLE_HEADERS, vote,
                                                         LIMIT_FRAME_VOTES}};
    for (int i = 0; i < LIMIT_BUNDLE_CERTS; i++) {
        cert[i] = sample_certificate(&sample);
        cert[i].signers = UINT32_MAX;
        vote[i] = sample_vote(&sample);
        head[i % LIMIT_BUNDLE_HEADERS] = sample_head(&sample);
    }
    assert_int_equal(message_encode(frame.p, message_size(&m), &frame.n, &m), OK);
    struct message back;
    assert_int_equal(message_decode(&back, &arena, bytes_of(frame.p, frame.n)), OK);
    assert_true(same_message(&m, &back));
}

static void unknown_fields(void **state)
{
    (void)state;
    static const uint8_t unknown[] = {0xf8, 0x01, 0x01}; /* field 31, number 1 */
    take_vote();
    assert_int_equal(decode_many(TAG_VOTES, TAG_1, 1), OK);
    add(&frame, unknown, sizeof unknown);
    assert_int_equal(decode(&frame), ERR_NOT_CANONICAL);
    add(&inner, unknown, sizeof unknown);
    assert_int_equal(decode_kind(TAG_VOTES, &inner), ERR_NOT_CANONICAL);
    add(&part, unknown, sizeof unknown);
    assert_int_equal(decode_many(TAG_VOTES, TAG_1, 1), ERR_NOT_CANONICAL);
    frame.n = 0;
    add(&frame, unknown, sizeof unknown);
    assert_int_equal(decode(&frame), ERR_MALFORMED);
}

/* One vote, its first field (kind = 1) written as `kind`. */
static enum err decode_vote_of(const void *kind, size_t n)
{
    take_vote();
    inner.n = 0;
    add(&inner, kind, n);
    add(&inner, part.p + 2, part.n - 2);
    part.n = 0;
    add(&part, inner.p, inner.n);
    return decode_many(TAG_VOTES, TAG_1, 1);
}

static void second_forms(void **state)
{
    (void)state;
    assert_int_equal(decode_vote_of("\x08\x01", 2), OK);
    assert_int_equal(decode_vote_of("\x08\x81\x00", 3), ERR_NOT_CANONICAL); /* long number */
    assert_int_equal(decode_vote_of("\x08\x01\x10\x00", 4), ERR_NOT_CANONICAL); /* default */
    assert_int_equal(decode_vote_of("\x08\x02\x08\x01", 4), ERR_NOT_CANONICAL); /* twice */
    assert_int_equal(decode_vote_of("\x18\x01\x08\x01", 4), ERR_NOT_CANONICAL); /* order */
    assert_int_equal(decode_vote_of("\x08\x81\x80\x80\x80\x10", 6), ERR_NOT_CANONICAL); /* 2^32+1 */
    assert_int_equal(decode_vote_of("", 0), ERR_MALFORMED);
    assert_int_equal(decode_vote_of("\x08\x04", 2), ERR_MALFORMED);
    assert_int_equal(decode_vote_of("\x08\x01\x10\x20", 4), ERR_MALFORMED); /* signer 32 */
}

/* Two kinds in one frame, or one kind in two pieces. */
static void pieces(void **state)
{
    (void)state;
    take_vote();
    assert_int_equal(decode_many(TAG_VOTES, TAG_1, 1), OK);
    add_field(&frame, TAG_VOTES, inner.p, inner.n);
    assert_int_equal(decode(&frame), ERR_NOT_CANONICAL);
    assert_int_equal(decode_many(TAG_VOTES, TAG_1, 1), OK);
    add_field(&frame, TAG_BUNDLE, NULL, 0);
    assert_int_equal(decode(&frame), ERR_NOT_CANONICAL);
}

static void empty_optional_bundle(void **state)
{
    (void)state;
    take_head(0);
    inner.n = 0;
    add_field(&inner, TAG_1, part.p, part.n);
    assert_int_equal(decode_kind(TAG_PROPOSAL, &inner), OK);
    add_field(&inner, TAG_2, NULL, 0);
    assert_int_equal(decode_kind(TAG_PROPOSAL, &inner), ERR_NOT_CANONICAL);
    inner.n = 0;
    assert_int_equal(decode_kind(TAG_PROPOSAL, &inner), ERR_MALFORMED);
}

/* The signatures of a certificate are as many as its signers. */
static void signers_and_signatures(void **state)
{
    (void)state;
    uint8_t block[32] = {0};
    uint8_t signature[130] = {0};
    for (uint8_t signers = 0; signers < 8; signers++) {
        part.n = 0;
        add(&part, "\x08\x02", 2);
        add_field(&part, 0x22, block, sizeof block);
        if (signers > 0) {
            add(&part, (uint8_t[]){0x28, signers}, 2);
        }
        add_field(&part, 0x32, signature, sizeof signature);
        bool two = signers == 3 || signers == 5 || signers == 6;
        assert_int_equal(decode_many(TAG_BUNDLE, TAG_1, 1), two ? OK : ERR_MALFORMED);
    }
}

/* Frames that would make a careless decoder take many times their size. */
static void memory_is_bounded(void **state)
{
    (void)state;
    const uint8_t tag[] = {TAG_STATUS, TAG_VOTES, TAG_BUNDLE, TAG_BLOCKS, TAG_TXS, 0x7a, 0xfa};
    for (size_t i = 0; i < sizeof tag; i++) {
        frame.n = 0;
        while (frame.n < LIMIT_FRAME_CONTROL - 4) {
            add(&frame, (uint8_t[]){tag[i], tag[i] == 0xfa, 0}, tag[i] == 0xfa ? 3 : 2);
        }
        assert_int_not_equal(decode(&frame), OK);
        inner.n = 0;
        while (inner.n < LIMIT_FRAME_CONTROL - 16) {
            add(&inner, (uint8_t[]){TAG_1, 0}, 2);
        }
        assert_int_not_equal(decode_kind(tag[i], &inner), OK);
        assert_true(arena.size <= 2 * LIMIT_FRAME_CONTROL + 524288);
    }
}

/* Lengths that claim more than there is. */
static void claims(void **state)
{
    (void)state;
    const uint8_t tag[] = {TAG_STATUS, TAG_VOTES, TAG_BUNDLE, TAG_BODY, TAG_BLOCKS, TAG_TXS};
    for (size_t i = 0; i < sizeof tag; i++) {
        frame.n = 0;
        add(&frame, &tag[i], 1);
        add_number(&frame, i % 2 == 0 ? 0x7fffffff : UINT64_MAX);
        assert_int_equal(decode(&frame), ERR_MALFORMED);
        assert_true(arena.size < 2097152);
    }
}

static void reset_returns_large_blocks(void **state)
{
    (void)state;
    message_arena_reset(&arena);
    assert_int_equal(decode_body(LIMIT_BODY_BYTES), OK);
    assert_true(arena.size > LIMIT_BODY_BYTES);
    message_arena_reset(&arena);
    assert_int_equal(arena.size, 0);
    take_vote();
    assert_int_equal(decode_many(TAG_VOTES, TAG_1, 1), OK);
    const uint8_t *base = arena.base;
    assert_int_equal(decode_many(TAG_VOTES, TAG_1, 1), OK);
    assert_ptr_equal(arena.base, base);
}

static void lanes(void **state)
{
    (void)state;
    for (int kind = MSG_STATUS; kind < MSG_KIND_COUNT; kind++) {
        assert_true(message_lane((enum message_kind)kind) < LANE_COUNT);
        assert_true(message_limit((enum message_kind)kind) >= LIMIT_FRAME_CONTROL);
    }
    assert_int_equal(message_lane(MSG_VOTES), LANE_VOTE);
    assert_int_equal(message_lane(MSG_BUNDLE), LANE_VOTE);
    assert_int_equal(message_lane(MSG_PROPOSAL), LANE_PROPOSAL);
    assert_int_equal(message_lane(MSG_BLOCK), LANE_BODY);
    assert_int_equal(message_lane(MSG_TXS), LANE_TX);
    assert_int_equal(message_lane(MSG_BLOCKS), LANE_SYNC);
}

static int prepare(void **state)
{
    (void)state;
    struct run *run[] = {&part, &inner, &frame};
    for (size_t i = 0; i < sizeof run / sizeof *run; i++) {
        run[i]->p = calloc(1, ROOM);
        assert_non_null(run[i]->p);
    }
    return 0;
}

static int release(void **state)
{
    (void)state;
    free(part.p);
    free(inner.p);
    free(frame.p);
    message_arena_free(&arena);
    return 0;
}

/* A notice names a member that can be; what it leaves out stays out. */
static void notices_name_members(void **state)
{
    (void)state;
    static uint8_t raw[512];
    for (int k = 0; k < 4; k++) {
        struct message m = {.kind = MSG_NOTICES};
        struct message back;
        size_t n = 0;
        m.u.notices.has_ready = k < 2;
        m.u.notices.has_leave = k >= 2;
        m.u.notices.ready.member = (uint8_t)(LIMIT_MEMBERS - 1 + k % 2);
        m.u.notices.leave.member = (uint8_t)(LIMIT_MEMBERS - 1 + k % 2);
        assert_int_equal(message_encode(raw, sizeof raw, &n, &m), OK);
        enum err want = k % 2 == 0 ? OK : ERR_MALFORMED;
        assert_int_equal(message_decode(&back, &arena, bytes_of(raw, n)), want);
        if (want == OK) {
            assert_int_equal(back.u.notices.has_ready, k < 2);
            assert_int_equal(back.u.notices.has_leave, k >= 2);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts),
        cmocka_unit_test(count_of_blocks),
        cmocka_unit_test(lengths),
        cmocka_unit_test(frames),
        cmocka_unit_test(encoder_keeps_counts),
        cmocka_unit_test(large_bundle_round_trips),
        cmocka_unit_test(unknown_fields),
        cmocka_unit_test(second_forms),
        cmocka_unit_test(pieces),
        cmocka_unit_test(empty_optional_bundle),
        cmocka_unit_test(signers_and_signatures),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(claims),
        cmocka_unit_test(reset_returns_large_blocks),
        cmocka_unit_test(lanes),
        cmocka_unit_test(notices_name_members),
    };
    return cmocka_run_group_tests(tests, prepare, release);
}
