/* What wallets ask, and what each insists on. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/limits.h"
#include "rpc_world.h"

static struct world *w;
static struct client c;

static int setup(void **state)
{
    (void)state;
    w = world_open();
    client_open(&c, world_port(w));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    client_close(&c);
    world_close(w);
    return 0;
}

static void expect_text(const char *method, const char *params, const char *want)
{
    struct json_object *o = client_result(&c, method, params);
    assert_string_equal(json_object_get_string(o), want);
    json_object_put(o);
}

static void expect_json(const char *method, const char *params, const char *want)
{
    struct json_object *o = client_result(&c, method, params);
    assert_string_equal(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN), want);
    json_object_put(o);
}

static const char *hash_param(struct hash h)
{
    static char text[80];
    char hex[HEX_SIZE(32)];
    hex_encode(hex, h.b, sizeof h.b);
    snprintf(text, sizeof text, "[\"%s\"]", hex);
    return text;
}

#define ADDRESS "\"0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A\""

static void plain_answers(void **state)
{
    (void)state;
    expect_text("eth_chainId", NULL, "0xa0ed");
    expect_text("net_version", NULL, "41197");
    expect_text("web3_clientVersion", NULL, "Baton/v0.1.0/linux-amd64/c11");
    expect_text("eth_blockNumber", NULL, "0x4");
    expect_json("eth_syncing", NULL, "false");
    expect_json("eth_accounts", NULL, "[]");
    expect_text("eth_gasPrice", NULL, "0x3b9acde8");
    expect_text("eth_maxPriorityFeePerGas", NULL, "0x3e8");
    expect_text("eth_getCode", "[" ADDRESS ",\"latest\"]", "0x");
    expect_text("eth_call", "[{\"to\":" ADDRESS "},\"latest\"]", "0x");
    expect_json("eth_getLogs", "[{\"fromBlock\":\"0x0\"}]", "[]");
    expect_json("txpool_status", NULL, "{\"pending\":\"0xa\",\"queued\":\"0x7\"}");
    expect_text("eth_getStorageAt", "[" ADDRESS ",\"0x0\",\"latest\"]",
                "0x0000000000000000000000000000000000000000000000000000000000000000");
}

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

static void accounts(void **state)
{
    (void)state;
    expect_text("eth_getBalance", "[" ADDRESS ",\"latest\"]", "0x3e8");
    expect_text("eth_getBalance", "[" ADDRESS "]", "0x3e8");
    expect_text("eth_getBalance", "[" ADDRESS ",\"0x4\"]", "0x3e8");
    expect_text("eth_getBalance", "[" ADDRESS ",\"0x2\"]", "0x1f4"); /* answered later */
    expect_text("eth_getBalance", "[" ADDRESS ",{\"blockNumber\":\"0x2\"}]", "0x1f4");
    expect_text("eth_getBalance", "[" ADDRESS ",\"safe\"]", "0x1f4");
    expect_text("eth_getTransactionCount", "[" ADDRESS ",\"latest\"]", "0x9");
    expect_text("eth_getTransactionCount", "[" ADDRESS ",\"pending\"]", "0x4d");
    client_expect_error(&c, "eth_getBalance", "[" ADDRESS ",\"0x0\"]", -32000,
                        "historical state is not available");
    client_expect_error(&c, "eth_getBalance", "[" ADDRESS ",\"0x99\"]", -32000, "header not found");
}

