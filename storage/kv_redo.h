/* RocksDB behind a log that overwrites (redo_file.h): what the storage room opens. As kv.h; a
 * commit of any thread. In the database's directory stand `redo-0` and `redo-1`, of at most
 * LIMIT_STORAGE_LOG bytes each. */
#ifndef STORAGE_KV_REDO_H
#define STORAGE_KV_REDO_H

#include "storage/io.h"
#include "storage/kv.h"

/* ERR_CORRUPT also: records between what the tables hold and what the log holds are missing. */
enum err kv_redo_open(struct kv *out, const char *path, bool create, const char *const *families,
                      size_t n, char *why, size_t why_len) MUST_USE;

/* The same on another store, without a log of its own (as kv_rocksdb_open_bare), and another disk.
 * `log_bytes`: of each file, a multiple of 64 KiB. Without `threads` the tables are flushed at the
 * end of a later synced commit, or when the file is needed: what a crash meets is the same. */
struct kv_redo_base {
    kv_open_fn *open;
    const struct io *io;
    uint64_t log_bytes;
    bool threads;
};
enum err kv_redo_open_on(struct kv *out, const struct kv_redo_base *base, const char *path,
                         bool create, const char *const *families, size_t n, char *why,
                         size_t why_len) MUST_USE;

#endif
