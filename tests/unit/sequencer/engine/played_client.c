#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "played_client.h"

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/keccak.h"
#include "sequencer/web/json.h"

enum { PEER_ROOM = 65536, OUT_ROOM = 16384 };

struct peer {
    uv_tcp_t tcp;
    struct played_client *c;
    struct peer *next;
    char in[PEER_ROOM];
    size_t n;
};

struct hash played_hash(uint64_t salt)
{
    return keccak256(&salt, sizeof salt);
}

static struct played_block *find(struct played_client *c, const char *text)
{
    struct hash h;
    if (text == NULL || !hex_decode(h.b, 32, text)) {
        return NULL;
    }
    for (size_t i = 0; i < c->n; i++) {
        if (hash_equal(&c->block[i].hash, &h)) {
            return &c->block[i];
        }
    }
    return NULL;
}

/* ---- answers ------------------------------------------------------------------------------------ */

static void put_block(char *out, const struct played_block *b)
{
    char hash[HEX_SIZE(32)], parent[HEX_SIZE(32)];
    if (b == NULL) {
        snprintf(out, OUT_ROOM, "\"result\":null");
        return;
    }
    hex_encode(hash, b->hash.b, 32);
    hex_encode(parent, b->parent.b, 32);
    snprintf(out, OUT_ROOM,
             "\"result\":{\"hash\":\"%s\",\"parentHash\":\"%s\",\"number\":\"0x%" PRIx64
             "\",\"timestamp\":\"0x%" PRIx64 "\"}",
             hash, parent, b->number, b->timestamp);
}

static void keep(char *to, size_t size, struct json_object *o, const char *name)
{
    const char *text = json_text(json_get(o, name));
    snprintf(to, size, "%s", text == NULL ? "" : text);
}

/* The status that the play wants, or what is true; `about` is the block in the client's letters. */
static void put_status(const struct played_client *c, char *out, size_t size, const char *about,
                       bool true_one, bool played)
{
    static const char *const plays[PLAYS] = {
        [PLAY_SYNCING] = "SYNCING", [PLAY_ACCEPTED] = "ACCEPTED", [PLAY_INVALID] = "INVALID",
        [PLAY_OWN_FAULT] = "INVALID"};
    const char *status = played && plays[c->play] != NULL ? plays[c->play]
                         : true_one                       ? "VALID"
                                                          : "SYNCING";
    char other[HEX_SIZE(32)];
    struct hash h = played_hash(4711);
    hex_encode(other, h.b, 32);
    snprintf(out, size,
             "{\"status\":\"%s\",\"latestValidHash\":\"%s\",\"validationError\":\"%s\"}", status,
             played && c->play == PLAY_OTHER_VALID ? other : about,
             played && c->play == PLAY_OWN_FAULT ? "missing trie node 17" : "");
}

static void forkchoice(struct played_client *c, struct json_object *params, char *out, bool played)
{
    char status[512];
    struct json_object *heads = json_at(params, 0), *a = json_at(params, 1);
    keep(c->headed, sizeof c->headed, heads, "headBlockHash");
    keep(c->safe, sizeof c->safe, heads, "safeBlockHash");
    keep(c->finalized, sizeof c->finalized, heads, "finalizedBlockHash");
    const struct played_block *b = find(c, c->headed);
    put_status(c, status, sizeof status, c->headed, b != NULL, played);
    if (b != NULL && a != NULL) {
        c->building = (struct played_block){.parent = b->hash, .number = b->number + 1};
        c->seen_list = json_object_get_boolean(json_get(a, "noTxPool")) &&
                       json_get(a, "transactions") != NULL;
        keep(c->randao, sizeof c->randao, a, "prevRandao");
        keep(c->fee, sizeof c->fee, a, "suggestedFeeRecipient");
        assert_true(json_u64(json_get(a, "timestamp"), &c->building.timestamp));
        assert_true(c->building.timestamp > b->timestamp);
        c->building.hash = keccak256(c->randao, strlen(c->randao));
    }
    snprintf(out, OUT_ROOM, "\"result\":{\"payloadStatus\":%s,\"payloadId\":%s}", status,
             a == NULL ? "null" : "\"0x0102030405060708\"");
}

static void payload(const struct played_client *c, char *out, bool played)
{
    bool other = played && c->play == PLAY_OTHER_PAYLOAD;
    char hash[HEX_SIZE(32)], parent[HEX_SIZE(32)];
    hex_encode(hash, c->building.hash.b, 32);
    hex_encode(parent, c->building.parent.b, 32);
    snprintf(out, OUT_ROOM,
             "\"result\":{\"executionPayload\":{\"parentHash\":\"%s\",\"blockHash\":\"%s\","
             "\"stateRoot\":\"%s\",\"receiptsRoot\":\"%s\",\"logsBloom\":\"0x%0512d\","
             "\"prevRandao\":\"%s\",\"feeRecipient\":\"%s\",\"blockNumber\":\"0x%" PRIx64
             "\",\"timestamp\":\"0x%" PRIx64 "\",\"gasLimit\":\"0x1c9c380\",\"gasUsed\":\"0x0\","
             "\"extraData\":\"0x\",\"baseFeePerGas\":\"0x7\",\"blobGasUsed\":\"0x0\","
             "\"excessBlobGas\":\"0x0\",\"withdrawals\":[],\"transactions\":[\"0x02aabb\"]},"
             "\"executionRequests\":[]}",
             parent, hash, hash, hash, 0, c->randao,
             other ? "0x4444444444444444444444444444444444444444" : c->fee, c->building.number,
             c->building.timestamp);
}

