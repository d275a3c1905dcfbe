#include "txm_kit.h"

#include <stdlib.h>

#include "proto/keccak.h"
#include "proto/tx.h"
#include "sequencer/batcher/blob_tx.h"

static uint8_t data_of_test[] = {0, 1, 2, 3, 0, 0, 7};

struct u256 kit_gwei(uint64_t n)
{
    struct u256 out;
    struct u256 gwei = u256_from_u64(1000000000);
    assert_false(u256_mul_u64(&out, &gwei, n));
    return out;
}

/* ---- the signer: both types as they are on the wire ------------------------------------------------ */

static enum err sign_plain(struct kit *k, const struct txm_request *r, uint8_t *out, size_t cap,
                           size_t *n)
{
    const struct tx_request tx = {.chain_id = r->chain_id,
                                  .nonce = r->nonce,
                                  .max_priority_fee = r->fees.tip,
                                  .max_fee = r->fees.cap,
                                  .gas = r->gas,
                                  .to = r->payload->to,
                                  .data = r->payload->data};
    return tx_sign(out, cap, n, &tx, &k->key);
}

static enum err sign_blob(struct kit *k, const struct txm_request *r, uint8_t *out, size_t cap,
                          size_t *n)
{
    struct blob_tx tx = {.chain_id = r->chain_id,
                         .nonce = r->nonce,
                         .max_priority_fee = r->fees.tip,
                         .max_fee = r->fees.cap,
                         .gas = r->gas,
                         .to = r->payload->to,
                         .data = r->payload->data,
                         .max_blob_fee = r->fees.blob_cap,
                         .blobs = r->payload->blobs};
    struct buffer b;
    memcpy(tx.versioned, r->payload->versioned, sizeof tx.versioned);
    buffer_init(&b, cap);
    enum err e = blob_tx_sign(&b, &tx, &k->key);
    if (e == OK) {
        memcpy(out, b.p, b.n);
        *n = b.n;
    }
    buffer_free(&b);
    return e;
}

static enum err sign(void *ctx, const struct txm_request *r, uint8_t *out, size_t cap, size_t *n)
{
    return r->kind == TXM_BLOB ? sign_blob(ctx, r, out, cap, n) : sign_plain(ctx, r, out, cap, n);
}

/* ---- the journal ----------------------------------------------------------------------------------- */

static enum err append(void *ctx, struct bytes group)
{
    struct kit *k = ctx;
    if (k->fail_append != OK) {
        return k->fail_append;
    }
    assert_true(k->groups < KIT_GROUPS);
    uint8_t *copy = malloc(group.n + 1);
    if (copy == NULL) {
        return ERR_NO_MEMORY;
    }
    memcpy(copy, group.p, group.n);
    k->group[k->groups] = copy;
    k->group_n[k->groups++] = group.n;
    return OK;
}

static void forget(struct kit *k)
{
    while (k->groups > 0) {
        free(k->group[--k->groups]);
    }
}

static enum err replace(void *ctx, struct bytes group)
{
    struct kit *k = ctx;
    if (k->fail_append != OK) {
        return k->fail_append;
    }
    uint8_t *copy = malloc(group.n + 1);
    if (copy == NULL) {
        return ERR_NO_MEMORY;
    }
    memcpy(copy, group.p, group.n);
    forget(k);
    k->group[0] = copy;
    k->group_n[0] = group.n;
    k->groups = 1;
    return OK;
}

/* ---- L1 ---------------------------------------------------------------------------------------------- */

static struct txm_receipt receipt(void *ctx, const struct hash *hash)
{
    struct kit *k = ctx;
    if (k->unknown) {
        return (struct txm_receipt){.found = TXM_UNKNOWN};
    }
    for (size_t i = 0; i < k->facts; i++) {
        if (hash_equal(&k->fact[i].hash, hash)) {
            return k->fact[i].is;
        }
    }
    return (struct txm_receipt){.found = TXM_ABSENT};
}

