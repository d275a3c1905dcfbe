/* What a bundle must hold so that whoever is below can follow (CONSENSUS 5): one core makes it,
 * another, that was there for nothing, takes it in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fuzz/core_act.h"

enum { MEMBER_3 = 3 << 4, OBSERVER = 8, CERTS = 8 };

static struct core_run r;

static void peer_up(int peer)
{
    struct event e = {.kind = EVENT_PEER, .peer = peer, .u.peer.up = true};
    core_run_step(&r, &e);
}

static void say_bundle(int from, const struct bundle *b)
{
    struct message m = {.kind = MSG_BUNDLE, .u.bundle = *b};
    struct event e = {.kind = EVENT_MESSAGE, .peer = from, .u.message = &m};
    core_run_step(&r, &e);
}

static void say_certificate(int from, uint8_t kind, uint64_t slot, const struct block_head *block)
{
    struct certificate c = core_run_certificate(&r, kind, slot, block);
    say_bundle(from, &(struct bundle){.cert = &c, .certs = 1});
}

static void execute(const struct block_head *block, enum verdict verdict)
{
    struct event body = {.kind = EVENT_BODY, .peer = -1};
    body.u.body.block = block->hash;
    body.u.body.ok = true;
    core_run_step(&r, &body);
    struct event done = {.kind = EVENT_EXECUTED, .peer = -1};
    done.u.executed.block = block->hash;
    done.u.executed.verdict = verdict;
    core_run_step(&r, &done);
}

static uint64_t slot_now(void)
{
    struct core_view view;
    core_get_view(r.core, &view);
    return view.slot;
}

/* The certificates of the bundle that the last step sent, in memory of their own. */
static struct bundle sent_certificates(void)
{
    static struct certificate cert[CERTS];
    struct bundle b = {.cert = cert};
    for (uint32_t i = 0; i < r.out.n; i++) {
        const struct effect *e = &r.out.effect[i];
        if (e->kind != EFFECT_SEND || e->u.send.message->kind != MSG_BUNDLE) {
            continue;
        }
        const struct bundle *from = &e->u.send.message->u.bundle;
        assert_in_range(from->certs, 1, CERTS);
        b.certs = from->certs;
        memcpy(cert, from->cert, b.certs * sizeof *cert);
    }
    assert_int_not_equal(b.certs, 0);
    return b;
}

/* The first turn was skipped; the block on which the second began was notarized, INVALID, and
 * skipped too. Nobody stands on that block: the bundle proves the emptiness below it as well. */
static void an_invalid_block_is_nobodys_parent(void **state)
{
    (void)state;
    core_run_start(&r, MEMBER_3);
    uint64_t turn = r.config.epoch.params.turn_slots;
    for (int i = 0; i < 3; i++) {
        peer_up(i);
    }
    const struct block_head *bad = core_run_block(&r, &r.block[0].head, turn + 1, 0, 0);
    r.blocks++;
    say_certificate(0, VOTE_SKIP, 1, bad);
    struct certificate c = core_run_certificate(&r, VOTE_NOTARIZE, turn + 1, bad);
    struct block_head head = *bad;
    say_bundle(0, &(struct bundle){.cert = &c, .certs = 1, .head = &head, .heads = 1});
    execute(bad, VERDICT_INVALID);
    say_certificate(0, VOTE_SKIP, turn + 1, bad);
    assert_int_equal(slot_now(), 2 * turn + 1);
    peer_up(1);
    struct bundle b = sent_certificates();

    core_run_start(&r, OBSERVER);
    say_bundle(1, &b);
    assert_int_equal(slot_now(), 2 * turn + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_invalid_block_is_nobodys_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
