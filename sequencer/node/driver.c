#define _GNU_SOURCE
/* The one door to the core: events in, effects out, never re-entrant. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sequencer/node/parts.h"

uint64_t driver_now(void)
{
    return uv_hrtime() / 1000;
}

uint64_t driver_wall(const struct node *n)
{
    uv_timeval64_t tv;
    if (uv_gettimeofday(&tv) != 0) {
        return 0;
    }
    int64_t ms = tv.tv_sec * 1000 + tv.tv_usec / 1000 + n->driver.skew_ms;
    return ms < 0 ? 0 : (uint64_t)ms;
}

enum err driver_open(struct node *n)
{
    struct driver *d = &n->driver;
    d->effects = malloc(sizeof *d->effects);
    d->queue_cap = 1024;
    d->queue = calloc(d->queue_cap, sizeof *d->queue);
    d->reading = -1;
    d->held_end = &d->held;
    d->timer_fd = -1;
    if (d->effects == NULL || d->queue == NULL) {
        return ERR_NO_MEMORY;
    }
    if (n->config->trace[0] != '\0') {
        d->trace = fopen(n->config->trace, "ae");
    }
    return OK;
}

void driver_close(struct node *n)
{
    struct driver *d = &n->driver;
    while (d->held != NULL) {
        struct held_send *next = d->held->next;
        free(d->held);
        d->held = next;
    }
    message_arena_free(&d->arena);
    free(d->cert);
    free(d->queue);
    free(d->effects);
    free(d->memory);
    if (d->trace != NULL) {
        fclose(d->trace);
    }
}

static bool queue_grow(struct driver *d)
{
    struct event *bigger = calloc(d->queue_cap * 2, sizeof *bigger);
    if (bigger == NULL) {
        return false;
    }
    for (size_t i = 0; i < d->queue_n; i++) {
        bigger[i] = d->queue[(d->queue_at + i) % d->queue_cap];
    }
    free(d->queue);
    d->queue = bigger;
    d->queue_cap *= 2;
    d->queue_at = 0;
    return true;
}

static void step_one(struct node *n, struct event *e)
{
    struct driver *d = &n->driver;
    e->now_us = driver_now();
    e->wall_ms = driver_wall(n);
    if (d->trace != NULL) {
        trace_event(n, e);
    }
    core_step(d->core, e, d->effects);
    effects_run(n, d->effects);
}

void driver_give(struct node *n, struct event event)
{
    struct driver *d = &n->driver;
    if (d->core == NULL || d->closed) {
        return;
    }
    if (d->queue_n == d->queue_cap && !queue_grow(d)) {
        /* A lost event could be a verdict: without it the node would wait for ever. */
        log_write(LOG_ERROR, "node", "out of memory in the event queue", NULL);
        abort();
    }
    d->queue[(d->queue_at + d->queue_n++) % d->queue_cap] = event;
    if (d->running) {
        return;
    }
    d->running = true;
    while (d->queue_n > 0) {
        struct event next = d->queue[d->queue_at];
        d->queue_at = (d->queue_at + 1) % d->queue_cap;
        d->queue_n--;
        step_one(n, &next);
    }
    d->running = false;
}

void driver_tick(struct node *n, uint64_t late_us)
{
    struct event e = {.kind = EVENT_TICK, .peer = -1, .late_us = late_us};
    driver_give(n, e);
}
