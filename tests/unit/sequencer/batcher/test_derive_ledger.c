/* The whole way with nothing left out: blocks of the built-in ledger, segments, true KZG, blob
 * transactions as an L1 holds them, and back; then the L1 takes blocks away from a ledger that only
 * goes forward. */
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/key.h"
#include "proto/limits.h"
#include "proto/tx.h"
#include "sequencer/batcher/blob_posting.h"
#include "sequencer/batcher/derive.h"
#include "sequencer/batcher/derive_memo.h"
#include "sequencer/execution/ledger.h"

enum { CHAIN = 41197, MEMBERS = 4, SEGMENTS = 3, BLOCKS = 3, MOST_TXS = 480, RAW = 256 };
enum { LARGE = 1 << 22 };
#define START_MS UINT64_C(1700000000000)

/* The second segment takes more than one blob. */
static const uint32_t txs_of[SEGMENTS] = {3, MOST_TXS, 2};

struct posted {
    struct batch_auth auth;
    struct auth_time time[BLOCKS];
    struct segment segment;
    struct blob_posting blobs;
    struct buffer envelope;
};

struct world {
    struct secret_key key[MEMBERS];
    struct secret_key rich;
    struct genesis genesis;
    struct epoch_config config;
    struct batch_chain chain;
    struct ledger *ledger;
    struct payload_info head;
    uint64_t nonce;
    struct posted posted[SEGMENTS];
    size_t segments;
};

static struct kzg *kzg;
static char why[256];

static void set_up_genesis(struct world *w)
{
    struct genesis *g = &w->genesis;
    g->chain_id = CHAIN;
    g->timestamp_ms = START_MS;
    g->params = (struct epoch_params){FAULT_BFT, PACE_FIXED, 4, 4, 1000, 1000, 1, 30000000};
    g->seal_ms = GENESIS_SEAL_MS;
    g->n = MEMBERS;
    for (uint32_t i = 0; i < MEMBERS; i++) {
        struct member *m = &g->member[i];
        w->key[i].b[31] = (uint8_t)(i + 1);
        assert_int_equal(key_address(&m->address, &w->key[i]), OK);
        m->weight = 1;
        snprintf(m->name, sizeof m->name, "node%u", (unsigned)i);
        snprintf(m->endpoint, sizeof m->endpoint, "127.0.0.1:%u", 30000u + (unsigned)i);
    }
    g->base_fee = u256_from_u64(1000000000);
    g->allocs = 1;
    g->alloc = calloc(1, sizeof *g->alloc);
    assert_non_null(g->alloc);
    w->rich.b[31] = 99;
    assert_int_equal(key_address(&g->alloc[0].address, &w->rich), OK);
    g->alloc[0].balance = (struct u256){{0, 1000000, 0, 0}};
    g->state_root = (struct hash){{0}};
}

/* ---- making ------------------------------------------------------------------------------------- */

static uint32_t make_txs(struct world *w, uint32_t n, uint8_t raw[][RAW], struct execution_tx *tx)
{
    uint64_t seed = 77 + w->nonce;
    for (uint32_t i = 0; i < n; i++) {
        struct tx_request r = {.chain_id = CHAIN,
                               .nonce = w->nonce++,
                               .max_priority_fee = u256_from_u64(5),
                               .max_fee = u256_from_u64(3000000000),
                               .gas = 21000,
                               .value = u256_from_u64(random_next(&seed))};
        random_bytes(&seed, r.to.b, sizeof r.to.b);
        assert_int_equal(tx_sign(raw[i], RAW, &tx[i].raw.n, &r, &w->rich), OK);
        tx[i].raw.p = raw[i];
        tx[i].sender = w->genesis.alloc[0].address;
    }
    return n;
}

