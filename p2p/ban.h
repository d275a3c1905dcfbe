/* Who is refused for how long.
 *
 * A member that proved its key and then sent bad bytes is banned by key: LIMIT_BAN_MIN_MS, doubling
 * to LIMIT_BAN_MAX_MS; the doubling begins anew after LIMIT_BAN_MAX_MS without a ban. A stranger
 * has nothing but an address, which it may share with honest members: an address is never locked
 * out, only its failures are limited in rate (LIMIT_PEER_FAILURES a second). Pure; times in
 * microseconds of the monotonic clock. */
#ifndef P2P_BAN_H
#define P2P_BAN_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/limits.h"

/* Zero it to begin. */
struct ban {
    uint64_t until_us;
    uint32_t strikes; /* bans in a row */
    uint64_t total;
};

/* Begins the next, longer ban; returns its length in ms. */
uint64_t ban_strike(struct ban *b, uint64_t now_us);
bool ban_active(const struct ban *b, uint64_t now_us);

struct ban_address {
    uint8_t ip[16];
    uint64_t seen_us;
    uint64_t logged_us;
    uint64_t tokens_us; /* allowance: 1 s of it pays LIMIT_PEER_FAILURES failures */
};

/* Zero it to begin. The address seen longest ago makes room for a new one. */
struct ban_addresses {
    struct ban_address entry[LIMIT_PEER_ADDRESSES];
};

/* Counts a failed handshake from `ip`; true when it should be logged (once in LIMIT_BAN_MIN_MS). */
bool ban_address_failed(struct ban_addresses *a, const uint8_t ip[16], uint64_t now_us);
/* False: too many failures from there within the last second. */
bool ban_address_allowed(struct ban_addresses *a, const uint8_t ip[16], uint64_t now_us);

#endif
