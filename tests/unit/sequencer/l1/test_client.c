/* The client on a loop with three endpoints: who is believed, what is counted, who is told. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "l1_server.h"
#include "sequencer/l1/l1_client.h"

enum { ENDPOINTS = 3, LIMIT_MS = 20000 };

struct world {
    uv_loop_t loop;
    struct chain chain, other;
    struct server server[ENDPOINTS];
    char url[ENDPOINTS][64];
    struct l1_client *client;
    struct l1 l1;
    struct l1_view view;
    uint32_t views, lines;
    bool closed;
    /* the last answer */
    uint32_t told;
    enum err err;
    struct l1_account account;
    struct l1_receipt receipt;
    struct l1_sent sent;
    struct l1_fees fees;
    struct l1_path path;
    uint64_t first, last; /* of the path */
    char blobs[8];        /* what fills each */
};

static void on_view(void *arg, const struct l1_view *v)
{
    struct world *w = arg;
    w->view = *v;
    w->views++;
}

static void on_say(void *arg, bool bad, const char *endpoint, const char *what)
{
    struct world *w = arg;
    assert_true(strncmp(endpoint, "127.0.0.1:", 10) == 0 && strlen(what) > 0);
    assert_null(strstr(endpoint, "secret"));
    w->lines += bad;
}

static void on_closed(void *arg)
{
    ((struct world *)arg)->closed = true;
}

/* The tests' own KZG: a blob is what its first byte says. */
static bool check_blob(void *arg, const uint8_t *blob, const struct hash *versioned)
{
    (void)arg;
    return blob[0] == versioned->b[1];
}

static void open_client(struct world *w, size_t endpoints)
{
    char slash[64];
    const char *url[ENDPOINTS];
    const char *const beacon[] = {w->url[0], slash};
    for (size_t i = 0; i < ENDPOINTS; i++) {
        snprintf(w->url[i], sizeof w->url[i], "http://127.0.0.1:%d/secret", w->server[i].port);
        url[i] = w->url[i];
    }
    snprintf(slash, sizeof slash, "http://127.0.0.1:%d/", w->server[1].port);
    struct l1_options o = {.rpc = url, .rpc_n = endpoints, .chain_id = 900, .poll_ms = 20,
                           .down_ms = 60000, .connect_ms = 5000, .total_ms = 15000, .hedge_ms = 50,
                           .grace_ms = 50, .probe_ms = 100, .pardon_ms = 100, .on_view = on_view,
                           .say = on_say, .arg = w, .blob_check = check_blob, .beacon = beacon,
                           .beacon_n = 2};
    assert_int_equal(l1_client_open(&w->client, &w->loop, &o), OK);
    w->l1 = l1_client_access(w->client);
}

static int open_world(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    uv_loop_init(&w->loop);
    chain_grow(&w->chain, 10, 0);
    for (size_t i = 0; i < ENDPOINTS; i++) {
        server_open(&w->server[i], &w->loop, &w->chain);
    }
    open_client(w, ENDPOINTS);
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    l1_client_close(w->client, on_closed, w);
    for (size_t i = 0; i < ENDPOINTS; i++) {
        server_close(&w->server[i]);
    }
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_true(w->closed);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    free(w);
    return 0;
}

