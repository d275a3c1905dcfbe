/* Every vector of tests/vectors, in both directions. Where compressors may differ, what comes out
 * of them is compared. */
#define _GNU_SOURCE
#include "kit.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/keccak.h"
#include "proto/limits.h"
#include "sequencer/batcher/assembly.h"
#include "sequencer/batcher/blob.h"
#include "sequencer/batcher/channel.h"

enum { LARGE = 1 << 20 };

/* ---- steps ---------------------------------------------------------------------------------------- */

/* Payload of one transaction to the one channel that it completes. */
static void open_payload(struct assembly *a, struct bytes payload)
{
    struct frame frames[4];
    struct fault fault;
    size_t n = 0;
    assert_int_equal(payload_count(payload, &n, &fault), OK);
    assert_true(n <= 4);
    payload_split(payload, frames, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(assembly_push(a, 100, &frames[i]),
                         i + 1 == n ? ASSEMBLY_COMPLETE : ASSEMBLY_TAKEN);
    }
}

static void expand(struct buffer *out, struct bytes channel)
{
    struct fault damage;
    assert_int_equal(channel_expand(out, channel, LARGE - 1, &damage), OK);
    assert_int_equal(damage.e, OK);
}

/* What comes out of our own compressors is what went in. */
static void check_compressors(struct bytes raw)
{
    for (int kind = COMPRESSION_ZLIB; kind <= COMPRESSION_BROTLI; kind++) {
        struct buffer small;
        struct buffer back;
        buffer_init(&small, LARGE);
        buffer_init(&back, LARGE);
        assert_int_equal(channel_compress(&small, (enum compression)kind, 9, raw), OK);
        assert_int_equal(compression_of(buffer_bytes(&small)), kind);
        expand(&back, buffer_bytes(&small));
        assert_bytes(buffer_bytes(&back), raw);
        buffer_free(&small);
        buffer_free(&back);
    }
}

/* Takes the next transaction and compares it with the raw one of the vector. */
static void check_tx(struct batch *b, struct json_object *tx)
{
    struct buffer got;
    struct buffer want;
    buffer_init(&got, LARGE);
    buffer_init(&want, LARGE);
    assert_true(batch_next_tx(b, &got));
    vector_hex(&want, tx, "raw");
    assert_bytes(buffer_bytes(&got), buffer_bytes(&want));
    struct hash hash = keccak256(got.p, got.n);
    struct hash wanted = vector_hash(tx, "hash");
    assert_true(hash_equal(&hash, &wanted));
    buffer_free(&got);
    buffer_free(&want);
}

/* ---- v01, v02: singular ------------------------------------------------------------------------------ */

static void check_singular_content(struct json_object *v, struct bytes batch)
{
    struct batch_chain chain = vector_chain(v);
    struct batch b;
    struct batch_block block;
    struct fault fault;
    struct bytes txs[8];
    struct buffer raw;
    struct buffer again;
    buffer_init(&raw, LARGE);
    buffer_init(&again, LARGE);
    assert_int_equal(batch_open(&b, &chain, batch, &fault), OK);
    struct hash parent = vector_hash(v, "decoded.parent_hash");
    struct hash epoch = vector_hash(v, "decoded.epoch_hash");
    assert_true(hash_equal(&b.parent, &parent) && hash_equal(&b.epoch_hash, &epoch));
    assert_true(batch_next_block(&b, &block));
    assert_int_equal(block.timestamp, vector_u64(v, "decoded.timestamp"));
    assert_int_equal(block.epoch, vector_u64(v, "decoded.epoch_number"));
    struct json_object *wanted = vector_at(v, "decoded.transactions");
    assert_int_equal(block.txs, json_object_array_length(wanted));
    for (size_t i = 0; i < block.txs; i++) {
        check_tx(&b, json_object_array_get_idx(wanted, i));
    }
    assert_false(batch_next_tx(&b, &raw));
    assert_false(batch_next_block(&b, &block));
    /* The other way. */
    for (size_t i = 0; i < block.txs; i++) {
        buffer_room(&raw, 4096);
        size_t start = raw.n;
        vector_hex(&raw, json_object_array_get_idx(wanted, i), "raw");
        txs[i] = bytes_of(raw.p + start, raw.n - start);
    }
    txs[0].p = raw.p; /* the buffer may have moved */
    txs[1].p = raw.p + txs[0].n;
    singular_write(&again, &parent, &epoch, &block, txs);
    assert_bytes(buffer_bytes(&again), batch);
    buffer_free(&raw);
    buffer_free(&again);
}

