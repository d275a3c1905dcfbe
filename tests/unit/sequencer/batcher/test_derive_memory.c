/* Each allocation of derivation fails once, the k-th for every k: the block is asked for again and
 * says the same then; nothing is refused for it and nothing leaks. */
#define _GNU_SOURCE
#include "derive_world.h"

#include <stdlib.h>

enum { NEVER = -1, MOST = 2000 };

static long left = NEVER; /* allocations before the one that fails */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static bool fails(void)
{
    return left != NEVER && left-- == 0;
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

static struct world *world;

/* Pushes a block of these with the k-th allocation failing; true where none failed. */
static bool push(struct verifier *v, long k, struct made *const *made, size_t n)
{
    struct derive_tx tx[2];
    const uint8_t *blob[2];
    struct derive_block b = {{L1_FIRST, {{1}}}, world->l1[0].at.hash, tx, n};
    for (size_t i = 0; i < n; i++) {
        tx[i] = made[i]->tx;
        tx[i].index = (uint32_t)i;
        blob[i] = made[i]->blob;
        tx[i].blob = made[i]->blob != NULL ? &blob[i] : NULL;
    }
    left = k;
    enum derive_step step = derive_push(v->d, &b);
    left = NEVER;
    if (step == DERIVE_AGAIN) {
        assert_int_equal(derive_push(v->d, &b), DERIVE_TAKEN);
        return false;
    }
    assert_int_equal(step, DERIVE_TAKEN);
    return true;
}

static void at_every_allocation(struct made *const *made, size_t n)
{
    bool whole = false;
    long k = 0;
    for (; !whole; k++) {
        struct verifier v;
        verifier_open(&v, world, false, 0);
        whole = push(&v, k, made, n);
        assert_int_equal(verifier_next(&v), 1);
        assert_int_equal(derive_count(v.d, DERIVE_FRAMES), 0);
        assert_int_equal(derive_count(v.d, DERIVE_BLOCKS), 0);
        verifier_close(&v);
        assert_true(k < MOST);
    }
    assert_true(k > 2);
}

static void postings(void **state)
{
    (void)state;
    struct made *blob[] = {make_blob_posting(world, 0, 1)};
    struct made *halves[] = {make_half(world, 0, HALF_PAYLOAD, 1),
                             make_half(world, 0, HALF_ENVELOPE, 1)};
    struct made *other_way[] = {halves[1], halves[0]};
    at_every_allocation(blob, 1);
    at_every_allocation(halves, 2);
    at_every_allocation(other_way, 2);
}

static void opening(void **state)
{
    (void)state;
    struct verifier v;
    struct buffer saved;
    struct fault fault;
    struct derive *d = NULL;
    buffer_init(&saved, 1 << 20);
    verifier_open(&v, world, false, 0);
    derive_save(v.d, &saved);
    enum err e = ERR_NO_MEMORY;
    for (long k = 0; e != OK; k++) {
        left = k;
        e = derive_open(&d, &v.setup);
        left = NEVER;
        assert_true(e == OK || (e == ERR_NO_MEMORY && d == NULL));
        derive_close(d);
    }
    e = ERR_NO_MEMORY;
    for (long k = 0; e != OK; k++) {
        left = k;
        e = derive_restore(&d, &v.setup, buffer_bytes(&saved), &fault);
        left = NEVER;
        assert_true(e == OK || (e == ERR_NO_MEMORY && d == NULL));
        derive_close(d);
    }
    verifier_close(&v);
    buffer_free(&saved);
}

static int set_up(void **state)
{
    (void)state;
    world = malloc(sizeof *world);
    if (world == NULL || key_library_init() != OK) {
        return -1;
    }
    world_open(world, 5);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_close(world);
    free(world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(postings),
        cmocka_unit_test(opening),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
