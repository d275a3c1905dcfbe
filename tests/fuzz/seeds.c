/* fuzz_seeds CORPUS: writes the seeds of every target. Run it when a format changes; what libFuzzer
 * found stays beside them. */
#define _GNU_SOURCE
#include "tests/fuzz/seeds.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "p2p/frame.h"
#include "p2p/hello.h"
#include "p2p/tls.h"
#include "proto/body.h"
#include "proto/rlp.h"
#include "proto/tx.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/proto/sample.h"

static const char *corpus;
static struct sample sample = {.seed = 88172645463325252, .most = 2};

static void put_file(const char *target, const char *kind, const char *name, struct bytes content)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", corpus, target);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/%s/%s-%s", corpus, target, kind, name);
    FILE *f = fopen(path, "we");
    DEMAND(f != NULL);
    DEMAND(content.n == 0 || fwrite(content.p, content.n, 1, f) == 1);
    DEMAND(fclose(f) == 0);
}

void seed_put(const char *target, const char *name, struct bytes content)
{
    put_file(target, "seed", name, content);
}

void seed_wide(const char *target, const char *name, struct bytes content)
{
    put_file(target, "wide", name, content);
}

void seed_text(const char *target, const char *name, const char *text)
{
    seed_put(target, name, bytes_of(text, strlen(text)));
}

/* ---- transactions and bodies ----------------------------------------------------------------- */

static size_t make_tx(uint8_t out[512], size_t data)
{
    static const uint8_t zeros[256];
    size_t n = 0;
    struct secret_key key = {{[31] = 1}};
    struct tx_request r = {.chain_id = 1337,
                           .nonce = data,
                           .gas = 21000 + 16 * data,
                           .max_priority_fee = u256_from_u64(1),
                           .max_fee = u256_from_u64(1u << 30),
                           .value = u256_from_u64(1000000),
                           .data = bytes_of(zeros, data),
                           .creates = data == 7};
    fuzz_epoch();
    DEMAND(tx_sign(out, 512, &n, &r, &key) == OK);
    return n;
}

static void seeds_of_txs(void)
{
    uint8_t raw[2][512];
    uint8_t body[2048];
    struct bytes tx[4];
    struct bytes more[SEED_TXS];
    static const char *const name[] = {"transfer", "create", "legacy", "listed"};
    tx[0] = bytes_of(raw[0], make_tx(raw[0], 0));
    tx[1] = bytes_of(raw[1], make_tx(raw[1], 7));
    DEMAND(seed_txs(more) == SEED_TXS);
    tx[2] = more[0];
    tx[3] = more[2];
    seed_put("tx", "unprotected", more[1]);
    seed_put("tx", "code", more[3]);
    for (int i = 0; i < 4; i++) {
        seed_put("tx", name[i], tx[i]);
        seed_put("rlp", name[i],
                 bytes_of(tx[i].p + (tx[i].p[0] < 0x80), tx[i].n - (tx[i].p[0] < 0x80)));
    }
    for (uint32_t n = 0; n <= 4; n += 2) {
        body_write(body, tx, n);
        seed_put("body",
                 n == 0   ? "none"
                 : n == 2 ? "two"
                          : "four",
                 bytes_of(body, body_size(tx, n)));
    }
    seeds_of_batches(bytes_of(body, body_size(tx, 4)), tx[0]);
    seed_put("rlp", "deep",
             bytes_of("\xc4\xc3\xc2\xc1\x80\x83"
                      "cat",
                      9));
}

/* ---- blocks, records, messages --------------------------------------------------------------- */

static void seeds_of_blocks(void)
{
    uint8_t out[8192];
    size_t n = 0;
    struct block b = sample_block(&sample);
    struct header wide = b.head.header;
    header_encode(out, &wide);
    out[5 * 32 + 30] = 1; /* an attempt above its type */
    seed_put("header", "wide", bytes_of(out, HEADER_BYTES));
    header_encode(out, &b.head.header);
    seed_put("header", "one", bytes_of(out, HEADER_BYTES));
    DEMAND(stored_block_encode(out, sizeof out, &n, &b) == OK);
    seed_put("block", "whole", bytes_of(out, n));
    b.body.n = 0;
    DEMAND(stored_block_encode(out, sizeof out, &n, &b) == OK);
    seed_put("block", "bare", bytes_of(out, n));
}

