#define _GNU_SOURCE
/* What happened, for people: incidents, alarms, evidence and the figures of metrics.def. */
#include <string.h>

#include "sequencer/node/parts.h"
#include "sequencer/observe/process.h"

void book_open(struct node *n)
{
    static const char *const kinds[4] = {"none", "notarize", "skip", "finalize"};
    static const char *const heads[3] = {"unsafe", "safe", "finalized"};
    static const char *const ops[3] = {"build", "execute", "finalize"};
    static const char *const when[3] = {"passed", "current", "ahead"};
    struct book *b = &n->book;
    for (int i = 0; i < SKIP_REASONS; i++) {
        b->reason_label[i] = metrics_label(n->metrics, METRIC_SKIPS, skip_reason_name(i));
        metrics_label(n->metrics, METRIC_TAKEOVERS, skip_reason_name(i));
    }
    for (int i = 0; i < 4; i++) {
        b->kind_label[i] = metrics_label(n->metrics, METRIC_VOTES, kinds[i]);
    }
    for (int i = 0; i < 3; i++) {
        b->head_label[i] = metrics_label(n->metrics, METRIC_HEAD_HEIGHT, heads[i]);
        b->op_label[i] = metrics_label(n->metrics, METRIC_EXECUTION_SECONDS, ops[i]);
        b->when_label[i] = metrics_label(n->metrics, METRIC_SKIPPED_TURNS, when[i]);
    }
    for (uint32_t i = 0; i < n->epoch.n; i++) {
        b->peer_label[i] = metrics_label(n->metrics, METRIC_PEER_UP, n->epoch.member[i].name);
        metrics_label(n->metrics, METRIC_PEER_RTT, n->epoch.member[i].name);
        metrics_label(n->metrics, METRIC_PEER_BANS, n->epoch.member[i].name);
    }
    b->stranger_label[0] = metrics_label(n->metrics, METRIC_PEER_STRANGERS, "failed");
    b->stranger_label[1] = metrics_label(n->metrics, METRIC_PEER_STRANGERS, "refused");
}

/* The own skip is remembered: an incident of that turn tells when and why. */
static void note_skip(struct node *n, uint64_t slot, int reason)
{
    struct own_skip *o = &n->book.own_skip[n->book.own_skips++ % OWN_SKIPS];
    *o = (struct own_skip){.turn = (slot - 1) / n->epoch.params.turn_slots,
                           .at_ms = driver_wall(n),
                           .reason = reason};
    metrics_add(n->metrics, METRIC_SKIPS, n->book.reason_label[reason], 1);
}

void book_votes(struct node *n, const struct effect *e)
{
    n->book.votes_made += e->u.persist.votes;
    for (uint32_t i = 0; i < e->u.persist.votes; i++) {
        const struct vote *v = &e->u.persist.vote[i];
        int reason = e->u.persist.reason == NULL ? -1 : e->u.persist.reason[i];
        if (v->kind >= VOTE_NOTARIZE && v->kind <= VOTE_FINALIZE) {
            metrics_add(n->metrics, METRIC_VOTES, n->book.kind_label[v->kind], 1);
        }
        if (v->kind == VOTE_SKIP && v->slot > 0 && reason >= 0 && reason < SKIP_REASONS) {
            note_skip(n, v->slot, reason);
        }
    }
}

static void name_of(const struct node *n, uint8_t member, char out[INCIDENT_NAME])
{
    memset(out, 0, INCIDENT_NAME);
    if (member < n->epoch.n) {
        snprintf(out, INCIDENT_NAME, "%s", n->epoch.member[member].name);
    }
}

/* Its first own skip: the later ones of a turn follow from it. */
static const struct own_skip *own_skip_of(const struct book *b, uint64_t turn)
{
    uint32_t held = b->own_skips < OWN_SKIPS ? b->own_skips : OWN_SKIPS;
    for (uint32_t k = held; k > 0; k--) {
        const struct own_skip *o = &b->own_skip[(b->own_skips - k) % OWN_SKIPS];
        if (o->turn == turn) {
            return o;
        }
    }
    return NULL;
}

