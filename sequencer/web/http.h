/* HTTP requests on a libuv loop (libcurl's multi interface): bounded answers, two time limits, and
 * a class for whatever goes wrong. Redirections are not followed, proxies of the environment not
 * used, nothing is decompressed.
 *
 * The callback is called exactly once, never before http_send returned, never after http_close.
 * What it gets is lent during the call. */
#ifndef SEQUENCER_WEB_HTTP_H
#define SEQUENCER_WEB_HTTP_H

#include <uv.h>

#include "proto/bytes.h"
#include "proto/error.h"
#include "sequencer/web/fault.h"

struct http;

struct http_request {
    const char *url;
    const char *header; /* one more line, copied, as `Authorization: Bearer …`; NULL: none */
    struct bytes body; /* n == 0: GET. Lent until the callback, or http_close */
    uint32_t connect_ms;
    uint32_t total_ms;
    size_t max; /* longest answer */
};

/* `body` of any status is what came: of another than 200 it is told, never parsed. */
struct http_reply {
    enum web_fault fault; /* NONE, CONNECT, TIMEOUT, CLOSED, TOO_LARGE, BUSY, STATUS */
    long status;
    struct bytes body;
    uint32_t took_ms;
};
typedef void (*http_reply_cb)(void *arg, const struct http_reply *r);

/* NULL: out of memory. */
struct http *http_open(uv_loop_t *loop);
enum err http_send(struct http *h, const struct http_request *r, http_reply_cb cb,
                   void *arg) MUST_USE;
/* Drops what is under way without callbacks. Not from a callback. The loop must run until `closed`
 * was called. */
void http_close(struct http *h, void (*closed)(void *arg), void *arg);

#endif
