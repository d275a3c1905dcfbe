/* The data layer of files: DIR/<first block, 12 digits>.seg holds a payload exactly as it would be
 * sent as calldata, <same>.auth its envelope, whose payload commitment is the checksum.
 *
 * A segment stands when its .auth stands: both files are written under other names, synced, and
 * renamed one after the other, the folder synced each time. So whatever a crash leaves can be told
 * from damage: names ending in .tmp, and at most one .seg without .auth, behind all others; both
 * are removed at the next start and posted again. Anything else that is missing, doubled, or other
 * than its envelope says is damage, and is refused, never repaired. */
#ifndef SEQUENCER_BATCHER_LAYER_FILE_H
#define SEQUENCER_BATCHER_LAYER_FILE_H

#include "sequencer/batcher/data_layer.h"

struct layer_file;

/* Opens `dir`, or makes it; the first segment ever begins with block `first`. Reads the last
 * LIMIT_OPEN_SEGMENTS envelopes and the last payload; `read` checks the others. On failure a
 * sentence with the place in `why`: ERR_CORRUPT, ERR_WRONG_CHAIN, ERR_IO, ERR_NO_SPACE,
 * ERR_NO_MEMORY. `repair` false: nothing is written, an unfinished segment is only passed over (for
 * readers of somebody else's folder). */
enum err layer_file_open(struct layer_file **out, const char *dir, uint64_t chain_id,
                         uint64_t first, bool repair, char *why, size_t why_len) MUST_USE;
void layer_file_close(struct layer_file *l);

/* The vtable; its `close` is layer_file_close. Valid as long as `l`. */
struct data_layer layer_file_layer(struct layer_file *l);

/* What an unfinished segment or leftovers of one a start removed (or, without repair, found). */
size_t layer_file_removed(const struct layer_file *l);
size_t layer_file_segments(const struct layer_file *l);

/* For tests: the operation on the disk after `ok` more fails, once, as on a full disk (a write
 * after half of its bytes); UINT32_MAX: none. */
void layer_file_fail_after(struct layer_file *l, uint32_t ok);

#endif
