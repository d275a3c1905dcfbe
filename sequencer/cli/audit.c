#define _GNU_SOURCE
#include "sequencer/cli/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "sequencer/cli/rpc_client.h"

enum { TIMEOUT_MS = 10000, PAUSE_MS = 100, BATCH = 50, REQUEST = 128 };

/* Waits until the node's head is at `last`. */
static bool reaches(const char *url, uint64_t last, uint64_t until_us)
{
    const struct rpc_target target = {url, NULL, 1000};
    for (;;) {
        struct json_object *head = NULL;
        uint64_t number = 0;
        char why[64];
        if (rpc_client_call(&head, &target, "eth_blockNumber", NULL, why, sizeof why) == OK &&
            doc_quantity(head, &number) && number >= last) {
            json_object_put(head);
            return true;
        }
        json_object_put(head);
        if (uv_hrtime() / 1000 > until_us) {
            return false;
        }
        uv_sleep(PAUSE_MS);
    }
}

/* A batch of eth_getBlockByNumber; NULL where the node does not answer with an array. */
static struct json_object *fetch(const char *url, uint64_t first, uint64_t count)
{
    char *text = malloc(BATCH * REQUEST + 4);
    struct http_body body = {0};
    size_t n = 0;
    if (text == NULL) {
        return NULL;
    }
    for (uint64_t i = 0; i < count; i++) {
        n += (size_t)snprintf(text + n, REQUEST,
                              "%c{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":"
                              "\"eth_getBlockByNumber\",\"params\":[\"0x%llx\",false]}",
                              i == 0 ? '[' : ',', (unsigned long long)i,
                              (unsigned long long)(first + i));
    }
    text[n++] = ']';
    const struct http_request r = {url, text, n, NULL, TIMEOUT_MS};
    struct json_object *answer = NULL;
    if (http_fetch(&body, &r) == OK) {
        answer = doc_parse(bytes_of(body.p, body.n));
        free(body.p);
    }
    free(text);
    return answer;
}

static void tell_transactions(const struct audit *a, struct json_object *block, uint64_t number)
{
    struct json_object *list = doc_member(block, "transactions");
    for (size_t i = 0; i < doc_length(list); i++) {
        struct hash tx;
        const char *text = json_object_get_string(json_object_array_get_idx(list, i));
        if (text != NULL && hex_decode(tx.b, 32, text)) {
            a->tx(a->arg, &tx, number);
        }
    }
}

static void compare(struct audit *a, struct hash *reference, bool first_node,
                    struct json_object *block, uint64_t number)
{
    struct hash hash = {{0}};
    bool known = hex_decode(hash.b, 32, doc_text(block, "hash", ""));
    struct hash *expected = &reference[number - a->first];
    if (!first_node) {
        a->differing += known && hash_equal(&hash, expected) ? 0 : 1;
        return;
    }
    *expected = hash;
    const struct hash *seen = &a->seen[number - a->first];
    a->replaced += !hash_is_zero(seen) && !hash_equal(seen, &hash) ? 1 : 0;
    a->differing += known ? 0 : 1;
    tell_transactions(a, block, number);
}

/* Position of the answer in the batch: its id. */
static bool read_batch(struct audit *a, struct hash *reference, bool first_node,
                       struct json_object *answers, uint64_t first, uint64_t count)
{
    if (doc_length(answers) != count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct json_object *one = json_object_array_get_idx(answers, i);
        uint64_t id = doc_u64(one, "id", UINT64_MAX);
        if (id >= count) {
            return false;
        }
        compare(a, reference, first_node, doc_member(one, "result"), first + id);
    }
    return true;
}

static bool read_node(struct audit *a, struct hash *reference, bool first_node, const char *url)
{
    for (uint64_t at = a->first; at <= a->last; at += BATCH) {
        uint64_t count = a->last - at + 1 < BATCH ? a->last - at + 1 : BATCH;
        struct json_object *answers = fetch(url, at, count);
        bool ok = read_batch(a, reference, first_node, answers, at, count);
        json_object_put(answers);
        if (!ok) {
            return false;
        }
    }
    return true;
}

enum err audit_run(struct audit *a, const char *const *url, size_t n)
{
    if (a->last < a->first) {
        return OK;
    }
    struct hash *reference = calloc(a->last - a->first + 1, sizeof *reference);
    if (reference == NULL) {
        return ERR_NO_MEMORY;
    }
    uint64_t until = uv_hrtime() / 1000 + a->wait_ms * 1000;
    for (size_t i = 0; i < n; i++) {
        if (reaches(url[i], a->last, until) && read_node(a, reference, a->checked == 0, url[i])) {
            a->checked++;
        } else {
            a->absent |= 1u << i;
        }
    }
    free(reference);
    return a->checked > 0 ? OK : ERR_UNREACHABLE;
}