static void proofs(void **state)
{
    (void)state;
    struct json_object *o = client_result(&c, "eth_getProof", "[" ADDRESS ",[],\"latest\"]");
    assert_string_equal(
        json_object_to_json_string_ext(json_member(o, "accountProof"), JSON_C_TO_STRING_PLAIN),
        "[\"0xc0c1\",\"0x80\"]");
    assert_string_equal(json_text(o, "address"), "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a");
    assert_string_equal(json_text(o, "nonce"), "0x9");
    json_object_put(o);
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

static void require(struct json_object *o, const char *const *keys)
{
    for (; *keys != NULL; keys++) {
        assert_non_null(json_member(o, *keys));
    }
}

/* Cast: hash … extraData; ethers: … timestamp, transactions; viem: baseFeePerGas. */
static void blocks_have_what_each_tool_insists_on(void **state)
{
    (void)state;
    static const char *const keys[] = {"hash",          "parentHash", "sha3Uncles",
                                       "miner",         "stateRoot",  "transactionsRoot",
                                       "receiptsRoot",  "logsBloom",  "difficulty",
                                       "number",        "extraData",  "gasLimit",
                                       "gasUsed",       "timestamp",  "transactions",
                                       "baseFeePerGas", "nonce",      "mixHash",
                                       "size",          "uncles",     NULL};
    static const char *const block[] = {
        "[\"0x1\",false]",      "[\"0x3\",false]",     "[\"latest\",false]", "[\"safe\",true]",
        "[\"finalized\",true]", "[\"earliest\",true]", "[\"0x1\"]"};
    for (size_t i = 0; i < sizeof block / sizeof *block; i++) {
        struct json_object *o = client_result(&c, "eth_getBlockByNumber", block[i]);
        require(o, keys);
        assert_int_equal(strlen(json_text(o, "logsBloom")), 2 + 512);
        assert_string_equal(json_text(o, "nonce"), "0x0000000000000000");
        json_object_put(o);
    }
}

static void blocks_by_hash_and_number_agree(void **state)
{
    (void)state;
    char params[128];
    struct json_object *by_number = client_result(&c, "eth_getBlockByNumber", "[\"0x3\",false]");
    snprintf(params, sizeof params, "[\"%s\",false]", json_text(by_number, "hash"));
    struct json_object *by_hash = client_result(&c, "eth_getBlockByHash", params);
    assert_string_equal(json_object_to_json_string(by_number), json_object_to_json_string(by_hash));
    struct json_object *txs = json_member(by_hash, "transactions");
    assert_int_equal(json_object_array_length(txs), WORLD_BIG_TXS);
    char want[HEX_SIZE(32)];
    hex_encode(want, world_tx_hash(w, 3, 77).b, 32);
    assert_string_equal(json_object_get_string(json_object_array_get_idx(txs, 77)), want);
    json_object_put(by_number);
    json_object_put(by_hash);
    expect_json("eth_getBlockByNumber", "[\"0x63\",false]", "null");
    expect_json("eth_getBlockByHash",
                "[\"0x00000000000000000000000000000000000000000000000000000"
                "00000000001\",false]",
                "null");
    expect_text("eth_getBlockTransactionCountByNumber", "[\"0x3\"]", "0x5dc");
}

/* 1,500 senders are recovered on a worker; the answer is whole all the same. */
static void a_large_block_is_rendered_whole(void **state)
{
    (void)state;
    struct json_object *o = client_result(&c, "eth_getBlockByNumber", "[\"0x3\",true]");
    struct json_object *txs = json_member(o, "transactions");
    char from[HEX_SIZE(20)];
    hex_encode(from, world_sender().b, 20);
    assert_int_equal(json_object_array_length(txs), WORLD_BIG_TXS);
    for (size_t i = 0; i < WORLD_BIG_TXS; i += 499) {
        struct json_object *tx = json_object_array_get_idx(txs, i);
        assert_string_equal(json_text(tx, "from"), from);
    }
    json_object_put(o);
    o = client_result(&c, "eth_getBlockReceipts", "[\"0x3\"]");
    assert_int_equal(json_object_array_length(o), WORLD_BIG_TXS);
    struct json_object *last = json_object_array_get_idx(o, WORLD_BIG_TXS - 1);
    assert_string_equal(json_text(last, "cumulativeGasUsed"), "0x1e0a6e0");
    json_object_put(o);
}

/* Tags without a block: safe and finalized are an error, as in geth; catching up says so. */
static void tags_without_a_block(void **state)
{
    (void)state;
    world_set_safe(w, false);
    client_expect_error(&c, "eth_getBlockByNumber", "[\"safe\",false]", -32000,
                        "safe block not found");
    client_expect_error(&c, "eth_getBlockByNumber", "[\"finalized\",false]", -32000,
                        "finalized block not found");
    world_set_catching_up(w, true);
    client_expect_error(&c, "eth_blockNumber", NULL, -32000, "node is catching up");
    client_expect_error(&c, "eth_getBlockByNumber", "[\"latest\",false]", -32000,
                        "node is catching up");
    client_expect_error(&c, "eth_getBalance", "[" ADDRESS ",\"latest\"]", -32000,
                        "node is catching up");
}

static void the_pending_block(void **state)
{
    (void)state;
    struct json_object *o = client_result(&c, "eth_getBlockByNumber", "[\"pending\",false]");
    assert_string_equal(json_text(o, "number"), "0x5");
    assert_true(json_member(o, "hash") == NULL);
    assert_int_equal(json_object_array_length(json_member(o, "transactions")), 0);
    json_object_put(o);
}

/* Cast: type, hash, from; ethers: nonce, gas, value, input, r, s. */
static void transactions(void **state)
{
    (void)state;
    static const char *const keys[] = {"type",      "hash",    "from",        "nonce",
                                       "gas",       "value",   "input",       "r",
                                       "s",         "v",       "to",          "gasPrice",
                                       "blockHash", "chainId", "blockNumber", "transactionIndex",
                                       NULL};
    struct json_object *o =
        client_result(&c, "eth_getTransactionByHash", hash_param(world_tx_hash(w, 1, 1)));
    require(o, keys);
    assert_string_equal(json_text(o, "type"), "0x2");
    assert_string_equal(json_text(o, "transactionIndex"), "0x1");
    assert_string_equal(json_text(o, "gasPrice"), "0x3b9acdea"); /* base fee + tip */
    assert_non_null(json_member(o, "accessList"));
    assert_non_null(json_member(o, "yParity"));
    json_object_put(o);
    /* The example of EIP-155. */
    o = client_result(&c, "eth_getTransactionByBlockNumberAndIndex", "[\"0x1\",\"0x2\"]");
    require(o, keys);
    assert_string_equal(json_text(o, "from"), "0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f");
    assert_string_equal(json_text(o, "v"), "0x25");
    assert_string_equal(json_text(o, "type"), "0x0");
    assert_string_equal(json_text(o, "value"), "0xde0b6b3a7640000");
    assert_string_equal(json_text(o, "to"), "0x3535353535353535353535353535353535353535");
    json_object_put(o);
    expect_json("eth_getTransactionByBlockNumberAndIndex", "[\"0x1\",\"0x3\"]", "null");
    expect_json("eth_getTransactionByHash", hash_param(world_block_hash(w, 1)), "null");
}

static void receipts_have_what_each_tool_insists_on(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "type",    "status", "cumulativeGasUsed", "logs",      "logsBloom",   "transactionHash",
        "gasUsed", "from",   "transactionIndex",  "blockHash", "blockNumber", "effectiveGasPrice",
        "to",      NULL};
    struct json_object *o =
        client_result(&c, "eth_getTransactionReceipt", hash_param(world_tx_hash(w, 1, 2)));
    require(o, keys);
    assert_string_equal(json_text(o, "status"), "0x1");
    assert_string_equal(json_text(o, "cumulativeGasUsed"), "0xf618");
    assert_string_equal(json_text(o, "effectiveGasPrice"), "0x4a817c800");
    assert_int_equal(strlen(json_text(o, "logsBloom")), 2 + 512);
    json_object_put(o);
    for (int i = 0; i < 2; i++) { /* made by a worker, then from the cache */
        o = client_result(&c, "eth_getTransactionReceipt", hash_param(world_tx_hash(w, 3, 9)));
        assert_string_equal(json_text(o, "cumulativeGasUsed"), "0x33450");
        assert_string_equal(json_text(o, "gasUsed"), "0x5208");
        json_object_put(o);
    }
    expect_json("eth_getTransactionReceipt", hash_param(world_block_hash(w, 1)), "null");
}

