/* How a payload stands in an EIP-4844 blob: 4096 field elements of 32 bytes, each below 2^254.
 *
 * A stream of version 0, a length of three bytes and the payload is cut into groups of 127 bytes;
 * a group fills four elements: 31 bytes in each, and the remaining 24 bits six by six in their
 * first bytes. Pure. The KZG commitment is not made here (blob_tx.h takes it). */
#ifndef SEQUENCER_BATCHER_BLOB_H
#define SEQUENCER_BATCHER_BLOB_H

#include "sequencer/batcher/buffer.h"
#include "sequencer/batcher/cursor.h"

enum { BLOB_BYTES = 131072, BLOB_DATA_BYTES = 130044 };

/* ERR_TOO_LARGE above BLOB_DATA_BYTES. */
enum err blob_encode(uint8_t out[BLOB_BYTES], struct bytes payload) MUST_USE;

/* Appends the payload. ERR_MALFORMED: another version or length, a field element with one of its
 * two highest bits set, or anything but zeros behind the payload. The two highest bits of the very
 * first byte are passed over, as op-node and kona do. ERR_NO_MEMORY. */
enum err blob_decode(struct buffer *out, const uint8_t in[BLOB_BYTES], struct fault *fault)
    MUST_USE;

#endif
