/* The k-th allocation fails, for every k, in what a node does with requests, with its operator's
 * files and with payloads: whoever asked hears of it or is cut off, nothing leaks (AddressSanitizer
 * looks), and the same asked again is answered. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sequencer/batcher/assembly.h"
#include "sequencer/batcher/segment.h"
#include "sequencer/node/genesis_file.h"
#include "sequencer/node/keyfile.h"
#include "tests/fuzz/http_pipe.h"
#include "wrap.h"

enum { K_MOST = 20000, ROOM = 65536 };

/* ---- requests -------------------------------------------------------------------------------- */

#define HOST "Host: localhost\r\n"
#define POST "POST / HTTP/1.1\r\n" HOST "Content-Type: application/json\r\nContent-Length: "
#define UPGRADE                                                                                    \
    "GET / HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n"                      \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

static const struct request {
    unsigned how;
    size_t n;
    const char *text;
} requests[] = {
#define REQUEST(how, text)                                                                         \
    {                                                                                              \
        how, sizeof(text) - 1, text                                                                \
    }
    REQUEST(0, "GET /healthz HTTP/1.1\r\n" HOST "\r\nGET /status.json HTTP/1.1\r\n" HOST "\r\n"),
    REQUEST(0, "OPTIONS / HTTP/1.1\r\n" HOST "Origin: http://good.example\r\n\r\n"),
    REQUEST(0, POST "31\r\n\r\n{\"id\":1,\"method\":\"eth_chainId\"}"),
    REQUEST(0, POST "67\r\n\r\n[{\"id\":1,\"method\":\"eth_chainId\"},"
                    "{\"id\":2,\"method\":\"eth_syncing\"},1]"),
    REQUEST(0, POST "62\r\n\r\n{\"id\":1,\"method\":\"eth_sendRawTransaction\","
                    "\"params\":[\"0x02c0\"]}"),
    REQUEST(PIPE_ADMIN, "GET /metrics HTTP/1.1\r\n" HOST "\r\n"),
    REQUEST(PIPE_NOT_READY, "GET /readyz HTTP/1.1\r\n" HOST "\r\n"),
    REQUEST(0, UPGRADE "\x89\x80\0\0\0\0"
                       "\x81\x9f\0\0\0\0{\"id\":1,\"method\":\"eth_chainId\"}"
                       "\x81\xc1\0\0\0\0{\"id\":1,\"method\":\"eth_getBlockByNumber\","
                       "\"params\":[\"0x1\",false]}  "
                       "\x81\x9f\0\0\0\0{\"id\":1,\"method\":\"eth_chainId\"}"),
#undef REQUEST
};

/* How much came back; `struck`: the failure did. */
static size_t ask(const struct request *r, uint64_t k, bool *struck)
{
    struct connection *c = http_pipe_open(r->how);
    fault_arm(FAULT_MEMORY, k, false);
    http_pipe_feed(c, bytes_of(r->text, r->n), SIZE_MAX);
    *struck = fault_disarm();
    struct text out = http_pipe_close(c);
    size_t n = out.n;
    text_free(&out);
    return n;
}

static void each_request(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        bool struck = true;
        uint64_t k = 1;
        size_t n = 0;
        for (; struck; k++) {
            n = ask(&requests[i], k, &struck);
            assert_true(k < K_MOST);
        }
        assert_true(k > 3 && n > 0);
        assert_int_equal(ask(&requests[i], UINT64_MAX, &struck), n);
    }
}

/* ---- files and payloads ---------------------------------------------------------------------- */

static uint8_t content[ROOM];

static struct bytes read_seed(const char *path)
{
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    size_t n = fread(content, 1, sizeof content, f);
    fclose(f);
    return bytes_of(content, n);
}

static enum err read_genesis(void)
{
    static struct genesis g;
    char why[512] = "";
    enum err e = genesis_file_read(&g, CORPUS "/genesis/seed-devnet", why, sizeof why);
    genesis_free(&g);
    return e;
}

static enum err read_key(void)
{
    struct address a;
    char why[512] = "";
    return keyfile_address(&a, fuzz_file("key.json", bytes_of(content, 0)), why, sizeof why);
}

static enum err open_segment(void)
{
    static const struct batch_chain chain = {1337, 3, 2};
    struct segment s;
    struct bytes batch;
    struct fault fault;
    segment_init(&s);
    enum err e =
        segment_open(&s, &chain, read_seed(CORPUS "/channel/seed-segment"), &batch, &fault);
    segment_free(&s);
    return e;
}

static enum err assemble(void)
{
    struct assembly a;
    struct frame f = {.last = true, .data = bytes_of("content", 7)};
    assembly_init(&a);
    enum assembly_verdict v = assembly_push(&a, 1, &f);
    assembly_free(&a);
    return v == ASSEMBLY_COMPLETE ? OK : ERR_NO_MEMORY;
}

/* `last`: what the work says when nothing failed. */
static void fail_each(enum err (*work)(void), enum err last)
{
    bool struck = true;
    uint64_t k = 1;
    for (; struck; k++) {
        fault_arm(FAULT_MEMORY, k, false);
        enum err e = work();
        struck = fault_disarm();
        assert_int_equal(e != last, struck);
        assert_true(k < K_MOST);
    }
    assert_true(k > 2);
}

static void files(void **state)
{
    (void)state;
    fuzz_epoch(); /* the key library */
    fail_each(read_genesis, OK);
    fail_each(read_key, ERR_MALFORMED);
}

static void payloads(void **state)
{
    (void)state;
    fail_each(open_segment, OK);
    fail_each(assemble, OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_request), cmocka_unit_test(files),
                                       cmocka_unit_test(payloads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
