/* Headers and blocks: mainnet's first, one that anvil made with four kinds of transactions, and what
 * a liar makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/key.h"
#include "sequencer/l1/block.h"
#include "sequencer/l1/header.h"

static const char mainnet_genesis[] =
    "{\"hash\":\"0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3\","
    "\"parentHash\":\"0x0000000000000000000000000000000000000000000000000000000000000000\","
    "\"sha3Uncles\":\"0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347\","
    "\"miner\":\"0x0000000000000000000000000000000000000000\","
    "\"stateRoot\":\"0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544\","
    "\"transactionsRoot\":\"0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421\","
    "\"receiptsRoot\":\"0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421\","
    "\"logsBloom\":\"0x%0512d\",\"difficulty\":\"0x400000000\",\"number\":\"0x0\","
    "\"gasLimit\":\"0x1388\",\"gasUsed\":\"0x0\",\"timestamp\":\"0x0\","
    "\"extraData\":\"0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa\","
    "\"mixHash\":\"0x0000000000000000000000000000000000000000000000000000000000000000\","
    "\"nonce\":\"0x0000000000000042\",\"transactions\":[]}";

static void mainnet(void **state)
{
    (void)state;
    char text[4096];
    struct l1_header h;
    snprintf(text, sizeof text, mainnet_genesis, 0);
    struct json_object *o = json_read(bytes_of(text, strlen(text)));
    assert_non_null(o);
    assert_int_equal(header_read(&h, o), OK);
    assert_int_equal(h.gas_limit, 5000);
    assert_false(h.has_blobs);
    struct block_read b;
    struct block_watch nobody = {.n = 0};
    assert_int_equal(block_read(&b, o, strlen(text), &nobody), OK);
    assert_int_equal(b.block.txs, 0);
    block_release(&b);
    json_object_put(o);
}

/* The recorded block, and the address that its transactions go to. */
struct world {
    char *text;
    size_t n;
    struct block_watch watch;
};

static int open_world(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    FILE *f = fopen(L1_RECORDED "/recorded_block.json", "rb");
    assert_non_null(f);
    w->text = calloc(1, 65536);
    w->n = fread(w->text, 1, 65535, f);
    fclose(f);
    w->watch.n = 1;
    assert_true(hex_decode(w->watch.to[0].b, 20, "ff00000000000000000000000000000000000900"));
    assert_int_equal(key_library_init(), OK);
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    free(w->text);
    free(w);
    return 0;
}

static enum err read_text(const struct world *w, const char *text, size_t n, struct block_read *b)
{
    struct json_object *o = json_read(bytes_of(text, n));
    if (o == NULL) {
        *b = (struct block_read){0};
        return ERR_MALFORMED;
    }
    enum err e = block_read(b, o, n, &w->watch);
    json_object_put(o);
    return e;
}

static void recorded(void **state)
{
    struct world *w = *state;
    struct block_read b;
    struct address sender;
    assert_int_equal(read_text(w, w->text, w->n, &b), OK);
    assert_int_equal(b.block.txs, 4);
    assert_int_equal(b.block.n, 3); /* the fourth creates a contract */
    static const uint8_t types[] = {0, 1, 2};
    bool seen[3] = {false};
    for (size_t i = 0; i < b.block.n; i++) {
        const struct l1_tx *t = &b.block.tx[i];
        for (size_t k = 0; k < 3; k++) {
            seen[k] = seen[k] || t->type == types[k];
        }
        assert_true(i == 0 || t->index > b.block.tx[i - 1].index);
        if (t->type == 2) {
            assert_true(hex_decode(sender.b, 20, "f39fd6e51aad88f6f4ce6ab8827279cfffb92266"));
            assert_true(address_equal(&t->from, &sender));
            assert_int_equal(t->input.n, 4);
            assert_memory_equal(t->input.p, "\x00\xc0\xff\xee", 4);
        }
    }
    assert_true(seen[0] && seen[1] && seen[2]);
    block_release(&b);
    w->watch.n = 0;
    assert_int_equal(read_text(w, w->text, w->n, &b), OK);
    assert_int_equal(b.block.n, 0);
    block_release(&b);
    w->watch.n = 1;
}

/* The place behind `"key": "0x`, from `from` on. */
static size_t digits_of(const struct world *w, const char *key, size_t from)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\": \"0x", key);
    const char *at = strstr(w->text + from, quoted);
    assert_non_null(at);
    return (size_t)(at - w->text) + strlen(quoted);
}

static void assert_lie_found(const struct world *w, const char *key, size_t from)
{
    struct block_read b;
    size_t at = digits_of(w, key, from);
    char before = w->text[at];
    w->text[at] = before == '1' ? '2' : '1';
    enum err e = read_text(w, w->text, w->n, &b);
    block_release(&b);
    w->text[at] = before;
    if (e != ERR_INVALID_BLOCK && e != ERR_BAD_SIGNATURE && e != ERR_MALFORMED) {
        fail_msg("%s: %s", key, e == OK ? "taken" : err_name(e));
    }
}

static void every_field_is_covered(void **state)
{
    struct world *w = *state;
    static const char *const of_header[] = {
        "parentHash", "sha3Uncles", "miner", "stateRoot", "receiptsRoot", "logsBloom", "number",
        "difficulty", "gasLimit", "gasUsed", "timestamp", "mixHash", "nonce", "baseFeePerGas",
        "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash",
        "transactionsRoot", "hash"};
    static const char *const of_tx[] = {"nonce", "gas", "to", "value", "input", "r", "s"};
    for (size_t i = 0; i < sizeof of_header / sizeof *of_header; i++) {
        assert_lie_found(w, of_header[i], 0);
    }
    size_t from = (size_t)(strstr(w->text, "\"transactions\"") - w->text);
    for (size_t i = 0; i < sizeof of_tx / sizeof *of_tx; i++) {
        assert_lie_found(w, of_tx[i], from);
    }
}

/* Whatever is changed: refused, or the same block. */
static void random_damage(void **state)
{
    struct world *w = *state;
    struct block_read good;
    uint64_t s = 88172645463325252U;
    char *text = malloc(w->n);
    assert_int_equal(read_text(w, w->text, w->n, &good), OK);
    for (int round = 0; round < 3000; round++) {
        struct block_read b;
        size_t n = w->n;
        memcpy(text, w->text, n);
        for (int k = 0; k < 1 + round % 4; k++) {
            s ^= s << 13;
            s ^= s >> 7;
            s ^= s << 17;
            text[s % n] = "0123456789abcdefx\"{}[],:n \n"[(s >> 32) % 27];
        }
        n = round % 10 == 0 ? (size_t)(s >> 20) % n : n;
        if (read_text(w, text, n, &b) == OK) {
            assert_true(hash_equal(&b.block.header.at.hash, &good.block.header.at.hash));
            assert_int_equal(b.block.txs, good.block.txs);
        }
        block_release(&b);
    }
    block_release(&good);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mainnet),
        cmocka_unit_test_setup_teardown(recorded, open_world, close_world),
        cmocka_unit_test_setup_teardown(every_field_is_covered, open_world, close_world),
        cmocka_unit_test_setup_teardown(random_damage, open_world, close_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
