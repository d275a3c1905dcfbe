/* The outage as clients see it: the longest time between two new final heads, seen at any node,
 * less the block interval. Pure arithmetic on arrival times. */
#ifndef SEQUENCER_CLI_GAP_H
#define SEQUENCER_CLI_GAP_H

#include <stdbool.h>
#include <stdint.h>

struct gap {
    uint64_t head;       /* highest number seen */
    uint64_t last_us;    /* when it came; 0: none yet */
    uint64_t longest_us; /* since gap_restart */
    uint64_t heads;      /* new ones since gap_restart */
};

/* True when `number` is new: above every number seen before. */
bool gap_head(struct gap *g, uint64_t number, uint64_t at_us);
/* Forgets lengths, keeps the last head: a gap under way counts whole. */
void gap_restart(struct gap *g);
/* In ms; 0 where heads came in time. */
double gap_outage_ms(const struct gap *g, uint64_t interval_ms);

#endif
