#define _GNU_SOURCE
#include "sequencer/l1/parts.h"

#include <stdio.h>
#include <stdlib.h>

enum { FRESH_FAULT_MS = 30000 };

/* Scheme, host and port. */
void endpoint_name(char *out, size_t size, const char *url)
{
    const char *start = strstr(url, "://");
    start = start == NULL ? url : start + 3;
    size_t n = strcspn(start, "/?#");
    const char *at = memchr(start, '@', n);
    if (at != NULL) {
        n -= (size_t)(at + 1 - start);
        start = at + 1;
    }
    snprintf(out, size, "%.*s", (int)(n < size ? n : size - 1), start);
}

enum err endpoint_send(struct endpoint *e, const char *path, struct bytes body, size_t max,
                       http_reply_cb cb, void *arg)
{
    const struct l1_options *o = &e->c->o;
    struct http_request r = {.url = e->url, .body = body, .connect_ms = o->connect_ms,
                             .total_ms = o->total_ms, .max = max};
    char *url = NULL;
    if (path != NULL) {
        size_t size = strlen(e->url) + strlen(path) + 1;
        url = malloc(size);
        if (url == NULL) {
            return ERR_NO_MEMORY;
        }
        snprintf(url, size, "%s%s", e->url, path);
        r.url = url;
    }
    e->state.requests++;
    enum err err = http_send(e->c->http, &r, cb, arg);
    free(url); /* libcurl copies it */
    return err;
}

void endpoint_say(struct endpoint *e, bool bad, const char *what)
{
    const struct l1_options *o = &e->c->o;
    e->told = bad;
    if (o->say != NULL) {
        o->say(o->arg, bad, e->state.name, what);
    }
}

/* Errors that servers answer with, and requests that they refuse, say nothing about their health. */
void endpoint_fault(struct endpoint *e, enum web_fault f)
{
    e->state.faults[f]++;
    if (f == WEB_FAULT_ERROR) {
        return;
    }
    e->fault_ms = client_now(e->c);
    if (!e->told) {
        endpoint_say(e, true, web_fault_name(f));
    }
    if (++e->failures >= DEAD_FAILURES || f == WEB_FAULT_WRONG_CHAIN) {
        e->dead = true;
    }
}

void endpoint_well(struct endpoint *e)
{
    e->failures = 0;
    e->dead = false;
    if (e->told && e->out_ms == 0) {
        endpoint_say(e, false, "answers again");
    }
}

void endpoint_took(struct endpoint *e, uint32_t ms)
{
    uint32_t before = e->state.latency_ms;
    e->state.latency_ms = before == 0 ? ms : (before * 7 + ms) / 8;
}

uint64_t endpoint_rank(const struct endpoint *e)
{
    const struct quorum *q = &e->c->quorum;
    uint64_t rank = e->state.latency_ms;
    bool try_again = e->state.beacon && client_now(e->c) - e->fault_ms >= e->c->o.probe_ms;
    if (e->dead && !try_again) {
        return UINT64_MAX;
    }
    if (e->fault_ms != 0 && client_now(e->c) - e->fault_ms < FRESH_FAULT_MS) {
        rank += FRESH_FAULT_MS;
    }
    if (!e->state.beacon && (!quorum_usable(q, e->index) || !q->known ||
                             quorum_holds(q, e->index, &q->head.at) == NULL)) {
        rank += 2 * (uint64_t)FRESH_FAULT_MS;
    }
    return rank;
}
