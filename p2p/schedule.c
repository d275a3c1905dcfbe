#define _GNU_SOURCE
#include "p2p/peers.h"

#include <stdio.h>
#include <stdlib.h>

#include <netdb.h>

enum { LATE_MS = 1000 };

/* A look-up of a member's host name; the answer comes from libuv's pool. */
struct lookup {
    uv_getaddrinfo_t req;
    struct p2p *p;
    int member;
};

static void dial_not_begun(struct p2p *p, int member)
{
    struct peer *peer = &p->peer[member];
    peer->forgotten = peer->forgotten || peer->own;
    dial_failed(&peer->dial, connection_now_us(), p2p_random(p));
    if (peer->retrying) {
        peers_report_down(p, member, true);
    }
}

static void connect_to(struct p2p *p, int member, const struct sockaddr *to)
{
    struct connection *c = NULL;
    enum err e = connection_dial(&c, &p->host, to, member);
    if (c != NULL) {
        peers_link(p, c);
    }
    if (e == OK) {
        p->peer[member].dialled = c;
    } else {
        dial_not_begun(p, member);
    }
}

static void on_looked_up(uv_getaddrinfo_t *req, int status, struct addrinfo *answer)
{
    struct lookup *l = req->data;
    struct p2p *p = l->p;
    struct peer *peer = &p->peer[l->member];
    peer->resolving = false;
    p->handles--;
    if (p->closing) {
        p2p_finish(p);
    } else if (status == 0 && answer != NULL) {
        if (peer->live == NULL && peer->dialled == NULL) {
            connect_to(p, l->member, answer->ai_addr);
        }
    } else {
        dial_not_begun(p, l->member);
    }
    uv_freeaddrinfo(answer);
    free(l);
}

static void look_up(struct p2p *p, int member, const char *host, uint16_t port)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    struct lookup *l = calloc(1, sizeof *l);
    if (l != NULL) {
        l->req.data = l;
        l->p = p;
        l->member = member;
        if (uv_getaddrinfo(p->host.loop, &l->req, on_looked_up, host, service, &hints) == 0) {
            p->handles++;
            p->peer[member].resolving = true;
            return;
        }
        free(l);
    }
    dial_not_begun(p, member);
}

void schedule_dial(struct p2p *p, int member)
{
    const char *endpoint = p->host.epoch->member[member].endpoint;
    struct sockaddr_storage to;
    char host[ENDPOINT_SIZE];
    uint16_t port = 0;
    if (!dial_split(endpoint, host, sizeof host, &port)) {
        dial_not_begun(p, member);
    } else if (dial_number(&to, host, port)) {
        connect_to(p, member, (const struct sockaddr *)&to);
    } else {
        look_up(p, member, host, port);
    }
}

void schedule_start(struct p2p *p)
{
    int self = p->host.self;
    uint64_t now = connection_now_us();
    for (int i = 0; i < (int)p->host.epoch->n; i++) {
        p->peer[i].own = i == self;
        dial_start(&p->peer[i].dial, self <= i, now, p2p_random(p));
    }
}

/* When this peer is to be dialled; UINT64_MAX: not at all. */
static uint64_t dial_at(const struct p2p *p, const struct peer *peer)
{
    if (p->closing || peer->live != NULL || peer->dialled != NULL || peer->resolving ||
        peer->forgotten || peer->fault.cut) {
        return UINT64_MAX;
    }
    uint64_t at = peer->dial.next_us;
    at = at > peer->ban.until_us ? at : peer->ban.until_us;
    return at > peer->endpoint.until_us ? at : peer->endpoint.until_us;
}

static uint64_t ping_at(const struct peer *peer)
{
    return peer->live == NULL ? UINT64_MAX : peer->ping.last_us + PING_ALONE_MS * UINT64_C(1000);
}

static uint64_t wait_until(const struct peer *peer)
{
    return peer->up && peer->live == NULL ? peer->wait_us : UINT64_MAX;
}

/* Nothing arrives over a cut link, so that nothing tells a cut one from a dead one. */
static uint64_t deadline_of(const struct p2p *p, const struct connection *c)
{
    if (c->state == CONNECTION_CLOSED) {
        return UINT64_MAX;
    }
    bool cut = c->state == CONNECTION_LIVE && p->peer[c->theirs.member].fault.cut;
    return cut ? UINT64_MAX : c->deadline_us;
}

static void run_peer(struct p2p *p, int member, uint64_t now)
{
    struct peer *peer = &p->peer[member];
    if (wait_until(peer) <= now) {
        peers_report_down(p, member, peer->retrying);
    }
    if (dial_at(p, peer) <= now) {
        schedule_dial(p, member);
    }
    if (ping_at(peer) <= now) {
        traffic_ping(p, member);
    }
}

/* A process that stood still has not listened: it must not call the others silent. */
static void forgive_own_lateness(struct p2p *p, uint64_t now)
{
    if (now < p->armed_us + LATE_MS * UINT64_C(1000)) {
        return;
    }
    for (struct connection *c = p->connections; c != NULL; c = c->next) {
        connection_heard(c, now);
    }
}

void schedule_run(struct p2p *p)
{
    uint64_t now = connection_now_us();
    forgive_own_lateness(p, now);
    for (struct connection *c = p->connections; c != NULL; c = c->next) {
        if (deadline_of(p, c) <= now) { /* closed ones stay linked until the loop frees them */
            connection_end(c, CAUSE_TIMEOUT, ERR_UNREACHABLE,
                           c->proved ? "silent for too long" : "no handshake in time");
        }
    }
    for (int i = 0; i < (int)p->host.epoch->n && p->host.self >= 0 && !p->closing; i++) {
        run_peer(p, i, now);
    }
    traffic_release(p, now);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void on_timer(uv_timer_t *timer)
{
    struct p2p *p = timer->data;
    schedule_run(p);
}

void schedule_arm(struct p2p *p)
{
    uint64_t at = UINT64_MAX;
    for (const struct connection *c = p->connections; c != NULL; c = c->next) {
        at = earlier(at, deadline_of(p, c));
    }
    for (uint32_t i = 0; i < p->host.epoch->n && p->host.self >= 0; i++) {
        const struct peer *peer = &p->peer[i];
        at = earlier(at, earlier(dial_at(p, peer), ping_at(peer)));
        at = earlier(at, earlier(wait_until(peer), fault_next_us(&peer->fault)));
    }
    if (p->closing || at == UINT64_MAX) {
        uv_timer_stop(&p->timer);
        return;
    }
    uint64_t now = connection_now_us();
    p->armed_us = at > now ? at : now;
    uv_timer_start(&p->timer, on_timer, at > now ? (at - now + 999) / 1000 : 0, 0);
}
