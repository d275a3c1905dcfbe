/* How far a peer is: the last LATENCY_SAMPLES round trips, kept in order.
 *
 * One way is taken as half a round trip: the clocks of two machines cannot tell more. All values
 * in microseconds; 0 where nothing is known. Pure. */
#ifndef P2P_LATENCY_H
#define P2P_LATENCY_H

#include <stddef.h>
#include <stdint.h>

enum { LATENCY_SAMPLES = 128, LATENCY_MAX_US = 60000000 };

/* Zero it to begin. */
struct latency {
    uint32_t ring[LATENCY_SAMPLES];   /* by arrival */
    uint32_t sorted[LATENCY_SAMPLES]; /* the same, ascending */
    uint32_t count;
    uint32_t next;
};

/* Adds the round trip of a ping sent at `sent_us` whose echo came at `now_us` after having been
 * held for `held_us` over there. What cannot be is left out: a peer may lie. */
void latency_add(struct latency *l, uint64_t sent_us, uint64_t now_us, uint64_t held_us);
uint64_t latency_rtt(const struct latency *l);                 /* median */
uint64_t latency_one_way(const struct latency *l, uint32_t percent);

#endif
