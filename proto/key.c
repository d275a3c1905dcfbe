#define _GNU_SOURCE
#include "proto/key.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <secp256k1.h>
#include <secp256k1_recovery.h>
#include <sys/mman.h>

#include "proto/keccak.h"

/* Half the group order: the largest s that EIP-2 allows. */
static const uint8_t half_order[32] = {
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
};

static secp256k1_context *context;

enum err key_library_init(void)
{
    if (context != NULL) {
        return OK;
    }
    uint8_t seed[32];
    secp256k1_context *made =
        secp256k1_context_create(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY);
    if (made == NULL) {
        return ERR_CRYPTO;
    }
    /* Blinds the multiplication by the secret against an observer of time or power. */
    int blinded =
        RAND_priv_bytes(seed, sizeof seed) == 1 && secp256k1_context_randomize(made, seed) == 1;
    OPENSSL_cleanse(seed, sizeof seed);
    if (!blinded) {
        secp256k1_context_destroy(made);
        return ERR_CRYPTO;
    }
    context = made;
    return OK;
}

struct secret_key *key_alloc(void)
{
    size_t n = sizeof(struct secret_key);
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        return NULL;
    }
    if (mlock(p, n) != 0 || madvise(p, n, MADV_DONTDUMP) != 0 ||
        madvise(p, n, MADV_WIPEONFORK) != 0) {
        munmap(p, n);
        return NULL;
    }
    return p;
}

void key_free(struct secret_key *key)
{
    if (key != NULL) {
        OPENSSL_cleanse(key, sizeof *key);
        munmap(key, sizeof *key);
    }
}

enum err key_check(const struct secret_key *key)
{
    return secp256k1_ec_seckey_verify(context, key->b) == 1 ? OK : ERR_MALFORMED;
}

enum err key_generate(struct secret_key *out)
{
    do {
        if (RAND_priv_bytes(out->b, sizeof out->b) != 1) {
            return ERR_CRYPTO;
        }
    } while (key_check(out) != OK);
    return OK;
}

static void address_of(struct address *out, const secp256k1_pubkey *pub)
{
    uint8_t point[65]; /* 0x04, x, y */
    size_t n = sizeof point;
    secp256k1_ec_pubkey_serialize(context, point, &n, pub, SECP256K1_EC_UNCOMPRESSED);
    struct hash h = keccak256(point + 1, sizeof point - 1);
    memcpy(out->b, h.b + 12, sizeof out->b);
}

enum err key_address(struct address *out, const struct secret_key *key)
{
    secp256k1_pubkey pub;
    if (secp256k1_ec_pubkey_create(context, &pub, key->b) != 1) {
        return ERR_MALFORMED;
    }
    address_of(out, &pub);
    return OK;
}

enum err key_sign(struct signature *out, const struct secret_key *key, const struct hash *digest)
{
    secp256k1_ecdsa_recoverable_signature sig;
    int id = 0;
    if (secp256k1_ecdsa_sign_recoverable(context, &sig, digest->b, key->b, NULL, NULL) != 1) {
        return ERR_CRYPTO;
    }
    secp256k1_ecdsa_recoverable_signature_serialize_compact(context, out->b, &id, &sig);
    /* Ids 2 and 3 (r above the group order) have no v; nobody will ever meet one. */
    if (id > 1) {
        return ERR_CRYPTO;
    }
    out->b[64] = (uint8_t)(27 + id);
    return OK;
}

enum err key_recover(struct address *out, const struct signature *sig, const struct hash *digest)
{
    secp256k1_ecdsa_recoverable_signature parsed;
    secp256k1_pubkey pub;
    uint8_t v = sig->b[64];
    if ((v != 27 && v != 28) || memcmp(sig->b + 32, half_order, sizeof half_order) > 0) {
        return ERR_BAD_SIGNATURE;
    }
    if (secp256k1_ecdsa_recoverable_signature_parse_compact(context, &parsed, sig->b, v - 27) !=
            1 ||
        secp256k1_ecdsa_recover(context, &pub, &parsed, digest->b) != 1) {
        return ERR_BAD_SIGNATURE;
    }
    address_of(out, &pub);
    return OK;
}
