/* Catching up while members lie: whoever answers with what is of no use is asked no more often than
 * the others, and whoever asks without end is served no more than its share. Peers are played by
 * their messages; what leaves is caught. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sequencer/node/parts.h"

enum { MEMBERS = 4, SELF = 3, LIAR = 0, HEAD = 5000, ROUNDS = 12, LONG_US = 5000 };

static struct node *n;
static uint32_t asked[MEMBERS]; /* ranges */
static int last_asked;
static bool up[MEMBERS];
static uint32_t served[MEMBERS]; /* blocks */
static uint32_t nothing[MEMBERS];
static uint64_t sending_us; /* so long an answer takes */

bool __wrap_net_up(const struct node *node, int member);
void __wrap_net_send(struct node *node, int to, const struct message *m);

bool __wrap_net_up(const struct node *node, int member)
{
    (void)node;
    return up[member];
}

void __wrap_net_send(struct node *node, int to, const struct message *m)
{
    (void)node;
    if (m->kind == MSG_RANGE) {
        asked[to]++;
        last_asked = to;
    }
    served[to] += m->kind == MSG_BLOCK;
    nothing[to] += m->kind == MSG_BLOCKS && m->u.blocks.blocks == 0;
    uint64_t until_us = driver_now() + sending_us;
    while (driver_now() < until_us) {
    }
}

static int setup(void **state)
{
    (void)state;
    n = calloc(1, sizeof *n);
    assert_non_null(n);
    n->self = SELF;
    n->epoch.n = MEMBERS;
    n->epoch.faulty = 1;
    n->epoch.params.turn_slots = 8;
    n->epoch.params.depth = 3;
    n->syncing.asked = -1;
    sending_us = 0;
    memset(asked, 0, sizeof asked);
    memset(served, 0, sizeof served);
    memset(nothing, 0, sizeof nothing);
    for (int i = 0; i < MEMBERS; i++) {
        const struct status s = {.final_slot = HEAD};
        n->epoch.member[i].weight = 1;
        up[i] = i != SELF;
        if (i != SELF) {
            sync_status(n, i, &s);
        }
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    blocks_close(n);
    free(n);
    return 0;
}

/* A block of no chain, at this slot. */
static void answer(int member, uint64_t slot)
{
    struct block b = {.head.header.slot = slot};
    struct message m = {.kind = MSG_BLOCKS};
    m.u.blocks.block = &b;
    m.u.blocks.blocks = slot != 0;
    sync_blocks(n, member, &m);
}

static void assert_all_were_asked(void)
{
    for (int i = 0; i < MEMBERS; i++) {
        assert_true(i == SELF ? asked[i] == 0 : asked[i] > 0);
    }
}

/* It answers at once, and each time with a block that nobody has: a slot of the past, one that looks
 * like progress, one that ends the range; nothing at all. */
static void a_member_that_answers_with_rubbish(void **state)
{
    (void)state;
    static const uint64_t slots[] = {1, 64, HEAD, UINT64_MAX, 0};
    for (size_t k = 0; k < sizeof slots / sizeof *slots; k++) {
        memset(asked, 0, sizeof asked);
        for (int i = 0; i < ROUNDS; i++) {
            sync_check(n);
            assert_true(n->syncing.asked >= 0);
            answer(last_asked, slots[k]);
        }
        assert_all_were_asked();
    }
}

/* Whoever is not asked is not heard, and one that is gone or behind is not asked. */
static void only_who_can_help(void **state)
{
    (void)state;
    const struct status behind = {.final_slot = 0};
    up[LIAR] = false;
    sync_status(n, 1, &behind);
    for (int i = 0; i < ROUNDS; i++) {
        sync_check(n);
        assert_int_equal(last_asked, 2);
        answer(1, 64);
        assert_int_equal(n->syncing.asked, 2);
        answer(2, 64);
    }
    assert_int_equal(asked[LIAR] + asked[1], 0);
}

/* No time passes: the next moment that counts is an hour away. */
static void leave(int member, uint64_t us)
{
    n->peer[member].serve_us = us;
    n->peer[member].serve_at_us = driver_now() + UINT64_C(3600000000);
}

/* Reading and packing take the loop's time. Who has used up its share is told at once that there is
 * nothing, and asks another member; the others are served as before. */
static void a_member_that_asks_without_end(void **state)
{
    (void)state;
    struct block_head head = {.header = {.slot = 1, .flags = FLAG_EMPTY}};
    head.hash = header_hash(&head.header);
    assert_non_null(blocks_put_head(n, &head));
    leave(LIAR, 20 * LONG_US);
    sending_us = LONG_US;
    sync_serve_fetch(n, LIAR, &head.hash);
    assert_int_equal(served[LIAR], 1);
    assert_true(n->peer[LIAR].serve_us <= 19 * LONG_US);
    leave(LIAR, 0);
    sync_serve_fetch(n, LIAR, &head.hash);
    assert_int_equal(served[LIAR], 1);
    const struct message range = {.kind = MSG_RANGE, .u.range = {.max_blocks = 64}};
    sync_serve_range(n, LIAR, &range);
    assert_int_equal(nothing[LIAR], 1);
    sync_serve_fetch(n, 1, &head.hash);
    assert_int_equal(served[1], 1);
    n->peer[LIAR].serve_at_us = driver_now() - UINT64_C(1000000); /* a second later */
    sync_serve_fetch(n, LIAR, &head.hash);
    assert_int_equal(served[LIAR], 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_member_that_answers_with_rubbish, setup, teardown),
        cmocka_unit_test_setup_teardown(only_who_can_help, setup, teardown),
        cmocka_unit_test_setup_teardown(a_member_that_asks_without_end, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
