/* The transaction manager, rule by rule; numbers (#n) are the failures that users of other batchers
 * met (research, batcher 4.9). */
#include "proto/keccak.h"
#include "proto/tx.h"
#include "sequencer/batcher/blob_tx.h"
#include "txm_kit.h"

static uint64_t cap_of(struct bytes raw)
{
    struct tx tx;
    assert_int_equal(tx_decode(&tx, raw), TX_OK);
    return tx.max_fee.v[0];
}

static bool same(struct bytes a, struct bytes b)
{
    return bytes_equal(a, b);
}

/* ---- bytes --------------------------------------------------------------------------------------- */

static void test_plain_bytes(void **state)
{
    (void)state;
    struct kit k;
    struct tx tx;
    struct address sender;
    kit_open(&k, TXM_CALLDATA);
    kit_head(&k, 1);
    assert_int_equal(kit_post(&k, 0), 5);
    struct txm_send s = kit_send(&k);
    assert_int_equal(tx_decode(&tx, s.raw), TX_OK);
    assert_int_equal(tx_sender(&sender, &tx), TX_OK);
    assert_true(address_equal(&sender, &k.cfg.account));
    assert_true(hash_equal(&tx.hash, &s.hash));
    assert_int_equal(tx.chain_id, L1_CHAIN);
    assert_int_equal(tx.nonce, 5);
    assert_int_equal(tx.gas, tx_intrinsic_gas(&tx));
    assert_int_equal(tx.max_priority_fee.v[0], 1000000000);
    assert_int_equal(tx.max_fee.v[0], 9000000000); /* the tip and eight base fees */
    kit_close(&k);
}

static void test_blob_bytes(void **state)
{
    (void)state;
    struct kit k;
    struct blob_tx tx;
    struct address sender;
    kit_open(&k, TXM_BLOB);
    kit_head(&k, 1);
    kit_post(&k, 3);
    struct txm_send s = kit_send(&k);
    assert_int_equal(blob_tx_read(&tx, &sender, s.raw), OK);
    assert_true(address_equal(&sender, &k.cfg.account));
    assert_int_equal(tx.blobs, 2);
    assert_int_equal(tx.max_blob_fee.v[0], 8000000000);
    assert_int_equal(kit_slot(&k, 0).rungs, TXM_LADDER);
    kit_close(&k);
}

/* ---- before anything leaves ---------------------------------------------------------------------- */

static void test_journal_first(void **state)
{
    (void)state;
    struct kit k;
    uint64_t nonce;
    kit_open(&k, TXM_CALLDATA);
    struct txm_payload p = kit_payload(&k, 0);
    assert_int_equal(txm_post(k.t, &p, 1, &nonce), ERR_NOT_READY); /* no view yet */
    kit_head(&k, 1);
    assert_int_equal(k.groups, 0);
    assert_int_equal(txm_post(k.t, &p, 1, &nonce), OK);
    assert_int_equal(k.groups, 1);
    kit_quiet(&k); /* not shared yet */
    assert_int_equal(txm_post(k.t, &p, 1, &nonce), ERR_IN_USE);
    assert_int_equal(txm_release(k.t, nonce), OK);
    assert_int_equal(k.groups, 2);
    struct txm_send s = kit_send(&k);
    assert_int_equal(s.nonce, nonce);
    kit_quiet(&k);
    assert_int_equal(txm_release(k.t, nonce + 9), ERR_NOT_FOUND);
    kit_close(&k);
}

static void test_journal_fails(void **state)
{
    (void)state;
    struct kit k;
    uint64_t nonce;
    kit_open(&k, TXM_CALLDATA);
    kit_head(&k, 1);
    k.fail_append = ERR_NO_SPACE;
    struct txm_payload p = kit_payload(&k, 0);
    assert_int_equal(txm_post(k.t, &p, 1, &nonce), ERR_NO_SPACE);
    assert_int_equal(txm_slots(k.t), 0);
    assert_true((kit_status(&k).alarms & TXM_ALARM_JOURNAL) != 0);
    kit_head(&k, 1);
    assert_true((kit_status(&k).alarms & TXM_ALARM_JOURNAL) != 0);
    k.fail_append = OK;
    kit_head(&k, 1); /* written anew, by itself */
    assert_int_equal(kit_status(&k).alarms, 0);
    assert_int_equal(kit_post(&k, 0), 5);
    /* A release that cannot be written is none. */
    struct txm_payload q = kit_payload(&k, 1);
    assert_int_equal(txm_post(k.t, &q, 1, &nonce), OK);
    (void)kit_send(&k);
    k.fail_append = ERR_IO;
    assert_int_equal(txm_release(k.t, nonce), ERR_IO);
    kit_quiet(&k);
    kit_close(&k);
}

