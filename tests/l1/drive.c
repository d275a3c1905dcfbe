/* l1_drive CHAIN-ID POLL-MS DOWN-MS RPC-URL… [--beacon URL…]
 * Lines in: ID COMMAND WORDS…; lines out: JSON objects. tests/l1/run.py is its user. */
#define _GNU_SOURCE
#include "drive.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { ENDPOINTS = 16, TICK_MS = 100 };

struct call *call_make(struct drive *d, const char *id)
{
    struct call *c = calloc(1, sizeof *c);
    if (c == NULL) {
        abort();
    }
    c->d = d;
    snprintf(c->id, sizeof c->id, "%s", id);
    return c;
}

static const char *error_name(enum err e)
{
    return e == OK ? "OK" : err_name(e);
}

void say_begin(struct call *c, enum err e)
{
    printf("{\"id\":\"%s\",\"err\":\"%s\"", c->id, error_name(e));
}

void say_end(struct call *c)
{
    printf("}\n");
    fflush(stdout);
    free(c);
}

static void say_hex(const char *key, const void *p, size_t n)
{
    char *text = malloc(HEX_SIZE(n));
    hex_encode(text, p, n);
    printf(",\"%s\":\"%s\"", key, text);
    free(text);
}

static void say_number(const char *key, uint64_t v)
{
    printf(",\"%s\":%" PRIu64, key, v);
}

static void say_wei(const char *key, const struct u256 *v)
{
    char text[U256_DEC_SIZE];
    u256_to_dec(text, v);
    printf(",\"%s\":%s", key, text);
}

static void say_view(const char *id, const struct l1_view *v)
{
    printf("{\"id\":\"%s\",\"err\":\"OK\",\"known\":%d,\"down\":%d", id, v->known, v->down);
    say_number("number", v->head.at.number);
    say_hex("hash", v->head.at.hash.b, 32);
    say_number("finalized", v->has_finalized ? v->finalized.number : 0);
    say_number("agreeing", v->agreeing);
    printf("}\n");
    fflush(stdout);
}

static void on_view(void *arg, const struct l1_view *v)
{
    say_view("view", v);
    follow_head(arg, v);
    post_look(arg);
}

static void on_tick(uv_timer_t *timer)
{
    post_look(timer->data);
}

static void on_say(void *arg, bool bad, const char *endpoint, const char *what)
{
    (void)arg;
    fprintf(stderr, "%s %s: %s\n", bad ? "bad" : "good", endpoint, what);
}

static void on_account(void *arg, enum err e, const struct l1_account *a)
{
    say_begin(arg, e);
    if (e == OK) {
        say_number("nonce", a->nonce);
        say_wei("balance", &a->balance);
    }
    say_end(arg);
}

static void on_receipt(void *arg, enum err e, const struct l1_receipt *r)
{
    say_begin(arg, e);
    if (e == OK) {
        say_number("found", r->found);
        say_number("succeeded", r->succeeded);
        say_number("number", r->block.number);
        say_hex("hash", r->block.hash.b, 32);
        say_number("index", r->index);
        say_number("blobGas", r->blob_gas_used);
    }
    say_end(arg);
}

static void on_seen(void *arg, enum err e, const struct l1_seen *s)
{
    say_begin(arg, e);
    if (e == OK) {
        say_number("asked", s->asked);
        say_number("pending", s->pending);
        say_number("mined", s->mined);
        say_wei("tip", &s->max_priority_fee);
    }
    say_end(arg);
}

static void on_sent(void *arg, const struct l1_sent *s)
{
    say_begin(arg, OK);
    printf(",\"verdict\":\"%s\",\"text\":\"%.*s\"", l1_send_name(s->verdict),
           (int)strcspn(s->text, "\"\\"), s->text);
    say_end(arg);
}

static void on_fees(void *arg, enum err e, const struct l1_fees *f)
{
    say_begin(arg, e);
    if (e == OK) {
        say_number("head", f->head);
        say_wei("base", &f->base_fee);
        say_wei("blob", &f->blob_base_fee);
        say_wei("tip", &f->tip);
        say_wei("asked", &f->tip_asked);
        say_number("blocks", f->blocks);
    }
    say_end(arg);
}

static void on_path(void *arg, enum err e, const struct l1_path *p)
{
    say_begin(arg, e);
    if (e == OK) {
        say_number("kept", p->kept);
        say_number("n", p->n);
        say_number("last", p->n > 0 ? p->header[p->n - 1].at.number : 0);
    }
    say_end(arg);
}

static void on_block(void *arg, enum err e, const struct l1_block *b)
{
    say_begin(arg, e);
    if (e == OK) {
        say_number("txs", b->txs);
        printf(",\"kept\":[");
        for (size_t i = 0; i < b->n; i++) {
            const struct l1_tx *t = &b->tx[i];
            printf("%s{\"index\":%" PRIu32 ",\"type\":%u,\"bytes\":%zu,\"blobs\":%" PRIu32
                   ",\"first\":%" PRIu32,
                   i == 0 ? "" : ",", t->index, t->type, t->input.n, t->blobs, t->first_blob);
            say_hex("from", t->from.b, 20);
            say_hex("hash", t->hash.b, 32);
            say_hex("input", t->input.p, t->input.n < 64 ? t->input.n : 64);
            printf("}");
        }
        printf("]");
    }
    say_end(arg);
}

