/* The built-in ledger: base fee, headers, build and execute, refusals, what is kept, restoring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "chain_kit.h"
#include "proof_check.h"
#include "proto/keccak.h"
#include "proto/rlp.h"
#include "sequencer/execution/ledger.h"

static const uint64_t ether = 1000000000000000000;
enum { ACCOUNTS = 20, COINBASE = 900, MAX_TXS = 64 };

struct world {
    struct genesis g;
    struct ledger *l;
    struct kit_tx tx[MAX_TXS];
    struct execution_tx list[MAX_TXS];
    struct execution_block block;
    struct bytes body;
    struct execution_result r;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    kit_genesis(&w->g, ACCOUNTS, 10 * ether);
    assert_int_equal(ledger_create(&w->l, &w->g), OK);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    ledger_destroy(w->l);
    free(w->g.alloc);
    free(w);
    return 0;
}

static void sign(struct world *w, uint32_t i, struct kit_transfer t)
{
    kit_sign(&w->tx[i], &t);
    w->list[i] = kit_execution_tx(&w->tx[i]);
}

/* A block of the first `n` transactions above `parent`, one second later per height. */
static void frame(struct world *w, const struct hash *parent, uint64_t height, uint32_t n)
{
    w->block = (struct execution_block){
        .parent = *parent,
        .height = height,
        .timestamp_ms = KIT_START_MS + height * 200,
        .fee_recipient = kit_address(COINBASE),
        .tx = w->list,
        .txs = n,
    };
}

static struct payload_info built(struct world *w, const struct hash *parent, uint64_t height,
                                 uint32_t n)
{
    struct payload_info info;
    frame(w, parent, height, n);
    ledger_build(w->l, &w->block, &w->r);
    assert_int_equal(w->r.status, EXECUTION_VALID);
    assert_int_equal(payload_info_decode(&info, bytes_of(w->r.info, w->r.info_len)), OK);
    assert_true(hash_equal(&info.hash, &w->r.payload));
    assert_true(hash_equal(&info.state_root, &w->r.state_root));
    return info;
}

static void executed(struct world *w, struct ledger *l, const struct hash *payload,
                     const struct hash *state_root)
{
    struct bytes body = kit_body(w->block.tx, w->block.txs);
    w->block.body = body;
    ledger_execute(l, &w->block, payload, state_root, &w->r);
    free((void *)(uintptr_t)body.p);
}

static struct ledger_account account(const struct world *w, const struct hash *payload, uint32_t i)
{
    struct ledger_account a;
    struct address address = kit_address(i);
    assert_true(ledger_get(w->l, payload, &address, &a));
    return a;
}

/* The vectors of geth's TestCalcBaseFee. */
static void test_base_fee(void **state)
{
    (void)state;
    static const struct {
        uint64_t fee, limit, used, next;
    } v[] = {
        {1000000000, 20000000, 10000000, 1000000000},
        {1000000000, 20000000, 9000000, 987500000},
        {1000000000, 20000000, 11000000, 1012500000},
        {1000000000, 20000000, 0, 875000000},
        {1000000000, 20000000, 20000000, 1125000000},
        {8, 20000000, 0, 7},
        {7, 20000000, 0, 7}, /* where the rule's integers stop */
        {1, 20000000, 11000000, 2},
        {0, 20000000, 20000000, 1},
    };
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        struct payload_info p = {.gas_limit = v[i].limit, .gas_used = v[i].used};
        struct u256 next;
        p.base_fee = u256_from_u64(v[i].fee);
        payload_next_base_fee(&next, &p);
        assert_true(u256_fits_u64(&next));
        assert_int_equal(next.v[0], v[i].next);
    }
}

static void test_genesis(void **state)
{
    struct world *w = *state;
    struct payload_info head;
    ledger_head(w->l, &head);
    assert_true(hash_equal(&head.hash, &w->g.payload));
    assert_true(hash_equal(&head.state_root, &w->g.state_root));
    assert_true(hash_is_zero(&head.parent));
    assert_int_equal(head.number, 0);
    assert_int_equal(head.timestamp, 1700000000);
    assert_int_equal(account(w, NULL, 3).balance.v[0], 10 * ether);
    assert_int_equal(account(w, NULL, 3000).nonce, 0);
    struct genesis bad = w->g;
    struct ledger *l;
    bad.params.gas_limit = 20999;
    assert_int_equal(ledger_create(&l, &bad), ERR_CONFIG);
    bad = w->g;
    memset(&bad.alloc[0].balance, 0xff, sizeof bad.alloc[0].balance);
    assert_int_equal(ledger_create(&l, &bad), ERR_CONFIG);
}