static void check_singular(const char *name)
{
    struct json_object *v = vector_read(name);
    struct buffer calldata;
    struct buffer want;
    struct buffer raw;
    struct assembly a;
    struct cursor c;
    struct bytes batch;
    buffer_init(&calldata, LARGE);
    buffer_init(&want, LARGE);
    buffer_init(&raw, LARGE);
    assembly_init(&a);
    vector_hex(&calldata, v, "layers.calldata");
    open_payload(&a, buffer_bytes(&calldata));
    vector_hex(&want, v, "layers.channel_encoding");
    assert_bytes(buffer_bytes(&a.data), buffer_bytes(&want));
    expand(&raw, buffer_bytes(&a.data));
    buffer_clear(&want);
    vector_hex(&want, v, "layers.rlp_batches");
    assert_bytes(buffer_bytes(&raw), buffer_bytes(&want));
    check_compressors(buffer_bytes(&raw));
    cursor_init(&c, buffer_bytes(&raw));
    assert_true(batches_next(&c, &batch));
    check_singular_content(v, batch);
    /* The other way: string, frame, payload. */
    buffer_clear(&want);
    batches_put(&want, batch);
    assert_bytes(buffer_bytes(&want), buffer_bytes(&raw));
    assert_false(batches_next(&c, &batch));
    assert_int_equal(c.fault.e, OK);
    buffer_clear(&want);
    assert_int_equal(channel_payload(&want, &a.id, buffer_bytes(&a.data), 120000), OK);
    assert_bytes(buffer_bytes(&want), buffer_bytes(&calldata));
    buffer_free(&calldata);
    buffer_free(&want);
    buffer_free(&raw);
    assembly_free(&a);
    json_object_put(v);
}

static void v01_singular_zlib(void **state)
{
    (void)state;
    check_singular("v01_singular_zlib.json");
}

static void v02_singular_brotli(void **state)
{
    (void)state;
    check_singular("v02_singular_brotli.json");
}

/* ---- v03: span ------------------------------------------------------------------------------------------ */

/* Reads the batch block by block, and writes it anew from what was read. */
static void check_span_content(struct json_object *v, struct bytes batch)
{
    struct batch_chain chain = vector_chain(v);
    struct json_object *blocks = vector_at(v, "decoded_blocks");
    struct batch b;
    struct batch_block block;
    struct fault fault;
    struct span_writer w;
    struct buffer raw;
    struct buffer again;
    buffer_init(&raw, LARGE);
    buffer_init(&again, LARGE);
    span_writer_init(&w, &chain, LARGE);
    assert_int_equal(batch_open(&b, &chain, batch, &fault), OK);
    assert_int_equal(b.blocks, json_object_array_length(blocks));
    for (size_t i = 0; i < b.blocks; i++) {
        struct json_object *want = json_object_array_get_idx(blocks, i);
        assert_true(batch_next_block(&b, &block));
        assert_int_equal(block.timestamp, vector_u64(want, "timestamp"));
        assert_int_equal(block.epoch, vector_u64(want, "l1_origin_num"));
        assert_int_equal(block.epoch_starts, vector_u64(want, "sequence_number") == 0);
        assert_int_equal(span_writer_block(&w, &block), OK);
        for (uint64_t t = 0; t < block.txs; t++) {
            char path[48];
            snprintf(path, sizeof path, "transactions.%zu", (size_t)t);
            check_tx(&b, vector_at(want, path));
            buffer_clear(&raw);
            vector_hex(&raw, vector_at(want, path), "raw");
            assert_int_equal(span_writer_tx(&w, buffer_bytes(&raw)), OK);
        }
        assert_false(batch_next_tx(&b, &raw));
    }
    assert_false(batch_next_block(&b, &block));
    struct hash parent = vector_hash(blocks, "0.parent_hash_of_block");
    struct hash epoch = vector_hash(blocks, "2.l1_origin_hash");
    assert_int_equal(span_writer_close(&w, &parent, &epoch, &again), OK);
    assert_bytes(buffer_bytes(&again), batch);
    span_writer_free(&w);
    buffer_free(&raw);
    buffer_free(&again);
}

