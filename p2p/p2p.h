/* Peers over TCP + TLS 1.3: authenticated, framed, in lanes, bounded.
 *
 * Includers define _GNU_SOURCE first: uv.h needs the POSIX types.
 *
 * Identity: each side shows an ephemeral certificate (checked for nothing but being there) and
 * then a hello signed by its member key over the TLS exporter and both sides' nonces, so there is
 * one key per member and no certificate authority. Wrong key, chain, genesis, version or a
 * malformed frame: cut, counted, logged once, banned 30 s doubling: a member by its key; what
 * answers wrongly at a member's address is not dialled for that time; a stranger's address is
 * only limited in rate, because honest members may share it.
 *
 * Between two members one connection is kept: of two, that dialled by the lower index.
 *
 * Threads: everything on the loop thread. Handlers are called from the loop and borrow nothing
 * beyond the call. Messages handed to p2p_send are encoded before it returns. */
#ifndef P2P_P2P_H
#define P2P_P2P_H

#include <uv.h>

#include "proto/key.h"
#include "proto/message.h"

struct p2p;

/* Levels of the log handler. */
enum { P2P_LOG_ERROR, P2P_LOG_WARN, P2P_LOG_INFO, P2P_LOG_DEBUG };

/* All but `message` may be NULL. p2p_send, p2p_ban and p2p_close may be called from within. */
struct p2p_handlers {
    void *ctx;
    /* The peer is authenticated; messages may follow. */
    void (*up)(void *ctx, int member, const uint8_t instance[16], uint64_t journal_sequence);
    /* `reset`: the connection was reset or closed by the other side and, where RTT <= 40 ms, one
     * reconnect attempt failed too (CONSENSUS 6, silent). */
    void (*down)(void *ctx, int member, bool reset);
    /* Returns OK, or an error of class PEER: the connection is cut and the peer banned. */
    enum err (*message)(void *ctx, int member, const struct message *m, size_t frame_len);
    /* A live second instance of the own key was proved over a fresh nonce (CONSENSUS 8). */
    void (*own_key)(void *ctx, const char *address);
    void (*log)(void *ctx, int level, int member, const char *what);
};

struct p2p_options {
    uv_loop_t *loop;
    const struct epoch_config *epoch;    /* must outlive the p2p */
    int self;                            /* member index; -1: observer, without connections */
    const struct secret_key *key;        /* must outlive the p2p */
    const char *listen;                  /* host:port; NULL: do not listen */
    uint8_t instance[16];
    uint64_t (*journal_sequence)(void *ctx); /* ctx: that of the handlers */
    struct p2p_handlers handlers;
};

/* Opens the listener, asks once at the own address whether another process with the own key
 * answers there, and begins to dial. Errors: ERR_IN_USE: the port; ERR_CONFIG: the listen address;
 * ERR_IO; ERR_CRYPTO; ERR_NO_MEMORY. `why` gets one sentence. */
enum err p2p_open(struct p2p **out, const struct p2p_options *o, char *why,
                  size_t why_len) MUST_USE;
/* Closes every connection; `closed` is called when nothing is left in the loop. */
void p2p_close(struct p2p *p, void (*closed)(void *arg), void *arg);

/* Queues a message in its lane. ERR_BUSY: the lane is full (counted; for votes the oldest goes
 * instead). ERR_UNREACHABLE: no connection. ERR_TOO_LARGE; errors of message_encode.
 * to = -1: all connected members, encoded once; OK when it was queued for at least one.
 * ping_us, pong_us and pong_held_us of a status are left as they are: distances are measured with
 * frames of p2p's own that go out with statuses. */
enum err p2p_send(struct p2p *p, int to, const struct message *m) MUST_USE;
/* Writes what is queued, as far as the sockets take it (called once at the end of a loop turn; also
 * by handles of its own before and after the loop polls). */
void p2p_flush(struct p2p *p);

/* Devnet faults (admin_chaos): the link to a member is cut, slowed or lossy at this end. */
struct p2p_fault {
    bool cut;              /* nothing leaves, nothing is heard; the connection stays as it is */
    uint32_t delay_ms;     /* of leaving frames */
    uint32_t drop_percent; /* of leaving frames */
};
void p2p_set_fault(struct p2p *p, int member, const struct p2p_fault *fault);

struct p2p_peer_stats {
    bool up;
    char address[64];
    uint64_t last_heard_us;             /* monotonic (uv_hrtime / 1000) */
    uint64_t rtt_us, one_way_p50_us, one_way_p99_us; /* from ping and pong in statuses */
    uint64_t frames_in, frames_out, bytes_in, bytes_out, dropped, connects, bans;
    uint64_t queued_bytes;
};
void p2p_get_stats(const struct p2p *p, int member, struct p2p_peer_stats *out);

/* Connections accepted, refused unheard (banned or too many), and handshakes that failed. */
struct p2p_totals {
    uint64_t accepted, refused, failed;
};
void p2p_get_totals(const struct p2p *p, struct p2p_totals *out);

/* Cuts a peer and bans it as for a malformed frame. */
void p2p_ban(struct p2p *p, int member, const char *why);

#endif
