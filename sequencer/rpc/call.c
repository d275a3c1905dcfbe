#define _GNU_SOURCE
#include "sequencer/rpc/call.h"

#include <stdarg.h>
#include <stdio.h>

static void put_id(struct call *c)
{
    const char *id = json_object_to_json_string_ext(c->id, JSON_C_TO_STRING_PLAIN |
                                                               JSON_C_TO_STRING_NOSLASHESCAPE);
    text_str(&c->out, id != NULL ? id : "null");
}

static void put_envelope(struct call *c, const char *member)
{
    if (c->bare) {
        return;
    }
    TEXT_LITERAL(&c->out, "{\"jsonrpc\":\"2.0\",\"id\":");
    put_id(c);
    text_str(&c->out, member);
}

struct text *call_result(struct call *c)
{
    put_envelope(c, ",\"result\":");
    return &c->out;
}

void call_done(struct call *c)
{
    struct message *m = c->message;
    if (!c->bare) {
        TEXT_LITERAL(&c->out, "}");
    }
    if (c->silent) {
        text_free(&c->out);
    }
    if (c->heavy) {
        m->heavy = false;
    }
    m->bytes += c->out.n;
    m->open--;
    message_run(m);
}

void call_error_data(struct call *c, int code, const char *message, const char *data)
{
    text_free(&c->out);
    put_envelope(c, ",\"error\":");
    text_format(&c->out, "{\"code\":%d,\"message\":", code);
    text_json(&c->out, message, strlen(message));
    if (data != NULL) {
        TEXT_LITERAL(&c->out, ",\"data\":");
        text_str(&c->out, data);
    }
    TEXT_LITERAL(&c->out, "}");
    call_done(c);
}

void call_error(struct call *c, int code, const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    call_error_data(c, code, message, NULL);
}

bool call_gone(struct call *c)
{
    if (c->message->conn != NULL) {
        return false;
    }
    call_done(c);
    return true;
}

void call_heavy(struct call *c)
{
    c->heavy = true;
    c->message->heavy = true;
}

void call_raw(struct call *c, const char *json)
{
    text_str(call_result(c), json);
    call_done(c);
}

void call_quantity(struct call *c, uint64_t v)
{
    text_quantity(call_result(c), v);
    call_done(c);
}

void call_u256(struct call *c, const struct u256 *v)
{
    text_quantity_u256(call_result(c), v);
    call_done(c);
}

void call_read_error(struct call *c, enum err e, const char *what)
{
    if (e == ERR_NOT_READY) {
        call_error(c, CODE_SERVER, "node is catching up");
    } else if (e == ERR_NOT_FOUND) {
        call_error(c, CODE_SERVER, "%s not found", what);
    } else {
        call_error(c, CODE_INTERNAL, "%s", err_text(e));
    }
}

void call_answer(void *arg, const struct rpc_answer *a)
{
    struct call *c = arg;
    struct json_object *doc = a->doc;
    if (call_gone(c)) {
        json_object_put(doc);
        return;
    }
    if (a->err == OK || a->err == ERR_NOT_FOUND) {
        const char *json = json_object_to_json_string_ext(
            a->err == OK ? doc : NULL, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
        call_raw(c, json != NULL ? json : "null");
    } else {
        int code = err_class(a->err) == ERR_CLASS_CALLER ? CODE_SERVER : CODE_INTERNAL;
        code = err_class(a->err) == ERR_CLASS_AGAIN ? CODE_BUSY : code;
        call_error(c, a->code != 0 ? a->code : code, "%s",
                   a->why != NULL ? a->why : err_text(a->err));
    }
    json_object_put(doc);
}
