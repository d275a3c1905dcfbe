/* `baton batch decode` and `encode` as scripts see them (INTERFACE 1), on the vectors. */
#define _GNU_SOURCE
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHAIN "--chain-id 901 --genesis-time 1700000000 --block-time 2"

static char folder[64];
static char output[1 << 20];

static void path_of(char out[128], const char *name)
{
    snprintf(out, 128, "%s/%s", folder, name);
}

static void write_file(const char *name, const char *text)
{
    char path[128];
    path_of(path, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* Runs `baton batch WORDS` in the folder; stderr too, after stdout. */
static int run(const char *words)
{
    char command[512];
    snprintf(command, sizeof command, "cd '%s' && '%s' batch %s 2>&1 </dev/null", folder,
             BATON_PROGRAM, words);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    size_t n = fread(output, 1, sizeof output - 1, f);
    output[n] = '\0';
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect(const char *words, int code, const char *part)
{
    int got = run(words);
    if (got != code || strstr(output, part) == NULL) {
        print_error("baton batch %s: code %d, output: %s\n", words, got, output);
    }
    assert_int_equal(got, code);
    assert_non_null(strstr(output, part));
}

static void expect_line(const char *words, const char *want)
{
    assert_int_equal(run(words), 0);
    output[strcspn(output, "\n")] = '\0';
    assert_string_equal(output, want);
}

static const char *text_at(struct json_object *v, const char *path)
{
    return json_object_get_string(vector_at(v, path));
}

/* Decodes the payload, and makes the same bytes of what came out. */
static struct json_object *there_and_back(const char *payload)
{
    write_file("payload", payload);
    assert_int_equal(run("decode payload --json " CHAIN), 0);
    struct json_object *got = json_tokener_parse(output);
    assert_non_null(got);
    write_file("document", output);
    expect_line("encode document", payload);
    return got;
}

static void singular(void **state)
{
    (void)state;
    static const char *const names[] = {"v01_singular_zlib.json", "v02_singular_brotli.json"};
    for (size_t i = 0; i < 2; i++) {
        struct json_object *v = vector_read(names[i]);
        struct json_object *got = there_and_back(text_at(v, "layers.calldata"));
        assert_string_equal(text_at(got, "frames.0.channelId"),
                            text_at(v, "layers.frames.0.channel_id"));
        assert_string_equal(text_at(got, "frames.0.bytes"),
                            text_at(v, "layers.frames.0.frame_data"));
        assert_string_equal(text_at(got, "channels.0.compression"), i == 0 ? "zlib" : "brotli");
        assert_string_equal(text_at(got, "channels.0.batches.0.type"), "singular");
        assert_int_equal(vector_u64(got, "channels.0.batches.0.blocks.0.number"), 1);
        assert_int_equal(vector_u64(got, "channels.0.batches.0.blocks.0.epoch"), 100);
        assert_string_equal(text_at(got, "channels.0.batches.0.blocks.0.txs.1"),
                            text_at(v, "decoded.transactions.1.raw"));
        assert_int_equal(json_object_array_length(vector_at(got, "ignored")), 0);
        expect_line("encode document --kind batches", text_at(v, "layers.rlp_batches"));
        json_object_put(got);
        json_object_put(v);
    }
}

static void spans(void **state)
{
    (void)state;
    struct json_object *v = vector_read("v03_span_3blocks.json");
    static const char *const paths[] = {"zlib.calldata", "brotli.calldata"};
    for (size_t i = 0; i < 2; i++) {
        struct json_object *got = there_and_back(text_at(v, paths[i]));
        for (int b = 0; b < 3; b++) {
            char path[64];
            snprintf(path, sizeof path, "channels.0.batches.0.blocks.%d.txs", b);
            struct json_object *txs = vector_at(got, path);
            snprintf(path, sizeof path, "decoded_blocks.%d.transactions", b);
            struct json_object *want = vector_at(v, path);
            assert_int_equal(json_object_array_length(txs), json_object_array_length(want));
            for (size_t t = 0; t < json_object_array_length(txs); t++) {
                assert_string_equal(json_object_get_string(json_object_array_get_idx(txs, t)),
                                    text_at(json_object_array_get_idx(want, t), "raw"));
            }
        }
        expect_line("encode document --kind batches", text_at(v, "rlp_batches"));
        json_object_put(got);
    }
    json_object_put(v);
}

/* Every layer that is written reads back to the same batches. */
static void rebuilt(void **state)
{
    (void)state;
    static const char *const kinds[] = {"payload", "frames", "channel", "batches", "blob"};
    struct json_object *v = vector_read("v03_span_3blocks.json");
    struct json_object *first = there_and_back(text_at(v, "zlib.calldata"));
    const char *want = json_object_to_json_string(vector_at(first, "channels.0.batches"));
    for (size_t i = 0; i < 5; i++) {
        char words[256];
        snprintf(words, sizeof words,
                 "encode document --rebuild --compression brotli --frame-size 300 --kind %s",
                 kinds[i]);
        assert_int_equal(run(words), 0);
        write_file("again", output);
        snprintf(words, sizeof words, "decode again --json --kind %s " CHAIN, kinds[i]);
        assert_int_equal(run(words), 0);
        struct json_object *got = json_tokener_parse(output);
        assert_string_equal(json_object_to_json_string(vector_at(got, "channels.0.batches")), want);
        if (i == 0) {
            assert_int_equal(json_object_array_length(vector_at(got, "frames")), 4);
        }
        json_object_put(got);
    }
    json_object_put(first);
    json_object_put(v);
}

/* What counts for nothing is listed, with its place and why. */
static void ignored(void **state)
{
    (void)state;
    struct json_object *v = vector_read("v04_two_frames.json");
    write_file("half", text_at(v, "two_txs.0.calldata"));
    expect("decode half", 0, "no frame here is its last");
    write_file("late", text_at(v, "two_txs.1.calldata"));
    expect("decode late", 0, "it continues no open channel");
    write_file("junk", "0x00948678da717d9de7f76a587ca6065057000000000002abcd01");
    expect("decode junk", 0, "expected a channel that begins as zlib");
    write_file("stream", "83000102");
    expect("decode stream --kind batches", 0, "expected the list of parent, epoch");
    json_object_put(v);
}

/* Ten million empty blocks in a few kilobytes: said, not printed. */
static void a_crowd(void **state)
{
    (void)state;
    enum { CROWD = 10000000, LARGE = 1 << 25 };
    struct buffer batch;
    struct buffer stream;
    struct buffer content;
    buffer_init(&batch, LARGE);
    buffer_init(&stream, LARGE);
    buffer_init(&content, LARGE);
    uint8_t *zeros = calloc(1, CROWD + CROWD / 8);
    buffer_put(&batch, "\1\0\0", 3);
    buffer_put(&batch, zeros, 2 * SPAN_CHECK_BYTES);
    uvarint_put(&batch, CROWD);
    buffer_put(&batch, zeros, CROWD + CROWD / 8);
    free(zeros);
    batches_put(&stream, buffer_bytes(&batch));
    assert_int_equal(channel_compress(&content, COMPRESSION_BROTLI, 1, buffer_bytes(&stream)), OK);
    char *text = malloc(HEX_SIZE(content.n));
    hex_encode(text, content.p, content.n);
    write_file("f", text);
    expect("decode f --kind channel --json", 0, "more blocks and transactions than are printed");
    assert_true(strlen(output) < 1000);
    free(text);
    buffer_free(&batch);
    buffer_free(&stream);
    buffer_free(&content);
}

static void wrong_input(void **state)
{
    (void)state;
    expect("", 2, "expected `decode FILE` or `encode FILE`");
    expect("decode nothing", 2, "nothing: cannot be read");
    write_file("f", "0x0q");
    expect("decode f", 1, "f: character 3: expected an even number of hex digits");
    write_file("f", "");
    expect("decode f", 1, "f: byte 0: expected a version byte");
    write_file("f", "0x00948678da717d9de7f76a587ca60650570000000f42410000000000000000");
    expect("decode f", 1, "f: byte 19: expected a frame's length of at most 1,000,000");
    expect("decode f --kind frames", 1, "byte 22: expected as much data");
    expect("decode f --kind blob", 1, "expected 131,072 bytes of a blob");
    write_file("f", "[1, 2");
    expect("encode f", 2, "is no JSON object");
    write_file("f", "{}");
    expect("encode f", 1, "expected frames or channels");
    write_file("f", "{\"frames\": [{\"channelId\": \"0x12\"}]}");
    expect("encode f", 1, "frames[0]: expected channelId of 16 bytes");
    write_file("f", "{\"channels\": [{\"batches\": [{\"blocks\": [{\"timestamp\": 2, "
                    "\"txs\": [\"0x02c0\"]}]}]}]}");
    expect("encode f", 1, "channels[0].batches[0].blocks[0].txs[0]: expected a signed transaction");
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/baton-batch-test-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"payload", "document", "again", "half", "late",
                                        "junk",    "stream",   "f"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        path_of(path, names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(singular), cmocka_unit_test(spans),       cmocka_unit_test(rebuilt),
        cmocka_unit_test(ignored),  cmocka_unit_test(a_crowd),     cmocka_unit_test(wrong_input),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