static void check_span(struct json_object *v, const char *compression)
{
    char path[64];
    struct buffer calldata;
    struct buffer raw;
    struct buffer want;
    struct assembly a;
    struct cursor c;
    struct bytes batch;
    buffer_init(&calldata, LARGE);
    buffer_init(&raw, LARGE);
    buffer_init(&want, LARGE);
    assembly_init(&a);
    snprintf(path, sizeof path, "%s.calldata", compression);
    vector_hex(&calldata, v, path);
    open_payload(&a, buffer_bytes(&calldata));
    assert_string_equal(compression_name(compression_of(buffer_bytes(&a.data))), compression);
    expand(&raw, buffer_bytes(&a.data));
    vector_hex(&want, v, "rlp_batches");
    assert_bytes(buffer_bytes(&raw), buffer_bytes(&want));
    cursor_init(&c, buffer_bytes(&raw));
    assert_true(batches_next(&c, &batch));
    buffer_clear(&want);
    vector_hex(&want, v, "batch");
    assert_bytes(batch, buffer_bytes(&want));
    check_span_content(v, batch);
    check_compressors(buffer_bytes(&raw));
    buffer_clear(&want);
    assert_int_equal(channel_payload(&want, &a.id, buffer_bytes(&a.data), 120000), OK);
    assert_bytes(buffer_bytes(&want), buffer_bytes(&calldata));
    buffer_free(&calldata);
    buffer_free(&raw);
    buffer_free(&want);
    assembly_free(&a);
}

static void v03_span(void **state)
{
    (void)state;
    struct json_object *v = vector_read("v03_span_3blocks.json");
    check_span(v, "zlib");
    check_span(v, "brotli");
    json_object_put(v);
}

/* ---- v04: two frames ----------------------------------------------------------------------------------- */

