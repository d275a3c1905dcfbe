#include "proto/scrypt.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

enum { SALSA_WORDS = 16, SALSA_ROUNDS = 8 };

#define ROTATE(x, n) ((x) << (n) | (x) >> (32 - (n)))

static void quarter(uint32_t x[SALSA_WORDS], int a, int b, int c, int d)
{
    x[b] ^= ROTATE(x[a] + x[d], 7);
    x[c] ^= ROTATE(x[b] + x[a], 9);
    x[d] ^= ROTATE(x[c] + x[b], 13);
    x[a] ^= ROTATE(x[d] + x[c], 18);
}

/* Salsa20/8 core, in place. */
static void salsa(uint32_t block[SALSA_WORDS])
{
    uint32_t x[SALSA_WORDS];
    memcpy(x, block, sizeof x);
    for (int i = 0; i < SALSA_ROUNDS; i += 2) {
        quarter(x, 0, 4, 8, 12);
        quarter(x, 5, 9, 13, 1);
        quarter(x, 10, 14, 2, 6);
        quarter(x, 15, 3, 7, 11);
        quarter(x, 0, 1, 2, 3);
        quarter(x, 5, 6, 7, 4);
        quarter(x, 10, 11, 8, 9);
        quarter(x, 15, 12, 13, 14);
    }
    for (int i = 0; i < SALSA_WORDS; i++) {
        block[i] += x[i];
    }
}

static void mix_in(uint32_t *to, const uint32_t *from, size_t words)
{
    for (size_t i = 0; i < words; i++) {
        to[i] ^= from[i];
    }
}

/* scryptBlockMix: even results go to the first half, odd ones to the second. */
static void block_mix(uint32_t *x, uint32_t *scratch, uint32_t r)
{
    uint32_t last[SALSA_WORDS];
    size_t words = (size_t)2 * r * SALSA_WORDS;
    memcpy(last, x + words - SALSA_WORDS, sizeof last);
    for (size_t i = 0; i < (size_t)2 * r; i++) {
        size_t place = i / 2 + (i % 2) * r;
        mix_in(last, x + i * SALSA_WORDS, SALSA_WORDS);
        salsa(last);
        memcpy(scratch + place * SALSA_WORDS, last, sizeof last);
    }
    memcpy(x, scratch, words * sizeof *x);
}

/* scryptROMix on the words of one block; `table` has room for n of them. */
static void ro_mix(uint32_t *x, uint32_t *scratch, uint32_t *table, const struct scrypt_cost *cost)
{
    size_t words = (size_t)2 * cost->r * SALSA_WORDS;
    for (uint64_t i = 0; i < cost->n; i++) {
        memcpy(table + i * words, x, words * sizeof *x);
        block_mix(x, scratch, cost->r);
    }
    for (uint64_t i = 0; i < cost->n; i++) {
        const uint32_t *tail = x + words - SALSA_WORDS;
        uint64_t j = ((uint64_t)tail[1] << 32 | tail[0]) & (cost->n - 1);
        mix_in(x, table + j * words, words);
        block_mix(x, scratch, cost->r);
    }
}

static void load_words(uint32_t *x, const uint8_t *p, size_t words)
{
    for (size_t i = 0; i < words; i++, p += 4) {
        x[i] = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    }
}

static void store_words(uint8_t *p, const uint32_t *x, size_t words)
{
    for (size_t i = 0; i < 4 * words; i++) {
        p[i] = (uint8_t)(x[i / 4] >> (8 * (i % 4)));
    }
}

static bool pbkdf2(uint8_t *out, size_t n, struct bytes password, struct bytes salt)
{
    const char *secret = password.n == 0 ? "" : (const char *)password.p;
    return PKCS5_PBKDF2_HMAC(secret, (int)password.n, salt.p, (int)salt.n, 1, EVP_sha256(), (int)n,
                             out) == 1;
}

enum err scrypt_derive(uint8_t *out, size_t out_n, struct bytes password, struct bytes salt,
                       const struct scrypt_cost *cost)
{
    size_t words = (size_t)2 * cost->r * SALSA_WORDS;
    size_t block = words * sizeof(uint32_t);
    size_t blocks = block * cost->p;
    size_t size = block * (cost->n + 2) + blocks;
    uint32_t *memory = malloc(size);
    if (memory == NULL) {
        return ERR_NO_MEMORY;
    }
    uint32_t *x = memory;
    uint32_t *scratch = x + words;
    uint32_t *table = scratch + words;
    uint8_t *b = (uint8_t *)(table + words * cost->n);
    bool done = pbkdf2(b, blocks, password, salt);
    for (size_t at = 0; done && at < blocks; at += block) {
        load_words(x, b + at, words);
        ro_mix(x, scratch, table, cost);
        store_words(b + at, x, words);
    }
    done = done && pbkdf2(out, out_n, password, bytes_of(b, blocks));
    OPENSSL_cleanse(memory, size);
    free(memory);
    return done ? OK : ERR_CRYPTO;
}
