/* Intents between members: letters between two threads, and what is kept of them on disk. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "sequencer/node/l1_post_parts.h"

/* ---- letters --------------------------------------------------------------------------------- */

static bool put(struct l1_box *b, uint32_t members, const char *text)
{
    const struct l1_letter like = {.members = members, .answer = true, .segment = 7};
    return l1_box_put(b, &like, bytes_of(text, strlen(text)));
}

static void test_letters_keep_their_order(void **state)
{
    (void)state;
    struct l1_box *b;
    assert_int_equal(l1_box_open(&b), OK);
    assert_null(l1_box_take(b));
    assert_true(put(b, 1, "one"));
    assert_true(put(b, 2, "three"));
    struct l1_letter *l = l1_box_take(b);
    assert_int_equal(l->n, 3);
    assert_memory_equal(l->bytes, "one", 3);
    assert_int_equal(l->members, 1);
    assert_int_equal(l->segment, 7);
    assert_true(l->answer);
    free(l);
    l = l1_box_take(b);
    assert_memory_equal(l->bytes, "three", 5);
    free(l);
    assert_null(l1_box_take(b));
    assert_true(put(b, 1, "left"));
    l1_box_close(b);
}

/* A flood of one member is dropped, and leaves room for the others. */
static void test_a_flood_leaves_room(void **state)
{
    (void)state;
    struct l1_box *b;
    size_t taken = 0;
    assert_int_equal(l1_box_open(&b), OK);
    for (int i = 0; i < 1000; i++) {
        taken += put(b, 1, "flood");
    }
    assert_int_equal(taken, LIMIT_INTENT_LETTERS / 4);
    assert_int_equal(l1_box_dropped(b), 1000 - taken);
    for (uint32_t m = 2; m < 64; m *= 2) {
        for (int i = 0; i < 1000; i++) {
            taken += put(b, m, "others");
        }
    }
    assert_int_equal(taken, LIMIT_INTENT_LETTERS);
    l1_box_close(b);
}

/* ---- on disk --------------------------------------------------------------------------------- */

static int open_dir(void **state)
{
    char path[96];
    char *dir = calloc(1, 64);
    assert_non_null(dir);
    snprintf(dir, 64, "/tmp/baton-intents-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/l1", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    *state = dir;
    return 0;
}

static void path_of(char out[96], const char *dir)
{
    snprintf(out, 96, "%s/l1/intents", dir);
}

static int close_dir(void **state)
{
    char path[96];
    path_of(path, *state);
    (void)remove(path);
    snprintf(path, sizeof path, "%s/l1", (char *)*state);
    (void)remove(path);
    (void)remove(*state);
    free(*state);
    return 0;
}

/* An intent for blocks up to `last`, with `size` bytes of a transaction. */
static struct buffer intent_of(uint64_t last, size_t size)
{
    static uint8_t raw[LIMIT_TX_BYTES];
    struct post_intent i = {.last = last, .kind = INTENT_CALLDATA, .parts = 1};
    struct buffer b;
    i.part[0].rungs = INTENT_LADDER;
    for (size_t r = 0; r < INTENT_LADDER; r++) {
        i.part[0].raw[r] = bytes_of(raw, size);
    }
    buffer_init(&b, LIMIT_INTENT_BYTES);
    assert_int_equal(intent_encode(&b, &i), OK);
    return b;
}

static void store(struct l1_intents *s, uint64_t last, size_t size, uint64_t final)
{
    struct buffer b = intent_of(last, size);
    assert_int_equal(l1_intents_put(s, buffer_bytes(&b), final), OK);
    buffer_free(&b);
}

static struct l1_intents *open_store(const char *dir, uint64_t torn)
{
    struct l1_intents *s;
    uint64_t found;
    char why[256] = "";
    assert_int_equal(l1_intents_open(&s, dir, &found, why, sizeof why), OK);
    assert_int_equal(found, torn);
    return s;
}

/* What comes back, in order: those that end at `first` … `first` + n - 1. */
static void expect(struct l1_intents *s, uint64_t first, uint64_t n)
{
    struct bytes b;
    struct post_intent i;
    for (uint64_t k = 0; k < n; k++) {
        assert_true(l1_intents_next(s, &b));
        assert_int_equal(intent_decode(&i, b), OK);
        assert_int_equal(i.last, first + k);
    }
    assert_false(l1_intents_next(s, &b));
    assert_false(l1_intents_next(s, &b));
}

static void test_they_come_back(void **state)
{
    struct l1_intents *s = open_store(*state, 0);
    expect(s, 0, 0);
    for (uint64_t last = 10; last < 15; last++) {
        store(s, last, 100, 0);
    }
    l1_intents_close(s);
    s = open_store(*state, 0);
    expect(s, 10, 5);
    store(s, 15, 100, 0);
    l1_intents_close(s);
    s = open_store(*state, 0);
    expect(s, 10, 6);
    l1_intents_close(s);
}

/* Wherever the file is cut or bent, what stood before comes back, and it goes on from there. */
static void test_torn_anywhere(void **state)
{
    char path[96];
    struct stat st;
    path_of(path, *state);
    struct l1_intents *s = open_store(*state, 0);
    store(s, 1, 20, 0);
    assert_int_equal(stat(path, &st), 0);
    off_t one = st.st_size;
    l1_intents_close(s);
    for (off_t cut = 1; cut < one; cut += 7) {
        s = open_store(*state, 0);
        expect(s, 1, 1);
        store(s, 2, 20, 0);
        l1_intents_close(s);
        assert_int_equal(truncate(path, 2 * one - cut), 0);
        s = open_store(*state, (uint64_t)(one - cut));
        expect(s, 1, 1);
        l1_intents_close(s);
    }
}

static void test_bent_anywhere(void **state)
{
    char path[96];
    path_of(path, *state);
    struct l1_intents *s = open_store(*state, 0);
    store(s, 1, 20, 0);
    l1_intents_close(s);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, 40, SEEK_SET), 0);
    assert_int_equal(fputc(0xff, f), 0xff);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    uint64_t size = (uint64_t)ftell(f);
    assert_int_equal(fclose(f), 0);
    s = open_store(*state, size);
    expect(s, 0, 0);
    store(s, 3, 20, 0);
    l1_intents_close(s);
    s = open_store(*state, 0);
    expect(s, 3, 1);
    l1_intents_close(s);
}

