/* EIP-712 digests against words laid by hand, votes and certificates. */
#include "check.h"

#include <stdio.h>

#include "proto/error.h"
#include "proto/keccak.h"
#include "proto/u256.h"
#include "proto/vote.h"

/* Words of typed data, laid one by one as the EIP describes. */
struct words {
    uint8_t b[12][32];
    size_t n;
};

static void lay_type(struct words *w, const char *type)
{
    struct hash h = keccak256(type, strlen(type));
    memset(w, 0, sizeof *w);
    memcpy(w->b[w->n++], h.b, 32);
}

static void lay(struct words *w, const void *p, size_t n, size_t at)
{
    memcpy(w->b[w->n++] + at, p, n);
}

static void lay_number(struct words *w, uint64_t v)
{
    uint8_t be[8] = {(uint8_t)(v >> 56), (uint8_t)(v >> 48), (uint8_t)(v >> 40), (uint8_t)(v >> 32),
                     (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),  (uint8_t)v};
    lay(w, be, 8, 24);
}

static struct hash separator(const struct epoch_config *c)
{
    struct words w;
    struct hash name = keccak256("Baton", 5);
    struct hash version = keccak256("1", 1);
    lay_type(&w,
             "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    struct hash type;
    memcpy(type.b, w.b[0], 32);
    assert_hash(&type, "8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f");
    lay(&w, name.b, 32, 0);
    lay(&w, version.b, 32, 0);
    lay_number(&w, c->chain_id);
    lay(&w, c->registry.b, 20, 12);
    return keccak256(w.b, 32 * w.n);
}

static struct hash digest_of(const struct epoch_config *c, const struct words *w)
{
    struct hash domain = separator(c);
    struct hash content = keccak256(w->b, 32 * w->n);
    struct keccak k;
    struct hash out;
    keccak_init(&k);
    keccak_update(&k, "\x19\x01", 2);
    keccak_update(&k, domain.b, 32);
    keccak_update(&k, content.b, 32);
    keccak_final(&k, &out);
    return out;
}

static struct epoch_config four(void)
{
    struct epoch_config c = config_of(4, NULL, FAULT_BFT);
    config_derive(&c);
    return c;
}

static struct hash some_block(void)
{
    return keccak256("a block", 7);
}

static void vote_and_proposal_digests(void **state)
{
    (void)state;
    struct epoch_config c = four();
    struct hash block = some_block();
    struct hash domain = separator(&c);
    struct words w;
    assert_true(hash_equal(&domain, &c.domain_separator));
    lay_type(&w, "Vote(uint8 kind,uint64 epoch,uint64 slot,bytes32 block,bytes32 config)");
    lay_number(&w, 3);
    lay_number(&w, c.epoch);
    lay_number(&w, 0x0102030405060708);
    lay(&w, block.b, 32, 0);
    lay(&w, c.hash.b, 32, 0);
    struct hash want = digest_of(&c, &w);
    struct hash got = vote_digest(&c, VOTE_FINALIZE, 0x0102030405060708, &block);
    assert_true(hash_equal(&want, &got));
    lay_type(&w, "Propose(uint64 epoch,uint64 slot,uint8 attempt,bytes32 block,bytes32 config)");
    lay_number(&w, c.epoch);
    lay_number(&w, 9);
    lay_number(&w, 1);
    lay(&w, block.b, 32, 0);
    lay(&w, c.hash.b, 32, 0);
    want = digest_of(&c, &w);
    got = propose_digest(&c, 9, 1, &block);
    assert_true(hash_equal(&want, &got));
}

static void notice_digests(void **state)
{
    (void)state;
    struct epoch_config c = four();
    struct ready_notice ready = {.epoch = 3, .member = 2, .slot = 77, .block = some_block()};
    struct leave_notice leave = {.epoch = 3, .member = 1, .from_turn = 12};
    struct words w;
    lay_type(&w, "Ready(uint64 epoch,uint8 member,uint64 slot,bytes32 block,bytes32 config)");
    lay_number(&w, 3);
    lay_number(&w, 2);
    lay_number(&w, 77);
    lay(&w, ready.block.b, 32, 0);
    lay(&w, c.hash.b, 32, 0);
    struct hash want = digest_of(&c, &w);
    struct hash got = ready_digest(&c, &ready);
    assert_true(hash_equal(&want, &got));
    lay_type(&w, "Leave(uint64 epoch,uint8 member,uint64 fromTurn,bytes32 config)");
    lay_number(&w, 3);
    lay_number(&w, 1);
    lay_number(&w, 12);
    lay(&w, c.hash.b, 32, 0);
    want = digest_of(&c, &w);
    got = leave_digest(&c, &leave);
    assert_true(hash_equal(&want, &got));
}

/* Which pairs are evidence, and in which order they stand. */
static void evidence_forms(void **state)
{
    (void)state;
    const struct {
        uint8_t first, second, low, high, attempt;
        enum err want;
    } pairs[] = {
        {0, 0, 1, 2, 0, OK},
        {0, 0, 1, 2, 1, OK},            /* proposals of equal attempt, whichever */
        {1, 1, 1, 2, 0, OK},
        {3, 3, 1, 2, 0, OK},
        {2, 3, 0, 2, 0, OK},
        {0, 0, 2, 2, 0, ERR_MALFORMED}, /* the same twice */
        {0, 0, 2, 1, 0, ERR_MALFORMED}, /* the other order */
        {3, 2, 2, 0, 0, ERR_MALFORMED},
        {1, 1, 0, 2, 0, ERR_MALFORMED}, /* a notarize without a block */
        {2, 3, 1, 2, 0, ERR_MALFORMED}, /* a skip with one */
        {2, 3, 0, 0, 0, ERR_MALFORMED},
        {2, 2, 0, 0, 0, ERR_MALFORMED}, /* what may stand beside each other */
        {1, 3, 1, 2, 0, ERR_MALFORMED},
        {1, 2, 1, 0, 0, ERR_MALFORMED},
        {0, 1, 1, 2, 0, ERR_MALFORMED},
        {4, 4, 1, 2, 0, ERR_MALFORMED},
        {1, 1, 1, 2, 1, ERR_MALFORMED}, /* votes have no attempt */
    };
    struct epoch_config c = four();
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct evidence e = {.member = 1, .slot = 9, .attempt = pairs[i].attempt};
        e.first_kind = pairs[i].first;
        e.second_kind = pairs[i].second;
        e.first.b[31] = pairs[i].low;
        e.second.b[31] = pairs[i].high;
        assert_int_equal(evidence_check_form(&c, &e), pairs[i].want);
        e.member = 4;
        assert_int_equal(evidence_check_form(&c, &e), ERR_MALFORMED);
        e.member = 1;
        e.slot = 0;
        assert_int_equal(evidence_check_form(&c, &e), ERR_MALFORMED);
    }
}

