#define _GNU_SOURCE
#include "tests/unit/p2p/net.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "p2p/peers.h"

static void send_ok(struct net *net, int from, int to, const struct message *m)
{
    assert_int_equal(p2p_send(net->node[from].p, to, m), OK);
}

static struct p2p_peer_stats stats_of(struct net *net, int i, int member)
{
    struct p2p_peer_stats s;
    p2p_get_stats(net->node[i].p, member, &s);
    return s;
}

static bool one_connection_each(struct net *net, void *arg)
{
    (void)arg;
    for (int i = 0; i < net->n; i++) {
        int n = 0;
        for (struct connection *c = net->node[i].p->connections; c != NULL; c = c->next) {
            n++;
        }
        if (n != net->n - 1) {
            return false;
        }
    }
    return true;
}

/* Four members connect; of each two the connection that the lower index dialled is left. */
static void test_four_connect(void **state)
{
    (void)state;
    struct net *net = net_make(4);
    uint64_t start = uv_hrtime();
    net_open_all(net);
    net_until_connected(net);
    print_message("4 members connected after %.1f ms\n", (double)(uv_hrtime() - start) / 1e6);
    net_until(net, one_connection_each, NULL);
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 4; j++) {
            if (i != j) {
                struct connection *c = net->node[i].p->peer[j].live;
                assert_non_null(c);
                assert_int_equal(c->expected >= 0, i < j);
                assert_int_equal(stats_of(net, i, j).connects, 1);
            }
        }
        assert_int_equal(net->node[i].downs, 0);
        assert_int_equal(net->node[i].own_key, 0); /* its own address is only a mirror */
    }
    net_free(net);
}

/* All dial each other at the same moment: every second connection is one too many. */
static void test_all_dial_at_once(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        struct net *net = net_make(4);
        net_open_all(net);
        for (int i = 0; i < 4; i++) {
            for (int j = 0; j < 4; j++) {
                net->node[i].p->peer[j].dial.next_us = 0;
            }
        }
        net_until_connected(net);
        net_until(net, one_connection_each, NULL);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(net->node[i].ups, 3);
            assert_int_equal(net->node[i].downs, 0);
            for (int j = 0; j < 4; j++) {
                const struct connection *c = net->node[i].p->peer[j].live;
                assert_true(i == j || (c->expected >= 0) == (i < j));
            }
        }
        net_free(net);
    }
}

static struct message message_of(enum message_kind kind)
{
    static const uint8_t raw[] = {0xc0};
    static struct bytes tx[1];
    static struct block block[1];
    struct message m = {.kind = kind};
    tx[0] = bytes_of(raw, 1);
    memset(block, 0, sizeof block);
    block[0].head.header.slot = 5;
    block[0].body = bytes_of(raw, 1);
    if (kind == MSG_PROPOSAL) {
        m.u.proposal.head = block[0].head;
    } else if (kind == MSG_TXS) {
        m.u.txs.tx = tx;
        m.u.txs.txs = 1;
    } else if (kind == MSG_BLOCKS) {
        m.u.blocks.block = block;
        m.u.blocks.blocks = 1;
    } else if (kind == MSG_INTENT) {
        m.u.intent.intent = bytes_of("intent", 6);
    }
    return m;
}

static void test_every_lane(void **state)
{
    (void)state;
    struct net *net = net_make(4);
    const uint8_t body[] = {0xc1, 0x01};
    net_open_all(net);
    net_until_connected(net);
    struct message all[LANE_COUNT] = {net_status(3), message_of(MSG_PROPOSAL), net_body(body, 2),
                                      message_of(MSG_TXS), message_of(MSG_BLOCKS),
                                      message_of(MSG_INTENT)};
    for (int i = LANE_COUNT - 1; i >= 0; i--) { /* the least urgent first */
        send_ok(net, 2, -1, &all[i]);
    }
    for (int i = 0; i < 4; i++) {
        if (i != 2) {
            net_until_seen(net, i, LANE_COUNT);
            for (int j = 0; j < LANE_COUNT; j++) { /* arrives with the most urgent first */
                assert_int_equal(net->node[i].seen[j].kind, all[j].kind);
                assert_int_equal(net->node[i].seen[j].from, 2);
            }
            assert_true(stats_of(net, i, 2).frames_in >= LANE_COUNT);
        }
    }
    net_free(net);
}

