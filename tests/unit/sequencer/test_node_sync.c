/* Catching up while members lie: whoever answers with what is of no use is asked no more often than
 * the others. Peers are played by their messages; what leaves is caught. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sequencer/node/parts.h"

enum { MEMBERS = 4, SELF = 3, LIAR = 0, HEAD = 5000, ROUNDS = 12 };

static struct node *n;
static uint32_t asked[MEMBERS]; /* ranges */
static int last_asked;
static bool up[MEMBERS];

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
    memset(asked, 0, sizeof asked);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_member_that_answers_with_rubbish, setup, teardown),
        cmocka_unit_test_setup_teardown(only_who_can_help, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
