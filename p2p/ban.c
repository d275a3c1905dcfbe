#include "p2p/ban.h"

#include <string.h>

enum { SECOND_US = 1000000, FAILURE_US = SECOND_US / LIMIT_PEER_FAILURES };

uint64_t ban_strike(struct ban *b, uint64_t now_us)
{
    if (now_us > b->until_us + LIMIT_BAN_MAX_MS * UINT64_C(1000)) {
        b->strikes = 0;
    }
    uint64_t ms = LIMIT_BAN_MIN_MS;
    for (uint32_t i = 0; i < b->strikes && ms < LIMIT_BAN_MAX_MS; i++) {
        ms *= 2;
    }
    ms = ms < LIMIT_BAN_MAX_MS ? ms : LIMIT_BAN_MAX_MS;
    b->strikes++;
    b->total++;
    b->until_us = now_us + ms * 1000;
    return ms;
}

bool ban_active(const struct ban *b, uint64_t now_us)
{
    return now_us < b->until_us;
}

static struct ban_address *find(struct ban_addresses *a, const uint8_t ip[16])
{
    for (int i = 0; i < LIMIT_PEER_ADDRESSES; i++) {
        if (a->entry[i].seen_us != 0 && memcmp(a->entry[i].ip, ip, 16) == 0) {
            return &a->entry[i];
        }
    }
    return NULL;
}

static struct ban_address *take_oldest(struct ban_addresses *a, const uint8_t ip[16])
{
    struct ban_address *oldest = &a->entry[0];
    for (int i = 1; i < LIMIT_PEER_ADDRESSES; i++) {
        if (a->entry[i].seen_us < oldest->seen_us) {
            oldest = &a->entry[i];
        }
    }
    *oldest = (struct ban_address){.tokens_us = SECOND_US};
    memcpy(oldest->ip, ip, 16);
    return oldest;
}

static void refill(struct ban_address *e, uint64_t now_us)
{
    uint64_t more = e->seen_us == 0 ? SECOND_US : now_us - e->seen_us;
    e->tokens_us = more > SECOND_US - e->tokens_us ? SECOND_US : e->tokens_us + more;
    e->seen_us = now_us;
}

bool ban_address_failed(struct ban_addresses *a, const uint8_t ip[16], uint64_t now_us)
{
    struct ban_address *e = find(a, ip);
    if (e == NULL) {
        e = take_oldest(a, ip);
    }
    refill(e, now_us);
    e->tokens_us = e->tokens_us > FAILURE_US ? e->tokens_us - FAILURE_US : 0;
    if (e->logged_us != 0 && now_us < e->logged_us + LIMIT_BAN_MIN_MS * UINT64_C(1000)) {
        return false;
    }
    e->logged_us = now_us;
    return true;
}

bool ban_address_allowed(struct ban_addresses *a, const uint8_t ip[16], uint64_t now_us)
{
    struct ban_address *e = find(a, ip);
    if (e == NULL) {
        return true;
    }
    refill(e, now_us);
    return e->tokens_us >= FAILURE_US;
}
