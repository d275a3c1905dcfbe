/* The compressed form of a channel: zlib (RFC 1950) as it is, or 0x01 and brotli (RFC 7932).
 *
 * Compressed bytes are not canonical: other versions of the libraries give others. What counts is
 * what comes out. Bytes that come out before the compressed ones turn out to be damaged, or before
 * the limit, stand: batches are read from a stream, and op-node keeps those before the damage. */
#ifndef SEQUENCER_BATCHER_COMPRESS_H
#define SEQUENCER_BATCHER_COMPRESS_H

#include "sequencer/batcher/buffer.h"
#include "sequencer/batcher/cursor.h"

enum compression { COMPRESSION_ZLIB, COMPRESSION_BROTLI, COMPRESSION_UNKNOWN };

enum { COMPRESSION_BROTLI_BYTE = 1, BROTLI_QUALITY = 6, ZLIB_LEVEL = 9 };

/* By the first byte. */
enum compression compression_of(struct bytes channel);
const char *compression_name(enum compression c);
/* "zlib" or "brotli"; else COMPRESSION_UNKNOWN. */
enum compression compression_named(const char *name);

/* Appends the channel's compressed form. `quality` 0 … 11 for brotli, 0 … 9 for zlib. About
 * 50 MB/s at BROTLI_QUALITY: off the loop thread. ERR_REFUSED, ERR_NO_MEMORY, ERR_TOO_LARGE. */
enum err channel_compress(struct buffer *out, enum compression c, int quality, struct bytes raw)
    MUST_USE;

/* In brotli, with tables of its own for what lies between two cuts (`cuts` ascending places in
 * `raw`): columns of different kinds take less so. `quality`, 2 … 11, has cuts + 1 entries; where
 * it changes another encoder goes on, so that effort is spent where it pays. */
enum err channel_compress_cut(struct buffer *out, struct bytes raw, const size_t *cut, size_t cuts,
                              const int *quality) MUST_USE;

/* Appends at most `max` bytes of what the channel holds; `out` must be let grow by one byte more.
 * ERR_MALFORMED: no known compression; ERR_NO_MEMORY. OK with `damage->e` set: what was appended stands, the rest is lost
 * (ERR_MALFORMED: cut off or damaged; ERR_TOO_LARGE: longer than `max`). */
enum err channel_expand(struct buffer *out, struct bytes channel, size_t max,
                        struct fault *damage) MUST_USE;

#endif
