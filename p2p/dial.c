#define _GNU_SOURCE
#include "p2p/dial.h"

#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "proto/limits.h"

/* Half of the wait is fixed, half is chance: members that start together part. */
static uint64_t jitter_us(uint32_t ms, uint64_t random)
{
    uint64_t half = (uint64_t)ms * 500;
    return half + random % (half + 1);
}

void dial_start(struct dial *d, bool lower, uint64_t now_us, uint64_t random)
{
    d->lower = lower;
    d->wait_ms = LIMIT_DIAL_MIN_MS;
    d->next_us = lower ? now_us : now_us + jitter_us(2 * DIAL_HIGHER_START_MS, random);
}

void dial_failed(struct dial *d, uint64_t now_us, uint64_t random)
{
    uint32_t ms = d->lower ? d->wait_ms : LIMIT_DIAL_MAX_MS;
    d->next_us = now_us + jitter_us(ms, random);
    d->wait_ms = 2 * ms < LIMIT_DIAL_MAX_MS ? 2 * ms : LIMIT_DIAL_MAX_MS;
}

void dial_lost(struct dial *d, uint64_t now_us, uint64_t random)
{
    d->wait_ms = LIMIT_DIAL_MIN_MS;
    d->next_us = d->lower ? now_us : now_us + jitter_us(LIMIT_DIAL_MAX_MS, random);
}

static bool parse_port(const char *text, uint16_t *port)
{
    char *end = NULL;
    unsigned long v = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || v > UINT16_MAX) {
        return false;
    }
    *port = (uint16_t)v;
    return true;
}

bool dial_split(const char *endpoint, char *host, size_t cap, uint16_t *port)
{
    const char *colon = strrchr(endpoint, ':');
    if (colon == NULL || !parse_port(colon + 1, port)) {
        return false;
    }
    size_t n = (size_t)(colon - endpoint);
    if (n >= 2 && endpoint[0] == '[' && colon[-1] == ']') {
        endpoint++;
        n -= 2;
    }
    if (n == 0 || n >= cap) {
        return false;
    }
    memcpy(host, endpoint, n);
    host[n] = '\0';
    return true;
}

bool dial_number(struct sockaddr_storage *out, const char *host, uint16_t port)
{
    memset(out, 0, sizeof *out);
    return uv_ip4_addr(host, port, (struct sockaddr_in *)out) == 0 ||
           uv_ip6_addr(host, port, (struct sockaddr_in6 *)out) == 0;
}