static void v04_two_frames(void **state)
{
    (void)state;
    struct json_object *v = vector_read("v04_two_frames.json");
    struct buffer want;
    struct buffer got;
    struct assembly a;
    buffer_init(&want, LARGE);
    buffer_init(&got, LARGE);
    assembly_init(&a);
    vector_hex(&want, v, "one_tx.calldata");
    open_payload(&a, buffer_bytes(&want));
    assert_int_equal(channel_payload(&got, &a.id, buffer_bytes(&a.data),
                                     vector_u64(v, "max_frame_size")),
                     OK);
    assert_bytes(buffer_bytes(&got), buffer_bytes(&want));
    buffer_clear(&want);
    vector_hex(&want, v, "channel_encoding");
    assert_bytes(buffer_bytes(&a.data), buffer_bytes(&want));
    buffer_clear(&got);
    expand(&got, buffer_bytes(&a.data));
    buffer_clear(&want);
    vector_hex(&want, v, "rlp_batches");
    assert_bytes(buffer_bytes(&got), buffer_bytes(&want));
    /* One frame a transaction; and the second before the first, which leaves the first waiting. */
    struct frame frame[2];
    struct buffer tx[2];
    struct fault fault;
    size_t n = 0;
    for (int i = 0; i < 2; i++) {
        char path[48];
        snprintf(path, sizeof path, "two_txs.%d.calldata", i);
        buffer_init(&tx[i], LARGE);
        vector_hex(&tx[i], v, path);
        assert_int_equal(payload_count(buffer_bytes(&tx[i]), &n, &fault), OK);
        assert_int_equal(n, 1);
        payload_split(buffer_bytes(&tx[i]), &frame[i], 1);
    }
    assert_int_equal(assembly_push(&a, 1, &frame[1]), ASSEMBLY_IGNORED);
    assert_int_equal(assembly_push(&a, 1, &frame[0]), ASSEMBLY_TAKEN);
    assert_int_equal(assembly_push(&a, 2, &frame[1]), ASSEMBLY_COMPLETE);
    buffer_clear(&want);
    vector_hex(&want, v, "channel_encoding");
    assert_bytes(buffer_bytes(&a.data), buffer_bytes(&want));
    buffer_free(&tx[0]);
    buffer_free(&tx[1]);
    buffer_free(&want);
    buffer_free(&got);
    assembly_free(&a);
    json_object_put(v);
}

/* ---- v05, v06: blobs --------------------------------------------------------------------------------------- */

static void assert_sha256(const uint8_t *p, size_t n, struct json_object *o, const char *path)
{
    struct hash got;
    struct hash want = vector_hash(o, path);
    SHA256(p, n, got.b);
    assert_true(hash_equal(&got, &want));
}

static void v05_blob(void **state)
{
    (void)state;
    struct json_object *v = vector_read("v05_blob.json");
    uint8_t *blob = malloc(BLOB_BYTES);
    struct buffer data;
    struct buffer back;
    struct fault fault;
    buffer_init(&data, LARGE);
    buffer_init(&back, LARGE);
    vector_hex(&data, v, "data");
    assert_int_equal(blob_encode(blob, buffer_bytes(&data)), OK);
    assert_sha256(blob, BLOB_BYTES, v, "blob_sha256");
    struct hash hash = keccak256(blob, BLOB_BYTES);
    struct hash want = vector_hash(v, "blob_keccak256");
    assert_true(hash_equal(&hash, &want));
    assert_int_equal(blob_decode(&back, blob, &fault), OK);
    assert_bytes(buffer_bytes(&back), buffer_bytes(&data));
    free(blob);
    buffer_free(&data);
    buffer_free(&back);
    json_object_put(v);
}

static void check_blob_length(uint8_t *blob, struct bytes data, struct json_object *c)
{
    struct buffer back;
    struct fault fault;
    struct buffer first;
    buffer_init(&back, LARGE);
    buffer_init(&first, LARGE);
    assert_int_equal(blob_encode(blob, data), OK);
    assert_sha256(blob, BLOB_BYTES, c, "blob_sha256");
    vector_hex(&first, c, "blob_first_128");
    assert_bytes(bytes_of(blob, 128), buffer_bytes(&first));
    assert_int_equal(blob_decode(&back, blob, &fault), OK);
    assert_bytes(buffer_bytes(&back), data);
    buffer_free(&back);
    buffer_free(&first);
}

static void v06_blob_lengths(void **state)
{
    (void)state;
    struct json_object *v = vector_read("v06_blob_edges.json");
    struct json_object *cases = vector_at(v, "cases");
    uint8_t *blob = malloc(BLOB_BYTES);
    uint8_t *data = malloc(BLOB_DATA_BYTES + 1);
    assert_true(blob != NULL && data != NULL);
    for (size_t i = 0; i < BLOB_DATA_BYTES; i++) {
        data[i] = (uint8_t)(7 * i + 3);
    }
    for (size_t i = 0; i < json_object_array_length(cases); i++) {
        struct json_object *c = json_object_array_get_idx(cases, i);
        size_t n = vector_u64(c, "len");
        assert_sha256(data, n, c, "data_sha256");
        check_blob_length(blob, bytes_of(data, n), c);
    }
    memset(data, 0xff, BLOB_DATA_BYTES + 1);
    check_blob_length(blob, bytes_of(data, BLOB_DATA_BYTES), vector_at(v, "all_ff"));
    assert_int_equal(blob_encode(blob, bytes_of(data, BLOB_DATA_BYTES + 1)), ERR_TOO_LARGE);
    free(blob);
    free(data);
    json_object_put(v);
}