static void fee_history(void **state)
{
    (void)state;
    struct json_object *o = client_result(&c, "eth_feeHistory", "[\"0xa\",\"latest\",[20]]");
    assert_string_equal(json_text(o, "oldestBlock"), "0x0");
    assert_int_equal(json_object_array_length(json_member(o, "baseFeePerGas")), 6);
    assert_int_equal(json_object_array_length(json_member(o, "gasUsedRatio")), 5);
    assert_int_equal(json_object_array_length(json_member(o, "reward")), 5);
    json_object_put(o);
    o = client_result(&c, "eth_feeHistory", "[2,\"0x3\",[0,50,100]]");
    assert_string_equal(json_text(o, "oldestBlock"), "0x2");
    struct json_object *reward = json_object_array_get_idx(json_member(o, "reward"), 1);
    assert_string_equal(json_object_get_string(json_object_array_get_idx(reward, 0)), "0x3ea");
    assert_string_equal(json_object_get_string(json_object_array_get_idx(reward, 2)), "0x9c5");
    json_object_put(o);
    o = client_result(&c, "eth_feeHistory", "[\"0x1\",\"latest\"]");
    assert_false(json_object_object_get_ex(o, "reward", NULL));
    json_object_put(o);
    client_expect_error(&c, "eth_feeHistory", "[1,\"0x9\"]", -32000,
                        "request beyond head block: requested 9, head 4");
    client_expect_error(&c, "eth_feeHistory", "[1,\"latest\",[101]]", -32000,
                        "invalid reward percentile: 101.000000");
    client_expect_error(&c, "eth_feeHistory", "[1,\"latest\",[50,50]]", -32000, NULL);
    client_expect_error(&c, "eth_feeHistory", "[1,\"latest\",5]", -32602, NULL);
}

