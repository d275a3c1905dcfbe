/* What clients answer: as ethereumjs 0.10.5 did, recorded, and as none should. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/body.h"
#include "sequencer/engine/engine_json.h"
#include "sequencer/engine/engine_status.h"

/* ---- recorded ----------------------------------------------------------------------------------- */

static struct bytes recorded(const char *name)
{
    static char text[8192];
    char path[512];
    snprintf(path, sizeof path, "%s/%s", ENGINE_RECORDED, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    return bytes_of(text, n);
}

static struct json_object *result_of(const char *name, struct json_object **root)
{
    *root = json_read(recorded(name));
    assert_non_null(*root);
    return json_get(*root, "result");
}

static struct hash field(struct json_object *o, const char *name)
{
    struct hash h;
    assert_true(json_fixed(json_get(o, name), h.b, sizeof h.b));
    return h;
}

/* The meaning of a whole recorded answer about `payload`. */
static enum engine_meaning meaning(const char *name, const struct hash *payload)
{
    const struct request asked = {.first_id = 1, .calls = 1};
    struct answers a;
    const char *why;
    assert_int_equal(answers_read(&a, &asked, recorded(name)), WEB_FAULT_NONE);
    struct json_object *status = json_get(a.at[0].result, "payloadStatus");
    enum engine_meaning m =
        a.at[0].error ? engine_of_error(a.at[0].code)
                      : engine_of_status(status == NULL ? a.at[0].result : status, payload, &why);
    answers_release(&a);
    return m;
}

static void what_was_recorded_means(void **state)
{
    (void)state;
    struct json_object *root;
    struct hash genesis = field(result_of("genesis.json", &root), "hash");
    json_object_put(root);
    struct hash head = field(json_get(result_of("payload.json", &root), "executionPayload"),
                             "blockHash");
    json_object_put(root);
    assert_int_equal(meaning("fcu_plain.json", &genesis), ENGINE_YES);
    assert_int_equal(meaning("fcu_attributes.json", &genesis), ENGINE_YES);
    assert_int_equal(meaning("fcu_head.json", &head), ENGINE_YES);
    assert_int_equal(meaning("fcu_head.json", &genesis), ENGINE_NONSENSE);
    assert_int_equal(meaning("fcu_unknown.json", &head), ENGINE_BEHIND);
    assert_int_equal(meaning("valid.json", &head), ENGINE_YES);
    assert_int_equal(meaning("valid_again.json", &head), ENGINE_YES);
    assert_int_equal(meaning("valid.json", &genesis), ENGINE_NONSENSE);
    assert_int_equal(meaning("wrong_hash.json", &head), ENGINE_NO);
    assert_int_equal(meaning("unknown_parent_wrong_hash.json", &head), ENGINE_NO);
    assert_int_equal(meaning("payload_unknown.json", &head), ENGINE_AGAIN);
    static const char *const misfit[] = {"wrong_version.json", "fcu_safe_zero.json",
                                         "fcu_same_time.json", "fcu_list.json", "no_method.json"};
    for (size_t i = 0; i < sizeof misfit / sizeof *misfit; i++) {
        assert_int_equal(meaning(misfit[i], &head), ENGINE_MISFIT);
    }
}

static void recorded_small_answers(void **state)
{
    (void)state;
    struct json_object *root;
    struct engine_id id;
    struct engine_head h;
    const char *missing = NULL;
    assert_true(engine_get_id(result_of("fcu_attributes.json", &root), &id));
    json_object_put(root);
    assert_false(engine_get_id(result_of("fcu_plain.json", &root), &id));
    json_object_put(root);
    assert_true(engine_get_head(result_of("known_hash.json", &root), &h));
    assert_int_equal(h.number, 1);
    json_object_put(root);
    assert_false(engine_get_head(result_of("unknown_hash.json", &root), &h));
    json_object_put(root);
    struct json_object *list = result_of("capabilities.json", &root);
    assert_true(engine_get_capabilities(list, ENGINE_CANCUN, &missing));
    assert_true(engine_get_capabilities(list, ENGINE_PRAGUE, &missing));
    assert_false(engine_get_capabilities(list, ENGINE_OSAKA, &missing));
    assert_string_equal(missing, "engine_getPayloadV5");
    json_object_put(root);
    assert_null(json_read(recorded("bad_secret.txt")));
}

/* ---- payloads ----------------------------------------------------------------------------------- */

static struct engine_built built_from(struct json_object *result)
{
    struct engine_built b;
    assert_int_equal(engine_get_built(&b, ENGINE_PRAGUE, result), OK);
    return b;
}

static void same_payload(const struct engine_payload *a, const struct engine_payload *b)
{
    assert_int_equal(a->timestamp, b->timestamp);
    assert_memory_equal(&a->receipts_root, &b->receipts_root, 32);
    assert_memory_equal(a->logs_bloom, b->logs_bloom, ENGINE_BLOOM_BYTES);
    assert_int_equal(a->gas_limit, b->gas_limit);
    assert_int_equal(a->gas_used, b->gas_used);
    assert_int_equal(a->extra_n, b->extra_n);
    assert_int_equal(u256_cmp(&a->base_fee, &b->base_fee), 0);
    assert_int_equal(a->tx_n, b->tx_n);
    assert_true(bytes_equal(a->txs, b->txs));
    assert_int_equal(a->requests, b->requests);
    for (uint32_t i = 0; i < a->requests; i++) {
        assert_true(bytes_equal(a->request[i], b->request[i]));
    }
}

/* Through the body and out again as engine_newPayload: each field in the client's own letters. */
static void a_recorded_payload_comes_back(void **state)
{
    (void)state;
    struct json_object *root;
    struct json_object *result = result_of("payload.json", &root);
    struct engine_built b = built_from(result);
    uint8_t *body = NULL;
    size_t n = 0;
    struct engine_payload p = b.payload;
    assert_int_equal(b.payload.tx_n, 2);
    assert_int_equal(engine_body_encode(&body, &n, &b.payload, ENGINE_PRAGUE), OK);
    p.txs = bytes_of(NULL, 0);
    assert_int_equal(engine_body_decode(&p, ENGINE_PRAGUE, bytes_of(body, n)), OK);
    same_payload(&p, &b.payload);
    struct bytes txs;
    assert_int_equal(engine_body_txs(bytes_of(body, n), &txs), OK);
    assert_true(bytes_equal(txs, p.txs));
    struct request r;
    engine_put_new(&r, 7, ENGINE_PRAGUE, &p);
    struct json_object *asked = json_read(request_body(&r));
    assert_string_equal(json_text(json_get(asked, "method")), "engine_newPayloadV4");
    struct json_object *params = json_get(asked, "params");
    assert_int_equal(json_list(params), 4);
    struct json_object *sent = json_at(params, 0);
    json_object_object_foreach(json_get(result, "executionPayload"), key, value)
    {
        if (strcmp(key, "requestsHash") != 0) {
            assert_true(json_object_equal(json_get(sent, key), value));
        }
    }
    assert_true(json_object_equal(json_at(params, 3), json_get(result, "executionRequests")));
    json_object_put(asked);
    request_free(&r);
    free(body);
    free(b.memory);
    json_object_put(root);
}

static void a_second_answer_without_requests_is_none(void **state)
{
    (void)state;
    struct json_object *root;
    struct engine_built b;
    struct json_object *result = result_of("payload_again.json", &root);
    assert_int_equal(engine_get_built(&b, ENGINE_PRAGUE, result), ERR_MALFORMED);
    assert_int_equal(engine_get_built(&b, ENGINE_CANCUN, result), OK);
    free(b.memory);
    json_object_put(root);
}

static enum err built_with(const char *key, const char *value)
{
    struct json_object *root;
    struct engine_built b;
    struct json_object *result = result_of("payload.json", &root);
    struct json_object *p = json_get(result, "executionPayload");
    struct json_object *in = json_get(p, key) != NULL ? p : result;
    json_object_object_del(in, key);
    if (value != NULL) {
        json_object_object_add(in, key, json_tokener_parse(value));
    }
    enum err e = engine_get_built(&b, ENGINE_PRAGUE, result);
    if (e == OK) {
        free(b.memory);
    }
    json_object_put(root);
    return e;
}

static void odd_payloads_are_refused(void **state)
{
    (void)state;
    static const char *const needed[] = {
        "parentHash", "blockHash",   "stateRoot",    "receiptsRoot", "prevRandao",
        "logsBloom",  "blockNumber", "gasLimit",     "gasUsed",      "timestamp",
        "extraData",  "withdrawals", "transactions", "blobGasUsed",  "excessBlobGas",
        "baseFeePerGas", "feeRecipient", "executionRequests", "executionPayload"};
    static const char *const odd[] = {"null", "7", "true", "{}", "\"\"", "\"0x\"", "\"0xzz\"",
                                      "\"0x123\"", "[7]", "[\"0x\"]", "[\"0x0\"]", "[null]"};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        assert_int_equal(built_with(needed[i], NULL), ERR_MALFORMED);
        for (size_t k = 0; k < sizeof odd / sizeof *odd; k++) {
            enum err e = built_with(needed[i], odd[k]);
            bool quantity = strcmp(odd[k], "\"0x123\"") == 0; /* is one */
            bool no_extra = strcmp(odd[k], "\"0x\"") == 0 && strcmp(needed[i], "extraData") == 0;
            assert_true(e != OK || quantity || no_extra);
        }
    }
    assert_int_equal(built_with("requestsHash", NULL), OK);
    assert_int_equal(built_with("blockValue", "[[[]]]"), OK);
}

