#define _GNU_SOURCE
#include "sequencer/cli/drill.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "sequencer/cli/doc.h"
#include "sequencer/cli/head_watch.h"
#include "sequencer/cli/rpc_client.h"

enum {
    TICK_MS = 5,
    LOOK_HEADS = 2,
    LOOK_US = 3000000,
    ACT_US = 5000000,
    ANSWER_MS = 1000,
    CLOSE_LAG = 3
};
enum phase { PHASE_LOOK, PHASE_RESOLVE, PHASE_ACT, PHASE_MEASURE, PHASE_DONE };

struct drill {
    const struct devnet_record *record;
    const struct drill_options *options;
    struct chaos_order order;
    struct drill_result *result;
    char *why;
    size_t why_len;
    enum err err;
    enum phase phase;
    uv_loop_t loop;
    uv_timer_t timer;
    struct head_watch *watch;
    struct http_client *http;
    struct gap gap;
    uint64_t head[LIMIT_MEMBERS];
    uint64_t since_us; /* start of the phase */
    uint64_t ready_us; /* looked enough; 0: not yet */
    uint32_t statuses; /* answers to come: who leads */
    uint32_t pending;  /* answers to come: admin_chaos */
    uint32_t obeyed;
    uv_pipe_t pipe;
    uv_connect_t connect;
    uv_write_t write;
    char line[64];
    char answer[64];
};

struct question {
    struct drill *drill;
    uint32_t node;
};

static uint64_t now_us(void)
{
    return uv_hrtime() / 1000;
}

static void enter(struct drill *d, enum phase phase)
{
    d->phase = phase;
    d->since_us = now_us();
}

static void finish(struct drill *d, enum err e)
{
    if (d->phase == PHASE_DONE) {
        return;
    }
    d->err = e;
    enter(d, PHASE_DONE);
    uv_timer_stop(&d->timer);
    uv_close((uv_handle_t *)&d->timer, NULL);
    head_watch_destroy(d->watch);
    http_client_destroy(d->http);
}

static void on_head(void *arg, const struct head *h)
{
    struct drill *d = arg;
    d->head[h->node] = h->number;
    (void)gap_head(&d->gap, h->number, h->at_us);
}

/* ---- act ------------------------------------------------------------------------------------- */

static void acted(struct drill *d)
{
    if (!d->options->wait) {
        finish(d, OK);
        return;
    }
    enter(d, PHASE_MEASURE);
}

static void refuse(struct drill *d, enum err e, const char *why)
{
    snprintf(d->why, d->why_len, "node %d: %s", d->order.node, why);
    finish(d, e);
}

static void act_on_process(struct drill *d)
{
    const struct devnet_record_node *node = &d->record->node[d->order.node];
    int pid = d->order.client ? node->el_pid : node->pid;
    int number = d->order.action == CHAOS_KILL   ? SIGKILL
                 : d->order.action == CHAOS_STOP ? SIGSTOP
                                                 : SIGCONT;
    if (!devnet_record_owns(d->record, pid)) {
        refuse(d, ERR_REFUSED, d->order.client
                                   ? "no execution client that this devnet started runs there"
                                   : "it does not run; `baton chaos restart N` starts it");
        return;
    }
    if (kill(pid, number) != 0) {
        refuse(d, ERR_REFUSED, "it cannot be signalled");
        return;
    }
    acted(d);
}

static void on_admin_answer(void *arg, const struct http_answer *a)
{
    struct question *q = arg;
    struct drill *d = q->drill;
    struct json_object *result = NULL;
    char why[160] = "nobody answers on its admin port";
    enum err e = a->err;
    if (e == OK) {
        e = rpc_client_answer(&result, a->body, why, sizeof why);
    }
    json_object_array_put_idx(d->result->answers, q->node, result);
    d->pending--;
    d->obeyed += e == OK ? 1 : 0;
    free(q);
    if (d->pending > 0) {
        return;
    }
    if (d->obeyed == 0) {
        refuse(d, e, why);
        return;
    }
    acted(d);
}