static void evidence_is_sorted_and_digested(void **state)
{
    (void)state;
    struct epoch_config c = four();
    struct evidence e = {.member = 1, .slot = 9, .first_kind = VOTE_FINALIZE};
    e.second_kind = VOTE_SKIP;
    e.first = some_block();
    e.first_signature.b[0] = 7;
    evidence_sort(&e);
    assert_int_equal(evidence_check_form(&c, &e), OK);
    assert_int_equal(e.second_signature.b[0], 7);
    struct hash want = vote_digest(&c, VOTE_FINALIZE, 9, &e.second);
    struct hash got = evidence_digest(&c, &e, true);
    assert_true(hash_equal(&want, &got));
    want = vote_digest(&c, VOTE_SKIP, 9, &(struct hash){{0}});
    got = evidence_digest(&c, &e, false);
    assert_true(hash_equal(&want, &got));
    e = (struct evidence){.member = 1, .slot = 9, .attempt = 1};
    e.first = some_block();
    e.second.b[0] = e.first.b[0];
    struct hash lower = e.second;
    evidence_sort(&e);
    assert_true(hash_equal(&e.first, &lower));
    want = propose_digest(&c, 9, 1, &lower);
    got = evidence_digest(&c, &e, false);
    assert_true(hash_equal(&want, &got));
}