static void make_block(struct world *w, struct posted *p, size_t i, uint32_t txs,
                       struct segment_block *out)
{
    static uint8_t raw[MOST_TXS][RAW];
    static struct execution_tx tx[MOST_TXS];
    struct execution_result result;
    uint64_t height = w->head.number + 1;
    p->time[i] = (struct auth_time){START_MS + height * 1000, (uint8_t)(height / 4 % MEMBERS)};
    struct execution_block b = {
        .parent = w->head.hash,
        .height = height,
        .timestamp_ms = p->time[i].ms,
        .fee_recipient = w->config.member[p->time[i].leader].address,
        .tx = tx,
        .txs = make_txs(w, txs, raw, tx),
    };
    ledger_build(w->ledger, &b, &result);
    assert_int_equal(result.status, EXECUTION_VALID);
    assert_int_equal(result.txs, txs);
    uint8_t *body = malloc(result.body_len);
    assert_non_null(body);
    memcpy(body, result.body, result.body_len);
    *out = (struct segment_block){p->time[i].ms, bytes_of(body, result.body_len)};
    assert_int_equal(payload_info_decode(&w->head, bytes_of(result.info, result.info_len)), OK);
    assert_int_equal(ledger_finalize(w->ledger, &w->head.hash, NULL, NULL), OK);
}

static void certify(struct world *w, struct batch_auth *a, const struct auth_time *last)
{
    static const size_t who[] = {0, 2, 3};
    a->headers = 1;
    a->header[0] = (struct header){.chain_id = CHAIN,
                                   .genesis = w->config.genesis,
                                   .config = w->config.hash,
                                   .slot = a->last,
                                   .height = a->last,
                                   .timestamp_ms = last->ms,
                                   .leader = last->leader,
                                   .payload = w->head.hash,
                                   .state_root = w->head.state_root};
    a->cert = (struct certificate){.kind = VOTE_FINALIZE, .slot = a->last, .signers = 13};
    a->cert.block = header_hash(&a->header[0]);
    struct hash digest = vote_digest(&w->config, VOTE_FINALIZE, a->last, &a->cert.block);
    for (size_t k = 0; k < 3; k++) {
        assert_int_equal(key_sign(&a->cert.signature[k], &w->key[who[k]], &digest), OK);
    }
}

static void make_segment(struct world *w, size_t number)
{
    struct posted *p = &w->posted[number];
    struct segment_block block[BLOCKS];
    struct batch_auth *a = &p->auth;
    *a = (struct batch_auth){.chain_id = CHAIN, .segment = number, .first = w->head.number + 1,
                             .last = w->head.number + BLOCKS, .parent = w->head.hash,
                             .config = w->config.hash, .next_config = w->config.hash};
    for (size_t i = 0; i < BLOCKS; i++) {
        make_block(w, p, i, txs_of[number], &block[i]);
    }
    segment_init(&p->segment);
    p->segment.effort = SEGMENT_SMALL;
    assert_int_equal(segment_build(&p->segment, &w->chain, &a->parent, block, BLOCKS), OK);
    for (size_t i = 0; i < BLOCKS; i++) {
        union {
            const uint8_t *in;
            uint8_t *own;
        } body = {.in = block[i].body.p};
        free(body.own);
    }
    assert_int_equal(blob_posting_cut(&p->blobs, WRAPPER_4844, &p->segment.id,
                                      buffer_bytes(&p->segment.content)), OK);
    for (size_t i = 0; i < p->blobs.blobs; i++) {
        assert_int_equal(blob_posting_prove(&p->blobs, kzg, i), OK);
    }
    a->last_hash = w->head.hash;
    a->channel = p->segment.id;
    a->root = p->segment.root;
    a->commitment = blob_posting_commitment(&p->blobs);
    certify(w, a, &p->time[BLOCKS - 1]);
    buffer_init(&p->envelope, LARGE);
    assert_int_equal(auth_encode(&p->envelope, a, p->time), OK);
}

static struct world *open_world(size_t segments)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    set_up_genesis(w);
    assert_int_equal(ledger_create(&w->ledger, &w->genesis), OK);
    assert_int_equal(genesis_epoch_config(&w->config, &w->genesis, why, sizeof why), OK);
    w->chain = batch_chain_of(&w->genesis);
    ledger_head(w->ledger, &w->head);
    for (; w->segments < segments; w->segments++) {
        make_segment(w, w->segments);
    }
    return w;
}

