#define _GNU_SOURCE
#include "sequencer/cli/http_client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/limits.h"

enum { IDLE_EASY = 64, CONNECT_MS = 1000, HOST_CONNECTIONS = 64 };

struct transfer {
    struct http_client *client;
    CURL *easy;
    struct curl_slist *headers;
    char *out; /* request body */
    struct http_body in;
    size_t cap;
    bool too_large;
    uint64_t started;
    http_cb cb;
    void *arg;
    struct transfer *next; /* list of all under way */
    struct transfer *prev;
};

struct http_client {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t *timer;
    struct transfer *transfers;
    CURL *idle[IDLE_EASY]; /* easy handles to use again */
    size_t idles;
    bool collecting;
    bool destroyed; /* by a callback: freed when the callbacks are through */
};

struct watched {
    uv_poll_t poll;
    curl_socket_t socket;
    struct http_client *client;
};

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    size_t add = size * n;
    if (t->in.n + add > LIMIT_CLIENT_ANSWER) {
        t->too_large = true;
        return 0;
    }
    if (t->in.n + add + 1 > t->cap) {
        size_t cap = (t->in.n + add + 1) * 2;
        char *bigger = realloc(t->in.p, cap);
        if (bigger == NULL) {
            return 0;
        }
        t->in.p = bigger;
        t->cap = cap;
    }
    memcpy(t->in.p + t->in.n, p, add);
    t->in.n += add;
    t->in.p[t->in.n] = '\0';
    return add;
}

static struct curl_slist *make_headers(const char *bearer)
{
    struct curl_slist *list = curl_slist_append(NULL, "Content-Type: application/json");
    list = curl_slist_append(list, "Expect:");
    if (bearer != NULL) {
        char line[256];
        snprintf(line, sizeof line, "Authorization: Bearer %.200s", bearer);
        list = curl_slist_append(list, line);
    }
    return list;
}

static void set_up(struct transfer *t, const struct http_request *r)
{
    CURL *e = t->easy;
    curl_easy_setopt(e, CURLOPT_URL, r->url);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_PROXY, "");
    curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(e, CURLOPT_PRIVATE, t);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->headers);
    if (r->body != NULL) {
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, (long)r->n);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, t->out);
    }
}

static void free_transfer(struct transfer *t)
{
    if (t->easy != NULL) {
        curl_easy_cleanup(t->easy);
    }
    curl_slist_free_all(t->headers);
    free(t->out);
    free(t->in.p);
    free(t);
}

static struct transfer *make_transfer(struct http_client *c, const struct http_request *r)
{
    struct transfer *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    t->client = c;
    t->easy = c != NULL && c->idles > 0 ? c->idle[--c->idles] : curl_easy_init();
    t->headers = make_headers(r->bearer);
    t->out = malloc(r->n + 1);
    t->in.p = calloc(1, 256);
    t->cap = 256;
    if (t->easy == NULL || t->headers == NULL || t->out == NULL || t->in.p == NULL) {
        free_transfer(t);
        return NULL;
    }
    if (r->body != NULL) {
        memcpy(t->out, r->body, r->n);
    }
    set_up(t, r);
    return t;
}

static void retire(struct http_client *c, struct transfer *t)
{
    if (t->prev != NULL) {
        t->prev->next = t->next;
    } else {
        c->transfers = t->next;
    }
    if (t->next != NULL) {
        t->next->prev = t->prev;
    }
    curl_multi_remove_handle(c->multi, t->easy);
    if (c->idles < IDLE_EASY) {
        curl_easy_reset(t->easy);
        c->idle[c->idles++] = t->easy;
        t->easy = NULL;
    }
    free_transfer(t);
}

static void answer(const struct transfer *t, CURLcode code)
{
    struct http_answer a = {.err = OK, .body = bytes_of(t->in.p, t->in.n)};
    if (code != CURLE_OK) {
        a.err = t->too_large ? ERR_TOO_LARGE : ERR_UNREACHABLE;
        a.refused = code == CURLE_COULDNT_CONNECT;
    } else {
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &a.status);
    }
    a.took_us = (uv_hrtime() - t->started) / 1000;
    t->cb(t->arg, &a);
}

static void release(struct http_client *c);

