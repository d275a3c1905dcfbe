#define _GNU_SOURCE
#include "tests/fuzz/seeds.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/keccak.h"
#include "proto/key.h"
#include "sequencer/node/config_keys.h"
#include "sequencer/node/genesis_file.h"
#include "sequencer/rpc/call.h"
#include "tests/fuzz/fuzz.h"

static void seeds_of_numbers(void)
{
    static const char *const text[] = {
        "0x0",
        "0xdeadbeef",
        "115792089237316195423570985008687907853",
        "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF",
        "18446744073709551616",
        "115792089237316195423570985008687907853269984665640564039457584007913129639936",
        "9999999999999999999999999999999999999999999999999999999999999999999999999999999999"};
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
        "\002\020GET / HTTP/0.9\r\n\r\n",
        "\001\020POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: 31\r\n\r\n{\"id\":1,\"method\":\"admin_drain\"}",
        "\040\020POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: 96\r\n\r\n"
        "[{\"id\":1,\"method\":\"eth_getBlockByNumber\",\"params\":[\"0x3\",true]},"
        "{\"id\":2,\"method\":\"eth_chainId\"}]",
        "\020\020GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: "
        "localhost\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "\020\020GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "\002\020GET / HTTP/1.1\r\nHost: [::1]:8545\r\n\r\n"
        "OPTIONS / HTTP/1.1\r\nHost: node.example:8545\r\nOrigin: http://node.example:8545\r\n\r\n",
        "\002\020OPTIONS / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n\r\n"
        "OPTIONS / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n"
        "OPTIONS / HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n\r\n",
        "\002\020GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Origin: http://evil.example\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n\r\n",
        "\002\020GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Origin: http://good.example\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n\r\n",
        "\003\020GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"
        "GET /readyz HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer wrong\r\n\r\n",
        "\004\020GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        "GET /status.json HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "\002\020POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n",
        "\002\020POST / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        "\002\020POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: 112\r\n\r\n"
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_getBalance\",\"params\":"
        "[\"0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a\",\"0x1\"]}"
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "\002\020POST / HTTP/1.1\r\nHost: "
        "a.very.long.name.that.is.no.address.and.longer.than.any.address.can.be.example\r\n\r\n",
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
    n = 1;
    n += put_frame(out + n, 0x81,
                   "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_getBalance\",\"params\":"
                   "[\"0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a\",\"0x1\"]}");
    n += put_frame(out + n, 0x81, "{\"jsonrpc\":\"2.0\",\"method\":\"eth_chainId\"}");
    seed_put("ws", "later", bytes_of(out, n));
    n += put_frame(out + n, 0x81,
                   "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_getBalance\",\"params\":"
                   "[\"0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a\",\"0x1\"]}");
    seed_put("ws", "two-later", bytes_of(out, n));
    out[0] = 0xff; /* a client that does not read */
    seed_put("ws", "slow", bytes_of(out, n));
    out[0] = 17;
    n += put_frame(out + n, 0x88, "\x03\xe8");
    n += put_frame(out + n, 0x81, "{\"id\":1,\"method\":\"eth_chainId\"}");
    seed_put("ws", "closed", bytes_of(out, n));
    n = 1;
    n += put_frame(out + n, 0xb1, "reserved bits");
    seed_put("ws", "reserved", bytes_of(out, n));
    n = 1;
    n += put_frame(out + n, 0x8a, "pong");
    n += put_frame(out + n, 0x82, "binary");
    n += put_frame(out + n, 0x81, "{\"id\":1,\"method\":\"eth_chainId\"}");
    n += put_frame(out + n, 0x81, "{\"id\":1,\"method\":\"eth_chainId\"}");
    seed_put("ws", "after-close", bytes_of(out, n));
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
    seed_text(
        "jsonrpc", "hash",
        "[{\"id\":1,\"method\":\"eth_getBalance\",\"params\":"
        "[\"0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a\",{\"blockHash\":\"0x7c5a51f4e5a1b7b3c6"
        "c8f8f0b3a1d3ffdc4f4c8ddba1c2d3e4f5061728394a5b\"}]},"
        "{\"id\":2,\"method\":\"eth_getBalance\",\"params\":"
        "[\"0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a\",{\"blockNumber\":\"0x1\"}]}]");
    seed_text("jsonrpc", "tags",
              "[{\"id\":1,\"method\":\"eth_getBlockByNumber\",\"params\":[\"safe\",false]},"
              "{\"id\":2,\"method\":\"eth_getBlockByNumber\",\"params\":[\"pending\",true]},"
              "{\"id\":3,\"method\":\"eth_getBlockByNumber\",\"params\":[7,true]}]");
    seed_text("jsonrpc", "heavy",
              "[{\"id\":1,\"method\":\"eth_getBlockByNumber\",\"params\":[\"0x3\",true]},"
              "{\"id\":2,\"method\":\"eth_chainId\"}]");
    seed_text(
        "jsonrpc", "both",
        "{\"id\":1,\"method\":\"eth_getBalance\",\"params\":"
        "[\"0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a\",{\"blockNumber\":\"0x1\",\"blockHash\":"
        "\"0x7c5a51f4e5a1b7b3c6c8f8f0b3a1d3ffdc4f4c8ddba1c2d3e4f5061728394a5b\"}]}");
    seed_text("jsonrpc", "kept",
              "[{\"id\":1,\"method\":\"debug_x\"},{\"id\":2,\"method\":\"none_x\"}]");
    seed_text("jsonrpc", "number", "-12.5E-3");
    seed_text("jsonrpc", "batch",
              "[{\"jsonrpc\":\"2.0\",\"method\":\"web3_sha3\",\"params\":[\"0x00\"]},"
              "{\"id\":null,\"method\":\"eth_gasPrice\"},1,{}]");
    seed_text("jsonrpc", "numbers",
              "{\"id\":-1.5e+7,\"method\":\"\\u00e9\\n\",\"params\":[true,false,null]}");
}

