#include "consensus/index.h"

static uint32_t home(const struct index *ix, uint64_t key)
{
    uint64_t x = key * 0x9e3779b97f4a7c15u;
    return (uint32_t)(x >> 32) & ix->mask;
}

uint32_t index_next(const struct index *ix, uint64_t key, uint32_t *at)
{
    uint32_t start = home(ix, key);
    for (;; (*at)++) { /* to a free entry: there always is one */
        const struct index_entry *e = &ix->entry[(start + *at) & ix->mask];
        if (e->record_plus_1 == 0) {
            return UINT32_MAX;
        }
        if (e->key == key) {
            (*at)++;
            return e->record_plus_1 - 1;
        }
    }
}

void index_put(struct index *ix, uint64_t key, uint32_t record)
{
    uint32_t i = home(ix, key);
    while (ix->entry[i].record_plus_1 != 0) {
        i = (i + 1) & ix->mask;
    }
    ix->entry[i] = (struct index_entry){key, record + 1};
}

void index_erase(struct index *ix, uint64_t key, uint32_t record)
{
    uint32_t i = home(ix, key);
    while (ix->entry[i].record_plus_1 != record + 1) {
        i = (i + 1) & ix->mask;
    }
    /* Move back whatever probed past the hole, so that no lookup stops short. */
    uint32_t hole = i;
    for (uint32_t j = (i + 1) & ix->mask; ix->entry[j].record_plus_1 != 0; j = (j + 1) & ix->mask) {
        uint32_t distance = (j - home(ix, ix->entry[j].key)) & ix->mask;
        if (distance >= ((j - hole) & ix->mask)) {
            ix->entry[hole] = ix->entry[j];
            hole = j;
        }
    }
    ix->entry[hole] = (struct index_entry){0, 0};
}
