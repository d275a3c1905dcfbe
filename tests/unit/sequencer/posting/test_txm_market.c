/* The transaction manager's fees, and what it makes of endpoints' answers; numbers (#n) are the
 * failures that users of other batchers met (research, batcher 4.9). */
#include "proto/tx.h"
#include "txm_kit.h"

static uint64_t cap_of(struct bytes raw)
{
    struct tx tx;
    assert_int_equal(tx_decode(&tx, raw), TX_OK);
    return tx.max_fee.v[0];
}

static void lose(struct kit *k, uint64_t heads)
{
    for (uint64_t i = 0; i < heads; i++) {
        kit_head(k, 1);
    }
}

/* ---- fees ------------------------------------------------------------------------------------------ */

static void test_bump_after_patience(void **state)
{
    (void)state;
    struct kit k;
    kit_open(&k, TXM_CALLDATA);
    kit_head(&k, 1);
    kit_post(&k, 0);
    kit_post(&k, 1);
    uint64_t first = cap_of(kit_send(&k).raw);
    (void)kit_send(&k);
    lose(&k, 3);
    assert_int_equal(kit_status(&k).bumps, 0);
    kit_head(&k, 1);
    assert_int_equal(kit_status(&k).bumps, 1); /* the lowest only */
    uint64_t second = cap_of(kit_send(&k).raw);
    assert_true(second * 100 >= first * 110);
    assert_int_equal(kit_slot(&k, 1).rung, 0);
    kit_close(&k);
}

/* Blocks without room could not have taken it. */
static void test_no_bump_without_room(void **state)
{
    (void)state;
    struct kit k;
    kit_open(&k, TXM_BLOB);
    kit_head(&k, 1);
    kit_post(&k, 0);
    k.view.blob_room = false;
    lose(&k, 9);
    assert_int_equal(kit_status(&k).bumps, 0);
    k.view.market.blob_base_fee = kit_gwei(9); /* above its cap: at the next head */
    kit_head(&k, 1);
    assert_int_equal(kit_status(&k).bumps, 1);
    kit_close(&k);
}

/* #3, #8: an outage is no reason to raise fees, and ends by itself. */
static void test_outage(void **state)
{
    (void)state;
    struct kit k;
    kit_open(&k, TXM_CALLDATA);
    kit_head(&k, 1);
    kit_post(&k, 0);
    (void)kit_send(&k);
    for (int i = 0; i < 20; i++) {
        kit_later(&k, 12000); /* the head stands: the same bytes, no more */
        (void)kit_send(&k);
        kit_quiet(&k);
    }
    assert_int_equal(kit_status(&k).bumps, 0);
    k.view.ok = false;
    kit_later(&k, 600000);
    kit_quiet(&k);
    k.view.ok = true;
    kit_head(&k, 1);
    (void)kit_send(&k);
    assert_int_equal(kit_status(&k).bumps, 0);
    kit_close(&k);
}

/* #8: a ceiling is kept to; sending goes on, and so does posting when prices fall. */
static void test_ceiling(void **state)
{
    (void)state;
    struct kit k;
    uint64_t nonce;
    kit_open(&k, TXM_CALLDATA);
    kit_head(&k, 1);
    kit_post(&k, 0);
    (void)kit_send(&k);
    k.view.market.base_fee = kit_gwei(10000000);
    for (int i = 0; i < 20; i++) {
        kit_head(&k, 1);
        (void)kit_send(&k);
    }
    assert_int_equal(kit_status(&k).bumps, 1); /* to the top of the ladder, and no step beyond */
    assert_int_equal(kit_slot(&k, 0).rung, TXM_LADDER - 1);
    assert_true((kit_status(&k).alarms & TXM_ALARM_CEILING) != 0);
    struct txm_payload p = kit_payload(&k, 1);
    assert_int_equal(txm_post(k.t, &p, 1, &nonce), ERR_REFUSED);
    k.view.market.base_fee = kit_gwei(1);
    k.view.gas_room = false;
    kit_head(&k, 1);
    assert_int_equal(kit_status(&k).alarms, 0);
    assert_int_equal(kit_post(&k, 1), 6);
    kit_close(&k);
}

/* #14: what is open never costs more than the account has. */
static void test_funds(void **state)
{
    (void)state;
    struct kit k;
    uint64_t nonce;
    kit_open(&k, TXM_BLOB);
    k.view.account.balance = kit_gwei(40000000); /* 0.04 ETH */
    kit_head(&k, 1);
    kit_post(&k, 0);
    struct u256 open = kit_status(&k).in_flight;
    assert_true(u256_cmp(&open, &k.view.account.balance) <= 0);
    struct txm_payload p = kit_payload(&k, 1);
    k.view.account.balance = open;
    kit_head(&k, 1);
    assert_int_equal(txm_post(k.t, &p, 1, &nonce), ERR_REFUSED);
    assert_true((kit_status(&k).alarms & TXM_ALARM_FUNDS) != 0);
    k.view.account.balance = u256_from_u64(0);
    kit_head(&k, 1);
    kit_quiet(&k);
    assert_true((kit_status(&k).alarms & TXM_ALARM_FUNDS) != 0);
    k.view.account.balance = kit_gwei(1000000000);
    kit_head(&k, 1);
    (void)kit_send(&k);
    assert_int_equal(kit_status(&k).alarms, 0);
    kit_close(&k);
}

/* ---- what endpoints answer ------------------------------------------------------------------------- */