static void what_this_chain_never_has(void **state)
{
    (void)state;
    assert_int_equal(built_with("blobGasUsed", "\"0x20000\""), ERR_INVALID_BLOCK);
    assert_int_equal(built_with("excessBlobGas", "\"0x1\""), ERR_INVALID_BLOCK);
    assert_int_equal(built_with("withdrawals", "[{}]"), ERR_INVALID_BLOCK);
    assert_int_equal(built_with("transactions", "[\"0x0312\"]"), ERR_INVALID_BLOCK);
    assert_int_equal(built_with("executionRequests", "[\"0x00\"]"), ERR_INVALID_BLOCK);
    assert_int_equal(built_with("executionRequests", "[\"0x0101\",\"0x0001\"]"), ERR_INVALID_BLOCK);
    assert_int_equal(built_with("executionRequests", "[\"0x0101\",\"0x0101\"]"), ERR_INVALID_BLOCK);
    assert_int_equal(built_with("executionRequests", "[\"0x0001\",\"0x0202\"]"), OK);
    assert_int_equal(built_with("executionRequests",
                                "[\"0x0001\",\"0x0101\",\"0x0201\",\"0x0301\",\"0x0401\","
                                "\"0x0501\",\"0x0601\",\"0x0701\",\"0x0801\"]"),
                     ERR_TOO_LARGE);
    assert_int_equal(built_with("extraData", "\"0x000102030405060708090a0b0c0d0e0f10111213141516"
                                             "1718191a1b1c1d1e1f20\""),
                     ERR_MALFORMED);
}