/* A vote of member `i` that holds. */
static struct vote good_vote(int i, uint8_t kind, uint64_t slot)
{
    const struct epoch_config *c = fuzz_epoch();
    struct secret_key key = {{[31] = (uint8_t)(i + 1)}};
    struct vote v = {.kind = kind, .signer = (uint8_t)i, .epoch = c->epoch, .slot = slot};
    if (kind != VOTE_SKIP) {
        memset(v.block.b, 0xb1, 32);
    }
    struct hash digest = vote_digest(c, kind, slot, &v.block);
    DEMAND(key_sign(&v.signature, &key, &digest) == OK);
    return v;
}

static struct certificate good_certificate(uint8_t kind)
{
    struct certificate c = {.kind = kind, .epoch = fuzz_epoch()->epoch, .slot = 9};
    for (int i = 0; i < 3; i++) {
        struct vote v = good_vote(i, kind, 9);
        c.block = v.block;
        c.signers |= 1u << i;
        c.signature[i] = v.signature;
    }
    return c;
}

static struct evidence good_evidence(uint8_t first, uint8_t second)
{
    struct vote a = good_vote(1, first, 9);
    struct vote b = good_vote(1, second, 9);
    struct evidence e = {.member = 1,
                         .slot = 9,
                         .first_kind = first,
                         .second_kind = second,
                         .first = a.block,
                         .second = b.block,
                         .first_signature = a.signature,
                         .second_signature = b.signature};
    evidence_sort(&e);
    return e;
}

static void seeds_of_system(void)
{
    uint8_t out[4096];
    size_t n = 0;
    struct skipped_turn skipped[2] = {{3, 25}, {4, 33}};
    struct ready_notice notice = {.epoch = 3, .member = 2, .slot = 77};
    struct leave_notice leave = {.epoch = 3, .member = 1, .from_turn = 12};
    struct evidence evidence = good_evidence(VOTE_SKIP, VOTE_FINALIZE);
    struct system_parts parts = {.skipped = skipped,
                                 .skipped_n = 2,
                                 .notices = &notice,
                                 .notices_n = 1,
                                 .leaves = &leave,
                                 .leaves_n = 1,
                                 .evidence = &evidence,
                                 .evidence_n = 1};
    sample_fill(&sample, notice.block.b, 32);
    DEMAND(system_encode(out, sizeof out, &n, &parts) == OK);
    seed_put("system", "full", bytes_of(out, n));
    parts = (struct system_parts){0};
    DEMAND(system_encode(out, sizeof out, &n, &parts) == OK);
    seed_put("system", "empty", bytes_of(out, n));
    seed_put("system", "member-256", bytes_of("\xca\xc0\xc5\xc4\x03\x82\x01\x00\xc0\xc0\x80", 11));
    seed_put("system", "record", bytes_of("\xcb\xc0\xc0\xc0\xc0\x86record", 12));
}

static void seeds_of_records(void)
{
    uint8_t out[16384];
    size_t n = 0;
    struct vote votes[3];
    for (uint8_t kind = VOTE_NOTARIZE; kind <= VOTE_FINALIZE; kind++) {
        struct certificate c = good_certificate(kind);
        char name[16];
        snprintf(name, sizeof name, "kind%u", kind);
        DEMAND(certificate_encode(out, sizeof out, &n, &c) == OK);
        seed_put("certificate", name, bytes_of(out, n));
        votes[kind - 1] = good_vote(1, kind, 9);
    }
    struct certificate cert = good_certificate(VOTE_NOTARIZE);
    struct journal_step step = {.sequence = 7,
                                .epoch = 3,
                                .vote = votes,
                                .votes = 3,
                                .cert = &cert,
                                .certs = 1,
                                .proposing = true,
                                .proposing_turn = 4};
    DEMAND(journal_step_encode(out, sizeof out, &n, &step) == OK);
    seed_put("journal", "votes", bytes_of(out, n));
    step =
        (struct journal_step){.sequence = 1, .amnesiac = true, .cleared = true, .clearing_slot = 5};
    DEMAND(journal_step_encode(out, sizeof out, &n, &step) == OK);
    seed_put("journal", "marks", bytes_of(out, n));
    struct safety_record r = {.sequence = 7,
                              .epoch = 3,
                              .highest_skip = 9,
                              .clean = true,
                              .vote = {votes[0], votes[1]},
                              .votes = 2};
    safety_record_encode(out + 2, &r);
    out[0] = 0;
    out[1] = 25;
    memcpy(out + 2 + 398, out + 2, 398);
    seed_put("safety", "two", bytes_of(out, 2 + 2 * 398));
    out[0] = 24;
    seed_put("safety", "file", bytes_of(out, 2 + 2 * 398));
}

