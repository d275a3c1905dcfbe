/* The store with a log of its own in front of it: a batch goes into the log, and into RocksDB
 * without RocksDB's; a sync is one overwrite in the log (redo_file.h). Two files take turns: when
 * one is full the tables are flushed by a thread of their own, while the other is written; before
 * the first is used again that flush is over.
 *
 * Each batch also puts its sequence, under the empty key, into the families that it touches: a
 * start applies to each family what it lacks, and begins a good way above. The flush takes one
 * family after the other; while it runs, a record is durable before its batch may get into a table,
 * so that no table is ever ahead of the log in one family only. RocksDB's own flushes take all
 * families at one point. */
#define _GNU_SOURCE
#include "storage/kv_redo.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "storage/redo_file.h"

enum { FILES = 2, PATH_BYTES = 4200, FAMILIES_MAX = 16 };

struct redo {
    struct kv_redo_base base;
    struct kv inner;
    bool inner_open;
    size_t families;
    pthread_mutex_t lock; /* all below, and the order of batches */
    pthread_cond_t changed;
    pthread_t thread;
    bool started, stop;
    bool flushing;         /* asked for, not over */
    enum err flush_result; /* of the last one */
    struct redo_file file[FILES];
    unsigned now;  /* the file being written */
    uint64_t at;   /* in it */
    uint64_t sequence;
    uint64_t found[FAMILIES_MAX]; /* at the start: what each family's tables hold */
    bool dirty;    /* records are not synced */
    enum err failed;
    uint8_t *record;
    size_t record_cap;
    struct kv_put *put;
    size_t put_cap;
};

/* ---- batches --------------------------------------------------------------------------------- */

/* Into RocksDB, with the sequence. `put` has room for one more of each family. */
static enum err apply(struct redo *r, struct kv_put *put, size_t n, uint64_t sequence)
{
    bool touched[FAMILIES_MAX] = {false};
    uint8_t position[8];
    size_t all = n;
    store_be64(position, sequence);
    for (size_t i = 0; i < n; i++) {
        uint32_t family = put[i].family;
        if (!touched[family]) {
            touched[family] = true;
            put[all++] = (struct kv_put){.family = family,
                                         .key = bytes_of("", 0),
                                         .value = bytes_of(position, sizeof position)};
        }
    }
    return all == 0 ? OK : r->inner.commit(r->inner.ctx, put, all, false);
}

static bool reserve(struct redo *r, size_t puts, size_t bytes)
{
    if (puts > r->put_cap) {
        struct kv_put *put = realloc(r->put, 2 * puts * sizeof *put);
        if (put == NULL) {
            return false;
        }
        r->put = put;
        r->put_cap = 2 * puts;
    }
    if (bytes > r->record_cap) {
        uint8_t *record = realloc(r->record, 2 * bytes);
        if (record == NULL) {
            return false;
        }
        r->record = record;
        r->record_cap = 2 * bytes;
    }
    return true;
}

static enum err sync_log(struct redo *r)
{
    TRY(r->dirty ? redo_file_sync(&r->file[r->now]) : OK);
    r->dirty = false;
    return OK;
}

static void flush_here(struct redo *r)
{
    if (r->flushing) {
        r->flush_result = r->inner.flush(r->inner.ctx);
        r->flushing = false;
    }
}

/* What is in the file so far becomes durable, and goes into the tables meanwhile. */
static enum err turn_over(struct redo *r)
{
    TRY(sync_log(r));
    if (!r->base.threads) {
        flush_here(r);
    }
    while (r->flushing) {
        pthread_cond_wait(&r->changed, &r->lock);
    }
    TRY(r->flush_result);
    r->now = 1 - r->now;
    r->at = 0;
    r->flushing = true;
    pthread_cond_broadcast(&r->changed);
    return OK;
}

