/* A transaction's way in: checked once, refused before it costs anything, stored in few writes,
 * acknowledged by durable copies only. Peers are played by their messages. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node_kit.h"
#include "proto/body.h"
#include "proto/keccak.h"
#include "sequencer/node/genesis_file.h"
#include "sequencer/node/parts.h"

enum { RAW = 160, MANY = 600, PEER = 1, SLICE = 32, WRITE_US = 8000, REPEAT_US = 500000 };

struct answer {
    uint32_t n;
    int code;
    char text[128];
    struct hash hash;
};

struct world {
    struct kit_dir dir;
    struct node *n;
    struct answer answer;
    uint8_t raw[RAW];
    size_t raw_n;
    uint64_t nonce; /* of every account, as the final state has it */
    struct u256 balance;
};

static void wake(void *arg)
{
    struct node *n = arg;
    uv_async_send(&n->storage_wake);
}

static void woken(uv_async_t *async)
{
    store_drain(async->data);
}

static void account(void *ctx, const struct address *a, uint64_t *nonce, struct u256 *balance)
{
    const struct world *w = ctx;
    (void)a;
    *nonce = w->nonce;
    *balance = w->balance;
}

static void no_base_fee(void *ctx, struct u256 *out)
{
    (void)ctx;
    *out = u256_from_u64(0);
}

static void open_pool(struct world *w)
{
    struct node *n = w->n;
    const struct mempool_options pool = {
        .chain_id = n->epoch.chain_id,
        .gas_limit = n->epoch.params.gas_limit,
        .chain = {.ctx = w, .account = account, .base_fee = no_base_fee}};
    assert_int_equal(mempool_create(&n->mempool, &pool), OK);
}

static void open_node(struct world *w)
{
    struct genesis g;
    char why[256];
    enum storage_verdict verdict;
    struct node *n = w->n;
    kit_genesis(&g);
    assert_int_equal(genesis_epoch_config(&n->epoch, &g, why, sizeof why), OK);
    assert_int_equal(uv_loop_init(&n->loop), 0);
    assert_int_equal(uv_async_init(&n->loop, &n->storage_wake, woken), 0);
    n->storage_wake.data = n;
    const struct storage_options o = {.dir = w->dir.path,
                                      .genesis = n->epoch.genesis,
                                      .member = g.member[0].address,
                                      .create = true,
                                      .wake = wake,
                                      .wake_arg = n};
    assert_int_equal(storage_open(&n->storage, &o, &verdict, why, sizeof why), OK);
    genesis_free(&g);
    n->metrics = metrics_create();
    assert_non_null(n->metrics);
    w->balance = u256_from_u64(UINT64_MAX);
    open_pool(w);
    assert_int_equal(driver_steps(n), OK);
    intake_open(n);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    kit_dir_make(&w->dir);
    w->n = calloc(1, sizeof *w->n);
    assert_non_null(w->n);
    open_node(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    struct node *n = w->n;
    while (n->intake.working > 0) {
        uv_run(&n->loop, UV_RUN_ONCE);
    }
    intake_close(n);
    steps_close(&n->driver.steps);
    storage_close(n->storage);
    uv_close((uv_handle_t *)&n->storage_wake, NULL);
    uv_run(&n->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&n->loop), 0);
    mempool_destroy(n->mempool);
    metrics_destroy(n->metrics);
    kit_dir_remove(&w->dir);
    free(n);
    free(w);
    return 0;
}

static void transfer(struct world *w, uint8_t sender, uint64_t nonce)
{
    struct secret_key key = {{0}};
    key.b[0] = 1;
    key.b[31] = sender;
    const struct tx_request r = {.chain_id = w->n->epoch.chain_id,
                                 .nonce = nonce,
                                 .max_priority_fee = u256_from_u64(1),
                                 .max_fee = u256_from_u64(2),
                                 .gas = 21000,
                                 .value = u256_from_u64(1)};
    assert_int_equal(tx_sign(w->raw, sizeof w->raw, &w->raw_n, &r, &key), OK);
}

