/* What the tests of the storage room share: a directory of their own, a member, steps that can be
 * recognised again, and waiting for completions by condition. */
#ifndef TEST_STORAGE_ROOM_H
#define TEST_STORAGE_ROOM_H

#include "storage/safety_file.h"
#include "storage/storage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PATH_ROOM = 512 };

struct room {
    char dir[PATH_ROOM];
    struct storage_options o;
    struct storage *s;
    enum storage_verdict verdict;
    char why[1024];
};

/* An empty directory under TMPDIR, options of a member. */
void room_make(struct room *r);
/* Removes the directory; the storage is closed. */
void room_remove(struct room *r);
enum err room_try_open(struct room *r, bool create);
void room_open(struct room *r, bool create);
void room_close(struct room *r);
/* Stops without a clean stop, as far as one process can: the safety record's CLEAN is undone. */
void room_crash(struct room *r);

void room_path(const struct room *r, const char *name, char out[PATH_ROOM]);
void room_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Keeps DIR/name as DIR.name.kept, and puts it back in place of what is there. */
void room_keep(const struct room *r, const char *name);
void room_restore(const struct room *r, const char *name);

/* Stops as a kill does: the directory is afterwards as it was while the storage was open. */
void room_kill(struct room *r);
/* The last `n` bytes of what stands in the database's log become zeros. */
void room_cut_log(const struct room *r, size_t n);

/* A vote whose content follows from these three. */
struct vote room_vote(uint8_t kind, uint64_t slot);
/* A step with one notarize vote at slot = sequence. */
enum err room_submit(struct room *r, uint64_t sequence, bool sync);
/* Waits until a completion is there, at most 30 s, and takes it. */
struct storage_done room_wait(struct storage *s);
/* Submits synced steps first … last and waits for them, all OK. */
void room_steps(struct room *r, uint64_t first, uint64_t last);
/* Submits a final block at (3, slot) with its own certificate; durable later. */
void room_final(struct room *r, uint64_t slot);
/* Waits until all that was submitted is durable; no other completion is owed. */
void room_settle(struct room *r);
/* Checks that the journal holds exactly these steps, each with its own vote. */
void room_check_journal(struct room *r, uint64_t first, uint64_t last);

/* The newest record on disk. */
struct safety_record room_record(const struct room *r);

#endif