/* One or two parameters; data under both names; fields that we do not know. */
static void estimate_gas(void **state)
{
    (void)state;
    expect_text("eth_estimateGas",
                "[{\"to\":" ADDRESS ",\"chainId\":\"0x1\",\"nonce\":\"0x0\","
                "\"maxFeePerGas\":\"0x1\",\"unknown\":5}]",
                "0x5208");
    expect_text("eth_estimateGas",
                "[{\"to\":" ADDRESS ",\"input\":\"0x0001\",\"data\":\"0x0001\"},"
                "\"latest\"]",
                "0x523a"); /* the floor of EIP-7623 */
    expect_text("eth_estimateGas",
                "[{\"from\":" ADDRESS ",\"to\":" ADDRESS ",\"value\":\"0x3e8\"}]", "0x5208");
    client_expect_error(&c, "eth_estimateGas",
                        "[{\"from\":" ADDRESS ",\"to\":" ADDRESS ",\"value\":\"0x3e9\"}]", -32000,
                        "insufficient funds for gas * price + value: address "
                        "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a have 1000 want 1001");
    client_expect_error(&c, "eth_estimateGas", "[{\"to\":null,\"data\":\"0x6000\"}]", -32000, NULL);
    client_expect_error(&c, "eth_estimateGas", "[{\"data\":\"0x6000\"}]", -32000, NULL);
}

static void send_raw(const char *method, char *params, size_t n)
{
    (void)method;
    snprintf(params, n, "[\"%s\"]", world_pending_raw(w));
}

static void sending(void **state)
{
    (void)state;
    char params[1100];
    char want[HEX_SIZE(32)];
    hex_encode(want, world_pending_hash(w).b, 32);
    send_raw("eth_sendRawTransaction", params, sizeof params);
    expect_text("eth_sendRawTransaction", params, want);
    /* It waits now, with no place yet. */
    struct json_object *o =
        client_result(&c, "eth_getTransactionByHash", hash_param(world_pending_hash(w)));
    assert_true(json_member(o, "blockHash") == NULL);
    json_object_put(o);
    expect_json("eth_getTransactionReceipt", hash_param(world_pending_hash(w)), "null");
    expect_text("eth_getRawTransactionByHash", hash_param(world_pending_hash(w)),
                world_pending_raw(w));
}

/* ethers and viem map these texts; the connection lives on. */
static void refusals_keep_geths_words(void **state)
{
    (void)state;
    static const char *const text[] = {"nonce too low: next nonce 5, tx nonce 3",
                                       "replacement transaction underpriced",
                                       "already known",
                                       "insufficient funds for gas * price + value: \"quoted\\\"",
                                       "rlp: value size exceeds available input length",
                                       "invalid chain id for signer: have 1 want 41197"};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        world_set_submit(w, SUBMIT_REFUSE, -32000, text[i]);
        client_expect_error(&c, "eth_sendRawTransaction", "[\"0x01\"]", -32000, text[i]);
    }
}

static void a_transaction_too_large_never_reaches_the_pool(void **state)
{
    (void)state;
    size_t n = 2 * (LIMIT_TX_BYTES + 1);
    char *params = malloc(n + 16);
    assert_non_null(params);
    memcpy(params, "[\"0x", 4);
    memset(params + 4, '1', n);
    memcpy(params + 4 + n, "\"]", 3);
    client_expect_error(&c, "eth_sendRawTransaction", params, -32000,
                        "oversized data: transaction size 131073, limit 131072");
    assert_int_equal(world_submitted(w), 0);
    free(params);
}

static void ask_later(const char *method, const char *more)
{
    char body[1400];
    char head[256];
    snprintf(body, sizeof body,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":[\"%s\"%s]}", method,
             world_pending_raw(w), more);
    snprintf(head, sizeof head,
             "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
             "Content-Length: %zu\r\n\r\n",
             strlen(body));
    client_text(&c, head);
    client_text(&c, body);
}

static void wait_until_submitted(uint64_t n)
{
    while (world_submitted(w) < n) {
    }
}

