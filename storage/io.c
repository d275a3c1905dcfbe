#define _GNU_SOURCE
#include "storage/io.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "storage/place.h"

static int file_open(void *ctx, const char *path, bool make)
{
    (void)ctx;
    return open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (make ? O_CREAT : 0), 0600);
}

static void file_close(void *ctx, int fd)
{
    (void)ctx;
    close(fd);
}

static int64_t file_size(void *ctx, int fd)
{
    struct stat st;
    (void)ctx;
    return fstat(fd, &st) == 0 ? (int64_t)st.st_size : -1;
}

static int file_resize(void *ctx, int fd, uint64_t n)
{
    (void)ctx;
    return ftruncate(fd, (off_t)n);
}

static ssize_t file_read(void *ctx, int fd, void *p, size_t n, uint64_t at)
{
    (void)ctx;
    return pread(fd, p, n, (off_t)at);
}

static ssize_t file_write(void *ctx, int fd, const void *p, size_t n, uint64_t at)
{
    (void)ctx;
    return pwrite(fd, p, n, (off_t)at);
}

static int file_sync(void *ctx, int fd)
{
    (void)ctx;
    return fdatasync(fd);
}

static int sync_directory_of(const char *path)
{
    char copy[PATH_MAX];
    if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    int failed = fsync(fd);
    int error = errno;
    close(fd);
    errno = error;
    return failed;
}

static int file_sync_entry(void *ctx, int fd, const char *path)
{
    (void)ctx;
    return fsync(fd) == 0 ? sync_directory_of(path) : -1;
}

static bool exists(void *ctx, const char *path)
{
    (void)ctx;
    return place_has_file(path);
}

static enum err make_dir(void *ctx, const char *dir)
{
    (void)ctx;
    TRY(place_make_dir(dir));
    return sync_directory_of(dir) == 0 || errno == EACCES ? OK : ERR_IO;
}

static enum err lock(void *ctx, int *fd, const char *dir, char *why, size_t why_len)
{
    (void)ctx;
    return place_lock(fd, dir, why, why_len);
}

static enum err probe(void *ctx, const char *path)
{
    (void)ctx;
    return place_probe(path);
}

static uint64_t clock_us(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t now_us(void *ctx)
{
    (void)ctx;
    return clock_us(CLOCK_MONOTONIC);
}

static uint64_t wall_us(void *ctx)
{
    (void)ctx;
    return clock_us(CLOCK_REALTIME);
}

const struct io io_system = {
    .open = file_open,
    .close = file_close,
    .size = file_size,
    .resize = file_resize,
    .read = file_read,
    .write = file_write,
    .sync = file_sync,
    .sync_entry = file_sync_entry,
    .exists = exists,
    .make_dir = make_dir,
    .lock = lock,
    .probe = probe,
    .now_us = now_us,
    .wall_us = wall_us,
};
