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

/* The signature is not in the hash: of those that are seen with a block its leader's is kept. (A
 * header path has none; a liar can make the EMPTY block that the leader will make, and sign it.) */
static void keep_signature(const struct sim *s, struct block_head *known,
                           const struct block_head *seen)
{
    const struct header *h = &known->header;
    if (memcmp(&known->signature, &seen->signature, sizeof seen->signature) == 0 ||
        h->leader >= s->epoch.n) {
        return;
    }
    struct hash digest = propose_digest(&s->epoch, h->slot, h->attempt, &known->hash);
    if (!keys_good(&s->epoch.member[h->leader].address, &known->signature, &digest)) {
        known->signature = seen->signature;
    }
}

uint32_t world_add(struct sim *s, const struct block_head *head)
{
    uint32_t known = world_find(s, &head->hash);
    if (known != NO_BLOCK) {
        keep_signature(s, &s->block[known].head, head);
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
