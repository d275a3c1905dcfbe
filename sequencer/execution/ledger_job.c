#define _GNU_SOURCE
#include "sequencer/execution/ledger_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

static size_t bytes_needed(const struct execution_block *b)
{
    size_t n = 0;
    for (uint32_t i = 0; i < b->txs; i++) {
        n += b->tx[i].raw.n;
    }
    return n;
}

/* The ledger asks of a body only its length; the transactions hold its content. */
static bool copy_block(struct ledger_job *job, const struct execution_block *b)
{
    job->block = *b;
    job->bytes = malloc(bytes_needed(b) + 1);
    job->tx = calloc((size_t)b->txs + 1, sizeof *job->tx);
    if (job->bytes == NULL || job->tx == NULL) {
        return false;
    }
    uint8_t *to = job->bytes;
    for (uint32_t i = 0; i < b->txs; i++) {
        memcpy(to, b->tx[i].raw.p, b->tx[i].raw.n);
        job->tx[i].raw = bytes_of(to, b->tx[i].raw.n);
        job->tx[i].sender = b->tx[i].sender;
        to += b->tx[i].raw.n;
    }
    job->block.tx = job->tx;
    job->block.body = bytes_of(NULL, b->body.n);
    return true;
}

struct ledger_job *ledger_job_create(enum job_kind kind, const struct execution_block *b, void *arg)
{
    struct ledger_job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        return NULL;
    }
    job->kind = kind;
    job->arg = arg;
    job->asked_ns = uv_hrtime();
    if (b != NULL && !copy_block(job, b)) {
        ledger_job_free(job);
        return NULL;
    }
    return job;
}

void ledger_job_free(struct ledger_job *job)
{
    free(job->tx);
    free(job->bytes);
    free(job->body);
    free(job->changed);
    free(job->proof);
    free(job);
}

/* What the ledger lends until its next call becomes the job's own. */
static void keep_result(struct ledger_job *job, const struct execution_result *r)
{
    job->result = *r;
    if (r->why != NULL) {
        (void)snprintf(job->why, sizeof job->why, "%s", r->why);
        job->result.why = job->why;
    }
    if (r->info != NULL) {
        memcpy(job->info, r->info, r->info_len);
        job->result.info = job->info;
    }
    if (r->body == NULL) {
        return;
    }
    job->body = malloc(r->body_len + 1);
    if (job->body == NULL) {
        job->result = (struct execution_result){.status = EXECUTION_ERROR, .why = "out of memory"};
        return;
    }
    memcpy(job->body, r->body, r->body_len);
    job->result.body = job->body;
}

static void run_block(struct ledger_job *job, struct ledger *l)
{
    struct execution_result r;
    uint64_t start = uv_hrtime();
    if (job->kind == JOB_BUILD) {
        ledger_build(l, &job->block, &r);
    } else {
        ledger_execute(l, &job->block, &job->payload, &job->state_root, &r);
    }
    r.took_us = (uv_hrtime() - start) / 1000;
    keep_result(job, &r);
}

static void collect(void *arg, const struct ledger_account *a)
{
    struct ledger_job *job = arg;
    if (job->changed_n == job->changed_cap) {
        size_t cap = 2 * job->changed_cap + 256;
        struct ledger_account *changed = realloc(job->changed, cap * sizeof *changed);
        if (changed == NULL) {
            job->err = ERR_NO_MEMORY;
            return;
        }
        job->changed = changed;
        job->changed_cap = cap;
    }
    job->changed[job->changed_n++] = *a;
}

static void run_finalize(struct ledger_job *job, struct ledger *l)
{
    enum err e = ledger_finalize(l, &job->payload, collect, job);
    if (e != OK) {
        job->err = e;
    }
}

static void run_query(struct ledger_job *job, struct ledger *l)
{
    const struct hash *at = job->latest ? NULL : &job->payload;
    if (!ledger_get(l, at, &job->address, &job->account)) {
        job->err = ERR_NOT_FOUND;
        return;
    }
    if (job->with_proof) {
        job->err = ledger_proof(l, at, &job->address, &job->proof, &job->proof_len);
    }
}

void ledger_job_run(struct ledger_job *job, struct ledger *l)
{
    switch (job->kind) {
    case JOB_BUILD:
    case JOB_EXECUTE:
        run_block(job, l);
        break;
    case JOB_FINALIZE:
        run_finalize(job, l);
        break;
    case JOB_QUERY:
        run_query(job, l);
        break;
    }
    job->ran = true;
    ledger_head(l, &job->head);
    ledger_highest(l, &job->highest);
    (void)ledger_next_base_fee(l, NULL, &job->next_base_fee);
}

void ledger_job_refuse(struct ledger_job *job, enum err e)
{
    job->err = e;
    job->result = (struct execution_result){.status = EXECUTION_ERROR, .why = err_text(e)};
}

void ledger_job_push(struct ledger_job_queue *q, struct ledger_job *job)
{
    job->next = NULL;
    if (q->first == NULL) {
        q->first = job;
    } else {
        q->last->next = job;
    }
    q->last = job;
}

struct ledger_job *ledger_job_pop(struct ledger_job_queue *q)
{
    struct ledger_job *job = q->first;
    if (job != NULL) {
        q->first = job->next;
        job->next = NULL;
    }
    return job;
}