static void put_at(uint8_t *blob, struct json_object *o, const char *path, size_t at)
{
    struct buffer some;
    buffer_init(&some, LARGE);
    vector_hex(&some, o, path);
    memcpy(blob + at, some.p, some.n);
    buffer_free(&some);
}

static void v06_blob_invalid(void **state)
{
    (void)state;
    struct json_object *v = vector_read("v06_blob_edges.json");
    struct json_object *cases = vector_at(v, "invalid");
    uint8_t *blob = malloc(BLOB_BYTES);
    for (size_t i = 0; i < json_object_array_length(cases); i++) {
        struct json_object *c = json_object_array_get_idx(cases, i);
        struct json_object *part = NULL;
        struct buffer back;
        struct fault fault;
        memset(blob, 0, BLOB_BYTES);
        if (json_object_object_get_ex(c, "blob_first_5", &part)) {
            put_at(blob, c, "blob_first_5", 0);
        }
        if (json_object_object_get_ex(c, "blob_first_6", &part)) {
            put_at(blob, c, "blob_first_6", 0);
        }
        if (json_object_object_get_ex(c, "set", &part)) {
            put_at(blob, c, "set.value", vector_u64(c, "set.offset"));
        }
        buffer_init(&back, LARGE);
        /* Only the top bits of byte 0 are passed over: both production decoders do so. */
        bool accepted = !json_object_object_get_ex(c, "error", &part);
        assert_int_equal(blob_decode(&back, blob, &fault), accepted ? OK : ERR_MALFORMED);
        assert_int_equal(fault.e, accepted ? OK : ERR_MALFORMED);
        assert_int_equal(back.n, accepted ? 1 : 0);
        buffer_free(&back);
    }
    free(blob);
    json_object_put(v);
}

/* ---- v07: primitives ---------------------------------------------------------------------------------------- */

static void v07_uvarint(void **state)
{
    (void)state;
    struct json_object *v = vector_read("v07_primitives.json");
    static const char *const lists[] = {"uvarint", "uvarint_noncanonical_accepted_by_go",
                                        "uvarint_invalid"};
    for (size_t l = 0; l < 3; l++) {
        struct json_object *list = vector_at(v, lists[l]);
        for (size_t i = 0; i < json_object_array_length(list); i++) {
            struct json_object *o = json_object_array_get_idx(list, i);
            struct buffer want;
            struct buffer got;
            struct cursor c;
            uint64_t n = 0;
            buffer_init(&want, LARGE);
            buffer_init(&got, LARGE);
            vector_hex(&want, o, "hex");
            cursor_init(&c, buffer_bytes(&want));
            assert_int_equal(cursor_uvarint(&c, "a number", &n), l == 2 ? ERR_MALFORMED : OK);
            if (l < 2) {
                assert_true(n == vector_u64(o, "n") && cursor_left(&c) == 0);
                uvarint_put(&got, n);
            }
            if (l == 0) {
                assert_bytes(buffer_bytes(&got), buffer_bytes(&want));
            }
            buffer_free(&want);
            buffer_free(&got);
        }
    }
    json_object_put(v);
}

