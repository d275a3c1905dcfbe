/* A key-value store as the storage room needs it: ordered, column families, atomic batches, a
 * synced commit. RocksDB implements it in kv_rocksdb.c; tests and the simulator plug others in.
 *
 * Threads: every function from any thread, but close, which comes when all others have returned
 * and every iterator is done. */
#ifndef STORAGE_KV_H
#define STORAGE_KV_H

#include "proto/bytes.h"
#include "proto/error.h"

struct kv_put {
    uint32_t family;
    struct bytes key;
    struct bytes value;
    bool erase;
};

struct kv_iter;

struct kv {
    void *ctx;
    /* Power that fails may tear a larger batch between families; 0: no batch. */
    size_t batch_bytes;
    /* All or nothing. `sync`: durable on return, with all batches before it; with n = 0 it only
     * makes durable what came before. */
    enum err (*commit)(void *ctx, const struct kv_put *puts, size_t n, bool sync);
    /* Everything committed before the call is in durable tables on return: no log is needed for it.
     * Costs a file for each family that changed. */
    enum err (*flush)(void *ctx);
    /* The last write that failed, in the store's own words; "": none did. */
    void (*explain)(void *ctx, char *out, size_t n);
    /* `*out` is malloc'ed; the caller frees it. ERR_NOT_FOUND. */
    enum err (*get)(void *ctx, uint32_t family, struct bytes key, uint8_t **out, size_t *out_n);
    /* Positions at the first key >= `from`. NULL: out of memory. */
    struct kv_iter *(*seek)(void *ctx, uint32_t family, struct bytes from);
    /* Positions at the last key <= `from`. NULL: out of memory. */
    struct kv_iter *(*seek_back)(void *ctx, uint32_t family, struct bytes from);
    bool (*valid)(struct kv_iter *it, struct bytes *key, struct bytes *value);
    void (*next)(struct kv_iter *it);
    enum err (*done)(struct kv_iter *it); /* closes; reports an I/O error met on the way */
    /* From `from` up to, not with, `to`; not synced. Not in "tables" and "pool". */
    enum err (*erase_range)(void *ctx, uint32_t family, struct bytes from, struct bytes to);
    void (*close)(void *ctx);
};

/* Opens a store of these families (the first is "default") at a path; missing families are made.
 * `create`: makes the store where there is none. `why` receives the place and cause on an error:
 * ERR_CORRUPT, ERR_NOT_FOUND, ERR_IN_USE, ERR_NO_SPACE, ERR_IO, ERR_NO_MEMORY. */
typedef enum err kv_open_fn(struct kv *out, const char *path, bool create,
                            const char *const *families, size_t n, char *why, size_t why_len);

enum err kv_rocksdb_open(struct kv *out, const char *path, bool create,
                         const char *const *families, size_t n, char *why,
                         size_t why_len) MUST_USE;
/* The same without a log: a commit is durable after the next flush or close, whatever `sync` says.
 * What a crash leaves is the state after some commit. */
enum err kv_rocksdb_open_bare(struct kv *out, const char *path, bool create,
                              const char *const *families, size_t n, char *why,
                              size_t why_len) MUST_USE;

#endif
