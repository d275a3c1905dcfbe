#define _GNU_SOURCE
/* Readiness as far as the node knows it (CONSENSUS 7), the client's silence, links, draining: what
 * the core is told with EVENT_HEALTH, and everything else that is looked at every few ms. */
#include "sequencer/node/parts.h"

enum {
    BEAT_MS = 20,
    EVERY_100MS = 5,
    EVERY_SECOND = 50,
    DRY_US = 500000,
    DRY_CLIENT_US = 2000000,
    DRY_AHEAD_MS = 3600000,
    FIRST_LOOK_US = 300000,
    SLOW_DISK_US = 1000000
};

/* ---- the execution client -------------------------------------------------------------------- */

void health_client_asked(struct node *n)
{
    struct health *h = &n->health;
    if (h->outstanding++ == 0) {
        h->idle_end_us = driver_now();
    }
}

void health_client_answered(struct node *n)
{
    struct health *h = &n->health;
    h->answered_us = driver_now();
    if (h->outstanding > 0) {
        h->outstanding--;
    }
}

uint64_t health_client_silent(const struct node *n)
{
    const struct health *h = &n->health;
    if (n->link.engine != NULL && engine_state(n->link.engine) != ENGINE_READY) {
        return n->execution.silent_us(n->execution.ctx);
    }
    if (h->outstanding == 0) {
        return 0;
    }
    uint64_t since = h->answered_us > h->idle_end_us ? h->answered_us : h->idle_end_us;
    return driver_now() - since;
}

static uint64_t build_budget_us(const struct node *n)
{
    uint64_t budget = (uint64_t)n->epoch.params.block_time_ms * 300;
    if (n->link.engine != NULL) {
        budget = budget * 2 + n->config->el_fill_ms * 1000; /* its own process, and it is filled */
    }
    return budget < 30000 ? 30000 : budget > 1000000 ? 1000000 : budget;
}

static void dry_done(void *arg, const struct execution_result *r)
{
    struct node *n = arg;
    struct health *h = &n->health;
    uint64_t now = driver_now();
    h->dry_running = false;
    health_client_answered(n);
    if (r->status == EXECUTION_VALID && now - h->dry_asked_us <= build_budget_us(n)) {
        h->dry_ok_us = now;
    }
}

/* A client's head follows what is built on: nothing is tried while it builds or before it is level,
 * and seldom. */
static bool client_is_free(const struct node *n, uint64_t now)
{
    if (n->link.engine == NULL) {
        return true;
    }
    for (int i = 0; i < BUILDS; i++) {
        if (n->builds.build[i].state == BUILD_ASKED) {
            return false;
        }
    }
    const struct health *h = &n->health;
    return n->link.level && (h->dry_asked_us == 0 || now - h->dry_asked_us >= DRY_CLIENT_US);
}

/* A cheap build on the executed final head: can this member lead? */
static void dry_run(struct node *n)
{
    struct health *h = &n->health;
    uint64_t now = driver_now();
    if (h->dry_running || n->self < 0 || (h->dry_ok_us != 0 && now - h->dry_asked_us < DRY_US) ||
        !client_is_free(n, now)) {
        return;
    }
    /* Takeovers can put the chain's time ahead of the wall clock; a child is later than its parent. */
    uint64_t least = n->finality.latest_ms + n->epoch.params.block_time_ms;
    uint64_t wall = driver_wall(n);
    struct execution_block b = {
        .parent = n->finality.latest_payload,
        .height = n->finality.latest_number + 1,
        .timestamp_ms = wall > least ? wall : least,
        .fee_recipient = n->epoch.member[n->self].address,
    };
    if (n->link.engine != NULL) {
        b.timestamp_ms += DRY_AHEAD_MS; /* a build of the same time is the same build to a client */
    }
    h->dry_running = true;
    h->dry_asked_us = now;
    health_client_asked(n);
    n->execution.build(n->execution.ctx, &b, dry_done, n);
}

/* ---- verdict --------------------------------------------------------------------------------- */