static void test_votes_overtake_body(void **state)
{
    (void)state;
    struct net *net = net_make(2);
    uint8_t *body = malloc(LIMIT_BODY_BYTES);
    memset(body, 0x55, LIMIT_BODY_BYTES);
    net_open_all(net);
    net_until_connected(net);
    struct message big = net_body(body, LIMIT_BODY_BYTES);
    send_ok(net, 0, 1, &big);
    p2p_flush(net->node[0].p); /* the body is on its way before the first vote is known */
    assert_true(net->node[0].p->peer[1].lanes.lane[LANE_BODY].sent > 0);
    for (uint64_t i = 0; i < 50; i++) {
        struct message m = net_status(i);
        send_ok(net, 0, 1, &m);
    }
    net_until_seen(net, 1, 51);
    const struct net_seen *seen = net->node[1].seen;
    for (uint64_t i = 0; i < 50; i++) {
        assert_int_equal(seen[i].kind, MSG_STATUS);
        assert_int_equal(seen[i].mark, i);
    }
    assert_int_equal(seen[50].kind, MSG_BODY);
    assert_int_equal(seen[50].mark, 0x55);
    assert_true(seen[50].len > LIMIT_BODY_BYTES);
    free(body);
    net_free(net);
}

static void test_queues_bounded(void **state)
{
    (void)state;
    struct net *net = net_make(2);
    uint8_t *body = calloc(1, LIMIT_BODY_BYTES);
    net_open_all(net);
    net_until_connected(net);
    struct message m = net_status(1);
    assert_int_equal(p2p_send(net->node[0].p, 0, &m), ERR_UNREACHABLE);
    for (int i = 0; i < LIMIT_LANE_FRAMES + 100; i++) { /* the loop does not run meanwhile */
        send_ok(net, 0, 1, &m);
    }
    assert_true(stats_of(net, 0, 1).dropped >= 100);
    m = net_body(body, LIMIT_BODY_BYTES);
    enum err e = OK;
    for (int i = 0; i < 20 && e == OK; i++) {
        e = p2p_send(net->node[0].p, 1, &m);
    }
    assert_int_equal(e, ERR_BUSY);
    assert_true(stats_of(net, 0, 1).queued_bytes <= LIMIT_LANE_BYTES + LIMIT_LANE_BYTES / 8);
    net_until_seen(net, 1, LIMIT_LANE_FRAMES - 2 + LIMIT_LANE_BYTES / LIMIT_BODY_BYTES - 1);
    assert_int_equal(net->node[0].up, 2);
    free(body);
    net_free(net);
}

static bool distance_known(struct net *net, void *arg)
{
    (void)arg;
    return stats_of(net, 0, 1).rtt_us > 0 && stats_of(net, 1, 0).rtt_us > 0;
}

/* A process of its own that is member `self`, until it is killed. */
static pid_t start_process(struct net *net, int self)
{
    pid_t pid = fork();
    if (pid == 0) {
        uv_loop_fork(&net->loop);
        net_open(net, self);
        uv_run(&net->loop, UV_RUN_DEFAULT);
        _exit(0);
    }
    assert_true(pid > 0);
    return pid;
}

static bool two_is_up(struct net *net, void *arg)
{
    (void)arg;
    return net->node[0].up == 2 && stats_of(net, 0, 1).rtt_us > 0;
}

static bool two_is_down(struct net *net, void *arg)
{
    (void)arg;
    return net->node[0].up == 0;
}

