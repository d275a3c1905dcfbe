/* One connection: a TCP socket of libuv, the TLS engine on it, frames on that.
 *
 *            dialled                     accepted
 *               |                           |
 *          CONNECTING --- connected --->   TLS    (LIMIT_HANDSHAKE_MS from the start to LIVE)
 *                                           | handshake done: plain hello goes out
 *                                         HELLO
 *                                           | theirs fits (hello.h): own proof goes out
 *          frozen: a member whose link      |
 *          is cut is left waiting here -- PROOF
 *                                           | their proof holds
 *                                          LIVE   frames of all lanes, pings
 *                                           | another connection was kept instead
 *                                        RETIRED  no more is sent; reads until the other side closes
 *
 *   any state -- error, deadline, end of stream, connection_end --> CLOSED, freed by the loop
 *
 * It decides nothing about peers: what a hello, a proof or an end means stands in peers.c, called
 * through connection_host. Events may close the connection they are about. Loop thread only. */
#ifndef P2P_CONNECTION_H
#define P2P_CONNECTION_H

#include <uv.h>

#include "p2p/hello.h"
#include "p2p/lanes.h"
#include "p2p/tls.h"

enum connection_state {
    CONNECTION_CONNECTING,
    CONNECTION_TLS,
    CONNECTION_HELLO,
    CONNECTION_PROOF,
    CONNECTION_LIVE,
    CONNECTION_RETIRED,
    CONNECTION_CLOSED
};

/* Why a connection ended. */
enum connection_cause {
    CAUSE_RESET,   /* closed, reset or refused by the other side */
    CAUSE_TIMEOUT, /* handshake or idle deadline */
    CAUSE_BAD,     /* the other side broke a rule: `e` and `why` say which */
    CAUSE_LOCAL    /* closed here */
};

enum { CONNECTION_READ_BYTES = 65536, CONNECTION_WRITE_BYTES = 98304 };

struct connection;

struct connection_host {
    uv_loop_t *loop;
    const struct tls_context *tls;
    const struct epoch_config *epoch;
    int self;
    const struct secret_key *key;
    uint8_t instance[16];
    void *ctx;
    uint64_t (*journal_sequence)(void *ctx);
    /* A hello that fits. An error refuses the connection; why may be set by connection_end. */
    enum err (*hello)(void *ctx, struct connection *c);
    /* The member proved itself; the connection is LIVE. */
    void (*proved)(void *ctx, struct connection *c);
    /* A frame on a LIVE or RETIRED connection. */
    enum err (*frame)(void *ctx, struct connection *c, uint8_t tag, struct bytes payload);
    /* Called once, when it becomes CLOSED; nothing but the struct is left of it. */
    void (*ended)(void *ctx, struct connection *c, enum connection_cause cause, enum err e,
                  const char *why);
    /* The loop holds nothing of it any more; it is freed on return. */
    void (*closed)(void *ctx, struct connection *c);
    /* Shared scratch: one connection at a time reads or writes. */
    uint8_t cipher_in[CONNECTION_READ_BYTES];
    uint8_t plain_in[TLS_RECORD_BYTES];
    uint8_t plain_out[TLS_RECORD_BYTES];
    uint8_t cipher_out[CONNECTION_WRITE_BYTES];
};

struct connection {
    uv_tcp_t tcp;
    uv_connect_t connecting;
    struct connection_host *host;
    struct connection *next; /* list of the owner */
    struct connection *prev;
    struct tls *tls;
    struct frame_reader reader;
    struct lanes *lanes; /* what to send; NULL: nothing is sent */
    enum connection_state state;
    int expected;        /* member that was dialled; -1: accepted */
    bool proved;
    bool frozen;
    uint64_t deadline_us;
    uint64_t heard_us;
    uint8_t ip[16];
    char address[64];
    struct hello_plain mine;
    struct hello_plain theirs;
    uint64_t journal_sequence;
    const char *why;
};

uint64_t connection_now_us(void);

/* A connection that dials `to`, hoping for member `expected`. A connect that fails later is an
 * `ended` with CAUSE_RESET. Errors: ERR_NO_MEMORY, ERR_CRYPTO, ERR_IO, ERR_UNREACHABLE; then
 * `ended` is not called, but where *out was set the struct lives on until `closed`. */
enum err connection_dial(struct connection **out, struct connection_host *host,
                         const struct sockaddr *to, int expected) MUST_USE;
/* Takes the next connection of a listener. Errors as above. */
enum err connection_accept(struct connection **out, struct connection_host *host,
                           uv_stream_t *listener) MUST_USE;

/* Pulls from the lanes and writes while the socket takes it, at most LIMIT_PEER_WRITE_BYTES at a
 * time; goes on by itself as the socket empties. */
void connection_pump(struct connection *c);
/* Answers nothing any more and waits for its deadline. */
void connection_freeze(struct connection *c);
/* Another connection is kept: says so and sends nothing more. */
void connection_retire(struct connection *c);
/* Closes it; does nothing on a CLOSED one. */
void connection_end(struct connection *c, enum connection_cause cause, enum err e,
                    const char *why);
/* Moves the deadline of a live connection: something was heard. */
void connection_heard(struct connection *c, uint64_t now_us);

#endif
