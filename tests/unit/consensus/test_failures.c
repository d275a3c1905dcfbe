/* The k-th signature, write and answer of the execution client fails, for every k of scripted lives
 * of one member among three others; or a step finds its k-th request for room refused. The oracle of the fuzzers (tests/fuzz/core_oracle.h) looks at
 * every step: after a signer or a disk that failed no vote is made any more, and nothing leaves
 * that is not durable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "consensus/core.h"
#include "tests/fuzz/core_act.h"

enum { ROUNDS = 12, ROUNDS_ROOM = 10, SCRIPT = 2048 };

enum call { SIGNATURE, WRITE, ANSWER };

static struct core_run r;
static int rounds = ROUNDS;

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
    for (int i = 0; i < rounds; i++) {
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

/* ---- room: the linker leads the core's requests through here -------------------------------------- */

static uint64_t room_asked, room_from, room_to; /* requests from .. to are refused */

static bool no_room(struct core *c, bool told)
{
    uint64_t k = ++room_asked;
    if (k < room_from || k > room_to) {
        return false;
    }
    c->step_more |= told;
    return true;
}

void *__real_scratch_take(struct core *c, size_t n);
void *__wrap_scratch_take(struct core *c, size_t n);
struct effect *__real_effect_new(struct core *c, enum effect_kind kind);
struct effect *__wrap_effect_new(struct core *c, enum effect_kind kind);
const struct block_head *__real_head_copy(struct core *c, const struct block_head *head);
const struct block_head *__wrap_head_copy(struct core *c, const struct block_head *head);
struct slot_record *__real_slot_get(struct core *c, uint64_t slot);
struct slot_record *__wrap_slot_get(struct core *c, uint64_t slot);
struct turn_record *__real_turn_get(struct core *c, uint64_t turn);
struct turn_record *__wrap_turn_get(struct core *c, uint64_t turn);
struct block_record *__real_block_place(struct core *c, const struct block_head *head);
struct block_record *__wrap_block_place(struct core *c, const struct block_head *head);

void *__wrap_scratch_take(struct core *c, size_t n)
{
    return no_room(c, true) ? NULL : __real_scratch_take(c, n);
}

struct effect *__wrap_effect_new(struct core *c, enum effect_kind kind)
{
    return no_room(c, true) ? NULL : __real_effect_new(c, kind);
}

const struct block_head *__wrap_head_copy(struct core *c, const struct block_head *head)
{
    return no_room(c, true) ? NULL : __real_head_copy(c, head);
}

struct slot_record *__wrap_slot_get(struct core *c, uint64_t slot)
{
    return no_room(c, false) ? NULL : __real_slot_get(c, slot);
}

struct turn_record *__wrap_turn_get(struct core *c, uint64_t turn)
{
    return no_room(c, false) ? NULL : __real_turn_get(c, turn);
}

struct block_record *__wrap_block_place(struct core *c, const struct block_head *head)
{
    return no_room(c, false) ? NULL : __real_block_place(c, head);
}

static void give(struct event e)
{
    core_run_step(&r, &e);
}

/* What a member missed it asks for: here it gets every block, and the last one is final. */
static void catch_up(void)
{
    const struct block_head *last = &r.block[r.blocks - 1].head;
    struct certificate c = core_run_certificate(&r, VOTE_FINALIZE, last->header.slot, last);
    struct message final = {.kind = MSG_BUNDLE, .u.bundle = {.cert = &c, .certs = 1}};
    give((struct event){.kind = EVENT_MESSAGE, .peer = 0, .u.message = &final});
    for (uint32_t i = r.blocks - 1; i > 0; i--) {
        struct message m = {.kind = MSG_BLOCK, .u.block.head = r.block[i].head};
        struct hash hash = r.block[i].head.hash;
        give((struct event){.kind = EVENT_MESSAGE, .peer = 0, .u.message = &m});
        give((struct event){.kind = EVENT_BODY, .peer = -1, .u.body = {hash, true}});
    }
    give((struct event){.kind = EVENT_TICK, .peer = -1});
}

static void life_with_room_refused(uint8_t how, uint64_t from, uint64_t n)
{
    struct core_view view;
    room_asked = 0;
    room_from = from;
    room_to = from + n - 1;
    run(how, ANSWER, 0);
    uint64_t asked = room_asked;
    room_from = UINT64_MAX;
    catch_up();
    room_asked = asked;
    core_get_view(r.core, &view);
    assert_false(view.stopped || view.amnesiac);
    assert_true(r.blocks > 2);
    assert_int_equal(view.final_slot, r.block[r.blocks - 1].head.header.slot);
}

/* Where a step runs out of room it ends early; nothing unsafe is said, and later steps go on. */
static void room(void **state)
{
    (void)state;
    uint64_t lives = 0;
    rounds = ROUNDS_ROOM;
    for (int i = 1; i < 4; i++) {
        life_with_room_refused(how_of(i), UINT64_MAX / 2, 1);
        uint64_t asked = room_asked;
        for (uint64_t k = 1; k <= asked; k++, lives++) {
            life_with_room_refused(how_of(i), k, 1 + k % 3 * 4);
        }
    }
    rounds = ROUNDS;
    print_message("%llu lives that lacked room once\n", (unsigned long long)lives);
    assert_true(lives > 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures),
        cmocka_unit_test(writes),
        cmocka_unit_test(answers),
        cmocka_unit_test(room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
