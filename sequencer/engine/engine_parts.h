/* Inside the engine: one struct, and which file does what with it. */
#ifndef SEQUENCER_ENGINE_ENGINE_PARTS_H
#define SEQUENCER_ENGINE_ENGINE_PARTS_H

#include "sequencer/engine/engine.h"
#include "sequencer/engine/engine_json.h"
#include "sequencer/engine/engine_status.h"

enum { ENGINE_WHY = 240 };

/* ---- engine_ask.c: one request, one answer ----------------------------------------------------- */

struct engine_answer {
    enum engine_meaning meaning;
    struct json_object *result; /* YES: what was answered, perhaps NULL */
    const char *why;            /* otherwise: a sentence */
    const struct answers *all;  /* all of a list of calls; NULL: no JSON-RPC came */
};
typedef void (*engine_answer_cb)(void *arg, const struct engine_answer *a);

struct engine_ask {
    struct engine *e;
    struct engine_ask *prev, *next;
    struct request request;
    engine_answer_cb cb;
    void *arg;
};

/* Takes the request over, also when it fails. The callback never comes before the return. */
enum err engine_ask(struct engine *e, struct request *r, size_t max, engine_answer_cb cb,
                    void *arg) MUST_USE;
/* At another address than the Engine API's: without the token. */
enum err engine_ask_at(struct engine *e, const char *url, struct request *r, size_t max,
                       engine_answer_cb cb, void *arg) MUST_USE;
void engine_asks_drop(struct engine *e); /* after http_close */
void engine_reads_drop(struct engine *e); /* before that: they are answered */

/* ---- engine_known.c: blocks that the client is known to hold ----------------------------------- */

struct engine_block {
    struct hash hash, parent;
    uint64_t number;
    uint64_t timestamp; /* s */
};

struct engine_known {
    struct engine_block block[LIMIT_ENGINE_KNOWN]; /* a ring */
    uint32_t n, at;
    struct engine_block best; /* highest, the newest of them */
};

void engine_known_clear(struct engine_known *k);
void engine_known_add(struct engine_known *k, const struct engine_block *b);
const struct engine_block *engine_known_find(const struct engine_known *k, const struct hash *h);
/* The best block where it descends from this one, else this one. */
struct hash engine_known_above(const struct engine_known *k, const struct hash *h);

/* ---- engine_calls.c, engine_steps.c, engine_answers.c ------------------------------------------ */

enum engine_call_kind { CALL_BUILD, CALL_EXECUTE, CALL_FINALIZE };
enum engine_call_step { STEP_PARENT, STEP_FORKCHOICE, STEP_FILLING, STEP_GET, STEP_NEW };

struct engine_call {
    struct engine *e;
    struct engine_call *prev, *next;
    enum engine_call_kind kind;
    enum engine_call_step step;
    execution_cb cb;
    void (*finalized)(void *arg, enum err e);
    void *arg;
    uint64_t timestamp_ms;
    struct engine_payload p;  /* EXECUTE: all of it. BUILD: parent, number, fee recipient, randao */
    uint8_t *body;            /* EXECUTE: p borrows from it. BUILD, given order: the transactions */
    size_t body_n;
    struct engine_id id;      /* BUILD, from FILLING on */
    uint64_t fill_until_ms;
    uint64_t started_us;
};

/* First the call's own checks, then the queue. */
void engine_call_build(struct engine *e, const struct execution_block *b, execution_cb cb,
                       void *arg);
void engine_call_execute(struct engine *e, const struct execution_block *b,
                         const struct hash *payload, const struct hash *state, execution_cb cb,
                         void *arg);
void engine_call_finalize(struct engine *e, const struct hash *payload,
                          void (*cb)(void *arg, enum err e), void *arg);
/* Starts what can be started. */
void engine_calls_pump(struct engine *e);
/* All that wait are answered with ERROR. */
void engine_calls_fail(struct engine *e, enum engine_meaning m, const char *why);
/* When the next FILLING ends; UINT64_MAX: none. */
uint64_t engine_calls_due(const struct engine *e);

/* The request of the call's step. */
void engine_step_request(struct engine_call *c, struct request *r);
/* True: nothing is to be asked, the block breaks a rule of this chain that no client checks. */
bool engine_step_wrong(const struct engine_call *c);
/* What came of it: the call is answered, or goes on with its next step. */
void engine_step_answer(struct engine_call *c, const struct engine_answer *a);
/* The call leaves the queue, is answered and freed. */
void engine_call_end(struct engine_call *c, enum engine_meaning m, const char *why);
void engine_call_built(struct engine_call *c, const struct engine_built *b);
void engine_call_executed(struct engine_call *c);

/* ---- engine_session.c -------------------------------------------------------------------------- */

void engine_greet(struct engine *e);
/* The session ends with this state; it is greeted again later. */
void engine_session_end(struct engine *e, enum engine_meaning m, const char *why);
void engine_arm(struct engine *e); /* the timer, for whatever comes next */
void engine_on_timer(uv_timer_t *timer);
uint64_t engine_now_ms(void);

struct engine {
    uv_loop_t *loop;
    struct engine_options o;
    char *url, *rpc_url;
    struct http *http;
    struct engine_ask *asks;
    uint32_t offers, reads;
    uint64_t next_id;
    enum engine_state state;
    uint64_t retry_at_ms, wait_ms; /* while not READY */
    uint64_t answered_us, busy_us; /* last answer; since when something is asked, 0: nothing */
    struct engine_known known;
    uint64_t head_number; /* the client's own when it was greeted */
    struct engine_heads heads;
    struct engine_call *calls;
    uint32_t calls_n;
    size_t calls_bytes;
    bool asking; /* a call's request, or the watch's, is under way */
    bool pumping, again;
    uv_timer_t timer;
    uint32_t handles;
    void (*closed)(void *arg);
    void *closed_arg;
};

#endif