static void hello_digests(void **state)
{
    (void)state;
    struct epoch_config c = four();
    struct hello hello = {.epoch = 3, .member = 1, .to = 2, .journal_sequence = 99};
    struct words w;
    memset(hello.instance, 0x11, sizeof hello.instance);
    memset(hello.nonce, 0x22, sizeof hello.nonce);
    memset(hello.peer_nonce, 0x33, sizeof hello.peer_nonce);
    memset(hello.exporter.b, 0x44, sizeof hello.exporter.b);
    lay_type(&w, "Hello(uint64 epoch,uint8 member,uint8 to,bytes16 instance,bytes32 nonce,"
                 "bytes32 peerNonce,bytes32 exporter,uint64 journal,bytes32 config)");
    lay_number(&w, 3);
    lay_number(&w, 1);
    lay_number(&w, 2);
    lay(&w, hello.instance, 16, 0);
    lay(&w, hello.nonce, 32, 0);
    lay(&w, hello.peer_nonce, 32, 0);
    lay(&w, hello.exporter.b, 32, 0);
    lay_number(&w, 99);
    lay(&w, c.hash.b, 32, 0);
    struct hash want = digest_of(&c, &w);
    struct hash got = hello_digest(&c, &hello);
    assert_true(hash_equal(&want, &got));
}

static struct vote vote_by(const struct epoch_config *c, uint8_t signer, uint8_t kind,
                           const struct hash *block)
{
    struct vote v = {.kind = kind, .signer = signer, .epoch = c->epoch, .slot = 5, .block = *block};
    struct secret_key key = key_number(signer);
    struct hash digest = vote_digest(c, kind, 5, block);
    assert_int_equal(key_sign(&v.signature, &key, &digest), OK);
    return v;
}

static void votes(void **state)
{
    (void)state;
    const struct hash zero = {{0}};
    struct epoch_config c = four();
    struct hash block = some_block();
    struct vote v = vote_by(&c, 2, VOTE_NOTARIZE, &block);
    struct vote skip = vote_by(&c, 2, VOTE_SKIP, &zero);
    assert_int_equal(vote_verify(&c, &v), OK);
    assert_int_equal(vote_verify(&c, &skip), OK);
    struct vote bad[7];
    for (size_t i = 0; i < 7; i++) {
        bad[i] = v;
    }
    bad[0].kind = VOTE_FINALIZE;
    bad[1].slot++;
    bad[2].epoch++;
    bad[3].signer = 1;
    bad[4].signer = 4;
    bad[5].block.b[0] ^= 1;
    bad[6].signature.b[10] ^= 1;
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(vote_verify(&c, &bad[i]), ERR_BAD_SIGNATURE);
    }
    /* Well signed, but not a vote: a skip that names a block, a notarize that names none. */
    struct vote odd = vote_by(&c, 2, VOTE_SKIP, &block);
    assert_int_equal(vote_verify(&c, &odd), ERR_BAD_SIGNATURE);
    odd = vote_by(&c, 2, VOTE_NOTARIZE, &zero);
    assert_int_equal(vote_verify(&c, &odd), ERR_BAD_SIGNATURE);
    odd = vote_by(&c, 2, 4, &block);
    assert_int_equal(vote_verify(&c, &odd), ERR_BAD_SIGNATURE);
}

static struct certificate certify(const struct epoch_config *c, uint32_t signers, uint8_t kind,
                                  const struct hash *block)
{
    struct certificate cert = {
        .kind = kind, .epoch = c->epoch, .slot = 5, .block = *block, .signers = signers};
    uint32_t k = 0;
    for (uint8_t i = 0; i < 32; i++) {
        if ((signers >> i & 1) != 0) {
            cert.signature[k++] = vote_by(c, i, kind, block).signature;
        }
    }
    return cert;
}

/* Every set of signers: a certificate exactly when its weight reaches Q. */
static void certificates_by_signers(void **state)
{
    (void)state;
    const struct hash zero = {{0}};
    const uint32_t weight[5] = {1, 2, 1, 2, 1};
    struct epoch_config c = config_of(5, weight, FAULT_BFT);
    struct hash block = some_block();
    config_derive(&c);
    for (uint32_t signers = 0; signers < 64; signers++) {
        for (uint8_t kind = VOTE_NOTARIZE; kind <= VOTE_FINALIZE; kind++) {
            const struct hash *b = kind == VOTE_SKIP ? &zero : &block;
            struct certificate cert = certify(&c, signers, kind, b);
            bool good = signers < 32 && members_weight(&c, signers) >= c.quorum;
            assert_int_equal(certificate_verify(&c, &cert), good ? OK : ERR_BAD_CERTIFICATE);
            assert_int_equal(certificate_check_form(&c, &cert), good ? OK : ERR_BAD_CERTIFICATE);
        }
    }
}

