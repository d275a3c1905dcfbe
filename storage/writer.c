#define _GNU_SOURCE
#include "storage/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

static uint64_t clock_us(const struct writer *w)
{
    return w->io->now_us(w->io->ctx);
}

/* ---- reports --------------------------------------------------------------------------------- */

static void report(struct writer *w, struct op *op, enum err e, uint64_t now_us)
{
    if (op->report == OP_SILENT || op->reported) {
        return;
    }
    op->reported = true;
    w->done[(w->done_first + w->done_n++) % LIMIT_STORAGE_QUEUE] = (struct storage_done){
        .what = op->report == OP_STEP ? STORAGE_DONE_STEP : STORAGE_DONE_TOKEN,
        .value = op->value,
        .err = e,
        .took_us = now_us - op->submitted_us,
    };
}

static void forget(struct writer *w, struct op *op)
{
    w->ops--;
    w->bytes -= op_bytes(op);
    op_free(op);
}

static void wake(struct writer *w, bool any)
{
    if (any && w->wake != NULL) {
        w->wake(w->wake_arg);
    }
}

static void note_marks(struct writer *w, const struct op *op)
{
    for (int i = 0; i < OP_MARKS; i++) {
        w->committed[i] = op_place_higher(w->committed[i], op->mark[i]);
    }
}

/* Everything held is durable. */
static void settle_durable(struct writer *w)
{
    uint64_t now_us = clock_us(w);
    pthread_mutex_lock(&w->lock);
    size_t before = w->done_n;
    for (struct op *op = op_list_pop(&w->held); op != NULL; op = op_list_pop(&w->held)) {
        if (op->report == OP_STEP) {
            w->durable_sequence = op->value;
        }
        note_marks(w, op);
        report(w, op, OK, now_us);
        forget(w, op);
    }
    memcpy(w->durable, w->committed, sizeof w->durable);
    bool any = w->done_n > before;
    pthread_mutex_unlock(&w->lock);
    wake(w, any);
}

/* All is committed, nothing synced: only those that will be reported are kept. */
static void settle_committed(struct writer *w)
{
    struct op_list kept = {0};
    pthread_mutex_lock(&w->lock);
    for (struct op *op = op_list_pop(&w->held); op != NULL; op = op_list_pop(&w->held)) {
        op->committed = true;
        note_marks(w, op);
        if (op->report == OP_SILENT) {
            forget(w, op);
        } else {
            op_list_push(&kept, op);
        }
    }
    pthread_mutex_unlock(&w->lock);
    w->held = kept;
}

/* All that is held fails now, and stays to be tried again by writer_flush. */
static void settle_failed(struct writer *w, enum err e)
{
    uint64_t now_us = clock_us(w);
    pthread_mutex_lock(&w->lock);
    size_t before = w->done_n;
    w->failed = e;
    for (struct op *op = w->held.first; op != NULL; op = op->next) {
        report(w, op, e, now_us);
    }
    bool any = w->done_n > before;
    pthread_mutex_unlock(&w->lock);
    wake(w, any);
}

/* ---- one round ------------------------------------------------------------------------------- */

struct round {
    struct kv_put *put;
    size_t puts;
    const struct safety_record *first, *last; /* of the steps that are not durable */
    bool sync;
};

static bool round_plan(struct round *r, const struct op_list *held, bool force_sync)
{
    *r = (struct round){.sync = force_sync};
    size_t puts = 0;
    for (const struct op *op = held->first; op != NULL; op = op->next) {
        puts += op->committed ? 0 : op->puts;
        r->sync = r->sync || (op->sync && !op->committed);
        if (op->record != NULL) {
            r->first = r->first == NULL ? op->record : r->first;
            r->last = op->record;
        }
    }
    r->put = calloc(puts + 1, sizeof *r->put);
    if (r->put == NULL) {
        return false;
    }
    for (const struct op *op = held->first; op != NULL; op = op->next) {
        if (!op->committed) {
            memcpy(r->put + r->puts, op->put, op->puts * sizeof *op->put);
            r->puts += op->puts;
        }
    }
    return true;
}

