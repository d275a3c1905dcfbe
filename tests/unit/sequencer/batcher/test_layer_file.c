/* The data layer of files: what stands, what a crash leaves, what is refused. */
#define _GNU_SOURCE
#include "kit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/limits.h"
#include "sequencer/batcher/layer_file.h"

enum { CHAIN = 41197, SEGMENTS = 4, BLOCKS = 3, LARGE = 1 << 26 };

static char folder[64];
static char why[512];
static struct sample sample[SEGMENTS]; /* blocks 1 to 3, 4 to 6, … */

static struct posting posting(size_t i)
{
    const struct sample *s = &sample[i];
    return (struct posting){s->auth.first, s->auth.last, buffer_bytes(&s->segment.payload),
                            buffer_bytes(&s->envelope)};
}

static struct layer_file *must_open(void)
{
    struct layer_file *l = NULL;
    enum err e = layer_file_open(&l, folder, CHAIN, 1, true, why, sizeof why);
    if (e != OK) {
        print_error("%s\n", why);
    }
    assert_int_equal(e, OK);
    return l;
}

static void refuses_to_open(enum err want, const char *part)
{
    struct layer_file *l = NULL;
    assert_int_equal(layer_file_open(&l, folder, CHAIN, 1, true, why, sizeof why), want);
    if (strstr(why, part) == NULL) {
        print_error("%s\n", why);
    }
    assert_non_null(strstr(why, part));
}

static enum err post(struct layer_file *l, size_t i)
{
    struct posting p = posting(i);
    return layer_file_layer(l).post(l, &p);
}

static void post_all(void)
{
    struct layer_file *l = must_open();
    for (size_t i = 0; i < SEGMENTS; i++) {
        assert_int_equal(post(l, i), OK);
    }
    layer_file_close(l);
}

/* Everything up to segment `n` stands, byte for byte, and nothing else. */
static void check_stands(struct layer_file *l, size_t n)
{
    struct data_layer d = layer_file_layer(l);
    assert_int_equal(d.end(l), n * BLOCKS);
    for (size_t i = 0; i < SEGMENTS; i++) {
        struct buffer payload;
        struct buffer envelope;
        struct posting p = posting(i);
        buffer_init(&payload, LARGE);
        buffer_init(&envelope, LARGE);
        enum err e = d.read(l, p.first, &payload, &envelope, why, sizeof why);
        assert_int_equal(e, i < n ? OK : ERR_NOT_FOUND);
        if (e == OK) {
            assert_bytes(buffer_bytes(&payload), p.payload);
            assert_bytes(buffer_bytes(&envelope), p.envelope);
        }
        buffer_free(&payload);
        buffer_free(&envelope);
    }
}

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
    fputs(text, f);
    fclose(f);
}

static void remove_file(const char *name)
{
    char path[128];
    path_of(path, name);
    assert_int_equal(unlink(path), 0);
}

static void flip_byte(const char *name, long at)
{
    char path[128];
    path_of(path, name);
    FILE *f = fopen(path, "r+");
    assert_non_null(f);
    fseek(f, at, SEEK_SET);
    int c = fgetc(f);
    fseek(f, at, SEEK_SET);
    fputc(c ^ 0x20, f);
    fclose(f);
}

static size_t files(void)
{
    size_t n = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *f = readdir(d); f != NULL; f = readdir(d)) {
        n += f->d_name[0] != '.' ? 1 : 0;
    }
    closedir(d);
    return n;
}

static void empty_folder(void)
{
    DIR *d = opendir(folder);
    if (d == NULL) {
        return;
    }
    for (struct dirent *f = readdir(d); f != NULL; f = readdir(d)) {
        if (f->d_name[0] != '.') {
            assert_int_equal(unlinkat(dirfd(d), f->d_name, 0), 0);
        }
    }
    closedir(d);
}

/* ---- tests ------------------------------------------------------------------------------------------- */

static void stands_after_reopening(void **state)
{
    (void)state;
    char path[128];
    struct stat st;
    post_all();
    struct layer_file *l = must_open();
    check_stands(l, SEGMENTS);
    assert_int_equal(layer_file_removed(l), 0);
    assert_int_equal(layer_file_segments(l), SEGMENTS);
    layer_file_close(l);
    path_of(path, "000000000004.seg");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal((size_t)st.st_size, sample[1].segment.payload.n);
    assert_int_equal(files(), 2 * SEGMENTS);
}

