/* Reading an endpoint's JSON: bounded before a tree is built, and Ethereum's values out of it.
 *
 * A tree takes many times the memory of its text: text with more than LIMIT_WEB_JSON values (an
 * object counts as eight of them, a list as four) is refused unread. Getters return false where
 * the value is missing or of another form; nothing is guessed. */
#ifndef SEQUENCER_WEB_JSON_H
#define SEQUENCER_WEB_JSON_H

#include <json-c/json.h>

#include "proto/bytes.h"
#include "proto/u256.h"

/* NULL: not one whole JSON value, or too many. The caller puts it (json_object_put). */
struct json_object *json_read(struct bytes text);

/* Member of an object; NULL: absent, null, or no object. */
struct json_object *json_get(struct json_object *o, const char *key);
/* Length of a list, 0 for everything else; element i. */
size_t json_list(struct json_object *o);
struct json_object *json_at(struct json_object *o, size_t i);
/* The string, NULL for everything else. */
const char *json_text(struct json_object *o);

/* Quantities: 0x and hex digits. */
bool json_u64(struct json_object *o, uint64_t *out);
bool json_u256(struct json_object *o, struct u256 *out);
/* Data of exactly n bytes; up to max bytes. */
bool json_fixed(struct json_object *o, uint8_t *out, size_t n);
bool json_data(struct json_object *o, uint8_t *out, size_t max, size_t *n);

#endif