static void add_incident(struct node *n, const struct effect *e, const char *reason)
{
    struct book *b = &n->book;
    const struct own_skip *own = own_skip_of(b, e->u.skipped.turn);
    struct incident i = {
        .epoch = n->epoch.epoch,
        .turn = e->u.skipped.turn,
        .slot = e->u.skipped.slot,
        .from = (uint8_t)e->u.skipped.leader,
        .to = (uint8_t)core_leader(n->driver.core, e->u.skipped.turn + 1),
        .started_ms = b->last_final_ms,
        .skip_signed_ms = own != NULL ? own->at_ms : 0,
        .certificate_ms = driver_wall(n),
        .signers = e->u.skipped.cert != NULL ? e->u.skipped.cert->signers : 0,
    };
    name_of(n, i.from, i.from_name);
    name_of(n, i.to, i.to_name);
    snprintf(i.reason, sizeof i.reason, "%s", reason);
    if (e->u.skipped.own_reason >= 0) {
        snprintf(i.own_reason, sizeof i.own_reason, "%s", reason);
    }
    uint64_t number = incidents_add(n->incidents, &i);
    if (!b->open) {
        b->open = true;
        b->open_from = number;
        b->gap_from_us = b->last_final_us;
    }
    b->open_to = number;
    incident_store(n, incidents_at(n->incidents, number));
}

void book_entered(struct node *n, uint64_t turn)
{
    n->book.turn = turn;
}

/* A takeover is what users may feel: the turn that ran was taken from its leader. One that was
 * given away before it began (its leader is known to be absent), or that had passed here when its
 * certificate was learned, is counted apart and is no incident. */
void book_skipped(struct node *n, const struct effect *e)
{
    struct book *b = &n->book;
    uint64_t turn = e->u.skipped.turn;
    int when = turn > b->turn ? 2 : turn == b->turn && !n->syncing.active ? 1 : 0;
    if (incidents_find_turn(n->incidents, n->epoch.epoch, turn) != NULL) {
        return;
    }
    const char *reason =
        e->u.skipped.own_reason >= 0 ? skip_reason_name(e->u.skipped.own_reason) : "seen by others";
    metrics_add(n->metrics, METRIC_SKIPPED_TURNS, b->when_label[when], 1);
    bool takeover = when == 1;
    if (takeover) {
        metrics_add(n->metrics, METRIC_TAKEOVERS,
                    metrics_label(n->metrics, METRIC_TAKEOVERS, reason), 1);
        add_incident(n, e, reason);
    }
    char leader[INCIDENT_NAME];
    name_of(n, (uint8_t)e->u.skipped.leader, leader);
    log_write(takeover ? LOG_WARN : LOG_INFO, "consensus",
              takeover    ? "a turn was taken over"
              : when == 2 ? "a turn was given away before it began"
                          : "a turn that passed was skipped",
              LOG_U64("turn", turn), LOG_U64("slot", e->u.skipped.slot), LOG_STR("leader", leader),
              LOG_STR("reason", reason), NULL);
}

void book_proposal(struct node *n, const struct header *h)
{
    struct book *b = &n->book;
    for (uint64_t k = b->open_from; b->open && k <= b->open_to; k++) {
        struct incident *i = incidents_at(n->incidents, k);
        if (i != NULL && i->proposal_ms == 0 && h->slot > i->slot && h->leader == i->to) {
            i->proposal_ms = driver_wall(n);
        }
    }
}

static void close_incident(struct node *n, struct incident *i, uint64_t gap_ms)
{
    i->final_ms = driver_wall(n);
    i->gap_ms = gap_ms;
    metrics_observe(n->metrics, METRIC_TAKEOVER_SECONDS, 0, (double)gap_ms / 1e3);
    log_write(LOG_INFO, "consensus", "blocks again after a takeover", LOG_U64("turn", i->turn),
              LOG_STR("leader", i->to_name), LOG_U64("gapMs", gap_ms), NULL);
    incident_store(n, i);
    if (n->rpc != NULL && rpc_wants_incidents(n->rpc)) {
        struct json_object *doc = incident_json(i);
        rpc_on_incident(n->rpc, doc);
        json_object_put(doc);
    }
}

/* From the last block before to the one just final; by the wall clock where the incident was open
 * when the process before this one ended. */
static uint64_t outage_ms(const struct book *b, const struct incident *i)
{
    if (b->gap_from_us != 0) {
        return (b->last_final_us - b->gap_from_us) / 1000;
    }
    bool known = i->started_ms != 0 && b->last_final_ms > i->started_ms;
    return known ? b->last_final_ms - i->started_ms : 0;
}

