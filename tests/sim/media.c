/* The files: written at once, durable later, taken back by a crash. */
#define _GNU_SOURCE
#include "tests/sim/media.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"

enum { LOCK_FD = MEDIA_FILES };

void *media_grow(void *p, uint32_t *cap, uint32_t need, size_t each)
{
    if (need <= *cap) {
        return p;
    }
    uint32_t more = *cap == 0 ? 64 : *cap;
    while (more < need) {
        more *= 2;
    }
    p = realloc(p, more * each);
    if (p == NULL) {
        abort();
    }
    *cap = more;
    return p;
}

/* ---- what it is ------------------------------------------------------------------------------ */

static bool ends_with(const char *path, const char *name)
{
    size_t n = strlen(path);
    size_t k = strlen(name);
    return n >= k && strcmp(path + n - k, name) == 0;
}

static int file_open(void *ctx, const char *path, bool make)
{
    static const char *const names[MEDIA_FILES] = {"/safety", "/redo-0", "/redo-1"};
    struct media *m = ctx;
    for (int i = 0; i < MEDIA_FILES; i++) {
        struct media_file *f = &m->file[i];
        if (ends_with(path, names[i]) && (f->made || make)) {
            f->made = true;
            return i;
        }
    }
    errno = m->dead ? EIO : ENOENT;
    return -1;
}

static void file_close(void *ctx, int fd)
{
    (void)ctx;
    (void)fd;
}

static int64_t file_size(void *ctx, int fd)
{
    const struct media *m = ctx;
    return (int64_t)m->file[fd].size;
}

void media_size_up(struct media_file *f, uint64_t n)
{
    if (n > f->cap) {
        f->bytes = realloc(f->bytes, n);
        if (f->bytes == NULL) {
            abort();
        }
        memset(f->bytes + f->cap, 0, n - f->cap);
        f->cap = n;
    }
    if (n > f->size) {
        memset(f->bytes + f->size, 0, n - f->size);
        f->size = n;
    }
}

static int file_resize(void *ctx, int fd, uint64_t n)
{
    struct media *m = ctx;
    struct media_file *f = &m->file[fd];
    media_size_up(f, n);
    f->size = n;
    return m->dead ? -1 : 0;
}

static ssize_t file_read(void *ctx, int fd, void *p, size_t n, uint64_t at)
{
    const struct media *m = ctx;
    const struct media_file *f = &m->file[fd];
    size_t there = at >= f->size ? 0 : f->size - at;
    n = n < there ? n : there;
    if (n > 0) {
        memcpy(p, f->bytes + at, n);
    }
    return (ssize_t)n;
}

/* ---- writing --------------------------------------------------------------------------------- */

static uint64_t *clock_of(struct media *m, int fd)
{
    return fd == MEDIA_SAFETY ? &m->record_us : &m->log_us;
}

static void keep_write(struct media *m, struct media_file *f, int fd, uint64_t at, size_t n)
{
    f->write = media_grow(f->write, &f->writes_cap, f->writes + 1, sizeof *f->write);
    struct media_write *w = &f->write[f->writes++];
    *w = (struct media_write){.at = at,
                              .old_size = f->size,
                              .issued_us = *clock_of(m, fd),
                              .durable_us = UINT64_MAX,
                              .n = n,
                              .bytes = calloc(2, n)};
    if (w->bytes == NULL) {
        abort();
    }
    if (at < f->size) {
        memcpy(w->bytes + n, f->bytes + at, n < f->size - at ? n : f->size - at);
    }
}

/* A full disk may take the first part of a write; after that it says so. */
static bool fails(struct media *m, size_t *n)
{
    errno = EIO;
    if (m->dead || !m->full) {
        return m->dead;
    }
    if (!m->short_given && *n > 1) {
        m->short_given = true;
        *n = 1 + dice_below(m->dice, *n - 1);
        return false;
    }
    errno = ENOSPC;
    return true;
}

static ssize_t file_write(void *ctx, int fd, const void *p, size_t n, uint64_t at)
{
    struct media *m = ctx;
    struct media_file *f = &m->file[fd];
    if (fails(m, &n)) {
        return -1;
    }
    if (fd == MEDIA_SAFETY && m->record_us > m->start_us && m->log_us > m->record_us) {
        m->record_us = m->log_us; /* the second one of a turn comes after the batch */
    }
    keep_write(m, f, fd, at, n);
    media_size_up(f, at + n);
    memcpy(f->bytes + at, p, n);
    memcpy(f->write[f->writes - 1].bytes, p, n);
    return (ssize_t)n;
}

