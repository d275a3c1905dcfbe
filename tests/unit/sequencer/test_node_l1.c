/* Sealed segments on their way to an L1: read from the files, as calldata and in blobs. */
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

#include "sequencer/batcher/blob.h"
#include "sequencer/batcher/segment.h"
#include "sequencer/node/l1_parts.h"

enum { LARGE = 1 << 22, FIRST = 34, BLOCKS = 3, CHAIN = 41197 };

struct folder {
    char dir[64];
    struct segment segment;
    struct batch_auth auth;
    struct buffer envelope;
};

static void write_file(const struct folder *f, uint64_t first, const char *kind, struct bytes b)
{
    char path[128];
    snprintf(path, sizeof path, "%s/batches/%012llu.%s", f->dir, (unsigned long long)first, kind);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(b.p, 1, b.n, out), b.n);
    assert_int_equal(fclose(out), 0);
}

/* Three blocks without transactions, and an envelope of the right form. */
static void seal(struct folder *f)
{
    static const uint8_t empty[1] = {0xc0};
    struct segment_block block[BLOCKS];
    struct auth_time time[BLOCKS];
    const struct batch_chain chain = {.chain_id = CHAIN};
    for (uint64_t i = 0; i < BLOCKS; i++) {
        time[i] = (struct auth_time){1700000000000 + 200 * i, 2};
        block[i] = (struct segment_block){time[i].ms, bytes_of(empty, sizeof empty)};
    }
    f->auth = (struct batch_auth){.chain_id = CHAIN, .segment = 7, .first = FIRST,
                                  .last = FIRST + BLOCKS - 1, .headers = 1};
    f->auth.header[0] = (struct header){.chain_id = CHAIN, .height = f->auth.last, .leader = 2};
    f->auth.cert.signers = 1;
    f->auth.cert.kind = VOTE_FINALIZE;
    segment_init(&f->segment);
    assert_int_equal(segment_build(&f->segment, &chain, &f->auth.parent, block, BLOCKS), OK);
    f->auth.channel = f->segment.id;
    f->auth.root = f->segment.root;
    f->auth.commitment = f->segment.commitment;
    f->auth.cert.block = header_hash(&f->auth.header[0]);
    buffer_init(&f->envelope, LARGE);
    assert_int_equal(auth_encode(&f->envelope, &f->auth, time), OK);
}

