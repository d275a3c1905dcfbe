#define _GNU_SOURCE
#include "sequencer/rpc/subscribe.h"

#include <openssl/rand.h>
#include <stdlib.h>

#include "proto/limits.h"
#include "sequencer/rpc/call.h"
#include "sequencer/rpc/params.h"
#include "sequencer/rpc/render.h"
#include "sequencer/rpc/send.h"
#include "sequencer/rpc/ws.h"

enum { ID_BYTES = 16 };

struct subscription {
    struct subscription *next;
    enum topic topic;
    char id[HEX_SIZE(ID_BYTES)];
};

/* ---- subscribing ---------------------------------------------------------------------------- */

static void add(struct call *c, enum topic topic)
{
    struct connection *conn = c->message->conn;
    uint8_t id[ID_BYTES];
    if (conn->mode != CONNECTION_WS) {
        call_error(c, CODE_METHOD, "notifications not supported");
        return;
    }
    if (conn->subscriptions_n >= LIMIT_RPC_SUBSCRIPTIONS) {
        server_limit_hit(conn->rpc, "RPC_SUBSCRIPTIONS");
        call_error(c, CODE_BUSY, "too many subscriptions on this connection, at most %d",
                   LIMIT_RPC_SUBSCRIPTIONS);
        return;
    }
    struct subscription *s = calloc(1, sizeof *s);
    if (s == NULL || RAND_bytes(id, sizeof id) != 1) {
        free(s);
        call_error(c, CODE_INTERNAL, "%s", err_text(ERR_NO_MEMORY));
        return;
    }
    hex_encode(s->id, id, sizeof id);
    s->topic = topic;
    s->next = conn->subscriptions;
    conn->subscriptions = s;
    conn->subscriptions_n++;
    conn->rpc->subscribers[topic]++;
    text_json(call_result(c), s->id, strlen(s->id));
    call_done(c);
}

static const struct kind {
    const char *name;
    enum topic topic;
} eth_kinds[] = {{"newHeads", TOPIC_NEW_HEADS},
                 {"logs", TOPIC_LOGS},
                 {"newPendingTransactions", TOPIC_PENDING}},
  baton_kinds[] = {{"status", TOPIC_STATUS},
                   {"certificates", TOPIC_CERTIFICATES},
                   {"incidents", TOPIC_INCIDENTS},
                   {"accepted", TOPIC_ACCEPTED},
                   {"blocks", TOPIC_BLOCKS}};

/* The kind that the first parameter names; answers where there is none. */
static bool find_kind(struct call *c, const struct kind *kinds, size_t n, const char *space,
                      enum topic *out)
{
    const char *name;
    if (!params_text(c, 0, &name)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            *out = kinds[i].topic;
            return true;
        }
    }
    call_error(c, CODE_METHOD, "no \"%.64s\" subscription in %s namespace", name, space);
    return false;
}

void eth_subscribe(struct call *c)
{
    enum topic topic;
    if (!find_kind(c, eth_kinds, sizeof eth_kinds / sizeof *eth_kinds, "eth", &topic)) {
        return;
    }
    bool full = topic == TOPIC_PENDING && json_object_is_type(params_at(c, 1), json_type_boolean) &&
                json_object_get_boolean(params_at(c, 1));
    add(c, full ? TOPIC_PENDING_FULL : topic);
}

void baton_subscribe(struct call *c)
{
    enum topic topic;
    if (find_kind(c, baton_kinds, sizeof baton_kinds / sizeof *baton_kinds, "baton", &topic)) {
        add(c, topic);
    }
}

static void forget(struct connection *c, struct subscription **at)
{
    struct subscription *s = *at;
    *at = s->next;
    c->subscriptions_n--;
    c->rpc->subscribers[s->topic]--;
    free(s);
}

void subscribe_forget_all(struct connection *c)
{
    while (c->subscriptions != NULL) {
        forget(c, &c->subscriptions);
    }
}

void eth_unsubscribe(struct call *c)
{
    const char *id;
    if (!params_text(c, 0, &id)) {
        return;
    }
    struct connection *conn = c->message->conn;
    for (struct subscription **at = &conn->subscriptions; *at != NULL; at = &(*at)->next) {
        if (strcmp((*at)->id, id) == 0) {
            forget(conn, at);
            call_raw(c, "true");
            return;
        }
    }
    if (conn->mode != CONNECTION_WS) {
        call_error(c, CODE_METHOD, "notifications not supported");
    } else {
        call_error(c, CODE_SERVER, "subscription not found");
    }
}

/* ---- notifying ------------------------------------------------------------------------------ */

static const char *notification(enum topic topic)
{
    return topic <= TOPIC_PENDING_FULL ? "eth_subscription" : "baton_subscription";
}