/* Runs the loop until the condition holds. */
#define WAIT(w, condition)                                                                     \
    do {                                                                                       \
        uint64_t end_ = uv_hrtime() / 1000000 + LIMIT_MS;                                      \
        while (!(condition)) {                                                                 \
            if (uv_hrtime() / 1000000 > end_) {                                                \
                fail_msg("waited for ever: %s", #condition);                                   \
            }                                                                                  \
            uv_run(&(w)->loop, UV_RUN_ONCE);                                                   \
        }                                                                                      \
    } while (0)

static bool at_head(const struct world *w, const struct chain *c)
{
    return w->view.known && hash_equal(&w->view.head.at.hash, &c->block[c->n - 1].at.hash);
}

static uint64_t faults(const struct world *w, size_t i, enum web_fault f)
{
    struct l1_endpoint_state s;
    assert_true(l1_client_endpoint(w->client, i, &s));
    return s.faults[f];
}

static bool usable(const struct world *w, size_t i)
{
    struct l1_endpoint_state s;
    assert_true(l1_client_endpoint(w->client, i, &s));
    return s.usable;
}

static void on_account(void *arg, enum err e, const struct l1_account *a)
{
    struct world *w = arg;
    w->told++;
    w->err = e;
    w->account = a != NULL ? *a : (struct l1_account){0};
}

static void on_receipt(void *arg, enum err e, const struct l1_receipt *r)
{
    struct world *w = arg;
    w->told++;
    w->err = e;
    w->receipt = r != NULL ? *r : (struct l1_receipt){0};
}

static void on_sent(void *arg, const struct l1_sent *s)
{
    struct world *w = arg;
    w->told++;
    w->sent = *s;
}

static void on_fees(void *arg, enum err e, const struct l1_fees *f)
{
    struct world *w = arg;
    w->told++;
    w->err = e;
    w->fees = f != NULL ? *f : (struct l1_fees){0};
}

static void on_path(void *arg, enum err e, const struct l1_path *p)
{
    struct world *w = arg;
    w->told++;
    w->err = e;
    w->path = p != NULL ? *p : (struct l1_path){0};
    w->first = w->path.n > 0 ? p->header[0].at.number : 0;
    w->last = w->path.n > 0 ? p->header[p->n - 1].at.number : 0;
}

static void on_block(void *arg, enum err e, const struct l1_block *b)
{
    struct world *w = arg;
    (void)b;
    w->told++;
    w->err = e;
}

static void wait_told(struct world *w, enum err e)
{
    assert_int_equal(e, OK);
    uint32_t before = w->told;
    WAIT(w, w->told > before);
    assert_int_equal(w->told, before + 1);
}

/* ---- heads ----------------------------------------------------------------------------------- */

static void follows_the_chain(void **state)
{
    struct world *w = *state;
    WAIT(w, at_head(w, &w->chain));
    for (int i = 0; i < 5; i++) {
        w->server[0].finalized = w->server[1].finalized = (uint64_t)i;
        chain_grow(&w->chain, 1 + (size_t)i, 0);
        WAIT(w, at_head(w, &w->chain));
    }
    WAIT(w, w->view.has_finalized && w->view.finalized.number == 4);
    assert_int_equal(w->lines, 0);
}

/* Another chain in the place of the first, from a number on. */
static void branch_off(struct world *w, size_t at, size_t blocks)
{
    w->other.n = 0;
    chain_grow(&w->other, at, 0);
    chain_grow(&w->other, blocks, 1);
}

static void one_on_another_branch(void **state)
{
    struct world *w = *state;
    WAIT(w, at_head(w, &w->chain));
    branch_off(w, 8, 30);
    w->server[1].chain = &w->other;
    chain_grow(&w->chain, 2, 0);
    WAIT(w, at_head(w, &w->chain));
    w->server[0].chain = &w->other; /* now the others are two */
    WAIT(w, at_head(w, &w->other));
    assert_int_equal(w->view.agreeing, 2);
}

/* Every way to answer badly: counted by its kind, told once, nobody else's head is held up, and it
 * counts again when it is well. */
static void bad_answers(void **state)
{
    struct world *w = *state;
    static const struct {
        enum server_mode mode;
        enum web_fault fault;
    } bad[] = {{SERVER_STATUS, WEB_FAULT_STATUS},        {SERVER_BUSY, WEB_FAULT_BUSY},
               {SERVER_CUTS, WEB_FAULT_CLOSED},          {SERVER_HTML, WEB_FAULT_GARBAGE},
               {SERVER_FOREIGN_ID, WEB_FAULT_WRONG_ID},  {SERVER_LARGE, WEB_FAULT_TOO_LARGE}};
    WAIT(w, at_head(w, &w->chain));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint32_t lines = w->lines;
        w->server[2].mode = bad[i].mode;
        WAIT(w, faults(w, 2, bad[i].fault) >= 3);
        assert_false(usable(w, 2));
        assert_int_equal(w->lines, lines + 1);
        chain_grow(&w->chain, 1, 0);
        WAIT(w, at_head(w, &w->chain));
        w->server[2].mode = SERVER_WELL;
        WAIT(w, usable(w, 2));
    }
    assert_int_equal(faults(w, 0, WEB_FAULT_STATUS) + faults(w, 1, WEB_FAULT_GARBAGE), 0);
}

