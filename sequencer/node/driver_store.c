#define _GNU_SOURCE
/* Steps to disk, and what waits for them: the only place where a gated message is let go. */
#include <stdlib.h>
#include <string.h>

#include "sequencer/node/parts.h"

uint64_t store_waits_us(const struct node *n)
{
    const struct driver *d = &n->driver;
    return d->waiting_us == 0 ? 0 : driver_now() - d->waiting_us;
}

static void write_failed(struct node *n, enum err err)
{
    char why[READY_SENTENCE];
    n->driver.failed = true;
    n->driver.write_err = err;
    n->driver.failed_us = driver_now();
    storage_explain(n->storage, why, sizeof why);
    log_write(LOG_ERROR, "storage", "cannot write: nothing is signed until the disk is back",
              LOG_STR("dir", n->config->dir),
              LOG_STR("error", why[0] != '\0' ? why : err_text(err)), NULL);
    struct event e = {.kind = EVENT_WRITE_FAILED, .peer = -1};
    driver_give(n, e);
}

/* The core hands over pointers to certificates; a record holds them side by side. */
static bool gather_certificates(struct driver *d, const struct effect *e)
{
    uint32_t count = e->u.persist.certs;
    if (count > d->cert_cap) {
        struct certificate *bigger = realloc(d->cert, count * sizeof *bigger);
        if (bigger == NULL) {
            return false;
        }
        d->cert = bigger;
        d->cert_cap = count;
    }
    for (uint32_t i = 0; i < count; i++) {
        d->cert[i] = *e->u.persist.cert[i];
    }
    return true;
}

void store_step(struct node *n, const struct effect *e)
{
    struct driver *d = &n->driver;
    struct journal_step step = {
        .sequence = e->u.persist.sequence,
        .epoch = n->epoch.epoch,
        .amnesiac = e->u.persist.amnesiac,
        .cleared = e->u.persist.cleared,
        .clearing_slot = e->u.persist.clearing_slot,
        .proposing = e->u.persist.proposing,
        .proposing_turn = e->u.persist.proposing_turn,
        .votes = e->u.persist.votes,
        .certs = e->u.persist.certs,
    };
    struct vote vote[LIMIT_STEP_VOTES];
    if (step.votes > LIMIT_STEP_VOTES || !gather_certificates(d, e)) {
        d->lost_step = true;
        write_failed(n, ERR_NO_MEMORY);
        return;
    }
    if (step.votes > 0) {
        memcpy(vote, e->u.persist.vote, step.votes * sizeof *vote);
    }
    step.vote = vote;
    step.cert = d->cert;
    d->submitted = step.sequence;
    d->waiting_us = d->waiting_us == 0 ? driver_now() : d->waiting_us;
    enum err err = storage_submit_step(n->storage, &step, e->u.persist.sync);
    if (err != OK) {
        /* A gap in the journal cannot be healed by a later write: no signature after it. */
        d->lost_step = true;
        write_failed(n, err);
    }
}

void store_hold(struct node *n, int to, uint64_t gate, const struct message *m)
{
    struct driver *d = &n->driver;
    size_t cap = message_size(m);
    struct held_send *h = malloc(sizeof *h + cap);
    if (h == NULL || message_encode(h->frame, cap, &h->n, m) != OK) {
        log_write(LOG_ERROR, "node", "a message could not be held until its write is durable",
                  NULL);
        free(h);
        return;
    }
    h->next = NULL;
    h->gate = gate;
    h->to = to;
    *d->held_end = h;
    d->held_end = &h->next;
}

static void release_sends(struct node *n)
{
    struct driver *d = &n->driver;
    while (d->held != NULL && d->held->gate <= d->persisted) {
        struct held_send *h = d->held;
        d->held = h->next;
        if (d->held == NULL) {
            d->held_end = &d->held;
        }
        struct message m;
        message_arena_reset(&d->arena);
        if (message_decode(&m, &d->arena, bytes_of(h->frame, h->n)) == OK) {
            net_send(n, h->to, &m);
        }
        free(h);
    }
}

static void persisted(struct node *n, uint64_t sequence)
{
    struct driver *d = &n->driver;
    d->persisted = sequence > d->persisted ? sequence : d->persisted;
    d->waiting_us = d->persisted < d->submitted ? driver_now() : 0;
    if (d->held != NULL) {
        release_sends(n);
        net_flush(n);
    }
    struct event e = {.kind = EVENT_PERSISTED, .peer = -1, .u.persisted = sequence};
    driver_give(n, e);
}

static void step_done(struct node *n, const struct storage_done *done)
{
    struct driver *d = &n->driver;
    if (done->err != OK) {
        if (!d->failed) {
            write_failed(n, done->err);
        }
        return;
    }
    if (!d->lost_step) {
        metrics_observe(n->metrics, METRIC_PERSIST_SECONDS, 0, (double)done->took_us / 1e6);
        persisted(n, done->value);
    }
}

void store_drain(struct node *n)
{
    struct storage_done done;
    while (storage_poll(n->storage, &done)) {
        if (done.what == STORAGE_DONE_STEP) {
            step_done(n, &done);
        } else {
            intake_stored(n, done.value, done.err);
            if (done.err != OK && !n->driver.failed) {
                write_failed(n, done.err);
            }
        }
    }
}

static void retry_run(uv_work_t *work)
{
    struct node *n = work->data;
    n->driver.retry_err = storage_retry(n->storage);
}

static void retry_done(uv_work_t *work, int status)
{
    struct node *n = work->data;
    struct driver *d = &n->driver;
    d->retrying = false;
    if (status != 0 || d->retry_err != OK) {
        return;
    }
    /* With the cause: on a full disk the line that told it may have found no room. */
    log_write(LOG_WARN, "storage", "the disk is back: everything that waited is durable",
              LOG_STR("was", err_text(d->write_err)),
              LOG_U64("forMs", (driver_now() - d->failed_us) / 1000), NULL);
    d->failed = false;
    store_drain(n);
    /* Also where no step had failed: it tells the core that it may sign again. */
    persisted(n, storage_sequence(n->storage));
}

/* What waits must not grow until something of it is lost: a hole in the stored chain would make
 * the next start impossible. After an end and a start the others have everything. */
static bool must_end(const struct node *n)
{
    return n->driver.lost_step || storage_crowded(n->storage);
}

static void end(struct node *n)
{
    char why[READY_SENTENCE];
    snprintf(why, sizeof why,
             "%.80s cannot be written (%s) and no more can wait in memory: make room there and start "
             "again; nothing was signed since",
             n->config->dir, err_text(n->driver.write_err));
    node_end(n, n->driver.write_err, why);
}

void store_retry(struct node *n)
{
    struct driver *d = &n->driver;
    if (!d->failed || d->retrying) {
        return;
    }
    if (must_end(n)) {
        end(n);
        return;
    }
    d->retry_work.data = n;
    d->retrying = uv_queue_work(&n->loop, &d->retry_work, retry_run, retry_done) == 0;
}
