/* What peers say that is wrong, one thing at a time: they are banned for what they alone could have
 * known to be false, nothing of it counts, and the member goes on (CONSENSUS 10). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/keccak.h"
#include "tests/fuzz/core_act.h"

enum { MEMBER_3 = 3 << 4, OUTAGE = 240, PLACES = 32 };

static struct core_run r;
static const struct block_head *one; /* a good block at slot 1, not yet known to the core */

static int setup(void **state)
{
    (void)state;
    core_run_start(&r, MEMBER_3);
    for (int i = 0; i < 3; i++) {
        struct event e = {.kind = EVENT_PEER, .peer = i, .u.peer.up = true};
        core_run_step(&r, &e);
    }
    one = core_run_block(&r, &r.block[0].head, 1, 0, 0);
    r.blocks++;
    return 0;
}

static void hear(int from, const struct message *m)
{
    struct event e = {.kind = EVENT_MESSAGE, .peer = from, .u.message = m};
    core_run_step(&r, &e);
}

static bool banned(int member)
{
    for (uint32_t i = 0; i < r.out.n; i++) {
        if (r.out.effect[i].kind == EFFECT_BAN && r.out.effect[i].u.ban.member == member) {
            return true;
        }
    }
    return false;
}

static bool alarmed(enum alarm_kind what)
{
    for (uint32_t i = 0; i < r.out.n; i++) {
        if (r.out.effect[i].kind == EFFECT_ALARM && r.out.effect[i].u.alarm.what == what) {
            return true;
        }
    }
    return false;
}

static void say_vote(int from, enum message_kind kind, struct vote v)
{
    struct message m = {.kind = kind};
    m.u.bundle.vote = &v;
    m.u.bundle.votes = 1;
    hear(from, &m);
}

static void say_certificate(int from, struct certificate c)
{
    struct message m = {.kind = MSG_BUNDLE};
    m.u.bundle.cert = &c;
    m.u.bundle.certs = 1;
    hear(from, &m);
}

/* Votes are checked when they could complete something: the third is the one that does. */
static void votes_with_bad_signatures(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct vote v = core_run_vote(&r, i, VOTE_SKIP, 1, one);
        v.signature.b[40] ^= i == 1;
        say_vote(i, MSG_VOTES, v);
    }
    assert_true(banned(1));
    assert_false(banned(0) || banned(2));
    struct core_view view;
    core_get_view(r.core, &view);
    assert_int_equal(view.slot, 1);
}

static void votes_with_a_wrong_block(void **state)
{
    (void)state;
    struct vote v = core_run_vote(&r, 0, VOTE_SKIP, 1, one);
    v.block.b[0] = 1;
    say_vote(0, MSG_VOTES, v);
    assert_true(banned(0));
    v = core_run_vote(&r, 1, VOTE_NOTARIZE, 1, one);
    memset(&v.block, 0, sizeof v.block);
    say_vote(1, MSG_VOTES, v);
    assert_true(banned(1));
}

/* A second vote that excludes the first is evidence only if both are signed. */
static void a_second_vote_that_nobody_signed(void **state)
{
    (void)state;
    const struct block_head *other = core_run_block(&r, &r.block[0].head, 1, 0, 1);
    struct vote first = core_run_vote(&r, 2, VOTE_NOTARIZE, 1, one);
    struct vote second = core_run_vote(&r, 2, VOTE_NOTARIZE, 1, other);
    second.signature.b[40] ^= 1;
    say_vote(2, MSG_VOTES, first);
    say_vote(2, MSG_VOTES, second);
    assert_true(banned(2));
}

