#define _GNU_SOURCE
#include "storage/kv.h"

#include <pthread.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>

/* Small on purpose: a node idles below 64 MiB, whatever the database holds. */
enum {
    WRITE_BUFFERS_BYTES = 16 << 20,
    BLOCK_CACHE_BYTES = 8 << 20,
    ARENA_BYTES = 64 << 10,
    WAL_BYTES = 64 << 20,
    OPEN_FILES = 128,
    BACKGROUND_JOBS = 2,
    INFO_LOG_HEADER = 5,
    MAX_FAMILIES = 16,
    LEVELS = 7,
    ERROR_TEXT = 256
};

/* What is rewritten soon is not compressed: most of the pool is gone before it comes further down. */
static const int compression[LEVELS] = {
    rocksdb_no_compression,  rocksdb_no_compression,  rocksdb_lz4_compression,
    rocksdb_lz4_compression, rocksdb_lz4_compression, rocksdb_lz4_compression,
    rocksdb_lz4_compression,
};

/* Written in large sorted batches, and ranges are never erased here: RocksDB would use the same hint
 * for the two memory tables that it keeps then. */
static bool is_hinted(const char *family)
{
    return strcmp(family, "tables") == 0;
}

/* Read at a start only, when the memory table is empty: it is an array that is sorted when it is
 * flushed, which takes an eighth of keeping it sorted. Any other read would sort a copy of it. */
static bool is_unread(const char *family)
{
    return strcmp(family, "pool") == 0;
}

struct rocks {
    rocksdb_t *db;
    bool bare; /* no log */
    rocksdb_options_t *options, *hinted, *unread;
    bool no_ranges[MAX_FAMILIES]; /* the last two */
    rocksdb_writeoptions_t *write;
    rocksdb_writeoptions_t *write_synced;
    rocksdb_readoptions_t *read;
    rocksdb_cache_t *cache;
    rocksdb_column_family_handle_t *family[MAX_FAMILIES];
    size_t families;
    pthread_mutex_t lock;
    char error[ERROR_TEXT]; /* of the last write that failed; "": none did */
};

struct kv_iter {
    rocksdb_iterator_t *it;
};

/* RocksDB's C interface tells errors apart by the first words of their sentence only. */
static enum err error_of(const char *message)
{
    if (strncmp(message, "Corruption", 10) == 0) {
        return ERR_CORRUPT;
    }
    if (strstr(message, "No space left") != NULL || strstr(message, "quota exceeded") != NULL) {
        return ERR_NO_SPACE;
    }
    if (strstr(message, "lock hold by current process") != NULL ||
        strstr(message, "While lock file") != NULL) {
        return ERR_IN_USE;
    }
    if (strstr(message, "does not exist (create_if_missing") != NULL) {
        return ERR_NOT_FOUND;
    }
    return ERR_IO;
}

static enum err take_error(char *message, char *why, size_t why_len)
{
    if (message == NULL) {
        return OK;
    }
    enum err e = error_of(message);
    if (why_len > 0) {
        snprintf(why, why_len, "%s", message);
    }
    rocksdb_free(message);
    return e;
}

/* The outcome of a write, remembered when it failed. */
static enum err wrote(struct rocks *r, char *message)
{
    pthread_mutex_lock(&r->lock);
    enum err e = take_error(message, r->error, sizeof r->error);
    pthread_mutex_unlock(&r->lock);
    return e;
}

/* A log file with an error must not be synced: RocksDB asserts that nobody does. */
static enum err sync_log(struct rocks *r, bool sync)
{
    char *error = NULL;
    pthread_mutex_lock(&r->lock);
    bool failed = r->error[0] != '\0';
    pthread_mutex_unlock(&r->lock);
    if (failed) {
        return ERR_IO;
    }
    rocksdb_flush_wal(r->db, sync, &error);
    return wrote(r, error);
}

static const char *chars(struct bytes b)
{
    return b.n == 0 ? "" : (const char *)b.p;
}

