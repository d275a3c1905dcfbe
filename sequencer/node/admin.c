/* What an operator may ask of a running node: drain, hand over, log level, peers; and the faults of
 * a devnet (INTERFACE 1 and 2, sequencer/cli/chaos.h). */
#define _GNU_SOURCE
#include <json-c/json.h>
#include <string.h>

#include "sequencer/node/json_put.h"
#include "sequencer/node/parts.h"

/* ---- chaos ----------------------------------------------------------------------------------- */

static void apply_faults(struct node *n)
{
    for (uint32_t i = 0; i < n->epoch.n; i++) {
        const struct p2p_fault f = {
            .cut = (n->chaos.cut & 1u << i) != 0,
            .delay_ms = n->chaos.slow_ms,
            .drop_percent = n->chaos.drop_percent,
        };
        if ((int)i != n->self) {
            p2p_set_fault(n->p2p, (int)i, &f);
        }
    }
}

static void set_stall(struct node *n, bool stall)
{
    n->chaos.stall = stall && n->ledger != NULL; /* a client is stopped from outside */
    if (n->ledger != NULL) {
        ledger_service_stall(n->ledger, stall);
    }
}

static struct json_object *faults_doc(const struct node *n)
{
    struct json_object *o = json_object_new_object();
    struct json_object *cut = json_object_new_array();
    for (int i = 0; i < LIMIT_MEMBERS; i++) {
        if ((n->chaos.cut & 1u << i) != 0) {
            json_object_array_add(cut, json_object_new_int(i));
        }
    }
    json_object_object_add(o, "partition", cut);
    json_object_object_add(o, "slow", json_object_new_int64(n->chaos.slow_ms));
    json_object_object_add(o, "drop", json_object_new_int64(n->chaos.drop_percent));
    json_object_object_add(o, "stall", json_object_new_boolean(n->chaos.stall));
    json_object_object_add(o, "skew", json_object_new_int64(n->driver.skew_ms));
    return o;
}

static bool read_members(const struct node *n, struct json_object *list, uint32_t *out)
{
    *out = 0;
    if (!json_object_is_type(list, json_type_array)) {
        return false;
    }
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *o = json_object_array_get_idx(list, i);
        int64_t member = json_object_get_int64(o);
        if (!json_object_is_type(o, json_type_int) || member < 0 || member >= (int64_t)n->epoch.n) {
            return false;
        }
        *out |= 1u << member;
    }
    return true;
}

static bool read_number(struct json_object *o, int64_t low, int64_t high, int64_t *out)
{
    *out = json_object_get_int64(o);
    return json_object_is_type(o, json_type_int) && *out >= low && *out <= high;
}

static void heal(struct node *n)
{
    memset(&n->chaos, 0, sizeof n->chaos);
    n->driver.skew_ms = 0;
    set_stall(n, false);
}

/* False: the words do not fit. */
static bool chaos_act(struct node *n, const char *action, struct json_object *value)
{
    int64_t number = 0;
    if (strcmp(action, "partition") == 0) {
        uint32_t cut;
        if (!read_members(n, value, &cut)) {
            return false;
        }
        n->chaos.cut = cut;
    } else if (strcmp(action, "heal") == 0) {
        heal(n);
    } else if (strcmp(action, "slow") == 0 && read_number(value, 0, 60000, &number)) {
        n->chaos.slow_ms = (uint32_t)number;
    } else if (strcmp(action, "drop") == 0 && read_number(value, 0, 100, &number)) {
        n->chaos.drop_percent = (uint32_t)number;
    } else if (strcmp(action, "stall") == 0 || strcmp(action, "unstall") == 0) {
        set_stall(n, action[0] == 's');
    } else if (strcmp(action, "skew") == 0 && read_number(value, -86400000, 86400000, &number)) {
        n->driver.skew_ms = number;
    } else if (strcmp(action, "status") != 0) {
        return false;
    }
    apply_faults(n);
    return true;
}