/* #10: duplicates after a restart. */
static void test_restart_sends_the_same(void **state)
{
    (void)state;
    struct kit k;
    uint8_t was[2048];
    kit_open(&k, TXM_CALLDATA);
    kit_head(&k, 1);
    kit_post(&k, 0);
    struct txm_send s = kit_send(&k);
    size_t n = s.raw.n;
    memcpy(was, s.raw.p, n);
    kit_restart(&k);
    kit_quiet(&k); /* R2: nothing before L1 was read */
    kit_head(&k, 1);
    s = kit_send(&k);
    assert_true(same(s.raw, bytes_of(was, n)));
    assert_int_equal(kit_status(&k).next_nonce, 6);
    /* Posted by somebody else meanwhile: not sent again. */
    kit_restart(&k);
    k.view.safe = 10;
    kit_head(&k, 1);
    kit_quiet(&k);
    assert_true(kit_slot(&k, 0).obsolete);
    kit_close(&k);
}

static void test_restart_unreleased(void **state)
{
    (void)state;
    struct kit k;
    uint64_t nonce;
    kit_open(&k, TXM_CALLDATA);
    kit_head(&k, 1);
    struct txm_payload p = kit_payload(&k, 0);
    assert_int_equal(txm_post(k.t, &p, 1, &nonce), OK);
    kit_restart(&k);
    kit_head(&k, 1);
    kit_quiet(&k);
    assert_int_equal(kit_slot(&k, 0).state, TXM_JOURNALED);
    assert_int_equal(txm_find(k.t, 0, 0), 0);
    assert_int_equal(txm_release(k.t, nonce), OK);
    (void)kit_send(&k);
    kit_close(&k);
}

/* ---- nonces -------------------------------------------------------------------------------------- */

/* #19, #20: no pool's word about nonces; a reorg that turns the account's back changes nothing. */
static void test_nonce_is_the_journals(void **state)
{
    (void)state;
    struct kit k;
    kit_open(&k, TXM_CALLDATA);
    kit_head(&k, 1);
    assert_int_equal(kit_post(&k, 0), 5);
    struct txm_send s = kit_send(&k);
    kit_says(&k, &s.hash, TXM_INCLUDED, TXM_NOT_ASKED, 102);
    k.view.account.nonce = 6;
    kit_head(&k, 1);
    kit_says(&k, &s.hash, TXM_ABSENT, TXM_NOT_ASKED, 0);
    k.view.account.nonce = 5;
    kit_head(&k, 1);
    assert_int_equal(kit_post(&k, 1), 6);
    kit_close(&k);
}

static void lose(struct kit *k, uint64_t heads)
{
    for (uint64_t i = 0; i < heads; i++) {
        kit_head(k, 1);
    }
}

static void test_stolen(void **state)
{
    (void)state;
    struct kit k;
    uint64_t nonce;
    kit_open(&k, TXM_CALLDATA);
    kit_head(&k, 1);
    kit_post(&k, 0);
    (void)kit_send(&k);
    k.view.account.nonce = 6; /* by nobody known */
    lose(&k, 3);
    assert_int_equal(kit_status(&k).alarms, 0); /* a reorg under way looks the same */
    kit_head(&k, 1);
    assert_int_equal(kit_status(&k).alarms, TXM_ALARM_STOLEN);
    struct txm_payload p = kit_payload(&k, 1);
    assert_int_equal(txm_post(k.t, &p, 1, &nonce), ERR_REFUSED);
    kit_quiet(&k);
    assert_int_equal(txm_adopt(k.t), OK); /* the operator's word */
    assert_int_equal(kit_status(&k).alarms, 0);
    assert_int_equal(kit_post(&k, 0), 6);
    kit_close(&k);
}