/* By family and key; of one key in the order given. */
static int by_key(const void *a, const void *b)
{
    const struct kv_put *x = *(const struct kv_put *const *)a;
    const struct kv_put *y = *(const struct kv_put *const *)b;
    if (x->family != y->family) {
        return x->family < y->family ? -1 : 1;
    }
    int order = memcmp(chars(x->key), chars(y->key), x->key.n < y->key.n ? x->key.n : y->key.n);
    if (order != 0) {
        return order;
    }
    if (x->key.n != y->key.n) {
        return x->key.n < y->key.n ? -1 : 1;
    }
    return x < y ? -1 : x > y;
}

static void add_to_batch(struct rocks *r, rocksdb_writebatch_t *batch, const struct kv_put *p)
{
    rocksdb_column_family_handle_t *family = r->family[p->family];
    if (p->erase) {
        rocksdb_writebatch_delete_cf(batch, family, chars(p->key), p->key.n);
    } else {
        rocksdb_writebatch_put_cf(batch, family, chars(p->key), p->key.n, chars(p->value),
                                  p->value.n);
    }
}

/* Sorted, most keys find their place in the memory table near the one before, which takes half the
 * time of looking from the top. Where there is no memory to sort, the order as it is will do. */
static void fill_batch(struct rocks *r, rocksdb_writebatch_t *batch, const struct kv_put *puts,
                       size_t n)
{
    const struct kv_put **order = malloc(n * sizeof(const struct kv_put *));
    for (size_t i = 0; order != NULL && i < n; i++) {
        order[i] = &puts[i];
    }
    if (order != NULL) {
        qsort(order, n, sizeof(const struct kv_put *), by_key);
    }
    for (size_t i = 0; i < n; i++) {
        add_to_batch(r, batch, order != NULL ? order[i] : &puts[i]);
    }
    free(order);
}

static enum err rocks_commit(void *ctx, const struct kv_put *puts, size_t n, bool sync)
{
    struct rocks *r = ctx;
    char *error = NULL;
    if (n == 0) {
        return r->bare ? OK : sync_log(r, sync);
    }
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    fill_batch(r, batch, puts, n);
    rocksdb_write(r->db, sync && !r->bare ? r->write_synced : r->write, batch, &error);
    rocksdb_writebatch_destroy(batch);
    return wrote(r, error);
}

static enum err rocks_flush(void *ctx)
{
    struct rocks *r = ctx;
    char *error = NULL;
    rocksdb_flushoptions_t *o = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(o, 1);
    for (size_t i = 0; i < r->families && error == NULL; i++) {
        rocksdb_flush_cf(r->db, o, r->family[i], &error);
    }
    rocksdb_flushoptions_destroy(o);
    return wrote(r, error);
}

static void rocks_explain(void *ctx, char *out, size_t n)
{
    struct rocks *r = ctx;
    pthread_mutex_lock(&r->lock);
    snprintf(out, n, "%s", r->error);
    pthread_mutex_unlock(&r->lock);
}

static enum err rocks_get(void *ctx, uint32_t family, struct bytes key, uint8_t **out,
                          size_t *out_n)
{
    struct rocks *r = ctx;
    char *error = NULL;
    char *value = rocksdb_get_cf(r->db, r->read, r->family[family], chars(key), key.n, out_n,
                                 &error);
    TRY(take_error(error, NULL, 0));
    *out = (uint8_t *)value;
    return value == NULL ? ERR_NOT_FOUND : OK;
}

static struct kv_iter *new_iter(struct rocks *r, uint32_t family)
{
    struct kv_iter *it = malloc(sizeof *it);
    if (it != NULL) {
        it->it = rocksdb_create_iterator_cf(r->db, r->read, r->family[family]);
    }
    return it;
}

static struct kv_iter *rocks_seek(void *ctx, uint32_t family, struct bytes from)
{
    struct kv_iter *it = new_iter(ctx, family);
    if (it != NULL) {
        rocksdb_iter_seek(it->it, chars(from), from.n);
    }
    return it;
}

