#define _GNU_SOURCE
#include "wrap.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/types.h>

static _Atomic int armed;
static _Atomic uint64_t left; /* calls until it strikes; 0: it struck */
static _Atomic bool lasts;

void fault_arm(enum fault_kind kind, uint64_t k, bool lasting)
{
    left = k;
    lasts = lasting;
    armed = kind;
}

bool fault_disarm(void)
{
    armed = 0;
    return left == 0;
}

bool fault_has_struck(void)
{
    return left == 0;
}

bool fault_strikes(enum fault_kind kind)
{
    if (armed != (int)kind) {
        return false;
    }
    uint64_t n = left;
    while (n > 0 && !atomic_compare_exchange_weak(&left, &n, n - 1)) {
    }
    return n == 1 || (n == 0 && lasts);
}

/* ---- the wrapped calls ----------------------------------------------------------------------- */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
ssize_t __real_pwrite(int fd, const void *p, size_t n, off_t at);
int __real_fdatasync(int fd);
int __real_fsync(int fd);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t at);
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);

static bool no_memory(void)
{
    if (fault_strikes(FAULT_MEMORY)) {
        errno = ENOMEM;
        return true;
    }
    return false;
}

void *__wrap_malloc(size_t n)
{
    return no_memory() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return no_memory() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return no_memory() ? NULL : __real_realloc(p, n);
}

void *fault_plain_malloc(size_t n)
{
    return __real_malloc(n);
}

void *fault_plain_realloc(void *p, size_t n)
{
    return __real_realloc(p, n);
}

/* A full disk takes a part first. */
ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t at)
{
    if (fault_strikes(FAULT_WRITE)) {
        if (n > 100) {
            return __real_pwrite(fd, p, n / 2, at) < 0 ? -1 : (errno = ENOSPC, -1);
        }
        errno = ENOSPC;
        return -1;
    }
    return __real_pwrite(fd, p, n, at);
}

int __wrap_fdatasync(int fd)
{
    if (fault_strikes(FAULT_SYNC)) {
        errno = EIO;
        return -1;
    }
    return __real_fdatasync(fd);
}

int __wrap_fsync(int fd)
{
    if (fault_strikes(FAULT_SYNC)) {
        errno = EIO;
        return -1;
    }
    return __real_fsync(fd);
}
