#include "sequencer/cli/mnemonic.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <secp256k1.h>

enum { ROUNDS = 2048 };
static const uint32_t HARDENED = 0x80000000u;

/* BIP-32's extended private key. */
struct extended {
    uint8_t key[32];
    uint8_t chain[32];
};

enum err mnemonic_seed(uint8_t out[64], const char *mnemonic)
{
    static const uint8_t salt[] = {'m', 'n', 'e', 'm', 'o', 'n', 'i', 'c'};
    int ok = PKCS5_PBKDF2_HMAC(mnemonic, (int)strlen(mnemonic), salt, sizeof salt, ROUNDS,
                               EVP_sha512(), 64, out);
    return ok == 1 ? OK : ERR_CRYPTO;
}

static enum err hmac_sha512(uint8_t out[64], const void *key, size_t key_len, const uint8_t *in,
                            size_t n)
{
    unsigned len = 64;
    return HMAC(EVP_sha512(), key, (int)key_len, in, n, out, &len) != NULL ? OK : ERR_CRYPTO;
}

static enum err master(struct extended *out, const uint8_t seed[64])
{
    uint8_t mac[64];
    TRY(hmac_sha512(mac, "Bitcoin seed", 12, seed, 64));
    memcpy(out->key, mac, 32);
    memcpy(out->chain, mac + 32, 32);
    OPENSSL_cleanse(mac, sizeof mac);
    return OK;
}

/* Hardened children hash 0 || key, the others the compressed public key. */
static enum err child_input(const secp256k1_context *ctx, uint8_t out[37],
                            const struct extended *parent, uint32_t index)
{
    if ((index & HARDENED) != 0) {
        out[0] = 0;
        memcpy(out + 1, parent->key, 32);
    } else {
        secp256k1_pubkey pub;
        size_t n = 33;
        if (secp256k1_ec_pubkey_create(ctx, &pub, parent->key) != 1 ||
            secp256k1_ec_pubkey_serialize(ctx, out, &n, &pub, SECP256K1_EC_COMPRESSED) != 1) {
            return ERR_CRYPTO;
        }
    }
    store_be32(out + 33, index);
    return OK;
}

static enum err child(const secp256k1_context *ctx, struct extended *x, uint32_t index)
{
    uint8_t input[37];
    uint8_t mac[64];
    TRY(child_input(ctx, input, x, index));
    TRY(hmac_sha512(mac, x->chain, 32, input, sizeof input));
    int ok = secp256k1_ec_seckey_tweak_add(ctx, x->key, mac);
    memcpy(x->chain, mac + 32, 32);
    OPENSSL_cleanse(mac, sizeof mac);
    OPENSSL_cleanse(input, sizeof input);
    return ok == 1 ? OK : ERR_CRYPTO;
}

static enum err walk(const secp256k1_context *ctx, struct extended *x, uint32_t index)
{
    const uint32_t path[5] = {44 | HARDENED, 60 | HARDENED, 0 | HARDENED, 0, index};
    for (size_t i = 0; i < 5; i++) {
        TRY(child(ctx, x, path[i]));
    }
    return OK;
}

enum err mnemonic_key(struct secret_key *out, const uint8_t seed[64], uint32_t index)
{
    struct extended x;
    TRY(master(&x, seed));
    secp256k1_context *ctx = secp256k1_context_create(SECP256K1_CONTEXT_SIGN);
    if (ctx == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err e = walk(ctx, &x, index);
    secp256k1_context_destroy(ctx);
    memcpy(out->b, x.key, 32);
    OPENSSL_cleanse(&x, sizeof x);
    return e;
}
