#define _GNU_SOURCE
#include "tests/unit/p2p/cmocka.inc.h"

#include <stdlib.h>

#include "p2p/lanes.h"

enum { SEEN_MAX = 64 };

struct seen {
    int n;
    uint8_t tag[SEEN_MAX];
    size_t len[SEEN_MAX];
    uint32_t sum[SEEN_MAX];
};

static uint32_t sum_of(struct bytes b)
{
    uint32_t s = 17;
    for (size_t i = 0; i < b.n; i++) {
        s = s * 31 + b.p[i];
    }
    return s;
}

static enum err see(void *ctx, uint8_t tag, struct bytes payload)
{
    struct seen *s = ctx;
    assert_true(s->n < SEEN_MAX);
    s->tag[s->n] = tag;
    s->len[s->n] = payload.n;
    s->sum[s->n++] = sum_of(payload);
    return OK;
}

static struct frame *frame_of(uint8_t tag, size_t n, uint8_t seed)
{
    struct frame *f = frame_new(tag, n);
    for (size_t i = 0; i < n; i++) {
        f->data[i] = (uint8_t)(seed + i * 7);
    }
    return f;
}

static void push(struct lanes *l, uint8_t tag, size_t n, uint8_t seed)
{
    struct frame *f = frame_of(tag, n, seed);
    assert_int_equal(lanes_push(l, f), OK);
    frame_unref(f);
}

/* Everything that the lanes hold, in pulls of `room`, into the reader in steps of `step`. */
static void carry(struct lanes *l, struct frame_reader *r, size_t room, size_t step, struct seen *s)
{
    uint8_t buf[16384];
    for (size_t n; (n = lanes_pull(l, buf, room)) > 0;) {
        for (size_t i = 0; i < n; i += step) {
            struct bytes part = bytes_of(buf + i, n - i < step ? n - i : step);
            assert_int_equal(frame_reader_feed(r, part, see, s), OK);
        }
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    static const size_t rooms[] = {64, 100, 1000, 16384};
    static const size_t steps[] = {1, 3, 16384};
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < 3; j++) {
            struct lanes l = {0};
            struct frame_reader r = {0};
            struct seen s = {0};
            push(&l, LANE_VOTE, 0, 1);
            push(&l, LANE_BODY, 20000, 2);
            push(&l, LANE_SYNC, 70, 3);
            carry(&l, &r, rooms[i], steps[j], &s);
            assert_int_equal(s.n, 3);
            assert_int_equal(s.len[1], 20000);
            struct frame *f = frame_of(LANE_BODY, 20000, 2);
            assert_int_equal(s.sum[1], sum_of(bytes_of(f->data, f->len)));
            frame_unref(f);
            frame_reader_free(&r);
            lanes_clear(&l);
        }
    }
}

static void test_vote_overtakes_body(void **state)
{
    (void)state;
    struct lanes l = {0};
    struct frame_reader r = {0};
    struct seen s = {0};
    uint8_t buf[16384];
    push(&l, LANE_BODY, 100000, 1);
    size_t n = lanes_pull(&l, buf, sizeof buf);
    assert_int_equal(frame_reader_feed(&r, bytes_of(buf, n), see, &s), OK);
    push(&l, LANE_VOTE, 300, 2);
    push(&l, LANE_PROPOSAL, 40000, 3);
    carry(&l, &r, sizeof buf, sizeof buf, &s);
    assert_int_equal(s.n, 3);
    assert_int_equal(s.tag[0], LANE_VOTE);
    assert_int_equal(s.tag[1], LANE_PROPOSAL);
    assert_int_equal(s.tag[2], LANE_BODY);
    frame_reader_free(&r);
    lanes_clear(&l);
}

static void test_rewind(void **state)
{
    (void)state;
    struct lanes l = {0};
    struct frame_reader r = {0};
    struct seen s = {0};
    uint8_t buf[1000];
    push(&l, LANE_BODY, 5000, 1);
    assert_true(lanes_pull(&l, buf, sizeof buf) > 0);
    lanes_rewind(&l);
    carry(&l, &r, sizeof buf, sizeof buf, &s); /* a fresh reader: the new connection's */
    assert_int_equal(s.n, 1);
    assert_int_equal(s.len[0], 5000);
    frame_reader_free(&r);
    lanes_clear(&l);
}

static enum err feed_one(uint32_t length, uint8_t tag, uint32_t total)
{
    struct frame_reader r = {0};
    struct seen s = {0};
    uint8_t in[9];
    store_be32(in, length);
    in[4] = tag;
    store_be32(in + 5, total);
    enum err e = frame_reader_feed(&r, bytes_of(in, sizeof in), see, &s);
    for (int i = 0; i < FRAME_SLOTS; i++) {
        assert_null(r.slot[i].p); /* a claim allocates nothing */
    }
    frame_reader_free(&r);
    return e;
}

