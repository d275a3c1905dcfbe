#define _GNU_SOURCE
/* DIR/l1/intents: "BTIN" · length u32 · last block u64 · intent · sum 8, record after record, all
 * big-endian; the sum is the first bytes of the Keccak-256 of all before it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/keccak.h"
#include "sequencer/node/l1_post_parts.h"

enum { RECORD_HEAD = 16, RECORD_SUM = 8, LARGE_BYTES = 16 << 20 };

static const uint8_t record_magic[4] = {'B', 'T', 'I', 'N'};

struct l1_intents {
    int fd;
    char path[L1_DIR + 16], fresh[L1_DIR + 32], dir[L1_DIR];
    size_t end;   /* of the last whole record */
    size_t large; /* written anew above this size */
    uint8_t *read;
    size_t read_n, read_at;
};

static enum err error_of_errno(void)
{
    return errno == ENOSPC || errno == EDQUOT ? ERR_NO_SPACE : ERR_IO;
}

/* ---- records --------------------------------------------------------------------------------- */

struct record {
    uint64_t last;
    struct bytes intent;
    struct bytes all;
};

static void sum_of(uint8_t out[RECORD_SUM], const uint8_t *p, size_t n)
{
    struct hash h = keccak256(p, n);
    memcpy(out, h.b, RECORD_SUM);
}

/* The record that begins at p; false: none that is whole. */
static bool record_read(struct record *out, const uint8_t *p, size_t n)
{
    uint8_t sum[RECORD_SUM];
    if (n < RECORD_HEAD + RECORD_SUM || memcmp(p, record_magic, sizeof record_magic) != 0) {
        return false;
    }
    size_t len = load_be32(p + 4);
    if (len > LIMIT_INTENT_BYTES || len > n - RECORD_HEAD - RECORD_SUM) {
        return false;
    }
    sum_of(sum, p, RECORD_HEAD + len);
    out->last = load_be64(p + 8);
    out->intent = bytes_of(p + RECORD_HEAD, len);
    out->all = bytes_of(p, RECORD_HEAD + len + RECORD_SUM);
    return memcmp(sum, p + RECORD_HEAD + len, RECORD_SUM) == 0;
}

static void record_write(struct buffer *out, uint64_t last, struct bytes intent)
{
    uint8_t head[RECORD_HEAD];
    uint8_t sum[RECORD_SUM];
    memcpy(head, record_magic, sizeof record_magic);
    store_be32(head + 4, (uint32_t)intent.n);
    store_be64(head + 8, last);
    buffer_put(out, head, sizeof head);
    buffer_put_bytes(out, intent);
    if (out->bad == OK) {
        sum_of(sum, out->p, out->n);
        buffer_put(out, sum, sizeof sum);
    }
}

/* ---- files ----------------------------------------------------------------------------------- */

static enum err write_at(int fd, size_t at, struct bytes b)
{
    while (b.n > 0) {
        ssize_t put = pwrite(fd, b.p, b.n, (off_t)at);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return error_of_errno();
        }
        b.p += put;
        b.n -= (size_t)put;
        at += (size_t)put;
    }
    return fdatasync(fd) == 0 ? OK : error_of_errno();
}

static enum err read_all(int fd, uint8_t **out, size_t *n)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size < 0 || st.st_size > LIMIT_INTENT_FILE) {
        return ERR_IO;
    }
    *n = (size_t)st.st_size;
    *out = malloc(*n + 1);
    if (*out == NULL) {
        return ERR_NO_MEMORY;
    }
    ssize_t got = pread(fd, *out, *n, 0);
    if (got < 0 || (size_t)got != *n) {
        free(*out);
        *out = NULL;
        return ERR_IO;
    }
    return OK;
}

static enum err sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return error_of_errno();
    }
    enum err e = fsync(fd) == 0 ? OK : error_of_errno();
    close(fd);
    return e;
}

