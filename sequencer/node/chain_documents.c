/* The documents of the baton_ namespace: status, members, schedule, epoch (INTERFACE 2). */
#define _GNU_SOURCE
#include <json-c/json.h>

#include "sequencer/node/json_put.h"
#include "sequencer/node/node.h"
#include "sequencer/node/parts.h"

/* ---- members --------------------------------------------------------------------------------- */

static struct json_object *domain_doc(const struct domain *d)
{
    struct json_object *o = json_object_new_object();
    json_put_text(o, "provider", d->provider);
    json_put_text(o, "region", d->region);
    json_put_text(o, "operator", d->operator_name);
    return o;
}

static void put_own_state(struct node *n, struct json_object *o, const struct core_view *v)
{
    json_put_bool(o, "reachable", true);
    json_put_bool(o, "ready", readiness_bits(n) == 0);
    json_put_u64(o, "rttMs", 0);
    json_put_u64(o, "head", v->final_height);
    json_put_u64(o, "lag", 0);
    json_put_u64(o, "lastHeardMs", 0);
    json_put_u64(o, "clockMs", 0);
}

static void put_peer_state(struct node *n, struct json_object *o, uint32_t i,
                           const struct core_view *v)
{
    struct p2p_peer_stats s;
    const struct peer_view *p = &n->peer[i];
    p2p_get_stats(n->p2p, (int)i, &s);
    uint64_t now = driver_now();
    uint64_t head = p->heard ? p->status.final_height : 0;
    bool reachable = s.up && now - s.last_heard_us < 1000000;
    json_put_bool(o, "reachable", reachable);
    json_put_bool(o, "ready", reachable && p->heard && p->status.not_ready == 0);
    json_object_object_add(o, "rttMs", json_object_new_double((double)s.rtt_us / 1e3));
    json_put_u64(o, "head", head);
    json_put_u64(o, "lag", v->final_height > head ? v->final_height - head : 0);
    json_put_u64(o, "lastHeardMs", s.last_heard_us == 0 ? 0 : (now - s.last_heard_us) / 1000);
    const struct clock_peer *c = &n->clock.peer[i];
    json_object_object_add(o, "clockMs", c->known ? json_object_new_int64(c->shown_ms) : NULL);
}

static struct json_object *member_doc(struct node *n, uint32_t i, const struct core_view *v)
{
    const struct member *m = &n->epoch.member[i];
    struct json_object *o = json_object_new_object();
    json_put_u64(o, "index", i);
    json_put_text(o, "name", m->name);
    json_object_object_add(o, "address", json_address(&m->address));
    json_put_u64(o, "weight", m->weight);
    json_put_text(o, "endpoint", m->endpoint);
    json_object_object_add(o, "domain", domain_doc(&m->domain));
    if ((int)i == n->self) {
        put_own_state(n, o, v);
    } else {
        put_peer_state(n, o, i, v);
    }
    json_put_bool(o, "benched", (v->benched & 1u << i) != 0);
    json_put_bool(o, "away", (v->away & 1u << i) != 0);
    json_put_bool(o, "caught", (v->offended & 1u << i) != 0);
    return o;
}

struct json_object *documents_members(struct node *n)
{
    struct core_view v;
    core_get_view(n->driver.core, &v);
    struct json_object *list = json_object_new_array();
    for (uint32_t i = 0; i < n->epoch.n; i++) {
        json_object_array_add(list, member_doc(n, i, &v));
    }
    return list;
}

/* ---- status ---------------------------------------------------------------------------------- */

static struct json_object *leader_doc(const struct node *n, int leader)
{
    struct json_object *o = json_object_new_object();
    if (leader >= 0 && (uint32_t)leader < n->epoch.n) {
        json_put_u64(o, "index", (uint64_t)leader);
        json_object_object_add(o, "address", json_address(&n->epoch.member[leader].address));
        json_put_text(o, "name", n->epoch.member[leader].name);
    }
    return o;
}

static struct json_object *self_doc(struct node *n, const struct core_view *v)
{
    struct rpc_readiness r;
    readiness_look(n, &r);
    const char *role = n->self < 0 || v->amnesiac || v->stopped ? "observer"
                       : v->leader == n->self                   ? "leader"
                                                                : "standby";
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "index", n->self < 0 ? NULL : json_object_new_int(n->self));
    json_object_object_add(o, "address", json_address(&n->address));
    json_put_text(o, "role", role);
    json_put_bool(o, "ready", r.ready);
    struct json_object *reasons = json_object_new_array();
    for (uint32_t i = 0; i < r.reasons; i++) {
        json_object_array_add(reasons, json_object_new_string(r.reason[i]));
    }
    json_object_object_add(o, "reasons", reasons);
    struct json_object *details = json_object_new_array();
    for (uint32_t i = 0; i < r.reasons; i++) {
        json_object_array_add(details, json_object_new_string(r.detail[i]));
    }
    json_object_object_add(o, "details", details);
    json_object_object_add(o, "clockOffsetMs", json_object_new_int64(n->clock.off_ms));
    json_object_object_add(o, "instance", json_hex(n->instance, sizeof n->instance));
    return o;
}

