/* Short writers of JSON. Values are new objects that their document takes over; NULL (JSON null)
 * where there is no memory. */
#ifndef SEQUENCER_NODE_JSON_PUT_H
#define SEQUENCER_NODE_JSON_PUT_H

#include <json-c/json.h>
#include <stdbool.h>

#include "proto/bytes.h"

void json_put_text(struct json_object *o, const char *key, const char *text);
void json_put_u64(struct json_object *o, const char *key, uint64_t v);
void json_put_bool(struct json_object *o, const char *key, bool v);

/* 0x and lower-case digits. */
struct json_object *json_hex(const uint8_t *p, size_t n);
struct json_object *json_hash(const struct hash *h);
struct json_object *json_address(const struct address *a);

#endif
