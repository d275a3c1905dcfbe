/* A simulated disk below the real storage room: the files that storage/io.h asks for, and a store
 * in RocksDB's place below the room's own log. It loses what was not synced, tears writes at
 * sectors, flips bits, is full, is slow, is copied, and forgets what a failed sync was for.
 *
 * The room's thread is simulated by running ahead: a turn of its work is carried out at once, each
 * write with the virtual time at which it is issued and at which it will be durable. A crash in
 * between takes back what had not happened yet, and decides what is left of the rest. */
#ifndef MEDIA_H
#define MEDIA_H

#include "storage/io.h"
#include "storage/kv.h"
#include "tests/sim/dice.h"

enum { MEDIA_LOG_BYTES = 65536, MEDIA_SECTOR = 512, MEDIA_FAMILIES = 8 };
enum media_file_name { MEDIA_SAFETY, MEDIA_REDO_0, MEDIA_REDO_1, MEDIA_FILES };
/* A process that dies; power that fails, with what the disk had not synced lost, or in part. */
enum media_loss { MEDIA_LOSE_PROCESS, MEDIA_LOSE_UNSYNCED, MEDIA_LOSE_SOME };

struct media_write {
    uint64_t at, old_size;
    uint64_t issued_us, durable_us; /* UINT64_MAX: not synced */
    size_t n;
    uint8_t *bytes; /* n new ones, then those that were there */
    bool lost;      /* its sync failed: no later one makes it durable */
};

struct media_file {
    bool made;
    uint64_t size;
    uint8_t *bytes;
    size_t cap;
    struct media_write *write; /* those that a crash may take back, in order */
    uint32_t writes, writes_cap;
};

struct media_entry {
    size_t key_n, n;
    uint8_t bytes[]; /* key, value */
};

/* What a commit changed: `old` comes back when it is lost. */
struct media_change {
    uint32_t family;
    uint64_t commit;
    struct media_entry *old; /* NULL: there was none */
    struct media_entry *now; /* NULL: erased */
};

struct media_family {
    struct media_entry **entry; /* by key */
    uint32_t n, cap;
};

/* The families one after the other, or (`whole`) all at one point. */
struct media_flush {
    uint64_t upto, from_us, done_us; /* commits; when */
    bool whole;
};

struct media_tables {
    bool made, damaged;
    bool stopped; /* could not write: takes nothing until it is opened again */
    struct media_family family[MEDIA_FAMILIES];
    struct media_change *change; /* not in durable tables yet, in order */
    uint32_t changes, changes_cap;
    uint64_t *issued_us; /* of commit `first` and those after it */
    uint32_t issued_n, issued_cap;
    uint64_t first, commits; /* commits run from 1; those below `first` are durable */
    struct media_flush *flush; /* not over yet, one after the other */
    uint32_t flushes, flushes_cap;
};

struct media {
    struct io io;
    struct dice *dice;
    uint64_t start_us, log_us, record_us; /* now, and where its two threads are */
    uint64_t hurry_us;                    /* its clock is ahead by so much */
    uint64_t wall_us;
    uint64_t sync_us;
    bool dead, full, sync_fails, short_given;
    bool lost_some, dropped_some; /* in this turn, by a sync that failed */
    struct media_file file[MEDIA_FILES];
    struct media_tables tables;
};

/* Empty, as bought. `dice` stays the caller's. */
void media_init(struct media *m, struct dice *dice);
void media_wipe_file(struct media *m, enum media_file_name name);
void media_wipe_tables(struct media *m);
void media_wipe(struct media *m);
/* A turn begins now; media_end: when it will be over. */
void media_begin(struct media *m, uint64_t now_us, uint64_t wall_us);
uint64_t media_end(const struct media *m);
/* All that was written is durable. */
void media_settle(struct media *m);
/* What is left at this moment. */
void media_crash(struct media *m, uint64_t now_us, enum media_loss loss);
/* A copy of all of it, at this moment; `to` is empty. */
void media_clone(struct media *to, const struct media *from, uint64_t now_us);
/* False: there is no byte to flip. `where` chooses. */
bool media_flip(struct media *m, uint64_t where);

/* Inside: media.c, media_crash.c. */
void media_size_up(struct media_file *f, uint64_t n);
void media_forget_writes(struct media_file *f, uint32_t n);
void media_sync_failed(struct media *m, struct media_file *f);

/* tables.c */
/* As kv_redo_open, on the media given to media_use: the room's own log, in front of this store. */
void media_use(struct media *m);
enum err media_open(struct kv *out, const char *path, bool create, const char *const *families,
                    size_t n, char *why, size_t why_len);
void media_tables_free(struct media_tables *t);
/* Flushes that are over by then. */
void media_tables_flushed(struct media_tables *t, uint64_t now_us);
void media_tables_crash(struct media *m, uint64_t now_us);
void media_tables_clone(struct media_tables *to, const struct media_tables *from);
bool media_tables_flip(struct media_tables *t);
void *media_grow(void *p, uint32_t *cap, uint32_t need, size_t each);

#endif
