#define _GNU_SOURCE
#include "storage/safety_file.h"

#include <errno.h>

static bool read_slot(const struct safety_file *f, unsigned slot, uint8_t out[SAFETY_SLOT_BYTES])
{
    size_t n = 0;
    uint64_t at = (uint64_t)slot * SAFETY_SLOT_BYTES;
    while (n < SAFETY_SLOT_BYTES) {
        ssize_t got = f->io->read(f->io->ctx, f->fd, out + n, SAFETY_SLOT_BYTES - n, at + n);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        n += (size_t)got;
    }
    return true;
}

static enum err write_slot(const struct safety_file *f, unsigned slot,
                           const uint8_t in[SAFETY_SLOT_BYTES])
{
    size_t n = 0;
    uint64_t at = (uint64_t)slot * SAFETY_SLOT_BYTES;
    while (n < SAFETY_SLOT_BYTES) {
        ssize_t put = f->io->write(f->io->ctx, f->fd, in + n, SAFETY_SLOT_BYTES - n, at + n);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return err_of_errno(errno);
        }
        n += (size_t)put;
    }
    return f->io->sync(f->io->ctx, f->fd) == 0 ? OK : err_of_errno(errno);
}

/* A clean stop rewrites the last record under the same sequence; that one is the newer. */
static bool is_newer(const struct safety_record *a, const struct safety_record *b)
{
    return a->sequence != b->sequence ? a->sequence > b->sequence : a->clean && !b->clean;
}

static void read_slots(struct safety_file *f)
{
    for (unsigned slot = 0; slot < SAFETY_SLOTS; slot++) {
        uint8_t raw[SAFETY_SLOT_BYTES];
        struct safety_record r;
        if (!read_slot(f, slot, raw) || safety_record_decode(&r, raw) != OK) {
            continue;
        }
        if (!f->found || is_newer(&r, &f->newest)) {
            f->newest = r;
            f->next = 1 - slot;
            f->found = true;
        }
    }
}

enum err safety_file_open(struct safety_file *f, const struct io *io, const char *path)
{
    *f = (struct safety_file){.io = io, .fd = io->open(io->ctx, path, false)};
    if (f->fd < 0) {
        return errno == ENOENT ? ERR_NOT_FOUND : err_of_errno(errno);
    }
    read_slots(f);
    return OK;
}

enum err safety_file_create(struct safety_file *f, const struct io *io, const char *path,
                            const struct safety_record *r)
{
    *f = (struct safety_file){.io = io, .fd = io->open(io->ctx, path, true)};
    if (f->fd < 0) {
        return err_of_errno(errno);
    }
    enum err e = OK;
    if (io->resize(io->ctx, f->fd, SAFETY_FILE_BYTES) != 0) {
        e = err_of_errno(errno);
    }
    if (e == OK) {
        e = safety_file_write_both(f, r);
    }
    if (e == OK && io->sync_entry(io->ctx, f->fd, path) != 0) {
        e = err_of_errno(errno);
    }
    if (e != OK) {
        safety_file_close(f);
    }
    return e;
}

enum err safety_file_write(struct safety_file *f, const struct safety_record *r)
{
    uint8_t raw[SAFETY_SLOT_BYTES];
    safety_record_encode(raw, r);
    TRY(write_slot(f, f->next, raw));
    f->next = 1 - f->next;
    f->newest = *r;
    f->found = true;
    return OK;
}

enum err safety_file_write_both(struct safety_file *f, const struct safety_record *r)
{
    TRY(safety_file_write(f, r));
    return safety_file_write(f, r);
}

void safety_file_close(struct safety_file *f)
{
    if (f->fd >= 0) {
        f->io->close(f->io->ctx, f->fd);
    }
    f->fd = -1;
}
