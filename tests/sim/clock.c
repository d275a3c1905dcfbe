/* Clocks: each process has a monotonic one that may drift and a wall clock that may jump. */
#include "tests/sim/sim.h"

enum { MILLION = 1000000 };
#define GENESIS_MS 1700000000000u

void clock_reset(struct sim *s, struct node *n)
{
    n->ppm = 0;
    n->wall_off_ms = 0;
    n->mono_real = s->now;
    n->mono_local = s->now;
}

uint64_t clock_local(const struct sim *s, const struct node *n)
{
    uint64_t past = s->now - n->mono_real;
    return n->mono_local + past + (uint64_t)((int64_t)past * n->ppm / MILLION);
}

/* The moment when the local clock shows at least so much. */
uint64_t clock_real(const struct sim *s, const struct node *n, uint64_t local)
{
    uint64_t shown = clock_local(s, n);
    if (local <= shown) {
        return s->now;
    }
    uint64_t left = local - shown;
    return s->now + left + (n->ppm == 0 ? 0 : left / 50 + 1);
}

uint64_t clock_wall_ms(const struct sim *s, const struct node *n)
{
    return GENESIS_MS + clock_local(s, n) / MS + n->wall_off_ms;
}

void clock_drift(struct sim *s, struct node *n, int64_t ppm)
{
    n->mono_local = clock_local(s, n);
    n->mono_real = s->now;
    n->ppm = ppm;
}
