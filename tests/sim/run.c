/* One plan from the start to the audit: chaos, then everything heals and the set must go on. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "proto/keccak.h"
#include "tests/sim/adversary.h"
#include "tests/sim/users.h"

enum { MORE_BLOCKS = 3, INSTANT_MOST = 200000 };

void sim_fail(struct sim *s, enum sim_end end, const char *format, ...)
{
    if (s->end != SIM_PASS) {
        return;
    }
    va_list args;
    va_start(args, format);
    (void)vsnprintf(s->why, sizeof s->why, format, args);
    va_end(args);
    s->end = end;
    sim_tell(s, "!! %s", s->why);
}

void sim_tell(struct sim *s, const char *format, ...)
{
    if (s->story == NULL) {
        return;
    }
    va_list args;
    fprintf(s->story, "%10.3f ms  ", (double)(s->now - SECOND) / 1000);
    va_start(args, format);
    (void)vfprintf(s->story, format, args);
    va_end(args);
    fputc('\n', s->story);
}

void sim_trace(struct sim *s, uint64_t a, uint64_t b)
{
    s->digest = dice_mix(dice_mix(s->digest ^ a) + b);
}

bool sim_lies(const struct sim *s, int member)
{
    return (s->plan->liars >> member & 1) != 0;
}

bool sim_honest(const struct sim *s, const struct node *n)
{
    return !n->puppet && !sim_lies(s, n->member) && (s->forgiven >> n->member & 1) == 0;
}

/* ---- making ----------------------------------------------------------------------------------- */

struct sim *sim_new(void)
{
    struct sim *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    s->heal_most_us = HEAL_MOST_US;
    s->effects = malloc(sizeof *s->effects);
    s->block = calloc(SIM_BLOCKS, sizeof *s->block);
    s->index = calloc((size_t)2 * SIM_BLOCKS, sizeof *s->index);
    s->oracle = oracle_new();
    s->liars = liars_new();
    s->users = users_new();
    bool ok = s->effects != NULL && s->block != NULL && s->index != NULL && s->oracle != NULL &&
              s->liars != NULL && s->users != NULL;
    for (int i = 0; i < SIM_NODES && ok; i++) {
        struct node *n = &s->node[i];
        n->holds = calloc(SIM_BLOCKS, 1);
        n->body_gate = calloc(SIM_BLOCKS, sizeof *n->body_gate);
        n->disk.head = calloc(HEAD_LOG, sizeof *n->disk.head);
        ok = n->holds != NULL && n->body_gate != NULL && n->disk.head != NULL;
    }
    return ok ? s : NULL;
}

static void free_frames(struct sim *s)
{
    while (s->spare_frames != NULL) {
        struct frame *f = s->spare_frames;
        s->spare_frames = f->next;
        message_arena_free(&f->arena);
        free(f->bytes);
        free(f);
    }
}

static void drop_everything(struct sim *s)
{
    for (uint32_t i = 0; i < s->held_n; i++) {
        frame_drop(s, s->held[i].frame);
    }
    s->held_n = 0;
    queue_clear(s);
    for (int i = 0; i < SIM_NODES; i++) {
        node_drop_gated(s, &s->node[i]);
    }
    liars_drop(s);
}

void sim_free(struct sim *s)
{
    drop_everything(s);
    free_frames(s);
    for (int i = 0; i < SIM_NODES; i++) {
        struct node *n = &s->node[i];
        disk_free(n);
        free(n->holds);
        free(n->body_gate);
        if (n->memory != NULL) {
            munmap(n->memory, n->memory_size);
        }
    }
    users_free(s->users);
    liars_free(s->liars);
    oracle_free(s->oracle);
    free(s->heap);
    free(s->held);
    free(s->index);
    free(s->block);
    free(s->effects);
    free(s);
}