static int open_folder(void **state)
{
    char path[80];
    struct folder *f = calloc(1, sizeof *f);
    assert_non_null(f);
    snprintf(f->dir, sizeof f->dir, "/tmp/baton-l1-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(path, sizeof path, "%s/batches", f->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    seal(f);
    *state = f;
    return 0;
}

static void remove_file(const struct folder *f, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    (void)remove(path);
}

static int close_folder(void **state)
{
    struct folder *f = *state;
    remove_file(f, "batches/000000000034.seg");
    remove_file(f, "batches/000000000034.auth");
    remove_file(f, "batches");
    remove_file(f, "");
    segment_free(&f->segment);
    buffer_free(&f->envelope);
    free(f);
    return 0;
}

static void write_both(const struct folder *f)
{
    write_file(f, FIRST, "seg", buffer_bytes(&f->segment.payload));
    write_file(f, FIRST, "auth", buffer_bytes(&f->envelope));
}

static void test_a_segment_stands_with_its_envelope(void **state)
{
    const struct folder *f = *state;
    struct l1_segment s;
    assert_int_equal(l1_segment_read(f->dir, FIRST, &s), ERR_NOT_FOUND);
    write_file(f, FIRST, "seg", buffer_bytes(&f->segment.payload));
    assert_int_equal(l1_segment_read(f->dir, FIRST, &s), ERR_NOT_FOUND);
    write_file(f, FIRST, "auth", buffer_bytes(&f->envelope));
    assert_int_equal(l1_segment_read(f->dir, FIRST, &s), OK);
    assert_int_equal(s.no, 7);
    assert_int_equal(s.first, FIRST);
    assert_int_equal(s.last, FIRST + BLOCKS - 1);
    assert_int_equal(s.proposer, 2);
    assert_int_equal(s.payload, f->segment.payload.n);
    assert_int_equal(s.first_ms, 1700000000000);
}

/* By the files alone, and again where the L1 took back what it had. */
static void test_what_is_sealed_and_not_safe(void **state)
{
    const struct folder *f = *state;
    struct l1_backlog *b;
    struct l1_standing is = {.backlog = 9};
    assert_int_equal(l1_backlog_open(&b, f->dir), OK);
    l1_backlog_look(b, FIRST - 1, &is);
    assert_int_equal(is.backlog, 0);
    write_both(f);
    for (int i = 0; i < 2; i++) {
        l1_backlog_look(b, FIRST - 1, &is);
        assert_int_equal(is.backlog, 1);
        assert_int_equal(is.backlog_bytes, f->segment.payload.n);
        l1_backlog_look(b, FIRST + BLOCKS - 1, &is);
        assert_int_equal(is.backlog, 0);
        assert_int_equal(is.backlog_bytes, 0);
    }
    l1_backlog_close(b);
}

static void test_damage_is_no_segment(void **state)
{
    const struct folder *f = *state;
    struct l1_segment s;
    struct bytes cut = buffer_bytes(&f->envelope);
    cut.n--;
    write_both(f);
    write_file(f, FIRST, "auth", cut);
    assert_int_not_equal(l1_segment_read(f->dir, FIRST, &s), OK);
}

static void test_as_calldata(void **state)
{
    const struct folder *f = *state;
    struct l1_load l;
    l1_load_init(&l);
    assert_int_equal(l1_load_make(&l, f->dir, FIRST, NULL), ERR_NOT_FOUND);
    write_both(f);
    assert_int_equal(l1_load_make(&l, f->dir, FIRST, NULL), OK);
    assert_true(bytes_equal(buffer_bytes(&l.data[0]), buffer_bytes(&f->segment.payload)));
    assert_true(bytes_equal(buffer_bytes(&l.data[1]), buffer_bytes(&f->envelope)));
    assert_int_equal(l.blobs.blobs, 0);
    l1_load_free(&l);
}

/* The envelope names the blobs; all else of it stays. The blobs hold the segment. */
static void test_in_blobs(void **state)
{
    const struct folder *f = *state;
    struct kzg *kzg;
    struct l1_load l;
    struct batch_auth *a = calloc(1, sizeof *a);
    struct segment back;
    struct buffer payload;
    struct bytes batch;
    struct fault fault;
    const struct batch_chain chain = {.chain_id = CHAIN};
    assert_non_null(a);
    if (!kzg_is_built_in()) {
        free(a);
        skip();
    }
    assert_int_equal(kzg_load(&kzg), OK);
    write_both(f);
    l1_load_init(&l);
    assert_int_equal(l1_load_make(&l, f->dir, FIRST, kzg), OK);
    assert_int_equal(l.blobs.blobs, 1);
    assert_int_equal(auth_decode(a, buffer_bytes(&l.data[0]), &fault), OK);
    struct hash commitment = blob_posting_commitment(&l.blobs);
    assert_true(hash_equal(&a->commitment, &commitment));
    assert_true(hash_equal(&a->root, &f->auth.root));
    assert_int_equal(a->last, f->auth.last);
    buffer_init(&payload, LARGE);
    assert_int_equal(blob_decode(&payload, l.blobs.blob[0], &fault), OK);
    segment_init(&back);
    assert_int_equal(segment_open(&back, &chain, buffer_bytes(&payload), &batch, &fault), OK);
    assert_true(hash_equal(&back.root, &f->auth.root));
    assert_int_equal(kzg_check_blob(kzg, l.blobs.blob[0], &l.blobs.versioned[0]), OK);
    assert_int_equal(l1_load_zeros(&l, kzg), OK);
    assert_int_equal(l.blobs.blobs, 1);
    assert_int_equal(l.blobs.commitment[0][0], 0xc0); /* the point at infinity */
    l1_load_free(&l);
    segment_free(&back);
    buffer_free(&payload);
    kzg_free(kzg);
    free(a);
}

static void test_start_is_number_and_hash(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "7", "x:0x00", "7:0x00", "7 0x00"};
    char text[96] = "12:0x";
    char why[256];
    struct derive_ref r;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(l1_read_start(wrong[i], &r, why, sizeof why), ERR_CONFIG);
    }
    memset(text + 5, 'a', 64);
    assert_int_equal(l1_read_start(text, &r, why, sizeof why), OK);
    assert_int_equal(r.number, 12);
    assert_int_equal(r.hash.b[31], 0xaa);
}

static void test_addresses_are_the_chains_own(void **state)
{
    (void)state;
    struct epoch_config one = {.genesis = {{1}}};
    struct epoch_config two = {.genesis = {{2}}};
    struct address inbox[2] = {l1_inbox(&one), l1_inbox(&two)};
    struct address auth = l1_auth(&one);
    assert_false(address_equal(&inbox[0], &inbox[1]));
    assert_false(address_equal(&inbox[0], &auth));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_segment_stands_with_its_envelope, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(test_what_is_sealed_and_not_safe, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(test_damage_is_no_segment, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(test_as_calldata, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(test_in_blobs, open_folder, close_folder),
        cmocka_unit_test(test_start_is_number_and_hash),
        cmocka_unit_test(test_addresses_are_the_chains_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