/* ---- bodies ------------------------------------------------------------------------------------- */

static size_t a_body(uint8_t **out)
{
    static const uint8_t tx[2][3] = {{2, 7, 7}, {0xc1, 9, 9}};
    static uint8_t list[64];
    const struct bytes raw[] = {bytes_of(tx[0], 3), bytes_of(tx[1], 3)};
    struct engine_payload p = {.timestamp = 1700000000,
                               .gas_limit = 30000000,
                               .gas_used = 21000,
                               .extra = "ab",
                               .extra_n = 2,
                               .base_fee = u256_from_u64(7),
                               .tx_n = 2,
                               .request = {bytes_of("\0ab", 3), bytes_of("\1c", 2)},
                               .requests = 2};
    size_t n = 0;
    p.txs = bytes_of(list, body_size(raw, 2));
    body_write(list, raw, 2);
    assert_int_equal(engine_body_encode(out, &n, &p, ENGINE_OSAKA), OK);
    return n;
}

static void a_body_has_one_form(void **state)
{
    (void)state;
    uint8_t *body, *again;
    size_t n = a_body(&body), again_n = 0;
    struct engine_payload p = {0};
    assert_int_equal(engine_body_decode(&p, ENGINE_OSAKA, bytes_of(body, n)), OK);
    assert_int_equal(p.requests, 2);
    assert_int_equal(engine_body_encode(&again, &again_n, &p, ENGINE_OSAKA), OK);
    assert_true(bytes_equal(bytes_of(body, n), bytes_of(again, again_n)));
    free(again);
    assert_int_equal(engine_body_decode(&p, ENGINE_PRAGUE, bytes_of(body, n)), OK);
    assert_int_equal(engine_body_decode(&p, ENGINE_CANCUN, bytes_of(body, n)), ERR_INVALID_BLOCK);
    free(body);
}

