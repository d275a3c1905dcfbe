#define _GNU_SOURCE
#include "sequencer/batcher/layer_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/keccak.h"
#include "sequencer/batcher/auth.h"
#include "sequencer/batcher/layer_file_scan.h"

enum { PIECE = 1 << 20, READ_BYTES = 1 << 14, FILE_MAX = 1 << 26 };

struct layer_file {
    char dir[PATH_MAX];
    int fd; /* of the folder */
    uint64_t chain_id;
    uint64_t start; /* the first block ever */
    struct segment_name *segment;
    size_t segments;
    size_t room;
    uint64_t end;
    struct hash end_hash; /* of block `end`, in segment `number` */
    uint64_t number;
    size_t removed;
    uint32_t fail_after;
};

/* ---- the disk ------------------------------------------------------------------------------------ */

/* The hidden fault hook: true for the one operation that is to fail. */
static bool fails_now(struct layer_file *l)
{
    if (l->fail_after == UINT32_MAX) {
        return false;
    }
    return l->fail_after-- == 0;
}

static enum err write_all(struct layer_file *l, int fd, struct bytes b)
{
    while (b.n > 0) {
        size_t n = b.n < PIECE ? b.n : PIECE;
        bool fault = fails_now(l);
        ssize_t put = write(fd, b.p, fault ? n / 2 : n);
        if (fault) {
            return ERR_NO_SPACE;
        }
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return err_of_errno(errno);
        }
        b = bytes_of(b.p + put, b.n - (size_t)put);
    }
    return OK;
}

static enum err sync_file(struct layer_file *l, int fd)
{
    return fails_now(l) ? ERR_IO : fsync(fd) == 0 ? OK : err_of_errno(errno);
}

/* Written whole under a name that counts for nothing. */
static enum err write_tmp(struct layer_file *l, const char *name, struct bytes b)
{
    if (fails_now(l)) {
        return ERR_IO;
    }
    int fd = openat(l->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) {
        return err_of_errno(errno);
    }
    enum err e = write_all(l, fd, b);
    if (e == OK) {
        e = sync_file(l, fd);
    }
    return close(fd) == 0 || e != OK ? e : err_of_errno(errno);
}

static enum err give_name(struct layer_file *l, const char *from, const char *to)
{
    if (fails_now(l)) {
        return ERR_IO;
    }
    if (renameat(l->fd, from, l->fd, to) != 0) {
        return err_of_errno(errno);
    }
    return sync_file(l, l->fd);
}

static enum err read_whole(int dir, const char *name, struct buffer *out)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT ? ERR_NOT_FOUND : err_of_errno(errno);
    }
    enum err e = OK;
    for (ssize_t got = 1; got != 0 && e == OK;) {
        uint8_t *to = buffer_room(out, READ_BYTES);
        got = to != NULL ? read(fd, to, READ_BYTES) : 0;
        if (to == NULL) {
            e = out->bad;
        } else if (got < 0 && errno != EINTR) {
            e = ERR_IO;
        } else {
            out->n += got > 0 ? (size_t)got : 0;
        }
    }
    close(fd);
    return e;
}

/* ---- one segment ----------------------------------------------------------------------------------- */

static enum err say(char *why, size_t why_len, enum err e, const char *dir, const char *name,
                    const char *what)
{
    snprintf(why, why_len, "%s/%s: %s", dir, name, what);
    return e;
}

/* The envelope, appended, against its name. What is decoded borrows from `raw`. */
static enum err read_auth(const struct layer_file *l, uint64_t first, struct buffer *raw,
                          struct batch_auth *auth, char *why, size_t why_len)
{
    char name[SEGMENT_NAME_BYTES];
    char what[256];
    struct fault fault;
    segment_name(name, first, ".auth");
    size_t start = raw->n;
    enum err e = read_whole(l->fd, name, raw);
    if (e != OK) {
        return say(why, why_len, e, l->dir, name, err_text(e));
    }
    if (auth_decode(auth, bytes_of(raw->p + start, raw->n - start), &fault) != OK) {
        snprintf(what, sizeof what, "byte %zu: expected %s", fault.at, fault.wanted);
        return say(why, why_len, ERR_CORRUPT, l->dir, name, what);
    }
    if (auth->chain_id != l->chain_id) {
        return say(why, why_len, ERR_WRONG_CHAIN, l->dir, name, "made for another chain");
    }
    return auth->first == first
               ? OK
               : say(why, why_len, ERR_CORRUPT, l->dir, name, "begins with another block");
}

static enum err read_payload(const struct layer_file *l, uint64_t first,
                             const struct batch_auth *auth, struct buffer *payload, char *why,
                             size_t why_len)
{
    char name[SEGMENT_NAME_BYTES];
    segment_name(name, first, ".seg");
    size_t start = payload->n;
    enum err e = read_whole(l->fd, name, payload);
    if (e != OK) {
        return say(why, why_len, e, l->dir, name, err_text(e));
    }
    struct hash h = keccak256(payload->p + start, payload->n - start);
    return hash_equal(&h, &auth->commitment)
               ? OK
               : say(why, why_len, ERR_CORRUPT, l->dir, name,
                     "its bytes are not those that the envelope beside it names");
}