/* A field that is a message of `n` empty parts, each an element of the field `part`. */
static size_t put_parts(uint8_t *out, uint8_t field, uint8_t part, size_t n)
{
    size_t at = 0;
    size_t length = 2 * n;
    out[at++] = (uint8_t)(field << 3 | 2);
    for (; length >= 0x80; length >>= 7) {
        out[at++] = (uint8_t)(length | 0x80);
    }
    out[at++] = (uint8_t)length;
    for (size_t i = 0; i < n; i++) {
        out[at++] = (uint8_t)(part << 3 | 2);
        out[at++] = 0;
    }
    return at;
}

/* More than the bounds allow, in few bytes: counts are looked at before what they count. */
static void seeds_of_crowds(void)
{
    static const struct {
        const char *name;
        uint8_t field, part;
        size_t n;
    } crowd[] = {{"votes", 2, 1, LIMIT_FRAME_VOTES + 1},
                 {"certs", 3, 1, LIMIT_BUNDLE_CERTS + 1},
                 {"heads", 3, 2, LIMIT_BUNDLE_HEADERS + 1},
                 {"shown", 3, 3, LIMIT_FRAME_VOTES + 1},
                 {"blocks", 9, 1, LIMIT_SYNC_BLOCKS + 1},
                 {"txs", 10, 1, LIMIT_INTAKE_BATCH + 1},
                 {"own", 15, 1, LIMIT_FRAME_VOTES + 1},
                 {"vote", 2, 1, 1},
                 {"cert", 3, 1, 1},
                 {"head", 3, 2, 1},
                 {"block", 9, 1, 1},
                 {"tx", 10, 1, 1},
                 {"proposal", 4, 1, 1},
                 {"body", 5, 1, 1},
                 {"fetch", 6, 1, 1},
                 {"ack", 11, 1, 1},
                 {"ask", 12, 2, 1},
                 {"answer", 13, 2, 1},
                 {"notices", 16, 1, 1},
                 {"leave", 16, 2, 1}};
    static uint8_t out[4096];
    char name[32];
    for (size_t i = 0; i < sizeof crowd / sizeof crowd[0]; i++) {
        size_t n = put_parts(out, crowd[i].field, crowd[i].part, crowd[i].n);
        snprintf(name, sizeof name, "crowd-%s", crowd[i].name);
        seed_put("message", name, bytes_of(out, n));
    }
    /* A step is no frame: its parts stand by themselves. */
    size_t n = put_parts(out, 1, 8, LIMIT_STEP_VOTES + 1);
    size_t parts = 2 * (LIMIT_STEP_VOTES + 1);
    seed_put("journal", "crowd-votes", bytes_of(out + n - parts, parts));
    n = put_parts(out, 1, 9, LIMIT_BUNDLE_CERTS + 1);
    parts = 2 * (LIMIT_BUNDLE_CERTS + 1);
    seed_put("journal", "crowd-certs", bytes_of(out + n - parts, parts));
    seed_text("message", "ack-odd",
              "\x5a\x05\x0a\x03"
              "abc");
    seed_text("message", "vote-kind", "\x12\x04\x0a\x02\x08\x04");
    seed_text("message", "no-tag", "\x07");
    seed_text("block", "no-head",
              "\x12\x01"
              "b");
}

static void seeds_of_notices(uint8_t *out, size_t cap)
{
    size_t n = 0;
    struct message m = {.kind = MSG_NOTICES};
    m.u.notices.has_ready = m.u.notices.has_leave = true;
    m.u.notices.ready = (struct ready_notice){.epoch = 3, .member = 2, .slot = 77};
    m.u.notices.leave = (struct leave_notice){.epoch = 3, .member = 1, .from_turn = 12};
    DEMAND(message_encode(out, cap, &n, &m) == OK);
    seed_put("message", "notices", bytes_of(out, n));
}

static void seeds_of_messages(void)
{
    static uint8_t out[65536];
    seeds_of_crowds();
    seeds_of_notices(out, sizeof out);
    for (int kind = MSG_STATUS; kind < MSG_KIND_COUNT; kind++) {
        for (int with = 0; with < 2; with++) {
            char name[16];
            size_t n = 0;
            struct message m = sample_message(&sample, (enum message_kind)kind, with != 0);
            DEMAND(message_size(&m) <= sizeof out);
            DEMAND(message_encode(out, sizeof out, &n, &m) == OK);
            snprintf(name, sizeof name, "kind%02d%s", kind, with != 0 ? "s" : "");
            seed_put("message", name, bytes_of(out, n));
        }
    }
}

/* ---- peers ----------------------------------------------------------------------------------- */

