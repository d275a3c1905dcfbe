/* Ethereum keystore v3 (Web3 Secret Storage), so that geth, cast and ethers read our key files.
 * Here: the cryptography on a plain struct; the JSON around it is sequencer/node/keyfile. */
#ifndef PROTO_KEYSTORE_H
#define PROTO_KEYSTORE_H

#include "proto/bytes.h"
#include "proto/error.h"
#include "proto/key.h"

enum keystore_kdf { KDF_SCRYPT = 1, KDF_PBKDF2 = 2 };

struct keystore {
    uint8_t id[16];          /* UUID */
    struct address address;
    uint32_t kdf;            /* enum keystore_kdf */
    uint64_t n;              /* scrypt: N, power of two <= 2^20; pbkdf2: iterations <= 10^7 */
    uint32_t r;              /* scrypt, <= 16 */
    uint32_t p;              /* scrypt, <= 16 */
    uint8_t salt[64];
    uint32_t salt_len;       /* 8 … 64 */
    uint8_t iv[16];
    uint8_t ciphertext[32];
    struct hash mac;
};

/* `light`: N = 2^12 as geth's light mode (devnets, tests); else 2^18. */
enum err keystore_encrypt(struct keystore *out, const struct secret_key *key, struct bytes password, bool light) MUST_USE;
/* ERR_REFUSED: wrong password. ERR_MALFORMED: parameters out of range or wrong address (all zeros:
 * the file names none). `out` is wiped on any error. */
enum err keystore_decrypt(struct secret_key *out, const struct keystore *ks, struct bytes password) MUST_USE;

#endif
