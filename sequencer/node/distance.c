/* Are the others too far away for the depth that the genesis gives? A leader proposes at most
 * depth + 1 slots before it has heard how the first of them was voted: there and back, over the
 * nearest members that make a quorum. Where that takes longer than depth + 1 blocks it must pause, is
 * skipped as late, and nothing is wrong with it (consensus/README.md, "How deep"). */
#define _GNU_SOURCE
#include "sequencer/node/parts.h"

enum { SPARE_DEPTH = 2 }; /* for disks, execution and jitter */

/* There and back to the farthest of the nearest members, self included, that make a quorum; 0: not
 * so many were measured yet. */
static uint64_t quorum_rtt_us(const struct node *n)
{
    uint32_t taken = 1u << n->self;
    while (members_weight(&n->epoch, taken) < n->epoch.quorum) {
        int near = -1;
        for (uint32_t i = 0; i < n->epoch.n; i++) {
            uint64_t way = n->health.latency[i].p50;
            if ((taken >> i & 1) == 0 && way != 0 &&
                (near < 0 || way < n->health.latency[near].p50)) {
                near = (int)i;
            }
        }
        if (near < 0) {
            return 0;
        }
        taken |= 1u << near;
        if (members_weight(&n->epoch, taken) >= n->epoch.quorum) {
            return 2 * n->health.latency[near].p50;
        }
    }
    return 0;
}

static uint64_t depth_for(uint64_t rtt_us, uint64_t block_us)
{
    return (rtt_us + block_us - 1) / block_us + SPARE_DEPTH;
}

void distance_look(struct node *n)
{
    struct health *h = &n->health;
    uint64_t block_us = (uint64_t)n->epoch.params.block_time_ms * 1000;
    uint64_t room_us = (n->epoch.params.depth + 1) * block_us;
    uint64_t rtt_us = n->self < 0 ? 0 : quorum_rtt_us(n);
    if (!h->too_far && rtt_us > room_us) {
        h->too_far = true;
        log_write(LOG_WARN, "node",
                  "a quorum is too far away for the depth in the genesis: this member's own turns "
                  "will be skipped as late",
                  LOG_U64("rttMs", rtt_us / 1000), LOG_U64("depth", n->epoch.params.depth),
                  LOG_U64("depthNeeded", depth_for(rtt_us, block_us)), NULL);
    } else if (h->too_far && rtt_us < room_us - room_us / 4) {
        h->too_far = false;
        log_write(LOG_INFO, "node", "a quorum is near enough for the depth in the genesis again",
                  LOG_U64("rttMs", rtt_us / 1000), NULL);
    }
}