/* Every wrong value, and some right ones, in every place of these calls: one batch for each call,
 * with as many spaces behind it as choose another node (target_jsonrpc.c). */
static void seeds_of_values(void)
{
#define ADDRESS "\"0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a\""
#define WORD    "\"0x7c5a51f4e5a1b7b3c6c8f8f0b3a1d3ffdc4f4c8ddba1c2d3e4f5061728394a5b\""
    static const char *const value[] = {"\"\"",
                                        "\"x\"",
                                        "\"0\"",
                                        "\"0x\"",
                                        "\"0X1\"",
                                        "\"0x0\"",
                                        "\"0x01\"",
                                        "\"0xg\"",
                                        "\"0xA:\"",
                                        "\"0xabc\"",
                                        "\"0xAbcD\"",
                                        "\"0x1\\u0000\"",
                                        "\"0xffffffffffffffff\"",
                                        "\"0x1ffffffffffffffff\"",
                                        "7",
                                        "-1",
                                        "true",
                                        "null",
                                        "[]",
                                        "{}",
                                        "{\"blockNumber\":\"0x1\"}",
                                        "{\"blockNumber\":1}",
                                        "{\"blockNumber\":\"x\"}",
                                        "{\"blockHash\":" WORD "}",
                                        "{\"blockHash\":" WORD ",\"blockNumber\":\"0x1\"}",
                                        ADDRESS,
                                        WORD,
                                        "\"safe\"",
                                        "\"finalized\"",
                                        "\"pending\"",
                                        "\"earliest\"",
                                        "\"latest\"",
                                        "\"0x7fffffffffffffff\""};
    static const struct {
        const char *name, *before, *after;
    } call[] = {{"eth_getBalance", ADDRESS ",", ""},   {"eth_getBalance", "", ",\"latest\""},
                {"eth_getBlockByNumber", "", ",true"}, {"eth_getBlockByNumber", "\"0x1\",", ""},
                {"eth_getBlockByHash", "", ",false"},  {"eth_sendRawTransaction", "", ""},
                {"eth_feeHistory", "", ",\"latest\""}, {"eth_feeHistory", "\"0x2\",", ",[]"}};
    static char text[16384];
    for (size_t i = 0; i < sizeof call / sizeof call[0]; i++) {
        size_t n = 0;
        for (size_t k = 0; k < sizeof value / sizeof value[0]; k++) {
            n += (size_t)snprintf(
                text + n, sizeof text - n, "%s{\"id\":1,\"method\":\"%s\",\"params\":[%s%s%s]}",
                k == 0 ? "[" : ",", call[i].name, call[i].before, value[k], call[i].after);
        }
        text[n++] = ']';
        for (int pad = 0; pad < 77; pad++, text[n++] = ' ') {
            char name[32];
            bool plain = n % 7 != 6 && n % 11 != 10 && n % 3 != 2;
            bool odd = n % 7 == 6 && n % 11 != 10 && n % 3 != 2;
            snprintf(name, sizeof name, "values%zu-%s", i,
                     plain ? "plain"
                     : odd ? "odd"
                           : "behind");
            text[n] = '\0';
            if (plain || odd || (n % 11 == 10 && n % 3 != 2)) {
                seed_text("jsonrpc", name, text);
            }
        }
    }
#undef ADDRESS
#undef WORD
}

