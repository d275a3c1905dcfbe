#define _GNU_SOURCE
#include "l1_server.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/keccak.h"
#include "proto/rlp.h"
#include "sequencer/web/json.h"

enum { PEER_ROOM = 1 << 20, OUT_ROOM = 1 << 20, TX_ROOT = 3 /* of the fixed fields */ };

struct peer {
    uv_tcp_t tcp;
    struct server *s;
    struct peer *next;
    char in[PEER_ROOM];
    size_t n;
};

/* ---- the chain ------------------------------------------------------------------------------- */

/* Of no transactions: a block that has none is known by its header. */
static const char no_txs[] = "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421";

static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000"
                            "0000000000000000000000000000000000000000000000000000000000000000";

static struct hash header_hash(const char *txs, const struct hash *parent, uint64_t number,
                               uint64_t time)
{
    static const uint8_t zero[256];
    static const struct {
        size_t n;
    } fixed[] = {{32}, {20}, {32}, {32}, {32}, {256}};
    uint8_t root[32];
    uint8_t raw[1024];
    struct rlp_out rlp = {.p = raw, .cap = sizeof raw};
    size_t mark = rlp_list_begin(&rlp);
    rlp_put_string(&rlp, parent->b, 32);
    (void)hex_decode(root, sizeof root, txs);
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        rlp_put_string(&rlp, i == TX_ROOT ? root : zero, fixed[i].n);
    }
    rlp_put_u64(&rlp, 0);
    rlp_put_u64(&rlp, number);
    rlp_put_u64(&rlp, 30000000);
    rlp_put_u64(&rlp, 0);
    rlp_put_u64(&rlp, time);
    rlp_put_string(&rlp, "", 0);
    rlp_put_string(&rlp, zero, 32);
    rlp_put_string(&rlp, zero, 8);
    rlp_list_end(&rlp, mark);
    return keccak256(raw, rlp.n);
}

static void grow_one(struct chain *c, uint64_t salt)
{
    static const struct hash none;
    struct chain_block *b = &c->block[c->n];
    uint64_t number = c->n;
    const struct hash *parent = number == 0 ? &none : &c->block[number - 1].at.hash;
    char hash[HEX_SIZE(32)];
    char above[HEX_SIZE(32)];
    char txs[65];
    snprintf(txs, sizeof txs, "%.64s", c->rooted ? no_txs : zeros);
    b->at = (struct l1_ref){number, header_hash(txs, parent, number, number + salt)};
    hex_encode(hash, b->at.hash.b, 32);
    hex_encode(above, parent->b, 32);
    snprintf(b->json, sizeof b->json,
             "{\"hash\":\"%s\",\"parentHash\":\"%s\",\"sha3Uncles\":\"0x%.64s\",\"miner\":\"0x%.40s\","
             "\"stateRoot\":\"0x%.64s\",\"transactionsRoot\":\"0x%.64s\",\"receiptsRoot\":\"0x%.64s\","
             "\"logsBloom\":\"0x%.128s%.128s%.128s%.128s\",\"difficulty\":\"0x0\","
             "\"number\":\"0x%" PRIx64 "\",\"gasLimit\":\"0x1c9c380\",\"gasUsed\":\"0x0\","
             "\"timestamp\":\"0x%" PRIx64 "\",\"extraData\":\"0x\",\"mixHash\":\"0x%.64s\","
             "\"nonce\":\"0x%.16s\",\"transactions\":[]}",
             hash, above, zeros, zeros, zeros, txs, zeros, zeros, zeros, zeros, zeros, number,
             number + salt, zeros, zeros);
    c->n++;
}