static void answered(void *arg, const struct rpc_verdict *v)
{
    struct answer *a = arg;
    a->n++;
    a->code = v->code;
    a->hash = v->hash;
    snprintf(a->text, sizeof a->text, "%s", v->message != NULL ? v->message : "");
}

static void submit(struct world *w)
{
    intake_submit(w->n, bytes_of(w->raw, w->raw_n), answered, &w->answer);
}

static void from_peer(struct world *w)
{
    struct bytes raw = bytes_of(w->raw, w->raw_n);
    struct message m = {.kind = MSG_TXS};
    m.u.txs.tx = &raw;
    m.u.txs.txs = 1;
    intake_from_peer(w->n, PEER, &m);
}

static void acknowledge(struct world *w, int member, struct hash hash)
{
    struct message m = {.kind = MSG_TX_ACK};
    m.u.tx_ack.hash = &hash;
    m.u.tx_ack.hashes = 1;
    intake_acked(w->n, member, &m);
}

static size_t pool_count(const struct world *w)
{
    struct mempool_stats s;
    mempool_get_stats(w->n->mempool, &s);
    return s.count;
}

/* Until nothing waits, is checked or is being written. */
static void settle(struct world *w)
{
    struct intake *in = &w->n->intake;
    intake_turn(w->n);
    while (in->own.n + in->peers.n + in->working + in->admitted.n > 0 || in->batch != NULL) {
        in->credit_us = WRITE_US;
        uv_run(&w->n->loop, in->working > 0 || in->batch != NULL ? UV_RUN_ONCE : UV_RUN_NOWAIT);
        intake_turn(w->n);
    }
}

static void acknowledged_when_two_of_four_hold_it(void **state)
{
    struct world *w = *state;
    transfer(w, 1, 0);
    submit(w);
    settle(w);
    assert_int_equal(w->answer.n, 0); /* durable here, and nowhere else */
    struct hash hash = w->n->intake.asking->hash;
    acknowledge(w, PEER, hash);
    assert_int_equal(w->answer.n, 1);
    assert_int_equal(w->answer.code, 0);
    assert_memory_equal(&w->answer.hash, &hash, sizeof hash);
    assert_null(w->n->intake.asking);
    acknowledge(w, 2, hash);
    intake_final(w->n, &hash);
    assert_int_equal(w->answer.n, 1);
}

static void a_known_one_is_not_checked_again(void **state)
{
    struct world *w = *state;
    transfer(w, 1, 0);
    submit(w);
    settle(w);
    w->answer.n = 0;
    submit(w);
    assert_int_equal(w->answer.n, 1); /* at once: no worker saw it */
    assert_string_equal(w->answer.text, "already known");
    assert_int_equal(w->n->intake.own.n, 0);
}

static void a_peers_repetition_is_answered_without_a_check(void **state)
{
    struct world *w = *state;
    struct intake *in = &w->n->intake;
    transfer(w, 1, 0);
    from_peer(w);
    assert_int_equal(in->peers.n, 1);
    settle(w);
    assert_int_equal(pool_count(w), 1);
    from_peer(w);
    assert_int_equal(in->peers.n, 0);
    assert_int_equal(in->admitted.n, 1);
    struct mempool_entry e;
    assert_true(mempool_get(w->n->mempool, &in->admitted.first->tx.hash, &e));
    assert_true(address_equal(&in->admitted.first->sender, &e.sender));
    settle(w);
    assert_int_equal(pool_count(w), 1);
}

