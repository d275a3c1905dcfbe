/* States that will do the same become the same. What goes:
 *   time      every moment is now: TIMER is long enough for every limit, whenever it began;
 *   order     lists of records are sorted;
 *   numbers   of writes, builds, jitter, and of what only decides what is said again to whom.
 * The rest is the core's own digest (consensus/digest.c) and the disk. */
#include <string.h>

#include "proto/keccak.h"
#include "tests/explore/explore.h"

static void forget_times(struct core *c)
{
    c->now_us = c->entered_us = c->sent_status_us = BASE_US;
    c->config.start_us = BASE_US - AGE_US;
    c->deadline_us = c->resend_us = c->resend_wait_us = 0;
    c->write_us = c->disk_waited_us = 0;
    c->pending_us = c->quorum_since_us = c->amnesia_asked_us = 0;
    for (uint32_t i = 0; i < c->blocks_used; i++) {
        struct block_record *b = &c->block[c->block_list[i]];
        b->arrival_us = BASE_US;
        b->ready_us = b->ready_us == 0 ? 0 : BASE_US;
    }
    for (uint32_t i = 0; i < c->n; i++) {
        struct peer_state *p = &c->peer[i];
        p->heard_us = BASE_US;
        p->pending_us = p->lower_us = p->bundle_us = p->asked_us = 0;
        memset(&p->highest_vote, 0, sizeof p->highest_vote);
    }
}

static void forget_numbers(struct core *c)
{
    c->sequence = c->persisted = 1;
    c->random = 1;
    c->status_due = false;
    c->told_pending = c->pending;
    c->pending_turned_us = 0;
    c->executions = 0;
    c->builds = c->lead.build == 0 ? 0 : 1;
    c->lead.build = c->builds;
    c->lead.build_asked_us = BASE_US;
    memset(c->fetch, 0, sizeof c->fetch);
    for (uint32_t i = 0; i < c->turns_used; i++) {
        struct turn_record *t = &c->turn[c->turn_list[i]];
        t->proposing_seq = t->proposing ? 1 : 0;
        t->own_reason = t->own_reason < 0 ? -1 : 0;
    }
    for (uint32_t i = 0; i < c->blocks_used; i++) {
        c->block[c->block_list[i]].shown_by = -1;
    }
}

/* What was at work in the step that is over. */
static void forget_step(struct core *c)
{
    c->out = NULL;
    memset(c->step_vote, 0, sizeof c->step_vote);
    memset(&c->step_message, 0, sizeof c->step_message);
    memset(c->step_reason, 0, sizeof c->step_reason);
    memset(c->step_cert, 0, sizeof c->step_cert);
    memset(c->pending_own, 0, sizeof c->pending_own);
    c->step_votes = c->step_certs = 0;
    c->step_proposing_turn = 0;
    c->step_proposing = c->step_amnesiac = c->step_cleared = c->step_more = false;
    c->scratch_used = 0;
}

static bool before(const struct core *c, int table, uint32_t a, uint32_t b)
{
    if (table == 0) {
        return c->slot[a].slot < c->slot[b].slot;
    }
    if (table == 1) {
        return c->turn[a].turn < c->turn[b].turn;
    }
    const struct block_head *x = &c->block[a].head;
    const struct block_head *y = &c->block[b].head;
    return x->header.slot != y->header.slot ? x->header.slot < y->header.slot
                                            : memcmp(x->hash.b, y->hash.b, 32) < 0;
}

static void sort(const struct core *c, int table, uint32_t *list, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        for (uint32_t k = i; k > 0 && before(c, table, list[k], list[k - 1]); k--) {
            uint32_t keep = list[k];
            list[k] = list[k - 1];
            list[k - 1] = keep;
        }
    }
}

void normal_form(struct core *c)
{
    if (c->pending_own_n != 0) {
        broken("a step ends with a vote that is not durable");
    }
    forget_times(c);
    forget_numbers(c);
    forget_step(c);
    sort(c, 0, c->slot_list, c->slots_used);
    sort(c, 1, c->turn_list, c->turns_used);
    sort(c, 2, c->block_list, c->blocks_used);
}

struct hash machine_digest(struct machine *m, bool lives)
{
    struct keccak k;
    struct hash out;
    struct hash core = core_digest(m->core);
    const struct disk *d = &m->disk;
    keccak_init(&k);
    keccak_update(&k, core.b, sizeof core.b);
    keccak_update(&k, (const uint8_t *)d->vote, d->votes * sizeof d->vote[0]);
    keccak_update(&k, &d->crashes, 1);
    if (lives) {
        keccak_update(&k, (const uint8_t *)d, sizeof *d);
    }
    keccak_final(&k, &out);
    return out;
}
