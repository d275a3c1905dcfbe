#include "sequencer/cli/gap.h"

bool gap_head(struct gap *g, uint64_t number, uint64_t at_us)
{
    if (g->last_us != 0 && number <= g->head) {
        return false;
    }
    uint64_t length = g->last_us != 0 ? at_us - g->last_us : 0;
    if (length > g->longest_us) {
        g->longest_us = length;
    }
    g->head = number;
    g->last_us = at_us;
    g->heads++;
    return true;
}

void gap_restart(struct gap *g)
{
    g->longest_us = 0;
    g->heads = 0;
}

double gap_outage_ms(const struct gap *g, uint64_t interval_ms)
{
    double longest = (double)g->longest_us / 1000.0;
    double interval = (double)interval_ms;
    return longest > interval ? longest - interval : 0.0;
}
