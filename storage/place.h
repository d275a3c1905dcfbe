/* The node's directory on disk: its lock, and what is there. */
#ifndef STORAGE_PLACE_H
#define STORAGE_PLACE_H

#include "proto/error.h"

#include <stdbool.h>
#include <stddef.h>

/* One sentence with the remedy, cut to fit. */
__attribute__((format(printf, 3, 4))) void place_say(char *why, size_t why_len, const char *format,
                                                     ...);

/* `dir`/`name`. ERR_TOO_LARGE. */
enum err place_path(char *out, size_t cap, const char *dir, const char *name) MUST_USE;
enum err place_make_dir(const char *dir) MUST_USE;
bool place_has_file(const char *path);
/* Could LIMIT_STORAGE_PROBE bytes be written beside `path` now? Leaves nothing behind.
 * ERR_NO_SPACE, ERR_IO. */
enum err place_probe(const char *path) MUST_USE;
/* Locks `dir`/lock for this process, until `*fd` is closed. ERR_IN_USE: another process has it. */
enum err place_lock(int *fd, const char *dir, char *why, size_t why_len) MUST_USE;

#endif
