/* A fixed-capacity hash index from 64-bit keys to record numbers: open addressing, deletion by
 * moving back, deterministic. Several records may share a key; the caller tells them apart. */
#ifndef CONSENSUS_INDEX_H
#define CONSENSUS_INDEX_H

#include <stddef.h>
#include <stdint.h>

struct index_entry {
    uint64_t key;
    uint32_t record_plus_1; /* 0: free */
};

struct index {
    struct index_entry *entry;
    uint32_t mask; /* capacity - 1, capacity a power of two > 1.5 * records */
};

/* Walks the records of a key: start with *at = 0; UINT32_MAX when there is none left. */
uint32_t index_next(const struct index *ix, uint64_t key, uint32_t *at);
void index_put(struct index *ix, uint64_t key, uint32_t record);
/* A record that is in it, once, under this key. */
void index_erase(struct index *ix, uint64_t key, uint32_t record);

#endif
