/* What a disk loses when its process or its machine stops, and disks that are replaced. */
#include <stdlib.h>

#include "tests/sim/sim.h"

static void keep_record(struct disk *d, uint64_t sequence)
{
    d->last.sequence = 0;
    for (uint32_t k = 0; k < d->steps && sequence != 0; k++) {
        const struct disk_step *t = &d->step[k];
        if (t->sequence == sequence) {
            d->last.sequence = sequence;
            d->last.votes = t->votes;
            memcpy(d->last.vote, t->vote, t->votes * sizeof *t->vote);
        }
    }
}

/* Votes of steps that are lost have never left: the oracle forgets them. */
static void drop_steps(struct sim *s, struct node *n, uint64_t journal, uint64_t record)
{
    struct disk *d = &n->disk;
    keep_record(d, record > journal ? record : 0);
    while (d->steps > 0 && d->step[d->steps - 1].sequence > journal) {
        struct disk_step *t = &d->step[--d->steps];
        for (uint32_t i = 0; i < t->votes; i++) {
            if (t->sequence != d->last.sequence || t->vote[i].kind == VOTE_FINALIZE) {
                oracle_forget(s, n, &t->vote[i]);
            }
        }
        disk_free_step(t);
        account_mark(s->account, MARK_LOST_STEP);
    }
}

static void drop_heads(struct disk *d)
{
    uint32_t seen = 0;
    while (d->heads > 0 && d->head[(d->heads - 1) % HEAD_LOG].gate > d->journal) {
        d->heads--;
        if (++seen == HEAD_LOG) {
            d->heads = 0;
        }
    }
}

static void drop_bodies(struct sim *s, struct node *n, enum disk_loss loss)
{
    for (uint32_t i = 0; i < s->blocks; i++) {
        bool lost = loss != LOSE_LITTLE && n->body_gate[i] > n->disk.journal;
        n->holds[i] &= lost ? 0 : HOLDS_BODY | HOLDS_HEAD;
        n->body_gate[i] = 0;
    }
}

void disk_stop(struct sim *s, struct node *n, enum disk_loss loss)
{
    struct disk *d = &n->disk;
    uint64_t journal = d->journal;
    uint64_t record = d->record;
    uint64_t handed = d->failing > 0 && d->scheduled < d->written ? d->scheduled : d->written;
    if (loss != LOSE_UNSYNCED && handed > journal) {
        journal += dice_below(&d->dice, handed - journal + 1);
        s->account->marks[MARK_TORN_STEP] += journal > d->journal;
    }
    if (record < handed && record <= d->journal && dice_chance(&d->dice, 500) &&
        loss != LOSE_UNSYNCED) {
        record++;
    }
    record = record > journal + 1 ? journal + 1 : record;
    drop_steps(s, n, journal, record);
    d->journal = journal;
    d->record = record;
    d->journal_at = d->record_at = 0;
    memset(d->journal_times, 0, sizeof d->journal_times);
    d->told = false;
    drop_bodies(s, n, loss);
    drop_heads(d);
}

/* ---- other disks ------------------------------------------------------------------------------
 */

void disk_blank(struct sim *s, struct node *n)
{
    struct disk *d = &n->disk;
    while (d->steps > 0) {
        disk_free_step(&d->step[--d->steps]);
    }
    memset(n->holds, 0, s->blocks);
    d->last.sequence = 0;
    d->heads = 0;
    d->floor = 0;
    d->blank = true;
    d->amnesiac = true;
}

static void copy_step(struct disk_step *to, const struct disk_step *from)
{
    struct disk one = {0};
    struct disk_step *t = disk_append(&one, from->votes, from->certs);
    struct vote *vote = t->vote;
    struct certificate *cert = t->cert;
    memcpy(vote, from->vote, from->votes * sizeof *vote);
    memcpy(cert, from->cert, from->certs * sizeof *cert);
    *to = *from;
    to->vote = vote;
    to->cert = cert;
    free(one.step);
}

void disk_copy(struct sim *s, struct node *n)
{
    (void)s;
    struct disk *d = &n->disk;
    while (d->copies > 0) {
        disk_free_step(&d->copy[--d->copies]);
    }
    free(d->copy);
    d->copy = calloc(d->steps + 1, sizeof *d->copy);
    if (d->copy == NULL) {
        abort();
    }
    for (uint32_t k = 0; k < d->steps && d->step[k].sequence <= d->journal; k++) {
        copy_step(&d->copy[d->copies++], &d->step[k]);
    }
    d->copy_journal = d->journal;
    d->copy_floor = d->floor;
    d->copy_amnesiac = d->amnesiac;
    d->has_copy = !d->blank;
    d->copy_head.slot = 0;
    for (uint32_t k = 0; k < HEAD_LOG && k < d->heads; k++) {
        const struct disk_head *h = &d->head[(d->heads - 1 - k) % HEAD_LOG];
        if (h->gate <= d->journal) {
            d->copy_head = *h;
            break;
        }
    }
}

/* While the node is down. The record comes from the same copy, so that nothing looks wrong. */
void disk_restore_copy(struct sim *s, struct node *n)
{
    struct disk *d = &n->disk;
    (void)s;
    if (!d->has_copy) {
        return;
    }
    while (d->steps > 0) {
        disk_free_step(&d->step[--d->steps]);
    }
    for (uint32_t k = 0; k < d->copies; k++) {
        struct disk_step *t = disk_append(d, d->copy[k].votes, d->copy[k].certs);
        disk_free_step(t);
        copy_step(t, &d->copy[k]);
    }
    d->last.sequence = 0;
    d->journal = d->record = d->copy_journal;
    d->floor = d->copy_floor;
    d->amnesiac = d->copy_amnesiac;
    d->heads = 0;
    if (d->copy_head.slot != 0) {
        d->head[0] = d->copy_head;
        d->heads = 1;
    }
}
