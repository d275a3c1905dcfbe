#define _GNU_SOURCE
/* engine_drive URL SECRET-FILE GENESIS CHAIN-ID client|given: sequencer/engine on a loop, asked by lines,
 * answering by lines.
 *
 *   build HEIGHT PARENT MS FEE [RAW …]     built OK PAYLOAD STATE TXS BODY | built ERROR why
 *   execute HEIGHT PARENT MS FEE PAYLOAD STATE BODY
 *                                          executed VALID TXS-ROOT US | executed INVALID|ERROR why
 *   finalize PAYLOAD                       final OK|NAME
 *   heads SAFE FINALIZED                   (nothing)
 *   offer RAW                              offered yes|no
 *   head                                   head NUMBER PAYLOAD SILENT-US
 *   quit                                   (ends)
 * and, when it changes:                    state NUMBER why */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "sequencer/engine/engine.h"
#include "sequencer/execution/payload.h"

enum { READ_ROOM = 65536, WORDS = 16, TX_ROOM = 1024, CANDIDATES = WORDS - 5 };

struct drive {
    uv_loop_t loop;
    uv_pipe_t in;
    struct engine *engine;
    struct execution x;
    char *line;
    size_t n, cap;
    char room[READ_ROOM];
};

static void die(const char *what)
{
    fprintf(stderr, "engine_drive: %s\n", what);
    exit(1);
}

static void print_hex(const void *p, size_t n)
{
    char *text = malloc(HEX_SIZE(n));
    if (text == NULL) {
        die("out of memory");
    }
    hex_encode(text, p, n);
    printf(" %s", text);
    free(text);
}

static void read_fixed(void *out, size_t n, const char *text)
{
    if (text == NULL || !hex_decode(out, n, text)) {
        die("a word is not as many bytes as it should be");
    }
}

/* ---- answers ------------------------------------------------------------------------------------ */

static void on_built(void *arg, const struct execution_result *r)
{
    (void)arg;
    if (r->status != EXECUTION_VALID) {
        printf("built ERROR %s\n", r->why);
        return;
    }
    printf("built OK");
    print_hex(r->payload.b, 32);
    print_hex(r->state_root.b, 32);
    printf(" %u", r->txs);
    print_hex(r->body, r->body_len);
    printf("\n");
}

static void on_executed(void *arg, const struct execution_result *r)
{
    struct payload_info info;
    (void)arg;
    if (r->status != EXECUTION_VALID) {
        printf("executed %s %s\n", r->status == EXECUTION_INVALID ? "INVALID" : "ERROR", r->why);
        return;
    }
    if (payload_info_decode(&info, bytes_of(r->info, r->info_len)) != OK) {
        die("VALID without its info");
    }
    printf("executed VALID");
    print_hex(info.transactions_root.b, 32);
    printf(" %" PRIu64 "\n", r->took_us);
}

static void on_final(void *arg, enum err e)
{
    (void)arg;
    printf("final %s\n", e == OK ? "OK" : err_name(e));
}

static void on_offered(void *arg, bool taken)
{
    (void)arg;
    printf("offered %s\n", taken ? "yes" : "no");
}

static void on_state(void *arg, enum engine_state s, const char *why)
{
    (void)arg;
    printf("state %d %s\n", (int)s, why);
}

/* ---- questions ---------------------------------------------------------------------------------- */

static struct execution_block block_of(char *const word[WORDS])
{
    struct execution_block b = {.height = strtoull(word[1], NULL, 10),
                                .timestamp_ms = strtoull(word[3], NULL, 10)};
    read_fixed(b.parent.b, 32, word[2]);
    read_fixed(b.fee_recipient.b, 20, word[4]);
    return b;
}

/* Candidates are borrowed until the call returns. */
static void do_build(struct drive *d, char *const word[WORDS])
{
    static uint8_t raw[CANDIDATES][TX_ROOM];
    struct execution_tx tx[CANDIDATES];
    struct execution_block b = block_of(word);
    for (int i = 5; i < WORDS && word[i] != NULL; i++) {
        size_t n;
        if (!hex_decode_upto(raw[b.txs], TX_ROOM, &n, word[i], strlen(word[i]))) {
            die("a transaction is no hex");
        }
        tx[b.txs] = (struct execution_tx){.raw = bytes_of(raw[b.txs], n)};
        b.txs++;
    }
    b.tx = tx;
    d->x.build(d->x.ctx, &b, on_built, NULL);
}

static void do_execute(struct drive *d, char *const word[WORDS])
{
    struct execution_block b = block_of(word);
    struct hash payload, state;
    size_t n = strlen(word[7]);
    uint8_t *body = malloc(n / 2 + 1);
    read_fixed(payload.b, 32, word[5]);
    read_fixed(state.b, 32, word[6]);
    if (body == NULL || !hex_decode_upto(body, n / 2, &n, word[7], n)) {
        die("a body is no hex");
    }
    b.body = bytes_of(body, n);
    d->x.execute(d->x.ctx, &b, &payload, &state, on_executed, NULL);
    free(body);
}

