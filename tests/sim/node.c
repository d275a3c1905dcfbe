/* One process: the real core behind the real order of steps (sequencer/steps), and what each effect
 * means here. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/sim/adversary.h"
#include "tests/sim/sim.h"
#include "tests/sim/users.h"

enum { BEAT_US = 20 * MS, CRASH_NEAR = 100 };

/* ---- effects ----------------------------------------------------------------------------------
 */

static void on_store(struct sim *s, struct node *n, const struct block_head *head)
{
    uint32_t b = world_add(s, head);
    disk_block(s, n, b);
    if ((n->holds[b] & HOLDS_STASHED) != 0) {
        n->holds[b] &= (uint8_t)~HOLDS_STASHED;
        queue_push(s, (struct sim_event){.at = s->now,
                                         .kind = SIM_BODY,
                                         .to = (int8_t)n->index,
                                         .life = n->life,
                                         .block = b});
    }
}

static void on_final(struct sim *s, struct node *n, const struct effect *e)
{
    oracle_final(s, n, e);
    uint32_t b = world_find(s, &e->u.final.block);
    if (b == NO_BLOCK || s->end != SIM_PASS) {
        return;
    }
    disk_block(s, n, b);
    disk_final(s, n, e);
    users_final(s, n, b);
    if (e->u.final.cert == NULL && n->crash_after > 0 && n->crash_after < CRASH_NEAR) {
        n->crash_after = 1; /* between it and the certificate that covers it */
        account_mark(s->account, MARK_CRASH_UNCOVERED);
    }
    if ((n->holds[b] & (HOLDS_EXECUTED | HOLDS_ASKED)) == 0) {
        client_execute(s, n, b, 0);
    }
}

static void on_alarm(struct sim *s, struct node *n, enum alarm_kind what)
{
    if (what == ALARM_AMNESIAC && !n->disk.amnesiac) {
        account_mark(s->account, MARK_AMNESIAC);
    } else if (what == ALARM_DIVERGENCE) {
        account_mark(s->account, MARK_DIVERGENCE);
    } else if (what == ALARM_SECOND_INSTANCE) {
        account_mark(s->account, MARK_SECOND_INSTANCE);
    }
    sim_tell(s, "%d: ALARM %s", n->member, alarm_name(what));
    oracle_alarm(s, n, what);
}

static void on_send(struct sim *s, struct node *n, const struct effect *e)
{
    const struct message *m = e->u.send.message;
    oracle_asks(s, n, e);
    if (m->kind == MSG_PROPOSAL && m->u.proposal.head.header.leader == n->member) {
        sim_tell(s, "%d: proposes %llu (%02x%02x) to %d", n->member,
                 (unsigned long long)m->u.proposal.head.header.slot, m->u.proposal.head.hash.b[0],
                 m->u.proposal.head.hash.b[1], e->u.send.to);
    }
}

static void on_effect(struct sim *s, struct node *n, const struct effect *e)
{
    switch ((int)e->kind) {
    case EFFECT_PERSIST:
        oracle_written(s, n, e->u.persist.vote, e->u.persist.votes, e->u.persist.reason);
        break;
    case EFFECT_SEND:
        on_send(s, n, e);
        break;
    case EFFECT_BUILD:
        client_build(s, n, e);
        break;
    case EFFECT_EXECUTE:
        client_execute(s, n, world_find(s, &e->u.execute.block), 0);
        break;
    case EFFECT_FETCH:
        account_mark(s->account, MARK_FETCH);
        node_fetch(s, n, e);
        break;
    case EFFECT_STORE:
        on_store(s, n, e->u.store.head);
        break;
    case EFFECT_FINAL:
        on_final(s, n, e);
        break;
    case EFFECT_SKIPPED:
        oracle_skipped(s, n, e);
        break;
    case EFFECT_NOTARIZED:
        n->tip = world_find(s, &e->u.notarized.block);
        break;
    case EFFECT_ENTERED:
        n->cur = e->u.entered.slot;
        break;
    case EFFECT_BAN:
        account_mark(s->account, MARK_BAN);
        oracle_blames(s, n, e->u.ban.member, e->u.ban.why);
        break;
    case EFFECT_EVIDENCE:
        account_mark(s->account, MARK_EVIDENCE);
        s->account->marks[MARK_PROPOSED_TWICE] += e->u.evidence.first_kind == 0;
        oracle_blames(s, n, e->u.evidence.member, "evidence");
        break;
    case EFFECT_ALARM:
        on_alarm(s, n, e->u.alarm.what);
        break;
    default:
        break; /* cancel: nothing to do here */
    }
}

