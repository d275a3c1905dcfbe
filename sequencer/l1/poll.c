#define _GNU_SOURCE
/* Each endpoint's head, asked for again and again; what it says goes into the quorum. */
#include "sequencer/l1/header.h"
#include "sequencer/l1/parts.h"

enum { FINALIZED_EVERY = 4, BACKOFF_SHIFT_MAX = 10 };

static uint64_t random_next(struct l1_client *c)
{
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return c->random;
}

/* Doubles with each failure up to the longest pause; the last quarter of it is by chance, so that
 * nodes that lost an endpoint together do not come back together. */
static uint64_t next_pause(const struct endpoint *e)
{
    const struct l1_options *o = &e->c->o;
    uint32_t shift = e->failures < BACKOFF_SHIFT_MAX ? e->failures : BACKOFF_SHIFT_MAX;
    uint64_t ms = (uint64_t)o->poll_ms << shift;
    ms = ms < o->probe_ms ? ms : o->probe_ms;
    if (e->failures == 0) {
        return o->poll_ms;
    }
    return ms - random_next(e->c) % (ms / 4 + 1);
}

static void poll_over(struct endpoint *e)
{
    request_free(&e->poll);
    e->polling = false;
    e->poll_at_ms = client_now(e->c) + next_pause(e);
}

static void poll_failed(struct endpoint *e, enum web_fault f)
{
    endpoint_fault(e, f);
    e->of_chain = false; /* who knows what stands behind that address when it answers again */
    quorum_lost(&e->c->quorum, e->index);
}

static bool is_of_chain(struct endpoint *e, const struct answer *a)
{
    uint64_t id;
    e->of_chain = json_u64(a->result, &id) && id == e->c->o.chain_id;
    return e->of_chain;
}

static void take_finalized(struct endpoint *e, const struct answer *a)
{
    struct l1_header h;
    if (!a->error && a->result != NULL && header_read(&h, a->result) == OK) {
        quorum_says_finalized(&e->c->quorum, e->index, &h.at);
    }
}

static void leave_out(struct endpoint *e)
{
    if (e->out_ms == 0) {
        e->out_ms = client_now(e->c);
        e->state.faults[WEB_FAULT_CONTRADICTS]++;
        endpoint_say(e, true, "its chain went back too far, or lacks a parent: left out");
    }
}

/* In the order in which poll_ask asked. */
static enum web_fault take_poll(struct endpoint *e, const struct answers *r)
{
    struct l1_header h;
    uint32_t at = 0;
    if (!e->of_chain && r->at[at].error) {
        return WEB_FAULT_GARBAGE;
    }
    if (!e->of_chain && !is_of_chain(e, &r->at[at++])) {
        return WEB_FAULT_WRONG_CHAIN;
    }
    const struct answer *latest = &r->at[at++];
    if (latest->error || latest->result == NULL) {
        return WEB_FAULT_GARBAGE;
    }
    enum err err = header_read(&h, latest->result);
    if (err != OK) {
        return err == ERR_INVALID_BLOCK ? WEB_FAULT_CONTRADICTS : WEB_FAULT_GARBAGE;
    }
    if (at < r->n) {
        take_finalized(e, &r->at[at]);
    }
    e->state.head = h.at.number;
    if (!quorum_head(&e->c->quorum, e->index, &h)) {
        leave_out(e);
    }
    return WEB_FAULT_NONE;
}

static void on_poll(void *arg, const struct http_reply *reply)
{
    struct endpoint *e = arg;
    struct answers r = {0};
    enum web_fault f = reply->fault;
    endpoint_took(e, reply->took_ms);
    if (f == WEB_FAULT_NONE) {
        f = answers_read(&r, &e->poll, reply->body);
    }
    if (f == WEB_FAULT_NONE) {
        f = take_poll(e, &r);
    }
    answers_release(&r);
    if (f != WEB_FAULT_NONE) {
        poll_failed(e, f);
    } else {
        endpoint_well(e);
    }
    poll_over(e);
    poll_decide(e->c);
}