void book_final(struct node *n, const struct header *h)
{
    struct book *b = &n->book;
    uint64_t now = driver_now();
    uint64_t gap_us = b->last_final_us == 0 ? 0 : now - b->last_final_us;
    if (b->last_final_us != 0) {
        metrics_observe(n->metrics, METRIC_BLOCK_INTERVAL, 0, (double)gap_us / 1e6);
    }
    b->last_final_us = now;
    b->last_final_ms = driver_wall(n);
    for (uint64_t k = b->open_from; b->open && k <= b->open_to; k++) {
        struct incident *i = incidents_at(n->incidents, k);
        if (i != NULL && i->final_ms == 0 && h->slot > i->slot) {
            i->to = h->leader;
            name_of(n, i->to, i->to_name);
            close_incident(n, i, outage_ms(b, i));
        }
        if (k == b->open_from && (i == NULL || i->final_ms != 0)) {
            b->open_from = k + 1;
        }
    }
    b->open = b->open && b->open_from <= b->open_to;
}

void book_evidence(struct node *n, const struct effect *e)
{
    static const char *const kinds[4] = {"proposal", "notarize", "skip", "finalize"};
    const char *first = kinds[e->u.evidence.first_kind & 3];
    const char *second = kinds[e->u.evidence.second_kind & 3];
    metrics_add(n->metrics, METRIC_EVIDENCE, metrics_label(n->metrics, METRIC_EVIDENCE, first), 1);
    log_write(LOG_ERROR, "consensus", "a member signed two objects that exclude each other",
              LOG_I64("member", e->u.evidence.member), LOG_U64("slot", e->u.evidence.slot),
              LOG_STR("first", first), LOG_STR("second", second),
              LOG_HASH("firstBlock", &e->u.evidence.first),
              LOG_HASH("secondBlock", &e->u.evidence.second), NULL);
}

void book_alarm(struct node *n, const struct effect *e)
{
    const char *name = alarm_name(e->u.alarm.what);
    struct core_view v;
    core_get_view(n->driver.core, &v);
    if (v.stopped && n->book.stopped[0] == '\0') {
        snprintf(n->book.stopped, sizeof n->book.stopped,
                 "%s at slot %llu: nothing is signed any more; look at the log, then start again",
                 name, (unsigned long long)e->u.alarm.slot);
    }
    metrics_add(n->metrics, METRIC_ALARMS, metrics_label(n->metrics, METRIC_ALARMS, name), 1);
    log_write(LOG_ERROR, "consensus", "alarm", LOG_STR("what", name),
              LOG_U64("slot", e->u.alarm.slot), LOG_I64("member", e->u.alarm.member), NULL);
}

void book_limit(struct node *n, const char *limit)
{
    metrics_add(n->metrics, METRIC_LIMIT_HITS, metrics_label(n->metrics, METRIC_LIMIT_HITS, limit),
                1);
}

void book_gauges(struct node *n)
{
    struct metrics *m = n->metrics;
    struct core_view v;
    struct mempool_stats pool;
    core_get_view(n->driver.core, &v);
    mempool_get_stats(n->mempool, &pool);
    metrics_set(m, METRIC_HEAD_HEIGHT, n->book.head_label[0], (double)n->finality.latest_number);
    metrics_set(m, METRIC_HEAD_AGE, 0,
                n->finality.seen_us == 0 ? 0 : (double)(driver_now() - n->finality.seen_us) / 1e6);
    metrics_set(m, METRIC_SLOT, 0, (double)v.slot);
    metrics_set(m, METRIC_TURN, 0, (double)v.turn);
    metrics_set(m, METRIC_IS_LEADER, 0, v.leader == n->self ? 1 : 0);
    metrics_set(m, METRIC_READY, 0, readiness_bits(n) == 0 ? 1 : 0);
    metrics_set(m, METRIC_CORE_RECORDS, 0, (double)v.records);
    metrics_set(m, METRIC_MEMPOOL_TXS, 0, (double)pool.count);
    metrics_set(m, METRIC_MEMPOOL_BYTES, 0, (double)pool.bytes);
    posting_gauges(n);
    if (n->health.beats % 250 == 0) {
        process_metrics(m);
    }
}
