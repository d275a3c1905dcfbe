#define _GNU_SOURCE
#include "p2p/peers.h"

static struct peer *peer_of(struct p2p *p, const struct connection *c)
{
    return &p->peer[c->theirs.member];
}

static bool own_instance(const struct p2p *p, const struct connection *c)
{
    return memcmp(c->theirs.instance, p->host.instance, sizeof p->host.instance) == 0;
}

void peers_report_down(struct p2p *p, int member, bool reset)
{
    struct peer *peer = &p->peer[member];
    if (!peer->up) {
        return;
    }
    peer->up = false;
    peer->retrying = false;
    lanes_clear(&peer->lanes);
    fault_clear(&peer->fault);
    memset(&peer->ping, 0, sizeof peer->ping);
    if (p->handlers.down != NULL) {
        p->handlers.down(p->handlers.ctx, member, reset);
    }
}

static void refuse_mirror(struct p2p *p, struct connection *c)
{
    if (c->expected >= 0) {
        p->peer[c->expected].forgotten = true;
    }
    connection_end(c, CAUSE_LOCAL, ERR_REFUSED, "this address leads back to this process");
}

/* A hello that fits the chain: is it welcome? */
static enum err on_hello(void *ctx, struct connection *c)
{
    struct p2p *p = ctx;
    int member = c->theirs.member;
    if (own_instance(p, c)) {
        refuse_mirror(p, c);
        return OK;
    }
    if (c->expected >= 0 && c->expected != member) {
        c->why = "another member answers at this address";
        return ERR_NOT_MEMBER;
    }
    if (ban_active(&p->peer[member].ban, connection_now_us())) {
        p->totals.refused++;
        connection_end(c, CAUSE_LOCAL, ERR_REFUSED, "banned");
    } else if (p->peer[member].fault.cut) {
        connection_freeze(c);
    }
    return OK;
}

static void detach(struct peer *peer, struct connection *c)
{
    if (peer->live == c) {
        peer->live = NULL;
        lanes_rewind(&peer->lanes);
    }
    if (peer->dialled == c) {
        peer->dialled = NULL;
    }
}

/* Of two connections to one process: that dialled by the lower index; of two of the same side the
 * newer. A kept one that has gone quiet gives way in any case. */
static bool keeps_old(const struct p2p *p, const struct connection *old, const struct connection *c)
{
    bool lower = p->host.self < c->theirs.member;
    bool old_right = (old->expected >= 0) == lower;
    bool new_right = (c->expected >= 0) == lower;
    bool quiet = connection_now_us() > old->heard_us + REPLACED_MS * UINT64_C(1000);
    return old_right && !new_right && !quiet;
}

static void keep(struct p2p *p, int member, struct connection *c)
{
    struct peer *peer = &p->peer[member];
    peer->live = c;
    peer->retrying = false;
    peer->endpoint.strikes = 0;
    peer->heard_us = c->heard_us;
    memcpy(peer->address, c->address, sizeof peer->address);
    c->lanes = peer->fault.cut ? NULL : &peer->lanes;
    if (!peer->up) {
        peer->up = true;
        peer->connects++;
        peer->budget_us = 1000000;
        peer->budget_at_us = c->heard_us;
        memcpy(peer->instance, c->theirs.instance, sizeof peer->instance);
        p2p_log(p, P2P_LOG_INFO, member, "connected at %s", c->address);
        if (p->handlers.up != NULL) {
            p->handlers.up(p->handlers.ctx, member, c->theirs.instance, c->journal_sequence);
        }
    }
    traffic_ping(p, member);
}

static void on_own_key(struct p2p *p, struct connection *c)
{
    p2p_log(p, P2P_LOG_ERROR, p->host.self, "a second process with the own key runs at %s",
            c->address);
    if (p->handlers.own_key != NULL) {
        p->handlers.own_key(p->handlers.ctx, c->address);
    }
    connection_end(c, CAUSE_LOCAL, ERR_REFUSED, "the own key");
}

static void on_proved(void *ctx, struct connection *c)
{
    struct p2p *p = ctx;
    int member = c->theirs.member;
    struct peer *peer = &p->peer[member];
    if (member == p->host.self) {
        on_own_key(p, c);
        return;
    }
    if (peer->dialled == c) {
        peer->dialled = NULL;
    }
    struct connection *old = peer->live;
    bool other = peer->up && memcmp(peer->instance, c->theirs.instance, sizeof peer->instance) != 0;
    if (old != NULL && !other && keeps_old(p, old, c)) {
        connection_retire(c);
        return;
    }
    if (old != NULL) {
        detach(peer, old);
        if (other) {
            connection_end(old, CAUSE_LOCAL, ERR_UNREACHABLE, "the peer has started anew");
        } else {
            connection_retire(old);
        }
    }
    if (other) {
        peers_report_down(p, member, false);
    }
    if (c->state == CONNECTION_LIVE) { /* the handler of `down` may have closed everything */
        keep(p, member, c);
    }
}

/* The other side keeps another connection: that one may still be on its way. */
static void on_retire(struct p2p *p, struct connection *c)
{
    struct peer *peer = peer_of(p, c);
    if (peer->live == c) {
        detach(peer, c);
        peer->wait_us = connection_now_us() + REPLACED_MS * UINT64_C(1000);
        peer->dial.next_us = peer->wait_us;
    }
    connection_end(c, CAUSE_LOCAL, ERR_UNREACHABLE, "another connection is kept");
}

