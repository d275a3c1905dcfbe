/* One start of the storage: what is on disk, whose it is, and what CONSENSUS 8 makes of it. The
 * functions come in this order, before any thread runs; each fills `why` when it fails. */
#ifndef STORAGE_START_H
#define STORAGE_START_H

#include "storage/internal.h"
#include "storage/place.h"

struct start {
    struct storage *s;
    const struct storage_options *o;
    bool safety_file; /* there was one */
    bool fresh;       /* the database is new, or its making was never completed */
    bool adopted;     /* an observer's database opened by a member */
    struct journal_state journal;
    enum storage_verdict verdict;
    char *why;
    size_t why_len;
};

#define SAY(st, ...) place_say((st)->why, (st)->why_len, __VA_ARGS__)

/* Paths, directories if asked for, the lock. */
enum err start_find_place(struct start *st) MUST_USE;
enum err start_open_files(struct start *st) MUST_USE;
/* Version, genesis, member: of the database and of the safety record. */
enum err start_check_identity(struct start *st) MUST_USE;
/* Makes a new journal, or judges the old one; the verdict. */
enum err start_judge(struct start *st) MUST_USE;

/* The sentence for a database that did not open or read, from RocksDB's words in `why`. */
enum err start_say_failed(struct start *st, enum err e);

#endif