static void admin_chaos(struct node *n, const struct rpc_query *q, struct rpc_answer *a)
{
    if (!n->genesis.devnet) {
        a->err = ERR_REFUSED;
        a->why = "admin_chaos exists only on a devnet: this genesis does not say \"devnet\": true";
        return;
    }
    struct json_object *value = q->params == NULL ? NULL : json_object_array_get_idx(q->params, 1);
    if (!chaos_act(n, q->text, value)) {
        a->err = ERR_USAGE;
        a->code = -32602;
        a->why = "unknown fault or parameter; known: partition [members], heal, slow ms, drop "
                 "percent, stall, unstall, skew ms, status";
        return;
    }
    log_write(LOG_WARN, "node", "devnet fault", LOG_STR("action", q->text), NULL);
    a->doc = faults_doc(n);
}

/* ---- peers ----------------------------------------------------------------------------------- */

static struct json_object *peer_doc(const struct node *n, uint32_t i)
{
    struct p2p_peer_stats s;
    p2p_get_stats(n->p2p, (int)i, &s);
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "index", json_object_new_int((int)i));
    json_put_text(o, "name", n->epoch.member[i].name);
    json_put_bool(o, "up", s.up);
    json_put_text(o, "address", s.address);
    json_put_u64(o, "rttUs", s.rtt_us);
    json_put_u64(o, "oneWayP50Us", s.one_way_p50_us);
    json_put_u64(o, "oneWayP99Us", s.one_way_p99_us);
    json_put_u64(o, "framesIn", s.frames_in);
    json_put_u64(o, "framesOut", s.frames_out);
    json_put_u64(o, "bytesIn", s.bytes_in);
    json_put_u64(o, "bytesOut", s.bytes_out);
    json_put_u64(o, "dropped", s.dropped);
    json_put_u64(o, "connects", s.connects);
    json_put_u64(o, "bans", s.bans);
    json_put_u64(o, "queuedBytes", s.queued_bytes);
    return o;
}

static struct json_object *peers_doc(const struct node *n)
{
    struct json_object *list = json_object_new_array();
    for (uint32_t i = 0; i < n->epoch.n; i++) {
        if ((int)i != n->self) {
            json_object_array_add(list, peer_doc(n, i));
        }
    }
    return list;
}

/* ---- the one question ------------------------------------------------------------------------ */

static void admin_log_level(const struct rpc_query *q, struct rpc_answer *a)
{
    int level = log_level_parse(q->text);
    if (level < 0) {
        a->err = ERR_USAGE;
        a->code = -32602;
        a->why = "unknown level: give error, warn, info or debug";
        return;
    }
    log_set_level((enum log_level)level);
    a->doc = json_object_new_boolean(1);
}

static void admin_drain(struct node *n, uint64_t seconds)
{
    const uint64_t most = 86400;
    n->health.draining_until_us = driver_now() + (seconds > most ? most : seconds) * 1000000;
    n->health.hand_over = false;
}

void admin_answer(void *node, enum rpc_admin_call call, const struct rpc_query *q, rpc_answer_cb cb,
                  void *arg)
{
    struct node *n = node;
    struct rpc_answer a = {.err = OK};
    switch (call) {
    case RPC_ADMIN_DRAIN:
        admin_drain(n, q->count);
        a.doc = json_object_new_boolean(1);
        break;
    case RPC_ADMIN_HAND_OVER:
        n->health.hand_over = true;
        n->health.draining_until_us = UINT64_MAX;
        a.doc = json_object_new_boolean(1);
        break;
    case RPC_ADMIN_JOIN:
    case RPC_ADMIN_LEAVE:
        a.err = ERR_REFUSED;
        a.why = "this version keeps the members of the genesis: make a new genesis to change them";
        break;
    case RPC_ADMIN_SET_LOG_LEVEL:
        admin_log_level(q, &a);
        break;
    case RPC_ADMIN_PEERS:
        a.doc = peers_doc(n);
        break;
    case RPC_ADMIN_CHAOS:
        admin_chaos(n, q, &a);
        break;
    }
    cb(arg, &a);
}
