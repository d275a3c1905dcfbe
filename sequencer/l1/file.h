/* Files that must not lose what they were given: journals beside an L1, read whole, written and
 * synced. What all of them do the same way.
 *
 * Errors: as an errno of a file means (err_of_errno). Threads: calls block on the disk. */
#ifndef SEQUENCER_L1_FILE_H
#define SEQUENCER_L1_FILE_H

#include "proto/bytes.h"
#include "proto/error.h"

/* All of the bytes, from `at` on; not synced. After an error nobody knows what of it stands there. */
enum err file_write_at(int fd, uint64_t at, struct bytes b) MUST_USE;
/* The same, and durable when it returns. */
enum err file_write_synced(int fd, uint64_t at, struct bytes b) MUST_USE;
/* The whole file, into memory that the caller frees. ERR_TOO_LARGE: more than `most` bytes;
 * ERR_NO_MEMORY. `*out` is NULL after an error. */
enum err file_read_all(int fd, size_t most, uint8_t **out, size_t *n) MUST_USE;
/* Names in the folder that `path` is in are durable: files that were made there, and renamed. */
enum err file_sync_folder(const char *path) MUST_USE;

#endif
