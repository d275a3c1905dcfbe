#define _GNU_SOURCE
#include "tests/fuzz/seeds.h"

#include <stdio.h>
#include <stdlib.h>

#include "sequencer/node/config_keys.h"
#include "sequencer/node/genesis_file.h"
#include "sequencer/rpc/call.h"
#include "tests/fuzz/fuzz.h"

static void seeds_of_numbers(void)
{
    static const char *const text[] = {
        "0x0", "0xdeadbeef", "115792089237316195423570985008687907853",
        "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF", "18446744073709551616"};
    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++) {
        char name[8];
        snprintf(name, sizeof name, "%zu", i);
        seed_text("text", name, text[i]);
    }
}

/* ---- HTTP and WebSocket ---------------------------------------------------------------------- */

static void seeds_of_http(void)
{
    static const char *const request[] = {
        "\0011GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /readyz HTTP/1.1\r\n\r\n",
        "\0023POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: 57\r\n\r\n"
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_chainId\",\"params\":[]}",
        "\002\007POST / HTTP/1.1\r\nHost: 127.0.0.1:8545\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n2\r\n[]\r\n0\r\n\r\n",
        "\002\020OPTIONS / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://good.example\r\n"
        "Access-Control-Request-Headers: content-type\r\n\r\n",
        "\001\020GET /metrics HTTP/1.1\r\nAuthorization: Bearer secret-token\r\n\r\n"
        "GET /status.json HTTP/1.0\r\n\r\n",
        "\002\020GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        "\x89\x80\x01\x02\x03\x04",
        "\002\020HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "\002\020PUT / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof request / sizeof request[0]; i++) {
        char name[8];
        snprintf(name, sizeof name, "%zu", i);
        seed_text("http", name, request[i]);
    }
}

/* Client frames with a mask of zeros, so that their text can be read and changed. */
static size_t put_frame(uint8_t *out, uint8_t first, const char *text)
{
    size_t n = strlen(text);
    size_t at = 2;
    out[0] = first;
    out[1] = (uint8_t)(0x80 | (n < 126 ? n : 126));
    if (n >= 126) {
        out[at++] = (uint8_t)(n >> 8);
        out[at++] = (uint8_t)n;
    }
    memset(out + at, 0, 4);
    memcpy(out + at + 4, text, n);
    return at + 4 + n;
}

static void seeds_of_ws(void)
{
    uint8_t out[2048] = {17};
    size_t n = 1;
    n += put_frame(out + n, 0x81, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_blockNumber\"}");
    n += put_frame(out + n, 0x89, "ping");
    n += put_frame(out + n, 0x01,
                   "[{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"eth_subscribe\",");
    n += put_frame(out + n, 0x80, "\"params\":[\"newHeads\"]}]");
    n += put_frame(out + n, 0x88,
                   "\x03\xe8"
                   "bye");
    seed_put("ws", "talk", bytes_of(out, n));
    n = 1;
    n += put_frame(out + n, 0x81,
                   "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"baton_subscribe\",\"params\":"
                   "[\"blocks\"]}{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"eth_getBlockByN"
                   "umber\",\"params\":[\"0x1\",true]}");
    n += put_frame(out + n, 0x82, "binary");
    seed_put("ws", "long", bytes_of(out, n));
}

/* Every method once, with parameters that fit most of them, so that each handler is reached. */
static void seeds_of_methods(void)
{
    static const char *const name[] = {
#define METHOD(name, handler, params, flags) #name,
#include "sequencer/rpc/methods.def"
#undef METHOD
    };
    static const char *const params[] = {
        "[]",
        "[\"latest\"]",
        "[\"0x1\",true]",
        "[\"0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a\",\"latest\"]",
        "[\"0x7c5a51f4e5a1b7b3c6c8f8f0b3a1d3ffdc4f4c8ddba1c2d3e4f5061728394a5b\",\"0x0\"]",
        "[{\"to\":\"0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a\",\"value\":\"0x1\"},\"latest\"]"};
    char text[512];
    char file[64];
    for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
        for (size_t k = i % 2; k < sizeof params / sizeof params[0]; k += 2) {
            snprintf(text, sizeof text,
                     "{\"jsonrpc\":\"2.0\",\"id\":%zu,\"method\":\"%s\",\"params\":%s}%s", i,
                     name[i], params[k], k == 3 ? "\n" : "");
            snprintf(file, sizeof file, "%s-%zu", name[i], k);
            seed_text("jsonrpc", file, text);
        }
    }
    seed_text("jsonrpc", "batch",
              "[{\"jsonrpc\":\"2.0\",\"method\":\"web3_sha3\",\"params\":[\"0x00\"]},"
              "{\"id\":null,\"method\":\"eth_gasPrice\"},1,{}]");
    seed_text("jsonrpc", "numbers",
              "{\"id\":-1.5e+7,\"method\":\"\\u00e9\\n\",\"params\":[true,false,null]}");
}

