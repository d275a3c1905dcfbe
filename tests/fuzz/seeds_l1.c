#define _GNU_SOURCE
/* Seeds of what comes from an L1, of what is written down for it, and of what peers say of it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/tx.h"
#include "sequencer/batcher/blob_tx.h"
#include "sequencer/batcher/derive_state.h"
#include "sequencer/l1/txm_journal.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/intent_kit.h"
#include "tests/fuzz/seeds.h"

enum { ROOM = 1 << 16 };

static const struct secret_key account = {{[31] = 7}};

/* ---- intents --------------------------------------------------------------------------------- */

/* Signs and writes it, by member 1. */
static void put_intent(const char *name, struct post_intent *i)
{
    struct buffer out;
    const struct secret_key key = {{[31] = 2}};
    i->member = 1;
    buffer_init(&out, LIMIT_INTENT_BYTES);
    DEMAND(intent_encode(&out, i) == OK);
    struct hash digest = intent_digest(fuzz_epoch(), i, buffer_bytes(&out));
    DEMAND(key_sign(&i->signature, &key, &digest) == OK);
    buffer_clear(&out);
    DEMAND(intent_encode(&out, i) == OK);
    seed_put("intent", name, buffer_bytes(&out));
    buffer_free(&out);
}

static struct post_intent intent_of(const struct intent_wanted *w, size_t parts)
{
    struct post_intent i = {.chain_id = w->chain_id,
                            .l1_chain_id = w->l1_chain_id,
                            .segment = w->segment,
                            .first = w->first,
                            .last = w->last,
                            .kind = w->kind,
                            .parts = parts};
    DEMAND(key_address(&i.account, &account) == OK);
    return i;
}

static struct bytes plain_tx(const struct intent_wanted *w, size_t part, struct bytes data)
{
    static uint8_t room[INTENT_PARTS][ROOM];
    size_t n = 0;
    struct tx_request tx = {.chain_id = w->l1_chain_id,
                            .nonce = part,
                            .max_priority_fee = u256_from_u64(1),
                            .max_fee = u256_from_u64(2),
                            .gas = 100000,
                            .to = w->to[part],
                            .data = data};
    DEMAND(tx_sign(room[part], ROOM, &n, &tx, &account) == OK);
    return bytes_of(room[part], n);
}

/* Payload and envelope as calldata; the time says what the receiver has made (target_intent.c). */
static void put_halves(const char *name, uint64_t time_ms, struct bytes payload,
                       struct bytes envelope)
{
    struct intent_wanted w;
    intent_kit_wanted(&w, INTENT_CALLDATA, 0, true);
    struct post_intent i = intent_of(&w, 2);
    i.time_ms = time_ms;
    for (size_t p = 0; p < 2; p++) {
        i.part[p].nonce = p;
        i.part[p].rungs = 1;
        i.part[p].raw[0] = plain_tx(&w, p, p == 0 ? payload : envelope);
    }
    put_intent(name, &i);
}

static void put_envelope(const char *name, uint64_t time_ms, const char *payload, uint32_t signers,
                         uint8_t commitment)
{
    struct buffer out;
    buffer_init(&out, ROOM);
    intent_kit_envelope(&out, signers, commitment, 0);
    put_halves(name, time_ms, bytes_of(payload, strlen(payload)), buffer_bytes(&out));
    buffer_free(&out);
}

/* `twist`: 1 other blobs, 2 hashes that its transaction does not have, 3 two rungs, 4 another
 * quorum's envelope, 5 sent with value, 6 two rungs with other blobs, 7 the receiver makes
 * calldata. */
static void put_blobs(const char *name, int twist)
{
    struct intent_wanted w;
    struct buffer raw;
    struct buffer envelope;
    intent_kit_wanted(&w, INTENT_BLOB, 0, true);
    buffer_init(&raw, ROOM);
    buffer_init(&envelope, ROOM);
    intent_kit_envelope(&envelope, twist == 4 ? 14 : 7, 8, 0);
    struct post_intent i = intent_of(&w, 1);
    struct blob_tx tx = {.chain_id = w.l1_chain_id,
                         .max_priority_fee = u256_from_u64(1),
                         .max_fee = u256_from_u64(2),
                         .gas = 100000,
                         .to = w.to[0],
                         .data = buffer_bytes(&envelope),
                         .max_blob_fee = u256_from_u64(3),
                         .blobs = w.blobs};
    memcpy(tx.versioned, w.versioned, sizeof tx.versioned);
    tx.versioned[0].b[9] = twist == 1 || twist == 6;
    tx.value = u256_from_u64(twist == 5);
    i.time_ms = twist == 7 ? 7 : 0;
    DEMAND(blob_tx_sign(&raw, &tx, &account) == OK);
    i.part[0].blobs = tx.blobs;
    memcpy(i.part[0].versioned, tx.versioned, sizeof tx.versioned);
    i.part[0].versioned[1].b[9] = twist == 2;
    i.part[0].rungs = twist == 3 || twist == 6 ? 2 : 1;
    i.part[0].raw[0] = i.part[0].raw[1] = buffer_bytes(&raw);
    put_intent(name, &i);
    buffer_free(&raw);
    buffer_free(&envelope);
}

