#define _GNU_SOURCE
#include "sequencer/web/http.h"

#include <curl/curl.h>
#include <stdlib.h>

enum { FIRST_ROOM = 4096, TOO_MANY_REQUESTS = 429, STATUS_OK = 200 };

struct exchange {
    struct http *http;
    CURL *easy;
    struct curl_slist *headers;
    uint8_t *in;
    size_t n, cap, max;
    bool too_large;
    uint64_t started_ns;
    http_reply_cb cb;
    void *arg;
    struct exchange *next, *prev;
};

struct http {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;
    struct exchange *all;
    uint32_t handles; /* of the loop, still open */
    void (*closed)(void *arg);
    void *arg;
};

/* A socket of curl's that the loop watches. */
struct watch {
    uv_poll_t poll;
    curl_socket_t socket;
    struct http *http;
};

static bool make_room(struct exchange *x, size_t more)
{
    if (x->n + more <= x->cap) {
        return true;
    }
    size_t cap = x->cap == 0 ? FIRST_ROOM : x->cap;
    while (cap < x->n + more) {
        cap *= 2;
    }
    uint8_t *in = realloc(x->in, cap);
    if (in == NULL) {
        return false;
    }
    x->in = in;
    x->cap = cap;
    return true;
}

static size_t on_bytes(char *p, size_t size, size_t count, void *arg)
{
    struct exchange *x = arg;
    size_t n = size * count;
    x->too_large = n > x->max - x->n;
    if (x->too_large || !make_room(x, n)) {
        return 0;
    }
    memcpy(x->in + x->n, p, n);
    x->n += n;
    return n;
}

static void drop(struct exchange *x)
{
    if (x->easy != NULL) {
        curl_easy_cleanup(x->easy);
    }
    curl_slist_free_all(x->headers);
    free(x->in);
    free(x);
}

static void unlink_exchange(struct exchange *x)
{
    curl_multi_remove_handle(x->http->multi, x->easy);
    if (x->prev != NULL) {
        x->prev->next = x->next;
    } else {
        x->http->all = x->next;
    }
    if (x->next != NULL) {
        x->next->prev = x->prev;
    }
}

/* A status other than 200 arrives with whatever the server likes to say; only the number counts. */
static enum web_fault fault_of(const struct exchange *x, CURLcode code, long status)
{
    if (code == CURLE_OK) {
        if (status == STATUS_OK) {
            return WEB_FAULT_NONE;
        }
        return status == TOO_MANY_REQUESTS ? WEB_FAULT_BUSY : WEB_FAULT_STATUS;
    }
    if (x->too_large) {
        return WEB_FAULT_TOO_LARGE;
    }
    if (code == CURLE_OPERATION_TIMEDOUT) {
        return WEB_FAULT_TIMEOUT;
    }
    bool answered = code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR ||
                    code == CURLE_GOT_NOTHING || code == CURLE_SEND_ERROR ||
                    code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_HTTP2_STREAM ||
                    code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WRITE_ERROR;
    return answered ? WEB_FAULT_CLOSED : WEB_FAULT_CONNECT;
}

static void finish(struct exchange *x, CURLcode code)
{
    struct http_reply r = {.body = bytes_of(x->in, x->n)};
    curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &r.status);
    r.fault = fault_of(x, code, r.status);
    r.took_ms = (uint32_t)((uv_hrtime() - x->started_ns) / 1000000);
    unlink_exchange(x);
    x->cb(x->arg, &r);
    drop(x);
}

static void collect(struct http *h)
{
    int left = 0;
    CURLMsg *m;
    while ((m = curl_multi_info_read(h->multi, &left)) != NULL) {
        char *x = NULL;
        if (m->msg == CURLMSG_DONE) {
            CURLcode code = m->data.result;
            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &x);
            finish((struct exchange *)(void *)x, code);
        }
    }
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *w = poll->data;
    struct http *h = w->http;
    int running;
    int what = status < 0 ? CURL_CSELECT_ERR : 0;
    what |= (events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0;
    what |= (events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0;
    curl_multi_socket_action(h->multi, w->socket, what, &running);
    collect(h);
}

static void one_handle_less(struct http *h)
{
    if (--h->handles == 0) {
        void (*closed)(void *arg) = h->closed;
        void *arg = h->arg;
        free(h);
        closed(arg);
    }
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct watch *w = handle->data;
    struct http *h = w->http;
    free(w);
    one_handle_less(h);
}

static struct watch *watch_socket(struct http *h, curl_socket_t s)
{
    struct watch *w = calloc(1, sizeof *w);
    if (w == NULL || uv_poll_init_socket(h->loop, &w->poll, s) != 0) {
        free(w);
        return NULL;
    }
    w->socket = s;
    w->http = h;
    w->poll.data = w;
    h->handles++;
    curl_multi_assign(h->multi, s, w);
    return w;
}

/* Never -1: libcurl would take it that everything under way failed, now and for good. A socket that
 * cannot be watched makes its request run out of time. */
static int on_socket(CURL *easy, curl_socket_t s, int what, void *arg, void *socket_arg)
{
    struct http *h = arg;
    struct watch *w = socket_arg;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w != NULL) {
            curl_multi_assign(h->multi, s, NULL);
            uv_close((uv_handle_t *)&w->poll, on_watch_closed);
        }
        return 0;
    }
    if (w == NULL && (w = watch_socket(h, s)) == NULL) {
        return 0;
    }
    int events = (what & CURL_POLL_IN) != 0 ? UV_READABLE : 0;
    events |= (what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0;
    (void)uv_poll_start(&w->poll, events, on_ready);
    return 0;
}

