#include "p2p/fault.h"

#include <stdlib.h>

static struct fault_held *at(const struct fault *l, uint32_t i)
{
    return &l->ring[(l->head + i) % LIMIT_LANE_FRAMES];
}

static enum fault_verdict hold(struct fault *l, struct frame *f, uint64_t due_us)
{
    if (l->ring == NULL) {
        l->ring = calloc(LIMIT_LANE_FRAMES, sizeof *l->ring);
    }
    if (l->ring == NULL || l->count == LIMIT_LANE_FRAMES) {
        return FAULT_DROPPED;
    }
    *at(l, l->count++) = (struct fault_held){frame_ref(f), due_us};
    return FAULT_HELD;
}

enum fault_verdict fault_take(struct fault *l, struct frame *f, uint64_t now_us, uint64_t random)
{
    if (l->cut || random % 100 < l->drop_percent) {
        return FAULT_DROPPED;
    }
    /* Whoever comes while others wait, waits behind them: a link keeps the order. */
    return l->delay_ms > 0 || l->count > 0 ? hold(l, f, now_us + l->delay_ms * UINT64_C(1000))
                                           : FAULT_PASS;
}

struct frame *fault_due(struct fault *l, uint64_t now_us)
{
    if (l->count == 0 || at(l, 0)->due_us > now_us) {
        return NULL;
    }
    struct frame *f = at(l, 0)->frame;
    l->head = (l->head + 1) % LIMIT_LANE_FRAMES;
    l->count--;
    return f;
}

uint64_t fault_next_us(const struct fault *l)
{
    return l->count == 0 ? UINT64_MAX : at(l, 0)->due_us;
}

void fault_clear(struct fault *l)
{
    for (uint32_t i = 0; i < l->count; i++) {
        frame_unref(at(l, i)->frame);
    }
    free(l->ring);
    l->ring = NULL;
    l->head = 0;
    l->count = 0;
}
