/* N1, condition by condition: a block that is right is notarized; with one thing wrong, whatever
 * its leader signed, it is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fuzz/core_act.h"

enum { MEMBER_3 = 3 << 4, TURN_SLOTS = 4 };

static struct core_run r;

/* Breaks one rule of a header (or of its system section). */
typedef void wrong(struct block_head *head);

static void up(int peer)
{
    struct event e = {.kind = EVENT_PEER, .peer = peer, .u.peer.up = true};
    core_run_step(&r, &e);
}

static void propose(const struct block_head *head)
{
    struct message m = {.kind = MSG_PROPOSAL, .u.proposal.head = *head};
    struct event e = {.kind = EVENT_MESSAGE, .peer = head->header.leader % 3, .u.message = &m};
    struct event body = {.kind = EVENT_BODY, .peer = -1, .u.body = {head->hash, true}};
    core_run_step(&r, &e);
    core_run_step(&r, &body);
    struct event tick = {.kind = EVENT_TICK, .peer = -1};
    core_run_step(&r, &tick);
}

static bool notarized(const struct hash *block)
{
    for (uint32_t i = 0; i < r.oracle.votes; i++) {
        const struct vote *v = &r.oracle.vote[i].vote;
        if (v->kind == VOTE_NOTARIZE && hash_equal(&v->block, block)) {
            return true;
        }
    }
    return false;
}

/* A block at slot 1, or, where `later`, at slot 2 on a good one. */
static bool accepts(wrong *w, uint8_t flags, bool later)
{
    core_run_start(&r, MEMBER_3);
    for (int i = 0; i < 3; i++) {
        up(i);
    }
    struct block_head *head = core_run_block(&r, &r.block[0].head, 1, 0, 0);
    if (later) {
        r.blocks++;
        propose(head);
        assert_true(notarized(&head->hash));
        r.now_us += 200000;
        r.wall_ms += 200;
        head = core_run_block(&r, head, 2, flags, 0);
    } else if (flags != 0) {
        head = core_run_block(&r, &r.block[0].head, 1, flags, 0);
    }
    if (w != NULL) {
        w(head);
        core_run_seal(&r, head);
    }
    propose(head);
    return notarized(&head->hash);
}

static void chain_id(struct block_head *h)
{
    h->header.chain_id++;
}

static void genesis(struct block_head *h)
{
    h->header.genesis.b[31] ^= 1;
}

static void config(struct block_head *h)
{
    h->header.config.b[0] ^= 1;
}

static void attempt(struct block_head *h)
{
    h->header.attempt = 1;
}

static void unknown_flag(struct block_head *h)
{
    h->header.flags |= 8;
}

static void closing(struct block_head *h)
{
    h->header.flags |= FLAG_CLOSING;
}

static void leader(struct block_head *h)
{
    h->header.leader = (uint8_t)((h->header.leader + 1) % 3);
}

static void parent_slot(struct block_head *h)
{
    h->header.parent_slot++;
}

static void payload_parent(struct block_head *h)
{
    h->header.payload_parent.b[5] ^= 4;
}

static void too_early(struct block_head *h)
{
    h->header.timestamp_ms--;
}

static void height(struct block_head *h)
{
    h->header.height++;
}

static void body_too_long(struct block_head *h)
{
    h->header.body_len = LIMIT_BODY_BYTES + 1;
}

static void system_root(struct block_head *h)
{
    h->header.system_root.b[0] ^= 1;
}

static void payload(struct block_head *h)
{
    h->header.payload.b[0] ^= 1;
}

static void state_root(struct block_head *h)
{
    h->header.state_root.b[0] ^= 1;
}

static void body_root(struct block_head *h)
{
    h->header.body_root.b[0] ^= 1;
}

static void body_len(struct block_head *h)
{
    h->header.body_len = 1;
}

static void far_ahead(struct block_head *h)
{
    h->header.timestamp_ms += 60000;
}

static void every_rule(void **state)
{
    (void)state;
    static wrong *const rules[] = {
        chain_id,    genesis,        config,    attempt, unknown_flag,  closing,     leader,
        parent_slot, payload_parent, too_early, height,  body_too_long, system_root, far_ahead};
    assert_true(accepts(NULL, 0, false));
    assert_true(accepts(NULL, 0, true));
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        for (int later = 0; later < 2; later++) {
            if (accepts(rules[i], 0, later != 0)) {
                fail_msg("rule %zu is not kept at slot %d", i, 1 + later);
            }
        }
    }
}

/* An EMPTY block repeats its parent and has no body. */
static void empty_blocks(void **state)
{
    (void)state;
    static wrong *const rules[] = {height, payload, state_root, body_root, body_len};
    assert_true(accepts(NULL, FLAG_EMPTY, true));
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (accepts(rules[i], FLAG_EMPTY, true)) {
            fail_msg("rule %zu of EMPTY blocks is not kept", i);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_rule),
                                       cmocka_unit_test(empty_blocks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
