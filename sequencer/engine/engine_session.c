/* Who the client is, and whether it is there: greeting, loss, and when to try again. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>

#include "sequencer/engine/engine_parts.h"

/* How long nothing is said before the client is asked whether it is there. One that restarts takes
 * longer than this, so that its new life is noticed before it is given a block. */
enum { WATCH_MS = 500 };

uint64_t engine_now_ms(void)
{
    return uv_hrtime() / 1000000;
}

void engine_arm(struct engine *e)
{
    uint64_t due = engine_calls_due(e);
    uint64_t now = engine_now_ms();
    if (e->retry_at_ms != 0 && e->retry_at_ms < due) {
        due = e->retry_at_ms;
    }
    if (e->state == ENGINE_READY && now + WATCH_MS < due) {
        due = now + WATCH_MS;
    }
    if (due == UINT64_MAX || e->state == ENGINE_CLOSED) {
        uv_timer_stop(&e->timer);
        return;
    }
    uv_update_time(e->loop);
    uv_timer_start(&e->timer, engine_on_timer, due > now ? due - now : 0, 0);
}

static void on_watch(void *arg, const struct engine_answer *a)
{
    struct engine *e = arg;
    e->asking = false;
    if (engine_session_over(a->meaning)) {
        engine_session_end(e, a->meaning, a->why);
    }
    engine_calls_pump(e);
}

static void watch(struct engine *e)
{
    struct request r;
    uint64_t quiet_ms = engine_now_ms() - e->answered_us / 1000;
    if (e->state != ENGINE_READY || e->asking || quiet_ms < WATCH_MS) {
        return;
    }
    request_begin(&r, e->next_id++);
    request_call(&r, "eth_chainId");
    request_end(&r);
    e->asking = engine_ask(e, &r, LIMIT_ENGINE_SHORT_ANSWER, on_watch, e) == OK;
}

void engine_on_timer(uv_timer_t *timer)
{
    struct engine *e = timer->data;
    if (e->retry_at_ms != 0 && engine_now_ms() >= e->retry_at_ms) {
        engine_greet(e);
    }
    engine_calls_pump(e);
    watch(e);
    engine_arm(e);
}

static void set_state(struct engine *e, enum engine_state state, const char *why)
{
    if (e->state == state) {
        return;
    }
    e->state = state;
    if (e->o.on_state != NULL) {
        e->o.on_state(e->o.arg, state, why);
    }
}

/* The wait doubles from one loss to the next; a call that is answered well ends that. */
static void try_later(struct engine *e)
{
    e->wait_ms = e->wait_ms == 0 ? e->o.retry_min_ms : e->wait_ms * 2;
    if (e->wait_ms > e->o.retry_max_ms) {
        e->wait_ms = e->o.retry_max_ms;
    }
    e->retry_at_ms = engine_now_ms() + e->wait_ms;
    engine_arm(e);
}

void engine_session_end(struct engine *e, enum engine_meaning m, const char *why)
{
    bool refused = m == ENGINE_NO || m == ENGINE_MISFIT;
    set_state(e, refused              ? ENGINE_REFUSED
                 : m == ENGINE_DENIED ? ENGINE_TURNED_AWAY
                                      : ENGINE_LOST, why);
    try_later(e);
    engine_calls_fail(e, m, why);
}

/* ---- greeting ---------------------------------------------------------------------------------- */

static void ask_next(struct engine *e, struct request *r, engine_answer_cb cb)
{
    request_end(r);
    if (engine_ask(e, r, LIMIT_ENGINE_SHORT_ANSWER, cb, e) != OK) {
        engine_session_end(e, ENGINE_AGAIN, "out of memory");
    }
}

static void ask_block(struct engine *e, const char *number, engine_answer_cb cb)
{
    struct request r;
    request_begin(&r, e->next_id++);
    request_call(&r, "eth_getBlockByNumber");
    request_text(&r, number);
    request_text(&r, "false");
    ask_next(e, &r, cb);
}

static bool ended(struct engine *e, const struct engine_answer *a)
{
    if (a->meaning != ENGINE_YES) {
        engine_session_end(e, a->meaning, a->why);
        return true;
    }
    return false;
}

static void on_head(void *arg, const struct engine_answer *a)
{
    struct engine *e = arg;
    struct engine_head h;
    if (ended(e, a)) {
        return;
    }
    struct engine_block b = {0};
    if (!engine_get_head(a->result, &h) ||
        !json_fixed(json_get(a->result, "parentHash"), b.parent.b, sizeof b.parent.b)) {
        engine_session_end(e, ENGINE_NONSENSE, "the client has no head");
        return;
    }
    b.hash = h.hash;
    b.number = h.number;
    b.timestamp = h.timestamp;
    engine_known_add(&e->known, &b);
    e->head_number = h.number;
    set_state(e, ENGINE_READY, "ready");
    engine_calls_pump(e);
}

static void on_genesis(void *arg, const struct engine_answer *a)
{
    struct engine *e = arg;
    struct engine_head h;
    if (ended(e, a)) {
        return;
    }
    if (!engine_get_head(a->result, &h) || h.number != 0) {
        engine_session_end(e, ENGINE_NONSENSE, "the client has no genesis");
        return;
    }
    if (!hash_equal(&h.hash, &e->o.genesis)) {
        char has[HEX_SIZE(32)], should[HEX_SIZE(32)], why[ENGINE_WHY];
        hex_encode(has, h.hash.b, sizeof h.hash.b);
        hex_encode(should, e->o.genesis.b, sizeof e->o.genesis.b);
        snprintf(why, sizeof why, "the client's genesis is %s, this chain's %s", has, should);
        engine_session_end(e, ENGINE_NO, why);
        return;
    }
    struct engine_block b = {.hash = h.hash, .timestamp = h.timestamp};
    engine_known_clear(&e->known);
    engine_known_add(&e->known, &b);
    ask_block(e, "\"latest\"", on_head);
}

static void on_chain(void *arg, const struct engine_answer *a)
{
    struct engine *e = arg;
    uint64_t id;
    if (ended(e, a)) {
        return;
    }
    if (!json_u64(a->result, &id)) {
        engine_session_end(e, ENGINE_NONSENSE, "the client has no chain id");
        return;
    }
    if (id != e->o.chain_id) {
        char why[ENGINE_WHY];
        snprintf(why, sizeof why, "the client's chain id is %" PRIu64 ", this chain's %" PRIu64, id,
                 e->o.chain_id);
        engine_session_end(e, ENGINE_NO, why);
        return;
    }
    ask_block(e, "\"0x0\"", on_genesis);
}

static void on_capabilities(void *arg, const struct engine_answer *a)
{
    struct engine *e = arg;
    const char *missing = "";
    if (ended(e, a)) {
        return;
    }
    if (!engine_get_capabilities(a->result, e->o.fork, &missing)) {
        char why[ENGINE_WHY];
        snprintf(why, sizeof why, "the client does not know %s", missing);
        engine_session_end(e, ENGINE_NO, why);
        return;
    }
    struct request r;
    request_begin(&r, e->next_id++);
    request_call(&r, "eth_chainId");
    ask_next(e, &r, on_chain);
}

void engine_greet(struct engine *e)
{
    struct request r;
    e->retry_at_ms = 0;
    engine_put_capabilities(&r, e->next_id++, e->o.fork);
    if (engine_ask(e, &r, LIMIT_ENGINE_SHORT_ANSWER, on_capabilities, e) != OK) {
        engine_session_end(e, ENGINE_AGAIN, "out of memory");
    }
}
