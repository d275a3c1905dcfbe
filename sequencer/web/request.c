#include "sequencer/web/request.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_ROOM = 512, NUMBER_TEXT = 24 };

static char *more(struct request *r, size_t n)
{
    if (r->failed || r->n + n <= r->cap) {
        return r->failed ? NULL : r->p + r->n;
    }
    size_t cap = (r->n + n) * 2;
    char *p = realloc(r->p, cap);
    if (p == NULL) {
        r->failed = true;
        return NULL;
    }
    r->p = p;
    r->cap = cap;
    return r->p + r->n;
}

static void put(struct request *r, const char *text)
{
    size_t n = strlen(text);
    char *to = more(r, n);
    if (to != NULL) {
        memcpy(to, text, n);
        r->n += n;
    }
}

void request_begin(struct request *r, uint64_t first_id)
{
    *r = (struct request){.first_id = first_id};
    r->failed = (r->p = malloc(FIRST_ROOM)) == NULL;
    r->cap = FIRST_ROOM;
    put(r, "[");
}

void request_call(struct request *r, const char *method)
{
    char id[NUMBER_TEXT];
    snprintf(id, sizeof id, "%" PRIu64, r->first_id + r->calls);
    put(r, r->calls == 0 ? "{\"jsonrpc\":\"2.0\",\"id\":" : "]},{\"jsonrpc\":\"2.0\",\"id\":");
    put(r, id);
    put(r, ",\"method\":\"");
    put(r, method);
    put(r, "\",\"params\":[");
    r->has_params = false;
    r->calls++;
}

void request_text(struct request *r, const char *json)
{
    put(r, r->has_params ? "," : "");
    put(r, json);
    r->has_params = true;
}

void request_quantity(struct request *r, uint64_t v)
{
    char text[NUMBER_TEXT];
    snprintf(text, sizeof text, "\"0x%" PRIx64 "\"", v);
    request_text(r, text);
}

void request_raw(struct request *r, const char *text)
{
    put(r, text);
}

void request_raw_hex(struct request *r, const void *p, size_t n)
{
    char *to = more(r, HEX_SIZE(n));
    if (to != NULL) {
        hex_encode(to, p, n);
        r->n += HEX_SIZE(n) - 1;
    }
}

void request_hex(struct request *r, const void *p, size_t n)
{
    put(r, r->has_params ? ",\"" : "\"");
    request_raw_hex(r, p, n);
    put(r, "\"");
    r->has_params = true;
}

void request_end(struct request *r)
{
    put(r, "]}]");
}

struct bytes request_body(const struct request *r)
{
    if (r->failed) {
        return (struct bytes){NULL, 0};
    }
    return r->calls == 1 ? bytes_of(r->p + 1, r->n - 2) : bytes_of(r->p, r->n);
}

void request_free(struct request *r)
{
    free(r->p);
    *r = (struct request){0};
}

static bool read_error(struct answer *out, struct json_object *error)
{
    struct json_object *code = json_get(error, "code");
    const char *message = json_text(json_get(error, "message"));
    out->error = true;
    out->code = json_object_is_type(code, json_type_int) ? json_object_get_int64(code) : 0;
    out->message = message == NULL ? "" : message;
    return true;
}

/* `result` may be null, but then it must be there. */
static bool read_answer(struct answer *out, struct json_object *o)
{
    struct json_object *error = json_get(o, "error");
    if (error != NULL) {
        return read_error(out, error);
    }
    out->message = "";
    return json_object_object_get_ex(o, "result", &out->result);
}

static enum web_fault place(struct answers *a, const struct request *r, struct json_object *o,
                           bool seen[REQUEST_CALLS])
{
    struct json_object *id = json_get(o, "id");
    if (!json_object_is_type(o, json_type_object)) {
        return WEB_FAULT_GARBAGE;
    }
    uint64_t at = json_object_is_type(id, json_type_int)
                      ? (uint64_t)json_object_get_int64(id) - r->first_id
                      : UINT64_MAX;
    if (at >= r->calls || seen[at]) {
        return WEB_FAULT_WRONG_ID;
    }
    seen[at] = true;
    return read_answer(&a->at[at], o) ? WEB_FAULT_NONE : WEB_FAULT_GARBAGE;
}

/* One error for the whole list of calls: the server takes no lists, or refuses this one. */
static bool refused_whole(struct answers *a, const struct request *r)
{
    struct json_object *error = json_get(a->root, "error");
    for (uint32_t i = 0; error != NULL && i < r->calls; i++) {
        (void)read_error(&a->at[i], error);
    }
    return error != NULL && json_get(a->root, "id") == NULL;
}

static enum web_fault read_list(struct answers *a, const struct request *r)
{
    bool seen[REQUEST_CALLS] = {false};
    if (json_list(a->root) != r->calls) {
        return refused_whole(a, r) ? WEB_FAULT_NONE : WEB_FAULT_GARBAGE;
    }
    for (uint32_t i = 0; i < r->calls; i++) {
        enum web_fault f = place(a, r, json_at(a->root, i), seen);
        if (f != WEB_FAULT_NONE) {
            return f;
        }
    }
    return WEB_FAULT_NONE;
}

enum web_fault answers_read(struct answers *out, const struct request *r, struct bytes text)
{
    bool seen[REQUEST_CALLS] = {false};
    memset(out, 0, sizeof *out);
    out->n = r->calls;
    out->text_n = text.n;
    out->root = json_read(text);
    if (out->root == NULL) {
        return WEB_FAULT_GARBAGE;
    }
    return r->calls == 1 ? place(out, r, out->root, seen) : read_list(out, r);
}

void answers_release(struct answers *a)
{
    json_object_put(a->root);
    a->root = NULL;
}
