/* Derivation: what counts and what does not, one by one. */
#include "derive_world.h"

#include <stdlib.h>

#include "proto/limits.h"
#include "sequencer/batcher/assembly.h"
#include "sequencer/batcher/blob_posting.h"
#include "sequencer/batcher/derive_pool.h"

static struct world *world;
static struct verifier verifier;

static int begin(void **state)
{
    (void)state;
    world = malloc(sizeof *world);
    if (world == NULL) {
        return -1;
    }
    world_open(world, 20260101);
    verifier_open(&verifier, world, true, 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    verifier_close(&verifier);
    world_close(world);
    free(world);
    return 0;
}

/* Mines a block with these and reads it. */
static void mine(size_t n, struct made *const tx[])
{
    struct l1_slot *s = l1_mine(world);
    for (size_t i = 0; i < n; i++) {
        l1_put(s, tx[i]);
    }
    verifier_read(&verifier);
    verifier_check(&verifier);
}

static void mine1(struct made *tx)
{
    mine(1, &tx);
}

static void mine2(struct made *a, struct made *b)
{
    struct made *tx[] = {a, b};
    mine(2, tx);
}

static void expect_safe(size_t pieces)
{
    assert_int_equal(verifier_next(&verifier), pieces);
}

static void expect_count(enum derive_verdict v, uint64_t n)
{
    if (derive_count(verifier.d, v) != n) {
        print_error("%s: %d times\n", derive_verdict_name(v), (int)derive_count(verifier.d, v));
    }
    assert_int_equal(derive_count(verifier.d, v), n);
}

/* ---- what counts -------------------------------------------------------------------------------- */

static void blobs(void **state)
{
    (void)state;
    mine1(make_blob_posting(world, 0, 1));
    expect_safe(1);
    mine2(make_blob_posting(world, 1, 2), make_blob_posting(world, 2, 9));
    expect_safe(3);
    const struct safe_row *safe = derive_state_safe(derive_state_of(verifier.d));
    assert_int_equal(safe->l1.number, L1_FIRST + 1);
    assert_int_equal(safe->tx, 3); /* the second of the block, numbered 0, 3, … here */
    expect_count(DERIVE_ACCEPTED, 3);
}

/* Halves in either order, in one block or several, from anybody; one payload may come again. */
static void calldata(void **state)
{
    (void)state;
    mine2(make_half(world, 0, HALF_PAYLOAD, 1), make_half(world, 0, HALF_ENVELOPE, 1));
    expect_safe(1);
    mine2(make_half(world, 1, HALF_ENVELOPE, 1), make_half(world, 1, HALF_PAYLOAD, 2));
    expect_safe(2);
    mine1(make_half(world, 2, HALF_ENVELOPE, 3));
    for (size_t i = 1; i < CHANNEL_TIMEOUT_BLOCKS; i++) {
        mine(0, NULL);
    }
    expect_safe(2);
    mine1(make_half(world, 2, HALF_PAYLOAD, 3)); /* 50 blocks later: just in time */
    expect_safe(3);
    mine1(make_half(world, 3, HALF_PAYLOAD, 3));
    for (size_t i = 0; i < CHANNEL_TIMEOUT_BLOCKS; i++) {
        mine(0, NULL);
    }
    expect_count(DERIVE_LATE, 0);
    mine1(make_half(world, 3, HALF_ENVELOPE, 3));
    expect_safe(3);
    expect_count(DERIVE_LATE, 1);
    mine1(make_half(world, 3, HALF_PAYLOAD, 4));
    expect_safe(4);
}

/* A verifier that begins above this block. */
static void start_at(uint64_t height)
{
    verifier_close(&verifier);
    verifier_open(&verifier, world, false, 0);
    derive_close(verifier.d);
    verifier.setup.start = (struct safe_row){height, world->hash[height], world->l1[0].at, 0};
    assert_int_equal(derive_open(&verifier.d, &verifier.setup), OK);
}

/* Segments of other borders: what is below the safe head counts for nothing. */
static void overlap(void **state)
{
    (void)state;
    size_t i = 1;
    while (world->piece[i].auth.last - world->piece[i].auth.first < 2) {
        i++;
    }
    const struct batch_auth *a = &world->piece[i].auth;
    start_at(a->first + 1);
    mine1(make_blob_posting(world, i, 1));
    assert_int_equal(verifier_safe(&verifier), a->last);
    start_at(a->first - 2); /* one block is missing */
    verifier_read(&verifier);
    expect_count(DERIVE_GAP, 1);
}

/* A verifier that was started anew has the halves of the last 50 blocks again, all of them. */
static void restart_between_halves(void **state)
{
    (void)state;
    struct buffer saved;
    struct verifier again;
    mine1(make_half(world, 0, HALF_ENVELOPE, 3));
    for (size_t i = 1; i < CHANNEL_TIMEOUT_BLOCKS; i++) {
        mine(0, NULL);
    }
    buffer_init(&saved, 1 << 20);
    derive_save(verifier.d, &saved);
    verifier_resume(&again, world, buffer_bytes(&saved));
    mine1(make_half(world, 0, HALF_PAYLOAD, 3));
    expect_safe(1);
    verifier_read(&again);
    verifiers_agree(&verifier, &again);
    verifier_close(&again);
    buffer_free(&saved);
}

/* ---- what does not ------------------------------------------------------------------------------ */

static void order(void **state)
{
    (void)state;
    mine1(make_blob_posting(world, 1, 1));
    expect_count(DERIVE_GAP, 1);
    mine1(make_blob_posting(world, 0, 1));
    mine1(make_blob_posting(world, 0, 2));
    expect_count(DERIVE_PAST, 1);
    mine2(make_half(world, 0, HALF_PAYLOAD, 1), make_half(world, 0, HALF_ENVELOPE, 1));
    expect_count(DERIVE_PAST, 2);
    expect_safe(1);
}

static void post_forged(size_t piece, enum forgery how)
{
    struct forged f;
    forge(world, &f, piece, how);
    struct address to[] = {verifier.setup.inbox, verifier.setup.auth};
    mine2(make_tx(world, &to[0], buffer_bytes(&f.payload), 5),
          make_tx(world, &to[1], buffer_bytes(&f.envelope), 5));
    forged_free(&f);
}

/* A true certificate around anything else; each is refused for its own reason. */
static void forgeries(void **state)
{
    (void)state;
    static const enum derive_verdict why[FORGERIES] = {
        [FORGE_BLOCKS] = DERIVE_BLOCKS,   [FORGE_LEADER] = DERIVE_BLOCKS,
        [FORGE_BOMB] = DERIVE_FRAMES,     [FORGE_NAME] = DERIVE_CONTENT,
        [FORGE_CHAIN] = DERIVE_CHAIN,     [FORGE_SIGNER] = DERIVE_CERTIFICATE,
        [FORGE_PARENT] = DERIVE_PARENT,   [FORGE_MS] = DERIVE_BLOCKS,
    };
    for (size_t how = 0; how < FORGERIES; how++) {
        uint64_t before = derive_count(verifier.d, why[how]);
        post_forged(0, (enum forgery)how);
        /* a payload that comes again meets the envelopes of before, too */
        assert_true(derive_count(verifier.d, why[how]) > before);
        expect_safe(0);
    }
    mine2(make_half(world, 0, HALF_PAYLOAD, 1), make_half(world, 0, HALF_ENVELOPE, 1));
    expect_safe(1);
}

static void noise(void **state)
{
    (void)state;
    struct address elsewhere = {{3}};
    struct made *m = make_half(world, 0, HALF_PAYLOAD, 1);
    m->tx.type = 4;
    mine1(m);
    expect_count(DERIVE_TYPE, 1);
    mine1(make_tx(world, &elsewhere, bytes_of("anything", 8), 1));
    mine1(make_tx(world, &verifier.setup.inbox, bytes_of("anything", 8), 1));
    mine1(make_tx(world, &verifier.setup.inbox, bytes_of("", 0), 1));
    expect_count(DERIVE_FRAMES, 2);
    mine1(make_tx(world, &verifier.setup.auth, bytes_of("anything", 8), 1));
    expect_count(DERIVE_ENVELOPE, 1);
    mine1(make_tx(world, &verifier.setup.auth, buffer_bytes(&world->piece[0].segment.payload), 1));
    expect_count(DERIVE_ENVELOPE, 2);
    struct bytes payload = buffer_bytes(&world->piece[0].segment.payload);
    mine1(make_tx(world, &verifier.setup.inbox, bytes_of(payload.p, payload.n - 1), 1));
    expect_count(DERIVE_FRAMES, 3);
    mine1(make_half(world, 0, HALF_ENVELOPE, 1)); /* its payload was cut off: still waits */
    expect_safe(0);
}

/* Blobs that are no payload, or of another number than committed; nothing is fetched in vain. */
static void bad_blobs(void **state)
{
    (void)state;
    uint8_t *blob = calloc(1, BLOB_BYTES);
    struct batch_auth *a = malloc(sizeof *a);
    struct buffer envelope;
    assert_true(blob != NULL && a != NULL);
    buffer_init(&envelope, 1 << 20);
    mine1(make_blob(world, buffer_bytes(&world->piece[0].blob_envelope), blob, 1));
    expect_count(DERIVE_COMMITMENT, 1);
    mine1(make_blob(world, buffer_bytes(&world->piece[0].envelope), world->piece[0].blob, 1));
    expect_count(DERIVE_COMMITMENT, 2);
    struct made *m = make_blob_posting(world, 0, 1);
    m->tx.blobs = 0;
    mine1(m);
    expect_count(DERIVE_COMMITMENT, 3);
    m = make_blob_posting(world, 0, 1);
    m->tx.blobs = LIMIT_TX_BLOBS + 1;
    mine1(m);
    expect_count(DERIVE_COMMITMENT, 4);
    blob[1] = 9; /* an encoding that nobody knows */
    struct hash versioned = blob_hash(blob);
    *a = world->piece[0].auth;
    a->commitment = blob_hashes_commitment(&versioned, 1);
    assert_int_equal(auth_encode(&envelope, a, world->piece[0].time), OK);
    mine1(make_blob(world, buffer_bytes(&envelope), blob, 1));
    expect_count(DERIVE_BLOB, 1);
    expect_safe(0);
    buffer_free(&envelope);
    free(a);
    free(blob);
}

/* Who copies the certificate into many envelopes for the true payload costs a few tries; the poster
 * whose two halves come from one account is not in their way. */
static void crowd(void **state)
{
    (void)state;
    struct forged f;
    struct made *tx[L1_TXS];
    size_t n = 0;
    forge(world, &f, 0, FORGE_LEADER);
    while (n < LIMIT_DERIVE_TRIES + 3) {
        tx[n++] = make_tx(world, &verifier.setup.auth, buffer_bytes(&f.envelope), 66);
    }
    tx[n++] = make_half(world, 0, HALF_PAYLOAD, 5);
    mine(n, tx);
    expect_safe(0);
    expect_count(DERIVE_BLOCKS, LIMIT_DERIVE_TRIES);
    expect_count(DERIVE_TRIES, 1);
    mine2(make_half(world, 0, HALF_ENVELOPE, 5), make_half(world, 0, HALF_PAYLOAD, 5));
    expect_safe(1);
    forged_free(&f);
    forge(world, &f, 1, FORGE_LEADER);
    for (n = 0; n < LIMIT_DERIVE_TRIES + 3; n++) {
        tx[n] = make_tx(world, &verifier.setup.auth, buffer_bytes(&f.envelope), 66);
    }
    tx[n++] = make_half(world, 1, HALF_ENVELOPE, 5);
    tx[n++] = make_half(world, 1, HALF_PAYLOAD, 5);
    mine(n, tx);
    expect_safe(2);
    forged_free(&f);
}

/* More halves than are kept: the oldest are forgotten, in the same way by everybody. */
static void crowded_out(void **state)
{
    (void)state;
    struct verifier late;
    mine1(make_half(world, 0, HALF_ENVELOPE, 5));
    for (size_t i = 0; i < LIMIT_DERIVE_POOL / 16; i++) {
        struct made *tx[16];
        for (size_t k = 0; k < 16; k++) {
            tx[k] = make_half(world, 1 + (i + k) % 8, HALF_PAYLOAD, (uint8_t)k);
        }
        mine(16, tx);
    }
    expect_count(DERIVE_CROWDED, 1);
    mine1(make_half(world, 0, HALF_PAYLOAD, 5));
    expect_safe(0);
    mine1(make_half(world, 0, HALF_ENVELOPE, 5));
    expect_safe(1);
    verifier_open(&late, world, false, 0);
    verifier_read(&late);
    verifiers_agree(&verifier, &late);
    verifier_close(&late);
}

/* ---- the L1 takes back -------------------------------------------------------------------------- */

static void reorgs(void **state)
{
    (void)state;
    static const size_t depths[] = {1, 10, 64};
    for (size_t k = 0; k < 3; k++) {
        mine(0, NULL);
        size_t before = verifier_next(&verifier);
        for (size_t i = 0; i < depths[k]; i++) {
            if (i % 16 == 0) {
                mine1(make_blob_posting(world, verifier_next(&verifier), 1));
            } else {
                mine(0, NULL);
            }
        }
        assert_true(verifier_next(&verifier) > before);
        l1_reorg(world, depths[k]);
        mine(0, NULL);
        expect_safe(before);
        mine1(make_blob_posting(world, before, 2));
        expect_safe(before + 1);
    }
}

/* A payload before the fork meets its envelope after it. */
static void reorg_between_halves(void **state)
{
    (void)state;
    mine1(make_half(world, 0, HALF_PAYLOAD, 1));
    mine(0, NULL);
    mine1(make_half(world, 0, HALF_ENVELOPE, 1));
    expect_safe(1);
    l1_reorg(world, 1);
    mine(0, NULL);
    expect_safe(0);
    mine1(make_half(world, 0, HALF_ENVELOPE, 2));
    expect_safe(1);
}

/* Below what the L1 called final nothing is known any more. */
static void too_deep(void **state)
{
    (void)state;
    struct derive_heads heads;
    for (size_t i = 0; i < 6; i++) {
        mine1(make_blob_posting(world, i, 1));
    }
    derive_heads(verifier.d, 2, L1_FIRST + 3, &heads);
    assert_int_equal(heads.l1.number, L1_FIRST + 5);
    assert_int_equal(heads.latest.number, world->piece[5].auth.last);
    assert_int_equal(heads.conf.number, world->piece[3].auth.last);
    assert_int_equal(heads.final.number, world->piece[3].auth.last);
    derive_heads(verifier.d, 0, 0, &heads); /* an L1 that says less than before */
    assert_int_equal(heads.conf.number, heads.latest.number);
    assert_int_equal(heads.final.number, world->piece[3].auth.last);
    assert_int_equal(derive_back(verifier.d, L1_FIRST + 2), ERR_REFUSED);
    assert_int_equal(derive_back(verifier.d, L1_FIRST + 3), OK);
    expect_safe(4);
}

static void blocks_out_of_order(void **state)
{
    (void)state;
    struct derive_block b = {.at = {L1_FIRST + 1, {{1}}}};
    assert_int_equal(derive_push(verifier.d, &b), DERIVE_ORDER);
    b.at.number = L1_FIRST;
    assert_int_equal(derive_push(verifier.d, &b), DERIVE_FORK);
    b.parent = world->l1[0].at.hash;
    assert_int_equal(derive_push(verifier.d, &b), DERIVE_TAKEN);
}

/* A block that waits for its blobs is replaced by another of the same number. */
static void begun_and_replaced(void **state)
{
    (void)state;
    struct made *tx[] = {make_half(world, 0, HALF_PAYLOAD, 1), make_half(world, 0, HALF_ENVELOPE, 1),
                         make_blob_posting(world, 1, 1)};
    struct derive_tx raw[3];
    struct l1_slot *s = l1_mine(world);
    for (size_t i = 0; i < 3; i++) {
        raw[i] = tx[i]->tx;
        raw[i].index = (uint32_t)i;
    }
    struct derive_block b = {s->at, s->parent, raw, 3};
    assert_int_equal(derive_push(verifier.d, &b), DERIVE_BLOBS);
    assert_int_equal(derive_waits(verifier.d), 2);
    expect_safe(1);
    l1_reorg(world, 1);
    mine(0, NULL);
    expect_safe(0);
}

/* ---- the alarm ---------------------------------------------------------------------------------- */

static void alarm_is_raised(void **state)
{
    (void)state;
    struct buffer saved;
    struct verifier again;
    buffer_init(&saved, 1 << 20);
    mine1(make_blob_posting(world, 0, 1));
    derive_compare(verifier.d, 9999, &world->hash[1]); /* nothing was derived there */
    assert_false(derive_alarm(verifier.d)->raised);
    verifier.other.b[0] = 7;
    l1_put(l1_mine(world), make_blob_posting(world, 1, 1));
    verifier_read(&verifier);
    const struct derive_alarm *a = derive_alarm(verifier.d);
    assert_true(a->raised);
    assert_int_equal(a->number, world->piece[1].auth.last);
    assert_true(hash_equal(&a->certified, &verifier.other));
    assert_true(hash_equal(&a->derived, &world->hash[a->number]));
    assert_int_equal(a->l1.number, L1_FIRST + 1);
    derive_save(verifier.d, &saved);
    verifier_resume(&again, world, buffer_bytes(&saved));
    assert_true(derive_alarm(again.d)->raised); /* a restart does not make it good */
    verifier_close(&again);
    buffer_free(&saved);
}

/* A block that is pushed again brings no half twice; one that is larger than the pool, none. */
static void pool_counts_once(void **state)
{
    (void)state;
    static uint8_t large[LIMIT_DERIVE_POOL_BYTES + 1];
    struct derive_pool *p = calloc(1, sizeof *p);
    struct pool_item item = {.l1 = 5, .tx = 3, .bytes = bytes_of("half", 4)};
    size_t crowded = 0;
    assert_non_null(p);
    assert_int_equal(derive_pool_put(p, &item, &crowded), OK);
    assert_int_equal(derive_pool_put(p, &item, &crowded), OK);
    assert_int_equal(p->n, 1);
    item.tx = 4;
    assert_int_equal(derive_pool_put(p, &item, &crowded), OK);
    assert_int_equal(p->n, 2);
    item.bytes = bytes_of(large, sizeof large);
    item.tx = 5;
    assert_int_equal(derive_pool_put(p, &item, &crowded), ERR_TOO_LARGE);
    item.bytes.n--;
    assert_int_equal(derive_pool_put(p, &item, &crowded), OK);
    assert_int_equal(p->n, 1);
    assert_int_equal(crowded, 2);
    derive_pool_clear(p);
    assert_int_equal(p->bytes, 0);
    free(p);
}

/* Every verdict has words, and they differ. */
static void words(void **state)
{
    (void)state;
    for (size_t i = 0; i < DERIVE_VERDICTS; i++) {
        assert_true(derive_verdict_text((enum derive_verdict)i)[0] != '\0');
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(derive_verdict_name((enum derive_verdict)i),
                                    derive_verdict_name((enum derive_verdict)k));
        }
    }
    assert_string_equal(derive_verdict_name(DERIVE_VERDICTS), "?");
}

