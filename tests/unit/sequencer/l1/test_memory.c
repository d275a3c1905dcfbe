/* A block is read while the k-th allocation fails, for every k: it says so and leaks nothing. Linked
 * so that malloc, calloc and realloc of our own objects come by here. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/key.h"
#include "sequencer/l1/block.h"

enum { NEVER = -1 };

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

static void blocks(void **state)
{
    static char text[65536];
    (void)state;
    FILE *f = fopen(L1_RECORDED "/recorded_block.json", "rb");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    struct json_object *o = json_read(bytes_of(text, n));
    const struct block_watch nobody = {.n = 0};
    enum err e = ERR_NO_MEMORY;
    long k = 0;
    for (; e != OK; k++) {
        struct block_read b;
        left = k;
        e = block_read(&b, o, n, &nobody);
        left = NEVER;
        assert_true(e == OK || e == ERR_NO_MEMORY);
        block_release(&b);
    }
    assert_true(k > 5);
    json_object_put(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks),
    };
    return key_library_init() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
