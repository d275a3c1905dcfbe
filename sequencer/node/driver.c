#define _GNU_SOURCE
/* The clock of the core's steps and the way to them; their order is in sequencer/steps/. */
#include <stdlib.h>
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

static bool before(void *node, struct event *e)
{
    struct node *n = node;
    e->now_us = driver_now();
    e->wall_ms = driver_wall(n);
    if (n->driver.trace != NULL) {
        trace_event(n, e);
    }
    return true;
}

static void send_message(void *node, int to, const struct message *m)
{
    net_send(node, to, m);
}

static void flush(void *node)
{
    net_flush(node);
}

static void stored(void *node, uint64_t token, enum err err)
{
    intake_stored(node, token, err);
}

static void trouble(void *node, const char *what)
{
    (void)node;
    log_write(LOG_ERROR, "node", what, NULL);
}

enum err driver_steps(struct node *n)
{
    const struct steps_world world = {.ctx = n,
                                      .before = before,
                                      .between = effects_between,
                                      .effect = effects_one,
                                      .after = effects_after,
                                      .body = effects_body,
                                      .send = send_message,
                                      .flush = flush,
                                      .submit = store_submit,
                                      .poll = store_poll,
                                      .stored = stored,
                                      .failed = store_failed,
                                      .trouble = trouble};
    return steps_open(&n->driver.steps, &world, n->epoch.epoch, n->self, 0);
}

enum err driver_open(struct node *n)
{
    struct driver *d = &n->driver;
    d->effects = malloc(sizeof *d->effects);
    d->reading = -1;
    d->timer_fd = -1;
    if (d->effects == NULL) {
        return ERR_NO_MEMORY;
    }
    if (n->config->trace[0] != '\0') {
        d->trace = fopen(n->config->trace, "ae");
    }
    d->steps.effects = d->effects;
    return driver_steps(n);
}

void driver_close(struct node *n)
{
    struct driver *d = &n->driver;
    steps_close(&d->steps);
    free(d->effects);
    free(d->memory);
    if (d->trace != NULL) {
        fclose(d->trace);
    }
}

void driver_give(struct node *n, struct event event)
{
    if (!n->driver.closed) {
        steps_give(&n->driver.steps, event);
    }
}

void driver_tick(struct node *n, uint64_t late_us)
{
    struct event e = {.kind = EVENT_TICK, .peer = -1, .late_us = late_us};
    driver_give(n, e);
}
