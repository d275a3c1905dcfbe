/* One bit of a signed or stored object changes, each in turn: the object is refused, or it is
 * another one in canonical form whose signature, checksum or root does not hold. Both outcomes are
 * counted, so that a test in which nothing happens fails. */
#include "check.h"

#include "p2p/hello.h"
#include "proto/body.h"
#include "proto/keccak.h"
#include "proto/record.h"
#include "proto/tx.h"

enum { ROOM = 16384, SLOT = 9, SIGNER = 1 };

static struct epoch_config epoch;
static struct message_arena arena;

/* What became of a changed object. */
enum outcome { REFUSED, FAILS, HOLDS };

/* Judges a changed object; bytes that decode must encode to the same ones, which it checks. */
typedef enum outcome judge(struct bytes in);

static int setup(void **state)
{
    int code = crypto_setup(state);
    epoch = config_of(4, NULL, FAULT_BFT);
    config_derive(&epoch);
    return code;
}

/* Returns how many changes decoded; the object itself must hold. */
static size_t flip_all(uint8_t *p, size_t n, judge *of)
{
    size_t decoded = 0;
    assert_int_equal(of(bytes_of(p, n)), HOLDS);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum outcome o = of(bytes_of(p, n));
        if (o == HOLDS) {
            fail_msg("bit %zu of %zu may be changed", bit, 8 * n);
        }
        decoded += o == FAILS;
        p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    return decoded;
}

static void same_bytes(struct bytes in, const uint8_t *again, size_t n)
{
    assert_int_equal(in.n, n);
    assert_memory_equal(in.p, again, n);
}

static bool signed_by(const struct signature *sig, const struct hash *digest, int member)
{
    struct address a;
    return key_recover(&a, sig, digest) == OK && address_equal(&a, &epoch.member[member].address);
}

static struct signature sign(const struct hash *digest, int member)
{
    struct signature s;
    struct secret_key key = key_number((uint8_t)member);
    assert_int_equal(key_sign(&s, &key, digest), OK);
    return s;
}

/* ---- votes and certificates ------------------------------------------------------------------ */

static struct vote make_vote(uint8_t kind, int signer)
{
    struct vote v = {.kind = kind, .signer = (uint8_t)signer, .epoch = epoch.epoch, .slot = SLOT};
    if (kind != VOTE_SKIP) {
        memset(v.block.b, 0xb1, sizeof v.block.b);
    }
    struct hash digest = vote_digest(&epoch, kind, SLOT, &v.block);
    v.signature = sign(&digest, signer);
    return v;
}

/* A step of one vote. Its sequence and marks are signed by nobody: the records' checksums, and the
 * database's, are for them. */
static enum outcome judge_vote(struct bytes in)
{
    static struct vote plain;
    uint8_t again[ROOM];
    size_t n = 0;
    struct journal_step s;
    if (journal_step_decode(&s, &arena, in) != OK) {
        return REFUSED;
    }
    assert_int_equal(journal_step_encode(again, sizeof again, &n, &s), OK);
    same_bytes(in, again, n);
    plain = s.votes == 1 ? s.vote[0] : plain;
    return s.votes == 1 && vote_verify(&epoch, &plain) == OK ? HOLDS : FAILS;
}

static void a_vote(void **state)
{
    (void)state;
    for (uint8_t kind = VOTE_NOTARIZE; kind <= VOTE_FINALIZE; kind++) {
        uint8_t raw[ROOM];
        size_t n = 0;
        struct vote v = make_vote(kind, SIGNER);
        struct journal_step s = {.vote = &v, .votes = 1};
        assert_int_equal(journal_step_encode(raw, sizeof raw, &n, &s), OK);
        /* At least every bit of r and s, and of the slot, gives another vote. */
        assert_true(flip_all(raw, n, judge_vote) > 8 * 64);
    }
}

static enum outcome judge_certificate(struct bytes in)
{
    uint8_t again[CERTIFICATE_MAX_BYTES];
    size_t n = 0;
    struct certificate c;
    if (certificate_decode(&c, in) != OK) {
        return REFUSED;
    }
    assert_int_equal(certificate_encode(again, sizeof again, &n, &c), OK);
    same_bytes(in, again, n);
    return certificate_verify(&epoch, &c) == OK ? HOLDS : FAILS;
}

