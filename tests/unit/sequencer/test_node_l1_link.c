/* The thread of the L1 beside a loop, as in a node: it reads an endpoint that the test plays, says
 * whom to tell of what it is about to send, and sends it when they answered. Run under
 * ThreadSanitizer too. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "l1/l1_server.h"
#include "posting_world.h"
#include "proto/keccak.h"
#include "sequencer/batcher/duty_intent.h"
#include "sequencer/node/genesis_file.h"
#include "sequencer/node/keyfile.h"
#include "sequencer/node/l1_link.h"

enum { LIMIT_MS = 60000, SEGMENTS = 2, OTHERS = 0xe, ALL = 0xf };

struct link_world {
    struct world w;
    struct config config;
    struct chain chain;
    uv_loop_t loop;
    struct server server;
    struct l1_link *link;
    struct l1_standing is;
    uint32_t intents; /* letters with one, */
    uint32_t to;      /* and whom they were for */
    bool answers;     /* the other members acknowledge */
};

/* ---- the folder of a node --------------------------------------------------------------------- */

static void seal_segments(struct world *w)
{
    char why[256];
    assert_int_equal(layer_file_open(&w->files, kit_path(&w->dir, "batches"), w->config.chain_id, 1,
                                     true, why, sizeof why), OK);
    struct data_layer layer = layer_file_layer(w->files);
    assert_int_equal(posting_maker_open(&w->maker, w->storage, &w->genesis, &w->config, &layer), OK);
    grow_many(w, SEGMENTS * SEGMENT + 1);
    settle(w);
    for (int i = 0; i < ROUNDS && w->r.segments < SEGMENTS; i++) {
        posting_maker_work(w->maker, w->tip.slot, &w->r);
    }
    assert_int_equal(w->r.segments, SEGMENTS);
}

static void configure(struct link_world *l)
{
    struct config *c = &l->config;
    char why[256];
    char hash[HEX_SIZE(32)];
    struct secret_key key = {.b = {[31] = 77}};
    hex_encode(hash, l->chain.block[0].at.hash.b, 32);
    snprintf(c->dir, sizeof c->dir, "%s", l->w.dir.path);
    snprintf(c->l1, sizeof c->l1, "http://127.0.0.1:%d", l->server.port);
    snprintf(c->l1_chain_id, sizeof c->l1_chain_id, "900");
    snprintf(c->l1_start, sizeof c->l1_start, "0:%s", hash);
    snprintf(c->da, sizeof c->da, "calldata");
    snprintf(c->l1_key, sizeof c->l1_key, "%s", kit_path(&l->w.dir, "poster.json"));
    snprintf(c->l1_password, sizeof c->l1_password, "%s", kit_path(&l->w.dir, "password"));
    c->l1_poll_ms = 20;
    kit_write(&l->w.dir, "password", "secret", 0600);
    assert_int_equal(keyfile_write(c->l1_key, &key, bytes_of("secret", 6), true, why, sizeof why),
                     OK);
}

static int setup(void **state)
{
    struct link_world *l = calloc(1, sizeof *l);
    assert_non_null(l);
    open_world(&l->w);
    seal_segments(&l->w);
    l->chain.rooted = true;
    chain_grow(&l->chain, 3, 0);
    assert_int_equal(uv_loop_init(&l->loop), 0);
    server_open(&l->server, &l->loop, &l->chain);
    l->server.balance = "\"0x56bc75e2d63100000\"";
    l->server.send = "\"result\":null";
    configure(l);
    *state = l;
    return 0;
}

static void close_link(struct link_world *l)
{
    l1_link_close(l->link);
    l->link = NULL;
}

static int teardown(void **state)
{
    struct link_world *l = *state;
    close_link(l);
    server_close(&l->server);
    uv_run(&l->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&l->loop), 0);
    posting_maker_close(l->w.maker);
    layer_file_close(l->w.files);
    storage_close(l->w.storage);
    genesis_free(&l->w.genesis);
    kit_dir_remove(&l->w.dir);
    free(l);
    return 0;
}

static void open_link(struct link_world *l)
{
    char why[512] = "";
    const struct l1_link_setup s = {&l->config, &l->w.genesis, &l->w.config,
                                    l->w.storage, 0, &l->w.key[0]};
    enum err e = l1_link_open(&l->link, &s, why, sizeof why);
    if (e != OK) {
        fail_msg("%s: %s", err_text(e), why);
    }
}