static void another_chain_id(void **state)
{
    struct world *w = *state;
    WAIT(w, at_head(w, &w->chain));
    w->server[0].mode = SERVER_STATUS;
    WAIT(w, !usable(w, 0));
    w->server[0].chain_id = 1;
    w->server[0].mode = SERVER_WELL;
    WAIT(w, faults(w, 0, WEB_FAULT_WRONG_CHAIN) > 0);
    assert_false(usable(w, 0));
    w->server[0].chain_id = 900;
    WAIT(w, usable(w, 0));
}

static void back_by_more_than_64(void **state)
{
    struct world *w = *state;
    chain_grow(&w->chain, 90, 0);
    WAIT(w, at_head(w, &w->chain));
    WAIT(w, usable(w, 0));
    w->server[0].height = 20;
    WAIT(w, faults(w, 0, WEB_FAULT_CONTRADICTS) > 0);
    assert_int_equal(w->lines, 1);
    WAIT(w, usable(w, 0)); /* forgiven after a while, it is outvoted only */
    assert_true(at_head(w, &w->chain));
}

/* ---- facts ----------------------------------------------------------------------------------- */

static void accounts(void **state)
{
    struct world *w = *state;
    const struct address a = {{1}};
    const struct l1_ref gone = {5, {{9}}};
    WAIT(w, at_head(w, &w->chain));
    for (size_t i = 0; i < ENDPOINTS; i++) {
        w->server[i].nonce = 7;
    }
    w->server[1].nonce = 1000; /* a liar */
    wait_told(w, w->l1.ops->account(w->l1.ctx, &w->view.head.at, &a, on_account, w));
    assert_int_equal(w->err, OK);
    assert_int_equal(w->account.nonce, 7);
    w->server[0].nonce = 6; /* three words: no quorum */
    wait_told(w, w->l1.ops->account(w->l1.ctx, &w->view.head.at, &a, on_account, w));
    assert_int_equal(w->err, ERR_NOT_READY);
    wait_told(w, w->l1.ops->account(w->l1.ctx, &gone, &a, on_account, w));
    assert_int_equal(w->err, ERR_NOT_FOUND);
    for (size_t i = 0; i < ENDPOINTS; i++) {
        w->server[i].mode = SERVER_HTML;
    }
    wait_told(w, w->l1.ops->account(w->l1.ctx, &w->view.head.at, &a, on_account, w));
    assert_int_equal(w->err, ERR_UNREACHABLE);
}

static void receipt_json(struct world *w, char *out, size_t size, size_t number)
{
    char hash[HEX_SIZE(32)];
    hex_encode(hash, w->chain.block[number].at.hash.b, 32);
    snprintf(out, size,
             "{\"transactionHash\":\"0x%064d\",\"status\":\"0x1\",\"blockHash\":\"%s\","
             "\"blockNumber\":\"0x%zx\",\"transactionIndex\":\"0x2\",\"gasUsed\":\"0x5208\","
             "\"effectiveGasPrice\":\"0x9\"}", 0, hash, number);
}

static void receipts(void **state)
{
    struct world *w = *state;
    const struct hash tx = {{0}};
    const struct hash another = {{1}};
    char here[512];
    char elsewhere[512];
    WAIT(w, at_head(w, &w->chain));
    wait_told(w, w->l1.ops->receipt(w->l1.ctx, &tx, on_receipt, w));
    assert_true(w->err == OK && !w->receipt.found);
    receipt_json(w, here, sizeof here, 5);
    receipt_json(w, elsewhere, sizeof elsewhere, 6);
    w->server[0].receipt = here;
    w->server[1].receipt = elsewhere;
    wait_told(w, w->l1.ops->receipt(w->l1.ctx, &tx, on_receipt, w));
    assert_int_equal(w->err, ERR_NOT_READY);
    w->server[2].receipt = here;
    wait_told(w, w->l1.ops->receipt(w->l1.ctx, &tx, on_receipt, w));
    assert_true(w->err == OK && w->receipt.found && w->receipt.succeeded);
    assert_int_equal(w->receipt.block.number, 5);
    w->server[1].receipt = NULL; /* receipts of another transaction are none: one answer is left */
    wait_told(w, w->l1.ops->receipt(w->l1.ctx, &another, on_receipt, w));
    assert_int_equal(w->err, ERR_NOT_READY);
}

