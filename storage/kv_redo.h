/* RocksDB behind a log that overwrites (redo_file.h): what the storage room opens. As kv.h; a
 * commit of any thread. In the database's directory stand `redo-0` and `redo-1`, of at most
 * LIMIT_STORAGE_LOG bytes each. */
#ifndef STORAGE_KV_REDO_H
#define STORAGE_KV_REDO_H

#include "storage/kv.h"

/* ERR_CORRUPT also: records between what the tables hold and what the log holds are missing. */
enum err kv_redo_open(struct kv *out, const char *path, bool create, const char *const *families,
                      size_t n, char *why, size_t why_len) MUST_USE;

#endif