/* A block of these transactions, whose body has just come. */
static struct block_entry *block_arrives(struct world *w, const struct bytes *raw, uint32_t n)
{
    uint8_t body[8 * RAW];
    size_t size = body_size(raw, n);
    assert_true(size <= sizeof body);
    body_write(body, raw, n);
    struct block_head h = {
        .header = {.chain_id = w->n->epoch.chain_id, .slot = 1, .body_len = (uint32_t)size}};
    h.header.genesis = w->n->epoch.genesis;
    h.header.body_root = keccak256(body, size);
    h.hash = header_hash(&h.header);
    assert_non_null(blocks_put_head(w->n, &h));
    body_arrived(w->n, &h.hash, bytes_of(body, size));
    struct block_entry *e = blocks_find(w->n, &h.hash);
    while (e->body_state == ENTRY_CHECKING) {
        uv_run(&w->n->loop, UV_RUN_ONCE);
    }
    assert_int_equal(e->body_state, ENTRY_GOOD);
    return e;
}

/* A sender that nobody could have recovered shows that nobody did. */
static void a_sender_is_recovered_once(void **state)
{
    enum { BLOCK = INLINE_TXS + 3 };
    struct world *w = *state;
    struct node *n = w->n;
    uint8_t copy[BLOCK][RAW];
    struct bytes raw[BLOCK];
    const struct address planted = {{0xaa}};
    struct address sender;
    uint64_t nonce;
    for (uint32_t i = 0; i < BLOCK; i++) {
        transfer(w, 7, i);
        memcpy(copy[i], w->raw, w->raw_n);
        raw[i] = bytes_of(copy[i], w->raw_n);
    }
    struct hash first = keccak256(raw[0].p, raw[0].n);
    struct hash last = keccak256(raw[BLOCK - 1].p, raw[BLOCK - 1].n);
    senders_put(n, &first, &planted, 0);
    n->executes.busy = 1; /* nothing is executed here */
    const struct block_entry *e = block_arrives(w, raw, BLOCK);
    assert_true(address_equal(&e->tx[0].sender, &planted));
    assert_true(senders_get(n, &last, &sender, &nonce)); /* by a worker, for the block */
    assert_true(address_equal(&sender, &e->tx[BLOCK - 1].sender));
    assert_false(address_equal(&sender, &planted));
    assert_int_equal(nonce, BLOCK - 1);
    senders_put(n, &last, &planted, nonce);
    w->nonce = BLOCK - 1;
    from_peer(w); /* w->raw is the last one */
    settle(w);
    struct mempool_entry held;
    assert_true(mempool_get(n->mempool, &last, &held));
    assert_true(address_equal(&held.sender, &planted));
    blocks_close(n);
}

static void what_is_not_recovered_is_not_known(void **state)
{
    struct world *w = *state;
    struct address sender;
    uint64_t nonce;
    transfer(w, 1, 0);
    struct hash good = keccak256(w->raw, w->raw_n);
    assert_false(senders_get(w->n, &good, &sender, &nonce));
    from_peer(w);
    settle(w);
    assert_true(senders_get(w->n, &good, &sender, &nonce));
    transfer(w, 1, 1);
    memset(w->raw + w->raw_n - 32, 0xff, 32); /* s above half the order */
    struct hash bad = keccak256(w->raw, w->raw_n);
    from_peer(w);
    settle(w);
    assert_false(senders_get(w->n, &bad, &sender, &nonce));
}

static void junk(struct world *w, uint32_t i)
{
    store_be32(w->raw, i | 0x80000000);
    w->raw_n = 100;
}

static void overload_is_refused_before_it_costs_anything(void **state)
{
    struct world *w = *state;
    struct intake *in = &w->n->intake;
    for (uint32_t i = 0; i < MANY; i++) {
        junk(w, i);
        submit(w);
    }
    assert_int_equal(w->answer.n, 0); /* a burst is taken: nobody has waited yet */
    in->own.first->at_us -= (LIMIT_INTAKE_LATE_MS + 1) * UINT64_C(1000);
    transfer(w, 1, 0);
    submit(w);
    assert_int_equal(w->answer.n, 1);
    assert_int_equal(w->answer.code, -32000);
    assert_string_equal(w->answer.text, "txpool is full");
    assert_int_equal(in->own.n, MANY);
    settle(w);
    assert_int_equal(w->answer.n, MANY + 1);
    submit(w); /* the queue has drained */
    settle(w);
    assert_int_equal(w->answer.n, MANY + 1);
    assert_int_equal(pool_count(w), 1);
}

