#define _GNU_SOURCE
#include "sequencer/cli/doc.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/limits.h"
#include "sequencer/cli/address_text.h"

struct json_object *doc_parse(struct bytes text)
{
    struct json_tokener *tokener = json_tokener_new_ex(LIMIT_RPC_JSON_DEPTH);
    if (tokener == NULL || text.n > LIMIT_CLIENT_ANSWER) {
        json_tokener_free(tokener);
        return NULL;
    }
    struct json_object *o = json_tokener_parse_ex(tokener, (const char *)text.p, (int)text.n);
    json_tokener_free(tokener);
    return o;
}

struct json_object *doc_read(const char *path)
{
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return NULL;
    }
    char *text = malloc(LIMIT_CONFIG_BYTES);
    size_t n = text != NULL ? fread(text, 1, LIMIT_CONFIG_BYTES, f) : 0;
    fclose(f);
    struct json_object *o = n > 0 && n < LIMIT_CONFIG_BYTES ? doc_parse(bytes_of(text, n)) : NULL;
    free(text);
    return o;
}

struct json_object *doc_member(const struct json_object *o, const char *key)
{
    struct json_object *value = NULL;
    if (o == NULL || !json_object_is_type(o, json_type_object)) {
        return NULL;
    }
    json_object_object_get_ex(o, key, &value);
    return value;
}

const char *doc_text(const struct json_object *o, const char *key, const char *otherwise)
{
    struct json_object *value = doc_member(o, key);
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : otherwise;
}

bool doc_quantity(struct json_object *value, uint64_t *out)
{
    if (json_object_is_type(value, json_type_int)) {
        *out = json_object_get_uint64(value);
        return true;
    }
    if (!json_object_is_type(value, json_type_string)) {
        return false;
    }
    const char *digits = json_object_get_string(value);
    char *end = NULL;
    *out = strtoull(digits, &end, strncmp(digits, "0x", 2) == 0 ? 16 : 10);
    return end != digits && *end == '\0';
}

uint64_t doc_u64(const struct json_object *o, const char *key, uint64_t otherwise)
{
    uint64_t value = 0;
    return doc_quantity(doc_member(o, key), &value) ? value : otherwise;
}

bool doc_truth(const struct json_object *o, const char *key, bool otherwise)
{
    struct json_object *value = doc_member(o, key);
    return json_object_is_type(value, json_type_boolean) ? json_object_get_boolean(value) != 0
                                                         : otherwise;
}

size_t doc_length(const struct json_object *array)
{
    return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

void doc_print_line(struct json_object *o)
{
    puts(
        json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    fflush(stdout);
}

void doc_print_pretty(struct json_object *o)
{
    puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                               JSON_C_TO_STRING_NOSLASHESCAPE));
    fflush(stdout);
}

void doc_put(struct json_object *o, const char *key, struct json_object *value)
{
    json_object_object_add(o, key, value);
}

void doc_put_text(struct json_object *o, const char *key, const char *value)
{
    json_object_object_add(o, key, json_object_new_string(value));
}

void doc_put_u64(struct json_object *o, const char *key, uint64_t value)
{
    json_object_object_add(o, key, json_object_new_uint64(value));
}

void doc_put_hash(struct json_object *o, const char *key, const struct hash *h)
{
    char text[HEX_SIZE(32)];
    hex_encode(text, h->b, 32);
    doc_put_text(o, key, text);
}

void doc_put_address(struct json_object *o, const char *key, const struct address *a)
{
    char text[HEX_SIZE(20)];
    address_text(text, a);
    doc_put_text(o, key, text);
}