static void order_and_repetition(void **state)
{
    (void)state;
    struct layer_file *l = must_open();
    assert_int_equal(post(l, 1), ERR_REFUSED); /* a gap */
    assert_int_equal(post(l, 0), OK);
    assert_int_equal(post(l, 0), OK); /* the same again */
    assert_int_equal(post(l, 1), OK);
    assert_int_equal(post(l, 0), OK);
    struct posting p = posting(1);
    struct posting other = posting(2);
    struct data_layer d = layer_file_layer(l);
    p.payload = other.payload;
    assert_int_equal(d.post(l, &p), ERR_REFUSED); /* other bytes for what stands */
    p = posting(2);
    p.payload = other.envelope;
    assert_int_equal(d.post(l, &p), ERR_REFUSED); /* not what the envelope names */
    p = posting(2);
    p.last++;
    assert_int_equal(d.post(l, &p), ERR_REFUSED);
    p = posting(2);
    p.envelope.n--;
    assert_int_equal(d.post(l, &p), ERR_REFUSED);
    check_stands(l, 2);
    layer_file_close(l);
    assert_int_equal(files(), 4);
}

/* At every operation that can fail: the post fails or succeeds, a crash there leaves what stood,
 * and the same post succeeds later, in this process or after a restart. */
static void every_failure(void **state)
{
    (void)state;
    bool reached_the_end = false;
    for (uint32_t k = 0; !reached_the_end; k++) {
        for (int crash = 0; crash < 2; crash++) {
            empty_folder();
            struct layer_file *l = must_open();
            assert_int_equal(post(l, 0), OK);
            layer_file_fail_after(l, k);
            enum err e = post(l, 1);
            assert_true(e == OK || e == ERR_IO || e == ERR_NO_SPACE);
            reached_the_end = e == OK;
            check_stands(l, e == OK ? 2 : 1);
            if (crash == 1) {
                layer_file_close(l);
                l = must_open();
                size_t end = layer_file_layer(l).end(l);
                assert_true(end == BLOCKS || end == 2 * BLOCKS);
                check_stands(l, end / BLOCKS);
                assert_int_equal(files(), 2 * end / BLOCKS);
            }
            layer_file_fail_after(l, UINT32_MAX);
            assert_int_equal(post(l, 1), OK);
            assert_int_equal(post(l, 2), OK);
            check_stands(l, 3);
            layer_file_close(l);
            l = must_open();
            check_stands(l, 3);
            assert_int_equal(layer_file_removed(l), 0);
            layer_file_close(l);
        }
        assert_true(k < 20);
    }
}

static void torn_tails(void **state)
{
    (void)state;
    post_all();
    remove_file("000000000010.auth"); /* renamed the payload, then died */
    write_file("000000000010.auth.tmp", "half");
    write_file("000000000013.seg.tmp", "hal");
    struct layer_file *l = NULL;
    assert_int_equal(layer_file_open(&l, folder, CHAIN, 1, false, why, sizeof why), OK);
    check_stands(l, SEGMENTS - 1);
    assert_int_equal(layer_file_removed(l), 3);
    layer_file_close(l);
    assert_int_equal(files(), 2 * SEGMENTS + 1); /* a reader removes nothing */
    l = must_open();
    check_stands(l, SEGMENTS - 1);
    assert_int_equal(files(), 2 * SEGMENTS - 2);
    assert_int_equal(post(l, SEGMENTS - 1), OK);
    check_stands(l, SEGMENTS);
    layer_file_close(l);
}

static void damage_is_refused(void **state)
{
    (void)state;
    const struct {
        const char *name;
        long flip; /* -1: the file is missing */
        const char *part;
    } cases[] = {
        {"000000000004.auth", -1, "000000000004.seg: its .auth is missing"},
        {"000000000004.seg", -1, "000000000004.auth: its .seg is missing"},
        {"000000000010.seg", -1, "000000000010.auth: its .seg is missing"},
        {"000000000010.seg", 30, "000000000010.seg: its bytes are not those"},
        {"000000000004.auth", 0, "000000000004.auth: byte 0: expected the letters L2BA"},
        {"000000000004.auth", 12, "000000000004.auth: made for another chain"},
        {"000000000004.auth", 28, "000000000004.auth: "},
        {"000000000004.auth", 40, "000000000004.auth: its parent is not the last block"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        empty_folder();
        post_all();
        if (cases[i].flip < 0) {
            remove_file(cases[i].name);
        } else {
            flip_byte(cases[i].name, cases[i].flip);
        }
        refuses_to_open(strstr(cases[i].part, "another chain") != NULL ? ERR_WRONG_CHAIN
                                                                       : ERR_CORRUPT,
                        cases[i].part);
        size_t left = files();
        assert_int_equal(left, cases[i].flip < 0 ? 2 * SEGMENTS - 1 : 2 * SEGMENTS);
    }
    empty_folder();
    post_all();
    remove_file("000000000004.seg");
    remove_file("000000000004.auth");
    refuses_to_open(ERR_CORRUPT, "000000000007.auth: begins with block 7, expected 4");
}

/* An older payload is checked when it is read. */
static void damage_inside_is_found_by_reading(void **state)
{
    (void)state;
    struct buffer payload;
    struct buffer envelope;
    post_all();
    flip_byte("000000000004.seg", 40);
    struct layer_file *l = must_open();
    struct data_layer d = layer_file_layer(l);
    buffer_init(&payload, LARGE);
    buffer_init(&envelope, LARGE);
    assert_int_equal(d.read(l, 1, &payload, &envelope, why, sizeof why), OK);
    assert_int_equal(d.read(l, 4, &payload, &envelope, why, sizeof why), ERR_CORRUPT);
    assert_non_null(strstr(why, "000000000004.seg"));
    buffer_free(&payload);
    buffer_free(&envelope);
    d.close(l);
}

/* Files of others are neither read nor removed. */
static void foreign_names(void **state)
{
    (void)state;
    static const char *const names[] = {"README", "4.seg", "00000000000a.seg", "000000000004.segx",
                                        "0000000000004.seg", "000000000004"};
    post_all();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        write_file(names[i], "x");
    }
    struct layer_file *l = must_open();
    check_stands(l, SEGMENTS);
    assert_int_equal(files(), 2 * SEGMENTS + 6);
    layer_file_close(l);
}