void kit_says(struct kit *k, const struct hash *hash, enum txm_found found, enum txm_pooled pool,
              uint64_t number)
{
    size_t i = 0;
    while (i < k->facts && !hash_equal(&k->fact[i].hash, hash)) {
        i++;
    }
    assert_true(i < KIT_FACTS);
    k->facts = i == k->facts ? i + 1 : k->facts;
    k->fact[i] = (struct kit_fact){.hash = *hash, .is = {.found = found, .pool = pool}};
    k->fact[i].is.block.number = number;
    k->fact[i].is.paid = u256_from_u64(1000);
}

static void start(struct kit *k)
{
    const struct txm_signer s = {k, sign};
    const struct txm_journal j = {k, append, replace};
    assert_int_equal(txm_new(&k->t, &k->cfg, &s, &j), OK);
    for (size_t i = 0; i < k->groups; i++) {
        assert_int_equal(txm_restore(k->t, bytes_of(k->group[i], k->group_n[i])), OK);
    }
}

void kit_open(struct kit *k, enum txm_kind kind)
{
    *k = (struct kit){.cfg = txm_config_default()};
    assert_int_equal(key_library_init(), OK);
    memset(k->key.b, 7, sizeof k->key.b);
    k->cfg.chain_id = L1_CHAIN;
    k->cfg.kind = kind;
    assert_int_equal(key_address(&k->cfg.account, &k->key), OK);
    k->view = (struct txm_view){.now_ms = 1000000, .ok = true, .derived = true};
    k->view.head.number = 100;
    k->view.account = (struct l1_account){.nonce = 5, .balance = kit_gwei(10000000000)};
    k->view.market = (struct txm_market){kit_gwei(1), kit_gwei(1), kit_gwei(1)};
    k->view.gas_room = k->view.blob_room = true;
    k->view.ctx = k;
    k->view.receipt = receipt;
    start(k);
}

void kit_restart(struct kit *k)
{
    txm_free(k->t);
    start(k);
}

void kit_close(struct kit *k)
{
    txm_free(k->t);
    forget(k);
}

void kit_head(struct kit *k, uint64_t blocks)
{
    k->view.head.number += blocks;
    k->view.head.hash = keccak256(&k->view.head.number, sizeof k->view.head.number);
    k->view.now_ms += 12000 * blocks;
    txm_tick(k->t, &k->view);
}

void kit_later(struct kit *k, uint64_t ms)
{
    k->view.now_ms += ms;
    txm_tick(k->t, &k->view);
}

struct txm_payload kit_payload(const struct kit *k, uint64_t no)
{
    struct txm_payload p = {.segment = no, .kind = (uint8_t)k->cfg.kind, .last = 10 * (no + 1)};
    p.to.b[0] = 0xff;
    p.data = bytes_of(data_of_test, sizeof data_of_test);
    if (k->cfg.kind == TXM_BLOB) {
        p.blobs = 2;
        p.versioned[0].b[0] = p.versioned[1].b[0] = 1;
        p.versioned[0].b[31] = (uint8_t)no;
    }
    return p;
}

uint64_t kit_post(struct kit *k, uint64_t no)
{
    struct txm_payload p = kit_payload(k, no);
    uint64_t nonce;
    assert_int_equal(txm_post(k->t, &p, 1, &nonce), OK);
    assert_int_equal(txm_release(k->t, nonce), OK);
    return nonce;
}

struct txm_send kit_send(struct kit *k)
{
    struct txm_send s;
    assert_true(txm_next_send(k->t, &s));
    return s;
}

void kit_quiet(struct kit *k)
{
    struct txm_send s;
    assert_false(txm_next_send(k->t, &s));
}

struct txm_status kit_status(const struct kit *k)
{
    struct txm_status s;
    txm_status(k->t, &s);
    return s;
}

struct txm_slot_view kit_slot(const struct kit *k, size_t i)
{
    struct txm_slot_view v;
    assert_true(i < txm_slots(k->t));
    txm_slot(k->t, i, &v);
    return v;
}
