/* The ledger's thread beside a real loop: order of answers, persistence, mirror, stalls, bounds,
 * closing. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "chain_kit.h"
#include "proof_check.h"
#include "proto/keccak.h"
#include "sequencer/execution/ledger_service.h"

static const uint64_t ether = 1000000000000000000;
enum { ACCOUNTS = 3000 };

struct world {
    uv_loop_t loop;
    struct genesis g;
    struct ledger_service *s;
    struct execution el;
    struct kit_tx tx;
    struct execution_tx list;
    struct execution_block block;
    /* What came back. */
    unsigned answers;
    enum execution_status status;
    struct payload_info built;
    uint8_t body[1024];
    size_t body_len;
    enum err err;
    struct ledger_account account;
    bool proved;
    unsigned persisted;
    size_t changed;
    struct payload_info head;
    bool closed;
};

static void persist(void *arg, const struct ledger_account *changed, size_t n,
                    const struct payload_info *head)
{
    struct world *w = arg;
    (void)changed;
    w->persisted++;
    w->changed = n;
    w->head = *head;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct ledger *l;
    assert_non_null(w);
    kit_genesis(&w->g, ACCOUNTS, 10 * ether);
    assert_int_equal(ledger_create(&l, &w->g), OK);
    assert_int_equal(uv_loop_init(&w->loop), 0);
    assert_int_equal(ledger_service_start(&w->s, &w->loop, l, persist, w), OK);
    ledger_service_execution(w->s, &w->el);
    *state = w;
    return 0;
}

static void on_closed(void *arg)
{
    struct world *w = arg;
    w->closed = true;
}

static int teardown(void **state)
{
    struct world *w = *state;
    if (!w->closed) {
        ledger_service_close(w->s, on_closed, w);
    }
    assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    assert_true(w->closed);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    free(w->g.alloc);
    free(w);
    return 0;
}

static void wait_answers(struct world *w, unsigned n)
{
    while (w->answers < n) {
        uv_run(&w->loop, UV_RUN_ONCE);
    }
}

static void on_result(void *arg, const struct execution_result *r)
{
    struct world *w = arg;
    w->answers++;
    w->status = r->status;
    if (r->status == EXECUTION_VALID) {
        assert_int_equal(payload_info_decode(&w->built, bytes_of(r->info, r->info_len)), OK);
        w->body_len = r->body_len;
        memcpy(w->body, r->body_len > 0 ? r->body : w->body, r->body_len);
    } else {
        assert_non_null(r->why);
    }
}

static void on_final(void *arg, enum err e)
{
    struct world *w = arg;
    w->answers++;
    w->err = e;
}

static void on_query(void *arg, enum err e, const struct ledger_account *acc, const uint8_t *proof,
                     size_t n)
{
    struct world *w = arg;
    w->answers++;
    w->err = e;
    w->account = *acc;
    struct hash key = keccak256(acc->address.b, sizeof acc->address.b);
    struct bytes value;
    w->proved = e == OK && proof != NULL &&
                proof_check(bytes_of(proof, n), &w->built.state_root, bytes_of(key.b, 32),
                            &value) == PROOF_PRESENT;
}

static void frame(struct world *w, const struct hash *parent, uint64_t height,
                  const struct kit_transfer *t)
{
    kit_sign(&w->tx, t);
    w->list = kit_execution_tx(&w->tx);
    w->block = (struct execution_block){
        .parent = *parent,
        .height = height,
        .timestamp_ms = KIT_START_MS + 200 * height,
        .fee_recipient = kit_address(7000),
        .tx = &w->list,
        .txs = 1,
    };
}

/* Build, execute the same, finalize; the arguments are spoilt at once, for they are only lent. */
static void one_block(struct world *w, const struct hash *parent, uint64_t height, uint64_t value)
{
    struct kit_transfer t = kit_transfer(0, 1, height - 1, value);
    unsigned before = w->answers;
    frame(w, parent, height, &t);
    w->el.build(w->el.ctx, &w->block, on_result, w);
    memset(w->tx.raw, 0xee, w->tx.n);
    wait_answers(w, before + 1);
    assert_int_equal(w->status, EXECUTION_VALID);
    assert_int_equal(w->built.txs, 1);
    frame(w, parent, height, &t);
    w->block.body = bytes_of(w->body, w->body_len);
    w->el.execute(w->el.ctx, &w->block, &w->built.hash, &w->built.state_root, on_result, w);
    w->el.finalize(w->el.ctx, &w->built.hash, on_final, w);
    wait_answers(w, before + 3);
    assert_int_equal(w->status, EXECUTION_VALID);
    assert_int_equal(w->err, OK);
}

