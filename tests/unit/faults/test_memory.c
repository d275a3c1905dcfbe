/* The k-th allocation fails, for every k, in what proto/ and p2p/ do with bytes of strangers: the
 * caller hears of it, nothing leaks (AddressSanitizer looks), and the same work done again is done.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/crypto.h>

#include "../proto/sample.h"
#include "p2p/frame.h"
#include "p2p/lanes.h"
#include "p2p/tls.h"
#include "proto/keystore.h"
#include "wrap.h"

enum { K_MOST = 500, ROOM = 1 << 20 };

static struct sample sample = {.seed = 7, .most = 8};
static uint8_t room[ROOM];

/* A piece of work: OK, or the error that its caller would hear. It cleans up after itself. */
typedef enum err work(void);

static void fail_each(work *w, uint64_t least)
{
    uint64_t k = 1;
    for (;; k++) {
        fault_arm(FAULT_MEMORY, k, false);
        enum err e = w();
        if (!fault_disarm()) {
            assert_int_equal(e, OK);
            break;
        }
        assert_true(e == ERR_NO_MEMORY || e == ERR_CRYPTO);
        assert_true(k < K_MOST);
    }
    assert_true(k > least);
    assert_int_equal(w(), OK);
}

/* ---- messages and records -------------------------------------------------------------------- */

static enum message_kind kind;

static enum err message_work(void)
{
    struct message_arena arena = {0};
    struct message m = sample_message(&sample, kind, true);
    struct message back;
    size_t n = 0;
    enum err e = message_encode(room, ROOM, &n, &m);
    if (e == OK) {
        e = message_decode(&back, &arena, bytes_of(room, n));
    }
    message_arena_free(&arena);
    return e;
}

static void messages(void **state)
{
    (void)state;
    for (int i = MSG_STATUS; i < MSG_KIND_COUNT; i++) {
        kind = (enum message_kind)i;
        fail_each(message_work, 1);
    }
}

static enum err record_work(void)
{
    struct message_arena arena = {0};
    struct bundle b = sample_bundle(&sample);
    struct journal_step step = {
        .sequence = 1, .vote = b.vote, .votes = 8, .cert = b.cert, .certs = 8};
    struct journal_step back;
    struct block block = sample_block(&sample);
    struct block again;
    size_t n = 0;
    enum err e = journal_step_encode(room, ROOM, &n, &step);
    e = e == OK ? journal_step_decode(&back, &arena, bytes_of(room, n)) : e;
    block.body = bytes_of(room + ROOM / 2, 20000);
    e = e == OK ? stored_block_encode(room, ROOM, &n, &block) : e;
    e = e == OK ? stored_block_decode(&again, bytes_of(room, n)) : e;
    message_arena_free(&arena);
    return e;
}

static void records(void **state)
{
    (void)state;
    fail_each(record_work, 2);
}

/* ---- peers ----------------------------------------------------------------------------------- */

static enum err take_frame(void *ctx, uint8_t tag, struct bytes payload)
{
    (void)tag;
    *(size_t *)ctx += payload.n;
    return OK;
}

/* Frames through the queues of one side into the reader of the other. */
static enum err frame_work(void)
{
    struct lanes lanes = {0};
    struct frame_reader reader = {0};
    size_t taken = 0;
    enum err e = OK;
    for (uint8_t lane = 0; e == OK && lane < LANE_COUNT; lane++) {
        struct frame *f = frame_new(lane, 100000);
        if (f == NULL) {
            e = ERR_NO_MEMORY;
            break;
        }
        memset(f->data, lane, f->len);
        e = lanes_push(&lanes, f);
        frame_unref(f);
    }
    size_t n = 1;
    while (e == OK && (n = lanes_pull(&lanes, room, 16384)) > 0) {
        e = frame_reader_feed(&reader, bytes_of(room, n), take_frame, &taken);
    }
    assert_true(e != OK || taken == 100000 * LANE_COUNT);
    lanes_clear(&lanes);
    frame_reader_free(&reader);
    return e;
}

static void frames(void **state)
{
    (void)state;
    fail_each(frame_work, 10);
}

static enum err tls_work(void)
{
    struct tls_context *c = NULL;
    struct tls *t = NULL;
    enum err e = tls_context_make(&c);
    e = e == OK ? tls_make(&t, c, TLS_CLIENT) : e;
    tls_free(t);
    tls_context_free(c);
    return e;
}

static void tls_engines(void **state)
{
    (void)state;
    fail_each(tls_work, 2);
}

/* OpenSSL's own allocations go through here. */
static void *crypto_take(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return fault_strikes(FAULT_CRYPTO) ? NULL : fault_plain_malloc(n);
}

static void *crypto_resize(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return fault_strikes(FAULT_CRYPTO) ? NULL : fault_plain_realloc(p, n);
}

static void crypto_release(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

/* What came from the other side finds no room: the engine says so, and takes it later. */
static void tls_input(void **state)
{
    struct tls_context *c = NULL;
    struct tls *t = NULL;
    (void)state;
    assert_int_equal(tls_context_make(&c), OK);
    assert_int_equal(tls_make(&t, c, TLS_SERVER), OK);
    fault_arm(FAULT_CRYPTO, 1, false);
    assert_int_equal(tls_feed(t, bytes_of(room, sizeof room)), ERR_NO_MEMORY);
    assert_true(fault_disarm());
    assert_int_equal(tls_feed(t, bytes_of(room, sizeof room)), OK);
    tls_free(t);
    tls_context_free(c);
}

/* ---- key files ------------------------------------------------------------------------------- */

/* r = 1: the costs that OpenSSL refuses and scrypt.c takes. */
static enum err keystore_work(void)
{
    struct secret_key key;
    struct keystore ks = {.kdf = KDF_SCRYPT, .n = 1u << 17, .r = 1, .p = 1, .salt_len = 8};
    enum err e = keystore_decrypt(&key, &ks, bytes_of("x", 1));
    return e == ERR_REFUSED ? OK : e; /* no password opens it */
}

static void key_files(void **state)
{
    (void)state;
    fail_each(keystore_work, 1);
}

int main(void)
{
    assert_int_equal(CRYPTO_set_mem_functions(crypto_take, crypto_resize, crypto_release), 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages),    cmocka_unit_test(records),   cmocka_unit_test(frames),
        cmocka_unit_test(tls_engines), cmocka_unit_test(key_files), cmocka_unit_test(tls_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
