/* Random blocks through every layer and back; what a span writer refuses. */
#include "kit.h"

#include <stdlib.h>

#include "proto/limits.h"
#include "sequencer/batcher/assembly.h"
#include "sequencer/batcher/blob.h"
#include "sequencer/batcher/channel.h"

enum { LARGE = 1 << 27, SEEDS = 300 };

/* The batch says exactly what the run holds. */
static void check_read(const struct run *r, struct bytes batch)
{
    struct batch b;
    struct batch_block block;
    struct fault fault;
    struct buffer tx;
    const struct bytes *want = r->tx;
    buffer_init(&tx, LARGE);
    assert_int_equal(batch_open(&b, &r->chain, batch, &fault), OK);
    assert_int_equal(b.type, BATCH_SPAN);
    assert_int_equal(b.blocks, r->blocks);
    assert_memory_equal(b.parent.b, r->parent.b, SPAN_CHECK_BYTES);
    assert_memory_equal(b.epoch_hash.b, r->epoch_hash.b, SPAN_CHECK_BYTES);
    for (size_t i = 0; i < r->blocks; i++) {
        assert_true(batch_next_block(&b, &block));
        assert_true(block.timestamp == r->block[i].timestamp && block.epoch == r->block[i].epoch &&
                    block.epoch_starts == r->block[i].epoch_starts &&
                    block.txs == r->block[i].txs);
        for (uint64_t j = 0; j < block.txs; j++) {
            buffer_clear(&tx);
            assert_true(batch_next_tx(&b, &tx));
            assert_bytes(buffer_bytes(&tx), *want++);
        }
    }
    assert_false(batch_next_block(&b, &block));
    buffer_free(&tx);
}

static void round_trips(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= SEEDS; i++) {
        uint64_t seed = i * 0x9e3779b97f4a7c15u;
        struct run r;
        struct buffer batch;
        buffer_init(&batch, LARGE);
        run_random(&r, &seed, 1 + random_below(&seed, 40), random_below(&seed, 12));
        run_write(&r, &batch);
        check_read(&r, buffer_bytes(&batch));
        buffer_free(&batch);
        run_free(&r);
    }
}

/* A reader may leave transactions out without losing its place. */
static void skipping(void **state)
{
    (void)state;
    uint64_t seed = 77;
    struct run r;
    struct buffer batch;
    struct batch b;
    struct batch_block block;
    struct fault fault;
    struct buffer tx;
    const struct bytes *want = NULL;
    buffer_init(&batch, LARGE);
    buffer_init(&tx, LARGE);
    run_random(&r, &seed, 50, 9);
    want = r.tx;
    run_write(&r, &batch);
    assert_int_equal(batch_open(&b, &r.chain, buffer_bytes(&batch), &fault), OK);
    for (size_t i = 0; batch_next_block(&b, &block); i++) {
        for (uint64_t j = 0; j < block.txs; j++) {
            if (j < i % 4) {
                buffer_clear(&tx);
                assert_true(batch_next_tx(&b, &tx));
                assert_bytes(buffer_bytes(&tx), want[j]);
            }
        }
        want += block.txs;
    }
    buffer_free(&tx);
    buffer_free(&batch);
    run_free(&r);
}

static void send_through_blobs(struct assembly *a, const struct channel_id *id, struct bytes content)
{
    uint8_t *blob = malloc(BLOB_BYTES);
    size_t n = channel_blobs(content.n);
    for (size_t i = 0; i < n; i++) {
        struct buffer payload;
        struct buffer back;
        struct frame frame;
        struct fault fault;
        size_t frames = 0;
        buffer_init(&payload, LARGE);
        buffer_init(&back, LARGE);
        assert_int_equal(channel_blob_payload(&payload, id, content, i), OK);
        assert_int_equal(blob_encode(blob, buffer_bytes(&payload)), OK);
        assert_int_equal(blob_decode(&back, blob, &fault), OK);
        assert_int_equal(payload_count(buffer_bytes(&back), &frames, &fault), OK);
        assert_int_equal(frames, 1);
        payload_split(buffer_bytes(&back), &frame, 1);
        assert_int_equal(assembly_push(a, 5, &frame),
                         i + 1 == n ? ASSEMBLY_COMPLETE : ASSEMBLY_TAKEN);
        buffer_free(&payload);
        buffer_free(&back);
    }
    free(blob);
}

