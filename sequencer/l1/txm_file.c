#define _GNU_SOURCE
#include "sequencer/l1/txm_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "proto/keccak.h"
#include "sequencer/l1/file.h"

enum { HEAD = 64, HEAD_SUMMED = 56, GROUP_HEAD = 20, SUM = 8, VERSION = 1, SECTOR = 512 };

static const uint8_t head_magic[8] = {'B', 'A', 'T', 'O', 'N', 'T', 'X', 'M'};
static const uint32_t group_magic = 0x54584d47; /* "TXMG" */

struct txm_file {
    int fd;
    char path[PATH_MAX];
    uint8_t head[HEAD];
    uint64_t end;  /* of the last whole group */
    uint64_t torn;
    bool bad;      /* an append failed: only replace helps */
    uint8_t *read; /* as it was opened */
    size_t read_n;
    size_t read_at;
};

static enum err say(char *why, size_t why_len, enum err e, const char *path, const char *what)
{
    snprintf(why, why_len, "%s: %s", path, what);
    return e;
}

static void sum_of(uint8_t out[SUM], const void *p, size_t n)
{
    struct hash h = keccak256(p, n);
    memcpy(out, h.b, SUM);
}

static void make_head(struct txm_file *f, uint64_t chain_id, const struct address *account)
{
    memcpy(f->head, head_magic, sizeof head_magic);
    store_be32(f->head + 8, VERSION);
    store_be64(f->head + 12, chain_id);
    memcpy(f->head + 20, account->b, sizeof account->b);
    sum_of(f->head + HEAD_SUMMED, f->head, HEAD_SUMMED);
}

/* Head and bytes of a group, in memory of its own. */
static uint8_t *frame_group(struct bytes group, size_t *n)
{
    *n = GROUP_HEAD + group.n;
    uint8_t *out = group.n <= LIMIT_TXM_GROUP ? malloc(*n) : NULL;
    if (out != NULL) {
        store_be32(out, group_magic);
        store_be32(out + 4, (uint32_t)group.n);
        store_be32(out + 8, ~(uint32_t)group.n);
        sum_of(out + 12, group.p, group.n);
        memcpy(out + GROUP_HEAD, group.p, group.n);
    }
    return out;
}

/* ---- reading ------------------------------------------------------------------------------------- */

static bool head_stands(const uint8_t *p)
{
    return load_be32(p) == group_magic && load_be32(p + 4) == ~load_be32(p + 8);
}

/* The group at `at`, or an empty range where no whole one is. */
static struct bytes group_at(const struct txm_file *f, size_t at)
{
    const uint8_t *p = f->read + at;
    size_t left = f->read_n - at;
    uint8_t sum[SUM];
    if (left < GROUP_HEAD || !head_stands(p) || load_be32(p + 4) > left - GROUP_HEAD) {
        return bytes_of(p, 0);
    }
    struct bytes group = bytes_of(p + GROUP_HEAD, load_be32(p + 4));
    sum_of(sum, group.p, group.n);
    return memcmp(sum, p + 12, SUM) == 0 ? group : bytes_of(p, 0);
}

static bool all_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != 0) {
            return false;
        }
    }
    return true;
}

/* A cut-off write: the file ends before the group does, or a sector of it never arrived. Bytes that
 * did arrive are as they were written, so a head that contradicts itself is damage. */
static bool is_torn(const struct txm_file *f, size_t at)
{
    const uint8_t *p = f->read + at;
    size_t left = f->read_n - at;
    if (left < GROUP_HEAD) {
        return true;
    }
    for (size_t s = at; s < f->read_n; s = (s / SECTOR + 1) * SECTOR) {
        size_t stop = (s / SECTOR + 1) * SECTOR;
        stop = stop < f->read_n ? stop : f->read_n;
        if (stop - s >= SUM && all_zero(f->read + s, stop - s)) {
            return true;
        }
    }
    return head_stands(p) && load_be32(p + 4) > left - GROUP_HEAD;
}

/* Behind a torn group nothing whole can stand: the next is written when the one before is synced. */
static bool whole_group_after(const struct txm_file *f, size_t at)
{
    for (size_t i = at + 1; i + GROUP_HEAD <= f->read_n; i++) {
        if (f->read[i] == 'T' && group_at(f, i).n > 0) {
            return true;
        }
    }
    return false;
}

static enum err check_groups(struct txm_file *f, char *why, size_t why_len)
{
    char what[128];
    size_t at = HEAD;
    while (at < f->read_n) {
        struct bytes group = group_at(f, at);
        if (group.n == 0) {
            break;
        }
        at += GROUP_HEAD + group.n;
    }
    if (at < f->read_n && (!is_torn(f, at) || whole_group_after(f, at))) {
        snprintf(what, sizeof what, "damaged at byte %zu; bring back a copy, or move it away after "
                 "all transactions of the account are final", at);
        return say(why, why_len, ERR_CORRUPT, f->path, what);
    }
    f->torn = f->read_n - at;
    f->read_n = at;
    f->end = at;
    return f->torn == 0 || ftruncate(f->fd, (off_t)at) == 0 ? OK : err_of_errno(errno);
}

