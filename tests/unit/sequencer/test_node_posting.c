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

#include "posting_world.h"
#include "proto/keccak.h"
#include "proto/limits.h"
#include "sequencer/batcher/auth.h"
#include "sequencer/node/genesis_file.h"

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
    const uint64_t end = SEGMENT; /* the slot of the segment's last block */
    const struct header last = w->tip;
    const struct hash last_hash = w->tip_hash;
    struct certificate near;
    run(w);
    assert_int_equal(w->r.err, OK); /* waited with: members may have one */
    assert_int_equal(w->r.wants_slot, end);
    assert_non_null(strstr(w->r.why, "no certificate within 192 headers"));
    expect_stands(w, 0, 0);
    /* One that proves nothing changes nothing. */
    near = (struct certificate){.kind = VOTE_FINALIZE, .slot = end, .block = last_hash,
                                .signers = 11};
    posting_maker_give(w->maker, &near);
    run(w);
    assert_int_equal(w->r.wants_slot, end);
    expect_stands(w, 0, 0);
    assert_int_equal(storage_hash_by_height(w->storage, SEGMENT, &w->tip_hash), OK);
    w->tip.slot = end;
    certify(w, &near);
    w->tip = last;
    w->tip_hash = last_hash;
    posting_maker_give(w->maker, &near);
    run(w);
    expect_stands(w, SEGMENT + LIMIT_AUTH_HEADERS, 1 + LIMIT_AUTH_HEADERS / SEGMENT);
    assert_int_equal(headers_of(w, 1), 1);
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

/* At a pace of whole seconds too an EMPTY block takes a step that no batch knows of. */
static void a_step_that_no_batch_has(void **state)
{
    struct world *w = *state;
    w->genesis.params.block_time_ms = 1000;
    w->genesis.seal_ms = 6000;
    open_files(w, "seconds");
    for (uint32_t i = 0; i < 7; i++) {
        w->tip.timestamp_ms += 1000 - BLOCK_MS;
        grow(w, i == 3 ? FLAG_EMPTY : 0, true);
    }
    run(w);
    expect_stands(w, 6, 1);
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
        TEST(a_step_that_no_batch_has),
        TEST(in_pieces),
        TEST(the_disk_fails),
        TEST(what_was_lost_is_posted_again),
        TEST(what_others_posted_is_not_posted_again),
        TEST(a_refusal_makes_it_look_again),
        TEST(the_layer_is_ahead),
        TEST(another_chain_is_never_continued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