/* The hidden fault hook: a slow or a full disk, for tests and devnets. */
static enum err fault(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    uint32_t delay_ms = w->fault_delay_ms;
    bool fail = w->fault_writes > 0;
    if (fail && w->fault_writes != UINT32_MAX) {
        w->fault_writes--;
    }
    pthread_mutex_unlock(&w->lock);
    struct timespec t = {delay_ms / 1000, (long)(delay_ms % 1000) * 1000000};
    while (delay_ms > 0 && nanosleep(&t, &t) != 0) {
    }
    return fail ? ERR_NO_SPACE : OK;
}

/* In one batch, or in several where that would be too large to be kept whole; an op is never torn,
 * and what is lost of several is the last of them. */
static enum err round_commit(const struct writer *w, const struct round *r)
{
    size_t from = 0;
    size_t to = 0;
    size_t bytes = 0;
    for (const struct op *op = w->held.first; op != NULL; op = op->next) {
        if (op->committed) {
            continue;
        }
        if (to > from && w->kv->batch_bytes > 0 && bytes + op_bytes(op) > w->kv->batch_bytes) {
            TRY(w->kv->commit(w->kv->ctx, r->put + from, to - from, false));
            from = to;
            bytes = 0;
        }
        to += op->puts;
        bytes += op_bytes(op);
    }
    return w->kv->commit(w->kv->ctx, r->put + from, to - from, r->sync);
}

static enum err round_write(struct writer *w, const struct round *r)
{
    TRY(fault(w));
    bool second = r->sync && r->first != NULL && w->safety != NULL;
    if (second) {
        second_ask(&w->second, r->first);
    }
    enum err journal = OK;
    if (r->puts > 0 || r->sync) {
        journal = round_commit(w, r);
    }
    enum err record = second ? second_wait(&w->second) : OK;
    TRY(journal);
    TRY(record);
    return second && r->last != r->first ? safety_file_write(w->safety, r->last) : OK;
}

/* Commits what is held and not committed. */
static enum err round_run(struct writer *w, bool force_sync)
{
    struct round r;
    enum err e = ERR_NO_MEMORY;
    if (round_plan(&r, &w->held, force_sync)) {
        e = round_write(w, &r);
        free(r.put);
    }
    if (e != OK) {
        settle_failed(w, e);
    } else if (r.sync) {
        settle_durable(w);
    } else {
        settle_committed(w);
    }
    return e;
}

/* Closing and opening is the one way in the C interface to make RocksDB write again after an I/O
 * error. It replays the log into synced tables, so what had been committed is durable then. Only
 * where there is room: until then the open store still reads. */
