/* The half of posting that works: a final chain on a real disk becomes segments in a folder, or in
 * a layer that loses what it held; what fails is done again, and nothing differs for it. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node_kit.h"
#include "proto/keccak.h"
#include "proto/key.h"
#include "proto/limits.h"
#include "proto/vote.h"
#include "sequencer/batcher/auth.h"
#include "sequencer/batcher/layer_file.h"
#include "sequencer/node/genesis_file.h"
#include "sequencer/node/parts.h"

enum { BLOCK_MS = 200, SEAL_MS = 1000, SEGMENT = 6, MEMBERS = 4, ROUNDS = 1000, HELD = 16 };

/* A layer in memory, as one on an L1: it can lose its end. */
struct memory_layer {
    struct posted held[HELD];
    size_t n;
    uint32_t posts;
    enum err refuse;
};

struct world {
    struct kit_dir dir;
    struct genesis genesis;
    struct epoch_config config;
    struct secret_key key[MEMBERS];
    struct storage *storage;
    struct layer_file *files;
    struct memory_layer memory;
    struct posting_maker *maker;
    struct posting_result r;
    /* the tip of the chain */
    struct header tip;
    struct hash tip_hash;
};

static const uint8_t no_txs[1] = {0xc0};

static void ignore_wake(void *arg)
{
    (void)arg;
}

static void open_world(struct world *w)
{
    char why[256];
    enum storage_verdict verdict;
    kit_dir_make(&w->dir);
    kit_genesis(&w->genesis);
    w->genesis.seal_ms = SEAL_MS;
    memset(w->genesis.payload.b, 0x11, sizeof w->genesis.payload.b);
    assert_int_equal(genesis_epoch_config(&w->config, &w->genesis, why, sizeof why), OK);
    for (uint8_t i = 0; i < MEMBERS; i++) {
        w->key[i].b[31] = (uint8_t)(i + 1);
    }
    genesis_anchor(&w->tip, &w->genesis, &w->config);
    w->tip_hash = header_hash(&w->tip);
    const struct storage_options o = {.dir = w->dir.path,
                                      .genesis = w->config.genesis,
                                      .member = w->genesis.member[0].address,
                                      .create = true,
                                      .wake = ignore_wake};
    assert_int_equal(storage_open(&w->storage, &o, &verdict, why, sizeof why), OK);
}

static void open_maker(struct world *w, const struct data_layer *layer)
{
    posting_maker_close(w->maker);
    assert_int_equal(
        posting_maker_open(&w->maker, w->storage, &w->genesis, &w->config, layer), OK);
}

static void open_files(struct world *w, const char *name)
{
    char why[512];
    char path[128];
    snprintf(path, sizeof path, "%s/%s", w->dir.path, name);
    if (w->files != NULL) {
        layer_file_close(w->files);
    }
    assert_int_equal(layer_file_open(&w->files, path, w->config.chain_id, 1, true, why, sizeof why),
                     OK);
    struct data_layer layer = layer_file_layer(w->files);
    open_maker(w, &layer);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    open_world(w);
    open_files(w, "batches");
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    posting_maker_close(w->maker);
    if (w->files != NULL) {
        layer_file_close(w->files);
    }
    storage_close(w->storage);
    genesis_free(&w->genesis);
    kit_dir_remove(&w->dir);
    free(w);
    return 0;
}

/* ---- a final chain --------------------------------------------------------------------------- */

static void certify(const struct world *w, struct certificate *c)
{
    static const uint8_t who[] = {0, 1, 3};
    *c = (struct certificate){.kind = VOTE_FINALIZE,
                              .slot = w->tip.slot,
                              .block = w->tip_hash,
                              .signers = 11};
    struct hash digest = vote_digest(&w->config, VOTE_FINALIZE, c->slot, &c->block);
    for (size_t k = 0; k < sizeof who; k++) {
        assert_int_equal(key_sign(&c->signature[k], &w->key[who[k]], &digest), OK);
    }
}