static void certificates_that_are_none(void **state)
{
    (void)state;
    struct certificate c = core_run_certificate(&r, VOTE_SKIP, 1, one);
    struct certificate bad = c;
    bad.signers = 3;
    say_certificate(0, bad);
    assert_true(banned(0));
    bad = c;
    bad.signature[2].b[40] ^= 1;
    say_certificate(1, bad);
    struct core_view view;
    core_get_view(r.core, &view);
    assert_int_equal(view.slot, 1);
    bad = c;
    bad.epoch++;
    say_certificate(2, bad);
    core_get_view(r.core, &view);
    assert_int_equal(view.slot, 1);
    say_certificate(2, c);
    core_get_view(r.core, &view);
    assert_int_equal(view.slot, 5);
}

static void own_votes_of_somebody_else(void **state)
{
    (void)state;
    say_vote(0, MSG_OWN_VOTES, core_run_vote(&r, 0, VOTE_SKIP, 1, one));
    assert_true(banned(0));
    struct vote v = core_run_vote(&r, 3, VOTE_SKIP, 1, one);
    v.kind = 4;
    say_vote(1, MSG_OWN_VOTES, v);
    assert_true(banned(1));
    v = core_run_vote(&r, 3, VOTE_SKIP, 1, one);
    v.signature.b[40] ^= 1;
    say_vote(2, MSG_OWN_VOTES, v);
    assert_true(banned(2));
    struct core_view view;
    core_get_view(r.core, &view);
    assert_false(view.amnesiac || view.stopped);
}

static void notices_that_nobody_signed(void **state)
{
    (void)state;
    struct message m = {.kind = MSG_NOTICES};
    m.u.notices.has_ready = true;
    m.u.notices.ready = (struct ready_notice){.epoch = r.config.epoch.epoch, .member = 2};
    hear(2, &m);
    m.u.notices.ready.epoch++;
    hear(2, &m);
    m = (struct message){.kind = MSG_NOTICES};
    m.u.notices.has_leave = true;
    m.u.notices.leave = (struct leave_notice){.epoch = r.config.epoch.epoch, .member = 1};
    hear(1, &m);
    m.u.notices.leave.epoch++;
    hear(1, &m);
    struct core_view view;
    core_get_view(r.core, &view);
    assert_int_equal(view.benched, 0);
}

static void statuses_of_another_epoch(void **state)
{
    (void)state;
    struct message m = {.kind = MSG_STATUS, .has_status = true};
    m.status.epoch = r.config.epoch.epoch + 1;
    m.status.final_slot = 1000;
    hear(0, &m);
    assert_false(banned(0));
}

static void proposals_of_another_epoch_or_slot(void **state)
{
    (void)state;
    struct message m = {.kind = MSG_PROPOSAL, .u.proposal.head = *one};
    m.u.proposal.head.header.epoch++;
    core_run_seal(&r, &m.u.proposal.head);
    hear(0, &m);
    m.u.proposal.head = *one;
    m.u.proposal.head.header.slot = 0;
    core_run_seal(&r, &m.u.proposal.head);
    hear(0, &m);
    m.u.proposal.head = *one;
    m.u.proposal.head.signature.b[40] ^= 1;
    hear(0, &m);
    assert_true(banned(0));
    struct core_view view;
    core_get_view(r.core, &view);
    assert_int_equal(view.blocks, 1);
}

static void propose(int from, const struct block_head *head)
{
    struct message m = {.kind = MSG_PROPOSAL, .u.proposal.head = *head};
    hear(from, &m);
}

static const struct evidence *evidence_shown(void)
{
    for (uint32_t i = 0; i < r.out.n; i++) {
        if (r.out.effect[i].kind == EFFECT_EVIDENCE) {
            return &r.out.effect[i].u.evidence;
        }
    }
    return NULL;
}

/* Two proposals of one slot are a fault of whose turn it is, also where they name another. */
static void two_proposals_that_name_somebody_else(void **state)
{
    (void)state;
    uint8_t leader = one->header.leader;
    struct block_head other = *one;
    propose(0, one);
    assert_null(evidence_shown());
    other.header.leader = (uint8_t)((leader + 1) % 4);
    core_run_seal(&r, &other);
    propose(0, &other);
    assert_non_null(evidence_shown());
    assert_int_equal(evidence_shown()->member, leader);
}

