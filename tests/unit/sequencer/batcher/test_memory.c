/* Each allocation fails once, the k-th for every k: what runs then says so, loses nothing and leaks
 * nothing. Linked so that malloc, calloc and realloc of our own objects come by here. */
#define _GNU_SOURCE
#include "kit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sequencer/batcher/assembly.h"
#include "sequencer/batcher/layer_file.h"

enum { NEVER = -1, CHAIN = 41197, LARGE = 1 << 22 };

static long left = NEVER; /* allocations before the one that fails */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static bool fails(void)
{
    if (left == NEVER) {
        return false;
    }
    return left-- == 0;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

static struct sample sample;
static char folder[64];
static char why[512];
static const struct batch_chain chain = {CHAIN, 0, 1};

/* Runs it with the k-th allocation failing, for all k, until it succeeds. */
static void at_every_allocation(enum err (*run)(void))
{
    enum err e = ERR_NO_MEMORY;
    long failures = 0;
    for (long k = 0; e != OK; k++) {
        left = k;
        e = run();
        left = NEVER;
        assert_true(e == OK || e == ERR_NO_MEMORY);
        assert_true(k < 10000);
        failures += e == ERR_NO_MEMORY ? 1 : 0;
    }
    assert_true(failures > 0);
}

static enum err open_segment(void)
{
    struct segment s;
    struct bytes batch;
    struct fault fault;
    segment_init(&s);
    enum err e = segment_open(&s, &chain, buffer_bytes(&sample.segment.payload), &batch, &fault);
    segment_free(&s);
    return e;
}

static enum err build_segment(void)
{
    static const uint8_t body[] = {0xc0};
    static const struct hash parent;
    struct segment_block block[] = {{1000, {body, 1}}, {2000, {body, 1}}};
    struct segment s;
    segment_init(&s);
    enum err e = segment_build(&s, &chain, &parent, block, 2);
    segment_free(&s);
    return e;
}

static enum err write_columns(void)
{
    static const struct hash none;
    struct span_writer w;
    struct buffer out;
    struct buffer tx;
    struct batch_block b = {.timestamp = 1};
    uint64_t seed = 3;
    long saved = left;
    left = NEVER;
    buffer_init(&tx, LARGE);
    random_tx(&seed, CHAIN, &tx);
    left = saved;
    span_writer_init(&w, &chain, LARGE);
    buffer_init(&out, LARGE);
    enum err e = span_writer_block(&w, &b);
    for (int i = 0; i < 50 && e == OK; i++) {
        e = span_writer_tx(&w, buffer_bytes(&tx));
    }
    if (e == OK) {
        e = span_writer_close(&w, &none, &none, &out);
    }
    span_writer_free(&w);
    buffer_free(&out);
    buffer_free(&tx);
    return e;
}

static enum err assemble(void)
{
    struct assembly a;
    struct frame f = {.last = true, .data = buffer_bytes(&sample.segment.content)};
    assembly_init(&a);
    enum assembly_verdict v = assembly_push(&a, 1, &f);
    enum err e = a.data.bad;
    assert_true(v == (e == OK ? ASSEMBLY_COMPLETE : ASSEMBLY_TOO_LARGE));
    assembly_free(&a);
    return e;
}

static void empty_folder(void)
{
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *f = readdir(d); f != NULL; f = readdir(d)) {
        if (f->d_name[0] != '.') {
            assert_int_equal(unlinkat(dirfd(d), f->d_name, 0), 0);
        }
    }
    closedir(d);
}

/* What was posted before stands whatever fails later. */
static enum err post_and_read(void)
{
    struct layer_file *l = NULL;
    struct posting p = {sample.auth.first, sample.auth.last,
                        buffer_bytes(&sample.segment.payload), buffer_bytes(&sample.envelope)};
    struct buffer payload;
    struct buffer envelope;
    enum err e = layer_file_open(&l, folder, CHAIN, 1, true, why, sizeof why);
    if (e != OK) {
        return e;
    }
    struct data_layer d = layer_file_layer(l);
    e = d.post(d.ctx, &p);
    assert_int_equal(d.end(d.ctx), e == OK || layer_file_segments(l) == 1 ? p.last : 0);
    buffer_init(&payload, LARGE);
    buffer_init(&envelope, LARGE);
    if (e == OK) {
        e = d.read(d.ctx, 1, &payload, &envelope, why, sizeof why);
    }
    buffer_free(&payload);
    buffer_free(&envelope);
    d.close(d.ctx);
    return e;
}

static void formats(void **state)
{
    (void)state;
    at_every_allocation(open_segment);
    at_every_allocation(build_segment);
    at_every_allocation(write_columns);
    at_every_allocation(assemble);
}

static void files(void **state)
{
    (void)state;
    at_every_allocation(post_and_read);
    at_every_allocation(post_and_read); /* on what stands already */
}

static int set_up(void **state)
{
    static const struct hash parent = {{1}};
    uint64_t seed = 9;
    (void)state;
    sample_make(&sample, &seed, CHAIN, 1, 3, &parent);
    snprintf(folder, sizeof folder, "/tmp/baton-memory-test-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    sample_free(&sample);
    empty_folder();
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
