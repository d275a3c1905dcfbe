/* One plan from the start to the audit: chaos, then everything heals and the set must go on. */
#include <stdarg.h>

#include "tests/sim/adversary.h"
#include "tests/sim/users.h"

enum { MORE_BLOCKS = 3 };

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

/* ---- phases -----------------------------------------------------------------------------------
 */

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
    n->disk.doomed = false;
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
                 (unsigned long long)n->disk.written, (unsigned long long)n->disk.journal,
                 skip_reason_name(v.stall_reason));
    }
}

static bool served(const struct sim *s, uint64_t height)
{
    (void)height;
    return users_served(s);
}

static bool within(struct sim *s, uint64_t us, bool (*done)(const struct sim *s, uint64_t height),
                   uint64_t height)
{
    uint64_t limit = s->now + us;
    while (!done(s, height)) {
        if (!sim_event(s, limit)) {
            return false;
        }
    }
    return true;
}

/* Nonces that were acknowledged on both sides of a cut need turns of many leaders: more time. */
static void must_go_on(struct sim *s)
{
    uint64_t since = s->now;
    if (!within(s, s->heal_most_us, all_reached, oracle_height(s) + MORE_BLOCKS)) {
        describe(s);
        sim_fail(s, SIM_LIVENESS, "no progress after everything healed");
        return;
    }
    note_healing(s, s->now - since);
    if (!within(s, 10 * HEAL_MOST_US, served, 0)) {
        describe(s);
        sim_fail(s, SIM_LIVENESS, "an acknowledged transaction is not confirmed");
    }
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
    sim_reset(s, p, account, story);
    schedule(s);
    for (uint32_t i = 0; i < s->nodes && s->end == SIM_PASS; i++) {
        node_boot(s, &s->node[i]);
    }
    uint64_t until = s->now + p->chaos_us;
    while (!script_over(s) && sim_event(s, until)) {
    }
    if (s->end == SIM_PASS) {
        heal(s);
        must_go_on(s);
    }
    close_account(s);
    return s->end;
}
