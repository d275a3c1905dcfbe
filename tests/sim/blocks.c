/* Every block ever made, found by hash. */
#include "tests/sim/sim.h"

static uint32_t place(const struct hash *hash)
{
    return (uint32_t)load_be64(hash->b) & (2 * SIM_BLOCKS - 1);
}

uint32_t world_find(const struct sim *s, const struct hash *hash)
{
    for (uint32_t i = place(hash); s->index[i] != 0; i = (i + 1) & (2 * SIM_BLOCKS - 1)) {
        uint32_t b = s->index[i] - 1;
        if (hash_equal(&s->block[b].head.hash, hash)) {
            return b;
        }
    }
    return NO_BLOCK;
}

uint32_t world_add(struct sim *s, const struct block_head *head)
{
    uint32_t known = world_find(s, &head->hash);
    if (known != NO_BLOCK) {
        struct signature *sig = &s->block[known].head.signature;
        if (sig->b[64] == 0) {
            *sig = head->signature; /* first seen in a header path, without it */
        }
        return known;
    }
    if (s->blocks == SIM_BLOCKS || head->system.n > SIM_SYSTEM) {
        sim_fail(s, SIM_HARNESS, "more or larger blocks than the world has room for");
        return 0;
    }
    uint32_t at = place(&head->hash);
    while (s->index[at] != 0) {
        at = (at + 1) & (2 * SIM_BLOCKS - 1);
    }
    struct sim_block *b = &s->block[s->blocks];
    b->head = *head;
    b->bench = 0;
    b->poison = false;
    memcpy(b->system, head->system.p, head->system.n);
    b->head.system = bytes_of(b->system, head->system.n);
    s->index[at] = ++s->blocks;
    return s->blocks - 1;
}

bool world_empty(const struct sim_block *b)
{
    return (b->head.header.flags & FLAG_EMPTY) != 0;
}

uint32_t world_parent(const struct sim *s, uint32_t block)
{
    return world_find(s, &s->block[block].head.header.parent);
}

struct block_head world_anchor(const struct sim *s)
{
    struct block_head head = {.header = s->anchor};
    head.hash = header_hash(&head.header);
    return head;
}
