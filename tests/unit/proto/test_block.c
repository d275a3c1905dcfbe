/* Headers, system sections and bodies. */
#include "check.h"

#include <stdlib.h>

#include "proto/body.h"
#include "proto/header.h"
#include "proto/keccak.h"
#include "proto/rlp.h"
#include "proto/system.h"

static struct header any_header(uint64_t *seed)
{
    uint8_t raw[HEADER_BYTES];
    /* The number words, and how many of their bytes carry a value. */
    const uint8_t width[HEADER_WORDS] = {8, 32, 8, 32, 8,  1,  1,  8, 32,
                                         8, 8,  1, 32, 32, 32, 32, 4, 32};
    struct header h;
    random_bytes(seed, raw, sizeof raw);
    for (size_t i = 0; i < HEADER_WORDS; i++) {
        memset(raw + 32 * i, 0, 32u - width[i]);
    }
    assert_int_equal(header_decode(&h, bytes_of(raw, sizeof raw)), OK);
    uint8_t again[HEADER_BYTES];
    header_encode(again, &h);
    assert_memory_equal(raw, again, sizeof raw);
    return h;
}

static void header_round_trip(void **state)
{
    (void)state;
    uint64_t seed = 11;
    for (int i = 0; i < 1000; i++) {
        struct header h = any_header(&seed);
        uint8_t raw[HEADER_BYTES];
        header_encode(raw, &h);
        struct hash want = keccak256(raw, sizeof raw);
        struct hash got = header_hash(&h);
        assert_true(hash_equal(&want, &got));
    }
}

/* The order of the words is part of the protocol: a contract decodes them with abi.decode. */
static void header_words(void **state)
{
    (void)state;
    struct header h = {.chain_id = 1,
                       .epoch = 3,
                       .slot = 5,
                       .attempt = 6,
                       .flags = 7,
                       .parent_slot = 8,
                       .height = 10,
                       .timestamp_ms = 11,
                       .leader = 12,
                       .body_len = 17};
    h.genesis.b[31] = 2;
    h.config.b[31] = 4;
    h.parent.b[31] = 9;
    h.payload.b[31] = 13;
    h.payload_parent.b[31] = 14;
    h.state_root.b[31] = 15;
    h.body_root.b[31] = 16;
    h.system_root.b[31] = 18;
    uint8_t raw[HEADER_BYTES];
    uint8_t want[HEADER_BYTES] = {0};
    header_encode(raw, &h);
    for (size_t i = 0; i < HEADER_WORDS; i++) {
        want[32 * i + 31] = (uint8_t)(i + 1);
    }
    assert_memory_equal(raw, want, sizeof raw);
}

static void header_flips(void **state)
{
    (void)state;
    uint64_t seed = 12;
    struct header h = any_header(&seed);
    struct hash own = header_hash(&h);
    uint8_t raw[HEADER_BYTES];
    header_encode(raw, &h);
    int refused = 0;
    for (size_t bit = 0; bit < 8 * sizeof raw; bit++) {
        struct header other;
        raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (header_decode(&other, bytes_of(raw, sizeof raw)) == OK) {
            struct hash changed = header_hash(&other);
            assert_false(hash_equal(&own, &changed));
        } else {
            refused++;
        }
        raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    /* The bits above the types: six words of 64 bits, three of 8, one of 32. */
    assert_int_equal(refused, 6 * 192 + 3 * 248 + 224);
    assert_int_equal(header_decode(&h, bytes_of(raw, sizeof raw - 1)), ERR_MALFORMED);
}

enum { SECTION = 70000 };

static struct system_parts some_parts(struct skipped_turn *t, struct ready_notice *r,
                                      struct leave_notice *l, struct evidence *e, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        t[i] = (struct skipped_turn){.turn = 100 + i, .slot = 1000 * i};
        r[i] = (struct ready_notice){.epoch = i, .member = (uint8_t)i, .slot = UINT64_MAX - i};
        memset(r[i].block.b, (int)i, 32);
        memset(r[i].signature.b, 0xa0, 65);
        l[i] = (struct leave_notice){.epoch = 1, .member = (uint8_t)(255 - i), .from_turn = i};
        memset(l[i].signature.b, (int)i, 65);
        e[i] = (struct evidence){.member = (uint8_t)i, .slot = UINT64_MAX - i, .first_kind = 2};
        e[i].second_kind = 3;
        memset(e[i].second.b, (int)i, 32);
        memset(e[i].second_signature.b, 0xb0, 65);
    }
    return (struct system_parts){t, n, r, n, l, n, e, n};
}

