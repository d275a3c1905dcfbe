#define _GNU_SOURCE
#include "sequencer/execution/account_hash.h"

#include <sys/random.h>

__extension__ typedef unsigned __int128 wide;

enum err account_seed_init(struct account_seed *out)
{
    return getrandom(out->v, sizeof out->v, 0) == (ssize_t)sizeof out->v ? OK : ERR_CRYPTO;
}

/* Both halves of the product folded: every input bit reaches every output bit. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t account_hash(const struct account_seed *seed, const struct address *a)
{
    uint64_t first = load_be64(a->b);
    uint64_t second = load_be64(a->b + 8);
    uint64_t third = load_be32(a->b + 16);
    uint64_t h = fold(first ^ seed->v[0], second ^ seed->v[1]);
    return fold(h ^ third ^ seed->v[1], seed->v[0] | 1);
}
