/* The second record (CONSENSUS 8) as a file: two checksummed slots of 4 KiB, written in turns, so
 * that a torn write leaves the other one whole. Reading takes the newest valid slot.
 *
 * Threads: one at a time. */
#ifndef STORAGE_SAFETY_FILE_H
#define STORAGE_SAFETY_FILE_H

#include "proto/record.h"
#include "storage/io.h"

enum { SAFETY_SLOTS = 2, SAFETY_FILE_BYTES = SAFETY_SLOTS * SAFETY_SLOT_BYTES };

struct safety_file {
    const struct io *io;
    int fd;                       /* -1: not open */
    unsigned next;                /* the slot that the next write goes to */
    bool found;                   /* a valid slot was read */
    struct safety_record newest;  /* if found */
};

/* Opens and reads. ERR_NOT_FOUND: no file. A file without a valid slot is OK with found = false. */
enum err safety_file_open(struct safety_file *f, const struct io *io, const char *path) MUST_USE;
/* Opens, or makes the file, and writes `r` into both slots; durable, directory entry included. */
enum err safety_file_create(struct safety_file *f, const struct io *io, const char *path,
                            const struct safety_record *r) MUST_USE;
/* Durable on return. ERR_IO, ERR_NO_SPACE: the older slot was being written; the newer stands. */
enum err safety_file_write(struct safety_file *f, const struct safety_record *r) MUST_USE;
/* Both slots, so that damage to one of them cannot hide a clean stop. */
enum err safety_file_write_both(struct safety_file *f, const struct safety_record *r) MUST_USE;
void safety_file_close(struct safety_file *f);

#endif