/* Two endpoints show a receipt in a block that is not on the head's chain. */
static void receipt_on_another_branch(void **state)
{
    struct world *w = *state;
    const struct hash tx = {{0}};
    struct l1_ref at = w->chain.block[9].at;
    char text[512];
    WAIT(w, at_head(w, &w->chain));
    chain_grow(&w->chain, 1, 0);
    WAIT(w, at_head(w, &w->chain));
    w->chain.block[9].at.hash.b[0] ^= 1;
    receipt_json(w, text, sizeof text, 9);
    w->chain.block[9].at = at;
    w->server[0].receipt = text;
    w->server[1].receipt = text;
    wait_told(w, w->l1.ops->receipt(w->l1.ctx, &tx, on_receipt, w));
    assert_int_equal(w->err, ERR_NOT_READY);
}

static void fees(void **state)
{
    struct world *w = *state;
    WAIT(w, at_head(w, &w->chain));
    wait_told(w, w->l1.ops->fees(w->l1.ctx, on_fees, w));
    assert_int_equal(w->err, OK);
    assert_int_equal(w->fees.head, 2);
    assert_int_equal(w->fees.base_fee.v[0], 7);
    assert_int_equal(w->fees.blob_base_fee.v[0], 2);
    assert_int_equal(w->fees.tip.v[0], 9);
    assert_int_equal(w->fees.blocks, 2);
    assert_int_equal(w->fees.gas_permille[0], 1000); /* newest first */
    assert_int_equal(w->fees.gas_permille[1], 250);
    assert_int_equal(w->fees.blob_permille[0], 500);
}

/* ---- sending --------------------------------------------------------------------------------- */

static void send_one(struct world *w, const char *a, const char *b, const char *c)
{
    static const struct hash tx = {{0}};
    w->server[0].send = a;
    w->server[1].send = b;
    w->server[2].send = c;
    wait_told(w, w->l1.ops->send(w->l1.ctx, bytes_of("\x02\x01", 2), &tx, on_sent, w));
}

static void verdicts(void **state)
{
    struct world *w = *state;
    static const char ours[] =
        "\"result\":\"0x0000000000000000000000000000000000000000000000000000000000000000\"";
    static const char theirs[] =
        "\"result\":\"0x0000000000000000000000000000000000000000000000000000000000000001\"";
    static const char low[] = "\"error\":{\"code\":-32000,\"message\":\"nonce too low\"}";
    static const char bump[] =
        "\"error\":{\"code\":-32000,\"message\":\"replacement transaction underpriced\"}";
    static const char bug[] = "\"error\":{\"code\":-32000,\"message\":\"invalid sender\"}";
    static const char odd[] = "\"error\":{\"code\":-1,\"message\":\"\\u001b[31mwhat\"}";
    WAIT(w, at_head(w, &w->chain));
    send_one(w, bug, low, ours);
    assert_int_equal(w->sent.verdict, L1_SEND_ACCEPTED);
    send_one(w, bug, low, bump);
    assert_int_equal(w->sent.verdict, L1_SEND_BUMP);
    assert_string_equal(w->sent.text, "replacement transaction underpriced");
    send_one(w, bug, bug, bug);
    assert_int_equal(w->sent.verdict, L1_SEND_BUG);
    send_one(w, theirs, theirs, theirs); /* another hash is no success */
    assert_int_equal(w->sent.verdict, L1_SEND_NET);
    send_one(w, odd, bug, bug);
    assert_int_equal(w->sent.verdict, L1_SEND_NET);
    assert_string_equal(w->sent.text, "?[31mwhat");
    send_one(w, "\"result\":null", "\"result\":true", "\"result\":{}");
    assert_int_equal(w->sent.verdict, L1_SEND_NET);
    w->server[0].mode = SERVER_CUTS; /* it may have taken it: refused for good by two is not all */
    send_one(w, ours, bug, bug);
    assert_int_equal(w->sent.verdict, L1_SEND_NET);
}

/* ---- blobs ----------------------------------------------------------------------------------- */