static void poll_ask(struct endpoint *e)
{
    struct request *r = &e->poll;
    request_begin(r, client_ids(e->c));
    if (!e->of_chain) {
        request_call(r, "eth_chainId");
    }
    request_call(r, "eth_getBlockByNumber");
    request_text(r, "\"latest\"");
    request_text(r, "false");
    if (e->polls++ % FINALIZED_EVERY == 0) {
        request_call(r, "eth_getBlockByNumber");
        request_text(r, "\"finalized\"");
        request_text(r, "false");
    }
    request_end(r);
    struct bytes body = request_body(r);
    e->polling = true;
    if (body.n == 0 || endpoint_send(e, NULL, body, LIMIT_L1_SHORT_ANSWER, on_poll, e) != OK) {
        poll_over(e);
    }
}

void poll_tick(struct endpoint *e)
{
    uint64_t now = client_now(e->c);
    bool out = e->c->quorum.e[e->index].contradicts || e->c->quorum.e[e->index].went_back;
    if (!out) {
        e->out_ms = 0;
    } else if (e->out_ms != 0 && now - e->out_ms >= e->c->o.pardon_ms) {
        quorum_forgive(&e->c->quorum, e->index);
        poll_decide(e->c);
    }
    if (!e->polling && now >= e->poll_at_ms) {
        poll_ask(e);
    }
}

/* ---- the windows' next parents --------------------------------------------------------------- */

static enum web_fault take_parent(struct endpoint *e, const struct answers *r)
{
    struct l1_header h;
    const struct answer *a = &r->at[0];
    if (a->error) {
        return WEB_FAULT_GARBAGE;
    }
    if (a->result == NULL || header_read(&h, a->result) != OK ||
        !hash_equal(&h.at.hash, &e->fetched)) {
        return WEB_FAULT_CONTRADICTS;
    }
    /* Its head may have moved to another branch meanwhile: then this is no parent any more. */
    (void)quorum_parent(&e->c->quorum, e->index, &h);
    return WEB_FAULT_NONE;
}

static void on_parent(void *arg, const struct http_reply *reply)
{
    struct endpoint *e = arg;
    struct answers r = {0};
    enum web_fault f = reply->fault;
    if (f == WEB_FAULT_NONE) {
        f = answers_read(&r, &e->fetch, reply->body);
    }
    if (f == WEB_FAULT_NONE) {
        f = take_parent(e, &r);
    }
    answers_release(&r);
    request_free(&e->fetch);
    e->fetching = false;
    if (f == WEB_FAULT_CONTRADICTS) {
        quorum_contradiction(&e->c->quorum, e->index);
        leave_out(e);
    } else if (f != WEB_FAULT_NONE) {
        poll_failed(e, f);
    }
    poll_decide(e->c);
}

static void fetch_parent(struct endpoint *e, const struct hash *parent)
{
    struct request *r = &e->fetch;
    if (e->fetching) {
        return;
    }
    e->fetched = *parent;
    request_begin(r, client_ids(e->c));
    request_call(r, "eth_getBlockByHash");
    request_hex(r, parent->b, sizeof parent->b);
    request_text(r, "false");
    request_end(r);
    struct bytes body = request_body(r);
    e->fetching = body.n > 0 && endpoint_send(e, NULL, body, LIMIT_L1_SHORT_ANSWER, on_parent,
                                              e) == OK;
    if (!e->fetching) {
        request_free(r);
        quorum_lost(&e->c->quorum, e->index);
    }
}

void poll_decide(struct l1_client *c)
{
    struct quorum_wants wants;
    struct hash before = c->quorum.head.at.hash;
    bool changed = quorum_decide(&c->quorum, &wants);
    for (uint32_t i = 0; i < c->o.rpc_n; i++) {
        if (wants.any[i]) {
            fetch_parent(&c->rpc[i], &wants.parent[i]);
        }
    }
    if (!hash_equal(&before, &c->quorum.head.at.hash)) {
        c->moved_ms = client_now(c);
        c->down = false;
    }
    if (changed) {
        client_changed(c);
    }
}
