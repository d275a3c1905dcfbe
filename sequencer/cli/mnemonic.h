/* Keys from a mnemonic: BIP-39 seed (PBKDF2-HMAC-SHA512, 2048 rounds, no passphrase), BIP-32
 * children, BIP-44 path m/44'/60'/0'/0/i as every Ethereum wallet derives it.
 *
 * For devnets: the standard test mnemonic below is public, and so is every key it makes. */
#ifndef SEQUENCER_CLI_MNEMONIC_H
#define SEQUENCER_CLI_MNEMONIC_H

#include "proto/key.h"

#define MNEMONIC_TEST "test test test test test test test test test test test junk"

/* BIP-39: 64 bytes. */
enum err mnemonic_seed(uint8_t out[64], const char *mnemonic) MUST_USE;
/* Key `index` of the default Ethereum path. ERR_CRYPTO: that index has no key (never seen). */
enum err mnemonic_key(struct secret_key *out, const uint8_t seed[64], uint32_t index) MUST_USE;

#endif