/* The header as another program reads it. */
static void test_header_fields(void **state)
{
    struct world *w = *state;
    sign(w, 0, kit_transfer(0, 1, 0, 5));
    struct payload_info info = built(w, &w->g.payload, 1, 1);
    uint8_t header[PAYLOAD_HEADER_MAX_BYTES];
    size_t n = payload_header_encode(header, &info);
    struct hash hash = keccak256(header, n);
    assert_true(hash_equal(&hash, &info.hash));
    struct rlp_in in = {header, n};
    struct rlp_in fields;
    struct bytes f[17];
    assert_int_equal(rlp_list(&in, &fields), OK);
    for (int i = 0; i < 17; i++) {
        assert_int_equal(rlp_string(&fields, &f[i]), OK);
    }
    assert_true(rlp_at_end(&fields) && rlp_at_end(&in));
    struct hash empty = trie_list_root(NULL, 0);
    static const uint8_t no_uncles[] = {0xc0};
    struct hash uncles = keccak256(no_uncles, 1);
    assert_memory_equal(f[0].p, w->g.payload.b, 32);
    assert_memory_equal(f[1].p, uncles.b, 32);
    assert_memory_equal(f[2].p, w->block.fee_recipient.b, 20);
    assert_memory_equal(f[3].p, info.state_root.b, 32);
    assert_memory_equal(f[4].p, info.transactions_root.b, 32);
    assert_memory_equal(f[5].p, info.receipts_root.b, 32);
    assert_int_equal(f[6].n, 256);
    assert_int_equal(f[7].n, 0);
    assert_int_equal(f[8].p[0], 1);
    assert_int_equal(u256_from_be(f[10].p, f[10].n).v[0], 21000);
    assert_int_equal(u256_from_be(f[11].p, f[11].n).v[0], 1700000000);
    assert_int_equal(f[12].n, 0);
    assert_int_equal(f[13].n, 32);
    assert_int_equal(f[14].n, 8);
    assert_int_equal(u256_from_be(f[15].p, f[15].n).v[0], 875000000);
    assert_memory_equal(f[16].p, empty.b, 32);
    struct hash txs = trie_list_root(&w->list[0].raw, 1);
    assert_true(hash_equal(&txs, &info.transactions_root));
    uint8_t receipt[PAYLOAD_RECEIPT_MAX_BYTES];
    struct bytes one = bytes_of(receipt, payload_receipt_encode(receipt, 2, 21000));
    struct hash receipts = trie_list_root(&one, 1);
    assert_true(hash_equal(&receipts, &info.receipts_root));
}

static void test_info_form(void **state)
{
    struct world *w = *state;
    struct payload_info info;
    struct payload_info again;
    uint8_t b[PAYLOAD_INFO_MAX_BYTES];
    uint8_t c[PAYLOAD_INFO_MAX_BYTES];
    ledger_head(w->l, &info);
    info.txs = 7;
    info.body_len = 1234;
    size_t n = payload_info_encode(b, &info);
    assert_int_equal(payload_info_decode(&again, bytes_of(b, n)), OK);
    assert_int_equal(payload_info_encode(c, &again), n);
    assert_memory_equal(b, c, n);
    assert_true(again.number == info.number && again.txs == 7 && again.body_len == 1234);
    assert_true(hash_equal(&again.receipts_root, &info.receipts_root));
    assert_int_equal(u256_cmp(&again.base_fee, &info.base_fee), 0);
    assert_int_equal(payload_info_decode(&again, bytes_of(b, n - 1)), ERR_MALFORMED);
    assert_int_equal(payload_info_decode(&again, bytes_of(b, 0)), ERR_MALFORMED);
    b[0] = 9;
    assert_int_equal(payload_info_decode(&again, bytes_of(b, n)), ERR_MALFORMED);
}

