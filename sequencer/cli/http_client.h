/* HTTP for the tools: many requests at once over kept connections (libcurl multi on a libuv loop),
 * or one blocking request. Answers above LIMIT_CLIENT_ANSWER bytes are refused.
 *
 * Threads: one loop thread per client. The callback is called exactly once for each request that
 * http_client_post accepted, never before it returns; what it gets is lent during the call. */
#ifndef SEQUENCER_CLI_HTTP_CLIENT_H
#define SEQUENCER_CLI_HTTP_CLIENT_H

#include <uv.h>

#include "proto/bytes.h"
#include "proto/error.h"

struct http_client;

struct http_answer {
    enum err err;      /* OK, ERR_UNREACHABLE (refused, reset, timed out), ERR_TOO_LARGE */
    bool refused;      /* nothing was sent: the connection was refused */
    long status;       /* HTTP status; 0 unless OK */
    struct bytes body; /* zero-terminated beyond n */
    uint64_t took_us;
};
typedef void (*http_cb)(void *arg, const struct http_answer *a);

struct http_request {
    const char *url;
    const char *body; /* copied; NULL: GET */
    size_t n;
    const char *bearer; /* NULL: none */
    uint32_t timeout_ms;
};

/* NULL: out of memory. */
struct http_client *http_client_create(uv_loop_t *loop);
enum err http_client_post(struct http_client *c, const struct http_request *r, http_cb cb,
                          void *arg) MUST_USE;
/* Drops what is under way without callbacks; the loop must run once more to close handles. */
void http_client_destroy(struct http_client *c);

/* One blocking request; the caller frees `out->p` where OK. */
struct http_body {
    char *p;
    size_t n;
    long status;
};
enum err http_fetch(struct http_body *out, const struct http_request *r) MUST_USE;

#endif
