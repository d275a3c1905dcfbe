/* What a crash leaves of the files; copies and decay. */
#include "tests/sim/media.h"

#include <stdlib.h>
#include <string.h>

/* ---- a crash --------------------------------------------------------------------------------- */

static void take_back(struct media_file *f, const struct media_write *w)
{
    memcpy(f->bytes + w->at, w->bytes + w->n, w->n);
    f->size = w->old_size;
}

static void put_sectors(struct media *m, struct media_file *f, const struct media_write *w)
{
    bool whole = dice_chance(m->dice, 400);
    for (uint64_t at = w->at; at < w->at + w->n;) {
        uint64_t next = (at / MEDIA_SECTOR + 1) * MEDIA_SECTOR;
        next = next < w->at + w->n ? next : w->at + w->n;
        if (whole || dice_chance(m->dice, 500)) {
            media_size_up(f, next);
            memcpy(f->bytes + at, w->bytes + (at - w->at), next - at);
        }
        at = next;
    }
}

static void put_back(struct media_file *f, const struct media_write *w)
{
    media_size_up(f, w->at + w->n);
    memcpy(f->bytes + w->at, w->bytes, w->n);
}

/* Power fails: all that is not durable is in doubt, later writes no more than earlier ones. */
static void lose(struct media *m, struct media_file *f, uint64_t now, bool some)
{
    uint32_t first = 0;
    while (first < f->writes && f->write[first].durable_us <= now) {
        first++;
    }
    for (uint32_t i = f->writes; i-- > first;) {
        take_back(f, &f->write[i]);
    }
    for (uint32_t i = first; i < f->writes; i++) {
        const struct media_write *w = &f->write[i];
        if (w->durable_us <= now) {
            put_back(f, w); /* above one that is lost */
        } else if (some && !w->lost && dice_chance(m->dice, 700)) {
            put_sectors(m, f, w);
        }
    }
}

/* As Linux has it: pages that could not be written count as clean, whether they are dropped or kept.
 * So no later sync has anything to do for them, and they read as new until the machine stops, or as
 * old at once; some sectors did get there. RocksDB's own files may have had the same. */
void media_sync_failed(struct media *m, struct media_file *f)
{
    bool dropped = dice_chance(m->dice, 500);
    uint32_t first = f->writes;
    m->tables.stopped = m->tables.stopped || dice_chance(m->dice, 500);
    while (first > 0 && f->write[first - 1].durable_us == UINT64_MAX) {
        f->write[--first].lost = true;
        if (dropped) {
            take_back(f, &f->write[first]);
        }
    }
    m->lost_some |= !dropped && first < f->writes;
    m->dropped_some |= dropped && first < f->writes;
    while (dropped && f->writes > first) {
        if (dice_chance(m->dice, 300)) {
            put_sectors(m, f, &f->write[first]);
        }
        free(f->write[first].bytes);
        f->writes--;
        memmove(f->write + first, f->write + first + 1, (f->writes - first) * sizeof *f->write);
    }
}

void media_crash(struct media *m, uint64_t now, enum media_loss loss)
{
    for (int i = 0; i < MEDIA_FILES; i++) {
        struct media_file *f = &m->file[i];
        while (f->writes > 0 && f->write[f->writes - 1].issued_us > now) {
            take_back(f, &f->write[f->writes - 1]);
            free(f->write[--f->writes].bytes);
        }
        if (loss != MEDIA_LOSE_PROCESS) {
            lose(m, f, now, loss == MEDIA_LOSE_SOME);
            media_forget_writes(f, f->writes);
        }
    }
    media_tables_crash(m, now);
}

/* ---- copies and decay ------------------------------------------------------------------------ */

void media_clone(struct media *to, const struct media *from, uint64_t now)
{
    for (int i = 0; i < MEDIA_FILES; i++) {
        struct media_file *f = &to->file[i];
        const struct media_file *of = &from->file[i];
        f->made = of->made;
        media_size_up(f, of->size);
        if (of->size > 0) {
            memcpy(f->bytes, of->bytes, of->size);
        }
        for (uint32_t k = of->writes; k-- > 0 && of->write[k].issued_us > now;) {
            take_back(f, &of->write[k]);
        }
    }
    media_tables_clone(&to->tables, &from->tables);
    media_tables_crash(to, now);
}

bool media_flip(struct media *m, uint64_t where)
{
    uint32_t place = (uint32_t)(where % (MEDIA_FILES + 1));
    where /= MEDIA_FILES + 1;
    if (place == MEDIA_FILES) {
        return media_tables_flip(&m->tables);
    }
    struct media_file *f = &m->file[place];
    if (f->size == 0) {
        return false;
    }
    f->bytes[where / 8 % f->size] ^= (uint8_t)(1u << where % 8);
    return true;
}
