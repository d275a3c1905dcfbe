/* Transactions of the three types: a published example, own ones, and bytes that lie. */
#include "check.h"

#include <stdlib.h>

#include "proto/keccak.h"
#include "proto/limits.h"
#include "proto/rlp.h"
#include "proto/tx.h"

enum { RAW_MAX = 4096 };

struct raw {
    uint8_t b[RAW_MAX];
    size_t n;
};

static struct bytes view(const struct raw *raw)
{
    return bytes_of(raw->b, raw->n);
}

/* What the maker of a test transaction may bend. */
struct shape {
    uint8_t type;
    bool creates;
    bool protected; /* legacy with EIP-155 */
    unsigned addresses;
    unsigned slots; /* of each address */
    size_t data;
};

static void put_access_list(struct rlp_out *out, const struct shape *shape)
{
    uint8_t filler[32];
    memset(filler, 0xac, sizeof filler);
    size_t list = rlp_list_begin(out);
    for (unsigned i = 0; i < shape->addresses; i++) {
        size_t entry = rlp_list_begin(out);
        rlp_put_string(out, filler, 20);
        size_t slots = rlp_list_begin(out);
        for (unsigned j = 0; j < shape->slots; j++) {
            rlp_put_string(out, filler, 32);
        }
        rlp_list_end(out, slots);
        rlp_list_end(out, entry);
    }
    rlp_list_end(out, list);
}

static void put_fields(struct rlp_out *out, const struct shape *shape)
{
    uint8_t to[20];
    uint8_t data[512] = {0};
    memset(to, 0x70, sizeof to);
    memset(data, 0xda, shape->data / 2);
    if (shape->type != 0) {
        rlp_put_u64(out, 1337);
    }
    rlp_put_u64(out, 7);
    rlp_put_u64(out, 1000000000);
    if (shape->type == 2) {
        rlp_put_u64(out, 30000000000);
    }
    rlp_put_u64(out, 100000);
    rlp_put_string(out, to, shape->creates ? 0 : sizeof to);
    rlp_put_u64(out, 12345678901234567);
    rlp_put_string(out, data, shape->data);
    if (shape->type != 0) {
        put_access_list(out, shape);
    }
}

static void put_signature(struct rlp_out *out, const struct shape *shape, const struct hash *digest)
{
    struct secret_key key = key_number(9);
    struct signature sig;
    assert_int_equal(key_sign(&sig, &key, digest), OK);
    struct u256 r = u256_from_be(sig.b, 32);
    struct u256 s = u256_from_be(sig.b + 32, 32);
    uint64_t parity = sig.b[64] - 27u;
    uint64_t base = shape->type != 0 ? 0 : shape->protected ? 35 + 2 * 1337 : 27;
    rlp_put_u64(out, base + parity);
    rlp_put_u256(out, &r);
    rlp_put_u256(out, &s);
}

static void put_all(struct raw *raw, const struct shape *shape, const struct hash *digest)
{
    struct rlp_out out = {.p = raw->b, .cap = sizeof raw->b};
    if (shape->type != 0) {
        rlp_put_raw(&out, &shape->type, 1);
    }
    size_t mark = rlp_list_begin(&out);
    put_fields(&out, shape);
    if (digest != NULL) {
        put_signature(&out, shape, digest);
    } else if (shape->protected) {
        rlp_put_u64(&out, 1337);
        rlp_put_u64(&out, 0);
        rlp_put_u64(&out, 0);
    }
    rlp_list_end(&out, mark);
    assert_int_equal(rlp_finish(&out), OK);
    raw->n = out.n;
}

/* Signs with key number 9; the digest is that of the bytes a wallet would hash. */
static struct hash make(struct raw *raw, const struct shape *shape)
{
    put_all(raw, shape, NULL);
    struct hash digest = keccak256(raw->b, raw->n);
    put_all(raw, shape, &digest);
    return digest;
}

