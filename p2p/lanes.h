/* What waits to be sent to one peer: a bounded queue per lane, the most urgent lane first.
 *
 * The queues hold references to shared frames. A frame leaves in fragments, so that an urgent one
 * goes between the fragments of a large one. Bounds (LIMIT_LANE_FRAMES, LIMIT_LANE_BYTES): the
 * vote lane drops its oldest frame, for the newest vote or status says more than the oldest; the
 * others refuse. Memory grows with use. */
#ifndef P2P_LANES_H
#define P2P_LANES_H

#include "p2p/frame.h"

struct lane_queue {
    struct frame **ring;
    uint32_t cap; /* power of two, or 0 */
    uint32_t head;
    uint32_t count;
    size_t bytes;
    size_t sent;  /* bytes of the head frame that have gone */
};

/* Zero it to begin. */
struct lanes {
    struct lane_queue lane[LANE_COUNT];
    uint64_t dropped;
    uint64_t frames_out;
    uint64_t bytes_out;
};

/* Takes a reference of its own. ERR_BUSY: the lane is full. ERR_NO_MEMORY. */
enum err lanes_push(struct lanes *l, struct frame *f) MUST_USE;
/* Fills `out` with the most urgent fragments; 0 when nothing waits. */
size_t lanes_pull(struct lanes *l, uint8_t *out, size_t cap);
/* Frames that were on their way begin again: the connection they began on is gone. */
void lanes_rewind(struct lanes *l);
/* Forgets everything that waits. */
void lanes_clear(struct lanes *l);
size_t lanes_bytes(const struct lanes *l);

#endif
