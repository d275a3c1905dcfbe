/* HTTP: well-behaved clients, and those that are not. */
#define _GNU_SOURCE
#include <curl/curl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/limits.h"
#include "rpc_case.h"
#include "sequencer/rpc/strict.h"

#define CALL   "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_chainId\"}"
#define ANSWER "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0xa0ed\"}"
#define JSON   "Content-Type: application/json\r\n"

static void reopen(uint16_t port)
{
    client_close(&c);
    client_open(&c, port);
}

/* Sends it on a connection of its own; the status of the answer, 0 where the server just closed. */
static int status_of(const char *request)
{
    reopen(world_port(w));
    client_text(&c, request);
    return client_answer(&c) ? c.status : 0;
}

static void a_connection_serves_many(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        client_post(&c, CALL);
        assert_string_equal(c.body, ANSWER);
        assert_null(strstr(c.head, "Connection: close"));
    }
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    char one[256];
    for (int i = 0; i < 50; i++) {
        char body[80];
        snprintf(body, sizeof body, "{\"id\":%d,\"method\":\"%s\",\"params\":[\"0x3\",true]}", i,
                 i % 10 == 0 ? "eth_getBlockByNumber" : "nope");
        snprintf(one, sizeof one,
                 "POST / HTTP/1.1\r\nHost: a\r\n" JSON "Content-Length: %zu\r\n\r\n%s",
                 strlen(body), body);
        client_text(&c, one);
    }
    (void)one;
    for (int i = 0; i < 50; i++) {
        assert_true(client_answer(&c));
        if (c.status == 200) {
            struct json_object *o = json_tokener_parse(c.body);
            assert_int_equal(json_object_get_int(json_member(o, "id")), i);
            json_object_put(o);
        }
        assert_int_equal(c.status, 403); /* "a" is no host of ours */
    }
}

static void pipelined_calls_wait_for_each_other(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        char body[96];
        char one[256];
        snprintf(body, sizeof body, "{\"id\":%d,\"method\":\"%s\",\"params\":[\"0x3\",true]}", i,
                 i % 10 == 0 ? "eth_getBlockByNumber" : "nope");
        snprintf(one, sizeof one, "POST / HTTP/1.1\r\n" JSON "Content-Length: %zu\r\n\r\n%s",
                 strlen(body), body);
        client_text(&c, one);
    }
    for (int i = 0; i < 30; i++) {
        assert_true(client_answer(&c));
        struct json_object *o = json_tokener_parse(c.body);
        assert_int_equal(json_object_get_int(json_member(o, "id")), i);
        json_object_put(o);
    }
}

static void a_request_may_come_byte_by_byte(void **state)
{
    (void)state;
    static const char request[] =
        "POST / HTTP/1.1\r\nHost: localhost\r\n" JSON "Transfer-Encoding: chunked\r\n\r\n"
        "10\r\n{\"id\":1,\"method\"\r\n0f\r\n:\"eth_chainId\"}\r\n0\r\n\r\n";
    for (size_t i = 0; i < sizeof request - 1; i++) {
        client_send(&c, request + i, 1);
    }
    assert_true(client_answer(&c));
    assert_string_equal(c.body, ANSWER);
}

static void connection_close_is_honoured(void **state)
{
    (void)state;
    client_text(&c, "POST / HTTP/1.1\r\nConnection: close\r\n" JSON "Content-Length: 33\r\n\r\n"
                    "{\"id\":1, \"method\":\"eth_chainId\" }");
    assert_true(client_answer(&c));
    assert_string_equal(c.body, ANSWER);
    assert_true(client_sees_end(&c));
    assert_int_equal(status_of("POST / HTTP/1.0\r\n" JSON "Content-Length: 33\r\n\r\n"
                               "{\"id\":1, \"method\":\"eth_chainId\" }"),
                     200);
    assert_true(client_sees_end(&c));
}