static void make_epoch(struct sim *s)
{
    struct epoch_config *c = &s->epoch;
    const struct plan *p = s->plan;
    char why[256];
    memset(c, 0, sizeof *c);
    c->chain_id = 41197;
    c->genesis = keccak256("world", 5);
    c->params = (struct epoch_params){.fault_model = p->fault_model,
                                      .pace = p->pace,
                                      .turn_slots = p->turn_slots,
                                      .depth = p->depth,
                                      .block_time_ms = p->block_time_ms,
                                      .max_interval_ms = p->max_interval_ms,
                                      .execute_before_finalize = p->trusting ? 0 : 1,
                                      .gas_limit = 30000000};
    c->n = p->n;
    for (uint32_t i = 0; i < p->n; i++) {
        struct hash h = keccak256(&i, sizeof i);
        memcpy(c->member[i].address.b, h.b, sizeof c->member[i].address.b);
        c->member[i].weight = p->weight[i];
        c->member[i].name[0] = (char)('A' + (int)i);
        c->member[i].endpoint[0] = 'x';
    }
    if (epoch_config_derive(c, why, sizeof why) != OK) {
        sim_fail(s, SIM_HARNESS, "no epoch: %s", why);
    }
    s->anchor = (struct header){.chain_id = c->chain_id,
                                .genesis = c->genesis,
                                .config = c->hash,
                                .timestamp_ms = 1700000000000 + 1000,
                                .body_root = keccak256("", 0)};
}

static void reset_node(struct sim *s, struct node *n, int index, int member)
{
    struct node keep = *n;
    *n = (struct node){.member = member,
                       .index = index,
                       .memory = keep.memory,
                       .memory_size = keep.memory_size,
                       .holds = keep.holds,
                       .body_gate = keep.body_gate,
                       .disk = keep.disk,
                       .execute_us = s->plan->execute_us,
                       .build_us = s->plan->build_us,
                       .tip = NO_BLOCK};
    disk_reset(s, n);
    memset(n->holds, 0, s->blocks);
    memset(n->body_gate, 0, s->blocks * sizeof *n->body_gate);
    clock_reset(s, n);
}

static void reset(struct sim *s, const struct plan *p, struct account *account, FILE *story)
{
    s->end = SIM_PASS;
    s->why[0] = 0;
    s->plan = p;
    s->account = account;
    s->story = story;
    drop_everything(s);
    s->now = SECOND;
    s->order = s->steps = 0;
    s->digest = p->seed;
    s->healing = false;
    s->healthy = p->harms == 0 && p->liars == 0;
    s->forgiven = s->forgot = s->disagreed = 0;
    s->nodes = p->n;
    make_epoch(s);
    for (int i = 0; i < SIM_NODES; i++) {
        int twin = 0;
        while (i >= (int)p->n && twin < (int)p->n && (p->twins >> twin & 1) == 0) {
            twin++;
        }
        bool second = i == (int)p->n && twin < (int)p->n;
        s->nodes += second;
        reset_node(s, &s->node[i], i, second ? twin : i < (int)p->n ? i : 0);
    }
    memset(s->index, 0, (size_t)2 * SIM_BLOCKS * sizeof *s->index);
    s->blocks = 0;
    links_reset(s);
    oracle_reset(s);
    liars_reset(s);
    users_reset(s);
}

/* ---- events ----------------------------------------------------------------------------------- */

static bool stale(const struct sim *s, const struct sim_event *e)
{
    const struct node *n = &s->node[e->to];
    return !n->up || n->life != e->life;
}

static void hold_event(struct sim *s, struct sim_event *e)
{
    if (s->held_n == s->held_cap) {
        s->held_cap = s->held_cap == 0 ? 256 : 2 * s->held_cap;
        s->held = realloc(s->held, s->held_cap * sizeof *s->held);
        if (s->held == NULL) {
            abort();
        }
    }
    s->held[s->held_n++] = *e;
    e->frame = NULL;
}

static void peer_event(struct sim *s, struct node *n, const struct sim_event *e)
{
    struct node *from = &s->node[e->from];
    if (e->kind == SIM_PEER_UP) {
        if (from->life == e->value) {
            links_connected(s, n, from);
        }
        return;
    }
    struct event ev = {.kind = EVENT_PEER, .peer = from->member};
    ev.u.peer.reset = true;
    node_step(s, n, &ev);
}

