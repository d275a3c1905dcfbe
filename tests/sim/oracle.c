/* Agreement, what is final, what leaves, whom they blame. */
#include "tests/sim/oracle.h"

#include <stdlib.h>

#include "proto/system.h"

struct oracle *oracle_new(void)
{
    return calloc(1, sizeof(struct oracle));
}

void oracle_free(struct oracle *o)
{
    for (uint64_t i = 0; i < SIM_SLOTS; i++) {
        free(o->cert[i]);
    }
    free(o);
}

void oracle_reset(struct sim *s)
{
    struct oracle *o = s->oracle;
    uint64_t used = o->top + 1 < SIM_SLOTS ? o->top + 1 : SIM_SLOTS;
    for (int k = 0; k < ORACLE_KINDS; k++) {
        for (int m = 0; m < SIM_MEMBERS; m++) {
            memset(o->tag[k][m], 0, used * sizeof(uint64_t));
        }
        memset(o->durable[k], 0, used);
    }
    memset(o->final_at, 0, used * sizeof *o->final_at);
    memset(o->skipped, 0, sizeof o->skipped);
    for (uint64_t i = 0; i < used; i++) {
        free(o->cert[i]);
        o->cert[i] = NULL;
    }
    memset(o->node, 0, sizeof o->node);
    for (int i = 0; i < SIM_NODES; i++) {
        oracle_died(s, &s->node[i]);
        o->node[i].block = NO_BLOCK;
    }
    o->top = o->top_height = o->top_final = 0;
}

bool oracle_liar(const struct sim *s, int member)
{
    return ((s->plan->liars | s->forgiven) >> member & 1) != 0;
}

bool oracle_slot(struct sim *s, uint64_t slot)
{
    if (slot >= SIM_SLOTS - SIM_MEMBERS) {
        sim_fail(s, SIM_HARNESS, "more slots than the oracle has room for");
        return false;
    }
    s->oracle->top = slot > s->oracle->top ? slot : s->oracle->top;
    return true;
}

uint64_t oracle_height(const struct sim *s)
{
    return s->oracle->top_height;
}

uint64_t oracle_top_slot(const struct sim *s)
{
    return s->oracle->top_final;
}

uint32_t oracle_final_at(const struct sim *s, uint64_t slot)
{
    return slot < SIM_SLOTS && s->oracle->final_at[slot] != 0 ? s->oracle->final_at[slot] - 1
                                                              : NO_BLOCK;
}

const struct certificate *oracle_certificate(const struct sim *s, uint64_t slot)
{
    return slot < SIM_SLOTS ? s->oracle->cert[slot] : NULL;
}

/* ---- what is final ----------------------------------------------------------------------------
 */

/* The block follows what this node delivered before, and nothing final lies between. */
static bool follows(struct sim *s, struct node *n, uint32_t b)
{
    const struct oracle *o = s->oracle;
    const struct header *h = &s->block[b].head.header;
    uint64_t slot = o->node[n->index].block == NO_BLOCK ? 0 : o->node[n->index].slot;
    uint64_t height = o->node[n->index].height + ((h->flags & FLAG_EMPTY) == 0);
    if (h->parent_slot != slot || h->height != height) {
        sim_fail(s, SIM_SAFETY, "member %d: final slot %llu, height %llu does not follow slot %llu",
                 n->member, (unsigned long long)h->slot, (unsigned long long)h->height,
                 (unsigned long long)slot);
        return false;
    }
    for (uint64_t u = slot + 1; u < h->slot; u++) {
        if (o->final_at[u] != 0) {
            sim_fail(s, SIM_SAFETY, "member %d passes over slot %llu, which is final elsewhere",
                     n->member, (unsigned long long)u);
            return false;
        }
    }
    return true;
}

static void check_bench(struct sim *s, struct node *n, uint32_t b, const struct effect *e)
{
    uint64_t x = e->u.final.bench_len;
    for (size_t i = 0; i + 8 <= e->u.final.bench_len; i += 8) {
        x = dice_mix(x ^ load_be64(e->u.final.bench + i));
    }
    if (s->block[b].bench != 0 && s->block[b].bench != x) {
        sim_fail(s, SIM_INVARIANT, "member %d: benching differs after slot %llu", n->member,
                 (unsigned long long)s->block[b].head.header.slot);
    }
    s->block[b].bench = x;
}

/* What its system section says; nobody honest is accused in it. */
static void check_section(struct sim *s, uint32_t b)
{
    struct system_section section;
    struct evidence e;
    size_t at = 0;
    if (system_decode(&section, s->block[b].head.system) != OK) {
        sim_fail(s, SIM_SAFETY, "a final block's system section does not decode");
        return;
    }
    s->account->marks[MARK_READY_NOTICE] += section.notices_n;
    s->account->marks[MARK_LEAVE_NOTICE] += section.leaves_n;
    s->account->marks[MARK_EVIDENCE_FINAL] += section.evidence_n;
    while (system_next_evidence(&section, &at, &e)) {
        if (!oracle_liar(s, e.member)) {
            sim_fail(s, SIM_SAFETY, "evidence against honest member %d is final", e.member);
        }
    }
}