static int library(void **state)
{
    (void)state;
    return key_library_init() == OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(blobs, begin, end),
        cmocka_unit_test_setup_teardown(calldata, begin, end),
        cmocka_unit_test_setup_teardown(restart_between_halves, begin, end),
        cmocka_unit_test_setup_teardown(overlap, begin, end),
        cmocka_unit_test_setup_teardown(order, begin, end),
        cmocka_unit_test_setup_teardown(forgeries, begin, end),
        cmocka_unit_test_setup_teardown(noise, begin, end),
        cmocka_unit_test_setup_teardown(bad_blobs, begin, end),
        cmocka_unit_test_setup_teardown(crowd, begin, end),
        cmocka_unit_test_setup_teardown(crowded_out, begin, end),
        cmocka_unit_test_setup_teardown(reorgs, begin, end),
        cmocka_unit_test_setup_teardown(reorg_between_halves, begin, end),
        cmocka_unit_test_setup_teardown(too_deep, begin, end),
        cmocka_unit_test_setup_teardown(blocks_out_of_order, begin, end),
        cmocka_unit_test_setup_teardown(begun_and_replaced, begin, end),
        cmocka_unit_test_setup_teardown(alarm_is_raised, begin, end),
        cmocka_unit_test(pool_counts_once),
        cmocka_unit_test(words),
    };
    return cmocka_run_group_tests(tests, library, NULL);
}