void node_event(struct sim *s, struct sim_event *e)
{
    struct node *n = &s->node[e->to];
    switch (e->kind) {
    case SIM_FRAME:
        if (s->link[e->from][e->to].life == e->value) {
            node_frame(s, n, &s->node[e->from], e->frame);
        }
        break;
    case SIM_TICK:
        node_tick(s, n, e->at);
        break;
    case SIM_JOURNAL:
    case SIM_RECORD:
        disk_durable(s, n, e->kind == SIM_JOURNAL, e->value);
        break;
    case SIM_EXECUTED:
        client_executed(s, n, e->block, e->value);
        break;
    case SIM_BUILT:
        client_built(s, n, e->value);
        break;
    case SIM_PEER_UP:
    case SIM_PEER_DOWN:
        peer_event(s, n, e);
        break;
    case SIM_BEAT:
        node_beat(s, n);
        break;
    case SIM_HELD:
        liars_held(s, n, e->value);
        break;
    case SIM_BODY:
        node_body(s, n, e->block);
        break;
    case SIM_STORED:
        users_stored(s, n, e->value);
        break;
    default:
        if (!n->disk.told) {
            n->disk.told = true;
            account_mark(s->account, MARK_WRITE_FAILED);
            struct event ev = {.kind = EVENT_WRITE_FAILED, .peer = -1};
            node_step(s, n, &ev);
        }
        break;
    }
}

static void world_event(struct sim *s, const struct sim_event *e)
{
    if (e->kind == SIM_USER) {
        users_beat(s);
    } else if (!s->healing) {
        const struct harm *h = &s->plan->harm[e->value];
        if (e->kind == SIM_HARM) {
            harm_begin(s, h);
        } else {
            harm_end(s, h);
        }
    }
}

/* False: nothing more before the limit. */
static bool one_event(struct sim *s, uint64_t limit)
{
    static uint64_t instant, count;
    struct sim_event e;
    if (s->end != SIM_PASS || !queue_pop(s, limit, &e)) {
        s->now = limit;
        return false;
    }
    s->now = e.at > s->now ? e.at : s->now;
    count = s->now == instant ? count + 1 : 0;
    instant = s->now;
    if (count > INSTANT_MOST) {
        sim_fail(s, SIM_BOUND, "time stands still: steps without end");
    }
    if (e.to < 0) {
        world_event(s, &e);
    } else if (!stale(s, &e)) {
        if (s->node[e.to].pauses > 0) {
            hold_event(s, &e);
        } else {
            sim_trace(s, e.at, (uint64_t)e.kind << 8 | (uint8_t)e.to);
            node_event(s, &e);
        }
    }
    frame_drop(s, e.frame);
    return true;
}

/* ---- phases ----------------------------------------------------------------------------------- */

static void schedule(struct sim *s)
{
    for (uint32_t i = 0; i < s->plan->harms; i++) {
        const struct harm *h = &s->plan->harm[i];
        struct sim_event e = {.at = s->now + h->at_us, .kind = SIM_HARM, .to = -1, .value = i};
        queue_push(s, e);
        e.at += h->length_us;
        e.kind = SIM_HARM_END;
        queue_push(s, e);
    }
    queue_push(s, (struct sim_event){.at = s->now, .kind = SIM_USER, .to = -1});
}

static void heal_links(struct sim *s)
{
    s->jitter_us = 0;
    s->loss = s->twice = 0;
    for (uint32_t i = 0; i < s->nodes; i++) {
        for (uint32_t j = 0; j < s->nodes; j++) {
            s->link[i][j].cuts = s->link[i][j].deaf_kinds = 0;
            s->link[i][j].extra_us = 0;
        }
    }
}

/* The operator looks after a member that stopped signing because of its client. */
static bool needs_hand(const struct node *n)
{
    struct core_view v = {0};
    if (n->core != NULL) {
        core_get_view(n->core, &v);
    }
    return v.stopped;
}

static void heal_node(struct sim *s, struct node *n)
{
    n->downs = n->errors = n->disagreements = n->drains = n->leaves = 0;
    n->crash_after = 0;
    n->disk.sync_us = s->plan->sync_us;
    n->slow_client_us = 0;
    n->wall_off_ms = 0;
    clock_drift(s, n, 0);
    if (n->hangs > 0) {
        n->hangs = 1;
        client_hang(s, n, false);
    }
    if (n->disk.failing > 0) {
        n->disk.failing = 1;
        disk_fails(s, n, false);
    }
    if (n->pauses > 0) {
        n->pauses = 0;
        node_resume(s, n);
    }
    if (needs_hand(n) && (s->disagreed >> n->member & 1) != 0) {
        node_crash(s, n, LOSE_LITTLE);
    }
    if (!n->up) {
        node_boot(s, n);
    }
}