static void test_block_by_block(void **state)
{
    struct world *w = *state;
    struct hash parent = w->g.payload;
    struct ledger_account a;
    struct u256 fee;
    uint64_t height;
    struct hash head;
    struct address first = kit_address(0);
    struct address last = kit_address(ACCOUNTS - 1);
    ledger_service_account(w->s, &last, &a);
    assert_int_equal(a.balance.v[0], 10 * ether);
    ledger_service_base_fee(w->s, &fee);
    assert_int_equal(fee.v[0], 875000000);
    for (uint64_t i = 1; i <= 5; i++) {
        one_block(w, &parent, i, 100);
        parent = w->built.hash;
        assert_int_equal(w->persisted, i);
        assert_int_equal(w->changed, 3);
        assert_true(hash_equal(&w->head.hash, &parent));
        ledger_service_account(w->s, &first, &a);
        assert_int_equal(a.nonce, i);
        w->el.head(w->el.ctx, &height, &head);
        assert_int_equal(height, i);
        assert_true(hash_equal(&head, &parent));
    }
    struct address nobody = kit_address(50000);
    ledger_service_account(w->s, &nobody, &a);
    assert_true(a.nonce == 0 && u256_is_zero(&a.balance) && address_equal(&a.address, &nobody));
    struct payload_info next = w->built;
    payload_next_base_fee(&fee, &next);
    struct u256 ours;
    ledger_service_base_fee(w->s, &ours);
    assert_int_equal(u256_cmp(&fee, &ours), 0);
    struct hash unknown = {{1}};
    unsigned before = w->answers;
    w->el.finalize(w->el.ctx, &unknown, on_final, w);
    wait_answers(w, before + 1);
    assert_int_equal(w->err, ERR_NOT_FOUND);
    assert_int_equal(w->persisted, 5);
}

/* A few transactions are run at once; not while anything waits, for answers come in order. */
static void test_little_work_at_once(void **state)
{
    struct world *w = *state;
    struct address a = kit_address(0);
    one_block(w, &w->g.payload, 1, 100);
    struct hash parent = w->built.hash;
    struct kit_transfer t = kit_transfer(0, 1, 1, 7);
    frame(w, &parent, 2, &t);
    unsigned n = w->answers;
    w->el.build(w->el.ctx, &w->block, on_result, w);
    assert_int_equal(w->answers, n + 1);
    assert_int_equal(w->built.number, 2);
    w->el.finalize(w->el.ctx, &w->built.hash, on_final, w);
    assert_int_equal(w->answers, n + 2);
    assert_int_equal(w->persisted, 2);
    assert_int_equal(w->el.silent_us(w->el.ctx), 0);
    ledger_service_query(w->s, NULL, &a, true, on_query, w); /* the thread's */
    parent = w->built.hash;
    t = kit_transfer(0, 1, 2, 7);
    frame(w, &parent, 3, &t);
    w->el.build(w->el.ctx, &w->block, on_result, w);
    assert_int_equal(w->answers, n + 2);
    wait_answers(w, n + 3);
    assert_int_equal(w->account.nonce, 2);
    wait_answers(w, n + 4);
    assert_int_equal(w->built.number, 3);
}

enum { MANY = 8 };

static void test_more_work_on_the_thread(void **state)
{
    struct world *w = *state;
    static struct kit_tx tx[MANY];
    static struct execution_tx list[MANY];
    struct kit_transfer t = kit_transfer(0, 1, 0, 1);
    frame(w, &w->g.payload, 1, &t);
    for (unsigned i = 0; i < MANY; i++) {
        t = kit_transfer(0, 1, i, 1);
        kit_sign(&tx[i], &t);
        list[i] = kit_execution_tx(&tx[i]);
    }
    w->block.tx = list;
    w->block.txs = MANY;
    w->el.build(w->el.ctx, &w->block, on_result, w);
    assert_int_equal(w->answers, 0);
    wait_answers(w, 1);
    assert_int_equal(w->built.txs, MANY);
    w->el.finalize(w->el.ctx, &w->built.hash, on_final, w);
    assert_int_equal(w->answers, 1);
    wait_answers(w, 2);
    assert_int_equal(w->err, OK);
}

