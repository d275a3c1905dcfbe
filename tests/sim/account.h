/* What a campaign did, in numbers: added up over seeds and processes. */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include <stdint.h>
#include <stdio.h>

#include "consensus/consensus.h"
#include "tests/sim/plan.h"

enum mark {
#define MARK(name, what) MARK_##name,
#include "tests/sim/marks.def"
#undef MARK
    MARKS
};

enum { ARTS_MAX = 32, HEAL_BUCKETS = 12 };

struct account {
    uint64_t seeds, failed;
    uint64_t cases; /* of Twins that the runs stand for */
    uint64_t simulated_us;
    uint64_t steps, frames, slots_final, payloads_final, takeovers, restarts;
    uint64_t votes, certificates;
    uint64_t submitted, acknowledged, confirmed;
    uint64_t harms[HARM_KINDS];
    uint64_t marks[MARKS];
    uint64_t reasons[SKIP_REASONS];
    uint64_t arts[ARTS_MAX];
    uint64_t sizes[SIM_MEMBERS + 1];
    uint64_t heal[HEAL_BUCKETS]; /* runs that took less than 2^k * 50 ms to go on after healing */
    uint64_t heal_worst_us, heal_worst_seed;
};

void account_add(struct account *to, const struct account *from);
/* Prints it; returns how many kinds stand at zero. */
uint32_t account_print(const struct account *a, double seconds, FILE *out);

static inline void account_mark(struct account *a, enum mark m)
{
    a->marks[m]++;
}

#endif