static bool dry_run_fresh(const struct node *n)
{
    const struct health *h = &n->health;
    const struct epoch_params *p = &n->epoch.params;
    uint64_t turn_us = (uint64_t)p->turn_slots * p->max_interval_ms * 1000;
    uint64_t fresh = turn_us > 10000000 ? turn_us : 10000000;
    if (health_client_silent(n) > build_budget_us(n) * 2) {
        return false;
    }
    return h->dry_ok_us != 0 && driver_now() - h->dry_ok_us < fresh;
}

uint32_t health_not_ready(struct node *n)
{
    const struct health *h = &n->health;
    uint32_t bits = 0;
    if (h->dry_ok_us == 0) {
        bits |= NOT_READY_STARTING;
    } else if (!dry_run_fresh(n)) {
        bits |= NOT_READY_CLIENT;
    }
    bool hangs = store_waits_us(n) > SLOW_DISK_US;
    bits |= n->driver.steps.failed || n->driver.steps.lost_step || hangs ? NOT_READY_DISK : 0;
    bits |= link_is_level(n) ? 0 : NOT_READY_CLIENT;
    bits |= n->syncing.active ? NOT_READY_SYNCING : 0;
    bits |= n->finality.waiting > n->epoch.params.depth ? NOT_READY_BEHIND : 0;
    bits |= h->draining_until_us != 0 ? NOT_READY_DRAINING : 0;
    bits |= n->clock.wrong ? NOT_READY_CLOCK : 0;
    return bits;
}

static void tell_core(struct node *n)
{
    struct health *h = &n->health;
    uint32_t bits = health_not_ready(n);
    bool draining = h->draining_until_us != 0;
    uint64_t silent = health_client_silent(n);
    bool same = h->sent_any && bits == h->sent_not_ready && h->pending == h->sent_pending &&
                draining == h->sent_draining;
    if (same && silent < BEAT_MS * 1000) {
        return;
    }
    h->sent_any = true;
    h->sent_not_ready = bits;
    h->sent_pending = h->pending;
    h->sent_draining = draining;
    struct event e = {.kind = EVENT_HEALTH, .peer = -1};
    e.u.health.not_ready = bits;
    e.u.health.pending = h->pending;
    e.u.health.draining = draining;
    e.u.health.leaving = draining && !h->hand_over;
    e.u.health.client_silent_us = silent;
    driver_give(n, e);
}

void health_turn(struct node *n)
{
    struct health *h = &n->health;
    bool look = h->pool_changed || (h->pool_grew && !h->pending);
    h->pool_grew = false;
    if (!look) {
        return;
    }
    h->pool_changed = false;
    struct mempool_stats stats;
    mempool_get_stats(n->mempool, &stats);
    bool pending = stats.executable > 0 && !posting_pressure(n).refuse;
    if (pending) {
        taken_chain(n, &n->builds.taken, &n->finality.tip);
        pending = mempool_has_executable(n->mempool, taken_has, &n->builds.taken);
    }
    h->pending = pending;
    if (pending != h->sent_pending) {
        tell_core(n);
    }
}

/* ---- the beat -------------------------------------------------------------------------------- */