static void a_certificate(void **state)
{
    (void)state;
    for (uint8_t kind = VOTE_NOTARIZE; kind <= VOTE_FINALIZE; kind++) {
        uint8_t raw[CERTIFICATE_MAX_BYTES];
        size_t n = 0;
        struct certificate c = {.kind = kind, .epoch = epoch.epoch, .slot = SLOT, .signers = 7};
        for (int i = 0; i < 3; i++) {
            struct vote v = make_vote(kind, i);
            c.block = v.block;
            c.signature[i] = v.signature;
        }
        assert_int_equal(certificate_encode(raw, sizeof raw, &n, &c), OK);
        assert_true(flip_all(raw, n, judge_certificate) > 3 * 8 * 64);
    }
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static const uint8_t no_parts[] = {0xc5, 0xc0, 0xc0, 0xc0, 0xc0, 0x80};

/* What a member checks of a block before it looks at its parent. */
static bool block_holds(const struct block *b)
{
    struct hash system = keccak256(b->head.system.p, b->head.system.n);
    struct hash body = keccak256(b->body.p, b->body.n);
    struct hash digest =
        propose_digest(&epoch, b->head.header.slot, b->head.header.attempt, &b->head.hash);
    uint32_t txs = 0;
    return hash_equal(&system, &b->head.header.system_root) &&
           hash_equal(&body, &b->head.header.body_root) && body_count(b->body, &txs) == OK &&
           signed_by(&b->head.signature, &digest, SIGNER);
}

static enum outcome judge_block(struct bytes in)
{
    uint8_t again[ROOM];
    size_t n = 0;
    struct block b;
    if (stored_block_decode(&b, in) != OK) {
        return REFUSED;
    }
    assert_int_equal(stored_block_encode(again, sizeof again, &n, &b), OK);
    same_bytes(in, again, n);
    return block_holds(&b) ? HOLDS : FAILS;
}

static enum outcome judge_proposal(struct bytes in)
{
    uint8_t again[ROOM];
    size_t n = 0;
    struct message m;
    if (message_decode(&m, &arena, in) != OK) {
        return REFUSED;
    }
    assert_int_equal(message_encode(again, sizeof again, &n, &m), OK);
    same_bytes(in, again, n);
    struct block b = {.head = m.u.proposal.head, .body = bytes_of("\xc3\x82tx", 4)};
    return m.kind == MSG_PROPOSAL && block_holds(&b) ? HOLDS : FAILS;
}

static struct block make_block(void)
{
    struct block b = {.body = bytes_of("\xc3\x82tx", 4)};
    struct header *h = &b.head.header;
    h->slot = SLOT;
    h->epoch = epoch.epoch;
    h->leader = SIGNER;
    h->body_len = (uint32_t)b.body.n;
    h->body_root = keccak256(b.body.p, b.body.n);
    h->system_root = keccak256(no_parts, sizeof no_parts);
    b.head.system = bytes_of(no_parts, sizeof no_parts);
    b.head.hash = header_hash(h);
    struct hash digest = propose_digest(&epoch, SLOT, 0, &b.head.hash);
    b.head.signature = sign(&digest, SIGNER);
    return b;
}

static void a_stored_block(void **state)
{
    (void)state;
    uint8_t raw[ROOM];
    size_t n = 0;
    struct block b = make_block();
    assert_int_equal(stored_block_encode(raw, sizeof raw, &n, &b), OK);
    assert_true(flip_all(raw, n, judge_block) > 8 * 64);
}

static void a_proposal(void **state)
{
    (void)state;
    uint8_t raw[ROOM];
    size_t n = 0;
    struct block b = make_block();
    struct message m = {.kind = MSG_PROPOSAL, .u.proposal.head = b.head};
    assert_int_equal(message_encode(raw, sizeof raw, &n, &m), OK);
    assert_true(flip_all(raw, n, judge_proposal) > 8 * 64);
}

/* ---- notices --------------------------------------------------------------------------------- */

static enum outcome judge_notices(struct bytes in)
{
    uint8_t again[ROOM];
    size_t n = 0;
    size_t at = 0;
    size_t from = 0;
    struct system_section s;
    struct ready_notice r;
    struct leave_notice l;
    if (system_decode(&s, in) != OK) {
        return REFUSED;
    }
    if (!system_next_notice(&s, &at, &r) || !system_next_leave(&s, &from, &l) ||
        s.evidence_n + s.record.n != 0) {
        return FAILS;
    }
    struct system_parts parts = {.notices = &r, .notices_n = 1, .leaves = &l, .leaves_n = 1};
    assert_int_equal(system_encode(again, sizeof again, &n, &parts), OK);
    same_bytes(in, again, n);
    struct hash ready = ready_digest(&epoch, &r);
    struct hash leave = leave_digest(&epoch, &l);
    bool both = r.member < epoch.n && l.member < epoch.n &&
                signed_by(&r.signature, &ready, r.member) &&
                signed_by(&l.signature, &leave, l.member);
    return both ? HOLDS : FAILS;
}

static void notices(void **state)
{
    (void)state;
    uint8_t raw[ROOM];
    size_t n = 0;
    struct ready_notice r = {.epoch = epoch.epoch, .member = 2, .slot = SLOT};
    struct leave_notice l = {.epoch = epoch.epoch, .member = 3, .from_turn = 300};
    memset(r.block.b, 0xb1, sizeof r.block.b);
    struct hash ready = ready_digest(&epoch, &r);
    struct hash leave = leave_digest(&epoch, &l);
    r.signature = sign(&ready, r.member);
    l.signature = sign(&leave, l.member);
    struct system_parts parts = {.notices = &r, .notices_n = 1, .leaves = &l, .leaves_n = 1};
    assert_int_equal(system_encode(raw, sizeof raw, &n, &parts), OK);
    assert_true(flip_all(raw, n, judge_notices) > 2 * 8 * 64);
}

/* ---- transactions ---------------------------------------------------------------------------- */

static struct address sender;

static enum outcome judge_tx(struct bytes in)
{
    struct tx tx;
    struct address from;
    if (tx_decode(&tx, in) != TX_OK) {
        return REFUSED;
    }
    return tx_sender(&from, &tx) == TX_OK && address_equal(&from, &sender) ? HOLDS : FAILS;
}

static void a_transaction(void **state)
{
    (void)state;
    uint8_t raw[ROOM];
    size_t n = 0;
    struct secret_key key = key_number(5);
    struct tx_request r = {.chain_id = 1337,
                           .nonce = 300,
                           .gas = 100000,
                           .max_priority_fee = u256_from_u64(3),
                           .max_fee = u256_from_u64(1u << 31),
                           .value = u256_from_u64(UINT64_MAX),
                           .data = bytes_of("some data", 9)};
    assert_int_equal(key_address(&sender, &key), OK);
    assert_int_equal(tx_sign(raw, sizeof raw, &n, &r, &key), OK);
    assert_true(flip_all(raw, n, judge_tx) > 8 * 64);
}

/* ---- the second record, and the proof of a connection ------------------------------------------
 */

static enum outcome judge_safety(struct bytes in)
{
    struct safety_record r;
    enum err e = safety_record_decode(&r, in.p);
    assert_true(e == OK || e == ERR_CORRUPT);
    return e == OK ? HOLDS : REFUSED;
}

static void a_safety_record(void **state)
{
    (void)state;
    uint8_t raw[SAFETY_SLOT_BYTES];
    struct safety_record r = {
        .sequence = 7, .epoch = 3, .highest_finalize = SLOT, .clean = true, .votes = 2};
    r.vote[0] = make_vote(VOTE_NOTARIZE, SIGNER);
    r.vote[1] = make_vote(VOTE_FINALIZE, SIGNER);
    safety_record_encode(raw, &r);
    assert_int_equal(flip_all(raw, sizeof raw, judge_safety), 0);
}

static struct hello_plain mine, theirs;
static struct hash exporter;

static enum outcome judge_proof(struct bytes in)
{
    uint64_t sequence = 0;
    enum err e = hello_verify(&epoch, in, &mine, &theirs, &exporter, &sequence);
    return e == OK ? HOLDS : e == ERR_BAD_SIGNATURE ? FAILS : REFUSED;
}

static void a_proof(void **state)
{
    (void)state;
    uint8_t raw[PROOF_BYTES];
    uint8_t instance[16] = {1};
    uint8_t nonce[32] = {2};
    struct secret_key key = key_number(SIGNER);
    mine = hello_plain_make(&epoch, 0, instance, nonce);
    nonce[0] = 3;
    theirs = hello_plain_make(&epoch, SIGNER, instance, nonce);
    exporter = keccak256("channel", 7);
    assert_int_equal(hello_prove(raw, &epoch, &key, &theirs, &mine, &exporter, 77), OK);
    assert_true(flip_all(raw, sizeof raw, judge_proof) > 8 * 64);
    /* Nor with one bit of the channel's secret changed. */
    for (size_t bit = 0; bit < 256; bit++) {
        exporter.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_not_equal(judge_proof(bytes_of(raw, sizeof raw)), HOLDS);
        exporter.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static int teardown(void **state)
{
    (void)state;
    message_arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vote),          cmocka_unit_test(a_certificate),
        cmocka_unit_test(a_stored_block),  cmocka_unit_test(a_proposal),
        cmocka_unit_test(notices),         cmocka_unit_test(a_transaction),
        cmocka_unit_test(a_safety_record), cmocka_unit_test(a_proof),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
