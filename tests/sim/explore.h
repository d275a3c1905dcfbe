/* Exploring: many seeds in some processes, one account. */
#ifndef EXPLORE_H
#define EXPLORE_H

#include <stdint.h>

struct plan;

struct exploring {
    void (*make)(struct plan *p, uint64_t number);
    uint64_t count, first;
    uint32_t jobs; /* processes, at most 64 */
};

/* Prints failing seeds and the account; 0: every seed passed. */
int explore(const struct exploring *o);

#endif