static void on_blobs(void *arg, enum err e, const struct l1_blobs *b)
{
    say_begin(arg, e);
    if (e == OK) {
        size_t zeros = 0;
        for (size_t i = 0; i < b->n; i++) {
            for (size_t k = 0; k < L1_BLOB_BYTES; k++) {
                zeros += b->blob[i][k] == 0;
            }
        }
        say_number("n", b->n);
        say_number("zeros", zeros);
    }
    say_end(arg);
}

static void say_endpoints(struct drive *d, const char *id)
{
    struct l1_endpoint_state s;
    printf("{\"id\":\"%s\",\"err\":\"OK\",\"endpoints\":[", id);
    for (size_t i = 0; l1_client_endpoint(d->client, i, &s); i++) {
        printf("%s{\"name\":\"%s\",\"usable\":%d,\"head\":%" PRIu64 ",\"requests\":%" PRIu64,
               i == 0 ? "" : ",", s.name, s.usable, s.head, s.requests);
        for (int f = 1; f < WEB_FAULTS; f++) {
            say_number(web_fault_name((enum web_fault)f), s.faults[f]);
        }
        printf("}");
    }
    printf("]}\n");
    fflush(stdout);
}

/* NUMBER:HASH */
static bool read_ref(struct l1_ref *out, const char *word)
{
    char *end;
    out->number = strtoull(word, &end, 10);
    return *end == ':' && hex_decode(out->hash.b, 32, end + 1);
}

static enum err do_path(struct drive *d, struct call *c, char **w, size_t n)
{
    struct l1_ref known[WORDS];
    for (size_t i = 0; i < n; i++) {
        if (!read_ref(&known[i], w[i])) {
            return ERR_USAGE;
        }
    }
    return d->l1.ops->path(d->l1.ctx, known, n, on_path, c);
}

static enum err do_block(struct drive *d, struct call *c, char **w, size_t n)
{
    struct l1_ref at;
    struct address to[WORDS];
    if (n == 0 || !read_ref(&at, w[0])) {
        return ERR_USAGE;
    }
    for (size_t i = 1; i < n; i++) {
        if (!hex_decode(to[i - 1].b, 20, w[i])) {
            return ERR_USAGE;
        }
    }
    return d->l1.ops->block(d->l1.ctx, &at, to, n - 1, on_block, c);
}

static enum err do_blobs(struct drive *d, struct call *c, char **w, size_t n)
{
    struct l1_header at = {0};
    struct hash versioned[WORDS];
    if (n < 2 || !read_ref(&at.at, w[0])) {
        return ERR_USAGE;
    }
    for (size_t i = 1; i < n; i++) {
        if (!hex_decode(versioned[i - 1].b, 32, w[i])) {
            return ERR_USAGE;
        }
    }
    return d->l1.ops->blobs(d->l1.ctx, &at, versioned, n - 1, on_blobs, c);
}

static enum err do_send(struct drive *d, struct call *c, char **w, size_t n)
{
    struct hash tx;
    size_t raw_n = 0;
    if (n != 2 || !hex_decode(tx.b, 32, w[0])) {
        return ERR_USAGE;
    }
    uint8_t *raw = malloc(strlen(w[1]));
    enum err e = ERR_USAGE;
    if (hex_decode_upto(raw, strlen(w[1]), &raw_n, w[1], strlen(w[1]))) {
        e = d->l1.ops->send(d->l1.ctx, bytes_of(raw, raw_n), &tx, on_sent, c);
    }
    free(raw);
    return e;
}

static enum err do_account(struct drive *d, struct call *c, char **w, size_t n)
{
    struct l1_view v;
    struct address a;
    struct l1_ref at;
    d->l1.ops->view(d->l1.ctx, &v);
    at = v.head.at;
    if (n < 1 || !hex_decode(a.b, 20, w[0]) || (n > 1 && !read_ref(&at, w[1]))) {
        return ERR_USAGE;
    }
    return d->l1.ops->account(d->l1.ctx, &at, &a, on_account, c);
}

static enum err do_hash(struct drive *d, struct call *c, const char *name, char **w, size_t n)
{
    struct hash tx;
    if (n != 1 || !hex_decode(tx.b, 32, w[0])) {
        return ERR_USAGE;
    }
    return strcmp(name, "receipt") == 0 ? d->l1.ops->receipt(d->l1.ctx, &tx, on_receipt, c)
                                        : d->l1.ops->seen(d->l1.ctx, &tx, on_seen, c);
}

static enum err call_one(struct drive *d, struct call *c, const char *name, char **w, size_t n)
{
    static const struct {
        const char *name;
        enum err (*run)(struct drive *d, struct call *c, char **w, size_t n);
    } commands[] = {{"path", do_path},   {"block", do_block},     {"blobs", do_blobs},
                    {"send", do_send},   {"account", do_account}};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(name, commands[i].name) == 0) {
            return commands[i].run(d, c, w, n);
        }
    }
    if (strcmp(name, "fees") == 0) {
        return d->l1.ops->fees(d->l1.ctx, on_fees, c);
    }
    return do_hash(d, c, name, w, n);
}

