#define _GNU_SOURCE
#include "sequencer/batcher/layer_file_scan.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum kind { KIND_NONE, KIND_SEG, KIND_AUTH, KIND_TMP };

/* One file of ours. */
struct entry {
    uint64_t first;
    enum kind kind;
};

struct entries {
    struct entry *entry;
    size_t n;
    size_t room;
    size_t tmps;
};

void segment_name(char out[SEGMENT_NAME_BYTES], uint64_t first, const char *suffix)
{
    snprintf(out, SEGMENT_NAME_BYTES, "%0*" PRIu64 "%s", SEGMENT_DIGITS, first, suffix);
}

/* A name that segment_name makes, and no other. */
static enum kind kind_of(const char *name, uint64_t *first)
{
    static const char *const suffixes[] = {".seg", ".auth", ".seg.tmp", ".auth.tmp"};
    static const enum kind kinds[] = {KIND_SEG, KIND_AUTH, KIND_TMP, KIND_TMP};
    size_t digits = 0;
    *first = 0;
    while (digits < 19 && isdigit((unsigned char)name[digits])) {
        *first = 10 * *first + (uint64_t)(name[digits++] - '0');
    }
    if (digits < SEGMENT_DIGITS || (digits > SEGMENT_DIGITS && name[0] == '0')) {
        return KIND_NONE;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(name + digits, suffixes[i]) == 0) {
            return kinds[i];
        }
    }
    return KIND_NONE;
}

static enum err add(struct entries *e, uint64_t first, enum kind kind)
{
    if (e->n == e->room) {
        size_t room = e->room == 0 ? 128 : 2 * e->room;
        struct entry *more = realloc(e->entry, room * sizeof *more);
        if (more == NULL) {
            return ERR_NO_MEMORY;
        }
        e->entry = more;
        e->room = room;
    }
    e->entry[e->n++] = (struct entry){first, kind};
    return OK;
}

static enum err remove_file(int dir, const char *name, bool remove)
{
    return !remove || unlinkat(dir, name, 0) == 0 ? OK : ERR_IO;
}

static enum err take(struct entries *e, int dir, const char *name, bool remove)
{
    uint64_t first;
    enum kind kind = kind_of(name, &first);
    if (kind == KIND_NONE) {
        return OK;
    }
    if (kind == KIND_TMP) {
        e->tmps++;
        return remove_file(dir, name, remove);
    }
    return add(e, first, kind);
}

static enum err list(struct entries *e, int dir, bool remove)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    if (d == NULL) {
        if (copy >= 0) {
            close(copy);
        }
        return ERR_IO;
    }
    enum err err = OK;
    for (bool more = true; more && err == OK;) {
        errno = 0;
        struct dirent *f = readdir(d);
        more = f != NULL;
        if (more) {
            err = take(e, dir, f->d_name, remove);
        } else {
            err = errno != 0 ? ERR_IO : OK;
        }
    }
    closedir(d);
    return err;
}

static int compare(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    if (x->first != y->first) {
        return x->first < y->first ? -1 : 1;
    }
    return (int)x->kind - (int)y->kind;
}

static enum err half(char *why, size_t why_len, const struct entry *e)
{
    char name[SEGMENT_NAME_BYTES];
    segment_name(name, e->first, e->kind == KIND_SEG ? ".seg" : ".auth");
    snprintf(why, why_len, "%s: %s", name,
             e->kind == KIND_SEG
                 ? "its .auth is missing, and later segments are there: restore it, or fetch the "
                   "folder from another member"
                 : "its .seg is missing: restore it, or fetch the folder from another member");
    return ERR_CORRUPT;
}

/* Sorted entries to pairs. Only the last .seg may be without its .auth: a post that did not end. */
static enum err pair(struct segment_scan *out, struct entries *e, int dir, bool remove, char *why,
                     size_t why_len)
{
    for (size_t i = 0; i < e->n; i++) {
        const struct entry *a = &e->entry[i];
        const struct entry *b = i + 1 < e->n ? a + 1 : NULL;
        if (a->kind == KIND_SEG && b != NULL && b->first == a->first) {
            out->segment[out->n++] = (struct segment_name){.first = a->first};
            i++;
        } else if (a->kind == KIND_SEG && b == NULL) {
            char name[SEGMENT_NAME_BYTES];
            segment_name(name, a->first, ".seg");
            out->unfinished++;
            return remove_file(dir, name, remove);
        } else {
            return half(why, why_len, a);
        }
    }
    return OK;
}

enum err segment_scan(struct segment_scan *out, int dir, bool remove, char *why, size_t why_len)
{
    struct entries e = {.n = 0};
    *out = (struct segment_scan){.n = 0};
    enum err err = list(&e, dir, remove);
    out->unfinished = e.tmps;
    if (err == OK && e.n > 0) {
        qsort(e.entry, e.n, sizeof *e.entry, compare);
        out->room = e.n;
        out->segment = calloc(e.n, sizeof *out->segment);
        err = out->segment == NULL ? ERR_NO_MEMORY
                                   : pair(out, &e, dir, remove, why, why_len);
    }
    if (err == ERR_IO) {
        snprintf(why, why_len, "the folder of batches: %s", strerror(errno));
    }
    free(e.entry);
    return err;
}
