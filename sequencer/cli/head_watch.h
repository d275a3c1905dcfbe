/* Watches the heads of several nodes as a client does: one WebSocket each with
 * eth_subscribe("newHeads") or baton_subscribe("blocks") and, where asked for,
 * baton_subscribe("incidents"). Lost connections are dialled again at once, then every 100 ms.
 * Loop thread only. */
#ifndef SEQUENCER_CLI_HEAD_WATCH_H
#define SEQUENCER_CLI_HEAD_WATCH_H

#include <json-c/json.h>
#include <uv.h>

#include "proto/bytes.h"
#include "proto/limits.h"

struct head {
    uint64_t number;
    uint64_t at_us;        /* arrival, uv_hrtime / 1000 */
    uint64_t timestamp_ms; /* of the block; with newHeads whole seconds */
    struct hash hash;
    int leader; /* member that made the block; with newHeads -1 */
    int node;
};

struct head_handlers {
    void *arg;
    void (*head)(void *arg, const struct head *h);
    void (*incident)(void *arg, int node, struct json_object *incident); /* lent; NULL: unwanted */
    void (*link)(void *arg, int node, bool up);                          /* may be NULL */
    bool blocks; /* "blocks", with leader and milliseconds, in place of "newHeads" */
};

struct head_watch;

/* `url`: http:// or ws:// addresses; those that cannot be resolved count as never up. NULL: out of
 * memory. Handlers are not called before it returns. */
struct head_watch *head_watch_create(uv_loop_t *loop, const char *const *url, size_t n,
                                     const struct head_handlers *handlers);
bool head_watch_up(const struct head_watch *w, int node);
size_t head_watch_count_up(const struct head_watch *w);
/* No handler is called from here on; freed by the loop. */
void head_watch_destroy(struct head_watch *w);

/* Host and port of "http://host:port/…". */
bool url_split(const char *url, char host[128], uint16_t *port);

#endif
