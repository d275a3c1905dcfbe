/* What one open storage is made of; seen by the files of this room only. */
#ifndef STORAGE_INTERNAL_H
#define STORAGE_INTERNAL_H

#include "storage/journal.h"
#include "storage/writer.h"

enum { STORAGE_PATH = 4096 };

struct storage {
    struct kv kv;
    bool kv_open;                  /* false after a reopening failed; under kv_lock */
    pthread_rwlock_t kv_lock;
    kv_open_fn *open_kv;
    const struct io *io;
    char db_path[STORAGE_PATH];
    char safety_path[STORAGE_PATH];
    int lock_fd;
    struct address member;
    bool is_member;
    struct safety_file safety;     /* the writer's while it runs */
    struct writer writer;

    /* The owner's thread. */
    struct safety_record tip;      /* the record of the last step submitted */
    bool amnesiac;
    uint64_t floor_epoch, floor_slot;
    uint64_t journal_steps;        /* about; for pruning */
    uint64_t final_epoch, final_slot;
    struct op_list uncovered;      /* final blocks whose certificate has not come yet */
};

/* Reads: the lock is held between the two. ERR_IO: the store could not be opened again. */
enum err storage_read_begin(struct storage *s) MUST_USE;
void storage_read_end(struct storage *s);
/* One value into a growing buffer, behind what it holds. ERR_NOT_FOUND. */
enum err storage_read_append(struct storage *s, enum family family, struct bytes key,
                             struct storage_buffer *buf) MUST_USE;
/* One value of a known largest size. ERR_NOT_FOUND; ERR_CORRUPT when larger. */
enum err storage_read_small(struct storage *s, enum family family, struct bytes key, uint8_t *out,
                            size_t cap, size_t *out_n) MUST_USE;
/* Gives `op` to the writer, or frees it. */
enum err storage_hand_over(struct storage *s, struct op *op) MUST_USE;

#endif