static struct kv_iter *rocks_seek_back(void *ctx, uint32_t family, struct bytes from)
{
    struct kv_iter *it = new_iter(ctx, family);
    if (it != NULL) {
        rocksdb_iter_seek_for_prev(it->it, chars(from), from.n);
    }
    return it;
}

static bool rocks_valid(struct kv_iter *it, struct bytes *key, struct bytes *value)
{
    if (!rocksdb_iter_valid(it->it)) {
        return false;
    }
    const char *k = rocksdb_iter_key(it->it, &key->n);
    key->p = (const uint8_t *)k;
    const char *v = rocksdb_iter_value(it->it, &value->n);
    value->p = (const uint8_t *)v;
    return true;
}

static void rocks_next(struct kv_iter *it)
{
    rocksdb_iter_next(it->it);
}

static enum err rocks_done(struct kv_iter *it)
{
    char *error = NULL;
    rocksdb_iter_get_error(it->it, &error);
    rocksdb_iter_destroy(it->it);
    free(it);
    return take_error(error, NULL, 0);
}

static enum err rocks_erase_range(void *ctx, uint32_t family, struct bytes from, struct bytes to)
{
    struct rocks *r = ctx;
    if (r->no_ranges[family]) {
        return ERR_INVARIANT;
    }
    char *error = NULL;
    rocksdb_delete_range_cf(r->db, r->write, r->family[family], chars(from), from.n, chars(to),
                            to.n, &error);
    return wrote(r, error);
}

