/* Duplicate keys in a JSON text: json-c keeps the last of them and says nothing, so a file could
 * show a reader one value and the node another. */
#ifndef SEQUENCER_NODE_JSON_KEYS_H
#define SEQUENCER_NODE_JSON_KEYS_H

#include <stdbool.h>
#include <stddef.h>

struct json_place {
    size_t line;
    size_t column;
};

/* Line and column, from 1, of a position in a text. */
struct json_place json_place_of(const char *text, size_t at);

/* True when some object of this text, which parsed as JSON, has a key twice or a key with an
 * escape (which could hide one); `*at` is its position. Also true when there is no memory. */
bool json_keys_twice(const char *text, size_t n, size_t *at);

#endif
