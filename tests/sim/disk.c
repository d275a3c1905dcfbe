/* The disk of a node: a journal and a second record beside it (CONSENSUS 8), each durable after a
 * while of its own, in order; the record never more than one step ahead of the durable journal.
 * Heads, bodies and final blocks ride with the next step. */
#include <stdlib.h>

#include "tests/sim/sim.h"

enum { PRUNE = 96 };

void disk_free_step(struct disk_step *t)
{
    free(t->vote);
    t->vote = NULL;
}

static void free_all(struct disk *d)
{
    while (d->steps > 0) {
        disk_free_step(&d->step[--d->steps]);
    }
    while (d->copies > 0) {
        disk_free_step(&d->copy[--d->copies]);
    }
    free(d->copy);
    d->copy = NULL;
}

void disk_free(struct node *n)
{
    free_all(&n->disk);
    free(n->disk.step);
    free(n->disk.head);
}

void disk_reset(struct sim *s, struct node *n)
{
    struct disk *d = &n->disk;
    free_all(d);
    *d = (struct disk){.step = d->step, .cap = d->cap, .head = d->head};
    d->sync_us = s->plan->sync_us;
    d->dice = dice_of(s->plan->seed, DICE_DISK, (uint64_t)n->index);
}

struct disk_step *disk_append(struct disk *d, uint32_t votes, uint32_t certs)
{
    if (d->steps == d->cap) {
        d->cap = d->cap == 0 ? 256 : 2 * d->cap;
        d->step = realloc(d->step, d->cap * sizeof *d->step);
    }
    size_t votes_size = (votes * sizeof(struct vote) + 15) / 16 * 16;
    uint8_t *memory = malloc(votes_size + certs * sizeof(struct certificate) + 1);
    if (d->step == NULL || memory == NULL) {
        abort();
    }
    struct disk_step *t = &d->step[d->steps++];
    void *behind = memory + votes_size;
    *t = (struct disk_step){.votes = votes, .certs = certs};
    t->vote = (void *)memory;
    t->cert = behind;
    return t;
}

