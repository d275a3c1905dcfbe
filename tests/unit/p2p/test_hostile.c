#define _GNU_SOURCE
#include "tests/unit/p2p/net.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "p2p/peers.h"

static struct p2p_totals totals_of(struct net *net, int i)
{
    struct p2p_totals t;
    p2p_get_totals(net->node[i].p, &t);
    return t;
}

static uint64_t bans_of(struct net *net, int i, int member)
{
    struct p2p_peer_stats s;
    p2p_get_stats(net->node[i].p, member, &s);
    return s.bans;
}

/* Node 1 is the wrong one: node 0, which dials it, bans its endpoint; or counts it as a stranger.
 */
static bool refused(struct net *net, void *arg)
{
    (void)arg;
    return bans_of(net, 0, 1) > 0 || totals_of(net, 0).failed > 0;
}

static bool dial_banned(struct net *net, void *arg)
{
    (void)arg;
    return bans_of(net, 0, 1) > 0;
}

static void expect_refusal(struct net *net, const char *why)
{
    net_open_all(net);
    net_until(net, refused, NULL);
    assert_non_null(strstr(net->node[0].log, why));
    net_until(net, dial_banned, NULL);
    assert_int_equal(net->node[0].up & 2, 0);
    assert_int_equal(net->node[1].up & 1, 0);
    net_free(net);
}

static void test_wrong_key(void **state)
{
    (void)state;
    struct net *net = net_make(2);
    assert_int_equal(key_generate(&net->node[1].key), OK);
    expect_refusal(net, "does not hold the key");
}

static void rederive(struct epoch_config *c)
{
    char why[256];
    assert_int_equal(epoch_config_derive(c, why, sizeof why), OK);
}

static void test_wrong_genesis(void **state)
{
    (void)state;
    struct net *net = net_make(2);
    net->node[1].epoch.genesis.b[0] ^= 1;
    rederive(&net->node[1].epoch);
    expect_refusal(net, "has another genesis");
}

static void test_wrong_chain(void **state)
{
    (void)state;
    struct net *net = net_make(2);
    net->node[1].epoch.chain_id++;
    rederive(&net->node[1].epoch);
    expect_refusal(net, "is of another chain id");
}

static void test_wrong_config(void **state)
{
    (void)state;
    struct net *net = net_make(2);
    net->node[1].epoch.params.gas_limit++;
    rederive(&net->node[1].epoch);
    expect_refusal(net, "has another configuration");
}

static void test_wrong_member(void **state)
{
    (void)state;
    struct net *net = net_make(3);
    net->node[1].listen = NULL;
    net->node[2].listen = net->epoch.member[1].endpoint; /* 2 answers where 1 should */
    net_open(net, 0);
    net_open(net, 2);
    net_until(net, dial_banned, NULL);
    assert_non_null(strstr(net->node[0].log, "another member answers"));
    net_free(net);
}