/* A journal brought back from a backup: the account is ahead of it. */
static void test_old_journal(void **state)
{
    (void)state;
    struct kit k;
    kit_open(&k, TXM_CALLDATA);
    kit_head(&k, 1);
    struct txm_send s;
    kit_post(&k, 0);
    s = kit_send(&k);
    kit_says(&k, &s.hash, TXM_INCLUDED, TXM_NOT_ASKED, 102);
    kit_restart(&k);
    k.view.account.nonce = 9;
    lose(&k, 4);
    assert_int_equal(kit_status(&k).alarms, TXM_ALARM_STOLEN);
    kit_close(&k);
}

static void test_lost_journal(void **state)
{
    (void)state;
    struct kit k;
    kit_open(&k, TXM_CALLDATA);
    k.view.account.nonce = 9; /* no journal at all: the chain's word */
    kit_head(&k, 1);
    assert_int_equal(kit_post(&k, 0), 9);
    kit_close(&k);
}

static void test_unknown_concludes_nothing(void **state)
{
    (void)state;
    struct kit k;
    kit_open(&k, TXM_CALLDATA);
    kit_head(&k, 1);
    kit_post(&k, 0);
    struct txm_send s = kit_send(&k);
    kit_says(&k, &s.hash, TXM_INCLUDED, TXM_NOT_ASKED, 102);
    k.view.account.nonce = 6;
    kit_head(&k, 1);
    assert_int_equal(kit_slot(&k, 0).state, TXM_MINED);
    k.unknown = true;
    lose(&k, 8);
    assert_int_equal(kit_slot(&k, 0).state, TXM_MINED);
    assert_int_equal(kit_status(&k).alarms, 0);
    kit_close(&k);
}

/* Below ours nobody has it, and it stays so: the way is opened again. */
static void test_hole(void **state)
{
    (void)state;
    struct kit k;
    kit_open(&k, TXM_CALLDATA);
    kit_head(&k, 1);
    kit_post(&k, 0);
    (void)kit_send(&k);
    k.view.account.nonce = 4; /* a reorg below what had been final */
    lose(&k, 4);
    struct txm_send s = kit_send(&k);
    assert_int_equal(s.nonce, 4);
    assert_int_equal(s.payload->segment, TXM_NO_SEGMENT);
    kit_close(&k);
}

/* ---- what L1 does --------------------------------------------------------------------------------- */

static void test_mined_to_final(void **state)
{
    (void)state;
    struct kit k;
    kit_open(&k, TXM_BLOB);
    kit_head(&k, 1);
    kit_post(&k, 0);
    struct txm_send s = kit_send(&k);
    struct hash hash = s.hash;
    kit_says(&k, &hash, TXM_INCLUDED, TXM_NOT_ASKED, 102);
    k.view.account.nonce = 6;
    k.view.safe = 10;
    kit_head(&k, 1);
    assert_int_equal(kit_slot(&k, 0).state, TXM_MINED);
    assert_false(kit_slot(&k, 0).obsolete);
    kit_head(&k, 9);
    assert_int_equal(kit_slot(&k, 0).state, TXM_CONFIRMED);
    size_t i = 0;
    struct hash asked;
    assert_true(txm_hash(k.t, &i, &asked));
    assert_true(hash_equal(&asked, &hash));
    assert_false(txm_hash(k.t, &i, &asked));
    k.view.has_finalized = true;
    k.view.finalized = 101;
    k.view.final_nonce = 6;
    kit_head(&k, 1);
    assert_int_equal(txm_slots(k.t), 1);
    k.view.finalized = 102;
    kit_head(&k, 1);
    assert_int_equal(txm_slots(k.t), 0);
    assert_int_equal(kit_status(&k).finals, 1);
    assert_int_equal(kit_status(&k).spent.v[0], 1000);
    assert_int_equal(kit_status(&k).next_nonce, 6);
    kit_close(&k);
}

/* Also deeper than the confirmations: until it is final nothing is forgotten. */
static void test_reorg(void **state)
{
    (void)state;
    struct kit k;
    uint8_t was[2048];
    kit_open(&k, TXM_CALLDATA);
    kit_head(&k, 1);
    kit_post(&k, 0);
    struct txm_send s = kit_send(&k);
    struct hash hash = s.hash;
    size_t n = s.raw.n;
    memcpy(was, s.raw.p, n);
    kit_says(&k, &hash, TXM_INCLUDED, TXM_NOT_ASKED, 102);
    k.view.account.nonce = 6;
    kit_head(&k, 12);
    assert_int_equal(kit_slot(&k, 0).state, TXM_CONFIRMED);
    kit_quiet(&k);
    kit_says(&k, &hash, TXM_ABSENT, TXM_NOT_ASKED, 0);
    k.view.account.nonce = 5;
    k.view.head.number -= 12; /* #25: the head goes back */
    kit_head(&k, 0);
    s = kit_send(&k);
    assert_true(same(s.raw, bytes_of(was, n)));
    assert_int_equal(kit_status(&k).reorged, 1);
    assert_int_equal(kit_status(&k).bumps, 0);
    kit_close(&k);
}

