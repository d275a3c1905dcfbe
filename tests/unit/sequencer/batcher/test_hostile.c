/* Bytes that lie: cut off, flipped, endless, or valid where two production decoders differ. */
#include "kit.h"

#include <stdlib.h>

#include "proto/limits.h"
#include "sequencer/batcher/assembly.h"
#include "sequencer/batcher/channel.h"

enum { LARGE = 1 << 22 };

static const struct batch_chain chain = {901, 1700000000, 2};

static void v03_batch(struct buffer *out)
{
    struct json_object *v = vector_read("v03_span_3blocks.json");
    vector_hex(out, v, "batch");
    json_object_put(v);
}

/* Reads everything that a batch gives; how many transactions that were. */
static size_t read_all(const struct batch_chain *c, struct bytes in, struct fault *fault)
{
    struct batch b;
    struct batch_block block;
    struct buffer tx;
    size_t n = 0;
    buffer_init(&tx, LARGE);
    if (batch_open(&b, c, in, fault) != OK) {
        assert_true(fault->e != OK && fault->at <= in.n && fault->wanted != NULL);
        return 0;
    }
    assert_int_equal(fault->e, OK);
    while (batch_next_block(&b, &block)) {
        for (uint64_t i = 0; i < block.txs; i++) {
            buffer_clear(&tx);
            assert_true(batch_next_tx(&b, &tx));
            n++;
        }
    }
    buffer_free(&tx);
    return n;
}

static void cut_anywhere(void **state)
{
    (void)state;
    struct buffer batch;
    struct fault fault;
    buffer_init(&batch, LARGE);
    v03_batch(&batch);
    for (size_t n = 0; n < batch.n; n++) {
        /* an allocation of its own, so that a byte too far is seen */
        uint8_t *cut = malloc(n > 0 ? n : 1);
        memcpy(cut, batch.p, n);
        assert_int_equal(read_all(&chain, bytes_of(cut, n), &fault), 0);
        assert_true(fault.e == ERR_MALFORMED);
        free(cut);
    }
    assert_int_equal(read_all(&chain, buffer_bytes(&batch), &fault), 6);
    /* Bytes behind a batch's own content are ignored, as in op-node. */
    buffer_put(&batch, "\x01\x02", 2);
    assert_int_equal(read_all(&chain, buffer_bytes(&batch), &fault), 6);
    buffer_free(&batch);
}