static void close_world(struct world *w)
{
    for (size_t i = 0; i < w->segments; i++) {
        segment_free(&w->posted[i].segment);
        blob_posting_free(&w->posted[i].blobs);
        buffer_free(&w->posted[i].envelope);
    }
    ledger_destroy(w->ledger);
    free(w->genesis.alloc);
    free(w);
}

/* ---- a verifier --------------------------------------------------------------------------------- */

struct verifier {
    struct ledger *ledger;
    struct derive_memo *memo;
    struct derive *d;
    size_t executed;
};

static enum err run_block(void *ctx, const struct derive_content *b, struct derive_executed *out)
{
    struct verifier *v = ctx;
    static struct execution_tx tx[LIMIT_BODY_TXS];
    struct execution_result result;
    struct execution_block block = {.parent = b->parent, .height = b->height,
                                    .timestamp_ms = b->timestamp_ms,
                                    .fee_recipient = b->fee_recipient, .tx = tx, .txs = b->txs};
    for (uint32_t i = 0; i < b->txs; i++) {
        struct tx t;
        tx[i].raw = b->tx[i];
        if (tx_decode(&t, b->tx[i]) != TX_OK || tx_sender(&tx[i].sender, &t) != TX_OK) {
            return ERR_INVALID_BLOCK;
        }
    }
    ledger_build(v->ledger, &block, &result);
    if (result.status != EXECUTION_VALID || result.txs != b->txs) {
        return result.status == EXECUTION_VALID ? ERR_INVALID_BLOCK : ERR_NO_MEMORY;
    }
    v->executed++;
    *out = (struct derive_executed){result.payload, result.state_root};
    return OK;
}

static void run_keep(void *ctx, uint64_t height, const struct hash *hash)
{
    struct verifier *v = ctx;
    struct payload_info head;
    assert_int_equal(ledger_finalize(v->ledger, hash, NULL, NULL), OK);
    ledger_head(v->ledger, &head);
    assert_int_equal(head.number, height);
}

static void run_drop(void *ctx)
{
    (void)ctx; /* unfinished states are left behind */
}

static enum err execute(void *ctx, const struct derive_content *b, struct derive_executed *out)
{
    return derive_memo_execute(((struct verifier *)ctx)->memo, b, out);
}

static void keep(void *ctx, const struct safe_row *safe)
{
    (void)safe;
    derive_memo_keep(((struct verifier *)ctx)->memo);
}

static void drop(void *ctx)
{
    derive_memo_drop(((struct verifier *)ctx)->memo);
}

static enum err check_blob(void *ctx, const uint8_t blob[BLOB_BYTES], const struct hash *versioned)
{
    (void)ctx;
    return kzg_check_blob(kzg, blob, versioned);
}

static void open_verifier(struct verifier *v, struct world *w)
{
    struct derive_forward forward = {v, run_block, run_keep, run_drop};
    struct derive_setup setup = {
        .chain = w->chain, .config = &w->config, .inbox = {{1}}, .auth = {{2}},
        .start = {0, w->genesis.payload, {100, {{100}}}, 0}, .ctx = v,
        .execute = execute, .keep = keep, .drop = drop, .check_blob = check_blob,
    };
    *v = (struct verifier){.executed = 0};
    assert_int_equal(ledger_create(&v->ledger, &w->genesis), OK);
    assert_int_equal(derive_memo_open(&v->memo, 0, &forward), OK);
    assert_int_equal(derive_open(&v->d, &setup), OK);
}

static void close_verifier(struct verifier *v)
{
    derive_close(v->d);
    derive_memo_close(v->memo);
    ledger_destroy(v->ledger);
}

/* L1 block `number` of a branch, with the posting of one segment, read out of the signed transaction
 * as the L1 has it. */