/* Signatures of two attempts do not make evidence: a block that carried it would be refused. */
static void two_attempts_are_no_evidence(void **state)
{
    (void)state;
    struct block_head other = *one;
    other.header.attempt = 1;
    core_run_seal(&r, &other);
    propose(0, one);
    propose(0, &other);
    assert_null(evidence_shown());
    assert_int_equal(setup(state), 0);
    propose(0, &other);
    propose(0, one);
    assert_null(evidence_shown());
    struct core_view view;
    core_get_view(r.core, &view);
    assert_int_equal(view.blocks, 2); /* the anchor, and the one of attempt 0 */
}

/* A proposal at the first slot of a turn, with its body, that lists all turns before as skipped. */
static struct hash propose_over_an_outage(uint64_t turn)
{
    static uint8_t system[8 * OUTAGE];
    static struct skipped_turn list[OUTAGE];
    struct system_parts parts = {.skipped = list, .skipped_n = turn};
    uint64_t slots = r.config.epoch.params.turn_slots;
    size_t n = 0;
    for (uint64_t t = 0; t < turn; t++) {
        list[t] = (struct skipped_turn){t, t * slots + 1};
    }
    struct block_head head = *core_run_block(&r, &r.block[0].head, turn * slots + 1, 0, 0x80);
    assert_int_equal(system_encode(system, sizeof system, &n, &parts), OK);
    assert_true(n > LIMIT_SYSTEM_INSIDE);
    head.system = bytes_of(system, n);
    head.header.system_root = keccak256(system, n);
    core_run_seal(&r, &head);
    propose(0, &head);
    struct event body = {.kind = EVENT_BODY, .peer = -1, .u.body = {head.hash, true}};
    core_run_step(&r, &body);
    return head.hash;
}

/* Long system sections have few places. In an outage each leader lists all skipped turns, and is
 * skipped itself: blocks of turns that are over make room, so that the next one can be voted for. */
static void long_system_sections(void **state)
{
    (void)state;
    uint64_t slots = r.config.epoch.params.turn_slots;
    struct core_view view;
    for (uint64_t turn = 0; turn < OUTAGE; turn++) {
        if (turn >= OUTAGE - 2 * PLACES && core_leader(r.core, turn) != r.config.self) {
            struct hash block = propose_over_an_outage(turn);
            const struct vote *last = &r.oracle.vote[r.oracle.votes - 1].vote;
            assert_int_equal(last->slot, turn * slots + 1);
            assert_true(last->kind == VOTE_NOTARIZE && hash_equal(&last->block, &block));
        }
        say_certificate(0, core_run_certificate(&r, VOTE_SKIP, turn * slots + 1, one));
    }
    core_get_view(r.core, &view);
    assert_int_equal(view.blocks, 1 + PLACES);
    assert_int_equal(view.turn, OUTAGE);
}

static void a_second_instance(void **state)
{
    (void)state;
    struct event e = {.kind = EVENT_OWN_KEY_SEEN, .peer = -1};
    struct core_view view;
    core_run_step(&r, &e);
    assert_true(alarmed(ALARM_SECOND_INSTANCE));
    core_get_view(r.core, &view);
    assert_true(view.stopped);
}

/* A peer's own clock and counters say nothing that this member signs. */
static void answers_nobody_asked_for(void **state)
{
    (void)state;
    struct message m = {.kind = MSG_AMNESIA_ANSWER};
    m.u.amnesia.epoch = r.config.epoch.epoch;
    hear(0, &m);
    m.kind = MSG_AMNESIA_ASK;
    m.u.amnesia.epoch++;
    hear(0, &m);
    for (uint32_t i = 0; i < r.out.n; i++) {
        assert_int_not_equal(r.out.effect[i].kind, EFFECT_SEND);
    }
    m.kind = MSG_OWN_VOTES_ASK;
    m.u.own_votes_ask.epoch = r.config.epoch.epoch + 1;
    hear(0, &m);
    assert_false(banned(0));
}

