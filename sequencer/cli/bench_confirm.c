#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "sequencer/cli/bench.h"
#include "sequencer/cli/rpc_client.h"

enum { TIMEOUT_MS = 1500 };

void bench_on_head(void *arg, const struct head *h)
{
    struct bench *b = arg;
    if (h->number <= b->highest) {
        return;
    }
    for (uint64_t n = b->highest + 1; n <= h->number; n++) {
        b->arrival_us[n % BENCH_ARRIVALS] = h->at_us;
    }
    b->highest = h->number;
    b->announcer = h->node;
    bench_read_next(b);
}

static bool keep_hash(struct bench *b, uint64_t number, const struct hash *hash)
{
    size_t at = (size_t)(number - b->first_block);
    if (at >= b->seen_cap) {
        size_t cap = (at + 1) * 2;
        struct hash *bigger = realloc(b->seen, cap * sizeof *bigger);
        if (bigger == NULL) {
            return false;
        }
        memset(bigger + b->seen_cap, 0, (cap - b->seen_cap) * sizeof *bigger);
        b->seen = bigger;
        b->seen_cap = cap;
    }
    b->seen[at] = *hash;
    return true;
}

static void confirm(struct bench *b, const struct hash *hash, uint64_t at_us)
{
    struct bench_tx *tx = NULL;
    HASH_FIND(hh, b->txs, hash, sizeof *hash, tx);
    if (tx == NULL || tx->confirmed_us != 0) {
        return;
    }
    bench_settle(b, tx);
    tx->confirmed_us = at_us > tx->submitted_us ? at_us : tx->submitted_us;
    b->confirmed += tx->load ? 1 : 0;
}

static bool read_block(struct bench *b, struct json_object *block)
{
    struct json_object *list = doc_member(block, "transactions");
    struct hash hash;
    if (!hex_decode(hash.b, 32, doc_text(block, "hash", "")) ||
        !keep_hash(b, b->next_block, &hash)) {
        return false;
    }
    uint64_t at_us = b->arrival_us[b->next_block % BENCH_ARRIVALS];
    for (size_t i = 0; i < doc_length(list); i++) {
        const char *text = json_object_get_string(json_object_array_get_idx(list, i));
        if (text != NULL && hex_decode(hash.b, 32, text)) {
            confirm(b, &hash, at_us);
        }
    }
    b->next_block++;
    return true;
}

static void on_block(void *arg, const struct http_answer *a)
{
    struct bench *b = arg;
    struct json_object *block = NULL;
    char why[96];
    b->reading = false;
    bool ok = a->err == OK && rpc_client_answer(&block, a->body, why, sizeof why) == OK &&
              read_block(b, block);
    json_object_put(block);
    if (ok) {
        bench_read_next(b);
    } else { /* the clock tries the next node */
        b->announcer = (b->announcer + 1) % (int)b->o.urls;
    }
}

void bench_read_next(struct bench *b)
{
    char text[128];
    if (b->reading || b->next_block > b->highest || b->http == NULL) {
        return;
    }
    int n = snprintf(text, sizeof text,
                     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_getBlockByNumber\","
                     "\"params\":[\"0x%llx\",false]}",
                     (unsigned long long)b->next_block);
    const struct http_request r = {b->o.url[b->announcer], text, (size_t)n, NULL, TIMEOUT_MS};
    b->reading = http_client_post(b->http, &r, on_block, b) == OK;
}