/* ---- files of operators ---------------------------------------------------------------------- */

static void seeds_of_config(void)
{
    seed_text("config", "devnet",
              "dir: .\ngenesis: ../genesis.json\nrpc: 127.0.0.1:8545\nadmin: \"\"\n"
              "p2p: '127.0.0.1:9000'\nlog-level: debug # more\nhead-stall: 500ms\n"
              "vow-never-signed: true\nhosts: \"a,b\"\n");
    seed_text("config", "wrong", "rpcc: 1\nrpc: [1, 2]\nlog: {a: b}\nname: &x y\nkey: *x\n");
    seed_text("config", "twice", "rpc: localhost:1\nrpc: localhost:2\n");
    seed_text("config", "inside", "log:\n  level: x\n");
    seed_text("config", "alias", "rpc: &x localhost:1\np2p: *x\n");
    seed_text("config", "zero", "name: \"a\\0b\"\n");
    seed_text("config", "list", "[rpc]");
    seed_text("config", "units", "head-stall: 1m\ninclusion-limit: 99999999999999999999h\n");
    seed_text("config", "far", "head-stall: 18446744073709551615h\n");
    seed_text("config", "place", "rpc: :1\n");
    seed_text("config", "port", "rpc: localhost:65536\n");
    seed_text("config", "port-text", "rpc: localhost:1x\n");
    seed_text("config", "port-none", "rpc: localhost:\n");
    seed_text("config", "port-long", "rpc: localhost:000001\n");
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

static const char keystore_form[] =
    "{\"address\":\"%s\",\"crypto\":{\"cipher\":\"aes-128-ctr\",\"ciphertext\":\"%s\","
    "\"cipherparams\":{\"iv\":\"00000000000000000000000000000000\"},\"kdf\":\"pbkdf2\","
    "\"kdfparams\":{\"dklen\":32,\"c\":1,\"prf\":\"hmac-sha256\",\"salt\":\"0000000000000000\"},"
    "\"mac\":\"%s\"},\"id\":\"00000000-0000-4000-8000-000000000000\",\"version\":3}";

/* The key 1 under an empty password, at a cost of one round. */
static void seeds_of_open_keystore(void)
{
    static const uint8_t zeros[16];
    struct secret_key key = {{[31] = 1}};
    struct address a;
    uint8_t derived[32];
    uint8_t sealed[48];
    char hex[3][HEX_SIZE(32)];
    char text[1024];
    int n = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    DEMAND(PKCS5_PBKDF2_HMAC("", 0, zeros, 8, 1, EVP_sha256(), 32, derived) == 1);
    DEMAND(ctx != NULL && EVP_EncryptInit_ex(ctx, EVP_aes_128_ctr(), NULL, derived, zeros) == 1);
    DEMAND(EVP_EncryptUpdate(ctx, sealed + 16, &n, key.b, 32) == 1 && n == 32);
    EVP_CIPHER_CTX_free(ctx);
    memcpy(sealed, derived + 16, 16);
    struct hash mac = keccak256(sealed, sizeof sealed);
    fuzz_epoch();
    DEMAND(key_address(&a, &key) == OK);
    hex_encode(hex[0], a.b, sizeof a.b);
    hex_encode(hex[1], sealed + 16, 32);
    hex_encode(hex[2], mac.b, sizeof mac.b);
    n = snprintf(text, sizeof text, keystore_form, hex[0] + 2, hex[1] + 2, hex[2] + 2);
    for (int pad = 0; pad < 3; pad++) { /* the length chooses how the password's line ends */
        char name[8];
        snprintf(name, sizeof name, "open%d", pad);
        seed_text("keystore", name, text);
        text[n++] = '\n';
        text[n] = '\0';
    }
}

static void seeds_of_keystore(void)
{
    seeds_of_open_keystore();
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
    seeds_of_values();
    seeds_of_config();
    seeds_of_genesis();
    seeds_of_keystore();
}