/* Transactions that are not such postings: of another type, a creation, two foreign ones. */
static void seeds_of_plain(void)
{
    static uint8_t room[ROOM];
    struct intent_wanted w;
    struct bytes other[SEED_TXS];
    size_t n = 0;
    intent_kit_wanted(&w, INTENT_CALLDATA, 0, true);
    struct post_intent i = intent_of(&w, 1);
    i.part[0].rungs = 1;
    seed_txs(other);
    i.part[0].raw[0] = other[2];
    put_intent("type", &i);
    struct tx_request tx = {.chain_id = w.l1_chain_id, .gas = 100000, .creates = true};
    DEMAND(tx_sign(room, sizeof room, &n, &tx, &account) == OK);
    i.part[0].raw[0] = bytes_of(room, n);
    put_intent("creates", &i);
    i.part[0].rungs = 2;
    i.part[0].raw[0] = i.part[0].raw[1] = plain_tx(&w, 0, bytes_of("other", 5));
    put_intent("foreign-two", &i);
}

static void seeds_of_intents(void)
{
    put_envelope("same", 0, "payload", 7, 8);
    put_envelope("quorum", 0, "payload", 14, 8);
    put_envelope("foreign", 0, "other", 14, 9);
    put_envelope("two", 0, "payload", 6, 8);
    put_envelope("commitment", 0, "payload", 14, 9);
    put_halves("junk", 0, bytes_of("payload", 7), bytes_of("junk", 4));
    for (int twist = 1; twist < INTENT_KIT_TWISTS; twist++) {
        char name[16];
        snprintf(name, sizeof name, "twist%d", twist);
        put_envelope(name, (uint64_t)twist, "payload", 14, 8);
    }
    put_blobs("blobs-value", 5);
    put_blobs("blobs-two", 6);
    put_blobs("blobs-kind", 7);
    seeds_of_plain();
    put_blobs("blobs", 0);
    put_blobs("blobs-foreign", 1);
    put_blobs("blobs-named", 2);
    put_blobs("blobs-ladder", 3);
    put_blobs("blobs-quorum", 4);
}

/* ---- the journal ----------------------------------------------------------------------------- */

/* A record that ends too early, in a frame that fits. */
static void seeds_of_cuts(const struct txm_group *g)
{
    static const uint8_t places[] = {17, 18, 63, 71}; /* part, kind, gas, blobs */
    uint8_t out[128];
    const uint8_t *payload = g->p + 17; /* behind the floor's record */
    for (size_t i = 0; i < sizeof places; i++) {
        char name[16];
        store_be32(out, places[i]);
        memcpy(out + 4, payload, places[i]);
        snprintf(name, sizeof name, "cut%u", places[i]);
        seed_put("txm", name, bytes_of(out, (size_t)4 + places[i]));
    }
}

static void seeds_of_journals(void)
{
    for (int blobs = 0; blobs < 2; blobs++) {
        struct txm_group g = {.p = NULL};
        struct txm_record r = {.type = TXM_FLOOR, .nonce = 4};
        txm_group_put(&g, &r);
        for (r.nonce = 4; r.nonce < 6; r.nonce++) {
            r.type = TXM_PAYLOAD;
            r.gas = 100000;
            r.payload = (struct txm_payload){.segment = r.nonce == 4 ? 3 : TXM_NO_SEGMENT,
                                             .kind = blobs == 1 ? TXM_BLOB : TXM_CALLDATA,
                                             .data = bytes_of("payload", 7)};
            r.payload.blobs = blobs == 1 ? 2 : 0;
            txm_group_put(&g, &r);
            r.type = TXM_RUNG;
            r.raw = bytes_of("transaction", 11);
            txm_group_put(&g, &r);
            txm_group_put(&g, &r);
            r.type = TXM_RELEASE;
            r.rung = 1;
            txm_group_put(&g, &r);
        }
        DEMAND(g.bad == OK);
        seeds_of_cuts(&g);
        seed_put("txm", blobs == 1 ? "blobs" : "calldata", bytes_of(g.p, g.n));
        txm_group_free(&g);
    }
}

