/* Where segments end, what they hold, and the envelopes that prove them. */
#include "kit.h"

#include <stdlib.h>

#include "proto/keccak.h"
#include "proto/key.h"
#include "proto/limits.h"

enum { LARGE = 1 << 22 };

/* ---- boundaries ----------------------------------------------------------------------------------- */

static struct header block(uint64_t height, uint64_t ms, uint32_t bytes, uint8_t flags)
{
    return (struct header){
        .height = height, .timestamp_ms = ms, .body_len = bytes, .flags = flags};
}

static void ends_with_time(void **state)
{
    (void)state;
    struct segment_count c = {.blocks = 0};
    struct header b = block(5, 1000, 100, 0);
    assert_false(segment_add(&c, &b, 10000));
    b = block(6, 10999, 100, 0);
    assert_false(segment_add(&c, &b, 10000));
    b = block(7, 11000, 100, 0);
    assert_true(segment_add(&c, &b, 10000));
    assert_true(c.first == 5 && c.last == 7 && c.bytes == 300 && c.blocks == 3);
    /* a heartbeat ends it too; it is no part of it */
    c = (struct segment_count){.blocks = 0};
    b = block(8, 20000, 100, 0);
    assert_false(segment_add(&c, &b, 10000));
    b = block(8, 30000, 0, FLAG_EMPTY);
    assert_true(segment_add(&c, &b, 10000));
    assert_true(c.first == 8 && c.last == 8 && c.blocks == 1);
    /* but nothing ends where nothing began */
    c = (struct segment_count){.blocks = 0};
    b = block(8, 90000, 0, FLAG_EMPTY);
    assert_false(segment_add(&c, &b, 10000));
    b = block(8, 90001, 0, FLAG_EMPTY | FLAG_LAST);
    assert_false(segment_add(&c, &b, 10000));
    assert_int_equal(c.blocks, 0);
}

static void ends_with_size_and_epoch(void **state)
{
    (void)state;
    struct segment_count c = {.blocks = 0};
    struct header b = block(1, 1, LIMIT_SEGMENT_BYTES - 1, 0);
    assert_false(segment_add(&c, &b, 10000));
    b = block(2, 2, 1, 0);
    assert_true(segment_add(&c, &b, 10000));
    c = (struct segment_count){.blocks = 0};
    b = block(1, 1, 10, FLAG_LAST); /* the end of a turn is no boundary */
    assert_false(segment_add(&c, &b, 10000));
    b = block(2, 2, 10, FLAG_CLOSING);
    assert_true(segment_add(&c, &b, 10000));
    c = (struct segment_count){.blocks = 0};
    for (uint64_t i = 1; i < LIMIT_SEGMENT_BLOCKS; i++) {
        b = block(i, i, 1, 0);
        assert_false(segment_add(&c, &b, UINT64_MAX));
    }
    b = block(LIMIT_SEGMENT_BLOCKS, LIMIT_SEGMENT_BLOCKS, 1, 0);
    assert_true(segment_add(&c, &b, UINT64_MAX));
}

/* ---- content ------------------------------------------------------------------------------------------ */

static const struct hash parent = {{9, 8, 7}};
static const struct batch_chain chain = {41197, 0, 1};

static void there_and_back(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 20; i++) {
        uint64_t seed = i * 0x9e3779b97f4a7c15u;
        uint64_t same_seed = seed;
        struct sample s;
        struct sample same;
        struct segment got;
        struct bytes batch;
        struct batch b;
        struct fault fault;
        sample_make(&s, &seed, chain.chain_id, 17, 1 + i, &parent);
        sample_make(&same, &same_seed, chain.chain_id, 17, 1 + i, &parent);
        /* A pure function of the blocks: the same bytes, ids and hashes. */
        assert_bytes(buffer_bytes(&same.segment.payload), buffer_bytes(&s.segment.payload));
        assert_true(hash_equal(&same.segment.root, &s.segment.root));
        segment_init(&got);
        assert_int_equal(
            segment_open(&got, &chain, buffer_bytes(&s.segment.payload), &batch, &fault), OK);
        assert_true(hash_equal(&got.root, &s.segment.root) &&
                    hash_equal(&got.commitment, &s.segment.commitment));
        assert_memory_equal(got.id.b, s.segment.id.b, CHANNEL_ID_BYTES);
        assert_int_equal(batch_open(&b, &chain, batch, &fault), OK);
        assert_int_equal(b.blocks, 1 + i);
        assert_memory_equal(b.parent.b, parent.b, SPAN_CHECK_BYTES);
        segment_free(&got);
        sample_free(&s);
        sample_free(&same);
    }
}