/* Burned base fee, tip to the recipient, gas used = intrinsic gas. */
static void test_money(void **state)
{
    struct world *w = *state;
    struct kit_transfer t = kit_transfer(0, 1, 0, 5000);
    t.gas = 50000;
    sign(w, 0, t);
    struct payload_info info = built(w, &w->g.payload, 1, 1);
    assert_int_equal(info.gas_used, 21000);
    assert_int_equal(account(w, &info.hash, 0).nonce, 1);
    assert_int_equal(account(w, &info.hash, 0).balance.v[0],
                     10 * ether - 5000 - UINT64_C(21000) * (875000000 + 1000));
    assert_int_equal(account(w, &info.hash, 1).balance.v[0], 10 * ether + 5000);
    assert_int_equal(account(w, &info.hash, COINBASE).balance.v[0], 21000 * 1000);
    assert_int_equal(account(w, NULL, 0).nonce, 0); /* not final */
}

/* EIP-161: nothing sent, no tip: no account comes into being. To oneself: only the fee goes. */
static void test_touching_makes_nothing(void **state)
{
    struct world *w = *state;
    struct kit_transfer t = kit_transfer(0, 500, 0, 0);
    t.tip = 0;
    sign(w, 0, t);
    t = kit_transfer(1, 1, 0, 777);
    t.tip = 0;
    sign(w, 1, t);
    struct payload_info info = built(w, &w->g.payload, 1, 2);
    assert_int_equal(info.txs, 2);
    assert_int_equal(account(w, &info.hash, 1).balance.v[0],
                     10 * ether - UINT64_C(21000) * 875000000);
    uint8_t *proof;
    size_t n;
    struct bytes value;
    uint32_t absent[] = {500, COINBASE};
    for (int i = 0; i < 2; i++) {
        struct address a = kit_address(absent[i]);
        struct hash key = keccak256(a.b, sizeof a.b);
        assert_int_equal(ledger_proof(w->l, &info.hash, &a, &proof, &n), OK);
        assert_int_equal(
            proof_check(bytes_of(proof, n), &info.state_root, bytes_of(key.b, 32), &value),
            PROOF_ABSENT);
        free(proof);
    }
}

/* What one node builds, another executes to the same hashes; then the builder itself, cheaply. */
static void test_build_is_execute(void **state)
{
    struct world *w = *state;
    struct ledger *other;
    struct hash parent = w->g.payload;
    uint64_t seed = 5;
    uint64_t nonce[ACCOUNTS] = {0};
    assert_int_equal(ledger_create(&other, &w->g), OK);
    for (uint64_t height = 1; height <= 12; height++) {
        for (uint32_t i = 0; i < MAX_TXS; i++) {
            uint32_t from = (uint32_t)(kit_random(&seed) % ACCOUNTS);
            sign(w, i,
                 kit_transfer(from, (uint32_t)(kit_random(&seed) % 200), nonce[from]++,
                              kit_random(&seed) % ether / 100));
        }
        uint32_t n = height % 4 == 0 ? 0 : MAX_TXS;
        struct payload_info info = built(w, &parent, height, n);
        struct bytes body = kit_body(w->list, n);
        assert_int_equal(info.txs, n);
        assert_int_equal(w->r.body_len, body.n);
        assert_true(bytes_equal(bytes_of(w->r.body, w->r.body_len), body));
        free((void *)(uintptr_t)body.p);
        executed(w, other, &info.hash, &info.state_root);
        assert_int_equal(w->r.status, EXECUTION_VALID);
        assert_true(hash_equal(&w->r.payload, &info.hash));
        executed(w, w->l, &info.hash, &info.state_root);
        assert_int_equal(w->r.status, EXECUTION_VALID);
        assert_int_equal(ledger_finalize(other, &info.hash, NULL, NULL), OK);
        parent = info.hash;
        for (uint32_t i = 0; n == 0 && i < MAX_TXS; i++) {
            uint32_t from = load_be32(w->tx[i].sender.b + 16) - 1;
            nonce[from]--; /* that block stayed empty */
        }
    }
    ledger_destroy(other);
}

