/* What a start finds on the disk, and its way back into the core (CONSENSUS 8). */
#include <stdlib.h>

#include "tests/sim/sim.h"

enum { YOUNG_US = 2 * SECOND };

/* The journal is one step behind the record: that step was never sent. Its notarize and skip votes
 * are appended, its finalize votes are not. */
static void append_from_record(struct node *n)
{
    struct disk *d = &n->disk;
    const struct disk_record *r = &d->last;
    struct disk_step *t = disk_append(d, r->votes, 0);
    t->sequence = d->record;
    t->votes = 0;
    for (uint32_t i = 0; i < r->votes; i++) {
        if (r->vote[i].kind != VOTE_FINALIZE) {
            t->vote[t->votes++] = r->vote[i];
        }
    }
    d->journal = d->record;
}

void disk_verdict(struct sim *s, struct node *n, struct core_config *config)
{
    struct disk *d = &n->disk;
    bool young = s->now < 1 * SECOND + YOUNG_US;
    uint64_t highest = d->journal > d->record ? d->journal : d->record;
    config->ask_before_signing = !(highest == 0 && young);
    if (d->blank) {
        /* Above everything ever shown: the wall clock in us (E4). */
        d->journal = d->record = clock_wall_ms(s, n) * 1000;
        d->blank = false;
        d->amnesiac = true;
    } else if (d->record == d->journal + 1 && d->last.sequence == d->record) {
        append_from_record(n);
        config->ask_without_limit = true;
        account_mark(s->account, MARK_ONE_BEHIND);
    }
    config->observe_until_cleared = d->amnesiac;
    if (d->amnesiac) {
        config->ask_before_signing = false;
        config->ask_without_limit = false;
    }
}

/* ---- blocks that the journal names
 * ---------------------------------------------------------------- */

struct names {
    uint32_t block[1024];
    uint32_t n;
};

static void name_chain(struct sim *s, const struct node *n, struct names *names,
                       const struct hash *hash, uint64_t floor)
{
    uint32_t b = world_find(s, hash);
    while (b != NO_BLOCK && (n->holds[b] & HOLDS_HEAD) != 0 &&
           s->block[b].head.header.slot > floor) {
        for (uint32_t i = 0; i < names->n; i++) {
            if (names->block[i] == b) {
                return;
            }
        }
        if (names->n == sizeof names->block / sizeof *names->block) {
            sim_fail(s, SIM_BOUND, "a journal names too many blocks");
            return;
        }
        names->block[names->n++] = b;
        b = world_parent(s, b);
    }
}

static void restore_blocks(struct sim *s, struct node *n, struct names *names)
{
    for (uint32_t done = 0; done < names->n; done++) {
        uint32_t low = done;
        for (uint32_t i = done + 1; i < names->n; i++) {
            uint64_t slot = s->block[names->block[i]].head.header.slot;
            low = slot < s->block[names->block[low]].head.header.slot ? i : low;
        }
        uint32_t b = names->block[low];
        names->block[low] = names->block[done];
        names->block[done] = b;
        bool body = (n->holds[b] & HOLDS_BODY) != 0 || world_empty(&s->block[b]);
        if (core_restore_block(n->core, &s->block[b].head, body) != OK) {
            sim_fail(s, SIM_INVARIANT, "member %d: a stored block does not go back", n->member);
        }
    }
}

static uint64_t restore_final(struct sim *s, struct node *n)
{
    const struct disk_head *h = disk_last_head(n);
    if (h == NULL) {
        return 0;
    }
    const struct core_restored_final f = {.head = &s->block[h->block].head,
                                          .cert = &h->cert,
                                          .executed = true,
                                          .bench = h->bench,
                                          .bench_len = h->bench_len};
    if (core_restore_final(n->core, &f) != OK) {
        sim_fail(s, SIM_INVARIANT, "member %d: the final block does not go back", n->member);
    }
    n->holds[h->block] |= HOLDS_EXECUTED | HOLDS_HEAD | HOLDS_BODY;
    return h->slot;
}

static void restore_steps(struct sim *s, struct node *n, uint64_t floor)
{
    const struct disk *d = &n->disk;
    enum err err = OK;
    for (uint32_t k = 0; k < d->steps; k++) {
        const struct disk_step *t = &d->step[k];
        for (uint32_t i = 0; i < t->certs && err == OK; i++) {
            err = t->cert[i].slot > floor ? core_restore_certificate(n->core, &t->cert[i]) : OK;
        }
    }
    for (uint32_t k = 0; k < d->steps; k++) {
        const struct disk_step *t = &d->step[k];
        for (uint32_t i = 0; i < t->votes && err == OK; i++) {
            err = t->vote[i].slot > floor ? core_restore_vote(n->core, &t->vote[i]) : OK;
            oracle_durable(s, n, &t->vote[i], true);
        }
        if (t->proposing) {
            core_restore_proposing(n->core, t->proposing_turn);
        }
    }
    if (err != OK) {
        sim_fail(s, SIM_INVARIANT, "member %d: the journal does not go back: %s", n->member,
                 err_text(err));
    }
}

void disk_restore(struct sim *s, struct node *n)
{
    static struct names names;
    struct disk *d = &n->disk;
    uint64_t floor = restore_final(s, n);
    names.n = 0;
    for (uint32_t k = 0; k < d->steps; k++) {
        const struct disk_step *t = &d->step[k];
        for (uint32_t i = 0; i < t->votes; i++) {
            name_chain(s, n, &names, &t->vote[i].block, floor);
        }
        for (uint32_t i = 0; i < t->certs; i++) {
            name_chain(s, n, &names, &t->cert[i].block, floor);
        }
    }
    restore_blocks(s, n, &names);
    restore_steps(s, n, floor);
    if (d->floor != 0) {
        core_restore_floor(n->core, d->floor);
    }
    d->journal = d->record = d->journal > d->record ? d->journal : d->record;
    d->written = d->scheduled = d->journal;
    core_restore_sequence(n->core, d->journal);
    for (uint32_t i = 0; i < HEAD_LOG && i < d->heads; i++) {
        d->head[i].gate = 0;
    }
}