static enum err write_record(struct redo *r, const struct kv_put *puts, size_t n)
{
    size_t size = redo_record_size(puts, n);
    if (!reserve(r, 0, size)) {
        return ERR_NO_MEMORY;
    }
    if (r->at + size > r->base.log_bytes) {
        TRY(turn_over(r));
    }
    redo_record_encode(r->record, r->sequence + 1, puts, n);
    TRY(redo_file_write(&r->file[r->now], r->at, r->record, size));
    r->at += size;
    r->sequence++;
    r->dirty = true;
    return r->flushing ? sync_log(r) : OK;
}

static enum err apply_copy(struct redo *r, const struct kv_put *puts, size_t n, uint64_t sequence)
{
    if (!reserve(r, n + r->families, 0)) {
        return ERR_NO_MEMORY;
    }
    memcpy(r->put, puts, n * sizeof *puts);
    return apply(r, r->put, n, sequence);
}

/* A batch that is too large for the log goes into the tables at once; its place in the log is
 * taken by a record of nothing. */
static enum err append_large(struct redo *r, const struct kv_put *puts, size_t n)
{
    TRY(sync_log(r));
    TRY(apply_copy(r, puts, n, r->sequence + 1));
    TRY(r->inner.flush(r->inner.ctx));
    return write_record(r, NULL, 0);
}

static enum err append(struct redo *r, const struct kv_put *puts, size_t n)
{
    if (redo_record_size(puts, n) > r->base.log_bytes / 2) {
        return append_large(r, puts, n);
    }
    TRY(write_record(r, puts, n));
    return apply_copy(r, puts, n, r->sequence);
}

static enum err commit_locked(struct redo *r, const struct kv_put *puts, size_t n, bool sync)
{
    TRY(r->failed);
    bool flushing = r->flushing;
    if (n > 0) {
        TRY(append(r, puts, n));
    }
    if (flushing && sync && !r->base.threads) {
        flush_here(r);
    }
    return sync ? sync_log(r) : redo_file_prepare(&r->file[r->now], r->at);
}

/* After a failure nothing is written until the store was closed and opened. */
static enum err redo_commit(void *ctx, const struct kv_put *puts, size_t n, bool sync)
{
    struct redo *r = ctx;
    pthread_mutex_lock(&r->lock);
    enum err e = commit_locked(r, puts, n, sync);
    r->failed = e;
    pthread_mutex_unlock(&r->lock);
    return e;
}