static void test_build_leaves_out(void **state)
{
    struct world *w = *state;
    struct kit_transfer t = kit_transfer(0, 1, 0, 1);
    sign(w, 0, t);
    t.nonce = 2; /* a gap, and what follows it */
    sign(w, 1, t);
    t.nonce = 3;
    sign(w, 2, t);
    sign(w, 3, kit_transfer(1, 2, 0, 11 * ether)); /* cannot pay */
    sign(w, 4, kit_transfer(1, 2, 0, 7));
    t = kit_transfer(2, 3, 0, 1);
    t.max_fee = 874999999; /* below the base fee */
    t.tip = 1;
    sign(w, 5, t);
    t = kit_transfer(3, 4, 0, 1);
    t.gas = KIT_GAS_LIMIT - 2 * 21000 + 1; /* more gas than is left */
    sign(w, 6, t);
    t.gas = KIT_GAS_LIMIT - 2 * 21000;
    sign(w, 7, t);
    struct payload_info info = built(w, &w->g.payload, 1, 8);
    assert_int_equal(info.txs, 3);
    struct execution_tx kept[] = {w->list[0], w->list[4], w->list[7]};
    struct bytes body = kit_body(kept, 3);
    assert_true(bytes_equal(bytes_of(w->r.body, w->r.body_len), body));
    free((void *)(uintptr_t)body.p);
}

static void assert_invalid(struct world *w, uint32_t n, const char *why)
{
    struct hash none = {{0}};
    uint64_t height = w->block.height;
    uint64_t ms = w->block.timestamp_ms;
    frame(w, &w->g.payload, 1, n);
    if (height != 0) {
        w->block.height = height;
        w->block.timestamp_ms = ms;
    }
    executed(w, w->l, &none, &none);
    assert_int_equal(w->r.status, EXECUTION_INVALID);
    if (strstr(w->r.why, why) == NULL) {
        fail_msg("wanted \"%s\", got \"%s\"", why, w->r.why);
    }
    w->block.height = 0;
}

static void request_invalid(struct world *w, const struct tx_request *r, const char *why)
{
    struct address from = kit_address(2);
    sign(w, 0, kit_transfer(0, 1, 0, 1));
    kit_sign_request(&w->tx[1], &from, r);
    w->list[1] = kit_execution_tx(&w->tx[1]);
    assert_invalid(w, 2, why);
}

static void test_invalid(void **state)
{
    struct world *w = *state;
    const struct tx_request good = {
        .chain_id = KIT_CHAIN,
        .max_fee = u256_from_u64(1000000000),
        .gas = 21000,
        .to = kit_address(1),
        .value = u256_from_u64(1),
    };
    struct tx_request r = good;
    r.nonce = 1;
    request_invalid(w, &r, "transaction 1 cannot be executed: nonce too high");
    r = good;
    r.chain_id = 902;
    request_invalid(w, &r, "signed for another chain");
    r = good;
    r.creates = true;
    request_invalid(w, &r, "creates a contract");
    r = good;
    r.max_priority_fee = u256_from_u64(1000000001);
    request_invalid(w, &r, "max priority fee per gas higher than max fee per gas");
    r = good;
    r.max_fee = u256_from_u64(874999999);
    request_invalid(w, &r, "max fee per gas less than block base fee");
    r = good;
    r.gas = 20999;
    request_invalid(w, &r, "intrinsic gas too low");
    r = good;
    r.data = bytes_of("\1\2\3", 3);
    request_invalid(w, &r, "intrinsic gas too low");
    r = good;
    r.gas = KIT_GAS_LIMIT - 20999;
    request_invalid(w, &r, "gas limit reached");
    r = good;
    r.value = u256_from_u64(10 * ether);
    request_invalid(w, &r, "insufficient funds");
    r = good;
    memset(&r.value, 0xff, sizeof r.value);
    request_invalid(w, &r, "insufficient funds");
    sign(w, 0, kit_transfer(0, 1, 0, 1));
    sign(w, 1, kit_transfer(0, 1, 0, 1));
    assert_invalid(w, 2, "nonce too low");
    w->list[0].raw = bytes_of("\x02\xc0", 2);
    assert_invalid(w, 1, "transaction 0 cannot be executed: ");
}

