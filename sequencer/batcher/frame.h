/* Frames: a channel's bytes cut into pieces, and payloads: what one L1 transaction or one blob
 * carries.
 *
 *   payload = 0x00 ++ frame ++ frame …
 *   frame   = channel id 16 ++ number u16 ++ length u32 ++ data ++ is last (0 or 1)   big-endian
 *
 * A payload with anything wrong in it counts for nothing. Views borrow. Pure. */
#ifndef SEQUENCER_BATCHER_FRAME_H
#define SEQUENCER_BATCHER_FRAME_H

#include "sequencer/batcher/buffer.h"
#include "sequencer/batcher/cursor.h"

enum { CHANNEL_ID_BYTES = 16, FRAME_OVERHEAD = 23, PAYLOAD_VERSION = 0 };

struct channel_id {
    uint8_t b[CHANNEL_ID_BYTES];
};

struct frame {
    struct channel_id id;
    uint16_t number;
    bool last;
    struct bytes data;
};

void frame_put(struct buffer *out, const struct frame *f);
/* Cuts `channel` into frames of at most `size` bytes each, overhead included, and appends them.
 * ERR_TOO_LARGE: more than 65,536 frames would be needed; ERR_REFUSED: `size` leaves no room. */
enum err frames_put(struct buffer *out, const struct channel_id *id, struct bytes channel,
                    size_t size) MUST_USE;

/* Takes one frame. ERR_MALFORMED, ERR_TOO_LARGE (LIMIT_BATCH_FRAME). */
enum err frame_take(struct cursor *c, struct frame *out) MUST_USE;

/* Checks a whole payload and counts its frames. ERR_MALFORMED, ERR_TOO_LARGE, ERR_WRONG_VERSION. */
enum err payload_count(struct bytes payload, size_t *out, struct fault *fault) MUST_USE;
/* Fills `out` with the `n` frames that payload_count found. */
void payload_split(struct bytes payload, struct frame *out, size_t n);

/* Drops the frames of one payload that cannot belong to anything (Holocene's rule); the others
 * keep their order. Returns how many are left. */
size_t frames_prune(struct frame *f, size_t n);

#endif