static size_t put_frame(uint8_t *out, size_t cap, uint8_t tag, size_t len)
{
    struct frame *f = frame_new(tag, len);
    size_t at = 0;
    size_t sent = 0;
    bool done = false;
    DEMAND(f != NULL);
    memset(f->data, tag, len);
    while (!done) {
        at += fragment_write(out + at, cap, f, &sent, &done);
    }
    frame_unref(f);
    return at;
}

static void seeds_of_frames(void)
{
    static uint8_t out[8192];
    out[0] = 0;
    out[1] = 9;
    size_t n = 2;
    n += put_frame(out + n, 300, LANE_VOTE, 100);
    n += put_frame(out + n, 300, LANE_BODY, 700);
    n += put_frame(out + n, 300, FRAME_PING, 16);
    n += put_frame(out + n, 300, LANE_TX, 0);
    n += put_frame(out + n, 300, LANE_SYNC, 13);
    seed_put("frame", "five", bytes_of(out, n));
}

static void seeds_of_hello(void)
{
    uint8_t out[HELLO_BYTES];
    uint8_t sixteen[16] = {1};
    uint8_t nonce[32] = {2};
    struct hello_plain h = hello_plain_make(fuzz_epoch(), 2, sixteen, nonce);
    hello_plain_encode(out, &h);
    seed_put("hello", "plain", bytes_of(out, sizeof out));
    memset(out, 0xff, sizeof out);
    seed_put("hello", "proof", bytes_of(out, PROOF_BYTES + 3));
}

static void seeds_of_tls(void)
{
    struct tls_context *c = NULL;
    struct tls *t = NULL;
    uint8_t out[2048] = {1};
    bool done = false;
    DEMAND(tls_context_make(&c) == OK && tls_make(&t, c, TLS_CLIENT) == OK);
    DEMAND(tls_handshake(t, &done) == OK);
    size_t n = tls_take(t, out + 1, sizeof out - 1);
    seed_put("tls", "hello", bytes_of(out, n + 1));
    tls_free(t);
    tls_context_free(c);
    static const uint8_t talk[] = {7,   112, 0,  1,   0, 112, 0, 1, 0, 2,
                                   100, 3,   90, 112, 0, 1,   0, 2, 5};
    static const uint8_t twist[] = {7, 112, 0, 1, 0, 112, 0, 2, 100, 116, 7, 3, 9, 118, 1, 117, 1};
    seed_put("tls", "talk", bytes_of(talk, sizeof talk));
    seed_put("tls", "twist", bytes_of(twist, sizeof twist));
    static const uint8_t how[] = {0, 1, 2, 4, 8, 16, 32, 33, 34, 48, 64, 96};
    for (size_t i = 0; i < sizeof how; i++) {
        char name[16];
        uint8_t stranger[2] = {0xf6, how[i]};
        snprintf(name, sizeof name, "stranger%u", how[i]);
        seed_put("tls", name, bytes_of(stranger, sizeof stranger));
    }
}

/* ---- the core -------------------------------------------------------------------------------- */

/* Acts by their numbers in core_act.c: peers come up, a block goes all its way. */
static void seeds_of_core(void)
{
    static const uint8_t up[] = {8, 1, 1, 8, 2, 1, 8, 3, 1, 9, 2, 0, 1, 0};
    static const uint8_t block[] = {1, 1, 0, 0, 0, 2, 0, 0, 3, 0, 0, 7, 0, 4, 1, 0, 0, 4, 2,
                                    0, 0, 5, 1, 0, 0, 0, 0, 7, 0, 5, 1, 0, 2, 0, 0, 0, 1, 0};
    uint8_t out[1024];
    for (uint8_t how = 0; how < 16; how++) {
        char name[16];
        size_t n = 0;
        out[n++] = (uint8_t)(how * 16 + how % 8);
        memcpy(out + n, up, sizeof up);
        n += sizeof up;
        for (int i = 0; i < 6; i++) {
            memcpy(out + n, block, sizeof block);
            n += sizeof block;
        }
        memcpy(out + n, "\0\1\0\6\0\7\0\0\1\0", 10);
        snprintf(name, sizeof name, "how%02u", how);
        seed_put("core", name, bytes_of(out, n + 10));
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: fuzz_seeds CORPUS\n");
        return 2;
    }
    corpus = argv[1];
    seeds_of_txs();
    seeds_of_blocks();
    seeds_of_system();
    seeds_of_records();
    seeds_of_messages();
    seeds_of_frames();
    seeds_of_hello();
    seeds_of_tls();
    seeds_of_core();
    seeds_of_text();
    seeds_of_l1();
    seeds_of_wide();
    return 0;
}
