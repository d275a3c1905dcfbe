/* Exploring: many seeds in some processes, one account. */
#ifndef EXPLORE_H
#define EXPLORE_H

#include <stdbool.h>
#include <stdint.h>

struct account;

struct exploring {
    /* One process' share: of `count` things from `first`, number `job` and every `jobs`-th after. */
    void (*play)(const struct exploring *o, uint32_t job, struct account *a);
    uint64_t count, first;
    uint32_t jobs; /* processes, at most 64 */
};

/* False: a process died. */
bool explore_all(const struct exploring *o, struct account *all, double *seconds);
/* Seeds: prints failing ones and the account; 0: every seed passed. */
int explore(uint64_t first, uint64_t count, uint32_t jobs);

#endif