/* ---- derivation ------------------------------------------------------------------------------ */

static void seeds_of_derivation(void)
{
    const struct hash genesis = {{1, 2, 3}};
    struct derive_state s;
    struct buffer out;
    struct safe_row row = {.hash = {{5}}, .l1 = {100, {{100}}}};
    buffer_init(&out, ROOM);
    DEMAND(derive_state_init(&s, &row) == OK);
    derive_state_encode(&out, &s, 1337, &genesis);
    seed_put("derive", "start", buffer_bytes(&out));
    for (uint8_t i = 101; i < 108; i++) {
        for (row.tx = 0; row.tx < 2; row.tx++) {
            row.number += 3;
            row.l1 = (struct derive_ref){i, {{i}}};
            derive_state_add(&s, &row);
        }
        derive_state_advance(&s, &row.l1.hash);
    }
    buffer_clear(&out);
    derive_state_encode(&out, &s, 1337, &genesis);
    seed_put("derive", "rows", buffer_bytes(&out));
    derive_state_finalize(&s, 104);
    s.final.hash = (struct hash){{0, 4, 1, 2, 3, 9, 18, 5, 60, 35}};
    s.row[0].hash = s.final.hash;
    s.alarm = (struct derive_alarm){.raised = true, .number = 9, .l1 = row.l1};
    buffer_clear(&out);
    derive_state_encode(&out, &s, 1337, &genesis);
    seed_put("derive", "alarm", buffer_bytes(&out));
    derive_state_free(&s);
    buffer_free(&out);
}

/* ---- an endpoint ----------------------------------------------------------------------------- */

#define WORD "\"0x1111111111111111111111111111111111111111111111111111111111111111\""
#define BLOB "\"0x0111111111111111111111111111111111111111111111111111111111111111\""
#define TO "\"to\":\"0xff00000000000000000000000000000000000000\","
#define REST                                                                                       \
    "\"nonce\":\"0x1\",\"gas\":\"0x5208\",\"value\":\"0x0\",\"input\":\"0x0102\",\"r\":\"0x1\","   \
    "\"s\":\"0x7\","
#define FEES "\"chainId\":\"0xb\",\"maxPriorityFeePerGas\":\"0x1\",\"maxFeePerGas\":\"0x2\","

static const char *const txs[] = {
    "",
    "{" TO REST "\"gasPrice\":\"0x1\",\"v\":\"0x1b\"},"
    "{\"type\":\"0x0\"," TO REST "\"gasPrice\":\"0x1\",\"v\":\"0x3a\"}",
    "{\"type\":\"0x1\"," TO REST "\"chainId\":\"0xb\",\"gasPrice\":\"0x1\",\"yParity\":\"0x1\","
    "\"accessList\":[{\"address\":\"0xff00000000000000000000000000000000000000\","
    "\"storageKeys\":[" WORD "]}]}",
    "{\"type\":\"0x2\"," TO REST FEES "\"v\":\"0x0\"},"
    "{\"type\":\"0x2\",\"to\":null," REST FEES "\"v\":\"0x0\"}",
    "{\"type\":\"0x3\"," TO REST FEES "\"yParity\":\"0x0\",\"maxFeePerBlobGas\":\"0x3\","
    "\"blobVersionedHashes\":[" BLOB "," BLOB "]}",
    "{\"type\":\"0x3\"," TO REST FEES "\"yParity\":\"0x0\",\"maxFeePerBlobGas\":\"0x3\","
    "\"blobVersionedHashes\":[" BLOB "],\"blobs\":[\"0x01\"],\"commitments\":[\"0x02\"],"
    "\"proofs\":[\"0x03\"]}",
    "{\"type\":\"0x3\"," TO REST FEES "\"yParity\":\"0x0\",\"maxFeePerBlobGas\":\"0x3\","
    "\"blobVersionedHashes\":[" BLOB "],\"blobs\":[\"0x01\"],\"commitments\":[\"0x02\"],"
    "\"cellProofs\":[\"0x03\",\"0x04\"]}",
    "{\"type\":\"0x4\"," TO REST FEES "\"yParity\":\"0x1\",\"authorizationList\":[{"
    "\"chainId\":\"0xb\",\"address\":\"0xff00000000000000000000000000000000000000\","
    "\"nonce\":\"0x1\",\"yParity\":\"0x0\",\"r\":\"0x1\",\"s\":\"0x7\"}]}"};

