/* JSON documents: readers that never trust a type, and short writers. Texts borrow from the
 * document; an object that is handed out is borrowed too. */
#ifndef SEQUENCER_CLI_DOC_H
#define SEQUENCER_CLI_DOC_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/bytes.h"

/* Parses bounded text, depth and size limited; NULL where it is no JSON. The caller owns it. */
struct json_object *doc_parse(struct bytes text);
/* A whole file; NULL where it cannot be read or is no JSON. */
struct json_object *doc_read(const char *path);

/* Members of an object, with what stands for an absent or foreign one. Texts borrow. */
const char *doc_text(const struct json_object *o, const char *key, const char *otherwise);
uint64_t doc_u64(const struct json_object *o, const char *key, uint64_t otherwise);
bool doc_truth(const struct json_object *o, const char *key, bool otherwise);
struct json_object *doc_member(const struct json_object *o, const char *key); /* or NULL */
/* Elements of an array member; 0 where it is none. */
size_t doc_length(const struct json_object *array);
/* A quantity: "0x1f" or a number. */
bool doc_quantity(struct json_object *value, uint64_t *out);

/* One line on stdout, flushed. */
void doc_print_line(struct json_object *o);
/* Readable, on stdout. */
void doc_print_pretty(struct json_object *o);
/* json_object_object_add with a short name; takes `value` over. */
void doc_put(struct json_object *o, const char *key, struct json_object *value);
void doc_put_text(struct json_object *o, const char *key, const char *value);
void doc_put_u64(struct json_object *o, const char *key, uint64_t value);
void doc_put_hash(struct json_object *o, const char *key, const struct hash *h);
/* As wallets write it (address_text.h). */
void doc_put_address(struct json_object *o, const char *key, const struct address *a);

#endif
