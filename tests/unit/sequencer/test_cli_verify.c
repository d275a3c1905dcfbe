/* Offline checks: a certificate made with real keys holds, every change to it is noticed; a
 * transaction's inclusion proof leads where it should and nowhere else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/genesis.h"
#include "proto/keccak.h"
#include "proto/key.h"
#include "proto/rlp.h"
#include "proto/vote.h"
#include "sequencer/cli/trie_verify.h"
#include "sequencer/cli/verify.h"
#include "sequencer/execution/ledger.h"

enum { MEMBERS = 4, TXS = 300 };

static struct secret_key keys[MEMBERS];
static struct genesis genesis;
static struct epoch_config config;
static char why[256];

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(key_library_init(), OK);
    genesis = (struct genesis){.chain_id = 41197,
                               .timestamp_ms = 1700000000000,
                               .n = MEMBERS,
                               .params = {.fault_model = FAULT_BFT,
                                          .pace = PACE_FIXED,
                                          .turn_slots = 8,
                                          .depth = 3,
                                          .block_time_ms = 200,
                                          .max_interval_ms = 200,
                                          .execute_before_finalize = 1,
                                          .gas_limit = 30000000}};
    for (uint32_t i = 0; i < MEMBERS; i++) {
        struct member *m = &genesis.member[i];
        memset(keys[i].b, (int)i + 1, 32);
        assert_int_equal(key_address(&m->address, &keys[i]), OK);
        m->weight = 1;
        snprintf(m->name, sizeof m->name, "m%u", i);
        snprintf(m->endpoint, sizeof m->endpoint, "127.0.0.1:%u", 30000 + i);
    }
    assert_int_equal(genesis_epoch_config(&config, &genesis, why, sizeof why), OK);
    return 0;
}

static struct json_object *hex(const void *p, size_t n)
{
    char text[HEX_SIZE(HEADER_BYTES)];
    hex_encode(text, p, n);
    return json_object_new_string(text);
}

static struct header block_on(const struct header *parent, uint64_t slot)
{
    struct header h = *parent;
    h.parent = header_hash(parent);
    h.parent_slot = parent->slot;
    h.slot = slot;
    h.height = parent->height + 1;
    memset(h.payload.b, (int)slot, 32);
    return h;
}

static struct json_object *raw(const struct header *h)
{
    uint8_t bytes[HEADER_BYTES];
    header_encode(bytes, h);
    return hex(bytes, sizeof bytes);
}

/* Block 2 certified by the first `n` members, asked for block 1. */
static struct json_object *document(struct header *block1, uint32_t n)
{
    struct header anchor;
    genesis_anchor(&anchor, &genesis, &config);
    *block1 = block_on(&anchor, 1);
    struct header block2 = block_on(block1, 2);
    struct hash hash = header_hash(&block2);
    struct hash digest = vote_digest(&config, VOTE_FINALIZE, 2, &hash);
    struct json_object *o = json_object_new_object();
    struct json_object *header = json_object_new_object();
    struct json_object *path = json_object_new_array();
    struct json_object *signers = json_object_new_array();
    struct json_object *signatures = json_object_new_array();
    for (uint32_t i = 0; i < n; i++) {
        struct signature s;
        assert_int_equal(key_sign(&s, &keys[i], &digest), OK);
        json_object_array_add(signers, json_object_new_int((int)i));
        json_object_array_add(signatures, hex(s.b, 65));
    }
    json_object_array_add(path, raw(block1));
    json_object_object_add(header, "raw", raw(&block2));
    json_object_object_add(o, "epoch", json_object_new_int(0));
    json_object_object_add(o, "slot", json_object_new_int(2));
    json_object_object_add(o, "kind", json_object_new_int(VOTE_FINALIZE));
    json_object_object_add(o, "block", hex(hash.b, 32));
    json_object_object_add(o, "config", hex(config.hash.b, 32));
    json_object_object_add(o, "header", header);
    json_object_object_add(o, "path", path);
    json_object_object_add(o, "signers", signers);
    json_object_object_add(o, "signatures", signatures);
    return o;
}

static enum err check(struct json_object *o, struct header *target)
{
    return verify_certificate(target, &config, o, why, sizeof why);
}

static void test_a_quorum_proves_the_block_below(void **state)
{
    (void)state;
    struct header block1;
    struct header target;
    struct json_object *o = document(&block1, 3);
    assert_int_equal(check(o, &target), OK);
    struct hash a = header_hash(&target);
    struct hash b = header_hash(&block1);
    assert_true(hash_equal(&a, &b));
    json_object_put(o);
}

