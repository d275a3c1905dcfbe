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

/* ---- what may be asked for ----------------------------------------------------------------------- */

/* The client's own head is ahead of what is final: it is never asked for a block that is not. */
static bool refuse(struct call *c, uint32_t flags, enum err e)
{
    if (e == ERR_NOT_FOUND && (flags & (METHOD_NULL | METHOD_TX)) != 0) {
        call_raw(c, "null");
    } else {
        call_read_error(c, e, "header");
    }
    return false;
}

static bool may_ask_block(struct call *c, uint32_t i, uint32_t flags)
{
    struct block_ref ref;
    uint64_t latest;
    if (i >= c->params_n) {
        return true;
    }
    if (!params_block(c, i, &ref)) {
        return false;
    }
    enum err e = call_backend(c)->head(call_ctx(c), RPC_LATEST, &latest, NULL);
    if (e == OK && ref.kind == REF_NUMBER && ref.number > latest) {
        e = ERR_NOT_FOUND;
    } else if (e == OK && ref.kind == REF_HASH) {
        struct rpc_block block;
        e = call_backend(c)->block_by_hash(call_ctx(c), &ref.hash, &block);
    }
    return e == OK || refuse(c, flags, e);
}

static bool may_ask_tx(struct call *c)
{
    struct hash hash;
    struct rpc_tx tx;
    if (!params_hash(c, 0, &hash)) {
        return false;
    }
    enum err e = call_backend(c)->tx(call_ctx(c), &hash, &tx);
    if (e == OK && tx.state != RPC_TX_INCLUDED) {
        e = ERR_NOT_FOUND;
    }
    return e == OK || refuse(c, METHOD_TX, e);
}

static bool may_ask_logs(struct call *c)
{
    struct hash hash;
    struct rpc_block block;
    struct json_object *v = NULL;
    if (!json_object_object_get_ex(params_at(c, 0), "blockHash", &v) || v == NULL) {
        return true;
    }
    bool is_hash = json_object_is_type(v, json_type_string) &&
                   hex_decode(hash.b, sizeof hash.b, json_object_get_string(v));
    if (!is_hash || call_backend(c)->block_by_hash(call_ctx(c), &hash, &block) != OK) {
        call_error(c, CODE_SERVER, "unknown block");
        return false;
    }
    return true;
}

static bool may_ask(struct call *c, uint32_t flags)
{
    if ((flags & METHOD_TX) != 0) {
        return may_ask_tx(c);
    }
    if ((flags & METHOD_FILTER) != 0) {
        return may_ask_logs(c);
    }
    uint32_t at = flags >> 8;
    return at == 0 || may_ask_block(c, at - 1, flags);
}

/* ---- how it is asked ----------------------------------------------------------------------------- */

static void put_head(struct call *c, struct text *t, enum rpc_tag tag)
{
    uint64_t number = 0;
    if (call_backend(c)->head(call_ctx(c), tag, &number, NULL) == OK) {
        text_quantity(t, number);
    } else {
        TEXT_LITERAL(t, "null"); /* a client refuses it */
    }
}

/* A number for a tag; anything else as it stands. */
static void put_tag(struct call *c, struct text *t, struct json_object *v)
{
    enum rpc_tag tag;
    if (json_object_is_type(v, json_type_string) && params_tag(json_object_get_string(v), &tag) &&
        tag != RPC_EARLIEST) {
        put_head(c, t, tag == RPC_PENDING ? RPC_LATEST : tag);
        return;
    }
    text_str(t, json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN));
}

/* The end of a filter's range: nothing that is not final. */
static void put_end(struct call *c, struct text *t, struct json_object *v)
{
    uint64_t number;
    uint64_t latest;
    bool beyond = json_object_is_type(v, json_type_string) &&
                  params_quantity(json_object_get_string(v), &number) == NULL &&
                  call_backend(c)->head(call_ctx(c), RPC_LATEST, &latest, NULL) == OK &&
                  number > latest;
    if (beyond || v == NULL) {
        put_head(c, t, RPC_LATEST);
    } else {
        put_tag(c, t, v);
    }
}

static void put_key(struct text *t, const char *key)
{
    text_item(t);
    text_json(t, key, strlen(key));
    TEXT_LITERAL(t, ":");
}

/* The filter of eth_getLogs carries its tags inside; where it names no blocks it means the latest. */
static void put_filter(struct call *c, struct text *t, struct json_object *o)
{
    bool by_hash = json_object_object_get_ex(o, "blockHash", NULL);
    TEXT_LITERAL(t, "{");
    json_object_object_foreach(o, key, value)
    {
        if (strcmp(key, "fromBlock") != 0 && strcmp(key, "toBlock") != 0) {
            put_key(t, key);
            text_str(t, json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
        }
    }
    struct json_object *v = NULL;
    if (!by_hash) {
        put_key(t, "fromBlock");
        if (json_object_object_get_ex(o, "fromBlock", &v) && v != NULL) {
            put_tag(c, t, v);
        } else {
            put_head(c, t, RPC_LATEST);
        }
        v = NULL;
        (void)json_object_object_get_ex(o, "toBlock", &v);
        put_key(t, "toBlock");
        put_end(c, t, v);
    }
    TEXT_LITERAL(t, "}");
}

static void put_params(struct call *c, struct text *t, uint32_t flags)
{
    uint32_t block_at = flags >> 8; /* from 1; 0: none */
    TEXT_LITERAL(t, "[");
    for (uint32_t i = 0; i < c->params_n; i++) {
        struct json_object *v = json_object_array_get_idx(c->params, i);
        text_item(t);
        if (i == 0 && (flags & METHOD_FILTER) != 0 && json_object_is_type(v, json_type_object)) {
            put_filter(c, t, v);
        } else if (i + 1 == block_at && v == NULL) {
            put_head(c, t, RPC_LATEST);
        } else if (i + 1 == block_at) {
            put_tag(c, t, v);
        } else {
            text_str(t, json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN));
        }
    }
    /* Left out it would mean the client's own head. */
    if (block_at > 1 && c->params_n + 1 == block_at) {
        text_item(t);
        put_head(c, t, RPC_LATEST);
    }
    TEXT_LITERAL(t, "]");
}

void forward_call(struct call *c, const char *method, uint32_t flags)
{
    struct text t = {0};
    if (!may_ask(c, flags)) {
        return;
    }
    put_params(c, &t, flags);
    if (t.failed) {
        text_free(&t);
        call_error(c, CODE_INTERNAL, "%s", err_text(ERR_NO_MEMORY));
        return;
    }
    call_backend(c)->forward(call_ctx(c), method, bytes_of(t.p, t.n), forwarded, c);
    text_free(&t);
}
