/* Reads the same range of blocks from every node and compares: a number has one hash everywhere,
 * the one that was seen when the block was confirmed. A block's hash covers its transactions. */
#ifndef SEQUENCER_CLI_AUDIT_H
#define SEQUENCER_CLI_AUDIT_H

#include "proto/bytes.h"
#include "proto/error.h"

struct audit {
    uint64_t first; /* range of numbers, both included */
    uint64_t last;
    const struct hash *seen; /* hash seen live of number first + i; zero: not seen */
    uint64_t wait_ms;        /* for nodes that are behind or down */
    /* Every transaction of the range as the first node tells it. */
    void (*tx)(void *arg, const struct hash *tx, uint64_t number);
    void *arg;
    /* Results: */
    uint32_t checked;   /* nodes */
    uint32_t absent;    /* bit i: node i did not reach `last` in time */
    uint64_t differing; /* blocks that differ from the first node's, summed over nodes */
    uint64_t replaced;  /* blocks that differ from what was seen live */
};

/* ERR_UNREACHABLE: no node could be read; ERR_NO_MEMORY. */
enum err audit_run(struct audit *a, const char *const *url, size_t n) MUST_USE;

#endif