static void do_offer(struct drive *d, const char *text)
{
    uint8_t raw[4096];
    size_t n;
    if (!hex_decode_upto(raw, sizeof raw, &n, text, strlen(text)) ||
        engine_offer(d->engine, bytes_of(raw, n), on_offered, NULL) != OK) {
        printf("offered no\n");
    }
}

static void do_head(struct drive *d)
{
    struct hash payload;
    uint64_t height;
    d->x.head(d->x.ctx, &height, &payload);
    printf("head %" PRIu64, height);
    print_hex(payload.b, 32);
    printf(" %" PRIu64 "\n", d->x.silent_us(d->x.ctx));
}

static void on_end(void *arg)
{
    struct drive *d = arg;
    uv_close((uv_handle_t *)&d->in, NULL);
}

static void end(struct drive *d)
{
    if (d->engine != NULL) {
        engine_close(d->engine, on_end, d);
        d->engine = NULL;
    }
}

static void do_small(struct drive *d, char *const word[WORDS])
{
    struct hash a, b;
    if (strcmp(word[0], "finalize") == 0 && word[1] != NULL) {
        read_fixed(a.b, 32, word[1]);
        d->x.finalize(d->x.ctx, &a, on_final, NULL);
    } else if (strcmp(word[0], "heads") == 0 && word[2] != NULL) {
        read_fixed(a.b, 32, word[1]);
        read_fixed(b.b, 32, word[2]);
        engine_set_heads(d->engine, &a, &b);
    } else if (strcmp(word[0], "offer") == 0 && word[1] != NULL) {
        do_offer(d, word[1]);
    } else if (strcmp(word[0], "head") == 0) {
        do_head(d);
    } else if (strcmp(word[0], "quit") == 0) {
        end(d);
    } else {
        die("no such question");
    }
}

static void ask(struct drive *d, char *line)
{
    char *word[WORDS] = {NULL};
    char *rest = NULL;
    int n = 0;
    for (char *w = strtok_r(line, " ", &rest); w != NULL && n < WORDS;
         w = strtok_r(NULL, " ", &rest)) {
        word[n++] = w;
    }
    if (n == 0 || d->engine == NULL) {
        return;
    }
    if (strcmp(word[0], "build") == 0 && n >= 5) {
        do_build(d, word);
    } else if (strcmp(word[0], "execute") == 0 && n == 8) {
        do_execute(d, word);
    } else {
        do_small(d, word);
    }
}

/* ---- lines -------------------------------------------------------------------------------------- */

static void on_room(uv_handle_t *h, size_t wanted, uv_buf_t *buf)
{
    struct drive *d = h->data;
    (void)wanted;
    *buf = uv_buf_init(d->room, sizeof d->room);
}

static void take_byte(struct drive *d, char c)
{
    if (d->n + 1 >= d->cap) {
        d->cap = d->cap == 0 ? READ_ROOM : d->cap * 2;
        d->line = realloc(d->line, d->cap);
        if (d->line == NULL) {
            die("out of memory");
        }
    }
    d->line[d->n++] = c;
    if (c == '\n') {
        d->line[d->n - 1] = '\0';
        d->n = 0;
        ask(d, d->line);
    }
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct drive *d = s->data;
    if (n < 0) {
        end(d);
        return;
    }
    for (ssize_t i = 0; i < n; i++) {
        take_byte(d, buf->base[i]);
    }
}

int main(int argc, char **argv)
{
    static struct drive d;
    char why[256] = "";
    if (argc != 6) {
        die("engine_drive URL SECRET-FILE GENESIS CHAIN-ID client|given");
    }
    struct engine_options o = {.url = argv[1],
                               .chain_id = strtoull(argv[4], NULL, 10),
                               .fork = ENGINE_PRAGUE,
                               .order = strcmp(argv[5], "given") == 0 ? ENGINE_ORDER_GIVEN
                                                                      : ENGINE_ORDER_CLIENT,
                               .total_ms = 10000,
                               .on_state = on_state};
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    read_fixed(o.genesis.b, 32, argv[3]);
    if (jwt_read(&o.secret, argv[2], why, sizeof why) != OK) {
        die(why);
    }
    uv_loop_init(&d.loop);
    uv_pipe_init(&d.loop, &d.in, 0);
    d.in.data = &d;
    if (uv_pipe_open(&d.in, 0) != 0 || engine_open(&d.engine, &d.loop, &o) != OK) {
        die("no start");
    }
    engine_execution(d.engine, &d.x);
    uv_read_start((uv_stream_t *)&d.in, on_room, on_read);
    uv_run(&d.loop, UV_RUN_DEFAULT);
    free(d.line);
    return uv_loop_close(&d.loop) == 0 ? 0 : 1;
}
