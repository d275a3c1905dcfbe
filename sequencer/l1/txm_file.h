/* The journal of one account as a file: append-only, a sum a group, synced group by group.
 *
 * Head, 64 bytes: "BATONTXM", version u32, L1 chain id u64, account 20, zeros, sum 8. Then groups:
 * magic u32, length u32, its complement u32, sum 8, bytes. A sum is the first 8 bytes of a Keccak-256; it finds torn
 * and decayed bytes and is no defence against people.
 *
 * The file is locked while it is open: an account belongs to one process. A group that a crash cut
 * off at the end is taken away at the next opening; nothing had rested on it. Any other damage is
 * refused with its place, because what is lost may have been sent.
 *
 * Threads: one at a time. Calls block on the disk. */
#ifndef SEQUENCER_L1_TXM_FILE_H
#define SEQUENCER_L1_TXM_FILE_H

#include "sequencer/l1/txm_journal.h"

struct txm_file;

/* Opens or makes it; mode 0600. ERR_IN_USE: another process has it. ERR_REFUSED: another chain's
 * or account's. ERR_CORRUPT, ERR_WRONG_VERSION, ERR_TOO_LARGE (LIMIT_TXM_FILE), ERR_IO,
 * ERR_NO_SPACE, ERR_NO_MEMORY. `why` says where, and what to do. */
enum err txm_file_open(struct txm_file **out, const char *path, uint64_t chain_id,
                       const struct address *account, char *why, size_t why_len) MUST_USE;
void txm_file_close(struct txm_file *f);

/* The groups as they stood when it was opened, first to last; false after the last. They borrow,
 * until txm_file_forget. */
bool txm_file_next(struct txm_file *f, struct bytes *group);
void txm_file_forget(struct txm_file *f);
/* Bytes of a torn group that were taken away when it was opened. */
uint64_t txm_file_torn(const struct txm_file *f);

/* `replace` writes a new file beside it and gives it the name. After an `append` that failed only
 * `replace` is tried: nobody knows what of it the disk has. */
struct txm_journal txm_file_journal(struct txm_file *f);

#endif