static struct address maker(void)
{
    struct secret_key key = key_number(9);
    struct address a;
    assert_int_equal(key_address(&a, &key), OK);
    return a;
}

static const struct shape shapes[] = {
    {.type = 0},
    {.type = 0, .protected = true},
    {.type = 0, .protected = true, .creates = true, .data = 300},
    {.type = 1},
    {.type = 1, .addresses = 3, .slots = 2, .data = 5},
    {.type = 2},
    {.type = 2, .addresses = 1, .slots = 0, .creates = true, .data = 100},
    {.type = 2, .addresses = 2, .slots = 4, .data = 64},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void example_of_eip155(void **state)
{
    (void)state;
    static const char hex[] =
        "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080"
        "25a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"
        "a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83";
    struct raw raw;
    struct tx tx;
    struct address sender;
    uint8_t want[20];
    char value[U256_DEC_SIZE];
    assert_true(hex_decode_upto(raw.b, sizeof raw.b, &raw.n, hex, sizeof hex - 1));
    assert_int_equal(tx_decode(&tx, view(&raw)), TX_OK);
    assert_true(tx.has_chain_id && !tx.creates);
    assert_int_equal(tx.chain_id, 1);
    assert_int_equal(tx.nonce, 9);
    assert_int_equal(tx.gas, 21000);
    assert_int_equal(tx.max_fee.v[0], 20000000000);
    u256_to_dec(value, &tx.value);
    assert_string_equal(value, "1000000000000000000");
    assert_hash(&tx.signing_hash,
                "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
    assert_int_equal(tx_sender(&sender, &tx), TX_OK);
    assert_true(hex_decode(want, 20, "9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"));
    assert_memory_equal(sender.b, want, 20);
}

static void every_shape(void **state)
{
    (void)state;
    struct address own = maker();
    for (size_t i = 0; i < SHAPES; i++) {
        const struct shape *shape = &shapes[i];
        struct raw raw;
        struct tx tx;
        struct address sender;
        struct hash digest = make(&raw, shape);
        assert_int_equal(tx_decode(&tx, view(&raw)), TX_OK);
        assert_int_equal(tx.type, shape->type);
        assert_true(hash_equal(&tx.signing_hash, &digest));
        struct hash whole = keccak256(raw.b, raw.n);
        assert_true(hash_equal(&tx.hash, &whole));
        assert_int_equal(tx_sender(&sender, &tx), TX_OK);
        assert_true(address_equal(&sender, &own));
        assert_int_equal(tx.has_chain_id, shape->type != 0 || shape->protected);
        assert_int_equal(tx.chain_id, tx.has_chain_id ? 1337 : 0);
        assert_int_equal(tx.creates, shape->creates);
        assert_int_equal(tx.nonce, 7);
        assert_int_equal(tx.max_priority_fee.v[0], 1000000000);
        assert_int_equal(tx.max_fee.v[0], shape->type == 2 ? 30000000000 : 1000000000);
        assert_int_equal(tx.data.n, shape->data);
        assert_int_equal(tx.access_addresses, shape->addresses);
        assert_int_equal(tx.access_slots, shape->addresses * shape->slots);
    }
}

static void every_flip(void **state)
{
    (void)state;
    struct address own = maker();
    for (size_t i = 0; i < SHAPES; i++) {
        struct raw raw;
        make(&raw, &shapes[i]);
        for (size_t bit = 0; bit < 8 * raw.n; bit++) {
            struct tx tx;
            struct address sender;
            raw.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (tx_decode(&tx, view(&raw)) == TX_OK && tx_sender(&sender, &tx) == TX_OK) {
                assert_false(address_equal(&sender, &own));
            }
            raw.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

/* Cut anywhere or with a byte more: never accepted. The copy is exact, so that a read beyond the
 * end is seen by the sanitizer. */
static void every_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) {
        struct raw raw;
        struct tx tx;
        make(&raw, &shapes[i]);
        raw.b[raw.n] = 0;
        assert_int_equal(tx_decode(&tx, bytes_of(raw.b, raw.n + 1)), TX_MALFORMED);
        for (size_t n = 0; n < raw.n; n++) {
            uint8_t *exact = malloc(n + 1);
            assert_non_null(exact);
            memcpy(exact + 1, raw.b, n);
            assert_int_not_equal(tx_decode(&tx, bytes_of(exact + 1, n)), TX_OK);
            free(exact);
        }
    }
}

static void sign_and_decode(void **state)
{
    (void)state;
    struct secret_key key = key_number(9);
    struct address own = maker();
    uint8_t data[200];
    uint64_t seed = 10;
    for (size_t n = 0; n <= sizeof data; n += 25) {
        struct tx_request r = {.chain_id = 1337,
                               .nonce = random_next(&seed),
                               .max_priority_fee = u256_from_u64(random_next(&seed)),
                               .max_fee = {{1, 2, 3, 4}},
                               .gas = random_next(&seed),
                               .creates = n == 50,
                               .value = {{5, 6, 7, 8}},
                               .data = bytes_of(data, n)};
        struct raw raw;
        struct tx tx;
        struct address sender;
        random_bytes(&seed, data, n);
        random_bytes(&seed, r.to.b, sizeof r.to.b);
        assert_int_equal(tx_sign(raw.b, sizeof raw.b, &raw.n, &r, &key), OK);
        assert_int_equal(tx_decode(&tx, view(&raw)), TX_OK);
        assert_int_equal(tx_sender(&sender, &tx), TX_OK);
        assert_true(address_equal(&sender, &own));
        assert_true(tx.type == 2 && tx.chain_id == 1337 && tx.nonce == r.nonce && tx.gas == r.gas);
        assert_true(u256_cmp(&tx.value, &r.value) == 0 && u256_cmp(&tx.max_fee, &r.max_fee) == 0);
        assert_true(bytes_equal(tx.data, r.data) && tx.creates == r.creates);
        assert_true(r.creates || address_equal(&tx.to, &r.to));
        assert_int_equal(tx_sign(raw.b, raw.n - 1, &raw.n, &r, &key), ERR_TOO_LARGE);
    }
}

static void refused(void **state)
{
    (void)state;
    static uint8_t large[LIMIT_TX_BYTES + 1];
    const uint8_t blob[] = {0x03, 0xc0};
    const uint8_t string[] = {0x83, 1, 2, 3};
    const uint8_t none[] = {0xc0};
    const uint8_t type_alone[] = {0x02};
    struct tx tx;
    assert_int_equal(tx_decode(&tx, bytes_of(large, sizeof large)), TX_TOO_LARGE);
    assert_int_equal(tx_decode(&tx, bytes_of(blob, sizeof blob)), TX_TYPE);
    assert_int_equal(tx_decode(&tx, bytes_of(large, 2)), TX_TYPE);
    assert_int_equal(tx_decode(&tx, bytes_of(string, sizeof string)), TX_MALFORMED);
    assert_int_equal(tx_decode(&tx, bytes_of(none, sizeof none)), TX_MALFORMED);
    assert_int_equal(tx_decode(&tx, bytes_of(type_alone, 1)), TX_MALFORMED);
    assert_int_equal(tx_decode(&tx, bytes_of(NULL, 0)), TX_MALFORMED);
}

/* Replaces v, r and s at the end of a list; the digest does not matter here. */
static enum tx_error with_signature(uint8_t type, uint64_t v, const struct u256 *r,
                                    const struct u256 *s)
{
    struct raw raw;
    struct tx tx;
    struct shape shape = {.type = type};
    struct rlp_out out = {.p = raw.b, .cap = sizeof raw.b};
    if (type != 0) {
        rlp_put_raw(&out, &type, 1);
    }
    size_t mark = rlp_list_begin(&out);
    put_fields(&out, &shape);
    rlp_put_u64(&out, v);
    rlp_put_u256(&out, r);
    rlp_put_u256(&out, s);
    rlp_list_end(&out, mark);
    return tx_decode(&tx, bytes_of(raw.b, out.n));
}

static void signatures_refused(void **state)
{
    (void)state;
    struct u256 one = u256_from_u64(1);
    struct u256 zero = u256_from_u64(0);
    struct u256 half;
    struct u256 above;
    assert_true(
        u256_parse(&half, "0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0"));
    assert_false(u256_add(&above, &half, &one));
    assert_int_equal(with_signature(2, 0, &one, &half), TX_OK);
    assert_int_equal(with_signature(2, 0, &one, &above), TX_SIGNATURE);
    assert_int_equal(with_signature(2, 0, &zero, &one), TX_SIGNATURE);
    assert_int_equal(with_signature(2, 0, &one, &zero), TX_SIGNATURE);
    assert_int_equal(with_signature(1, 2, &one, &one), TX_SIGNATURE);
    assert_int_equal(with_signature(2, 27, &one, &one), TX_SIGNATURE);
    const uint64_t legacy_bad[] = {0, 1, 26, 29, 34};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(with_signature(0, legacy_bad[i], &one, &one), TX_SIGNATURE);
    }
    const uint64_t legacy_good[] = {27, 28, 35, 36, 37, UINT64_MAX};
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(with_signature(0, legacy_good[i], &one, &one), TX_OK);
    }
}

static void sender_of_an_impossible_r(void **state)
{
    (void)state;
    struct raw raw;
    struct tx tx;
    struct address a;
    make(&raw, &shapes[5]);
    assert_int_equal(tx_decode(&tx, view(&raw)), TX_OK);
    memset(tx.signature.b, 0xff, 32); /* above the group order */
    assert_int_equal(tx_sender(&a, &tx), TX_SIGNATURE);
}

static void intrinsic_gas(void **state)
{
    (void)state;
    static const uint8_t zeros[64];
    static const uint8_t ones[] = {1, 1, 1, 1};
    struct tx tx = {.type = 2};
    assert_int_equal(tx_intrinsic_gas(&tx), 21000);
    tx.data = bytes_of(zeros, 10);
    assert_int_equal(tx_intrinsic_gas(&tx), 21000 + 100); /* the floor */
    tx.data = bytes_of(ones, 4);
    assert_int_equal(tx_intrinsic_gas(&tx), 21000 + 160);
    tx.access_addresses = 2;
    tx.access_slots = 3;
    assert_int_equal(tx_intrinsic_gas(&tx), 21000 + 64 + 2 * 2400 + 3 * 1900);
    tx = (struct tx){.creates = true, .data = bytes_of(zeros, 33)};
    assert_int_equal(tx_intrinsic_gas(&tx), 21000 + 32000 + 33 * 4 + 2 * 2);
}

static void texts(void **state)
{
    (void)state;
    assert_string_equal(tx_error_text(TX_TYPE), "transaction type not supported");
    assert_string_equal(tx_error_text(TX_TOO_LARGE), "oversized data");
    assert_string_equal(tx_error_text(TX_SIGNATURE), "invalid sender");
    assert_string_equal(tx_error_text(TX_CHAIN_ID), "invalid chain id for signer");
    assert_int_equal(strncmp(tx_error_text(TX_MALFORMED), "rlp: ", 5), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(example_of_eip155),  cmocka_unit_test(every_shape),
        cmocka_unit_test(every_flip),         cmocka_unit_test(every_cut),
        cmocka_unit_test(sign_and_decode),    cmocka_unit_test(refused),
        cmocka_unit_test(signatures_refused), cmocka_unit_test(sender_of_an_impossible_r),
        cmocka_unit_test(intrinsic_gas),      cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, crypto_setup, NULL);
}
