/* The form of requests: ids, parameters, batches; documents; what goes on to a client. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/limits.h"
#include "rpc_case.h"

/* cast and viem leave params out, ethers sends []; null is the same. */
static void params_may_be_missing(void **state)
{
    (void)state;
    expect_text("eth_chainId", NULL, "0xa0ed");
    expect_text("eth_chainId", "[]", "0xa0ed");
    expect_text("eth_chainId", "null", "0xa0ed");
    client_expect_error(&c, "eth_chainId", "{}", -32602, "non-array args");
    client_expect_error(&c, "eth_chainId", "[1]", -32602, "too many arguments, want at most 0");
}

static void ids_come_back_with_their_type(void **state)
{
    (void)state;
    static const char *const id[] = {"0",          "\"0\"", "1",   "-7",
                                     "\"a\\\"b\"", "null",  "1.5", "9007199254740993"};
    for (size_t i = 0; i < sizeof id / sizeof *id; i++) {
        char body[128];
        char want[128];
        snprintf(body, sizeof body, "{\"method\":\"eth_chainId\",\"id\":%s,\"jsonrpc\":\"2.0\"}",
                 id[i]);
        snprintf(want, sizeof want, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":\"0xa0ed\"}", id[i]);
        client_post(&c, body);
        assert_string_equal(c.body, want);
    }
}

/* A missing "jsonrpc" is tolerated, another version is not. */
static void invalid_requests(void **state)
{
    (void)state;
    static const char want[] = "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":"
                               "{\"code\":-32600,\"message\":\"invalid request\"}}";
    static const char *const body[] = {"{}",
                                       "1",
                                       "\"x\"",
                                       "null",
                                       "{\"id\":null}",
                                       "{\"id\":null,\"method\":5}",
                                       "{\"id\":{},\"method\":\"eth_chainId\"}",
                                       "{\"id\":[1],\"method\":\"eth_chainId\"}"};
    for (size_t i = 0; i < sizeof body / sizeof *body; i++) {
        client_post(&c, body[i]);
        assert_int_equal(c.status, 200);
        if (strcmp(body[i], "null") != 0) {
            assert_string_equal(c.body, want);
        } else {
            assert_non_null(strstr(c.body, "\"code\":-32"));
        }
    }
    client_post(&c, "{\"id\":1,\"method\":\"eth_chainId\\u0000x\"}");
    assert_non_null(strstr(c.body, "invalid request"));
    /* A name that is cut in the middle of a character: the answer is UTF-8 all the same. */
    char letters[129] = {0};
    for (size_t i = 0; i < 128; i += 2) {
        memcpy(letters + i, "\xc3\xa4", 2);
    }
    char cut[300];
    snprintf(cut, sizeof cut, "{\"id\":1,\"method\":\"x%s\"}", letters);
    client_post(&c, cut);
    assert_non_null(strstr(c.body, "\xc3\xa4? does not exist"));
    client_post(&c, "{\"id\":1,\"method\":\"eth_chainId\",\"jsonrpc\":\"1.0\"}");
    assert_non_null(strstr(c.body, "\"id\":1,\"error\":{\"code\":-32600"));
    client_post(&c, "{\"id\":1,\"method\":\"eth_chainId\"}");
    assert_non_null(strstr(c.body, "\"result\":\"0xa0ed\""));
}

/* Tools probe for these and go on when told quickly that there are none. */
static void unknown_methods_are_32601(void **state)
{
    (void)state;
    static const char *const name[] = {"eth_fillTransaction", "anvil_nodeInfo",
                                       "eth_newFilter",       "debug_traceTransaction",
                                       "engine_newPayloadV4", "admin_drain",
                                       "admin_peers",         "miner_start",
                                       "personal_sign",       ""};
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        char want[128];
        snprintf(want, sizeof want, "the method %s does not exist/is not available", name[i]);
        client_expect_error(&c, name[i], NULL, -32601, want);
    }
}