uint64_t disk_persisted(const struct node *n)
{
    return n->disk.journal < n->disk.record ? n->disk.journal : n->disk.record;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void schedule(struct sim *s, struct node *n, uint64_t sequence)
{
    struct disk *d = &n->disk;
    uint64_t before = d->journal_times[(sequence - 1) % 8];
    uint64_t sync = d->sync_us + dice_below(&d->dice, d->sync_us / 4 + 1);
    d->journal_at = later(s->now, d->journal_at) + sync;
    d->record_at = later(later(s->now, d->record_at), before) + d->sync_us / 2 +
                   dice_below(&d->dice, d->sync_us + 1);
    d->journal_times[sequence % 8] = d->journal_at;
    d->scheduled = sequence;
    struct sim_event e = {.at = d->journal_at,
                          .kind = SIM_JOURNAL,
                          .to = (int8_t)n->index,
                          .life = n->life,
                          .value = sequence};
    queue_push(s, e);
    e.kind = SIM_RECORD;
    e.at = d->record_at;
    queue_push(s, e);
}

/* Two proposing marks always stay (storage/steps.c). */
static uint64_t second_mark(const struct disk *d)
{
    uint32_t seen = 0;
    for (uint32_t k = d->steps; k-- > 0;) {
        seen += d->step[k].proposing;
        if (seen == 2) {
            return d->step[k].sequence;
        }
    }
    return 0;
}

static void prune(struct node *n)
{
    struct disk *d = &n->disk;
    const struct disk_head *h = disk_last_head(n);
    uint64_t mark = second_mark(d);
    uint32_t kept = 0;
    for (uint32_t k = 0; k < d->steps; k++) {
        struct disk_step *t = &d->step[k];
        bool above = h == NULL || (t->proposing && t->sequence >= mark) ||
                     t->sequence + 2 > d->journal || t->sequence + 2 > d->record;
        for (uint32_t i = 0; i < t->votes; i++) {
            above |= t->vote[i].slot > h->slot;
        }
        if (above || h->gate > d->journal) {
            d->step[kept++] = *t;
        } else {
            disk_free_step(t);
        }
    }
    d->steps = kept;
}

void disk_write(struct sim *s, struct node *n, const struct effect *e)
{
    struct disk *d = &n->disk;
    if (d->steps >= PRUNE) {
        prune(n);
    }
    struct disk_step *t = disk_append(d, e->u.persist.votes, e->u.persist.certs);
    t->sequence = e->u.persist.sequence;
    t->amnesiac = e->u.persist.amnesiac;
    t->cleared = e->u.persist.cleared;
    t->clearing_slot = e->u.persist.clearing_slot;
    t->proposing = e->u.persist.proposing;
    t->proposing_turn = e->u.persist.proposing_turn;
    if (t->votes > 0) {
        memcpy(t->vote, e->u.persist.vote, t->votes * sizeof *t->vote);
    }
    for (uint32_t i = 0; i < t->certs; i++) {
        t->cert[i] = *e->u.persist.cert[i];
    }
    d->written = t->sequence;
    if (d->failing > 0) {
        queue_push(s, (struct sim_event){.at = s->now,
                                         .kind = SIM_WRITE_FAILED,
                                         .to = (int8_t)n->index,
                                         .life = n->life});
        return;
    }
    schedule(s, n, t->sequence);
}

/* The disk is back: what failed is written again, in order. */
static void write_again(struct sim *s, struct node *n)
{
    struct disk *d = &n->disk;
    d->told = false;
    account_mark(s->account, MARK_DISK_BACK);
    for (uint64_t q = d->scheduled + 1; q <= d->written; q++) {
        schedule(s, n, q);
    }
}

void disk_fails(struct sim *s, struct node *n, bool begin)
{
    struct disk *d = &n->disk;
    if (begin) {
        d->failing++;
        return;
    }
    if (d->failing > 0 && --d->failing == 0 && n->up && d->scheduled < d->written) {
        write_again(s, n);
    }
}

static void step_durable(struct sim *s, struct node *n, const struct disk_step *t)
{
    struct disk *d = &n->disk;
    if (t->amnesiac) {
        d->amnesiac = true;
    }
    if (t->cleared) {
        d->amnesiac = false;
        d->floor = t->clearing_slot;
        account_mark(s->account, MARK_CLEARED);
    }
    for (uint32_t i = 0; i < t->votes; i++) {
        oracle_durable(s, n, &t->vote[i], true);
    }
}

void disk_durable(struct sim *s, struct node *n, bool journal, uint64_t sequence)
{
    struct disk *d = &n->disk;
    uint64_t before = disk_persisted(n);
    if (journal) {
        d->journal = later(d->journal, sequence);
    } else {
        d->record = later(d->record, sequence);
    }
    uint64_t now = disk_persisted(n);
    if (now == before) {
        return;
    }
    for (uint32_t k = d->steps; k-- > 0 && d->step[k].sequence > before;) {
        if (d->step[k].sequence <= now) {
            step_durable(s, n, &d->step[k]);
        }
    }
    node_release(s, n);
    struct event ev = {.kind = EVENT_PERSISTED, .peer = -1};
    ev.u.persisted = now;
    node_step(s, n, &ev);
}

/* ---- what rides with the next step
 * ---------------------------------------------------------------- */

void disk_body(struct sim *s, struct node *n, uint32_t block)
{
    (void)s;
    if ((n->holds[block] & HOLDS_BODY) == 0) {
        n->holds[block] |= HOLDS_BODY;
        n->body_gate[block] = n->disk.written + 1;
    }
}

struct disk_head *disk_head(struct node *n)
{
    struct disk *d = &n->disk;
    struct disk_head *at = &d->head[d->heads++ % HEAD_LOG];
    at->gate = d->written + 1;
    return at;
}

const struct disk_head *disk_last_head(const struct node *n)
{
    return n->disk.heads == 0 ? NULL : &n->disk.head[(n->disk.heads - 1) % HEAD_LOG];
}
