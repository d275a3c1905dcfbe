/* What endpoints answer: words of eth_sendRawTransaction, JSON-RPC and its abuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "sequencer/web/request.h"
#include "sequencer/l1/send_class.h"

/* As clients said them. */
static const struct {
    int64_t code;
    const char *text;
    enum l1_send class;
} said[] = {
    {-32000, "already known", L1_SEND_PENDING},
    {-32003, "transaction already imported", L1_SEND_PENDING},
    {-32010, "AlreadyKnown", L1_SEND_PENDING},
    {-32000, "nonce too low: next nonce 7, tx nonce 5", L1_SEND_CHECK},
    {-32000, "Nonce too low", L1_SEND_CHECK},
    {-32010, "OldNonce, Current nonce: 7, nonce of rejected tx: 5", L1_SEND_CHECK},
    {-32000, "replacement transaction underpriced: new tx gas fee cap 1 <= 2 queued", L1_SEND_BUMP},
    {-32003, "replacement transaction underpriced", L1_SEND_BUMP},
    {-32010, "ReplacementNotAllowed", L1_SEND_BUMP},
    {-32000, "transaction underpriced: tip needed 1, tip permitted 0", L1_SEND_BUMP},
    {-32000, "transaction gas price below minimum: gas tip cap 1, minimum needed 2", L1_SEND_BUMP},
    {-32003, "max fee per gas less than block base fee", L1_SEND_BUMP},
    {-32000, "max fee per gas less than block base fee: address 0x1, maxFeePerGas: 1", L1_SEND_BUMP},
    {-32000, "fee cap less than block base fee", L1_SEND_BUMP},
    {-32000, "max fee per blob gas less than block blob gas fee", L1_SEND_BUMP},
    {-32000, "address already reserved", L1_SEND_OTHERKIND},
    {-32000, "nonce too high: tx nonce 9, gapped nonce 7", L1_SEND_GAP},
    {-32000, "gapped-nonce tx from delegated accounts", L1_SEND_GAP},
    {-32000, "future transaction tries to replace pending", L1_SEND_GAP},
    {-32000, "account limit exceeded: pooled 16 txs", L1_SEND_FULL},
    {-32000, "in-flight transaction limit reached for delegated accounts", L1_SEND_FULL},
    {-32000, "txpool is full", L1_SEND_FULL},
    {-32000, "insufficient funds for gas * price + value: balance 1, tx cost 2", L1_SEND_FUNDS},
    {-32003, "Insufficient funds for gas * price + value", L1_SEND_FUNDS},
    {-32000, "intrinsic gas too low: gas 1, minimum needed 21000", L1_SEND_BUG},
    {-32000, "insufficient gas for floor data gas cost: gas 1, minimum needed 2", L1_SEND_BUG},
    {-32000, "exceeds block gas limit", L1_SEND_BUG},
    {-32000, "transaction gas limit too high (cap: 16777216, tx: 20000000)", L1_SEND_BUG},
    {-32000, "oversized data: transaction size 131073, limit 131072", L1_SEND_BUG},
    {-32000, "transaction blob limit exceeded", L1_SEND_BUG},
    {-32000, "unexpected blob sidecar in transaction", L1_SEND_BUG},
    {-32000, "invalid sender", L1_SEND_BUG},
    {-32003, "invalid KZG proof", L1_SEND_BUG},
    {-32000, "transaction type not supported", L1_SEND_BUG},
    {-32602, "Failed to decode transaction", L1_SEND_BUG},
    {-32005, "daily request count exceeded, request rate limited", L1_SEND_NET},
    {-32005, "already known", L1_SEND_NET}, /* the code says that nobody looked */
    {-32603, "Internal error", L1_SEND_NET},
    {-32000, "success", L1_SEND_NET},
    {0, "ok", L1_SEND_NET},
    {0, "", L1_SEND_NET},
};