static void want_tick(struct sim *s, struct node *n)
{
    uint64_t local = core_deadline(n->core);
    if (local == UINT64_MAX) {
        return;
    }
    uint64_t at = clock_real(s, n, local);
    if (n->tick_at > s->now && at >= n->tick_at) {
        return;
    }
    n->tick_at = at;
    n->deadline = local;
    queue_push(
        s, (struct sim_event){.at = at, .kind = SIM_TICK, .to = (int8_t)n->index, .life = n->life});
}

static bool before(void *node, struct event *e)
{
    struct node *n = node;
    struct sim *s = n->sim;
    if (s->end != SIM_PASS) {
        return false;
    }
    oracle_told(s, n, e);
    e->now_us = clock_local(s, n);
    e->wall_ms = clock_wall_ms(s, n);
    s->steps++;
    return true;
}

static void between(void *node, const struct event *e, const struct effects *out)
{
    const struct node *n = node;
    sim_trace(n->sim, n->sim->now ^ (uint64_t)e->kind << 56, (uint64_t)n->index << 32 | out->n);
}

static bool effect(void *node, const struct effect *e)
{
    struct node *n = node;
    struct sim *s = n->sim;
    if (s->end != SIM_PASS) {
        return false;
    }
    if (n->crash_after > 0 && --n->crash_after == 0) {
        account_mark(s->account, MARK_CRASH_IN_STEP);
        sim_tell(s, "%d: dies in the middle of a step", n->member);
        node_crash(s, n, LOSE_SOME);
        return false;
    }
    on_effect(s, n, e);
    return true;
}

static void after(void *node)
{
    struct node *n = node;
    oracle_asked(n->sim, n);
    want_tick(n->sim, n);
}

static void flush(void *node)
{
    (void)node; /* links carry what is posted at once */
}

static void trouble(void *node, const char *what)
{
    struct node *n = node;
    sim_fail(n->sim, SIM_INVARIANT, "member %d: %s", n->member, what);
}

static void open_steps(struct sim *s, struct node *n)
{
    const struct steps_world world = {.ctx = n,
                                      .before = before,
                                      .between = between,
                                      .effect = effect,
                                      .after = after,
                                      .body = node_own_body,
                                      .send = node_send,
                                      .flush = flush,
                                      .submit = disk_submit,
                                      .poll = disk_poll,
                                      .stored = disk_stored,
                                      .failed = disk_failed,
                                      .trouble = trouble};
    n->steps.core = n->core;
    n->steps.effects = s->effects;
    if (steps_open(&n->steps, &world, s->epoch.epoch, n->member, n->disk.journal) != OK) {
        abort();
    }
}

void node_step(struct sim *s, struct node *n, const struct event *ev)
{
    if (s->end == SIM_PASS && n->core != NULL) {
        steps_give(&n->steps, *ev);
    }
}

/* ---- what happens to it -----------------------------------------------------------------------
 */

void node_tick(struct sim *s, struct node *n, uint64_t at)
{
    if (at != n->tick_at) {
        return;
    }
    struct event ev = {.kind = EVENT_TICK, .peer = -1};
    uint64_t local = clock_local(s, n);
    ev.late_us = local > n->deadline ? local - n->deadline : 0;
    n->tick_at = 0;
    node_step(s, n, &ev);
}

static uint32_t not_ready(const struct sim *s, const struct node *n)
{
    uint64_t budget = (uint64_t)s->plan->block_time_ms * 300;
    budget = budget < 30 * MS ? 30 * MS : budget;
    uint32_t bits = n->hangs > 0 && s->now - n->hung_since > 2 * budget ? NOT_READY_CLIENT : 0;
    bits |= n->disk.told ? NOT_READY_DISK : 0;
    return bits | (n->drains + n->leaves > 0 ? NOT_READY_DRAINING : 0);
}