/* What a flipped bit still lets through can be written again, to bytes that read the same. */
static void flipped_anywhere(void **state)
{
    (void)state;
    struct buffer batch;
    struct fault fault;
    size_t accepted = 0;
    buffer_init(&batch, LARGE);
    v03_batch(&batch);
    for (size_t bit = 0; bit < 8 * batch.n; bit++) {
        batch.p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        accepted += read_all(&chain, buffer_bytes(&batch), &fault) > 0 ? 1 : 0;
        batch.p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    /* Signatures, addresses and hashes may hold any bit; counts and lengths may not. */
    assert_true(accepted > 8 * (384 + 100 + 40) && accepted < 8 * batch.n);
    buffer_free(&batch);
}

static void random_bytes_anywhere(void **state)
{
    (void)state;
    uint64_t seed = 99;
    struct fault fault;
    for (int i = 0; i < 100000; i++) {
        uint8_t raw[96];
        size_t n = random_below(&seed, sizeof raw);
        random_bytes(&seed, raw, n);
        raw[0] = (uint8_t)(i % 3);
        read_all(&chain, bytes_of(raw, n), &fault);
        size_t frames;
        if (payload_count(bytes_of(raw, n), &frames, &fault) != OK) {
            assert_true(fault.wanted != NULL && fault.at <= n);
        }
    }
}

static struct fault fault_of(const char *hex)
{
    uint8_t raw[256];
    struct fault fault;
    size_t n = 0;
    assert_true(hex_decode_upto(raw, sizeof raw, &n, hex, strlen(hex)));
    read_all(&chain, bytes_of(raw, n), &fault);
    return fault;
}

/* Prefix of a span batch: version, time 10, origin 101, checks of 20 bytes. */
#define PREFIX                                                                                 \
    "010a65"                                                                                   \
    "0000000000000000000000000000000000000000"                                                 \
    "0000000000000000000000000000000000000000"

static void faults_have_places(void **state)
{
    (void)state;
    const struct {
        const char *hex;
        enum err e;
        size_t at;
    } cases[] = {
        {"", ERR_MALFORMED, 0},
        {"02", ERR_MALFORMED, 0},
        {"00", ERR_MALFORMED, 1},
        {"00c0", ERR_MALFORMED, 1},
        {"01", ERR_MALFORMED, 1},
        {"01ffffffffffffffffff02", ERR_MALFORMED, 1},
        {PREFIX "00", ERR_MALFORMED, 43},           /* no block */
        {PREFIX "81ade204", ERR_TOO_LARGE, 43},     /* 10,000,001 blocks */
        {PREFIX "0102", ERR_MALFORMED, 44},         /* a bit above the last one */
        {PREFIX "010081ade204", ERR_TOO_LARGE, 45}, /* 10,000,001 transactions */
        {PREFIX "010005", ERR_MALFORMED, 46},       /* five, of which nothing follows */
        {"010a00" "0000000000000000000000000000000000000000"
         "0000000000000000000000000000000000000000" "0202", ERR_MALFORMED, 43}, /* origin -1 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fault f = fault_of(cases[i].hex);
        assert_fault(&f, cases[i].e, cases[i].at);
    }
}

/* A count of millions costs the reader nothing before there are bytes for it. */
static void claims_cost_nothing(void **state)
{
    (void)state;
    struct fault f = fault_of(PREFIX "80ade204"); /* 10,000,000 blocks */
    assert_fault(&f, ERR_MALFORMED, 47);
}

/* A number longer than needed is taken, as op-node does; kona refuses it. We never write one. */
static void long_numbers_are_taken(void **state)
{
    (void)state;
    struct fault f = fault_of("018a0065"
                              "0000000000000000000000000000000000000000"
                              "0000000000000000000000000000000000000000"
                              "010000");
    assert_int_equal(f.e, OK);
}

/* ---- channels ----------------------------------------------------------------------------------------- */

/* 64 MiB of zeros in a few hundred bytes. */
static void bombs(void **state)
{
    (void)state;
    enum { BOMB = 1 << 26, KEPT = 1000 };
    uint8_t *zeros = calloc(1, BOMB);
    for (int kind = COMPRESSION_ZLIB; kind <= COMPRESSION_BROTLI; kind++) {
        struct buffer small;
        struct buffer out;
        struct fault damage;
        buffer_init(&small, 2 * BOMB);
        buffer_init(&out, KEPT + 1);
        assert_int_equal(
            channel_compress(&small, (enum compression)kind, 5, bytes_of(zeros, BOMB)), OK);
        assert_true(small.n < BOMB / 500);
        assert_int_equal(channel_expand(&out, buffer_bytes(&small), KEPT, &damage), OK);
        assert_int_equal(damage.e, ERR_TOO_LARGE);
        assert_int_equal(out.n, KEPT); /* what came before the limit stands, as in op-node */
        assert_true(out.cap <= KEPT + 1);
        buffer_free(&small);
        buffer_free(&out);
    }
    free(zeros);
}

/* The limit itself is no bomb. */
static void exactly_at_the_limit(void **state)
{
    (void)state;
    uint8_t data[5000];
    uint64_t seed = 8;
    random_bytes(&seed, data, sizeof data);
    for (int kind = COMPRESSION_ZLIB; kind <= COMPRESSION_BROTLI; kind++) {
        for (size_t max = sizeof data - 1; max <= sizeof data + 1; max++) {
            struct buffer small;
            struct buffer out;
            struct fault damage;
            buffer_init(&small, LARGE);
            buffer_init(&out, LARGE);
            assert_int_equal(channel_compress(&small, (enum compression)kind, 5,
                                              bytes_of(data, sizeof data)),
                             OK);
            assert_int_equal(channel_expand(&out, buffer_bytes(&small), max, &damage), OK);
            assert_int_equal(damage.e, max < sizeof data ? ERR_TOO_LARGE : OK);
            assert_int_equal(out.n, max < sizeof data ? max : sizeof data);
            buffer_free(&small);
            buffer_free(&out);
        }
    }
}

/* Cut or flipped: what came before the damage stands, nothing is read beyond the end. */
static void damaged_streams(void **state)
{
    (void)state;
    struct json_object *v = vector_read("v03_span_3blocks.json");
    static const char *const paths[] = {"zlib.channel_encoding", "brotli.channel_encoding"};
    struct buffer want;
    buffer_init(&want, LARGE);
    vector_hex(&want, v, "rlp_batches");
    for (int k = 0; k < 2; k++) {
        struct buffer content;
        buffer_init(&content, LARGE);
        vector_hex(&content, v, paths[k]);
        for (size_t n = 1; n < content.n; n++) {
            struct buffer out;
            struct fault damage;
            uint8_t *cut = malloc(n);
            memcpy(cut, content.p, n);
            buffer_init(&out, LARGE);
            assert_int_equal(channel_expand(&out, bytes_of(cut, n), LARGE - 1, &damage), OK);
            assert_int_equal(damage.e, ERR_MALFORMED);
            assert_true(out.n <= want.n && damage.at <= n);
            if (out.n > 0) {
                assert_memory_equal(out.p, want.p, out.n);
            }
            buffer_free(&out);
            free(cut);
        }
        for (size_t i = 1; i < content.n; i++) {
            struct buffer out;
            struct fault damage;
            buffer_init(&out, LARGE);
            content.p[i] ^= 0x10;
            assert_int_equal(channel_expand(&out, buffer_bytes(&content), LARGE - 1, &damage), OK);
            content.p[i] ^= 0x10;
            buffer_free(&out);
        }
        buffer_free(&content);
    }
    struct buffer out;
    struct fault damage;
    buffer_init(&out, LARGE);
    assert_int_equal(channel_expand(&out, bytes_of("", 0), 10, &damage), ERR_MALFORMED);
    assert_int_equal(channel_expand(&out, bytes_of("\x02xxx", 4), 10, &damage), ERR_MALFORMED);
    assert_fault(&damage, ERR_MALFORMED, 0);
    buffer_free(&out);
    buffer_free(&want);
    json_object_put(v);
}

/* A bad item ends the stream; the batches before it stand. */
static void stream_ends_at_damage(void **state)
{
    (void)state;
    struct buffer batch;
    struct buffer stream;
    struct cursor c;
    struct bytes one;
    buffer_init(&batch, LARGE);
    buffer_init(&stream, LARGE);
    v03_batch(&batch);
    batches_put(&stream, buffer_bytes(&batch));
    batches_put(&stream, buffer_bytes(&batch));
    size_t good = stream.n;
    buffer_put(&stream, "\xc0", 1); /* a list is no batch */
    cursor_init(&c, buffer_bytes(&stream));
    assert_true(batches_next(&c, &one));
    assert_true(batches_next(&c, &one));
    assert_bytes(one, buffer_bytes(&batch));
    assert_false(batches_next(&c, &one));
    assert_fault(&c.fault, ERR_MALFORMED, good);
    buffer_free(&batch);
    buffer_free(&stream);
}

/* The bound on a channel counts 200 bytes a frame, so that empty frames do not come free. */
static void channels_are_bounded(void **state)
{
    (void)state;
    uint8_t *data = calloc(1, LIMIT_BATCH_FRAME);
    struct assembly a;
    struct frame f = {.data = bytes_of(data, LIMIT_BATCH_FRAME)};
    assembly_init(&a);
    for (f.number = 0; f.number < 99; f.number++) {
        assert_int_equal(assembly_push(&a, 1, &f), ASSEMBLY_TAKEN);
    }
    assert_int_equal(assembly_push(&a, 1, &f), ASSEMBLY_TOO_LARGE);
    f.number++;
    assert_int_equal(assembly_push(&a, 1, &f), ASSEMBLY_IGNORED);
    assembly_free(&a);
    free(data);
}

static void frame_sizes(void **state)
{
    (void)state;
    struct buffer out;
    struct channel_id id = {{1}};
    uint8_t data[100] = {0};
    buffer_init(&out, LARGE);
    assert_int_equal(frames_put(&out, &id, bytes_of(data, 100), FRAME_OVERHEAD), ERR_REFUSED);
    assert_int_equal(frames_put(&out, &id, bytes_of(data, 100), LIMIT_BATCH_FRAME + 24),
                     ERR_REFUSED);
    assert_int_equal(frames_put(&out, &id, bytes_of(data, 0), 100), OK);
    assert_int_equal(out.n, FRAME_OVERHEAD); /* an empty channel is one empty last frame */
    uint8_t *large = calloc(1, 65537);
    buffer_clear(&out);
    assert_int_equal(frames_put(&out, &id, bytes_of(large, 65536), FRAME_OVERHEAD + 1), OK);
    assert_int_equal(out.n, 65536 * (FRAME_OVERHEAD + 1));
    assert_int_equal(frames_put(&out, &id, bytes_of(large, 65537), FRAME_OVERHEAD + 1),
                     ERR_TOO_LARGE);
    free(large);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_anywhere),          cmocka_unit_test(flipped_anywhere),
        cmocka_unit_test(random_bytes_anywhere), cmocka_unit_test(faults_have_places),
        cmocka_unit_test(claims_cost_nothing),   cmocka_unit_test(long_numbers_are_taken),
        cmocka_unit_test(bombs),                 cmocka_unit_test(exactly_at_the_limit),
        cmocka_unit_test(damaged_streams),       cmocka_unit_test(stream_ends_at_damage),
        cmocka_unit_test(channels_are_bounded),  cmocka_unit_test(frame_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