static int file_sync(void *ctx, int fd)
{
    struct media *m = ctx;
    struct media_file *f = &m->file[fd];
    if (m->dead || m->full || m->sync_fails) {
        if (!m->dead && m->sync_fails) {
            media_sync_failed(m, f);
        }
        errno = EIO;
        return -1;
    }
    uint64_t *clock = clock_of(m, fd);
    *clock += fd == MEDIA_SAFETY ? m->sync_us / 2 + dice_below(m->dice, m->sync_us + 1)
                                 : m->sync_us + dice_below(m->dice, m->sync_us / 4 + 1);
    for (uint32_t i = f->writes; i-- > 0 && f->write[i].durable_us == UINT64_MAX;) {
        f->write[i].durable_us = f->write[i].lost ? UINT64_MAX : *clock;
    }
    return 0;
}

static int file_sync_entry(void *ctx, int fd, const char *path)
{
    (void)path;
    return file_sync(ctx, fd);
}

static bool exists(void *ctx, const char *path)
{
    const struct media *m = ctx;
    return ends_with(path, "/CURRENT") && m->tables.made;
}

static enum err make_dir(void *ctx, const char *dir)
{
    (void)ctx;
    (void)dir;
    return OK;
}

static enum err lock(void *ctx, int *fd, const char *dir, char *why, size_t why_len)
{
    (void)ctx;
    (void)dir;
    (void)why;
    (void)why_len;
    *fd = LOCK_FD;
    return OK;
}

static enum err probe(void *ctx, const char *path)
{
    const struct media *m = ctx;
    (void)path;
    return m->dead ? ERR_IO : m->full ? ERR_NO_SPACE : m->sync_fails ? ERR_IO : OK;
}

static uint64_t now_us(void *ctx)
{
    const struct media *m = ctx;
    return media_end(m) + m->hurry_us;
}

static uint64_t wall_us(void *ctx)
{
    const struct media *m = ctx;
    return m->wall_us;
}

/* ---- its life -------------------------------------------------------------------------------- */

void media_init(struct media *m, struct dice *dice)
{
    *m = (struct media){.io = {.ctx = m,
                               .open = file_open,
                               .close = file_close,
                               .size = file_size,
                               .resize = file_resize,
                               .read = file_read,
                               .write = file_write,
                               .sync = file_sync,
                               .sync_entry = file_sync_entry,
                               .exists = exists,
                               .make_dir = make_dir,
                               .lock = lock,
                               .probe = probe,
                               .now_us = now_us,
                               .wall_us = wall_us},
                        .dice = dice,
                        .tables.first = 1};
}

void media_forget_writes(struct media_file *f, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        free(f->write[i].bytes);
    }
    if (n > 0) {
        memmove(f->write, f->write + n, (f->writes - n) * sizeof *f->write);
        f->writes -= n;
    }
}

void media_wipe_file(struct media *m, enum media_file_name name)
{
    struct media_file *f = &m->file[name];
    media_forget_writes(f, f->writes);
    free(f->write);
    free(f->bytes);
    *f = (struct media_file){0};
}

void media_wipe_tables(struct media *m)
{
    media_tables_free(&m->tables);
    media_wipe_file(m, MEDIA_REDO_0);
    media_wipe_file(m, MEDIA_REDO_1);
}

void media_wipe(struct media *m)
{
    media_wipe_tables(m);
    media_wipe_file(m, MEDIA_SAFETY);
}

static void forget_durable(struct media_file *f, uint64_t now)
{
    uint32_t over = 0;
    while (over < f->writes && f->write[over].durable_us <= now) {
        over++;
    }
    media_forget_writes(f, over);
}

void media_begin(struct media *m, uint64_t now, uint64_t wall)
{
    m->start_us = m->log_us = m->record_us = now;
    m->wall_us = wall;
    m->hurry_us = 0;
    m->short_given = m->lost_some = m->dropped_some = false;
    for (int i = 0; i < MEDIA_FILES; i++) {
        forget_durable(&m->file[i], now);
    }
    media_tables_flushed(&m->tables, now);
}

uint64_t media_end(const struct media *m)
{
    return m->log_us > m->record_us ? m->log_us : m->record_us;
}

void media_settle(struct media *m)
{
    for (int i = 0; i < MEDIA_FILES; i++) {
        struct media_file *f = &m->file[i];
        for (uint32_t k = 0; k < f->writes; k++) {
            f->write[k].durable_us = f->write[k].lost ? UINT64_MAX : 0;
        }
        forget_durable(f, 0);
    }
    media_tables_flushed(&m->tables, UINT64_MAX);
}
