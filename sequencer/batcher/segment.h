/* Segments: runs of final blocks that are posted together, one channel and one payload each.
 *
 * Where one ends is read from the chain (segment_add), and what it holds is a function of its
 * blocks alone, so every member makes the same segment without a word. A segment is one span batch
 * of all its blocks that carry a payload; L1 is not part of the content: epoch 0, hashes zero.
 * The compressed bytes may differ between versions of the compressor; `root` never does. Pure. */
#ifndef SEQUENCER_BATCHER_SEGMENT_H
#define SEQUENCER_BATCHER_SEGMENT_H

#include "proto/genesis.h"
#include "proto/header.h"
#include "sequencer/batcher/batch.h"
#include "sequencer/batcher/channel.h"

/* The chain of this genesis. Its block time is 0 at every pace: blocks are further apart than the
 * pace where EMPTY ones, which have no place in a batch, stood between them, or nobody led for a
 * while; their times stand in the envelope. The bytes are the same either way. */
struct batch_chain batch_chain_of(const struct genesis *g);

/* ---- where it ends ---- */

struct segment_count {
    uint64_t first; /* heights; blocks = 0: none yet */
    uint64_t last;
    uint64_t first_ms;
    uint64_t bytes; /* of bodies */
    uint64_t blocks;
};

/* Counts the next final block of the chain, EMPTY or not. True: the segment ends with `last`, and
 * the caller starts the next with an empty count. It ends with the block that reaches
 * LIMIT_SEGMENT_BYTES or LIMIT_SEGMENT_BLOCKS or closes its epoch, and with the first one that is
 * `seal_ms` later than its first block. `seal_ms` is a constant of the chain. */
bool segment_add(struct segment_count *c, const struct header *h, uint64_t seal_ms);

/* ---- what it holds ---- */

struct segment_block {
    uint64_t timestamp_ms;
    struct bytes body; /* the list of raw transactions (proto/body.h) */
};

/* How much work goes into a segment's size. Who posts on an L1 pays by the byte. */
enum segment_effort {
    SEGMENT_QUICK, /* 40 MB/s */
    SEGMENT_SMALL  /* 2 MB/s; up to 1 % less for simple transfers */
};

/* Brotli's quality for what lies before, between and behind a span batch's cuts. */
const int *segment_quality(enum segment_effort effort);

struct segment {
    enum segment_effort effort; /* segment_init: quick */
    struct hash root;         /* Keccak-256 of the batches before compression */
    struct channel_id id;
    struct hash commitment;   /* Keccak-256 of the payload */
    struct buffer stream;     /* the batches */
    struct buffer content;    /* compressed */
    struct buffer payload;    /* as calldata: version byte and frames */
};

void segment_init(struct segment *s);
void segment_free(struct segment *s);

/* Makes the segment of `n` blocks after the block `parent` (a payload hash). Milliseconds go
 * into the envelope (auth.h), whole seconds here. 30 ms a megabyte, or 500: off the loop thread.
 * ERR_REFUSED, ERR_MALFORMED, ERR_WRONG_CHAIN (span.h), ERR_TOO_LARGE, ERR_NO_MEMORY. */
enum err segment_build(struct segment *s, const struct batch_chain *chain,
                       const struct hash *parent, const struct segment_block *block,
                       size_t n) MUST_USE;

/* Reads a payload that should be one whole segment: one channel, every frame of it, its id the
 * hash of its content, one span batch and nothing behind it. Then `stream` holds the batch string
 * and `*batch` its inside. `fault` has what was expected and the byte in the payload, 0 where the
 * place is inside the compressed content. ERR_MALFORMED, ERR_WRONG_VERSION, ERR_TOO_LARGE,
 * ERR_NO_MEMORY. */
enum err segment_open(struct segment *s, const struct batch_chain *chain, struct bytes payload,
                      struct bytes *batch, struct fault *fault) MUST_USE;

/* The same where the payload came in several parts, as in blobs: each is a payload of its own form,
 * together they hold the frames in order. `commitment` is left alone; the fault's byte is one of
 * the part that is at fault. */
enum err segment_open_parts(struct segment *s, const struct batch_chain *chain,
                            const struct bytes *part, size_t parts, struct bytes *batch,
                            struct fault *fault) MUST_USE;

#endif
