/* WebSocket: the handshake, calls, subscriptions, and clients that break the rules. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "proto/limits.h"
#include "rpc_case.h"

static int ws_setup(void **state)
{
    (void)state;
    w = world_open();
    ws_client_open(&c, world_port(w));
    return 0;
}

static void expect(const char *want)
{
    assert_int_equal(ws_client_next(&c), 1);
    assert_string_equal(c.body, want);
}

/* Subscribes and gives the id; the caller frees it. */
static char *subscribe(const char *method, const char *params)
{
    char text[256];
    snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"%s\",\"params\":%s}",
             method, params);
    ws_client_text(&c, text);
    struct json_object *o = ws_client_json(&c);
    char *id = strdup(json_text(o, "result"));
    assert_int_equal(strlen(id), 34);
    json_object_put(o);
    return id;
}

/* The next message is a notification of this subscription; its result. Put the first. */
static struct json_object *notified(const char *method, const char *id, struct json_object **result)
{
    struct json_object *o = ws_client_json(&c);
    assert_string_equal(json_text(o, "jsonrpc"), "2.0");
    assert_string_equal(json_text(o, "method"), method);
    assert_false(json_object_object_get_ex(o, "id", NULL));
    struct json_object *params = json_member(o, "params");
    assert_string_equal(json_text(params, "subscription"), id);
    *result = json_member(params, "result");
    return o;
}

static void calls_and_batches(void **state)
{
    (void)state;
    ws_client_text(&c, "{\"id\":\"7\",\"method\":\"eth_chainId\"}");
    expect("{\"jsonrpc\":\"2.0\",\"id\":\"7\",\"result\":\"0xa0ed\"}");
    ws_client_text(&c,
                   "[{\"id\":1,\"method\":\"eth_chainId\"},{\"id\":2,\"method\":\"eth_syncing\"}]");
    expect("[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0xa0ed\"},"
           "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":false}]");
    ws_client_text(&c, "no json");
    expect("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"parse "
           "error\"}}");
    ws_client_text(&c, "{\"method\":\"eth_chainId\"}"); /* a notification: no answer */
    ws_client_text(&c, "{\"id\":8,\"method\":\"admin_peers\"}");
    expect("{\"jsonrpc\":\"2.0\",\"id\":8,\"error\":{\"code\":-32601,\"message\":"
           "\"the method admin_peers does not exist/is not available\"}}");
}

static void a_large_answer_comes_whole(void **state)
{
    (void)state;
    ws_client_text(&c, "{\"id\":1,\"method\":\"eth_getBlockByNumber\",\"params\":[\"0x3\",true]}");
    struct json_object *o = ws_client_json(&c);
    assert_int_equal(
        json_object_array_length(json_member(json_member(o, "result"), "transactions")),
        WORLD_BIG_TXS);
    json_object_put(o);
}

static void fragments_and_pings(void **state)
{
    (void)state;
    ws_client_frame(&c, 0x01, "{\"id\":1,", 8, true);
    ws_client_frame(&c, 0x89, "hello", 5, true); /* between fragments, as RFC 6455 allows */
    ws_client_frame(&c, 0x80, "\"method\":\"eth_chainId\"}", 23, true);
    assert_int_equal(ws_client_next(&c), 10);
    assert_string_equal(c.body, "hello");
    expect("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0xa0ed\"}");
}

/* viem and ethers use result.number; viem asks for the block then. */
static void new_heads(void **state)
{
    (void)state;
    struct json_object *head;
    char *id = subscribe("eth_subscribe", "[\"newHeads\"]");
    world_announce(w, 1);
    struct json_object *o = notified("eth_subscription", id, &head);
    assert_string_equal(json_text(head, "number"), "0x1");
    assert_non_null(json_text(head, "baseFeePerGas"));
    assert_false(json_object_object_get_ex(head, "transactions", NULL));
    json_object_put(o);
    char text[128];
    snprintf(text, sizeof text, "{\"id\":2,\"method\":\"eth_unsubscribe\",\"params\":[\"%s\"]}",
             id);
    ws_client_text(&c, text);
    expect("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":true}");
    ws_client_text(&c, text);
    expect("{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32000,\"message\":"
           "\"subscription not found\"}}");
    world_announce(w, 2);
    ws_client_text(&c, "{\"id\":3,\"method\":\"eth_chainId\"}");
    expect("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":\"0xa0ed\"}"); /* and no head before it */
    free(id);
}