static void next_header(struct world *w, uint8_t flags, struct bytes body)
{
    struct header h = w->tip;
    bool empty = (flags & FLAG_EMPTY) != 0;
    h.parent_slot = h.slot;
    h.parent = w->tip_hash;
    h.slot++;
    h.flags = flags;
    h.timestamp_ms += BLOCK_MS;
    h.leader = (uint8_t)(h.slot / 8 % MEMBERS);
    h.payload_parent = w->tip.payload;
    h.body_len = (uint32_t)body.n;
    h.body_root = keccak256(body.p, body.n);
    if (!empty) {
        h.height++;
        h.payload = keccak256(&h.height, sizeof h.height);
    }
    w->tip = h;
    w->tip_hash = header_hash(&h);
}

/* The next final block on the disk, with or without a certificate of its own. */
static void grow(struct world *w, uint8_t flags, bool certified)
{
    bool empty = (flags & FLAG_EMPTY) != 0;
    struct bytes body = bytes_of(no_txs, empty ? 0 : sizeof no_txs);
    next_header(w, flags, body);
    struct certificate cert;
    struct block b = {.head.header = w->tip, .head.hash = w->tip_hash, .body = body};
    assert_int_equal(storage_submit_block(w->storage, &w->tip_hash, &b), OK);
    if (certified) {
        certify(w, &cert);
    }
    const struct storage_final f = {
        .hash = w->tip_hash, .header = &w->tip, .cert = certified ? &cert : NULL};
    assert_int_equal(storage_submit_final(w->storage, &f), OK);
}

static void grow_many(struct world *w, uint32_t blocks)
{
    for (uint32_t i = 0; i < blocks; i++) {
        grow(w, 0, true);
    }
}

/* What was handed to the disk can be read. */
static void settle(struct world *w)
{
    assert_int_equal(storage_retry(w->storage), OK);
}

static void step(struct world *w)
{
    posting_maker_work(w->maker, w->tip.slot, &w->r);
}

/* Works until nothing can be done at once. */
static void run(struct world *w)
{
    settle(w);
    uint32_t rounds = 0;
    do {
        step(w);
        assert_true(rounds++ < ROUNDS);
    } while (w->r.more && w->r.err == OK);
}

/* ---- folders --------------------------------------------------------------------------------- */

static void read_segment(struct world *w, uint64_t first, struct buffer *payload,
                         struct batch_auth *auth)
{
    char why[512] = "";
    struct fault fault;
    struct buffer envelope;
    buffer_init(&envelope, 1 << 20);
    struct data_layer l = layer_file_layer(w->files);
    assert_int_equal(l.read(l.ctx, first, payload, &envelope, why, sizeof why), OK);
    assert_int_equal(auth_decode(auth, buffer_bytes(&envelope), &fault), OK);
    assert_int_equal(auth_verify(auth, &w->config), OK);
    auth->times = bytes_of(NULL, 0);
    buffer_free(&envelope);
}

static uint32_t headers_of(struct world *w, uint64_t first)
{
    struct buffer payload;
    struct batch_auth *auth = malloc(sizeof *auth);
    assert_non_null(auth);
    buffer_init(&payload, 1 << 20);
    read_segment(w, first, &payload, auth);
    uint32_t n = auth->headers;
    buffer_free(&payload);
    free(auth);
    return n;
}