static void on_time(uv_timer_t *timer)
{
    struct http *h = timer->data;
    int running;
    curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(h);
}

static int on_timer(CURLM *multi, long ms, void *arg)
{
    struct http *h = arg;
    (void)multi;
    return ms < 0 ? uv_timer_stop(&h->timer) : uv_timer_start(&h->timer, on_time, (uint64_t)ms, 0);
}

struct http *http_open(uv_loop_t *loop)
{
    struct http *h = calloc(1, sizeof *h);
    CURLM *multi = curl_multi_init();
    if (h == NULL || multi == NULL || uv_timer_init(loop, &h->timer) != 0) {
        curl_multi_cleanup(multi);
        free(h);
        return NULL;
    }
    h->loop = loop;
    h->multi = multi;
    h->timer.data = h;
    h->handles = 1;
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, h);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, h);
    return h;
}

static void set_up(struct exchange *x, const struct http_request *r)
{
    CURL *e = x->easy;
    curl_easy_setopt(e, CURLOPT_URL, r->url);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_PROXY, "");
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)r->connect_ms);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)r->total_ms);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(e, CURLOPT_PRIVATE, x);
    if (r->body.n > 0) {
        curl_easy_setopt(e, CURLOPT_HTTPHEADER, x->headers);
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, r->body.p);
    }
}

/* Expect: nothing; a server that does not know 100-continue would cost a second. */
static struct curl_slist *make_headers(const char *more)
{
    const char *const line[] = {"Content-Type: application/json", "Expect:", more};
    struct curl_slist *all = NULL;
    for (size_t i = 0; i < sizeof line / sizeof line[0] && line[i] != NULL; i++) {
        struct curl_slist *longer = curl_slist_append(all, line[i]);
        if (longer == NULL) {
            curl_slist_free_all(all);
            return NULL;
        }
        all = longer;
    }
    return all;
}

enum err http_send(struct http *h, const struct http_request *r, http_reply_cb cb, void *arg)
{
    struct exchange *x = calloc(1, sizeof *x);
    if (x == NULL) {
        return ERR_NO_MEMORY;
    }
    x->http = h;
    x->max = r->max;
    x->cb = cb;
    x->arg = arg;
    x->started_ns = uv_hrtime();
    x->easy = curl_easy_init();
    x->headers = make_headers(r->header);
    if (x->easy == NULL || x->headers == NULL) {
        drop(x);
        return ERR_NO_MEMORY;
    }
    set_up(x, r);
    if (curl_multi_add_handle(h->multi, x->easy) != CURLM_OK) {
        drop(x);
        return ERR_NO_MEMORY;
    }
    x->next = h->all;
    if (h->all != NULL) {
        h->all->prev = x;
    }
    h->all = x;
    return OK;
}

static void on_timer_closed(uv_handle_t *handle)
{
    one_handle_less(handle->data);
}

void http_close(struct http *h, void (*closed)(void *arg), void *arg)
{
    h->closed = closed;
    h->arg = arg;
    while (h->all != NULL) {
        struct exchange *x = h->all;
        unlink_exchange(x);
        drop(x);
    }
    curl_multi_cleanup(h->multi);
    uv_close((uv_handle_t *)&h->timer, on_timer_closed);
}

const char *web_fault_name(enum web_fault f)
{
    static const char *const name[WEB_FAULTS] = {
        [WEB_FAULT_NONE] = "none",           [WEB_FAULT_CONNECT] = "unreachable",
        [WEB_FAULT_TIMEOUT] = "timeout",     [WEB_FAULT_CLOSED] = "closed",
        [WEB_FAULT_TOO_LARGE] = "too_large", [WEB_FAULT_BUSY] = "busy",
        [WEB_FAULT_STATUS] = "status",       [WEB_FAULT_GARBAGE] = "garbage",
        [WEB_FAULT_WRONG_ID] = "wrong_id",   [WEB_FAULT_ERROR] = "error",
        [WEB_FAULT_WRONG_CHAIN] = "chain",   [WEB_FAULT_CONTRADICTS] = "contradicts",
    };
    return f < WEB_FAULTS ? name[f] : "?";
}