static void heal(struct sim *s)
{
    sim_tell(s, "-- everything heals");
    s->healing = true;
    heal_links(s);
    for (uint32_t i = 0; i < s->nodes; i++) {
        if (!s->node[i].puppet) {
            heal_node(s, &s->node[i]);
        }
    }
    if (s->plan->rest) {
        liars_quiet(s);
    }
}

static bool all_reached(const struct sim *s, uint64_t height)
{
    for (uint32_t i = 0; i < s->plan->n; i++) {
        const struct node *n = &s->node[i];
        const struct disk_head *h = disk_last_head(n);
        if (sim_honest(s, n) && (h == NULL || h->height < height)) {
            return false;
        }
    }
    return true;
}

static void note_healing(struct sim *s, uint64_t us)
{
    uint32_t bucket = 0;
    while (bucket + 1 < HEAL_BUCKETS && us >= (uint64_t)50 * MS << bucket) {
        bucket++;
    }
    s->account->heal[bucket]++;
    if (us > s->account->heal_worst_us) {
        s->account->heal_worst_us = us;
        s->account->heal_worst_seed = s->plan->seed;
    }
}

/* How everybody stands, for who reads the story of a set that does not go on. */
static void describe(struct sim *s)
{
    for (uint32_t i = 0; i < s->nodes; i++) {
        const struct node *n = &s->node[i];
        struct core_view v = {0};
        if (n->core != NULL) {
            core_get_view(n->core, &v);
        }
        sim_tell(s,
                 "%d: slot %llu turn %llu of %d final %llu notarized %llu executed %llu signed %llu"
                 "%s%s not ready %x heard %x, written %llu durable %llu, stall: %s",
                 n->member, (unsigned long long)v.slot, (unsigned long long)v.turn, v.leader,
                 (unsigned long long)v.final_slot, (unsigned long long)v.notarized_slot,
                 (unsigned long long)v.executed_slot, (unsigned long long)v.highest_signed,
                 v.amnesiac ? " amnesiac" : "", v.stopped ? " stopped" : "", v.not_ready, v.heard,
                 (unsigned long long)n->disk.written, (unsigned long long)disk_persisted(n),
                 skip_reason_name(v.stall_reason));
    }
}

static void must_go_on(struct sim *s)
{
    uint64_t since = s->now;
    uint64_t limit = s->now + s->heal_most_us;
    uint64_t height = oracle_height(s) + MORE_BLOCKS;
    while (!all_reached(s, height) || !users_served(s)) {
        if (!one_event(s, limit)) {
            describe(s);
            sim_fail(s, SIM_LIVENESS, "%s after everything healed",
                     all_reached(s, height) ? "an acknowledged transaction is not confirmed"
                                            : "no progress");
            return;
        }
    }
    note_healing(s, s->now - since);
}

static void close_account(struct sim *s)
{
    struct account *a = s->account;
    a->seeds++;
    a->failed += s->end != SIM_PASS;
    a->simulated_us += s->now - SECOND;
    a->steps += s->steps;
    a->sizes[s->plan->n]++;
    a->marks[MARK_HEALTHY] += s->healthy && s->end == SIM_PASS;
    for (uint32_t i = 0; i < s->nodes; i++) {
        if (s->node[i].core != NULL) {
            struct hash h = core_digest(s->node[i].core);
            sim_trace(s, load_be64(h.b), load_be64(h.b + 8));
        }
    }
}

/* Twins: everybody has passed the scripted slots. */
static bool script_over(const struct sim *s)
{
    for (uint32_t i = 0; i < s->nodes; i++) {
        if (s->node[i].cur <= s->plan->scripted) {
            return false;
        }
    }
    return s->plan->scripted > 0;
}

enum sim_end sim_run(struct sim *s, const struct plan *p, struct account *account, FILE *story)
{
    reset(s, p, account, story);
    schedule(s);
    for (uint32_t i = 0; i < s->nodes && s->end == SIM_PASS; i++) {
        node_boot(s, &s->node[i]);
    }
    uint64_t until = s->now + p->chaos_us;
    while (!script_over(s) && one_event(s, until)) {
    }
    if (s->end == SIM_PASS) {
        heal(s);
        must_go_on(s);
    }
    close_account(s);
    return s->end;
}
