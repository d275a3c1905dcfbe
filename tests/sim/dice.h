/* Random numbers that stay put: each draw is a function of (seed, domain, entity, how many before).
 * What one part draws never shifts what another part gets, so that a fault taken out of a script
 * leaves all others as they were. Equal on every compiler. */
#ifndef DICE_H
#define DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t key;
    uint64_t count;
};

/* One finalizer for dice, digests and signatures (after Stafford's variant 13). */
static inline uint64_t dice_mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static inline struct dice dice_of(uint64_t seed, uint64_t domain, uint64_t entity)
{
    return (struct dice){dice_mix(dice_mix(seed + 0x9e3779b97f4a7c15u * domain) + entity), 0};
}

static inline uint64_t dice_next(struct dice *d)
{
    return dice_mix(d->key + 0x9e3779b97f4a7c15u * ++d->count);
}

/* 0 … n - 1; 0 for n = 0. */
static inline uint64_t dice_below(struct dice *d, uint64_t n)
{
    uint64_t x = dice_next(d);
    return n == 0 ? 0 : (x >> 11) % n;
}

static inline bool dice_chance(struct dice *d, uint32_t per_mille)
{
    return dice_below(d, 1000) < per_mille;
}

#endif
