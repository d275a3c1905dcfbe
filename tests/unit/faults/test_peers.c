/* Two members find each other and talk while the k-th allocation fails, for every k: nobody is
 * banned for it, both find each other again, and what is said afterwards arrives. */
#define _GNU_SOURCE
#include "tests/unit/p2p/net.h"

#include <stdlib.h>

#include "wrap.h"

enum { K_MOST = 300, BODY = 50000 };

static uint8_t body[BODY];

/* Both see each other, or a failure has been met. */
static bool connected_or_struck(struct net *net, void *arg)
{
    (void)arg;
    return net->node[0].up == 2 && net->node[1].up == 1;
}

static void talk(struct net *net)
{
    struct message large = net_body(body, sizeof body);
    struct message small = net_status(7);
    for (int i = 0; i < 2; i++) {
        (void)!p2p_send(net->node[i].p, -1, &large);
        (void)!p2p_send(net->node[i].p, -1, &small);
        p2p_flush(net->node[i].p);
    }
}

static bool heard_or_down(struct net *net, void *arg)
{
    (void)arg;
    bool heard = net->node[0].n_seen >= 2 && net->node[1].n_seen >= 2;
    return heard || net->node[0].downs + net->node[1].downs > 0 || fault_has_struck();
}

/* A mark that only this test's last words carry. */
static bool last_word_came(struct net *net, void *arg)
{
    (void)arg;
    int came = 0;
    for (int i = 0; i < 2; i++) {
        const struct net_node *n = &net->node[i];
        came += n->n_seen > 0 && n->seen[n->n_seen - 1].mark == 99;
    }
    if (came < 2 && net->node[0].up == 2 && net->node[1].up == 1) {
        struct message m = net_status(99);
        (void)!p2p_send(net->node[0].p, 1, &m);
        (void)!p2p_send(net->node[1].p, 0, &m);
    }
    return came == 2;
}

static bool run(uint64_t k)
{
    struct net *net = net_make(2);
    struct p2p_peer_stats stats;
    net_open_all(net);
    fault_arm(FAULT_MEMORY, k, false);
    net_until(net, connected_or_struck, NULL);
    talk(net);
    net_until(net, heard_or_down, NULL);
    bool struck = fault_disarm();
    net_until(net, last_word_came, NULL);
    for (int i = 0; i < 2; i++) {
        p2p_get_stats(net->node[i].p, 1 - i, &stats);
        if (stats.bans != 0) {
            fail_msg("allocation %llu: member %d was banned: %s", (unsigned long long)k, 1 - i,
                     net->node[i].log);
        }
    }
    net_free(net);
    return struck;
}

static void each_allocation(void **state)
{
    (void)state;
    uint64_t k = 1;
    while (run(k)) {
        k++;
        assert_true(k < K_MOST);
    }
    print_message("%llu allocations failed, each in its turn\n", (unsigned long long)(k - 1));
    assert_true(k > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
