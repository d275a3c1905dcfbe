#define _GNU_SOURCE
#include "sequencer/cli/rpc_client.h"

#include <stdio.h>
#include <stdlib.h>

char *rpc_client_request(const char *method, struct json_object *params, size_t *n)
{
    struct json_object *o = json_object_new_object();
    doc_put_text(o, "jsonrpc", "2.0");
    doc_put_u64(o, "id", 1);
    doc_put_text(o, "method", method);
    doc_put(o, "params", params != NULL ? json_object_get(params) : json_object_new_array());
    char *copy = strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
    json_object_put(o);
    *n = copy != NULL ? strlen(copy) : 0;
    return copy;
}

enum err rpc_client_read(struct json_object **result, struct json_object *answer, char *why,
                         size_t why_len)
{
    struct json_object *failure = doc_member(answer, "error");
    *result = NULL;
    if (failure != NULL) {
        snprintf(why, why_len, "%s", doc_text(failure, "message", "an error without a message"));
        return ERR_REFUSED;
    }
    if (!json_object_is_type(answer, json_type_object) ||
        !json_object_object_get_ex(answer, "result", NULL)) {
        snprintf(why, why_len, "what answers there does not speak JSON-RPC");
        return ERR_MALFORMED;
    }
    *result = doc_member(answer, "result");
    return OK;
}

enum err rpc_client_answer(struct json_object **result, struct bytes text, char *why,
                           size_t why_len)
{
    struct json_object *o = doc_parse(text);
    enum err e = rpc_client_read(result, o, why, why_len);
    json_object_get(*result);
    json_object_put(o);
    return e;
}

enum err rpc_client_call(struct json_object **result, const struct rpc_target *t,
                         const char *method, struct json_object *params, char *why, size_t why_len)
{
    size_t n = 0;
    char *text = rpc_client_request(method, params, &n);
    if (text == NULL) {
        return ERR_NO_MEMORY;
    }
    const struct http_request r = {t->url, text, n, t->bearer, t->timeout_ms};
    struct http_body body = {0};
    enum err e = http_fetch(&body, &r);
    free(text);
    if (e != OK) {
        snprintf(why, why_len, "nobody answers at %s", t->url);
        return e;
    }
    e = rpc_client_answer(result, bytes_of(body.p, body.n), why, why_len);
    free(body.p);
    return e;
}