static void *flush_run(void *arg)
{
    struct redo *r = arg;
    pthread_mutex_lock(&r->lock);
    while (r->flushing || !r->stop) {
        if (!r->flushing) {
            pthread_cond_wait(&r->changed, &r->lock);
            continue;
        }
        pthread_mutex_unlock(&r->lock);
        enum err e = r->inner.flush(r->inner.ctx);
        pthread_mutex_lock(&r->lock);
        r->flush_result = e;
        r->flushing = false;
        pthread_cond_broadcast(&r->changed);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* ---- what the store itself answers ----------------------------------------------------------- */

static enum err redo_flush(void *ctx)
{
    const struct redo *r = ctx;
    return r->inner.flush(r->inner.ctx);
}

static void redo_explain(void *ctx, char *out, size_t n)
{
    struct redo *r = ctx;
    r->inner.explain(r->inner.ctx, out, n);
    pthread_mutex_lock(&r->lock);
    int error = r->file[r->now].error;
    if (out[0] == '\0' && error != 0) {
        (void)snprintf(out, n, "redo-%u cannot be written: %s", r->now, strerror(error));
    }
    pthread_mutex_unlock(&r->lock);
}

static enum err redo_get(void *ctx, uint32_t family, struct bytes key, uint8_t **out, size_t *out_n)
{
    const struct redo *r = ctx;
    return r->inner.get(r->inner.ctx, family, key, out, out_n);
}

static struct kv_iter *redo_seek(void *ctx, uint32_t family, struct bytes from)
{
    const struct redo *r = ctx;
    return r->inner.seek(r->inner.ctx, family, from);
}

static struct kv_iter *redo_seek_back(void *ctx, uint32_t family, struct bytes from)
{
    const struct redo *r = ctx;
    return r->inner.seek_back(r->inner.ctx, family, from);
}

/* Not in the log: what a crash brings back is erased again by whoever erased it. */
static enum err redo_erase_range(void *ctx, uint32_t family, struct bytes from, struct bytes to)
{
    const struct redo *r = ctx;
    return r->inner.erase_range(r->inner.ctx, family, from, to);
}

static void redo_close(void *ctx)
{
    struct redo *r = ctx;
    if (r->started) {
        pthread_mutex_lock(&r->lock);
        r->stop = true;
        pthread_cond_broadcast(&r->changed);
        pthread_mutex_unlock(&r->lock);
        pthread_join(r->thread, NULL);
    }
    if (r->inner_open) {
        r->inner.close(r->inner.ctx);
    }
    for (int i = 0; i < FILES; i++) {
        redo_file_close(&r->file[i]);
    }
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->changed);
    free(r->record);
    free(r->put);
    free(r);
}

/* ---- a start --------------------------------------------------------------------------------- */

static enum err read_position(struct redo *r, uint32_t family)
{
    uint8_t *value = NULL;
    size_t n = 0;
    enum err e = r->inner.get(r->inner.ctx, family, bytes_of("", 0), &value, &n);
    if (e == OK) {
        e = n == 8 ? OK : ERR_CORRUPT;
        r->found[family] = n == 8 ? load_be64(value) : 0;
        r->sequence = r->found[family] > r->sequence ? r->found[family] : r->sequence;
        free(value);
    }
    return e == ERR_NOT_FOUND ? OK : e;
}

/* Drops what the tables hold. ERR_CORRUPT: a family that is not known. */
static enum err keep_lacking(const struct redo *r, struct kv_put *put, size_t *n, uint64_t sequence)
{
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++) {
        if (put[i].family >= r->families) {
            return ERR_CORRUPT;
        }
        if (sequence > r->found[put[i].family]) {
            put[kept++] = put[i];
        }
    }
    *n = kept;
    return OK;
}

static enum err replay_record(struct redo *r, const struct redo_walk *w)
{
    struct kv_put *put = NULL;
    size_t n = 0;
    if (w->sequence > r->sequence + 1) {
        return ERR_CORRUPT; /* records between the tables and the log are gone */
    }
    TRY(redo_walk_puts(w, &put, &n, r->families));
    enum err e = keep_lacking(r, put, &n, w->sequence);
    e = e == OK ? apply(r, put, n, w->sequence) : e;
    free(put);
    r->sequence = w->sequence > r->sequence ? w->sequence : r->sequence;
    return e;
}

static enum err replay_file(struct redo *r, struct bytes bytes)
{
    struct redo_walk w = {.file = bytes};
    while (redo_walk_next(&w)) {
        TRY(replay_record(r, &w));
    }
    return OK;
}

static uint64_t first_sequence(struct bytes bytes)
{
    struct redo_walk w = {.file = bytes};
    return redo_walk_next(&w) ? w.sequence : 0;
}

/* The older file first. A torn tail ends the walk: nothing after it was reported as durable. */
static enum err replay(struct redo *r)
{
    uint8_t *p[FILES] = {NULL, NULL};
    struct bytes bytes[FILES];
    enum err e = OK;
    for (int i = 0; i < FILES && e == OK; i++) {
        size_t n = 0;
        e = redo_file_read(&r->file[i], &p[i], &n);
        bytes[i] = bytes_of(p[i], n);
    }
    if (e == OK) {
        unsigned older = first_sequence(bytes[0]) <= first_sequence(bytes[1]) ? 0 : 1;
        e = replay_file(r, bytes[older]);
        e = e == OK ? replay_file(r, bytes[1 - older]) : e;
    }
    free(p[0]);
    free(p[1]);
    return e;
}

