/* JSON-RPC: the input is the body of a POST; its length says to which port of which node. The
 * answer is JSON: one response, or an array of them, or nothing for notifications; each with a
 * result or an error, never both. */
#define _GNU_SOURCE
#include <json-c/json.h>
#include <stdio.h>

#include "proto/limits.h"
#include "sequencer/rpc/strict.h"
#include "tests/fuzz/http_pipe.h"

static struct json_object *parse(const char *p, size_t n)
{
    struct json_tokener *t = json_tokener_new_ex(2 * LIMIT_RPC_JSON_DEPTH);
    DEMAND(t != NULL);
    json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *o = json_tokener_parse_ex(t, p, (int)n);
    DEMAND(json_tokener_get_error(t) == json_tokener_success);
    json_tokener_free(t);
    return o;
}

static void check_response(struct json_object *o)
{
    struct json_object *version = NULL;
    DEMAND(json_object_is_type(o, json_type_object));
    DEMAND(json_object_object_get_ex(o, "jsonrpc", &version));
    DEMAND(strcmp(json_object_get_string(version), "2.0") == 0);
    bool result = json_object_object_get_ex(o, "result", NULL);
    bool error = json_object_object_get_ex(o, "error", NULL);
    DEMAND(result != error && json_object_object_get_ex(o, "id", NULL));
}

static void check_answer(const char *p, size_t n)
{
    DEMAND(strict_json(p, n, 2 * LIMIT_RPC_JSON_DEPTH));
    struct json_object *o = parse(p, n);
    if (json_object_is_type(o, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(o); i++) {
            check_response(json_object_array_get_idx(o, i));
        }
    } else {
        check_response(o);
    }
    json_object_put(o);
}

void fuzz_jsonrpc(struct bytes in)
{
    char head[256];
    int n = snprintf(head, sizeof head,
                     "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                     "Authorization: Bearer secret-token\r\nContent-Length: %zu\r\n\r\n",
                     in.n);
    unsigned how = (in.n % 2 == 1 ? PIPE_ADMIN : 0u) | (in.n % 3 == 2 ? PIPE_CLIENT : 0u) |
                   (in.n % 7 == 6 ? PIPE_NOT_READY : 0u) | (in.n % 11 == 10 ? PIPE_BEHIND : 0u);
    struct text out = http_pipe(bytes_of(head, (size_t)n), in, SIZE_MAX, how);
    const char *body = out.n > 0 ? memmem(out.p, out.n, "\r\n\r\n", 4) : NULL;
    if (body != NULL) { /* no answer at all: the call waits for a block */
        size_t len = out.n - (size_t)(body + 4 - out.p);
        DEMAND(memcmp(out.p, "HTTP/1.1 200 ", 13) == 0);
        if (len > 0) {
            check_answer(body + 4, len);
        }
    }
    text_free(&out);
}