static int connect_to(struct net *net, int i)
{
    const char *colon = strchr(net->epoch.member[i].endpoint, ':');
    struct sockaddr_in at = {.sin_family = AF_INET};
    at.sin_port = htons((uint16_t)atoi(colon + 1));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

struct count_goal {
    uint64_t failed, handled;
};

static bool has_failed(struct net *net, void *arg)
{
    const struct count_goal *g = arg;
    struct p2p_totals t = totals_of(net, 0);
    return t.failed >= g->failed && t.failed + t.refused >= g->handled;
}

static void send_garbage(struct net *net, int *fd, int n)
{
    static const char garbage[] = "GET /admin HTTP/1.1\r\nHost: x\r\n\r\n";
    for (int i = 0; i < n; i++) {
        fd[i] = connect_to(net, 0);
        assert_int_equal(write(fd[i], garbage, sizeof garbage), sizeof garbage);
    }
}

/* Garbage from 127.0.0.1, more than is heard of from one address; then an honest member from the
 * same address. */
static void test_garbage_locks_nobody_out(void **state)
{
    (void)state;
    enum { WAVE = 2 * LIMIT_PEER_FAILURES };
    struct net *net = net_make(2);
    struct count_goal first = {WAVE, WAVE};
    struct count_goal second = {WAVE, 2 * WAVE};
    int fd[2 * WAVE];
    net_open(net, 0);
    send_garbage(net, fd, WAVE);
    net_until(net, has_failed, &first);
    send_garbage(net, fd + WAVE, WAVE);
    net_until(net, has_failed, &second);
    assert_true(totals_of(net, 0).refused >= WAVE / 2);
    net_open(net, 1);
    net_until_connected(net);
    for (int i = 0; i < 2 * WAVE; i++) {
        close(fd[i]);
    }
    net_free(net);
}

/* Whoever connects and stays silent is cut by the deadline. */
static void test_silent_stranger(void **state)
{
    (void)state;
    struct net *net = net_make(2);
    struct count_goal goal = {1, 1};
    net_open(net, 0);
    int fd = connect_to(net, 0);
    net_until(net, has_failed, &goal);
    char b;
    assert_int_equal(read(fd, &b, 1), 0);
    close(fd);
    net_free(net);
}

static bool all_strangers_gone(struct net *net, void *arg)
{
    (void)arg;
    return totals_of(net, 0).accepted >= 2 * LIMIT_PEER_HANDSHAKES &&
           totals_of(net, 0).refused >= LIMIT_PEER_HANDSHAKES;
}

static void test_strangers_bounded(void **state)
{
    (void)state;
    struct net *net = net_make(2);
    int fd[2 * LIMIT_PEER_HANDSHAKES];
    net_open(net, 0);
    for (int i = 0; i < 2 * LIMIT_PEER_HANDSHAKES; i++) {
        fd[i] = connect_to(net, 0);
    }
    net_until(net, all_strangers_gone, NULL);
    uint32_t open = 0;
    for (struct connection *c = net->node[0].p->connections; c != NULL; c = c->next) {
        open += c->state != CONNECTION_CLOSED ? 1 : 0;
    }
    assert_true(open <= LIMIT_PEER_HANDSHAKES + 2);
    for (int i = 0; i < 2 * LIMIT_PEER_HANDSHAKES; i++) {
        close(fd[i]);
    }
    net_free(net);
}

static bool one_is_banned(struct net *net, void *arg)
{
    (void)arg;
    return bans_of(net, 0, 1) > 0 && (net->node[0].up & 2) == 0;
}

static bool is_refused(struct net *net, void *arg)
{
    (void)arg;
    return totals_of(net, 0).refused > 0;
}

/* An authenticated member that sends `plain` is cut and banned, comes back, and is refused; the
 * other member is not touched. */
static void expect_ban(const uint8_t *plain, size_t n, const char *why)
{
    struct net *net = net_make(3);
    net_open_all(net);
    net_until_connected(net);
    struct connection *c = net->node[1].p->peer[0].live;
    assert_int_equal(tls_write(c->tls, bytes_of(plain, n)), OK);
    connection_pump(c);
    net_until(net, one_is_banned, NULL);
    assert_non_null(strstr(net->node[0].log, why));
    assert_int_equal(net->node[0].resets, 0);
    net_until(net, is_refused, NULL);
    assert_int_equal(net->node[0].up, 4);
    assert_int_equal(net->node[0].n_seen, 0);
    net_free(net);
}

static void test_oversized_frame(void **state)
{
    (void)state;
    uint8_t in[9] = {0, 0, 64, 0, 0x40 | FRAGMENT_FIRST | LANE_BODY};
    store_be32(in + 5, LIMIT_FRAME_BODY + 1);
    expect_ban(in, sizeof in, "larger than the limit");
}

static void test_malformed_message(void **state)
{
    (void)state;
    const uint8_t in[] = {0,    0,    0,    4,   0x40 | FRAGMENT_FIRST | FRAGMENT_LAST | LANE_VOTE,
                          0xff, 0xff, 0xff, 0xff};
    expect_ban(in, sizeof in, "do not have the form");
}

static void test_wrong_version(void **state)
{
    (void)state;
    const uint8_t in[] = {0, 0, 0, 0, 0xc0 | FRAGMENT_FIRST | FRAGMENT_LAST};
    expect_ban(in, sizeof in, "version");
}

static void test_hello_again(void **state)
{
    (void)state;
    const uint8_t in[] = {0, 0, 0, 0, 0x40 | FRAGMENT_FIRST | FRAGMENT_LAST | FRAME_HELLO};
    expect_ban(in, sizeof in, "do not have the form");
}

/* A status in the lane of bodies: the lane is part of the form. */
static void test_wrong_lane(void **state)
{
    (void)state;
    uint8_t in[1024];
    size_t n = 0;
    struct message m = net_status(5);
    assert_true(message_size(&m) <= sizeof in - FRAGMENT_HEAD);
    assert_int_equal(message_encode(in + FRAGMENT_HEAD, sizeof in - FRAGMENT_HEAD, &n, &m), OK);
    store_be32(in, (uint32_t)n);
    in[4] = 0x40 | FRAGMENT_FIRST | FRAGMENT_LAST | LANE_BODY;
    expect_ban(in, FRAGMENT_HEAD + n, "do not have the form");
}

static void test_handler_bans(void **state)
{
    (void)state;
    struct net *net = net_make(3);
    net_open_all(net);
    net_until_connected(net);
    net->node[0].answer = ERR_BUSY; /* not the peer's fault */
    struct message m = net_status(1);
    assert_int_equal(p2p_send(net->node[1].p, 0, &m), OK);
    net_until_seen(net, 0, 1);
    assert_int_equal(net->node[0].up, 6);
    net->node[0].answer = ERR_BAD_SIGNATURE;
    assert_int_equal(p2p_send(net->node[1].p, 0, &m), OK);
    net_until(net, one_is_banned, NULL);
    assert_int_equal(net->node[0].up, 4);
    assert_int_equal(bans_of(net, 0, 1), 1);
    p2p_ban(net->node[0].p, 2, "the test says so");
    assert_int_equal(net->node[0].up, 0);
    assert_int_equal(bans_of(net, 0, 2), 1);
    net_free(net);
}

static bool over_budget(struct net *net, void *arg)
{
    (void)arg;
    struct p2p_peer_stats s;
    struct message m = net_status(1);
    for (int i = 0; i < 1000 && (net->node[1].up & 1) != 0; i++) {
        assert_int_equal(p2p_send(net->node[1].p, 0, &m), OK);
    }
    p2p_get_stats(net->node[0].p, 1, &s);
    return s.bans > 0;
}

static void test_flood(void **state)
{
    (void)state;
    struct net *net = net_make(2);
    net_open_all(net);
    net_until_connected(net);
    net->node[0].p->peer[1].budget_us = 10000; /* 200 frames, for a test that takes no second */
    net_until(net, over_budget, NULL);
    assert_non_null(strstr(net->node[0].log, "budget"));
    net_free(net);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_key),       cmocka_unit_test(test_wrong_genesis),
        cmocka_unit_test(test_wrong_chain),     cmocka_unit_test(test_wrong_config),
        cmocka_unit_test(test_wrong_member),    cmocka_unit_test(test_garbage_locks_nobody_out),
        cmocka_unit_test(test_silent_stranger), cmocka_unit_test(test_strangers_bounded),
        cmocka_unit_test(test_oversized_frame), cmocka_unit_test(test_malformed_message),
        cmocka_unit_test(test_wrong_version),   cmocka_unit_test(test_hello_again),
        cmocka_unit_test(test_wrong_lane),      cmocka_unit_test(test_handler_bans),
        cmocka_unit_test(test_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
