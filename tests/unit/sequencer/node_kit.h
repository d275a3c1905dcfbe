/* A folder of its own for each test of the node, files in it, and a genesis of four members. */
#ifndef TESTS_UNIT_SEQUENCER_NODE_KIT_H
#define TESTS_UNIT_SEQUENCER_NODE_KIT_H

#include "proto/genesis.h"

struct kit_dir {
    char path[64];
};

void kit_dir_make(struct kit_dir *d);
void kit_dir_remove(const struct kit_dir *d);
/* `name` in the folder; the text is valid until the next call. */
const char *kit_path(const struct kit_dir *d, const char *name);
void kit_write(const struct kit_dir *d, const char *name, const char *text, unsigned mode);
char *kit_read(const struct kit_dir *d, const char *name);
/* Keys 1 … 4, bft, 200 ms, one account; the caller frees with genesis_free. */
void kit_genesis(struct genesis *g);

#endif
