#include "p2p/latency.h"

#include <string.h>

/* First place in `sorted` whose value is not below `v`. */
static uint32_t place(const struct latency *l, uint32_t v)
{
    uint32_t lo = 0;
    uint32_t hi = l->count;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (l->sorted[mid] < v) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static void forget_oldest(struct latency *l)
{
    uint32_t i = place(l, l->ring[l->next]);
    memmove(l->sorted + i, l->sorted + i + 1, (l->count - i - 1) * sizeof l->sorted[0]);
    l->count--;
}

static void insert(struct latency *l, uint32_t v)
{
    if (l->count == LATENCY_SAMPLES) {
        forget_oldest(l);
    }
    uint32_t i = place(l, v);
    memmove(l->sorted + i + 1, l->sorted + i, (l->count - i) * sizeof l->sorted[0]);
    l->sorted[i] = v;
    l->count++;
    l->ring[l->next] = v;
    l->next = (l->next + 1) % LATENCY_SAMPLES;
}

void latency_add(struct latency *l, uint64_t sent_us, uint64_t now_us, uint64_t held_us)
{
    if (sent_us == 0 || sent_us > now_us || held_us > now_us - sent_us) {
        return;
    }
    uint64_t rtt = now_us - sent_us - held_us;
    if (rtt <= LATENCY_MAX_US) {
        insert(l, rtt == 0 ? 1 : (uint32_t)rtt);
    }
}

static uint32_t at_percent(const struct latency *l, uint32_t percent)
{
    return l->count == 0 ? 0 : l->sorted[(l->count - 1) * percent / 100];
}

uint64_t latency_rtt(const struct latency *l)
{
    return at_percent(l, 50);
}

uint64_t latency_one_way(const struct latency *l, uint32_t percent)
{
    return (at_percent(l, percent) + 1u) / 2;
}
