#define _GNU_SOURCE
#include "sequencer/execution/ledger_service.h"

#include <stdlib.h>

#include "sequencer/execution/ledger_job.h"
#include "sequencer/execution/ledger_mirror.h"

enum { SMALL_TXS = 4 }; /* about 0.1 ms */

struct ledger_service {
    uv_loop_t *loop;
    uv_async_t wake;
    uv_thread_t thread;
    struct ledger *ledger; /* the thread's while a call is unanswered, else the loop's */

    uv_mutex_t lock; /* over the five below */
    uv_cond_t more;
    struct ledger_job_queue todo;
    struct ledger_job_queue done;
    bool stop;
    bool stopped;

    /* The loop's. */
    struct ledger_job_queue ready;         /* taken from `done`; waits only while stalled */
    uint64_t asked_ns[LIMIT_LEDGER_QUEUE]; /* of the unanswered calls, a ring in their order */
    uint32_t asked_first;
    uint32_t asked;
    uint64_t answered_ns;
    bool stalled;
    bool closing;
    struct ledger_mirror mirror;
    enum err mirror_err; /* while it is filled */
    struct payload_info highest;
    struct u256 base_fee;
    void (*persist)(void *arg, const struct ledger_account *changed, size_t n,
                    const struct payload_info *head);
    void *persist_arg;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* The ledger's thread. */
static void thread_main(void *arg)
{
    struct ledger_service *s = arg;
    uv_mutex_lock(&s->lock);
    while (!s->stop) {
        struct ledger_job *job = ledger_job_pop(&s->todo);
        if (job == NULL) {
            uv_cond_wait(&s->more, &s->lock);
            continue;
        }
        uv_mutex_unlock(&s->lock);
        ledger_job_run(job, s->ledger);
        uv_mutex_lock(&s->lock);
        ledger_job_push(&s->done, job);
        (void)uv_async_send(&s->wake);
    }
    uv_mutex_unlock(&s->lock);
    ledger_destroy(s->ledger);
    uv_mutex_lock(&s->lock);
    s->stopped = true;
    (void)uv_async_send(&s->wake);
    uv_mutex_unlock(&s->lock);
}

static enum err mirror_changes(struct ledger_mirror *m, const struct ledger_job *job)
{
    for (size_t i = 0; i < job->changed_n; i++) {
        TRY(ledger_mirror_set(m, &job->changed[i]));
    }
    return OK;
}

static void answer_finalize(struct ledger_service *s, struct ledger_job *job)
{
    if (job->err == OK) {
        job->err = mirror_changes(&s->mirror, job);
    }
    if (job->err == OK) {
        s->base_fee = job->next_base_fee;
        if (s->persist != NULL) {
            s->persist(s->persist_arg, job->changed, job->changed_n, &job->head);
        }
    }
    if (job->cb.finalized != NULL) {
        job->cb.finalized(job->arg, job->err);
    }
}

/* The callback comes last: it may ask again, stall or close. */
static void answer(struct ledger_service *s, struct ledger_job *job)
{
    if (job->ran) {
        s->highest = job->highest;
    }
    switch (job->kind) {
    case JOB_BUILD:
    case JOB_EXECUTE:
        job->cb.executed(job->arg, &job->result);
        break;
    case JOB_FINALIZE:
        answer_finalize(s, job);
        break;
    case JOB_QUERY:
        job->cb.answered(job->arg, job->err, &job->account, job->proof, job->proof_len);
        break;
    }
}

static void answer_queued(struct ledger_service *s, struct ledger_job *job)
{
    s->asked_first = (s->asked_first + 1) % LIMIT_LEDGER_QUEUE;
    s->asked--;
    s->answered_ns = uv_hrtime();
    answer(s, job);
    ledger_job_free(job);
}

static void answer_ready(struct ledger_service *s)
{
    while (!s->stalled && !s->closing) {
        struct ledger_job *job = ledger_job_pop(&s->ready);
        if (job == NULL) {
            return;
        }
        answer_queued(s, job);
    }
}

static void refuse_queue(struct ledger_service *s, struct ledger_job_queue *q)
{
    struct ledger_job *job;
    while ((job = ledger_job_pop(q)) != NULL) {
        job->ran = false;
        ledger_job_refuse(job, ERR_NOT_READY);
        answer_queued(s, job);
    }
}

static void service_free(struct ledger_service *s)
{
    uv_mutex_destroy(&s->lock);
    uv_cond_destroy(&s->more);
    ledger_mirror_free(&s->mirror);
    free(s);
}

static void on_wake_closed(uv_handle_t *handle)
{
    struct ledger_service *s = handle->data;
    void (*closed)(void *arg) = s->closed;
    void *arg = s->closed_arg;
    service_free(s);
    if (closed != NULL) {
        closed(arg);
    }
}

static void finish_close(struct ledger_service *s)
{
    (void)uv_thread_join(&s->thread);
    refuse_queue(s, &s->ready);
    refuse_queue(s, &s->todo);
    uv_close((uv_handle_t *)&s->wake, on_wake_closed);
}

static void on_wake(uv_async_t *wake)
{
    struct ledger_service *s = wake->data;
    struct ledger_job *job;
    uv_mutex_lock(&s->lock);
    while ((job = ledger_job_pop(&s->done)) != NULL) {
        ledger_job_push(&s->ready, job);
    }
    bool stopped = s->stopped;
    uv_mutex_unlock(&s->lock);
    if (s->closing) {
        if (stopped) {
            finish_close(s);
        }
        return;
    }
    answer_ready(s);
}

/* So little work takes less time than the way to the thread and back. */
static bool is_small(const struct ledger_service *s, const struct ledger_job *job)
{
    switch (job->kind) {
    case JOB_BUILD:
    case JOB_EXECUTE:
        return job->block.txs <= SMALL_TXS;
    case JOB_FINALIZE:
        return ledger_finalize_is_small(s->ledger, &job->payload, SMALL_TXS);
    case JOB_QUERY:
        return false;
    }
    return false;
}

/* While no call is unanswered the thread sleeps, and has let go of the ledger under the lock that
 * its last answer was taken under: the loop may use it until it asks the thread again. */
static bool run_here(struct ledger_service *s, struct ledger_job *job)
{
    if (s->asked > 0 || s->stalled || s->closing || !is_small(s, job)) {
        return false;
    }
    ledger_job_run(job, s->ledger);
    s->answered_ns = uv_hrtime();
    answer(s, job);
    ledger_job_free(job);
    return true;
}

/* Runs the job here, queues it, or refuses it at once. */
static void post(struct ledger_service *s, struct ledger_job *job)
{
    if (run_here(s, job)) {
        return;
    }
    if (s->closing || s->asked == LIMIT_LEDGER_QUEUE) {
        ledger_job_refuse(job, s->closing ? ERR_NOT_READY : ERR_BUSY);
        answer(s, job);
        ledger_job_free(job);
        return;
    }
    s->asked_ns[(s->asked_first + s->asked) % LIMIT_LEDGER_QUEUE] = job->asked_ns;
    s->asked++;
    uv_mutex_lock(&s->lock);
    ledger_job_push(&s->todo, job);
    uv_mutex_unlock(&s->lock);
    uv_cond_signal(&s->more);
}

static void service_build(void *ctx, const struct execution_block *b, execution_cb cb, void *arg)
{
    struct ledger_job *job = ledger_job_create(JOB_BUILD, b, arg);
    if (job == NULL) {
        cb(arg,
           &(struct execution_result){.status = EXECUTION_ERROR, .why = err_text(ERR_NO_MEMORY)});
        return;
    }
    job->cb.executed = cb;
    post(ctx, job);
}

static void service_execute(void *ctx, const struct execution_block *b,
                            const struct hash *expect_payload, const struct hash *expect_state,
                            execution_cb cb, void *arg)
{
    struct ledger_job *job = ledger_job_create(JOB_EXECUTE, b, arg);
    if (job == NULL) {
        cb(arg,
           &(struct execution_result){.status = EXECUTION_ERROR, .why = err_text(ERR_NO_MEMORY)});
        return;
    }
    job->cb.executed = cb;
    job->payload = *expect_payload;
    job->state_root = *expect_state;
    post(ctx, job);
}

static void service_finalize(void *ctx, const struct hash *payload,
                             void (*cb)(void *arg, enum err e), void *arg)
{
    struct ledger_job *job = ledger_job_create(JOB_FINALIZE, NULL, arg);
    if (job == NULL) {
        if (cb != NULL) {
            cb(arg, ERR_NO_MEMORY);
        }
        return;
    }
    job->cb.finalized = cb;
    job->payload = *payload;
    post(ctx, job);
}

static void service_head(void *ctx, uint64_t *height, struct hash *payload)
{
    const struct ledger_service *s = ctx;
    *height = s->highest.number;
    *payload = s->highest.hash;
}

static uint64_t service_silent_us(void *ctx)
{
    const struct ledger_service *s = ctx;
    if (s->asked == 0) {
        return 0;
    }
    uint64_t since = s->asked_ns[s->asked_first];
    if (since < s->answered_ns) {
        since = s->answered_ns;
    }
    return (uv_hrtime() - since) / 1000;
}

static void service_close(void *ctx)
{
    ledger_service_close(ctx, NULL, NULL);
}

void ledger_service_execution(struct ledger_service *s, struct execution *out)
{
    *out = (struct execution){
        .ctx = s,
        .build = service_build,
        .execute = service_execute,
        .finalize = service_finalize,
        .head = service_head,
        .silent_us = service_silent_us,
        .close = service_close,
    };
}

void ledger_service_close(struct ledger_service *s, void (*closed)(void *arg), void *arg)
{
    s->closing = true;
    s->closed = closed;
    s->closed_arg = arg;
    uv_mutex_lock(&s->lock);
    s->stop = true;
    uv_cond_signal(&s->more);
    uv_mutex_unlock(&s->lock);
}

static void fill_mirror(void *arg, const struct ledger_account *a)
{
    struct ledger_service *s = arg;
    if (s->mirror_err == OK) {
        s->mirror_err = ledger_mirror_set(&s->mirror, a);
    }
}

static enum err init_mirror(struct ledger_service *s)
{
    TRY(ledger_mirror_init(&s->mirror));
    ledger_walk(s->ledger, fill_mirror, s);
    ledger_highest(s->ledger, &s->highest);
    (void)ledger_next_base_fee(s->ledger, NULL, &s->base_fee);
    return s->mirror_err;
}

static void on_start_failed(uv_handle_t *handle)
{
    service_free(handle->data);
}

/* From here on a failure closes the wake-up, which frees the service. */
static enum err start_thread(struct ledger_service *s)
{
    if (uv_async_init(s->loop, &s->wake, on_wake) != 0) {
        service_free(s);
        return ERR_IO;
    }
    s->wake.data = s;
    if (uv_thread_create(&s->thread, thread_main, s) != 0) {
        uv_close((uv_handle_t *)&s->wake, on_start_failed);
        return ERR_IO;
    }
    return OK;
}

static enum err init_locks(struct ledger_service *s)
{
    if (uv_mutex_init(&s->lock) != 0) {
        return ERR_IO;
    }
    if (uv_cond_init(&s->more) != 0) {
        uv_mutex_destroy(&s->lock);
        return ERR_IO;
    }
    return OK;
}

enum err ledger_service_start(struct ledger_service **out, uv_loop_t *loop, struct ledger *ledger,
                              void (*persist)(void *arg, const struct ledger_account *changed,
                                              size_t n, const struct payload_info *head),
                              void *arg)
{
    struct ledger_service *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return ERR_NO_MEMORY;
    }
    s->loop = loop;
    s->ledger = ledger;
    s->persist = persist;
    s->persist_arg = arg;
    enum err e = init_locks(s);
    if (e != OK) {
        free(s);
        return e;
    }
    e = init_mirror(s);
    if (e != OK) {
        service_free(s);
        return e;
    }
    TRY(start_thread(s));
    *out = s;
    return OK;
}

void ledger_service_account(const struct ledger_service *s, const struct address *a,
                            struct ledger_account *out)
{
    ledger_mirror_get(&s->mirror, a, out);
}

void ledger_service_base_fee(const struct ledger_service *s, struct u256 *out)
{
    *out = s->base_fee;
}

void ledger_service_query(struct ledger_service *s, const struct hash *payload,
                          const struct address *a, bool with_proof,
                          void (*cb)(void *arg, enum err e, const struct ledger_account *acc,
                                     const uint8_t *proof, size_t proof_len),
                          void *arg)
{
    struct ledger_job *job = ledger_job_create(JOB_QUERY, NULL, arg);
    if (job == NULL) {
        struct ledger_account none = {.address = *a};
        cb(arg, ERR_NO_MEMORY, &none, NULL, 0);
        return;
    }
    job->cb.answered = cb;
    job->address = *a;
    job->with_proof = with_proof;
    job->latest = payload == NULL;
    if (payload != NULL) {
        job->payload = *payload;
    }
    post(s, job);
}

void ledger_service_stall(struct ledger_service *s, bool stalled)
{
    s->stalled = stalled;
    answer_ready(s);
}
