#include "proto/keystore.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "proto/keccak.h"
#include "proto/scrypt.h"

/* The derived key: 16 bytes for the cipher, 16 for the MAC. */
enum { DERIVED = 32, CIPHER_KEY = 16 };

enum {
    SCRYPT_N_MAX = 1 << 20,
    SCRYPT_N_LIGHT = 1 << 12,
    SCRYPT_N_STANDARD = 1 << 18,
    SCRYPT_N_R1 = 1 << 16, /* from here on OpenSSL refuses r = 1 */
    SCRYPT_R_MAX = 16,
    SCRYPT_P_MAX = 16,
    PBKDF2_MAX = 10000000,
    SALT_MIN = 8,
    SALT_NEW = 32
};

static bool params_ok(const struct keystore *ks)
{
    if (ks->salt_len < SALT_MIN || ks->salt_len > sizeof ks->salt) {
        return false;
    }
    if (ks->kdf == KDF_PBKDF2) {
        return ks->n >= 1 && ks->n <= PBKDF2_MAX;
    }
    return ks->kdf == KDF_SCRYPT && ks->n >= 2 && ks->n <= SCRYPT_N_MAX &&
           (ks->n & (ks->n - 1)) == 0 && ks->r >= 1 && ks->r <= SCRYPT_R_MAX && ks->p >= 1 &&
           ks->p <= SCRYPT_P_MAX;
}

static enum err derive_pbkdf2(uint8_t out[DERIVED], const struct keystore *ks,
                              struct bytes password)
{
    /* OpenSSL takes no NULL password, not even an empty one. */
    const char *secret = password.n == 0 ? "" : (const char *)password.p;
    int done = PKCS5_PBKDF2_HMAC(secret, (int)password.n, ks->salt, (int)ks->salt_len, (int)ks->n,
                                 EVP_sha256(), DERIVED, out);
    return done == 1 ? OK : ERR_CRYPTO;
}

static enum err derive_scrypt(uint8_t out[DERIVED], const struct keystore *ks,
                              struct bytes password)
{
    const char *secret = password.n == 0 ? "" : (const char *)password.p;
    if (ks->r == 1 && ks->n >= SCRYPT_N_R1) {
        struct scrypt_cost cost = {ks->n, ks->r, ks->p};
        return scrypt_derive(out, DERIVED, password, bytes_of(ks->salt, ks->salt_len), &cost);
    }
    /* 128 r (N + p + 2) bytes, and some room for OpenSSL's own count. */
    uint64_t memory = 128 * (uint64_t)ks->r * (ks->n + ks->p + 2) + 4096;
    int done = EVP_PBE_scrypt(secret, password.n, ks->salt, ks->salt_len, ks->n, ks->r, ks->p,
                              memory, out, DERIVED);
    return done == 1 ? OK : ERR_CRYPTO;
}

static enum err derive(uint8_t out[DERIVED], const struct keystore *ks, struct bytes password)
{
    return ks->kdf == KDF_PBKDF2 ? derive_pbkdf2(out, ks, password)
                                 : derive_scrypt(out, ks, password);
}

/* Counter mode: the same operation encrypts and decrypts. */
static bool cipher(uint8_t out[32], const uint8_t in[32], const uint8_t key[CIPHER_KEY],
                   const uint8_t iv[16])
{
    int n = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool done = ctx != NULL && EVP_EncryptInit_ex(ctx, EVP_aes_128_ctr(), NULL, key, iv) == 1 &&
                EVP_EncryptUpdate(ctx, out, &n, in, 32) == 1 && n == 32;
    EVP_CIPHER_CTX_free(ctx);
    return done;
}

static struct hash mac_of(const uint8_t derived[DERIVED], const uint8_t ciphertext[32])
{
    struct keccak k;
    struct hash out;
    keccak_init(&k);
    keccak_update(&k, derived + CIPHER_KEY, DERIVED - CIPHER_KEY);
    keccak_update(&k, ciphertext, 32);
    keccak_final(&k, &out);
    OPENSSL_cleanse(&k, sizeof k);
    return out;
}

static enum err choose_params(struct keystore *out, bool light)
{
    memset(out, 0, sizeof *out);
    out->kdf = KDF_SCRYPT;
    out->n = light ? SCRYPT_N_LIGHT : SCRYPT_N_STANDARD;
    out->r = 8;
    out->p = light ? 6 : 1;
    out->salt_len = SALT_NEW;
    if (RAND_bytes(out->salt, SALT_NEW) != 1 || RAND_bytes(out->iv, sizeof out->iv) != 1 ||
        RAND_bytes(out->id, sizeof out->id) != 1) {
        return ERR_CRYPTO;
    }
    /* A random UUID says so in two places (RFC 4122, 4.4). */
    out->id[6] = (uint8_t)((out->id[6] & 0x0f) | 0x40);
    out->id[8] = (uint8_t)((out->id[8] & 0x3f) | 0x80);
    return OK;
}

enum err keystore_encrypt(struct keystore *out, const struct secret_key *key, struct bytes password,
                          bool light)
{
    uint8_t derived[DERIVED];
    if (password.n > INT32_MAX) {
        return ERR_TOO_LARGE;
    }
    TRY(choose_params(out, light));
    TRY(key_address(&out->address, key));
    enum err e = derive(derived, out, password);
    if (e == OK && !cipher(out->ciphertext, key->b, derived, out->iv)) {
        e = ERR_CRYPTO;
    }
    if (e == OK) {
        out->mac = mac_of(derived, out->ciphertext);
    }
    OPENSSL_cleanse(derived, sizeof derived);
    return e;
}

/* An address is optional in the format: all zeros say nothing. */
static enum err check_address(const struct keystore *ks, const struct secret_key *key)
{
    static const struct address unknown;
    struct address a;
    TRY(key_check(key));
    TRY(key_address(&a, key));
    bool fits = address_equal(&ks->address, &unknown) || address_equal(&ks->address, &a);
    return fits ? OK : ERR_MALFORMED;
}

static enum err open_with(struct secret_key *out, const struct keystore *ks,
                          const uint8_t derived[DERIVED])
{
    struct hash mac = mac_of(derived, ks->ciphertext);
    if (CRYPTO_memcmp(mac.b, ks->mac.b, sizeof mac.b) != 0) {
        return ERR_REFUSED;
    }
    if (!cipher(out->b, ks->ciphertext, derived, ks->iv)) {
        return ERR_CRYPTO;
    }
    return check_address(ks, out);
}

enum err keystore_decrypt(struct secret_key *out, const struct keystore *ks, struct bytes password)
{
    uint8_t derived[DERIVED];
    if (!params_ok(ks) || password.n > INT32_MAX) {
        return ERR_MALFORMED;
    }
    enum err e = derive(derived, ks, password);
    if (e == OK) {
        e = open_with(out, ks, derived);
    }
    OPENSSL_cleanse(derived, sizeof derived);
    if (e != OK) {
        OPENSSL_cleanse(out, sizeof *out);
    }
    return e;
}