static void wrong_parameters_are_32602(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        const char *params;
        const char *text;
    } wrong[] = {
        {"eth_getBalance", NULL, "missing value for required argument 0"},
        {"eth_getBalance", "[null]", "missing value for required argument 0"},
        {"eth_getBalance", "[\"0x12\"]",
         "invalid argument 0: hex string has length 2, want 40 for common.Address"},
        {"eth_getBalance", "[\"12\"]",
         "invalid argument 0: json: cannot unmarshal hex string without 0x prefix into Go value of "
         "type common.Address"},
        {"eth_getBalance", "[5]", NULL},
        {"eth_getBalance", "[" ADDRESS ",\"newest\"]",
         "invalid argument 1: hex string without 0x prefix"},
        {"eth_getBalance", "[" ADDRESS ",\"0x\"]", "invalid argument 1: hex string \"0x\""},
        {"eth_getBalance", "[" ADDRESS ",\"0x01\"]",
         "invalid argument 1: hex number with leading zero digits"},
        {"eth_getBalance", "[" ADDRESS ",\"0x11111111111111111\"]",
         "invalid argument 1: hex number > 64 bits"},
        {"eth_getBalance", "[" ADDRESS ",\"\"]", "invalid argument 1: empty hex string"},
        {"eth_getBalance", "[" ADDRESS ",{}]",
         "invalid argument 1: neither BlockNumber nor BlockHash"},
        {"eth_getBalance", "[" ADDRESS ",\"0xzz\"]", "invalid argument 1: invalid hex string"},
        {"eth_getBlockByNumber", NULL, "missing value for required argument 0"},
        {"eth_getBlockByNumber", "[\"latest\",\"yes\"]", NULL},
        {"eth_getTransactionReceipt", "[\"0x12\"]", NULL},
        {"eth_sendRawTransaction", NULL, "missing value for required argument 0"},
        {"eth_sendRawTransaction", "[\"0x123\"]", NULL},
        {"eth_sendRawTransaction", "[\"f8\"]", NULL},
        {"eth_sendRawTransaction", "[\"0x12\\u0000\"]", NULL},
        {"eth_call", "[5]", NULL},
        {"eth_feeHistory", "[]", "missing value for required argument 0"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        client_expect_error(&c, wrong[i].method, wrong[i].params, -32602, wrong[i].text);
    }
}

/* ethers batches whatever happens within 10 ms. */
static void batches(void **state)
{
    (void)state;
    client_post(&c, "[{\"id\":1,\"method\":\"eth_chainId\",\"params\":[],\"jsonrpc\":\"2.0\"},"
                    "{\"id\":2,\"method\":\"nope\",\"jsonrpc\":\"2.0\"},7,"
                    "{\"method\":\"eth_chainId\",\"jsonrpc\":\"2.0\"},"
                    "{\"id\":\"x\",\"method\":\"eth_getBlockByNumber\",\"params\":[\"0x3\",true]},"
                    "{\"id\":4,\"method\":\"eth_getBalance\",\"params\":[" ADDRESS ",\"0x2\"]}]");
    assert_int_equal(c.status, 200);
    struct json_object *o = json_tokener_parse(c.body);
    assert_true(json_object_is_type(o, json_type_array));
    assert_int_equal(json_object_array_length(o), 5);
    assert_string_equal(json_text(json_object_array_get_idx(o, 0), "result"), "0xa0ed");
    assert_int_equal(json_object_get_int(json_member(
                         json_member(json_object_array_get_idx(o, 1), "error"), "code")),
                     -32601);
    assert_int_equal(json_object_get_int(json_member(
                         json_member(json_object_array_get_idx(o, 2), "error"), "code")),
                     -32600);
    assert_string_equal(json_text(json_object_array_get_idx(o, 3), "id"), "x");
    assert_string_equal(json_text(json_object_array_get_idx(o, 4), "result"), "0x1f4");
    json_object_put(o);
    client_post(&c, "[]");
    assert_string_equal(c.body, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"
                                "\"message\":\"empty batch\"}}");
    client_post(&c, "[{\"method\":\"eth_chainId\"}]");
    assert_int_equal(c.body_n, 0);
    client_post(&c, "[null]");
    assert_non_null(strstr(c.body, "-32600"));
}

static char *make_batch(size_t n)
{
    size_t cap = n * 64 + 8;
    char *body = malloc(cap);
    assert_non_null(body);
    size_t at = 0;
    body[at++] = '[';
    for (size_t i = 0; i < n; i++) {
        at += (size_t)snprintf(body + at, cap - at, "%s{\"id\":%zu,\"method\":\"eth_chainId\"}",
                              i > 0 ? "," : "", i);
    }
    body[at++] = ']';
    body[at] = 0;
    return body;
}

static void batches_are_bounded(void **state)
{
    (void)state;
    char *body = make_batch(LIMIT_RPC_BATCH);
    client_post(&c, body);
    struct json_object *o = json_tokener_parse(c.body);
    assert_int_equal(json_object_array_length(o), LIMIT_RPC_BATCH);
    assert_int_equal(json_object_get_int(json_member(json_object_array_get_idx(o, 999), "id")),
                     999);
    json_object_put(o);
    free(body);
    body = make_batch(LIMIT_RPC_BATCH + 1);
    client_post(&c, body);
    assert_string_equal(c.body, "[{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"
                                "\"message\":\"batch too large\"}}]");
    assert_int_equal(world_limit_hits(w, "RPC_BATCH"), 1);
    free(body);
}

/* A batch that asks for gigabytes gets what fits, and errors for the rest. */
static void the_answer_of_a_batch_is_bounded(void **state)
{
    (void)state;
    enum { ASKS = 60 };
    char body[ASKS * 96];
    size_t at = (size_t)snprintf(body, sizeof body, "[");
    for (int i = 0; i < ASKS; i++) {
        at += (size_t)snprintf(body + at, sizeof body - at,
                              "%s{\"id\":%d,\"method\":\"eth_getBlockByNumber\","
                              "\"params\":[\"0x3\",true]}",
                              i > 0 ? "," : "", i);
    }
    snprintf(body + at, sizeof body - at, "]");
    client_post(&c, body);
    assert_true(c.body_n < LIMIT_RPC_OUT_BYTES + (8 << 20));
    assert_non_null(
        strstr(c.body, "\"error\":{\"code\":-32003,\"message\":\"response too large\"}"));
}