static void v07_bits(void **state)
{
    (void)state;
    struct json_object *v = vector_read("v07_primitives.json");
    struct json_object *list = vector_at(v, "bitlist");
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *o = json_object_array_get_idx(list, i);
        struct json_object *ones = vector_at(o, "bits_lsb_first");
        size_t n = json_object_array_length(ones);
        struct buffer want;
        struct buffer got;
        struct bits b;
        struct cursor c;
        struct bytes read;
        buffer_init(&want, LARGE);
        buffer_init(&got, LARGE);
        bits_init(&b, LARGE);
        vector_hex(&want, o, "hex");
        cursor_init(&c, buffer_bytes(&want));
        assert_int_equal(cursor_bits(&c, n, "bits", &read), OK);
        assert_int_equal(cursor_left(&c), 0);
        for (size_t j = 0; j < n; j++) {
            bool one = json_object_get_int(json_object_array_get_idx(ones, j)) == 1;
            assert_int_equal(bits_get(read, j), one);
            bits_put(&b, one);
        }
        bits_write(&got, &b);
        assert_bytes(buffer_bytes(&got), buffer_bytes(&want));
        bits_free(&b);
        buffer_free(&want);
        buffer_free(&got);
    }
    list = vector_at(v, "bitlist_invalid");
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *o = json_object_array_get_idx(list, i);
        struct buffer raw;
        struct cursor c;
        struct bytes read;
        buffer_init(&raw, LARGE);
        vector_hex(&raw, o, "hex");
        cursor_init(&c, buffer_bytes(&raw));
        assert_int_equal(cursor_bits(&c, vector_u64(o, "n"), "bits", &read), ERR_MALFORMED);
        buffer_free(&raw);
    }
    json_object_put(v);
}

/* ---- v08: frames --------------------------------------------------------------------------------------------- */

static void v08_payloads(void **state)
{
    (void)state;
    struct json_object *v = vector_read("v08_frames_invalid_and_holocene.json");
    struct json_object *list = vector_at(v, "parse");
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *o = json_object_array_get_idx(list, i);
        struct buffer raw;
        struct fault fault;
        size_t n = 0;
        buffer_init(&raw, LARGE);
        vector_hex(&raw, o, "calldata");
        bool valid = json_object_get_boolean(vector_at(o, "valid"));
        assert_int_equal(payload_count(buffer_bytes(&raw), &n, &fault) == OK, valid);
        assert_int_equal(fault.e == OK, valid);
        if (valid) {
            assert_int_equal(n, vector_u64(o, "frames"));
        } else {
            assert_true(fault.at <= raw.n && fault.wanted != NULL);
        }
        buffer_free(&raw);
    }
    json_object_put(v);
}

static struct frame frame_named(struct json_object *o)
{
    struct frame f = {.number = (uint16_t)vector_u64(o, "n"), .last = vector_u64(o, "last") == 1};
    f.id.b[0] = (uint8_t)*json_object_get_string(vector_at(o, "ch"));
    return f;
}

static void v08_pruning(void **state)
{
    (void)state;
    struct json_object *v = vector_read("v08_frames_invalid_and_holocene.json");
    struct json_object *list = vector_at(v, "holocene_prune_one_tx");
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *o = json_object_array_get_idx(list, i);
        struct json_object *in = vector_at(o, "input");
        struct json_object *out = vector_at(o, "output");
        struct frame frames[8];
        size_t n = json_object_array_length(in);
        for (size_t j = 0; j < n; j++) {
            frames[j] = frame_named(json_object_array_get_idx(in, j));
        }
        n = frames_prune(frames, n);
        assert_int_equal(n, json_object_array_length(out));
        for (size_t j = 0; j < n; j++) {
            struct frame want = frame_named(json_object_array_get_idx(out, j));
            assert_true(frames[j].id.b[0] == want.id.b[0] && frames[j].number == want.number &&
                        frames[j].last == want.last);
        }
    }
    json_object_put(v);
}