/* Every flipped bit of a payload is refused, or changes what the envelope names. */
static void flipped_payload(void **state)
{
    (void)state;
    uint64_t seed = 5;
    struct sample s;
    struct segment got;
    struct bytes batch;
    struct fault fault;
    sample_make(&s, &seed, chain.chain_id, 17, 3, &parent);
    segment_init(&got);
    struct buffer *p = &s.segment.payload;
    for (size_t bit = 0; bit < 8 * p->n; bit++) {
        p->p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        enum err e = segment_open(&got, &chain, buffer_bytes(p), &batch, &fault);
        assert_true(e != OK && fault.wanted != NULL);
        p->p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t n = 0; n < p->n; n++) {
        assert_true(segment_open(&got, &chain, bytes_of(p->p, n), &batch, &fault) != OK);
    }
    /* The same bytes on another chain: its id is not their hash there. */
    struct batch_chain other = {1, 0, 1};
    assert_int_equal(segment_open(&got, &other, buffer_bytes(p), &batch, &fault), ERR_MALFORMED);
    segment_free(&got);
    sample_free(&s);
}

/* 119,976 bytes of content fill one frame; one more needs a second. */
static void long_segments_have_frames(void **state)
{
    (void)state;
    uint64_t seed = 6;
    struct sample s;
    struct segment got;
    struct bytes batch;
    struct fault fault;
    size_t frames = 0;
    sample_make(&s, &seed, chain.chain_id, 1, 600, &parent);
    assert_true(s.segment.content.n > 240000);
    assert_int_equal(payload_count(buffer_bytes(&s.segment.payload), &frames, &fault), OK);
    assert_int_equal(frames, (s.segment.content.n + 119975) / 119976);
    segment_init(&got);
    assert_int_equal(segment_open(&got, &chain, buffer_bytes(&s.segment.payload), &batch, &fault),
                     OK);
    assert_true(hash_equal(&got.root, &s.segment.root));
    segment_free(&got);
    sample_free(&s);
}

/* ---- envelopes ------------------------------------------------------------------------------------------ */

static void envelopes_round_trip(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 50; i++) {
        uint64_t seed = i * 77777;
        struct sample s;
        struct fault fault;
        struct buffer again;
        struct batch_auth *a = malloc(sizeof *a);
        sample_make(&s, &seed, 901, 100, i, &parent);
        assert_int_equal(auth_decode(a, buffer_bytes(&s.envelope), &fault), OK);
        assert_true(a->first == 100 && a->last == 99 + i && a->headers == s.auth.headers);
        assert_true(hash_equal(&a->cert.block, &s.auth.cert.block) && a->cert.epoch == 3);
        struct bytes times = a->times;
        uint64_t ms = a->first_ms;
        struct auth_time t;
        for (uint64_t k = 0; k < i; k++) {
            assert_true(auth_next_time(&times, &ms, &t));
            assert_true(t.ms == s.time[k].ms && t.leader == s.time[k].leader);
        }
        assert_false(auth_next_time(&times, &ms, &t));
        buffer_init(&again, LARGE);
        assert_int_equal(auth_encode(&again, a, s.time), OK);
        assert_bytes(buffer_bytes(&again), buffer_bytes(&s.envelope));
        buffer_free(&again);
        sample_free(&s);
        free(a);
    }
}

/* Cut or flipped: refused with a place, or another envelope of one form only. */
static void hostile_envelopes(void **state)
{
    (void)state;
    uint64_t seed = 12;
    struct sample s;
    struct fault fault;
    struct batch_auth *a = malloc(sizeof *a);
    sample_make(&s, &seed, 901, 100, 3, &parent);
    for (size_t n = 0; n < s.envelope.n; n++) {
        uint8_t *cut = malloc(n > 0 ? n : 1);
        memcpy(cut, s.envelope.p, n);
        assert_int_equal(auth_decode(a, bytes_of(cut, n), &fault), ERR_MALFORMED);
        assert_true(fault.at <= n && fault.wanted != NULL);
        free(cut);
    }
    for (size_t bit = 0; bit < 8 * s.envelope.n; bit++) {
        s.envelope.p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        if (auth_decode(a, buffer_bytes(&s.envelope), &fault) == OK) {
            struct auth_time time[LIMIT_SEGMENT_BLOCKS];
            struct bytes times = a->times;
            uint64_t ms = a->first_ms;
            struct buffer again;
            for (size_t k = 0; auth_next_time(&times, &ms, &time[k]); k++) {
            }
            buffer_init(&again, LARGE);
            assert_int_equal(auth_encode(&again, a, time), OK);
            assert_bytes(buffer_bytes(&again), buffer_bytes(&s.envelope));
            buffer_free(&again);
        }
        s.envelope.p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    buffer_put_byte(&s.envelope, 0);
    assert_int_equal(auth_decode(a, buffer_bytes(&s.envelope), &fault), ERR_MALFORMED);
    assert_int_equal(fault.at, s.envelope.n - 1);
    sample_free(&s);
    free(a);
}

/* Four members; three of them sign that the block above the segment's last one is final. */
struct signing {
    struct secret_key key[4];
    struct epoch_config config;
    struct batch_auth auth;
};

static void sign(struct signing *x)
{
    struct batch_auth *a = &x->auth;
    a->cert.block = header_hash(&a->header[0]);
    struct hash digest = vote_digest(&x->config, VOTE_FINALIZE, a->cert.slot, &a->cert.block);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(key_sign(&a->cert.signature[i], &x->key[i], &digest), OK);
    }
}