static void documents(void **state)
{
    (void)state;
    int kind;
    struct rpc_query q;
    char text[256];
    struct json_object *o = client_result(&c, "baton_status", NULL);
    assert_int_equal(json_object_get_int(json_member(o, "chainId")), WORLD_CHAIN_ID);
    json_object_put(o);
    assert_non_null(strstr(c.body, "\"a/b\"")); /* slashes stand as they are */
    json_object_put(client_result(&c, "baton_incidents", "[5,3]"));
    world_last_query(w, &kind, &q, text, sizeof text);
    assert_true(kind == RPC_DOC_INCIDENTS && q.from == 5 && q.count == 3);
    json_object_put(client_result(&c, "baton_incidents", NULL));
    world_last_query(w, &kind, &q, text, sizeof text);
    assert_true(q.from == UINT64_MAX && q.count == 20);
    json_object_put(client_result(&c, "baton_schedule", "[\"0xffffff\"]"));
    world_last_query(w, &kind, &q, text, sizeof text);
    assert_true(kind == RPC_DOC_SCHEDULE && q.count == 256);
    json_object_put(client_result(&c, "baton_getCertificate", "[3]"));
    world_last_query(w, &kind, &q, text, sizeof text);
    assert_true(kind == RPC_DOC_CERTIFICATE && !q.by_hash && q.from == 3);
    json_object_put(client_result(&c, "baton_getCertificate", "[\"latest\"]"));
    world_last_query(w, &kind, &q, text, sizeof text);
    assert_true(!q.by_hash && q.from == 4);
    json_object_put(client_result(&c, "baton_getCertificate", hash_param(world_block_hash(w, 2))));
    world_last_query(w, &kind, &q, text, sizeof text);
    assert_true(q.by_hash);
    expect_json("baton_getEpoch", "[1]", "null");
    client_expect_error(&c, "baton_getReceiptProof", hash_param(world_tx_hash(w, 1, 0)), -32005,
                        "not yet final");
}

/* What the node does not answer itself goes to the client and comes back unchanged. */
static void an_execution_client_answers_the_rest(void **state)
{
    (void)state;
    int kind;
    struct rpc_query q;
    char text[256];
    client_close(&c);
    world_close(w);
    w = world_open_with(NULL, NULL, true);
    client_open(&c, world_port(w));
    expect_json("eth_createAccessList", "[{},\"latest\"]", "{\"from\":\"client\"}");
    world_last_query(w, &kind, &q, text, sizeof text);
    assert_string_equal(text,
                        "eth_createAccessList [{},\"0x4\"]"); /* the set's head, not its own */
    expect_json("eth_getLogs", "[{\"fromBlock\":\"safe\",\"address\":[\"0x1\"]}]",
                "{\"from\":\"client\"}");
    world_last_query(w, &kind, &q, text, sizeof text);
    assert_string_equal(
        text, "eth_getLogs [{\"address\":[\"0x1\"],\"fromBlock\":\"0x3\",\"toBlock\":\"0x4\"}]");
    expect_json("eth_getLogs", "[{\"fromBlock\":\"0x1\",\"toBlock\":\"0x99\"}]",
                "{\"from\":\"client\"}");
    world_last_query(w, &kind, &q, text, sizeof text);
    assert_string_equal(text, "eth_getLogs [{\"fromBlock\":\"0x1\",\"toBlock\":\"0x4\"}]");
    expect_json("eth_getCode", "[\"0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a\"]",
                "{\"from\":\"client\"}");
    world_last_query(w, &kind, &q, text, sizeof text);
    assert_string_equal(text, "eth_getCode [\"0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a\",\"0x4\"]");
    expect_json("eth_getBlockByNumber", "[\"0x5\",false]", "null"); /* the client may have it */
    client_expect_error(&c, "eth_call", "[{},\"0x5\"]", -32000, NULL);
    struct json_object *o = client_call(&c, "eth_call", "[{}]");
    assert_string_equal(json_text(json_member(o, "error"), "data"), "0x08c379a0");
    assert_int_equal(json_object_get_int(json_member(json_member(o, "error"), "code")), 3);
    json_object_put(o);
    static const char *const kept[] = {"debug_traceBlock", "engine_x", "admin_peers", "miner_x",
                                       "personal_x",       "eth_newBlockFilter",
                                       "eth_sendTransaction"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        client_expect_error(&c, kept[i], NULL, -32601, NULL);
    }
    expect_text("eth_chainId", NULL, "0xa0ed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(params_may_be_missing),
        TEST(ids_come_back_with_their_type),
        TEST(invalid_requests),
        TEST(unknown_methods_are_32601),
        TEST(wrong_parameters_are_32602),
        TEST(batches),
        TEST(batches_are_bounded),
        TEST(the_answer_of_a_batch_is_bounded),
        TEST(documents),
        TEST(an_execution_client_answers_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