static void rocks_close(void *ctx)
{
    struct rocks *r = ctx;
    if (r->db != NULL) {
        for (size_t i = 0; i < r->families; i++) {
            rocksdb_column_family_handle_destroy(r->family[i]);
        }
        rocksdb_close(r->db);
    }
    rocksdb_readoptions_destroy(r->read);
    rocksdb_writeoptions_destroy(r->write);
    rocksdb_writeoptions_destroy(r->write_synced);
    rocksdb_options_destroy(r->options);
    if (r->hinted != NULL) {
        rocksdb_options_destroy(r->hinted);
        rocksdb_options_destroy(r->unread);
    }
    rocksdb_cache_destroy(r->cache);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static void bound_memory(rocksdb_options_t *o, rocksdb_cache_t *cache)
{
    rocksdb_options_set_db_write_buffer_size(o, WRITE_BUFFERS_BYTES);
    rocksdb_options_set_write_buffer_size(o, WRITE_BUFFERS_BYTES / 2);
    rocksdb_options_set_arena_block_size(o, ARENA_BYTES);
    rocksdb_options_set_max_total_wal_size(o, WAL_BYTES);
    rocksdb_options_set_max_open_files(o, OPEN_FILES);
    rocksdb_options_set_max_background_jobs(o, BACKGROUND_JOBS);
    rocksdb_block_based_table_options_t *t = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(t, cache);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(t, 1);
    rocksdb_options_set_block_based_table_factory(o, t);
    rocksdb_block_based_options_destroy(t);
}

/* RocksDB 7.8 aborts the process when its own log takes a line after one that could not be written
 * (an assertion in Debian's build): on a full disk, of all moments. It cannot be without a log, so
 * it writes nothing but the header that no level holds back; what fails is told by `explain`. */
static void quiet_log(rocksdb_options_t *o)
{
    rocksdb_options_set_info_log_level(o, INFO_LOG_HEADER);
    rocksdb_options_set_keep_log_file_num(o, 1);
    rocksdb_options_set_stats_dump_period_sec(o, 0);
}

/* Point in time: a torn tail is cut silently (the safety record notices a lost synced step), and
 * damage before the tail is refused. Atomic flushes keep the families at one point of the log. */
static rocksdb_options_t *make_options(bool create, rocksdb_cache_t *cache)
{
    rocksdb_options_t *o = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(o, create);
    rocksdb_options_set_create_missing_column_families(o, 1);
    rocksdb_options_set_paranoid_checks(o, 1);
    rocksdb_options_set_wal_recovery_mode(o, rocksdb_point_in_time_recovery);
    rocksdb_options_set_atomic_flush(o, 1);
    rocksdb_options_set_allow_concurrent_memtable_write(o, 0); /* arrays do not know it */
    rocksdb_options_set_compression_per_level(o, compression, LEVELS);
    bound_memory(o, cache);
    quiet_log(o);
    return o;
}

/* For options without a setter in the C interface of RocksDB 7.8. */
static enum err set_option(rocksdb_options_t **options, const char *text, char *why, size_t why_len)
{
    rocksdb_options_t *changed = rocksdb_options_create();
    char *error = NULL;
    rocksdb_get_options_from_string(*options, text, changed, &error);
    rocksdb_options_destroy(*options);
    *options = changed;
    return take_error(error, why, why_len);
}

static enum err set_options(struct rocks *r, char *why, size_t why_len)
{
    TRY(set_option(&r->options, "track_and_verify_wals_in_manifest=true", why, why_len));
    r->hinted = rocksdb_options_create_copy(r->options);
    r->unread = rocksdb_options_create_copy(r->options);
    rocksdb_options_set_memtable_vector_rep(r->unread);
    /* One hint for all keys: where the last one went in. */
    return set_option(&r->hinted, "memtable_insert_with_hint_prefix_extractor=fixed:0", why,
                      why_len);
}

static enum err open_families(struct rocks *r, const char *path, const char *const *families,
                              char *why, size_t why_len)
{
    const rocksdb_options_t *options[MAX_FAMILIES];
    for (size_t i = 0; i < r->families; i++) {
        bool unread = is_unread(families[i]);
        r->no_ranges[i] = unread || is_hinted(families[i]);
        options[i] = unread ? r->unread : r->no_ranges[i] ? r->hinted : r->options;
    }
    char *error = NULL;
    r->db = rocksdb_open_column_families(r->options, path, (int)r->families, families, options,
                                         r->family, &error);
    return take_error(error, why, why_len);
}

static struct rocks *new_rocks(bool create, size_t families)
{
    struct rocks *r = calloc(1, sizeof *r);
    if (r == NULL || pthread_mutex_init(&r->lock, NULL) != 0) {
        free(r);
        return NULL;
    }
    r->families = families;
    r->cache = rocksdb_cache_create_lru(BLOCK_CACHE_BYTES);
    r->options = make_options(create, r->cache);
    r->read = rocksdb_readoptions_create();
    r->write = rocksdb_writeoptions_create();
    r->write_synced = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(r->write_synced, 1);
    return r;
}

static enum err open_store(struct kv *out, const char *path, bool create, bool bare,
                           const char *const *families, size_t n, char *why, size_t why_len)
{
    if (n == 0 || n > MAX_FAMILIES) {
        return ERR_INVARIANT;
    }
    struct rocks *r = new_rocks(create, n);
    if (r == NULL) {
        return ERR_NO_MEMORY;
    }
    r->bare = bare;
    rocksdb_writeoptions_disable_WAL(r->write, bare);
    enum err e = set_options(r, why, why_len);
    if (e == OK) {
        e = open_families(r, path, families, why, why_len);
    }
    if (e != OK) {
        rocks_close(r);
        return e;
    }
    *out = (struct kv){.ctx = r,
                       .commit = rocks_commit,
                       .flush = rocks_flush,
                       .explain = rocks_explain,
                       .get = rocks_get,
                       .seek = rocks_seek,
                       .seek_back = rocks_seek_back,
                       .valid = rocks_valid,
                       .next = rocks_next,
                       .done = rocks_done,
                       .erase_range = rocks_erase_range,
                       .close = rocks_close};
    return OK;
}

enum err kv_rocksdb_open(struct kv *out, const char *path, bool create,
                         const char *const *families, size_t n, char *why, size_t why_len)
{
    return open_store(out, path, create, false, families, n, why, why_len);
}

enum err kv_rocksdb_open_bare(struct kv *out, const char *path, bool create,
                              const char *const *families, size_t n, char *why, size_t why_len)
{
    return open_store(out, path, create, true, families, n, why, why_len);
}
