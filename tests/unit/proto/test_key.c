/* Keys, signatures and key files. */
#include "check.h"

#include <openssl/evp.h>

#include "proto/keccak.h"
#include "proto/keystore.h"
#include "proto/scrypt.h"
#include "proto/u256.h"

static struct bytes password_of(const char *text)
{
    return bytes_of(text, strlen(text));
}

static void read_hex(uint8_t *out, size_t n, const char *hex)
{
    assert_true(hex_decode(out, n, hex));
}

static void addresses(void **state)
{
    (void)state;
    struct secret_key one = key_number(0);
    struct secret_key funded;
    struct address a;
    uint8_t want[20];
    read_hex(want, 20, "7e5f4552091a69125d5dfcb7b8c2659029395bdf");
    assert_int_equal(key_address(&a, &one), OK);
    assert_memory_equal(a.b, want, 20);
    /* The first account of the well-known test mnemonic. */
    read_hex(funded.b, 32, "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
    read_hex(want, 20, "f39fd6e51aad88f6f4ce6ab8827279cfffb92266");
    assert_int_equal(key_address(&a, &funded), OK);
    assert_memory_equal(a.b, want, 20);
}

static void range(void **state)
{
    (void)state;
    struct secret_key zero = {{0}};
    struct secret_key order;
    struct address a;
    read_hex(order.b, 32, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
    assert_int_equal(key_check(&zero), ERR_MALFORMED);
    assert_int_equal(key_check(&order), ERR_MALFORMED);
    assert_int_equal(key_address(&a, &order), ERR_MALFORMED);
    order.b[31]--;
    assert_int_equal(key_check(&order), OK);
}

static void sign_and_recover(void **state)
{
    (void)state;
    uint64_t seed = 8;
    for (uint8_t i = 0; i < 64; i++) {
        struct secret_key key = key_number(i);
        struct hash digest;
        struct signature sig;
        struct signature again;
        struct address want;
        struct address got;
        random_bytes(&seed, digest.b, sizeof digest.b);
        assert_int_equal(key_sign(&sig, &key, &digest), OK);
        assert_int_equal(key_sign(&again, &key, &digest), OK);
        assert_memory_equal(sig.b, again.b, sizeof sig.b);
        assert_int_equal(key_address(&want, &key), OK);
        assert_int_equal(key_recover(&got, &sig, &digest), OK);
        assert_true(address_equal(&want, &got));
    }
}

static void every_flip_of_a_signature(void **state)
{
    (void)state;
    struct secret_key key = key_number(5);
    struct hash digest = keccak256("flip", 4);
    struct signature sig;
    struct address own;
    assert_int_equal(key_address(&own, &key), OK);
    assert_int_equal(key_sign(&sig, &key, &digest), OK);
    for (size_t bit = 0; bit < 8 * sizeof sig.b; bit++) {
        struct signature bad = sig;
        struct address got;
        bad.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum err e = key_recover(&got, &bad, &digest);
        assert_true(e == ERR_BAD_SIGNATURE || !address_equal(&got, &own));
    }
}

/* The other signature of the same message, (r, n - s), is refused (EIP-2). */
static void high_s(void **state)
{
    (void)state;
    struct secret_key key = key_number(6);
    struct hash digest = keccak256("high", 4);
    struct signature sig;
    struct address got;
    uint8_t order_be[32];
    read_hex(order_be, 32, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
    assert_int_equal(key_sign(&sig, &key, &digest), OK);
    struct u256 order = u256_from_be(order_be, 32);
    struct u256 s = u256_from_be(sig.b + 32, 32);
    assert_false(u256_sub(&s, &order, &s));
    u256_to_be(sig.b + 32, &s);
    sig.b[64] = (uint8_t)(55 - sig.b[64]);
    assert_int_equal(key_recover(&got, &sig, &digest), ERR_BAD_SIGNATURE);
}

static void odd_v(void **state)
{
    (void)state;
    struct secret_key key = key_number(7);
    struct hash digest = keccak256("v", 1);
    struct signature sig;
    struct address got;
    assert_int_equal(key_sign(&sig, &key, &digest), OK);
    uint8_t v = sig.b[64];
    for (unsigned other = 0; other < 256; other++) {
        sig.b[64] = (uint8_t)other;
        enum err want = other == 27 || other == 28 ? OK : ERR_BAD_SIGNATURE;
        /* The wrong parity may or may not be a point; it is never this key. */
        if (other != 55u - v) {
            assert_int_equal(key_recover(&got, &sig, &digest), want);
        }
    }
}

static void secret_memory(void **state)
{
    (void)state;
    struct secret_key *key = key_alloc();
    struct address a;
    assert_non_null(key);
    assert_int_equal(key_check(key), ERR_MALFORMED);
    assert_int_equal(key_generate(key), OK);
    assert_int_equal(key_address(&a, key), OK);
    key_free(key);
    key_free(NULL);
}

/* The two examples of the Web3 Secret Storage definition; both hold the same key. */
static const char web3_secret[] =
    "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";

static struct keystore web3_pbkdf2(void)
{
    struct keystore ks = {.kdf = KDF_PBKDF2, .n = 262144, .salt_len = 32};
    read_hex(ks.iv, 16, "6087dab2f9fdbbfaddc31a909735c1e6");
    read_hex(ks.ciphertext, 32, "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46");
    read_hex(ks.salt, 32, "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd");
    read_hex(ks.mac.b, 32, "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2");
    return ks;
}

static struct keystore web3_scrypt(void)
{
    struct keystore ks = {.kdf = KDF_SCRYPT, .n = 262144, .r = 1, .p = 8, .salt_len = 32};
    read_hex(ks.iv, 16, "83dbcc02d8ccb40e466191a123791e0e");
    read_hex(ks.ciphertext, 32, "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c");
    read_hex(ks.salt, 32, "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19");
    read_hex(ks.mac.b, 32, "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097");
    return ks;
}

static void web3_vectors(void **state)
{
    (void)state;
    struct keystore files[] = {web3_pbkdf2(), web3_scrypt()};
    uint8_t want[32];
    read_hex(want, 32, web3_secret);
    for (size_t i = 0; i < 2; i++) {
        struct secret_key key;
        read_hex(files[i].address.b, 20, "008aeeda4d805471df9b2a5b0f38a0c3bcba786b");
        assert_int_equal(keystore_decrypt(&key, &files[i], password_of("testpassword")), OK);
        assert_memory_equal(key.b, want, 32);
    }
}

/* Our scrypt and OpenSSL's, wherever both take the parameters. */
static void scrypt_agrees_with_openssl(void **state)
{
    (void)state;
    const struct scrypt_cost cost[] = {
        {2, 1, 1}, {16, 1, 1}, {64, 2, 3}, {1024, 8, 2}, {4096, 8, 6}};
    for (size_t i = 0; i < sizeof cost / sizeof *cost; i++) {
        uint8_t got[64];
        uint8_t want[64];
        struct bytes password = password_of("password");
        assert_int_equal(scrypt_derive(got, 64, password, password_of("NaCl and more"), &cost[i]),
                         OK);
        assert_int_equal(EVP_PBE_scrypt("password", 8, (const uint8_t *)"NaCl and more", 13,
                                        cost[i].n, cost[i].r, cost[i].p, 64 << 20, want, 64),
                         1);
        assert_memory_equal(got, want, 64);
    }
}

static void keystore_round_trip(void **state)
{
    (void)state;
    struct secret_key key = key_number(8);
    struct secret_key got;
    struct keystore ks;
    assert_int_equal(keystore_encrypt(&ks, &key, password_of("a"), true), OK);
    assert_int_equal(keystore_decrypt(&got, &ks, password_of("a")), OK);
    assert_memory_equal(got.b, key.b, 32);
    assert_int_equal(keystore_decrypt(&got, &ks, password_of("b")), ERR_REFUSED);
    assert_int_equal(keystore_decrypt(&got, &ks, bytes_of(NULL, 0)), ERR_REFUSED);
    memset(&ks.address, 0, sizeof ks.address);
    assert_int_equal(keystore_decrypt(&got, &ks, password_of("a")), OK);
    ks.address.b[0] = 1;
    assert_int_equal(keystore_decrypt(&got, &ks, password_of("a")), ERR_MALFORMED);
    struct secret_key wiped = {{0}};
    assert_memory_equal(got.b, wiped.b, 32);
    ks.ciphertext[3] ^= 1;
    assert_int_equal(keystore_decrypt(&got, &ks, password_of("a")), ERR_REFUSED);
}

static void keystore_params_refused(void **state)
{
    (void)state;
    struct keystore base = web3_scrypt();
    struct keystore bad[9];
    for (size_t i = 0; i < 9; i++) {
        bad[i] = base;
    }
    bad[0].kdf = 0;
    bad[1].n = (uint64_t)1 << 21;
    bad[2].n = 3;
    bad[3].n = 0;
    bad[4].r = 17;
    bad[5].p = 0;
    bad[6].salt_len = 65;
    bad[7].salt_len = 7;
    bad[8].kdf = KDF_PBKDF2;
    bad[8].n = 10000001;
    for (size_t i = 0; i < 9; i++) {
        struct secret_key key;
        assert_int_equal(keystore_decrypt(&key, &bad[i], password_of("testpassword")),
                         ERR_MALFORMED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(range),
        cmocka_unit_test(sign_and_recover),
        cmocka_unit_test(every_flip_of_a_signature),
        cmocka_unit_test(high_s),
        cmocka_unit_test(odd_v),
        cmocka_unit_test(secret_memory),
        cmocka_unit_test(web3_vectors),
        cmocka_unit_test(scrypt_agrees_with_openssl),
        cmocka_unit_test(keystore_round_trip),
        cmocka_unit_test(keystore_params_refused),
    };
    return cmocka_run_group_tests(tests, crypto_setup, NULL);
}
