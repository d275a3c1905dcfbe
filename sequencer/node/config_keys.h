/* The keys of config.def as a table; shared by the files of the configuration only. */
#ifndef SEQUENCER_NODE_CONFIG_KEYS_H
#define SEQUENCER_NODE_CONFIG_KEYS_H

#include "sequencer/node/config.h"

enum config_kind { CONFIG_TEXT_KIND, CONFIG_PATH, CONFIG_PLACE, CONFIG_MS, CONFIG_FLAG };

struct config_key {
    const char *name;
    enum config_kind kind;
    size_t offset;
    size_t size;
    const char *otherwise;
    const char *help;
};

/* NULL: no such key; `-` and `_` are the same, either case. */
const struct config_key *config_key_find(const char *name);
/* The key that was probably meant, or NULL. */
const char *config_key_suggest(const char *name);
/* Sets one value; paths relative to `base`. On error what was expected stands in `why`. */
enum err config_key_set(struct config *c, const struct config_key *key, const char *value,
                        const char *base, char *why, size_t why_len) MUST_USE;

/* Reads a file into `out`; errors say file:line:column. */
enum err config_yaml_read(struct config *out, const char *path, char *why, size_t why_len) MUST_USE;

extern const struct config_key config_keys[];
extern const size_t config_keys_n;

#endif
