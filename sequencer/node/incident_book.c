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
    }
    for (uint32_t i = 0; i < n->epoch.n; i++) {
        b->peer_label[i] = metrics_label(n->metrics, METRIC_PEER_UP, n->epoch.member[i].name);
        metrics_label(n->metrics, METRIC_PEER_RTT, n->epoch.member[i].name);
    }
}

void book_votes(struct node *n, const struct effect *e)
{
    for (uint32_t i = 0; i < e->u.persist.votes; i++) {
        uint8_t kind = e->u.persist.vote[i].kind;
        if (kind >= VOTE_NOTARIZE && kind <= VOTE_FINALIZE) {
            metrics_add(n->metrics, METRIC_VOTES, n->book.kind_label[kind], 1);
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

void book_skipped(struct node *n, const struct effect *e)
{
    struct book *b = &n->book;
    if (incidents_find_turn(n->incidents, n->epoch.epoch, e->u.skipped.turn) != NULL) {
        return;
    }
    const char *reason =
        e->u.skipped.own_reason >= 0 ? skip_reason_name(e->u.skipped.own_reason) : "seen by others";
    struct incident i = {
        .epoch = n->epoch.epoch,
        .turn = e->u.skipped.turn,
        .slot = e->u.skipped.slot,
        .from = (uint8_t)e->u.skipped.leader,
        .to = (uint8_t)core_leader(n->driver.core, e->u.skipped.turn + 1),
        .started_ms = b->last_final_ms,
        .certificate_ms = driver_wall(n),
        .signers = e->u.skipped.cert != NULL ? e->u.skipped.cert->signers : 0,
    };
    name_of(n, i.from, i.from_name);
    name_of(n, i.to, i.to_name);
    snprintf(i.reason, sizeof i.reason, "%s", reason);
    if (e->u.skipped.own_reason >= 0) {
        snprintf(i.own_reason, sizeof i.own_reason, "%s", reason);
        metrics_add(n->metrics, METRIC_SKIPS, b->reason_label[e->u.skipped.own_reason], 1);
    }
    metrics_add(n->metrics, METRIC_TAKEOVERS, metrics_label(n->metrics, METRIC_TAKEOVERS, reason),
                1);
    uint64_t number = incidents_add(n->incidents, &i);
    if (!b->open) {
        b->open = true;
        b->open_from = number;
    }
    b->open_to = number;
    log_write(LOG_WARN, "consensus", "a turn was skipped", LOG_U64("turn", i.turn),
              LOG_U64("slot", i.slot), LOG_STR("leader", i.from_name), LOG_STR("reason", reason),
              NULL);
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
    if (n->rpc != NULL && rpc_wants_incidents(n->rpc)) {
        struct json_object *doc = incident_json(i);
        rpc_on_incident(n->rpc, doc);
        json_object_put(doc);
    }
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
            close_incident(n, i, gap_us / 1000);
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
    metrics_set(m, METRIC_READY, 0, v.not_ready == 0 ? 1 : 0);
    metrics_set(m, METRIC_CORE_RECORDS, 0, (double)v.records);
    metrics_set(m, METRIC_MEMPOOL_TXS, 0, (double)pool.count);
    metrics_set(m, METRIC_MEMPOOL_BYTES, 0, (double)pool.bytes);
    if (n->health.beats % 250 == 0) {
        process_metrics(m);
    }
}
