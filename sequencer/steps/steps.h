/* The steps of one core: events in, one at a time; effects out, in their order; what a step
 * writes, and the messages that wait until it is durable (CONSENSUS 8). The node and the simulator
 * run this same code.
 *
 * It knows no clock, no thread, no socket and no disk: struct steps_world is all it sees of them.
 * One thread; calls into the world are made from within the functions below, and the world may
 * give events from within any of them: such an event waits until the step is carried out. */
#ifndef SEQUENCER_STEPS_STEPS_H
#define SEQUENCER_STEPS_STEPS_H

#include "consensus/consensus.h"
#include "proto/record.h"
#include "storage/storage.h"

struct steps_world {
    void *ctx;
    /* Fills in the times of an event that is about to be given. False: it is dropped. */
    bool (*before)(void *ctx, struct event *event);
    /* The core has answered; nothing of it is carried out yet. */
    void (*between)(void *ctx, const struct event *event, const struct effects *out);
    /* Every effect in its order. Those that neither write nor send are the world's to carry out;
     * of a write or a message it hears first. False: the process has ended in the middle of the
     * step, by steps_close, and nothing more of it happens. */
    bool (*effect)(void *ctx, const struct effect *effect);
    void (*after)(void *ctx); /* the whole step is carried out */

    /* The body of an own proposal, which follows it behind the same gate. No bytes: there is none.
     * Lent until the next call. */
    struct bytes (*body)(void *ctx, const struct block_head *head);
    void (*send)(void *ctx, int to, const struct message *m);
    void (*flush)(void *ctx); /* others wait for what was sent */

    /* As storage_submit_step and storage_poll. */
    enum err (*submit)(void *ctx, const struct journal_step *step, bool sync);
    bool (*poll)(void *ctx, struct storage_done *done);
    void (*stored)(void *ctx, uint64_t token, enum err err); /* a completion that is no step's */
    void (*failed)(void *ctx, enum err err); /* the first failure, before the core hears of it */
    void (*trouble)(void *ctx, const char *what); /* memory is out: for the log */
};

/* A message that waits for the write that gates it. */
struct steps_held {
    struct steps_held *next;
    uint64_t gate;
    int to;
    size_t n;
    uint8_t frame[];
};

struct steps {
    struct steps_world world;
    struct core *core;       /* both are the owner's; no core: events are dropped */
    struct effects *effects;
    uint64_t epoch;
    int self;
    struct event *queue; /* ring of events that arose while a step was carried out */
    size_t queue_cap, queue_at, queue_n;
    bool running, closed;
    uint64_t persisted; /* highest sequence known durable */
    uint64_t submitted;
    bool failed;    /* a write failed, and not all that waits is durable since */
    bool lost_step; /* one could not even wait: a gap that no later write heals */
    struct steps_held *held, **held_end;
    struct certificate *cert; /* scratch: certificates of a step, side by side */
    size_t cert_cap;
    struct message_arena arena;
};

/* `self`: member index, -1: observer. Sequences start at `sequence`, the journal's. */
enum err steps_open(struct steps *s, const struct steps_world *world, uint64_t epoch, int self,
                    uint64_t sequence) MUST_USE;
/* Frees everything; what was held never leaves. What is given later is dropped. */
void steps_close(struct steps *s);

/* Gives an event to the core. Without a message it may be given at any time; one with a message
 * only while `running` is false: its bytes are lent. Ends the process when memory is out: a lost
 * event could be a verdict, and the node would wait for ever. */
void steps_give(struct steps *s, struct event event);

/* Takes completions: releases what waited for them, then tells the core. */
void steps_drain(struct steps *s);
/* After a failure everything that waited is durable, up to this sequence: the core may sign again. */
void steps_back(struct steps *s, uint64_t sequence);

/* gates.c, for steps.c. */
void steps_persist(struct steps *s, const struct effect *e);
void steps_send(struct steps *s, const struct effect *e);

#endif
