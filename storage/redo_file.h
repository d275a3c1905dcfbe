/* One file of the log in front of the database: records at offsets, and what of them is whole.
 *
 * The file is written full of zeros, piece by piece, before its bytes are used, and is used again
 * from its start for ever: so a record overwrites blocks that the file has already, and a sync
 * writes the record and nothing else. A file that grows would have its inode synced each time.
 *
 * A record: magic u32, bytes of its puts u32, sequence u64, sum u64, puts, zeros up to a multiple
 * of 8. A put: family u32, erase u32, key bytes u32, value bytes u32, key, value. All big-endian.
 * The sum finds torn and decayed bytes; it is no defence against people. */
#ifndef STORAGE_REDO_FILE_H
#define STORAGE_REDO_FILE_H

#include "proto/limits.h"
#include "storage/io.h"
#include "storage/kv.h"

enum { REDO_RECORD_LEAST = 24 }; /* bytes of a record of nothing */

struct redo_file {
    const struct io *io;
    uint64_t limit; /* bytes; a multiple of a piece */
    int fd;
    int error;        /* errno of what failed last; 0: nothing did */
    uint64_t written; /* so many bytes have been written once; a multiple of a piece */
};

/* Opens or makes it, its name in the directory durable. ERR_IO, ERR_NO_SPACE. */
enum err redo_file_open(struct redo_file *f, const struct io *io, uint64_t limit,
                        const char *path) MUST_USE;
void redo_file_close(struct redo_file *f);
/* `n` bytes at `at`, not durable yet; at + n <= limit. ERR_IO, ERR_NO_SPACE. */
enum err redo_file_write(struct redo_file *f, uint64_t at, const uint8_t *p, size_t n) MUST_USE;
/* Zeros some way beyond `at`, so that the writes that follow find room: when nobody waits. Durable.
 * ERR_IO, ERR_NO_SPACE, ERR_NO_MEMORY. */
enum err redo_file_prepare(struct redo_file *f, uint64_t at) MUST_USE;
enum err redo_file_sync(struct redo_file *f) MUST_USE;
/* The whole file, malloc'ed; `*n` may be 0. ERR_IO, ERR_NO_MEMORY. */
enum err redo_file_read(const struct redo_file *f, uint8_t **out, size_t *n) MUST_USE;

size_t redo_record_size(const struct kv_put *puts, size_t n);
/* `out` has redo_record_size bytes. */
void redo_record_encode(uint8_t *out, uint64_t sequence, const struct kv_put *puts, size_t n);

/* A walk over records from the start of a file's bytes: whole ones whose sequences ascend by one. */
struct redo_walk {
    struct bytes file;
    size_t at;
    uint64_t sequence; /* of the last one */
    struct bytes puts;
};

/* False: no whole record follows. */
bool redo_walk_next(struct redo_walk *w);
/* The puts of the record, borrowed from the file's bytes. `*puts` is malloc'ed, with room for
 * `more`. ERR_CORRUPT: not what an encoder writes. ERR_NO_MEMORY. */
enum err redo_walk_puts(const struct redo_walk *w, struct kv_put **puts, size_t *n,
                        size_t more) MUST_USE;

#endif