/* What is kept takes the place of the file, whole or not at all. */
static enum err replace(struct l1_intents *s, struct bytes kept)
{
    int fd = open(s->fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return error_of_errno();
    }
    enum err e = write_at(fd, 0, kept);
    e = e == OK && rename(s->fresh, s->path) != 0 ? error_of_errno() : e;
    e = e == OK ? sync_dir(s->dir) : e;
    if (e != OK) {
        close(fd);
        return e;
    }
    close(s->fd);
    s->fd = fd;
    s->end = kept.n;
    return OK;
}

static enum err forget_final(struct l1_intents *s, uint64_t safe_final)
{
    uint8_t *all;
    size_t n;
    size_t kept = 0;
    struct record r;
    TRY(read_all(s->fd, &all, &n));
    for (size_t at = 0; at < s->end && record_read(&r, all + at, n - at); at += r.all.n) {
        if (r.last > safe_final) {
            memmove(all + kept, r.all.p, r.all.n);
            kept += r.all.n;
        }
    }
    enum err e = replace(s, bytes_of(all, kept));
    s->large = 2 * kept > LARGE_BYTES ? 2 * kept : LARGE_BYTES;
    free(all);
    return e;
}

/* ---- the store ------------------------------------------------------------------------------- */

enum err l1_intents_put(struct l1_intents *s, struct bytes intent, uint64_t safe_final)
{
    struct buffer record;
    struct post_intent *i = malloc(sizeof *i);
    enum err e = i == NULL ? ERR_NO_MEMORY : intent_decode(i, intent);
    buffer_init(&record, RECORD_HEAD + LIMIT_INTENT_BYTES + RECORD_SUM);
    if (e == OK) {
        record_write(&record, i->last, intent);
        e = record.bad;
    }
    e = e == OK && s->end > s->large ? forget_final(s, safe_final) : e;
    e = e == OK ? write_at(s->fd, s->end, buffer_bytes(&record)) : e;
    s->end += e == OK ? record.n : 0; /* what failed is written over */
    buffer_free(&record);
    free(i);
    return e;
}

bool l1_intents_next(struct l1_intents *s, struct bytes *out)
{
    struct record r;
    if (s->read_at < s->end && record_read(&r, s->read + s->read_at, s->read_n - s->read_at)) {
        s->read_at += r.all.n;
        *out = r.intent;
        return true;
    }
    free(s->read);
    s->read = NULL;
    s->read_at = s->end;
    return false;
}

static enum err load(struct l1_intents *s, uint64_t *torn)
{
    struct record r;
    TRY(read_all(s->fd, &s->read, &s->read_n));
    while (s->end < s->read_n && record_read(&r, s->read + s->end, s->read_n - s->end)) {
        s->end += r.all.n;
    }
    *torn = s->read_n - s->end;
    return *torn == 0 || ftruncate(s->fd, (off_t)s->end) == 0 ? OK : error_of_errno();
}

enum err l1_intents_open(struct l1_intents **out, const char *dir, uint64_t *torn, char *why,
                         size_t why_len)
{
    struct l1_intents *s = calloc(1, sizeof *s);
    *torn = 0;
    if (s == NULL) {
        return ERR_NO_MEMORY;
    }
    s->large = LARGE_BYTES;
    snprintf(s->dir, sizeof s->dir, "%s/l1", dir);
    snprintf(s->path, sizeof s->path, "%s/intents", s->dir);
    snprintf(s->fresh, sizeof s->fresh, "%s.new", s->path);
    s->fd = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    enum err e = s->fd < 0 ? error_of_errno() : load(s, torn);
    e = e == OK ? sync_dir(s->dir) : e;
    if (e != OK) {
        snprintf(why, why_len, "%s: %s", s->path, err_text(e));
        l1_intents_close(s);
        return e;
    }
    *out = s;
    return OK;
}

void l1_intents_close(struct l1_intents *s)
{
    if (s == NULL) {
        return;
    }
    if (s->fd >= 0) {
        close(s->fd);
    }
    free(s->read);
    free(s);
}
