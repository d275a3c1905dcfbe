/* N1, condition by condition: a block that is right is notarized; with one thing wrong, whatever
 * its leader signed, it is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/keccak.h"
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

/* ---- what a system section may hold ------------------------------------------------------------ */

static void say(const struct message *m)
{
    struct event e = {.kind = EVENT_MESSAGE, .peer = 0, .u.message = m};
    core_run_step(&r, &e);
}

static void say_certificate(uint8_t kind, uint64_t slot, const struct block_head *head)
{
    struct certificate c = core_run_certificate(&r, kind, slot, head);
    struct message m = {.kind = MSG_BUNDLE, .u.bundle = {.cert = &c, .certs = 1}};
    say(&m);
}

/* The first block of turn 2 after two skipped turns, on the anchor, with these bytes beside it. */
static bool accepts_section(const uint8_t *system, size_t n)
{
    core_run_start(&r, MEMBER_3);
    for (int i = 0; i < 3; i++) {
        up(i);
    }
    say_certificate(VOTE_SKIP, 1, NULL);
    say_certificate(VOTE_SKIP, TURN_SLOTS + 1, NULL);
    struct block_head head = *core_run_block(&r, &r.block[0].head, 2 * TURN_SLOTS + 1, 0, 0);
    head.system = bytes_of(system, n);
    head.header.system_root = keccak256(system, n);
    core_run_seal(&r, &head);
    propose(&head);
    return notarized(&head.hash);
}

static const struct skipped_turn both_turns[] = {{0, 1}, {1, TURN_SLOTS + 1}};

static size_t encode_skips(uint8_t out[256], const struct skipped_turn *list, size_t n)
{
    size_t used = 0;
    struct system_parts parts = {.skipped = list, .skipped_n = n};
    assert_int_equal(system_encode(out, 256, &used, &parts), OK);
    return used;
}

static bool accepts_skips(const struct skipped_turn *list, size_t n)
{
    uint8_t system[256];
    size_t used = encode_skips(system, list, n);
    return accepts_section(system, used);
}

/* One entry for each turn between parent and block: none left out, none more, none elsewhere. */
static void skipped_turns(void **state)
{
    (void)state;
    static const struct {
        struct skipped_turn list[3];
        size_t n;
    } bad[] = {
        {{{0, 1}}, 1},                                                /* turn 1 left out */
        {{{1, TURN_SLOTS + 1}}, 1},                                   /* turn 0 left out */
        {{{0, 1}, {1, TURN_SLOTS + 1}, {2, 2 * TURN_SLOTS + 1}}, 3},  /* its own turn */
        {{{0, 1}, {1, TURN_SLOTS}}, 2},                               /* below its turn */
        {{{0, 2}, {1, TURN_SLOTS + 1}}, 2}, /* slot 1 is not void then */
    };
    assert_true(accepts_skips(both_turns, 2));
    assert_false(accepts_skips(both_turns, 0));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (accepts_skips(bad[i].list, bad[i].n)) {
            fail_msg("list %zu is taken", i);
        }
    }
}

/* Turn 0 has a block at slot 1 and is skipped from slot 2 on; a block of turn 1 on it says from where. */
static bool accepts_skip_from(uint64_t slot)
{
    uint8_t system[256];
    struct skipped_turn said = {0, slot};
    core_run_start(&r, MEMBER_3);
    for (int i = 0; i < 3; i++) {
        up(i);
    }
    struct block_head *one = core_run_block(&r, &r.block[0].head, 1, 0, 0);
    r.blocks++;
    propose(one);
    struct event run = {.kind = EVENT_EXECUTED, .peer = -1, .u.executed = {one->hash, VERDICT_VALID, 0}};
    core_run_step(&r, &run);
    say_certificate(VOTE_NOTARIZE, 1, one);
    say_certificate(VOTE_SKIP, 2, NULL);
    r.now_us += 200000;
    r.wall_ms += 200;
    struct block_head head = *core_run_block(&r, one, TURN_SLOTS + 1, 0, 0);
    size_t n = encode_skips(system, &said, 1);
    head.system = bytes_of(system, n);
    head.header.system_root = keccak256(system, n);
    core_run_seal(&r, &head);
    propose(&head);
    return notarized(&head.hash);
}