static enum err on_frame(void *ctx, struct connection *c, uint8_t tag, struct bytes payload)
{
    struct p2p *p = ctx;
    struct peer *peer = peer_of(p, c);
    if (tag == FRAME_RETIRE) {
        on_retire(p, c);
        return OK;
    }
    if (peer->fault.cut || !peer->up) {
        return OK;
    }
    uint64_t now = connection_now_us();
    connection_heard(c, now);
    peer->heard_us = now;
    return traffic_in(p, c->theirs.member, tag, payload);
}

/* A lived-in connection is gone because the other side closed or lost it: CONSENSUS 6, silent. */
static void lost_by_reset(struct p2p *p, int member)
{
    struct peer *peer = &p->peer[member];
    uint64_t now = connection_now_us();
    dial_lost(&peer->dial, now, p2p_random(p));
    if (peer->fault.cut) { /* behind a partition nobody sees a reset */
        peers_report_down(p, member, false);
        return;
    }
    bool far = latency_rtt(&peer->latency) > LIMIT_PEER_RETRY_RTT_MS * UINT64_C(1000);
    if (far || peer->forgotten || ban_active(&peer->endpoint, now)) {
        peers_report_down(p, member, true);
        return;
    }
    peer->retrying = true;
    peer->wait_us = now + LIMIT_PEER_RETRY_MS * UINT64_C(1000);
    if (peer->dialled == NULL) {
        schedule_dial(p, member);
    }
}

static void live_ended(struct p2p *p, int member, enum connection_cause cause)
{
    struct peer *peer = &p->peer[member];
    if (cause == CAUSE_RESET && !p->closing) {
        lost_by_reset(p, member);
        return;
    }
    dial_lost(&peer->dial, connection_now_us(), p2p_random(p));
    peers_report_down(p, member, false);
}

static void dial_ended(struct p2p *p, int member, enum connection_cause cause, const char *why)
{
    struct peer *peer = &p->peer[member];
    uint64_t now = connection_now_us();
    if (peer->own) {
        peer->forgotten = true; /* asked once, at the start: does another hold the own key? */
    } else if (cause == CAUSE_BAD) {
        uint64_t ms = ban_strike(&peer->endpoint, now);
        p2p_log(p, P2P_LOG_WARN, member, "what answers at %s %s: not dialled for %llu s",
                p->host.epoch->member[member].endpoint, why, (unsigned long long)(ms / 1000));
    }
    dial_failed(&peer->dial, now, p2p_random(p));
    if (peer->retrying) {
        peers_report_down(p, member, true);
    }
}

static void stranger_failed(struct p2p *p, const struct connection *c, const char *why)
{
    p->totals.failed++;
    if (ban_address_failed(&p->addresses, c->ip, connection_now_us())) {
        p2p_log(p, P2P_LOG_WARN, -1, "%s: %s", c->address, why);
    }
}

static void on_ended(void *ctx, struct connection *c, enum connection_cause cause, enum err e,
                     const char *why)
{
    (void)e;
    struct p2p *p = ctx;
    int member = c->proved ? c->theirs.member : c->expected;
    bool was_live = c->proved && p->peer[member].live == c;
    bool was_dialled = member >= 0 && p->peer[member].dialled == c;
    if (member >= 0) {
        detach(&p->peer[member], c);
    }
    if (c->proved && cause == CAUSE_BAD) {
        peers_ban(p, member, why);
    }
    if (was_live) {
        live_ended(p, member, cause);
    } else if (was_dialled) {
        dial_ended(p, member, cause, why);
    } else if (!c->proved && c->expected < 0 && cause != CAUSE_LOCAL && !c->frozen) {
        stranger_failed(p, c, why);
    }
}

static void on_closed(void *ctx, struct connection *c)
{
    struct p2p *p = ctx;
    if (c->prev != NULL) {
        c->prev->next = c->next;
    } else {
        p->connections = c->next;
    }
    if (c->next != NULL) {
        c->next->prev = c->prev;
    }
    p->handles--;
    p2p_finish(p);
}

void peers_link(struct p2p *p, struct connection *c)
{
    c->next = p->connections;
    if (c->next != NULL) {
        c->next->prev = c;
    }
    p->connections = c;
    p->handles++;
}

void peers_ban(struct p2p *p, int member, const char *why)
{
    struct peer *peer = &p->peer[member];
    uint64_t ms = ban_strike(&peer->ban, connection_now_us());
    p2p_log(p, P2P_LOG_WARN, member, "banned for %llu s: %s", (unsigned long long)(ms / 1000), why);
    if (peer->live != NULL) {
        connection_end(peer->live, CAUSE_LOCAL, ERR_REFUSED, "banned");
    }
    if (peer->dialled != NULL) {
        connection_end(peer->dialled, CAUSE_LOCAL, ERR_REFUSED, "banned");
    }
}

static uint64_t on_journal_sequence(void *ctx)
{
    const struct p2p *p = ctx;
    return p->journal_sequence == NULL ? 0 : p->journal_sequence(p->handlers.ctx);
}

void peers_bind(struct p2p *p)
{
    p->host.journal_sequence = on_journal_sequence;
    p->host.ctx = p;
    p->host.hello = on_hello;
    p->host.proved = on_proved;
    p->host.frame = on_frame;
    p->host.ended = on_ended;
    p->host.closed = on_closed;
}