/* Votes are their sender's, of this epoch, of a kind there is. */
static void votes_of_no_kind(void **state)
{
    (void)state;
    static const uint8_t kinds[] = {0, 4};
    for (int i = 0; i < 2; i++) {
        struct vote v = core_run_vote(&r, i, VOTE_SKIP, 1, one);
        v.kind = kinds[i];
        say_vote(i, MSG_VOTES, v);
        assert_true(banned(i));
        v = core_run_vote(&r, 3, VOTE_SKIP, 1, one);
        v.kind = kinds[i];
        say_vote(i, MSG_OWN_VOTES, v);
        assert_true(banned(i));
    }
    struct vote v = core_run_vote(&r, 2, VOTE_SKIP, 1, one);
    v.epoch++;
    say_vote(2, MSG_VOTES, v);
    assert_true(banned(2));
    v = core_run_vote(&r, 3, VOTE_SKIP, 1, one);
    v.epoch++;
    say_vote(2, MSG_OWN_VOTES, v);
    assert_true(banned(2));
}

/* A final slot that is not delivered yet excludes a skip below it in its turn: one alarm a step. */
static void certificates_that_exclude_each_other(void **state)
{
    (void)state;
    say_certificate(0, core_run_certificate(&r, VOTE_FINALIZE, 2, one));
    struct certificate c[2];
    c[0] = core_run_certificate(&r, VOTE_SKIP, 1, one);
    c[1] = core_run_certificate(&r, VOTE_SKIP, 2, one);
    struct message m = {.kind = MSG_BUNDLE, .u.bundle = {.cert = c, .certs = 2}};
    hear(0, &m);
    uint32_t alarms = 0;
    for (uint32_t i = 0; i < r.out.n; i++) {
        alarms += r.out.effect[i].kind == EFFECT_ALARM;
    }
    assert_true(alarmed(ALARM_CONFLICT));
    assert_int_equal(alarms, 1);
    struct core_view view;
    core_get_view(r.core, &view);
    assert_true(view.stopped);
}

/* A certified block whose proposal is not signed is kept, and voted for by nobody who hears so. */
static void a_fetched_block_without_its_leaders_signature(void **state)
{
    (void)state;
    struct message m = {.kind = MSG_BLOCK, .u.block.head = *one};
    m.u.block.head.signature.b[40] ^= 1;
    say_certificate(0, core_run_certificate(&r, VOTE_NOTARIZE, 1, one));
    hear(0, &m);
    struct event body = {.kind = EVENT_BODY, .peer = -1, .u.body = {one->hash, true}};
    core_run_step(&r, &body);
    struct core_view view;
    core_get_view(r.core, &view);
    assert_int_equal(view.blocks, 2);
    assert_int_equal(view.highest_signed, 0);
}

/* Whatever is certified or voted for, a slot holds four blocks. */
static void blocks_of_one_slot(void **state)
{
    (void)state;
    enum { SLOT = 2 };
    struct block_head head[5];
    for (uint8_t i = 0; i < 5; i++) {
        head[i] = *core_run_block(&r, one, SLOT, i == 4 ? FLAG_EMPTY : 0, i);
        head[i].system = one->system; /* the same bytes, in memory that stays */
    }
    propose(0, &head[0]);
    for (int i = 0; i < 2; i++) {
        say_vote(i, MSG_VOTES, core_run_vote(&r, i, VOTE_NOTARIZE, SLOT, &head[1]));
        say_vote(i, MSG_VOTES, core_run_vote(&r, i, VOTE_FINALIZE, SLOT, &head[2]));
    }
    struct certificate c[2];
    c[0] = core_run_certificate(&r, VOTE_NOTARIZE, SLOT, &head[3]);
    c[1] = core_run_certificate(&r, VOTE_FINALIZE, SLOT, &head[4]);
    struct message m = {.kind = MSG_BUNDLE};
    m.u.bundle = (struct bundle){.cert = c, .certs = 2, .head = head, .heads = 5};
    hear(2, &m);
    struct core_view view;
    core_get_view(r.core, &view);
    assert_int_equal(view.blocks, 1 + 4);
}

