/* RLP: vectors of the specification, round trips, and bytes that lie. */
#include "check.h"

#include "proto/rlp.h"

enum { BUFFER = 70000, HOSTILE_RUNS = 300000 };

static void assert_put(const struct rlp_out *out, const char *hex)
{
    uint8_t want[128];
    size_t n;
    assert_true(hex_decode_upto(want, sizeof want, &n, hex, strlen(hex)));
    assert_int_equal(rlp_finish(out), OK);
    assert_int_equal(out->n, n);
    assert_memory_equal(out->p, want, n);
}

static void vectors(void **state)
{
    (void)state;
    uint8_t buffer[256];
    struct rlp_out out = {.p = buffer, .cap = sizeof buffer};
    rlp_put_string(&out, "dog", 3);
    rlp_put_u64(&out, 0);
    rlp_put_u64(&out, 15);
    rlp_put_u64(&out, 1024);
    rlp_put_string(&out, "", 0);
    assert_put(&out, "83646f67800f82040080");
    out.n = 0;
    size_t mark = rlp_list_begin(&out);
    rlp_put_string(&out, "cat", 3);
    rlp_put_string(&out, "dog", 3);
    rlp_list_end(&out, mark);
    assert_put(&out, "c88363617483646f67");
    out.n = 0;
    rlp_put_string(&out, "Lorem ipsum dolor sit amet, consectetur adipisicing elit", 56);
    assert_int_equal(buffer[0], 0xb8);
    assert_int_equal(buffer[1], 56);
    assert_int_equal(out.n, 58);
}

static void strings_of_every_length(void **state)
{
    (void)state;
    static uint8_t data[BUFFER];
    static uint8_t buffer[BUFFER + 16];
    uint64_t seed = 5;
    random_bytes(&seed, data, sizeof data);
    for (size_t n = 0; n < 66000; n += n < 600 ? 1 : 997) {
        struct rlp_out out = {.p = buffer, .cap = sizeof buffer};
        size_t mark = rlp_list_begin(&out);
        rlp_put_string(&out, data, n);
        rlp_list_end(&out, mark);
        assert_int_equal(rlp_finish(&out), OK);
        struct rlp_in in = {buffer, out.n};
        struct rlp_in list;
        struct bytes got;
        assert_true(rlp_next_is_list(&in));
        assert_int_equal(rlp_list(&in, &list), OK);
        assert_true(rlp_at_end(&in));
        assert_int_equal(rlp_string(&list, &got), OK);
        assert_true(rlp_at_end(&list));
        assert_true(bytes_equal(got, bytes_of(data, n)));
    }
}

static void numbers(void **state)
{
    (void)state;
    uint64_t seed = 6;
    for (int i = 0; i < 10000; i++) {
        uint8_t buffer[64];
        uint64_t x = random_next(&seed) >> (i % 64);
        struct u256 wide = {{x, random_next(&seed), 0, random_next(&seed) >> (i % 64)}};
        struct rlp_out out = {.p = buffer, .cap = sizeof buffer};
        rlp_put_u64(&out, x);
        rlp_put_u256(&out, &wide);
        struct rlp_in in = {buffer, out.n};
        uint64_t x_back;
        struct u256 wide_back;
        assert_int_equal(rlp_u64(&in, &x_back), OK);
        assert_int_equal(rlp_u256(&in, &wide_back), OK);
        assert_true(rlp_at_end(&in));
        assert_true(x == x_back && u256_cmp(&wide, &wide_back) == 0);
    }
}

static void refused(void **state)
{
    (void)state;
    const struct {
        const char *hex;
        enum err want;
    } bad[] = {
        {"", ERR_MALFORMED},
        {"8100", ERR_NOT_CANONICAL}, /* a small byte behind a prefix */
        {"817f", ERR_NOT_CANONICAL},
        {"81", ERR_MALFORMED}, /* cut off */
        {"83646f", ERR_MALFORMED},
        {"b800", ERR_NOT_CANONICAL}, /* long form of a short length */
        {"b83700", ERR_NOT_CANONICAL},
        {"b90038", ERR_NOT_CANONICAL}, /* zeros before the length */
        {"b8", ERR_MALFORMED},
        {"b838", ERR_MALFORMED},
        {"bfffffffffffffffff", ERR_MALFORMED}, /* a length near 2^64 */
        {"bf7fffffffffffffff00", ERR_MALFORMED},
        {"c1", ERR_MALFORMED},
        {"f80100", ERR_NOT_CANONICAL},
        {"ffffffffffffffffff", ERR_MALFORMED},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t raw[16];
        struct rlp_in in = {raw, 0};
        struct bytes out;
        assert_true(hex_decode_upto(raw, sizeof raw, &in.n, bad[i].hex, strlen(bad[i].hex)));
        size_t before = in.n;
        assert_int_equal(rlp_item(&in, &out), bad[i].want);
        assert_int_equal(in.n, before);
    }
}