static void first_time(struct sim *s, uint32_t b)
{
    check_section(s, b);
    struct oracle *o = s->oracle;
    const struct header *h = &s->block[b].head.header;
    s->account->slots_final++;
    s->account->payloads_final += (h->flags & FLAG_EMPTY) == 0;
    s->account->marks[MARK_EMPTY_FINAL] += (h->flags & FLAG_EMPTY) != 0;
    s->account->marks[MARK_LAST_FINAL] += (h->flags & FLAG_LAST) != 0;
    o->top_height = h->height > o->top_height ? h->height : o->top_height;
    o->top_final = h->slot > o->top_final ? h->slot : o->top_final;
    sim_tell(s, "=> slot %llu height %llu of %d is final%s%s", (unsigned long long)h->slot,
             (unsigned long long)h->height, (int)h->leader,
             (h->flags & FLAG_EMPTY) != 0 ? " EMPTY" : "",
             (h->flags & FLAG_LAST) != 0 ? " LAST" : "");
}

static void covered(struct sim *s, struct node *n, uint32_t b, const struct certificate *cert)
{
    struct oracle *o = s->oracle;
    const struct block_head *head = &s->block[b].head;
    if (cert->kind != VOTE_FINALIZE || cert->slot != head->header.slot ||
        !hash_equal(&cert->block, &head->hash) || !keys_certificate(s, cert)) {
        sim_fail(s, SIM_SAFETY, "member %d: slot %llu is said to be final by a wrong certificate",
                 n->member, (unsigned long long)head->header.slot);
        return;
    }
    o->node[n->index].uncovered_us = 0;
    o->node[n->index].cert = *cert;
    if (o->cert[cert->slot] == NULL) {
        o->cert[cert->slot] = malloc(sizeof *cert);
        if (o->cert[cert->slot] != NULL) {
            *o->cert[cert->slot] = *cert;
        }
        s->account->certificates++;
    }
}

static void keep_head(struct sim *s, struct node *n, uint32_t b, const struct effect *e)
{
    const struct header *h = &s->block[b].head.header;
    struct disk_head *at = disk_head(n);
    at->block = b;
    at->height = h->height;
    at->slot = h->slot;
    at->cert = *e->u.final.cert;
    at->bench_len = e->u.final.bench_len;
    if (at->bench_len > sizeof at->bench) {
        sim_fail(s, SIM_HARNESS, "the benching state is longer than there is room for");
        return;
    }
    memcpy(at->bench, e->u.final.bench, at->bench_len);
}

void oracle_final(struct sim *s, struct node *n, const struct effect *e)
{
    struct oracle *o = s->oracle;
    uint32_t b = world_add(s, e->u.final.head);
    const struct header *h = &s->block[b].head.header;
    if (!oracle_slot(s, h->slot)) {
        return;
    }
    if (sim_lies(s, n->member)) {
        if (e->u.final.cert != NULL) {
            keep_head(s, n, b, e);
        }
        return;
    }
    if (o->final_at[h->slot] != 0 && o->final_at[h->slot] != b + 1) {
        sim_fail(s, SIM_SAFETY, "agreement: two final blocks at slot %llu",
                 (unsigned long long)h->slot);
        return;
    }
    if (!follows(s, n, b)) {
        return;
    }
    if ((n->holds[b] & HOLDS_BODY) == 0 && !world_empty(&s->block[b])) {
        sim_fail(s, SIM_INVARIANT, "member %d: final slot %llu without its body", n->member,
                 (unsigned long long)h->slot);
        return;
    }
    check_bench(s, n, b, e);
    if (o->final_at[h->slot] == 0) {
        o->final_at[h->slot] = b + 1;
        first_time(s, b);
    }
    o->node[n->index].block = b;
    o->node[n->index].slot = h->slot;
    o->node[n->index].height = h->height;
    if (e->u.final.cert != NULL) {
        covered(s, n, b, e->u.final.cert);
        keep_head(s, n, b, e);
    } else {
        account_mark(s->account, MARK_FINAL_INDIRECT);
        o->node[n->index].uncovered_us = s->now;
    }
}

/* ---- skips, blame, alarms ---------------------------------------------------------------------
 */

/* Some slot that the skip voids had a block that honest votes alone notarize. */
static bool notarized_within(const struct sim *s, uint64_t slot)
{
    for (uint64_t u = slot; u < oracle_first(s, slot) + s->plan->turn_slots; u++) {
        for (uint32_t i = 0; i < s->plan->n; i++) {
            uint64_t tag = s->oracle->tag[ORACLE_NOTARIZE][i][u];
            if (tag != 0 && s->plan->liars == 0 && oracle_notarizable(s, u, tag)) {
                return true;
            }
        }
    }
    return false;
}

