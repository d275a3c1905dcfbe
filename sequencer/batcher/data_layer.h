/* Where segments are posted, and from where they are read back: files, calldata, blobs.
 *
 * Calls may block for as long as a disk or an endpoint takes: never on the loop thread. One caller
 * at a time. What was posted and what may be posted next is what the layer says (`end`), never what
 * somebody remembers. */
#ifndef SEQUENCER_BATCHER_DATA_LAYER_H
#define SEQUENCER_BATCHER_DATA_LAYER_H

#include "sequencer/batcher/buffer.h"

struct posting {
    uint64_t first; /* heights */
    uint64_t last;
    struct bytes payload;
    struct bytes envelope; /* auth.h */
};

/* The last segment that stands. */
struct posted {
    uint64_t number; /* of the segment, from 0 */
    uint64_t first;
    uint64_t last;
    struct hash hash; /* of block `last`, as wallets see it */
};

struct data_layer {
    void *ctx;
    /* OK: it stands there for good, and `end` has moved. Posting again what stands there already,
     * with the same bytes, is OK and does nothing. ERR_REFUSED: not the segment after `end`, or
     * other bytes for blocks that stand there. ERR_IO, ERR_NO_SPACE: try again. */
    enum err (*post)(void *ctx, const struct posting *p);
    /* Height of the last block that stands there without a gap; one below the first segment's
     * where there is none. */
    uint64_t (*end)(void *ctx);
    /* False: nothing stands there. */
    bool (*last)(void *ctx, struct posted *out);
    /* The segment that begins with block `first`, appended to the buffers. ERR_NOT_FOUND;
     * ERR_CORRUPT with the place in `why`. */
    enum err (*read)(void *ctx, uint64_t first, struct buffer *payload, struct buffer *envelope,
                     char *why, size_t why_len);
    void (*close)(void *ctx);
};

#endif