static void test_invalid_frames(void **state)
{
    struct world *w = *state;
    w->block.height = 2;
    w->block.timestamp_ms = KIT_START_MS;
    assert_invalid(w, 0, "height");
    w->block.height = 1;
    w->block.timestamp_ms = KIT_START_MS - 1000;
    assert_invalid(w, 0, "older than its parent");
    assert_invalid(w, 0, "the block claims state root");
    sign(w, 0, kit_transfer(0, 1, 0, 1));
    struct payload_info info = built(w, &w->g.payload, 1, 1);
    struct hash wrong = info.hash;
    wrong.b[0] ^= 1;
    executed(w, w->l, &wrong, &info.state_root);
    assert_int_equal(w->r.status, EXECUTION_INVALID);
    assert_non_null(strstr(w->r.why, "the block claims payload 0x"));
    /* A known payload does not make another body valid. */
    sign(w, 0, kit_transfer(0, 1, 0, 2));
    executed(w, w->l, &info.hash, &info.state_root);
    assert_int_equal(w->r.status, EXECUTION_INVALID);
    frame(w, &wrong, 1, 0);
    executed(w, w->l, &info.hash, &info.state_root);
    assert_int_equal(w->r.status, EXECUTION_ERROR);
    assert_non_null(strstr(w->r.why, "parent"));
}

struct changes {
    struct ledger_account a[256];
    size_t n;
};

static void note(void *arg, const struct ledger_account *a)
{
    struct changes *c = arg;
    c->a[c->n++] = *a;
}

static void test_finalize(void **state)
{
    struct world *w = *state;
    struct changes c = {.n = 0};
    struct payload_info head;
    struct payload_info high;
    sign(w, 0, kit_transfer(0, 1, 0, 1));
    struct payload_info one = built(w, &w->g.payload, 1, 1);
    sign(w, 0, kit_transfer(2, 3, 0, 1));
    struct payload_info beside = built(w, &w->g.payload, 1, 1);
    struct payload_info above_beside = built(w, &beside.hash, 2, 0);
    sign(w, 0, kit_transfer(0, 1, 1, 1));
    struct payload_info two = built(w, &one.hash, 2, 1);
    struct payload_info three = built(w, &two.hash, 3, 0);
    ledger_highest(w->l, &high);
    assert_true(hash_equal(&high.hash, &two.hash)); /* three was only built */
    executed(w, w->l, &three.hash, &three.state_root);
    ledger_highest(w->l, &high);
    assert_true(hash_equal(&high.hash, &three.hash));
    assert_int_equal(ledger_finalize(w->l, &two.hash, note, &c), OK);
    assert_int_equal(c.n, 3); /* sender, receiver, fee recipient: once each over two blocks */
    ledger_head(w->l, &head);
    assert_true(hash_equal(&head.hash, &two.hash));
    assert_true(ledger_info(w->l, &one.hash, &head));
    assert_true(ledger_info(w->l, &three.hash, &head));
    assert_false(ledger_info(w->l, &beside.hash, &head));
    assert_false(ledger_info(w->l, &above_beside.hash, &head));
    assert_int_equal(ledger_finalize(w->l, &beside.hash, NULL, NULL), ERR_NOT_FOUND);
    assert_int_equal(ledger_finalize(w->l, &one.hash, NULL, NULL), OK);
    assert_int_equal(account(w, &one.hash, 0).nonce, 1);
    assert_int_equal(account(w, NULL, 0).nonce, 2);
    frame(w, &one.hash, 2, 0);
    executed(w, w->l, &beside.hash, &beside.state_root);
    assert_int_equal(w->r.status, EXECUTION_ERROR); /* beside what is final */
}

static void test_history_is_bounded(void **state)
{
    struct world *w = *state;
    struct hash parent = w->g.payload;
    struct payload_info info;
    for (uint64_t height = 1; height <= LIMIT_LEDGER_STATES + 5; height++) {
        info = built(w, &parent, height, 0);
        assert_int_equal(ledger_finalize(w->l, &info.hash, NULL, NULL), OK);
        parent = info.hash;
    }
    assert_false(ledger_info(w->l, &w->g.payload, &info));
    for (uint32_t back = 0; back < LIMIT_LEDGER_STATES; back++) {
        assert_true(ledger_info(w->l, &parent, &info));
        parent = info.parent;
    }
}

