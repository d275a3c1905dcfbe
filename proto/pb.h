/* Between the generated protobuf structs and ours; private to this room (message_*.c, record.c).
 *
 * Decoding: bytes -> protobuf-c tree in an arena of fixed size -> pb_get_* -> our struct.
 * Encoding: our struct -> pb_put_* -> tree in scratch memory -> pb_sink.
 * Canonicality: a decoded struct is encoded again into a sink that only compares with the input.
 * Unknown fields, long numbers, repeated or misplaced fields do not survive that. */
#ifndef PROTO_PB_H
#define PROTO_PB_H

#include <stdalign.h>

#include "proto/message.h"
#include "wire.pb-c.h"

/* ---- memory (pb_arena.c) --------------------------------------------------------------------- */

/* Empties the arena and makes it at least `bytes` large. ERR_NO_MEMORY. */
enum err pb_arena_reserve(struct message_arena *a, size_t bytes) MUST_USE;
/* `n` bytes aligned for anything, or NULL when the arena is full. */
void *pb_arena_take(struct message_arena *a, size_t n);
/* For protobuf-c: takes from the arena, frees nothing. `a` outlives the result. */
ProtobufCAllocator pb_arena_allocator(struct message_arena *a);

/* Scratch on the stack; from the heap only if `need` exceeds the room. Close what opened. */
struct pb_scratch {
    struct message_arena arena;
    alignas(16) uint8_t room[8192];
};
enum err pb_scratch_open(struct pb_scratch *s, size_t need) MUST_USE;
void pb_scratch_close(struct pb_scratch *s);

/* Scratch that one element takes when put. */
enum {
    PB_VOTE_SCRATCH = sizeof(Wire__Vote) + sizeof(void *),
    PB_CERTIFICATE_SCRATCH = sizeof(Wire__Certificate) + sizeof(void *),
    PB_HEAD_SCRATCH = sizeof(Wire__Head) + sizeof(void *) + HEADER_BYTES,
    PB_BLOCK_SCRATCH = sizeof(Wire__Block) + PB_HEAD_SCRATCH,
    PB_FIXED_SCRATCH = 1024
};

/* Bounds of what one element takes on the wire, its own tag and length included. */
enum {
    PB_NUMBER_BYTES = 11,
    PB_VOTE_BYTES = 160,
    PB_CERTIFICATE_BYTES = 96, /* and 65 a signature */
    PB_HEAD_BYTES = HEADER_BYTES + 96, /* and the system section */
    PB_STATUS_BYTES = 288,
    PB_FRAME_BYTES = 64
};
size_t pb_certificates_bytes(const struct certificate *cert, uint32_t n);

/* ---- sinks (pb_sink.c) ----------------------------------------------------------------------- */

/* Where a tree is packed to: written, or compared with bytes that are there already. */
struct pb_sink {
    ProtobufCBuffer base; /* first: protobuf-c knows the sink by it */
    uint8_t *out;
    const uint8_t *expected;
    size_t left;
    bool ok;
};
void pb_sink_write(struct pb_sink *s, uint8_t *out, size_t cap);
void pb_sink_compare(struct pb_sink *s, struct bytes expected);
/* OK if everything fitted (write) or was equal to the last byte (compare); else ERR_INVARIANT
 * or ERR_NOT_CANONICAL. */
enum err pb_sink_done(const struct pb_sink *s) MUST_USE;

/* ---- ours -> tree (pb_put.c) ----------------------------------------------------------------- */

/* The tree points into what is put; nothing is copied but headers. Errors: ERR_TOO_LARGE,
 * ERR_INVARIANT (scratch). */
ProtobufCBinaryData pb_bytes(const void *p, size_t n);
enum err pb_put_votes(struct message_arena *s, Wire__Vote ***out, size_t *out_n,
                      const struct vote *v, uint32_t n) MUST_USE;
void pb_put_certificate(Wire__Certificate *out, const struct certificate *c);
enum err pb_put_certificates(struct message_arena *s, Wire__Certificate ***out, size_t *out_n,
                             const struct certificate *c, uint32_t n) MUST_USE;
enum err pb_put_head(Wire__Head *out, uint8_t header[HEADER_BYTES],
                     const struct block_head *h) MUST_USE;
enum err pb_put_bundle(struct message_arena *s, Wire__Bundle *out, const struct bundle *b) MUST_USE;
enum err pb_put_block(Wire__Block *out, Wire__Head *head, uint8_t header[HEADER_BYTES],
                      const struct block *b) MUST_USE;
enum err pb_put_blocks(struct message_arena *s, Wire__Block ***out, size_t *out_n,
                       const struct block *b, uint32_t n) MUST_USE;

/* Packs a message; message_encode with a sink of the caller's choice. */
enum err pb_pack_message(struct pb_sink *to, const struct message *m) MUST_USE;

/* ---- tree -> ours (pb_get.c) ----------------------------------------------------------------- */

/* Bytes go on pointing into the tree, arrays come from the arena. Errors: ERR_MALFORMED,
 * ERR_TOO_LARGE. */
enum err pb_get_fixed(uint8_t *out, size_t n, const ProtobufCBinaryData *in) MUST_USE;
enum err pb_get_upto(struct bytes *out, size_t max, const ProtobufCBinaryData *in) MUST_USE;
enum err pb_get_votes(struct message_arena *a, struct vote **out, uint32_t *out_n,
                      Wire__Vote *const *in, size_t n, uint32_t max) MUST_USE;
enum err pb_get_certificate(struct certificate *out, const Wire__Certificate *in) MUST_USE;
enum err pb_get_certificates(struct message_arena *a, struct certificate **out, uint32_t *out_n,
                             Wire__Certificate *const *in, size_t n) MUST_USE;
enum err pb_get_head(struct block_head *out, const Wire__Head *in) MUST_USE;
/* `in` may be NULL: an empty bundle. */
enum err pb_get_bundle(struct message_arena *a, struct bundle *out,
                       const Wire__Bundle *in) MUST_USE;
enum err pb_get_block(struct block *out, const Wire__Block *in) MUST_USE;
enum err pb_get_blocks(struct message_arena *a, struct block **out, uint32_t *out_n,
                       Wire__Block *const *in, size_t n) MUST_USE;

/* What an arena must hold to decode `n` bytes, whatever they claim. */
size_t pb_decode_need(size_t n);

#endif