/* ---- what the loop of a node does --------------------------------------------------------------- */

static void acknowledge(struct link_world *l, const struct l1_letter *letter)
{
    struct post_intent i;
    struct message m = {.kind = MSG_INTENT_ACK};
    assert_int_equal(intent_decode(&i, bytes_of(letter->bytes, letter->n)), OK);
    m.u.intent_ack.segment = i.segment;
    m.u.intent_ack.intent = keccak256(letter->bytes, letter->n);
    for (int member = 1; member < MEMBERS; member++) {
        l1_link_hear(l->link, member, &m);
    }
}

static void turn(struct link_world *l)
{
    const struct l1_news news = {.leader = 0, .connected = ALL};
    struct l1_letter *letter;
    uv_run(&l->loop, UV_RUN_NOWAIT);
    l1_link_tell(l->link, &news);
    while ((letter = l1_link_letter(l->link)) != NULL) {
        if (!letter->ack) {
            l->intents++;
            l->to |= letter->members;
            if (l->answers) {
                acknowledge(l, letter);
            }
        }
        free(letter);
    }
    l1_link_look(l->link, &l->is);
}

static void wait(struct link_world *l, bool (*until)(const struct link_world *), const char *what)
{
    uint64_t end = uv_hrtime() + (uint64_t)LIMIT_MS * 1000000;
    while (!until(l)) {
        if (uv_hrtime() > end) {
            fail_msg("%s: duty %s, head %" PRIu64 ", read %" PRIu64 ", why '%s', %u sent", what,
                     l->is.sharing.duty, l->is.head, l->is.read, l->is.why, l->server.sends);
        }
        turn(l);
    }
}

static bool read_all(const struct link_world *l)
{
    return l->is.known && l->is.derived && l->is.read == l->chain.n - 1;
}

static bool told(const struct link_world *l)
{
    return l->intents > 0;
}

static bool sent_both(const struct link_world *l)
{
    return l->server.sends >= 2;
}

static bool refused(const struct link_world *l)
{
    return l->is.sharing.refused > 0;
}

/* ---- tests --------------------------------------------------------------------------------------- */

static void test_it_follows_the_head(void **state)
{
    struct link_world *l = *state;
    open_link(l);
    wait(l, read_all, "the chain is read");
    for (int i = 0; i < 5; i++) {
        chain_grow(&l->chain, 3, 0);
        wait(l, read_all, "the next blocks are read");
    }
    assert_true(l->is.posts);
    assert_int_equal(l->is.safe.number, 0);
    assert_int_equal(l->is.backlog, SEGMENTS);
    assert_false(l->is.alarm);
}

/* Told to the others first, sent when they have it. */
static void test_it_tells_before_it_sends(void **state)
{
    struct link_world *l = *state;
    open_link(l);
    wait(l, told, "a segment is told to the others");
    assert_int_equal(l->to, OTHERS);
    assert_int_equal(l->server.sends, 0);
    l->answers = true;
    wait(l, sent_both, "payload and envelope are sent");
    assert_true(l->is.sharing.made >= 1);
}

/* What others say is held against the own chain; a flood of it neither blocks nor grows. */
static void test_it_hears_nonsense(void **state)
{
    static const char nonsense[] = "BTPI and nothing that belongs to it";
    struct link_world *l = *state;
    struct message m = {.kind = MSG_INTENT};
    m.u.intent.intent = bytes_of(nonsense, sizeof nonsense);
    open_link(l);
    wait(l, told, "it knows its segments");
    for (int i = 0; i < 1000; i++) {
        l1_link_hear(l->link, 1 + i % 3, &m);
    }
    wait(l, refused, "nonsense is refused");
    assert_false(l->is.alarm);
}

/* Closed in the middle of whatever it does. */
static void test_it_ends_at_any_time(void **state)
{
    struct link_world *l = *state;
    l->answers = true;
    for (int turns = 0; turns < 100; turns = 8 * turns + 1) {
        open_link(l);
        for (int i = 0; i < turns; i++) {
            turn(l);
        }
        close_link(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_follows_the_head, setup, teardown),
        cmocka_unit_test_setup_teardown(test_it_tells_before_it_sends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_it_hears_nonsense, setup, teardown),
        cmocka_unit_test_setup_teardown(test_it_ends_at_any_time, setup, teardown),
    };
    signal(SIGPIPE, SIG_IGN); /* as every program of ours does: peers go away */
    return key_library_init() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