static void expect_stands(const struct world *w, uint64_t number, uint64_t segments)
{
    if (w->r.err != OK) {
        print_error("%s\n", w->r.why);
    }
    assert_int_equal(w->r.err, OK);
    assert_int_equal(w->r.stands.number, number);
    assert_int_equal(w->r.segments, segments);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void nothing_yet(void **state)
{
    struct world *w = *state;
    run(w);
    expect_stands(w, 0, 0);
    assert_true(w->r.level);
    assert_true(hash_equal(&w->r.stands.hash, &w->genesis.payload));
}

static void every_block_in_order(void **state)
{
    struct world *w = *state;
    grow_many(w, 3 * SEGMENT + 2);
    run(w);
    expect_stands(w, 3 * SEGMENT, 3);
    assert_true(w->r.level);
    assert_int_equal(w->r.held_bytes, 2);
    assert_int_equal(w->r.oldest_ms,
                     w->genesis.timestamp_ms + (uint64_t)(3 * SEGMENT + 1) * BLOCK_MS);
    uint64_t number = 3 * SEGMENT;
    struct hash last = keccak256(&number, sizeof number);
    assert_true(hash_equal(&w->r.stands.hash, &last));
    assert_int_equal(w->r.stands.timestamp_ms,
                     w->genesis.timestamp_ms + number * BLOCK_MS);
    for (uint64_t first = 1; first < number; first += SEGMENT) {
        assert_int_equal(headers_of(w, first), 1);
    }
}

/* A start finds its place from the layer alone, in the middle of a segment too. */
static void goes_on_after_a_start(void **state)
{
    struct world *w = *state;
    for (uint32_t i = 1; i <= 3 * SEGMENT; i++) {
        grow(w, 0, true);
        run(w);
        expect_stands(w, i / SEGMENT * SEGMENT, i / SEGMENT);
        open_files(w, "batches");
    }
}

/* Blocks final by a descendant's certificate: its headers lead down to them. */
static void proved_from_above(void **state)
{
    struct world *w = *state;
    for (uint32_t i = 1; i <= SEGMENT; i++) {
        grow(w, 0, false);
    }
    run(w);
    expect_stands(w, 0, 0);
    grow(w, 0, false);
    grow(w, FLAG_EMPTY, false);
    grow(w, 0, true);
    run(w);
    expect_stands(w, SEGMENT, 1);
    assert_true(w->r.level);
    assert_int_equal(headers_of(w, 1), 4);
}

static void too_far_from_a_certificate(void **state)
{
    struct world *w = *state;
    for (uint32_t i = 0; i < SEGMENT + LIMIT_AUTH_HEADERS; i++) {
        grow(w, 0, i == SEGMENT + LIMIT_AUTH_HEADERS - 1);
    }
    run(w);
    assert_int_equal(w->r.err, ERR_REFUSED);
    assert_non_null(strstr(w->r.why, "no certificate within 192 headers"));
}

/* EMPTY blocks carry nothing, and end a segment when it is time. */
static void empty_blocks(void **state)
{
    struct world *w = *state;
    grow(w, FLAG_EMPTY, true);
    grow_many(w, 2);
    for (uint32_t i = 0; i < 5; i++) {
        grow(w, FLAG_EMPTY, true);
    }
    grow_many(w, 1);
    run(w);
    expect_stands(w, 2, 1);
    assert_int_equal(w->r.held_bytes, 1);
    grow_many(w, SEGMENT - 1);
    run(w);
    expect_stands(w, 2 + SEGMENT, 2);
}

static void in_pieces(void **state)
{
    struct world *w = *state;
    w->genesis.seal_ms = LIMIT_SEAL_MAX_MS;
    open_files(w, "batches");
    grow_many(w, LIMIT_POST_BLOCKS + 1);
    settle(w);
    step(w);
    assert_true(w->r.more && !w->r.level);
    assert_int_equal(w->r.held_bytes, LIMIT_POST_BLOCKS);
    step(w);
    assert_true(!w->r.more && w->r.level);
    assert_int_equal(w->r.held_bytes, LIMIT_POST_BLOCKS + 1);
}

static void same_files(struct world *w, const char *a, const char *b)
{
    char command[256];
    snprintf(command, sizeof command, "diff -r '%s/%s' '%s/%s'", w->dir.path, a, w->dir.path, b);
    assert_int_equal(system(command), 0);
}

/* Every operation on the disk fails once: told, done again, and what stands is the same. */
static void the_disk_fails(void **state)
{
    struct world *w = *state;
    grow_many(w, SEGMENT);
    run(w);
    expect_stands(w, SEGMENT, 1);
    uint32_t failures = 0;
    for (uint32_t k = 0; k == failures; k++) {
        char name[32];
        assert_true(k < 100);
        snprintf(name, sizeof name, "again%u", k);
        open_files(w, name);
        layer_file_fail_after(w->files, k);
        run(w);
        if (w->r.err != OK) {
            failures++;
            assert_true(w->r.err == ERR_IO || w->r.err == ERR_NO_SPACE);
            assert_non_null(strstr(w->r.why, "cannot be posted"));
            run(w);
        }
        expect_stands(w, SEGMENT, 1);
        same_files(w, "batches", name);
    }
    assert_true(failures >= 8); /* two files written, synced, renamed; the folder synced */
}

/* ---- a layer that loses what it held --------------------------------------------------------- */

static enum err memory_post(void *ctx, const struct posting *p)
{
    struct memory_layer *m = ctx;
    struct fault fault;
    struct batch_auth *auth = malloc(sizeof *auth);
    assert_non_null(auth);
    assert_int_equal(auth_decode(auth, p->envelope, &fault), OK);
    uint64_t end = m->n == 0 ? 0 : m->held[m->n - 1].last;
    enum err e = m->refuse != OK || p->first != end + 1 || m->n == HELD ? ERR_REFUSED : OK;
    if (e == OK) {
        m->held[m->n] = (struct posted){m->n, p->first, p->last, auth->last_hash};
        m->n++;
        m->posts++;
    }
    free(auth);
    return e;
}

static bool memory_last(void *ctx, struct posted *out)
{
    const struct memory_layer *m = ctx;
    if (m->n > 0) {
        *out = m->held[m->n - 1];
    }
    return m->n > 0;
}

static uint64_t memory_end(void *ctx)
{
    struct posted last;
    return memory_last(ctx, &last) ? last.last : 0;
}

static void use_memory(struct world *w)
{
    const struct data_layer layer = {
        .ctx = &w->memory, .post = memory_post, .end = memory_end, .last = memory_last};
    open_maker(w, &layer);
}

static void what_was_lost_is_posted_again(void **state)
{
    struct world *w = *state;
    use_memory(w);
    grow_many(w, 5 * SEGMENT + 1);
    run(w);
    expect_stands(w, 5 * SEGMENT, 5);
    for (size_t left = 0; left < 5; left++) {
        w->memory.n = left;
        uint32_t before = w->memory.posts;
        step(w);
        assert_int_equal(w->r.err, OK);
        assert_true(w->r.stands.number <= (left + 1) * SEGMENT); /* it went back */
        run(w);
        expect_stands(w, 5 * SEGMENT, 5);
        assert_int_equal(w->memory.posts - before, 5 - left);
    }
}

/* Somebody else posted meanwhile: the next piece begins behind it. */
static void what_others_posted_is_not_posted_again(void **state)
{
    struct world *w = *state;
    use_memory(w);
    grow_many(w, 3 * SEGMENT);
    run(w);
    struct posted all[3];
    memcpy(all, w->memory.held, sizeof all);
    w->memory.n = 0;
    step(w);
    assert_int_equal(w->r.stands.number, SEGMENT);
    memcpy(w->memory.held, all, sizeof all);
    w->memory.n = 2;
    uint32_t before = w->memory.posts;
    run(w);
    expect_stands(w, 3 * SEGMENT, 3);
    assert_int_equal(w->memory.posts - before, 1);
}

static void a_refusal_makes_it_look_again(void **state)
{
    struct world *w = *state;
    use_memory(w);
    grow_many(w, SEGMENT);
    w->memory.refuse = ERR_REFUSED;
    run(w);
    assert_int_equal(w->r.err, ERR_REFUSED);
    w->memory.refuse = OK;
    run(w);
    expect_stands(w, SEGMENT, 1);
}

/* After a crash the layer may hold more than this disk: it waits for the others' blocks. */
static void the_layer_is_ahead(void **state)
{
    struct world *w = *state;
    uint64_t last = SEGMENT;
    use_memory(w);
    w->memory.held[0] = (struct posted){0, 1, last, keccak256(&last, sizeof last)};
    w->memory.n = 1;
    grow_many(w, 2);
    run(w);
    assert_int_equal(w->r.err, OK);
    assert_false(w->r.level);
    assert_non_null(strstr(w->r.why, "posted up to block 6, which is not on this disk yet"));
    assert_int_equal(w->r.stands.timestamp_ms, 0);
    grow_many(w, 2 * SEGMENT - 2);
    run(w);
    expect_stands(w, 2 * SEGMENT, 2);
    assert_int_equal(w->memory.posts, 1);
}

static void another_chain_is_never_continued(void **state)
{
    struct world *w = *state;
    use_memory(w);
    grow_many(w, 2 * SEGMENT);
    w->memory.held[0] = (struct posted){0, 1, SEGMENT, {{1, 2, 3}}};
    w->memory.n = 1;
    run(w);
    assert_int_equal(w->r.err, ERR_CORRUPT);
    assert_non_null(strstr(w->r.why, "is not this chain's"));
    assert_int_equal(w->memory.posts, 0);
}

/* ---- on the loop ----------------------------------------------------------------------------- */

/* A node that has nothing but a disk, a chain and a loop. */
struct loop_world {
    struct world w;
    struct config config;
    struct node *n;
};

static int loop_setup(void **state)
{
    struct loop_world *l = calloc(1, sizeof *l);
    assert_non_null(l);
    open_world(&l->w);
    l->n = calloc(1, sizeof *l->n);
    assert_non_null(l->n);
    struct node *n = l->n;
    snprintf(l->config.dir, sizeof l->config.dir, "%s", l->w.dir.path);
    n->config = &l->config;
    n->storage = l->w.storage;
    n->genesis = l->w.genesis;
    n->epoch = l->w.config;
    n->metrics = metrics_create();
    assert_non_null(n->metrics);
    assert_int_equal(uv_loop_init(&n->loop), 0);
    *state = l;
    return 0;
}

static void close_posting(struct loop_world *l)
{
    struct node *n = l->n;
    posting_stop(n);
    while (n->closing > 0) {
        uv_run(&n->loop, UV_RUN_ONCE);
    }
    posting_close(n);
    memset(&n->poster, 0, sizeof n->poster);
}

static int loop_teardown(void **state)
{
    struct loop_world *l = *state;
    close_posting(l);
    assert_int_equal(uv_loop_close(&l->n->loop), 0);
    blocks_close(l->n);
    metrics_destroy(l->n->metrics);
    storage_close(l->w.storage);
    genesis_free(&l->w.genesis);
    kit_dir_remove(&l->w.dir);
    free(l->n);
    free(l);
    return 0;
}

static enum err open_posting(struct loop_world *l)
{
    return posting_open(l->n, l->n->end_why, sizeof l->n->end_why);
}

/* Everything on the disk is part of `latest`. */
static void show_all(struct loop_world *l)
{
    struct finality *f = &l->n->finality;
    settle(&l->w);
    f->latest_slot = l->w.tip.slot;
    f->latest_number = l->w.tip.height;
    f->latest_payload = l->w.tip.payload;
    f->latest_ms = l->w.tip.timestamp_ms;
}

static void turn(struct loop_world *l)
{
    posting_turn(l->n);
    while (l->n->poster.working) {
        uv_run(&l->n->loop, UV_RUN_ONCE);
    }
}

static void posted_in_turns(void **state)
{
    struct loop_world *l = *state;
    struct poster *p = &l->n->poster;
    assert_int_equal(open_posting(l), OK);
    assert_true(hash_equal(&p->safe.hash, &l->w.genesis.payload));
    grow_many(&l->w, 2 * SEGMENT + 1);
    show_all(l);
    turn(l);
    assert_int_equal(p->safe.number, 2 * SEGMENT);
    assert_int_equal(p->finalized.number, 2 * SEGMENT);
    assert_int_equal(p->segments, 2);
    turn(l);
    assert_false(p->working); /* nothing new: nothing to do */
    close_posting(l);
    assert_int_equal(open_posting(l), OK);
    assert_int_equal(p->safe.number, 2 * SEGMENT);
    assert_int_equal(p->safe.timestamp_ms,
                     l->w.genesis.timestamp_ms + (uint64_t)(2 * SEGMENT) * BLOCK_MS);
}

static void failures_are_told_once(void **state)
{
    struct loop_world *l = *state;
    struct poster *p = &l->n->poster;
    assert_int_equal(open_posting(l), OK);
    grow_many(&l->w, SEGMENT);
    show_all(l);
    for (uint32_t i = 0; i < 3; i++) {
        layer_file_fail_after(p->files, 0);
        p->retry_us = p->retry_us != 0 ? 1 : 0; /* it is time */
        turn(l);
        assert_int_equal(p->err, ERR_IO);
        assert_int_equal(p->safe.number, 0);
        assert_true(p->retry_us > 1);
        turn(l); /* too early: not tried */
        assert_int_equal(p->err, ERR_IO);
    }
    assert_true(metrics_get(l->n->metrics, METRIC_BATCH_FAILURES, 0) < 1.5);
    assert_int_equal(posting_layer(l->n), PRESSURE_LAYER_DOWN);
    p->retry_us = 1;
    turn(l);
    assert_int_equal(p->err, OK);
    assert_int_equal(p->safe.number, SEGMENT);
    assert_int_equal(posting_layer(l->n), PRESSURE_LAYER_OK);
}

/* Blocks of years ago wait: the stage rises when that lasts, and falls when they are posted. */
static void pressure_rises_when_it_lasts(void **state)
{
    struct loop_world *l = *state;
    struct poster *p = &l->n->poster;
    assert_int_equal(open_posting(l), OK);
    grow_many(&l->w, 2);
    show_all(l);
    turn(l);
    turn(l);
    assert_int_equal(p->stage, 0);
    p->rising_us -= 11000000;
    turn(l);
    assert_int_equal(p->stage, 3);
    assert_true(posting_pressure(l->n).refuse);
    grow_many(&l->w, SEGMENT - 2);
    show_all(l);
    turn(l);
    turn(l);
    assert_int_equal(p->safe.number, SEGMENT);
    assert_int_equal(p->stage, 0);
}

static void heads_go_back_and_are_never_shown_above_latest(void **state)
{
    struct loop_world *l = *state;
    struct node *n = l->n;
    const struct posting_head high = {20, {{20}}, 2};
    const struct posting_head low = {7, {{7}}, 1};
    n->finality.latest_number = 10;
    n->finality.latest_payload = (struct hash){{10}};
    posting_heads(n, &high, &low);
    assert_int_equal(posting_shown(n, &n->poster.safe).number, 10);
    assert_int_equal(posting_shown(n, &n->poster.safe).hash.b[0], 10);
    assert_int_equal(posting_shown(n, &n->poster.finalized).number, 7);
    posting_heads(n, &low, &low);
    assert_int_equal(posting_shown(n, &n->poster.safe).number, 7);
}

/* What stands in the folder must be what the own database has at that height. */
static void another_history_is_refused(void **state)
{
    struct loop_world *l = *state;
    assert_int_equal(open_posting(l), OK);
    grow_many(&l->w, SEGMENT);
    show_all(l);
    turn(l);
    close_posting(l);
    l->n->epoch.hash.b[0] ^= 1;
    assert_int_equal(open_posting(l), ERR_WRONG_CHAIN);
    assert_non_null(strstr(l->n->end_why, "is not certified by this chain; move that folder away"));
    assert_int_equal(node_exit_code(ERR_WRONG_CHAIN), 3);
    l->n->epoch.hash.b[0] ^= 1;
    close_posting(l);
    assert_int_equal(open_posting(l), OK);
    assert_int_equal(l->n->poster.safe.number, SEGMENT);
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, loop_setup, loop_teardown)
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_yet),
        TEST(every_block_in_order),
        TEST(goes_on_after_a_start),
        TEST(proved_from_above),
        TEST(too_far_from_a_certificate),
        TEST(empty_blocks),
        TEST(in_pieces),
        TEST(the_disk_fails),
        TEST(what_was_lost_is_posted_again),
        TEST(what_others_posted_is_not_posted_again),
        TEST(a_refusal_makes_it_look_again),
        TEST(the_layer_is_ahead),
        TEST(another_chain_is_never_continued),
        LOOP_TEST(posted_in_turns),
        LOOP_TEST(failures_are_told_once),
        LOOP_TEST(pressure_rises_when_it_lasts),
        LOOP_TEST(heads_go_back_and_are_never_shown_above_latest),
        LOOP_TEST(another_history_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
