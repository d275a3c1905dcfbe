#define _GNU_SOURCE
/* The disk as the core's steps see it (steps.h): given to, polled, failing, tried again. */
#include "sequencer/node/parts.h"

uint64_t store_waits_us(const struct node *n)
{
    const struct driver *d = &n->driver;
    return d->waiting_us == 0 ? 0 : driver_now() - d->waiting_us;
}

void store_failed(void *node, enum err err)
{
    struct node *n = node;
    char why[READY_SENTENCE];
    n->driver.write_err = err;
    n->driver.failed_us = driver_now();
    storage_explain(n->storage, why, sizeof why);
    log_write(LOG_ERROR, "storage", "cannot write: nothing is signed until the disk is back",
              LOG_STR("dir", n->config->dir),
              LOG_STR("error", why[0] != '\0' ? why : err_text(err)), NULL);
}

enum err store_submit(void *node, const struct journal_step *step, bool sync)
{
    struct node *n = node;
    struct driver *d = &n->driver;
    d->waiting_us = d->waiting_us == 0 ? driver_now() : d->waiting_us;
    return storage_submit_step(n->storage, step, sync);
}

bool store_poll(void *node, struct storage_done *done)
{
    struct node *n = node;
    struct driver *d = &n->driver;
    if (!storage_poll(n->storage, done)) {
        return false;
    }
    if (done->what == STORAGE_DONE_STEP && done->err == OK && !d->steps.lost_step) {
        metrics_observe(n->metrics, METRIC_PERSIST_SECONDS, 0, (double)done->took_us / 1e6);
        d->waiting_us = done->value < d->steps.submitted ? driver_now() : 0;
    }
    return true;
}

void store_drain(struct node *n)
{
    steps_drain(&n->driver.steps);
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
    n->closing--;
    if (status != 0 || d->retry_err != OK || d->closed) {
        return;
    }
    /* With the cause: on a full disk the line that told it may have found no room. */
    log_write(LOG_WARN, "storage", "the disk is back: everything that waited is durable",
              LOG_STR("was", err_text(d->write_err)),
              LOG_U64("forMs", (driver_now() - d->failed_us) / 1000), NULL);
    d->waiting_us = 0;
    steps_back(&d->steps, storage_sequence(n->storage));
}

/* What waits must not grow until something of it is lost: a hole in the stored chain would make
 * the next start impossible. After an end and a start the others have everything. */
static bool must_end(const struct node *n)
{
    return n->driver.steps.lost_step || storage_crowded(n->storage);
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
    if (!d->steps.failed || d->retrying) {
        return;
    }
    if (must_end(n)) {
        end(n);
        return;
    }
    d->retry_work.data = n;
    d->retrying = uv_queue_work(&n->loop, &d->retry_work, retry_run, retry_done) == 0;
    n->closing += d->retrying ? 1 : 0; /* a stop waits for it: it writes into what is closed next */
}