/* Kept, where its parent is here. */
static void new_payload(struct played_client *c, struct json_object *p, char *out, bool played)
{
    char status[512];
    struct played_block b = {0};
    const char *hash = json_text(json_get(p, "blockHash"));
    const struct played_block *parent = find(c, json_text(json_get(p, "parentHash")));
    put_status(c, status, sizeof status, hash, parent != NULL, played);
    if (parent != NULL && find(c, hash) == NULL && strstr(status, "\"VALID\"") != NULL) {
        assert_true(c->n < PLAYED_BLOCKS);
        assert_true(hex_decode(b.hash.b, 32, hash));
        assert_true(json_u64(json_get(p, "timestamp"), &b.timestamp));
        b.parent = parent->hash;
        b.number = parent->number + 1;
        c->head = c->n;
        c->block[c->n++] = b;
    }
    snprintf(out, OUT_ROOM, "\"result\":%s", status);
}

/* NULL: none of this number. */
static const struct played_block *numbered(const struct played_client *c, const char *text)
{
    uint64_t number = strtoull(text, NULL, 16);
    for (size_t i = c->n; strcmp(text, "latest") != 0 && i-- > 0;) {
        if (c->block[i].number == number) {
            return &c->block[i];
        }
    }
    return strcmp(text, "latest") == 0 ? &c->block[c->head] : NULL;
}

static void answer(struct played_client *c, const char *method, struct json_object *params,
                   char *out, bool played)
{
    const char *first = json_text(json_at(params, 0));
    if (strcmp(method, "engine_exchangeCapabilities") == 0) {
        snprintf(out, OUT_ROOM, "\"result\":[\"engine_newPayloadV4\",\"engine_getPayloadV4\","
                                "\"engine_forkchoiceUpdatedV3\"]");
    } else if (strcmp(method, "eth_chainId") == 0) {
        snprintf(out, OUT_ROOM, "\"result\":\"0x%" PRIx64 "\"", c->chain_id);
    } else if (strcmp(method, "eth_getBlockByNumber") == 0) {
        put_block(out, numbered(c, first));
    } else if (strcmp(method, "eth_getBlockByHash") == 0) {
        put_block(out, find(c, first));
    } else if (strncmp(method, "engine_forkchoiceUpdated", 24) == 0) {
        forkchoice(c, params, out, played);
    } else if (strncmp(method, "engine_getPayload", 17) == 0) {
        payload(c, out, played);
    } else if (strncmp(method, "engine_newPayload", 17) == 0) {
        new_payload(c, json_at(params, 0), out, played);
    } else {
        snprintf(out, OUT_ROOM, "\"result\":\"0x01\"");
    }
}

/* What stands instead of the answer; false: the answer itself. */
static bool instead(enum play play, char *out)
{
    static const char *const words[PLAYS] = {
        [PLAY_EMPTY_OBJECT] = "\"result\":{}",
        [PLAY_NULL] = "\"result\":null",
        [PLAY_INTERNAL] = "\"error\":{\"code\":-32603,\"message\":\"internal\"}",
        [PLAY_PARAMETERS] = "\"error\":{\"code\":-32602,\"message\":\"parameters\"}",
        [PLAY_UNKNOWN] = "\"error\":{\"code\":-38001,\"message\":\"Unknown payload\"}"};
    if (words[play] == NULL) {
        return false;
    }
    snprintf(out, OUT_ROOM, "%s", words[play]);
    return true;
}