static void test_queries(void **state)
{
    struct world *w = *state;
    struct address a = kit_address(0);
    one_block(w, &w->g.payload, 1, 100);
    unsigned n = w->answers;
    ledger_service_query(w->s, &w->g.payload, &a, false, on_query, w);
    wait_answers(w, n + 1);
    assert_int_equal(w->account.nonce, 0);
    assert_int_equal(w->account.balance.v[0], 10 * ether);
    ledger_service_query(w->s, NULL, &a, true, on_query, w);
    wait_answers(w, n + 2);
    assert_int_equal(w->account.nonce, 1);
    assert_true(w->proved);
    struct hash unknown = {{1}};
    ledger_service_query(w->s, &unknown, &a, true, on_query, w);
    wait_answers(w, n + 3);
    assert_int_equal(w->err, ERR_NOT_FOUND);
}

/* A stalled client answers nothing, and the silence grows; released, it answers everything. */
static void test_stall(void **state)
{
    struct world *w = *state;
    struct kit_transfer t = kit_transfer(0, 1, 0, 1);
    struct address a = kit_address(0);
    frame(w, &w->g.payload, 1, &t);
    assert_int_equal(w->el.silent_us(w->el.ctx), 0);
    ledger_service_stall(w->s, true);
    w->el.build(w->el.ctx, &w->block, on_result, w);
    ledger_service_query(w->s, NULL, &a, false, on_query, w);
    while (w->el.silent_us(w->el.ctx) < 30000) {
        uv_run(&w->loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(w->answers, 0);
    ledger_service_account(w->s, &a, &w->account); /* the mirror needs nobody */
    assert_int_equal(w->account.balance.v[0], 10 * ether);
    ledger_service_stall(w->s, false);
    wait_answers(w, 2);
    assert_int_equal(w->status, EXECUTION_VALID);
    assert_int_equal(w->el.silent_us(w->el.ctx), 0);
}

static void test_queue_is_bounded(void **state)
{
    struct world *w = *state;
    struct address a = kit_address(0);
    ledger_service_stall(w->s, true);
    for (unsigned i = 0; i < LIMIT_LEDGER_QUEUE; i++) {
        ledger_service_query(w->s, NULL, &a, false, on_query, w);
    }
    assert_int_equal(w->answers, 0);
    ledger_service_query(w->s, NULL, &a, false, on_query, w);
    assert_int_equal(w->answers, 1);
    assert_int_equal(w->err, ERR_BUSY);
    struct kit_transfer t = kit_transfer(0, 1, 0, 1);
    frame(w, &w->g.payload, 1, &t);
    w->el.build(w->el.ctx, &w->block, on_result, w);
    assert_int_equal(w->answers, 2);
    assert_int_equal(w->status, EXECUTION_ERROR);
    ledger_service_stall(w->s, false);
    wait_answers(w, LIMIT_LEDGER_QUEUE + 2);
    assert_int_equal(w->err, OK);
}

/* Everything asked is answered once, also when the service closes over it. */
static void test_close_answers_all(void **state)
{
    struct world *w = *state;
    struct address a = kit_address(0);
    struct kit_transfer t = kit_transfer(0, 1, 0, 1);
    frame(w, &w->g.payload, 1, &t);
    ledger_service_stall(w->s, true);
    for (unsigned i = 0; i < 50; i++) {
        w->el.build(w->el.ctx, &w->block, on_result, w);
        ledger_service_query(w->s, NULL, &a, true, on_query, w);
    }
    ledger_service_close(w->s, on_closed, w);
    while (!w->closed) {
        uv_run(&w->loop, UV_RUN_ONCE);
    }
    assert_int_equal(w->answers, 100);
    assert_int_equal(w->status, EXECUTION_ERROR);
    assert_int_equal(w->err, ERR_NOT_READY);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_block_by_block),
        TEST(test_little_work_at_once),
        TEST(test_more_work_on_the_thread),
        TEST(test_queries),
        TEST(test_stall),
        TEST(test_queue_is_bounded),
        TEST(test_close_answers_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