/* Every cut, and every byte changed: refused, or read and written again as the same bytes. */
static void hostile_bodies(void **state)
{
    (void)state;
    uint8_t *body;
    size_t n = a_body(&body);
    struct engine_payload p;
    struct bytes txs;
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *part = malloc(cut + 1);
        memcpy(part, body, cut);
        memset(&p, 0, sizeof p);
        assert_int_not_equal(engine_body_decode(&p, ENGINE_PRAGUE, bytes_of(part, cut)), OK);
        assert_int_not_equal(engine_body_txs(bytes_of(part, cut), &txs), OK);
        free(part);
    }
    for (size_t i = 0; i < n * 255; i++) {
        uint8_t was = body[i / 255];
        body[i / 255] = (uint8_t)(was + 1 + i % 255);
        memset(&p, 0, sizeof p);
        if (engine_body_decode(&p, ENGINE_PRAGUE, bytes_of(body, n)) == OK) {
            uint8_t *again;
            size_t again_n = 0;
            assert_int_equal(engine_body_encode(&again, &again_n, &p, ENGINE_PRAGUE), OK);
            assert_true(bytes_equal(bytes_of(body, n), bytes_of(again, again_n)));
            free(again);
        }
        body[i / 255] = was;
    }
    free(body);
}

static void times_grow(void **state)
{
    (void)state;
    const struct hash a = {{1}};
    struct hash one = engine_randao(&a, 1000), other = engine_randao(&a, 1001);
    assert_false(hash_equal(&one, &other));
    assert_int_equal(engine_seconds(7999, 3), 7);
    assert_int_equal(engine_seconds(7999, 7), 8);
    assert_int_equal(engine_seconds(7999, 9), 10);
}

/* ---- meanings ----------------------------------------------------------------------------------- */

static enum engine_meaning of_text(const char *text)
{
    struct hash h;
    const char *why;
    memset(&h, 0x11, sizeof h);
    struct json_object *o = json_tokener_parse(text);
    enum engine_meaning m = engine_of_status(o, &h, &why);
    assert_non_null(why);
    json_object_put(o);
    return m;
}