/* ---- HTTP --------------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

static void cut(struct peer *p)
{
    if (uv_is_closing((uv_handle_t *)&p->tcp)) {
        return;
    }
    for (struct peer **at = &p->c->peers; *at != NULL; at = &(*at)->next) {
        if (*at == p) {
            *at = p->next;
            break;
        }
    }
    uv_close((uv_handle_t *)&p->tcp, on_closed);
}

static void put(struct peer *p, int status, const char *text, size_t shown, size_t length)
{
    char out[OUT_ROOM + 256];
    int n = snprintf(out, sizeof out, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%.*s", status,
                     length, (int)shown, text);
    uv_buf_t b = uv_buf_init(out, (unsigned)n);
    assert_int_equal(uv_try_write((uv_stream_t *)&p->tcp, &b, 1), n);
}

static void put_whole(struct peer *p, int status, const char *text)
{
    put(p, status, text, strlen(text), strlen(text));
}

static void put_json(struct peer *p, struct json_object *asked, enum play play, bool played)
{
    char body[OUT_ROOM], out[OUT_ROOM + 64];
    const char *method = json_text(json_get(asked, "method"));
    int64_t id = json_object_get_int64(json_get(asked, "id"));
    answer(p->c, method, json_get(asked, "params"), body, played);
    (void)instead(play, body);
    id += play == PLAY_FOREIGN_ID ? 100 : 0;
    snprintf(out, sizeof out, "{\"jsonrpc\":\"2.0\",\"id\":%" PRId64 ",%s}", id, body);
    if (play == PLAY_HALF) {
        put(p, 200, out, strlen(out) / 2, strlen(out));
        cut(p);
    } else {
        put_whole(p, 200, out);
    }
}

static void respond(struct peer *p, struct json_object *asked)
{
    struct played_client *c = p->c;
    const char *method = json_text(json_get(asked, "method"));
    bool played = c->at != NULL && strncmp(method, c->at, strlen(c->at)) == 0;
    enum play play = played ? c->play : PLAY_WELL;
    snprintf(c->asked, sizeof c->asked, "%s", method);
    c->requests++;
    c->played += played ? 1 : 0;
    if (play == PLAY_DENIED) {
        put_whole(p, 401, "Unauthorized: stale token");
    } else if (play == PLAY_HTML) {
        put_whole(p, 200, "<html>gateway</html>");
    } else if (play == PLAY_500 || play == PLAY_429) {
        put_whole(p, play == PLAY_500 ? 500 : 429, "{\"jsonrpc\":\"2.0\"}");
    } else if (play == PLAY_CUT) {
        cut(p);
    } else if (play != PLAY_HANGS) {
        put_json(p, asked, play, played);
    }
}

/* Only of accounts: each nonce and balance is the last byte of its address. */
static void respond_list(struct peer *p, struct json_object *asked)
{
    char out[OUT_ROOM] = "[";
    size_t n = 1;
    for (size_t i = 0; i < json_list(asked); i++) {
        struct json_object *one = json_at(asked, i);
        const char *address = json_text(json_at(json_get(one, "params"), 0));
        n += (size_t)snprintf(out + n, sizeof out - n,
                              "%s{\"jsonrpc\":\"2.0\",\"id\":%" PRId64 ",\"result\":\"0x%s\"}",
                              i == 0 ? "" : ",", json_object_get_int64(json_get(one, "id")),
                              address + strlen(address) - 2);
    }
    snprintf(out + n, sizeof out - n, "]");
    p->c->requests++;
    put_whole(p, 200, out);
}

/* One request at a time a connection: our client sends no other way. */
static void look(struct peer *p)
{
    char *end = memmem(p->in, p->n, "\r\n\r\n", 4);
    if (end == NULL) {
        return;
    }
    *end = '\0';
    const char *length = strcasestr(p->in, "content-length:");
    const char *token = strstr(p->in, "Authorization: Bearer eyJ");
    assert_non_null(length);
    assert_non_null(token);
    size_t n = strtoul(length + 15, NULL, 10);
    *end = '\r';
    size_t head = (size_t)(end - p->in) + 4;
    if (p->n < head + n) {
        return;
    }
    p->n = 0;
    struct json_object *asked = json_read(bytes_of(p->in + head, n));
    assert_non_null(asked);
    if (json_list(asked) > 0) {
        respond_list(p, asked);
    } else {
        respond(p, asked);
    }
    json_object_put(asked);
}

static void on_alloc(uv_handle_t *h, size_t wanted, uv_buf_t *b)
{
    struct peer *p = h->data;
    (void)wanted;
    *b = uv_buf_init(p->in + p->n, (unsigned)(sizeof p->in - p->n));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct peer *p = stream->data;
    (void)b;
    if (n < 0) {
        cut(p);
        return;
    }
    p->n += (size_t)n;
    look(p);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct played_client *c = listener->data;
    struct peer *p = calloc(1, sizeof *p);
    assert_int_equal(status, 0);
    assert_non_null(p);
    p->c = c;
    p->next = c->peers;
    c->peers = p;
    uv_tcp_init(listener->loop, &p->tcp);
    p->tcp.data = p;
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&p->tcp), 0);
    uv_read_start((uv_stream_t *)&p->tcp, on_alloc, on_read);
}

void played_open(struct played_client *c, uv_loop_t *loop)
{
    struct sockaddr_in at;
    int len = sizeof at;
    memset(c, 0, sizeof *c);
    c->chain_id = 7;
    c->block[0] = (struct played_block){.hash = played_hash(0), .timestamp = 1000};
    c->n = 1;
    uv_tcp_init(loop, &c->listener);
    c->listener.data = c;
    uv_ip4_addr("127.0.0.1", 0, &at);
    assert_int_equal(uv_tcp_bind(&c->listener, (struct sockaddr *)&at, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&c->listener, 16, on_connection), 0);
    assert_int_equal(uv_tcp_getsockname(&c->listener, (struct sockaddr *)&at, &len), 0);
    c->port = ntohs(at.sin_port);
}

void played_restart(struct played_client *c, size_t blocks)
{
    c->n = blocks;
    c->head = blocks - 1;
    while (c->peers != NULL) {
        cut(c->peers);
    }
}

void played_close(struct played_client *c)
{
    while (c->peers != NULL) {
        cut(c->peers);
    }
    uv_close((uv_handle_t *)&c->listener, NULL);
}
