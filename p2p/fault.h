/* Faults on purpose, for devnets (admin_chaos): what happens to a frame that leaves here.
 *
 * cut: nothing leaves and nothing that arrives is heard, while the connection stays open: a
 * partition looks like silence. drop_percent: that share of the leaving frames is lost. delay_ms:
 * leaving frames wait here first, at most LIMIT_LANE_FRAMES of them, in order. Pure; times in
 * microseconds. */
#ifndef P2P_FAULT_H
#define P2P_FAULT_H

#include "p2p/frame.h"

enum fault_verdict { FAULT_PASS, FAULT_HELD, FAULT_DROPPED };

struct fault_held {
    struct frame *frame;
    uint64_t due_us;
};

/* Zero it to begin. */
struct fault {
    bool cut;
    uint32_t delay_ms;
    uint32_t drop_percent;
    struct fault_held *ring; /* LIMIT_LANE_FRAMES of them once something was delayed */
    uint32_t head;
    uint32_t count;
};

/* Decides about `f` and, when HELD, keeps a reference. */
enum fault_verdict fault_take(struct fault *l, struct frame *f, uint64_t now_us, uint64_t random);
/* The next frame that has waited long enough, with its reference; NULL when there is none. */
struct frame *fault_due(struct fault *l, uint64_t now_us);
/* When the next one is due; UINT64_MAX: none waits. */
uint64_t fault_next_us(const struct fault *l);
void fault_clear(struct fault *l);

#endif