static void statuses(void **state)
{
    (void)state;
#define H "\"0x1111111111111111111111111111111111111111111111111111111111111111\""
    static const struct {
        const char *text;
        enum engine_meaning m;
    } said[] = {
        {"{\"status\":\"VALID\",\"latestValidHash\":" H "}", ENGINE_YES},
        {"{\"status\":\"VALID\",\"latestValidHash\":null}", ENGINE_NONSENSE},
        {"{\"status\":\"VALID\"}", ENGINE_NONSENSE},
        {"{\"status\":\"valid\",\"latestValidHash\":" H "}", ENGINE_NONSENSE},
        {"{\"status\":\"SYNCING\",\"latestValidHash\":null}", ENGINE_BEHIND},
        {"{\"status\":\"ACCEPTED\"}", ENGINE_BEHIND},
        {"{\"status\":\"INVALID\",\"latestValidHash\":null}", ENGINE_NO},
        {"{\"status\":\"INVALID\",\"validationError\":\"invalid gas used\"}", ENGINE_NO},
        {"{\"status\":\"INVALID_BLOCK_HASH\"}", ENGINE_NO},
        {"{\"status\":\"INVALID\",\"validationError\":\"Missing trie node 12 (path )\"}", ENGINE_AGAIN},
        {"{\"status\":\"INVALID\",\"validationError\":\"insertion is interrupted\"}", ENGINE_AGAIN},
        {"{\"status\":\"INVALID\",\"validationError\":7}", ENGINE_NO},
        {"{\"status\":7}", ENGINE_NONSENSE},
        {"{}", ENGINE_NONSENSE},
        {"[]", ENGINE_NONSENSE},
        {"\"VALID\"", ENGINE_NONSENSE},
    };
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        assert_int_equal(of_text(said[i].text), said[i].m);
    }
    assert_int_equal(of_text("null"), ENGINE_NONSENSE);
}

static void transport_and_errors(void **state)
{
    (void)state;
    static const struct {
        enum web_fault fault;
        long status;
        enum engine_meaning m;
    } had[] = {
        {WEB_FAULT_NONE, 200, ENGINE_YES},       {WEB_FAULT_CONNECT, 0, ENGINE_GONE},
        {WEB_FAULT_TIMEOUT, 0, ENGINE_GONE},     {WEB_FAULT_CLOSED, 200, ENGINE_GONE},
        {WEB_FAULT_BUSY, 429, ENGINE_AGAIN},     {WEB_FAULT_STATUS, 401, ENGINE_DENIED},
        {WEB_FAULT_STATUS, 403, ENGINE_DENIED},  {WEB_FAULT_STATUS, 404, ENGINE_MISFIT},
        {WEB_FAULT_STATUS, 500, ENGINE_AGAIN},   {WEB_FAULT_STATUS, 503, ENGINE_AGAIN},
        {WEB_FAULT_TOO_LARGE, 200, ENGINE_NONSENSE},
    };
    for (size_t i = 0; i < sizeof had / sizeof *had; i++) {
        const struct http_reply r = {.fault = had[i].fault, .status = had[i].status};
        assert_int_equal(engine_of_reply(&r), had[i].m);
    }
    static const int64_t misfit[] = {-32600, -32601, -32602, -32700, -38003, -38004, -38005};
    for (size_t i = 0; i < sizeof misfit / sizeof *misfit; i++) {
        assert_int_equal(engine_of_error(misfit[i]), ENGINE_MISFIT);
    }
    static const int64_t moment[] = {-38001, -38002, -32001, -32000, -32603, 0, 1, INT64_MIN};
    for (size_t i = 0; i < sizeof moment / sizeof *moment; i++) {
        assert_int_equal(engine_of_error(moment[i]), ENGINE_AGAIN);
    }
}

/* The rule of the room: of all meanings one alone is INVALID. */
static void only_no_is_invalid(void **state)
{
    (void)state;
    for (int m = 0; m < ENGINE_MEANINGS_N; m++) {
        enum execution_status s = engine_verdict((enum engine_meaning)m);
        assert_int_equal(s == EXECUTION_INVALID, m == ENGINE_NO);
        assert_int_equal(s == EXECUTION_VALID, m == ENGINE_YES);
    }
    assert_int_equal(engine_verdict(ENGINE_MEANINGS_N), EXECUTION_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_recorded_means),
        cmocka_unit_test(recorded_small_answers),
        cmocka_unit_test(a_recorded_payload_comes_back),
        cmocka_unit_test(a_second_answer_without_requests_is_none),
        cmocka_unit_test(odd_payloads_are_refused),
        cmocka_unit_test(what_this_chain_never_has),
        cmocka_unit_test(a_body_has_one_form),
        cmocka_unit_test(hostile_bodies),
        cmocka_unit_test(times_grow),
        cmocka_unit_test(statuses),
        cmocka_unit_test(transport_and_errors),
        cmocka_unit_test(only_no_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