static void set_up_members(struct signing *x)
{
    char why[256];
    memset(x, 0, sizeof *x);
    struct epoch_config *c = &x->config;
    c->chain_id = 41197;
    c->params = (struct epoch_params){FAULT_BFT, PACE_FIXED, 8, 4, 200, 200, 1, 30000000};
    c->n = 4;
    for (uint32_t i = 0; i < 4; i++) {
        x->key[i].b[31] = (uint8_t)(i + 1);
        assert_int_equal(key_address(&c->member[i].address, &x->key[i]), OK);
        c->member[i].weight = 1;
        memcpy(c->member[i].name, "node", 4);
        c->member[i].name[4] = (char)('0' + i);
        memcpy(c->member[i].endpoint, "127.0.0.1:3000", 14);
        c->member[i].endpoint[14] = (char)('0' + i);
    }
    enum err e = epoch_config_derive(c, why, sizeof why);
    if (e != OK) {
        print_error("%s\n", why);
    }
    assert_int_equal(e, OK);
}

static void set_up_segment(struct signing *x)
{
    struct batch_auth *a = &x->auth;
    struct header *last = &a->header[1];
    *last = (struct header){.chain_id = 41197, .genesis = x->config.genesis, .slot = 9,
                            .height = 8, .payload = {{5}}};
    a->header[0] = *last;
    a->header[0].slot = 10;
    a->header[0].height = 9;
    a->header[0].parent = header_hash(last);
    a->headers = 2;
    a->chain_id = 41197;
    a->first = 1;
    a->last = 8;
    a->last_hash = last->payload;
    a->config = x->config.hash;
    a->cert = (struct certificate){.kind = VOTE_FINALIZE, .slot = 10, .signers = 7};
    sign(x);
}

static void envelopes_prove(void **state)
{
    (void)state;
    struct signing *x = malloc(sizeof *x);
    struct signing *bad = malloc(sizeof *bad);
    assert_int_equal(key_library_init(), OK);
    set_up_members(x);
    set_up_segment(x);
    assert_int_equal(auth_verify(&x->auth, &x->config), OK);
    *bad = *x;
    bad->auth.last_hash.b[0] ^= 1;
    assert_int_equal(auth_verify(&bad->auth, &x->config), ERR_BAD_CERTIFICATE);
    *bad = *x;
    bad->auth.last = 7;
    assert_int_equal(auth_verify(&bad->auth, &x->config), ERR_BAD_CERTIFICATE);
    *bad = *x;
    bad->auth.header[1].state_root.b[3] = 1; /* no longer the signed block's parent */
    assert_int_equal(auth_verify(&bad->auth, &x->config), ERR_BAD_CERTIFICATE);
    *bad = *x;
    bad->auth.cert.signature[2].b[40] ^= 1;
    assert_int_equal(auth_verify(&bad->auth, &x->config), ERR_BAD_CERTIFICATE);
    *bad = *x;
    bad->auth.cert.signers = 3; /* two of four are no quorum */
    assert_int_equal(auth_verify(&bad->auth, &x->config), ERR_BAD_CERTIFICATE);
    *bad = *x;
    bad->auth.cert.slot = 11;
    assert_int_equal(auth_verify(&bad->auth, &x->config), ERR_BAD_CERTIFICATE);
    *bad = *x;
    bad->auth.config.b[0] ^= 1;
    assert_int_equal(auth_verify(&bad->auth, &x->config), ERR_WRONG_CHAIN);
    *bad = *x;
    bad->auth.header[0].chain_id = 1;
    sign(bad);
    assert_int_equal(auth_verify(&bad->auth, &x->config), ERR_WRONG_CHAIN);
    free(x);
    free(bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_with_time),
        cmocka_unit_test(ends_with_size_and_epoch),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(flipped_payload),
        cmocka_unit_test(long_segments_have_frames),
        cmocka_unit_test(envelopes_round_trip),
        cmocka_unit_test(hostile_envelopes),
        cmocka_unit_test(envelopes_prove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
