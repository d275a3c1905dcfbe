/* PostIntent: one encoding, the member's signature, and what its transactions may be. */
#include "txm_kit.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/keccak.h"
#include "proto/tx.h"
#include "sequencer/batcher/auth.h"
#include "sequencer/batcher/duty_intent.h"
#include "world.h"

enum { L2_CHAIN = 41197, MEMBER = 2 };

struct sample {
    struct kit k;
    struct epoch_config c;
    struct secret_key member;
    struct post_intent i;
    struct intent_wanted w;
    struct buffer encoded;
};

static void encode(struct sample *s)
{
    buffer_clear(&s->encoded);
    assert_int_equal(intent_encode(&s->encoded, &s->i), OK);
    struct hash digest = intent_digest(&s->c, &s->i, buffer_bytes(&s->encoded));
    assert_int_equal(key_sign(&s->i.signature, &s->member, &digest), OK);
    buffer_clear(&s->encoded);
    assert_int_equal(intent_encode(&s->encoded, &s->i), OK);
}

static void open_sample(struct sample *s, enum txm_kind kind)
{
    memset(s, 0, sizeof *s);
    kit_open(&s->k, kind);
    kit_head(&s->k, 1);
    kit_post(&s->k, 3);
    struct txm_slot_view v = kit_slot(&s->k, 0);
    memset(s->member.b, 9, sizeof s->member.b);
    s->c.n = 4;
    assert_int_equal(key_address(&s->c.member[MEMBER].address, &s->member), OK);
    s->w = (struct intent_wanted){.chain_id = L2_CHAIN, .l1_chain_id = L1_CHAIN, .segment = 3};
    s->w.kind = kind == TXM_BLOB ? INTENT_BLOB : INTENT_CALLDATA;
    s->w.first = 31;
    s->w.last = 40;
    s->w.to[0] = s->w.to[1] = v.payload->to;
    s->w.data[0] = s->w.data[1] = v.payload->data;
    s->w.blobs = v.payload->blobs;
    memcpy(s->w.versioned, v.payload->versioned, sizeof s->w.versioned);
    s->i = (struct post_intent){.chain_id = L2_CHAIN,
                                .l1_chain_id = L1_CHAIN,
                                .time_ms = 1700000000000,
                                .segment = 3,
                                .first = 31,
                                .last = 40,
                                .member = MEMBER,
                                .kind = s->w.kind,
                                .account = s->k.cfg.account,
                                .parts = 1};
    s->i.part[0].nonce = v.nonce;
    s->i.part[0].blobs = v.payload->blobs;
    memcpy(s->i.part[0].versioned, v.payload->versioned, sizeof s->w.versioned);
    for (size_t r = 0; r < v.rungs; r++) {
        s->i.part[0].raw[s->i.part[0].rungs++] = v.raw[r];
    }
    buffer_init(&s->encoded, LIMIT_INTENT_BYTES);
    encode(s);
}

static void close_sample(struct sample *s)
{
    buffer_free(&s->encoded);
    kit_close(&s->k);
}

static void test_round_trip(void **state)
{
    (void)state;
    for (int kind = TXM_CALLDATA; kind <= TXM_BLOB; kind++) {
        struct sample s;
        struct post_intent got;
        struct buffer again;
        bool foreign;
        open_sample(&s, (enum txm_kind)kind);
        struct bytes b = buffer_bytes(&s.encoded);
        assert_int_equal(intent_decode(&got, b), OK);
        assert_int_equal(got.part[0].rungs, TXM_LADDER);
        assert_int_equal(intent_verify(&s.c, &got, b), OK);
        assert_int_equal(intent_check(&got, &s.w, &foreign), OK);
        assert_false(foreign);
        buffer_init(&again, LIMIT_INTENT_BYTES);
        assert_int_equal(intent_encode(&again, &got), OK);
        assert_true(bytes_equal(buffer_bytes(&again), b));
        buffer_free(&again);
        close_sample(&s);
    }
}

