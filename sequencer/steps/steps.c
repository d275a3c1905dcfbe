/* The one door to the core: events in, effects out, never re-entrant. */
#include "sequencer/steps/steps.h"

#include <stdlib.h>

enum { QUEUE = 64 };

enum err steps_open(struct steps *s, const struct steps_world *world, uint64_t epoch, int self,
                    uint64_t sequence)
{
    *s = (struct steps){.world = *world,
                        .core = s->core,
                        .effects = s->effects,
                        .epoch = epoch,
                        .self = self,
                        .persisted = sequence,
                        .submitted = sequence};
    s->held_end = &s->held;
    s->queue = calloc(QUEUE, sizeof *s->queue);
    s->queue_cap = QUEUE;
    return s->queue == NULL ? ERR_NO_MEMORY : OK;
}

void steps_close(struct steps *s)
{
    s->closed = true;
    while (s->held != NULL) {
        struct steps_held *next = s->held->next;
        free(s->held);
        s->held = next;
    }
    s->held_end = &s->held;
    message_arena_free(&s->arena);
    free(s->cert);
    free(s->queue);
    s->cert = NULL;
    s->queue = NULL;
    s->cert_cap = s->queue_cap = s->queue_n = 0;
}

static bool queue_grow(struct steps *s)
{
    struct event *bigger = calloc(s->queue_cap * 2, sizeof *bigger);
    if (bigger == NULL) {
        return false;
    }
    for (size_t i = 0; i < s->queue_n; i++) {
        bigger[i] = s->queue[(s->queue_at + i) % s->queue_cap];
    }
    free(s->queue);
    s->queue = bigger;
    s->queue_cap *= 2;
    s->queue_at = 0;
    return true;
}

/* False: the process has ended. */
static bool carry_out(struct steps *s, const struct effect *e)
{
    if (!s->world.effect(s->world.ctx, e)) {
        return false;
    }
    if (e->kind == EFFECT_PERSIST) {
        steps_persist(s, e);
    } else if (e->kind == EFFECT_SEND) {
        steps_send(s, e);
    }
    return true;
}

static void step_one(struct steps *s, struct event *e)
{
    if (!s->world.before(s->world.ctx, e)) {
        return;
    }
    core_step(s->core, e, s->effects);
    s->world.between(s->world.ctx, e, s->effects);
    for (uint32_t i = 0; i < s->effects->n; i++) {
        if (!carry_out(s, &s->effects->effect[i])) {
            return;
        }
    }
    s->world.after(s->world.ctx);
}

void steps_give(struct steps *s, struct event event)
{
    if (s->core == NULL || s->closed) {
        return;
    }
    if (s->queue_n == s->queue_cap && !queue_grow(s)) {
        s->world.trouble(s->world.ctx, "out of memory in the event queue");
        abort();
    }
    s->queue[(s->queue_at + s->queue_n++) % s->queue_cap] = event;
    if (s->running) {
        return;
    }
    s->running = true;
    while (s->queue_n > 0) {
        struct event next = s->queue[s->queue_at];
        s->queue_at = (s->queue_at + 1) % s->queue_cap;
        s->queue_n--;
        step_one(s, &next);
    }
    s->running = false;
}
