#define _GNU_SOURCE
/* What each step of a call asks, and what its answer means. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sequencer/engine/engine_parts.h"

/* ---- requests ----------------------------------------------------------------------------------- */

static uint64_t parent_seconds(const struct engine_call *c)
{
    const struct engine_block *b = engine_known_find(&c->e->known, &c->p.parent);
    return b == NULL ? 0 : b->timestamp;
}

static void ask_parent(struct engine_call *c, struct request *r)
{
    request_begin(r, c->e->next_id++);
    request_call(r, "eth_getBlockByHash");
    request_hex(r, c->p.parent.b, sizeof c->p.parent.b);
    request_text(r, "false");
    request_end(r);
}

static void ask_forkchoice(struct engine_call *c, struct request *r)
{
    struct engine *e = c->e;
    struct engine_heads heads = e->heads;
    if (c->kind == CALL_FINALIZE) {
        heads.head = engine_known_above(&e->known, &c->p.hash);
        engine_put_forkchoice(r, e->next_id++, &heads, NULL);
        return;
    }
    heads.head = c->p.parent;
    c->p.timestamp = engine_seconds(c->timestamp_ms, parent_seconds(c));
    const struct engine_attributes a = {.timestamp = c->p.timestamp,
                                        .prev_randao = c->p.prev_randao,
                                        .fee_recipient = c->p.fee_recipient,
                                        .given = e->o.order == ENGINE_ORDER_GIVEN,
                                        .txs = c->p.txs};
    engine_put_forkchoice(r, e->next_id++, &heads, &a);
}

void engine_step_request(struct engine_call *c, struct request *r)
{
    struct engine *e = c->e;
    switch (c->step) {
    case STEP_PARENT:
        ask_parent(c, r);
        return;
    case STEP_GET:
        engine_put_get(r, e->next_id++, e->o.fork, &c->id);
        return;
    case STEP_NEW:
        engine_put_new(r, e->next_id++, e->o.fork, &c->p);
        return;
    case STEP_FORKCHOICE:
    case STEP_FILLING: /* never asked */
        ask_forkchoice(c, r);
        return;
    }
}

/* ---- answers ------------------------------------------------------------------------------------ */

/* The call ends; where the client may not be what it was, the session does too. */
static void fail(struct engine_call *c, enum engine_meaning m, const char *why)
{
    struct engine *e = c->e;
    why = why[0] == '\0' ? engine_meaning_text(m) : why;
    engine_call_end(c, m, why);
    if (engine_session_over(m) && e->state == ENGINE_READY) {
        engine_session_end(e, m, why);
    }
}

bool engine_step_wrong(const struct engine_call *c)
{
    return c->step == STEP_NEW &&
           c->p.timestamp != engine_seconds(c->timestamp_ms, parent_seconds(c));
}

static void on_parent(struct engine_call *c, struct json_object *result)
{
    struct engine_head h;
    struct engine_block b = {0};
    if (result == NULL) {
        /* As good as SYNCING, and said before it could become that. */
        fail(c, ENGINE_BEHIND, "");
        return;
    }
    if (!engine_get_head(result, &h) || !hash_equal(&h.hash, &c->p.parent) ||
        !json_fixed(json_get(result, "parentHash"), b.parent.b, sizeof b.parent.b)) {
        fail(c, ENGINE_NONSENSE, "");
        return;
    }
    b.hash = h.hash;
    b.number = h.number;
    b.timestamp = h.timestamp;
    engine_known_add(&c->e->known, &b);
    c->step = c->kind == CALL_EXECUTE ? STEP_NEW : STEP_FORKCHOICE;
}

static void on_forkchoice(struct engine_call *c, struct json_object *result)
{
    struct engine *e = c->e;
    const char *why = "";
    struct json_object *status = json_get(result, "payloadStatus");
    struct hash head = c->p.parent;
    if (c->kind == CALL_FINALIZE) {
        head = engine_known_above(&e->known, &c->p.hash);
    }
    enum engine_meaning m = engine_of_status(status, &head, &why);
    if (m != ENGINE_YES) {
        fail(c, m, why);
        return;
    }
    if (c->kind == CALL_FINALIZE) {
        e->wait_ms = 0;
        engine_call_end(c, ENGINE_YES, "");
        return;
    }
    if (!engine_get_id(result, &c->id)) {
        fail(c, ENGINE_AGAIN, "the client began no payload");
        return;
    }
    c->step = e->o.fill_ms == 0 ? STEP_GET : STEP_FILLING;
    c->fill_until_ms = engine_now_ms() + e->o.fill_ms;
}

/* Another block than the one that was asked for would be proposed and found INVALID by all. */
static bool as_asked(const struct engine_call *c, const struct engine_payload *p)
{
    return hash_equal(&p->parent, &c->p.parent) && p->number == c->p.number &&
           p->timestamp == c->p.timestamp && hash_equal(&p->prev_randao, &c->p.prev_randao) &&
           address_equal(&p->fee_recipient, &c->p.fee_recipient);
}

static void on_payload(struct engine_call *c, struct json_object *result)
{
    struct engine_built b;
    enum err err = engine_get_built(&b, c->e->o.fork, result);
    if (err != OK) {
        fail(c, ENGINE_NONSENSE, err_text(err));
        return;
    }
    if (as_asked(c, &b.payload)) {
        engine_call_built(c, &b);
    } else {
        fail(c, ENGINE_NONSENSE, "the client built another block than it was asked for");
    }
    free(b.memory);
}

static void on_verdict(struct engine_call *c, struct json_object *result)
{
    const char *why = "";
    enum engine_meaning m = engine_of_status(result, &c->p.hash, &why);
    if (m == ENGINE_YES) {
        engine_call_executed(c);
    } else {
        fail(c, m, why);
    }
}

void engine_step_answer(struct engine_call *c, const struct engine_answer *a)
{
    if (a->meaning != ENGINE_YES) {
        fail(c, a->meaning, a->why);
        return;
    }
    switch (c->step) {
    case STEP_PARENT:
        on_parent(c, a->result);
        return;
    case STEP_FORKCHOICE:
        on_forkchoice(c, a->result);
        return;
    case STEP_GET:
        on_payload(c, a->result);
        return;
    case STEP_NEW:
        on_verdict(c, a->result);
        return;
    case STEP_FILLING:
        return;
    }
}
