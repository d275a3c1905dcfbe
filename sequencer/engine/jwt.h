/* The token of the Engine API (execution-apis, authentication.md): HS256 over `iat` alone, made anew
 * for each request, because the client refuses one that is more than 60 s off its own clock.
 *
 * The secret never leaves these two functions but as a signature: not into the log, not into `why`. */
#ifndef SEQUENCER_ENGINE_JWT_H
#define SEQUENCER_ENGINE_JWT_H

#include "proto/bytes.h"
#include "proto/error.h"

enum { JWT_SECRET_BYTES = 32, JWT_HEADER_SIZE = 192 };

struct jwt_secret {
    uint8_t b[JWT_SECRET_BYTES];
};

/* A file of 64 hex digits, `0x` and white space around them allowed. On failure `why` says what is
 * wrong, as one sentence. ERR_NOT_FOUND; ERR_IO; ERR_CONFIG: not 32 bytes of hex, no regular file;
 * ERR_REFUSED: its mode lets others than the owner read or write it. */
enum err jwt_read(struct jwt_secret *out, const char *path, char *why, size_t why_len) MUST_USE;

/* The whole line `Authorization: Bearer …`, zero-terminated. iat_s: Unix time. ERR_CRYPTO. */
enum err jwt_header(char out[JWT_HEADER_SIZE], const struct jwt_secret *s, uint64_t iat_s) MUST_USE;

void jwt_forget(struct jwt_secret *s);

#endif
