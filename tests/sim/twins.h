/* Twins, enumerated (Bano et al. 2020): two whole honest processes behind one key in a set of four,
 * and for each of the first slots every way to part the five processes into two sides.
 *
 * Not every case is a run of its own. A run is a function of the sides that it asks for: slots in
 * which nobody says anything (their turn was skipped, or nobody came so far) may have any sides. And
 * a case in which the two processes of the key have changed places is the same case. Both together
 * leave about a tenth; every case is marked by the run that stands for it, and all must be. */
#ifndef TWINS_H
#define TWINS_H

#include <stdint.h>

enum { TWINS_SLOTS = 4 };

/* Every case with 1 … `slots` scripted slots, in so many processes. Prints the count, and failing
 * cases as scripts; 0: every one passed. */
int twins_explore(uint32_t slots, uint32_t jobs);

#endif
