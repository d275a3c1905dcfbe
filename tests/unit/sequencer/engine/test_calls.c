/* The session and its calls, against a client that is well, and then is not, at every step. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "played_client.h"
#include "sequencer/engine/engine.h"
#include "sequencer/execution/payload.h"

enum { LIMIT_MS = 30000, START_MS = 2000000 };

struct world {
    uv_loop_t loop;
    uv_timer_t limit;
    struct played_client client;
    struct engine *engine;
    struct execution x;
    enum engine_state last_state;
    char why[300];
    /* last answers */
    int answers;
    struct execution_result r;
    uint8_t body[4096];
    enum err final;
    uint64_t ms;
    uint64_t height;
    struct hash parent; /* of the next build */
    struct hash payload, state_root;
};

static void on_limit(uv_timer_t *t)
{
    (void)t;
    fail_msg("a wait took longer than %d ms", LIMIT_MS);
}

static void on_state(void *arg, enum engine_state s, const char *why)
{
    struct world *w = arg;
    w->last_state = s;
    snprintf(w->why, sizeof w->why, "%s", why);
}

static void until(struct world *w, enum engine_state s)
{
    uv_timer_start(&w->limit, on_limit, LIMIT_MS, 0);
    while (engine_state(w->engine) != s) {
        uv_run(&w->loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&w->limit);
}

static void until_answer(struct world *w, int n)
{
    uv_timer_start(&w->limit, on_limit, LIMIT_MS, 0);
    while (w->answers < n) {
        uv_run(&w->loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&w->limit);
}

static void start(struct world *w, struct engine_options o)
{
    char url[64];
    memset(w, 0, sizeof *w);
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&w->loop);
    uv_timer_init(&w->loop, &w->limit);
    played_open(&w->client, &w->loop);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", w->client.port);
    o.url = url;
    o.chain_id = o.chain_id == 0 ? 7 : o.chain_id;
    o.genesis = played_hash(0);
    o.fork = ENGINE_PRAGUE;
    o.retry_min_ms = 5;
    o.retry_max_ms = 20;
    o.on_state = on_state;
    o.arg = w;
    assert_int_equal(engine_open(&w->engine, &w->loop, &o), OK);
    engine_execution(w->engine, &w->x);
    w->parent = played_hash(0);
    w->ms = START_MS;
}

static void end(struct world *w)
{
    engine_close(w->engine, NULL, NULL);
    played_close(&w->client);
    uv_close((uv_handle_t *)&w->limit, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0);
}

/* So many more requests were played with. */
static void until_played(struct world *w, uint32_t more)
{
    uint32_t n = w->client.played + more;
    uv_timer_start(&w->limit, on_limit, LIMIT_MS, 0);
    while (w->client.played < n) {
        uv_run(&w->loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&w->limit);
}

/* ---- calls -------------------------------------------------------------------------------------- */

static void on_result(void *arg, const struct execution_result *r)
{
    struct world *w = arg;
    struct payload_info info;
    w->answers++;
    w->r = *r;
    w->r.why = NULL;
    if (r->status == EXECUTION_VALID) {
        assert_int_equal(payload_info_decode(&info, bytes_of(r->info, r->info_len)), OK);
        assert_true(hash_equal(&info.hash, &r->payload));
    } else {
        assert_non_null(r->why);
        snprintf(w->why, sizeof w->why, "%s", r->why);
    }
    if (r->body != NULL) {
        assert_true(r->body_len <= sizeof w->body);
        memcpy(w->body, r->body, r->body_len);
    }
}

static void on_final(void *arg, enum err e)
{
    struct world *w = arg;
    w->answers++;
    w->final = e;
}

static struct execution_block next_block(const struct world *w)
{
    return (struct execution_block){
        .parent = w->parent, .height = w->height + 1, .timestamp_ms = w->ms};
}

static enum execution_status build(struct world *w)
{
    struct execution_block b = next_block(w);
    int n = w->answers;
    w->x.build(w->x.ctx, &b, on_result, w);
    until_answer(w, n + 1);
    if (w->r.status == EXECUTION_VALID) {
        w->payload = w->r.payload;
        w->state_root = w->r.state_root;
    }
    return w->r.status;
}

static enum execution_status execute(struct world *w)
{
    struct execution_block b = next_block(w);
    size_t body_len = w->r.body_len;
    int n = w->answers;
    b.body = bytes_of(w->body, body_len);
    w->x.execute(w->x.ctx, &b, &w->payload, &w->state_root, on_result, w);
    until_answer(w, n + 1);
    w->r.body_len = body_len;
    return w->r.status;
}

static enum err finalize(struct world *w)
{
    int n = w->answers;
    w->x.finalize(w->x.ctx, &w->payload, on_final, w);
    until_answer(w, n + 1);
    return w->final;
}

static void next(struct world *w)
{
    w->parent = w->payload;
    w->height++;
    w->ms += 250;
}

static void grow(struct world *w)
{
    assert_int_equal(build(w), EXECUTION_VALID);
    assert_int_equal(execute(w), EXECUTION_VALID);
    assert_int_equal(finalize(w), OK);
    next(w);
}

static struct hash head_of(struct world *w, uint64_t *height)
{
    struct hash h;
    w->x.head(w->x.ctx, height, &h);
    return h;
}

/* ---- well --------------------------------------------------------------------------------------- */

static void a_chain_grows(void **state)
{
    (void)state;
    struct world w;
    uint64_t height;
    start(&w, (struct engine_options){.fill_ms = 2});
    assert_int_equal(build(&w), EXECUTION_ERROR); /* nobody was greeted yet */
    until(&w, ENGINE_READY);
    for (int i = 0; i < 10; i++) {
        grow(&w); /* four a second: the payload's seconds grow all the same */
    }
    struct hash h = head_of(&w, &height);
    assert_int_equal(height, 10);
    assert_true(hash_equal(&h, &w.payload));
    assert_int_equal(w.client.block[10].timestamp, START_MS / 1000 + 9);
    assert_false(w.client.seen_list);
    end(&w);
}

static void heads_are_told(void **state)
{
    (void)state;
    struct world w;
    char text[HEX_SIZE(32)];
    struct hash genesis = played_hash(0), safe;
    start(&w, (struct engine_options){0});
    until(&w, ENGINE_READY);
    grow(&w);
    hex_encode(text, (const uint8_t[32]){0}, 32);
    assert_string_equal(w.client.safe, text);
    assert_string_equal(w.client.finalized, text);
    safe = w.payload;
    engine_set_heads(w.engine, &safe, &genesis);
    grow(&w);
    hex_encode(text, safe.b, 32);
    assert_string_equal(w.client.safe, text);
    hex_encode(text, genesis.b, 32);
    assert_string_equal(w.client.finalized, text);
    /* A child is executed before its parent is final: the head does not go back. */
    assert_int_equal(build(&w), EXECUTION_VALID);
    assert_int_equal(execute(&w), EXECUTION_VALID);
    hex_encode(text, w.payload.b, 32);
    w.payload = w.parent;
    assert_int_equal(finalize(&w), OK);
    assert_string_equal(w.client.headed, text);
    end(&w);
}

static void a_given_order_is_handed_over(void **state)
{
    (void)state;
    struct world w;
    const struct execution_tx tx[] = {{.raw = bytes_of("\2aa", 3)}, {.raw = bytes_of("\3bb", 3)}};
    start(&w, (struct engine_options){.order = ENGINE_ORDER_GIVEN});
    until(&w, ENGINE_READY);
    struct execution_block b = next_block(&w);
    b.tx = tx;
    b.txs = 2;
    w.x.build(w.x.ctx, &b, on_result, &w);
    until_answer(&w, 1);
    assert_int_equal(w.r.status, EXECUTION_VALID);
    assert_true(w.client.seen_list);
    end(&w);
}

/* ---- ill ---------------------------------------------------------------------------------------- */

static void cycle(struct world *w, bool *invalid)
{
    enum execution_status s = build(w);
    *invalid = s == EXECUTION_INVALID;
    assert_false(*invalid); /* a build never is */
    if (s == EXECUTION_VALID) {
        s = execute(w);
        *invalid = s == EXECUTION_INVALID;
        if (s == EXECUTION_VALID) {
            (void)finalize(w);
        }
    }
}

/* The fault at one step, and its end. */
static void play_at(struct world *w, const char *step, enum play p)
{
    bool invalid;
    w->client.at = step;
    w->client.play = p;
    cycle(w, &invalid);
    assert_int_equal(invalid, p == PLAY_INVALID && strcmp(step, "engine_newPayload") == 0);
    w->client.at = NULL;
    w->ms += 1000;
}

static const char *const cycle_step[] = {"engine_forkchoice", "engine_getPayload",
                                         "engine_newPayload"};

/* Each play at each step: INVALID only where the client said so of an execution, and when it is over
 * the chain goes on by itself. */
static void every_fault_at_every_step(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cycle_step / sizeof *cycle_step; i++) {
        struct world w;
        start(&w, (struct engine_options){0});
        until(&w, ENGINE_READY);
        grow(&w);
        for (enum play p = PLAY_DENIED; p < PLAYS; p++) {
            if (p != PLAY_HANGS) {
                play_at(&w, cycle_step[i], p);
                until(&w, ENGINE_READY);
                grow(&w);
            }
        }
        end(&w);
    }
}

/* So short a limit that a busy machine may pass it too: then it is tried again, as a node does. */
static void a_client_that_hangs(void **state)
{
    (void)state;
    struct world w;
    start(&w, (struct engine_options){.total_ms = 150});
    for (size_t i = 0; i < sizeof cycle_step / sizeof *cycle_step; i++) {
        until(&w, ENGINE_READY);
        play_at(&w, cycle_step[i], PLAY_HANGS);
        bool grown = false;
        while (!grown) {
            until(&w, ENGINE_READY);
            w.ms += 1000;
            grown = build(&w) == EXECUTION_VALID && execute(&w) == EXECUTION_VALID &&
                    finalize(&w) == OK;
        }
        next(&w);
    }
    end(&w);
}

static void every_fault_while_greeting(void **state)
{
    static const char *const step[] = {"engine_exchange", "eth_chainId", "eth_getBlockByNumber"};
    (void)state;
    for (size_t i = 0; i < sizeof step / sizeof *step; i++) {
        struct world w;
        start(&w, (struct engine_options){0});
        for (enum play p = PLAY_DENIED; p < PLAY_SYNCING; p++) {
            if (p == PLAY_HANGS) {
                continue;
            }
            w.client.at = step[i];
            w.client.play = p;
            until_played(&w, 2); /* the second time, the first is over */
            bool no_list = i == 0 && (p == PLAY_EMPTY_OBJECT || p == PLAY_NULL);
            assert_int_equal(engine_state(w.engine), p == PLAY_DENIED ? ENGINE_TURNED_AWAY
                                                     : p == PLAY_PARAMETERS || no_list
                                                         ? ENGINE_REFUSED
                                                         : ENGINE_LOST);
            assert_int_equal(build(&w), EXECUTION_ERROR);
        }
        w.client.at = NULL;
        until(&w, ENGINE_READY);
        grow(&w);
        end(&w);
    }
}

static void another_chain_is_refused(void **state)
{
    (void)state;
    struct world w;
    start(&w, (struct engine_options){.chain_id = 8});
    until(&w, ENGINE_REFUSED);
    assert_non_null(strstr(w.why, "is 7"));
    assert_non_null(strstr(w.why, "chain's 8"));
    w.client.chain_id = 8;
    w.client.block[0].hash = played_hash(9);
    uint32_t before = w.client.requests;
    while (w.client.requests < before + 3) {
        uv_run(&w.loop, UV_RUN_ONCE);
    }
    until(&w, ENGINE_REFUSED);
    w.client.block[0].hash = played_hash(0);
    until(&w, ENGINE_READY); /* the operator put it right */
    end(&w);
}

/* It lost its blocks: nothing goes to it but from its own head on. */
static void blocks_ahead_are_not_sent(void **state)
{
    (void)state;
    struct world w;
    uint64_t height;
    start(&w, (struct engine_options){0});
    until(&w, ENGINE_READY);
    for (int i = 0; i < 3; i++) {
        grow(&w);
    }
    assert_int_equal(build(&w), EXECUTION_VALID);
    struct execution_result last = w.r;
    played_restart(&w.client, 2);
    w.client.at = "eth_chainId";
    w.client.play = PLAY_CUT;
    until(&w, ENGINE_LOST); /* the watch finds out */
    w.client.at = NULL;
    until(&w, ENGINE_READY);
    (void)head_of(&w, &height);
    assert_int_equal(height, 1);
    uint32_t before = w.client.requests;
    w.r = last;
    assert_int_equal(execute(&w), EXECUTION_ERROR);
    assert_non_null(strstr(w.why, "from 2"));
    assert_int_equal(w.client.requests, before);
    end(&w);
}

/* A client may say SYNCING of a block whose parent it had: then it is not what it was. */
static void syncing_ends_the_session(void **state)
{
    (void)state;
    struct world w;
    start(&w, (struct engine_options){0});
    until(&w, ENGINE_READY);
    grow(&w);
    grow(&w);
    assert_int_equal(build(&w), EXECUTION_VALID);
    struct execution_result last = w.r;
    w.client.n = 2;
    w.client.head = 1;
    assert_int_equal(execute(&w), EXECUTION_ERROR);
    assert_int_equal(w.last_state, ENGINE_LOST);
    until(&w, ENGINE_READY);
    w.r = last;
    assert_int_equal(execute(&w), EXECUTION_ERROR);
    assert_non_null(strstr(w.why, "from 2"));
    end(&w);
}

/* Everybody would find it INVALID: it is not proposed. */
static void another_payload_is_not_taken(void **state)
{
    (void)state;
    struct world w;
    start(&w, (struct engine_options){0});
    until(&w, ENGINE_READY);
    w.client.at = "engine_getPayload";
    w.client.play = PLAY_OTHER_PAYLOAD;
    assert_int_equal(build(&w), EXECUTION_ERROR);
    assert_non_null(strstr(w.why, "another block"));
    w.client.at = NULL;
    grow(&w);
    end(&w);
}

/* Bytes alone decide: no request is made for a body that no client could take. */
static void bad_bodies_need_no_client(void **state)
{
    (void)state;
    struct world w;
    start(&w, (struct engine_options){0});
    until(&w, ENGINE_READY);
    assert_int_equal(build(&w), EXECUTION_VALID);
    uint32_t before = w.client.requests;
    struct execution_result built = w.r;
    w.r.body_len = built.body_len - 1;
    assert_int_equal(execute(&w), EXECUTION_INVALID);
    w.r.body_len = 0;
    assert_int_equal(execute(&w), EXECUTION_INVALID);
    w.r = built;
    w.ms += 1000; /* seconds do not follow from the block's time */
    assert_int_equal(execute(&w), EXECUTION_INVALID);
    w.ms -= 1000;
    assert_int_equal(w.client.requests, before);
    w.r = built;
    assert_int_equal(execute(&w), EXECUTION_VALID);
    end(&w);
}

/* All that wait are answered, once, and nothing is left over. */
static void closing_answers_all(void **state)
{
    (void)state;
    struct world w;
    start(&w, (struct engine_options){0});
    until(&w, ENGINE_READY);
    assert_int_equal(build(&w), EXECUTION_VALID);
    w.client.at = "engine_";
    w.client.play = PLAY_HANGS;
    struct execution_block b = next_block(&w);
    int n = w.answers;
    w.x.build(w.x.ctx, &b, on_result, &w);
    b.body = bytes_of(w.body, w.r.body_len);
    w.x.execute(w.x.ctx, &b, &w.payload, &w.state_root, on_result, &w);
    w.x.finalize(w.x.ctx, &w.parent, on_final, &w);
    assert_int_equal(w.answers, n);
    end(&w);
    assert_int_equal(w.answers, n + 3);
    assert_int_equal(w.r.status, EXECUTION_ERROR);
    assert_int_equal(w.final, ERR_UNREACHABLE);
}

static void a_full_queue_refuses(void **state)
{
    (void)state;
    struct world w;
    start(&w, (struct engine_options){0});
    until(&w, ENGINE_READY);
    w.client.at = "engine_";
    w.client.play = PLAY_HANGS;
    for (int i = 0; i < LIMIT_ENGINE_CALLS; i++) {
        w.x.finalize(w.x.ctx, &w.parent, on_final, &w);
    }
    assert_int_equal(w.answers, 0);
    w.x.finalize(w.x.ctx, &w.parent, on_final, &w);
    assert_int_equal(w.answers, 1);
    assert_int_equal(w.final, ERR_NOT_READY);
    end(&w);
    assert_int_equal(w.answers, LIMIT_ENGINE_CALLS + 1);
}

/* ---- silence, offers ---------------------------------------------------------------------------- */

static void silence_is_measured(void **state)
{
    (void)state;
    struct world w;
    start(&w, (struct engine_options){.total_ms = 20000});
    until(&w, ENGINE_READY);
    assert_int_equal(w.x.silent_us(w.x.ctx), 0);
    w.client.at = "engine_";
    w.client.play = PLAY_HANGS;
    struct execution_block b = next_block(&w);
    w.x.build(w.x.ctx, &b, on_result, &w);
    uv_timer_start(&w.limit, on_limit, LIMIT_MS, 0);
    while (w.x.silent_us(w.x.ctx) < 30000) {
        uv_run(&w.loop, UV_RUN_NOWAIT);
    }
    end(&w);
}

static void on_offered(void *arg, bool taken)
{
    struct world *w = arg;
    w->answers++;
    w->final = taken ? OK : ERR_REFUSED;
}

static void offers_go_beside(void **state)
{
    (void)state;
    struct world w;
    start(&w, (struct engine_options){0});
    assert_int_equal(engine_offer(w.engine, bytes_of("\2a", 2), on_offered, &w), ERR_NOT_READY);
    until(&w, ENGINE_READY);
    assert_int_equal(engine_offer(w.engine, bytes_of("\2a", 2), on_offered, &w), OK);
    until_answer(&w, 1);
    assert_int_equal(w.final, OK);
    w.client.at = "eth_send";
    w.client.play = PLAY_PARAMETERS;
    assert_int_equal(engine_offer(w.engine, bytes_of("\2a", 2), on_offered, &w), OK);
    until_answer(&w, 2);
    assert_int_equal(w.final, ERR_REFUSED);
    w.client.play = PLAY_HANGS;
    for (int i = 0; i < LIMIT_ENGINE_OFFERS; i++) {
        assert_int_equal(engine_offer(w.engine, bytes_of("\2a", 2), on_offered, &w), OK);
    }
    assert_int_equal(engine_offer(w.engine, bytes_of("\2a", 2), on_offered, &w), ERR_BUSY);
    end(&w);
    assert_int_equal(w.answers, 2 + LIMIT_ENGINE_OFFERS);
}

/* ---- reads -------------------------------------------------------------------------------------- */

static void on_hash(void *arg, enum err e, const struct hash *h)
{
    struct world *w = arg;
    w->answers++;
    w->final = e;
    w->payload = *h;
}

static void on_accounts(void *arg, const struct engine_accounts *a)
{
    struct world *w = arg;
    w->answers++;
    w->final = a->err;
    for (uint32_t i = 0; i < a->n && a->err == OK; i++) {
        assert_int_equal(a->account[i].nonce, a->account[i].address.b[19]);
        struct u256 balance = u256_from_u64(a->account[i].nonce);
        assert_int_equal(u256_cmp(&a->account[i].balance, &balance), 0);
    }
}

static void on_text(void *arg, enum err e, bool is_error, struct bytes json)
{
    struct world *w = arg;
    w->answers++;
    w->final = e;
    snprintf(w->why, sizeof w->why, "%s%.*s", is_error ? "error " : "", (int)json.n,
             json.n == 0 ? "" : (const char *)json.p);
}

static void reads_are_answered(void **state)
{
    (void)state;
    struct world w;
    struct address a[ENGINE_ACCOUNTS];
    start(&w, (struct engine_options){.total_ms = LIMIT_MS});
    assert_int_equal(engine_read_hash(w.engine, 0, on_hash, &w), ERR_NOT_READY);
    until(&w, ENGINE_READY);
    assert_int_equal(engine_read_hash(w.engine, 0, on_hash, &w), OK);
    until_answer(&w, 1);
    struct hash genesis = played_hash(0);
    assert_true(w.final == OK && hash_equal(&w.payload, &genesis));
    assert_int_equal(engine_read_hash(w.engine, 9, on_hash, &w), OK);
    until_answer(&w, 2);
    assert_true(w.final == OK && hash_is_zero(&w.payload));
    memset(a, 0, sizeof a);
    for (int i = 0; i < ENGINE_ACCOUNTS; i++) {
        a[i].b[19] = (uint8_t)i;
    }
    assert_int_equal(engine_read_accounts(w.engine, 0, a, ENGINE_ACCOUNTS, on_accounts, &w), OK);
    until_answer(&w, 3);
    assert_int_equal(w.final, OK);
    assert_int_equal(engine_read(w.engine, "eth_call", bytes_of("[{},\"0x1\"]", 10), on_text, &w),
                     OK);
    until_answer(&w, 4);
    assert_string_equal(w.why, "\"0x01\"");
    end(&w);
}

static void reads_that_fail(void **state)
{
    (void)state;
    struct world w;
    struct address a = {{0}};
    start(&w, (struct engine_options){.total_ms = LIMIT_MS});
    until(&w, ENGINE_READY);
    w.client.at = "eth_call";
    w.client.play = PLAY_PARAMETERS;
    assert_int_equal(engine_read(w.engine, "eth_call", bytes_of("[]", 2), on_text, &w), OK);
    until_answer(&w, 1);
    assert_non_null(strstr(w.why, "error {\"code\":-32602"));
    w.client.play = PLAY_HANGS;
    int answers = w.answers;
    for (int i = 0; i < LIMIT_ENGINE_READS; i++) {
        assert_int_equal(engine_read(w.engine, "eth_call", bytes_of("[]", 2), on_text, &w), OK);
    }
    assert_int_equal(engine_read_accounts(w.engine, 0, &a, 1, on_accounts, &w), ERR_BUSY);
    end(&w);
    assert_int_equal(w.answers, answers + LIMIT_ENGINE_READS);
    assert_int_equal(w.final, ERR_UNREACHABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_grows),
        cmocka_unit_test(heads_are_told),
        cmocka_unit_test(a_given_order_is_handed_over),
        cmocka_unit_test(every_fault_at_every_step),
        cmocka_unit_test(a_client_that_hangs),
        cmocka_unit_test(every_fault_while_greeting),
        cmocka_unit_test(another_chain_is_refused),
        cmocka_unit_test(blocks_ahead_are_not_sent),
        cmocka_unit_test(syncing_ends_the_session),
        cmocka_unit_test(another_payload_is_not_taken),
        cmocka_unit_test(bad_bodies_need_no_client),
        cmocka_unit_test(closing_answers_all),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(silence_is_measured),
        cmocka_unit_test(offers_go_beside),
        cmocka_unit_test(reads_are_answered),
        cmocka_unit_test(reads_that_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