static void on_blobs(void *arg, enum err e, const struct l1_blobs *b)
{
    struct world *w = arg;
    w->told++;
    w->err = e;
    memset(w->blobs, 0, sizeof w->blobs);
    for (size_t i = 0; b != NULL && i < b->n; i++) {
        w->blobs[i] = (char)b->blob[i][L1_BLOB_BYTES - 1];
    }
}

static void ask_blobs(struct world *w, const char *which)
{
    struct hash versioned[8] = {{{0}}};
    for (size_t i = 0; which[i] != '\0'; i++) {
        versioned[i].b[1] = (uint8_t)which[i];
    }
    wait_told(w, w->l1.ops->blobs(w->l1.ctx, &w->view.head, versioned, strlen(which), on_blobs, w));
}

static void blobs(void **state)
{
    struct world *w = *state;
    WAIT(w, at_head(w, &w->chain));
    ask_blobs(w, "ab");
    assert_int_equal(w->err, ERR_NOT_FOUND); /* 404 from both, and no fault of theirs */
    assert_int_equal(faults(w, 3, WEB_FAULT_STATUS) + faults(w, 4, WEB_FAULT_STATUS), 0);
    w->server[0].blobs = "";
    ask_blobs(w, "ab");
    assert_int_equal(w->err, ERR_NOT_FOUND);
    w->server[0].blobs = "xba"; /* in another order, with one that nobody asked for */
    ask_blobs(w, "ab");
    assert_int_equal(w->err, OK);
    assert_string_equal(w->blobs, "ab");
    w->server[0].blobs = "aa"; /* the same blob twice in a block */
    ask_blobs(w, "aa");
    assert_string_equal(w->blobs, "aa");
    w->server[0].blobs = "ax"; /* a wrong one: the next endpoint's */
    w->server[1].blobs = "ab";
    ask_blobs(w, "ab");
    assert_int_equal(w->err, OK);
    w->server[1].blobs = "a";
    ask_blobs(w, "ab");
    assert_int_equal(w->err, ERR_INVALID_BLOCK);
    for (size_t i = 0; i < 2; i++) {
        w->server[i].mode = SERVER_HTML;
    }
    ask_blobs(w, "ab");
    assert_int_equal(w->err, ERR_UNREACHABLE);
    assert_int_equal(w->l1.ops->blobs(w->l1.ctx, &w->view.head, NULL, 0, on_blobs, w), ERR_USAGE);
}

/* ---- the way ---------------------------------------------------------------------------------- */

static void ask_path(struct world *w, const struct chain *c, size_t newest, size_t n)
{
    struct l1_ref known[LIMIT_L1_REORG];
    for (size_t i = 0; i < n; i++) {
        known[i] = c->block[newest - i].at;
    }
    wait_told(w, w->l1.ops->path(w->l1.ctx, known, n, on_path, w));
}

static void assert_path(const struct world *w, size_t kept, uint64_t first, uint64_t last)
{
    assert_int_equal(w->err, OK);
    assert_int_equal(w->path.kept, kept);
    assert_int_equal(w->first, first);
    assert_int_equal(w->last, last);
}

/* Below what the windows hold: by number, in pieces, also back from a branch that is gone. */
static void path_by_number(void **state)
{
    struct world *w = *state;
    WAIT(w, at_head(w, &w->chain));
    chain_grow(&w->chain, 400, 0);
    WAIT(w, at_head(w, &w->chain));
    ask_path(w, &w->chain, 3, 4);
    assert_path(w, 0, 4, 3 + LIMIT_L1_PATH);
    ask_path(w, &w->chain, 400, 1);
    assert_path(w, 0, 401, 409);
    ask_path(w, &w->chain, 409, 10);
    assert_path(w, 0, 0, 0);
    branch_off(w, 100, 12);
    ask_path(w, &w->other, 111, 12);
    assert_path(w, 12, 0, 0); /* none is left: further back */
    ask_path(w, &w->other, 111, 13);
    assert_path(w, 12, 100, 99 + LIMIT_L1_PATH);
    ask_path(w, &w->other, 111, 1);
    assert_path(w, 1, 0, 0);
}