static void push(struct verifier *v, const struct world *w, uint64_t number, uint8_t branch,
                 size_t segment)
{
    const struct posted *p = &w->posted[segment];
    struct blob_tx t = {.chain_id = 1, .nonce = segment, .gas = 100000, .to = {{1}},
                        .data = buffer_bytes(&p->envelope), .blobs = p->blobs.blobs};
    struct blob_tx back;
    struct buffer raw;
    struct address from;
    buffer_init(&raw, LARGE);
    memcpy(t.versioned, p->blobs.versioned, sizeof t.versioned);
    assert_int_equal(blob_tx_sign(&raw, &t, &w->rich), OK);
    assert_int_equal(blob_tx_read(&back, &from, buffer_bytes(&raw)), OK);
    struct derive_tx tx = {.type = 3, .from = from, .to = back.to, .input = back.data,
                           .versioned = back.versioned, .blobs = (uint32_t)back.blobs};
    struct derive_block b = {{number, {{(uint8_t)number, branch}}}, {{0}}, &tx, 1};
    assert_int_equal(derive_known(v->d, &(struct derive_ref){0}, 1), 1);
    struct derive_ref last;
    derive_known(v->d, &last, 1);
    b.parent = last.hash;
    assert_int_equal(derive_push(v->d, &b), DERIVE_BLOBS);
    const uint8_t *blob[LIMIT_TX_BLOBS];
    memcpy(blob, p->blobs.blob, sizeof blob);
    tx.blob = blob;
    assert_int_equal(derive_push(v->d, &b), DERIVE_TAKEN);
    buffer_free(&raw);
}

static void expect_safe(const struct verifier *v, const struct world *w, size_t segments)
{
    const struct safe_row *safe = derive_state_safe(derive_state_of(v->d));
    assert_int_equal(safe->number, segments * BLOCKS);
    assert_true(hash_equal(&safe->hash, segments == 0 ? &w->genesis.payload
                                                      : &w->posted[segments - 1].auth.last_hash));
}

static void there_and_back(void **state)
{
    (void)state;
    struct world *w = open_world(SEGMENTS);
    struct verifier v;
    open_verifier(&v, w);
    assert_true(w->posted[1].blobs.blobs > 1);
    for (size_t i = 0; i < SEGMENTS; i++) {
        push(&v, w, 101 + i, 0, i);
        expect_safe(&v, w, i + 1);
    }
    assert_int_equal(v.executed, SEGMENTS * BLOCKS);
    /* two blocks are gone; posted again in others, nothing is executed twice */
    assert_int_equal(derive_back(v.d, 101), OK);
    expect_safe(&v, w, 1);
    while (derive_next(v.d) <= 101) {
        struct derive_block old = {{101, {{101, 0}}}, {{100}}, NULL, 0};
        assert_int_equal(derive_push(v.d, &old), DERIVE_TAKEN);
    }
    push(&v, w, 102, 1, 1);
    push(&v, w, 103, 1, 2);
    expect_safe(&v, w, SEGMENTS);
    assert_int_equal(v.executed, SEGMENTS * BLOCKS);
    close_verifier(&v);
    close_world(w);
}

/* One bit of a blob, and whoever brought it is asked for nothing more. */
static void a_bit_of_a_blob(void **state)
{
    (void)state;
    struct world *w = open_world(1);
    struct verifier v;
    const struct posted *p = &w->posted[0];
    open_verifier(&v, w);
    const uint8_t *blob[] = {p->blobs.blob[0]};
    struct derive_tx tx = {.type = 3, .to = {{1}}, .input = buffer_bytes(&p->envelope),
                           .versioned = p->blobs.versioned, .blobs = 1, .blob = blob};
    struct derive_block b = {{101, {{101}}}, {{100}}, &tx, 1};
    p->blobs.blob[0][131000] ^= 1;
    assert_int_equal(derive_push(v.d, &b), DERIVE_BAD_BLOB);
    p->blobs.blob[0][131000] ^= 1;
    p->blobs.blob[0][64] = 0xff; /* no number of the field */
    assert_int_equal(derive_push(v.d, &b), DERIVE_BAD_BLOB);
    p->blobs.blob[0][64] = 0;
    close_verifier(&v);
    close_world(w);
}

static int load(void **state)
{
    (void)state;
    return key_library_init() == OK && kzg_load(&kzg) == OK ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    kzg_free(kzg);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(a_bit_of_a_blob),
    };
    if (!kzg_is_built_in()) {
        printf("this build has no blobs\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, load, unload);
}
