#define _GNU_SOURCE
/* Blocks to the execution client, parents before children; errors are asked again (CONSENSUS 3). */
#include <utlist.h>

#include "sequencer/node/parts.h"

enum { RETRY_MIN_US = 50000, RETRY_MAX_US = 2000000 };

static void queue_add(struct node *n, struct block_entry *e)
{
    if (!e->in_queue) {
        e->in_queue = true;
        e->run_next = NULL;
        LL_APPEND2(n->executes.first, e, run_next);
    }
}

static void queue_drop(struct node *n, struct block_entry *e)
{
    if (e->in_queue) {
        LL_DELETE2(n->executes.first, e, run_next);
        e->in_queue = false;
    }
}

/* executed(parent): an EMPTY block is iff its own parent is. */
static bool parent_executed(struct node *n, const struct header *h)
{
    for (;;) {
        if (h->parent_slot == 0 || h->parent_slot <= n->finality.latest_slot) {
            return true;
        }
        const struct block_entry *p = blocks_find(n, &h->parent);
        if (p == NULL || !p->has_head) {
            return false;
        }
        if (!blocks_is_empty(&p->head.header)) {
            return p->run == ENTRY_VALID || p->done;
        }
        h = &p->head.header;
    }
}

static void tell(struct node *n, const struct block_entry *e, uint64_t took_us)
{
    struct event event = {.kind = EVENT_EXECUTED, .peer = -1};
    event.u.executed.block = e->hash;
    event.u.executed.verdict = e->run == ENTRY_VALID ? VERDICT_VALID : VERDICT_INVALID;
    event.u.executed.took_us = took_us;
    driver_give(n, event);
}

/* The core asks for no execution of EMPTY blocks: they are as their ancestors are. */
void execute_tell_empty(struct node *n, struct block_entry *e)
{
    e->run = ENTRY_VALID;
    tell(n, e, 0);
}

static void put_off(struct node *n, struct block_entry *e)
{
    e->run = ENTRY_WANTED;
    e->run_wait_us = e->run_wait_us == 0 ? RETRY_MIN_US : e->run_wait_us * 2;
    if (e->run_wait_us > RETRY_MAX_US) {
        e->run_wait_us = RETRY_MAX_US;
    }
    e->run_retry_us = driver_now() + e->run_wait_us;
    if (n->executes.retry_us == 0 || e->run_retry_us < n->executes.retry_us) {
        n->executes.retry_us = e->run_retry_us;
    }
    queue_add(n, e);
}

static void executed(void *arg, const struct execution_result *r)
{
    struct block_entry *e = arg;
    struct node *n = e->node;
    uint64_t took = driver_now() - e->run_started_us;
    health_client_answered(n);
    e->pins--;
    metrics_observe(n->metrics, METRIC_EXECUTION_SECONDS, n->book.op_label[1], (double)took / 1e6);
    if (r->status == EXECUTION_ERROR) {
        log_write(LOG_WARN, "execution", "no verdict on a block: asked again",
                  LOG_HASH("block", &e->hash), LOG_STR("why", r->why == NULL ? "" : r->why), NULL);
        put_off(n, e);
        return;
    }
    bool valid = r->status == EXECUTION_VALID;
    e->run = valid ? ENTRY_VALID : ENTRY_INVALID;
    e->has_info = valid && payload_info_decode(&e->info, bytes_of(r->info, r->info_len)) == OK;
    if (!valid) {
        log_write(LOG_ERROR, "execution", "block is INVALID here", LOG_HASH("block", &e->hash),
                  LOG_U64("slot", e->head.header.slot),
                  LOG_STR("why", r->why == NULL ? "" : r->why), NULL);
    }
    if (!valid) {
        build_verdict(n, e, false);
    }
    tell(n, e, took);
    execute_pump(n);
    finality_pump(n);
}

static void start(struct node *n, struct block_entry *e)
{
    const struct header *h = &e->head.header;
    struct execution_block b = {
        .parent = h->payload_parent,
        .height = h->height,
        .timestamp_ms = h->timestamp_ms,
        .fee_recipient = n->epoch.member[h->leader].address,
        .body = bytes_of(e->body, e->body_len),
        .tx = e->tx,
        .txs = e->txs,
    };
    e->run = ENTRY_RUNNING;
    e->run_started_us = driver_now();
    e->pins++;
    health_client_asked(n);
    n->execution.execute(n->execution.ctx, &b, &h->payload, &h->state_root, executed, e);
}

/* True when the entry left the queue. */
static bool pump_one(struct node *n, struct block_entry *e, uint64_t now)
{
    if (e->body_state == ENTRY_NONE) {
        blocks_load(n, &e->hash);
    }
    if (e->body_state == ENTRY_LOADED) {
        body_check(n, e);
        return true; /* the check pumps again; the queue may have changed */
    }
    if (e->done || e->body_state == ENTRY_BAD) {
        queue_drop(n, e);
        e->run = e->done ? e->run : ENTRY_NOT_RUN;
        return true;
    }
    if (e->body_state != ENTRY_GOOD || !link_is_level(n) ||
        !parent_executed(n, &e->head.header)) {
        return false;
    }
    if (e->run_retry_us > now) {
        n->executes.retry_us = n->executes.retry_us == 0 || e->run_retry_us < n->executes.retry_us
                                   ? e->run_retry_us
                                   : n->executes.retry_us;
        return false;
    }
    queue_drop(n, e);
    start(n, e);
    return true;
}

/* True when one left the queue: callbacks may have changed it, so the walk begins anew. */
static bool pump_any(struct node *n, uint64_t now)
{
    struct block_entry *e = n->executes.first;
    while (e != NULL) {
        struct block_entry *next = e->run_next;
        if (pump_one(n, e, now)) {
            return true;
        }
        e = next;
    }
    return false;
}

/* The client may answer before its call returns: then this is asked for from within itself. */
void execute_pump(struct node *n)
{
    struct executes *x = &n->executes;
    x->again = true;
    if (x->busy > 0 || n->driver.closed) {
        return;
    }
    x->busy++;
    uint64_t now = driver_now();
    x->retry_us = 0;
    while (x->again) {
        x->again = false;
        while (pump_any(n, now)) {
        }
    }
    x->busy--;
}

void execute_put_off(struct node *n)
{
    n->executes.busy++;
}

void execute_go_on(struct node *n)
{
    n->executes.busy--;
    if (n->executes.again) {
        execute_pump(n);
    }
}

void execute_want(struct node *n, struct block_entry *e)
{
    if (e->run == ENTRY_VALID || e->run == ENTRY_INVALID) {
        tell(n, e, 0);
        return;
    }
    if (e->run != ENTRY_NOT_RUN || !e->has_head || blocks_is_empty(&e->head.header)) {
        return;
    }
    e->run = ENTRY_WANTED;
    queue_add(n, e);
    execute_pump(n);
}
