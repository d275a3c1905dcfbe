#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "sequencer/cli/bench.h"
#include "sequencer/cli/rpc_client.h"

enum { TIMEOUT_MS = 2500, GATHER_US = 20000, REQUEST = 2 * BENCH_RAW + 128 };

/* Gathered -> sent -> answered. The place in the request is the id of each. */
struct bench_batch {
    struct bench *bench;
    uint32_t node;
    size_t n;
    uint64_t since_us; /* of the first */
    struct bench_tx *tx[];
};

static uint64_t now_us(void)
{
    return uv_hrtime() / 1000;
}

static void answer_all(struct bench_batch *batch, enum bench_answer answer, const char *why)
{
    for (size_t i = 0; i < batch->n; i++) {
        if (batch->tx[i] != NULL) {
            bench_answered(batch->tx[i], answer, why);
        }
    }
    free(batch);
}

/* Each is answered once, whatever ids come back. */
static void take_answer(struct bench_batch *batch, struct json_object *one)
{
    char why[160] = "";
    struct json_object *hash = NULL;
    uint64_t id = doc_u64(one, "id", UINT64_MAX);
    if (id >= batch->n || batch->tx[id] == NULL) {
        return;
    }
    struct bench_tx *tx = batch->tx[id];
    batch->tx[id] = NULL;
    bool ok = rpc_client_read(&hash, one, why, sizeof why) == OK;
    bench_answered(tx, ok ? BENCH_ACCEPTED : BENCH_REFUSED, why);
}

static void on_answer(void *arg, const struct http_answer *answer)
{
    struct bench_batch *batch = arg;
    if (answer->err != OK) {
        bench_node_failed(batch->bench, batch->node);
        answer_all(batch, BENCH_NO_ANSWER, "");
        return;
    }
    struct json_object *o = doc_parse(answer->body);
    char why[160] = "an answer is missing";
    struct json_object *nothing = NULL;
    if (json_object_is_type(o, json_type_array)) {
        for (size_t i = 0; i < doc_length(o); i++) {
            take_answer(batch, json_object_array_get_idx(o, i));
        }
    } else if (batch->n == 1) {
        take_answer(batch, o);
    } else if (rpc_client_read(&nothing, o, why, sizeof why) == OK) {
        snprintf(why, sizeof why, "one answer for many requests");
    }
    json_object_put(o);
    answer_all(batch, BENCH_REFUSED, why);
}

static size_t write_request(char *text, const struct bench_tx *tx, size_t id)
{
    char raw[HEX_SIZE(BENCH_RAW)];
    hex_encode(raw, tx->raw, tx->raw_len);
    return (size_t)snprintf(text, REQUEST,
                            "{\"jsonrpc\":\"2.0\",\"id\":%zu,\"method\":"
                            "\"eth_sendRawTransaction\",\"params\":[\"%s\"]}",
                            id, raw);
}

/* A request alone is no array: as wallets send it. */
static char *write_batch(const struct bench_batch *batch, size_t *n)
{
    char *text = malloc(batch->n * (REQUEST + 1) + 2);
    size_t at = 0;
    if (text == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < batch->n; i++) {
        if (batch->n > 1) {
            text[at++] = i == 0 ? '[' : ',';
        }
        at += write_request(text + at, batch->tx[i], i);
    }
    if (batch->n > 1) {
        text[at++] = ']';
    }
    *n = at;
    return text;
}

static void send_batch(struct bench *b, uint32_t node)
{
    struct bench_batch *batch = b->gathering[node];
    size_t n = 0;
    b->gathering[node] = NULL;
    char *text = write_batch(batch, &n);
    const struct http_request r = {b->o.url[node], text, n, NULL, TIMEOUT_MS};
    if (text == NULL || http_client_post(b->http, &r, on_answer, batch) != OK) {
        answer_all(batch, BENCH_NO_ANSWER, "");
    }
    free(text);
}

bool bench_enqueue(struct bench_tx *tx, uint32_t node)
{
    struct bench *b = tx->account->bench;
    struct bench_batch *batch = b->gathering[node];
    if (batch == NULL) {
        batch = malloc(sizeof *batch + b->o.batch * sizeof batch->tx[0]);
        if (batch == NULL) {
            return false;
        }
        *batch = (struct bench_batch){.bench = b, .node = node, .since_us = now_us()};
        b->gathering[node] = batch;
    }
    batch->tx[batch->n++] = tx;
    if (batch->n == b->o.batch) {
        send_batch(b, node);
    }
    return true;
}

void bench_batch_due(struct bench *b)
{
    uint64_t now = now_us();
    uint64_t gather = b->phase == BENCH_LOAD ? GATHER_US : 0;
    for (uint32_t i = 0; i < b->o.urls; i++) {
        if (b->gathering[i] != NULL && now - b->gathering[i]->since_us >= gather) {
            send_batch(b, i);
        }
    }
}

void bench_batch_close(struct bench *b)
{
    for (uint32_t i = 0; i < b->o.urls; i++) {
        free(b->gathering[i]);
        b->gathering[i] = NULL;
    }
}
