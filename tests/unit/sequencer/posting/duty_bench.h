/* Duty, asked step by step: member 1 of four. */
#ifndef TESTS_UNIT_SEQUENCER_POSTING_DUTY_BENCH_H
#define TESTS_UNIT_SEQUENCER_POSTING_DUTY_BENCH_H

#include "sequencer/batcher/duty.h"

enum { SELF = 1, NOW = 1000000, HEAD = 100 };

struct bench {
    struct duty *d;
    struct duty_view v;
    struct duty_plan plan;
    struct duty_config cfg;
};

void bench_open(struct bench *b);
/* Segment `no`: blocks 10 no + 1 to 10 no + 10, sealed at the present head. */
void bench_add(struct bench *b, uint64_t no, uint8_t proposer);
/* The caller frees it. */
struct buffer bench_intent(uint64_t no, uint8_t member, uint64_t nonce, uint64_t time_ms);
/* True: something better is held here. */
bool bench_hear(struct bench *b, uint64_t no, uint8_t member, uint64_t nonce, uint64_t time_ms);
/* The first such action now; NULL: none. */
const struct duty_action *bench_act(struct bench *b, enum duty_do what);
/* The same, where there has to be one. */
struct duty_action bench_need(struct bench *b, enum duty_do what);
/* The first to be posted now is this segment. */
bool bench_posts(struct bench *b, uint64_t no);
/* Our own intent for segment 0, made and not told yet. */
struct bench bench_own(uint64_t time_ms);

#endif