static void post_many(size_t n)
{
    uint64_t seed = 7;
    struct hash parent = {{1}};
    struct layer_file *l = must_open();
    for (size_t i = 0; i < n; i++) {
        struct sample s;
        sample_make(&s, &seed, CHAIN, 1 + i, 1, &parent);
        struct posting p = {1 + i, 1 + i, buffer_bytes(&s.segment.payload),
                            buffer_bytes(&s.envelope)};
        assert_int_equal(layer_file_layer(l).post(l, &p), OK);
        parent = s.auth.last_hash;
        sample_free(&s);
    }
    layer_file_close(l);
}

static enum err read_first(struct layer_file *l, uint64_t first)
{
    struct buffer payload;
    struct buffer envelope;
    buffer_init(&payload, LARGE);
    buffer_init(&envelope, LARGE);
    enum err e = layer_file_layer(l).read(l, first, &payload, &envelope, why, sizeof why);
    buffer_free(&payload);
    buffer_free(&envelope);
    return e;
}

/* A start reads the last envelopes only; what stands before them is checked when it is read. */
static void a_long_folder(void **state)
{
    (void)state;
    enum { MANY = LIMIT_OPEN_SEGMENTS + 3 };
    struct posted last;
    post_many(MANY);
    flip_byte("000000000002.auth", 4); /* its version */
    struct layer_file *l = must_open();
    struct data_layer d = layer_file_layer(l);
    assert_int_equal(layer_file_segments(l), MANY);
    assert_int_equal(d.end(l), MANY);
    assert_true(d.last(l, &last) && last.first == MANY && last.last == MANY);
    for (uint64_t first = 1; first <= MANY; first++) {
        assert_int_equal(read_first(l, first), first == 2 ? ERR_CORRUPT : OK);
    }
    assert_int_equal(read_first(l, MANY + 1), ERR_NOT_FOUND);
    assert_int_equal(read_first(l, 0), ERR_NOT_FOUND);
    layer_file_close(l);
    flip_byte("000000000004.auth", 4); /* the first that a start reads */
    refuses_to_open(ERR_CORRUPT, "000000000004.auth: byte 4");
    flip_byte("000000000004.auth", 4);
    remove_file("000000000001.auth");
    refuses_to_open(ERR_CORRUPT, "000000000001.seg");
    remove_file("000000000001.seg");
    refuses_to_open(ERR_CORRUPT, "the first segment begins with block 2, expected 1");
}

static int set_up(void **state)
{
    uint64_t seed = 4242;
    struct hash parent = {{1}};
    (void)state;
    for (size_t i = 0; i < SEGMENTS; i++) {
        sample_make(&sample[i], &seed, CHAIN, 1 + i * BLOCKS, BLOCKS, &parent);
        parent = sample[i].auth.last_hash;
    }
    snprintf(folder, sizeof folder, "/tmp/baton-layer-test-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < SEGMENTS; i++) {
        sample_free(&sample[i]);
    }
    empty_folder();
    return rmdir(folder);
}

static int clean(void **state)
{
    (void)state;
    empty_folder();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(stands_after_reopening, clean),
        cmocka_unit_test_setup(order_and_repetition, clean),
        cmocka_unit_test_setup(every_failure, clean),
        cmocka_unit_test_setup(torn_tails, clean),
        cmocka_unit_test_setup(damage_is_refused, clean),
        cmocka_unit_test_setup(damage_inside_is_found_by_reading, clean),
        cmocka_unit_test_setup(foreign_names, clean),
        cmocka_unit_test_setup(a_long_folder, clean),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
