/* TLS 1.3 as an engine without a socket: ciphertext goes in and comes out through memory.
 *
 * Profile (RFC 8446): TLS 1.3 only; AES-128-GCM, ChaCha20, AES-256-GCM; X25519 or P-256; both
 * sides show a certificate, which is checked for nothing but being there, because the identity is
 * the member key's signature over the exporter (p2p/hello.h); ALPN "baton/1" on both sides; no
 * tickets, no session cache, no early data.
 *
 * A failed call leaves an alert to be sent in the output and the engine good for nothing else.
 * Not thread-safe: an engine belongs to one thread. A context may be shared by its engines. */
#ifndef P2P_TLS_H
#define P2P_TLS_H

#include "proto/bytes.h"
#include "proto/error.h"

struct tls_context;
struct tls;

enum tls_side { TLS_CLIENT, TLS_SERVER };

enum { TLS_RECORD_BYTES = 16384 };

/* Makes a fresh Ed25519 key and a certificate that it signs itself. ERR_CRYPTO. */
enum err tls_context_make(struct tls_context **out) MUST_USE;
void tls_context_free(struct tls_context *c);

/* ERR_CRYPTO. The context must outlive the engine. */
enum err tls_make(struct tls **out, const struct tls_context *c, enum tls_side side) MUST_USE;
void tls_free(struct tls *t);

/* Takes ciphertext that came from the other side. ERR_NO_MEMORY. */
enum err tls_feed(struct tls *t, struct bytes in) MUST_USE;
/* Goes on with the handshake; `done` once it has finished. ERR_MALFORMED: the other side does not
 * keep to the profile. Afterwards plaintext may already be waiting: call tls_read at once. */
enum err tls_handshake(struct tls *t, bool *done) MUST_USE;
/* Plaintext of at most one record; *out_n = 0: more ciphertext is needed. ERR_MALFORMED;
 * ERR_UNREACHABLE: the other side has closed the channel in good order. */
enum err tls_read(struct tls *t, uint8_t *out, size_t cap, size_t *out_n) MUST_USE;
/* Encrypts all of `in`, at most TLS_RECORD_BYTES: one record. ERR_CRYPTO. */
enum err tls_write(struct tls *t, struct bytes in) MUST_USE;

/* Ciphertext that waits to be sent, and taking it out. */
size_t tls_pending(const struct tls *t);
size_t tls_take(struct tls *t, uint8_t *out, size_t cap);

/* 32 bytes that both ends of this channel share and nobody else knows (RFC 8446 7.5). */
enum err tls_exporter(struct tls *t, struct hash *out) MUST_USE;

#endif