static enum err open_files(struct redo *r, const char *path)
{
    for (int i = 0; i < FILES; i++) {
        char name[PATH_BYTES];
        int n = snprintf(name, sizeof name, "%s/redo-%d", path, i);
        if (n < 0 || (size_t)n >= sizeof name) {
            return ERR_TOO_LARGE;
        }
        TRY(redo_file_open(&r->file[i], r->base.io, r->base.log_bytes, name));
    }
    return OK;
}

/* What a killed process wrote is there to be read, and need not be durable yet: it must be before
 * the families are flushed one by one (see above). */
static enum err sync_files(struct redo *r)
{
    for (int i = 0; i < FILES; i++) {
        TRY(redo_file_sync(&r->file[i]));
    }
    return OK;
}

/* Behind a torn record whole ones may lie that an earlier life wrote and never reported; one of
 * this life may end just there. They do not follow on it: this life's sequences begin above all
 * that both files have room for. */
static enum err begin_life(struct redo *r)
{
    uint8_t position[8];
    r->sequence += FILES * r->base.log_bytes / REDO_RECORD_LEAST;
    store_be64(position, r->sequence);
    const struct kv_put put = {
        .key = bytes_of("", 0), .value = bytes_of(position, sizeof position), .erase = false};
    return r->inner.commit(r->inner.ctx, &put, 1, false);
}

/* All that the log holds goes into durable tables, so that it begins anew. */
static enum err start(struct redo *r, const char *path)
{
    TRY(open_files(r, path));
    for (uint32_t family = 0; family < r->families; family++) {
        TRY(read_position(r, family));
    }
    TRY(replay(r));
    TRY(sync_files(r));
    TRY(begin_life(r));
    TRY(r->inner.flush(r->inner.ctx));
    if (!r->base.threads) {
        return OK;
    }
    r->started = pthread_create(&r->thread, NULL, flush_run, r) == 0;
    return r->started ? OK : ERR_NO_MEMORY;
}

static struct redo *redo_new(void)
{
    struct redo *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return NULL;
    }
    for (int i = 0; i < FILES; i++) {
        r->file[i].fd = -1;
    }
    if (pthread_mutex_init(&r->lock, NULL) != 0) {
        free(r);
        return NULL;
    }
    if (pthread_cond_init(&r->changed, NULL) != 0) {
        pthread_mutex_destroy(&r->lock);
        free(r);
        return NULL;
    }
    return r;
}

enum err kv_redo_open_on(struct kv *out, const struct kv_redo_base *base, const char *path,
                         bool create, const char *const *families, size_t n, char *why,
                         size_t why_len)
{
    struct redo *r = n <= FAMILIES_MAX ? redo_new() : NULL;
    if (r == NULL) {
        return ERR_NO_MEMORY;
    }
    r->base = *base;
    r->families = n;
    enum err e = base->open(&r->inner, path, create, families, n, why, why_len);
    r->inner_open = e == OK;
    if (e == OK) {
        e = start(r, path);
        if (e != OK) {
            (void)snprintf(why, why_len, "the log in front of the database: %s", err_text(e));
        }
    }
    if (e != OK) {
        redo_close(r);
        return e;
    }
    *out = r->inner; /* iterators are the store's own */
    out->ctx = r;
    out->batch_bytes = base->log_bytes / 2;
    out->commit = redo_commit;
    out->flush = redo_flush;
    out->explain = redo_explain;
    out->get = redo_get;
    out->seek = redo_seek;
    out->seek_back = redo_seek_back;
    out->erase_range = redo_erase_range;
    out->close = redo_close;
    return OK;
}

enum err kv_redo_open(struct kv *out, const char *path, bool create, const char *const *families,
                      size_t n, char *why, size_t why_len)
{
    const struct kv_redo_base base = {kv_rocksdb_open_bare, &io_system, LIMIT_STORAGE_LOG, true};
    return kv_redo_open_on(out, &base, path, create, families, n, why, why_len);
}
