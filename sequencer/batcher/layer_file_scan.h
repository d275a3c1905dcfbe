/* What a folder of segments holds, by names alone; leftovers of an unfinished one are removed. */
#ifndef SEQUENCER_BATCHER_LAYER_FILE_SCAN_H
#define SEQUENCER_BATCHER_LAYER_FILE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/error.h"

enum { SEGMENT_DIGITS = 12, SEGMENT_NAME_BYTES = 40 };

struct segment_name {
    uint64_t first;
    uint64_t last; /* known once its envelope was read */
};

struct segment_scan {
    struct segment_name *segment; /* sorted; the caller frees it, also after a failure */
    size_t n;
    size_t room;
    size_t unfinished; /* files of no segment: removed where asked */
};

/* "000000000017.seg" */
void segment_name(char out[SEGMENT_NAME_BYTES], uint64_t first, const char *suffix);

/* `dir` is an open folder and stays open. ERR_CORRUPT with the name in `why`: half of a segment that
 * is not the last. Files of other names are left alone. ERR_IO, ERR_NO_MEMORY. */
enum err segment_scan(struct segment_scan *out, int dir, bool remove, char *why,
                      size_t why_len) MUST_USE;

#endif
