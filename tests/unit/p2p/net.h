/* Members on 127.0.0.1 in one loop, each a whole p2p, for the tests of this folder. */
#ifndef TESTS_UNIT_P2P_NET_H
#define TESTS_UNIT_P2P_NET_H

#include "p2p/p2p.h"
#include "tests/unit/p2p/cmocka.inc.h"

enum { NET_NODES = 4, NET_SEEN = 8192 };

struct net_seen {
    int from;
    enum message_kind kind;
    size_t len;
    uint64_t mark; /* the slot of a status or range, or the first byte of a body */
};

struct net_node {
    struct p2p *p;
    struct epoch_config epoch; /* what this node believes: a test may falsify it */
    struct secret_key key;
    int self;
    uint8_t instance[16];
    const char *listen;
    char why[128];
    uint32_t up; /* bits: members that are up */
    int ups, downs, resets, own_key;
    uint8_t peer_instance[16]; /* of the last `up` */
    uint64_t down_at_us;
    enum err answer; /* what the message handler returns */
    char log[256];   /* the last warning */
    struct net_seen seen[NET_SEEN];
    int n_seen;
};

struct net {
    uv_loop_t loop;
    uv_timer_t guard;
    struct epoch_config epoch;
    struct net_node node[NET_NODES];
    int n;
};

/* Keys, free ports and the epoch of `n` members; nothing is opened. */
struct net *net_make(int n);
/* Closes what is open and checks that the loop is empty. */
void net_free(struct net *net);

void net_open(struct net *net, int i);
void net_close(struct net *net, int i);
void net_open_all(struct net *net);

/* Runs the loop until `done` holds; fails the test when it does not within 20 s. */
void net_until(struct net *net, bool (*done)(struct net *net, void *arg), void *arg);
/* All n nodes see all others. */
void net_until_connected(struct net *net);
/* Node i has seen `count` messages. */
void net_until_seen(struct net *net, int i, int count);

struct message net_status(uint64_t slot);
struct message net_body(const uint8_t *p, size_t n);

#endif