static void words_have_a_class(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        if (send_class(said[i].code, said[i].text) != said[i].class) {
            fail_msg("`%s` is %s", said[i].text, l1_send_name(send_class(said[i].code, said[i].text)));
        }
    }
    char *huge = malloc(100001);
    memset(huge, 'a', 100000);
    huge[100000] = '\0';
    assert_int_equal(send_class(-32000, huge), L1_SEND_NET);
    free(huge);
}

static void one_verdict_of_many(void **state)
{
    (void)state;
    assert_int_equal(send_better(L1_SEND_BUG, L1_SEND_NET), L1_SEND_NET);
    assert_int_equal(send_better(L1_SEND_NET, L1_SEND_BUMP), L1_SEND_BUMP);
    assert_int_equal(send_better(L1_SEND_CHECK, L1_SEND_BUMP), L1_SEND_BUMP);
    assert_int_equal(send_better(L1_SEND_FULL, L1_SEND_CHECK), L1_SEND_CHECK);
    assert_int_equal(send_better(L1_SEND_ACCEPTED, L1_SEND_BUG), L1_SEND_ACCEPTED);
}

static void assert_body(const struct request *r, const char *expected)
{
    struct bytes body = request_body(r);
    assert_int_equal(body.n, strlen(expected));
    assert_memory_equal(body.p, expected, body.n);
}

static void requests(void **state)
{
    (void)state;
    struct request r;
    request_begin(&r, 41);
    request_call(&r, "eth_getBlockByNumber");
    request_quantity(&r, 255);
    request_text(&r, "false");
    request_end(&r);
    assert_body(&r, "{\"jsonrpc\":\"2.0\",\"id\":41,\"method\":\"eth_getBlockByNumber\","
                    "\"params\":[\"0xff\",false]}");
    request_free(&r);
    request_begin(&r, 7);
    request_call(&r, "eth_chainId");
    request_call(&r, "x");
    request_hex(&r, "\x01\xff", 2);
    request_end(&r);
    assert_body(&r, "[{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"eth_chainId\",\"params\":[]},"
                    "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"x\",\"params\":[\"0x01ff\"]}]");
    request_free(&r);
}

static struct request two_calls(void)
{
    struct request r;
    request_begin(&r, 10);
    request_call(&r, "a");
    request_call(&r, "b");
    request_end(&r);
    return r;
}

static void assert_fault(uint32_t calls, const char *text, enum web_fault expected)
{
    struct answers a;
    struct request r = two_calls();
    r.calls = calls;
    enum web_fault f = answers_read(&a, &r, bytes_of(text, strlen(text)));
    answers_release(&a);
    request_free(&r);
    if (f != expected) {
        fail_msg("%s: %s", text, web_fault_name(f));
    }
}

static void answers_by_id(void **state)
{
    (void)state;
    struct answers a;
    struct request r = two_calls();
    const char *text = "[{\"jsonrpc\":\"2.0\",\"id\":11,\"error\":{\"code\":-32000,\"message\":\"no\"}},"
                       "{\"jsonrpc\":\"2.0\",\"id\":10,\"result\":\"0x1\"}]";
    assert_int_equal(answers_read(&a, &r, bytes_of(text, strlen(text))), WEB_FAULT_NONE);
    uint64_t v;
    assert_true(json_u64(a.at[0].result, &v) && v == 1 && !a.at[0].error);
    assert_true(a.at[1].error && a.at[1].code == -32000);
    assert_string_equal(a.at[1].message, "no");
    answers_release(&a);
    const char *whole = "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":\"big\"}}";
    assert_int_equal(answers_read(&a, &r, bytes_of(whole, strlen(whole))), WEB_FAULT_NONE);
    assert_true(a.at[0].error && a.at[1].error && a.at[0].result == NULL);
    answers_release(&a);
    request_free(&r);
    assert_fault(1, "{\"id\":10,\"result\":null}", WEB_FAULT_NONE);
    assert_fault(1, " {\"id\":10,\"error\":{}} \r\n", WEB_FAULT_NONE);
}

