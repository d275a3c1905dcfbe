/* The storage thread: takes what waits, commits it as one batch, and reports it when durable.
 *
 * A member's steps are durable when the journal batch and the safety record both are; the two are
 * written at the same time, the record by a thread of its own. The record may run ahead of the
 * durable journal by one step only, else an ordinary crash would look like a lost journal
 * (CONSENSUS 8). So when several steps are committed together, the record of the first goes
 * beside the batch and that of the last after it: two syncs for any number of steps.
 *
 * A step without `sync` is reported with the next synced write, at the latest after
 * WRITER_IDLE_SYNC_MS. Writes wait a little for company, because every sync costs all members that
 * share a disk: what nobody waits for WRITER_GATHER_US, a synced table write WRITER_SHARE_US. A
 * synced step waits for nothing. */
#ifndef STORAGE_WRITER_H
#define STORAGE_WRITER_H

#include "storage/op.h"
#include "storage/second.h"
#include "storage/storage.h"

enum { WRITER_IDLE_SYNC_MS = 100, WRITER_GATHER_US = 5000, WRITER_SHARE_US = 1000 };

struct writer {
    struct kv *kv;
    const struct io *io;             /* its clock */
    bool no_threads;                 /* writer_turn is called instead */
    pthread_rwlock_t *kv_lock;       /* held for writing while the store is reopened */
    struct safety_file *safety;      /* NULL: observer */
    enum err (*probe)(void *arg);    /* is there room again? asked before reopening */
    enum err (*reopen)(void *arg);   /* closes the store and opens it again, after a failure */
    void *reopen_arg;
    void (*wake)(void *arg);
    void *wake_arg;

    pthread_t thread;
    bool started;
    pthread_mutex_t lock;            /* all below */
    pthread_cond_t work, flushed;
    bool stop;
    bool flush_asked;
    uint32_t flushers;               /* callers that wait for an answer */
    enum err flush_result;
    enum err failed;                 /* the first failure; OK: none */
    uint64_t durable_sequence;
    struct op_place durable[OP_MARKS];
    uint32_t fault_writes, fault_delay_ms;
    struct op_list queue;            /* submitted */
    uint64_t due_us;                 /* when the queue is to be written */
    size_t ops, bytes;               /* alive: submitted, committed, held after a failure */
    size_t reports;                  /* completions owed or waiting */
    struct storage_done *done;       /* ring of LIMIT_STORAGE_QUEUE */
    size_t done_first, done_n;

    struct op_place committed[OP_MARKS]; /* writer's own: durable with the next sync */
    struct op_list held;             /* writer's own: not durable yet, in order of submission */
    uint64_t held_since_us;
    struct second second;
};

/* The caller has filled kv, io, kv_lock, safety, probe, reopen, wake, `committed` with what the
 * start found, and zeroed the rest. */
enum err writer_start(struct writer *w, uint64_t durable_sequence) MUST_USE;
/* Writes what waits, unless a write has failed, answers whoever waits in writer_flush, and joins
 * the threads. Frees all that was held. */
void writer_stop(struct writer *w);
/* Takes `op` over when OK. ERR_BUSY: queue full; `op` stays the caller's. */
enum err writer_submit(struct writer *w, struct op *op) MUST_USE;
/* The highest place of this kind that is durable. */
struct op_place writer_durable(struct writer *w, enum op_mark mark);
/* More than half of what may wait does. */
bool writer_crowded(struct writer *w);
bool writer_poll(struct writer *w, struct storage_done *out);
/* Waits until everything submitted is durable, after a failure by trying again. */
enum err writer_flush(struct writer *w) MUST_USE;

/* Without threads: storage_turn. */
uint64_t writer_turn(struct writer *w);

#endif