static void send_to(struct connection *c, const struct subscription *s, const struct text *result)
{
    struct text t = {0};
    TEXT_LITERAL(&t, "{\"jsonrpc\":\"2.0\",\"method\":\"");
    text_str(&t, notification(s->topic));
    TEXT_LITERAL(&t, "\",\"params\":{\"subscription\":\"");
    text_str(&t, s->id);
    TEXT_LITERAL(&t, "\",\"result\":");
    text_put(&t, result->p, result->n);
    TEXT_LITERAL(&t, "}}");
    if (t.failed) {
        text_free(&t);
        connection_close(c);
        return;
    }
    ws_send(c, &t);
}

/* Sends the same result to all who asked for it. Sending may cut a slow reader, and with it its
 * subscriptions: the connection is looked at again before each. */
static void notify(struct rpc *r, enum topic topic, struct text *result)
{
    struct connection *next;
    for (struct connection *c = r->connections; c != NULL && !result->failed; c = next) {
        next = c->next;
        struct subscription *after;
        for (struct subscription *s = c->subscriptions;
             s != NULL && !c->closing && c->mode == CONNECTION_WS; s = after) {
            after = s->next;
            if (s->topic == topic) {
                send_to(c, s, result);
            }
        }
    }
    text_free(result);
}

void rpc_on_final(struct rpc *r, const struct rpc_block *b)
{
    if (r == NULL || r->closing) {
        return;
    }
    send_final(r, b);
    if (r->subscribers[TOPIC_NEW_HEADS] > 0) {
        struct text t = {0};
        render_header(&t, b);
        TEXT_LITERAL(&t, "}");
        notify(r, TOPIC_NEW_HEADS, &t);
    }
    if (r->subscribers[TOPIC_BLOCKS] > 0) {
        struct text t = {0};
        render_summary(&t, b);
        notify(r, TOPIC_BLOCKS, &t);
    }
}

void rpc_on_accepted(struct rpc *r, const struct rpc_block *b)
{
    if (r != NULL && !r->closing && r->subscribers[TOPIC_ACCEPTED] > 0) {
        struct text t = {0};
        render_summary(&t, b);
        notify(r, TOPIC_ACCEPTED, &t);
    }
}

void rpc_on_pending_tx(struct rpc *r, const struct hash *hash, struct bytes raw,
                       const struct address *sender)
{
    struct tx tx;
    struct text t = {0};
    if (r == NULL || r->closing) {
        return;
    }
    if (r->subscribers[TOPIC_PENDING] > 0) {
        text_hash(&t, hash);
        notify(r, TOPIC_PENDING, &t);
    }
    if (r->subscribers[TOPIC_PENDING_FULL] > 0 && tx_decode(&tx, raw) == TX_OK) {
        render_tx(&t, &tx, sender, NULL, 0);
        notify(r, TOPIC_PENDING_FULL, &t);
    }
}

static void notify_document(struct rpc *r, enum topic topic, struct json_object *doc)
{
    struct text t = {0};
    const char *json = json_object_to_json_string_ext(doc, JSON_C_TO_STRING_PLAIN |
                                                               JSON_C_TO_STRING_NOSLASHESCAPE);
    text_str(&t, json != NULL ? json : "null");
    notify(r, topic, &t);
}

/* A question for the status document; its server may be gone when the answer comes. */
struct status_question {
    struct rpc *rpc;
};

static void status_answered(void *arg, const struct rpc_answer *a)
{
    struct status_question *q = arg;
    struct rpc *r = q->rpc;
    if (r != NULL) {
        r->status_question = NULL;
        if (a->err == OK) {
            notify_document(r, TOPIC_STATUS, a->doc);
        }
    }
    json_object_put(a->doc);
    free(q);
}

/* One question at a time: an answer that is still to come will say the newest anyway. */
void rpc_on_status(struct rpc *r)
{
    const struct rpc_query query = {.text = ""};
    if (r == NULL || r->closing || r->subscribers[TOPIC_STATUS] == 0 ||
        r->status_question != NULL) {
        return;
    }
    struct status_question *q = malloc(sizeof *q);
    if (q != NULL) {
        q->rpc = r;
        r->status_question = q;
        r->backend->document(r->ctx, RPC_DOC_STATUS, &query, status_answered, q);
    }
}

void subscribe_forget_question(struct rpc *r)
{
    if (r->status_question != NULL) {
        r->status_question->rpc = NULL;
        r->status_question = NULL;
    }
}

void rpc_on_incident(struct rpc *r, struct json_object *incident)
{
    if (r != NULL && !r->closing && r->subscribers[TOPIC_INCIDENTS] > 0) {
        notify_document(r, TOPIC_INCIDENTS, incident);
    }
}

void rpc_on_certificate(struct rpc *r, struct json_object *certificate)
{
    if (r != NULL && !r->closing && r->subscribers[TOPIC_CERTIFICATES] > 0) {
        notify_document(r, TOPIC_CERTIFICATES, certificate);
    }
}

bool rpc_wants_certificates(const struct rpc *r)
{
    return r != NULL && r->subscribers[TOPIC_CERTIFICATES] > 0;
}

bool rpc_wants_incidents(const struct rpc *r)
{
    return r != NULL && r->subscribers[TOPIC_INCIDENTS] > 0;
}