static struct json_object *head_doc(struct node *n)
{
    const struct finality *f = &n->finality;
    uint64_t now = driver_wall(n);
    struct json_object *o = json_object_new_object();
    json_put_u64(o, "number", f->latest_number);
    json_object_object_add(o, "hash", json_hash(&f->latest_payload));
    json_put_u64(o, "timestampMs", f->latest_ms);
    json_put_u64(o, "ageMs", now > f->latest_ms ? now - f->latest_ms : 0);
    json_put_u64(o, "slot", f->latest_slot);
    return o;
}

static const char *stall_word(int reason)
{
    if (reason < 0) {
        return "ok";
    }
    return reason == SKIP_LATE ? "late" : reason == SKIP_SILENT ? "silent" : "stalled";
}

static struct json_object *stall_doc(const struct core_view *v)
{
    bool any = v->stall_since_us != 0 && v->stall_reason >= 0;
    struct json_object *o = json_object_new_object();
    json_put_text(o, "state", any ? stall_word(v->stall_reason) : "ok");
    json_put_u64(o, "sinceMs", any ? (driver_now() - v->stall_since_us) / 1000 : 0);
    json_object_object_add(o, "reason",
                           any ? json_object_new_string(skip_reason_name(v->stall_reason)) : NULL);
    return o;
}

static struct json_object *quorum_doc(const struct node *n)
{
    struct json_object *o = json_object_new_object();
    json_put_u64(o, "weight", n->epoch.total);
    json_put_u64(o, "needed", n->epoch.quorum);
    json_put_u64(o, "reachable", members_weight(&n->epoch, readiness_reachable(n)));
    return o;
}

static struct json_object *pool_doc(const struct node *n)
{
    struct mempool_stats s;
    mempool_get_stats(n->mempool, &s);
    struct json_object *o = json_object_new_object();
    json_put_u64(o, "count", s.count);
    json_put_u64(o, "bytes", s.bytes);
    return o;
}

/* How long the loop thread was busy without a look at its sockets; the histogram is in /metrics. */
static struct json_object *loop_doc(const struct node *n)
{
    const struct driver *d = &n->driver;
    struct json_object *o = json_object_new_object();
    json_put_u64(o, "turns", d->loop_turns);
    json_put_u64(o, "above5Ms", d->loop_late);
    json_object_object_add(o, "worstMs", json_object_new_double((double)d->loop_worst_us / 1e3));
    return o;
}

static struct json_object *client_doc(const struct node *n)
{
    static const char *const word[] = {
        [ENGINE_GREETING] = "greeting",  [ENGINE_READY] = "feeding",
        [ENGINE_LOST] = "lost",          [ENGINE_REFUSED] = "refused",
        [ENGINE_TURNED_AWAY] = "denied", [ENGINE_CLOSED] = "closed",
    };
    struct json_object *o = json_object_new_object();
    bool level = link_is_level(n);
    json_put_text(o, "state", level ? "ready" : word[engine_state(n->link.engine)]);
    json_put_text(o, "why", n->link.why);
    json_put_u64(o, "fed", n->link.fed);
    return o;
}

struct json_object *documents_status(struct node *n)
{
    struct core_view v;
    core_get_view(n->driver.core, &v);
    struct json_object *o = json_object_new_object();
    json_put_u64(o, "chainId", n->epoch.chain_id);
    json_object_object_add(o, "genesis", json_hash(&n->epoch.genesis));
    json_put_u64(o, "epoch", v.epoch);
    json_put_u64(o, "slot", v.slot);
    json_put_u64(o, "turn", v.turn);
    json_object_object_add(o, "leader", leader_doc(n, v.leader));
    json_object_object_add(o, "self", self_doc(n, &v));
    json_object_object_add(o, "unsafe", head_doc(n));
    json_object_object_add(o, "safe", posting_head_doc(n, &n->poster.safe));
    json_object_object_add(o, "finalized", posting_head_doc(n, &n->poster.finalized));
    json_object_object_add(o, "batches", posting_doc(n));
    json_put_bool(o, "catchingUp", !view_ready(n));
    json_object_object_add(o, "stall", stall_doc(&v));
    json_object_object_add(o, "quorum", quorum_doc(n));
    json_put_u64(o, "blockTimeMs", n->epoch.params.block_time_ms);
    json_put_u64(o, "turnSlots", n->epoch.params.turn_slots);
    json_put_text(o, "faultModel", n->epoch.params.fault_model == FAULT_BFT ? "bft" : "crash");
    json_put_text(o, "pace", n->epoch.params.pace == PACE_FIXED ? "fixed" : "demand");
    json_object_object_add(o, "members", documents_members(n));
    json_object_object_add(o, "mempool", pool_doc(n));
    json_object_object_add(o, "loop", loop_doc(n));
    if (n->ledger == NULL) {
        json_object_object_add(o, "executionClient", client_doc(n));
    }
    json_put_u64(o, "takeovers", incidents_total(n->incidents));
    json_put_text(o, "version", "v" NODE_VERSION);
    return o;
}