static void ask_admin(struct drill *d, uint32_t node)
{
    const struct devnet_record_node *n = &d->record->node[node];
    struct json_object *params = chaos_params(&d->order, d->record->n, node);
    struct question *q = malloc(sizeof *q);
    size_t len = 0;
    char *text = rpc_client_request("admin_chaos", params, &len);
    json_object_put(params);
    const struct http_request r = {n->admin, text, len, n->token, ANSWER_MS};
    if (q != NULL && text != NULL) {
        *q = (struct question){d, node};
        if (http_client_post(d->http, &r, on_admin_answer, q) == OK) {
            d->pending++;
            q = NULL;
        }
    }
    free(q);
    free(text);
}

static void act_inside(struct drill *d)
{
    for (uint32_t i = 0; i < d->record->n; i++) {
        if (d->order.node == CHAOS_ALL || d->order.node == (int)i ||
            d->order.action == CHAOS_PARTITION) {
            ask_admin(d, i);
        }
    }
    if (d->pending == 0) {
        refuse(d, ERR_UNREACHABLE, "no node can be asked");
    }
}

static void on_pipe_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct drill *d = h->data;
    (void)suggested;
    *buf = uv_buf_init(d->answer, sizeof d->answer - 1);
}

static void on_pipe_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct drill *d = stream->data;
    (void)buf;
    if (n == 0) {
        return;
    }
    bool ok = n > 0 && strstr(d->answer, "true") != NULL;
    uv_close((uv_handle_t *)&d->pipe, NULL);
    if (ok) {
        acted(d);
    } else {
        refuse(d, ERR_REFUSED, "the devnet did not restart it");
    }
}

static void on_pipe_connected(uv_connect_t *request, int status)
{
    struct drill *d = request->data;
    if (status != 0) {
        uv_close((uv_handle_t *)&d->pipe, NULL);
        refuse(d, ERR_UNREACHABLE, "the devnet does not answer at its socket");
        return;
    }
    snprintf(d->line, sizeof d->line, "{\"action\":\"restart\",\"node\":%d}\n", d->order.node);
    uv_buf_t buf = uv_buf_init(d->line, (unsigned)strlen(d->line));
    uv_read_start((uv_stream_t *)&d->pipe, on_pipe_alloc, on_pipe_read);
    uv_write(&d->write, (uv_stream_t *)&d->pipe, &buf, 1, NULL);
}

static void act_by_devnet(struct drill *d)
{
    uv_pipe_init(&d->loop, &d->pipe, 0);
    d->pipe.data = d;
    d->connect.data = d;
    d->head[d->order.node] = 0;
    uv_pipe_connect(&d->connect, &d->pipe, d->record->socket, on_pipe_connected);
}

static void act(struct drill *d)
{
    enter(d, PHASE_ACT);
    d->result->node = d->order.node;
    d->result->head_before = d->gap.head;
    gap_restart(&d->gap);
    if (d->order.action == CHAOS_RESTART) {
        act_by_devnet(d);
    } else if (d->order.action == CHAOS_KILL || d->order.action == CHAOS_STOP ||
               d->order.action == CHAOS_CONT) {
        act_on_process(d);
    } else {
        act_inside(d);
    }
}

/* ---- who leads? ------------------------------------------------------------------------------ */

static void take_leader(struct drill *d, uint64_t index)
{
    d->order.node = (int)index;
    d->result->was_leader = true;
    if (d->order.action == CHAOS_PARTITION) {
        d->order.group[index] = 1;
    }
    act(d);
}

static void on_status(void *arg, const struct http_answer *a)
{
    struct drill *d = arg;
    struct json_object *status = NULL;
    char why[128];
    uint64_t index = UINT64_MAX;
    if (a->err == OK && rpc_client_answer(&status, a->body, why, sizeof why) == OK) {
        index = doc_u64(doc_member(status, "leader"), "index", UINT64_MAX);
        json_object_put(status);
    }
    d->statuses--;
    if (d->phase != PHASE_RESOLVE) {
        return;
    }
    if (index < d->record->n) {
        take_leader(d, index);
    } else if (d->statuses == 0) {
        snprintf(d->why, d->why_len, "no node says who leads");
        finish(d, ERR_UNREACHABLE);
    }
}