static void do_events(struct world *world, void *arg)
{
    struct rpc *r = world_rpc(world);
    (void)arg;
    struct hash hash = world_pending_hash(world);
    struct address from = world_sender();
    uint8_t raw[512];
    size_t n = 0;
    assert_true(hex_decode_upto(raw, sizeof raw, &n, world_pending_raw(world),
                                strlen(world_pending_raw(world))));
    rpc_on_pending_tx(r, &hash, bytes_of(raw, n), &from);
    rpc_on_status(r);
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "number", json_object_new_int(12));
    assert_true(rpc_wants_incidents(r));
    assert_true(rpc_wants_certificates(r));
    rpc_on_incident(r, o);
    rpc_on_certificate(r, o);
    json_object_put(o);
    rpc_on_accepted(r, &(struct rpc_block){.number = 9, .slot = 4, .leader = 2, .txs = 3});
}

static void every_kind_of_subscription(void **state)
{
    (void)state;
    struct json_object *r;
    char *pending = subscribe("eth_subscribe", "[\"newPendingTransactions\"]");
    char *full = subscribe("eth_subscribe", "[\"newPendingTransactions\",true]");
    char *logs = subscribe("eth_subscribe", "[\"logs\",{}]");
    char *status = subscribe("baton_subscribe", "[\"status\"]");
    char *incidents = subscribe("baton_subscribe", "[\"incidents\"]");
    char *certificates = subscribe("baton_subscribe", "[\"certificates\"]");
    char *accepted = subscribe("baton_subscribe", "[\"accepted\"]");
    char *blocks = subscribe("baton_subscribe", "[\"blocks\"]");
    world_do(w, do_events, NULL);
    struct json_object *o = notified("eth_subscription", pending, &r);
    assert_int_equal(json_object_get_string_len(r), 66);
    json_object_put(o);
    o = notified("eth_subscription", full, &r);
    assert_string_equal(json_text(r, "type"), "0x2");
    json_object_put(o);
    o = notified("baton_subscription", status, &r);
    assert_int_equal(json_object_get_int(json_member(r, "chainId")), WORLD_CHAIN_ID);
    json_object_put(o);
    o = notified("baton_subscription", incidents, &r);
    assert_int_equal(json_object_get_int(json_member(r, "number")), 12);
    json_object_put(o);
    json_object_put(notified("baton_subscription", certificates, &r));
    o = notified("baton_subscription", accepted, &r);
    assert_int_equal(json_object_get_int(json_member(r, "leader")), 2);
    json_object_put(o);
    world_announce(w, 3);
    o = notified("baton_subscription", blocks, &r);
    assert_int_equal(json_object_get_int(json_member(r, "transactions")), WORLD_BIG_TXS);
    json_object_put(o);
    char *ids[] = {pending, full, logs, status, incidents, certificates, accepted, blocks};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        free(ids[i]);
    }
}

static void subscriptions_are_bounded_and_known(void **state)
{
    (void)state;
    ws_client_text(&c, "{\"id\":1,\"method\":\"eth_subscribe\",\"params\":[\"weather\"]}");
    expect("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":"
           "\"no \\\"weather\\\" subscription in eth namespace\"}}");
    for (int i = 0; i < LIMIT_RPC_SUBSCRIPTIONS; i++) {
        free(subscribe("eth_subscribe", "[\"newHeads\"]"));
    }
    ws_client_text(&c, "{\"id\":1,\"method\":\"eth_subscribe\",\"params\":[\"newHeads\"]}");
    struct json_object *o = ws_client_json(&c);
    assert_int_equal(json_object_get_int(json_member(json_member(o, "error"), "code")), -32005);
    json_object_put(o);
    world_announce(w, 1);
    for (int i = 0; i < LIMIT_RPC_SUBSCRIPTIONS; i++) {
        assert_int_equal(ws_client_next(&c), 1);
    }
    struct client plain;
    client_open(&plain, world_port(w));
    client_expect_error(&plain, "eth_subscribe", "[\"newHeads\"]", -32601,
                        "notifications not supported");
    client_close(&plain);
}

