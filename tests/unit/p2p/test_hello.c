#define _GNU_SOURCE
#include "p2p/hello.h"

#include <stdlib.h>

#include "tests/unit/p2p/net.h"

struct two {
    struct net *net;
    struct hello_plain a, b;
    struct hash exporter;
    uint8_t proof[PROOF_BYTES]; /* of a to b */
};

static int setup(void **state)
{
    struct two *t = calloc(1, sizeof *t);
    uint8_t nonce[32] = {1};
    t->net = net_make(3);
    t->a = hello_plain_make(&t->net->epoch, 0, t->net->node[0].instance, nonce);
    nonce[0] = 2;
    t->b = hello_plain_make(&t->net->epoch, 1, t->net->node[1].instance, nonce);
    t->exporter.b[5] = 77;
    assert_int_equal(
        hello_prove(t->proof, &t->net->epoch, &t->net->node[0].key, &t->a, &t->b, &t->exporter, 12),
        OK);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct two *t = *state;
    net_free(t->net);
    free(t);
    return 0;
}

static enum err verify(struct two *t, uint64_t *journal)
{
    return hello_verify(&t->net->epoch, bytes_of(t->proof, PROOF_BYTES), &t->b, &t->a, &t->exporter,
                        journal);
}

static void test_plain_round_trip(void **state)
{
    struct two *t = *state;
    uint8_t wire[HELLO_BYTES + 1];
    struct hello_plain back;
    const char *why = NULL;
    hello_plain_encode(wire, &t->a);
    assert_int_equal(hello_plain_decode(&back, bytes_of(wire, HELLO_BYTES)), OK);
    assert_int_equal(back.member, 0);
    assert_memory_equal(back.instance, t->a.instance, 16);
    assert_memory_equal(back.nonce, t->a.nonce, 32);
    assert_int_equal(hello_plain_check(&t->net->epoch, &back, &why), OK);
    for (size_t n = 0; n < HELLO_BYTES; n++) {
        assert_int_equal(hello_plain_decode(&back, bytes_of(wire, n)), ERR_MALFORMED);
    }
    assert_int_equal(hello_plain_decode(&back, bytes_of(wire, sizeof wire)), ERR_MALFORMED);
}

static void test_plain_refused(void **state)
{
    struct two *t = *state;
    const struct epoch_config *c = &t->net->epoch;
    const char *why = NULL;
    struct hello_plain h = t->a;
    h.version++;
    assert_int_equal(hello_plain_check(c, &h, &why), ERR_WRONG_VERSION);
    h = t->a;
    h.chain_id++;
    assert_int_equal(hello_plain_check(c, &h, &why), ERR_WRONG_CHAIN);
    assert_string_equal(why, "is of another chain id");
    h = t->a;
    h.genesis.b[31] ^= 1;
    assert_int_equal(hello_plain_check(c, &h, &why), ERR_WRONG_CHAIN);
    assert_string_equal(why, "has another genesis");
    h = t->a;
    h.epoch++;
    assert_int_equal(hello_plain_check(c, &h, &why), ERR_WRONG_CHAIN);
    h = t->a;
    h.config.b[0] ^= 1;
    assert_int_equal(hello_plain_check(c, &h, &why), ERR_WRONG_CHAIN);
    h = t->a;
    h.member = 3;
    assert_int_equal(hello_plain_check(c, &h, &why), ERR_NOT_MEMBER);
}

static void test_proof_holds(void **state)
{
    struct two *t = *state;
    uint64_t journal = 0;
    assert_int_equal(verify(t, &journal), OK);
    assert_int_equal(journal, 12);
}

/* A proof is worth nothing on another channel, to another member or with other nonces. */
static void test_proof_bound(void **state)
{
    struct two *t = *state;
    struct two was = *t;
    uint64_t journal = 0;
    t->exporter.b[0] ^= 1;
    assert_int_equal(verify(t, &journal), ERR_BAD_SIGNATURE);
    *t = was;
    t->b.member = 2;
    assert_int_equal(verify(t, &journal), ERR_BAD_SIGNATURE);
    *t = was;
    t->a.member = 2;
    assert_int_equal(verify(t, &journal), ERR_BAD_SIGNATURE);
    *t = was;
    t->a.nonce[3] ^= 1;
    assert_int_equal(verify(t, &journal), ERR_BAD_SIGNATURE);
    *t = was;
    t->b.nonce[3] ^= 1;
    assert_int_equal(verify(t, &journal), ERR_BAD_SIGNATURE);
    *t = was;
    t->a.instance[3] ^= 1;
    assert_int_equal(verify(t, &journal), ERR_BAD_SIGNATURE);
    *t = was;
}

static void test_proof_altered(void **state)
{
    struct two *t = *state;
    uint64_t journal = 0;
    for (size_t i = 0; i < PROOF_BYTES; i++) {
        t->proof[i] ^= 1;
        assert_int_equal(err_class(verify(t, &journal)), ERR_CLASS_PEER);
        t->proof[i] ^= 1;
    }
    assert_int_equal(hello_verify(&t->net->epoch, bytes_of(t->proof, PROOF_BYTES - 1), &t->b, &t->a,
                                  &t->exporter, &journal),
                     ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_plain_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plain_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_proof_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_proof_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(test_proof_altered, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