static void kill_and_reap(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_killed_is_seen(void **state)
{
    (void)state;
    struct net *net = net_make(2);
    pid_t pid = start_process(net, 1);
    net_open(net, 0);
    for (int i = 0; i < 3; i++) {
        net_until(net, two_is_up, NULL);
        uint64_t killed = uv_hrtime() / 1000;
        kill_and_reap(pid);
        net_until(net, two_is_down, NULL);
        print_message("a killed peer was seen after %.2f ms\n",
                      (double)(net->node[0].down_at_us - killed) / 1e3);
        assert_int_equal(net->node[0].resets, i + 1);
        net->node[1].instance[0]++;
        pid = start_process(net, 1);
    }
    net_until(net, two_is_up, NULL);
    assert_memory_equal(net->node[0].peer_instance, net->node[1].instance, 16);
    kill_and_reap(pid);
    net_until(net, two_is_down, NULL);
    net_free(net);
}

static bool has_another(struct net *net, void *arg)
{
    const struct connection *live = net->node[0].p->peer[1].live;
    return live != NULL && live != (struct connection *)arg && net->node[1].up == 1;
}

/* The connection breaks, the process lives: one reconnect, and nobody hears of it here. */
static void test_reset_of_a_living_peer(void **state)
{
    (void)state;
    struct net *net = net_make(2);
    net_open_all(net);
    net_until_connected(net);
    net_until(net, distance_known, NULL);
    struct connection *old = net->node[0].p->peer[1].live;
    connection_end(net->node[1].p->peer[0].live, CAUSE_LOCAL, ERR_IO, "broken by the test");
    net_until(net, has_another, old);
    assert_int_equal(net->node[0].downs, 0);
    assert_int_equal(net->node[1].downs, 1);
    assert_int_equal(net->node[1].resets, 0);
    net_free(net);
}

static bool knows_new(struct net *net, void *arg)
{
    (void)arg;
    return net->node[0].ups == 2 && net->node[1].up == 1;
}

static void test_new_instance(void **state)
{
    (void)state;
    struct net *net = net_make(2);
    net_open_all(net);
    net_until_connected(net);
    net_close(net, 1);
    net->node[1].instance[0] = 0x77;
    net_open(net, 1);
    net_until(net, knows_new, NULL);
    assert_int_equal(net->node[0].downs, 1);
    assert_int_equal(net->node[0].peer_instance[0], 0x77);
    net_free(net);
}

static bool is_forgotten(struct net *net, void *arg)
{
    (void)arg;
    return net->node[0].p->peer[1].forgotten && net->node[0].p->peer[0].forgotten;
}

static void test_mirror_forgotten(void **state)
{
    (void)state;
    struct net *net = net_make(2);
    memcpy(net->node[0].epoch.member[1].endpoint, net->epoch.member[0].endpoint, ENDPOINT_SIZE);
    net_open(net, 0);
    net_until(net, is_forgotten, NULL);
    assert_int_equal(net->node[0].own_key, 0);
    assert_int_equal(net->node[0].up, 0);
    net_free(net);
}

static bool both_know(struct net *net, void *arg)
{
    (void)arg;
    return net->node[0].own_key > 0 && net->node[1].own_key > 0;
}

/* A second process with the key of member 0, elsewhere: it finds the first at its own address. */
static void test_own_key(void **state)
{
    (void)state;
    struct net *net = net_make(2);
    net->node[1].self = 0;
    net->node[1].key = net->node[0].key;
    net_open(net, 0);
    net_open(net, 1);
    net_until(net, both_know, NULL);
    net->node[1].self = 0;
    net_free(net);
}

static void test_cut_is_silent(void **state)
{
    (void)state;
    struct net *net = net_make(3);
    struct p2p_fault cut = {.cut = true};
    struct p2p_fault none = {0};
    net_open_all(net);
    net_until_connected(net);
    p2p_set_fault(net->node[0].p, 1, &cut);
    struct message m = net_status(1);
    send_ok(net, 0, -1, &m); /* reaches 2 only */
    send_ok(net, 1, -1, &m);
    net_until_seen(net, 2, 2);
    net_until_seen(net, 0, 0);
    m = net_status(2);
    send_ok(net, 2, -1, &m);
    net_until_seen(net, 0, 1);
    net_until_seen(net, 1, 1);
    assert_int_equal(net->node[0].seen[0].from, 2);
    assert_int_equal(net->node[1].seen[0].from, 2);
    assert_int_equal(net->node[0].downs + net->node[1].downs, 0);
    p2p_set_fault(net->node[0].p, 1, &none);
    m = net_status(3);
    send_ok(net, 0, 1, &m);
    send_ok(net, 1, 0, &m);
    net_until_seen(net, 0, 2);
    net_until_seen(net, 1, 2);
    assert_int_equal(net->node[1].seen[1].mark, 3); /* what was sent over the cut link is gone */
    assert_int_equal(net->node[0].seen[1].mark, 3);
    net_free(net);
}

static bool is_frozen(struct net *net, void *arg)
{
    (void)arg;
    for (struct connection *c = net->node[0].p->connections; c != NULL; c = c->next) {
        if (c->frozen) {
            return true;
        }
    }
    return false;
}

/* A cut member that dials is neither answered nor refused; after healing it comes in. */
static void test_cut_refuses_quietly(void **state)
{
    (void)state;
    struct net *net = net_make(2);
    struct p2p_fault fault = {.cut = true};
    net_open(net, 0);
    p2p_set_fault(net->node[0].p, 1, &fault);
    net_open(net, 1);
    net_until(net, is_frozen, NULL);
    assert_int_equal(net->node[0].up, 0);
    fault.cut = false;
    p2p_set_fault(net->node[0].p, 1, &fault);
    net_until_connected(net);
    net_free(net);
}

static void test_delay(void **state)
{
    (void)state;
    struct net *net = net_make(2);
    struct p2p_fault slow = {.delay_ms = 300};
    net_open_all(net);
    net_until_connected(net);
    p2p_set_fault(net->node[0].p, 1, &slow);
    struct message m = net_status(1);
    uint64_t start = uv_hrtime();
    send_ok(net, 0, 1, &m);
    net_until_seen(net, 1, 1);
    assert_true(uv_hrtime() - start >= UINT64_C(300000000));
    start = uv_hrtime();
    send_ok(net, 1, 0, &m); /* only this end's sending is slow */
    net_until_seen(net, 0, 1);
    assert_true(uv_hrtime() - start < UINT64_C(300000000));
    net_free(net);
}

static bool far_away(struct net *net, void *arg)
{
    (void)arg;
    struct message m = net_status(1);
    send_ok(net, 0, 1, &m);
    return stats_of(net, 0, 1).one_way_p99_us >= 100000;
}

static void test_delay_is_measured(void **state)
{
    (void)state;
    struct net *net = net_make(2);
    struct p2p_fault slow = {.delay_ms = 200};
    net_open_all(net);
    net_until_connected(net);
    net_until(net, distance_known, NULL);
    assert_true(stats_of(net, 0, 1).rtt_us < 200000);
    p2p_set_fault(net->node[0].p, 1, &slow);
    net_until(net, far_away, NULL);
    net_free(net);
}

static void test_drop(void **state)
{
    (void)state;
    struct net *net = net_make(2);
    struct p2p_fault lossy = {.drop_percent = 50};
    struct p2p_fault none = {0};
    net_open_all(net);
    net_until_connected(net);
    p2p_set_fault(net->node[0].p, 1, &lossy);
    for (uint64_t i = 0; i < 400; i++) {
        struct message m = net_status(1);
        send_ok(net, 0, 1, &m);
    }
    p2p_set_fault(net->node[0].p, 1, &none);
    struct message last = message_of(MSG_TXS); /* a later lane: arrives after all of them */
    send_ok(net, 0, 1, &last);
    net_until_seen(net, 1, 1);
    while (net->node[1].seen[net->node[1].n_seen - 1].kind != MSG_TXS) {
        net_until_seen(net, 1, net->node[1].n_seen + 1);
    }
    assert_in_range(net->node[1].n_seen, 100, 300);
    assert_in_range(stats_of(net, 0, 1).dropped, 100, 300);
    net_free(net);
}

static void test_port_in_use(void **state)
{
    (void)state;
    struct net *net = net_make(2);
    struct p2p *second = NULL;
    char why[128];
    net_open(net, 0);
    struct p2p_options o = {.loop = &net->loop,
                            .epoch = &net->epoch,
                            .self = 1,
                            .key = &net->node[1].key,
                            .listen = net->epoch.member[0].endpoint};
    assert_int_equal(p2p_open(&second, &o, why, sizeof why), ERR_IN_USE);
    assert_non_null(strstr(why, net->epoch.member[0].endpoint));
    o.listen = "nonsense";
    assert_int_equal(p2p_open(&second, &o, why, sizeof why), ERR_CONFIG);
    net_free(net);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_four_connect),
        cmocka_unit_test(test_all_dial_at_once),
        cmocka_unit_test(test_every_lane),
        cmocka_unit_test(test_votes_overtake_body),
        cmocka_unit_test(test_queues_bounded),
        cmocka_unit_test(test_killed_is_seen),
        cmocka_unit_test(test_reset_of_a_living_peer),
        cmocka_unit_test(test_new_instance),
        cmocka_unit_test(test_mirror_forgotten),
        cmocka_unit_test(test_own_key),
        cmocka_unit_test(test_cut_is_silent),
        cmocka_unit_test(test_cut_refuses_quietly),
        cmocka_unit_test(test_delay),
        cmocka_unit_test(test_delay_is_measured),
        cmocka_unit_test(test_drop),
        cmocka_unit_test(test_port_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