static void path_in_windows(void **state)
{
    struct world *w = *state;
    WAIT(w, at_head(w, &w->chain));
    for (int i = 0; i < 20; i++) {
        chain_grow(&w->chain, 1, 0);
        WAIT(w, at_head(w, &w->chain));
    }
    branch_off(w, 25, 5);
    ask_path(w, &w->other, 29, 6);
    assert_path(w, 5, 25, 29);
    ask_path(w, &w->chain, 20, 1);
    assert_path(w, 0, 21, 29);
}

/* ---- limits, and the end --------------------------------------------------------------------- */

static void so_many_calls_and_no_more(void **state)
{
    struct world *w = *state;
    WAIT(w, at_head(w, &w->chain));
    for (size_t i = 0; i < LIMIT_L1_CALLS; i++) {
        assert_int_equal(w->l1.ops->fees(w->l1.ctx, on_fees, w), OK);
    }
    assert_int_equal(w->l1.ops->fees(w->l1.ctx, on_fees, w), ERR_BUSY);
    WAIT(w, w->told == LIMIT_L1_CALLS);
    WAIT(w, w->l1.ops->fees(w->l1.ctx, on_fees, w) == OK);
    WAIT(w, w->told == LIMIT_L1_CALLS + 1);
}

static void blocks_that_are_not_what_was_asked(void **state)
{
    struct world *w = *state;
    const struct address nobody = {{0}};
    const struct l1_ref gone = {3, {{7}}};
    WAIT(w, at_head(w, &w->chain));
    wait_told(w, w->l1.ops->block(w->l1.ctx, &gone, &nobody, 1, on_block, w));
    assert_int_equal(w->err, ERR_NOT_FOUND);
    /* its transactions root is zeros, which no list has */
    wait_told(w, w->l1.ops->block(w->l1.ctx, &w->chain.block[4].at, &nobody, 1, on_block, w));
    assert_int_equal(w->err, ERR_INVALID_BLOCK);
    assert_true(faults(w, 0, WEB_FAULT_CONTRADICTS) > 0);
}

/* Calls that are under way when the client is closed (close_world) are never told. */
static void closed_in_the_middle(void **state)
{
    struct world *w = *state;
    const struct hash tx = {{0}};
    WAIT(w, at_head(w, &w->chain));
    for (size_t i = 0; i < ENDPOINTS; i++) {
        w->server[i].mode = SERVER_SILENT;
    }
    struct l1_ref known = w->chain.block[2].at;
    known.hash.b[0] ^= 1;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(w->l1.ops->receipt(w->l1.ctx, &tx, on_receipt, w), OK);
        assert_int_equal(w->l1.ops->path(w->l1.ctx, &known, 1, on_path, w), OK);
        assert_int_equal(w->l1.ops->send(w->l1.ctx, bytes_of("x", 1), &tx, on_sent, w), OK);
        uv_run(&w->loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(w->told, 0);
}

static void options_are_checked(void **state)
{
    struct world *w = *state;
    struct l1_client *c;
    const char *bad[] = {"ftp://127.0.0.1"};
    struct l1_options o = {.rpc = bad, .rpc_n = 1};
    assert_int_equal(l1_client_open(&c, &w->loop, &o), ERR_CONFIG);
    o.rpc_n = 0;
    assert_int_equal(l1_client_open(&c, &w->loop, &o), ERR_CONFIG);
    o.rpc_n = LIMIT_L1_ENDPOINTS + 1;
    assert_int_equal(l1_client_open(&c, &w->loop, &o), ERR_CONFIG);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(follows_the_chain),
        WORLD_TEST(one_on_another_branch),
        WORLD_TEST(bad_answers),
        WORLD_TEST(another_chain_id),
        WORLD_TEST(back_by_more_than_64),
        WORLD_TEST(accounts),
        WORLD_TEST(receipts),
        WORLD_TEST(receipt_on_another_branch),
        WORLD_TEST(fees),
        WORLD_TEST(verdicts),
        WORLD_TEST(blobs),
        WORLD_TEST(path_by_number),
        WORLD_TEST(path_in_windows),
        WORLD_TEST(so_many_calls_and_no_more),
        WORLD_TEST(blocks_that_are_not_what_was_asked),
        WORLD_TEST(closed_in_the_middle),
        WORLD_TEST(options_are_checked),
    };
    signal(SIGPIPE, SIG_IGN); /* as every program of ours does: peers go away */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
