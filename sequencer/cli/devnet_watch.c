#define _GNU_SOURCE
#include <stdlib.h>

#include "sequencer/cli/devnet.h"
#include "sequencer/cli/doc.h"
#include "sequencer/cli/rpc_client.h"

enum { STATUS_TIMEOUT_MS = 2000, RECENT_US = 2000000 };

static bool everybody_serves(const struct devnet *d)
{
    bool demand = d->genesis.params.pace == PACE_DEMAND;
    for (uint32_t i = 0; i < d->n; i++) {
        if (!head_watch_up(d->watch, (int)i) || (demand && !d->node[i].ready)) {
            return false;
        }
    }
    return demand || d->gap.last_us != 0;
}

static void check_ready(struct devnet *d)
{
    if (!d->ready && !d->stopping && everybody_serves(d)) {
        d->ready = true;
        devnet_on_ready(d);
    }
}

static void on_new_head(struct devnet *d, const struct head *h, uint64_t before_us)
{
    uint64_t length = before_us != 0 ? h->at_us - before_us : 0;
    d->gaps[d->gaps_n++ % DEVNET_GAPS] = (struct devnet_gap){h->at_us, length};
    int leader = h->leader < (int)d->n ? h->leader : -1;
    check_ready(d);
    if (!d->ready) {
        d->leader = leader;
        return;
    }
    if (leader != d->leader) {
        d->leader = leader;
        devnet_on_leader(d, h);
    }
    double interval = (double)d->genesis.params.block_time_ms;
    double gap = (double)length / 1000.0 - interval;
    devnet_on_block(d, h, gap > 0.0 ? gap : 0.0);
}

static void on_head(void *arg, const struct head *h)
{
    struct devnet *d = arg;
    struct devnet_node *node = &d->node[h->node];
    uint64_t before_us = d->gap.last_us;
    node->head = h->number;
    node->head_us = h->at_us;
    if (gap_head(&d->gap, h->number, h->at_us)) {
        on_new_head(d, h, before_us);
    }
}

/* The longest recent time between heads is what clients saw of a takeover that just ended. */
static double recent_outage_ms(const struct devnet *d, uint64_t within_us)
{
    uint64_t now = uv_hrtime() / 1000;
    uint64_t longest = 0;
    uint64_t n = d->gaps_n < DEVNET_GAPS ? d->gaps_n : DEVNET_GAPS;
    for (uint64_t i = 0; i < n; i++) {
        if (now - d->gaps[i].at_us <= within_us && d->gaps[i].length_us > longest) {
            longest = d->gaps[i].length_us;
        }
    }
    double outage = (double)longest / 1000.0 - (double)d->genesis.params.block_time_ms;
    return outage > 0.0 ? outage : 0.0;
}

static bool told(struct devnet *d, uint64_t turn)
{
    uint64_t n = d->taken_n < DEVNET_TAKEOVERS ? d->taken_n : DEVNET_TAKEOVERS;
    for (uint64_t i = 0; i < n; i++) {
        if (d->taken[i] == turn) {
            return true;
        }
    }
    d->taken[d->taken_n++ % DEVNET_TAKEOVERS] = turn;
    return false;
}

/* A record is sent when it opens and again when it is complete: final then. */
static void on_incident(void *arg, int node, struct json_object *incident)
{
    struct devnet *d = arg;
    uint64_t turn = doc_u64(incident, "turn", 0);
    (void)node;
    if (!doc_truth(incident, "over", true) || told(d, turn)) {
        return;
    }
    const struct devnet_takeover t = {
        .from = (int)doc_u64(doc_member(incident, "from"), "index", 0),
        .to = (int)doc_u64(doc_member(incident, "to"), "index", 0),
        .turn = turn,
        .gap_ms = recent_outage_ms(d, doc_u64(incident, "gapMs", 0) * 1000 + RECENT_US),
        .reason = doc_text(incident, "reason", "unknown"),
    };
    devnet_on_takeover(d, &t);
}

static void on_link(void *arg, int node, bool up)
{
    struct devnet *d = arg;
    (void)node;
    if (up) {
        check_ready(d);
    }
}

enum err devnet_watch_open(struct devnet *d)
{
    const char *url[LIMIT_MEMBERS];
    const struct head_handlers handlers = {d, on_head, on_incident, on_link, true};
    for (uint32_t i = 0; i < d->n; i++) {
        url[i] = d->node[i].ws;
    }
    d->leader = -1;
    d->http = http_client_create(&d->loop);
    d->watch = head_watch_create(&d->loop, url, d->n, &handlers);
    return d->http != NULL && d->watch != NULL ? OK : ERR_NO_MEMORY;
}

static const double WEI_OF_ETH = 1e18;

static void on_status(void *arg, const struct http_answer *a)
{
    struct devnet_node *node = arg;
    struct json_object *status = NULL;
    char why[128];
    node->asked = false;
    node->ready = false;
    if (a->err != OK || rpc_client_answer(&status, a->body, why, sizeof why) != OK) {
        return;
    }
    struct json_object *self = doc_member(status, "self");
    const char *role = doc_text(self, "role", "?");
    size_t n = strlen(role);
    n = n < sizeof node->role ? n : sizeof node->role - 1;
    memcpy(node->role, role, n);
    node->role[n] = '\0';
    node->ready = doc_truth(self, "ready", false);
    const struct json_object *batches = doc_member(status, "batches");
    node->safe = doc_u64(doc_member(status, "safe"), "number", 0);
    node->batch_lag_ms = doc_u64(batches, "lagMs", 0);
    node->batch_stage = doc_u64(batches, "stage", 0);
    const struct json_object *l1 = doc_member(batches, "l1");
    node->l1_head = doc_u64(l1, "head", 0);
    node->spent_eth = strtod(doc_text(l1, "spentWei", "0"), NULL) / WEI_OF_ETH;
    json_object_put(status);
    check_ready(node->net);
}

static void ask_status(struct devnet *d, struct devnet_node *node)
{
    size_t n = 0;
    char *text = rpc_client_request("baton_status", NULL, &n);
    if (text == NULL) {
        return;
    }
    const struct http_request r = {node->rpc, text, n, NULL, STATUS_TIMEOUT_MS};
    node->asked = http_client_post(d->http, &r, on_status, node) == OK;
    free(text);
}

void devnet_watch_tick(struct devnet *d)
{
    for (uint32_t i = 0; i < d->n; i++) {
        struct devnet_node *node = &d->node[i];
        if (node->state == DEVNET_RUNNING && !node->asked) {
            ask_status(d, node);
        }
    }
}

void devnet_watch_close(struct devnet *d)
{
    if (d->watch != NULL) {
        head_watch_destroy(d->watch);
    }
    if (d->http != NULL) {
        http_client_destroy(d->http);
    }
    d->watch = NULL;
    d->http = NULL;
}
