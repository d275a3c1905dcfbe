/* A store in RocksDB's place, below the room's log: in order, in memory, without a log. A crash
 * leaves the state after some commit, at least the last one that was flushed; in the middle of a
 * flush each family stands before or after it. */
#include "tests/sim/media.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/kv_redo.h"

struct kv_iter {
    const struct media_family *family;
    uint32_t at; /* UINT32_MAX: before the first */
};

static struct media *used;

void media_use(struct media *m)
{
    used = m;
}

/* ---- entries --------------------------------------------------------------------------------- */

static int compare(const struct media_entry *e, struct bytes key)
{
    size_t n = e->key_n < key.n ? e->key_n : key.n;
    int order = n == 0 ? 0 : memcmp(e->bytes, key.p, n);
    return order != 0 ? order : e->key_n < key.n ? -1 : e->key_n > key.n;
}

/* The first that is not below. */
static uint32_t find(const struct media_family *f, struct bytes key)
{
    uint32_t low = 0;
    uint32_t high = f->n;
    if (f->n > 0 && compare(f->entry[f->n - 1], key) < 0) {
        return f->n;
    }
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (compare(f->entry[mid], key) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static struct media_entry *entry_of(struct bytes key, struct bytes value)
{
    struct media_entry *e = malloc(sizeof *e + key.n + value.n);
    if (e == NULL) {
        abort();
    }
    e->key_n = key.n;
    e->n = value.n;
    if (key.n > 0) {
        memcpy(e->bytes, key.p, key.n);
    }
    if (value.n > 0) {
        memcpy(e->bytes + key.n, value.p, value.n);
    }
    return e;
}

/* Puts `e` where `key` belongs, or takes away what is there (NULL): what was there. */
static struct media_entry *set(struct media_family *f, struct bytes key, struct media_entry *e)
{
    uint32_t at = find(f, key);
    bool there = at < f->n && compare(f->entry[at], key) == 0;
    struct media_entry *old = there ? f->entry[at] : NULL;
    if (there && e == NULL) {
        memmove(f->entry + at, f->entry + at + 1, (--f->n - at) * sizeof(struct media_entry *));
    } else if (there) {
        f->entry[at] = e;
    } else if (e != NULL) {
        f->entry = media_grow(f->entry, &f->cap, f->n + 1, sizeof(struct media_entry *));
        memmove(f->entry + at + 1, f->entry + at, (f->n++ - at) * sizeof(struct media_entry *));
        f->entry[at] = e;
    }
    return old;
}

static void change(struct media_tables *t, uint32_t family, struct bytes key,
                   struct media_entry *now)
{
    struct media_entry *old = set(&t->family[family], key, now);
    if (old == NULL && now == NULL) {
        return;
    }
    t->change = media_grow(t->change, &t->changes_cap, t->changes + 1, sizeof *t->change);
    t->change[t->changes++] = (struct media_change){family, t->commits, old, now};
}

static void begin_commit(struct media *m)
{
    struct media_tables *t = &m->tables;
    t->commits++;
    t->issued_us = media_grow(t->issued_us, &t->issued_cap, t->issued_n + 1, sizeof *t->issued_us);
    t->issued_us[t->issued_n++] = m->log_us;
}

/* ---- the store ------------------------------------------------------------------------------- */

static enum err tables_commit(void *ctx, const struct kv_put *puts, size_t n, bool sync)
{
    struct media *m = ctx;
    (void)sync;
    if (m->dead || m->tables.stopped) {
        return ERR_IO;
    }
    begin_commit(m);
    for (size_t i = 0; i < n; i++) {
        change(&m->tables, puts[i].family, puts[i].key,
               puts[i].erase ? NULL : entry_of(puts[i].key, puts[i].value));
    }
    return OK;
}

static enum err tables_flush(void *ctx)
{
    struct media *m = ctx;
    struct media_tables *t = &m->tables;
    t->stopped |= m->sync_fails && !m->dead;
    if (m->dead || m->full || t->stopped) {
        return m->full ? ERR_NO_SPACE : ERR_IO;
    }
    struct media_flush f = {.upto = t->commits, .from_us = m->log_us};
    m->log_us += 2 * m->sync_us + dice_below(m->dice, 2 * m->sync_us + 1);
    f.done_us = m->log_us;
    t->flush = media_grow(t->flush, &t->flushes_cap, t->flushes + 1, sizeof f);
    t->flush[t->flushes++] = f;
    return OK;
}

static void tables_explain(void *ctx, char *out, size_t n)
{
    (void)ctx;
    (void)snprintf(out, n, "%s", "");
}

static enum err tables_get(void *ctx, uint32_t family, struct bytes key, uint8_t **out,
                           size_t *out_n)
{
    const struct media *m = ctx;
    const struct media_family *f = &m->tables.family[family];
    uint32_t at = find(f, key);
    if (at == f->n || compare(f->entry[at], key) != 0) {
        return ERR_NOT_FOUND;
    }
    const struct media_entry *e = f->entry[at];
    *out = malloc(e->n + 1);
    if (*out == NULL) {
        return ERR_NO_MEMORY;
    }
    memcpy(*out, e->bytes + e->key_n, e->n);
    *out_n = e->n;
    return OK;
}

static struct kv_iter *iter_at(const struct media *m, uint32_t family, uint32_t at)
{
    struct kv_iter *it = malloc(sizeof *it);
    if (it != NULL) {
        *it = (struct kv_iter){&m->tables.family[family], at};
    }
    return it;
}

static struct kv_iter *tables_seek(void *ctx, uint32_t family, struct bytes from)
{
    const struct media *m = ctx;
    return iter_at(m, family, find(&m->tables.family[family], from));
}

static struct kv_iter *tables_seek_back(void *ctx, uint32_t family, struct bytes from)
{
    const struct media *m = ctx;
    const struct media_family *f = &m->tables.family[family];
    uint32_t at = find(f, from);
    bool same = at < f->n && compare(f->entry[at], from) == 0;
    return iter_at(m, family, same ? at : at - 1);
}

static bool tables_valid(struct kv_iter *it, struct bytes *key, struct bytes *value)
{
    if (it->at >= it->family->n) {
        return false;
    }
    const struct media_entry *e = it->family->entry[it->at];
    *key = bytes_of(e->bytes, e->key_n);
    *value = bytes_of(e->bytes + e->key_n, e->n);
    return true;
}

static void tables_next(struct kv_iter *it)
{
    it->at++;
}

static enum err tables_done(struct kv_iter *it)
{
    free(it);
    return OK;
}

static enum err tables_erase_range(void *ctx, uint32_t family, struct bytes from, struct bytes to)
{
    struct media *m = ctx;
    struct media_family *f = &m->tables.family[family];
    uint32_t at = find(f, from);
    if (m->dead) {
        return ERR_IO;
    }
    begin_commit(m);
    while (at < f->n && compare(f->entry[at], to) < 0) {
        const struct media_entry *e = f->entry[at];
        change(&m->tables, family, bytes_of(e->bytes, e->key_n), NULL);
    }
    return OK;
}

/* RocksDB writes its tables when it is closed, if it can, and then all families at one point. If
 * not, what was in its memory alone is gone. */
static void tables_close(void *ctx)
{
    struct media *m = ctx;
    struct media_tables *t = &m->tables;
    if (tables_flush(ctx) == OK) {
        t->flush[t->flushes - 1].whole = true;
    } else if (!m->dead) {
        media_tables_crash(m, media_end(m));
    }
}

static enum err open_tables(struct kv *out, const char *path, bool create,
                            const char *const *families, size_t n, char *why, size_t why_len)
{
    (void)path;
    (void)families;
    struct media *m = used;
    if (n > MEDIA_FAMILIES || (!m->tables.made && !create)) {
        return ERR_NOT_FOUND;
    }
    if (m->dead || m->tables.damaged) {
        (void)snprintf(why, why_len, "a checksum does not fit");
        return m->dead ? ERR_IO : ERR_CORRUPT;
    }
    m->tables.made = true;
    m->tables.stopped = false;
    *out = (struct kv){.ctx = m,
                       .commit = tables_commit,
                       .flush = tables_flush,
                       .explain = tables_explain,
                       .get = tables_get,
                       .seek = tables_seek,
                       .seek_back = tables_seek_back,
                       .valid = tables_valid,
                       .next = tables_next,
                       .done = tables_done,
                       .erase_range = tables_erase_range,
                       .close = tables_close};
    return OK;
}

enum err media_open(struct kv *out, const char *path, bool create, const char *const *families,
                    size_t n, char *why, size_t why_len)
{
    const struct kv_redo_base base = {
        .open = open_tables, .io = &used->io, .log_bytes = MEDIA_LOG_BYTES};
    return kv_redo_open_on(out, &base, path, create, families, n, why, why_len);
}

/* ---- what lasts ------------------------------------------------------------------------------ */

static void make_durable(struct media_tables *t, uint64_t upto)
{
    uint32_t over = 0;
    while (over < t->changes && t->change[over].commit <= upto) {
        free(t->change[over++].old);
    }
    if (over > 0) {
        memmove(t->change, t->change + over, (t->changes - over) * sizeof *t->change);
        t->changes -= over;
    }
    uint32_t gone = upto < t->first ? 0 : (uint32_t)(upto + 1 - t->first);
    gone = gone < t->issued_n ? gone : t->issued_n;
    if (gone > 0) {
        memmove(t->issued_us, t->issued_us + gone, (t->issued_n - gone) * sizeof *t->issued_us);
        t->issued_n -= gone;
        t->first += gone;
    }
}

void media_tables_flushed(struct media_tables *t, uint64_t now_us)
{
    uint32_t over = 0;
    while (over < t->flushes && t->flush[over].done_us <= now_us) {
        make_durable(t, t->flush[over++].upto);
    }
    t->flushes -= over;
    if (over > 0 && t->flushes > 0) {
        memmove(t->flush, t->flush + over, t->flushes * sizeof *t->flush);
    }
}

/* The last commit that a table may hold, of each family; a flush may be under way. */
static void choose(struct media *m, uint64_t now_us, uint64_t keep[MEDIA_FAMILIES])
{
    struct media_tables *t = &m->tables;
    uint32_t issued = 0;
    while (issued < t->issued_n && t->issued_us[issued] <= now_us) {
        issued++;
    }
    uint64_t upto = t->first - 1 + dice_below(m->dice, (uint64_t)issued + 1);
    const struct media_flush none = {.upto = 0};
    const struct media_flush *f =
        t->flushes > 0 && t->flush[0].from_us <= now_us ? &t->flush[0] : &none;
    bool over = false;
    for (int i = 0; i < MEDIA_FAMILIES; i++) {
        over = i > 0 && f->whole ? over : dice_chance(m->dice, 500);
        keep[i] = upto < f->upto && over ? f->upto : upto;
    }
}

void media_tables_crash(struct media *m, uint64_t now_us)
{
    struct media_tables *t = &m->tables;
    uint64_t keep[MEDIA_FAMILIES];
    media_tables_flushed(t, now_us);
    choose(m, now_us, keep);
    while (t->changes > 0) {
        struct media_change *c = &t->change[--t->changes];
        struct media_entry *named = c->now != NULL ? c->now : c->old;
        if (c->commit <= keep[c->family]) {
            free(c->old);
            continue;
        }
        free(set(&t->family[c->family], bytes_of(named->bytes, named->key_n), c->old));
    }
    t->flushes = 0;
    t->first = t->commits + 1;
    t->issued_n = 0;
}

void media_tables_free(struct media_tables *t)
{
    for (uint32_t i = 0; i < t->changes; i++) {
        free(t->change[i].old);
    }
    for (int k = 0; k < MEDIA_FAMILIES; k++) {
        for (uint32_t i = 0; i < t->family[k].n; i++) {
            free(t->family[k].entry[i]);
        }
        free(t->family[k].entry);
    }
    free(t->change);
    free(t->issued_us);
    free(t->flush);
    *t = (struct media_tables){.first = 1};
}

static struct media_entry *entry_copy(const struct media_entry *e)
{
    return e == NULL ? NULL
                     : entry_of(bytes_of(e->bytes, e->key_n), bytes_of(e->bytes + e->key_n, e->n));
}

void media_tables_clone(struct media_tables *to, const struct media_tables *from)
{
    to->made = from->made;
    to->damaged = from->damaged;
    to->first = from->first;
    to->commits = from->commits;
    to->flush = media_grow(NULL, &to->flushes_cap, from->flushes + 1, sizeof *to->flush);
    to->flushes = from->flushes;
    if (from->flushes > 0) {
        memcpy(to->flush, from->flush, from->flushes * sizeof *to->flush);
    }
    to->issued_us = media_grow(NULL, &to->issued_cap, from->issued_n + 1, sizeof *to->issued_us);
    to->issued_n = from->issued_n;
    if (from->issued_n > 0) {
        memcpy(to->issued_us, from->issued_us, from->issued_n * sizeof *to->issued_us);
    }
    for (int k = 0; k < MEDIA_FAMILIES; k++) {
        struct media_family *f = &to->family[k];
        f->entry = media_grow(NULL, &f->cap, from->family[k].n + 1, sizeof(struct media_entry *));
        f->n = from->family[k].n;
        for (uint32_t i = 0; i < f->n; i++) {
            f->entry[i] = entry_copy(from->family[k].entry[i]);
        }
    }
    to->change = media_grow(NULL, &to->changes_cap, from->changes + 1, sizeof *to->change);
    to->changes = from->changes;
    for (uint32_t i = 0; i < from->changes; i++) {
        to->change[i] = from->change[i];
        to->change[i].old = entry_copy(from->change[i].old);
    }
}

/* Tables have checksums of their own: whoever opens them is told. */
bool media_tables_flip(struct media_tables *t)
{
    t->damaged = t->made;
    return t->made;
}
