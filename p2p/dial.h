/* When to dial a member, and where.
 *
 * Of two members the one with the lower index dials at once and backs off from LIMIT_DIAL_MIN_MS,
 * doubling with jitter, to LIMIT_DIAL_MAX_MS. The one with the higher index dials
 * DIAL_HIGHER_START_MS after its own start (so that a restarted member need not wait until the
 * others try again) and after that about every LIMIT_DIAL_MAX_MS without a connection, for links
 * that open in one direction only. Pure but for the resolver; times in microseconds. */
#ifndef P2P_DIAL_H
#define P2P_DIAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "proto/error.h"

enum { DIAL_HIGHER_START_MS = 50 };

struct dial {
    bool lower; /* the own index is the lower one */
    uint64_t next_us;
    uint32_t wait_ms;
};

void dial_start(struct dial *d, bool lower, uint64_t now_us, uint64_t random);
/* An attempt failed: wait, longer each time. */
void dial_failed(struct dial *d, uint64_t now_us, uint64_t random);
/* A connection that had lived is gone: begin anew. */
void dial_lost(struct dial *d, uint64_t now_us, uint64_t random);

/* Splits `host:port` or `[v6]:port`; `host` has room for `cap` bytes. False: not of that form. */
bool dial_split(const char *endpoint, char *host, size_t cap, uint16_t *port);
/* True when `host` is a number and needs no resolver. */
bool dial_number(struct sockaddr_storage *out, const char *host, uint16_t port);

#endif