static void system_round_trip(void **state)
{
    (void)state;
    static uint8_t raw[SECTION];
    for (size_t n = 0; n <= 60; n += 5) {
        struct skipped_turn t[60];
        struct ready_notice r[60];
        struct leave_notice l[60];
        struct evidence e[60];
        struct system_parts parts = some_parts(t, r, l, e, n);
        struct system_section s;
        size_t len;
        assert_int_equal(system_encode(raw, sizeof raw, &len, &parts), OK);
        assert_int_equal(system_decode(&s, bytes_of(raw, len)), OK);
        assert_true(s.skipped_n == n && s.notices_n == n && s.leaves_n == n);
        assert_true(s.evidence_n == n && s.record.n == 0);
        assert_true(len <= 24 + n * (SKIPPED_BYTES + NOTICE_BYTES + LEAVE_BYTES + EVIDENCE_BYTES));
        size_t at[4] = {0};
        for (size_t i = 0; i < n; i++) {
            struct skipped_turn skipped;
            struct ready_notice notice;
            struct leave_notice leave;
            assert_true(system_next_skipped(&s, &at[0], &skipped));
            assert_true(skipped.turn == t[i].turn && skipped.slot == t[i].slot);
            assert_true(system_next_notice(&s, &at[1], &notice));
            assert_true(notice.epoch == r[i].epoch && notice.member == r[i].member);
            assert_true(notice.slot == r[i].slot && hash_equal(&notice.block, &r[i].block));
            assert_memory_equal(notice.signature.b, r[i].signature.b, 65);
            assert_true(system_next_leave(&s, &at[2], &leave));
            assert_true(leave.member == l[i].member && leave.from_turn == l[i].from_turn);
            assert_memory_equal(leave.signature.b, l[i].signature.b, 65);
            struct evidence evidence;
            assert_true(system_next_evidence(&s, &at[3], &evidence));
            assert_true(evidence.member == e[i].member && evidence.slot == e[i].slot);
            assert_true(evidence.first_kind == 2 && evidence.second_kind == 3);
            assert_true(hash_equal(&evidence.second, &e[i].second));
            assert_memory_equal(evidence.second_signature.b, e[i].second_signature.b, 65);
        }
        struct skipped_turn none;
        assert_false(system_next_skipped(&s, &at[0], &none));
        assert_int_equal(at[0], s.skipped.n);
    }
}

static void system_too_large(void **state)
{
    (void)state;
    static uint8_t raw[SECTION];
    static struct skipped_turn t[9000];
    struct system_parts parts = {.skipped = t, .skipped_n = 9000};
    struct system_section s;
    size_t len;
    for (size_t i = 0; i < 9000; i++) {
        t[i] = (struct skipped_turn){.turn = 1 + (uint64_t)i * 1000000, .slot = UINT64_MAX};
    }
    assert_int_equal(system_encode(raw, sizeof raw, &len, &parts), ERR_TOO_LARGE);
    parts.skipped_n = 100;
    assert_int_equal(system_encode(raw, 50, &len, &parts), ERR_TOO_LARGE);
    assert_int_equal(system_decode(&s, bytes_of(raw, LIMIT_SYSTEM_BYTES + 1)), ERR_TOO_LARGE);
}

static void system_refused(void **state)
{
    (void)state;
    const struct {
        const char *hex;
        enum err want;
    } bad[] = {
        {"c5c0c0c0c080", OK},
        {"", ERR_MALFORMED},
        {"80", ERR_MALFORMED},
        {"c4c0c0c0c0", ERR_MALFORMED},       /* no record */
        {"c6c0c0c0c08080", ERR_MALFORMED},   /* one too many */
        {"c5c0c0c0c08000", ERR_MALFORMED},   /* bytes behind */
        {"c5c0c0c0c0c0", ERR_MALFORMED},     /* the record is a list */
        {"c7c2c101c0c0c080", ERR_MALFORMED}, /* a skipped turn without a slot */
        {"c8c3c20102c0c0c080", OK},
        {"c9c4c3010203c0c0c080", ERR_MALFORMED},   /* … with three numbers */
        {"c8c3c20002c0c0c080", ERR_NOT_CANONICAL}, /* a zero that is not 80 */
        {"c6c0c0c0c10580", ERR_MALFORMED},         /* evidence is a list … */
        {"c6c0c0c0c1c080", ERR_MALFORMED},         /* … of nine */
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t raw[32];
        size_t n;
        struct system_section s;
        assert_true(hex_decode_upto(raw, sizeof raw, &n, bad[i].hex, strlen(bad[i].hex)));
        assert_int_equal(system_decode(&s, bytes_of(raw, n)), bad[i].want);
    }
}

/* A section with one leave of this member number. */
static enum err leave_of(uint64_t member)
{
    uint8_t raw[128];
    uint8_t signature[65] = {0};
    struct rlp_out out = {.p = raw, .cap = sizeof raw};
    struct system_section s;
    size_t all = rlp_list_begin(&out);
    rlp_put_raw(&out, "\xc0\xc0", 2);
    size_t leaves = rlp_list_begin(&out);
    size_t leave = rlp_list_begin(&out);
    rlp_put_u64(&out, 1);
    rlp_put_u64(&out, member);
    rlp_put_u64(&out, 2);
    rlp_put_string(&out, signature, sizeof signature);
    rlp_list_end(&out, leave);
    rlp_list_end(&out, leaves);
    rlp_put_raw(&out, "\xc0\x80", 2);
    rlp_list_end(&out, all);
    assert_int_equal(rlp_finish(&out), OK);
    return system_decode(&s, bytes_of(raw, out.n));
}

