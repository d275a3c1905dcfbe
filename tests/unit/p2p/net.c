#define _GNU_SOURCE
#include "tests/unit/p2p/net.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

static void on_up(void *ctx, int member, const uint8_t instance[16], uint64_t journal)
{
    struct net_node *n = ctx;
    assert_int_equal(journal, 1000 + (uint64_t)member);
    assert_int_equal(n->up >> member & 1, 0);
    n->up |= UINT32_C(1) << member;
    n->ups++;
    memcpy(n->peer_instance, instance, 16);
}

static void on_down(void *ctx, int member, bool reset)
{
    struct net_node *n = ctx;
    assert_int_equal(n->up >> member & 1, 1);
    n->up &= ~(UINT32_C(1) << member);
    n->downs++;
    n->resets += reset ? 1 : 0;
    n->down_at_us = uv_hrtime() / 1000;
}

static uint64_t mark_of(const struct message *m)
{
    if (m->kind == MSG_STATUS) {
        return m->status.cur;
    }
    return m->kind == MSG_BODY && m->u.body.body.n > 0 ? m->u.body.body.p[0] : 0;
}

static enum err on_message(void *ctx, int member, const struct message *m, size_t frame_len)
{
    struct net_node *n = ctx;
    if (n->n_seen < NET_SEEN) {
        n->seen[n->n_seen] = (struct net_seen){member, m->kind, frame_len, mark_of(m)};
    }
    n->n_seen++;
    return n->answer;
}

static void on_own_key(void *ctx, const char *address)
{
    struct net_node *n = ctx;
    assert_non_null(strchr(address, ':'));
    n->own_key++;
}

static void on_log(void *ctx, int level, int member, const char *what)
{
    struct net_node *n = ctx;
    (void)member;
    if (level <= P2P_LOG_WARN) {
        snprintf(n->log, sizeof n->log, "%s", what);
    }
}

static uint64_t journal_sequence(void *ctx)
{
    const struct net_node *n = ctx;
    return 1000 + (uint64_t)n->self;
}

/* All ports are taken at the same time, so that no two are equal. */
static void choose_ports(struct net *net)
{
    int fd[NET_NODES];
    for (int i = 0; i < net->n; i++) {
        struct sockaddr_in at = {.sin_family = AF_INET};
        socklen_t len = sizeof at;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fd[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(bind(fd[i], (struct sockaddr *)&at, sizeof at), 0);
        assert_int_equal(getsockname(fd[i], (struct sockaddr *)&at, &len), 0);
        snprintf(net->epoch.member[i].endpoint, ENDPOINT_SIZE, "127.0.0.1:%u",
                 (unsigned)ntohs(at.sin_port));
    }
    for (int i = 0; i < net->n; i++) {
        close(fd[i]);
    }
}

static void make_epoch(struct net *net)
{
    struct epoch_config *c = &net->epoch;
    char why[256];
    c->chain_id = 4242;
    memset(c->genesis.b, 7, sizeof c->genesis.b);
    c->params = (struct epoch_params){.fault_model = FAULT_CRASH,
                                      .pace = PACE_FIXED,
                                      .turn_slots = 8,
                                      .depth = 3,
                                      .block_time_ms = 200,
                                      .max_interval_ms = 200,
                                      .execute_before_finalize = 1,
                                      .gas_limit = 30000000};
    c->n = (uint32_t)net->n;
    for (int i = 0; i < net->n; i++) {
        assert_int_equal(key_generate(&net->node[i].key), OK);
        assert_int_equal(key_address(&c->member[i].address, &net->node[i].key), OK);
        c->member[i].weight = 1;
        snprintf(c->member[i].name, NAME_SIZE, "m%d", i);
    }
    choose_ports(net);
    enum err e = epoch_config_derive(c, why, sizeof why);
    if (e != OK) {
        fail_msg("%s", why);
    }
}

struct net *net_make(int n)
{
    struct net *net = calloc(1, sizeof *net);
    assert_int_equal(key_library_init(), OK);
    net->n = n;
    assert_int_equal(uv_loop_init(&net->loop), 0);
    assert_int_equal(uv_timer_init(&net->loop, &net->guard), 0);
    make_epoch(net);
    for (int i = 0; i < n; i++) {
        net->node[i].self = i;
        net->node[i].epoch = net->epoch;
        net->node[i].listen = net->epoch.member[i].endpoint;
        memset(net->node[i].instance, 0xa0 + i, sizeof net->node[i].instance);
    }
    return net;
}

void net_open(struct net *net, int i)
{
    struct net_node *n = &net->node[i];
    struct p2p_options o = {.loop = &net->loop,
                            .epoch = &n->epoch,
                            .self = n->self,
                            .key = &n->key,
                            .listen = n->listen,
                            .journal_sequence = journal_sequence,
                            .handlers = {.ctx = n,
                                         .up = on_up,
                                         .down = on_down,
                                         .message = on_message,
                                         .own_key = on_own_key,
                                         .log = on_log}};
    memcpy(o.instance, n->instance, sizeof o.instance);
    enum err e = p2p_open(&n->p, &o, n->why, sizeof n->why);
    if (e != OK) {
        fail_msg("%s", n->why);
    }
}

void net_open_all(struct net *net)
{
    for (int i = 0; i < net->n; i++) {
        net_open(net, i);
    }
}

static void on_closed(void *arg)
{
    struct net_node *n = arg;
    n->p = NULL;
    n->up = 0;
}

static bool is_closed(struct net *net, void *arg)
{
    (void)net;
    struct net_node *n = arg;
    return n->p == NULL;
}

void net_close(struct net *net, int i)
{
    struct net_node *n = &net->node[i];
    p2p_close(n->p, on_closed, n);
    net_until(net, is_closed, n);
}

void net_free(struct net *net)
{
    for (int i = 0; i < net->n; i++) {
        if (net->node[i].p != NULL) {
            net_close(net, i);
        }
    }
    uv_close((uv_handle_t *)&net->guard, NULL);
    uv_run(&net->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&net->loop), 0);
    free(net);
}

static void on_guard(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("what the test waits for did not happen");
}

void net_until(struct net *net, bool (*done)(struct net *net, void *arg), void *arg)
{
    uv_update_time(&net->loop);
    uv_timer_start(&net->guard, on_guard, PATIENCE_MS, 0);
    while (!done(net, arg)) {
        uv_run(&net->loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&net->guard);
}

static bool all_connected(struct net *net, void *arg)
{
    (void)arg;
    uint32_t all = (UINT32_C(1) << net->n) - 1;
    for (int i = 0; i < net->n; i++) {
        if (net->node[i].up != (all & ~(UINT32_C(1) << i))) {
            return false;
        }
    }
    return true;
}

void net_until_connected(struct net *net)
{
    net_until(net, all_connected, NULL);
}

struct seen_goal {
    const struct net_node *node;
    int count;
};

static bool has_seen(struct net *net, void *arg)
{
    (void)net;
    const struct seen_goal *g = arg;
    return g->node->n_seen >= g->count;
}

void net_until_seen(struct net *net, int i, int count)
{
    struct seen_goal g = {&net->node[i], count};
    net_until(net, has_seen, &g);
}

struct message net_status(uint64_t slot)
{
    struct message m = {.kind = MSG_STATUS, .has_status = true};
    m.status.cur = slot;
    return m;
}

struct message net_body(const uint8_t *p, size_t n)
{
    struct message m = {.kind = MSG_BODY};
    memset(m.u.body.block.b, 9, sizeof m.u.body.block.b);
    m.u.body.body = bytes_of(p, n);
    return m;
}
