/* What a disk loses when its process or its machine stops, and disks that are replaced. */
#include <stdlib.h>

#include "storage/storage.h"
#include "tests/sim/sim.h"

enum { GATHER_US = 5 * MS }; /* storage/writer.h: the longest that anything waits for company */

static enum media_loss loss_of(enum disk_loss loss)
{
    return loss == LOSE_LITTLE     ? MEDIA_LOSE_PROCESS
           : loss == LOSE_UNSYNCED ? MEDIA_LOSE_UNSYNCED
                                   : MEDIA_LOSE_SOME;
}

/* The storage thread got some way with what had just been given to it. */
static void last_turn(struct sim *s, struct node *n)
{
    struct disk *d = &n->disk;
    if (s->now >= d->busy_us && !d->told && dice_chance(&d->dice, 500)) {
        disk_begin(s, n);
        d->media.hurry_us = GATHER_US;
        (void)storage_turn(d->room);
        account_mark(s->account, MARK_LAST_TURN);
    }
}

/* Stopped in order: everything is written, and the record says so. */
static bool stops_in_order(struct sim *s, struct node *n)
{
    struct disk *d = &n->disk;
    if (s->now < d->busy_us || d->told || d->failing > 0 || !dice_chance(&d->dice, 200)) {
        return false;
    }
    disk_begin(s, n);
    storage_close(d->room);
    d->room = NULL;
    media_settle(&d->media);
    account_mark(s->account, MARK_CLEAN_STOP);
    return true;
}

void disk_stop(struct sim *s, struct node *n, enum disk_loss loss)
{
    struct disk *d = &n->disk;
    if (d->room != NULL && (loss != LOSE_LITTLE || !stops_in_order(s, n))) {
        if (loss != LOSE_UNSYNCED) {
            last_turn(s, n);
        }
        disk_close(d);
    }
    media_crash(&d->media, s->now, loss_of(loss));
    d->busy_us = d->due_us = 0;
    d->poked = d->told = d->back = d->doomed = d->broken = d->heard = false;
}

/* ---- other disks ------------------------------------------------------------------------------
 */

/* While the node is down: everything is gone, or the database alone, or the record alone. */
void disk_blank(struct sim *s, struct node *n)
{
    struct disk *d = &n->disk;
    uint64_t what = dice_below(&d->dice, 3);
    (void)s;
    if (what != 2) {
        media_wipe_tables(&d->media);
    }
    if (what != 1) {
        media_wipe_file(&d->media, MEDIA_SAFETY);
    }
    d->made_anew = !d->media.tables.made && !d->media.file[MEDIA_SAFETY].made;
    d->unsure = d->own_amnesia = true;
}

void disk_copy(struct sim *s, struct node *n)
{
    struct disk *d = &n->disk;
    if (d->copy != NULL) {
        media_wipe(d->copy);
        free(d->copy);
    }
    d->copy = NULL;
    if (!d->media.tables.made || !d->media.file[MEDIA_SAFETY].made) {
        return; /* it waits for its operator */
    }
    d->copy = calloc(1, sizeof *d->copy);
    if (d->copy == NULL) {
        abort();
    }
    media_init(d->copy, &d->dice);
    media_clone(d->copy, &d->media, s->now);
    d->copy_amnesia = d->own_amnesia;
}

/* While the node is down. The record comes from the same copy, so that nothing looks wrong. */
void disk_restore_copy(struct sim *s, struct node *n)
{
    struct disk *d = &n->disk;
    (void)s;
    if (d->copy == NULL) {
        return;
    }
    media_wipe(&d->media);
    d->media = *d->copy;
    d->media.io.ctx = &d->media;
    free(d->copy);
    d->copy = NULL;
    d->unsure = true;
    d->made_anew = false;
    d->own_amnesia = d->copy_amnesia;
}

void disk_flip(struct sim *s, struct node *n, uint64_t where)
{
    struct disk *d = &n->disk;
    if (media_flip(&d->media, where)) {
        account_mark(s->account, MARK_FLIPPED);
        d->unsure = d->own_amnesia = true;
    }
}