/* ---- opening ----------------------------------------------------------------------------------------- */

/* Every segment continues the one before; `linked`: that one was read. */
static enum err check_link(struct layer_file *l, size_t i, const struct batch_auth *auth,
                           bool linked, char *why, size_t why_len)
{
    char name[SEGMENT_NAME_BYTES];
    char what[160];
    segment_name(name, l->segment[i].first, ".auth");
    if (auth->first != l->end + 1) {
        snprintf(what, sizeof what, "begins with block %" PRIu64 ", expected %" PRIu64, auth->first,
                 l->end + 1);
        return say(why, why_len, ERR_CORRUPT, l->dir, name, what);
    }
    if (linked && !hash_equal(&auth->parent, &l->end_hash)) {
        return say(why, why_len, ERR_CORRUPT, l->dir, name,
                   "its parent is not the last block of the segment before");
    }
    l->segment[i].last = auth->last;
    l->end = auth->last;
    l->end_hash = auth->last_hash;
    l->number = auth->segment;
    return OK;
}

static enum err check_one(struct layer_file *l, size_t i, bool linked, char *why, size_t why_len)
{
    struct buffer raw;
    struct buffer payload;
    struct batch_auth *auth = malloc(sizeof *auth);
    if (auth == NULL) {
        return ERR_NO_MEMORY;
    }
    buffer_init(&raw, FILE_MAX);
    buffer_init(&payload, FILE_MAX);
    enum err e = read_auth(l, l->segment[i].first, &raw, auth, why, why_len);
    if (e == OK) {
        e = check_link(l, i, auth, linked, why, why_len);
    }
    if (e == OK && i + 1 == l->segments) {
        e = read_payload(l, l->segment[i].first, auth, &payload, why, why_len);
    }
    buffer_free(&raw);
    buffer_free(&payload);
    free(auth);
    return e;
}

/* What stands before the last ones is taken from the names: a start must not take longer each day
 * that a chain lives. */
static enum err check_all(struct layer_file *l, char *why, size_t why_len)
{
    size_t most = LIMIT_OPEN_SEGMENTS;
    size_t unread = l->segments > most ? l->segments - most : 0;
    if (unread > 0 && l->segment[0].first != l->start) {
        snprintf(why, why_len, "%s: the first segment begins with block %" PRIu64
                 ", expected %" PRIu64, l->dir, l->segment[0].first, l->start);
        return ERR_CORRUPT;
    }
    for (size_t i = 0; i < unread; i++) {
        l->segment[i].last = l->segment[i + 1].first - 1;
    }
    l->end = unread > 0 ? l->segment[unread - 1].last : l->end;
    for (size_t i = unread; i < l->segments; i++) {
        TRY(check_one(l, i, i > unread, why, why_len));
    }
    return OK;
}

static enum err open_folder(struct layer_file *l, const char *dir, bool repair, char *why,
                            size_t why_len)
{
    if (snprintf(l->dir, sizeof l->dir, "%s", dir) >= (int)sizeof l->dir) {
        return say(why, why_len, ERR_IO, "…", "", "the path is too long");
    }
    if (repair && mkdir(dir, 0755) != 0 && errno != EEXIST) {
        enum err e = err_of_errno(errno);
        return say(why, why_len, e, dir, "", strerror(errno));
    }
    l->fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (l->fd < 0) {
        return say(why, why_len, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, dir, "",
                   strerror(errno));
    }
    return OK;
}

static enum err open_all(struct layer_file *l, const char *dir, bool repair, char *why,
                         size_t why_len)
{
    struct segment_scan scan;
    TRY(open_folder(l, dir, repair, why, why_len));
    enum err e = segment_scan(&scan, l->fd, repair, why, why_len);
    l->segment = scan.segment;
    l->segments = scan.n;
    l->room = scan.room;
    l->removed = scan.unfinished;
    return e == OK ? check_all(l, why, why_len) : e;
}

enum err layer_file_open(struct layer_file **out, const char *dir, uint64_t chain_id,
                         uint64_t first, bool repair, char *why, size_t why_len)
{
    struct layer_file *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return ERR_NO_MEMORY;
    }
    *why = '\0';
    l->fd = -1;
    l->chain_id = chain_id;
    l->start = first;
    l->end = first - 1;
    l->fail_after = UINT32_MAX;
    enum err e = open_all(l, dir, repair, why, why_len);
    if (e != OK) {
        layer_file_close(l);
        return e;
    }
    *out = l;
    return OK;
}

void layer_file_close(struct layer_file *l)
{
    if (l->fd >= 0) {
        close(l->fd);
    }
    free(l->segment);
    free(l);
}

/* ---- the vtable ----------------------------------------------------------------------------------------- */

static enum err remember(struct layer_file *l, const struct posting *p)
{
    if (l->segments == l->room) {
        size_t room = l->room == 0 ? 64 : 2 * l->room;
        struct segment_name *more = realloc(l->segment, room * sizeof *more);
        if (more == NULL) {
            return ERR_NO_MEMORY;
        }
        l->segment = more;
        l->room = room;
    }
    l->segment[l->segments] = (struct segment_name){p->first, p->last};
    return OK;
}

