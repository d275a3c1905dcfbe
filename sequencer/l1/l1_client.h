/* The real L1: JSON-RPC endpoints, and beacon endpoints for blobs, on a libuv loop.
 *
 * Nothing here blocks, but a full block takes some ms to read and check and a blob check is the
 * caller's own KZG: give it a loop on a thread of its own, not the node's. The process ignores
 * SIGPIPE.
 *
 * An endpoint is polled for its head; what is wrong with it is counted by kind and told once, when
 * it begins and when it ends. After three failures in a row it is asked nothing but its head, with
 * growing pauses, until it answers (l1_options.probe_ms at most). */
#ifndef SEQUENCER_L1_L1_CLIENT_H
#define SEQUENCER_L1_L1_CLIENT_H

#include <uv.h>

#include "sequencer/web/fault.h"
#include "sequencer/l1/l1.h"

struct l1_client;

struct l1_options {
    const char *const *rpc; /* http(s) URLs, copied; 1 … LIMIT_L1_ENDPOINTS */
    size_t rpc_n;
    const char *const *beacon; /* the same for blobs; may be none: no blobs then */
    size_t beacon_n;
    uint64_t chain_id; /* endpoints of another chain are left out */
    /* 0: the default behind it */
    uint32_t poll_ms;    /* 2000; heads */
    uint32_t down_ms;    /* 60000; no new head for so long: down */
    uint32_t connect_ms; /* 2000 */
    uint32_t total_ms;   /* 10000; one request */
    uint32_t hedge_ms;   /* 1500; then a read is also asked of the next endpoint */
    uint32_t grace_ms;   /* 1000; how long Q answers wait for the rest */
    uint32_t probe_ms;   /* 15000; longest pause before a dead endpoint is tried again */
    uint32_t pardon_ms;  /* 300000; an endpoint left out for a contradiction counts again */
    /* A blob's slot is (time - slot_genesis_s) / slot_s; slot_s 0: its block's number (anvil). */
    uint64_t slot_genesis_s;
    uint32_t slot_s;
    /* True: the blob, L1_BLOB_BYTES, has this versioned hash. NULL: unchecked. */
    bool (*blob_check)(void *arg, const uint8_t *blob, const struct hash *versioned);
    l1_view_cb on_view; /* may be NULL */
    /* One line for the log; `bad`: something began, else it is over. May be NULL. */
    void (*say)(void *arg, bool bad, const char *endpoint, const char *what);
    void *arg;
};

/* What one endpoint did. The name has no path and no user: keys stand there. */
struct l1_endpoint_state {
    char name[96];
    bool beacon;
    bool usable; /* answers, is of this chain, and is not left out */
    uint64_t head;
    uint32_t latency_ms; /* smoothed */
    uint64_t requests;
    uint64_t faults[WEB_FAULTS];
};

/* ERR_CONFIG: number of endpoints, or no URL; ERR_NO_MEMORY. */
enum err l1_client_open(struct l1_client **out, uv_loop_t *loop, const struct l1_options *o)
    MUST_USE;
/* The table of l1.h; valid until l1_client_close. */
struct l1 l1_client_access(struct l1_client *c);
/* False: i is not below the number of rpc and then beacon endpoints. */
bool l1_client_endpoint(const struct l1_client *c, size_t i, struct l1_endpoint_state *out);
/* No callback of a call comes any more. Not from a callback. The loop runs until `closed`. */
void l1_client_close(struct l1_client *c, void (*closed)(void *arg), void *arg);

#endif
