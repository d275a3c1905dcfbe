#define _GNU_SOURCE
#include "sequencer/rpc/forward.h"

#include "sequencer/rpc/params.h"

static void forwarded(void *arg, const struct rpc_forwarded *f)
{
    struct call *c = arg;
    if (call_gone(c)) {
        return;
    }
    if (f->err != OK) {
        call_error(c, CODE_INTERNAL, "execution client: %s", err_text(f->err));
        return;
    }
    struct text *t = call_result(c);
    if (f->is_error) {
        /* The envelope was begun with "result"; what stands before it is kept. */
        t->n -= t->n >= 9 ? sizeof "\"result\":" - 1 : 0;
        TEXT_LITERAL(t, "\"error\":");
    }
    text_put(t, f->json.p, f->json.n);
    call_done(c);
}

/* A number for a tag; anything else as it stands. */
static void put_tag(struct call *c, struct text *t, struct json_object *v)
{
    enum rpc_tag tag;
    uint64_t number;
    if (json_object_is_type(v, json_type_string) && params_tag(json_object_get_string(v), &tag) &&
        tag != RPC_EARLIEST &&
        call_backend(c)->head(call_ctx(c), tag == RPC_PENDING ? RPC_LATEST : tag, &number, NULL) ==
            OK) {
        text_quantity(t, number);
        return;
    }
    text_str(t, json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN));
}

/* The filter of eth_getLogs carries its tags inside. */
static void put_object(struct call *c, struct text *t, struct json_object *o)
{
    TEXT_LITERAL(t, "{");
    json_object_object_foreach(o, key, value)
    {
        text_item(t);
        text_json(t, key, strlen(key));
        TEXT_LITERAL(t, ":");
        if (strcmp(key, "fromBlock") == 0 || strcmp(key, "toBlock") == 0) {
            put_tag(c, t, value);
        } else {
            text_str(t, json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
        }
    }
    TEXT_LITERAL(t, "}");
}

void forward_call(struct call *c, const char *method)
{
    struct text t = {0};
    TEXT_LITERAL(&t, "[");
    for (uint32_t i = 0; i < c->params_n; i++) {
        struct json_object *v = json_object_array_get_idx(c->params, i);
        text_item(&t);
        if (json_object_is_type(v, json_type_object)) {
            put_object(c, &t, v);
        } else {
            put_tag(c, &t, v);
        }
    }
    TEXT_LITERAL(&t, "]");
    if (t.failed) {
        text_free(&t);
        call_error(c, CODE_INTERNAL, "%s", err_text(ERR_NO_MEMORY));
        return;
    }
    call_backend(c)->forward(call_ctx(c), method, bytes_of(t.p, t.n), forwarded, c);
    text_free(&t);
}