static void through_all_layers(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 12; i++) {
        uint64_t seed = i * 0x2545f4914f6cdd1du;
        struct run r;
        struct buffer batch;
        struct buffer stream;
        struct buffer content;
        struct assembly a;
        struct fault damage;
        struct cursor c;
        struct bytes one;
        buffer_init(&batch, LARGE);
        buffer_init(&stream, LARGE);
        buffer_init(&content, LARGE);
        assembly_init(&a);
        run_random(&r, &seed, 20 * i, 20);
        run_write(&r, &batch);
        batches_put(&stream, buffer_bytes(&batch));
        assert_int_equal(channel_compress(&content,
                                          i % 2 == 0 ? COMPRESSION_ZLIB : COMPRESSION_BROTLI, 5,
                                          buffer_bytes(&stream)),
                         OK);
        struct channel_id id = channel_id_of(r.chain.chain_id, buffer_bytes(&content));
        send_through_blobs(&a, &id, buffer_bytes(&content));
        assert_bytes(buffer_bytes(&a.data), buffer_bytes(&content));
        buffer_clear(&stream);
        assert_int_equal(channel_expand(&stream, buffer_bytes(&a.data), LARGE - 1, &damage), OK);
        assert_int_equal(damage.e, OK);
        cursor_init(&c, buffer_bytes(&stream));
        assert_true(batches_next(&c, &one));
        check_read(&r, one);
        assert_false(batches_next(&c, &one));
        buffer_free(&batch);
        buffer_free(&stream);
        buffer_free(&content);
        assembly_free(&a);
        run_free(&r);
    }
}

/* Cut anywhere, by encoders of any effort one after the other, the stream says the same. */
static void compressed_in_pieces(void **state)
{
    (void)state;
    uint64_t seed = 31;
    for (int i = 0; i < 40; i++) {
        uint8_t raw[20000];
        size_t cut[6];
        int quality[7];
        size_t n = random_below(&seed, sizeof raw);
        struct buffer small;
        struct buffer back;
        struct fault damage;
        random_bytes(&seed, raw, n / 2);
        memset(raw + n / 2, i, sizeof raw - n / 2);
        for (size_t k = 0; k < 6; k++) {
            size_t before = k > 0 ? cut[k - 1] : 0;
            cut[k] = before + random_below(&seed, n - before + 1) / 2;
        }
        for (size_t k = 0; k < 7; k++) {
            quality[k] = 2 + (int)random_below(&seed, 10);
        }
        buffer_init(&small, LARGE);
        buffer_init(&back, LARGE);
        assert_int_equal(
            channel_compress_cut(&small, bytes_of(raw, n), cut, (size_t)i % 7, quality), OK);
        assert_int_equal(channel_expand(&back, buffer_bytes(&small), LARGE - 1, &damage), OK);
        assert_int_equal(damage.e, OK);
        assert_bytes(buffer_bytes(&back), bytes_of(raw, n));
        buffer_free(&small);
        buffer_free(&back);
    }
}

/* ---- what a writer refuses -------------------------------------------------------------------------- */

static const struct batch_chain chain = {901, 1700000000, 2};
static const struct batch_block first = {1700000010, 100, false, 0};

static enum err second_block(uint64_t timestamp, uint64_t epoch, bool starts)
{
    struct span_writer w;
    struct batch_block b = {timestamp, epoch, starts, 0};
    span_writer_init(&w, &chain, LARGE);
    assert_int_equal(span_writer_block(&w, &first), OK);
    enum err e = span_writer_block(&w, &b);
    span_writer_free(&w);
    return e;
}

static void blocks_in_order(void **state)
{
    (void)state;
    assert_int_equal(second_block(1700000012, 100, false), OK);
    assert_int_equal(second_block(1700000012, 101, true), OK);
    assert_int_equal(second_block(1700000011, 100, false), ERR_REFUSED);
    assert_int_equal(second_block(1700000014, 100, false), ERR_REFUSED);
    assert_int_equal(second_block(1700000012, 101, false), ERR_REFUSED);
    assert_int_equal(second_block(1700000012, 100, true), ERR_REFUSED);
    assert_int_equal(second_block(1700000012, 102, true), ERR_REFUSED);
    assert_int_equal(second_block(1700000012, 99, false), ERR_REFUSED);
    struct span_writer w;
    struct buffer out;
    struct hash none = {{0}};
    struct batch_block early = {1699999999, 0, false, 0};
    buffer_init(&out, LARGE);
    span_writer_init(&w, &chain, LARGE);
    assert_int_equal(span_writer_block(&w, &early), ERR_REFUSED);
    assert_int_equal(span_writer_close(&w, &none, &none, &out), ERR_REFUSED);
    span_writer_free(&w);
    buffer_free(&out);
}