static void resolve(struct drill *d)
{
    size_t n = 0;
    char *text = rpc_client_request("baton_status", NULL, &n);
    enter(d, PHASE_RESOLVE);
    for (uint32_t i = 0; text != NULL && i < d->record->n; i++) {
        const struct http_request r = {d->record->node[i].rpc, text, n, NULL, ANSWER_MS};
        if (head_watch_up(d->watch, (int)i) && http_client_post(d->http, &r, on_status, d) == OK) {
            d->statuses++;
        }
    }
    free(text);
    if (d->statuses == 0) {
        snprintf(d->why, d->why_len, "no node answers");
        finish(d, ERR_UNREACHABLE);
    }
}

/* ---- the clock ------------------------------------------------------------------------------- */

static void look(struct drill *d)
{
    bool enough = d->gap.heads >= LOOK_HEADS || !d->options->wait;
    bool linked = head_watch_count_up(d->watch) > 0;
    if (!(enough && linked) && now_us() - d->since_us < LOOK_US) {
        return;
    }
    d->ready_us = d->ready_us != 0 ? d->ready_us : now_us();
    if (linked && now_us() - d->ready_us < d->options->after_ms * 1000) {
        return;
    }
    if (!linked && d->order.action != CHAOS_RESTART && d->order.action != CHAOS_CONT) {
        snprintf(d->why, d->why_len, "no node of the devnet answers");
        finish(d, ERR_UNREACHABLE);
    } else if (d->order.node == CHAOS_LEADER) {
        resolve(d);
    } else {
        act(d);
    }
}

/* A restarted node counts as back when it is near the head. */
static bool target_is_back(const struct drill *d)
{
    if (d->order.action != CHAOS_RESTART && d->order.action != CHAOS_CONT) {
        return true;
    }
    return d->head[d->order.node] + CLOSE_LAG >= d->gap.head;
}

static void measure(struct drill *d)
{
    uint64_t elapsed = now_us() - d->since_us;
    if (d->gap.heads >= d->options->heads && elapsed >= d->options->least_ms * 1000 &&
        target_is_back(d)) {
        finish(d, OK);
    } else if (elapsed > d->options->limit_ms * 1000) {
        snprintf(d->why, d->why_len, "%s within %llu ms",
                 target_is_back(d) ? "heads do not move" : "the node is not back at the head",
                 (unsigned long long)d->options->limit_ms);
        finish(d, ERR_NOT_READY);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct drill *d = timer->data;
    if (d->phase == PHASE_LOOK) {
        look(d);
    } else if (d->phase == PHASE_MEASURE) {
        measure(d);
    } else if (now_us() - d->since_us > ACT_US) {
        snprintf(d->why, d->why_len, "no answer within %d ms", ACT_US / 1000);
        finish(d, ERR_UNREACHABLE);
    }
}

static void report(struct drill *d)
{
    d->result->interval_ms = d->record->block_time_ms;
    d->result->gap_ms = gap_outage_ms(&d->gap, d->record->block_time_ms);
    d->result->longest_ms = (double)d->gap.longest_us / 1000.0;
    d->result->head_after = d->gap.head;
}

enum err drill_run(struct drill_result *out, const struct devnet_record *record,
                   const struct chaos_order *order, const struct drill_options *options, char *why,
                   size_t why_len)
{
    const char *url[LIMIT_MEMBERS];
    struct drill *d = calloc(1, sizeof *d);
    if (d == NULL) {
        return ERR_NO_MEMORY;
    }
    *out = (struct drill_result){.node = order->node, .answers = json_object_new_array()};
    d->record = record;
    d->options = options;
    d->order = *order;
    d->result = out;
    d->why = why;
    d->why_len = why_len;
    for (uint32_t i = 0; i < record->n; i++) {
        url[i] = record->node[i].rpc;
    }
    const struct head_handlers handlers = {.arg = d, .head = on_head};
    uv_loop_init(&d->loop);
    d->http = http_client_create(&d->loop);
    d->watch = head_watch_create(&d->loop, url, record->n, &handlers);
    uv_timer_init(&d->loop, &d->timer);
    d->timer.data = d;
    uv_timer_start(&d->timer, on_tick, TICK_MS, TICK_MS);
    enter(d, PHASE_LOOK);
    uv_run(&d->loop, UV_RUN_DEFAULT);
    uv_loop_close(&d->loop);
    report(d);
    enum err e = d->err;
    free(d);
    return e;
}
