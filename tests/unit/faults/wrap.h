/* Failures on order. The test programs of this folder are linked so that every allocation, write
 * and sync of our objects comes through here (--wrap of the linker; libraries call the real ones).
 * One failure is armed at a time: the k-th call of its kind fails, with what the system would say
 * (no memory, disk full, I/O error); those after it work again, unless `lasting`. Any thread. */
#ifndef TESTS_UNIT_FAULTS_WRAP_H
#define TESTS_UNIT_FAULTS_WRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fault_kind { FAULT_MEMORY = 1, FAULT_WRITE, FAULT_SYNC, FAULT_COMMIT, FAULT_READ, FAULT_CRYPTO };

void fault_arm(enum fault_kind kind, uint64_t k, bool lasting);
/* No failure from here on; true: the armed one struck. */
bool fault_disarm(void);
bool fault_has_struck(void);
/* For what stands in for a system call: counts one, true: it must fail. */
bool fault_strikes(enum fault_kind kind);
/* Not wrapped. */
void *fault_plain_malloc(size_t n);
void *fault_plain_realloc(void *p, size_t n);

#endif