static void test_fewer_than_a_quorum_prove_nothing(void **state)
{
    (void)state;
    struct header block1;
    struct header target;
    struct json_object *o = document(&block1, 2);
    assert_int_equal(check(o, &target), ERR_BAD_CERTIFICATE);
    json_object_put(o);
}

static void change(const char *key, struct json_object *value, enum err expected)
{
    struct header block1;
    struct header target;
    struct json_object *o = document(&block1, 3);
    json_object_object_add(o, key, value);
    assert_int_equal(check(o, &target), expected);
    json_object_put(o);
}

static void test_every_change_is_noticed(void **state)
{
    (void)state;
    struct hash other = {{7}};
    change("kind", json_object_new_int(VOTE_NOTARIZE), ERR_MALFORMED);
    change("epoch", json_object_new_int(1), ERR_WRONG_CHAIN);
    change("slot", json_object_new_int(3), ERR_BAD_CERTIFICATE);
    change("block", hex(other.b, 32), ERR_BAD_CERTIFICATE);
    change("config", hex(other.b, 32), ERR_WRONG_CHAIN);
    change("header", NULL, ERR_MALFORMED);
    change("signers", json_object_new_array(), ERR_MALFORMED);
    change("signatures", NULL, ERR_MALFORMED);
    struct header stranger = {.slot = 1};
    struct json_object *path = json_object_new_array();
    json_object_array_add(path, raw(&stranger));
    change("path", path, ERR_BAD_CERTIFICATE);
}

static void test_one_signer_cannot_stand_for_two(void **state)
{
    (void)state;
    struct header block1;
    struct header target;
    struct json_object *o = document(&block1, 3);
    struct json_object *signers = json_object_object_get(o, "signers");
    json_object_array_put_idx(signers, 1, json_object_new_int(0));
    assert_int_equal(check(o, &target), ERR_MALFORMED);
    json_object_put(o);
}

/* ---- inclusion ------------------------------------------------------------------------------- */

static uint8_t tx[TXS][120];
static struct bytes item[TXS];

static size_t key_of(uint8_t out[9], uint32_t index)
{
    struct rlp_out key = {.p = out, .cap = 9};
    rlp_put_u64(&key, index);
    return key.n;
}

static size_t split(struct bytes *node, const uint8_t *proof, size_t len)
{
    size_t n = 0;
    for (size_t at = 0; at < len; n++) {
        size_t size = load_be32(proof + at);
        node[n] = bytes_of(proof + at + 4, size);
        at += 4 + size;
    }
    return n;
}

static void check_proof(const struct hash *root, uint32_t count, uint32_t index)
{
    uint8_t key[9];
    struct bytes node[TRIE_DEPTH_MAX];
    uint8_t *proof = NULL;
    size_t len = 0;
    size_t key_n = key_of(key, index);
    assert_int_equal(trie_list_proof(item, count, index, &proof, &len), OK);
    size_t n = split(node, proof, len);
    struct bytes k = bytes_of(key, key_n);
    assert_int_equal(trie_verify(root, k, item[index], node, n), OK);
    assert_int_not_equal(trie_verify(root, k, item[(index + 1) % count], node, n), OK);
    assert_int_not_equal(trie_verify(root, k, item[index], node, n - 1), OK);
    struct hash other = *root;
    other.b[0] ^= 1;
    assert_int_not_equal(trie_verify(&other, k, item[index], node, n), OK);
    free(proof);
}

static void test_proofs_lead_to_their_transaction_only(void **state)
{
    (void)state;
    static const uint32_t counts[] = {2, 16, 17, 128, 129, TXS};
    for (uint32_t i = 0; i < TXS; i++) {
        memset(tx[i], (int)(i % 251), sizeof tx[i]);
        store_be32(tx[i], i);
        item[i] = bytes_of(tx[i], i % 3 == 0 ? 9 : sizeof tx[i]); /* some fit inside their parent */
    }
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        struct hash root = trie_list_root(item, counts[c]);
        for (uint32_t i = 0; i < counts[c]; i += 1 + counts[c] / 16) {
            check_proof(&root, counts[c], i);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_quorum_proves_the_block_below),
        cmocka_unit_test(test_fewer_than_a_quorum_prove_nothing),
        cmocka_unit_test(test_every_change_is_noticed),
        cmocka_unit_test(test_one_signer_cannot_stand_for_two),
        cmocka_unit_test(test_proofs_lead_to_their_transaction_only),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