/* A subscriber that does not read is cut; the others go on. */
static void a_slow_subscriber_is_cut(void **state)
{
    (void)state;
    struct client slow;
    struct json_object *head;
    ws_client_open(&slow, world_port(w));
    for (int i = 0; i < LIMIT_RPC_SUBSCRIPTIONS; i++) {
        ws_client_text(&slow, "{\"id\":1,\"method\":\"eth_subscribe\",\"params\":[\"newHeads\"]}");
        assert_int_equal(ws_client_next(&slow), 1);
    }
    char *id = subscribe("eth_subscribe", "[\"newHeads\"]");
    while (world_limit_hits(w, "RPC_OUT_BYTES") == 0) {
        world_announce(w, 1);
        json_object_put(notified("eth_subscription", id, &head));
    }
    world_announce(w, 2);
    json_object_put(notified("eth_subscription", id, &head));
    free(id);
    client_close(&slow);
}

static void requests_in_flight_are_bounded(void **state)
{
    (void)state;
    world_set_submit(w, SUBMIT_HOLD, 0, NULL);
    for (int i = 0; i <= LIMIT_RPC_INFLIGHT; i++) {
        ws_client_text(&c,
                       "{\"id\":1,\"method\":\"eth_sendRawTransaction\",\"params\":[\"0x01\"]}");
    }
    struct json_object *o = ws_client_json(&c);
    assert_string_equal(json_text(json_member(o, "error"), "message"),
                        "too many requests in flight");
    json_object_put(o);
    world_release(w);
    for (int i = 0; i < LIMIT_RPC_INFLIGHT; i++) {
        o = ws_client_json(&c);
        assert_non_null(json_member(o, "result"));
        json_object_put(o);
    }
}

/* The reply travels to nobody when the connection went; then the server closes with calls open. */
static void closing_with_calls_open(void **state)
{
    (void)state;
    world_set_submit(w, SUBMIT_HOLD, 0, NULL);
    ws_client_text(&c, "{\"id\":1,\"method\":\"eth_sendRawTransaction\",\"params\":[\"0x01\"]}");
    while (world_held(w) < 1) {
    }
    client_close(&c);
    ws_client_open(&c, world_port(w));
    ws_client_text(&c,
                   "{\"id\":1,\"method\":\"eth_sendRawTransactionSync\",\"params\":[\"0x01\"]}");
    ws_client_text(&c, "{\"id\":1,\"method\":\"eth_getBlockByNumber\",\"params\":[\"0x3\",true]}");
    free(subscribe("eth_subscribe", "[\"newHeads\"]"));
}

static int close_code(const char *what, uint8_t first, const void *p, size_t n, bool masked)
{
    (void)what;
    client_close(&c);
    ws_client_open(&c, world_port(w));
    ws_client_frame(&c, first, p, n, masked);
    int code = ws_client_expect_close(&c);
    assert_true(client_sees_end(&c));
    return code;
}

/* A frame that cannot even be read is answered with a close that gives no reason. */
static bool is_protocol_error(int code)
{
    return code == 0 || code == 1002;
}

static void rule_breakers_are_closed(void **state)
{
    (void)state;
    char big[200] = {0};
    assert_true(is_protocol_error(close_code("unmasked", 0x81, "{}", 2, false)));
    assert_true(is_protocol_error(close_code("reserved bit", 0xc1, "{}", 2, true)));
    assert_true(is_protocol_error(close_code("unknown opcode", 0x83, "{}", 2, true)));
    assert_true(is_protocol_error(close_code("continuation of nothing", 0x80, "{}", 2, true)));
    assert_true(is_protocol_error(close_code("fragmented control", 0x09, "x", 1, true)));
    assert_true(is_protocol_error(close_code("large control", 0x89, big, sizeof big, true)));
    assert_int_equal(close_code("binary", 0x82, "{}", 2, true), 1003);
    assert_int_equal(close_code("bad UTF-8", 0x81, "\xff\xff", 2, true), 1007);
    assert_int_equal(close_code("normal", 0x88, "\x03\xe8", 2, true), 1000);
    assert_true(is_protocol_error(close_code("one byte close", 0x88, "\x03", 1, true)));
}