static void look_at_links(struct node *n)
{
    struct health *h = &n->health;
    uint32_t reachable = n->self >= 0 ? 1u << n->self : 0;
    for (uint32_t i = 0; i < n->epoch.n; i++) {
        struct p2p_peer_stats s;
        if ((int)i == n->self) {
            continue;
        }
        p2p_get_stats(n->p2p, (int)i, &s);
        reachable |= s.up ? 1u << i : 0;
        metrics_set(n->metrics, METRIC_PEER_UP, n->book.peer_label[i], s.up ? 1 : 0);
        metrics_set(n->metrics, METRIC_PEER_RTT, n->book.peer_label[i], (double)s.rtt_us / 1e6);
        metrics_set(n->metrics, METRIC_PEER_BANS, n->book.peer_label[i], (double)s.bans);
        if (!s.up || s.one_way_p99_us == 0 ||
            (s.one_way_p50_us == h->latency[i].p50 && s.one_way_p99_us == h->latency[i].p99)) {
            continue;
        }
        h->latency[i].p50 = s.one_way_p50_us;
        h->latency[i].p99 = s.one_way_p99_us;
        struct event e = {.kind = EVENT_LATENCY, .peer = (int)i};
        e.u.latency.one_way_p50_us = s.one_way_p50_us;
        e.u.latency.one_way_p99_us = s.one_way_p99_us;
        driver_give(n, e);
    }
    struct p2p_totals t;
    p2p_get_totals(n->p2p, &t);
    metrics_set(n->metrics, METRIC_PEER_STRANGERS, n->book.stranger_label[0], (double)t.failed);
    metrics_set(n->metrics, METRIC_PEER_STRANGERS, n->book.stranger_label[1], (double)t.refused);
    if (h->quorum_us == 0 && members_weight(&n->epoch, reachable) >= n->epoch.quorum) {
        h->quorum_us = driver_now();
    }
}

static void look_at_core(struct node *n)
{
    struct health *h = &n->health;
    struct core_view v;
    core_get_view(n->driver.core, &v);
    uint64_t now = driver_now();
    uint32_t bits = readiness_bits(n);
    if (bits != h->shown_not_ready) {
        h->shown_not_ready = bits;
        readiness_log(n, bits);
        rpc_on_status(n->rpc);
    }
    if (v.leader != h->shown_leader) {
        h->shown_leader = v.leader;
        rpc_on_status(n->rpc);
    }
    if (h->hand_over && v.leader != n->self) {
        h->hand_over = false;
        h->draining_until_us = 0;
    } else if (h->draining_until_us != 0 && h->draining_until_us != UINT64_MAX &&
               now >= h->draining_until_us) {
        h->draining_until_us = 0;
    }
    /* A stop waits until this member does not lead, or two turns, or five seconds. */
    bool alone = members_weight(&n->epoch, v.heard) < n->epoch.quorum;
    if (n->stopping && n->closing == 0 && (v.leader != n->self || alone || now >= n->stop_at_us)) {
        uv_stop(&n->loop);
    }
}

static void dropped(void *arg, const struct hash *hash)
{
    struct node *n = arg;
    pool_erase(n, hash, 1);
}

static void beat(uv_timer_t *timer)
{
    struct node *n = timer->data;
    struct health *h = &n->health;
    h->beats++;
    look_at_core(n);
    dry_run(n);
    tell_core(n);
    if (n->executes.retry_us != 0 && driver_now() >= n->executes.retry_us) {
        execute_pump(n);
    }
    finality_pump(n);
    if (h->beats % EVERY_100MS == 0) {
        look_at_links(n);
        sync_check(n);
        intake_sweep(n);
        posting_turn(n);
        link_turn(n);
        book_gauges(n);
    }
    if (h->beats % EVERY_SECOND == 0) {
        store_retry(n);
        intake_retell(n);
        link_second(n);
        clock_look(n);
        distance_look(n);
        mempool_sweep(n->mempool, driver_wall(n) / 1000, dropped, n);
        h->pool_changed = true;
    }
}

static void wake(uv_timer_t *timer)
{
    (void)timer; /* the loop must not sleep for ever when the client answers nothing */
}

/* Before the first peer is heard: a member that has not looked yet would say "starting", and its
 * first turns would be skipped for nothing. */
void health_first_look(struct node *n)
{
    n->health.timer.data = n;
    uv_timer_init(&n->loop, &n->health.timer);
    uint64_t until = driver_now() + FIRST_LOOK_US;
    uv_timer_start(&n->health.timer, wake, 5, 5);
    dry_run(n);
    while (n->health.dry_running && driver_now() < until) {
        uv_run(&n->loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&n->health.timer);
}

void health_open(struct node *n)
{
    uv_timer_start(&n->health.timer, beat, 1, BEAT_MS);
}

void health_close(struct node *n)
{
    uv_close((uv_handle_t *)&n->health.timer, NULL);
}