static void answers_that_are_none(void **state)
{
    (void)state;
    assert_fault(1, "", WEB_FAULT_GARBAGE);
    assert_fault(1, "<html>503</html>", WEB_FAULT_GARBAGE);
    assert_fault(1, "null", WEB_FAULT_GARBAGE);
    assert_fault(1, "[]", WEB_FAULT_GARBAGE);
    assert_fault(1, "{}", WEB_FAULT_WRONG_ID);
    assert_fault(1, "{\"id\":10}", WEB_FAULT_GARBAGE);
    assert_fault(1, "{\"id\":10,\"result\":1", WEB_FAULT_GARBAGE);
    assert_fault(1, "{\"id\":10,\"result\":1}{}", WEB_FAULT_GARBAGE);
    assert_fault(1, "{\"id\":\"10\",\"result\":1}", WEB_FAULT_WRONG_ID);
    assert_fault(1, "{\"id\":9,\"result\":1}", WEB_FAULT_WRONG_ID);
    assert_fault(1, "{\"id\":11,\"result\":1}", WEB_FAULT_WRONG_ID);
    assert_fault(1, "{\"id\":-1,\"result\":1}", WEB_FAULT_WRONG_ID);
    assert_fault(2, "[{\"id\":10,\"result\":1}]", WEB_FAULT_GARBAGE);
    assert_fault(2, "[{\"id\":10,\"result\":1},{\"id\":10,\"result\":1}]", WEB_FAULT_WRONG_ID);
    assert_fault(2, "[{\"id\":10,\"result\":1},7]", WEB_FAULT_GARBAGE);
    assert_fault(2, "[{\"id\":10,\"result\":1},{\"id\":11,\"result\":1},{\"id\":12,\"result\":1}]",
                 WEB_FAULT_GARBAGE);
    assert_fault(2, "{\"id\":10,\"error\":{\"code\":1}}", WEB_FAULT_GARBAGE);
}

/* Text that would become a tree of gigabytes is not read at all. */
static void bombs(void **state)
{
    (void)state;
    const size_t n = 4 * 1000 * 1000;
    static const char *const pattern[] = {"{},", "[],", "1,", "[[[[", "{\"a\":"};
    char *text = malloc(n + 16);
    for (size_t k = 0; k < sizeof pattern / sizeof *pattern; k++) {
        size_t len = strlen(pattern[k]);
        text[0] = '[';
        for (size_t i = 1; i + len <= n; i += len) {
            memcpy(text + i, pattern[k], len);
        }
        assert_null(json_read(bytes_of(text, n)));
    }
    free(text);
    assert_null(json_read(bytes_of("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
                                   "]]]]]]]]]]]]", 81)));
}

static struct json_object *value(const char *text)
{
    return json_read(bytes_of(text, strlen(text)));
}

static void quantities(void **state)
{
    (void)state;
    static const char *const bad[] = {"1", "\"\"", "\"0x\"", "\"1\"", "\"0xg\"", "\"-0x1\"", "null",
                                      "\"0x10000000000000000\"", "[]", "\"0x1\\u0000\"", "\" 0x1\""};
    uint64_t v;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct json_object *o = value(bad[i]);
        assert_false(json_u64(o, &v));
        json_object_put(o);
    }
    struct json_object *o = value("\"0xffffffffffffffff\"");
    assert_true(json_u64(o, &v) && v == UINT64_MAX);
    json_object_put(o);
    uint8_t two[2];
    size_t n;
    o = value("\"0x0102\"");
    assert_true(json_fixed(o, two, 2) && two[1] == 2);
    assert_false(json_fixed(o, two, 1));
    json_object_put(o);
    o = value("\"0x\"");
    assert_true(json_data(o, two, 2, &n) && n == 0);
    json_object_put(o);
    o = value("\"0x012\"");
    assert_false(json_data(o, two, 2, &n));
    json_object_put(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_have_a_class), cmocka_unit_test(one_verdict_of_many),
        cmocka_unit_test(requests),           cmocka_unit_test(answers_by_id),
        cmocka_unit_test(answers_that_are_none), cmocka_unit_test(bombs),
        cmocka_unit_test(quantities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
