/* What wallets ask, and what each insists on. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/limits.h"
#include "rpc_case.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(plain_answers),
        TEST(accounts),
        TEST(proofs),
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
