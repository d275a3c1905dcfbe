#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "duty_bench.h"

enum { SIZE = 8 };

void bench_open(struct bench *b)
{
    *b = (struct bench){.cfg = duty_config_default(4, SELF)};
    assert_int_equal(duty_new(&b->d, &b->cfg), OK);
    b->v = (struct duty_view){.now_ms = NOW, .l1_ok = true, .head = HEAD, .derived = true,
                              .leader = -1, .able = true, .connected = 0xf};
}

/* Segment `no`: blocks 10 no + 1 to 10 no + 10, sealed at the present head. */
void bench_add(struct bench *b, uint64_t no, uint8_t proposer)
{
    const struct duty_segment s = {.no = no, .first = 10 * no + 1, .last = 10 * no + 10,
                                   .proposer = proposer, .seal_l1 = b->v.head};
    assert_int_equal(duty_segment_add(b->d, &s), OK);
    duty_tick(b->d, &b->v, &b->plan);
}

struct buffer bench_intent(uint64_t no, uint8_t member, uint64_t nonce, uint64_t time_ms)
{
    static const uint8_t raw[INTENT_LADDER][SIZE];
    struct post_intent i = {.segment = no, .first = 10 * no + 1, .last = 10 * no + 10,
                            .member = member, .kind = INTENT_CALLDATA, .time_ms = time_ms,
                            .parts = 1};
    struct buffer out;
    i.account.b[0] = member;
    i.part[0].nonce = nonce;
    for (size_t r = 0; r < INTENT_LADDER; r++) {
        i.part[0].raw[i.part[0].rungs++] = bytes_of(raw[r], SIZE);
    }
    buffer_init(&out, LIMIT_INTENT_BYTES);
    assert_int_equal(intent_encode(&out, &i), OK);
    return out;
}

/* True: something better is held here. */
bool bench_hear(struct bench *b, uint64_t no, uint8_t member, uint64_t nonce, uint64_t time_ms)
{
    struct buffer e = bench_intent(no, member, nonce, time_ms);
    struct bytes rather;
    assert_int_equal(
        duty_intent_add(b->d, buffer_bytes(&e), false, false, b->v.now_ms, &rather), OK);
    buffer_free(&e);
    return rather.n > 0;
}

const struct duty_action *bench_act(struct bench *b, enum duty_do what)
{
    duty_tick(b->d, &b->v, &b->plan);
    for (size_t i = 0; i < b->plan.n; i++) {
        if (b->plan.action[i].what == what) {
            return &b->plan.action[i];
        }
    }
    return NULL;
}

/* The same, where there has to be one. */
struct duty_action bench_need(struct bench *b, enum duty_do what)
{
    static const struct duty_action none;
    const struct duty_action *a = bench_act(b, what);
    assert_non_null(a);
    return a != NULL ? *a : none;
}

bool bench_posts(struct bench *b, uint64_t no)
{
    const struct duty_action *a = bench_act(b, DUTY_POST);
    return a != NULL && a->segment == no;
}

struct bench bench_own(uint64_t time_ms)
{
    struct bench b;
    bench_open(&b);
    bench_add(&b, 0, SELF);
    assert_true(bench_posts(&b, 0));
    bench_hear(&b, 0, SELF, 3, time_ms);
    return b;
}
