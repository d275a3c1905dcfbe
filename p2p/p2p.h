/* Peers over TCP + TLS 1.3: authenticated, framed, in lanes, bounded.
 *
 * Identity: each side shows an ephemeral certificate (checked for nothing but being there) and
 * then a hello signed by its member key over the TLS exporter and both sides' nonces, so there is
 * one key per member and no certificate authority. Wrong key, chain, genesis, version or a
 * malformed frame: cut, counted, logged once, banned 30 s doubling.
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
    int self;                            /* member index; -1: observer */
    const struct secret_key *key;        /* must outlive the p2p */
    const char *listen;                  /* host:port; NULL: do not listen */
    uint8_t instance[16];
    uint64_t (*journal_sequence)(void *ctx);
    struct p2p_handlers handlers;
};

/* ERR_IN_USE: the port; ERR_IO; ERR_CRYPTO. `why` gets one sentence. */
enum err p2p_open(struct p2p **out, const struct p2p_options *o, char *why, size_t why_len) MUST_USE;
/* Closes every connection; `closed` is called when nothing is left in the loop. */
void p2p_close(struct p2p *p, void (*closed)(void *arg), void *arg);

/* Queues a message in its lane. ERR_BUSY: the lane is full (counted; for votes the oldest goes).
 * ERR_UNREACHABLE: no connection. to = -1: all connected members, encoded once. */
enum err p2p_send(struct p2p *p, int to, const struct message *m) MUST_USE;
/* Writes everything queued now (called once at the end of a loop turn; also by a check handle). */
void p2p_flush(struct p2p *p);

/* Devnet faults (admin_chaos): the link to a member is cut, slowed or lossy at this end. */
struct p2p_fault {
    bool cut;
    uint32_t delay_ms;
    uint32_t drop_percent;
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
/* Cuts a peer and bans it as for a malformed frame. */
void p2p_ban(struct p2p *p, int member, const char *why);

#endif