void node_health(struct sim *s, struct node *n)
{
    if (n->core == NULL) {
        return;
    }
    struct event ev = {.kind = EVENT_HEALTH, .peer = -1};
    bool pending = users_pending(s, n);
    uint32_t bits = not_ready(s, n);
    uint32_t all = bits << 2 | (n->leaves > 0 ? 2 : 0) | (pending ? 1 : 0);
    bool same = n->gave_health && n->given_health == all;
    if (same && n->hangs == 0) {
        return;
    }
    n->gave_health = true;
    n->given_health = all;
    ev.u.health.not_ready = bits;
    ev.u.health.pending = pending;
    ev.u.health.draining = n->drains + n->leaves > 0;
    ev.u.health.leaving = n->leaves > 0;
    ev.u.health.client_silent_us = n->hangs > 0 ? s->now - n->hung_since : 0;
    node_step(s, n, &ev);
}

void node_beat(struct sim *s, struct node *n)
{
    queue_push(
        s, (struct sim_event){
               .at = s->now + BEAT_US, .kind = SIM_BEAT, .to = (int8_t)n->index, .life = n->life});
    node_health(s, n);
    node_sync(s, n);
    users_retell(s, n);
    for (uint32_t i = 0; i < s->nodes; i++) {
        if (s->node[i].member != n->member && s->link[n->index][i].up) {
            links_latency(s, n, &s->node[i]);
        }
    }
    oracle_look(s, n);
}

/* ---- starting and dying -------------------------------------------------------------------------
 */

static void settings(struct sim *s, struct node *n, struct core_config *config)
{
    *config = (struct core_config){.epoch = s->epoch,
                                   .anchor = s->anchor,
                                   .self = n->member,
                                   .start_us = clock_local(s, n),
                                   .crypto = keys_of(s, n->member)};
    store_be64(config->instance, s->plan->seed ^ n->life << 32);
    config->instance[8] = (uint8_t)n->index;
    disk_verdict(s, n, config);
}

static bool make_core(struct sim *s, struct node *n)
{
    static struct core_config config;
    settings(s, n, &config);
    if (s->end != SIM_PASS) {
        return false;
    }
    size_t size = core_footprint(&config);
    if (n->memory_size < size) {
        if (n->memory != NULL) {
            munmap(n->memory, n->memory_size);
        }
        n->memory_size = size;
        n->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    if (n->memory == MAP_FAILED || core_init(&n->core, n->memory, &config) != OK) {
        sim_fail(s, SIM_HARNESS, "no core for member %d", n->member);
        return false;
    }
    return true;
}

void node_boot(struct sim *s, struct node *n)
{
    n->up = true;
    n->life++;
    n->tick_at = 0;
    n->gave_health = false;
    n->crash_after = 0;
    n->tip = NO_BLOCK;
    n->cur = 1;
    memset(n->peer_final, 0, sizeof n->peer_final);
    if (n->life > 1) {
        s->account->restarts++;
        account_mark(s->account, MARK_RESTART);
        sim_tell(s, "%d: starts again", n->member);
    }
    if (!n->puppet) {
        if (!make_core(s, n)) {
            return;
        }
        disk_restore(s, n);
        open_steps(s, n);
        oracle_restarted(s, n);
        core_start(n->core, clock_local(s, n), s->effects);
        users_boot(s, n);
        n->tick_at = s->now;
        n->deadline = clock_local(s, n);
        queue_push(s, (struct sim_event){
                          .at = s->now, .kind = SIM_TICK, .to = (int8_t)n->index, .life = n->life});
        node_beat(s, n);
    }
    links_connect(s, n);
}

void node_crash(struct sim *s, struct node *n, enum disk_loss loss)
{
    if (!n->up || n->puppet) {
        return;
    }
    n->up = false;
    n->core = NULL;
    n->life++;
    users_crash(s, n);
    steps_close(&n->steps);
    oracle_died(s, n);
    disk_stop(s, n, loss);
    if (loss == LOSE_LITTLE) {
        links_broken(s, n);
    }
}

/* Runs what arrived while it stood still. */
void node_resume(struct sim *s, struct node *n)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->held_n; i++) {
        struct sim_event e = s->held[i];
        if (e.to == n->index) {
            /* Its timer is looked at after the messages that came before it. */
            n->tick_at = e.kind == SIM_TICK && e.at == n->tick_at ? s->now : n->tick_at;
            e.at = s->now;
            queue_push(s, e);
        } else {
            s->held[kept++] = e;
        }
    }
    s->held_n = kept;
}