static void workers_get_only_what_keeps_them_busy(void **state)
{
    struct world *w = *state;
    struct intake *in = &w->n->intake;
    for (uint32_t i = 0; i < MANY; i++) {
        junk(w, i);
        submit(w);
        junk(w, MANY + i);
        from_peer(w);
    }
    uint32_t most = in->works_most * SLICE;
    assert_true(most < MANY);
    intake_turn(w->n);
    assert_int_equal(in->working, most);
    assert_int_equal(in->peers.n, MANY - most); /* what others answered for goes first */
    assert_int_equal(in->own.n, MANY);
    settle(w);
    assert_int_equal(w->answer.n, MANY);
}

static void under_load_writes_are_gathered(void **state)
{
    struct world *w = *state;
    struct intake *in = &w->n->intake;
    uint64_t before;
    do {
        settle(w);
        transfer(w, 1, pool_count(w));
        submit(w);
        before = in->credit_at_us = driver_now();
        in->credit_us = 0;
        intake_turn(w->n);
    } while (driver_now() - before >= WRITE_US); /* a machine that stood still proves nothing */
    assert_int_equal(in->admitted.n, 1);
    assert_null(in->batch);
    in->credit_us = WRITE_US;
    intake_turn(w->n);
    assert_int_equal(in->admitted.n, 0);
    assert_non_null(in->batch);
    settle(w);
}

static void repetitions_wait_longer_each_time(void **state)
{
    struct world *w = *state;
    transfer(w, 1, 0);
    submit(w);
    settle(w);
    struct intake_wait *wait = w->n->intake.asking;
    uint64_t pause = REPEAT_US;
    for (uint32_t i = 1; i <= 3; i++, pause *= 2) {
        wait->at_us = driver_now();
        wait->sent_us = driver_now() - pause / 2;
        intake_sweep(w->n);
        assert_int_equal(wait->repeats, i - 1);
        wait->sent_us = driver_now() - pause - 1;
        intake_sweep(w->n);
        assert_int_equal(wait->repeats, i);
    }
    wait->at_us -= 20 * (uint64_t)1000000;
    intake_sweep(w->n);
    assert_int_equal(w->answer.n, 1); /* told that it could not be stored; still in the pool */
    assert_int_equal(w->answer.code, -32000);
    assert_null(w->n->intake.asking);
}

/* A final block of member 1 at slot 9 that arrived at `at_us` and used so much gas. */
static struct block_entry *final_block(struct world *w, uint64_t at_us, uint64_t gas_used)
{
    struct block_head head = {.header = {.slot = 9, .leader = 1, .height = 9, .body_len = 1}};
    head.hash = header_hash(&head.header);
    struct block_entry *e = blocks_put_head(w->n, &head);
    assert_non_null(e);
    e->has_info = true;
    e->info.gas_used = gas_used;
    e->arrival_us = at_us;
    w->n->finality.latest_block = e->hash;
    return e;
}

/* What was acknowledged and is left out although there is room: told once, and only where asked for. */
static void starving_is_told_once(void **state)
{
    struct world *w = *state;
    struct config config = {.inclusion_limit_ms = 0};
    w->n->config = &config;
    transfer(w, 1, 0);
    submit(w);
    settle(w);
    struct intake_wait *wait = w->n->intake.wait;
    assert_non_null(wait);
    uint64_t limit = w->n->epoch.params.gas_limit;
    struct block_entry *e = final_block(w, wait->at_us + 2000000, 0);
    config.inclusion_limit_ms = 1000;
    intake_sweep(w->n);
    assert_false(wait->starved); /* not yet acknowledged */
    acknowledge(w, PEER, wait->hash);
    config.inclusion_limit_ms = 0;
    intake_sweep(w->n);
    assert_false(wait->starved); /* off */
    config.inclusion_limit_ms = 3000;
    intake_sweep(w->n);
    assert_false(wait->starved); /* it has not waited for so long */
    config.inclusion_limit_ms = 1000;
    e->info.gas_used = limit - 20999;
    intake_sweep(w->n);
    assert_false(wait->starved); /* no room */
    e->info.gas_used = limit - 21000;
    intake_sweep(w->n);
    assert_true(wait->starved);
    blocks_close(w->n);
    w->n->finality.latest_block = (struct hash){{0}};
}