static enum err write_segment(struct layer_file *l, const struct posting *p)
{
    char seg[SEGMENT_NAME_BYTES];
    char auth[SEGMENT_NAME_BYTES];
    char seg_tmp[SEGMENT_NAME_BYTES];
    char auth_tmp[SEGMENT_NAME_BYTES];
    segment_name(seg, p->first, ".seg");
    segment_name(auth, p->first, ".auth");
    segment_name(seg_tmp, p->first, ".seg.tmp");
    segment_name(auth_tmp, p->first, ".auth.tmp");
    TRY(write_tmp(l, seg_tmp, p->payload));
    TRY(write_tmp(l, auth_tmp, p->envelope));
    TRY(give_name(l, seg_tmp, seg));
    return give_name(l, auth_tmp, auth);
}

static enum err same_bytes(struct layer_file *l, const struct posting *p)
{
    struct buffer payload;
    struct buffer envelope;
    char name[SEGMENT_NAME_BYTES];
    buffer_init(&payload, FILE_MAX);
    buffer_init(&envelope, FILE_MAX);
    segment_name(name, p->first, ".seg");
    enum err e = read_whole(l->fd, name, &payload);
    segment_name(name, p->first, ".auth");
    e = e == OK ? read_whole(l->fd, name, &envelope) : e;
    bool same = bytes_equal(buffer_bytes(&payload), p->payload) &&
                bytes_equal(buffer_bytes(&envelope), p->envelope);
    buffer_free(&payload);
    buffer_free(&envelope);
    return e != OK ? e : same ? OK : ERR_REFUSED;
}

/* The envelope must be this posting's, or the next start would refuse the folder. */
static enum err check_posting(const struct layer_file *l, const struct posting *p,
                              struct batch_auth *auth)
{
    struct fault fault;
    struct hash h = keccak256(p->payload.p, p->payload.n);
    if (auth_decode(auth, p->envelope, &fault) != OK || auth->first != p->first ||
        auth->last != p->last || auth->chain_id != l->chain_id ||
        !hash_equal(&h, &auth->commitment) || p->payload.n > FILE_MAX / 2 ||
        (l->segments > 0 && !hash_equal(&auth->parent, &l->end_hash))) {
        return ERR_REFUSED;
    }
    return OK;
}

static enum err append(struct layer_file *l, const struct posting *p)
{
    struct batch_auth *auth = malloc(sizeof *auth);
    if (auth == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err e = check_posting(l, p, auth);
    e = e == OK ? remember(l, p) : e;
    e = e == OK ? write_segment(l, p) : e;
    if (e == OK) {
        l->segments++;
        l->end = p->last;
        l->end_hash = auth->last_hash;
        l->number = auth->segment;
    }
    free(auth);
    return e;
}

static enum err file_post(void *ctx, const struct posting *p)
{
    struct layer_file *l = ctx;
    for (size_t i = l->segments; i > 0 && l->segment[i - 1].first >= p->first; i--) {
        if (l->segment[i - 1].first == p->first) {
            return l->segment[i - 1].last == p->last ? same_bytes(l, p) : ERR_REFUSED;
        }
    }
    return p->first == l->end + 1 && p->last >= p->first ? append(l, p) : ERR_REFUSED;
}

static uint64_t file_end(void *ctx)
{
    return ((struct layer_file *)ctx)->end;
}

static bool file_last(void *ctx, struct posted *out)
{
    const struct layer_file *l = ctx;
    if (l->segments == 0) {
        return false;
    }
    const struct segment_name *s = &l->segment[l->segments - 1];
    *out = (struct posted){l->number, s->first, s->last, l->end_hash};
    return true;
}

/* Sorted by their first blocks. */
static bool stands(const struct layer_file *l, uint64_t first)
{
    size_t low = 0;
    size_t high = l->segments;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (l->segment[middle].first == first) {
            return true;
        }
        low = l->segment[middle].first < first ? middle + 1 : low;
        high = l->segment[middle].first > first ? middle : high;
    }
    return false;
}

static enum err file_read(void *ctx, uint64_t first, struct buffer *payload,
                          struct buffer *envelope, char *why, size_t why_len)
{
    struct layer_file *l = ctx;
    if (!stands(l, first)) {
        return ERR_NOT_FOUND;
    }
    struct batch_auth *auth = malloc(sizeof *auth);
    if (auth == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err e = read_auth(l, first, envelope, auth, why, why_len);
    if (e == OK) {
        e = read_payload(l, first, auth, payload, why, why_len);
    }
    free(auth);
    return e;
}

static void file_close(void *ctx)
{
    layer_file_close(ctx);
}

struct data_layer layer_file_layer(struct layer_file *l)
{
    return (struct data_layer){l, file_post, file_end, file_last, file_read, file_close};
}

size_t layer_file_removed(const struct layer_file *l)
{
    return l->removed;
}

size_t layer_file_segments(const struct layer_file *l)
{
    return l->segments;
}

void layer_file_fail_after(struct layer_file *l, uint32_t ok)
{
    l->fail_after = ok;
}