/* The votes that member 0 is told of, having asked for those above slot 8. */
static uint32_t own_votes_told(void)
{
    struct message m = {.kind = MSG_OWN_VOTES_ASK};
    m.u.own_votes_ask.epoch = r.config.epoch.epoch;
    m.u.own_votes_ask.above_slot = 8;
    hear(0, &m);
    for (uint32_t i = 0; i < r.out.n; i++) {
        const struct effect *e = &r.out.effect[i];
        if (e->kind == EFFECT_SEND && e->u.send.message->kind == MSG_OWN_VOTES) {
            return e->u.send.message->u.bundle.votes;
        }
    }
    fail_msg("no answer");
    return 0;
}

/* The highest vote ever shown is told again, far from here as it may be, if it was signed. */
static void own_votes_asked_for(void **state)
{
    (void)state;
    struct vote v = core_run_vote(&r, 0, VOTE_SKIP, 1000000, one);
    v.signature.b[40] ^= 1;
    say_vote(0, MSG_VOTES, v);
    assert_int_equal(own_votes_told(), 0);
    say_vote(0, MSG_VOTES, core_run_vote(&r, 0, VOTE_SKIP, 1000000, one));
    assert_int_equal(own_votes_told(), 1);
}

/* What comes from nobody, from this member, or is the driver's to answer, changes nothing. */
static void what_is_not_for_the_core(void **state)
{
    (void)state;
    static const int nobody[] = {-1, 3, 4};
    static const enum message_kind others[] = {MSG_BODY,   MSG_FETCH,  MSG_RANGE,
                                               MSG_TXS,    MSG_TX_ACK, MSG_INTENT,
                                               MSG_INTENT_ACK, MSG_KIND_COUNT};
    struct certificate c = core_run_certificate(&r, VOTE_SKIP, 1, one);
    struct message m = {.kind = MSG_BUNDLE, .u.bundle = {.cert = &c, .certs = 1}};
    struct event tick = {.kind = EVENT_TICK, .peer = -1};
    core_run_step(&r, &tick);
    struct hash before = core_digest(r.core);
    for (int i = 0; i < 3; i++) {
        struct event e = {.kind = EVENT_MESSAGE, .peer = nobody[i], .u.message = &m};
        core_run_step(&r, &e);
        e = (struct event){.kind = EVENT_PEER, .peer = nobody[i], .u.peer.up = true};
        core_run_step(&r, &e);
        e = (struct event){.kind = EVENT_LATENCY, .peer = nobody[i]};
        core_run_step(&r, &e);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct message other = {.kind = others[i]};
        hear(0, &other);
    }
    struct hash after = core_digest(r.core);
    assert_true(hash_equal(&before, &after));
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(votes_with_bad_signatures),
        TEST(votes_with_a_wrong_block),
        TEST(a_second_vote_that_nobody_signed),
        TEST(certificates_that_are_none),
        TEST(own_votes_of_somebody_else),
        TEST(notices_that_nobody_signed),
        TEST(statuses_of_another_epoch),
        TEST(proposals_of_another_epoch_or_slot),
        TEST(two_proposals_that_name_somebody_else),
        TEST(two_attempts_are_no_evidence),
        TEST(long_system_sections),
        TEST(a_second_instance),
        TEST(answers_nobody_asked_for),
        TEST(votes_of_no_kind),
        TEST(certificates_that_exclude_each_other),
        TEST(a_fetched_block_without_its_leaders_signature),
        TEST(blocks_of_one_slot),
        TEST(own_votes_asked_for),
        TEST(what_is_not_for_the_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