static void collect(struct http_client *c)
{
    int left = 0;
    CURLMsg *m;
    c->collecting = true;
    while (!c->destroyed && (m = curl_multi_info_read(c->multi, &left)) != NULL) {
        if (m->msg != CURLMSG_DONE) {
            continue;
        }
        CURLcode code = m->data.result;
        char *private = NULL;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &private);
        struct transfer *t = (struct transfer *)(void *)private;
        answer(t, code);
        retire(c, t);
    }
    c->collecting = false;
    if (c->destroyed) {
        release(c);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watched *w = poll->data;
    struct http_client *c = w->client;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    int running = 0;
    flags |= (events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0;
    flags |= (events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0;
    curl_multi_socket_action(c->multi, w->socket, flags, &running);
    collect(c);
}

static void free_watched(uv_handle_t *h)
{
    free(h->data);
}

static struct watched *watch_socket(struct http_client *c, curl_socket_t s)
{
    struct watched *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return NULL;
    }
    w->socket = s;
    w->client = c;
    w->poll.data = w;
    if (uv_poll_init_socket(c->loop, &w->poll, s) != 0) {
        free(w);
        return NULL;
    }
    curl_multi_assign(c->multi, s, w);
    return w;
}

static int on_socket(CURL *easy, curl_socket_t s, int what, void *arg, void *socket_arg)
{
    struct http_client *c = arg;
    struct watched *w = socket_arg;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w != NULL) {
            curl_multi_assign(c->multi, s, NULL);
            uv_poll_stop(&w->poll);
            uv_close((uv_handle_t *)&w->poll, free_watched);
        }
        return 0;
    }
    if (w == NULL && (w = watch_socket(c, s)) == NULL) {
        return -1;
    }
    int events = what == CURL_POLL_IN ? UV_READABLE : UV_WRITABLE;
    events = what == CURL_POLL_INOUT ? UV_READABLE | UV_WRITABLE : events;
    return uv_poll_start(&w->poll, events, on_poll) == 0 ? 0 : -1;
}

static void on_timeout(uv_timer_t *timer)
{
    struct http_client *c = timer->data;
    int running = 0;
    curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(c);
}

static int on_timer(CURLM *multi, long ms, void *arg)
{
    struct http_client *c = arg;
    (void)multi;
    if (ms < 0) {
        return uv_timer_stop(c->timer);
    }
    return uv_timer_start(c->timer, on_timeout, (uint64_t)ms, 0);
}

static void free_handle(uv_handle_t *h)
{
    free(h);
}

struct http_client *http_client_create(uv_loop_t *loop)
{
    struct http_client *c = calloc(1, sizeof *c);
    uv_timer_t *timer = calloc(1, sizeof *timer);
    CURLM *multi = curl_multi_init();
    if (c == NULL || timer == NULL || multi == NULL) {
        free(c);
        free(timer);
        return NULL;
    }
    uv_timer_init(loop, timer);
    timer->data = c;
    *c = (struct http_client){.loop = loop, .multi = multi, .timer = timer};
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, c);
    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)HOST_CONNECTIONS);
    return c;
}

enum err http_client_post(struct http_client *c, const struct http_request *r, http_cb cb,
                          void *arg)
{
    struct transfer *t = make_transfer(c, r);
    if (t == NULL) {
        return ERR_NO_MEMORY;
    }
    t->cb = cb;
    t->arg = arg;
    t->started = uv_hrtime();
    if (curl_multi_add_handle(c->multi, t->easy) != CURLM_OK) {
        free_transfer(t);
        return ERR_UNREACHABLE;
    }
    t->next = c->transfers;
    if (c->transfers != NULL) {
        c->transfers->prev = t;
    }
    c->transfers = t;
    return OK;
}

static void release(struct http_client *c)
{
    while (c->transfers != NULL) {
        retire(c, c->transfers);
    }
    for (size_t i = 0; i < c->idles; i++) {
        curl_easy_cleanup(c->idle[i]);
    }
    curl_multi_cleanup(c->multi);
    uv_close((uv_handle_t *)c->timer, free_handle);
    free(c);
}

void http_client_destroy(struct http_client *c)
{
    if (c->collecting) {
        c->destroyed = true;
        return;
    }
    release(c);
}

enum err http_fetch(struct http_body *out, const struct http_request *r)
{
    struct transfer *t = make_transfer(NULL, r);
    if (t == NULL) {
        return ERR_NO_MEMORY;
    }
    CURLcode code = curl_easy_perform(t->easy);
    enum err e = t->too_large ? ERR_TOO_LARGE : ERR_UNREACHABLE;
    if (code == CURLE_OK) {
        *out = t->in;
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &out->status);
        t->in.p = NULL;
        e = OK;
    }
    free_transfer(t);
    return e;
}