/* As a process that starts again finds it: the disk, and no more. */
static void restore_pool(struct world *w)
{
    mempool_destroy(w->n->mempool);
    open_pool(w);
    assert_int_equal(pool_restore(w->n), OK);
}

/* What was acknowledged is not judged again by a state that the crash threw back: else the disk
 * forgets it, and who was told "accepted" waits for ever. */
static void what_is_stored_comes_back_on_a_younger_state(void **state)
{
    struct world *w = *state;
    enum { ROW = LIMIT_POOL_ACCOUNT_QUEUED + 8 };
    w->nonce = 1; /* nonce 0 is final, in a block that this node never had it in its pool for */
    for (uint64_t nonce = 1; nonce <= ROW; nonce++) {
        transfer(w, 1, nonce);
        from_peer(w);
        settle(w);
    }
    assert_int_equal(pool_count(w), ROW);
    w->nonce = 0;
    w->balance = u256_from_u64(1); /* the money came with that block */
    restore_pool(w);
    assert_int_equal(pool_count(w), ROW);
    mempool_sweep(w->n->mempool, driver_wall(w->n) / 1000, NULL, NULL);
    w->nonce = 1;
    w->balance = u256_from_u64(UINT64_MAX);
    mempool_sweep(w->n->mempool, driver_wall(w->n) / 1000, NULL, NULL);
    struct mempool_stats s;
    mempool_get_stats(w->n->mempool, &s);
    assert_int_equal(s.executable, ROW);
    restore_pool(w); /* and the disk still has every one of them */
    assert_int_equal(pool_count(w), ROW);
}

static void what_is_final_does_not_come_back(void **state)
{
    struct world *w = *state;
    for (uint64_t nonce = 0; nonce < 4; nonce++) {
        transfer(w, 1, nonce);
        from_peer(w);
        settle(w);
    }
    w->nonce = 3;
    restore_pool(w);
    assert_int_equal(pool_count(w), 1);
    w->nonce = 0;
    assert_int_equal(storage_submit_puts(w->n->storage, NULL, 0, true, 0), OK);
    assert_int_equal(storage_retry(w->n->storage), OK);
    restore_pool(w);
    assert_int_equal(pool_count(w), 1); /* erased from the disk too */
}

static void count_txs(void *ctx, const struct execution_block *b, execution_cb cb, void *arg)
{
    uint32_t *seen = ctx;
    (void)cb;
    (void)arg;
    *seen = b->txs;
}

/* How many transactions the next own block would hold. */
static uint32_t built_with(struct world *w, unsigned stage)
{
    uint32_t seen = UINT32_MAX;
    const struct effect e = {.kind = EFFECT_BUILD};
    w->n->poster.stage = stage;
    w->n->execution.ctx = &seen;
    w->n->execution.build = count_txs;
    build_ask(w->n, &e);
    assert_int_not_equal(seen, UINT32_MAX);
    return seen;
}

/* Back-pressure: smaller blocks, then none with transactions; new ones are refused, old ones kept. */
static void pressure_is_heeded(void **state)
{
    struct world *w = *state;
    struct node *n = w->n;
    n->poster.permille = 1000;
    for (uint8_t i = 1; i <= 40; i++) {
        transfer(w, i, 0);
        submit(w);
    }
    settle(w);
    assert_int_equal(pool_count(w), 40);
    assert_int_equal(built_with(w, 0), 40);
    uint32_t fit = 2000 / (uint32_t)w->raw_n;
    assert_in_range(built_with(w, 2), fit - 1, fit + 1);
    n->poster.permille = 500; /* posted, they take half */
    assert_in_range(built_with(w, 2), 2 * fit - 1, 2 * fit + 1);
    assert_int_equal(built_with(w, 3), 0);
    w->answer.n = 0;
    transfer(w, 41, 0);
    submit(w);
    assert_int_equal(w->answer.n, 1);
    assert_int_equal(w->answer.code, -32005);
    assert_non_null(strstr(w->answer.text, "data layer unavailable"));
    assert_int_equal(pool_count(w), 40);
    n->poster.stage = 0;
    submit(w);
    settle(w);
    assert_int_equal(pool_count(w), 41);
    build_close(n);
}