/* A refused transaction leaves no trace in the columns. */
static void transactions_refused(void **state)
{
    (void)state;
    struct json_object *v = vector_read("v03_span_3blocks.json");
    struct buffer raw;
    struct buffer with;
    struct buffer without;
    struct hash none = {{0}};
    struct span_writer w;
    buffer_init(&raw, LARGE);
    buffer_init(&with, LARGE);
    buffer_init(&without, LARGE);
    span_writer_init(&w, &chain, LARGE);
    vector_hex(&raw, v, "decoded_blocks.0.transactions.1.raw");
    assert_int_equal(span_writer_tx(&w, buffer_bytes(&raw)), ERR_TOO_LARGE); /* no block yet */
    assert_int_equal(span_writer_block(&w, &first), OK);
    raw.p[0] = 3; /* blob transactions have no place in a batch */
    assert_int_equal(span_writer_tx(&w, buffer_bytes(&raw)), ERR_MALFORMED);
    raw.p[0] = 2;
    assert_int_equal(span_writer_tx(&w, bytes_of(raw.p, raw.n - 1)), ERR_MALFORMED);
    assert_int_equal(span_writer_tx(&w, bytes_of(raw.p, 0)), ERR_MALFORMED);
    buffer_put_byte(&raw, 0);
    assert_int_equal(span_writer_tx(&w, buffer_bytes(&raw)), ERR_MALFORMED);
    raw.n--;
    assert_int_equal(span_writer_close(&w, &none, &none, &without), OK);
    span_writer_free(&w);
    /* The same bytes on another chain, typed and legacy. */
    struct batch_chain other = {902, 1700000000, 2};
    span_writer_init(&w, &other, LARGE);
    assert_int_equal(span_writer_block(&w, &first), OK);
    assert_int_equal(span_writer_tx(&w, buffer_bytes(&raw)), ERR_WRONG_CHAIN);
    buffer_clear(&raw);
    vector_hex(&raw, v, "decoded_blocks.0.transactions.0.raw");
    assert_int_equal(span_writer_tx(&w, buffer_bytes(&raw)), ERR_WRONG_CHAIN);
    assert_int_equal(span_writer_close(&w, &none, &none, &with), OK);
    assert_bytes(buffer_bytes(&with), buffer_bytes(&without));
    span_writer_free(&w);
    buffer_free(&raw);
    buffer_free(&with);
    buffer_free(&without);
    json_object_put(v);
}

/* A column's bound is an error of the whole batch, never a shorter batch. */
static void columns_bounded(void **state)
{
    (void)state;
    uint64_t seed = 3;
    struct buffer tx;
    struct buffer out;
    struct hash none = {{0}};
    for (size_t max = 0; max < 2000; max += 13) {
        struct span_writer w;
        buffer_init(&tx, LARGE);
        buffer_init(&out, LARGE);
        span_writer_init(&w, &chain, max);
        assert_int_equal(span_writer_block(&w, &first), OK);
        for (int i = 0; i < 40; i++) {
            buffer_clear(&tx);
            random_tx(&seed, chain.chain_id, &tx);
            assert_int_equal(span_writer_tx(&w, buffer_bytes(&tx)), OK);
        }
        assert_int_equal(span_writer_close(&w, &none, &none, &out), ERR_TOO_LARGE);
        assert_int_equal(out.n, 0);
        span_writer_free(&w);
        buffer_free(&tx);
        buffer_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),          cmocka_unit_test(skipping),
        cmocka_unit_test(through_all_layers),   cmocka_unit_test(compressed_in_pieces),
        cmocka_unit_test(blocks_in_order),      cmocka_unit_test(transactions_refused),
        cmocka_unit_test(columns_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
