#define _GNU_SOURCE
#include "storage/redo_file.h"

#include <errno.h>
#include <stdlib.h>

enum {
    MAGIC = 0x62524431,
    HEAD_BYTES = REDO_RECORD_LEAST,
    PUT_BYTES = 16,
    PIECE_BYTES = 65536,
    AHEAD_BYTES = 131072,
    ALIGN = 8
};

/* ---- the file -------------------------------------------------------------------------------- */

static enum err failed(struct redo_file *f)
{
    f->error = errno;
    return errno == ENOSPC || errno == EDQUOT ? ERR_NO_SPACE : ERR_IO;
}

enum err redo_file_open(struct redo_file *f, const struct io *io, uint64_t limit, const char *path)
{
    *f = (struct redo_file){.io = io, .limit = limit, .fd = io->open(io->ctx, path, true)};
    if (f->fd < 0) {
        return failed(f);
    }
    int64_t size = io->size(io->ctx, f->fd);
    if (size < 0 || (size == 0 && io->sync_entry(io->ctx, f->fd, path) != 0)) {
        return failed(f);
    }
    f->written = (uint64_t)size / PIECE_BYTES * PIECE_BYTES;
    return OK;
}

void redo_file_close(struct redo_file *f)
{
    if (f->fd >= 0) {
        f->io->close(f->io->ctx, f->fd);
    }
    f->fd = -1;
}

static enum err write_all(struct redo_file *f, uint64_t at, const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t put = f->io->write(f->io->ctx, f->fd, p, n, at);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return failed(f);
        }
        p += put;
        at += (uint64_t)put;
        n -= (size_t)put;
    }
    return OK;
}

static enum err grow(struct redo_file *f)
{
    uint8_t *zeros = calloc(1, PIECE_BYTES);
    if (zeros == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err e = write_all(f, f->written, zeros, PIECE_BYTES);
    free(zeros);
    TRY(e);
    f->written += PIECE_BYTES;
    return redo_file_sync(f);
}

enum err redo_file_write(struct redo_file *f, uint64_t at, const uint8_t *p, size_t n)
{
    while (at + n > f->written) {
        TRY(grow(f));
    }
    return write_all(f, at, p, n);
}

enum err redo_file_prepare(struct redo_file *f, uint64_t at)
{
    while (f->written < f->limit && f->written < at + AHEAD_BYTES) {
        TRY(grow(f));
    }
    return OK;
}

enum err redo_file_sync(struct redo_file *f)
{
    return f->io->sync(f->io->ctx, f->fd) == 0 ? OK : failed(f);
}

enum err redo_file_read(const struct redo_file *f, uint8_t **out, size_t *n)
{
    uint8_t *bytes = malloc(f->limit);
    size_t have = 0;
    while (bytes != NULL && have < f->limit) {
        ssize_t got = f->io->read(f->io->ctx, f->fd, bytes + have, f->limit - have, have);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            free(bytes);
            return ERR_IO;
        }
        if (got == 0) {
            break;
        }
        have += (size_t)got;
    }
    *out = bytes;
    *n = have;
    return bytes == NULL ? ERR_NO_MEMORY : OK;
}

/* ---- records --------------------------------------------------------------------------------- */

static size_t align(size_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

static size_t puts_size(const struct kv_put *puts, size_t n)
{
    size_t size = 0;
    for (size_t i = 0; i < n; i++) {
        size += PUT_BYTES + puts[i].key.n + puts[i].value.n;
    }
    return size;
}

size_t redo_record_size(const struct kv_put *puts, size_t n)
{
    return HEAD_BYTES + align(puts_size(puts, n));
}

/* Each step is a bijection of the sum, so that a change within one word is always found. */
static uint64_t sum(uint64_t sequence, const uint8_t *p, size_t size)
{
    uint64_t h = sequence * 0x9e3779b97f4a7c15ULL ^ size;
    for (size_t i = 0; i < size; i += ALIGN) {
        h = (h ^ load_be64(p + i)) * 0xd6e8feb86659fd93ULL;
        h ^= h >> 32;
    }
    return h;
}

static uint8_t *put_bytes(uint8_t *to, struct bytes b)
{
    if (b.n > 0) {
        memcpy(to, b.p, b.n);
    }
    return to + b.n;
}

void redo_record_encode(uint8_t *out, uint64_t sequence, const struct kv_put *puts, size_t n)
{
    size_t size = puts_size(puts, n);
    uint8_t *at = out + HEAD_BYTES;
    for (size_t i = 0; i < n; i++) {
        store_be32(at, puts[i].family);
        store_be32(at + 4, puts[i].erase ? 1 : 0);
        store_be32(at + 8, (uint32_t)puts[i].key.n);
        store_be32(at + 12, (uint32_t)puts[i].value.n);
        at = put_bytes(at + PUT_BYTES, puts[i].key);
        at = put_bytes(at, puts[i].value);
    }
    memset(at, 0, align(size) - size);
    store_be32(out, MAGIC);
    store_be32(out + 4, (uint32_t)size);
    store_be64(out + 8, sequence);
    store_be64(out + 16, sum(sequence, out + HEAD_BYTES, size));
}

bool redo_walk_next(struct redo_walk *w)
{
    if (w->file.n - w->at < HEAD_BYTES) {
        return false;
    }
    const uint8_t *p = w->file.p + w->at;
    size_t size = load_be32(p + 4);
    uint64_t sequence = load_be64(p + 8);
    if (load_be32(p) != MAGIC || size > w->file.n || align(size) > w->file.n - w->at - HEAD_BYTES ||
        (w->at > 0 && sequence != w->sequence + 1) ||
        load_be64(p + 16) != sum(sequence, p + HEAD_BYTES, size)) {
        return false;
    }
    w->sequence = sequence;
    w->puts = bytes_of(p + HEAD_BYTES, size);
    w->at += HEAD_BYTES + align(size);
    return true;
}

/* One put off the front. */
static bool take_put(struct bytes *b, struct kv_put *out)
{
    if (b->n < PUT_BYTES) {
        return false;
    }
    size_t key = load_be32(b->p + 8);
    size_t value = load_be32(b->p + 12);
    if (key > b->n - PUT_BYTES || value > b->n - PUT_BYTES - key) {
        return false;
    }
    *out = (struct kv_put){.family = load_be32(b->p),
                           .erase = load_be32(b->p + 4) != 0,
                           .key = bytes_of(b->p + PUT_BYTES, key),
                           .value = bytes_of(b->p + PUT_BYTES + key, value)};
    *b = bytes_of(b->p + PUT_BYTES + key + value, b->n - PUT_BYTES - key - value);
    return true;
}

enum err redo_walk_puts(const struct redo_walk *w, struct kv_put **puts, size_t *n, size_t more)
{
    struct bytes left = w->puts;
    struct kv_put *list = calloc(w->puts.n / PUT_BYTES + more + 1, sizeof *list);
    size_t count = 0;
    if (list == NULL) {
        return ERR_NO_MEMORY;
    }
    while (left.n > 0 && take_put(&left, &list[count])) {
        count++;
    }
    if (left.n > 0) {
        free(list);
        return ERR_CORRUPT;
    }
    *puts = list;
    *n = count;
    return OK;
}