/* Dry runs without end, while nothing is final. */
static void test_builds_are_bounded(void **state)
{
    struct world *w = *state;
    struct payload_info info;
    struct payload_info first = {0};
    sign(w, 0, kit_transfer(0, 1, 0, 1));
    struct payload_info kept = built(w, &w->g.payload, 1, 1);
    executed(w, w->l, &kept.hash, &kept.state_root);
    for (uint32_t i = 0; i < LIMIT_LEDGER_BUILT + 1; i++) {
        sign(w, 0, kit_transfer(1, 2, 0, i));
        info = built(w, &w->g.payload, 1, 1);
        first = i == 0 ? info : first;
    }
    assert_true(ledger_info(w->l, &info.hash, &info));
    assert_true(ledger_info(w->l, &kept.hash, &kept));
    assert_false(ledger_info(w->l, &first.hash, &info));
}

struct stored {
    const struct changes *c;
    size_t at;
};

static bool next_stored(void *arg, struct ledger_account *a)
{
    struct stored *s = arg;
    if (s->at == s->c->n) {
        return false;
    }
    *a = s->c->a[s->at++];
    return true;
}

static enum err restored(struct world *w, const struct changes *c, const struct payload_info *at,
                         struct ledger **out)
{
    struct stored s = {c, 0};
    return ledger_restore(out, &w->g, at, next_stored, &s);
}

static void test_restore(void **state)
{
    struct world *w = *state;
    static struct changes c;
    struct ledger *l = NULL;
    for (uint32_t i = 0; i < 10; i++) {
        sign(w, i, kit_transfer(i, 100 + i, 0, 12345));
    }
    struct payload_info info = built(w, &w->g.payload, 1, 10);
    assert_int_equal(ledger_finalize(w->l, &info.hash, NULL, NULL), OK);
    c.n = 0;
    ledger_walk(w->l, note, &c);
    assert_int_equal(c.n, ACCOUNTS + 11);
    assert_int_equal(restored(w, &c, &info, &l), OK);
    sign(w, 0, kit_transfer(0, 1, 1, 1));
    struct payload_info next = built(w, &info.hash, 2, 1);
    executed(w, l, &next.hash, &next.state_root);
    assert_int_equal(w->r.status, EXECUTION_VALID);
    ledger_destroy(l);
    struct payload_info wrong = info;
    wrong.number++;
    assert_int_equal(restored(w, &c, &wrong, &l), ERR_CORRUPT);
    c.a[5].balance.v[0]++;
    assert_int_equal(restored(w, &c, &info, &l), ERR_CORRUPT);
    c.a[5].balance.v[0]--;
    c.n--;
    assert_int_equal(restored(w, &c, &info, &l), ERR_CORRUPT);
}

/* On this parent every nonce of the list's first transaction's account up to its own is used. */
static void refuses_used(struct world *w, struct ledger *l, const struct payload_info *parent)
{
    frame(w, &parent->hash, parent->number + 1, 1);
    ledger_build(l, &w->block, &w->r);
    assert_int_equal(w->r.status, EXECUTION_VALID);
    assert_int_equal(w->r.txs, 0); /* never built */
    const struct hash payload = w->r.payload;
    const struct hash state = w->r.state_root;
    executed(w, l, &payload, &state);
    assert_int_equal(w->r.status, EXECUTION_INVALID);
    assert_string_equal(w->r.why, "transaction 0 cannot be executed: nonce too low");
}

/* Above an ancestor that is not final, above a final one, further up, and after a start. */
static void test_used_nonces(void **state)
{
    struct world *w = *state;
    static struct changes c;
    struct ledger *l = NULL;
    sign(w, 0, kit_transfer(0, 1, 0, 1));
    struct payload_info one = built(w, &w->g.payload, 1, 1);
    refuses_used(w, w->l, &one);
    struct payload_info two = built(w, &one.hash, 2, 0);
    refuses_used(w, w->l, &two);
    /* What used it elsewhere does not count. */
    struct payload_info beside = built(w, &w->g.payload, 1, 0);
    assert_int_equal(built(w, &beside.hash, 2, 1).txs, 1);
    assert_int_equal(ledger_finalize(w->l, &one.hash, NULL, NULL), OK);
    refuses_used(w, w->l, &one);
    c.n = 0;
    ledger_walk(w->l, note, &c);
    assert_int_equal(restored(w, &c, &one, &l), OK);
    refuses_used(w, l, &one);
    frame(w, &one.hash, 2, 0);
    executed(w, l, &two.hash, &two.state_root);
    assert_int_equal(w->r.status, EXECUTION_VALID);
    refuses_used(w, l, &two);
    ledger_destroy(l);
}