/* Decodes to what encodes to the same bytes, or not at all; every byte is covered by the signature. */
static void test_hostile(void **state)
{
    (void)state;
    struct sample s;
    uint64_t seed = 5;
    size_t good = 0;
    open_sample(&s, TXM_BLOB);
    for (int i = 0; i < 20000; i++) {
        size_t n = world_chance(&seed, 300) ? (size_t)world_below(&seed, s.encoded.n) : s.encoded.n;
        uint8_t *copy = malloc(n + 1);
        struct post_intent got;
        memcpy(copy, s.encoded.p, n);
        for (uint64_t k = 1 + world_below(&seed, 2); k > 0 && n > 0; k--) {
            copy[world_below(&seed, n < 300 ? n : 300)] ^= (uint8_t)(1u << world_below(&seed, 8));
        }
        if (intent_decode(&got, bytes_of(copy, n)) == OK) {
            struct buffer again;
            buffer_init(&again, LIMIT_INTENT_BYTES);
            assert_int_equal(intent_encode(&again, &got), OK);
            assert_true(bytes_equal(buffer_bytes(&again), bytes_of(copy, n)));
            buffer_free(&again);
            good++;
        }
        free(copy);
    }
    assert_true(good > 100);
    close_sample(&s);
}

static void test_signature(void **state)
{
    (void)state;
    struct sample s;
    struct post_intent got;
    open_sample(&s, TXM_CALLDATA);
    for (size_t at = 5; at < s.encoded.n; at += 37) {
        s.encoded.p[at] ^= 4;
        struct bytes b = buffer_bytes(&s.encoded);
        if (intent_decode(&got, b) == OK) {
            assert_int_not_equal(intent_verify(&s.c, &got, b), OK);
        }
        s.encoded.p[at] ^= 4;
    }
    s.i.member = 3; /* signed by another than it names */
    encode(&s);
    assert_int_equal(intent_decode(&got, buffer_bytes(&s.encoded)), OK);
    assert_int_equal(intent_verify(&s.c, &got, buffer_bytes(&s.encoded)), ERR_BAD_SIGNATURE);
    s.i.member = 4;
    encode(&s);
    assert_int_equal(intent_decode(&got, buffer_bytes(&s.encoded)), OK);
    assert_int_equal(intent_verify(&s.c, &got, buffer_bytes(&s.encoded)), ERR_NOT_MEMBER);
    close_sample(&s);
}

static void expect(const struct post_intent *i, const struct intent_wanted *w, enum err e)
{
    bool foreign;
    assert_int_equal(intent_check(i, w, &foreign), e);
}

static void test_promises(void **state)
{
    (void)state;
    for (int kind = TXM_CALLDATA; kind <= TXM_BLOB; kind++) {
        struct sample s;
        open_sample(&s, (enum txm_kind)kind);
        struct intent_wanted w = s.w;
        w.segment = 4;
        expect(&s.i, &w, ERR_REFUSED);
        w = s.w;
        w.root.b[0] = 1;
        expect(&s.i, &w, ERR_REFUSED);
        w = s.w;
        w.chain_id++;
        expect(&s.i, &w, ERR_WRONG_CHAIN);
        w = s.w;
        w.to[0].b[5] = 1;
        expect(&s.i, &w, ERR_MALFORMED);
        struct post_intent i = s.i;
        i.part[0].nonce++;
        expect(&i, &s.w, ERR_MALFORMED);
        i = s.i;
        i.account.b[0] ^= 1; /* of another account than it names */
        expect(&i, &s.w, ERR_BAD_SIGNATURE);
        i = s.i;
        i.l1_chain_id = w.l1_chain_id + 1;
        expect(&i, &s.w, ERR_WRONG_CHAIN);
        close_sample(&s);
    }
}