static void on_closed(void *arg)
{
    (void)arg;
}

static void quit(struct drive *d)
{
    if (d->client != NULL) {
        l1_client_close(d->client, on_closed, NULL);
        d->client = NULL;
        uv_close((uv_handle_t *)&d->in, NULL);
        uv_close((uv_handle_t *)&d->tick, NULL);
        post_close(d);
    }
}

static void run_command(struct drive *d, char **w, size_t n)
{
    if (strcmp(w[1], "view") == 0) {
        struct l1_view v;
        d->l1.ops->view(d->l1.ctx, &v);
        say_view(w[0], &v);
    } else if (strcmp(w[1], "endpoints") == 0) {
        say_endpoints(d, w[0]);
    } else if (strcmp(w[1], "chain") == 0) {
        follow_print(d, w[0]);
    } else if (strcmp(w[1], "post") == 0 && n == 4) {
        post_segment(d, w[0], strtoull(w[2], NULL, 10), w[3]);
    } else if (strcmp(w[1], "posted") == 0) {
        post_print(d, w[0]);
    } else if (strcmp(w[1], "quit") == 0) {
        quit(d);
    } else if (strcmp(w[1], "sign") == 0 && n == 8) {
        sign_print(w[0], w[2], strtoull(w[3], NULL, 10), strtoull(w[4], NULL, 10),
                   strtoull(w[5], NULL, 10), w[6], w[7]);
    } else {
        struct call *c = call_make(d, w[0]);
        enum err e = call_one(d, c, w[1], w + 2, n - 2);
        if (e != OK) {
            say_begin(c, e);
            say_end(c);
        }
    }
}

static void run_line(struct drive *d, char *line)
{
    char *w[WORDS];
    size_t n = 0;
    char *rest = NULL;
    for (char *p = strtok_r(line, " \n", &rest); p != NULL && n < WORDS;
         p = strtok_r(NULL, " \n", &rest)) {
        w[n++] = p;
    }
    if (n >= 2 && d->client != NULL) {
        run_command(d, w, n);
    }
}

static void on_alloc(uv_handle_t *h, size_t wanted, uv_buf_t *out)
{
    struct drive *d = h->data;
    if (d->line_cap - d->line_n < wanted + 1) {
        d->line_cap = (d->line_n + wanted + 1) * 2;
        d->line = realloc(d->line, d->line_cap);
    }
    *out = uv_buf_init(d->line + d->line_n, (unsigned)wanted);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct drive *d = s->data;
    (void)b;
    if (n < 0) {
        quit(d);
        return;
    }
    d->line_n += (size_t)n;
    char *end;
    while ((end = memchr(d->line, '\n', d->line_n)) != NULL) {
        size_t used = (size_t)(end - d->line) + 1;
        *end = '\0';
        run_line(d, d->line);
        d->line_n -= used;
        memmove(d->line, d->line + used, d->line_n);
    }
}

int main(int argc, char **argv)
{
    static struct drive d;
    const char *rpc[ENDPOINTS];
    const char *beacon[ENDPOINTS];
    struct l1_options o = {.rpc = rpc, .beacon = beacon, .on_view = on_view, .say = on_say, .arg = &d};
    bool beacons = false;
    if (argc < 5 || argc > 4 + ENDPOINTS || key_library_init() != OK) {
        return 2;
    }
    o.chain_id = strtoull(argv[1], NULL, 10);
    o.poll_ms = (uint32_t)strtoul(argv[2], NULL, 10);
    o.down_ms = (uint32_t)strtoul(argv[3], NULL, 10);
    o.hedge_ms = 300;
    o.grace_ms = 300;
    o.total_ms = 10000;
    o.connect_ms = 500;
    o.probe_ms = 1000;
    o.pardon_ms = 5000;
    for (int i = 4; i < argc; i++) {
        if (strcmp(argv[i], "--beacon") == 0) {
            beacons = true;
        } else if (beacons) {
            beacon[o.beacon_n++] = argv[i];
        } else {
            rpc[o.rpc_n++] = argv[i];
        }
    }
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&d.loop);
    if (l1_client_open(&d.client, &d.loop, &o) != OK) {
        return 2;
    }
    d.l1 = l1_client_access(d.client);
    post_open(&d, o.chain_id);
    uv_timer_init(&d.loop, &d.tick);
    d.tick.data = &d;
    uv_timer_start(&d.tick, on_tick, TICK_MS, TICK_MS);
    uv_pipe_init(&d.loop, &d.in, 0);
    d.in.data = &d;
    uv_pipe_open(&d.in, 0);
    uv_read_start((uv_stream_t *)&d.in, on_alloc, on_read);
    uv_run(&d.loop, UV_RUN_DEFAULT);
    free(d.line);
    return uv_loop_close(&d.loop) == 0 ? 0 : 1;
}