void chain_grow(struct chain *c, size_t blocks, uint64_t salt)
{
    for (size_t i = 0; i < blocks && c->n < CHAIN_MAX; i++) {
        grow_one(c, salt);
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

static size_t height(const struct server *s)
{
    return s->height != 0 && s->height < s->chain->n ? s->height : s->chain->n;
}

static const char *by_name(const struct server *s, const char *name)
{
    uint64_t number = strcmp(name, "latest") == 0      ? height(s) - 1
                      : strcmp(name, "finalized") == 0 ? s->finalized
                                                       : strtoull(name, NULL, 16);
    return number < height(s) ? s->chain->block[number].json : "null";
}

static const char *by_hash(const struct server *s, const char *text)
{
    struct hash h;
    if (!hex_decode(h.b, 32, text)) {
        return "null";
    }
    for (size_t i = 0; i < height(s); i++) {
        if (hash_equal(&s->chain->block[i].at.hash, &h)) {
            return s->chain->block[i].json;
        }
    }
    return "null";
}

static const char fee_history[] =
    "{\"oldestBlock\":\"0x1\",\"baseFeePerGas\":[\"0x5\",\"0x6\",\"0x7\"],"
    "\"gasUsedRatio\":[0.25,1],\"reward\":[[\"0x3\"],[\"0x9\"]],"
    "\"baseFeePerBlobGas\":[\"0x1\",\"0x1\",\"0x2\"],\"blobGasUsedRatio\":[0,0.5]}";

/* Without the braces: "result":… or "error":… */
static void answer(struct server *s, const char *method, struct json_object *params,
                   char *out, size_t size)
{
    const char *first = json_text(json_at(params, 0));
    const char *result = "null";
    char number[32];
    snprintf(number, sizeof number, "\"0x%" PRIx64 "\"", s->nonce);
    if (strcmp(method, "eth_chainId") == 0) {
        snprintf(number, sizeof number, "\"0x%" PRIx64 "\"", s->chain_id);
        result = number;
    } else if (strcmp(method, "eth_getBlockByNumber") == 0 && first != NULL) {
        result = by_name(s, first);
    } else if (strcmp(method, "eth_getBlockByHash") == 0 && first != NULL) {
        result = by_hash(s, first);
    } else if (strcmp(method, "eth_getTransactionCount") == 0 ||
               strcmp(method, "eth_getBalance") == 0) {
        const char *block = json_text(json_get(json_at(params, 1), "blockHash"));
        bool balance = strcmp(method, "eth_getBalance") == 0 && s->balance != NULL;
        result = balance ? s->balance : number;
        if (block == NULL || strcmp(by_hash(s, block), "null") == 0) {
            snprintf(out, size, "\"error\":{\"code\":-32000,\"message\":\"header not found\"}");
            return;
        }
    } else if (strcmp(method, "eth_feeHistory") == 0) {
        result = fee_history;
    } else if (strcmp(method, "eth_getTransactionReceipt") == 0 && s->receipt != NULL) {
        result = s->receipt;
    } else if (strcmp(method, "eth_sendRawTransaction") == 0 && s->send != NULL) {
        s->sends++;
        snprintf(out, size, "%s", s->send);
        return;
    }
    snprintf(out, size, "\"result\":%s", result);
}

static void add_answer(struct server *s, struct json_object *call, char *out, size_t *n)
{
    char body[HEADER_JSON + 64];
    struct json_object *id = json_get(call, "id");
    int64_t shown = json_object_get_int64(id) + (s->mode == SERVER_FOREIGN_ID ? 1000 : 0);
    const char *method = json_text(json_get(call, "method"));
    answer(s, method == NULL ? "" : method, json_get(call, "params"), body, sizeof body);
    *n += (size_t)snprintf(out + *n, OUT_ROOM - *n,
                           "{\"jsonrpc\":\"2.0\",\"id\":%" PRId64 ",%s}", shown, body);
}

static size_t answers(struct server *s, struct json_object *asked, char *out)
{
    size_t n = 0;
    if (!json_object_is_type(asked, json_type_array)) {
        add_answer(s, asked, out, &n);
        return n;
    }
    out[n++] = '[';
    for (size_t i = 0; i < json_list(asked); i++) {
        add_answer(s, json_at(asked, i), out, &n);
        out[n++] = i + 1 < json_list(asked) ? ',' : ']';
    }
    return n;
}

/* ---- the server ------------------------------------------------------------------------------ */

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

static void cut(struct peer *p)
{
    if (!uv_is_closing((uv_handle_t *)&p->tcp)) {
        for (struct peer **at = &p->s->peers; *at != NULL; at = &(*at)->next) {
            if (*at == p) {
                *at = p->next;
                break;
            }
        }
        uv_close((uv_handle_t *)&p->tcp, on_closed);
    }
}

static void on_written(uv_write_t *w, int status)
{
    (void)status;
    free(w->data);
    free(w);
}

static void put(struct peer *p, const char *text, size_t n)
{
    uv_write_t *w = calloc(1, sizeof *w);
    if (w == NULL || (w->data = malloc(n)) == NULL) {
        free(w);
        return;
    }
    memcpy(w->data, text, n);
    uv_buf_t b = uv_buf_init(w->data, (unsigned)n);
    if (uv_write(w, (uv_stream_t *)&p->tcp, &b, 1, on_written) != 0) {
        free(w->data);
        free(w);
    }
}

static void put_head(struct peer *p, int status, size_t length)
{
    char head[128];
    int n = snprintf(head, sizeof head, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n", status, length);
    put(p, head, (size_t)n);
}

static void respond(struct peer *p, const char *body, size_t n)
{
    static char out[OUT_ROOM];
    struct server *s = p->s;
    struct json_object *asked = json_read(bytes_of(body, n));
    size_t len = answers(s, asked, out);
    json_object_put(asked);
    switch (s->mode) {
    case SERVER_SILENT:
        return;
    case SERVER_STATUS:
    case SERVER_BUSY:
        put_head(p, s->mode == SERVER_BUSY ? 429 : 500, 0);
        return;
    case SERVER_CUTS:
        put_head(p, 200, len);
        put(p, out, len / 2);
        cut(p);
        return;
    case SERVER_HTML:
        put_head(p, 200, 13);
        put(p, "<html></html>", 13);
        return;
    case SERVER_LARGE:
        put_head(p, 200, 1000000000);
        for (size_t i = 0; i < 80; i++) {
            put(p, out, sizeof out / 8);
        }
        return;
    case SERVER_WELL:
    case SERVER_FOREIGN_ID:
        put_head(p, 200, len);
        put(p, out, len);
        return;
    }
}

/* {"data":["0x…",…]} */
static void respond_blobs(struct peer *p)
{
    static char out[OUT_ROOM];
    const char *blobs = p->s->blobs;
    size_t n = (size_t)snprintf(out, sizeof out, "{\"data\":[");
    for (size_t i = 0; blobs != NULL && blobs[i] != '\0'; i++) {
        n += (size_t)snprintf(out + n, sizeof out - n, "%s\"0x", i == 0 ? "" : ",");
        for (size_t k = 0; k < 2 * L1_BLOB_BYTES; k += 2) {
            snprintf(out + n + k, 3, "%02x", (unsigned)(unsigned char)blobs[i]);
        }
        n += 2 * L1_BLOB_BYTES;
        out[n++] = '"';
    }
    n += (size_t)snprintf(out + n, sizeof out - n, "]}");
    put_head(p, blobs == NULL ? 404 : 200, n);
    put(p, out, n);
}

/* One request at a time: our client sends no other way. */
static void look(struct peer *p)
{
    char *end = memmem(p->in, p->n, "\r\n\r\n", 4);
    if (end == NULL) {
        return;
    }
    *end = '\0';
    const char *length = strcasestr(p->in, "content-length:");
    size_t n = length == NULL ? 0 : strtoul(length + 15, NULL, 10);
    *end = '\r';
    size_t head = (size_t)(end - p->in) + 4;
    if (p->n >= head + n) {
        p->s->requests++;
        p->n = 0;
        if (n == 0 && p->s->mode == SERVER_WELL) {
            respond_blobs(p);
        } else {
            respond(p, p->in + head, n);
        }
    }
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
    struct server *s = listener->data;
    struct peer *p = NULL;
    if (status != 0) {
        return;
    }
    if ((p = calloc(1, sizeof *p)) == NULL) {
        abort(); /* a listener that is not accepted from stands for ever */
    }
    p->s = s;
    p->tcp.data = p;
    p->next = s->peers;
    s->peers = p;
    uv_tcp_init(listener->loop, &p->tcp);
    uv_accept(listener, (uv_stream_t *)&p->tcp);
    uv_tcp_nodelay(&p->tcp, 1);
    uv_read_start((uv_stream_t *)&p->tcp, on_alloc, on_read);
}

void server_open(struct server *s, uv_loop_t *loop, const struct chain *chain)
{
    struct sockaddr_in any;
    struct sockaddr_in bound;
    int n = sizeof bound;
    *s = (struct server){.chain = chain, .chain_id = 900};
    uv_ip4_addr("127.0.0.1", 0, &any);
    uv_tcp_init(loop, &s->listener);
    s->listener.data = s;
    uv_tcp_bind(&s->listener, (const struct sockaddr *)(const void *)&any, 0);
    uv_listen((uv_stream_t *)&s->listener, SERVER_PEERS, on_connection);
    uv_tcp_getsockname(&s->listener, (struct sockaddr *)(void *)&bound, &n);
    s->port = ntohs(bound.sin_port);
}

void server_close(struct server *s)
{
    while (s->peers != NULL) {
        cut(s->peers);
    }
    uv_close((uv_handle_t *)&s->listener, NULL);
}