static void an_acknowledgement_may_come_late(void **state)
{
    (void)state;
    world_set_submit(w, SUBMIT_HOLD, 0, NULL);
    ask_later("eth_sendRawTransaction", "");
    wait_until_submitted(1);
    world_release(w);
    assert_true(client_answer(&c));
    assert_non_null(strstr(c.body, "\"result\":\"0x"));
}

/* The client leaves before the backend answers: the answer finds nobody and harms nothing. */
static void the_client_may_leave_first(void **state)
{
    (void)state;
    world_set_submit(w, SUBMIT_HOLD, 0, NULL);
    for (int i = 0; i < 20; i++) {
        ask_later(i % 2 ? "eth_sendRawTransaction" : "eth_sendRawTransactionSync", "");
        wait_until_submitted((uint64_t)i + 1);
        client_close(&c);
        client_open(&c, world_port(w));
    }
    expect_text("eth_chainId", NULL, "0xa0ed");
    world_release(w);
    world_include(w);
    expect_text("eth_chainId", NULL, "0xa0ed");
}

static void sync_send_answers_with_the_receipt(void **state)
{
    (void)state;
    char hash[HEX_SIZE(32)];
    hex_encode(hash, world_pending_hash(w).b, 32);
    ask_later("eth_sendRawTransactionSync", "");
    wait_until_submitted(1);
    world_announce(w, 2); /* another block */
    world_include(w);
    assert_true(client_answer(&c));
    struct json_object *o = json_tokener_parse(c.body);
    struct json_object *receipt = json_member(o, "result");
    assert_string_equal(json_text(receipt, "transactionHash"), hash);
    assert_string_equal(json_text(receipt, "blockNumber"), "0x5");
    json_object_put(o);
    /* Final already: at once. */
    ask_later("eth_sendRawTransactionSync", "");
    assert_true(client_answer(&c));
    assert_non_null(strstr(c.body, "\"status\":\"0x1\""));
}

static void sync_send_gives_up_in_time(void **state)
{
    (void)state;
    ask_later("eth_sendRawTransactionSync", ",1000");
    assert_true(client_answer(&c));
    assert_non_null(strstr(c.body, "\"error\":{\"code\":4,\"message\":\"The transaction was added "
                                   "to the mempool but wasn't processed in 1s.\",\"data\":\"0x"));
    ask_later("eth_sendRawTransactionSync", ",\"0x1\"");
    assert_true(client_answer(&c));
    assert_non_null(strstr(c.body, "wasn't processed in 1ms."));
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
    assert_string_equal(text, "eth_getLogs [{\"fromBlock\":\"0x3\",\"address\":[\"0x1\"]}]");
    struct json_object *o = client_call(&c, "eth_call", "[{}]");
    assert_string_equal(json_text(json_member(o, "error"), "data"), "0x08c379a0");
    assert_int_equal(json_object_get_int(json_member(json_member(o, "error"), "code")), 3);
    json_object_put(o);
    static const char *const kept[] = {"debug_traceBlock", "engine_x", "admin_peers", "miner_x",
                                       "personal_x"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        client_expect_error(&c, kept[i], NULL, -32601, NULL);
    }
    expect_text("eth_chainId", NULL, "0xa0ed");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(plain_answers),
        TEST(params_may_be_missing),
        TEST(ids_come_back_with_their_type),
        TEST(invalid_requests),
        TEST(unknown_methods_are_32601),
        TEST(accounts),
        TEST(proofs),
        TEST(wrong_parameters_are_32602),
        TEST(blocks_have_what_each_tool_insists_on),
        TEST(blocks_by_hash_and_number_agree),
        TEST(a_large_block_is_rendered_whole),
        TEST(tags_without_a_block),
        TEST(the_pending_block),
        TEST(transactions),
        TEST(receipts_have_what_each_tool_insists_on),
        TEST(fee_history),
        TEST(estimate_gas),
        TEST(sending),
        TEST(refusals_keep_geths_words),
        TEST(a_transaction_too_large_never_reaches_the_pool),
        TEST(an_acknowledgement_may_come_late),
        TEST(the_client_may_leave_first),
        TEST(sync_send_answers_with_the_receipt),
        TEST(sync_send_gives_up_in_time),
        TEST(batches),
        TEST(batches_are_bounded),
        TEST(the_answer_of_a_batch_is_bounded),
        TEST(documents),
        TEST(an_execution_client_answers_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
