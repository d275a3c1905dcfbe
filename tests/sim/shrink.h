/* From a failing plan to a short one that fails in the same way. */
#ifndef SHRINK_H
#define SHRINK_H

#include "tests/sim/sim.h"

/* SIM_PASS: it does not fail, and nothing has changed. At most 400 replays. */
enum sim_end shrink(struct sim *s, struct plan *p);

#endif