static enum err check_head(const struct txm_file *f, char *why, size_t why_len)
{
    uint8_t sum[SUM];
    sum_of(sum, f->read, HEAD_SUMMED);
    if (memcmp(f->read, head_magic, sizeof head_magic) != 0 ||
        memcmp(sum, f->read + HEAD_SUMMED, SUM) != 0) {
        return say(why, why_len, ERR_CORRUPT, f->path, "the head (bytes 0 to 63) is damaged");
    }
    if (load_be32(f->read + 8) != VERSION) {
        return say(why, why_len, ERR_WRONG_VERSION, f->path, "written by a newer program");
    }
    return memcmp(f->read, f->head, HEAD) == 0
               ? OK
               : say(why, why_len, ERR_REFUSED, f->path, "of another account or another L1");
}

/* ---- opening ------------------------------------------------------------------------------------- */

/* A new file, or one whose head a crash cut off. */
static enum err begin(struct txm_file *f)
{
    TRY(file_write_synced(f->fd, 0, bytes_of(f->head, HEAD)));
    f->read_n = f->end = HEAD;
    return file_sync_folder(f->path);
}

static enum err load(struct txm_file *f, char *why, size_t why_len)
{
    enum err e = file_read_all(f->fd, LIMIT_TXM_FILE, &f->read, &f->read_n);
    if (e != OK) {
        return say(why, why_len, e, f->path, err_text(e));
    }
    f->read_at = HEAD;
    if (f->read_n < HEAD) {
        e = begin(f);
        return e == OK ? OK : say(why, why_len, e, f->path, err_text(e));
    }
    TRY(check_head(f, why, why_len));
    return check_groups(f, why, why_len);
}

enum err txm_file_open(struct txm_file **out, const char *path, uint64_t chain_id,
                       const struct address *account, char *why, size_t why_len)
{
    struct txm_file *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return say(why, why_len, ERR_NO_MEMORY, path, err_text(ERR_NO_MEMORY));
    }
    snprintf(f->path, sizeof f->path, "%s", path);
    make_head(f, chain_id, account);
    f->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    enum err e = OK;
    if (f->fd < 0) {
        e = say(why, why_len, err_of_errno(errno), path, strerror(errno));
    } else if (flock(f->fd, LOCK_EX | LOCK_NB) != 0) {
        e = say(why, why_len, ERR_IN_USE, path, "another process posts from this account");
    } else {
        e = load(f, why, why_len);
    }
    if (e != OK) {
        txm_file_close(f);
        return e;
    }
    *out = f;
    return OK;
}

void txm_file_close(struct txm_file *f)
{
    if (f != NULL) {
        if (f->fd >= 0) {
            close(f->fd);
        }
        free(f->read);
        free(f);
    }
}

bool txm_file_next(struct txm_file *f, struct bytes *group)
{
    if (f->read == NULL || f->read_at >= f->read_n) {
        return false;
    }
    *group = bytes_of(f->read + f->read_at + GROUP_HEAD, load_be32(f->read + f->read_at + 4));
    f->read_at += GROUP_HEAD + group->n;
    return true;
}

void txm_file_forget(struct txm_file *f)
{
    free(f->read);
    f->read = NULL;
}

uint64_t txm_file_torn(const struct txm_file *f)
{
    return f->torn;
}

/* ---- writing ------------------------------------------------------------------------------------- */

static enum err append(void *ctx, struct bytes group)
{
    struct txm_file *f = ctx;
    size_t n;
    if (f->bad || group.n == 0) {
        return ERR_IO;
    }
    uint8_t *framed = frame_group(group, &n);
    if (framed == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err e = file_write_synced(f->fd, f->end, bytes_of(framed, n));
    free(framed);
    f->bad = e != OK;
    f->end += e == OK ? n : 0;
    return e;
}

static enum err write_new(struct txm_file *f, int fd, const char *path, struct bytes group)
{
    size_t n;
    uint8_t *framed = frame_group(group, &n);
    if (framed == NULL) {
        return ERR_NO_MEMORY;
    }
    n = group.n > 0 ? n : 0;
    enum err e = file_write_at(fd, 0, bytes_of(f->head, HEAD));
    e = e == OK ? file_write_at(fd, HEAD, bytes_of(framed, n)) : e;
    free(framed);
    if (e == OK && (fsync(fd) != 0 || rename(path, f->path) != 0)) {
        e = err_of_errno(errno);
    }
    if (e == OK) {
        close(f->fd);
        f->fd = fd;
        f->end = HEAD + n;
        f->bad = false;
    }
    return e;
}

static enum err replace(void *ctx, struct bytes group)
{
    struct txm_file *f = ctx;
    char path[PATH_MAX + 8];
    snprintf(path, sizeof path, "%s.new", f->path);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return err_of_errno(errno);
    }
    enum err e = flock(fd, LOCK_EX | LOCK_NB) == 0 ? write_new(f, fd, path, group) : ERR_IN_USE;
    if (e != OK) {
        close(fd);
        return e;
    }
    return file_sync_folder(f->path);
}

struct txm_journal txm_file_journal(struct txm_file *f)
{
    return (struct txm_journal){.ctx = f, .append = append, .replace = replace};
}
