/* A store of storage/kv.h in memory that outlives its opening, as a disk does, and whose commits
 * (FAULT_COMMIT) and reads (FAULT_READ) fail on order. A failed commit changes nothing. */
#ifndef TESTS_UNIT_FAULTS_MEMORY_KV_H
#define TESTS_UNIT_FAULTS_MEMORY_KV_H

#include "storage/kv.h"

enum err memory_kv_open(struct kv *out, const char *path, bool create, const char *const *families,
                        size_t n, char *why, size_t why_len);
/* Forgets everything: a new disk. */
void memory_kv_erase(void);

#endif