static void kinds_and_sizes_refused(void **state)
{
    (void)state;
    const uint8_t list[] = {0xc0};
    const uint8_t zeros[] = {0x82, 0x00, 0x01};
    const uint8_t nine[] = {0x89, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    struct bytes s;
    struct rlp_in inner;
    uint64_t x;
    uint8_t eight[8];
    struct rlp_in in = {list, sizeof list};
    assert_int_equal(rlp_string(&in, &s), ERR_MALFORMED);
    in = (struct rlp_in){zeros, sizeof zeros};
    assert_int_equal(rlp_list(&in, &inner), ERR_MALFORMED);
    assert_int_equal(rlp_u64(&in, &x), ERR_NOT_CANONICAL);
    in = (struct rlp_in){nine, sizeof nine};
    assert_int_equal(rlp_u64(&in, &x), ERR_MALFORMED);
    in = (struct rlp_in){nine, sizeof nine};
    assert_int_equal(rlp_fixed(&in, eight, sizeof eight), ERR_MALFORMED);
}

static void overflow_is_remembered(void **state)
{
    (void)state;
    for (size_t cap = 0; cap < 69; cap++) {
        uint8_t buffer[80];
        memset(buffer, 0xee, sizeof buffer);
        struct rlp_out out = {.p = buffer, .cap = cap};
        uint8_t data[60] = {0};
        size_t mark = rlp_list_begin(&out);
        rlp_put_u64(&out, 1);
        rlp_put_string(&out, data, sizeof data);
        rlp_put_u64(&out, 2);
        rlp_list_end(&out, mark);
        /* 1 + 62 + 1 bytes behind a prefix of two */
        assert_int_equal(rlp_finish(&out), cap < 66 ? ERR_TOO_LARGE : OK);
        for (size_t i = cap; i < sizeof buffer; i++) {
            assert_int_equal(buffer[i], 0xee);
        }
    }
}

/* Writes again what was read; recursion is bounded by the length of the input. */
static bool copy_all(struct rlp_in in, struct rlp_out *out)
{
    while (!rlp_at_end(&in)) {
        struct bytes s;
        struct rlp_in list;
        if (rlp_next_is_list(&in)) {
            size_t mark = rlp_list_begin(out);
            if (rlp_list(&in, &list) != OK || !copy_all(list, out)) {
                return false;
            }
            rlp_list_end(out, mark);
        } else if (rlp_string(&in, &s) == OK) {
            rlp_put_string(out, s.p, s.n);
        } else {
            return false;
        }
    }
    return true;
}

static void what_decodes_encodes_the_same(void **state)
{
    (void)state;
    const uint8_t spice[] = {0x00, 0x01, 0x7f, 0x80, 0x81, 0xb7,
                             0xb8, 0xb9, 0xc0, 0xc1, 0xf8, 0xf9};
    uint64_t seed = 7;
    int accepted = 0;
    for (int run = 0; run < HOSTILE_RUNS; run++) {
        uint8_t raw[80];
        uint8_t again[160];
        size_t n = random_next(&seed) % sizeof raw;
        random_bytes(&seed, raw, n);
        for (size_t i = 0; i < n; i += 1 + random_next(&seed) % 8) {
            raw[i] = spice[random_next(&seed) % sizeof spice];
        }
        struct rlp_out out = {.p = again, .cap = sizeof again};
        if (!copy_all((struct rlp_in){raw, n}, &out)) {
            continue;
        }
        accepted++;
        assert_int_equal(rlp_finish(&out), OK);
        assert_true(bytes_equal(bytes_of(raw, n), bytes_of(again, out.n)));
    }
    assert_true(accepted > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
        cmocka_unit_test(strings_of_every_length),
        cmocka_unit_test(numbers),
        cmocka_unit_test(refused),
        cmocka_unit_test(kinds_and_sizes_refused),
        cmocka_unit_test(overflow_is_remembered),
        cmocka_unit_test(what_decodes_encodes_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