/* ---- files of operators ---------------------------------------------------------------------- */

static void seeds_of_config(void)
{
    seed_text("config", "devnet",
              "dir: .\ngenesis: ../genesis.json\nrpc: 127.0.0.1:8545\nadmin: \"\"\n"
              "p2p: '127.0.0.1:9000'\nlog-level: debug # more\nhead-stall: 500ms\n"
              "vow-never-signed: true\nhosts: \"a,b\"\n");
    seed_text("config", "wrong", "rpcc: 1\nrpc: [1, 2]\nlog: {a: b}\nname: &x y\nkey: *x\n");
    seed_text("config", "empty", "--- \n...\n");
    seed_text("config", "block", "cors: |\n  http://a\nname: >\n  b\n");
}

static void seeds_of_genesis(void)
{
    static struct genesis g;
    const struct epoch_config *c = fuzz_epoch();
    struct genesis_alloc alloc[2] = {{.balance = u256_from_u64(UINT64_MAX)}, {.balance = {{7}}}};
    char why[256];
    char text[16384];
    g.chain_id = 41197;
    g.timestamp_ms = 1700000000000;
    g.devnet = true;
    g.params = c->params;
    g.seal_ms = GENESIS_SEAL_MS;
    g.base_fee = u256_from_u64(1000000000);
    g.n = c->n;
    memcpy(g.member, c->member, sizeof g.member);
    alloc[0].address = c->member[0].address;
    alloc[1].address = c->member[1].address;
    g.allocs = 2;
    g.alloc = alloc;
    genesis_sort(&g);
    const char *path = fuzz_file("seed.json", bytes_of("", 0));
    DEMAND(genesis_file_write(&g, path, why, sizeof why) == OK);
    FILE *f = fopen(path, "re");
    DEMAND(f != NULL);
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    seed_put("genesis", "devnet", bytes_of(text, n));
    seed_text("genesis", "twice", "{\"chainId\":1,\"chain\\u0049d\":2}");
}

/* Two key files of the cheapest cost, and the members of one with the full cost. */
static void seeds_of_keystore(void)
{
    seed_text(
        "keystore", "scrypt",
        "{\"address\":\"7e5f4552091a69125d5dfcb7b8c2659029395bdf\",\"crypto\":{\"cipher\":"
        "\"aes-128-ctr\",\"ciphertext\":\"0000000000000000000000000000000000000000000000000000"
        "000000000000\",\"cipherparams\":{\"iv\":\"00000000000000000000000000000000\"},\"kdf\":"
        "\"scrypt\",\"kdfparams\":{\"dklen\":32,\"n\":2,\"p\":1,\"r\":1,\"salt\":"
        "\"0000000000000000\"},\"mac\":\"00000000000000000000000000000000000000000000000000000"
        "00000000000\"},\"id\":\"00000000-0000-4000-8000-000000000000\",\"version\":3}");
    seed_text(
        "keystore", "pbkdf2",
        "{\"address\":\"0000000000000000000000000000000000000000\",\"Crypto\":{\"cipher\":"
        "\"aes-128-ctr\",\"ciphertext\":\"0000000000000000000000000000000000000000000000000000"
        "000000000000\",\"cipherparams\":{\"iv\":\"00000000000000000000000000000000\"},\"kdf\":"
        "\"pbkdf2\",\"kdfparams\":{\"dklen\":32,\"c\":1,\"prf\":\"hmac-sha256\",\"salt\":"
        "\"0000000000000000\"},\"mac\":\"00000000000000000000000000000000000000000000000000000"
        "00000000000\"},\"id\":\"00000000-0000-4000-8000-000000000000\",\"version\":3}");
}

void seeds_of_text(void)
{
    seeds_of_numbers();
    seeds_of_http();
    seeds_of_ws();
    seeds_of_methods();
    seeds_of_config();
    seeds_of_genesis();
    seeds_of_keystore();
}