static void certificates_refused(void **state)
{
    (void)state;
    const struct hash zero = {{0}};
    struct epoch_config c = four();
    struct hash block = some_block();
    struct certificate good = certify(&c, 0xb, VOTE_FINALIZE, &block);
    assert_int_equal(certificate_count(&good), 3);
    assert_int_equal(certificate_verify(&c, &good), OK);
    struct certificate bad[8];
    for (size_t i = 0; i < 8; i++) {
        bad[i] = good;
    }
    bad[0].slot++;
    bad[1].block.b[31] ^= 1;
    bad[2].signers = 0x7; /* not who signed */
    bad[3].kind = VOTE_NOTARIZE;
    bad[4].signature[1] = bad[4].signature[0];
    bad[5].signature[2].b[0] ^= 1;
    bad[6].kind = VOTE_SKIP;
    bad[7].block = zero;
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(certificate_verify(&c, &bad[i]), ERR_BAD_CERTIFICATE);
    }
    bad[0] = good;
    bad[0].epoch++;
    assert_int_equal(certificate_verify(&c, &bad[0]), ERR_WRONG_CHAIN);
    /* Another configuration of the same members does not accept it. */
    c.params.depth++;
    config_derive(&c);
    assert_int_equal(certificate_verify(&c, &good), ERR_BAD_CERTIFICATE);
}

static void certificate_with_high_s(void **state)
{
    (void)state;
    struct epoch_config c = four();
    struct hash block = some_block();
    struct certificate cert = certify(&c, 0xe, VOTE_NOTARIZE, &block);
    uint8_t *sig = cert.signature[0].b;
    struct u256 order;
    assert_true(
        u256_parse(&order, "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"));
    struct u256 s = u256_from_be(sig + 32, 32);
    assert_false(u256_sub(&s, &order, &s));
    u256_to_be(sig + 32, &s);
    sig[64] = (uint8_t)(55 - sig[64]);
    assert_int_equal(certificate_verify(&c, &cert), ERR_BAD_CERTIFICATE);
}

static void full_set(void **state)
{
    (void)state;
    struct epoch_config c = config_of(32, NULL, FAULT_BFT);
    struct hash block = some_block();
    config_derive(&c);
    struct certificate cert = certify(&c, UINT32_MAX, VOTE_NOTARIZE, &block);
    assert_int_equal(certificate_count(&cert), 32);
    assert_int_equal(certificate_verify(&c, &cert), OK);
    cert.signature[31].b[40] ^= 1;
    assert_int_equal(certificate_verify(&c, &cert), ERR_BAD_CERTIFICATE);
}

static void errors_have_words(void **state)
{
    (void)state;
    for (int e = ERR_MALFORMED; e < ERR_COUNT; e++) {
        assert_true(strlen(err_text((enum err)e)) > 5);
        assert_true(strlen(err_name((enum err)e)) > 1);
        assert_int_not_equal(err_class((enum err)e), ERR_CLASS_NONE);
    }
    assert_int_equal(err_class(OK), ERR_CLASS_NONE);
    assert_int_equal(err_class(ERR_IO), ERR_CLASS_ENV);
    assert_string_equal(err_name(ERR_BAD_SIGNATURE), "BAD_SIGNATURE");
    assert_string_equal(err_name(ERR_COUNT), "INVARIANT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vote_and_proposal_digests),
        cmocka_unit_test(notice_digests),
        cmocka_unit_test(evidence_forms),
        cmocka_unit_test(evidence_is_sorted_and_digested),
        cmocka_unit_test(hello_digests),
        cmocka_unit_test(votes),
        cmocka_unit_test(certificates_by_signers),
        cmocka_unit_test(certificates_refused),
        cmocka_unit_test(certificate_with_high_s),
        cmocka_unit_test(full_set),
        cmocka_unit_test(errors_have_words),
    };
    return cmocka_run_group_tests(tests, crypto_setup, NULL);
}