/* A transaction for another L1 under an intent that names the right one. */
static void test_wrong_l1(void **state)
{
    (void)state;
    struct sample s;
    open_sample(&s, TXM_CALLDATA);
    s.i.l1_chain_id = s.w.l1_chain_id = L1_CHAIN + 1;
    expect(&s.i, &s.w, ERR_WRONG_CHAIN);
    close_sample(&s);
}

/* Another compressor: taken, but only its owner can send it. */
static void test_foreign(void **state)
{
    (void)state;
    bool foreign;
    struct sample s;
    open_sample(&s, TXM_CALLDATA);
    s.w.data[0] = bytes_of("other", 5);
    assert_int_equal(intent_check(&s.i, &s.w, &foreign), OK);
    assert_true(foreign);
    close_sample(&s);
    open_sample(&s, TXM_BLOB);
    s.w.versioned[1].b[9] = 1;
    assert_int_equal(intent_check(&s.i, &s.w, &foreign), OK);
    assert_true(foreign);
    s.i.part[0].versioned[1].b[9] = 1; /* it names hashes that its transaction does not have */
    expect(&s.i, &s.w, ERR_MALFORMED);
    close_sample(&s);
}

/* ---- envelopes ----------------------------------------------------------------------------------- */

enum { BLOCKS = 10 };

/* Four members, and the envelope of segment 3, signed by those in `signers`. */
struct quorum {
    struct secret_key key[4];
    struct epoch_config c;
    struct batch_auth a;
};

static void open_quorum(struct quorum *q)
{
    char why[256];
    memset(q, 0, sizeof *q);
    q->c.chain_id = L2_CHAIN;
    q->c.params = (struct epoch_params){FAULT_BFT, PACE_FIXED, 8, 4, 200, 200, 1, 30000000};
    q->c.n = 4;
    for (uint32_t i = 0; i < 4; i++) {
        q->key[i].b[31] = (uint8_t)(i + 1);
        assert_int_equal(key_address(&q->c.member[i].address, &q->key[i]), OK);
        q->c.member[i].weight = 1;
        snprintf(q->c.member[i].name, sizeof q->c.member[i].name, "node%u", i);
        snprintf(q->c.member[i].endpoint, sizeof q->c.member[i].endpoint, "127.0.0.1:300%u", i);
    }
    assert_int_equal(epoch_config_derive(&q->c, why, sizeof why), OK);
    q->a = (struct batch_auth){.chain_id = L2_CHAIN, .segment = 3, .first = 31, .last = 40,
                               .headers = 1, .config = q->c.hash, .commitment = {{8}}};
    q->a.header[0] = (struct header){.chain_id = L2_CHAIN, .genesis = q->c.genesis, .slot = 41,
                                     .height = 40};
    q->a.cert = (struct certificate){.kind = VOTE_FINALIZE, .slot = 41};
    q->a.cert.block = header_hash(&q->a.header[0]);
}

static void sign_envelope(struct quorum *q, uint32_t signers, struct buffer *out)
{
    struct auth_time time[BLOCKS];
    size_t n = 0;
    struct hash digest = vote_digest(&q->c, VOTE_FINALIZE, 41, &q->a.cert.block);
    q->a.cert.signers = signers;
    for (uint32_t i = 0; i < 4; i++) {
        if ((signers >> i & 1) != 0) {
            assert_int_equal(key_sign(&q->a.cert.signature[n++], &q->key[i], &digest), OK);
        }
    }
    for (uint64_t i = 0; i < BLOCKS; i++) {
        time[i] = (struct auth_time){1700000000000 + 200 * i, 0};
    }
    buffer_clear(out);
    assert_int_equal(auth_encode(out, &q->a, time), OK);
}

