/* Each allocation fails once, the k-th for every k: a call says so or is told so, nothing leaks, and
 * the client goes on. Linked so that malloc, calloc and realloc of our own objects come by here. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "l1_server.h"
#include "proto/key.h"
#include "sequencer/l1/block.h"
#include "sequencer/l1/l1_client.h"

enum { NEVER = -1, MOST = 200, LIMIT_MS = 20000 };

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

struct round {
    struct l1_client *client;
    struct l1 l1;
    bool at_head, closed, asked;
    enum { UNTOLD, TOLD_BADLY, TOLD } fees, path;
    uint64_t head;
};

static void on_view(void *arg, const struct l1_view *v)
{
    struct round *r = arg;
    r->at_head = v->known && v->head.at.number == r->head;
}

static void on_fees(void *arg, enum err e, const struct l1_fees *f)
{
    (void)f;
    ((struct round *)arg)->fees = e == OK ? TOLD : TOLD_BADLY;
}

static void on_path(void *arg, enum err e, const struct l1_path *p)
{
    (void)p;
    ((struct round *)arg)->path = e == OK ? TOLD : TOLD_BADLY;
}

static void on_closed(void *arg)
{
    ((struct round *)arg)->closed = true;
}

/* A call that failed is made again, as a caller would. */
static void ask_both(struct round *r, const struct chain *c)
{
    if (r->fees != TOLD && (!r->asked || r->fees == TOLD_BADLY)) {
        r->fees = r->l1.ops->fees(r->l1.ctx, on_fees, r) == OK ? UNTOLD : TOLD_BADLY;
    }
    if (r->path != TOLD && (!r->asked || r->path == TOLD_BADLY)) {
        const struct l1_ref *known = &c->block[1].at;
        r->path = r->l1.ops->path(r->l1.ctx, known, 1, on_path, r) == OK ? UNTOLD : TOLD_BADLY;
    }
    r->asked = true;
}

/* True: an allocation failed. */
static bool play(uv_loop_t *loop, struct server *s, const struct chain *c, long k)
{
    char url[64];
    const char *urls[] = {url};
    struct round r = {.head = c->n - 1};
    snprintf(url, sizeof url, "http://127.0.0.1:%d", s->port);
    struct l1_options o = {.rpc = urls, .rpc_n = 1, .chain_id = 900, .poll_ms = 10, .total_ms = 500,
                           .probe_ms = 20, .grace_ms = 10, .on_view = on_view, .arg = &r};
    left = k;
    if (l1_client_open(&r.client, loop, &o) != OK) {
        assert_true(left == NEVER || left < 0);
        left = NEVER;
        uv_run(loop, UV_RUN_NOWAIT);
        return true;
    }
    r.l1 = l1_client_access(r.client);
    uint64_t end = uv_hrtime() / 1000000 + LIMIT_MS;
    while (!r.at_head || r.fees != TOLD || r.path != TOLD) {
        assert_true(uv_hrtime() / 1000000 < end);
        if (r.at_head) {
            ask_both(&r, c);
        }
        uv_run(loop, UV_RUN_ONCE);
    }
    bool failed = left < 0;
    left = NEVER;
    l1_client_close(r.client, on_closed, &r);
    while (!r.closed) {
        uv_run(loop, UV_RUN_ONCE);
    }
    return failed;
}

static void client(void **state)
{
    static struct chain chain;
    (void)state;
    uv_loop_t loop;
    struct server server;
    long k = 0;
    uv_loop_init(&loop);
    chain_grow(&chain, 300, 0);
    server_open(&server, &loop, &chain);
    while (play(&loop, &server, &chain, k)) {
        k++;
        assert_true(k < MOST);
    }
    assert_true(k > 20);
    server_close(&server);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks),
        cmocka_unit_test(client),
    };
    signal(SIGPIPE, SIG_IGN);
    return key_library_init() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