/* ---- schedule, epoch ------------------------------------------------------------------------- */

struct json_object *documents_schedule(struct node *n, uint64_t count)
{
    struct core_view v;
    core_get_view(n->driver.core, &v);
    struct json_object *list = json_object_new_array();
    uint64_t most = count > 1024 ? 1024 : count;
    for (uint64_t t = v.turn; t < v.turn + most; t++) {
        struct json_object *o = json_object_new_object();
        json_put_u64(o, "turn", t);
        json_put_u64(o, "firstSlot", t * n->epoch.params.turn_slots + 1);
        json_put_u64(o, "lastSlot", (t + 1) * n->epoch.params.turn_slots);
        json_object_object_add(o, "leader", leader_doc(n, core_leader(n->driver.core, t)));
        json_object_array_add(list, o);
    }
    return list;
}

struct json_object *documents_epoch(struct node *n)
{
    const struct epoch_config *e = &n->epoch;
    struct json_object *o = json_object_new_object();
    json_put_u64(o, "epoch", e->epoch);
    json_put_u64(o, "chainId", e->chain_id);
    json_object_object_add(o, "genesis", json_hash(&e->genesis));
    json_object_object_add(o, "config", json_hash(&e->hash));
    json_object_object_add(o, "verifyingContract", json_address(&e->registry));
    json_object_object_add(o, "anchor", json_hash(&n->anchor_hash));
    json_put_text(o, "faultModel", e->params.fault_model == FAULT_BFT ? "bft" : "crash");
    json_put_text(o, "pace", e->params.pace == PACE_FIXED ? "fixed" : "demand");
    json_put_u64(o, "turnSlots", e->params.turn_slots);
    json_put_u64(o, "depth", e->params.depth);
    json_put_u64(o, "blockTimeMs", e->params.block_time_ms);
    json_put_u64(o, "maxIntervalMs", e->params.max_interval_ms);
    json_put_u64(o, "gasLimit", e->params.gas_limit);
    json_put_u64(o, "weight", e->total);
    json_put_u64(o, "faulty", e->faulty);
    json_put_u64(o, "quorum", e->quorum);
    json_put_u64(o, "blocking", e->blocking);
    json_object_object_add(o, "members", documents_members(n));
    return o;
}

/* ---- the one question ------------------------------------------------------------------------ */

static bool certificate_number(struct node *n, const struct rpc_query *q, uint64_t *out)
{
    *out = q->from;
    if (q->by_hash) {
        struct block_entry *e = view_by_payload(n, &q->hash);
        *out = e == NULL ? 0 : e->head.header.height;
    }
    return *out != 0;
}

void documents_answer(void *node, enum rpc_document kind, const struct rpc_query *q,
                      rpc_answer_cb cb, void *arg)
{
    struct node *n = node;
    struct rpc_answer a = {.err = OK};
    uint64_t number = 0;
    switch (kind) {
    case RPC_DOC_STATUS:
        a.doc = documents_status(n);
        break;
    case RPC_DOC_SCHEDULE:
        a.doc = documents_schedule(n, q->count);
        break;
    case RPC_DOC_MEMBERS:
        a.doc = documents_members(n);
        break;
    case RPC_DOC_INCIDENTS:
        a.doc = incidents_json(n->incidents, q->from, q->count);
        break;
    case RPC_DOC_CERTIFICATE:
        a.doc = certificate_number(n, q, &number) ? documents_certificate(n, number) : NULL;
        break;
    case RPC_DOC_RECEIPT_PROOF:
        a.doc = documents_receipt_proof(n, &q->hash);
        break;
    case RPC_DOC_EPOCH:
        a.doc = q->from == n->epoch.epoch ? documents_epoch(n) : NULL;
        break;
    }
    a.err = a.doc == NULL ? ERR_NOT_FOUND : OK;
    cb(arg, &a);
}