/* ---- the end: workers come back to a node whose disk and ledger are gone ---------------------- */

static void close_under_way(struct world *w)
{
    w->n->driver.closed = true;
    storage_close(w->n->storage);
    w->n->storage = NULL;
}

static void what_workers_bring_back_at_the_end_is_given_back(void **state)
{
    struct world *w = *state;
    for (uint8_t sender = 1; sender <= 2 * SLICE; sender++) {
        transfer(w, sender, 0);
        submit(w);
    }
    intake_turn(w->n);
    assert_true(w->n->intake.working >= SLICE);
    uint32_t working = w->n->intake.working;
    close_under_way(w);
    while (w->n->intake.working > 0) {
        uv_run(&w->n->loop, UV_RUN_ONCE);
    }
    assert_int_equal(w->answer.n, working);
    assert_string_equal(w->answer.text, "node is stopping");
    assert_int_equal(pool_count(w), 0);
    assert_int_equal(w->n->intake.admitted.n, 0);
}

static struct block_entry *body_of_many(struct world *w)
{
    uint8_t raw[SLICE][RAW];
    struct bytes tx[SLICE];
    uint8_t body[SLICE * (RAW + 8)];
    for (uint8_t i = 0; i < SLICE; i++) {
        transfer(w, (uint8_t)(i + 1), 0);
        memcpy(raw[i], w->raw, w->raw_n);
        tx[i] = bytes_of(raw[i], w->raw_n);
    }
    size_t n = body_size(tx, SLICE);
    assert_true(n <= sizeof body);
    body_write(body, tx, SLICE);
    struct block_head h = {.header = {.chain_id = w->n->epoch.chain_id,
                                      .slot = 1,
                                      .body_len = (uint32_t)n,
                                      .body_root = keccak256(body, n)}};
    h.hash = header_hash(&h.header);
    assert_non_null(blocks_put_head(w->n, &h));
    body_arrived(w->n, &h.hash, bytes_of(body, n));
    return blocks_find(w->n, &h.hash);
}

static void a_body_that_is_checked_at_the_end_is_dropped(void **state)
{
    struct world *w = *state;
    struct block_entry *e = body_of_many(w);
    assert_int_equal(e->body_state, ENTRY_CHECKING);
    assert_true(e->pins > 0);
    close_under_way(w);
    while (e->pins > 0) {
        uv_run(&w->n->loop, UV_RUN_ONCE);
    }
    assert_int_equal(e->body_state, ENTRY_NONE);
    assert_false(e->stored);
    blocks_close(w->n);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(acknowledged_when_two_of_four_hold_it),
        TEST(a_known_one_is_not_checked_again),
        TEST(a_peers_repetition_is_answered_without_a_check),
        TEST(a_sender_is_recovered_once),
        TEST(what_is_not_recovered_is_not_known),
        TEST(overload_is_refused_before_it_costs_anything),
        TEST(workers_get_only_what_keeps_them_busy),
        TEST(under_load_writes_are_gathered),
        TEST(repetitions_wait_longer_each_time),
        TEST(starving_is_told_once),
        TEST(pressure_is_heeded),
        TEST(what_is_stored_comes_back_on_a_younger_state),
        TEST(what_is_final_does_not_come_back),
        TEST(what_workers_bring_back_at_the_end_is_given_back),
        TEST(a_body_that_is_checked_at_the_end_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