static void test_reorg_to_an_older_rung(void **state)
{
    (void)state;
    struct kit k;
    kit_open(&k, TXM_CALLDATA);
    kit_head(&k, 1);
    kit_post(&k, 0);
    struct hash first = kit_send(&k).hash;
    lose(&k, 4);
    struct hash second = kit_send(&k).hash;
    assert_false(hash_equal(&first, &second));
    k.view.account.nonce = 6;
    kit_says(&k, &second, TXM_INCLUDED, TXM_NOT_ASKED, k.view.head.number + 1);
    kit_head(&k, 1);
    kit_says(&k, &second, TXM_ABSENT, TXM_NOT_ASKED, 0);
    kit_says(&k, &first, TXM_INCLUDED, TXM_NOT_ASKED, k.view.head.number);
    lose(&k, 5);
    assert_int_equal(kit_slot(&k, 0).state, TXM_MINED);
    assert_int_equal(kit_status(&k).alarms, 0);
    assert_int_equal(txm_slots(k.t), 1);
    kit_close(&k);
}

/* ---- what became obsolete ------------------------------------------------------------------------- */

/* #1: a segment that is derived already is never sent again. */
static void test_reuse(void **state)
{
    (void)state;
    struct kit k;
    struct blob_tx tx;
    struct address sender;
    kit_open(&k, TXM_BLOB);
    kit_head(&k, 1);
    kit_post(&k, 0);
    (void)kit_send(&k);
    k.view.safe = 10;
    kit_head(&k, 1);
    kit_quiet(&k);
    assert_int_equal(kit_post(&k, 1), 5); /* the same nonce */
    struct txm_send s = kit_send(&k);
    assert_int_equal(s.payload->segment, 1);
    assert_int_equal(blob_tx_read(&tx, &sender, s.raw), OK);
    assert_true(tx.max_priority_fee.v[0] >= 2000000000);
    assert_true(tx.max_blob_fee.v[0] >= 16000000000);
    assert_int_equal(kit_status(&k).replaced, 1);
    /* The journal knows both; the old one may still win. */
    kit_restart(&k);
    kit_head(&k, 1);
    s = kit_send(&k);
    assert_int_equal(s.payload->segment, 1);
    kit_close(&k);
}

static void test_cancel(void **state)
{
    (void)state;
    struct kit k;
    struct blob_tx tx;
    struct address sender;
    char hex[HEX_SIZE(32)];
    kit_open(&k, TXM_BLOB);
    kit_head(&k, 1);
    kit_post(&k, 0);
    (void)kit_send(&k);
    k.view.safe = 10;
    kit_head(&k, 1);
    kit_head(&k, 1);
    kit_quiet(&k);
    kit_head(&k, 1);
    struct txm_send s = kit_send(&k);
    assert_int_equal(s.payload->segment, TXM_NO_SEGMENT);
    assert_int_equal(blob_tx_read(&tx, &sender, s.raw), OK);
    assert_true(address_equal(&tx.to, &k.cfg.account));
    assert_int_equal(tx.blobs, 1);
    hex_encode(hex, tx.versioned[0].b, 32);
    assert_string_equal(hex, "0x010657f37554c781402a22917dee2f75def7ab966d7b770905398eba3c444014");
    assert_int_equal(kit_status(&k).cancelled, 1);
    kit_close(&k);
}

/* What was never sent leaves nothing to cancel, and its nonce is the next one's. */
static void test_unsent_is_not_cancelled(void **state)
{
    (void)state;
    struct kit k;
    uint64_t nonce;
    kit_open(&k, TXM_CALLDATA);
    kit_head(&k, 1);
    struct txm_payload p = kit_payload(&k, 0);
    assert_int_equal(txm_post(k.t, &p, 1, &nonce), OK);
    k.view.safe = 10;
    lose(&k, 6);
    kit_quiet(&k);
    assert_int_equal(kit_post(&k, 1), nonce);
    assert_int_equal(cap_of(kit_send(&k).raw), 9000000000); /* nothing to outbid */
    kit_close(&k);
}

