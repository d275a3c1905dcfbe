#define _GNU_SOURCE
#include "sequencer/l1/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum err file_write_at(int fd, uint64_t at, struct bytes b)
{
    while (b.n > 0) {
        ssize_t put = pwrite(fd, b.p, b.n, (off_t)at);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return err_of_errno(errno);
        }
        b.p += put;
        b.n -= (size_t)put;
        at += (uint64_t)put;
    }
    return OK;
}

enum err file_write_synced(int fd, uint64_t at, struct bytes b)
{
    TRY(file_write_at(fd, at, b));
    return fdatasync(fd) == 0 ? OK : err_of_errno(errno);
}

static enum err read_into(int fd, uint8_t *p, size_t n)
{
    size_t have = 0;
    while (have < n) {
        ssize_t got = pread(fd, p + have, n - have, (off_t)have);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return ERR_IO; /* an error, or shorter than it was a moment ago */
        }
        have += (size_t)got;
    }
    return OK;
}

enum err file_read_all(int fd, size_t most, uint8_t **out, size_t *n)
{
    struct stat st;
    *out = NULL;
    *n = 0;
    if (fstat(fd, &st) != 0 || st.st_size < 0) {
        return ERR_IO;
    }
    if ((uint64_t)st.st_size > most) {
        return ERR_TOO_LARGE;
    }
    uint8_t *p = malloc((size_t)st.st_size + 1);
    if (p == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err e = read_into(fd, p, (size_t)st.st_size);
    if (e != OK) {
        free(p);
        return e;
    }
    *out = p;
    *n = (size_t)st.st_size;
    return OK;
}

enum err file_sync_folder(const char *path)
{
    char copy[PATH_MAX];
    int len = snprintf(copy, sizeof copy, "%s", path);
    if (len < 0 || (size_t)len >= sizeof copy) {
        return ERR_TOO_LARGE;
    }
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return err_of_errno(errno);
    }
    enum err e = fsync(fd) == 0 ? OK : err_of_errno(errno);
    close(fd);
    return e;
}
