#define _GNU_SOURCE
#include "memory_kv.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wrap.h"

enum { ENTRIES = 4096, KEY_MOST = 64, VALUE_MOST = 4096 };

struct entry {
    uint32_t family;
    size_t key_n, value_n;
    uint8_t key[KEY_MOST];
    uint8_t value[VALUE_MOST];
};

/* In order of family and key. */
static struct entry *entries[ENTRIES];
static size_t entries_n;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry pool[ENTRIES];
static size_t pool_n;

struct kv_iter {
    uint32_t family;
    size_t at;
};

static int compare(const struct entry *e, uint32_t family, struct bytes key)
{
    if (e->family != family) {
        return e->family < family ? -1 : 1;
    }
    size_t n = e->key_n < key.n ? e->key_n : key.n;
    int order = n == 0 ? 0 : memcmp(e->key, key.p, n);
    return order != 0 ? order : e->key_n < key.n ? -1 : e->key_n > key.n;
}

/* The first entry at or above. */
static size_t find(uint32_t family, struct bytes key)
{
    size_t i = 0;
    while (i < entries_n && compare(entries[i], family, key) < 0) {
        i++;
    }
    return i;
}

static void put_one(const struct kv_put *p)
{
    size_t i = find(p->family, p->key);
    bool there = i < entries_n && compare(entries[i], p->family, p->key) == 0;
    if (p->erase) {
        if (there) {
            memmove(&entries[i], &entries[i + 1], (--entries_n - i) * sizeof *entries);
        }
        return;
    }
    if (!there) {
        memmove(&entries[i + 1], &entries[i], (entries_n++ - i) * sizeof *entries);
        entries[i] = &pool[pool_n++ % ENTRIES];
        entries[i]->family = p->family;
        entries[i]->key_n = p->key.n;
        memcpy(entries[i]->key, p->key.p, p->key.n);
    }
    entries[i]->value_n = p->value.n;
    if (p->value.n > 0) {
        memcpy(entries[i]->value, p->value.p, p->value.n);
    }
}

static enum err kv_commit(void *ctx, const struct kv_put *puts, size_t n, bool sync)
{
    (void)ctx;
    (void)sync;
    if (fault_strikes(FAULT_COMMIT)) {
        return ERR_NO_SPACE;
    }
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n; i++) {
        if (puts[i].key.n > KEY_MOST || puts[i].value.n > VALUE_MOST || entries_n == ENTRIES - 1) {
            abort(); /* the scenario is larger than this store */
        }
        put_one(&puts[i]);
    }
    pthread_mutex_unlock(&lock);
    return OK;
}

static enum err kv_get(void *ctx, uint32_t family, struct bytes key, uint8_t **out, size_t *out_n)
{
    (void)ctx;
    enum err e = ERR_NOT_FOUND;
    if (fault_strikes(FAULT_READ)) {
        return ERR_IO;
    }
    pthread_mutex_lock(&lock);
    size_t i = find(family, key);
    if (i < entries_n && compare(entries[i], family, key) == 0) {
        *out_n = entries[i]->value_n;
        *out = malloc(*out_n + 1);
        e = *out == NULL ? ERR_NO_MEMORY : OK;
    }
    if (e == OK) {
        memcpy(*out, entries[i]->value, *out_n);
    }
    pthread_mutex_unlock(&lock);
    return e;
}

static struct kv_iter *kv_seek(void *ctx, uint32_t family, struct bytes from)
{
    (void)ctx;
    struct kv_iter *it = malloc(sizeof *it);
    if (it != NULL) {
        pthread_mutex_lock(&lock);
        *it = (struct kv_iter){family, find(family, from)};
        pthread_mutex_unlock(&lock);
    }
    return it;
}

static struct kv_iter *kv_seek_back(void *ctx, uint32_t family, struct bytes from)
{
    struct kv_iter *it = kv_seek(ctx, family, from);
    if (it != NULL && (it->at == entries_n || compare(entries[it->at], family, from) != 0)) {
        it->at--; /* below the first it wraps and is not valid */
    }
    return it;
}

static bool kv_valid(struct kv_iter *it, struct bytes *key, struct bytes *value)
{
    if (it->at >= entries_n || entries[it->at]->family != it->family) {
        return false;
    }
    *key = bytes_of(entries[it->at]->key, entries[it->at]->key_n);
    *value = bytes_of(entries[it->at]->value, entries[it->at]->value_n);
    return true;
}

static void kv_next(struct kv_iter *it)
{
    it->at++;
}

static enum err kv_done(struct kv_iter *it)
{
    free(it);
    return fault_strikes(FAULT_READ) ? ERR_IO : OK;
}

static enum err kv_erase_range(void *ctx, uint32_t family, struct bytes from, struct bytes to)
{
    (void)ctx;
    if (fault_strikes(FAULT_COMMIT)) {
        return ERR_NO_SPACE;
    }
    pthread_mutex_lock(&lock);
    size_t first = find(family, from);
    size_t last = find(family, to);
    memmove(&entries[first], &entries[last], (entries_n - last) * sizeof *entries);
    entries_n -= last - first;
    pthread_mutex_unlock(&lock);
    return OK;
}

static void kv_explain(void *ctx, char *out, size_t n)
{
    (void)ctx;
    snprintf(out, n, "in memory");
}

static void kv_close(void *ctx)
{
    (void)ctx;
}

/* What the room takes for a database that is there. */
static enum err mark(const char *path)
{
    char current[4096];
    mkdir(path, 0700);
    snprintf(current, sizeof current, "%s/CURRENT", path);
    int fd = open(current, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) {
        return ERR_IO;
    }
    close(fd);
    return OK;
}

enum err memory_kv_open(struct kv *out, const char *path, bool create, const char *const *families,
                        size_t n, char *why, size_t why_len)
{
    (void)families;
    (void)n;
    if (fault_strikes(FAULT_READ)) {
        snprintf(why, why_len, "a read failed");
        return ERR_IO;
    }
    if (create) {
        TRY(mark(path));
    }
    *out = (struct kv){.commit = kv_commit,
                       .get = kv_get,
                       .seek = kv_seek,
                       .seek_back = kv_seek_back,
                       .valid = kv_valid,
                       .next = kv_next,
                       .done = kv_done,
                       .erase_range = kv_erase_range,
                       .explain = kv_explain,
                       .close = kv_close};
    return OK;
}

void memory_kv_erase(void)
{
    entries_n = 0;
    pool_n = 0;
}