/* Lists are right in form here; a skip that no certificate shows is voted for by nobody. */
static void skips_that_are_not_proved(void **state)
{
    (void)state;
    assert_true(accepts_skip_from(2));
    assert_false(accepts_skip_from(1));
}

/* What does not decode is no section, whatever its root; inside a turn nothing is skipped. */
static void sections_that_are_none(void **state)
{
    (void)state;
    static const uint8_t garbage[] = {0xc2, 0x01};
    assert_false(accepts_section(garbage, sizeof garbage));
    assert_false(accepts_section(garbage, 0));
}

/* The last item of a section is the record of an epoch: there is none in this version. */
static void a_record_of_an_epoch(void **state)
{
    (void)state;
    uint8_t system[256];
    size_t n = encode_skips(system, both_turns, 2);
    assert_true(accepts_section(system, n));
    assert_int_equal(system[n - 1], 0x80); /* RLP: nothing */
    system[n - 1] = 0x01;
    assert_false(accepts_section(system, n));
}

static void a_skip_inside_a_turn(struct block_head *h)
{
    static uint8_t system[64];
    const struct skipped_turn skip = {0, 1};
    struct system_parts parts = {.skipped = &skip, .skipped_n = 1};
    size_t n = 0;
    assert_int_equal(system_encode(system, sizeof system, &n, &parts), OK);
    h->system = bytes_of(system, n);
    h->header.system_root = keccak256(system, n);
}

static void nothing_is_skipped_inside_a_turn(void **state)
{
    (void)state;
    assert_false(accepts(a_skip_inside_a_turn, 0, true));
}

/* A block that comes before its parent: its turn is not over, the parent's is the next one. */
static void a_parent_that_comes_later(void **state)
{
    (void)state;
    core_run_start(&r, MEMBER_3);
    for (int i = 0; i < 3; i++) {
        up(i);
    }
    struct block_head *later = core_run_block(&r, &r.block[0].head, TURN_SLOTS + 1, 0, 0);
    r.blocks++;
    propose(later);
    struct block_head *head = core_run_block(&r, later, 1, 0, 0);
    propose(head);
    assert_false(notarized(&head->hash));
    struct core_view view;
    core_get_view(r.core, &view);
    assert_int_equal(view.blocks, 3);
}

/* ---- blocks that are certified all the same ------------------------------------------------------ */

static bool skipped_as_invalid(uint64_t slot)
{
    for (uint32_t i = 0; i < r.oracle.votes; i++) {
        const struct vote *v = &r.oracle.vote[i].vote;
        if (v->kind == VOTE_SKIP && v->slot == slot) {
            return true;
        }
    }
    return false;
}

static bool skips_certified(wrong *w, bool body_good)
{
    core_run_start(&r, MEMBER_3);
    for (int i = 0; i < 3; i++) {
        up(i);
    }
    struct block_head *head = core_run_block(&r, &r.block[0].head, 1, 0, 0);
    if (w != NULL) {
        w(head);
        core_run_seal(&r, head);
    }
    say_certificate(VOTE_NOTARIZE, 1, head);
    struct message m = {.kind = MSG_BLOCK, .u.block.head = *head};
    say(&m);
    struct event body = {.kind = EVENT_BODY, .peer = -1, .u.body = {head->hash, body_good}};
    core_run_step(&r, &body);
    return skipped_as_invalid(1);
}

/* Whatever a quorum says: what is invalid here is skipped at once, and never built upon (§6). */
static void certified_but_invalid(void **state)
{
    (void)state;
    assert_false(skips_certified(NULL, true));
    assert_true(skips_certified(NULL, false));
    assert_true(skips_certified(height, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_rule),
                                       cmocka_unit_test(empty_blocks),
                                       cmocka_unit_test(skipped_turns),
                                       cmocka_unit_test(skips_that_are_not_proved),
                                       cmocka_unit_test(sections_that_are_none),
                                       cmocka_unit_test(a_record_of_an_epoch),
                                       cmocka_unit_test(nothing_is_skipped_inside_a_turn),
                                       cmocka_unit_test(a_parent_that_comes_later),
                                       cmocka_unit_test(certified_but_invalid)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