static void member_number_above_its_type(void **state)
{
    (void)state;
    assert_int_equal(leave_of(255), OK);
    assert_int_equal(leave_of(256), ERR_MALFORMED);
    assert_int_equal(leave_of(UINT64_MAX), ERR_MALFORMED);
}

/* Every flip and every cut of a real section either fails or walks to the end without failing. */
static void system_hostile(void **state)
{
    (void)state;
    struct skipped_turn t[3];
    struct ready_notice r[3];
    struct leave_notice l[3];
    struct evidence e[3];
    struct system_parts parts = some_parts(t, r, l, e, 3);
    uint8_t raw[2048];
    size_t len;
    assert_int_equal(system_encode(raw, sizeof raw, &len, &parts), OK);
    for (size_t i = 0; i < 9 * len; i++) {
        size_t n = i < 8 * len ? len : i - 8 * len;
        uint8_t *copy = malloc(n + 1);
        assert_non_null(copy);
        memcpy(copy, raw, n);
        if (i < 8 * len) {
            copy[i / 8] ^= (uint8_t)(1 << i % 8);
        }
        struct system_section s;
        if (system_decode(&s, bytes_of(copy, n)) == OK) {
            assert_int_equal(n, len);
            size_t at = 0;
            uint32_t walked = 0;
            struct ready_notice notice;
            while (system_next_notice(&s, &at, &notice)) {
                walked++;
            }
            assert_int_equal(walked, s.notices_n);
            assert_int_equal(at, s.notices.n);
            struct evidence evidence;
            for (at = 0, walked = 0; system_next_evidence(&s, &at, &evidence);) {
                walked++;
            }
            assert_int_equal(walked, s.evidence_n);
        }
        free(copy);
    }
}

static void body_round_trip(void **state)
{
    (void)state;
    static uint8_t data[LIMIT_TX_BYTES];
    uint64_t seed = 13;
    random_bytes(&seed, data, sizeof data);
    for (uint32_t n = 0; n < 40; n++) {
        struct bytes tx[40];
        struct bytes got[40];
        uint32_t count;
        for (uint32_t i = 0; i < n; i++) {
            tx[i] = bytes_of(data + i, 1 + random_next(&seed) % (i % 7 == 6 ? 70000 : 200));
        }
        size_t size = body_size(tx, n);
        uint8_t *raw = malloc(size + 1);
        assert_non_null(raw);
        body_write(raw, tx, n);
        assert_int_equal(body_count(bytes_of(raw, size), &count), OK);
        assert_int_equal(count, n);
        assert_true(size > 0);
        body_split(bytes_of(raw, size), got, n);
        for (uint32_t i = 0; i < n; i++) {
            assert_true(bytes_equal(got[i], tx[i]));
        }
        free(raw);
    }
}

static void body_refused(void **state)
{
    (void)state;
    static uint8_t large[LIMIT_BODY_BYTES + 1];
    static uint8_t many[LIMIT_BODY_TXS + 1];
    uint32_t n;
    const struct {
        const char *hex;
        enum err want;
    } bad[] = {
        {"c0", OK}, /* no transactions */
        {"", ERR_MALFORMED},           {"80", ERR_MALFORMED},         {"c101", OK},
        {"c180", ERR_MALFORMED}, /* an empty transaction */
        {"c1c0", ERR_MALFORMED},       {"c10101", ERR_MALFORMED},
        {"c28101", ERR_NOT_CANONICAL},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t raw[8];
        size_t len;
        assert_true(hex_decode_upto(raw, sizeof raw, &len, bad[i].hex, strlen(bad[i].hex)));
        assert_int_equal(body_count(bytes_of(raw, len), &n), bad[i].want);
    }
    assert_int_equal(body_count(bytes_of(large, sizeof large), &n), ERR_TOO_LARGE);
    struct bytes big = bytes_of(large, LIMIT_TX_BYTES + 1);
    uint8_t *raw = malloc(body_size(&big, 1));
    assert_non_null(raw);
    body_write(raw, &big, 1);
    assert_int_equal(body_count(bytes_of(raw, body_size(&big, 1)), &n), ERR_TOO_LARGE);
    free(raw);
    raw = malloc(sizeof many + 4);
    assert_non_null(raw);
    raw[0] = 0xf9;
    raw[1] = (uint8_t)(sizeof many >> 8);
    raw[2] = (uint8_t)sizeof many;
    memset(raw + 3, 0x01, sizeof many);
    assert_int_equal(body_count(bytes_of(raw, sizeof many + 3), &n), ERR_TOO_LARGE);
    raw[2]--;
    assert_int_equal(body_count(bytes_of(raw, sizeof many + 2), &n), OK);
    assert_int_equal(n, LIMIT_BODY_TXS);
    free(raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_round_trip),
        cmocka_unit_test(header_words),
        cmocka_unit_test(header_flips),
        cmocka_unit_test(system_round_trip),
        cmocka_unit_test(system_too_large),
        cmocka_unit_test(system_refused),
        cmocka_unit_test(member_number_above_its_type),
        cmocka_unit_test(system_hostile),
        cmocka_unit_test(body_round_trip),
        cmocka_unit_test(body_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
