#define _GNU_SOURCE
#include <stdlib.h>
#include <time.h>
#include <utlist.h>

#include "sequencer/engine/engine_parts.h"

static uint64_t unix_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec;
}

static uint64_t now_us(void)
{
    return uv_hrtime() / 1000;
}

/* The answer's own words, where there are any: a status line's text is the client's, not JSON. */
static void read_reply(struct engine_answer *out, struct answers *in, const struct request *asked,
                       const struct http_reply *r, char why[ENGINE_WHY])
{
    out->meaning = engine_of_reply(r);
    if (out->meaning != ENGINE_YES) {
        int n = r->body.n < ENGINE_WHY / 2 ? (int)r->body.n : ENGINE_WHY / 2;
        snprintf(why, ENGINE_WHY, "%s (%s, status %ld): %.*s", engine_meaning_text(out->meaning),
                 web_fault_name(r->fault), r->status, n,
                 r->body.p == NULL ? "" : (const char *)r->body.p);
        return;
    }
    if (answers_read(in, asked, r->body) != WEB_FAULT_NONE) {
        out->meaning = ENGINE_NONSENSE;
        snprintf(why, ENGINE_WHY, "%s: no JSON-RPC", engine_meaning_text(ENGINE_NONSENSE));
        return;
    }
    out->all = in;
    if (in->at[0].error) {
        out->meaning = engine_of_error(in->at[0].code);
        snprintf(why, ENGINE_WHY, "%s (%lld): %s", engine_meaning_text(out->meaning),
                 (long long)in->at[0].code, in->at[0].message);
        return;
    }
    out->result = in->at[0].result;
}

static void on_reply(void *arg, const struct http_reply *r)
{
    struct engine_ask *x = arg;
    struct engine *e = x->e;
    struct answers in = {0};
    char why[ENGINE_WHY] = "";
    struct engine_answer a = {.why = why};
    bool nothing = r->fault == WEB_FAULT_CONNECT || r->fault == WEB_FAULT_TIMEOUT;
    DL_DELETE(e->asks, x);
    e->answered_us = nothing ? e->answered_us : now_us();
    e->busy_us = e->asks == NULL ? 0 : e->busy_us;
    read_reply(&a, &in, &x->request, r, why);
    x->cb(x->arg, &a);
    answers_release(&in);
    request_free(&x->request);
    free(x);
}

/* The token goes nowhere but to the Engine API. */
static enum err send_ask(struct engine_ask *x, const char *url, size_t max)
{
    struct engine *e = x->e;
    char header[JWT_HEADER_SIZE];
    TRY(jwt_header(header, &e->o.secret, unix_s()));
    const struct http_request h = {.url = url,
                                   .header = strcmp(url, e->url) == 0 ? header : NULL,
                                   .body = request_body(&x->request),
                                   .connect_ms = e->o.connect_ms,
                                   .total_ms = e->o.total_ms,
                                   .max = max};
    return h.body.n == 0 ? ERR_NO_MEMORY : http_send(e->http, &h, on_reply, x);
}

enum err engine_ask(struct engine *e, struct request *r, size_t max, engine_answer_cb cb,
                    void *arg)
{
    return engine_ask_at(e, e->url, r, max, cb, arg);
}

enum err engine_ask_at(struct engine *e, const char *url, struct request *r, size_t max,
                       engine_answer_cb cb, void *arg)
{
    struct engine_ask *x = calloc(1, sizeof *x);
    if (x == NULL) {
        request_free(r);
        return ERR_NO_MEMORY;
    }
    *x = (struct engine_ask){.e = e, .request = *r, .cb = cb, .arg = arg};
    enum err err = send_ask(x, url, max);
    if (err != OK) {
        request_free(&x->request);
        free(x);
        return err;
    }
    e->busy_us = e->asks == NULL ? now_us() : e->busy_us;
    DL_APPEND(e->asks, x);
    return OK;
}

void engine_asks_drop(struct engine *e)
{
    struct engine_ask *x, *next;
    DL_FOREACH_SAFE(e->asks, x, next)
    {
        DL_DELETE(e->asks, x);
        request_free(&x->request);
        free(x);
    }
}
