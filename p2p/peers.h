/* The state behind p2p.h, and what the ends of connections mean for the peers. Internal. */
#ifndef P2P_PEERS_H
#define P2P_PEERS_H

#include "p2p/ban.h"
#include "p2p/connection.h"
#include "p2p/dial.h"
#include "p2p/fault.h"
#include "p2p/latency.h"
#include "p2p/p2p.h"

enum {
    PING_BYTES = 24,      /* ping_us, pong_us, pong_held_us; big-endian */
    PING_EVERY_MS = 20,   /* at most one with each status */
    PING_ALONE_MS = 500,  /* without any status */
    REPLACED_MS = 1000    /* a retired connection's successor must have come by then */
};

struct ping {
    uint64_t last_us;     /* own ping sent last; 0: none on this connection */
    uint64_t echoed_us;   /* own ping whose echo was counted last */
    uint64_t theirs_us;   /* their last ping, and when it came */
    uint64_t theirs_at_us;
};

struct peer {
    struct connection *live;   /* the one that is kept */
    struct connection *dialled;/* own attempt that has not got so far */
    bool resolving;            /* a name is being looked up */
    bool up;                   /* reported up; true also while waiting for a successor */
    bool retrying;             /* its connection was reset: one attempt before it is reported */
    bool forgotten;            /* its address leads back to this process: never dialled again */
    bool own;                  /* the own member index */
    uint64_t wait_us;          /* up without a connection: until when */
    uint8_t instance[16];
    struct lanes lanes;        /* of the peer, not of a connection: survives a swap */
    struct latency latency;
    struct dial dial;
    struct ban ban;            /* of the key */
    struct ban endpoint;       /* of whoever answers at the address */
    struct fault fault;
    struct ping ping;
    uint64_t budget_us;        /* of incoming frames: 1 s of it pays LIMIT_PEER_FRAMES */
    uint64_t budget_at_us;
    uint64_t connects, frames_in, bytes_in, lost;
    char address[64];
    uint64_t heard_us;
};

struct p2p {
    struct connection_host host;
    struct p2p_handlers handlers;
    uint64_t (*journal_sequence)(void *ctx);
    uv_timer_t timer;
    uv_prepare_t prepare;
    uv_tcp_t listener;
    bool listening;
    uint32_t handles;              /* in the loop: handles, connections, look-ups */
    bool closing;
    void (*closed)(void *arg);
    void *closed_arg;
    struct tls_context *tls;
    struct connection *connections;
    struct peer peer[LIMIT_MEMBERS];
    struct ban_addresses addresses;
    struct p2p_totals totals;
    struct message message;
    struct message_arena arena;
    uint64_t random;
    uint64_t armed_us;             /* when the timer should run next */
};

uint64_t p2p_random(struct p2p *p);
/* Level as in p2p.h; member -1: not known. */
void p2p_log(const struct p2p *p, int level, int member, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Frees everything once it is closing and the loop holds nothing of it any more. */
void p2p_finish(struct p2p *p);

/* peers.c: the events of connection_host. */
void peers_bind(struct p2p *p);
void peers_report_down(struct p2p *p, int member, bool reset);
void peers_ban(struct p2p *p, int member, const char *why);
void peers_link(struct p2p *p, struct connection *c);

/* traffic.c: frames in and out of one peer. */
enum err traffic_in(struct p2p *p, int member, uint8_t tag, struct bytes payload) MUST_USE;
enum err traffic_out(struct p2p *p, int member, struct frame *f) MUST_USE;
void traffic_ping(struct p2p *p, int member);
void traffic_release(struct p2p *p, uint64_t now_us);

/* schedule.c: everything that waits for a time, and dialling. */
void schedule_start(struct p2p *p);
void schedule_run(struct p2p *p);
/* Arms the timer for whatever is due next. */
void schedule_arm(struct p2p *p);
void schedule_dial(struct p2p *p, int member);

#endif
