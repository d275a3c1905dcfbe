/* Messages: from bytes to calls, from answered calls to one answer; and which method a call is. */
#define _GNU_SOURCE
#include <stdlib.h>

#include "proto/limits.h"
#include "sequencer/rpc/call.h"
#include "sequencer/rpc/forward.h"
#include "sequencer/rpc/strict.h"
#include "sequencer/rpc/ws.h"

static const struct method methods[] = {
#define METHOD(name, handler, params, flags) {#name, handler, params, flags},
#include "sequencer/rpc/methods.def"
#undef METHOD
};

const struct method *method_find(const char *name)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strcmp(methods[i].name, name) == 0) {
            return &methods[i];
        }
    }
    return NULL;
}

uint32_t method_of_client(const char *name)
{
    static const struct {
        const char *name;
        uint32_t flags;
    } of_client[] = {
#define METHOD(name, handler, params, flags)
#define CLIENT_METHOD(name, flags) {#name, flags},
#include "sequencer/rpc/methods.def"
#undef METHOD
    };
    for (size_t i = 0; i < sizeof of_client / sizeof *of_client; i++) {
        if (strcmp(of_client[i].name, name) == 0) {
            return of_client[i].flags;
        }
    }
    return 0;
}

/* ---- messages ------------------------------------------------------------------------------- */

static struct message *message_new(struct connection *conn, uint32_t n)
{
    struct message *m = calloc(1, sizeof *m + n * sizeof m->call[0]);
    if (m == NULL) {
        return NULL;
    }
    m->rpc = conn->rpc;
    m->conn = conn;
    m->n = n;
    m->started_ns = uv_hrtime();
    for (uint32_t i = 0; i < n; i++) {
        m->call[i].message = m;
    }
    m->next = conn->messages;
    if (m->next != NULL) {
        m->next->prev = m;
    }
    conn->messages = m;
    conn->calls += n;
    return m;
}

static void message_unlink(struct message *m)
{
    struct connection *conn = m->conn;
    if (m->prev != NULL) {
        m->prev->next = m->next;
    } else {
        conn->messages = m->next;
    }
    if (m->next != NULL) {
        m->next->prev = m->prev;
    }
    conn->calls -= m->n;
    m->conn = NULL;
}

void message_abandon_all(struct connection *conn)
{
    while (conn->messages != NULL) {
        message_unlink(conn->messages);
    }
}

static void message_free(struct message *m)
{
    for (uint32_t i = 0; i < m->n; i++) {
        text_free(&m->call[i].out);
        free(m->call[i].state);
    }
    json_object_put(m->root);
    free(m);
}

/* The answers in the order of the requests. */
static void message_compose(struct message *m, struct text *out)
{
    if (!m->batch) {
        *out = m->call[0].out;
        m->call[0].out = (struct text){0};
        return;
    }
    for (uint32_t i = 0; i < m->n; i++) {
        if (m->call[i].out.n > 0) {
            text_put(out, out->n == 0 ? "[" : ",", 1);
            text_put(out, m->call[i].out.p, m->call[i].out.n);
        }
    }
    if (out->n > 0) {
        TEXT_LITERAL(out, "]");
    }
}

/* Hands a composed answer to whatever the connection speaks; takes it over. */
static void conn_answer(struct connection *conn, struct text *out)
{
    if (out->failed) {
        text_free(out);
        connection_close(conn);
        return;
    }
    if (conn->mode == CONNECTION_HTTP) {
        http_answer(conn, 200, "application/json", out, NULL);
    } else if (conn->mode == CONNECTION_WS && out->n > 0) {
        ws_send(conn, out);
    } else {
        text_free(out);
    }
}

static void message_finish(struct message *m)
{
    struct connection *conn = m->conn;
    if (conn == NULL) {
        message_free(m);
        return;
    }
    struct rpc *r = m->rpc;
    struct text out = {0};
    message_compose(m, &out);
    if (r->backend->counted != NULL) {
        r->backend->counted(r->ctx, m->n, (double)(uv_hrtime() - m->started_ns) / 1e9);
    }
    message_unlink(m);
    message_free(m);
    conn_answer(conn, &out);
}

/* ---- dispatch ------------------------------------------------------------------------------- */

static void unknown_method(struct call *c, const char *name)
{
    call_error(c, CODE_METHOD, "the method %.128s does not exist/is not available", name);
}

static void dispatch_method(struct call *c, const struct method *m, const char *name)
{
    bool client = call_backend(c)->forward != NULL;
    if (m == NULL) {
        uint32_t flags = method_of_client(name);
        if (client && flags != 0) {
            forward_call(c, name, flags);
            return;
        }
        unknown_method(c, name);
        return;
    }
    if ((m->flags & METHOD_ADMIN) != 0 && !c->message->conn->admin) {
        unknown_method(c, name);
        return;
    }
    if ((m->flags & METHOD_ADMIN) != 0 && !c->message->conn->authorized) {
        call_error(c, CODE_UNAUTHORIZED,
                   "%s needs the header Authorization: Bearer with the "
                   "token of the node's token file",
                   name);
        return;
    }
    if ((m->flags & METHOD_CLIENT) != 0 && client) {
        forward_call(c, name, m->flags);
        return;
    }
    if (c->params_n > m->params) {
        call_error(c, CODE_PARAMS, "too many arguments, want at most %u", m->params);
        return;
    }
    m->handle(c);
}