/* The second half of a posting as calldata, with this envelope, checked against that one. */
static enum err halves(struct bytes got, struct bytes ours, const struct epoch_config *c)
{
    bool foreign;
    uint8_t raw[2][8192];
    struct secret_key key = {{7}};
    struct tx_request tx = {.chain_id = L1_CHAIN, .max_priority_fee = u256_from_u64(1),
                            .max_fee = u256_from_u64(1), .gas = 100000};
    struct bytes payload = bytes_of("payload", 7);
    struct post_intent i = {.chain_id = L2_CHAIN, .l1_chain_id = L1_CHAIN, .segment = 3,
                            .first = 31, .last = 40, .kind = INTENT_CALLDATA, .parts = 2};
    struct intent_wanted w = {.chain_id = L2_CHAIN, .l1_chain_id = L1_CHAIN, .segment = 3,
                              .first = 31, .last = 40, .kind = INTENT_CALLDATA,
                              .data = {payload, ours}, .epoch = c};
    assert_int_equal(key_address(&i.account, &key), OK);
    for (size_t p = 0; p < 2; p++) {
        size_t n = 0;
        tx.nonce = i.part[p].nonce = p;
        tx.data = p == 0 ? payload : got;
        assert_int_equal(tx_sign(raw[p], sizeof raw[p], &n, &tx, &key), OK);
        i.part[p].rungs = 1;
        i.part[p].raw[0] = bytes_of(raw[p], n);
    }
    enum err e = intent_check(&i, &w, &foreign);
    assert_true(e != OK || !foreign);
    return e;
}

/* Members that heard of different quorums make different envelopes: each sends the other's. */
static void test_another_quorum(void **state)
{
    (void)state;
    struct quorum *q = malloc(sizeof *q);
    struct buffer ours;
    struct buffer theirs;
    assert_non_null(q);
    buffer_init(&ours, 8192);
    buffer_init(&theirs, 8192);
    open_quorum(q);
    sign_envelope(q, 7, &ours);
    sign_envelope(q, 14, &theirs);
    assert_false(bytes_equal(buffer_bytes(&ours), buffer_bytes(&theirs)));
    assert_int_equal(halves(buffer_bytes(&theirs), buffer_bytes(&ours), &q->c), OK);
    assert_int_equal(halves(buffer_bytes(&theirs), buffer_bytes(&ours), NULL), ERR_REFUSED);
    sign_envelope(q, 6, &theirs); /* two of four */
    assert_int_equal(halves(buffer_bytes(&theirs), buffer_bytes(&ours), &q->c),
                     ERR_BAD_CERTIFICATE);
    q->a.commitment.b[0] = 9; /* for other bytes than these */
    sign_envelope(q, 14, &theirs);
    assert_int_equal(halves(buffer_bytes(&theirs), buffer_bytes(&ours), &q->c), ERR_REFUSED);
    assert_int_not_equal(halves(bytes_of("junk", 4), buffer_bytes(&ours), &q->c), OK);
    buffer_free(&ours);
    buffer_free(&theirs);
    free(q);
}

static void test_bounds(void **state)
{
    (void)state;
    struct sample s;
    struct post_intent got;
    open_sample(&s, TXM_CALLDATA);
    struct post_intent i = s.i;
    i.parts = 0;
    assert_int_equal(intent_encode(&s.encoded, &i), ERR_REFUSED);
    i = s.i;
    i.part[0].rungs = INTENT_LADDER + 1;
    assert_int_equal(intent_encode(&s.encoded, &i), ERR_REFUSED);
    i = s.i;
    i.part[0].blobs = 1; /* blobs are another kind */
    assert_int_equal(intent_encode(&s.encoded, &i), ERR_REFUSED);
    i = s.i;
    i.first = i.last + 1;
    assert_int_equal(intent_encode(&s.encoded, &i), ERR_REFUSED);
    encode(&s);
    s.encoded.p[4] = 2;
    assert_int_equal(intent_decode(&got, buffer_bytes(&s.encoded)), ERR_WRONG_VERSION);
    static uint8_t large[LIMIT_INTENT_BYTES + 1];
    assert_int_equal(intent_decode(&got, bytes_of(large, sizeof large)), ERR_TOO_LARGE);
    close_sample(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_signature),  cmocka_unit_test(test_promises),
        cmocka_unit_test(test_wrong_l1),   cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_another_quorum),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