/* Random blocks against a ledger of two arrays. */
struct model {
    uint64_t balance[64];
    uint64_t nonce[64];
};

static bool model_transfer(struct model *m, const struct kit_transfer *t, uint32_t from,
                           uint32_t to, uint64_t base)
{
    if (t->nonce != m->nonce[from] || t->max_fee < base || t->max_fee < t->tip || t->gas < 21000 ||
        m->balance[from] < t->value + t->gas * t->max_fee) {
        return false;
    }
    uint64_t tip = t->tip < t->max_fee - base ? t->tip : t->max_fee - base;
    m->balance[from] -= t->value + 21000 * (base + tip);
    m->nonce[from]++;
    m->balance[to] += t->value;
    m->balance[63] += 21000 * tip;
    return true;
}

static uint64_t sum_txs(struct world *w, struct model *m, uint64_t *seed, uint64_t base)
{
    uint64_t good = 0;
    for (uint32_t i = 0; i < MAX_TXS; i++) {
        uint32_t from = (uint32_t)(kit_random(seed) % ACCOUNTS);
        uint32_t to = (uint32_t)(kit_random(seed) % 64);
        struct kit_transfer t = kit_transfer(from, to, m->nonce[from] + (kit_random(seed) % 8 == 0),
                                             kit_random(seed) % ether);
        t.to = to == 63 ? kit_address(COINBASE) : t.to;
        t.max_fee = base - 2 + kit_random(seed) % 8;
        t.tip = kit_random(seed) % 8;
        t.gas = 20998 + kit_random(seed) % 1000;
        sign(w, i, t);
        good += model_transfer(m, &t, from, to, base);
    }
    return good;
}

static void test_random_blocks(void **state)
{
    struct world *w = *state;
    static struct model m[40];
    struct payload_info info[40];
    uint64_t seed = 77;
    ledger_head(w->l, &info[0]);
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        m[0].balance[i] = 10 * ether;
    }
    uint32_t final = 0;
    for (uint32_t b = 1; b < 40; b++) {
        /* Above any block since the final one. */
        uint32_t parent = b - 1 - (uint32_t)(kit_random(&seed) % (b - final < 3 ? b - final : 3));
        struct u256 base;
        if (!ledger_next_base_fee(w->l, &info[parent].hash, &base)) {
            parent = final;
            assert_true(ledger_next_base_fee(w->l, &info[parent].hash, &base));
        }
        m[b] = m[parent];
        uint64_t good = sum_txs(w, &m[b], &seed, base.v[0]);
        info[b] = built(w, &info[parent].hash, info[parent].number + 1, MAX_TXS);
        assert_int_equal(info[b].txs, good);
        for (uint32_t i = 0; i < 64; i++) {
            struct ledger_account a = account(w, &info[b].hash, i == 63 ? COINBASE : i);
            assert_int_equal(a.balance.v[0], m[b].balance[i]);
            assert_int_equal(a.nonce, m[b].nonce[i]);
        }
        if (b % 5 == 0) {
            assert_int_equal(ledger_finalize(w->l, &info[b].hash, NULL, NULL), OK);
            final = b;
        }
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_base_fee),
        TEST(test_genesis),
        TEST(test_header_fields),
        TEST(test_info_form),
        TEST(test_money),
        TEST(test_touching_makes_nothing),
        TEST(test_build_is_execute),
        TEST(test_build_leaves_out),
        TEST(test_invalid),
        TEST(test_invalid_frames),
        TEST(test_finalize),
        TEST(test_history_is_bounded),
        TEST(test_builds_are_bounded),
        TEST(test_restore),
        TEST(test_used_nonces),
        TEST(test_random_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