static void test_limit(void **state)
{
    (void)state;
    struct kit k;
    kit_open(&k, TXM_CALLDATA);
    kit_head(&k, 1);
    kit_post(&k, 0);
    kit_post(&k, 1);
    txm_limit(k.t, 1);
    assert_int_equal(kit_send(&k).payload->segment, 0);
    kit_quiet(&k);
    txm_limit(k.t, 2);
    assert_int_equal(kit_send(&k).payload->segment, 1);
    kit_close(&k);
}

static void test_window(void **state)
{
    (void)state;
    struct kit k;
    uint64_t nonce;
    kit_open(&k, TXM_CALLDATA);
    kit_head(&k, 1);
    kit_post(&k, 0);
    kit_post(&k, 1);
    struct txm_payload p = kit_payload(&k, 2);
    assert_int_equal(txm_post(k.t, &p, 1, &nonce), ERR_BUSY);
    k.view.derived = false;
    kit_head(&k, 1);
    kit_quiet(&k);
    assert_int_equal(txm_post(k.t, &p, 1, &nonce), ERR_NOT_READY);
    kit_close(&k);
}

/* A backlog goes out faster as it is being mined, and after an outage from the start. */
static void test_window_grows(void **state)
{
    (void)state;
    struct kit k;
    kit_open(&k, TXM_CALLDATA);
    txm_free(k.t);
    k.cfg.most_pending = 4;
    k.t = NULL;
    kit_restart(&k);
    kit_head(&k, 1);
    for (uint64_t no = 0; no < 8; no++) {
        struct txm_payload p = kit_payload(&k, no);
        uint64_t nonce;
        if (txm_post(k.t, &p, 1, &nonce) == ERR_BUSY) {
            struct txm_slot_view v = kit_slot(&k, txm_slots(k.t) - kit_status(&k).window);
            struct hash hash = keccak256(v.raw[0].p, v.raw[0].n);
            kit_says(&k, &hash, TXM_INCLUDED, TXM_NOT_ASKED, k.view.head.number + 1);
            k.view.account.nonce = v.nonce + 1;
            kit_head(&k, 1);
        }
    }
    assert_int_equal(kit_status(&k).window, 4);
    k.view.ok = false;
    kit_later(&k, 1000);
    assert_int_equal(kit_status(&k).window, 2);
    kit_close(&k);
}

/* Both transactions of a segment, or neither. */
static void test_two_parts(void **state)
{
    (void)state;
    struct kit k;
    uint64_t nonce[2];
    kit_open(&k, TXM_CALLDATA);
    kit_head(&k, 1);
    struct txm_payload p[2] = {kit_payload(&k, 0), kit_payload(&k, 0)};
    p[1].part = 1;
    k.view.account.balance = kit_gwei(400000); /* enough for one ladder */
    kit_head(&k, 1);
    assert_int_equal(txm_post(k.t, p, 2, nonce), ERR_REFUSED);
    assert_int_equal(txm_slots(k.t), 0);
    assert_int_equal(k.groups, 0);
    k.view.account.balance = kit_gwei(10000000);
    kit_head(&k, 1);
    assert_int_equal(txm_post(k.t, p, 2, nonce), OK);
    assert_int_equal(nonce[0], 5);
    assert_int_equal(nonce[1], 6);
    assert_int_equal(k.groups, 1); /* one piece */
    assert_int_equal(txm_find(k.t, 0, 1), 1);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_bytes),
        cmocka_unit_test(test_blob_bytes),
        cmocka_unit_test(test_journal_first),
        cmocka_unit_test(test_journal_fails),
        cmocka_unit_test(test_restart_sends_the_same),
        cmocka_unit_test(test_restart_unreleased),
        cmocka_unit_test(test_nonce_is_the_journals),
        cmocka_unit_test(test_stolen),
        cmocka_unit_test(test_old_journal),
        cmocka_unit_test(test_lost_journal),
        cmocka_unit_test(test_unknown_concludes_nothing),
        cmocka_unit_test(test_hole),
        cmocka_unit_test(test_mined_to_final),
        cmocka_unit_test(test_reorg),
        cmocka_unit_test(test_reorg_to_an_older_rung),
        cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_unsent_is_not_cancelled),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_window_grows),
        cmocka_unit_test(test_two_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
