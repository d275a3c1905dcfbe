#include "sequencer/web/json.h"

#include "proto/limits.h"

enum { DEPTH = 32, OBJECT_COST = 8, LIST_COST = 4, QUANTITY_DIGITS = 64 };

/* Brackets and commas inside strings count too: answers hold next to no such strings. */
static bool affordable(struct bytes text)
{
    size_t cost = 1;
    for (size_t i = 0; i < text.n && cost <= LIMIT_WEB_JSON; i++) {
        switch (text.p[i]) {
        case '{':
            cost += OBJECT_COST;
            break;
        case '[':
            cost += LIST_COST;
            break;
        case ',':
            cost++;
            break;
        default:
            break;
        }
    }
    return cost <= LIMIT_WEB_JSON;
}

static bool only_spaces(struct bytes text, size_t from)
{
    while (from < text.n && strchr(" \t\r\n", text.p[from]) != NULL && text.p[from] != '\0') {
        from++;
    }
    return from == text.n;
}

struct json_object *json_read(struct bytes text)
{
    if (text.n == 0 || text.n > LIMIT_WEB_ANSWER || !affordable(text)) {
        return NULL;
    }
    struct json_tokener *t = json_tokener_new_ex(DEPTH);
    if (t == NULL) {
        return NULL;
    }
    json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8 |
                                  JSON_TOKENER_ALLOW_TRAILING_CHARS);
    struct json_object *o = json_tokener_parse_ex(t, (const char *)text.p, (int)text.n);
    if (o != NULL && !only_spaces(text, json_tokener_get_parse_end(t))) {
        json_object_put(o);
        o = NULL;
    }
    json_tokener_free(t);
    return o;
}

struct json_object *json_get(struct json_object *o, const char *key)
{
    struct json_object *v = NULL;
    if (!json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, key, &v)) {
        return NULL;
    }
    return v;
}

size_t json_list(struct json_object *o)
{
    return json_object_is_type(o, json_type_array) ? json_object_array_length(o) : 0;
}

struct json_object *json_at(struct json_object *o, size_t i)
{
    return i < json_list(o) ? json_object_array_get_idx(o, i) : NULL;
}

const char *json_text(struct json_object *o)
{
    return json_object_is_type(o, json_type_string) ? json_object_get_string(o) : NULL;
}

static size_t text_length(struct json_object *o)
{
    return (size_t)json_object_get_string_len(o);
}

bool json_u256(struct json_object *o, struct u256 *out)
{
    const char *s = json_text(o);
    size_t n = s == NULL ? 0 : text_length(o);
    if (n < 3 || n > 2 + QUANTITY_DIGITS || strlen(s) != n || s[0] != '0' || s[1] != 'x') {
        return false;
    }
    return u256_parse(out, s);
}

bool json_u64(struct json_object *o, uint64_t *out)
{
    struct u256 v;
    if (!json_u256(o, &v) || !u256_fits_u64(&v)) {
        return false;
    }
    *out = v.v[0];
    return true;
}

bool json_data(struct json_object *o, uint8_t *out, size_t max, size_t *n)
{
    const char *s = json_text(o);
    size_t len = s == NULL ? 0 : text_length(o);
    if (len < 2 || s[0] != '0' || s[1] != 'x') {
        return false;
    }
    *n = 0;
    return len == 2 || hex_decode_upto(out, max, n, s, len);
}

bool json_fixed(struct json_object *o, uint8_t *out, size_t n)
{
    size_t got;
    return json_data(o, out, n, &got) && got == n;
}