/* #6: re-sent with more, not with the same. */
static void test_underpriced(void **state)
{
    (void)state;
    struct kit k;
    kit_open(&k, TXM_BLOB);
    kit_head(&k, 1);
    kit_post(&k, 0);
    struct txm_send s = kit_send(&k);
    txm_answer(k.t, &s.hash, L1_SEND_BUMP);
    kit_quiet(&k);
    kit_head(&k, 1);
    assert_int_equal(kit_status(&k).bumps, 1);
    assert_int_equal(kit_slot(&k, 0).rung, 1);
    kit_close(&k);
}

/* #4: one attempt a block, no loop. */
static void test_other_kind(void **state)
{
    (void)state;
    struct kit k;
    kit_open(&k, TXM_BLOB);
    kit_head(&k, 1);
    kit_post(&k, 0);
    for (int i = 0; i < 5; i++) {
        struct txm_send s = kit_send(&k);
        txm_answer(k.t, &s.hash, L1_SEND_OTHERKIND);
        kit_quiet(&k);
        kit_later(&k, 20000);
        kit_quiet(&k);
        assert_true((kit_status(&k).alarms & TXM_ALARM_KIND) != 0);
        kit_head(&k, 1);
    }
    struct txm_send s = kit_send(&k);
    txm_answer(k.t, &s.hash, L1_SEND_ACCEPTED);
    assert_int_equal(kit_status(&k).alarms, 0);
    kit_close(&k);
}

/* #5: "nonce too high": the lower ones first. */
static void test_gap(void **state)
{
    (void)state;
    struct kit k;
    kit_open(&k, TXM_BLOB);
    kit_head(&k, 1);
    kit_post(&k, 0);
    kit_post(&k, 1);
    struct txm_send low = kit_send(&k);
    struct txm_send high = kit_send(&k);
    assert_true(low.nonce < high.nonce);
    txm_answer(k.t, &high.hash, L1_SEND_GAP);
    assert_int_equal(kit_send(&k).nonce, low.nonce);
    kit_quiet(&k);
    kit_head(&k, 1);
    assert_int_equal(kit_send(&k).nonce, low.nonce);
    assert_int_equal(kit_send(&k).nonce, high.nonce);
    kit_close(&k);
}

/* #7: a hash is no proof. */
static void test_dropped(void **state)
{
    (void)state;
    struct kit k;
    kit_open(&k, TXM_BLOB);
    k.view.blob_room = false; /* so that its fees stay */
    kit_head(&k, 1);
    kit_post(&k, 0);
    struct txm_send s = kit_send(&k);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(kit_status(&k).alarms, 0);
        txm_answer(k.t, &s.hash, L1_SEND_ACCEPTED);
        kit_says(&k, &s.hash, TXM_ABSENT, TXM_NOWHERE, 0);
        kit_head(&k, 1);
        (void)kit_send(&k); /* its time: ten seconds have passed */
        kit_head(&k, 1);
        assert_int_equal(kit_status(&k).dropped, (uint64_t)i + 1);
        s = kit_send(&k);
    }
    assert_int_equal(kit_status(&k).alarms, TXM_ALARM_DROPPED);
    kit_says(&k, &s.hash, TXM_ABSENT, TXM_POOLED, 0);
    kit_head(&k, 1);
    assert_int_equal(kit_status(&k).alarms, 0);
    kit_close(&k);
}

static void test_never_valid(void **state)
{
    (void)state;
    struct kit k;
    kit_open(&k, TXM_CALLDATA);
    kit_head(&k, 1);
    kit_post(&k, 0);
    for (int i = 0; i < 4; i++) {
        struct txm_send s = kit_send(&k);
        txm_answer(k.t, &s.hash, L1_SEND_BUG);
        kit_later(&k, 60000);
        kit_quiet(&k); /* not the same bytes */
        kit_head(&k, 1);
    }
    kit_quiet(&k);
    assert_int_equal(kit_status(&k).alarms, TXM_ALARM_REFUSED);
    kit_close(&k);
}

static void test_waits(void **state)
{
    (void)state;
    static const enum l1_send classes[] = {L1_SEND_FULL, L1_SEND_FUNDS};
    for (size_t i = 0; i < 2; i++) {
        struct kit k;
        kit_open(&k, TXM_CALLDATA);
        kit_head(&k, 1);
        kit_post(&k, 0);
        struct txm_send s = kit_send(&k);
        txm_answer(k.t, &s.hash, classes[i]);
        kit_later(&k, 60000);
        kit_quiet(&k);
        kit_head(&k, 1);
        struct txm_send again = kit_send(&k);
        assert_true(hash_equal(&again.hash, &s.hash));
        kit_close(&k);
    }
}

/* It may have arrived: the same bytes later, no second nonce. */
static void test_no_answer(void **state)
{
    (void)state;
    struct kit k;
    kit_open(&k, TXM_CALLDATA);
    kit_head(&k, 1);
    kit_post(&k, 0);
    struct hash hash = kit_send(&k).hash;
    txm_answer(k.t, &hash, L1_SEND_NET);
    kit_quiet(&k);
    kit_later(&k, 12000);
    struct txm_send again = kit_send(&k);
    assert_true(hash_equal(&again.hash, &hash));
    txm_answer(k.t, &hash, L1_SEND_CHECK);
    assert_int_equal(kit_status(&k).next_nonce, 6);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bump_after_patience),
        cmocka_unit_test(test_no_bump_without_room),
        cmocka_unit_test(test_outage),
        cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_funds),
        cmocka_unit_test(test_underpriced),
        cmocka_unit_test(test_other_kind),
        cmocka_unit_test(test_gap),
        cmocka_unit_test(test_dropped),
        cmocka_unit_test(test_never_valid),
        cmocka_unit_test(test_waits),
        cmocka_unit_test(test_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
