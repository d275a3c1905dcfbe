#define _GNU_SOURCE
#include "storage/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/limits.h"

enum { PATH_BYTES = 4096 };

void place_say(char *why, size_t why_len, const char *format, ...)
{
    if (why == NULL || why_len == 0) {
        return;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(why, why_len, format, args);
    va_end(args);
}

enum err place_path(char *out, size_t cap, const char *dir, const char *name)
{
    int n = snprintf(out, cap, "%s/%s", dir, name);
    return n > 0 && (size_t)n < cap ? OK : ERR_TOO_LARGE;
}

enum err place_make_dir(const char *dir)
{
    if (mkdir(dir, 0700) == 0 || errno == EEXIST) {
        return OK;
    }
    return err_of_errno(errno);
}

/* Room that is only promised is not asked for: a page is written and synced as well. */
static enum err probe_file(int fd)
{
    static const char page[4096];
    int error = posix_fallocate(fd, 0, LIMIT_STORAGE_PROBE);
    if (error != 0) {
        return err_of_errno(error);
    }
    bool written = pwrite(fd, page, sizeof page, 0) == (ssize_t)sizeof page && fdatasync(fd) == 0;
    return written ? OK : err_of_errno(errno);
}

enum err place_probe(const char *path)
{
    char name[PATH_BYTES];
    int n = snprintf(name, sizeof name, "%s.probe", path);
    if (n < 0 || (size_t)n >= sizeof name) {
        return ERR_TOO_LARGE;
    }
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return err_of_errno(errno);
    }
    enum err e = probe_file(fd);
    close(fd);
    unlink(name);
    return e;
}

bool place_has_file(const char *path)
{
    return access(path, F_OK) == 0;
}

static void write_pid(int fd)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n) {
        return; /* it only serves the other side's sentence */
    }
}

static void say_in_use(int fd, const char *dir, char *why, size_t why_len)
{
    char text[32] = "";
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    place_say(why, why_len,
              "%s is in use by another process (%s); stop that node first, or give this one its "
              "own directory",
              dir, text[0] != '\0' ? text : "unknown");
}

enum err place_lock(int *fd, const char *dir, char *why, size_t why_len)
{
    char path[PATH_BYTES];
    TRY(place_path(path, sizeof path, dir, "lock"));
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd < 0) {
        enum err e = errno == ENOENT ? ERR_NOT_FOUND : err_of_errno(errno);
        place_say(why, why_len, "%s cannot be opened: %s; check the directory and its owner", path,
                  strerror(errno));
        return e;
    }
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        say_in_use(*fd, dir, why, why_len);
        close(*fd);
        *fd = -1;
        return ERR_IN_USE;
    }
    write_pid(*fd);
    return OK;
}