static void test_refused(void **state)
{
    (void)state;
    const uint8_t first = 0x40 | FRAGMENT_FIRST;
    const uint8_t whole = 0x40 | FRAGMENT_FIRST | FRAGMENT_LAST;
    assert_int_equal(feed_one(10, whole & 0x3f, 0), ERR_WRONG_VERSION);
    assert_int_equal(feed_one(10, 0x80 | whole, 0), ERR_WRONG_VERSION);
    assert_int_equal(feed_one(10, whole | 7, 0), ERR_MALFORMED);
    assert_int_equal(feed_one(10, 0x40, 0), ERR_MALFORMED);
    assert_int_equal(feed_one(LIMIT_FRAME_CONTROL + 1, whole, 0), ERR_TOO_LARGE);
    assert_int_equal(feed_one(UINT32_MAX, whole | LANE_SYNC, 0), ERR_TOO_LARGE);
    assert_int_equal(feed_one(LIMIT_FRAME_HELLO + 1, whole | FRAME_HELLO, 0), ERR_TOO_LARGE);
    assert_int_equal(feed_one(100, first | LANE_BODY, LIMIT_FRAME_BODY + 1), ERR_TOO_LARGE);
    assert_int_equal(feed_one(100, first | LANE_BODY, UINT32_MAX), ERR_TOO_LARGE);
    assert_int_equal(feed_one(100, first | LANE_BODY, 96), ERR_MALFORMED);
    assert_int_equal(feed_one(4, first | LANE_BODY, 96), ERR_MALFORMED);
    assert_int_equal(feed_one(100, first | FRAME_HELLO, 4000), ERR_MALFORMED);
    assert_int_equal(feed_one(100, first | LANE_BODY, LIMIT_FRAME_BODY), OK);
}

/* Begins a frame of 200 bytes with 100 of them, then sends one more fragment. */
static enum err feed_second(uint8_t flags, uint32_t length)
{
    struct frame_reader r = {0};
    struct seen s = {0};
    uint8_t in[9 + 100 + 5] = {0};
    store_be32(in, 104);
    in[4] = 0x40 | FRAGMENT_FIRST | LANE_TX;
    store_be32(in + 5, 200);
    store_be32(in + 109, length);
    in[113] = (uint8_t)(0x40 | flags | LANE_TX);
    enum err e = frame_reader_feed(&r, bytes_of(in, sizeof in), see, &s);
    frame_reader_free(&r);
    return e;
}

static void test_refused_second(void **state)
{
    (void)state;
    assert_int_equal(feed_second(0, 50), OK);
    assert_int_equal(feed_second(FRAGMENT_LAST, 100), OK);
    assert_int_equal(feed_second(0, 0), ERR_MALFORMED);
    assert_int_equal(feed_second(0, 100), ERR_MALFORMED);
    assert_int_equal(feed_second(0, 101), ERR_MALFORMED);
    assert_int_equal(feed_second(FRAGMENT_LAST, 99), ERR_MALFORMED);
    assert_int_equal(feed_second(FRAGMENT_FIRST | FRAGMENT_LAST, 100), ERR_MALFORMED);
}

static void test_vote_lane_drops_oldest(void **state)
{
    (void)state;
    struct lanes l = {0};
    uint8_t buf[16];
    for (uint32_t i = 0; i < LIMIT_LANE_FRAMES + 10; i++) {
        struct frame *f = frame_new(LANE_VOTE, 4);
        store_be32(f->data, i);
        assert_int_equal(lanes_push(&l, f), OK);
        frame_unref(f);
    }
    assert_int_equal(l.dropped, 10);
    assert_int_equal(l.lane[LANE_VOTE].count, LIMIT_LANE_FRAMES);
    assert_int_equal(lanes_pull(&l, buf, 9), 9);
    assert_int_equal(load_be32(buf + 5), 10);
    lanes_clear(&l);
    assert_int_equal(lanes_bytes(&l), 0);
}

static void test_begun_vote_frame_goes_on(void **state)
{
    (void)state;
    struct lanes l = {0};
    struct frame_reader r = {0};
    struct seen s = {0};
    uint8_t buf[100];
    push(&l, LANE_VOTE, 500, 1);
    size_t n = lanes_pull(&l, buf, sizeof buf);
    assert_int_equal(frame_reader_feed(&r, bytes_of(buf, n), see, &s), OK);
    for (int i = 0; i < LIMIT_LANE_FRAMES; i++) {
        push(&l, LANE_VOTE, 1, 2);
    }
    assert_int_equal(l.dropped, 1);
    n = lanes_pull(&l, buf, sizeof buf);
    assert_int_equal(frame_reader_feed(&r, bytes_of(buf, n), see, &s), OK);
    lanes_clear(&l);
    frame_reader_free(&r);
}

static void test_other_lanes_refuse(void **state)
{
    (void)state;
    struct lanes l = {0};
    struct frame *f = frame_new(LANE_BODY, LIMIT_BODY_BYTES);
    memset(f->data, 7, f->len);
    for (int i = 0; i < LIMIT_LANE_BYTES / LIMIT_BODY_BYTES; i++) {
        assert_int_equal(lanes_push(&l, f), OK);
    }
    assert_int_equal(lanes_push(&l, f), ERR_BUSY);
    assert_int_equal(l.dropped, 1);
    assert_int_equal(f->refs, 1 + LIMIT_LANE_BYTES / LIMIT_BODY_BYTES);
    lanes_clear(&l);
    assert_int_equal(f->refs, 1);
    frame_unref(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_vote_overtakes_body),
        cmocka_unit_test(test_rewind),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_refused_second),
        cmocka_unit_test(test_vote_lane_drops_oldest),
        cmocka_unit_test(test_begun_vote_frame_goes_on),
        cmocka_unit_test(test_other_lanes_refuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