static void the_paths(void **state)
{
    (void)state;
    client_get(&c, "/");
    assert_int_equal(c.status, 200);
    assert_non_null(strstr(c.head, "text/html"));
    assert_non_null(strstr(c.body, "</html>"));
    client_get(&c, "/healthz");
    assert_string_equal(c.body, "ok\n");
    client_get(&c, "/readyz?x=1");
    assert_int_equal(c.status, 200);
    assert_string_equal(c.body, "{\"ready\":true,\"reasons\":[],\"details\":[]}");
    world_set_ready(w, false);
    client_get(&c, "/readyz");
    assert_int_equal(c.status, 503);
    assert_string_equal(c.body, "{\"ready\":false,\"reasons\":[\"draining\",\"client\"],"
                                "\"details\":[\"asked to hand over\",\"client\"]}");
    client_get(&c, "/status.json");
    assert_string_equal(c.body, "{\"chainId\":41197,\"path\":\"a/b\"}");
    client_get(&c, "/metrics"); /* admin port only */
    assert_int_equal(c.status, 404);
    client_get(&c, "/../etc/passwd");
    assert_int_equal(c.status, 404);
    client_text(&c, "HEAD / HTTP/1.1\r\n\r\nPUT / HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
    while (c.n == 0 || strstr(c.buf, "405") == NULL) {
        char one;
        assert_int_equal(recv(c.fd, &one, 1, 0), 1);
        c.buf[c.n++] = one;
        c.buf[c.n] = 0;
    }
    assert_null(strstr(c.buf, "</html>"));
}

static void the_admin_port(void **state)
{
    (void)state;
    int kind;
    struct rpc_query q;
    char text[256];
    reopen(world_admin_port(w));
    client_get(&c, "/metrics");
    assert_int_equal(c.status, 200);
    assert_non_null(strstr(c.body, "baton_slot 7"));
    assert_non_null(strstr(c.head, "version=0.0.4"));
    client_text(&c, "GET /metrics HTTP/1.1\r\nHost: node-0:9545\r\n\r\n"); /* a collector */
    assert_true(client_answer(&c));
    assert_int_equal(c.status, 200);
    client_expect_error(&c, "admin_drain", "[5]", -32001, NULL);
    json_object_put(client_result(&c, "eth_chainId", NULL));
    static const char with_token[] =
        "POST / HTTP/1.1\r\n" JSON "Authorization: Bearer %s\r\nContent-Length: %zu\r\n\r\n%s";
    char request[512];
    static const char *const wrong[] = {"", "secret-toke", "secret-token2", "Secret-token"};
    static const char drain[] = "{\"id\":1,\"method\":\"admin_drain\",\"params\":[5]}";
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(request, sizeof request, with_token, wrong[i], strlen(drain), drain);
        client_text(&c, request);
        assert_true(client_answer(&c));
        assert_int_equal(c.status, 401);
    }
    snprintf(request, sizeof request, with_token, "secret-token", strlen(drain), drain);
    client_text(&c, request);
    assert_true(client_answer(&c));
    assert_string_equal(c.body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":true}");
    world_last_query(w, &kind, &q, text, sizeof text);
    assert_true(kind == RPC_ADMIN_DRAIN && q.count == 5);
    static const char level[] = "{\"id\":1,\"method\":\"admin_setLogLevel\",\"params\":[\"loud\"]}";
    snprintf(request, sizeof request, with_token, "secret-token", strlen(level), level);
    client_text(&c, request);
    assert_true(client_answer(&c));
    assert_non_null(strstr(c.body, "one of error, warn, info, debug"));
    /* The token of one request is not that of the next. */
    client_expect_error(&c, "admin_drain", "[5]", -32001, NULL);
}