static enum err recover(struct writer *w)
{
    TRY(fault(w));
    TRY(w->probe(w->reopen_arg));
    pthread_rwlock_wrlock(w->kv_lock);
    enum err e = w->reopen(w->reopen_arg);
    pthread_rwlock_unlock(w->kv_lock);
    TRY(e);
    for (struct op *op = w->held.first; op != NULL; op = op->next) {
        op->committed = false;
    }
    return round_run(w, true);
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* At most LIMIT_STORAGE_GROUP bytes, and always one. */
static void take_group(struct writer *w)
{
    size_t bytes = 0;
    if (w->held.first == NULL) {
        w->held_since_us = clock_us(w);
    }
    while (w->queue.first != NULL && bytes < LIMIT_STORAGE_GROUP) {
        struct op *op = op_list_pop(&w->queue);
        bytes += op_bytes(op);
        op_list_push(&w->held, op);
    }
}

/* When there is something to do; UINT64_MAX: nothing is known yet. */
static uint64_t next_due_us(const struct writer *w)
{
    if (w->stop || w->flush_asked) {
        return 0;
    }
    uint64_t due_us = w->queue.first != NULL ? w->due_us : UINT64_MAX;
    if (w->held.first != NULL && w->failed == OK) {
        uint64_t idle_us = w->held_since_us + (uint64_t)WRITER_IDLE_SYNC_MS * 1000;
        due_us = idle_us < due_us ? idle_us : due_us;
    }
    return due_us;
}

static void wait_for_work(struct writer *w)
{
    for (uint64_t us = next_due_us(w); us > 0; us = next_due_us(w)) {
        struct timespec until = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
        if (us == UINT64_MAX) {
            pthread_cond_wait(&w->work, &w->lock);
        } else if (us <= clock_us(w) ||
                   pthread_cond_timedwait(&w->work, &w->lock, &until) == ETIMEDOUT) {
            return;
        }
    }
}

static void plain_turn(struct writer *w, enum err failed, bool stop)
{
    if (failed != OK) {
        settle_failed(w, failed);
        return;
    }
    bool late = w->held.first != NULL &&
                clock_us(w) - w->held_since_us >= (uint64_t)WRITER_IDLE_SYNC_MS * 1000;
    (void)round_run(w, stop || late); /* a failure is kept in `failed` */
}

/* A flush is answered when the queue is empty and all of it durable. */
static void answer_flush(struct writer *w, enum err e)
{
    if (w->flush_asked && (e != OK || w->queue.first == NULL)) {
        w->flush_asked = false;
        w->flush_result = e;
        pthread_cond_broadcast(&w->flushed);
    }
}

static enum err flush_turn(struct writer *w, enum err failed)
{
    if (failed == OK) {
        return round_run(w, true);
    }
    enum err e = recover(w);
    if (e != OK) {
        settle_failed(w, e);
        return e;
    }
    pthread_mutex_lock(&w->lock);
    w->failed = OK;
    pthread_mutex_unlock(&w->lock);
    return OK;
}

/* Under the lock, which it lets go meanwhile. */
static void turn(struct writer *w)
{
    take_group(w);
    bool flush = w->flush_asked;
    bool stop = w->stop;
    enum err failed = w->failed;
    pthread_mutex_unlock(&w->lock);
    enum err e = OK;
    if (flush) {
        e = flush_turn(w, failed);
    } else {
        plain_turn(w, failed, stop);
    }
    pthread_mutex_lock(&w->lock);
    if (flush) {
        answer_flush(w, e);
    }
}

static bool has_ended(const struct writer *w)
{
    return w->stop && !w->flush_asked && w->queue.first == NULL &&
           (w->held.first == NULL || w->failed != OK);
}

static void *writer_run(void *arg)
{
    struct writer *w = arg;
    pthread_mutex_lock(&w->lock);
    while (true) {
        wait_for_work(w);
        if (has_ended(w)) {
            break;
        }
        turn(w);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

uint64_t writer_turn(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    if (next_due_us(w) <= clock_us(w)) {
        turn(w);
    }
    uint64_t due_us = next_due_us(w);
    pthread_mutex_unlock(&w->lock);
    return due_us;
}

/* ---- the owner's side ------------------------------------------------------------------------ */

static bool init_locks(struct writer *w)
{
    pthread_condattr_t monotonic;
    if (pthread_condattr_init(&monotonic) != 0) {
        return false;
    }
    bool ok = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0 &&
              pthread_mutex_init(&w->lock, NULL) == 0 &&
              pthread_cond_init(&w->work, &monotonic) == 0 &&
              pthread_cond_init(&w->flushed, NULL) == 0;
    pthread_condattr_destroy(&monotonic);
    return ok;
}

enum err writer_start(struct writer *w, uint64_t durable_sequence)
{
    w->durable_sequence = durable_sequence;
    memcpy(w->durable, w->committed, sizeof w->durable);
    w->done = calloc(LIMIT_STORAGE_QUEUE, sizeof *w->done);
    if (w->done == NULL || !init_locks(w)) {
        free(w->done);
        w->done = NULL;
        return ERR_NO_MEMORY;
    }
    if (w->no_threads) {
        w->second = (struct second){.file = w->safety};
        return OK;
    }
    if (w->safety != NULL) {
        TRY(second_start(&w->second, w->safety));
    }
    w->started = pthread_create(&w->thread, NULL, writer_run, w) == 0;
    return w->started ? OK : ERR_NO_MEMORY;
}

static void join(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_broadcast(&w->work);
    while (w->no_threads && !has_ended(w)) {
        turn(w);
    }
    pthread_mutex_unlock(&w->lock);
    if (w->started) {
        pthread_join(w->thread, NULL);
    }
    second_stop(&w->second);
}

static void wait_for_flushers(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->flushers > 0) {
        pthread_cond_wait(&w->flushed, &w->lock);
    }
    pthread_mutex_unlock(&w->lock);
}

void writer_stop(struct writer *w)
{
    if (w->done == NULL) {
        return;
    }
    join(w);
    wait_for_flushers(w);
    op_list_free(&w->queue);
    op_list_free(&w->held);
    pthread_cond_destroy(&w->work);
    pthread_cond_destroy(&w->flushed);
    pthread_mutex_destroy(&w->lock);
    free(w->done);
    w->done = NULL;
}

static bool has_room(const struct writer *w, size_t bytes, bool reports)
{
    if (w->ops >= LIMIT_STORAGE_QUEUE || (reports && w->reports >= LIMIT_STORAGE_QUEUE)) {
        return false;
    }
    return w->ops == 0 || w->bytes + bytes <= LIMIT_STORAGE_BYTES;
}

static uint64_t patience_us(const struct writer *w, const struct op *op)
{
    if ((op->sync && op->report != OP_TOKEN) || w->bytes >= LIMIT_STORAGE_GROUP) {
        return 0;
    }
    return op->sync ? WRITER_SHARE_US : WRITER_GATHER_US;
}

/* The thread is woken only when it is to wake earlier than it would. */
static void bring_forward(struct writer *w, const struct op *op)
{
    uint64_t due_us = op->submitted_us + patience_us(w, op);
    if (w->queue.first == NULL || due_us < w->due_us) {
        w->due_us = due_us;
        pthread_cond_signal(&w->work);
    }
}

enum err writer_submit(struct writer *w, struct op *op)
{
    bool reports = op->report != OP_SILENT;
    op->submitted_us = clock_us(w);
    pthread_mutex_lock(&w->lock);
    bool room = has_room(w, op_bytes(op), reports);
    if (room) {
        w->ops++;
        w->bytes += op_bytes(op);
        w->reports += reports ? 1 : 0;
        bring_forward(w, op);
        op_list_push(&w->queue, op);
    }
    pthread_mutex_unlock(&w->lock);
    return room ? OK : ERR_BUSY;
}

struct op_place writer_durable(struct writer *w, enum op_mark mark)
{
    pthread_mutex_lock(&w->lock);
    struct op_place place = w->durable[mark];
    pthread_mutex_unlock(&w->lock);
    return place;
}

bool writer_crowded(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    bool crowded = w->ops > LIMIT_STORAGE_QUEUE / 2 || w->bytes > LIMIT_STORAGE_BYTES / 2;
    pthread_mutex_unlock(&w->lock);
    return crowded;
}

bool writer_poll(struct writer *w, struct storage_done *out)
{
    pthread_mutex_lock(&w->lock);
    bool any = w->done_n > 0;
    if (any) {
        *out = w->done[w->done_first];
        w->done_first = (w->done_first + 1) % LIMIT_STORAGE_QUEUE;
        w->done_n--;
        w->reports--;
    }
    pthread_mutex_unlock(&w->lock);
    return any;
}

enum err writer_flush(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    w->flush_asked = true;
    w->flushers++;
    pthread_cond_signal(&w->work);
    while (w->flush_asked) {
        if (w->no_threads) {
            turn(w);
        } else {
            pthread_cond_wait(&w->flushed, &w->lock);
        }
    }
    enum err e = w->flush_result;
    w->flushers--;
    pthread_cond_broadcast(&w->flushed);
    pthread_mutex_unlock(&w->lock);
    return e;
}
