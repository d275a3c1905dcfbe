/* Twins, enumerated (Bano et al. 2020): two whole honest processes behind one key in a set of four,
 * and for each of the first slots every way to part the five processes into two sides. */
#ifndef TWINS_H
#define TWINS_H

#include "tests/sim/plan.h"

enum { TWINS_SLOTS = 4 };

/* Every case with 1 … `slots` scripted slots; cases are numbered from 0. */
uint64_t twins_count(uint64_t slots);
void twins_plan(struct plan *p, uint64_t number);

#endif