/* A name that resolves to us is no name of ours (DNS rebinding); addresses and localhost are. */
static void hosts(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        int status;
    } host[] = {{"localhost", 200},      {"LOCALHOST:8545", 200}, {"127.0.0.1:8545", 200},
                {"[::1]:8545", 200},     {"evil.example", 403},   {"localhost.evil.example", 403},
                {"127.0.0.1.evil", 403}, {"[evil]", 403}};
    for (size_t i = 0; i < sizeof host / sizeof *host; i++) {
        char request[256];
        snprintf(request, sizeof request,
                 "POST / HTTP/1.1\r\nHost: %s\r\n" JSON
                 "Content-Length: 33\r\n\r\n{\"id\":1, \"method\":\"eth_chainId\" }",
                 host[i].host);
        assert_int_equal(status_of(request), host[i].status);
    }
    assert_int_equal(status_of("GET /healthz HTTP/1.1\r\nHost: node-0\r\n\r\n"), 200);
    assert_int_equal(status_of("GET /status.json HTTP/1.1\r\nHost: evil\r\n\r\n"), 403);
    client_close(&c);
    world_close(w);
    w = world_open_with(NULL, "a.example, B.example", false);
    client_open(&c, world_port(w));
    assert_int_equal(status_of("GET / HTTP/1.1\r\nHost: b.example:1\r\n\r\n"), 200);
    assert_int_equal(status_of("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), 403);
}

static void origins(void **state)
{
    (void)state;
    status_of("POST / HTTP/1.1\r\nOrigin: http://app.example\r\n" JSON
              "Content-Length: 33\r\n\r\n{\"id\":1, \"method\":\"eth_chainId\" }");
    assert_null(strstr(c.head, "Access-Control"));
    client_close(&c);
    world_close(w);
    w = world_open_with("http://app.example", NULL, false);
    client_open(&c, world_port(w));
    status_of("OPTIONS / HTTP/1.1\r\nOrigin: http://app.example\r\n"
              "Access-Control-Request-Method: POST\r\n"
              "Access-Control-Request-Headers: content-type\r\n\r\n");
    assert_int_equal(c.status, 204);
    assert_non_null(strstr(c.head, "Access-Control-Allow-Origin: http://app.example\r\n"));
    assert_non_null(strstr(c.head, "Access-Control-Allow-Headers: content-type\r\n"));
    status_of("POST / HTTP/1.1\r\nOrigin: http://app.example\r\n" JSON
              "Content-Length: 33\r\n\r\n{\"id\":1, \"method\":\"eth_chainId\" }");
    assert_non_null(strstr(c.head, "Access-Control-Allow-Origin: http://app.example\r\n"));
    status_of("OPTIONS / HTTP/1.1\r\nOrigin: http://other.example\r\n\r\n");
    assert_null(strstr(c.head, "Access-Control"));
}

static void content_types(void **state)
{
    (void)state;
    assert_int_equal(status_of("POST / HTTP/1.1\r\nContent-Type: text/plain\r\n"
                               "Content-Length: 2\r\n\r\n{}"),
                     415);
    assert_int_equal(status_of("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"), 415);
    assert_int_equal(
        status_of("POST / HTTP/1.1\r\nContent-Type: application/json; charset=utf-8\r\n"
                  "Content-Length: 2\r\n\r\n{}"),
        200);
}

static void malformed_requests_are_refused(void **state)
{
    (void)state;
    static const char *const request[] = {
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS to a plain port\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET /\r\n\r\n",
        "HELLO / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nNo colon\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 5, 6\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        /* Smuggling: two lengths, two readings. */
        "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof request / sizeof *request; i++) {
        int status = status_of(request[i]);
        if (status != 400) {
            fail_msg("request %zu: status %d", i, status);
        }
        assert_true(client_sees_end(&c));
    }
    assert_int_equal(status_of("GET /healthz HTTP/1.1\r\n\r\n"), 200);
}

static char *repeated(const char *head, char fill, size_t n, const char *tail)
{
    char *text = malloc(strlen(head) + n + strlen(tail) + 1);
    assert_non_null(text);
    size_t at = strlen(head);
    memcpy(text, head, at);
    memset(text + at, fill, n);
    memcpy(text + at + n, tail, strlen(tail) + 1);
    return text;
}

static void oversized_requests_are_refused(void **state)
{
    (void)state;
    char *request = repeated("GET / HTTP/1.1\r\nX: ", 'x', LIMIT_RPC_HEADER, "\r\n\r\n");
    assert_int_equal(status_of(request), 431);
    free(request);
    assert_int_equal(world_limit_hits(w, "RPC_HEADER"), 1);
    request = repeated("GET / HTTP/1.1\r\nAuthorization: ", 'x', 300, "\r\n\r\n");
    assert_int_equal(status_of(request), 431);
    free(request);
    request = repeated("GET /", 'x', 300, " HTTP/1.1\r\n\r\n");
    assert_int_equal(status_of(request), 414);
    free(request);
    /* Refused on the claim alone, before a byte of the body. */
    assert_int_equal(status_of("POST / HTTP/1.1\r\n" JSON "Content-Length: 5242881\r\n\r\n"), 413);
    /* No claim: refused when it gets too much. */
    request = repeated("POST / HTTP/1.1\r\n" JSON "Transfer-Encoding: chunked\r\n\r\n600000\r\n",
                       ' ', 0x600000, "\r\n0\r\n\r\n");
    assert_int_equal(status_of(request), 413);
    free(request);
    assert_int_equal(world_limit_hits(w, "RPC_BODY"), 2);
}

static void the_largest_body_is_served(void **state)
{
    (void)state;
    char *body = repeated(CALL, ' ', LIMIT_RPC_BODY - strlen(CALL), "");
    client_post(&c, body);
    assert_string_equal(c.body, ANSWER);
    free(body);
}

static void expect_parse_error(const char *body)
{
    client_post(&c, body);
    if (strcmp(c.body, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,"
                       "\"message\":\"parse error\"}}") != 0) {
        fail_msg("%.60s: %s", body, c.body);
    }
    assert_int_equal(c.status, 200);
}

/* Also what json-c alone would take. */
static void what_is_no_json_is_a_parse_error(void **state)
{
    (void)state;
    static const char *const body[] = {
        "",
        " ",
        "{",
        "}",
        "[",
        "{\"a\":1",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "[1,]",
        "{\"a\":1,}",
        "[1 2]",
        "01",
        "1.",
        "+1",
        "--1",
        "nul",
        "truex",
        "NaN",
        "[NaN]",
        "Infinity",
        "-Infinity",
        "'a'",
        "{'a':1}",
        "\"\t\"",
        "\"a",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\xff\"",
        "\"\xed\xa0\x80\"",
        "{} {}",
        "[] x",
        "/* */ {}",
        "{\"id\":1,\"method\":\"eth_chainId\"}]",
        "\xef\xbb\xbf{}",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
        "0x1",
        "[1e]",
        "\x01",
        "}{",
        "[}",
        "{]"};
    for (size_t i = 0; i < sizeof body / sizeof *body; i++) {
        expect_parse_error(body[i]);
    }
    char *deep = repeated("", '[', 1000000, "");
    expect_parse_error(deep);
    memset(deep, '{', 1000000);
    expect_parse_error(deep);
    free(deep);
    client_post(&c, CALL);
    assert_string_equal(c.body, ANSWER);
}

static void numbers_at_their_edges(void **state)
{
    (void)state;
    static const char *const params[] = {"[1e400]", "[-0]",         "[18446744073709551616]",
                                         "[-1]",    "[1.5]",        "[true]",
                                         "[[]]",    "[{\"a\":[]}]", "[\"\"]"};
    for (size_t i = 0; i < sizeof params / sizeof *params; i++) {
        struct json_object *o = client_call(&c, "eth_feeHistory", params[i]);
        json_object_put(o);
        o = client_call(&c, "eth_getBlockByNumber", params[i]);
        json_object_put(o);
    }
    /* Duplicate keys: the last one, as in Go's encoding/json. */
    client_post(&c, "{\"id\":2,\"id\":1,\"method\":\"x\",\"method\":\"eth_chainId\"}");
    assert_string_equal(c.body, ANSWER);
}

/* Every beginning of a good request, cut off: no answer, no harm. */
static void truncated_requests(void **state)
{
    (void)state;
    static const char request[] =
        "POST / HTTP/1.1\r\nHost: localhost\r\n" JSON "Content-Length: 51\r\n\r\n" CALL;
    for (size_t n = 0; n + 1 < sizeof request - 1; n++) {
        reopen(world_port(w));
        client_send(&c, request, n);
    }
    reopen(world_port(w));
    client_post(&c, CALL);
    assert_string_equal(c.body, ANSWER);
}

/* A client that asks for much and reads nothing is cut; others do not notice. */
static void a_reader_that_does_not_read_is_cut(void **state)
{
    (void)state;
    static const char body[] =
        "{\"id\":1,\"method\":\"eth_getBlockByNumber\",\"params\":[\"0x3\",true]}";
    char request[256];
    snprintf(request, sizeof request, "POST / HTTP/1.1\r\n" JSON "Content-Length: %zu\r\n\r\n%s",
             sizeof body - 1, body);
    struct client slow;
    client_open(&slow, world_port(w));
    for (int i = 0; i < 100 && world_limit_hits(w, "RPC_OUT_BYTES") == 0; i++) {
        client_text(&slow, request);
    }
    while (world_limit_hits(w, "RPC_OUT_BYTES") == 0) {
        client_post(&c, CALL);
        assert_string_equal(c.body, ANSWER);
    }
    client_close(&slow);
}

static void connections_of_one_address_are_bounded(void **state)
{
    (void)state;
    enum { MOST = LIMIT_RPC_CONNECTIONS_PER_IP };
    static struct client many[MOST];
    for (int i = 1; i < MOST; i++) { /* `c` is one of them */
        client_open(&many[i], world_port(w));
        client_get(&many[i], "/healthz");
        assert_int_equal(c.status, 0);
    }
    struct client more;
    client_open(&more, world_port(w));
    assert_true(client_answer(&more));
    assert_int_equal(more.status, 429);
    assert_non_null(strstr(more.head, "Retry-After: 1"));
    assert_true(client_sees_end(&more));
    client_close(&more);
    assert_int_equal(world_limit_hits(w, "RPC_CONNECTIONS_PER_IP"), 1);
    for (int i = 1; i < MOST; i++) {
        client_close(&many[i]);
    }
    while (world_connections(w) > 1) {
    }
    client_open(&more, world_port(w));
    client_post(&more, CALL);
    assert_string_equal(more.body, ANSWER);
    client_close(&more);
}

static size_t collect(char *p, size_t size, size_t n, void *arg)
{
    char *out = arg;
    strncat(out, p, size * n);
    return size * n;
}

/* A library that everybody uses: keep-alive, Expect: 100-continue, HTTP/2 offered and declined. */
static void curl_is_served(void **state)
{
    (void)state;
    char url[64];
    char *body = repeated(CALL, ' ', 2 << 20, "");
    snprintf(url, sizeof url, "http://localhost:%u/", world_port(w));
    CURL *curl = curl_easy_init();
    assert_non_null(curl);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Expect: 100-continue");
    for (int i = 0; i < 3; i++) {
        char out[256] = "";
        long status = 0;
        curl_easy_setopt(curl, CURLOPT_URL, url);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(curl, CURLOPT_EXPECT_100_TIMEOUT_MS, 30000L);
        curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2_0);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
        assert_int_equal(curl_easy_perform(curl), CURLE_OK);
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        assert_int_equal(status, 200);
        assert_string_equal(out, ANSWER);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    free(body);
}

static void the_scan_agrees_with_the_grammar(void **state)
{
    (void)state;
    assert_true(strict_json("{\"a\\\"}\":[1,true]}", 17, 4));
    assert_false(strict_json("{\"a\\\"}", 6, 4));
    assert_false(strict_json("\"\\", 2, 4));
    assert_false(strict_json("\"\\\"", 3, 4));
    assert_false(strict_json("a\0b", 3, 4));
    assert_true(strict_json("[[[[]]]]", 8, 4));
    assert_false(strict_json("[[[[[]]]]]", 10, 4));
}

static void a_port_in_use_is_said(void **state)
{
    (void)state;
    char why[256] = "";
    char address[64];
    uv_loop_t loop;
    struct rpc *r = NULL;
    uv_loop_init(&loop);
    static const struct rpc_backend none = {0};
    snprintf(address, sizeof address, "127.0.0.1:%u", world_port(w));
    struct rpc_options o = {.loop = &loop, .listen = address, .backend = &none};
    assert_int_equal(rpc_open(&r, &o, why, sizeof why), ERR_IN_USE);
    assert_non_null(strstr(why, address));
    o.listen = "example.com:80";
    assert_int_equal(rpc_open(&r, &o, why, sizeof why), ERR_CONFIG);
    o.listen = "127.0.0.1:99999";
    assert_int_equal(rpc_open(&r, &o, why, sizeof why), ERR_CONFIG);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_connection_serves_many),
        TEST(pipelined_requests_are_answered_in_order),
        TEST(pipelined_calls_wait_for_each_other),
        TEST(a_request_may_come_byte_by_byte),
        TEST(connection_close_is_honoured),
        TEST(the_paths),
        TEST(the_admin_port),
        TEST(hosts),
        TEST(origins),
        TEST(content_types),
        TEST(malformed_requests_are_refused),
        TEST(oversized_requests_are_refused),
        TEST(the_largest_body_is_served),
        TEST(what_is_no_json_is_a_parse_error),
        TEST(numbers_at_their_edges),
        TEST(truncated_requests),
        TEST(a_reader_that_does_not_read_is_cut),
        TEST(connections_of_one_address_are_bounded),
        TEST(curl_is_served),
        TEST(the_scan_agrees_with_the_grammar),
        TEST(a_port_in_use_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