/* "A0", "A1*" at an L1 block. */
static enum assembly_verdict push(struct assembly *a, uint64_t l1, const char *name)
{
    struct frame f = {.number = (uint16_t)(name[1] - '0'), .last = name[2] == '*'};
    f.id.b[0] = (uint8_t)name[0];
    assembly_enter(a, l1);
    return assembly_push(a, l1, &f);
}

static void v08_channels(void **state)
{
    (void)state;
    struct assembly a;
    assembly_init(&a);
    /* two posters of the same content */
    assert_int_equal(push(&a, 1, "A0"), ASSEMBLY_TAKEN);
    assert_int_equal(push(&a, 1, "A0"), ASSEMBLY_TAKEN);
    assert_int_equal(push(&a, 1, "A1*"), ASSEMBLY_COMPLETE);
    assert_int_equal(push(&a, 1, "A1*"), ASSEMBLY_IGNORED);
    /* another channel's first frame ends the open one */
    assert_int_equal(push(&a, 1, "A0"), ASSEMBLY_TAKEN);
    assert_int_equal(push(&a, 1, "B0"), ASSEMBLY_TAKEN);
    assert_int_equal(push(&a, 1, "A1*"), ASSEMBLY_IGNORED);
    assert_int_equal(push(&a, 1, "B1*"), ASSEMBLY_COMPLETE);
    /* also where that one is complete in one frame */
    assert_int_equal(push(&a, 1, "A0"), ASSEMBLY_TAKEN);
    assert_int_equal(push(&a, 1, "Z0*"), ASSEMBLY_COMPLETE);
    assert_int_equal(push(&a, 1, "A1*"), ASSEMBLY_IGNORED);
    /* 50 L1 blocks, and not one more */
    assert_int_equal(push(&a, 1000, "A0"), ASSEMBLY_TAKEN);
    assert_int_equal(push(&a, 1050, "A1*"), ASSEMBLY_COMPLETE);
    assert_int_equal(push(&a, 1000, "A0"), ASSEMBLY_TAKEN);
    assert_int_equal(push(&a, 1051, "A1*"), ASSEMBLY_IGNORED);
    assembly_free(&a);
}

/* ---- v09: channel ids ------------------------------------------------------------------------------------------ */

static void v09_channel_id(void **state)
{
    (void)state;
    struct json_object *v = vector_read("v09_deterministic_channel.json");
    struct buffer content;
    struct buffer got;
    struct buffer want;
    buffer_init(&content, LARGE);
    buffer_init(&got, LARGE);
    buffer_init(&want, LARGE);
    vector_hex(&content, v, "channel_encoding");
    vector_hex(&want, v, "channel_id");
    struct channel_id id = channel_id_of(vector_u64(v, "chain_id"), buffer_bytes(&content));
    assert_bytes(bytes_of(id.b, sizeof id.b), buffer_bytes(&want));
    assert_int_equal(
        frames_put(&got, &id, buffer_bytes(&content), vector_u64(v, "max_frame_size")), OK);
    buffer_clear(&want);
    for (int i = 0; i < 3; i++) {
        char path[16];
        snprintf(path, sizeof path, "frames.%d", i);
        vector_hex(&want, v, path);
    }
    assert_bytes(buffer_bytes(&got), buffer_bytes(&want));
    buffer_free(&content);
    buffer_free(&got);
    buffer_free(&want);
    json_object_put(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v01_singular_zlib), cmocka_unit_test(v02_singular_brotli),
        cmocka_unit_test(v03_span),          cmocka_unit_test(v04_two_frames),
        cmocka_unit_test(v05_blob),          cmocka_unit_test(v06_blob_lengths),
        cmocka_unit_test(v06_blob_invalid),  cmocka_unit_test(v07_uvarint),
        cmocka_unit_test(v07_bits),          cmocka_unit_test(v08_payloads),
        cmocka_unit_test(v08_pruning),       cmocka_unit_test(v08_channels),
        cmocka_unit_test(v09_channel_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
