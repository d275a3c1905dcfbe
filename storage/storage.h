/* What survives which crash. One database directory of one node, behind the key-value vtable of
 * storage/kv.h (RocksDB in storage/kv_rocksdb.c only), and the safety record beside it.
 * FORMAT of the bytes on disk: storage/README.md.
 *
 * Threads: storage_open, _close and reads from any thread. Writes are handed to the storage
 * thread by value (storage_submit_*: the bytes are copied into the batch before return) and are
 * carried out in the order of submission. A synced write makes all earlier ones durable too: there
 * is one log. Writes that wait together are committed together (group commit).
 * Completions are collected on the owner's thread by storage_poll after `wake` was called.
 *
 * After the first failed write nothing more is written; every later completion fails: no
 * signature may follow an I/O error. storage_retry makes it try again (disk full). */
#ifndef STORAGE_STORAGE_H
#define STORAGE_STORAGE_H

#include "proto/record.h"
#include "storage/io.h"
#include "storage/kv.h"

struct storage;

struct storage_options {
    const char *dir;               /* the node's; holds db/ and, unless safety_dir, safety */
    const char *safety_dir;        /* NULL: dir */
    struct hash genesis;
    struct address member;         /* zero: observer, no safety record */
    bool create;                   /* make a new, empty database (baton genesis, join, keys new) */
    bool create_amnesiac;          /* its first record is AMNESIAC */
    bool vow_never_signed;         /* the operator's word: an AMNESIAC start is CLEAN instead */
    void (*wake)(void *arg);       /* from the storage thread: completions wait */
    void *wake_arg;
    kv_open_fn *open_kv;           /* NULL: RocksDB */
    const struct io *io;           /* NULL: the system's */
    bool no_threads;               /* the owner calls storage_turn instead */
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
 * ERR_REFUSED (`create` on a database; another member's directory), ERR_CORRUPT (damage that is no
 * torn tail), ERR_NOT_FOUND (no database and not `create`), ERR_NO_SPACE, ERR_IO, ERR_NO_MEMORY.
 *
 * A member whose safety file is there and whose database is not has lost its journal: a new one is
 * made, AMNESIAC. A database that an observer made is, to a member, such a new journal too. */
enum err storage_open(struct storage **out, const struct storage_options *o,
                      enum storage_verdict *verdict, char *why, size_t why_len) MUST_USE;

/* Writes what waits, joins the threads, writes CLEAN into the safety record (unless a write had
 * failed), closes. Completions not yet polled are lost. */
void storage_close(struct storage *s);

/* ---- writes: from the owner's thread, any number in flight up to LIMIT_STORAGE_QUEUE --------- */

/* One consensus step. Its journal record and the safety record are written in parallel, both
 * synced when `sync`; completion reports the step's sequence, durable in either case: a step
 * without `sync` rides with the next synced write, at the latest 100 ms later.
 * Sequences ascend by one from storage_sequence; an `amnesiac` step may jump. A step marked
 * `amnesiac` makes the member so, one marked `cleared` ends it and sets the floor to its clearing
 * slot; until then, and for an observer, a step with votes is refused. Both are synced.
 * ERR_BUSY: queue full. ERR_INVARIANT: sequence. ERR_REFUSED. ERR_TOO_LARGE: LIMIT_STEP_VOTES. */
enum err storage_submit_step(struct storage *s, const struct journal_step *step,
                             bool sync) MUST_USE;
/* A block head and/or body as it arrives; not synced by itself (a later synced write covers it).
 * No head: its header's chain id is 0. No body, or EMPTY: body.n is 0. Neither erases the other. */
enum err storage_submit_block(struct storage *s, const struct hash *hash,
                              const struct block *block) MUST_USE;

/* A final block: index by height and slot, its certificate and the benching state. Not synced by
 * itself. No certificate: that of a descendant covers it, which follows; until then the block waits
 * here, and goes to disk in one write with that one: a start never finds a final block that nothing
 * proves. ERR_BUSY: LIMIT_CORE_RECORDS wait. */
struct storage_final {
    struct hash hash;
    const struct header *header;
    const struct certificate *cert;
    struct bytes bench;
};
enum err storage_submit_final(struct storage *s, const struct storage_final *f) MUST_USE;

/* Opaque tables of the trades above (ledger state, receipts, transactions, pool, incidents). */
enum storage_table {
    TABLE_STATE = 1, TABLE_RECEIPTS, TABLE_TX_INDEX, TABLE_POOL, TABLE_MISC, TABLE_COUNT
};
struct storage_put {
    enum storage_table table;
    struct bytes key;
    struct bytes value;
    bool erase;
};
/* Atomically. `token` != 0: completion reports it when durable, as that of a step. With n = 0 it
 * tells when all that was submitted before is durable.
 * ERR_TOO_LARGE: LIMIT_STORAGE_KEY, LIMIT_STORAGE_BYTES. */
enum err storage_submit_puts(struct storage *s, const struct storage_put *puts, size_t n,
                             bool sync, uint64_t token) MUST_USE;

/* Without threads: carries out what is due, and says when to be called again, on the clock of `io`
 * (UINT64_MAX: after the next submission). Simulations. */
uint64_t storage_turn(struct storage *s);

/* ---- completions ----------------------------------------------------------------------------- */

struct storage_done {
    enum { STORAGE_DONE_STEP = 1, STORAGE_DONE_TOKEN } what;
    uint64_t value;        /* step sequence or token */
    enum err err;
    uint64_t took_us;
};
/* Next completion, in order of submission; false when none waits. */
bool storage_poll(struct storage *s, struct storage_done *out);
/* After a failure: try the failed writes again; their completions have been reported and are not
 * again. OK when everything waiting is durable; blocks until then. Without a failure it only waits
 * for that. Reads fail with ERR_IO while the database cannot be opened again. */
enum err storage_retry(struct storage *s) MUST_USE;
/* Why writes fail, in the words of the database; "" where the safety record is what fails. */
void storage_explain(struct storage *s, char *out, size_t n);
/* More than half of LIMIT_STORAGE_QUEUE or LIMIT_STORAGE_BYTES waits: while writes fail, the owner
 * must end before a submission is refused. */
bool storage_crowded(struct storage *s);

/* For tests and devnets: the next `fail_writes` commits fail as on a full disk (UINT32_MAX: all,
 * until set to 0), and each takes `delay_ms` longer. */
void storage_set_fault(struct storage *s, uint32_t fail_writes, uint32_t delay_ms);

/* ---- reads: any thread; `buf` grows by realloc, the caller frees it ----------------------------
 * They see what the storage thread has carried out, not what still waits. ERR_NOT_FOUND, ERR_IO,
 * ERR_CORRUPT, ERR_NO_MEMORY. A walk's callback may read; it must not retry or close. */

struct storage_buffer {
    uint8_t *p;
    size_t n;
    size_t cap;
};

/* `out` borrows from `buf`. Without its body: body.n is 0 though header.body_len is not. */
enum err storage_get_block(struct storage *s, const struct hash *hash, struct storage_buffer *buf,
                           struct block *out) MUST_USE;
enum err storage_hash_by_height(struct storage *s, uint64_t height, struct hash *out) MUST_USE;
/* The first final slot above `slot` in this epoch, its hash. */
enum err storage_final_above(struct storage *s, uint64_t epoch, uint64_t slot, uint64_t *out_slot,
                             struct hash *out) MUST_USE;
/* The first certificate at or above `slot` in this epoch: it proves that slot's final block. */
enum err storage_certificate(struct storage *s, uint64_t epoch, uint64_t slot,
                             struct certificate *out) MUST_USE;
/* `bench` may be NULL. */
enum err storage_highest_final(struct storage *s, uint64_t *epoch, uint64_t *slot,
                               struct hash *hash, struct storage_buffer *bench) MUST_USE;
enum err storage_get(struct storage *s, enum storage_table t, struct bytes key,
                     struct storage_buffer *buf) MUST_USE;
/* Calls `each` in key order for keys that begin with `prefix`; stops when it returns false. */
enum err storage_walk(struct storage *s, enum storage_table t, struct bytes prefix,
                      bool (*each)(void *arg, struct bytes key, struct bytes value),
                      void *arg) MUST_USE;

/* Journal steps in order, those not pruned. A step borrows; it is valid in the call only. */
enum err storage_walk_journal(struct storage *s,
                              bool (*each)(void *arg, const struct journal_step *step),
                              void *arg) MUST_USE;
/* Of the last durable step. */
uint64_t storage_sequence(struct storage *s);
/* Owner's thread: own votes are complete above this slot of this epoch; while amnesiac nowhere,
 * and both are UINT64_MAX. */
void storage_floor(struct storage *s, uint64_t *epoch, uint64_t *slot);
/* Owner's thread: raises the floor to the final slot given or, where that is lower, to the highest
 * durable one; drops journal steps whose votes lie at or below the durable floor: so those of one
 * call go with the next. Does nothing up to LIMIT_STORAGE_PRUNE steps. */
enum err storage_prune_journal(struct storage *s, uint64_t epoch, uint64_t slot) MUST_USE;

#endif
