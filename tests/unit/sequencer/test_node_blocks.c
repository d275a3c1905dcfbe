/* The cache of blocks: bounded, nothing lost that the disk or unfinished work needs. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "node_kit.h"
#include "proto/keccak.h"
#include "sequencer/node/genesis_file.h"
#include "sequencer/node/parts.h"

enum { LARGE = 1048576 };

struct world {
    struct kit_dir dir;
    struct node *n;
    uint8_t *body;
};

static void ignore_wake(void *arg)
{
    (void)arg;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct genesis g;
    char why[256];
    enum storage_verdict verdict;
    assert_non_null(w);
    kit_dir_make(&w->dir);
    kit_genesis(&g);
    w->n = calloc(1, sizeof *w->n);
    w->body = calloc(1, LARGE);
    assert_non_null(w->n);
    assert_non_null(w->body);
    assert_int_equal(genesis_epoch_config(&w->n->epoch, &g, why, sizeof why), OK);
    const struct storage_options o = {.dir = w->dir.path,
                                      .genesis = w->n->epoch.genesis,
                                      .member = g.member[0].address,
                                      .create = true,
                                      .wake = ignore_wake};
    assert_int_equal(storage_open(&w->n->storage, &o, &verdict, why, sizeof why), OK);
    genesis_free(&g);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    blocks_close(w->n);
    storage_close(w->n->storage);
    kit_dir_remove(&w->dir);
    free(w->body);
    free(w->n);
    free(w);
    return 0;
}

static struct block_head head_at(const struct world *w, uint64_t slot, uint32_t body_len)
{
    struct block_head h = {
        .header = {.chain_id = w->n->epoch.chain_id, .slot = slot, .body_len = body_len}};
    h.header.genesis = w->n->epoch.genesis;
    h.hash = header_hash(&h.header);
    return h;
}

/* A block with a body, as it stands after its check. */
static struct block_entry *put(struct world *w, uint64_t slot)
{
    struct block_head h = head_at(w, slot, LARGE);
    struct block_entry *e = blocks_put_head(w->n, &h);
    assert_non_null(e);
    memset(w->body, (int)slot, LARGE);
    assert_true(blocks_put_body(w->n, e, bytes_of(w->body, LARGE), ENTRY_GOOD));
    return e;
}

static void done_blocks_leave_when_the_cache_is_full(void **state)
{
    struct world *w = *state;
    for (uint64_t slot = 1; slot <= 200; slot++) {
        struct block_entry *e = put(w, slot);
        blocks_store(w->n, e);
        e->done = true;
        assert_true(w->n->blocks.bytes <= LIMIT_BLOCK_CACHE_BYTES + LARGE + 65536);
    }
    struct block_head first = head_at(w, 1, LARGE);
    struct block_head last = head_at(w, 200, LARGE);
    assert_null(blocks_find(w->n, &first.hash));
    assert_non_null(blocks_find(w->n, &last.hash));
}

static void unfinished_blocks_keep_what_is_known_of_them(void **state)
{
    struct world *w = *state;
    for (uint64_t slot = 1; slot <= 100; slot++) {
        struct block_entry *e = put(w, slot);
        e->run = ENTRY_VALID;
        blocks_store(w->n, e);
    }
    struct block_head first = head_at(w, 1, LARGE);
    struct block_entry *e = blocks_find(w->n, &first.hash);
    assert_non_null(e);
    assert_int_equal(e->run, ENTRY_VALID);
    assert_null(e->body);
    assert_true(w->n->blocks.bytes <= LIMIT_BLOCK_CACHE_BYTES + LARGE + 65536);
}

static void what_is_not_stored_or_pinned_stays(void **state)
{
    struct world *w = *state;
    put(w, 1);
    put(w, 2)->pins = 1;
    for (uint64_t slot = 3; slot <= 100; slot++) {
        struct block_entry *e = put(w, slot);
        blocks_store(w->n, e);
        e->done = true;
    }
    struct block_head one = head_at(w, 1, LARGE);
    struct block_head two = head_at(w, 2, LARGE);
    assert_non_null(blocks_find(w->n, &one.hash)->body);
    assert_non_null(blocks_find(w->n, &two.hash)->body);
    blocks_find(w->n, &two.hash)->pins = 0;
}

static void bodies_come_back_from_disk(void **state)
{
    struct world *w = *state;
    struct block_entry *e = put(w, 7);
    struct hash hash = e->hash;
    blocks_store(w->n, e);
    blocks_drop_body(w->n, e);
    /* The storage thread writes when it writes: until then the block is simply not here. */
    for (int i = 0; i < 5000 && (e = blocks_load(w->n, &hash))->body == NULL; i++) {
        usleep(1000);
    }
    assert_int_equal(e->body_state, ENTRY_LOADED);
    assert_int_equal(e->body_len, LARGE);
    assert_int_equal(e->body[LARGE - 1], 7);
}

static void an_unknown_block_leaves_nothing_behind(void **state)
{
    struct world *w = *state;
    struct hash h = keccak256("x", 1);
    assert_null(blocks_load(w->n, &h));
    assert_null(blocks_find(w->n, &h));
    assert_int_equal(w->n->blocks.bytes, 0);
}

static void rivals_of_final_blocks_are_forgotten(void **state)
{
    struct world *w = *state;
    struct block_head rival = head_at(w, 4, 1);
    put(w, 5)->final = true;
    assert_non_null(blocks_put_head(w->n, &rival));
    blocks_forget_below(w->n, 5);
    struct block_head kept = head_at(w, 5, LARGE);
    assert_null(blocks_find(w->n, &rival.hash));
    assert_non_null(blocks_find(w->n, &kept.hash));
}

static void taken_names_the_ancestors_above_latest(void **state)
{
    struct world *w = *state;
    struct taken t = {0};
    struct hash tip = {{0}};
    for (uint64_t slot = 1; slot <= 3; slot++) {
        struct block_head h = head_at(w, slot, 1);
        h.header.parent = tip;
        h.hash = header_hash(&h.header);
        struct block_entry *e = blocks_put_head(w->n, &h);
        assert_true(blocks_put_body(w->n, e, bytes_of("b", 1), ENTRY_GOOD));
        e->tx_hash = calloc(1, sizeof *e->tx_hash);
        assert_non_null(e->tx_hash);
        e->tx_hash[0] = keccak256(&slot, sizeof slot);
        e->txs = 1;
        tip = h.hash;
    }
    w->n->finality.latest_slot = 1;
    taken_chain(w->n, &t, &tip);
    for (uint64_t slot = 1; slot <= 4; slot++) {
        struct hash h = keccak256(&slot, sizeof slot);
        assert_int_equal(taken_has(&t, &h), slot == 2 || slot == 3);
    }
    taken_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(done_blocks_leave_when_the_cache_is_full, setup, teardown),
        cmocka_unit_test_setup_teardown(unfinished_blocks_keep_what_is_known_of_them, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_not_stored_or_pinned_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(bodies_come_back_from_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unknown_block_leaves_nothing_behind, setup, teardown),
        cmocka_unit_test_setup_teardown(rivals_of_final_blocks_are_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(taken_names_the_ancestors_above_latest, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