/* What is final goes when the file has become large; what is not stays, however large it is. */
static void test_final_ones_are_forgotten(void **state)
{
    enum { N = 60, LEFT = 4 };
    char path[96];
    struct stat st;
    path_of(path, *state);
    struct l1_intents *s = open_store(*state, 0);
    for (uint64_t last = 1; last <= N; last++) {
        store(s, last, LIMIT_TX_BYTES, last > LEFT ? last - LEFT : 0);
    }
    assert_int_equal(stat(path, &st), 0);
    assert_true((uint64_t)st.st_size < N * UINT64_C(4) * LIMIT_TX_BYTES * 3 / 4);
    l1_intents_close(s);
    struct bytes b;
    struct post_intent i;
    uint64_t last = 0;
    s = open_store(*state, 0);
    while (l1_intents_next(s, &b)) {
        assert_int_equal(intent_decode(&i, b), OK);
        assert_true(last == 0 || i.last == last + 1); /* none in the middle is missing */
        last = i.last;
    }
    assert_int_equal(last, N);
    l1_intents_close(s);
}

/* What is no intent is not kept, and a folder that cannot be written is told by its name. */
static void test_what_cannot_be_kept(void **state)
{
    (void)state;
    struct l1_intents *s = open_store(*state, 0);
    assert_int_equal(l1_intents_put(s, bytes_of("junk", 4), 0), ERR_MALFORMED);
    l1_intents_close(s);
    char why[256];
    uint64_t torn;
    assert_int_equal(l1_intents_open(&s, "/nowhere", &torn, why, sizeof why), ERR_IO);
    assert_non_null(strstr(why, "/nowhere/l1/intents"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_letters_keep_their_order),
        cmocka_unit_test(test_a_flood_leaves_room),
        cmocka_unit_test_setup_teardown(test_they_come_back, open_dir, close_dir),
        cmocka_unit_test_setup_teardown(test_torn_anywhere, open_dir, close_dir),
        cmocka_unit_test_setup_teardown(test_bent_anywhere, open_dir, close_dir),
        cmocka_unit_test_setup_teardown(test_final_ones_are_forgotten, open_dir, close_dir),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_kept, open_dir, close_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
