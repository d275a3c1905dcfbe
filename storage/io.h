/* What this room asks of the system: files, room for them, and clocks. The system's own is
 * io_system; the simulator plugs in a disk that loses, tears and flips what a real one may, below
 * the same files of this room.
 *
 * `open`, `size`, `read`, `write`, `sync` and the like answer as POSIX does: -1 and errno. Threads:
 * two files may be written at once, one file by one thread. */
#ifndef STORAGE_IO_H
#define STORAGE_IO_H

#include "proto/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct io {
    void *ctx;
    /* For reading and writing; `make`: an empty one where there is none. */
    int (*open)(void *ctx, const char *path, bool make);
    void (*close)(void *ctx, int fd);
    int64_t (*size)(void *ctx, int fd);
    int (*resize)(void *ctx, int fd, uint64_t n);
    /* Perhaps less than asked for; 0: the end. */
    ssize_t (*read)(void *ctx, int fd, void *p, size_t n, uint64_t at);
    ssize_t (*write)(void *ctx, int fd, const void *p, size_t n, uint64_t at);
    int (*sync)(void *ctx, int fd); /* what was written is durable */
    /* The same, and the file's size, and its name in the directory. */
    int (*sync_entry)(void *ctx, int fd, const char *path);
    bool (*exists)(void *ctx, const char *path);
    enum err (*make_dir)(void *ctx, const char *dir);
    /* As place_lock; let go by `close`. */
    enum err (*lock)(void *ctx, int *fd, const char *dir, char *why, size_t why_len);
    enum err (*probe)(void *ctx, const char *path); /* as place_probe */
    uint64_t (*now_us)(void *ctx);                  /* never goes back */
    uint64_t (*wall_us)(void *ctx);
};

extern const struct io io_system;

#endif
