#include "sequencer/node/json_put.h"

#include <stdlib.h>

void json_put_u64(struct json_object *o, const char *key, uint64_t v)
{
    json_object_object_add(o, key, json_object_new_uint64(v));
}

void json_put_text(struct json_object *o, const char *key, const char *text)
{
    json_object_object_add(o, key, json_object_new_string(text));
}

void json_put_bool(struct json_object *o, const char *key, bool v)
{
    json_object_object_add(o, key, json_object_new_boolean(v));
}

struct json_object *json_hex(const uint8_t *p, size_t n)
{
    char *text = malloc(HEX_SIZE(n));
    if (text == NULL) {
        return NULL;
    }
    hex_encode(text, p, n);
    struct json_object *o = json_object_new_string(text);
    free(text);
    return o;
}

struct json_object *json_hash(const struct hash *h)
{
    return json_hex(h->b, sizeof h->b);
}

struct json_object *json_address(const struct address *a)
{
    return json_hex(a->b, sizeof a->b);
}