/* An id is a number, a string or null; anything else makes the request invalid. */
static bool take_id(struct call *c, struct json_object *request)
{
    struct json_object *id = NULL;
    c->silent = !json_object_object_get_ex(request, "id", &id);
    enum json_type type = json_object_get_type(id);
    if (type == json_type_object || type == json_type_array || type == json_type_boolean) {
        c->silent = false;
        return false;
    }
    c->id = id;
    return true;
}

static void dispatch(struct call *c, struct json_object *request)
{
    struct json_object *method = NULL;
    struct json_object *params = NULL;
    struct json_object *version = NULL;
    if (!json_object_is_type(request, json_type_object) || !take_id(c, request) ||
        !json_object_object_get_ex(request, "method", &method) ||
        !json_object_is_type(method, json_type_string) ||
        strlen(json_object_get_string(method)) != (size_t)json_object_get_string_len(method) ||
        (json_object_object_get_ex(request, "jsonrpc", &version) &&
         (!json_object_is_type(version, json_type_string) ||
          strcmp(json_object_get_string(version), "2.0") != 0))) {
        c->silent = false;
        call_error(c, CODE_REQUEST, "invalid request");
        return;
    }
    if (c->message->bytes > LIMIT_RPC_OUT_BYTES) {
        call_error(c, CODE_TOO_LARGE, "response too large");
        return;
    }
    if (json_object_object_get_ex(request, "params", &params) && params != NULL) {
        if (!json_object_is_type(params, json_type_array)) {
            call_error(c, CODE_PARAMS, "non-array args");
            return;
        }
        c->params = params;
        c->params_n = (uint32_t)json_object_array_length(params);
    }
    const char *name = json_object_get_string(method);
    dispatch_method(c, method_find(name), name);
}

/* Starts calls until one goes to a worker; finishes the message after the last answer. */
void message_run(struct message *m)
{
    if (m->running) {
        return;
    }
    m->running = true;
    while (m->started < m->n && !m->heavy && m->conn != NULL) {
        uint32_t i = m->started++;
        m->open++;
        dispatch(&m->call[i], m->batch ? json_object_array_get_idx(m->root, i) : m->root);
    }
    m->running = false;
    if (m->open == 0 && (m->started == m->n || m->conn == NULL)) {
        message_finish(m);
    }
}

/* An answer to what is no request at all. */
static void refuse(struct connection *conn, int code, const char *message, bool batch)
{
    struct text out = {0};
    text_format(&out,
                "%s{\"jsonrpc\":\"2.0\",\"id\":null,"
                "\"error\":{\"code\":%d,\"message\":\"%s\"}}%s",
                batch ? "[" : "", code, message, batch ? "]" : "");
    conn_answer(conn, &out);
}

/* False: no JSON. A document `null` is NULL, and JSON all the same. */
static bool parse(struct json_object **out, const char *p, size_t n)
{
    if (n == 0 || n > LIMIT_RPC_BODY || !strict_json(p, n, LIMIT_RPC_JSON_DEPTH)) {
        return false;
    }
    struct json_tokener *t = json_tokener_new_ex(LIMIT_RPC_JSON_DEPTH + 1);
    if (t == NULL) {
        return false;
    }
    json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *root = json_tokener_parse_ex(t, p, (int)n);
    /* A number at the very end is complete only once the tokener is told that nothing follows. */
    if (json_tokener_get_error(t) == json_tokener_continue) {
        root = json_tokener_parse_ex(t, "", 1);
    }
    bool good = json_tokener_get_error(t) == json_tokener_success;
    json_tokener_free(t);
    if (!good) {
        json_object_put(root);
        return false;
    }
    *out = root;
    return true;
}

void message_start(struct connection *conn, const char *p, size_t n)
{
    struct json_object *root = NULL;
    if (!parse(&root, p, n)) {
        refuse(conn, CODE_PARSE, "parse error", false);
        return;
    }
    bool batch = json_object_is_type(root, json_type_array);
    size_t count = batch ? json_object_array_length(root) : 1;
    const char *why = count == 0                                 ? "empty batch"
                      : count > LIMIT_RPC_BATCH                  ? "batch too large"
                      : conn->calls + count > LIMIT_RPC_INFLIGHT ? "too many requests in flight"
                                                                 : NULL;
    if (why != NULL) {
        if (count > 0) {
            server_limit_hit(conn->rpc, count > LIMIT_RPC_BATCH ? "RPC_BATCH" : "RPC_INFLIGHT");
        }
        json_object_put(root);
        refuse(conn, CODE_REQUEST, why, batch && count > 0);
        return;
    }
    struct message *m = message_new(conn, (uint32_t)count);
    if (m == NULL) {
        json_object_put(root);
        connection_close(conn);
        return;
    }
    m->root = root;
    m->batch = batch;
    message_run(m);
}

void message_document(struct connection *conn, enum rpc_document kind)
{
    struct message *m = message_new(conn, 1);
    if (m == NULL) {
        connection_close(conn);
        return;
    }
    const struct rpc_query q = {.from = UINT64_MAX, .text = ""};
    m->call[0].bare = true;
    m->started = 1;
    m->open = 1;
    m->rpc->backend->document(m->rpc->ctx, kind, &q, call_answer, &m->call[0]);
}