/* Refused on the claim: no memory is taken for what was announced. */
static void an_oversized_message_is_refused(void **state)
{
    (void)state;
    uint8_t head[16] = {0x81, 0x80 | 127}; /* with two bytes of what was announced */
    store_be64(head + 2, LIMIT_RPC_BODY + 1);
    client_send(&c, head, sizeof head);
    assert_int_equal(ws_client_expect_close(&c), 1009);
    client_close(&c);
    ws_client_open(&c, world_port(w));
    store_be64(head + 2, UINT64_MAX >> 1);
    client_send(&c, head, sizeof head);
    assert_int_equal(ws_client_expect_close(&c), 1009);
}

static int upgrade_status(const char *headers)
{
    char request[512];
    client_close(&c);
    client_open(&c, world_port(w));
    snprintf(request, sizeof request,
             "GET / HTTP/1.1\r\nHost: localhost:%u\r\nUpgrade: websocket\r\n"
             "Connection: Upgrade\r\n%s\r\n",
             world_port(w), headers);
    client_text(&c, request);
    assert_true(client_answer(&c));
    return c.status;
}

#define KEY "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static void handshakes(void **state)
{
    (void)state;
    char own[256];
    assert_int_equal(upgrade_status(KEY), 101);
    assert_int_equal(upgrade_status("Sec-WebSocket-Version: 13\r\n"), 426);
    assert_int_equal(upgrade_status("Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: x\r\n"), 426);
    assert_int_equal(upgrade_status(KEY "Origin: http://evil.example\r\n"), 403);
    assert_int_equal(upgrade_status(KEY "Origin: null\r\n"), 403);
    /* The status page comes from here. */
    snprintf(own, sizeof own, KEY "Origin: http://localhost:%u\r\n", world_port(w));
    assert_int_equal(upgrade_status(own), 101);
}

/* The first frame may come in the same packet as the handshake. */
static void a_frame_behind_the_handshake(void **state)
{
    (void)state;
    static const char call[] = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\n" KEY "\r\n"
                               "\x81\xa1\x00\x00\x00\x00{\"id\":1, \"method\":\"eth_chainId\" }";
    client_close(&c);
    client_open(&c, world_port(w));
    client_send(&c, call, sizeof call - 1);
    assert_true(client_answer(&c));
    assert_int_equal(c.status, 101);
    expect("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0xa0ed\"}");
}

/* A request for an upgrade that is refused is answered once; the connection stays HTTP, also for
 * what came in the same packet (found by tests/fuzz: it was answered for ever). */
static void a_refused_upgrade_is_over(void **state)
{
    (void)state;
    static const char both[] = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\nSec-WebSocket-Version: 14\r\n"
                               "Sec-WebSocket-Key: x\r\n\r\n"
                               "GET /healthz HTTP/1.1\r\n\r\n";
    client_close(&c);
    client_open(&c, world_port(w));
    client_send(&c, both, sizeof both - 1);
    assert_true(client_answer(&c));
    assert_int_equal(c.status, 426);
    assert_true(client_answer(&c));
    assert_int_equal(c.status, 200);
    client_get(&c, "/healthz");
    assert_int_equal(c.status, 200);
    assert_string_equal(c.body, "ok\n");
}

#define WS_TEST(f) cmocka_unit_test_setup_teardown(f, ws_setup, case_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WS_TEST(calls_and_batches),
        WS_TEST(a_large_answer_comes_whole),
        WS_TEST(fragments_and_pings),
        WS_TEST(new_heads),
        WS_TEST(every_kind_of_subscription),
        WS_TEST(subscriptions_are_bounded_and_known),
        WS_TEST(a_slow_subscriber_is_cut),
        WS_TEST(requests_in_flight_are_bounded),
        WS_TEST(closing_with_calls_open),
        WS_TEST(rule_breakers_are_closed),
        WS_TEST(an_oversized_message_is_refused),
        WS_TEST(handshakes),
        WS_TEST(a_frame_behind_the_handshake),
        WS_TEST(a_refused_upgrade_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