static const char head[] = "\"number\":\"0x4\",\"gasLimit\":\"0x1c9c380\",\"extraData\":\"0x\"";
static const char newer[] = ",\"baseFeePerGas\":\"0x27\",\"withdrawalsRoot\":" WORD ","
                            "\"blobGasUsed\":\"0x0\",\"excessBlobGas\":\"0x0\","
                            "\"parentBeaconBlockRoot\":" WORD ",\"requestsHash\":" WORD;

/* `before` and `after`: what stands around the block. */
static void put_block(const char *name, uint8_t how, const char *before, const char *list, bool all,
                      const char *after)
{
    char text[4096];
    int n = snprintf(text, sizeof text, "%c%s{", how, before);
    n += snprintf(text + n, sizeof text - (size_t)n, "%s%s,\"transactions\":[%s]}%s", head,
                  all ? newer : "", list, after);
    DEMAND(n > 0 && (size_t)n < sizeof text);
    seed_put("l1", name, bytes_of(text, (size_t)n));
}

static void seeds_of_answers(void)
{
    static const char *const text[] = {
        " {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":null}",
        " {\"jsonrpc\":\"2.0\",\"id\":8,\"result\":\"0x1\"} ",
        " {\"id\":7,\"error\":{\"code\":-32000,\"message\":\"header not found\"}}",
        " {\"id\":7,\"error\":{\"code\":\"0\",\"message\":0}}",
        " {\"id\":7}",
        " [1]",
        "\044[{\"id\":8,\"result\":{\"number\":\"0x1\"}},{\"id\":7,\"result\":[\"0x\"]}]",
        "\044[{\"id\":7,\"result\":1},{\"id\":7,\"result\":2}]",
        "\044[{\"id\":8,\"error\":{\"code\":3,\"message\":\"x\"}},1]",
        "\044{\"error\":{\"code\":-32600,\"message\":\"batch requests are not enabled\"}}",
        "\044{\"id\":7,\"error\":{}}",
        "\044{\"id\":7} x",
        "\044"};
    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++) {
        char name[16];
        snprintf(name, sizeof name, "answer%zu", i);
        seed_text("l1", name, text[i]);
    }
}

/* One field that is no such field, behind those that are looked at before; `/`: no hash is set. */
static void seeds_of_headers(void)
{
    static const char *const wrong[] = {
        "\"parentHash\":1",         "\"transactionsRoot\":1", "\"timestamp\":1",
        "\"gasUsed\":1",            "\"difficulty\":1",       "\"miner\":null",
        "\"baseFeePerGas\":1",      "\"extraData\":\"x\"",    "\"extraData\":\"1x\"",
        "\"excessBlobGas\":\"0x1\"", "\"extraData\":\"0y\"",   "\"number\":\"0x1\\u0000\"",
        "\"difficulty\":\"0x11111111111111111111111111111111111111111111111111111111111111111\"",
        "\"gasLimit\":\"0x5\"",     "\"gasUsed\":\"1x1\"",
        "\"gasUsed\":\"0y1\""};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char name[16];
        char text[512];
        int n = snprintf(text, sizeof text, "/{\"hash\":" WORD ",%s,\"transactions\":[]}",
                         wrong[i]);
        snprintf(name, sizeof name, "wrong%zu", i);
        seed_put("l1", name, bytes_of(text, (size_t)n));
    }
    seed_put("l1", "nul", bytes_of("!{} \0", 5));
    seed_text("l1", "no-list", "+{\"transactions\":{}}");
}

static void seeds_of_endpoints(void)
{
    seeds_of_answers();
    seeds_of_headers();
    for (size_t i = 0; i < sizeof txs / sizeof txs[0]; i++) {
        char name[16];
        snprintf(name, sizeof name, "block%zu", i);
        put_block(name, '#', "", txs[i], i % 2 == 1, "");
        snprintf(name, sizeof name, "blobs%zu", i);
        put_block(name, '\'', "", txs[i], false, "");
    }
    put_block("kept", '+', "", txs[1], true, "");
    put_block("sidecar", '+', "", txs[5], true, "");
    put_block("version", '#', "",
              "{\"type\":\"0x3\"," TO REST FEES "\"v\":\"0x0\",\"maxFeePerBlobGas\":\"0x3\","
              "\"blobVersionedHashes\":[" WORD "]}",
              false, "");
    put_block("no-blobs", '\'', "",
              "{\"type\":\"0x2\"," TO REST FEES "\"v\":\"0x0\",\"blobs\":[\"0x01\"]}", false, "");
    put_block("open", '!', "", txs[1], true, "");
    put_block("result", ' ', "{\"id\":7,\"result\":", txs[2], true, "}");
}

void seeds_of_l1(void)
{
    seeds_of_intents();
    seeds_of_journals();
    seeds_of_derivation();
    seeds_of_endpoints();
}
