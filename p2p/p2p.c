#define _GNU_SOURCE
#include "p2p/p2p.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "p2p/listener.h"
#include "p2p/peers.h"

enum { BACKLOG = 128, LOG_BYTES = 256 };

uint64_t p2p_random(struct p2p *p)
{
    p->random ^= p->random << 13; /* xorshift64: for jitter and faults, nothing secret */
    p->random ^= p->random >> 7;
    p->random ^= p->random << 17;
    return p->random;
}

void p2p_log(const struct p2p *p, int level, int member, const char *format, ...)
{
    if (p->handlers.log == NULL) {
        return;
    }
    char text[LOG_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    p->handlers.log(p->handlers.ctx, level, member, text);
}

/* Members have their connections and the few that these replace; strangers share a number. */
static bool has_room(struct p2p *p, const struct connection *c)
{
    uint32_t strangers = 0;
    uint32_t members = 0;
    for (const struct connection *i = p->connections; i != NULL; i = i->next) {
        strangers += !i->proved && i->expected < 0 ? 1 : 0;
        members += i->proved ? 1 : 0;
    }
    return strangers <= LIMIT_PEER_HANDSHAKES && members < LIMIT_PEER_CONNECTIONS &&
           ban_address_allowed(&p->addresses, c->ip, connection_now_us());
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct p2p *p = listener->data;
    struct connection *c = NULL;
    if (status != 0 || p->closing) {
        return;
    }
    enum err e = connection_accept(&c, &p->host, listener);
    if (c == NULL) {
        return;
    }
    peers_link(p, c);
    if (e != OK || c->state == CONNECTION_CLOSED) {
        return;
    }
    p->totals.accepted++;
    if (!has_room(p, c)) {
        p->totals.refused++;
        connection_end(c, CAUSE_LOCAL, ERR_BUSY, "too many connections or failures");
    }
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct p2p *p = prepare->data;
    p2p_flush(p);
    schedule_arm(p);
}

static enum err make_parts(struct p2p *p, const struct p2p_options *o)
{
    if (RAND_bytes((unsigned char *)&p->random, sizeof p->random) != 1) {
        return ERR_CRYPTO;
    }
    p->random |= 1;
    TRY(tls_context_make(&p->tls));
    p->handlers = o->handlers;
    p->host.loop = o->loop;
    p->host.tls = p->tls;
    p->host.epoch = o->epoch;
    p->host.self = o->self;
    p->host.key = o->key;
    memcpy(p->host.instance, o->instance, sizeof p->host.instance);
    p->journal_sequence = o->journal_sequence;
    peers_bind(p);
    return OK;
}

static void start_handles(struct p2p *p)
{
    uv_timer_init(p->host.loop, &p->timer);
    uv_prepare_init(p->host.loop, &p->prepare);
    p->timer.data = p;
    p->prepare.data = p;
    p->handles = 2;
    uv_prepare_start(&p->prepare, on_prepare);
}

static enum err start_listener(struct p2p *p, int fd)
{
    if (uv_tcp_init(p->host.loop, &p->listener) != 0) {
        close(fd);
        return ERR_IO;
    }
    p->listener.data = p;
    p->listening = true;
    p->handles++;
    if (uv_tcp_open(&p->listener, fd) != 0) {
        close(fd);
        return ERR_IO;
    }
    return uv_listen((uv_stream_t *)&p->listener, BACKLOG, on_connection) == 0 ? OK : ERR_IO;
}

static void free_all(struct p2p *p)
{
    for (int i = 0; i < LIMIT_MEMBERS; i++) {
        lanes_clear(&p->peer[i].lanes);
        fault_clear(&p->peer[i].fault);
    }
    message_arena_free(&p->arena);
    tls_context_free(p->tls);
    free(p);
}

enum err p2p_open(struct p2p **out, const struct p2p_options *o, char *why, size_t why_len)
{
    int fd = -1;
    bool listens = o->listen != NULL && o->self >= 0;
    snprintf(why, why_len, "%s", "");
    if (listens) {
        TRY(listener_bind(&fd, o->loop, o->listen, why, why_len));
    }
    struct p2p *p = calloc(1, sizeof *p);
    enum err e = p == NULL ? ERR_NO_MEMORY : make_parts(p, o);
    if (e != OK) {
        snprintf(why, why_len, "peers cannot be reached: %s", err_text(e));
        if (p != NULL) {
            free_all(p);
        }
        if (fd >= 0) {
            close(fd);
        }
        return e;
    }
    start_handles(p);
    schedule_start(p);
    if (listens && start_listener(p, fd) != OK) {
        snprintf(why, why_len, "the peer listener %s cannot be opened", o->listen);
        p2p_close(p, NULL, NULL);
        return ERR_IO;
    }
    *out = p;
    return OK;
}

void p2p_finish(struct p2p *p)
{
    if (!p->closing || p->handles > 0) {
        return;
    }
    void (*closed)(void *arg) = p->closed;
    void *arg = p->closed_arg;
    free_all(p);
    if (closed != NULL) {
        closed(arg);
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct p2p *p = handle->data;
    p->handles--;
    p2p_finish(p);
}

void p2p_close(struct p2p *p, void (*closed)(void *arg), void *arg)
{
    p2p_flush(p);
    p->closing = true;
    p->closed = closed;
    p->closed_arg = arg;
    memset(&p->handlers, 0, sizeof p->handlers);
    for (struct connection *c = p->connections; c != NULL; c = c->next) {
        connection_end(c, CAUSE_LOCAL, ERR_UNREACHABLE, "this process stops");
    }
    if (p->listening) {
        uv_close((uv_handle_t *)&p->listener, on_handle_closed);
    }
    uv_close((uv_handle_t *)&p->timer, on_handle_closed);
    uv_close((uv_handle_t *)&p->prepare, on_handle_closed);
}

static enum err encode(struct frame **out, const struct message *m)
{
    struct frame *f = frame_new((uint8_t)message_lane(m->kind), message_size(m));
    if (f == NULL) {
        return ERR_NO_MEMORY;
    }
    size_t n = 0;
    enum err e = message_encode(f->data, f->len, &n, m);
    if (e == OK && (n > frame_limit(f->tag) || n > message_limit(m->kind))) {
        e = ERR_TOO_LARGE;
    }
    if (e != OK) {
        frame_unref(f);
        return e;
    }
    f->len = n;
    *out = f;
    return OK;
}

static enum err send_one(struct p2p *p, int to, const struct message *m, struct frame *f)
{
    enum err e = traffic_out(p, to, f);
    uint64_t due = p->peer[to].ping.last_us + PING_EVERY_MS * UINT64_C(1000);
    if (e == OK && m->has_status && connection_now_us() >= due) {
        traffic_ping(p, to);
    }
    return e;
}

static enum err send_all(struct p2p *p, const struct message *m, struct frame *f)
{
    enum err worst = ERR_UNREACHABLE;
    bool sent = false;
    for (uint32_t i = 0; i < p->host.epoch->n; i++) {
        enum err e = send_one(p, (int)i, m, f);
        sent = sent || e == OK;
        worst = e == OK || e == ERR_UNREACHABLE ? worst : e;
    }
    return sent ? OK : worst;
}

enum err p2p_send(struct p2p *p, int to, const struct message *m)
{
    struct frame *f = NULL;
    if (p->closing || to >= (int)p->host.epoch->n || (to >= 0 && !p->peer[to].up)) {
        return ERR_UNREACHABLE;
    }
    TRY(encode(&f, m));
    enum err e = to < 0 ? send_all(p, m, f) : send_one(p, to, m, f);
    frame_unref(f);
    return e;
}

void p2p_flush(struct p2p *p)
{
    for (uint32_t i = 0; i < p->host.epoch->n; i++) {
        if (p->peer[i].live != NULL) {
            connection_pump(p->peer[i].live);
        }
    }
}

void p2p_set_fault(struct p2p *p, int member, const struct p2p_fault *fault)
{
    struct peer *peer = &p->peer[member];
    peer->fault.cut = fault->cut;
    peer->fault.delay_ms = fault->delay_ms;
    peer->fault.drop_percent = fault->drop_percent;
    if (fault->cut) {
        fault_clear(&peer->fault);
    }
    if (peer->live != NULL) {
        /* A frame that has begun stays where it is and goes on when the link heals. */
        peer->live->lanes = fault->cut ? NULL : &peer->lanes;
        connection_heard(peer->live, connection_now_us());
    }
}

void p2p_get_stats(const struct p2p *p, int member, struct p2p_peer_stats *out)
{
    const struct peer *peer = &p->peer[member];
    *out = (struct p2p_peer_stats){
        .up = peer->up,
        .last_heard_us = peer->heard_us,
        .rtt_us = latency_rtt(&peer->latency),
        .one_way_p50_us = latency_one_way(&peer->latency, 50),
        .one_way_p99_us = latency_one_way(&peer->latency, 99),
        .frames_in = peer->frames_in,
        .frames_out = peer->lanes.frames_out,
        .bytes_in = peer->bytes_in,
        .bytes_out = peer->lanes.bytes_out,
        .dropped = peer->lanes.dropped + peer->lost,
        .connects = peer->connects,
        .bans = peer->ban.total + peer->endpoint.total,
        .queued_bytes = lanes_bytes(&peer->lanes),
    };
    memcpy(out->address, peer->address, sizeof out->address);
}

void p2p_get_totals(const struct p2p *p, struct p2p_totals *out)
{
    *out = p->totals;
}

void p2p_ban(struct p2p *p, int member, const char *why)
{
    peers_ban(p, member, why);
}
