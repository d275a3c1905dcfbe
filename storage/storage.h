/* What survives which crash. One database directory of one node, behind the key-value vtable of
 * storage/kv.h (RocksDB in storage/kv_rocksdb.c only), and the safety record beside it.
 *
 * Threads: storage_open, _close and reads from any thread. Writes are handed to the storage
 * thread by value (storage_submit_*: the bytes are copied into the batch before return) and are
 * carried out in the order of submission. A synced write makes all earlier ones durable too: there
 * is one write-ahead log. Writes that wait together are committed together (group commit).
 * Completions are collected on the owner's thread by storage_poll after `wake` was called.
 *
 * After the first failed write nothing more is written; every later completion fails: no
 * signature may follow an I/O error. storage_retry makes it try again (disk full). */
#ifndef STORAGE_STORAGE_H
#define STORAGE_STORAGE_H

#include "proto/record.h"

struct storage;

struct storage_options {
    const char *dir;               /* the node's directory; holds db/ and, unless safety_dir, safety */
    const char *safety_dir;        /* NULL: dir */
    struct hash genesis;
    struct address member;         /* zero: observer, no safety record */
    bool create;                   /* make a new, empty database (baton genesis, join, keys new) */
    bool create_amnesiac;          /* its first record is AMNESIAC */
    void (*wake)(void *arg);       /* from the storage thread: completions wait */
    void *wake_arg;
};

/* What the start found (CONSENSUS 8). */
enum storage_verdict {
    STORAGE_CLEAN,         /* journal = record, or ahead: record rewritten */
    STORAGE_NEVER_SIGNED,  /* both at sequence 0 */
    STORAGE_ONE_BEHIND,    /* journal one step behind: its notarize and skip votes were appended */
    STORAGE_AMNESIAC       /* missing, damaged, older, or marked so */
};

/* `why` receives one sentence with the remedy on any error and on AMNESIAC.
 * ERR_IN_USE, ERR_WRONG_CHAIN (foreign genesis), ERR_WRONG_VERSION (newer database),
 * ERR_CORRUPT (damage that is no torn tail), ERR_NOT_FOUND (no database and not `create`), ERR_IO. */
enum err storage_open(struct storage **out, const struct storage_options *o, enum storage_verdict *verdict, char *why, size_t why_len) MUST_USE;

/* Flushes, writes CLEAN into the safety record, joins the thread, closes. */
void storage_close(struct storage *s);

/* ---- writes: from the owner's thread, any number in flight up to LIMIT_STORAGE_QUEUE ---------- */

/* One consensus step. Its journal record and the safety record are written in parallel, both
 * synced when `sync`; completion reports the step's sequence. ERR_BUSY: queue full. */
enum err storage_submit_step(struct storage *s, const struct journal_step *step, bool sync) MUST_USE;

/* A block head and/or body as it arrives; not synced by itself (a later synced write covers it). */
enum err storage_submit_block(struct storage *s, const struct hash *hash, const struct block *block) MUST_USE;

/* A final block: index by height and slot, its certificate (NULL: a descendant's covers it), the
 * benching state, and the opaque execution results (receipts etc.) under its payload hash. */
struct storage_final {
    struct hash hash;
    const struct header *header;
    const struct certificate *cert;
    struct bytes bench;
};
enum err storage_submit_final(struct storage *s, const struct storage_final *f) MUST_USE;

/* Opaque tables of the trades above (ledger state, receipts, transaction index, pool, incidents). */
enum storage_table { TABLE_STATE = 1, TABLE_RECEIPTS, TABLE_TX_INDEX, TABLE_POOL, TABLE_MISC, TABLE_COUNT };
struct storage_put {
    enum storage_table table;
    struct bytes key;
    struct bytes value;
    bool erase;
};
/* Atomically. `token` != 0 with `sync`: completion reports it. */
enum err storage_submit_puts(struct storage *s, const struct storage_put *puts, size_t n, bool sync, uint64_t token) MUST_USE;

/* ---- completions ------------------------------------------------------------------------------ */

struct storage_done {
    enum { STORAGE_DONE_STEP = 1, STORAGE_DONE_TOKEN } what;
    uint64_t value;        /* step sequence or token */
    enum err err;
    uint64_t took_us;
};
/* Next completion, in order of submission; false when none waits. */
bool storage_poll(struct storage *s, struct storage_done *out);
/* After a failure: try the failed writes again. OK when everything waiting is durable. */
enum err storage_retry(struct storage *s) MUST_USE;

/* ---- reads: any thread; `buf` grows by realloc, the caller frees it ---------------------------- */

struct storage_buffer {
    uint8_t *p;
    size_t n;
    size_t cap;
};

enum err storage_get_block(struct storage *s, const struct hash *hash, struct storage_buffer *buf, struct block *out) MUST_USE;
enum err storage_hash_by_height(struct storage *s, uint64_t height, struct hash *out) MUST_USE;
/* The first final slot above `slot`, its hash. */
enum err storage_final_above(struct storage *s, uint64_t epoch, uint64_t slot, uint64_t *out_slot, struct hash *out) MUST_USE;
enum err storage_certificate(struct storage *s, uint64_t epoch, uint64_t slot, struct certificate *out) MUST_USE;
enum err storage_highest_final(struct storage *s, uint64_t *epoch, uint64_t *slot, struct hash *hash, struct storage_buffer *bench) MUST_USE;
enum err storage_get(struct storage *s, enum storage_table t, struct bytes key, struct storage_buffer *buf) MUST_USE;
/* Calls `each` in key order for keys that begin with `prefix`; stops when it returns false. */
enum err storage_walk(struct storage *s, enum storage_table t, struct bytes prefix, bool (*each)(void *arg, struct bytes key, struct bytes value), void *arg) MUST_USE;

/* Journal steps in order, from the highest finalize certificate's floor on. */
enum err storage_walk_journal(struct storage *s, bool (*each)(void *arg, const struct journal_step *step), void *arg) MUST_USE;
uint64_t storage_sequence(struct storage *s);
/* Own votes are complete above this slot of this epoch. */
void storage_floor(struct storage *s, uint64_t *epoch, uint64_t *slot);
/* Drops journal steps whose votes lie at or below a durable final slot. */
enum err storage_prune_journal(struct storage *s, uint64_t epoch, uint64_t slot) MUST_USE;

#endif
