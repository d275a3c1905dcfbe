#define _GNU_SOURCE
#include "p2p/peers.h"

static enum err take_ping(struct peer *peer, struct bytes payload)
{
    if (payload.n != PING_BYTES) {
        return ERR_MALFORMED;
    }
    uint64_t now = connection_now_us();
    uint64_t pong = load_be64(payload.p + 8);
    peer->ping.theirs_us = load_be64(payload.p);
    peer->ping.theirs_at_us = now;
    if (pong > peer->ping.echoed_us && pong <= peer->ping.last_us) { /* each echo counts once */
        peer->ping.echoed_us = pong;
        latency_add(&peer->latency, pong, now, load_be64(payload.p + 16));
    }
    return OK;
}

static bool within_budget(struct peer *peer)
{
    const uint64_t cost = 1000000 / LIMIT_PEER_FRAMES;
    const uint64_t burst = 4000000; /* what piles up here while this process stands still */
    uint64_t now = connection_now_us();
    peer->budget_us += now - peer->budget_at_us;
    peer->budget_us = peer->budget_us < burst ? peer->budget_us : burst;
    peer->budget_at_us = now;
    if (peer->budget_us < cost) {
        return false;
    }
    peer->budget_us -= cost;
    return true;
}

static enum err decode(struct p2p *p, uint8_t tag, struct bytes payload)
{
    message_arena_reset(&p->arena);
    TRY(message_decode(&p->message, &p->arena, payload));
    if (message_lane(p->message.kind) != (enum lane)tag) {
        return ERR_MALFORMED;
    }
    return payload.n > message_limit(p->message.kind) ? ERR_TOO_LARGE : OK;
}

enum err traffic_in(struct p2p *p, int member, uint8_t tag, struct bytes payload)
{
    struct peer *peer = &p->peer[member];
    if (!within_budget(peer)) {
        return ERR_BUDGET;
    }
    peer->frames_in++;
    peer->bytes_in += payload.n;
    if (tag == FRAME_PING) {
        bool first = peer->ping.theirs_us == 0;
        TRY(take_ping(peer, payload));
        if (first) { /* so that both know the distance after one round trip */
            traffic_ping(p, member);
        }
        return OK;
    }
    TRY(decode(p, tag, payload));
    enum err e = p->handlers.message(p->handlers.ctx, member, &p->message, payload.n);
    return err_class(e) == ERR_CLASS_PEER ? e : OK;
}

enum err traffic_out(struct p2p *p, int member, struct frame *f)
{
    struct peer *peer = &p->peer[member];
    if (!peer->up) {
        return ERR_UNREACHABLE;
    }
    switch (fault_take(&peer->fault, f, connection_now_us(), p2p_random(p))) {
    case FAULT_DROPPED:
        peer->lost++;
        return OK; /* a bad link does not tell its sender */
    case FAULT_HELD:
        return OK;
    case FAULT_PASS:
        break;
    }
    return lanes_push(&peer->lanes, f);
}

void traffic_ping(struct p2p *p, int member)
{
    struct ping *ping = &p->peer[member].ping;
    uint64_t now = connection_now_us();
    ping->last_us = now;
    struct frame *f = frame_new(FRAME_PING, PING_BYTES);
    if (f == NULL) {
        return;
    }
    bool echo = ping->theirs_us != 0;
    store_be64(f->data, now);
    store_be64(f->data + 8, ping->theirs_us);
    store_be64(f->data + 16, echo ? now - ping->theirs_at_us : 0);
    if (traffic_out(p, member, f) != OK) {
        p->peer[member].lost++;
    }
    frame_unref(f);
}

void traffic_release(struct p2p *p, uint64_t now_us)
{
    for (uint32_t i = 0; i < p->host.epoch->n; i++) {
        struct peer *peer = &p->peer[i];
        for (struct frame *f; (f = fault_due(&peer->fault, now_us)) != NULL; frame_unref(f)) {
            if (lanes_push(&peer->lanes, f) != OK) {
                peer->lost++;
            }
        }
    }
}