void oracle_skipped(struct sim *s, struct node *n, const struct effect *e)
{
    struct oracle *o = s->oracle;
    const struct certificate *cert = e->u.skipped.cert;
    uint64_t turn = (cert->slot - 1) / s->plan->turn_slots;
    if (!sim_lies(s, n->member) &&
        (cert->kind != VOTE_SKIP || turn != e->u.skipped.turn || !keys_certificate(s, cert))) {
        sim_fail(s, SIM_SAFETY, "member %d: turn %llu is said to be skipped by a wrong certificate",
                 n->member, (unsigned long long)e->u.skipped.turn);
        return;
    }
    if (turn >= SIM_SLOTS || o->skipped[turn] != 0) {
        return;
    }
    o->skipped[turn] = 1;
    s->account->takeovers++;
    account_mark(s->account, MARK_TAKEOVER);
    s->account->marks[MARK_TAKEOVER_TWICE] += turn > 0 && o->skipped[turn - 1] != 0;
    s->account->marks[MARK_SKIP_INSIDE] += (cert->slot - 1) % s->plan->turn_slots != 0;
    s->account->marks[MARK_NOTARIZED_NOT_FINAL] += notarized_within(s, cert->slot);
    sim_tell(s, "=> turn %llu of %d is skipped from slot %llu", (unsigned long long)turn,
             e->u.skipped.leader, (unsigned long long)cert->slot);
    if (s->healthy) {
        sim_fail(s, SIM_LIVENESS, "a turn was skipped though nothing was wrong");
    }
}

void oracle_blames(struct sim *s, struct node *n, int member, const char *what)
{
    bool liar = n->puppet || oracle_liar(s, n->member) || oracle_liar(s, member);
    if (!liar) {
        sim_fail(s, SIM_SAFETY, "member %d blames honest member %d: %s", n->member, member, what);
    }
    sim_tell(s, "%d: blames %d: %s", n->member, member, what);
}

void oracle_alarm(struct sim *s, struct node *n, enum alarm_kind what)
{
    uint32_t bit = 1u << n->member;
    if (oracle_liar(s, n->member)) {
        s->account->marks[MARK_COPY_FOUND] +=
            what == ALARM_AMNESIAC && (s->forgiven & bit) != 0 && !n->disk.amnesiac;
        return;
    }
    bool expected = what == ALARM_WRITE_FAILED ||
                    (what == ALARM_AMNESIAC && (s->forgot & bit) != 0) ||
                    (what == ALARM_DIVERGENCE && (s->disagreed & bit) != 0);
    if (!expected) {
        sim_fail(s, what == ALARM_RECORDS_FULL ? SIM_BOUND : SIM_SAFETY, "member %d: alarm: %s",
                 n->member, alarm_name(what));
    }
}

/* A start goes back to what is durable, and delivers from there. */
void oracle_restarted(struct sim *s, struct node *n)
{
    struct oracle *o = s->oracle;
    const struct disk_head *h = disk_last_head(n);
    o->node[n->index].block = h == NULL ? NO_BLOCK : h->block;
    o->node[n->index].slot = h == NULL ? 0 : h->slot;
    o->node[n->index].height = h == NULL ? 0 : h->height;
    o->node[n->index].uncovered_us = 0;
}

/* ---- now and then -------------------------------------------------------------------------------
 */

void oracle_look(struct sim *s, struct node *n)
{
    struct oracle *o = s->oracle;
    uint32_t i = (uint32_t)n->index;
    if (n->core == NULL || o->node[i].looks++ % 8 != 0) {
        return;
    }
    struct core_view v;
    core_get_view(n->core, &v);
    if (o->node[i].life != n->life) {
        o->node[i].life = n->life;
        o->node[i].cur = 0;
    }
    bool back = v.slot < o->node[i].cur && !sim_lies(s, n->member);
    o->node[i].cur = v.slot;
    s->account->marks[MARK_BENCHED] += v.benched != 0;
    if (back) {
        sim_fail(s, SIM_INVARIANT, "member %d: the current slot fell", n->member);
    } else if (v.records > LIMIT_CORE_RECORDS || v.blocks > LIMIT_CORE_RECORDS) {
        sim_fail(s, SIM_BOUND, "member %d: more records than there may be", n->member);
    } else if (o->node[i].uncovered_us != 0 && s->now > o->node[i].uncovered_us + SECOND &&
               !sim_lies(s, n->member)) {
        sim_fail(s, SIM_SAFETY, "member %d: delivered blocks without a certificate", n->member);
    }
}
